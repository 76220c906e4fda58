"""Entries as an enemy would leave them: what is done to them, and what may come of it. Children run it: some crash."""

import json
import shutil
import sys
import traceback
import warnings
import zipfile
from pathlib import Path

import numpy as np

VALUES = (
    None,
    True,
    -1,
    0,
    3,
    10**9,
    1e308,
    float("nan"),
    "",
    "x" * 3000,
    "../../x",
    "/etc/passwd",
    "\0",
    [],
    {},
    [[]],
)
WORDS = (b"\0" * 8, b"\xff" * 8, b"__import__('os')", b"{{{{", b"/etc/passwd\0", b"lambda: 0")
TARGETS = ("card.json", "recipe.toml", "generator.weights.h5", "discriminator.weights.h5", "golden.npz", "model.keras")


def attack(seed, count, entry, place):
    """Do `count` things, of this seed, to copies of an entry (a folder with a model.keras beside its files).

    Returns:
        {"refused": n, "harmless": n, "faults": [(number, what was done, what came of it)]}; `place`/now.txt says how
        far it is, for those whose child crashes.
    """
    warnings.simplefilter("ignore")
    place, found = Path(place), {"refused": 0, "harmless": 0, "faults": []}
    for i in range(count):
        rng, folder = np.random.default_rng([seed, i]), place / "in" / "entry"
        shutil.rmtree(folder.parent, ignore_errors=True)
        shutil.copytree(entry, folder)
        done = spoil(rng, folder)
        (place / "now.txt").write_text(f"{i}: {done}", encoding="utf-8")
        before = listing(place)
        outcome = tried(use, done.split(":")[0], folder)
        if listing(place) != before:
            outcome = f"files came or went: {sorted(set(listing(place)) ^ set(before))}"
        if outcome in ("refused", "harmless"):
            found[outcome] += 1
        else:
            found["faults"].append((i, done, outcome))
    return found


def use(target, folder):
    """What somebody does with the part that was spoilt."""
    from kerasgan import recipes, zoo

    if target == "recipe.toml":
        recipes.read(folder / target)
    elif target == "model.keras":
        zoo.load(folder / target)
    elif target == "golden.npz":
        zoo.verify(folder)
    else:
        zoo.load(folder, metrics=False)


def tried(use, *arguments):
    """ "harmless"; "refused", by our own code in one sentence; or what went wrong."""
    import kerasgan
    from kerasgan.cli.group import MISTAKES

    try:
        use(*arguments)
        return "harmless"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        ours = Path(last).is_relative_to(Path(kerasgan.__file__).parent)
        if ours and isinstance(error, MISTAKES) and str(error):
            return "refused"
        return f"{type(error).__name__} of {'/'.join(Path(last).parts[-2:])}: {str(error)[:300]}"


def listing(place):
    """Every file below, with its size."""
    return sorted((str(p.relative_to(place)), p.stat().st_size) for p in place.rglob("*") if p.is_file())


def spoil(rng, folder):
    """Spoil one file of the entry; returns what was done. Of half of them the card has the right hashes again."""
    target = TARGETS[rng.integers(len(TARGETS))]
    path = folder / target
    if target == "card.json" and rng.random() < 0.8:
        card = json.loads(path.read_text(encoding="utf-8"))
        done = in_json(rng, card)
        path.write_text(json.dumps(card), encoding="utf-8")
        return f"{target}: {done}"
    if target == "model.keras" and rng.random() < 0.7:
        return f"{target}: {in_keras(rng, path)}"
    if target.endswith(".h5") and rng.random() < 0.5:
        done = in_hdf5(rng, path)
    else:
        content, done = in_bytes(rng, path.read_bytes())
        path.write_bytes(content)
    if rng.random() < 0.5 and target not in ("card.json", "model.keras"):
        hash_again(folder, target)
        done += ", hashed again"
    return f"{target}: {done}"


