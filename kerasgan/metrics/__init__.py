"""Numbers that compare real with fake: pure functions of features, real first, and a streaming Keras metric."""

from kerasgan.metrics.coverage import density_coverage, precision_recall
from kerasgan.metrics.features import features, fingerprint
from kerasgan.metrics.frechet import FrechetDistance, frechet_distance, frechet_from_moments
from kerasgan.metrics.kernel import kernel_distance, kernel_distances

__all__ = [
    "FrechetDistance",
    "density_coverage",
    "features",
    "fingerprint",
    "frechet_distance",
    "frechet_from_moments",
    "kernel_distance",
    "kernel_distances",
    "precision_recall",
]
