"""In an extractor's features: distances and manifolds, classes, and two numbers of pixels."""

import contextlib
import zipfile
from typing import NamedTuple

import keras
import numpy as np

from kerasgan import mirror, zoo
from kerasgan.files import write_atomically
from kerasgan.metrics import density_coverage, features, fingerprint, frechet_distance, kernel_distance, memorisation
from kerasgan.metrics import precision_recall as precision_and_recall
from kerasgan.metrics.neighbours import flat_levels
from kerasgan.protocols import chain

SURE = 0.9  # the confidence under which a classifier calls an image unclear
COPIES, ORIGINALS = 1000, 50_000  # images that are held against training images, and how many of these at most


class Judged(NamedTuple):
    """What a classifier makes of images: features (n, d), the share that it is not sure of, the class of each (n,) and
    the share of each class."""

    features: np.ndarray
    unclear: float
    taken_for: np.ndarray
    shares: np.ndarray


class Modern:
    """Distances and manifolds in the features of the card's extractor, how sure its classifier is of what it sees, and
    two numbers of pixels: how much images vary, and whether they are copies.

    Args:
        card: names the extractor. test: the real images, a Dataset. train: the images that the model has seen.
    """

    def __init__(self, card, test, train):
        from kerasgan.models.classifiers import extractor

        self.classifier = zoo.load(card["extractor"])
        least = extractor(self.classifier).output_shape[-1] + 1
        if len(test.images) < least:
            raise ValueError(
                f"A Frechet distance in the features of {card['extractor']} needs at least {least} images on each side;"
                f" saw {len(test.images)}: raise n."
            )
        self.real = remembered(self.classifier, test)
        ruler = fingerprint(extractor(self.classifier))[:16]
        self.says = {"extractor": card["extractor"], "extractor_sha256": ruler, "resize": "none", "dtype": "float64"}
        self.own, self.samples, self.labels = settings(len(test.images)), len(test.images), test.labels
        self.shown, self.seen = test.images[:COPIES], train.images[:ORIGINALS]
        self.test, self.train = test, train.first(self.samples)
        self.own["copying"] |= {"training_images": len(self.seen)}

    def measure(self, samples, real=False):
        """{metric: value} of a Dataset; of samples with labels, and where test images have them, by class too."""
        found = remembered(self.classifier, samples) if real else judged(self.classifier, samples.images)
        values = compare(self.real, found) | pixels(samples.images, self.shown, None if real else self.seen)
        if samples.labels is None or self.labels is None:
            return values
        return values | by_class(self.real, self.labels, found, samples.labels)

    def of_model(self, model, seed=None):
        """{metric: value} of what a model has beside its samples, levels; without a seed of real images instead."""
        if not hasattr(model, "sizes"):
            return {}

        def judge(images):
            return self.real.features if images is self.test.images else judged(self.classifier, images).features

        if seed is None:
            return chain.anchors(model.sizes, judge, self.test, self.train)
        return chain.chained(model, judge, self.test, self.train, seed)


def judged(classifier, pictures):
    """What a classifier makes of images, uint8 or floats in [-1, 1]."""
    from kerasgan.models.classifiers import extractor

    its = extractor(classifier)
    both = keras.layers.Concatenate()([its.output, classifier.output])  # one pass for the two
    found = features(keras.Model(classifier.input, both, name=its.name), pictures)
    cloud, logits = np.split(found, [its.output_shape[-1]], axis=1)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True), dtype="float64")
    odds /= odds.sum(axis=1, keepdims=True)
    taken_for = odds.argmax(axis=1)
    shares = np.bincount(taken_for, minlength=odds.shape[1]) / len(odds)
    return Judged(cloud, float((odds.max(axis=1) < SURE).mean()), taken_for, shares)


def remembered(classifier, dataset):
    """The same of a real data set, kept in the folder `statistics` of the cache under both fingerprints."""
    name = f"{fingerprint(classifier)[:16]}-{dataset.fingerprint[:16]}-{keras.backend.backend()}-sure-{SURE}.npz"
    path = mirror.cache() / "statistics" / name
    try:
        with np.load(path, allow_pickle=False) as kept:
            return Judged(*(kept[field] for field in Judged._fields))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):  # not there yet, or damaged
        found = judged(classifier, dataset.images)
    with contextlib.suppress(OSError):  # where nothing can be written, it is worked out each time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda temporary: np.savez(temporary, **found._asdict()))
    return found


def settings(n):
    """{metric: its own settings} for n images on each side; those of the papers where there are enough images."""
    manifold, balls = {"k": 3}, {"k": 5}
    return {
        "kernel_distance": {"subsets": 100, "subset_size": min(1000, n), "subset_seed": 0},
        "precision": manifold,
        "recall": manifold,
        "density": balls,
        "coverage": balls,
        "unclear": {"threshold": SURE},
        "worst_class_coverage": balls,
        "copying": {"images": min(COPIES, n)},
    }


def compare(real, fake):
    """{metric: value} of judged images, real first."""
    own = settings(min(len(real.features), len(fake.features)))
    subsets, size, seed = own["kernel_distance"].values()
    pair = (real.features, fake.features)
    precision, recall = precision_and_recall(*pair, **own["precision"])
    density, coverage = density_coverage(*pair, **own["density"])
    return {
        "frechet_distance": frechet_distance(*pair),
        "kernel_distance": kernel_distance(*pair, subsets, size, seed),
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "unclear": float(fake.unclear),
        "smallest_class": float(fake.shares.min()),
        "largest_class": float(fake.shares.max()),
    }


def pixels(samples, real, training=None):
    """{"pixel_variance": over images, summed over pixels in [0, 1]; "copying": of the first 1,000 (`memorisation`)}.

    The second only where training images are given: of those themselves it says nothing.
    """
    found = {"pixel_variance": float(np.var(flat_levels(samples), axis=0).sum() / 255**2)}
    if training is not None:
        found["copying"] = memorisation(real, samples[:COPIES], training).copying
    return found


def by_class(real, real_labels, fake, fake_labels):
    """Are samples of the class they were drawn for? How often the classifier agrees, and the least coverage of a class:
    of its real images by the samples that were drawn for it. A class of too few real images for that is left out.
    """
    k = settings(len(real.features))["worst_class_coverage"]["k"]
    found, covered = {"label_agreement": float(np.mean(fake.taken_for == fake_labels))}, []
    for label in np.unique(real_labels):
        its, drawn = real.features[real_labels == label], fake.features[fake_labels == label]
        if len(its) > k:
            covered.append(density_coverage(its, drawn, k)[1] if len(drawn) > 1 else 0.0)
    return found | ({"worst_class_coverage": float(min(covered))} if covered else {})
