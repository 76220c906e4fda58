"""Gaussian Parzen windows: the log-likelihood of real images under a density made of samples, as the first papers did.

It rises with the number of samples and rewards smooth ones (Theis et al. 2016): say how many, and hold it against as
many real images. 10,000 real MNIST digits have 242.6 +- 2.1; more than that is no success.
"""

import math
from typing import NamedTuple

import numpy as np

from kerasgan.images import in_contract

SIGMAS = np.logspace(-1, 0, 10)  # parzen_ll.py of Goodfellow et al. 2014
VALIDATION = 1000  # how many validation images choose sigma there
BLOCK = 2**22  # distances held at a time: 32 MB in float64, whatever the number of samples


class Likelihood(NamedTuple):
    """Log-likelihood in nats: its mean over images, the mean's standard error, their deviation; sigma, or one a scale.

    GAN's table has the standard error beside the mean, LAPGAN's the deviation; neither knows of the sampling seed.
    """

    mean: float
    error: float
    deviation: float
    sigma: float | tuple


def parzen_likelihood(real, fake, validation, sigmas=SIGMAS):
    """The Parzen window estimate of Goodfellow et al. 2014, section 5 and Table 1, as their parzen_ll.py has it.

        log p(x) = log mean_i exp(-|x - s_i|^2 / (2 sigma^2)) - d log(sigma sqrt(2 pi))

    Sigma is the one with the highest mean over the first 1,000 validation images. The paper took 10,000 samples.

        >>> parzen_likelihood(test_digits, model.generate(10_000, seed=1), train_digits[50_000:])
        Likelihood(mean=225.0, error=2.1, deviation=209.7, sigma=0.167)

    Args:
        real: the test images x. fake: the samples s. validation: real images that are neither. All three are images
            (n, height, width, channels), uint8 or floats in [-1, 1], and compared as pixels in [0, 1]; or all three
            vectors (n, d) in a unit of your own (LAPGAN's are standardised), which the number then depends on.
        sigmas: to choose from; if the first or the last is chosen, offer more.

    Returns:
        Likelihood, of `real`.

    Raises:
        ValueError: sizes that differ, values that break the image contract or are not finite, a sigma not above 0.
    """
    real, fake, validation = vectors(real=real, fake=fake, validation=validation)
    sigmas = checked_sigmas(sigmas)
    sigma = best(log_densities(validation[:VALIDATION], fake, sigmas), sigmas)
    return likelihood(log_densities(real, fake, [sigma])[0], sigma)


def vectors(**clouds):
    """Arrays of one kind as float64 (n, d): images in [0, 1], vectors as they are."""
    shapes = {name: np.shape(x) for name, x in clouds.items()}
    if len({shape[1:] for shape in shapes.values()}) > 1 or any(len(s) < 2 or 0 in s for s in shapes.values()):
        raise ValueError(f"Saw {shapes}: give images of one size, or vectors of one length, at least one of each.")
    return [pixels(x, name).reshape(len(x), -1) for name, x in clouds.items()]


def pixels(x, name):
    """Images in [0, 1], or finite vectors."""
    x = np.asarray(x)
    if x.ndim > 2:
        x = in_contract(x)
        return x / 255.0 if x.dtype == np.uint8 else (x.astype("float64") + 1) / 2
    if not np.isfinite(x).all():
        raise ValueError(f"{np.sum(~np.isfinite(x).all(axis=1))} of {len(x)} {name} vectors hold NaN or infinity.")
    return x.astype("float64")


def checked_sigmas(sigmas):
    """The sigmas as floats above 0."""
    sigmas = np.atleast_1d(np.asarray(sigmas, "float64"))
    if not sigmas.size or not np.all((sigmas > 0) & np.isfinite(sigmas)):
        raise ValueError(f"Saw sigmas={sigmas.tolist()}, expected numbers above 0.")
    return sigmas


def best(log_densities, sigmas):
    """The sigma (of the first axis) under which the images are likeliest."""
    return float(sigmas[np.argmax(np.mean(log_densities, axis=1))])


def likelihood(log_densities, sigma):
    """What is told of the log-densities of images."""
    deviation = float(np.std(log_densities))
    return Likelihood(float(np.mean(log_densities)), deviation / math.sqrt(len(log_densities)), deviation, sigma)


