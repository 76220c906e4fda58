"""Bicubic resizing as MATLAB's imresize does it: the low pictures of the super-resolution benchmarks were made so.

>>> imresize(np.zeros((480, 320, 3), "uint8"), scale=1 / 4).shape
(120, 80, 3)
"""

import math

import numpy as np

BORDERS = ("symmetric", "replicate")


def imresize(images, size=None, scale=None, border="symmetric"):
    """Images at another size: cubic convolution (Keys 1981, a = -0.5), antialiased when shrinking.

    When an axis shrinks by s < 1 the kernel is widened to s k(s x); without that the benchmarks' bicubic rows lose 0.4
    to 0.9 dB. The axis that shrinks most goes first; uint8 is rounded after each axis, half up, as MATLAB does.

    Args:
        images: (height, width[, channels]) or (n, height, width, channels); uint8, or floats of any range.
        size: (height, width) of the result.
        scale: instead of a size, one factor for both sides; the size is rounded up.
        border: beyond the edge "symmetric" goes back the way it came, as MATLAB does today; "replicate" repeats the
            last pixel: SelfExSR's low pictures of Set5, Set14 and BSD100 then come out bit for bit, 93 of 119.

    Returns:
        Array of the new size: uint8 rounded and clipped; of floats float64, which may leave their range at edges.

    Raises:
        ValueError: not exactly one of size and scale, or none of these images.
    """
    images = np.asarray(images)
    if images.ndim not in (2, 3, 4) or 0 in images.shape or not (images.dtype == np.uint8 or images.dtype.kind == "f"):
        raise ValueError(
            f"Saw {images.dtype} images of shape {images.shape}, expected uint8 or floats, (height, width), "
            "(height, width, channels) or (n, height, width, channels)."
        )
    if border not in BORDERS:
        raise ValueError(f"Saw border={border!r}, expected one of {BORDERS}.")
    first = 1 if images.ndim == 4 else 0
    steps = steps_of(images.shape[first : first + 2], size, scale)
    for ratio, length, axis in sorted(steps):
        images = resize_axis(images, length, ratio, first + axis, border)
    return images


def steps_of(seen, size, scale):
    """[(factor, new length, axis)] of height and width."""
    if (size is None) == (scale is None):
        raise ValueError(f"Saw size={size} and scale={scale}: give one of them.")
    if scale is not None:
        if not 0 < scale < math.inf:
            raise ValueError(f"Saw scale={scale}, expected a factor above 0, such as 1 / 4.")
        # 1e-9: 300 * (1 / 3) is 100 and not 101
        return [(scale, math.ceil(length * scale - 1e-9), axis) for axis, length in enumerate(seen)]
    if len(size) != 2 or min(size) < 1 or any(int(length) != length for length in size):
        raise ValueError(f"Saw size={tuple(size)}, expected (height, width), whole and at least 1.")
    return [(new / old, int(new), axis) for axis, (new, old) in enumerate(zip(size, seen, strict=True))]


def cubic(x):
    """The kernel k of Keys 1981, eq. 15, with a = -0.5: the one that reproduces quadratics."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0))


def taps(old, new, scale, border):
    """For each new sample the old ones that it is made of, and their weights: two arrays (new, taps)."""
    stretch = min(scale, 1)  # antialiasing: a wider kernel for fewer samples
    width = 4 / stretch
    centres = (np.arange(new) + 0.5) / scale - 0.5  # pixels are areas, whose middles map onto each other
    indices = np.floor(centres - width / 2).astype(int)[:, None] + np.arange(math.ceil(width) + 2)
    weights = cubic((centres[:, None] - indices) * stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    if border == "symmetric":
        indices = np.minimum(indices % (2 * old), (-1 - indices) % (2 * old))  # the edge pixel comes twice
    used = np.any(weights != 0, axis=0)
    return indices.clip(0, old - 1)[:, used], weights[:, used]


def resize_axis(images, new, scale, axis, border):
    """Images with one axis resized."""
    indices, weights = taps(images.shape[axis], new, scale, border)
    shape = [-1 if i == axis else 1 for i in range(images.ndim)]
    total = sum(
        np.take(images, column, axis).astype("float64") * weight.reshape(shape)
        for column, weight in zip(indices.T, weights.T, strict=True)
    )
    return np.clip(np.floor(total + 0.5), 0, 255).astype("uint8") if images.dtype == np.uint8 else total
