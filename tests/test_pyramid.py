"""A pyramid taken apart is put together again; blur comes before decimation, and nothing is rounded or clipped."""

import numpy as np
import pytest
from keras import ops

from kerasgan import pyramid


def noise(*shape):
    """Numbers far outside of [-1, 1], so that clipping would show."""
    return (3 * np.random.default_rng(0).normal(size=shape)).astype("float32")


@pytest.mark.parametrize("shape", [(2, 32, 32, 3), (3, 16, 24, 1), (1, 8, 40, 5)])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_merge_is_the_inverse_of_split(shape, count):
    images = noise(*shape)
    parts = pyramid.split(ops.convert_to_tensor(images), count)
    sides = [tuple(part.shape[1:3]) for part in parts]
    assert sides == [(shape[1] >> k, shape[2] >> k) for k in reversed(range(count + 1))]
    np.testing.assert_allclose(ops.convert_to_numpy(pyramid.merge(parts)), images, atol=1e-6)


def test_down_is_the_mean_of_four():
    """By hand; a decimation alone would keep 1 and 3."""
    row = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]
    small = pyramid.down(ops.reshape(ops.convert_to_tensor(row), (1, 2, 4, 1)))
    np.testing.assert_allclose(ops.convert_to_numpy(small).ravel(), [3.5, 5.5])


def test_up_is_bilinear_and_continues_the_edges():
    """Centres of pixels: 0, 4 becomes 0, 1, 3, 4."""
    large = pyramid.up(ops.reshape(ops.convert_to_tensor([[0.0, 4.0]]), (1, 1, 2, 1)))
    np.testing.assert_allclose(ops.convert_to_numpy(large)[0, :, :, 0], [[0, 1, 3, 4]] * 2)


def test_a_slope_has_residuals_at_its_ends_alone():
    """Bilinear interpolation of means is exact for what is linear, but where the edge is continued."""
    slope = np.arange(16, dtype="float32").reshape(1, 1, 16, 1) * np.ones((1, 16, 1, 1), "float32")
    _, residual = pyramid.split(ops.convert_to_tensor(slope), 1)
    found = ops.convert_to_numpy(residual)[0, :, :, 0]
    np.testing.assert_allclose(found[:, 1:-1], 0, atol=1e-5)
    np.testing.assert_allclose(found[:, [0, -1]], [[-0.5, 0.5]] * 16, atol=1e-5)


def test_coarser_comes_small_first_and_keeps_the_mean():
    sizes = pyramid.coarser(ops.convert_to_tensor(noise(2, 8, 8, 3)), 2)
    assert [size.shape[1] for size in sizes] == [2, 4, 8]
    means = [ops.convert_to_numpy(size).mean((1, 2)) for size in sizes]
    np.testing.assert_allclose(means[0], means[2], atol=1e-5)


def test_parts_that_are_no_pyramid():
    small, fine, finest = pyramid.split(ops.convert_to_tensor(noise(2, 16, 16, 3)), 2)
    for parts in ([finest, fine, small], [small, finest], [small, fine[:1], finest], [small, fine[..., :1]]):
        with pytest.raises(ValueError, match="Each part of a pyramid is twice as high and wide as the one before; saw"):
            pyramid.merge(parts)


@pytest.mark.parametrize("count", [-1, 1.5, True, None])
def test_how_often_sides_halve_is_a_count(count):
    with pytest.raises(ValueError, match="how often sides halve, is an integer of at least 0; saw"):
        pyramid.split(ops.zeros((1, 8, 8, 1)), count)


def test_whole_numbers_are_refused():
    """Means of them would be rounded."""
    with pytest.raises(ValueError, match="A pyramid is of floats, whose means are not rounded; saw uint8"):
        pyramid.coarser(ops.zeros((1, 8, 8, 1), "uint8"), 1)


def test_sides_that_do_not_halve():
    pyramid.check_sides((8, 24), 3)
    with pytest.raises(ValueError, match="30x32 does not halve 2 times: resize to 32x32"):
        pyramid.split(ops.zeros((1, 30, 32, 1)), 2)
    with pytest.raises(ValueError, match="4x4 does not halve 3 times: resize to 8x8"):
        pyramid.check_sides((4, 4), 3)
