"""How near a picture is to the one it should be: PSNR and SSIM, in two protocols; and how alike pictures are: MS-SSIM.

The same pictures score .8113 or .8214 under the two protocols: a number without its protocol says nothing.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kerasgan.images import in_contract, to_uint8

PEAK = 255
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2  # Wang et al. 2004, section III.C
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, section 3.2
WINDOW, SIGMA = 11, 1.5  # Wang et al. 2004, section III.C


class Fidelity(NamedTuple):
    """The means over pictures of PSNR, in dB, and SSIM; infinity and 1 for equal pictures."""

    psnr: float
    ssim: float


class Similarity(NamedTuple):
    """Mean and standard deviation of MS-SSIM over pairs, and how many scales the size of the images allowed."""

    mean: float
    deviation: float
    scales: int


class Protocol(NamedTuple):
    """What fidelity is measured on: `luma` takes pixels to a plane Y, `ssim` compares two such planes."""

    name: str
    luma: Callable
    ssim: Callable


def fidelity(real, fake, protocol=None, crop=4):
    """PSNR and SSIM of pictures against the real ones, on Y without the border.

        >>> fidelity(high_pictures, upscaled_pictures)
        Fidelity(psnr=28.43, ssim=0.811)

    Args:
        real, fake: uint8 images (n, height, width, channels), or lists of (height, width, channels) of any sizes; 1
            channel or 3, grey meaning red = green = blue.
        protocol: STANDARD (BT.601, Wang's SSIM; most papers) or SRGAN (BT.709, Daala's SSIM); None is STANDARD.
        crop: pixels left out at each side; both protocols leave out 4 at factor 4.

    Returns:
        Fidelity: the means over pictures.

    Raises:
        ValueError: pictures that differ in number, size or channels, other than uint8, or too small for the window.
    """
    protocol = protocol or STANDARD
    if len(real) != len(fake) or not len(real):
        raise ValueError(f"Saw {len(real)} real and {len(fake)} fake pictures: give equally many, at least 1.")
    scores = []
    for i, pair in enumerate(zip(real, fake, strict=True)):
        x, y = (protocol.luma(pixels) for pixels in cropped(i, *map(np.asarray, pair), crop))
        scores.append((psnr(x, y), protocol.ssim(x, y)))
    return Fidelity(*map(float, np.mean(scores, axis=0)))


def cropped(i, real, fake, crop):
    """A pair of pictures without their borders."""
    for name, x in (("real", real), ("fake", fake)):
        if x.dtype != np.uint8 or x.ndim != 3 or x.shape[-1] not in (1, 3):
            raise ValueError(
                f"Saw {name} picture {i} of shape {x.shape}, {x.dtype}, expected uint8 (height, width, 1 or 3): the "
                "protocols are of rounded pictures, so round floats first (kerasgan.images.to_uint8)."
            )
    if real.shape != fake.shape:
        raise ValueError(f"Saw picture {i} of shape {real.shape} real and {fake.shape} fake: make them the same size.")
    height, width = real.shape[:2]
    if not 0 <= 2 * crop < min(height, width):
        raise ValueError(f"Saw crop={crop} of picture {i}, {height} x {width}: nothing would be left.")
    return (x[crop : height - crop, crop : width - crop] for x in (real, fake))


def luma_601(pixels):
    """ITU-R BT.601, studio range, unrounded: Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 (MATLAB's rgb2ycbcr)."""
    return 16 + np.broadcast_to(pixels, (*pixels.shape[:2], 3)) @ np.array([65.481, 128.553, 24.966]) / 255


def luma_709(pixels):
    """ITU-R BT.709, studio range, rounded: Y = 16 + 219/255 (.2126 R + .7152 G + .0722 B) (Daala's png2y4m)."""
    y = np.broadcast_to(pixels, (*pixels.shape[:2], 3)) @ np.array([0.2126, 0.7152, 0.0722])
    return np.floor(16 + 219 / 255 * y + 0.5)


def psnr(real, fake):
    """10 log10(255^2 / mean squared error) of two planes, in dB; infinite if they are equal."""
    error = np.mean((np.asarray(real, "float64") - np.asarray(fake, "float64")) ** 2)
    return 10 * math.log10(PEAK**2 / error) if error else math.inf


def detail_energy(pictures, crop=4):
    """The energy of luma (BT.601) above half the Nyquist frequency, in squared grey levels a pixel: the finest detail.

    From the spectrum under a Hann window, so that borders, which do not meet, add nothing; at more than 1/4 cycle a
    pixel in any direction. Of a wave of amplitude A there it is A^2 / 2.

    Args:
        pictures: uint8 images (n, height, width, 1 or 3), or a list of (height, width, 1 or 3) of any sizes.
        crop: pixels left out at each side.

    Returns:
        The mean over pictures.

    Raises:
        ValueError: pictures other than uint8, or of which nothing would be left; or none.
    """
    if not len(pictures):
        raise ValueError("There are no pictures, and so no detail.")
    energies = []
    for i, picture in enumerate(map(np.asarray, pictures)):
        plane = luma_601(next(cropped(i, picture, picture, crop)))
        rows, columns = (np.hanning(side + 2)[1:-1] for side in plane.shape)
        window = np.outer(rows, columns)
        level = np.sum(plane * window) / np.sum(window)
        spectrum = np.abs(np.fft.fft2((plane - level) * window)) ** 2 / plane.size**2
        y, x = (np.fft.fftfreq(side) for side in plane.shape)
        energies.append(spectrum[np.hypot(y[:, None], x) > 0.25].sum() / np.mean(window**2))
    return float(np.mean(energies))


def ssim_wang(real, fake):
    """SSIM (Wang et al. 2004, eq. 13) in 11 x 11 Gaussian windows that lie inside the plane, and its mean (eq. 17)."""
    return float(np.mean(similarity(real[None], fake[None])[0]))


def similarity(real, fake):
    """Maps of SSIM and of its contrast-structure part for planes (n, height, width), of [0, 255], windows inside alone.

    Raises:
        ValueError: the planes are smaller than a window.
    """
    if min(real.shape[1:3]) < WINDOW:
        raise ValueError(
            f"Saw {real.shape[1]} x {real.shape[2]} pixels, less than SSIM's window of {WINDOW} x {WINDOW}: "
            "use larger pictures or a smaller crop."
        )
    x, y = (np.asarray(planes, "float64") for planes in (real, fake))
    taps = np.exp(-0.5 * ((np.arange(WINDOW) - WINDOW // 2) / SIGMA) ** 2)
    inside = (slice(None), *[slice(WINDOW // 2, -(WINDOW // 2))] * 2)
    mean_x, mean_y, xx, yy, xy = (windowed(m, taps / taps.sum())[inside] for m in (x, y, x * x, y * y, x * y))
    xx, yy, xy = xx - mean_x**2, yy - mean_y**2, xy - mean_x * mean_y
    structure = (2 * xy + C2) / (xx + yy + C2)
    return structure * (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1), structure


def windowed(planes, taps):
    """Sums of planes (n, height, width) weighted by a separable window around each pixel; zeros beyond the border."""
    from scipy.ndimage import correlate1d

    for axis in (1, 2):
        planes = correlate1d(planes, taps, axis, mode="constant")
    return planes


def ssim_daala(real, fake):
    """SSIM as Daala's dump_ssim has it, with which the SRGAN paper was measured: higher than Wang's.

    The Gaussian's sigma grows with the picture, 1.5 height / 256; its taps are whole 256ths. Windows reach over the
    border with what weight lies inside, and a pixel counts by that weight.

    Args:
        real, fake: planes (height, width) of whole numbers in [0, 255].
    """
    x, y = (np.asarray(plane, "float64")[None] for plane in (real, fake))
    taps = daala_taps(*real.shape)
    w, mean_x, mean_y, xx, yy, xy = (windowed(m, taps) for m in (np.ones_like(x), x, y, x * x, y * y, x * y))
    mean_x, mean_y, xx, yy, xy = (m / w for m in (mean_x, mean_y, xx, yy, xy))
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * (xy - mean_x * mean_y) + C2) / (xx - mean_x**2 + yy - mean_y**2 + C2)
    return float(np.sum(w * luminance * structure) / np.sum(w))


def daala_taps(height, width):
    """The whole taps, 256 in all, of `gaussian_filter_init` in dump_ssim.c: as far as half of a 256th reaches."""
    sigma = height * 1.5 / 256
    first_dropped = math.sqrt(math.pi / 2) * sigma / 256
    reach = 0 if first_dropped >= 1 else int(sigma * math.sqrt(-2 * math.log(first_dropped)))
    reach = min(reach, min(height, width) - 1)
    side = np.arange(1, reach + 1)
    side = np.floor(256 / (math.sqrt(2 * math.pi) * sigma) * np.exp(-0.5 * (side / sigma) ** 2) + 0.5)
    return np.concatenate([side[::-1], [256 - 2 * side.sum()], side])


STANDARD = Protocol("BT.601, Wang's SSIM", luma_601, ssim_wang)
SRGAN = Protocol("BT.709, Daala's SSIM", luma_709, ssim_daala)


def diversity(images, pairs=1000, seed=0):
    """Mean MS-SSIM of random pairs (Odena et al. 2017, section 4.2): the higher, the more alike the images are.

    Compare with real images of the same class and size alone.

    Args:
        images: (n, height, width, channels), n >= 2, uint8 or floats in [-1, 1]; usually of one class.
        pairs: how many, each of two different images; the paper took 100 a class.
        seed: of the choice of pairs.

    Returns:
        Similarity(mean, deviation, scales).

    Raises:
        ValueError: fewer than two images, no pairs, images too small, or values that break the image contract.
    """
    images = levels(images)
    if len(images) < 2 or pairs < 1:
        raise ValueError(f"Saw {len(images)} images and pairs={pairs}: expected at least 2 images and 1 pair.")
    random = np.random.default_rng(seed)
    first = random.integers(len(images), size=pairs)
    second = (first + random.integers(1, len(images), size=pairs)) % len(images)
    blocks = np.array_split(np.arange(pairs), max(1, pairs * images[0].size // 2**21))
    scores = np.concatenate([ms_ssim(images[first[b]], images[second[b]]) for b in blocks])
    return Similarity(float(scores.mean()), float(scores.std()), scales_that_fit(*images.shape[1:3]))


def levels(images):
    """Images of the contract as uint8 (n, height, width, channels)."""
    images = in_contract(images)
    return images if images.dtype == np.uint8 else to_uint8(images)


def scales_that_fit(height, width):
    """How many of the five scales, each half the one before, hold a window of 11: 5 from 176 pixels, 2 at 28."""
    fit = min(height, width) // WINDOW
    return min(len(SCALE_WEIGHTS), fit.bit_length())


def ms_ssim(real, fake):
    """Multi-scale SSIM of each pair (Wang et al. 2003, eq. 7), the mean over channels.

    Images under 176 pixels have fewer than five scales: as many are taken as hold a window, and their weights made to
    sum to 1. A value at 28 x 28 (two scales) cannot be compared with one at 256 x 256. A negative mean of contrast and
    structure counts as 0, as a power of it has no meaning.

    Args:
        real, fake: (n, height, width, channels), uint8 or floats in [-1, 1].

    Returns:
        float64 array (n,).

    Raises:
        ValueError: images that differ in shape, are smaller than a window, or break the image contract.
    """
    x, y = (np.moveaxis(levels(images).astype("float64"), -1, 0) for images in (real, fake))
    if x.shape != y.shape:
        raise ValueError(f"Saw images of shape {np.shape(real)} and {np.shape(fake)}: make them the same.")
    channels, n, height, width = x.shape
    x, y = (planes.reshape(-1, height, width) for planes in (x, y))
    weights = np.array(SCALE_WEIGHTS[: max(1, scales_that_fit(height, width))])
    weights /= weights.sum()
    score = np.ones(len(x))
    for i, weight in enumerate(weights):
        whole, structure = similarity(x, y)
        part = whole if i == len(weights) - 1 else structure
        score *= np.maximum(part.mean(axis=(1, 2)), 0) ** weight
        x, y = halved(x), halved(y)
    return score.reshape(channels, n).mean(axis=0)


def halved(planes):
    """Means of 2 x 2 pixels; an odd last row or column is met twice."""
    n, height, width = planes.shape
    planes = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    return planes.reshape(n, -(-height // 2), 2, -(-width // 2), 2).mean(axis=(2, 4))
