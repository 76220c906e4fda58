"""What a model takes over from one of other images or classes: the same images as far as can be, and a true report."""

import keras
import numpy as np
import pytest
from goldens import cgan, conditional_dcgan, dcgan, deep_lapgan, gan
from keras import ops

import kerasgan
from kerasgan.models.transfer import (
    KEPT,
    NEW,
    RESIZED,
    Axes,
    Tensor,
    aligned,
    along,
    axes_of,
    levels_of,
    over_channels,
    over_labels,
    over_picture,
    pictures_along,
    report,
    resized,
    taken_over,
    transfer,
)


def drawn(model, *inputs):
    """Float images of the average for latents, and labels."""
    return ops.convert_to_numpy(model.average([*inputs] if len(inputs) > 1 else inputs[0]))


def scores(model, *given):
    return ops.convert_to_numpy(model.discriminator([*given] if len(given) > 1 else given[0]))


def beside(shape=None, **options):
    """A golden with a perceptron beside the discriminator's convolutions: it flattens two pictures, of two sizes."""
    side = {"width": 4, "kernel_size": 3, "latent_size": 8, "discriminator_perceptron": [6]}
    return kerasgan.DCGAN(shape or (16, 16, 1), **side, **options)


def make_colour(make, **options):
    """A golden's networks, for colour."""
    if make is beside:
        return beside((16, 16, 3), **options)
    if make is dcgan:
        return kerasgan.DCGAN((16, 16, 3), latent_size=8, width=4, kernel_size=3, **options)
    sizes = {"latent_size": 8, "units": (16,), "discriminator_units": (6, 4), "pieces": 2, "dropout": (0.0, 0.0)}
    return kerasgan.GAN((15, 18, 3), **sizes, **options)


def latents(n=5, size=8):
    return np.random.default_rng(0).normal(size=(n, size)).astype("float32")


def hows(rows, network=None):
    return [row.how for row in rows if network in (None, row.network)]


def counts(rows):
    return {how: hows(rows).count(how) for how in (KEPT, RESIZED, NEW)}


def stirred(model):
    """The same model with weights that are no first ones."""
    for network in (model.generator, model.average, model.discriminator):
        rng = np.random.default_rng(3)
        network.set_weights([w + 0.1 * rng.uniform(0, 1, w.shape).astype("float32") for w in network.get_weights()])
    return model


