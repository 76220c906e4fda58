"""Cards: what an entry of the zoo is, as JSON (`card.json`), checked when read, rendered as `README.md`."""

import hashlib
import json
import math
import pathlib

from kerasgan.files import sha256, write_atomically, write_json

CARD, INDEX = "card.json", "index.json"
RATIOS = ("frechet_distance", "precision", "recall", "density", "coverage", "worst_class_coverage", "pixel_variance")
FLATTERS = ("parzen_likelihood",)  # what rewards smooth samples beyond real ones
TABLE = ("<!-- zoo -->", "<!-- /zoo -->")  # in the project's README, around the table made from the cards
NEEDED = {  # what every card has, and what the card of a generator has besides
    "name": str, "kind": str, "model": dict, "files": dict, "fingerprint": str, "licences": dict, "parameters": dict,
    "images": dict, "training": dict, "data": dict, "versions": dict,
}  # fmt: skip
NEEDED_BY_GENERATORS = {"compile": dict, "latents": dict}


def read(folder, pinned=None):
    """The card of an entry's folder.

    Args:
        folder: a folder with a `card.json`. pinned: the SHA-256 that the index gives the card, or None.

    Raises:
        FileNotFoundError: no card there. ValueError: it is no card, or not the one that was pinned.
    """
    path = pathlib.Path(folder) / CARD
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no entry of a zoo: it has no {CARD}.")
    if pinned is not None and sha256(path) != pinned:
        raise ValueError(
            f"{path} is not the card that was shipped (its SHA-256 differs from the index): install kerasgan again."
        )
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no card: {error}.") from None
    check(path, card)
    return card


def check(path, card):
    """Refuse what is no card, and a card that names files outside its folder."""
    if not isinstance(card, dict):
        raise ValueError(f"{path} is no card: it holds {type(card).__name__}, not an object.")
    needed = NEEDED | (NEEDED_BY_GENERATORS if card.get("kind") == "generator" else {})
    if missing := [key for key in needed if key not in card]:
        raise ValueError(f"{path} is no card: it lacks {', '.join(missing)}.")
    for key, kind in needed.items():
        if not isinstance(card[key], kind):
            raise ValueError(f"{path} is no card: its {key!r} is {card[key]!r:.60}, not of type {kind.__name__}.")
    for name, facts in card["files"].items():
        if name in ("", ".", "..") or set(name) & set("/\\:\0"):
            raise ValueError(f"{path} names a file outside its folder: {name!r}.")
        if not (isinstance(facts, dict) and {"sha256", "bytes"} <= set(facts)):
            raise ValueError(f"{path} is no card: the file {name} has no sha256 and bytes.")


def checked_file(folder, card, name):
    """The path of an entry's file, after its SHA-256 was found right.

    Raises:
        FileNotFoundError: the file is not there. ValueError: its bytes are not those that the card describes.
    """
    path = pathlib.Path(folder) / name
    if name not in card["files"]:
        raise FileNotFoundError(f"The entry {card['name']} has no {name}, only {', '.join(card['files'])}.")
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: the entry {card['name']} is not whole. Install kerasgan again, or fetch it."
        )
    expected, seen = card["files"][name], path.stat().st_size
    if seen != expected["bytes"]:
        raise ValueError(
            f"{path} has {seen} bytes, its card says {expected['bytes']}: the file was cut short or replaced."
        )
    if sha256(path) != expected["sha256"]:
        raise ValueError(f"{path} is damaged: its SHA-256 is not the one on its card. Restore the file.")
    return path


def describe_files(folder, names):
    """{name: {sha256, bytes}} of an entry's files."""
    paths = [pathlib.Path(folder) / name for name in names]
    return {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size} for path in paths}


def manifest(path):
    """The shape of every weight in a `.weights.h5` file, {place: shape}, without reading one.

    Raises:
        ValueError: the file is no HDF5, or holds something else than plain arrays of numbers (links, filters, text).
    """
    import h5py

    found, links = {}, []
    try:
        with h5py.File(path, "r") as file:
            file.visititems_links(lambda place, link: links.append((place, link)))  # it may not raise in there
            for place, link in links:
                if not isinstance(link, h5py.HardLink):
                    raise ValueError(f"{path} holds a link at {place}, where weights hold none.")
                if isinstance(file[place], h5py.Dataset):
                    found[place] = plain_shape(path, place, file[place])
    except OSError as error:
        raise ValueError(f"{path} is no HDF5 file: {error}.") from None
    return found


