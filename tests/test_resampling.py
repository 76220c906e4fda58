"""Bicubic resizing: weights by hand, what the kernel must reproduce, Pillow's result, and the benchmarks' own files."""

import os
from pathlib import Path

import numpy as np
import pytest

from kerasgan import images as pictures
from kerasgan.resampling import BORDERS, cubic, imresize, resize_axis, steps_of, taps

rng = np.random.default_rng


def noise(seed, *shape):
    return rng(seed).integers(0, 256, shape).astype("uint8")


def impulse(n, at):
    row = np.zeros((1, n))
    row[0, at] = 1
    return row


# --- weights ----------------------------------------------------------------------------------------------------------


def test_the_kernel():
    """Keys' k: 1 at 0, 0 at the other whole numbers, and its shifts sum to 1."""
    np.testing.assert_allclose(cubic(np.array([-2, -1, 0, 1, 2, 2.5, -7])), [0, 0, 1, 0, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(cubic(np.array([0.5, -1.5])), [0.5625, -0.0625], atol=1e-12)
    x = np.linspace(0, 1, 7)[:, None] + np.arange(-3, 3)
    np.testing.assert_allclose(cubic(x).sum(axis=1), 1, atol=1e-12)


def test_doubling_by_hand():
    """k at 1.75, 1.25, .75 and .25, mirrored."""
    half = [-0.0234375, -0.0703125, 0.2265625, 0.8671875]
    weights = imresize(impulse(9, 4), scale=2)
    assert weights.shape == (2, 18)
    np.testing.assert_allclose(weights[0], [0] * 5 + half + half[::-1] + [0] * 5, atol=1e-12)


def test_halving_by_hand():
    """The kernel is twice as wide: .5 k(.5 x) at x = 2.5, .5, 1.5 and 3.5. Without antialiasing there would be two."""
    weights = imresize(impulse(16, 7), size=(1, 8))[0]
    np.testing.assert_allclose(weights[2:6], [-0.03515625, 0.43359375, 0.11328125, -0.01171875], atol=1e-12)
    assert np.all(weights[[0, 1, 6, 7]] == 0)


def test_borders_by_hand():
    """Beyond the edge of 0 1 2 3 come 0 1 or 0 0."""
    row = np.arange(4.0)[None]
    # from -2, -1, 0, 1 with k(1.75), k(.75), k(.25), k(1.25)
    expected = {"symmetric": [1, 0, 0, 1], "replicate": [0, 0, 0, 1]}
    assert set(expected) == set(BORDERS)
    for border, before in expected.items():
        first = np.dot(before, [-0.0234375, 0.2265625, 0.8671875, -0.0703125])
        found = imresize(row, size=(1, 8), border=border)[0]
        assert found[0] == pytest.approx(first, abs=1e-12)
        np.testing.assert_allclose(found + found[::-1], 3, atol=1e-12)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("scale", [0.03, 0.25, 0.4, 1, 1.7, 4])
def test_weights_sum_to_one_and_stay_inside(scale, border):
    indices, weights = taps(23, max(1, round(23 * scale)), scale, border)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    assert indices.min() >= 0 and indices.max() <= 22


# --- images -----------------------------------------------------------------------------------------------------------


def test_quadratics_are_reproduced_when_enlarging():
    """Away from the borders; the middles of pixels map onto each other."""
    x = np.arange(20.0)
    fine = (np.arange(60) + 0.5) / 3 - 0.5
    found = imresize((x**2 - 7 * x)[None], size=(1, 60))[0]
    np.testing.assert_allclose(found[9:-9], (fine**2 - 7 * fine)[9:-9], atol=1e-9)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (13, 11), (64, 5)])
def test_constants_stay_at_any_ratio(size):
    assert np.all(imresize(np.full((13, 11, 3), 77, "uint8"), size) == 77)
    np.testing.assert_allclose(imresize(np.full((2, 13, 11, 1), -0.3), size), -0.3, atol=1e-12)


def test_the_same_size_changes_nothing():
    image = noise(1, 9, 7, 3)
    np.testing.assert_array_equal(imresize(image, scale=1), image)


def test_shrinking_is_antialiased():
    """The finest checkerboard becomes grey, not one of its two colours."""
    board = (np.indices((32, 32)).sum(axis=0) % 2 * 200).astype("uint8")
    assert np.all(np.abs(imresize(board, scale=1 / 4)[1:-1, 1:-1].astype(int) - 100) <= 1)


def test_channels_and_batches_do_not_mix():
    batch = noise(1, 3, 12, 10, 4)
    whole = imresize(batch, size=(5, 23))
    assert whole.shape == (3, 5, 23, 4)
    for i in range(3):
        np.testing.assert_array_equal(imresize(batch[i], size=(5, 23)), whole[i])
        for c in range(4):
            np.testing.assert_array_equal(imresize(batch[i, :, :, c], size=(5, 23)), whole[i, :, :, c])


