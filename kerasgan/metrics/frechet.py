"""Frechet distance of two clouds of features, each seen as a Gaussian; called "FID" in Inception's features alone."""

import keras
import numpy as np
from keras import ops

from kerasgan.images import to_float
from kerasgan.metrics.features import check_shape, clouds, fingerprint


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


@keras.saving.register_keras_serializable("kerasgan")
class FrechetDistance(keras.metrics.Metric):
    """The Frechet distance of images that arrive in batches; it keeps sums, never images.

        >>> metric = FrechetDistance(extractor)
        >>> metric.update_state(real_images, fake_images)
        >>> metric.result()

    `update_state` may run inside a compiled step; `result` is NumPy and runs on the host, once at the end. The sums are
    float64, so the size of the batches does not matter. What is saved of the extractor inside a config is its
    architecture and the fingerprint of its weights; `result` refuses an extractor with other weights.

    Args:
        extractor: a Keras model from float images in [-1, 1] to features (batch, d).
        extractor_sha256: the fingerprint that the extractor must have; None takes it as it is.

    Raises:
        ValueError: an extractor without (batch, d) features, or with other weights than the fingerprint says.
    """

    def __init__(self, extractor, name="frechet_distance", extractor_sha256=None, **kwargs):
        super().__init__(name=name, **kwargs)
        check_shape(extractor, extractor.input_shape)
        self.extractor, self.extractor_sha256 = extractor, extractor_sha256
        self.real, self.fake = self.add_sums("real"), self.add_sums("fake")

    def add_sums(self, side):
        """Variables for (n, sum, outer) of one side."""
        d = self.extractor.output_shape[-1]
        shapes = {"n": (), "sum": (d,), "outer": (d, d)}
        return tuple(self.add_variable(s, "zeros", dtype="float64", name=f"{side}_{k}") for k, s in shapes.items())

    def update_state(self, real, fake):
        """Add a batch of real and one of fake images: uint8, or floats in [-1, 1]; the two may differ in number."""
        for sums, images in ((self.real, real), (self.fake, fake)):
            check_shape(self.extractor, images.shape)
            x = ops.cast(ops.stop_gradient(self.extractor(to_float(images), training=False)), "float64")
            n, total, outer = sums
            n.assign(n + ops.cast(ops.shape(x)[0], "float64"))
            total.assign(total + ops.sum(x, axis=0))
            outer.assign(outer + ops.transpose(x) @ x)  # on torch ops.matmul rounds float64 to float32

    def result(self):
        """The distance, a float; NaN before the first images, as there is nothing to compare."""
        # By way of a tensor, which under a strategy is the sum over replicas.
        host = [ops.convert_to_numpy(ops.convert_to_tensor(x)) for x in (*self.real, *self.fake)]
        real, fake = host[:3], host[3:]
        if real[0] == fake[0] == 0:
            return float("nan")
        self.check_extractor()
        return frechet_from_moments(real, fake)

    def check_extractor(self):
        """Raise ValueError if the extractor's weights are not those that the fingerprint was taken of."""
        seen = fingerprint(self.extractor)
        if self.extractor_sha256 not in (None, seen):
            raise ValueError(
                f"The extractor's weights have SHA-256 {seen[:12]}..., expected {self.extractor_sha256[:12]}...: "
                "a config holds no weights, so load them into `metric.extractor` before measuring."
            )

    def get_config(self):
        """Name, architecture and fingerprint of the extractor; not its weights."""
        return {
            **super().get_config(),
            "extractor": keras.saving.serialize_keras_object(self.extractor),
            "extractor_sha256": self.extractor_sha256 or fingerprint(self.extractor),
        }

    @classmethod
    def from_config(cls, config):
        """The metric again; its extractor's weights are still to be loaded."""
        return cls(**{**config, "extractor": keras.saving.deserialize_keras_object(config["extractor"])})