def plain_shape(path, place, array):
    """The shape of an HDF5 array; refused if it is not of numbers, stored as they are, in this file."""
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds {array.dtype} at {place}, where weights hold numbers.")
    if array.external or array.is_virtual or array.id.get_create_plist().get_nfilters():
        raise ValueError(f"{path} holds no plain array at {place}: filters and other files are refused.")
    return tuple(array.shape)


def fingerprint(model_section, manifests):
    """A SHA-256 over what a model is: the arguments of its constructor, and the name and shape of every weight.

    A `.weights.h5` file does not identify its architecture: one of another model can load without an error.
    """
    content = [model_section, [[name, sorted(m.items())] for name, m in sorted(manifests.items())]]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=list).encode()).hexdigest()


def write(folder, card):
    """Write `card.json` and the `README.md` made from it."""
    folder, text = pathlib.Path(folder), render(card)
    write_atomically(folder / "README.md", lambda path: path.write_text(text, encoding="utf-8"))
    write_json(folder / CARD, card)  # last: without a card there is no entry


def check_comparable(first, second):
    """Refuse to compare two records of a metric that were measured by different protocols; sampling seeds may differ.

    Raises:
        ValueError: the fields that differ are named, with both values.
    """
    fields = sorted((first.keys() | second.keys()) - {"value", "spread", "real", "seeds", "trainings"})
    if differ := [f"{f} ({first.get(f)!r}, {second.get(f)!r})" for f in fields if first.get(f) != second.get(f)]:
        raise ValueError(f"These numbers cannot be compared; their protocols differ in {', '.join(differ)}.")


def write_index(zoo):
    """Pin the SHA-256 of every card in `index.json`, against which what a mirror serves is held."""
    zoo = pathlib.Path(zoo)
    write_json(zoo / INDEX, {path.parent.name: sha256(path) for path in sorted(zoo.glob(f"*/{CARD}"))})


def publish(zoo, readme):
    """Bring everything that is made from cards up to date: each entry's README.md, the index, the project's table."""
    zoo, readme = pathlib.Path(zoo), pathlib.Path(readme)
    text = readme.read_text(encoding="utf-8")
    if [text.count(mark) for mark in TABLE] != [1, 1]:
        raise ValueError(f"{readme} needs the lines {TABLE[0]} and {TABLE[1]}, once each, around its table.")
    found = {path.parent: read(path.parent) for path in sorted(zoo.glob(f"*/{CARD}"))}
    for folder, card in found.items():
        write(folder, card)
    write_index(zoo)
    (before, rest), rows = text.split(TABLE[0]), "\n".join(zoo_table(found.values()))
    text = before + TABLE[0] + "\n" + rows + "\n" + TABLE[1] + rest.split(TABLE[1])[1]
    write_atomically(readme, lambda path: path.write_text(text, encoding="utf-8"))


def zoo_table(found):
    """Lines of the table of all entries."""
    rows = []
    for card in found:
        name, size = f"[{card['name']}](zoo/{card['name']})", sum(f["bytes"] for f in card["files"].values()) / 1e6
        measured = [f"{m['metric'].replace('_', ' ')} {spread(m)}" for m in card.get("metrics", [])[:1]]
        anchors = [f"real data {real(m)}" for m in card.get("metrics", [])[:1] if real(m)]
        licence = card["licences"].get("weights")
        rows.append([name, card.get("title"), "; ".join(measured + anchors), f"{size:.1f} MB", licence])
    return table(["entry", "what", "measured", "size", "licence of the weights"], rows)


