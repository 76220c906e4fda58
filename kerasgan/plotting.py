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
