"""A data set enlarged by a model that draws images of a class."""

import os

import numpy as np
from keras import ops

from kerasgan import zoo
from kerasgan.images import in_contract, to_float
from kerasgan.models import rules


def enlarge(images, labels, model, per_class, *, seed=0):
    """Real images and, behind them, `per_class` generated ones of every class that the labels name.

        >>> more, their_labels = kerasgan.enlarge(images, labels, "cgan_mnist", per_class=500)
        >>> classifier.fit(more, their_labels)

    What it can teach is what the model has learnt: of an entry of the zoo, from all of its training data. Whether a
    classifier gains is to be measured on real images; `benchmarks/enlarging.py` does it for digits.

    Args:
        images: (n, height, width, channels), uint8 or floats in [-1, 1], of the model's shape.
        labels: integers (n,), classes of the model.
        model: one that draws images of a class, or the name or path of such an entry.
        per_class: generated images of each class, an integer of at least 1.
        seed: of the generated images.

    Returns:
        (images, labels): real first, then class by class; uint8, or float32 in [-1, 1] where floats were given.

    Raises:
        ValueError: a model without classes, images of another shape, or labels that are not one of its classes for each
            image.
    """
    model = zoo.load(model, metrics=False) if isinstance(model, str | os.PathLike) else model
    if not getattr(model, "conditional", False):
        raise ValueError(f"{type(model).__name__} draws no images of a class: take a conditional model, as CGAN.")
    rules.check_count("per_class", per_class)
    images, labels = in_contract(images, model.image_shape), np.asarray(labels)
    if labels.shape != (len(images),):
        raise ValueError(f"Labels are one for each of {len(images)} images; saw shape {labels.shape}.")
    rules.check_labels(model, labels)
    wanted = np.repeat(np.unique(labels), per_class)
    drawn = model.generate(labels=wanted, seed=seed)
    drawn = drawn if images.dtype == np.uint8 else ops.convert_to_numpy(to_float(drawn))
    return np.concatenate([images, drawn]), np.concatenate([labels, wanted.astype(labels.dtype)])
