"""A Laplacian pyramid: a small image and, for every doubling of its sides, what the doubled one lacks.

Burt and Adelson 1983 ("The Laplacian pyramid as a compact image code"), as Denton et al. 2015 use it (section 2.2),
with means of 2x2 pixels for their blur and decimation and bilinear interpolation back: no filter reaches over the
border, and residuals are smaller than with the five-tap one. Nothing is clipped or rounded on the way.

Images are floats (batch, height, width, channels), of any range.
"""

import keras
from keras import ops


def down(images):
    """Half the sides, by means of 2x2 pixels: first the blur, then the decimation."""
    return ops.average_pool(images, 2, 2, data_format="channels_last")


def up(images):
    """Twice the sides, bilinear, edges continued."""
    height, width = images.shape[1:3]
    return ops.image.resize(images, (2 * height, 2 * width), "bilinear", data_format="channels_last")


def coarser(images, count):
    """The images in `count` + 1 sizes, the smallest first, themselves last: the Gaussian pyramid.

    Raises:
        ValueError: a side that does not halve so often, or images that are no floats.
    """
    if "float" not in (dtype := keras.backend.standardize_dtype(images.dtype)):
        raise ValueError(
            f"A pyramid is of floats, whose means are not rounded; saw {dtype}: `kerasgan.images.to_float`."
        )
    check_sides(images.shape[1:3], count)
    sizes = [images]
    for _ in range(count):
        sizes.insert(0, down(sizes[0]))
    return sizes


def split(images, count):
    """[the smallest, residual of the next size, ..., residual of the images' own]: h_k = I_k - up(I_k+1) (eq. 2).

    Args:
        count: of residuals, at least 0; each halves the sides once.

    Raises:
        ValueError: a side that does not halve so often.
    """
    sizes = coarser(images, count)
    return [sizes[0], *(fine - up(coarse) for coarse, fine in zip(sizes, sizes[1:], strict=False))]


def merge(parts):
    """The images that `split` took apart: I_k = up(I_k+1) + h_k (eq. 3).

    Raises:
        ValueError: parts that are not each twice as high and wide as the one before.
    """
    shapes = [tuple(part.shape) for part in parts]
    for (n, height, width, channels), above in zip(shapes, shapes[1:], strict=False):
        if above != (n, 2 * height, 2 * width, channels):
            raise ValueError(f"Each part of a pyramid is twice as high and wide as the one before; saw {shapes}.")
    images, *residuals = parts
    for residual in residuals:
        images = up(images) + residual
    return images


def check_sides(sides, count):
    """Refuse (height, width) that do not halve `count` times; the nearest that do are named."""
    if isinstance(count, bool) or not hasattr(count, "__index__") or count < 0:
        raise ValueError(f"count, how often sides halve, is an integer of at least 0; saw {count!r}.")
    step = 2**count
    if any(side % step or side < step for side in sides):
        near = tuple(max(step, round(side / step) * step) for side in sides)
        raise ValueError(f"{sides[0]}x{sides[1]} does not halve {count} times: resize to {near[0]}x{near[1]}.")
