"""DCGAN beside its paper: sizes, where the normalisation stands, how many weights, and its two presets."""

import json

import keras
import numpy as np
import pytest
from goldens import dcgan
from keras import layers
from test_dcgan_networks import CONVOLUTIONS, of_type

from kerasgan import DCGAN, penalties
from kerasgan.models import dcgan as paper
from kerasgan.models import networks, rules
from kerasgan.models.dcgan import build_discriminator, build_generator

# --- the model --------------------------------------------------------------------------------------------------------


def test_networks_of_ones_own(tmp_path):
    """A built model, or a function; they are saved with the model, which takes its shapes from them."""
    z, images = keras.Input((3, 2)), keras.Input((10, 7, 1))
    generator = keras.Model(z, layers.Reshape((10, 7, 1))(layers.Dense(70, "tanh")(layers.Flatten()(z))))
    discriminator = keras.Model(images, layers.Dense(1)(layers.Flatten()(images)))
    model = DCGAN(generator=generator, discriminator=lambda: discriminator)
    assert model.generator is generator and model.discriminator is discriminator
    assert model.latent_shape == (3, 2) and model.image_shape == (10, 7, 1)
    assert model.generate(2, seed=0).shape == (2, 10, 7, 1)
    again = DCGAN.from_config(json.loads(json.dumps(model.get_config())))
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    model.compile(run_eagerly=True)
    model.fit(np.zeros((4, 10, 7, 1), "uint8"), verbose=0)
    model.save(tmp_path / "own.keras")
    loaded = keras.saving.load_model(tmp_path / "own.keras")
    np.testing.assert_array_equal(loaded.generate(2, seed=0), model.generate(2, seed=0))


def own_networks(shape=(10, 7, 1)):
    """Of a shape that does not halve."""
    z, images = keras.Input((3,)), keras.Input(shape)
    generator = keras.Model(z, layers.Reshape(shape)(layers.Dense(int(np.prod(shape)), "tanh")(z)))
    return generator, keras.Model(images, layers.Dense(1)(layers.Flatten()(images)))


def test_shapes_come_from_the_networks_that_are_given():
    """With one of them the other is built to fit; what contradicts them is refused."""
    generator, discriminator = own_networks()
    expected = {"image_shape": (10, 7, 1), "latent_size": 3}
    both = dict(generator=generator, discriminator=discriminator)
    for options in (both, {**both, **expected}, {"generator": generator}, {"generator": lambda: generator, "pack": 2}):
        model = DCGAN(**{"width": 2, **options})
        assert {name: model.get_config()[name] for name in expected} == expected
        assert model.discriminator.input_shape == (None, 10, 7, model.pack)
    _, discriminator = own_networks((16, 16, 4))
    model = DCGAN(discriminator=discriminator, pack=4, width=2)
    assert model.image_shape == (16, 16, 1) == model.get_config()["image_shape"] and model.latent_shape == (100,)
    for name, asked, seen in (("image_shape", (16, 16, 1), (16, 16, 1)), ("latent_size", 8, (8,))):
        has = generator.output_shape[1:] if name == "image_shape" else (3,)
        with pytest.raises(ValueError) as error:
            DCGAN(**{name: asked}, **both)
        sentence = f"{name} asks for {seen}, and the generator that was given has {has}: leave {name} out."
        assert str(error.value) == sentence


def test_helpers_of_the_shapes():
    generator, discriminator = own_networks((10, 7, 4))
    assert (
        networks.shape_judged(discriminator, 4) == (10, 7, 1)
        and networks.shape_judged(lambda: discriminator, 1) is None
    )
    assert [paper.default_width((side, 64, 3)) for side in (28, 64, 96, 512, 1024)] == [64, 64, 32, 32, 16]
    rules.check_asked("latent_size", None, (3,))
    rules.check_asked("latent_size", (3,), (3,))


def test_a_configuration_makes_the_same_model():
    model = DCGAN(
        (16, 16, 3), latent_size=5, width=3, kernel_size=4, convolutions=2, generator_norm=False,
        discriminator_norm=True, pack=2, latent_distribution="uniform", average_momentum=0.5, seed=3, name="mine",
    )  # fmt: skip
    config = json.loads(json.dumps(model.get_config()))
    again = DCGAN.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    assert again.name == "mine" and again.seed == 3 and again.discriminator.input_shape == (None, 16, 16, 6)


def same_adam(optimizer, rate, beta_1, beta_2):
    assert isinstance(optimizer, keras.optimizers.Adam)
    found = (float(optimizer.learning_rate), optimizer.beta_1, optimizer.beta_2)
    assert found == pytest.approx((rate, beta_1, beta_2))


def trains(model, still=()):
    """A step moves every weight but those named, and every loss is finite; returns the logs."""
    before = {w.path: w.numpy() for w in model.trainable_variables}
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1)).astype("uint8")
    logs = model.fit(images, verbose=0).history
    assert np.isfinite(list(logs.values())).all() and int(model.step) == 1
    after = {w.path: w.numpy() for w in model.trainable_variables}
    assert [path for path in after if np.array_equal(before[path], after[path])] == list(still)
    return logs


def test_the_papers_preset():
    """Section 4 and figure 1: uniform latents, BatchNorm in both, Adam 2e-4 with beta_1 0.5; 128 channels at 64x64."""
    model = DCGAN.paper((16, 16, 1), latent_size=8, width=4)
    assert model.latent_distribution == "uniform" and model.loss.name == "nonsaturating"
    assert model.get_compile_config()["penalty"] is None
    for network in (model.generator, model.discriminator):
        assert of_type(network, layers.BatchNormalization)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        same_adam(optimizer, 2e-4, 0.5, 0.999)
    assert set(trains(model)) == {"discriminator_loss", "generator_loss", "penalty", "real_accuracy", "fake_accuracy"}
    conditional = DCGAN.paper((16, 16, 1), classes=3, latent_size=8, width=4, units=(6,))
    assert np.isfinite(list(conditional.train_on_batch(np.zeros((6, 16, 16, 1), "uint8"), np.arange(6) % 3))).all()
    assert DCGAN.paper((16, 16, 3)).get_config()["width"] == 128
    generator, discriminator = build_generator((64, 64, 3), 100, 128), build_discriminator((64, 64, 3), 128, norm=True)
    assert [layer.filters for layer in of_type(generator, *CONVOLUTIONS)] == [512, 256, 128, 3]
    assert generator.count_params() + discriminator.count_params() == pytest.approx(36e6, rel=0.03)


def test_the_modern_preset():
    """Huang et al. 2024: relativistic pairs, R1 and R2, no momentum; no BatchNorm in D."""
    model = DCGAN.modern((16, 16, 1), gamma=0.5, learning_rate=1e-3, latent_size=8, width=4)
    penalty = model.rules["penalty"]
    assert isinstance(penalty, penalties.Penalty) and (penalty.kind, penalty.weight) == ("r1_r2", 0.5)
    assert model.loss.name == "relativistic" and model.latent_distribution == "normal"
    assert not of_type(model.discriminator, layers.BatchNormalization)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        same_adam(optimizer, 1e-3, 0.0, 0.99)
    # Pairs feel differences alone: a bias of all scores has no gradient.
    logs = trains(model, still=["scores/bias"])
    assert set(logs) == {"discriminator_loss", "generator_loss", "penalty", "pair_accuracy"}


def test_every_option_of_the_networks_trains():
    for options in ({"convolutions": 2}, {"generator_norm": False}, {"latent_distribution": "uniform"}):
        model = dcgan(**options)
        model.compile(run_eagerly=True)
        trains(model)
