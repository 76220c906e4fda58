"""How good an entry is: its samples against real images it never saw, with the protocol beside every number."""

import os

import numpy as np

from kerasgan import cards, data, mirror, protocols, rendering, superresolution, zoo

SAMPLES = 10_000
SEEDS = (1, 2, 3)  # of the samples; none of them chose anything
CHANCE = ("seed", "minutes", "machine", "chosen")  # in which trainings of one recipe differ


def evaluate(name, *, n=SAMPLES, seeds=SEEDS, source=None, protocol="modern", beside=(), write=False):
    """Measure a generator in the features of the extractor that its recipe names, or by the table of a paper.

    The real images are the recipe's test split, which nothing else reads. Beside each number stands what as many
    training images score under the same protocol.

    Args:
        name: of an entry, or its folder. n: images on each side. seeds: of the samples; the spread is over them.
        source: other real images, as `kerasgan.data.read` takes them.
        protocol: "modern": Frechet and kernel distance, precision and recall, density and coverage, and how sure the
            classifier is; "paper": what the recipe's `paper_table` says, beside the paper's own figure.
        beside: entries of the same recipe, trained with other seeds (`kerasgan train --seed`): each record then says
            what every training came to, {seed: value}.
        write: put the numbers onto the card, for those who publish the entry; where the zoo has an index, pin it anew.

    Returns:
        [record]: {"metric", "value", "spread", "real", "paper" under that protocol, and all that a number must not
        travel without}; `kerasgan.rendering.verdict` says a record in words.

    Raises:
        ValueError: the entry names no extractor or table, there are fewer real images than `n`, or `write` with a
            `source`. PermissionError: `write`, and the card is not to be written.
    """
    folder, card = zoo.find(name)
    if card["kind"] == "upscaler":
        if (n, tuple(seeds), protocol, tuple(beside)) != (SAMPLES, SEEDS, "modern", ()):
            raise ValueError(
                f"{card['name']} draws nothing: it is measured on whole sets, under both protocols of its papers. Leave"
                " out n, seeds, protocol and beside."
            )
        return of_upscaler(folder, card, source, write)
    protocols.check(protocol, card)
    if source is None and "test" not in card["data"]:
        raise ValueError(f"{card['name']} has no test split on its card: pass real images (--data, or source=).")
    if write:
        check_may_write(folder, source)
    others = trained_alike(card, beside)
    model = zoo.restore(folder, card)
    source_of_test = card["data"]["test"] if source is None else source
    test = first(data.read(source_of_test, image_shape=model.image_shape, batch_size=1), n, source_of_test)
    seen = data.read(card["data"]["train"], image_shape=model.image_shape, batch_size=1)
    ruler = protocols.of(protocol, card, test, seen)
    train = first(seen, ruler.samples, card["data"]["train"])
    anchor = ruler.of_model(model) | ruler.measure(train, real=True)  # the first refuses a model it is not for
    drawn = measured(ruler, model, seeds)
    shared = compared(card, seeds, source, test, train) | ruler.says
    records = [recorded(m, drawn[m], anchor.get(m), shared | ruler.own.get(m, {})) for m in drawn]
    if others:
        found = {seed: measured(ruler, zoo.restore(*other), seeds) for seed, other in others.items()}
        found[card["training"]["seed"]] = drawn
        for record in records:
            record["trainings"] = {str(seed): mean(found[seed][record["metric"]]) for seed in sorted(found)}
    if write:
        put_on_card(folder, card, records)
    return records


def of_upscaler(folder, card, source=None, write=False):
    """[record] of an upscaler on every set of its test pictures, or on another source, under both protocols."""
    if write:
        check_may_write(folder, source)
    if source is not None:
        card = card | {"data": card["data"] | {"test": str(source)}}
    if "test" not in card["data"]:
        raise ValueError(f"{card['name']} has no test pictures on its card: pass some (--data, or source=).")
    records = superresolution.evaluate(card, zoo.restore(folder, card))
    if write:
        write_card(folder, card | {"metrics": records})
    return records


