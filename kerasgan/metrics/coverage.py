"""Are the fakes near real samples, and the real ones near fakes? Counted in balls that reach to the k-th neighbour."""

import numpy as np

from kerasgan.metrics.features import clouds

BLOCK = 2**23  # distances held at a time: 64 MB in float64, whatever the number of samples


def density_coverage(real, fake, k=5):
    """Density and coverage (Naeem et al. 2020, eq. 3 and 4): the balls are around real samples alone.

    Density is in how many real balls a fake lies, over k: about 1 for perfect samples, and not bounded by it. Coverage
    is the share of real balls that hold a fake: 1 - 2^-k (0.97 at k = 5) for perfect and equally many samples.

        >>> density_coverage(real, fake)
        (0.95, 0.94)

    Args:
        real, fake: features (n, d), more than k real ones.
        k: the neighbour that a ball reaches to, at least 1.

    Returns:
        (density, coverage), floats.

    Raises:
        ValueError: features that cannot be compared, or not more than k real samples.
    """
    real, fake = clouds(real, fake)
    held = covered = 0
    for inside in balls(real, fake, k):
        held += np.count_nonzero(inside)
        covered += np.count_nonzero(inside.any(axis=1))
    return float(held / (k * len(fake))), float(covered / len(real))


def precision_recall(real, fake, k=3):
    """Precision and recall (Kynkaanniemi et al. 2019, eq. 1 and 2): the share of fakes in the real manifold, and back.

    Args:
        real, fake: features (n, d), more than k of each.
        k: the neighbour that a ball reaches to, at least 1; the manifold is the union of the balls.

    Returns:
        (precision, recall), floats in [0, 1].

    Raises:
        ValueError: features that cannot be compared, or not more than k samples on a side.
    """
    real, fake = clouds(real, fake)
    return in_manifold(real, fake, k), in_manifold(fake, real, k)


def in_manifold(centres, points, k):
    """The share of points that lie in any of the balls around the centres."""
    found = np.zeros(len(points), dtype=bool)
    for inside in balls(centres, points, k):
        found |= inside.any(axis=0)
    return float(found.mean())


def balls(centres, points, k):
    """Which points lie in the closed ball around each centre that reaches to its k-th neighbour among the centres.

    Yields:
        Boolean blocks (some centres, all points), in the order of the centres.
    """
    if not 1 <= k < len(centres):
        raise ValueError(f"Saw k={k} with {len(centres)} samples: k must be at least 1 and less than the samples.")
    middle = centres.mean(axis=0)  # distances from products lose digits far from the origin
    centres, points = centres - middle, points - middle
    rows = max(1, BLOCK // max(len(centres), len(points)))
    for start in range(0, len(centres), rows):
        block = centres[start : start + rows]
        own = squared_distances(block, centres)
        own.partition(k, axis=1)  # a centre is its own 0th neighbour
        yield squared_distances(block, points) <= own[:, k, None]


def squared_distances(x, y):
    """|x_i - y_j|^2 for all pairs, (len(x), len(y)); exactly 0 for equal samples, so that ties count as ties."""
    norms = np.sum(x * x, axis=1)[:, None] + np.sum(y * y, axis=1)
    squared = x @ y.T
    squared *= -2
    squared += norms
    norms *= 1e-13
    squared[squared < norms] = 0
    return squared
