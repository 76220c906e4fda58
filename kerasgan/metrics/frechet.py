"""Frechet distance of two clouds of features, each seen as a Gaussian; called "FID" in Inception's features alone."""

import numpy as np

from kerasgan.metrics.features import clouds


def frechet_distance(real, fake):
    """The distance d^2 of Heusel et al. 2017, eq. 6 (Dowson and Landau 1982): squared, as the field reports it.

        |m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2))

    Args:
        real, fake: features (n, d), each with more samples than dimensions.

    Returns:
        Float >= 0; 0 for equal means and covariances.

    Raises:
        ValueError: features that cannot be compared, or too few of them for a covariance.
    """
    return gaussian_distance(*(centred_moments(x) for x in clouds(real, fake)))


def frechet_from_moments(real, fake):
    """The same distance from sums, which add up over batches, replicas and workers, and can be stored.

    Args:
        real, fake: each (n, sum, outer): the number of samples, their sum (d,), and the sum x^T x (d, d), in float64.

    Raises:
        ValueError: as `frechet_distance`.
    """
    return gaussian_distance(*(moments_of_sums(*x) for x in (real, fake)))


def centred_moments(x):
    """(n, mean, covariance) of samples (n, d)."""
    mean = x.mean(axis=0)
    return len(x), mean, (x - mean).T @ (x - mean) / (len(x) - 1)


def moments_of_sums(n, total, outer):
    """(n, mean, covariance) of (n, sum, outer); of fewer than two samples without meaning, and refused further on."""
    mean = np.asarray(total, dtype="float64") / max(n, 1)
    return int(n), mean, (np.asarray(outer, dtype="float64") - n * np.outer(mean, mean)) / max(n - 1, 1)


def gaussian_distance(real, fake):
    """Heusel et al. 2017, eq. 6, of two (n, mean, covariance)."""
    (n_real, mean_real, cov_real), (n_fake, mean_fake, cov_fake) = real, fake
    if cov_real.shape != cov_fake.shape:
        raise ValueError(f"Saw {len(mean_real)} real and {len(mean_fake)} fake features: take both from one extractor.")
    d = len(mean_real)
    if min(n_real, n_fake) <= d:  # the covariance of n samples has rank n - 1 at most
        raise ValueError(
            f"A Frechet distance in {d} dimensions needs more than {d} samples on each side; saw {n_real} real and "
            f"{n_fake} fake: take more images, or an extractor with fewer features."
        )
    if not all(np.isfinite(x).all() for x in (mean_real, cov_real, mean_fake, cov_fake)):
        raise ValueError("The features hold NaN or infinity: look at the images, then at the extractor.")
    # tr (C_r C_f)^(1/2) = tr (R C_f R)^(1/2) with R = C_r^(1/2): symmetric, so eigenvalues stay real, and no scipy.
    values, vectors = np.linalg.eigh(cov_real)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    crossed = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_fake @ root), 0)).sum()
    distance = np.sum((mean_real - mean_fake) ** 2) + np.trace(cov_real) + np.trace(cov_fake) - 2 * crossed
    return max(float(distance), 0.0)  # rounding can leave -1e-13 of two equal clouds