def trained_alike(card, beside):
    """{training seed: (folder, card)} of entries that differ from one in their seed alone.

    Raises:
        ValueError: of another recipe, or two of the same seed.
    """
    found = {}
    for folder, other in map(zoo.find, beside):
        seed = other["training"]["seed"]
        mine, theirs = ({k: v for k, v in c["training"].items() if k not in CHANCE} for c in (card, other))
        if mine != theirs or any(other[key] != card[key] for key in ("recipe_sha256", "data")):
            raise ValueError(f"{folder} was not trained as {card['name']} was: its recipe, data or epochs are others.")
        if seed in (card["training"]["seed"], *found):
            raise ValueError(f"{folder} is of the training seed {seed}, as another: `kerasgan train --seed`.")
        found[seed] = (folder, other)
    return found


def measured(ruler, model, seeds):
    """{metric: [its value for each sampling seed]}."""
    each = [ruler.measure(samples(model, ruler.samples, s)) | ruler.of_model(model, s) for s in seeds]
    return {metric: [values[metric] for values in each] for metric in each[0]}


def samples(model, n, seed):
    """A Dataset of `n` generated images, with the labels that they were drawn for: of all classes equally many."""
    labels = np.arange(n, dtype="int32") % model.classes if model.conditional else None
    return data.Dataset(model.generate(n, seed=seed, labels=labels), labels, batch_size=1)


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


def compared(card, seeds, source, test, train):
    """Which images were compared."""
    n = len(test.images)
    return {
        "n": n,
        "seeds": list(seeds),
        "real_images": source or card["data"]["test"],
        "data_fingerprint": test.fingerprint[:16],
        "anchor": f"first {len(train.images)} of {card['data']['train']}",
        "anchor_fingerprint": train.fingerprint[:16],
    }


def recorded(metric, values, real, protocol):
    """A metric as it stands on a card: its value over the sampling seeds, what real data score, the whole protocol."""
    return {"metric": metric, "value": mean(values), "spread": deviation(values), "real": real, **protocol}


def put_on_card(folder, card, records):
    """Write the records of a protocol onto the card, in the place of those that are there; an index pins it anew."""
    others = [
        record for record in card.get("metrics", []) if rendering.is_paper(record) != rendering.is_paper(records[0])
    ]
    modern, paper = (others, records) if rendering.is_paper(records[0]) else (records, others)
    write_card(folder, card | {"metrics": [*modern, *paper]})


def write_card(folder, card):
    """Write a card; an index pins it anew."""
    cards.write(folder, card)
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
    if card["kind"] == "upscaler":
        raise ValueError(f"{card['name']} draws nothing, and its numbers have no spread: `kerasgan evaluate {name}`.")
    records = [record for record in card.get("metrics", []) if record.get("spread") is not None]
    if not records:
        raise ValueError(
            f"The card of {card['name']} has no number with a spread: `kerasgan evaluate {name} --write` first."
        )
    again = {}
    for protocol, known in {"paper" if rendering.is_paper(record) else "modern": record for record in records}.items():
        seeds = [seed + max(known["seeds"]) for seed in known["seeds"]]
        again |= {new["metric"]: new for new in evaluate(name, n=known["n"], seeds=seeds, protocol=protocol)}
    found = []
    for record in records:
        if record["metric"] not in again:
            raise ValueError(f"Nothing measures {record['metric']} any more: `kerasgan evaluate {name} --write` anew.")
        now, seeds = again[record["metric"]], record["seeds"]
        cards.check_comparable(record, now)
        pooled = ((record["spread"] ** 2 + now["spread"] ** 2) / 2) ** 0.5
        slack = student.ppf(0.9995, 2 * len(seeds) - 2) * pooled * (2 / len(seeds)) ** 0.5
        missed = max(0.0, abs(now["value"] - record["value"]) - slack)
        shown = {"card": record["value"], "spread": record["spread"], "now": now["value"], "missed": missed}
        found.append({"metric": record["metric"], **shown, "ok": missed == 0})
    return found


def first(dataset, n, source):
    """The first `n` images of a Dataset.

    Args:
        source: what it is called.

    Raises:
        ValueError: it has fewer.
    """
    if len(dataset.images) < n:
        raise ValueError(
            f"{source} has {len(dataset.images)} images, fewer than n={n}, which this protocol takes: pass a smaller n."
        )
    return dataset.first(n)


def mean(values):
    """The mean, as a plain number."""
    return float(np.mean(values))


def deviation(values):
    """The standard deviation over sampling seeds (n - 1), as a plain number; None of a single one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
