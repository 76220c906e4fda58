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


# --- before and after -------------------------------------------------------------------------------------------------


def test_comparison():
    """Above both pictures, below the quarter of the sides in which they differ most, framed above."""
    before = np.random.default_rng(0).integers(0, 200, (40, 60, 3)).astype("uint8")
    after = before.copy()
    after[22:27, 41:49] += 50
    picture = plotting.comparison(before, after, zoom=4)
    cells = [picture[y : y + 40, x : x + 60] for y in (4, 48) for x in (4, 68)]
    assert picture.shape == (2 * 44 + 4, 2 * 64 + 4, 3)
    top, left = plotting.most_different(before, after, (10, 15))
    assert 17 <= top <= 22 and 34 <= left <= 41, "all that differs lies in it"
    for overview, inset, image in ((cells[0], cells[2], before), (cells[1], cells[3], after)):
        np.testing.assert_array_equal(inset, image[top : top + 10, left : left + 15].repeat(4, 0).repeat(4, 1))
        framed = image.copy()
        framed[[top, top + 9], left : left + 15] = framed[top : top + 10, [left, left + 14]] = (255, 0, 0)
        np.testing.assert_array_equal(overview, framed)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 900), (700, 5), (1300, 640)])
def test_comparison_of_any_size(size):
    """No side longer than is shown; no picture too small."""
    pair = np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype("uint8")
    picture = plotting.comparison(*pair)
    shown = [max(1, round(n * min(1, 640 / max(size)))) for n in size]
    assert picture.shape == (2 * shown[0] + 12, 2 * shown[1] + 12, 3)


def test_most_different_by_hand():
    first, second = np.zeros((2, 5, 6, 3), "uint8")
    second[3, 1], second[0, 4] = 9, 255
    assert plotting.most_different(first, second, (1, 1)) == (0, 4) == plotting.most_different(second, first, (1, 1))
    assert plotting.most_different(first, second, (5, 6)) == (0, 0)


def test_what_cannot_be_compared():
    small, large = np.zeros((4, 4, 3), "uint8"), np.zeros((5, 4, 3), "uint8")
    for pair, saw in (((small, large), r"uint8 \(4, 4, 3\) and uint8 \(5, 4, 3\)"), ((small / 1, small / 1), "float64"),
                      ((small[..., :1], small[..., :1]), r"uint8 \(4, 4, 1\)")):  # fmt: skip
        with pytest.raises(ValueError, match=f"two uint8 pictures .* of one size; saw {saw}"):
            plotting.comparison(*pair)
