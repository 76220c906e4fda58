"""CGAN against section 4.1 of the paper, and the projection discriminator against equation 4 of its own."""

import json

import keras
import numpy as np
import pytest
from goldens import cgan
from keras import layers, ops

from kerasgan import CGAN, penalties
from kerasgan.layers import Maxout
from kerasgan.models import gan, networks
from kerasgan.models.cgan import build_discriminator, build_generator, check_sizes, told, uniform


def of_type(network, *types):
    return [layer for layer in network.layers if isinstance(layer, types)]


def pictures(model, n=32):
    """Images and labels that a model can be fitted to."""
    images = np.random.default_rng(0).integers(0, 256, (n, *model.image_shape)).astype("uint8")
    return images, np.arange(n) % model.classes


# --- the networks -----------------------------------------------------------------------------------------------------


def test_the_networks_of_section_4_1():
    """z -> 200 and y -> 1000, both -> 1200 -> 784; x -> 240 x 5 and y -> 50 x 5, both -> 240 x 4 -> 1."""
    generator, discriminator = build_generator((28, 28, 1), 10, 100), build_discriminator((28, 28, 1), 10)
    assert [layer.units for layer in of_type(generator, layers.Dense)] == [200, 1000, 1200, 784]
    assert generator.count_params() == 101 * 200 + 11 * 1000 + 1201 * 1200 + 1201 * 784
    assert {(layer.units, layer.pieces) for layer in of_type(discriminator, Maxout)} == {(240, 5), (50, 5), (240, 4)}
    assert discriminator.count_params() == 785 * 1200 + 11 * 250 + 291 * 960 + 241
    for network in (generator, discriminator):
        assert [layer.rate for layer in of_type(network, layers.Dropout)] == [0.5] * 3
        assert [tuple(x.shape[1:]) for x in network.inputs][1] == (10,)


def test_the_generator_sees_the_unit_hypercube():
    """Latents in [-1, 1) become (z + 1) / 2: what the class says is the rest."""
    generator = build_generator((2, 2, 1), 3, 4, (5, 5, 5), dropout=0.0)
    dense = of_type(generator, layers.Dense)[0]
    dense.kernel.assign(ops.ones_like(dense.kernel))
    hidden = keras.Model(generator.inputs, dense.output)
    at = [float(ops.max(hidden([np.full((1, 4), z, "float32"), np.eye(3, dtype="float32")[:1]]))) for z in (-1, 0, 1)]
    assert at == pytest.approx([0, 2, 4])


def test_another_start():
    """He et al. 2015: deviation sqrt(2 / inputs), on latents as they are; no two layers begin with the same numbers."""
    generator = build_generator((9, 9, 1), 300, 200, (300, 300, 400), 0.0, "he_normal")
    assert not of_type(generator, layers.Rescaling)[:-1]  # the last one is of the images
    of_z, of_y, of_both, _ = (layer.kernel.numpy() for layer in of_type(generator, layers.Dense))
    for kernel, inputs in ((of_z, 200), (of_y, 300), (of_both, 600)):
        assert kernel.std() == pytest.approx((2 / inputs) ** 0.5, rel=0.02)
    assert not np.array_equal(of_z[:200, :300], of_y[:200, :300])
    config = cgan(kernel_initializer="he_uniform").get_config()
    assert config["kernel_initializer"] == CGAN.from_config(config).config["kernel_initializer"] == "he_uniform"
    with pytest.raises(ValueError, match="kernel_initializer is None, or a name that Keras knows, such as 'he_normal'"):
        cgan(kernel_initializer="he")


def test_projection():
    """score = w . f(x) + b + (V y) . f(x): what a class adds is linear in f(x), and V has a row for every class."""
    network = build_discriminator((2, 2, 1), 3, (6, 3, 4), (2, 2, 2), dropout=0.0, projection=True)
    network.set_weights([np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(network.get_weights())])
    joint = keras.Model(network.inputs, of_type(network, Maxout)[-1].output)
    images, labels = np.random.default_rng(9).uniform(-1, 1, (3, 2, 2, 1)), np.eye(3)
    (table,) = network.get_layer("classes").get_weights()
    w, b = network.get_layer("scores").get_weights()
    features = ops.convert_to_numpy(joint([images, labels]))
    expected = features @ w + b + np.sum(table * features, axis=1, keepdims=True)
    np.testing.assert_allclose(network([images, labels]), expected, rtol=1e-4)
    same = ops.convert_to_numpy(joint([images, labels[::-1]]))
    np.testing.assert_allclose(same, features, rtol=1e-6)  # f knows nothing of the class


def test_projection_is_of_the_discriminator_that_is_built():
    own = cgan().discriminator
    with pytest.raises(ValueError, match="projection is of the discriminator that is built here"):
        CGAN((15, 18, 1), classes=3, discriminator=own, projection=True)
    assert not CGAN.modern((15, 18, 1), classes=3, discriminator=own).config["projection"]


