"""Numbers that compare real with fake: pure functions of features or images, real first; Keras metrics of batches."""

from kerasgan.metrics.classified import (
    classifier_score,
    gan_test,
    gan_train,
    linear_svm,
    mode_count,
    pooled_activations,
)
from kerasgan.metrics.coverage import density_coverage, precision_recall
from kerasgan.metrics.features import features, fingerprint
from kerasgan.metrics.fidelity import SRGAN, STANDARD, detail_energy, diversity, fidelity, ms_ssim, psnr
from kerasgan.metrics.frechet import frechet_distance, frechet_from_moments
from kerasgan.metrics.kernel import kernel_distance, kernel_distances
from kerasgan.metrics.neighbours import memorisation, nearest_neighbour_error, nearest_neighbours, neighbour_grid
from kerasgan.metrics.parzen import multiscale_likelihood, parzen_likelihood
from kerasgan.metrics.streaming import PSNR, Coverage, Density, FrechetDistance, KernelDistance

__all__ = [
    "Coverage",
    "Density",
    "FrechetDistance",
    "KernelDistance",
    "PSNR",
    "SRGAN",
    "STANDARD",
    "classifier_score",
    "density_coverage",
    "detail_energy",
    "diversity",
    "features",
    "fidelity",
    "fingerprint",
    "frechet_distance",
    "frechet_from_moments",
    "gan_test",
    "gan_train",
    "kernel_distance",
    "kernel_distances",
    "linear_svm",
    "memorisation",
    "mode_count",
    "ms_ssim",
    "multiscale_likelihood",
    "nearest_neighbour_error",
    "nearest_neighbours",
    "neighbour_grid",
    "parzen_likelihood",
    "pooled_activations",
    "precision_recall",
    "psnr",
]