def test_the_same_kind_is_the_same_model():
    old, new = stirred(dcgan()), dcgan()
    rows = transfer(old, new)
    assert set(hows(rows)) == {KEPT} and len(rows) == len(old.generator.weights) + len(old.discriminator.weights)
    np.testing.assert_array_equal(drawn(new, latents()), drawn(old, latents()))
    for one, other in zip(new.generator.weights, new.average.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", [dcgan, gan, beside], ids=["convolutions", "perceptrons", "both"])
def test_grey_to_colour_and_back(make):
    """Three equal channels of what was drawn; grey pictures in colour are judged as they were; and back again."""
    grey = stirred(make())
    colour, again = make_colour(make), make()
    rows = transfer(grey, colour)
    assert counts(rows)[RESIZED] >= 2 and counts(rows)[NEW] == 0
    images = drawn(grey, latents())
    np.testing.assert_allclose(drawn(colour, latents()), np.repeat(images, 3, axis=3), atol=1e-5)
    np.testing.assert_allclose(scores(colour, np.repeat(images, 3, axis=3)), scores(grey, images), rtol=1e-4, atol=1e-5)
    transfer(colour, again)
    np.testing.assert_allclose(drawn(again, latents()), images, atol=1e-5)
    np.testing.assert_allclose(scores(again, images), scores(grey, images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [dcgan, gan, beside], ids=["convolutions", "perceptrons", "both"])
def test_packed_images_become_colour_each_for_itself(make):
    grey, colour = stirred(make(pack=2)), make_colour(make, pack=2)
    transfer(grey, colour)
    pair = np.random.default_rng(1).uniform(-1, 1, (4, *grey.image_shape[:2], 2)).astype("float32")
    both = np.repeat(pair, 3, axis=3)
    np.testing.assert_allclose(scores(colour, both), scores(grey, pair), rtol=1e-4, atol=1e-5)
    alone = make()
    rows = [row for row in transfer(grey, alone) if row.network == "discriminator"]
    new = [row.name for row in rows if row.how == NEW]  # those that see images; a pair is none
    assert len(new) == (2 if make is beside else 1) and all(name.endswith("kernel") for name in new)


def test_other_classes_start_as_their_mean():
    """Whatever class is asked for, the new model draws what the old one does for a mixture of all."""
    for make in (lambda k: cgan(classes=k), lambda k: conditional_dcgan(classes=k)):
        old, new = stirred(make(3)), make(5)
        rows = transfer(old, new)
        assert counts(rows)[NEW] == 0 and counts(rows)[RESIZED] >= 2
        z, mixture, five = latents(), np.full((5, 3), 1 / 3, "float32"), np.eye(5, dtype="float32")
        images = drawn(old, z, mixture)
        np.testing.assert_allclose(drawn(new, z, five), images, atol=1e-5)
        np.testing.assert_allclose(scores(new, images, five), scores(old, images, mixture), rtol=1e-3, atol=1e-4)


def test_classes_where_there_were_none():
    """The label counts for nothing at first."""
    old, new = stirred(dcgan(units=(6,))), dcgan(units=(6,), classes=3)
    rows = transfer(old, new)
    assert counts(rows)[NEW] == 0
    five = np.eye(3, dtype="float32")[[0, 1, 2, 0, 1]]
    np.testing.assert_allclose(drawn(new, latents(), five), drawn(old, latents()), atol=1e-5)
    back = dcgan(units=(6,))
    transfer(new, back)
    np.testing.assert_allclose(drawn(back, latents()), drawn(old, latents()), atol=1e-5)


def test_another_size_of_the_same_depth():
    """16x16 to 24x24: the projection is stretched from 4x4 to 6x6 positions, everything else kept."""
    old, new = stirred(dcgan()), kerasgan.DCGAN((24, 24, 1), latent_size=8, width=4, kernel_size=3)
    rows = transfer(old, new)
    assert hows(rows, "generator").count(RESIZED) == 1 and hows(rows, "generator").count(NEW) == 0
    assert hows(rows, "discriminator").count(NEW) == 0
    small, large = drawn(old, latents()), drawn(new, latents())
    assert large.shape == (5, 24, 24, 1)
    shrunk = ops.convert_to_numpy(ops.image.resize(large, (16, 16), "bilinear"))
    assert np.corrcoef(shrunk.ravel(), small.ravel())[0, 1] > 0.6, "it draws the same thing, larger"


def test_another_size_is_judged_as_the_old_one():
    """A constant image has the score that it had, of a perceptron and beside convolutions: what is read sums up."""
    sizes = {"latent_size": 8, "units": (16,), "discriminator_units": (6, 4), "pieces": 2, "dropout": (0.0, 0.0)}
    old, new = stirred(gan()), kerasgan.GAN((30, 9, 1), **sizes)
    rows = transfer(old, new)
    assert counts(rows)[NEW] == 0 and counts(rows)[RESIZED] == 3  # the images, the biases of their pixels, the pixels
    flat = np.full((1, 30, 18, 1), 0.4, "float32")
    np.testing.assert_allclose(scores(new, flat[:, :, :9]), scores(old, flat[:, :15]), rtol=1e-3)
    small, large = stirred(beside()), beside((24, 24, 1))
    assert hows(transfer(small, large), "discriminator").count(RESIZED) == 2
    flat = np.full((1, 24, 24, 1), 0.4, "float32")
    whole = [
        keras.Model(d.inputs, d.get_layer("scores_whole").output) for d in (small.discriminator, large.discriminator)
    ]
    np.testing.assert_allclose(whole[1]([flat]), whole[0]([flat[:, :16, :16]]), rtol=1e-3)


def test_another_depth_is_counted_from_the_image():
    """16x16 doubles twice, 32x32 three times: the two levels next to the image are kept, what lies before is new."""
    old, new = stirred(dcgan()), kerasgan.DCGAN((32, 32, 1), latent_size=8, width=4, kernel_size=3)
    rows = transfer(old, new)
    found = [row.name.split("/")[0].rstrip("_0123456789") + " " + row.how for row in rows if row.network == "generator"]
    level = ["batch_normalization kept"] * 4
    assert found[:11] == ["conv2d_transpose kept"] * 2 + level + ["conv2d_transpose kept"] + level
    assert found[11] == "conv2d_transpose new" and found[-1] == "dense new" and not any("kept" in x for x in found[11:])
    pairs = aligned(new.generator, old.generator, "generator")
    partners = [other.name for _, other in pairs if other is not None]
    assert len(partners) == len(set(partners)), "none stands for two"


def test_the_report_in_words():
    old, new = dcgan(), kerasgan.DCGAN((16, 16, 3), latent_size=8, width=4, kernel_size=3)
    words = report(transfer(old, new)).splitlines()
    assert words[0] == f"generator: {len(old.generator.weights) - 2} kept, 2 resized, 0 new"
    assert words[3].startswith("discriminator: ") and words[3].endswith("1 resized, 0 new")
    assert words[1].startswith("  resized: conv2d_transpose") and words[1].endswith(
        "/kernel (3, 3, 1, 4) -> (3, 3, 3, 4)"
    )


def test_two_variants_are_refused():
    with pytest.raises(ValueError, match="A GAN takes over from another; saw a DCGAN"):
        transfer(dcgan(), gan())


# --- the parts --------------------------------------------------------------------------------------------------------


def test_over_channels_by_hand():
    def over(values, count, output, pack=1):
        axes = [Axes(output, n, 0, [], [], pack) for n in (len(values) // pack, count)]
        return over_channels(np.array(values, float)[:, None], *axes).ravel().tolist()

    assert over([6], 3, True) == [6, 6, 6] and over([6], 3, False) == [2, 2, 2]
    assert over([1, 2, 6], 1, True) == [3] and over([1, 2, 6], 1, False) == [9]
    assert over([1, 2, 6], 4, True) == [1, 2, 6, 3] and over([1, 2, 6], 4, False) == [1, 2, 6, 0]
    assert over([1, 2, 6, 9], 3, True) == [1, 2, 6] and over([1, 2, 6, 9], 1, True) == [3], "alpha is no colour"
    assert over([6, 9], 3, False, pack=2) == [2, 2, 2, 3, 3, 3], "each image for itself"


def test_over_picture_by_hand():
    """One row of two positions, stretched to four: what is read sums to the same."""
    before, after = Axes(True, 1, 0, [], []), Axes(True, 1, 0, [], [])
    pair, four = (1, 2, 1), (1, 4, 1)
    value = np.array([[0.0], [4.0]], "float32")
    np.testing.assert_allclose(over_picture(value, pair, four, before, after).ravel(), [0, 1, 3, 4])
    halved = over_picture(value, pair, four, before._replace(output=False), after._replace(output=False))
    np.testing.assert_allclose(halved.ravel(), [0, 0.5, 1.5, 2])
    assert over_picture(value, pair, (1, 2, 5), before, after) is None, "features are no channels"


def test_along_and_resized_by_hand():
    before, after = Axes(False, 1, 2, [], []), Axes(False, 3, 3, [], [])
    value = np.array([[9.0], [1.0], [3.0]])  # a channel, and two labels
    assert along(value, 6, before, after).ravel().tolist() == [3, 3, 3, 2, 2, 2]
    assert along(value, 4, before, after).ravel().tolist() == [9, 2, 2, 2]
    assert along(value, 17, before, after) is None
    alpha = Axes(False, 4, 3, [], [(2, 6, 4)]), Axes(False, 4, 3, [], [(3, 4, 4)])
    np.testing.assert_array_equal(resized(np.eye(4), (4, 4), *alpha), np.eye(4))  # four channels stay those four
    for labels in (0, 3):  # of one area, and turned all the same; units of that number are units
        square = np.eye(48 + labels, 48)
        turned = resized(square, square.shape, *alpha)
        assert turned.shape == square.shape and not np.array_equal(turned[:48], square[:48])
        np.testing.assert_array_equal(turned[48:], square[48:])
    np.testing.assert_array_equal(resized(np.arange(48), (48,), *alpha), np.arange(48))
    assert pictures_along(0, 2, *alpha) == [((2, 6, 4), (3, 4, 4))] and pictures_along(1, 2, *alpha) == []
    assert pictures_along(0, 4, *alpha) == []
    assert over_labels(value, 2, 2).ravel().tolist() == [1, 3] and over_labels(value, 0, 1).tolist() == [[0]]
    assert resized(value, (6, 1), before, after).shape == (6, 1)
    assert resized(value, (6,), before, after) is None and resized(value, (3, 7), before, after) is None


def test_axes_of():
    model = kerasgan.GAN((6, 5, 3), latent_size=2, units=(4,), discriminator_units=(4,), pack=2)
    assert axes_of(model.generator, model, "generator") == (True, 3, 0, [(6, 5, 3)], [], 1)
    assert axes_of(model.discriminator, model, "discriminator") == (False, 3, 0, [], [(6, 5, 6)], 2)


def test_taken_over_of_nothing_is_new():
    model = dcgan()
    layer = model.discriminator.layers[1]
    axes = axes_of(model.discriminator, model, "discriminator")
    before = ops.convert_to_numpy(layer.kernel).copy()
    rows = taken_over("discriminator", layer, None, axes, axes)
    assert hows(rows) == [NEW, NEW]
    assert rows[0] == Tensor("discriminator", f"{layer.name}/kernel", NEW, None, (3, 3, 1, 4))
    np.testing.assert_array_equal(layer.kernel, before)


def test_levels_of():
    """The networks of a chain by their heights; what is no chain has one, of no height."""
    chain, plain = deep_lapgan(), dcgan()
    found = levels_of(chain.average, chain, "generator")
    assert {size: network.name for size, network in found.items()} == {s: f"generator_{s}" for s in (4, 8, 16)}
    assert levels_of(plain.discriminator, plain, "discriminator") == {None: plain.discriminator}
