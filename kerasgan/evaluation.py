"""How good an entry is: its samples against real images it never saw, with the protocol beside every number."""

import os

import numpy as np

from kerasgan import cards, data, images, mirror, zoo
from kerasgan.metrics import density_coverage, features, fingerprint, frechet_distance, kernel_distance
from kerasgan.metrics import precision_recall as precision_and_recall

SAMPLES = 10_000
SEEDS = (1, 2, 3)  # of the samples; none of them chose anything
SURE = 0.9  # the confidence under which a classifier calls an image unclear


def evaluate(name, *, n=SAMPLES, seeds=SEEDS, source=None, write=False):
    """Measure a generator in the features of the extractor that its recipe names.

    The real images are the recipe's test split, which nothing else reads. Beside each number stands what as many
    training images score under the same protocol.

    Args:
        name: of an entry, or its folder. n: images on each side. seeds: of the samples; the spread is over them.
        source: other real images, as `kerasgan.data.read` takes them.
        write: put the numbers onto the card, for those who publish the entry; where the zoo has an index, pin it anew.

    Returns:
        [record]: {"metric", "value", "spread", "real", and the protocol}.

    Raises:
        ValueError: the entry names no extractor, there are fewer real images than `n`, or `write` with a `source`.
        PermissionError: `write`, and the card is not to be written.
    """
    folder, card = zoo.find(name)
    check_measurable(card, source)
    if write:
        check_may_write(folder, source)
    classifier = zoo.load(card["extractor"])
    model = zoo.restore(folder, card)
    test = first(source or card["data"]["test"], n, model.image_shape)
    train = first(card["data"]["train"], n, model.image_shape)
    real = Judged(classifier, test.images)
    anchor = compare(real, Judged(classifier, train.images))
    drawn = [compare(real, Judged(classifier, model.generate(n, seed=seed))) for seed in seeds]
    shared = protocol(card, real.extractor, seeds, source, test, train)
    records = [recorded(metric, [d[metric] for d in drawn], anchor[metric], shared) for metric in anchor]
    if write:
        put_on_card(folder, card, records)
    return records


def check_measurable(card, source):
    """Refuse an entry that says nothing of how it is measured."""
    if not card.get("extractor"):
        raise ValueError(f"{card['name']} names no extractor to measure it with (`extractor` in its recipe's [card]).")
    if not source and "test" not in card["data"]:
        raise ValueError(f"{card['name']} has no test split on its card: pass real images (--data, or source=).")


def check_may_write(folder, source=None):
    """Refuse to write numbers onto a card that others pinned, or that cannot be written; before the work."""
    if source is not None:
        raise ValueError(
            f"Numbers against {source} are not those of the card's test split: leave out --data or --write."
        )
    place = folder.resolve().parent
    if place in (mirror.cache().resolve(), (zoo.HERE / "_zoo").resolve()):
        raise PermissionError(
            f"The card of {folder} is published and pinned by its SHA-256: with other numbers it would be refused."
            " Measure without --write, or in a checkout."
        )
    for needed in (folder, place) if (place / cards.INDEX).is_file() else (folder,):
        if not os.access(needed, os.W_OK):
            raise PermissionError(f"Cannot write the numbers: {needed} is read-only. Measure without --write.")


def protocol(card, extractor, seeds, source, test, train):
    """What all metrics of one measurement share: without it a number means nothing."""
    n = len(test.images)
    return {
        "n": n,
        "seeds": list(seeds),
        "real_images": source or card["data"]["test"],
        "data_fingerprint": test.fingerprint[:16],
        "anchor": f"first {n} of {card['data']['train']}",
        "anchor_fingerprint": train.fingerprint[:16],
        "extractor": card["extractor"],
        "extractor_sha256": fingerprint(extractor)[:16],
        "resize": "none",
        "dtype": "float64",
    }


def recorded(metric, values, real, shared):
    """A metric as it stands on a card: its value over the sampling seeds, what real data score, the whole protocol."""
    own = settings(shared["n"]).get(metric, {})
    return {"metric": metric, "value": mean(values), "spread": deviation(values), "real": real, **shared, **own}


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


def put_on_card(folder, card, records):
    """Write the records onto the card; in a zoo with an index the card is pinned anew."""
    cards.write(folder, card | {"metrics": records})
    if (folder.parent / cards.INDEX).is_file():
        cards.write_index(folder.parent)


def verify(name):
    """Measure an entry again by the protocol of its card, with sampling seeds that the card has not.

    Returns:
        [{"metric", "card", "spread", "now", "missed", "ok"}]: `missed` is how far the new mean lies outside of the
        99.9% interval around the card's: Student's t of the difference of two means. ok means not at all.

    Raises:
        ValueError: the card has no numbers, or the extractor or the data are not those that it names.
    """
    from scipy.stats import t as student

    _, card = zoo.find(name)
    records = [record for record in card.get("metrics", []) if record.get("spread") is not None]
    if not records:
        raise ValueError(
            f"The card of {card['name']} has no number with a spread: `kerasgan evaluate {name} --write` first."
        )
    seeds = [seed + max(records[0]["seeds"]) for seed in records[0]["seeds"]]
    again = {record["metric"]: record for record in evaluate(name, n=records[0]["n"], seeds=seeds)}
    found = []
    for record in records:
        now = again[record["metric"]]
        cards.check_comparable(record, now)
        pooled = ((record["spread"] ** 2 + now["spread"] ** 2) / 2) ** 0.5
        slack = student.ppf(0.9995, 2 * len(seeds) - 2) * pooled * (2 / len(seeds)) ** 0.5
        missed = max(0.0, abs(now["value"] - record["value"]) - slack)
        shown = {"card": record["value"], "spread": record["spread"], "now": now["value"], "missed": missed}
        found.append({"metric": record["metric"], **shown, "ok": missed == 0})
    return found


class Judged:
    """What a classifier makes of images: features, and how sure it is of which class."""

    def __init__(self, classifier, pictures):
        from kerasgan.models.classifiers import extractor

        self.extractor = extractor(classifier)
        self.features = features(self.extractor, pictures)
        logits = classifier.predict(images.to_float(pictures), batch_size=500, verbose=0).astype("float64")
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        self.unclear = float((odds.max(axis=1) < SURE).mean())
        self.shares = np.bincount(odds.argmax(axis=1), minlength=odds.shape[1]) / len(odds)


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
        "unclear": fake.unclear,
        "smallest_class": float(fake.shares.min()),
        "largest_class": float(fake.shares.max()),
    }


def first(source, n, image_shape):
    """The first `n` images of a source.

    Raises:
        ValueError: it has fewer.
    """
    dataset = data.read(source, image_shape=image_shape, batch_size=1)
    if len(dataset.images) < n:
        raise ValueError(f"{source} has {len(dataset.images)} images, fewer than n={n}: pass a smaller n.")
    return data.Dataset(dataset.images[:n], dataset.labels[:n] if dataset.labels is not None else None, batch_size=1)


def mean(values):
    """The mean, as a plain number."""
    return float(np.mean(values))


def deviation(values):
    """The standard deviation over sampling seeds (n - 1), as a plain number; None of a single one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
