"""GAN against section 5 of the paper and the authors' code."""

import json
import math

import keras
import numpy as np
import pytest
from goldens import gan
from keras import layers, ops

from kerasgan import GAN, penalties
from kerasgan.layers import Maxout
from kerasgan.models import networks
from kerasgan.models.gan import build_discriminator, build_generator, uniform


def of_type(network, *types):
    return [layer for layer in network.layers if isinstance(layer, types)]


# --- the networks -----------------------------------------------------------------------------------------------------


def test_the_networks_of_the_authors_mnist_run():
    """100 -> 1200 -> 1200 -> 784 and 784 -> 240 x 5 -> 240 x 5 -> 1, 2.5 million and 2.4 million weights."""
    generator, discriminator = build_generator((28, 28, 1), 100), build_discriminator((28, 28, 1))
    assert [layer.units for layer in of_type(generator, layers.Dense)] == [1200, 1200, 784]
    assert generator.count_params() == 101 * 1200 + 1201 * 1200 + 1201 * 784
    assert [(layer.units, layer.pieces) for layer in of_type(discriminator, Maxout)] == [(240, 5), (240, 5)]
    assert discriminator.count_params() == 785 * 1200 + 241 * 1200 + 241
    assert [layer.rate for layer in of_type(discriminator, layers.Dropout)] == [0.2, 0.5, 0.5]
    for network, limit in ((generator, 0.05), (discriminator, 0.005)):
        kernels = [w for w in network.get_weights() if w.ndim == 2]
        assert all(0.99 * limit < np.abs(kernel).max() <= limit for kernel in kernels if kernel.size > 1000)


def test_the_generator_sees_latents_of_variance_one():
    """U(-1, 1) has variance 1/3: the authors draw from U(-sqrt 3, sqrt 3)."""
    model = gan(units=())
    z = np.eye(8, dtype="float32")
    dense = of_type(model.generator, layers.Dense)[0]
    kernel, bias = dense.get_weights()
    expected = np.tanh((math.sqrt(3) * kernel + bias) / 2).reshape(8, 15, 18, 1)  # 2 sigmoid(x) - 1
    np.testing.assert_allclose(model.generator(z), expected, atol=1e-6)
    assert model.latent_distribution == "uniform"


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 3), (28, 28, 2)])
def test_any_shape(shape):
    model = GAN(shape, latent_size=3, units=(4,), discriminator_units=(2,), pieces=1)
    images = model.generate(3, seed=0)
    assert images.shape == (3, *shape) and images.dtype == np.uint8
    assert ops.shape(model.discriminator(images / 127.5 - 1)) == (3, 1)


def test_images_lie_in_the_contract():
    generator = build_generator((6, 6, 1), 4, (8,))
    images = ops.convert_to_numpy(generator(1e6 * np.random.default_rng(0).normal(size=(50, 4)).astype("float32")))
    assert images.min() == -1 and images.max() == 1


def test_another_start():
    """He et al. 2015: deviation sqrt(2 / inputs), on latents as they are; no two layers begin with the same numbers."""
    generator = build_generator((9, 9, 1), 300, (300, 300), "he_normal")
    assert (
        len(of_type(generator, layers.Rescaling)) == len(of_type(build_generator((9, 9, 1), 3), layers.Rescaling)) - 1
    )
    first, second, _ = (layer.kernel.numpy() for layer in of_type(generator, layers.Dense))
    assert first.std() == pytest.approx((2 / 300) ** 0.5, rel=0.02) and not np.array_equal(first, second)
    assert gan(kernel_initializer="he_normal").get_config()["kernel_initializer"] == "he_normal"


def test_modes_are_kinds_of_images():
    """Where all latents choose, there are as many images as modes; half of them leave the others to vary each."""
    model, half = (gan(latent_size=8, modes=modes) for modes in (8, 4))
    assert len(np.unique(model.generate(200, seed=0), axis=0)) == 8 == model.config["modes"]
    assert len(np.unique(half.generate(200, seed=0), axis=0)) > 100 and gan().config["modes"] == 0
    with pytest.raises(ValueError, match="modes is an integer of at least 1; saw 1.5"):
        gan(modes=1.5)


# --- the model --------------------------------------------------------------------------------------------------------


def trains(model):
    images = np.random.default_rng(0).integers(0, 256, (32, *model.image_shape)).astype("uint8")
    before = {w.path: w.numpy() for w in model.trainable_variables}
    logs = model.fit(images, batch_size=8, verbose=0).history
    assert all(np.isfinite(values).all() for values in logs.values())
    after = {w.path: w.numpy() for w in model.trainable_variables}
    return logs, [path for path in after if np.array_equal(before[path], after[path])]


