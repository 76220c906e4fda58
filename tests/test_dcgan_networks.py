"""DCGAN's networks against the paper's section 3 and the authors' code."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasgan import DCGAN
from kerasgan.models import dcgan as paper
from kerasgan.models import sides as its_sides
from kerasgan.models.dcgan import build_discriminator, build_generator
from kerasgan.models.sides import check_image_shape, fits, halvings, strides

# --- sizes ------------------------------------------------------------------------------------------------------------

SIZES = {  # image: smallest level
    (16, 16): (4, 4), (28, 28): (7, 7), (32, 32): (4, 4), (64, 64): (4, 4), (96, 160): (6, 10), (128, 128): (4, 4),
    (256, 256): (4, 4), (512, 512): (8, 8), (1024, 1024): (16, 16),
}  # fmt: skip


@pytest.mark.parametrize(("size", "smallest"), SIZES.items(), ids=str)
def test_halvings(size, smallest):
    count = halvings(*size)
    assert (size[0] / 2**count, size[1] / 2**count) == smallest
    assert fits(*size) and check_image_shape((*size, 3)) == count
    assert count == 6 or min(smallest) < 8 or smallest[0] % 2 or smallest[1] % 2, "it could halve once more"


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        ((28, 28), [14, 7, 4]),
        ((32, 32), [16, 8, 4]),
        ((44, 60), [22, 11, 6]),
        ((96, 160), [48, 24, 12, 6]),
        ((256, 256), [128, 64, 32, 16, 8, 4]),
        ((1024, 1024), [512, 256, 128, 64, 32, 16]),
    ],
    ids=str,
)
def test_the_discriminator_halves_until_four_to_six_are_left(size, sides):
    assert strides(*size) == len(sides)
    network = build_discriminator((*size, 1), 1)
    assert [layer.output.shape[1] for layer in of_type(network, layers.Conv2D)] == sides


def by_hand(height, width):
    """Whether the sides halve two to six times, to whole numbers in 4 to 16, taking as many as keep both at least 4."""
    count = 0
    while height % 2 == 0 == width % 2 and min(height, width) >= 8 and count < 6:
        height, width, count = height // 2, width // 2, count + 1
    return count >= 2 and max(height, width) <= 16


def test_fits_by_hand():
    for height in range(4, 140):
        for width in (height, 2 * height, 28, 96):
            assert fits(height, width) is by_hand(height, width), (height, width)


@pytest.mark.parametrize(
    ("size", "nearest"),
    [
        ((30, 30), "(28, 28, 3) or (32, 32, 3)"),
        ((27, 27), "(28, 28, 3) or (24, 24, 3)"),
        ((8, 8), "(16, 16, 3) or (20, 20, 3)"),
        ((100, 160), "(96, 160, 3) or (112, 160, 3)"),
        ((2048, 2048), "(1024, 1024, 3) or (960, 960, 3)"),
        ((3000, 3000), "(1024, 1024, 3) or (960, 960, 3)"),
    ],
)
def test_other_sizes_are_refused_with_the_two_nearest(size, nearest):
    with pytest.raises(ValueError) as error:
        DCGAN((*size, 3))
    assert str(error.value) == (
        "DCGAN halves both sides two to six times, to at least 4 and at most 16;"
        f" {(*size, 3)} does not: resize the images to {nearest}."
    )


@pytest.mark.parametrize("side", [17, 33, 50, 90, 150, 255, 257, 700])
def test_no_size_that_fits_is_nearer(side):
    with pytest.raises(ValueError) as error:
        check_image_shape((side, side, 1))
    every = sorted((s for s in range(4, 1025) if by_hand(s, s)), key=lambda s: (abs(s - side), s))[:2]
    assert all(s in its_sides.near(side) for s in every)
    for s in every:
        assert str((s, s, 1)) in str(error.value)


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 2), (32, 32, 5), (1, 32, 32, 3)])
def test_other_channels_are_refused(shape):
    with pytest.raises(ValueError) as error:
        DCGAN(shape)
    assert str(error.value) == f"image_shape is (height, width, channels) with 1, 3 or 4 channels; saw {shape}."


# --- the networks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(16, 16), (28, 28), (32, 48)])
def test_shapes_and_range(size, channels):
    shape = (*size, channels)
    generator, discriminator = build_generator(shape, 8, 4), build_discriminator(shape, 4)
    assert generator.input_shape == (None, 8) and generator.output_shape == (None, *shape)
    assert discriminator.input_shape == (None, *shape) and discriminator.output_shape == (None, 1)
    latents = 1e7 * np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    images = generator(latents)
    assert images.dtype == discriminator(images).dtype == "float32"
    assert ops.min(images) >= -1 and ops.max(images) <= 1 and ops.std(images) > 0.5


def of_type(network, *types):
    return [layer for layer in network.layers if isinstance(layer, types)]


CONVOLUTIONS = (layers.Conv2D, layers.Conv2DTranspose)


@pytest.mark.parametrize("convolutions", [1, 2])
@pytest.mark.parametrize("norm", [True, False])
def test_batch_norm_stands_where_the_paper_puts_it(norm, convolutions):
    """Section 3: on all levels but the generator's output and the discriminator's input; biases where there is none."""
    options, normed = dict(convolutions=convolutions, norm=norm), set()
    generator = build_generator((32, 32, 3), 8, 4, **options)
    discriminator = build_discriminator((32, 32, 3), 4, **options)
    for network in (generator, discriminator):
        chain = of_type(network, layers.Dense, *CONVOLUTIONS, layers.BatchNormalization)
        for layer, after in itertools.pairwise([*chain, None]):
            if isinstance(after, layers.BatchNormalization):
                normed.add(layer)
            assert isinstance(layer, layers.BatchNormalization) or layer.use_bias is (layer not in normed)
    projection, *hidden, _ = of_type(generator, layers.Dense, *CONVOLUTIONS)
    judging = of_type(discriminator, *CONVOLUTIONS)[convolutions:]
    assert len(judging) == 2 * convolutions and len(hidden) == 3 * convolutions - 1
    assert normed == ({projection, *hidden, *judging} if norm else set())


def test_two_convolutions_a_level_as_in_the_authors_32x32_model():
    """Their discriminator behind the 82.8% of Table 1; their generator ends with 3x3 at the full size, as ours does."""
    generator = build_generator((32, 32, 3), 256, 16, kernel_size=3, convolutions=2)
    *_, before, last = of_type(generator, *CONVOLUTIONS)
    assert before.output.shape[1:] == (32, 32, 16) and last.kernel.shape == (3, 3, 16, 3) and last.strides == (1, 1)
    discriminator = build_discriminator((32, 32, 3), 128, kernel_size=3, convolutions=2)
    kernels = [(layer.filters, *layer.kernel_size, *layer.strides) for layer in of_type(discriminator, *CONVOLUTIONS)]
    assert kernels == [(count, 3, 3, stride, stride) for count in (128, 256, 512) for stride in (1, 2)]


def test_the_discriminator_may_have_fewer_convolutions():
    judge = dict(discriminator_width=3, discriminator_convolutions=1)
    model = DCGAN((16, 16, 1), latent_size=4, width=2, convolutions=2, **judge)
    assert len(of_type(model.discriminator, *CONVOLUTIONS)) == 2
    assert [layer.strides for layer in of_type(model.generator, *CONVOLUTIONS)] == [(2, 2), (1, 1), (2, 2), (1, 1)]
    assert [layer.output.shape[1:] for layer in of_type(model.generator, layers.ReLU)][-1] == (16, 16, 2)
    assert model.get_config()["discriminator_convolutions"] == 1


def test_the_guidelines_of_section_3():
    generator, discriminator = build_generator((32, 32, 3), 8, 4), build_discriminator((32, 32, 3), 4)
    for network in (generator, discriminator):
        assert all(layer.strides == (2, 2) and layer.kernel_size == (5, 5) for layer in of_type(network, *CONVOLUTIONS))
        assert not of_type(network, layers.MaxPooling2D, layers.AveragePooling2D, layers.UpSampling2D)
        assert len(of_type(network, layers.Dense)) == 1  # in: the projection; out: the scores
    assert not of_type(generator, layers.LeakyReLU) and len(of_type(generator, layers.ReLU)) == 3
    assert generator.layers[-1].activation is keras.activations.tanh
    assert [layer.negative_slope for layer in of_type(discriminator, layers.LeakyReLU)] == [pytest.approx(0.2)] * 3
    assert [layer.filters for layer in of_type(generator, *CONVOLUTIONS)] == [8, 4, 3]
    assert [layer.filters for layer in of_type(discriminator, *CONVOLUTIONS)] == [4, 8, 16]
    widths = [layer.filters for layer in of_type(build_discriminator((256, 256, 1), 2), *CONVOLUTIONS)]
    assert widths == [2, 4, 8, 16, 16, 16]  # at most eight times the first


def test_layers_one_by_one():
    x = np.zeros((2, 8, 6, 3), "float32")
    assert paper.upward(5, 3, True)(x).shape == (2, 16, 12, 5)
    assert paper.downward(5, 3, True)(x).shape == (2, 4, 3, 5)
    assert paper.flat(5, 9, True)(x).shape == (2, 8, 6, 5)
    drawn = np.array(paper.normal()((200, 200)))
    assert drawn.std() == pytest.approx(0.02, rel=0.02) and abs(drawn.mean()) < 5e-4
    for network in (build_generator((16, 16, 1), 64, 16), build_discriminator((16, 16, 1), 16)):
        kernels = [w.numpy() for w in network.weights if w.name == "kernel"]
        assert [kernel.std() for kernel in kernels] == [pytest.approx(0.02, rel=0.15)] * 3


@pytest.mark.parametrize("side", [28, 60, 64, 240, 256, 1024])
def test_under_15_million_parameters(side):
    model = DCGAN((side, side, 4))
    assert model.generator.count_params() + model.discriminator.count_params() < 15e6


# --- of a class -------------------------------------------------------------------------------------------------------


def test_labels_enter_every_layer():
    """Radford et al. 2015, the conditional model of MNIST: each convolution and dense layer sees the label beside what
    the layer before gives."""
    options = dict(convolutions=2, units=(6,))
    generator = build_generator((28, 28, 1), 8, 4, **options, classes=3)
    discriminator = build_discriminator((28, 28, 1), 4, **options, labels=3)
    plain = build_generator((28, 28, 1), 8, 4, **options), build_discriminator((28, 28, 1), 4, **options)
    for network, without in zip((generator, discriminator), plain, strict=True):
        told, untold = (of_type(n, layers.Dense, *CONVOLUTIONS) for n in (network, without))
        assert [layer.input.shape[-1] for layer in told] == [layer.input.shape[-1] + 3 for layer in untold]
        assert [type(layer) for layer in told] == [type(layer) for layer in untold]
    assert [tuple(x.shape) for x in generator.inputs] == [(None, 8), (None, 3)]
    assert [tuple(x.shape) for x in discriminator.inputs] == [(None, 28, 28, 1), (None, 3)]


def test_units_are_dense_layers_before_the_projection_and_the_score():
    generator, discriminator = (
        build_generator((16, 16, 1), 8, 4, units=(5, 6)),
        build_discriminator((16, 16, 1), 4, units=(7,)),
    )
    assert [layer.units for layer in of_type(generator, layers.Dense)] == [5, 6, 4 * 4 * 8]
    assert [layer.units for layer in of_type(discriminator, layers.Dense)] == [7, 1]


def test_a_perceptron_judges_the_image_beside_the_convolutions():
    """Its score, by hand, is what D's is more than the convolutions'; labels enter its every layer too."""
    model = DCGAN((16, 16, 1), classes=3, width=2, discriminator_perceptron=[5])
    again = DCGAN.from_config(model.get_config())
    assert [w.shape for w in again.discriminator.weights] == [w.shape for w in model.discriminator.weights]
    assert "discriminator_perceptron" not in DCGAN((16, 16, 1), width=2).config  # as older checkpoints have it
    discriminator = model.discriminator
    images, labels = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 1)), np.eye(3)[[0, 1, 2, 0]]
    convolutions = keras.Model(discriminator.inputs, discriminator.get_layer("scores").output)
    scores, theirs = (np.asarray(judge([images, labels])) for judge in (discriminator, convolutions))
    kernel, bias, out, shift = (
        np.asarray(w) for layer in of_type(discriminator, layers.Dense) if layer.name != "scores" for w in layer.weights
    )
    x = np.hstack([images.reshape(4, -1), labels]) @ kernel + bias
    own = np.hstack([np.where(x > 0, x, 0.2 * x), labels]) @ out + shift
    assert kernel.shape == (16 * 16 + 3, 5) and out.shape == (5 + 3, 1)
    np.testing.assert_allclose(scores, theirs + own, atol=1e-5)


def test_label_input():
    inputs, told = paper.label_input(None)
    assert inputs == [] and told("x") == "x"
    (labels,), told = paper.label_input(4)
    assert labels.shape == (None, 4) and told(keras.Input((5, 5, 2))).shape == (None, 5, 5, 6)
    assert paper.dense(3, False)(keras.Input((2,))).shape == (None, 3)


def test_check_sizes():
    """Each is refused by its own name; `None` classes and no modes are none."""
    paper.check_sizes({"width": 1}, {"norm": True}, None, 0, units=[])
    for wrong, said in (
        (({"width": 0}, {}, None, 0), "width is an integer"),
        (({}, {"norm": 1}, None, 0), "norm is True or False"),
        (({}, {}, 0, 0), "classes is an integer"),
        (({}, {}, None, -1), "modes is an integer"),
    ):
        with pytest.raises(ValueError, match=said):
            paper.check_sizes(*wrong)
    with pytest.raises(ValueError, match="units is a list of counts"):
        paper.check_sizes({}, {}, None, 0, units=3)


def test_a_conditional_dcgan():
    """As the authors' for MNIST, whose D halves but twice; a generator of one's own says how many classes there are."""
    model = DCGAN.modern((28, 28, 1), classes=10, width=64, units=(1024,), pack=2)
    assert (
        model.conditional and model.classes == 10 and model.config["classes"] == 10 and model.config["units"] == [1024]
    )
    assert [tuple(x.shape) for x in model.discriminator.inputs] == [(None, 28, 28, 2), (None, 20)]
    assert model.generate(labels=[3, 1, 4], seed=7).shape == (3, 28, 28, 1)
    own = DCGAN((16, 16, 1), width=4, generator=build_generator((16, 16, 1), 8, 4, classes=3))
    assert own.classes == 3 and DCGAN.from_config(own.get_config()).classes == 3
    with pytest.raises(ValueError, match="classes asks for 4, and the generator that was given has 3"):
        DCGAN((16, 16, 1), width=4, generator=own.generator, classes=4)
    for wrong in (
        {"classes": 0},
        {"units": (0,)},
        {"units": (2.5,)},
        {"modes": 1.5},
        {"discriminator_perceptron": [0]},
    ):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} is an integer of at least 1"):
            DCGAN((16, 16, 1), **wrong)


def test_modes_are_chosen_by_latents():
    """Two latents with the same largest of the first and the same rest are one image; it has no weights of its own."""
    model = DCGAN((16, 16, 1), latent_size=8, width=2, modes=4)
    assert model.config["modes"] == 4
    plain = DCGAN((16, 16, 1), latent_size=8, width=2)
    assert model.generator.count_params() == plain.generator.count_params() and plain.config["modes"] == 0
    latents = np.zeros((3, 8), "float32")
    latents[:, 1], latents[1, 0], latents[2, 2] = 1.0, 0.9, 1.1
    first, same, other = np.asarray(model(latents))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    with pytest.raises(ValueError, match="8 latents choose of 2 to 8 modes; saw modes=9"):
        DCGAN((16, 16, 1), latent_size=8, width=2, modes=9)
