"""Nearest neighbours among pixels: can digits be read by generated ones, and are those copies of training images?

Euclidean distances of pixels in [0, 1]. Of equally near neighbours the first counts, whatever the size of a block.
"""

from typing import NamedTuple

import numpy as np

from kerasgan import plotting
from kerasgan.images import in_contract, to_uint8

BLOCK = 2**22  # distances held at a time: 32 MB in float64, whatever the number of images


class Neighbours(NamedTuple):
    """For each image: which one of the others is nearest (n,), and how far away it is (n,)."""

    indices: np.ndarray
    distances: np.ndarray


class Memorisation(NamedTuple):
    """Nearest training images of real test images and of fakes; `copying` is 0.5 if both are equally far from them."""

    real: Neighbours
    fake: Neighbours
    copying: float


def nearest_neighbour_error(real, real_labels, fake, fake_labels):
    """The share of real test images whose nearest generated image was made as another class (DCGAN, Table 3).

    Radford et al. 2015, supplement: fakes and the labels they were asked for are the reference of a 1-nearest-neighbour
    classifier. The number of fakes matters: 50,000 real digits in their place leave 3.39 %, 10,000 leave 5.11 %.

    Args:
        real, fake: images (n, height, width, channels), uint8 or floats in [-1, 1].
        real_labels, fake_labels: whole numbers (n,).

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: images of two sizes, as many labels as images missing, or values that break the image contract.
    """
    labels = []
    for name, images, y in (("real", real, real_labels), ("fake", fake, fake_labels)):
        labels.append(np.asarray(y))
        if labels[-1].shape != (len(images),):
            raise ValueError(f"Saw {len(images)} {name} images and labels of shape {np.shape(y)}: give one for each.")
    nearest = nearest_neighbours(real, fake).indices
    return float(np.mean(labels[1][nearest] != labels[0]))


def nearest_neighbours(images, others):
    """For each image the nearest one of the others.

    Args:
        images, others: (n, height, width, channels), uint8 or floats in [-1, 1].

    Returns:
        Neighbours: indices into `others`, and distances of pixels in [0, 1]; of a copy exactly 0.

    Raises:
        ValueError: images of two sizes, none at all, or values that break the image contract.
    """
    if np.shape(images)[1:] != np.shape(others)[1:] or not len(images) or not len(others):
        raise ValueError(
            f"Saw images of shape {np.shape(images)} and {np.shape(others)}: give some of each, of one size."
        )
    x, y = flat_levels(images), flat_levels(others)
    norms = np.sum(y * y, axis=1)
    rows = max(1, BLOCK // len(y))
    indices = []
    for start in range(0, len(x), rows):
        beyond = x[start : start + rows] @ y.T  # |x - y|^2 without its |x|^2
        beyond *= -2
        beyond += norms
        indices.append(np.argmin(beyond, axis=1))
    indices = np.concatenate(indices)
    return Neighbours(indices, np.sqrt(np.sum((x - y[indices]) ** 2, axis=1)) / 255)


def flat_levels(images):
    """Images as float64 (n, d) in [0, 255]: of uint8 ones whole numbers, whose products are exact, so ties are ties."""
    images = in_contract(images).reshape(len(images), -1)
    return images.astype("float64") if images.dtype == np.uint8 else (images.astype("float64") + 1) * 127.5


def memorisation(real, fake, training):
    """Are fakes nearer to the training images than unseen real images are?

    `copying` is the chance that a fake is nearer than a real image, ties half (the U statistic of Meehan et al. 2020,
    section 3): 0.5 for samples as new as test images, 1 for copies. Under 0.5 the fakes are farther off than real
    images: blurred or broken, not original.

        >>> found = memorisation(test_images, model.generate(1000, seed=1), train_images)
        >>> found.copying, np.median(found.fake.distances), np.median(found.real.distances)
        (0.48, 5.1, 4.9)

    Args:
        real: test images. fake: generated ones. training: what the generator saw. All (n, height, width, channels),
            uint8 or floats in [-1, 1].

    Returns:
        Memorisation.

    Raises:
        ValueError: as `nearest_neighbours`.
    """
    real, fake = (nearest_neighbours(images, training) for images in (real, fake))
    order = np.sort(real.distances)
    nearer = [np.mean(len(order) - np.searchsorted(order, fake.distances, side)) for side in ("left", "right")]
    return Memorisation(real, fake, float(np.mean(nearer) / len(order)))


def neighbour_grid(fake, training, neighbours, pairs=32, columns=4):
    """A picture of fakes, each with its nearest training image to the right; the nearest pairs first.

    The training images can be seen in it: publish it where their licence allows that.

    Args:
        fake, training: images (n, height, width, channels), uint8 or floats in [-1, 1].
        neighbours: of the fakes, as `memorisation(...).fake`.
        pairs: how many to show. columns: pairs in a row.

    Returns:
        uint8 (height, width, channels).

    Raises:
        ValueError: neighbours that are not those of these images, or nothing to show.
    """
    indices, distances = neighbours
    if len(indices) != len(fake) or np.max(indices, initial=-1) >= len(training) or min(pairs, columns) < 1:
        raise ValueError(
            f"Saw {len(fake)} fakes, {len(training)} training images, neighbours of {len(indices)}, pairs={pairs} and "
            f"columns={columns}: pass what was measured, and at least 1 pair and column."
        )
    shown = np.argsort(distances, kind="stable")[:pairs]
    left, right = (in_contract(x)[i] for x, i in ((fake, shown), (training, np.asarray(indices)[shown])))
    left, right = (x if x.dtype == np.uint8 else to_uint8(x) for x in (left, right))
    both = np.stack([left, right], axis=1).reshape(-1, *left.shape[1:])
    return plotting.grid(both, columns=2 * min(columns, len(shown)))