def test_the_papers_preset():
    """Gradient descent at 0.1, divided by 1.000004 after every step, with momentum; the non-saturating loss.

    D's rate is half: the authors' D descends (real + fake) / 2.
    """
    model = GAN.paper((8, 8, 1), units=(16,), discriminator_units=(6, 4))
    assert model.loss.name == "nonsaturating" and model.rules["penalty"] is None
    for optimizer, rate in ((model.generator_optimizer, 0.1), (model.discriminator_optimizer, 0.05)):
        assert isinstance(optimizer, keras.optimizers.SGD) and optimizer.momentum == 0.5
        rates = [float(optimizer._learning_rate(step)) for step in (0, 1, 250_000)]
        assert rates == [pytest.approx(rate), pytest.approx(rate / 1.000004), pytest.approx(rate / math.e, rel=1e-3)]
    logs, still = trains(model)
    assert set(logs) == {"discriminator_loss", "generator_loss", "penalty", "real_accuracy", "fake_accuracy"}
    assert still == []
    assert GAN.paper().image_shape == (28, 28, 1)


def test_algorithm_1():
    """k steps of D, each on data of its own, then one of G on fresh noise."""
    model = gan()
    model.compile(alternate=True, discriminator_steps=4)
    assert model.rules["alternate"] and model.rules["discriminator_steps"] == 4
    assert trains(model)[1] == []


def test_the_modern_preset():
    model = GAN.modern((8, 8, 1), gamma=0.5, learning_rate=1e-3, units=(16,), discriminator_units=(6, 4))
    penalty = model.rules["penalty"]
    assert isinstance(penalty, penalties.Penalty) and (penalty.kind, penalty.weight) == ("r1_r2", 0.5)
    assert [layer.rate for layer in of_type(model.discriminator, layers.Dropout)] == [0, 0, 0]
    logs, still = trains(model)
    assert set(logs) == {"discriminator_loss", "generator_loss", "penalty", "pair_accuracy"}
    assert still == ["scores/bias"], "pairs feel differences alone"


def test_a_configuration_makes_the_same_model():
    model = gan(units=(5, 4), pieces=3, dropout=(0.1, 0.2), pack=2, seed=3, name="mine")
    config = json.loads(json.dumps(model.get_config()))
    again = GAN.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config and again.name == "mine"
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    assert again.discriminator.input_shape == (None, 15, 18, 2)


def test_networks_of_ones_own(tmp_path):
    """Shapes come from what is given; what was passed is saved with the model."""
    model = GAN(
        generator=build_generator((6, 4, 1), 5, (7,)), discriminator=lambda: build_discriminator((6, 4, 1), (3,), 2)
    )
    assert (
        model.image_shape == (6, 4, 1)
        and model.latent_shape == (5,)
        and list(model.own) == ["generator", "discriminator"]
    )
    model.compile()
    model.save(tmp_path / "own.keras")
    again = keras.saving.load_model(tmp_path / "own.keras")
    np.testing.assert_array_equal(again.generate(3, seed=1), model.generate(3, seed=1))
    judge = build_discriminator((6, 4, 2), (3,), 2)
    assert networks.shape_judged(judge, 2) == (6, 4, 1) and networks.passed(generator=None, discriminator=judge) == [
        "discriminator"
    ]
    with pytest.raises(ValueError, match=r"image_shape asks for \(9, 9, 1\), and the generator that was given has"):
        GAN((9, 9, 1), generator=build_generator((6, 4, 1), 5, (7,)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"units": (0,)}, "units is an integer of at least 1; saw 0"),
        ({"pieces": 1.5}, "pieces is an integer of at least 1; saw 1.5"),
        ({"image_shape": (0, 5, 1)}, "image_shape is an integer of at least 1; saw 0"),
        ({"dropout": (0.2, 1.0)}, r"dropout is two shares in \[0, 1\), .*; saw \(0.2, 1.0\)"),
        ({"dropout": (0.2,)}, "dropout is two shares"),
    ],
)
def test_what_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        GAN(**options)


def test_uniform():
    drawn = np.array(uniform(0.05)((300, 300)))
    assert np.abs(drawn).max() <= 0.05 and drawn.std() == pytest.approx(0.05 / math.sqrt(3), rel=0.02)