def log_densities(points, samples, sigmas):
    """log p of each point for each sigma, (sigmas, points), from one product of matrices a block."""
    middle = samples.mean(axis=0)  # distances from products lose digits far from the origin
    points, samples = points - middle, samples - middle
    norms = np.sum(samples * samples, axis=1)
    rows = max(1, BLOCK // len(samples))
    blocks = (points[start : start + rows] for start in range(0, len(points), rows))
    return np.hstack([window(distances(block, samples, norms), points.shape[1], sigmas) for block in blocks])


def distances(points, samples, norms):
    """|x - s|^2 for all pairs, given |s|^2."""
    squared = points @ samples.T
    squared *= -2
    squared += np.sum(points * points, axis=1)[:, None]
    squared += norms
    return np.maximum(squared, 0, out=squared)


def window(squared, d, sigmas):
    """log p of points for each sigma, from their squared distances (points, samples) in d dimensions."""
    nearest = squared.min(axis=1, keepdims=True)  # the largest term of the mean, taken out of it
    above = nearest - squared
    rows = [
        np.log(np.mean(np.exp(above / (2 * sigma**2)), axis=1))
        - nearest[:, 0] / (2 * sigma**2)
        - d * math.log(sigma * math.sqrt(2 * math.pi))
        for sigma in sigmas
    ]
    return np.stack(rows)


# --- LAPGAN -----------------------------------------------------------------------------------------------------------


def multiscale_likelihood(real, coarse, levels, validation, sigmas=SIGMAS):
    """The multi-scale Parzen estimate of Denton et al. 2015, Appendix A: one window a scale.

        log p(I) = log q_K(l_K) + sum_k log q_k(h_k | l_k)

    At each scale the samples answer to the image's own low pass, never to a generated one; `split` defines l and h.
    Each scale's sigma is the likeliest one for the validation images. A product of windows is not the window of a
    whole image: the paper's -1799 and -3572 nats are the same model.

    Args:
        real, validation: images (n, height, width, channels), floats of any range; the number depends on their unit
            (the paper's are standardised).
        coarse: samples of the coarsest level, (m, height / 2^K, width / 2^K, channels), in the unit of `real`.
        levels: K functions, the finest level's first: from one low pass l (height, width, channels), the means of
            2 x 2 pixels, to samples (m, 2 height, 2 width, channels) of the level above: residuals h, or whole images
            u(l) + h. What they hold of the means is dropped, so that it does not matter which.
        sigmas: to choose each scale's from; if the first or the last is chosen, offer more.

    Returns:
        Likelihood, of `real`; `sigma` has one for each level, the finest first, the coarsest image's last.

    Raises:
        ValueError: sizes that do not fit, or values that are not finite.
    """
    sigmas, lows = checked_sigmas(sigmas), [finite(x, name) for x, name in ((real, "real"), (validation, "validation"))]
    total, chosen = np.zeros(len(lows[0])), []
    for level, draw in enumerate(levels):
        lows, highs = zip(*(split(x) for x in lows), strict=True)
        unit = 2.0**level  # what `split` leaves to do for the map from images to parts to be a rotation
        given, tried = (conditional(h, low, draw, sigmas, unit) for h, low in zip(highs, lows, strict=True))
        chosen.append(best(tried, sigmas))
        total += given[np.flatnonzero(sigmas == chosen[-1])[0]]
    coarse = finite(coarse, "coarse")
    if coarse.shape[1:] != lows[0].shape[1:]:
        left = lows[0].shape[1:]
        raise ValueError(f"Saw coarse samples of shape {coarse.shape[1:]}, but {left} is left of the images.")
    points, tried, samples = (2.0 ** len(levels) * x.reshape(len(x), -1) for x in (*lows, coarse))
    chosen.append(best(log_densities(tried, samples, sigmas), sigmas))
    return likelihood(total + log_densities(points, samples, chosen[-1:])[0], tuple(chosen))


def finite(x, name):
    """Images as float64 (n, height, width, channels) without NaN."""
    x = np.asarray(x, "float64")
    if x.ndim != 4 or 0 in x.shape or not np.isfinite(x).all():
        raise ValueError(f"Saw {name} of shape {x.shape}, expected finite images (n, height, width, channels), n >= 1.")
    return x


def split(images):
    """Low and high pass: l the means of 2 x 2 pixels, h what is left in an orthonormal basis of it (Appendix A).

    Of the first level (2 l, h) is a rotation of the image, of the next one (4 l, 2 h), and so on: in these units the
    densities of the parts multiply to one of the image. The paper calls its map unitary, and leaves the factors out.

    Args:
        images: (n, height, width, channels) of even height and width.

    Returns:
        l (n, height / 2, width / 2, channels), h (n, height / 2, width / 2, 3, channels).

    Raises:
        ValueError: an odd height or width.
    """
    n, height, width, channels = images.shape
    if height % 2 or width % 2:
        raise ValueError(f"Saw {height} x {width} pixels, which 2 x 2 does not divide: crop, or use fewer levels.")
    a, b, c, d = (images[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
    high = np.stack([a + b - c - d, a - b + c - d, a - b - c + d], axis=3) / 2  # Haar's
    return (a + b + c + d) / 4, high


def conditional(highs, lows, draw, sigmas, unit):
    """log q(unit h | l) of each image for each sigma, (sigmas, images), over fresh samples for each."""
    rows = []
    for high, low in zip(highs, lows, strict=True):
        samples = finite(draw(low), "a level's samples")
        wanted = (2 * low.shape[0], 2 * low.shape[1], low.shape[2])
        if samples.shape[1:] != wanted:
            raise ValueError(f"A level gave samples of shape {samples.shape[1:]} for {low.shape}, expected {wanted}.")
        points, samples = (unit * x.reshape(len(x), -1) for x in (high[None], split(samples)[1]))
        rows.append(log_densities(points, samples, sigmas))
    return np.hstack(rows)
