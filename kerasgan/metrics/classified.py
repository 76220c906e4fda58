"""What a classifier says of generated images: which classes, how surely, and what can be learned from them."""

import warnings
from typing import NamedTuple

import numpy as np

from kerasgan.images import in_contract, to_float

C_GRID = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2)  # the DCGAN authors' svhn code
FEATURES = 7168  # 2 x 2 of the authors' 32 x 32 discriminator; the paper's 4 x 4 make 28,672


class Score(NamedTuple):
    """Mean and standard deviation over splits."""

    mean: float
    deviation: float


class Modes(NamedTuple):
    """How many modes were hit, and KL(generated || uniform) in nats."""

    count: int
    reverse_kl: float


class Machine(NamedTuple):
    """Test accuracy of a linear SVM, the C it was given, and {C: validation accuracy}."""

    accuracy: float
    c: float
    validation: dict


def classifier_score(probabilities, splits=10):
    """exp(E KL(p(y|x) || p(y))) of any classifier (Salimans et al. 2016, section 4).

    Named "Inception score" for the 2015 Inception graph alone. Between 1 (all alike, or all unclear) and the number of
    classes (each surely one, all equally often); real images set what can be had. It does not see a lack of variety
    within a class.

    Args:
        probabilities: (n, classes) of generated images in random order, rows summing to 1: a softmax, no logits.
        splits: parts that are scored alone, in the given order; the paper's 10 of 50,000 images.

    Returns:
        Score(mean, deviation) over the splits.

    Raises:
        ValueError: rows that are no probabilities, or fewer images than splits.
    """
    from scipy.special import rel_entr

    p = np.asarray(probabilities, "float64")
    if p.ndim != 2 or not 1 <= splits <= len(p):
        raise ValueError(f"Saw probabilities {p.shape} for {splits} splits, expected (n, classes) with n >= splits.")
    wrong = ~((p >= 0).all(axis=1) & (np.abs(p.sum(axis=1) - 1) < 1e-3))  # NaN is wrong too
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{wrong.sum()} of {len(p)} rows are no probabilities; row {row} sums to {p[row].sum():.4g} and its least "
            f"is {p[row].min():.4g}: apply a softmax to logits."
        )
    bounds = np.arange(splits + 1) * len(p) // splits
    parts = (p[start:stop] for start, stop in zip(bounds[:-1], bounds[1:], strict=True))
    scores = [np.exp(np.mean(np.sum(rel_entr(part, part.mean(axis=0)), axis=1))) for part in parts]
    return Score(float(np.mean(scores)), float(np.std(scores)))


