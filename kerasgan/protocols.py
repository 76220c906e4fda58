"""What a generator is measured by: the features of an extractor ("modern"), or a paper's own table ("paper").

A protocol is made of a card and of the real images; then it measures any images by them:

    >>> Modern(card, test, train).measure(data.from_arrays(model.generate(10_000, seed=1)))
    {"frechet_distance": 8.02, "kernel_distance": 0.31, ...}

`samples` is how many it asks for, `says` what a number must not travel without, `own` what concerns one metric alone.
"""

import contextlib
import zipfile
from typing import NamedTuple

import keras
import numpy as np

from kerasgan import data, mirror, names, zoo
from kerasgan.files import write_atomically
from kerasgan.metrics import density_coverage, features, fingerprint, frechet_distance, kernel_distance, memorisation
from kerasgan.metrics import precision_recall as precision_and_recall
from kerasgan.metrics.neighbours import flat_levels

SURE = 0.9  # the confidence under which a classifier calls an image unclear
COPIES, ORIGINALS = 1000, 50_000  # images that are held against training images, and how many of these at most


def of(name, card, test, train):
    """The protocol of that name, for an entry, the real images that it is held against and those that it has seen.

    Args:
        test, train: Datasets; all of the second.

    Raises:
        ValueError: there is no such protocol, or the card does not name what it needs.
    """
    check(name, card)
    return Modern(card, test, train) if name == "modern" else Paper(card, test)


def check(name, card):
    """Refuse an unknown protocol, and an entry whose card does not name what it needs; before any work."""
    names.check_choice("protocol", name, PROTOCOLS)
    key, what = PROTOCOLS[name]
    if not card.get(key):
        raise ValueError(f"{card['name']} names no {what} to measure it by (`{key}` in its recipe's [card]).")
    if name == "paper":
        names.check_choice("paper_table", card[key], TABLES)


# --- in an extractor's features ---------------------------------------------------------------------------------------


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
        self.own["copying"] |= {"training_images": len(self.seen)}

    def measure(self, samples, real=False):
        """{metric: value} of a Dataset; of samples with labels, and where test images have them, by class too."""
        found = remembered(self.classifier, samples) if real else judged(self.classifier, samples.images)
        values = compare(self.real, found) | pixels(samples.images, self.shown, None if real else self.seen)
        if samples.labels is None or self.labels is None:
            return values
        return values | by_class(self.real, self.labels, found, samples.labels)


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


# --- the papers' tables -----------------------------------------------------------------------------------------------


class Parzen:
    """The Gaussian Parzen window of Goodfellow et al. 2014, Table 1, on MNIST.

    Their +- is the standard error over test images; ours is over sampling seeds. More than real images score is no
    merit: the estimate rewards smooth samples (Theis et al. 2016, section 3.2). It rises with the number of samples: as
    many as test images are taken, of a model with classes equally many of each.

    Args:
        card: names the validation split, whose first 1,000 images choose sigma. test: the real images, a Dataset.
        figure: the paper's, and which it is.
    """

    share = 1  # samples for each test image

    def __init__(self, card, test, figure):
        source = card["data"].get("validation")
        if not source:
            raise ValueError(f"{card['name']} has no validation split on its card, which the window's sigma needs.")
        self.test = test.images
        self.validation = data.read(source, image_shape=test.image_shape, batch_size=1).images
        sigma = f"of np.logspace(-1, 0, 10), by the first 1000 of {source}"
        self.own = {"parzen_likelihood": figure | {"better": "higher", "sigma": sigma}}

    def measure(self, samples):
        """{"parzen_likelihood": nats an image} of a Dataset."""
        from kerasgan.metrics import parzen_likelihood

        return {"parzen_likelihood": parzen_likelihood(self.test, samples.images, self.validation).mean}


class NearestNeighbour:
    """The 1-nearest-neighbour test error of Radford et al. 2015, Table 3: labelled samples in the place of MNIST's own.

    It asks for samples that are of the class they were drawn for, and unlike each other. Its 50,000 samples for 10,000
    test digits are five for each: as many real ones leave 3.39%.

    Args:
        card: not asked. test: the real images, a Dataset with labels. figure: the paper's, and which it is.
    """

    share = 5

    def __init__(self, card, test, figure):
        if not card.get("class_names"):
            raise ValueError(f"{card['name']} has no classes: the 1-nearest-neighbour error is of labelled samples.")
        if test.labels is None:
            raise ValueError(
                f"{card['name']}: the test images have no labels, which the 1-nearest-neighbour error needs."
            )
        self.test = test
        self.own = {"nearest_neighbour_error": figure | {"better": "lower", "samples": self.share * len(test.images)}}

    def measure(self, samples):
        """{"nearest_neighbour_error": share} of a Dataset with labels."""
        from kerasgan.metrics import nearest_neighbour_error

        error = nearest_neighbour_error(self.test.images, self.test.labels, samples.images, samples.labels)
        return {"nearest_neighbour_error": error}


class Paper:
    """What the tables of a paper say of a model: each part measures as many of the samples as it is made for.

    Args:
        card: of the entry; its `paper_table` names the rows. test: the real images, a Dataset.
    """

    def __init__(self, card, test):
        self.parts = [part(card, test, figure) for part, figure in TABLES[card["paper_table"]]]
        self.samples = max(part.share for part in self.parts) * len(test.images)
        self.n, self.says = len(test.images), {"dtype": "float64"}
        self.own = {name: record for part in self.parts for name, record in part.own.items()}

    def measure(self, samples, real=False):
        """{metric: value} of a Dataset of samples, generated or real."""
        found = {}
        for part in self.parts:
            found |= part.measure(samples.first(part.share * self.n))
        return found


TABLES = {  # of a paper: what is measured, and the figure it is held against
    "parzen": [
        (
            Parzen,
            {"paper": 225.0, "paper_spread": 2.0, "table": "Goodfellow et al. 2014, Table 1: adversarial nets, MNIST"},
        ),
    ],
    "cgan": [
        (Parzen, {"paper": 132.0, "paper_spread": 1.8, "table": "Mirza and Osindero 2014, Table 1: conditional nets"}),
        (NearestNeighbour, {"paper": 0.0628, "table": "Radford et al. 2015, Table 3: GAN of perceptrons, conditional"}),
    ],
    "cdcgan": [(NearestNeighbour, {"paper": 0.0298, "table": "Radford et al. 2015, Table 3: DCGAN"})],
}
PROTOCOLS = {"modern": ("extractor", "extractor"), "paper": ("paper_table", "paper's table")}  # {name: (key, in words)}