@pytest.mark.parametrize("projection", [False, True])
def test_the_discriminator_listens_to_the_class(projection):
    model = cgan(projection=projection)
    images = np.random.default_rng(0).uniform(-1, 1, (1, 15, 18, 1))
    scores = [float(model.discriminator([images, np.eye(3)[i : i + 1]])[0, 0]) for i in range(3)]
    assert len({round(score, 6) for score in scores}) == 3


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 3)])
def test_any_shape_and_number_of_classes(shape):
    sizes = dict(units=(2, 3, 4), discriminator_units=(2, 2, 2), pieces=(1, 1, 1))
    model = CGAN(shape, classes=2, latent_size=3, **sizes)
    assert model.generate(5, seed=0).shape == (5, *shape) and model.classes == 2
    many = CGAN(shape, classes=300, latent_size=3, **sizes)
    assert many.generate(labels=[299], seed=0).shape == (1, *shape)


# --- the model --------------------------------------------------------------------------------------------------------


def test_the_papers_preset():
    """Gradient descent at 0.1, divided by 1.00004 after every step: 1e-6 after 288,000; the non-saturating loss."""
    model = CGAN.paper((8, 8, 1), units=(4, 4, 8), discriminator_units=(4, 2, 4))
    assert model.loss.name == "nonsaturating" and model.rules["penalty"] is None and model.latent_shape == (100,)
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.SGD) and optimizer.momentum == 0.5
        rates = [float(optimizer._learning_rate(step)) for step in (0, 1, 287_823)]
        assert rates == pytest.approx([0.1, 0.1 / 1.00004, 1e-6], rel=1e-3)
    logs = model.fit(*pictures(model), batch_size=8, verbose=0).history
    assert np.isfinite([values[0] for values in logs.values()]).all()


def test_the_modern_preset():
    model = CGAN.modern((8, 8, 1), gamma=0.3, learning_rate=1e-3, units=(4, 4, 8), discriminator_units=(4, 2, 4))
    assert model.loss.name == "relativistic" and model.rules["penalty"].kind == "r1_r2"
    assert model.rules["penalty"].weight == 0.3 and model.config["projection"] and model.config["dropout"] == 0.0
    assert model.config["kernel_initializer"] == "he_normal" and model.latent_distribution == "normal"
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    logs = model.fit(*pictures(model), batch_size=8, verbose=0).history
    assert set(logs) >= {"penalty", "pair_accuracy"} and logs["penalty"][0] > 0


def test_it_learns_which_class_is_which():
    """Three classes, a bright third each: after a minute of play what is asked for is what is drawn."""
    labels = np.arange(96) % 3
    images = np.full((96, 9, 9, 1), 20, "uint8")
    for image, label in zip(images, labels, strict=True):
        image[3 * label : 3 * label + 3] = 230
    sizes = dict(units=(16, 16, 32), discriminator_units=(16, 8, 16), pieces=(2, 2, 2), latent_size=4)
    model = CGAN.modern((9, 9, 1), gamma=0.1, learning_rate=0.005, classes=3, average_momentum=0.9, **sizes)
    model.fit(images, labels, batch_size=32, epochs=100, verbose=0)
    wanted = np.arange(30) % 3
    drawn = model.generate(labels=wanted, seed=0).reshape(30, 3, 27).mean(axis=2)
    np.testing.assert_array_equal(drawn.argmax(axis=1), wanted)


def test_one_class_has_no_other():
    model = cgan(classes=1)
    with pytest.raises(ValueError, match="of two classes or more"):
        model.compile(mismatched=0.25)


def test_mismatched_labels():
    """Any class but its own, each as likely; of them D's loss has its share (Reed et al. 2016, Algorithm 1)."""
    model, told = cgan(classes=4), []
    model.compile(loss="hinge", mismatched=0.25)
    model.scores = lambda images, labels: told.append(ops.convert_to_numpy(labels))
    labels = np.arange(400) % 4
    model.mismatched(ops.zeros((400, 15, 18, 1)), ops.one_hot(labels, 4))
    (wrong,) = told
    np.testing.assert_array_equal(wrong.sum(axis=1), 1)
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (labels, wrong.argmax(axis=1)), 1)
    assert (np.diag(counts) == 0).all() and counts[~np.eye(4, dtype=bool)].min() > 15  # 33 of each are to be expected
    real, fake, mismatched = (np.array([[score]], "float32") for score in (0.5, -0.25, 2.0))
    assert float(model.discriminator_loss(real, fake)) == pytest.approx(0.5 + 0.75)
    assert float(model.discriminator_loss(real, fake, mismatched)) == pytest.approx(0.5 + 0.75 * 0.75 + 0.25 * 3)