def mode_count(labels, modes):
    """How many modes the samples hit, and the reverse KL of their histogram, as in Lin et al. 2018 (PacGAN).

        sum_m p_m log(p_m modes), over the modes with p_m > 0

    A mode counts from one sample on. n samples of a perfect generator give about (modes - 1) / (2 n) nats: 0.019 for
    Stacked MNIST's 26,000 samples of 1,000 modes.

        >>> mode_count(100 * red_digit + 10 * green_digit + blue_digit, 1000)  # Stacked MNIST
        Modes(count=99, reverse_kl=3.4)

    Args:
        labels: whole numbers (n,) in [0, modes): the mode that a classifier gave each sample.
        modes: how many there are.

    Returns:
        Modes(count, reverse_kl).

    Raises:
        ValueError: no samples, or labels that are not such numbers.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not len(labels) or labels.dtype.kind not in "iu":
        raise ValueError(f"Saw {labels.dtype} labels of shape {labels.shape}, expected whole numbers (n,), n >= 1.")
    if labels.min() < 0 or labels.max() >= modes:
        raise ValueError(f"Saw labels in [{labels.min()}, {labels.max()}], expected [0, {modes - 1}]: {modes} modes.")
    p = np.bincount(labels, minlength=modes) / len(labels)
    hit = p[p > 0]
    return Modes(len(hit), float(np.sum(hit * np.log(hit * modes))))


def gan_train(real, fake, build, **fit):
    """GAN-train (Shmelkov et al. 2018, section 3): accuracy on real test images of a classifier trained on fakes.

    Low if the fakes lack variety or do not look like their class. What real training images in the place of the fakes
    give is the most that can be had.

        >>> gan_train((test_images, test_labels), (fakes, asked_labels), build, epochs=10, batch_size=128)
        0.94

    Args:
        real, fake: (images, labels): images (n, height, width, channels), uint8 or floats in [-1, 1]; labels (n,).
        build: a function that gives a fresh classifier of float images in [-1, 1], compiled for whole labels from 0;
            set a seed in it for a number that can be had again.
        fit: arguments of its `fit`, such as epochs.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: images and labels that do not go together, or values that break the image contract.
    """
    return learned(fake, real, build, fit)


def gan_test(real, fake, build, **fit):
    """GAN-test (Shmelkov et al. 2018, section 3): accuracy on fakes of a classifier trained on real training images.

    Low if the fakes do not look like their class; above that of real test images if they are copies of training ones.

    Args, Returns and Raises: as `gan_train`, but `real` are training images.
    """
    return learned(real, fake, build, fit)


def learned(teacher, test, build, fit):
    """How often a fresh classifier is right about `test` after it was taught `teacher`."""
    (x, y), (images, labels) = (labelled(*part) for part in (teacher, test))
    if x.shape[1:] != images.shape[1:]:
        raise ValueError(f"Saw images of shape {x.shape[1:]} and {images.shape[1:]}: make them the same.")
    classifier = build()
    classifier.fit(x, y, **{"verbose": 0, **fit})
    return float(np.mean(np.argmax(predicted(classifier, images), axis=1) == labels))


def labelled(images, labels):
    """Images as float32 in [-1, 1] and their labels."""
    images, labels = in_contract(images), np.asarray(labels)
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu" or not len(images):
        raise ValueError(
            f"Saw {len(images)} images and {labels.dtype} labels of shape {labels.shape}: give a whole number for each."
        )
    return np.asarray(to_float(images)), labels


def predicted(model, images, batch_size=256):
    """What a model makes of images, a batch at a time."""
    starts = range(0, len(images), batch_size)
    return np.concatenate([model.predict_on_batch(to_float(images[i : i + batch_size])) for i in starts])


# --- a linear classifier of the discriminator's features -------------------------------------------------------------


def linear_svm(train, validation, test, grid=C_GRID, seed=0):
    """Accuracy of a linear SVM on features (Radford et al. 2015, section 5.1): squared hinge, L2, C by validation.

    How good D's features are shows beside those of a D that was never trained, and beside raw pixels. Each needs a grid
    wide enough: small features want a large C. In a trial with 2,000 images an untrained D had 0.31 on the authors'
    grid and 0.49 at C = 1; one held back by its grid would flatter the trained one, so an end of it is warned of.

    Args:
        train, validation, test: each (features (n, d), labels (n,)); d the same. The test set is read once, with the C
            that was best on the validation set.
        grid: of C; the smallest wins a tie. seed: of scikit-learn's solver.

    Returns:
        Machine(accuracy, c, validation).

    Raises:
        ValueError: features and labels that do not go together or are not finite. ImportError: no scikit-learn.
    """
    try:
        from sklearn.svm import LinearSVC
    except ImportError:
        raise ImportError("scikit-learn is not installed: pip install 'kerasgan[metrics]'.") from None
    parts = {"train": train, "validation": validation, "test": test}
    (x, y), tuning, held_out = (described(name, *part) for name, part in parts.items())
    for name, (other, _) in (("validation", tuning), ("test", held_out)):
        if other.shape[1] != x.shape[1]:
            raise ValueError(f"Saw {x.shape[1]} train and {other.shape[1]} {name} features: take both from one model.")
    if not len(grid) or min(grid) <= 0 or len(np.unique(y)) < 2:
        raise ValueError(f"Saw grid={grid} and {len(np.unique(y))} classes: expected C above 0 and at least 2 classes.")
    machines = {float(c): LinearSVC(C=c, random_state=seed).fit(x, y) for c in sorted(grid)}
    found = {c: float(machine.score(*tuning)) for c, machine in machines.items()}
    c = max(found, key=found.get)
    if c in (min(found), max(found)) and sum(score == found[c] for score in found.values()) == 1 < len(found):
        warnings.warn(f"C={c:g} was best and is an end of the grid: offer more C beyond it.", stacklevel=2)
    return Machine(float(machines[c].score(*held_out)), c, found)


def described(name, features, labels):
    """Features and labels as arrays that go together."""
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or labels.shape != (len(features),) or not features.size:
        raise ValueError(f"Saw {name} features {features.shape} and labels {labels.shape}, expected (n, d) and (n,).")
    if not np.isfinite(features).all():
        broken = np.sum(~np.isfinite(features).all(axis=1))
        raise ValueError(f"{broken} of {len(features)} {name} samples hold NaN or infinity.")
    return features, labels


def pooled_activations(discriminator, images, limit=FEATURES, batch_size=256):
    """The activations of all convolutions, max-pooled and side by side (Radford et al. 2015, section 5.1).

    The paper pools each map to 4 x 4; here to 4 x 4, 3 x 3, 2 x 2 or 1 x 1, the finest that keeps within `limit`.

    Args:
        discriminator: a functional Keras model of float images in [-1, 1] with convolutions.
        images: (n, height, width, channels), uint8 or floats in [-1, 1]. limit: of the features of an image.

    Returns:
        float32 array (n, d), d <= limit.

    Raises:
        ValueError: no convolutions, more channels than `limit`, or images that it does not take.
    """
    import keras

    if len(discriminator.inputs) != 1:
        raise ValueError(f"{discriminator.name} takes {len(discriminator.inputs)} inputs, expected images alone.")
    shape = discriminator.input_shape[1:]
    images = in_contract(images, None if None in shape else shape)
    outputs = activations(discriminator)
    channels = sum(output.shape[-1] for output in outputs)
    side = next((side for side in (4, 3, 2, 1) if side * side * channels <= limit), None)
    if side is None:
        raise ValueError(f"{discriminator.name} has {channels} channels, more than limit={limit} features: raise it.")
    model = keras.Model(discriminator.inputs, outputs)
    rows = []
    for start in range(0, len(images), batch_size):
        maps = model.predict_on_batch(to_float(images[start : start + batch_size]))
        maps = maps if isinstance(maps, list | tuple) else [maps]
        rows.append(np.hstack([max_pooled(np.asarray(m, "float32"), side).reshape(len(m), -1) for m in maps]))
    return np.concatenate(rows)


def activations(model):
    """What follows each convolution and has its shape, before the next one: after normalisation and nonlinearity."""
    import keras

    found = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            found.append(layer.output)
        elif found and not isinstance(layer.output, list) and layer.output.shape == found[-1].shape:
            found[-1] = layer.output
    if not found:
        raise ValueError(f"{model.name} has no Conv2D among its layers {[layer.name for layer in model.layers]}.")
    return found


def max_pooled(maps, side):
    """Maps (n, height, width, channels) pooled to (n, side, side, channels); smaller maps keep their size."""
    for axis in (1, 2):
        size = maps.shape[axis]
        cuts = np.arange(min(side, size)) * size // min(side, size)
        maps = np.maximum.reduceat(maps, cuts, axis=axis)
    return maps
