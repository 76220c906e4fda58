"""Cards: what an entry of the zoo is, as JSON (`card.json`), checked when read; `rendering` makes README.md of it."""

import hashlib
import json
import math
import pathlib
import zipfile

from kerasgan.files import put_between, sha256, write_atomically, write_json
from kerasgan.names import DEPTHS
from kerasgan.rendering import render, zoo_table

CARD, INDEX = "card.json", "index.json"
TABLE = ("<!-- zoo -->", "<!-- /zoo -->")  # in the project's README, around the table made from the cards
NEEDED = {  # what every card has, and what those of a kind have besides
    "name": str, "kind": str, "model": dict, "files": dict, "fingerprint": str, "licences": dict, "parameters": dict,
    "images": dict, "training": dict, "data": dict, "versions": dict,
}  # fmt: skip
NEEDED_BY = {"generator": {"compile": dict, "latents": dict}, "upscaler": {"compile": dict}}


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
    needed = NEEDED | NEEDED_BY.get(card.get("kind"), {})
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
    except (OSError, RuntimeError, SystemError, KeyError) as error:  # whatever the library says of bytes that lie
        raise ValueError(f"{path} is no HDF5 file, or a damaged one: {error}.") from None
    return found


def arrays(path):
    """{name: array} of a `.npz` file.

    Raises:
        ValueError: it is none, or a damaged one.
    """
    import numpy as np

    try:
        with zipfile.ZipFile(path) as archive:  # compressed, a small file might take all memory there is
            if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
                raise ValueError("its arrays are compressed")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # of zip archives, of numbers, of memory: whatever NumPy meets in bytes that lie
        raise ValueError(f"{path} is no .npz file, or a damaged one: {type(error).__name__}: {error}.") from None


def plain_shape(path, place, array):
    """The shape of an HDF5 array; refused if it is not of numbers, stored as they are, in this file."""
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds {array.dtype} at {place}, where weights hold numbers.")
    if array.external or array.is_virtual or array.id.get_create_plist().get_nfilters():
        raise ValueError(f"{path} holds no plain array at {place}: filters and other files are refused.")
    if array.id.get_storage_size() != array.nbytes:
        raise ValueError(f"{path} does not hold all of {place}, {array.nbytes} bytes: it is refused.")
    return tuple(array.shape)


def check_modest(card, manifests):
    """Refuse a model that is far larger than its weights, before it is built: it might take all memory there is.

    A width has an array as long as it, and weights by its square; each layer has an array; perceptrons have a bias for
    every number of an image.

    Raises:
        ValueError: an argument that these weights cannot bear out.
    """
    shapes = [shape for manifest in manifests.values() for shape in manifest.values()]
    longest = max((side for shape in shapes for side in shape), default=0)
    total = sum(math.prod(shape) for shape in shapes)
    for name, value in card["model"].items():
        if name.startswith(("seed", "average")):
            continue
        most = {"image_shape": 4096} | dict.fromkeys(DEPTHS, len(shapes))
        most = most.get(name, min(longest, 4 * math.isqrt(total) + 1))
        numbers = value if isinstance(value, list) else [value]
        fine = len(numbers) <= max(4, len(shapes))
        for number in numbers:
            fine &= number is None or isinstance(number, str) or (isinstance(number, int | float) and number <= most)
        if name == "image_shape" and card["model"].get("variant") in ("GAN", "CGAN"):
            fine = fine and math.prod(numbers) <= longest
        if not fine:
            raise ValueError(
                f"The card of {card['name']} says {name} = {value!r:.60}, too much for {total} weights in {len(shapes)}"
                " arrays, or no number."
            )


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


def origin(card):
    """What a model remembers of the entry that it was loaded from, for the side-car of its exports."""
    weights = card["files"].get("generator.weights.h5", {})
    return {"name": card["name"], "sha256": weights.get("sha256"), "class_names": card.get("class_names") or None}


def write_index(zoo):
    """Pin the SHA-256 of every card in `index.json`, against which what a mirror serves is held."""
    zoo = pathlib.Path(zoo)
    write_json(zoo / INDEX, {path.parent.name: sha256(path) for path in sorted(zoo.glob(f"*/{CARD}"))})


def publish(zoo, readme):
    """Bring everything that is made from cards up to date: the project's table, each entry's README.md, the index."""
    found = {path.parent: read(path.parent) for path in sorted(pathlib.Path(zoo).glob(f"*/{CARD}"))}
    put_between(readme, TABLE, zoo_table(found.values()))
    for folder, card in found.items():
        write(folder, card)
    write_index(zoo)
