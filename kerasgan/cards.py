"""Cards: what an entry of the zoo is, as JSON (`card.json`), checked when read, rendered as `README.md`."""

import hashlib
import json
import pathlib

from kerasgan.files import sha256, write_atomically, write_json

CARD, INDEX = "card.json", "index.json"
NEEDED = ("name", "kind", "model", "files", "fingerprint", "licences")


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
        missing = [key for key in NEEDED if key not in card]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is no card: {error}.") from None
    if missing:
        raise ValueError(f"{path} is no card: it lacks {', '.join(missing)}.")
    for name in card["files"]:
        if pathlib.PurePath(name).name != name:
            raise ValueError(f"{path} names a file outside its folder: {name!r}.")
    return card


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

    found = {}

    def visit(place, link):
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{path} holds a link at {place}, where weights hold none.")
        item = file[place]
        if isinstance(item, h5py.Dataset):
            if item.dtype.kind not in "fiu" or item.external:
                raise ValueError(f"{path} holds {item.dtype} at {place}, where weights hold numbers.")
            found[place] = tuple(item.shape)

    try:
        with h5py.File(path, "r") as file:
            file.visititems_links(visit)
    except OSError as error:
        raise ValueError(f"{path} is no HDF5 file: {error}.") from None
    return found


def fingerprint(model_section, manifests):
    """A SHA-256 over what a model is: the arguments of its constructor, and the name and shape of every weight.

    A `.weights.h5` file does not identify its architecture: one of another model can load without an error.
    """
    content = [model_section, [[name, sorted(m.items())] for name, m in sorted(manifests.items())]]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=list).encode()).hexdigest()


def write(folder, card):
    """Write `card.json` and the `README.md` made from it."""
    folder = pathlib.Path(folder)
    write_json(folder / CARD, card)
    write_atomically(folder / "README.md", lambda path: path.write_text(render(card), encoding="utf-8"))


def write_index(zoo):
    """Pin the SHA-256 of every card in `index.json`, against which what a mirror serves is held."""
    zoo = pathlib.Path(zoo)
    write_json(zoo / INDEX, {path.parent.name: sha256(path) for path in sorted(zoo.glob(f"*/{CARD}"))})


def render(card):
    """The model card as markdown."""
    lines = [f"# {card['name']}", "", card.get("summary", ""), ""]
    if card["kind"] == "generator":
        latents = card["latents"]
        lines += [
            "![samples](samples.png)",
            "",
            "```python",
            "import kerasgan",
            "",
            f'model = kerasgan.load("{card["name"]}")',
        ]
        lines += ["images = model.generate(16, seed=7)  # uint8 " + str((16, *card["images"]["shape"])), "```", ""]
    rows = {"paper": card.get("paper"), "task": card.get("task")}
    rows |= {f"parameters, {part}": f"{count:,}" for part, count in card["parameters"].items()}
    if card["kind"] == "generator":
        rows["latents"] = f"{tuple(latents['shape'])}, {latents['distribution']}"
    rows["images"] = f"{tuple(card['images']['shape'])} in [-1, 1]"
    rows |= {f"licence of the {part}": text for part, text in card["licences"].items()}
    lines += table(["", ""], rows.items()) + [""]
    if card.get("metrics"):
        lines += ["## Measured", ""] + table(
            ["metric", "this model", "real data", "protocol"],
            [[m["metric"], spread(m), real(m), protocol(m)] for m in card["metrics"]],
        )
        lines += [""]
    training = card["training"]
    lines += ["## Training", "", f"`kerasgan train {card['name']}`; the recipe is `recipe.toml`.", ""]
    lines += table(["", ""], [(key.replace("_", " "), value) for key, value in training.items()]) + [""]
    lines += table(["data", ""], card["data"].items()) + [""]
    lines += table(["version", ""], card["versions"].items())
    return "\n".join(lines).rstrip() + "\n"


def table(head, rows):
    """Lines of a markdown table."""
    body = [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *body]


def spread(record):
    """`8.02 +- 0.11 (3 sampling seeds)`."""
    text = f"{record['value']:.4g}"
    return f"{text} ± {record['spread']:.2g} ({len(record['seeds'])} sampling seeds)" if record.get("spread") else text


def real(record):
    """What real data scores under the same protocol."""
    return f"{record['real']:.4g}" if record.get("real") is not None else ""


def protocol(record):
    """The protocol in words: a number never travels without it."""
    skip = ("metric", "value", "spread", "real")
    return "; ".join(f"{key} {value}" for key, value in record.items() if key not in skip)