@pytest.mark.parametrize("loss", ["nonsaturating", "relativistic"])
def test_mismatched_labels_are_played(loss):
    """With all that comes before D, saved and made again; and without them nothing is drawn for them."""
    model = cgan(pack=2)
    model.compile(loss=loss, mismatched=0.5, instance_noise=0.1, alternate=True, run_eagerly=True)
    assert np.isfinite(model.fit(*pictures(model, 16), batch_size=8, verbose=0).history["discriminator_loss"]).all()
    again = cgan(pack=2)
    again.compile_from_config(model.get_compile_config())
    assert again.rules["mismatched"] == 0.5
    again.compile(loss=loss)
    before = ops.convert_to_numpy(again.random.state)
    assert again.mismatched(ops.zeros((2, 15, 18, 1)), ops.eye(3)[:2]) is None
    np.testing.assert_array_equal(again.random.state, before)


def test_networks_of_ones_own():
    """Convolutional ones, say: labels come one-hot; what is packed shares one vector of labels."""

    def generator():
        z, y = keras.Input((4,)), keras.Input((3,))
        x = layers.Reshape((4, 4, 1))(layers.Dense(16)(layers.Concatenate()([z, y])))
        return keras.Model([z, y], layers.Conv2DTranspose(1, 4, 2, "same", activation="tanh")(x), name="generator")

    def discriminator(labels=6):
        images, y = keras.Input((8, 8, 2)), keras.Input((labels,))
        x = layers.Flatten()(layers.Conv2D(2, 4, 2, "same", activation="leaky_relu")(images))
        return keras.Model([images, y], layers.Dense(1)(layers.Concatenate()([x, y])), name="discriminator")

    model = CGAN(generator=generator, discriminator=discriminator, pack=2)
    assert (model.image_shape, model.classes, model.latent_shape) == ((8, 8, 1), 3, (4,))
    model.compile()
    assert np.isfinite(model.fit(*pictures(model), batch_size=8, verbose=0).history["generator_loss"]).all()
    config = json.loads(json.dumps(model.get_config()))
    again = CGAN.from_config(config)
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.generate(6, seed=1), model.generate(6, seed=1))
    with pytest.raises(ValueError, match="classes asks for 4, and the generator that was given has 3: leave classes"):
        CGAN(generator=generator, discriminator=discriminator, pack=2, classes=4)
    with pytest.raises(ValueError, match=r"labels of 3 classes, 2 packed together; .* are \[\(3,\)\], and have to be"):
        CGAN(generator=generator, discriminator=lambda: discriminator(3), pack=2)
    for given in ({}, {"discriminator": discriminator}):
        with pytest.raises(
            ValueError, match="latents and one-hot labels .* alone: give it a second input, or make a GAN"
        ):
            CGAN(generator=gan.build_generator((8, 8, 1), 4, (5,)), pack=2, **given)
    assert told(generator).name == "generator"
    with pytest.raises(ValueError, match="takes latents, or latents and one-hot labels"):
        networks.classes_of(keras.Model(three := [keras.Input((1,)) for _ in range(3)], layers.Add()(three)))
    assert networks.classes_of(generator()) == 3


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"classes": 0}, "classes is an integer of at least 1; saw 0"),
        ({"latent_size": 1.5}, "latent_size is an integer of at least 1; saw 1.5"),
        ({"units": (4, 4)}, "units is three counts: of the layer of the image or latents, of the class, and of both"),
        ({"pieces": (1, 0, 1)}, "pieces is an integer of at least 1; saw 0"),
        ({"dropout": 1.0}, r"dropout is a share in \[0, 1\), of every hidden layer; saw 1.0"),
    ],
)
def test_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        CGAN(**options)


def test_check_sizes():
    check_sizes({"units": [1, 2, 3], "classes": [2]}, 0.0)
    with pytest.raises(ValueError, match="classes is an integer"):
        check_sizes({"classes": [True]}, 0.0)


def test_uniform():
    values = ops.convert_to_numpy(uniform(0.05)((1000,)))
    assert -0.05 <= values.min() < -0.045 and 0.045 < values.max() <= 0.05


def test_penalties_are_of_the_image_alone():
    """R1 is the slope in the image at its own class: by hand for a projection, whose slope is linear in V y."""
    x, y = keras.Input((1, 1, 1)), keras.Input((2,))
    slope = layers.Dense(1, use_bias=False, name="v")(y)
    model = CGAN(
        (1, 1, 1), classes=2, latent_size=1, units=(1, 1, 1),
        discriminator=keras.Model([x, y], layers.Dot(1)([layers.Flatten()(x), slope])),
    )  # fmt: skip
    model.discriminator.set_weights([np.array([[3.0], [5.0]])])
    model.compile(penalty=penalties.r1(2.0))
    labels, images = ops.eye(2), ops.zeros((2, 1, 1, 1))
    *_, penalty = model.judge(lambda x: model.scores(x, labels), images, images)
    assert float(penalty) == pytest.approx((9 + 25) / 2)
