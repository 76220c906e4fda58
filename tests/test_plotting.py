"""A grid of images: where each one lies, and what is no grid."""

import numpy as np
import pytest

from kerasgan import plotting


def test_where_each_image_lies():
    """Image i stands in row i // columns, column i % columns, in white margins of two pixels."""
    images = np.arange(1, 6, dtype="uint8")[:, None, None, None] * np.ones((5, 3, 4, 1), "uint8")
    picture = plotting.grid(images, columns=2)
    assert picture.shape == (3 * (3 + 2) + 2, 2 * (4 + 2) + 2, 1) and picture.dtype == np.uint8
    expected = np.full(picture.shape, 255, "uint8")
    for i in range(5):
        y, x = 2 + i // 2 * 5, 2 + i % 2 * 6
        expected[y : y + 3, x : x + 4] = i + 1
    np.testing.assert_array_equal(picture, expected)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_one_image_without_padding_is_itself(channels):
    image = np.random.default_rng(0).integers(0, 256, (1, 5, 4, channels)).astype("uint8")
    np.testing.assert_array_equal(plotting.grid(image, padding=0), image[0])


@pytest.mark.parametrize(("n", "columns", "rows"), [(1, 1, 1), (4, 2, 2), (6, 3, 2), (7, 3, 3), (64, 8, 8)])
def test_as_square_as_possible(n, columns, rows):
    assert plotting.grid(np.zeros((n, 2, 2, 1), "uint8"), padding=0).shape == (2 * rows, 2 * columns, 1)


@pytest.mark.parametrize(
    ("images", "saw"),
    [
        (np.zeros((2, 4, 4), "uint8"), r"uint8 \(2, 4, 4\)"),
        (np.zeros((2, 4, 4, 1), "float32"), r"float32 \(2, 4, 4, 1\)"),
        (np.zeros((0, 4, 4, 1), "uint8"), r"uint8 \(0, 4, 4, 1\)"),
    ],
)
def test_what_is_no_grid(images, saw):
    with pytest.raises(ValueError, match=f"uint8 images .*n >= 1; saw {saw}"):
        plotting.grid(images)