def test_floats_are_separable_and_mirror():
    image = rng(1).normal(size=(12, 10))
    found = imresize(image, size=(5, 23))
    np.testing.assert_allclose(imresize(image.T, size=(23, 5)).T, found, atol=1e-12)
    np.testing.assert_allclose(imresize(image[::-1], size=(5, 23))[::-1], found, atol=1e-12)
    by_axis = resize_axis(resize_axis(image, 23, 2.3, 1, "symmetric"), 5, 5 / 12, 0, "symmetric")
    np.testing.assert_allclose(by_axis, found, atol=1e-12)
    assert imresize(image.astype("float32"), scale=2).dtype == np.float64


def test_uint8_is_rounded_after_each_axis_and_clipped():
    image = noise(1, 12, 16)
    one = imresize(image, size=(12, 4))
    exact = imresize(image.astype("float64"), size=(12, 4))
    np.testing.assert_array_equal(one, np.clip(np.floor(exact + 0.5), 0, 255))
    # the factor 1/4 of the width comes before the 1/2 of the height
    np.testing.assert_array_equal(imresize(image, size=(6, 4)), imresize(one, size=(6, 4)))
    edge = np.repeat([[0, 255]], 8, axis=1).astype("uint8")
    assert imresize(edge * 1.0, scale=2).min() < -1  # floats keep what overshoots
    assert set(np.unique(imresize(edge, scale=2))) >= {0, 255}


def test_a_half_is_rounded_up():
    """Between 0 and 1 the middle is 0.5; half to even would make it 0."""
    image = np.array([[0, 0, 0, 1, 1, 1]], "uint8")
    assert imresize(image, size=(1, 3)).tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("size", [(10, 12), (17, 31), (80, 100)])
def test_pillow_agrees_inside(size):
    """Pillow's BICUBIC is the same kernel, antialiased; it leaves out what lies beyond the borders.

    Low contrast, as Pillow may take the axes in the other order, which would show where one of them clips.
    """
    from PIL import Image

    image = noise(1, 40, 48, 3) // 3 + 80
    theirs = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC)).astype(int)
    ours = imresize(image, size).astype(int)
    m = [max(2, round(3 * n / o)) for n, o in zip(size, (40, 48), strict=True)]
    error = np.abs(theirs - ours)[m[0] : -m[0], m[1] : -m[1]]
    assert error.max() <= 2 and np.mean(error <= 1) > 0.99  # two roundings, in another order


def test_sizes():
    """A scale rounds up, but not by a rounding error; a size is taken as it is."""
    assert imresize(noise(1, 9, 10), scale=1 / 4).shape == (3, 3)
    assert imresize(noise(1, 300, 6), scale=1 / 3).shape == (100, 2)
    assert steps_of((9, 10), (3, 20), None) == [(3 / 9, 3, 0), (2.0, 20, 1)]


def test_refused():
    image = noise(1, 9, 7, 3)
    for options in ({}, {"size": (3, 3), "scale": 2}):
        with pytest.raises(ValueError, match="give one of them"):
            imresize(image, **options)
    for scale in (0, -1, np.inf, np.nan):
        with pytest.raises(ValueError, match="expected a factor above 0"):
            imresize(image, scale=scale)
    for size in ((3,), (0, 3), (2.5, 3)):
        with pytest.raises(ValueError, match="whole and at least 1"):
            imresize(image, size)
    for other in (image.astype("int32"), image[0, 0], image[:0]):
        with pytest.raises(ValueError, match=rf"Saw {other.dtype} images of shape"):
            imresize(other, scale=2)
    with pytest.raises(ValueError, match="border='wrap', expected one of"):
        imresize(image, scale=2, border="wrap")


# --- the benchmarks ---------------------------------------------------------------------------------------------------


def pairs(name):
    """(high, low) of a super-resolution test set, low at a quarter of the size."""
    folder = Path(os.environ["TFDS_DATA_DIR"]).parent / "sr" / name
    if not folder.is_dir():
        pytest.skip(f"no {name} beside the data sets of tensorflow-datasets")
    files = sorted((folder / "hr").iterdir())
    return [(pictures.read(file), pictures.read(folder / "lr_x4" / file.name)) for file in files]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "exact"), [("Set5", 4), ("Set14", 12), pytest.param("BSD100", 77, marks=pytest.mark.soak)]
)
def test_the_low_pictures_of_the_benchmarks(name, exact):
    """99 % within one grey level; with the borders of their time most are met bit for bit (SelfExSR's files)."""
    found = pairs(name)
    for border, share in (("symmetric", 0.99), ("replicate", 0.998)):
        errors = [np.abs(imresize(high, scale=1 / 4, border=border).astype(int) - low) for high, low in found]
        assert np.mean([np.mean(error <= 1) for error in errors]) >= share
    assert sum(not error.any() for error in errors) == exact