def render(card):
    """The model card as markdown."""
    lines = [f"# {card['name']}", "", card.get("summary") or "", ""]
    if card["kind"] == "generator":
        latents = card["latents"]
        lines += [
            "![samples](samples.png)",
            "",
            *(["![each from coarse to fine](levels.png)", ""] if "levels.png" in card["files"] else []),
            "```python",
            "import kerasgan",
            "",
            f'model = kerasgan.load("{card["name"]}")',
        ]
        some = [i % len(card["class_names"]) for i in (2, 0, 1)] if card.get("class_names") else []
        what, n = (f"labels={some}", len(some)) if some else ("16", 16)
        lines += [f"images = model.generate({what}, seed=7)  # uint8 {(n, *card['images']['shape'])}", "```", ""]
    rows = {key: card[key] for key in ("paper", "task") if card.get(key)}
    if card["kind"] == "generator" and card.get("class_names"):
        rows["classes"] = ", ".join(f"{i}: {name}" for i, name in enumerate(card["class_names"]))
    rows |= {f"parameters, {part}": f"{count:,}" for part, count in card["parameters"].items()}
    if card["kind"] == "generator":
        rows["latents"] = f"{tuple(latents['shape'])}, {latents['distribution']}"
    rows["images"] = f"{tuple(card['images']['shape'])} in [-1, 1]"
    rows |= {f"licence of the {part}": text for part, text in card["licences"].items()}
    lines += table(["", ""], rows.items()) + [""]
    records = card.get("metrics", [])
    groups = [[r for r in records if is_paper(r) == paper] for paper in (False, True)]
    lines += [line for group in groups if group for line in measured(group)]
    training = card["training"]
    lines += ["## Training", "", f"`kerasgan train {card['name']}`; the recipe is `recipe.toml`.", ""]
    lines += table(["", ""], [(key.replace("_", " "), value) for key, value in training.items()]) + [""]
    lines += table(["data", ""], card["data"].items()) + [""]
    lines += table(["version", ""], card["versions"].items())
    return "\n".join(lines).rstrip() + "\n"


def measured(records):
    """Lines on the records of one protocol."""
    shared = {key: value for key, value in records[0].items() if all(r.get(key) == value for r in records)}
    alone = "of this metric alone"
    numbers = [
        [r["metric"], spread(r), real(r), verdict(r), protocol(r, without=shared), trainings(r)] for r in records
    ]
    lines = ["## Measured as in a paper" if is_paper(records[0]) else "## Measured", ""]
    head = ["metric", "this model", "real data", "verdict", alone, "by training seed"]
    several = any(record.get("trainings") for record in records)
    lines += table(head, numbers) if several else table(head[:-1], [row[:-1] for row in numbers])
    return [*lines, "", f"Protocol: {protocol(shared)}.", ""]


def table(head, rows):
    """Lines of a markdown table."""
    words = [["" if cell is None else str(cell).replace("|", "/") for cell in row] for row in rows]
    body = [f"| {' | '.join(row)} |" for row in words]
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *body]


def spread(record):
    """`8.02 +- 0.11 (3 sampling seeds)`."""
    text = f"{record['value']:.4g}"
    return f"{text} ± {record['spread']:.2g} ({len(record['seeds'])} sampling seeds)" if record.get("spread") else text


def trainings(record):
    """What each training came to: `0: 226.1, 1: 224.8, 2: 227.3`; of a single one nothing."""
    return ", ".join(f"{seed}: {value:.4g}" for seed, value in record.get("trainings", {}).items())


def is_paper(record):
    """Whether a record is of a paper's table, and not of the modern protocol."""
    return "paper" in record


def verdict(record):
    """In words, how a number stands to the paper's, or where there is none to what real data score; of some nothing."""
    value, real_data = record["value"], record.get("real")
    if not is_paper(record):
        return f"{value / real_data:.3g}x real data" if measures_ratio(record["metric"]) and real_data else ""
    slack = 2 * math.hypot(record.get("spread") or 0, record.get("paper_spread") or 0)
    sign = 1 if record["better"] == "higher" else -1
    gain, beyond = sign * (value - record["paper"]), sign * (value - real_data)
    how = "as" if abs(gain) <= slack else "better than" if gain > 0 else "worse than"
    spread_of_theirs = f" ± {record['paper_spread']:.2g}" if record.get("paper_spread") else ""
    words = f"{how} the paper's {record['paper']:.4g}{spread_of_theirs}"
    flattered = record["metric"] in FLATTERS and beyond > slack
    return words + (", and better than real data: too good to mean quality" if flattered else "")


def measures_ratio(metric):
    """Whether a number says something as a multiple of what real data score; distances of a chain's levels do too."""
    return metric in RATIOS or metric.startswith("frechet_")


def real(record):
    """What real data scores under the same protocol."""
    return f"{record['real']:.4g}" if record.get("real") is not None else ""


def protocol(record, without=()):
    """The protocol in words, without what was said of all metrics at once: a number never travels without it."""
    skip = {"metric", "value", "spread", "real", "paper", "paper_spread", "better", "trainings", *without}
    return "; ".join(f"{key} {value}" for key, value in record.items() if key not in skip)
