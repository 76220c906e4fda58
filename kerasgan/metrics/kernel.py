"""Squared maximum mean discrepancy under a cubic kernel; called "KID" in Inception's features alone."""

import numpy as np

from kerasgan.metrics.features import clouds


def kernel_distance(real, fake, subsets=100, subset_size=1000, seed=0):
    """The mean of `kernel_distances`: unbiased, so near 0 and of either sign for samples of one distribution."""
    return float(kernel_distances(real, fake, subsets, subset_size, seed).mean())


def kernel_distances(real, fake, subsets=100, subset_size=1000, seed=0):
    """The unbiased estimate of MMD^2 on each of many random subsets (Binkowski et al. 2018, eq. 4 and section 4).

    The kernel is k(x, y) = (x.y / d + 1)^3. A subset is drawn without replacement, each independently of the others.

    Args:
        real, fake: features (n, d), at least `subset_size` of each.
        subsets: how many subsets; the paper's 100.
        subset_size: samples of each side in a subset, at least 2; the paper's 1,000.
        seed: of the choice of subsets.

    Returns:
        float64 array (subsets,): their mean is the distance, their standard deviation its spread.

    Raises:
        ValueError: features that cannot be compared, or fewer than a subset takes.
    """
    real, fake = clouds(real, fake)
    if not 2 <= subset_size <= min(len(real), len(fake)):
        raise ValueError(
            f"Saw subset_size={subset_size} with {len(real)} real and {len(fake)} fake samples: "
            "it must be at least 2 and no more than either."
        )
    if subsets < 1:
        raise ValueError(f"Saw subsets={subsets}, expected at least 1.")
    random = np.random.default_rng(seed)
    draws = ([random.choice(len(x), subset_size, replace=False) for x in (real, fake)] for _ in range(subsets))
    return np.array([unbiased_mmd(real[i], fake[j]) for i, j in draws])


def unbiased_mmd(real, fake):
    """Gretton et al. 2012, eq. 3, of the cubic kernel; a pair of a sample with itself counts on neither side."""
    within = sum(mean_off_diagonal(cubic(x, x)) for x in (real, fake))
    return within - 2 * cubic(real, fake).mean()


def cubic(x, y):
    """(x.y / d + 1)^3 for all pairs."""
    k = x @ y.T / x.shape[1] + 1
    return k * k * k


def mean_off_diagonal(k):
    """The mean of a square matrix without its diagonal."""
    n = len(k)
    return (k.sum() - np.trace(k)) / (n * (n - 1))
