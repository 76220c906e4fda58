"""Arrays in, picture out; nothing is saved here."""

import math

import numpy as np


def grid(images, columns=None, padding=2):
    """Images side by side, as one picture.

        >>> grid(np.zeros((6, 28, 28, 1), "uint8"), columns=3).shape
        (62, 92, 1)

    Args:
        images: uint8 (n, height, width, channels). columns: per row; as square as possible by default.
        padding: white pixels around each image.

    Returns:
        uint8 (height, width, channels).

    Raises:
        ValueError: other images than these, or none.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8 or not len(images):
        raise ValueError(
            f"A grid takes uint8 images (n, height, width, channels), n >= 1; saw {images.dtype} {images.shape}."
        )
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = -(-n // columns)
    cells = np.full((rows * columns, height + padding, width + padding, channels), 255, "uint8")
    cells[:n, :height, :width] = images
    cells = cells.reshape(rows, columns, height + padding, width + padding, channels).swapaxes(1, 2)
    picture = cells.reshape(rows * (height + padding), columns * (width + padding), channels)
    return np.pad(picture, ((padding, 0), (padding, 0), (0, 0)), constant_values=255)


def comparison(bicubic, upscaled, zoom=4, side=640):
    """Two pictures side by side, and below them what differs most, `zoom` times as large.

    Args:
        bicubic, upscaled: uint8 (height, width, 3), or RGB pictures of Pillow, of one size.
        zoom: how much larger than in the picture. side: of each picture, at most, in pixels; larger ones are shrunk.

    Returns:
        uint8 (height, width, 3): on the left the first, on the right the second; a red frame shows where.

    Raises:
        ValueError: pictures of two sizes, or others than these.
    """
    from PIL import Image, ImageDraw

    pair = [np.asarray(bicubic), np.asarray(upscaled)]
    if pair[0].shape != pair[1].shape or pair[0].ndim != 3 or any(p.dtype != np.uint8 or p.shape[2] != 3 for p in pair):
        saw = " and ".join(f"{p.dtype} {p.shape}" for p in pair)
        raise ValueError(f"A comparison takes two uint8 pictures (height, width, 3) of one size; saw {saw}.")
    whole = np.array(pair[0].shape[:2])
    shown = np.maximum(1, np.rint(whole * min(1, side / whole.max()))).astype(int)
    part = np.minimum(whole, -(-shown // zoom))
    top, left = most_different(*pair, part)
    cells = []
    for picture in pair:
        overview = Image.fromarray(picture).resize(shown[::-1].tolist(), Image.Resampling.BOX)
        corners = np.rint(
            np.array([left, top, left + part[1] - 1, top + part[0] - 1]) * np.tile((shown / whole)[::-1], 2)
        )
        ImageDraw.Draw(overview).rectangle(corners.tolist(), outline=(255, 0, 0))
        inset = Image.fromarray(picture[top : top + part[0], left : left + part[1]])
        cells += [overview, inset.resize(shown[::-1].tolist(), Image.Resampling.NEAREST)]
    return grid(np.stack([np.asarray(cells[i]) for i in (0, 2, 1, 3)]), columns=2, padding=4)


def most_different(first, second, size):
    """(top, left) of the part of that size (height, width) in which two uint8 pictures differ most."""
    difference = np.abs(first.astype("int16") - second).sum(axis=2, dtype="int32")
    sums = np.pad(difference.cumsum(0, dtype="int64").cumsum(1), ((1, 0), (1, 0)))  # of all above and to the left
    height, width = size
    parts = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    return tuple(int(i) for i in np.unravel_index(parts.argmax(), parts.shape))
