"""From images to the features that the metrics compare, and what every metric asks of its two clouds of features."""

import hashlib

import numpy as np

from kerasgan.images import check, to_float


def features(extractor, images, batch_size=256):
    """What `extractor` makes of images, a batch at a time.

        >>> features(classifiers.extractor(classifiers.lenet()), images).shape  # images: (10000, 28, 28, 1)
        (10000, 128)

    Args:
        extractor: a Keras model from float images (batch, height, width, channels) in [-1, 1] to features (batch, d).
        images: array (n, height, width, channels), uint8 or floats in [-1, 1].
        batch_size: how many at a time; given images it changes a feature by rounding only.

    Returns:
        Array (n, d) of the extractor's dtype.

    Raises:
        ValueError: images of a shape that the extractor does not take, or of values that break the image contract.
    """
    images = np.asarray(images)
    check_shape(extractor, images.shape)
    if len(images) == 0 or batch_size < 1:
        raise ValueError(f"Saw {len(images)} images and batch_size={batch_size}: both must be at least 1.")
    check(images)
    batches = (images[start : start + batch_size] for start in range(0, len(images), batch_size))
    return np.concatenate([extractor.predict_on_batch(to_float(batch)) for batch in batches])


def check_shape(extractor, shape):
    """Raise ValueError unless images of `shape` fit the extractor and its features are vectors; None fits any size."""
    wanted, seen = tuple(extractor.input_shape), tuple(shape)
    if len(seen) != len(wanted) or any(None not in (s, w) and s != w for s, w in zip(seen, wanted, strict=True)):
        raise ValueError(
            f"Saw images of shape {seen}, but the extractor {extractor.name!r} takes {wanted}: "
            "resize them, or use an extractor made for such images."
        )
    if len(extractor.output_shape) != 2 or extractor.output_shape[-1] is None:
        raise ValueError(
            f"The extractor {extractor.name!r} gives features of shape {tuple(extractor.output_shape)}, "
            "expected (batch, d): end it in a pooling or Flatten layer."
        )


def fingerprint(extractor):
    """SHA-256 over the shapes, dtypes and bytes of the extractor's weights: which ruler a number was measured with."""
    digest = hashlib.sha256()
    for weight in extractor.get_weights():
        digest.update(f"{weight.dtype}{weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def check_fingerprint(network, sha256, whose, place):
    """Raise ValueError unless the network's weights have this fingerprint.

    Args:
        whose: network it is, and place: where it can be reached, for what is said.
    """
    if (seen := fingerprint(network)) != sha256:
        raise ValueError(
            f"The {whose} network's weights have SHA-256 {seen[:12]}..., expected {sha256[:12]}...: a config holds no"
            f" weights, so load them into `{place}`, or compile anew."
        )


def clouds(real, fake):
    """Real and fake features as float64 arrays (n, d) that can be compared.

    Raises:
        ValueError: not two finite matrices of at least two rows each and of equal width.
    """
    real, fake = (np.asarray(x, dtype="float64") for x in (real, fake))
    for name, x in (("real", real), ("fake", fake)):
        if x.ndim != 2 or len(x) < 2 or x.shape[1] < 1:
            raise ValueError(f"Saw {name} features of shape {x.shape}, expected (n, d) with n >= 2 samples.")
        if not np.isfinite(x).all():
            raise ValueError(f"{np.sum(~np.isfinite(x).all(axis=1))} of {len(x)} {name} samples hold NaN or infinity.")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"Saw {real.shape[1]} real and {fake.shape[1]} fake features a sample: take both from one extractor."
        )
    return real, fake