def hash_again(folder, name):
    """Give the card the hash of what is there; of weights the fingerprint too, if they have one."""
    from kerasgan import cards

    path = folder / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    if name in card["files"]:
        card["files"] |= cards.describe_files(folder, [name])
    try:
        parts = [part for part in ("generator", "discriminator") if f"{part}.weights.h5" in card["files"]]
        manifests = {part: cards.manifest(folder / f"{part}.weights.h5") for part in parts}
        card["fingerprint"] = cards.fingerprint(card["model"], manifests)
    except Exception:  # then there is none
        pass
    path.write_text(json.dumps(card), encoding="utf-8")


def in_bytes(rng, content):
    """(bytes cut, overwritten, inserted or flipped; what was done)."""
    content, at = bytearray(content), int(rng.integers(len(content)))
    how = rng.integers(5)
    if how == 0:
        return bytes(content[:at]), f"cut at {at}"
    if how == 1:
        word = WORDS[rng.integers(len(WORDS))]
        content[at : at + len(word)] = word
        return bytes(content), f"{word} at {at}"
    if how == 2:
        content[at:at] = bytes(rng.integers(0, 256, 16, dtype="uint8"))
        return bytes(content), f"16 bytes put in at {at}"
    if how == 3:
        del content[at : at + 16]
        return bytes(content), f"16 bytes taken out at {at}"
    for place in rng.integers(0, len(content), 8):
        content[place] ^= 1 << int(rng.integers(8))
    return bytes(content), f"8 bits flipped, seed {at}"


def in_json(rng, value):
    """Change one thing somewhere in a JSON object; returns what."""
    path = []
    while isinstance(value, dict | list) and len(value):
        key = list(value)[rng.integers(len(value))] if isinstance(value, dict) else int(rng.integers(len(value)))
        path.append(key)
        if not isinstance(value[key], dict | list) or not value[key] or rng.random() < 0.15:
            break
        value = value[key]
    new = VALUES[rng.integers(len(VALUES))]
    if rng.random() < 0.2:
        del value[path[-1]]
        return f"without {path}"
    value[path[-1]] = new
    return f"{path} = {str(new)[:20]!r}"


def in_hdf5(rng, path):
    """Put something else in the place of an array, or beside it; returns what."""
    import h5py

    with h5py.File(path, "r+") as file:
        places = []
        file.visititems(lambda place, item: places.append(place) if isinstance(item, h5py.Dataset) else None)
        place = places[rng.integers(len(places))]
        shape, how = file[place].shape, rng.integers(8)
        if how == 7:
            file.create_group("surplus").create_dataset("x", data=np.zeros(3))
            return "a surplus array"
        del file[place]
        if how == 0:
            file[place] = h5py.ExternalLink("/etc/passwd", "/x")
        elif how == 1:
            file[place] = h5py.SoftLink("/nowhere")
        elif how == 2:
            file.create_dataset(place, shape, "float32", external=[("/etc/passwd", 0, 4 * int(np.prod(shape)))])
        elif how == 3:
            file.create_dataset(place, data=np.zeros(shape or 1), compression="gzip", chunks=True)
        elif how == 4:
            file.create_dataset(place, data=np.array([b"text"] * 3))
        elif how == 5:
            file.create_dataset(place, (10**6, 10**6), "float32", chunks=(64, 64))  # nothing stored: 4 TB to be read
        else:
            file.create_dataset(place, data=np.full(shape, np.nan, "float32"))
        return f"{place} replaced, way {how}"


def in_keras(rng, path):
    """Change the config in a .keras file, or a file in its archive; returns what."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if rng.random() < 0.7:
        config = json.loads(parts["config.json"])
        done = f"config {in_json(rng, config)}"
        parts["config.json"] = json.dumps(config).encode()
    else:
        name = list(parts)[rng.integers(len(parts))]
        parts[name], done = in_bytes(rng, parts[name])
        done = f"{name} {done}"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return done


if __name__ == "__main__":
    print(json.dumps(attack(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]), indent=1))
