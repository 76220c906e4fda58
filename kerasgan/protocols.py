"""What a generator is measured by: the features of an extractor ("modern"), or a paper's own table ("paper").

A protocol is made of a card and of the real images; then it measures any images by them:

    >>> Modern(card, test).measure(model.generate(10_000, seed=1))
    {"frechet_distance": 8.02, "kernel_distance": 0.31, ...}

`says` is what a number must not travel without, `own` what concerns one metric alone.
"""

import contextlib
import zipfile
from typing import NamedTuple

import keras
import numpy as np

from kerasgan import data, mirror, names, zoo
from kerasgan.files import write_atomically
from kerasgan.metrics import density_coverage, features, fingerprint, frechet_distance, kernel_distance
from kerasgan.metrics import precision_recall as precision_and_recall

SURE = 0.9  # the confidence under which a classifier calls an image unclear


def of(name, card, test):
    """The protocol of that name, for an entry and the real images (a Dataset) that it is held against.

    Raises:
        ValueError: there is no such protocol, or the card does not name what it needs.
    """
    check(name, card)
    return Modern(card, test) if name == "modern" else TABLES[card["paper_table"]](card, test)


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
    """What a classifier makes of images: features (n, d), the share that it is not sure of, the share of each class."""

    features: np.ndarray
    unclear: float
    shares: np.ndarray


class Modern:
    """Distances and manifolds in the features of the card's extractor, and how sure its classifier is of what it sees.

    Args:
        card: names the extractor. test: the real images, a Dataset.
    """

    def __init__(self, card, test):
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
        self.own = settings(len(test.images))

    def measure(self, fake):
        """{metric: value} of images, or of a Dataset of real ones."""
        real = isinstance(fake, data.Dataset)
        return compare(self.real, (remembered if real else judged)(self.classifier, fake))


def judged(classifier, pictures):
    """What a classifier makes of images, uint8 or floats in [-1, 1]."""
    from kerasgan.models.classifiers import extractor

    its = extractor(classifier)
    both = keras.layers.Concatenate()([its.output, classifier.output])  # one pass for the two
    found = features(keras.Model(classifier.input, both, name=its.name), pictures)
    cloud, logits = np.split(found, [its.output_shape[-1]], axis=1)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True), dtype="float64")
    odds /= odds.sum(axis=1, keepdims=True)
    shares = np.bincount(odds.argmax(axis=1), minlength=odds.shape[1]) / len(odds)
    return Judged(cloud, float((odds.max(axis=1) < SURE).mean()), shares)


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


# --- the papers' tables -----------------------------------------------------------------------------------------------


class Parzen:
    """Goodfellow et al. 2014, Table 1: the Gaussian Parzen window on MNIST, 225 +- 2 nats for the adversarial nets.

    Their +- is the standard error over test images; ours is over sampling seeds. More than real images score is no
    merit: the estimate rewards smooth samples (Theis et al. 2016, section 3.2).

    Args:
        card: names the validation split, whose first 1,000 images choose sigma. test: the real images, a Dataset.
    """

    def __init__(self, card, test):
        source = card["data"].get("validation")
        if not source:
            raise ValueError(f"{card['name']} has no validation split on its card, which the window's sigma needs.")
        self.test = test.images
        self.validation = data.read(source, image_shape=test.image_shape, batch_size=1).images
        self.says = {"sigma": f"of np.logspace(-1, 0, 10), by the first 1000 of {source}", "dtype": "float64"}
        paper = {"paper": 225.0, "paper_spread": 2.0, "better": "higher"}
        self.own = {"parzen_likelihood": paper | {"table": "Goodfellow et al. 2014, Table 1: adversarial nets, MNIST"}}

    def measure(self, fake):
        """{"parzen_likelihood": nats an image} of images, or of a Dataset of real ones."""
        from kerasgan.metrics import parzen_likelihood

        samples = fake.images if isinstance(fake, data.Dataset) else fake
        return {"parzen_likelihood": parzen_likelihood(self.test, samples, self.validation).mean}


TABLES = {"parzen": Parzen}
PROTOCOLS = {"modern": ("extractor", "extractor"), "paper": ("paper_table", "paper's table")}  # {name: (key, in words)}
