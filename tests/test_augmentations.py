"""DiffAugment: what each operation keeps, its ranges, and derivatives of the second order."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasgan import gradients, recipes
from kerasgan.augmentations import POLICIES, DiffAugment, color, cutout, drawn, shifted, translation


def numbers(images):
    return ops.convert_to_numpy(images)


@pytest.fixture
def seed():
    return keras.random.SeedGenerator(3)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(-1, 1, (200, 16, 8, 3)).astype("float32")


def test_drawn(images, seed):
    one = numbers(drawn(images, -2.0, 3.0, seed))
    assert one.shape == (200, 1, 1, 1) and -2 <= one.min() < -1.9 and 2.9 < one.max() < 3
    assert not np.array_equal(one, numbers(drawn(images, -2.0, 3.0, seed))), "every call draws anew"


def test_translation_moves_whole_pixels_and_zeros_come_in(seed):
    """A lit pixel in the middle of 16x8 moves by at most 2 rows and 1 column, each of 15 ways about equally often."""
    images = np.zeros((3000, 16, 8, 1), "float32")
    images[:, 8, 4] = 0.7
    out = numbers(translation(images, seed))
    assert set(np.unique(out)) == {np.float32(0), np.float32(0.7)} and (out.sum((1, 2, 3)) > 0.69).all()
    _, rows, columns, _ = np.nonzero(out)
    ways, counts = np.unique(np.stack([rows - 8, columns - 4]), axis=1, return_counts=True)
    assert set(map(tuple, ways.T)) == {(r, c) for r in range(-2, 3) for c in range(-1, 2)}
    assert counts.min() > 140 and counts.max() < 260
    corner = numbers(translation(np.ones((400, 16, 8, 1), "float32"), seed))
    assert {int(image.sum()) for image in corner} == {(16 - r) * (8 - c) for r in range(3) for c in range(2)}


def test_shifted_by_hand(seed):
    """By at most one row and no column: each image is itself, or a row further up or down with a dark row behind."""
    images = np.arange(1, 7, dtype="float32").reshape(1, 3, 2, 1).repeat(60, axis=0)
    rows = images[0, :, :, 0]
    ways = [rows, np.pad(rows[1:], ((0, 1), (0, 0))), np.pad(rows[:-1], ((1, 0), (0, 0)))]
    out = numbers(shifted(images, seed, 1, 0))[..., 0]
    found = [[np.array_equal(image, way) for way in ways] for image in out]
    assert np.sum(found) == 60 and np.sum(found, axis=0).min() > 5


def test_cutout_removes_half_of_the_sides_at_most(images, seed):
    out = numbers(cutout(images, seed))
    gone = (out == 0).all(-1)
    assert (out[~gone] == images[~gone]).all()
    sizes = gone.sum((1, 2))
    assert sizes.max() == 8 * 4 and sizes.min() >= 4 * 2, "near a corner a quarter of the rectangle is left"
    assert gone[:, [0, -1]].any() and gone[:, 8, 4].mean() > gone[:, 0, 0].mean()
    for one in gone[:20]:  # it is a rectangle
        rows, columns = one.any(1), one.any(0)
        assert one.sum() == rows.sum() * columns.sum()


def test_color_is_brightness_saturation_and_contrast(images, seed):
    """Of a grey image of one value only brightness is left to see; of any image, differences scale together."""
    flat = numbers(color(np.full((500, 4, 4, 3), 0.25, "float32"), seed))
    shift = flat[:, 0, 0, 0] - 0.25
    assert np.allclose(flat, flat[:, :1, :1, :1], atol=1e-6)
    assert -0.5 <= shift.min() < -0.45 and 0.45 < shift.max() <= 0.5 and abs(shift.mean()) < 0.05
    out = numbers(color(images, seed))
    grey, before = out.mean(3), images.mean(3)
    contrast = (grey - grey.mean((1, 2), keepdims=True)) / (before - before.mean((1, 2), keepdims=True))
    middle = np.median(contrast, axis=(1, 2))
    np.testing.assert_allclose(contrast, np.broadcast_to(middle[:, None, None], contrast.shape), rtol=0.02, atol=0.02)
    assert 0.5 <= middle.min() < 0.6 and 1.4 < middle.max() <= 1.5
    chroma = np.median((out - grey[..., None]) / (images - before[..., None]), axis=(1, 2, 3)) / middle
    assert 0 <= chroma.min() < 0.1 and 1.9 < chroma.max() <= 2.001


@pytest.mark.parametrize("name", POLICIES)
def test_twice_differentiable(name, images):
    """A gradient penalty through it has a gradient; finite, and not nothing."""
    weight = keras.Variable(np.full((), 0.5, "float32"))

    def play():
        seed = keras.random.SeedGenerator(1)

        def scores(x):
            return ops.sum(ops.square(weight * DiffAugment(name)(x, seed)), axis=(1, 2, 3))

        _, slope = gradients.with_slope(scores, ops.convert_to_tensor(images[:4]))
        return {"player": ops.sum(ops.square(slope))}

    _, found = gradients.of_players(play, {"player": ([weight], keras.optimizers.SGD())})
    assert np.isfinite(found["player"][0]) and abs(found["player"][0]) > 1


def test_in_order_and_saved(images):
    assert DiffAugment().policy == ["color", "translation", "cutout"]
    augment = DiffAugment("cutout", "color")
    assert (
        augment.policy == ["color", "cutout"] and DiffAugment.from_config(augment.get_config()).policy == augment.policy
    )
    one, other = (numbers(augment(images, keras.random.SeedGenerator(5))) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    by_hand = keras.random.SeedGenerator(5)
    np.testing.assert_array_equal(one, numbers(cutout(color(images, by_hand), by_hand)))


def test_refused():
    with pytest.raises(ValueError, match="Unknown augmentation 'cutuot'. Did you mean 'cutout'?"):
        DiffAugment("cutuot")
    with pytest.raises(ValueError, match="Each augmentation at most once; saw color, color"):
        DiffAugment("color", "color")


def test_of_a_recipe():
    assert recipes.augmentation(["cutout", "translation"]).policy == ["translation", "cutout"]
    for wrong in ("cutout", [], 3, True):
        with pytest.raises(ValueError, match="augment is a list of color, translation, cutout; saw"):
            recipes.augmentation(wrong)
    with pytest.raises(ValueError, match="Unknown augmentation"):
        recipes.augmentation(["blur"])
