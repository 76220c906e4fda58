"""The zoo: trained models by name, found offline, checked at every load.

An entry is a folder with a card (`cards`), weights and golden images, and no code. It is looked for in the folders of
`KERASGAN_ZOO`, in the zoo that came with the package, and in the cache `KERASGAN_HOME` (`~/.cache/kerasgan`), which is
filled from `KERASGAN_MIRROR` if that is set. What is present is never fetched.
"""

import fnmatch
import functools
import json
import os
import pathlib
import sys
import warnings
import zipfile

from kerasgan import cards, mirror
from kerasgan.files import sha256
from kerasgan.names import nearest

HERE = pathlib.Path(__file__).parent


class LicenceNotice(UserWarning):
    """Told once per process at the first load of an entry whose weights or data do not allow every use."""


def shipped():
    """The zoo that came with the package: inside the wheel, or beside the package in a checkout; None if neither."""
    places = (HERE / "_zoo", HERE.parent / "zoo")
    return next((place for place in places if place.is_dir()), None)


def index():
    """{name: SHA-256 of its card} of every entry that was shipped or that a mirror may serve."""
    zoo = shipped()
    path = zoo and zoo / cards.INDEX
    return json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else {}


def folders():
    """{name: (folder, pinned SHA-256 of its card or None)} of every entry that is present; earlier places win."""
    pins, found, fetched = index(), {}, mirror.cache()
    users = [pathlib.Path(p) for p in os.environ.get("KERASGAN_ZOO", "").split(os.pathsep) if p]
    for place in [*users, shipped(), fetched]:
        for path in sorted(place.glob(f"*/{cards.CARD}")) if place and place.is_dir() else ():
            pin = None if place in users else pins.get(path.parent.name)
            if place == fetched and place not in users and sha256(path) != pin:
                continue  # of another version of kerasgan: fetched again if it is asked for
            found.setdefault(path.parent.name, (path.parent, pin))
    return found


def list_models(pattern="*", *, family=None, task=None, kind=None, commercial=None):
    """The names of the entries, sorted; with task, kind or commercial of those alone that are on this machine.

        >>> list_models("dcgan*")
        ['dcgan_mnist']

    Args:
        pattern: as in file names. family: "dcgan", the name's first part. task, kind: as on the card.
        commercial: True for entries whose licences allow commercial use, False for the others.
    """
    wanted = {"task": task, "kind": kind, "commercial": commercial}
    wanted = {key: value for key, value in wanted.items() if value is not None}
    here = folders()
    known = here if wanted else {*here, *index()}
    names = sorted(n for n in known if fnmatch.fnmatch(n, pattern) and family in (None, n.split("_")[0]))
    if not wanted:
        return names
    found = {name: cards.read(*here[name]) for name in names}
    return [name for name, card in found.items() if all(card.get(key) == value for key, value in wanted.items())]


def find(name):
    """The (folder, card) of an entry: a name, or a folder.

    Raises:
        ValueError: no such entry; the nearest are named. OSError: a mirror was asked and did not answer.
    """
    present = folders()
    if name in present:
        folder, pin = present[name]
        return folder, cards.read(folder, pin)
    if os.path.isdir(name):
        return pathlib.Path(name), cards.read(name)
    if name in index():
        if address := os.environ.get("KERASGAN_MIRROR"):
            return mirror.fetch(address, name, index()[name])
        raise ValueError(f"{name!r} is not on this machine: set KERASGAN_MIRROR to an address that serves it.")
    known = sorted({*present, *index()})
    what = "entry folder" if os.sep in str(name) else "model"
    hint, there_are = nearest(name, known, n=3), ", ".join(known) or "none"
    raise ValueError(f"There is no {what} {str(name)!r}.{hint} There are: {there_are}.")


def info(name):
    """The card of an entry, as a dictionary."""
    return find(name)[1]


def load(name, *, metrics=True, freeze_discriminator=0, **changes):
    """A trained model, compiled and ready: to sample, fine-tune, measure or export.

        >>> load("dcgan_mnist").generate(16, seed=7).shape
        (16, 28, 28, 1)
        >>> model = load("dcgan_mnist", image_shape=(28, 28, 3))  # tells on stderr what became of each tensor
        >>> model.fit(colour_images)

    Args:
        name: of an entry, or the path of an entry's folder or of a `.keras` file.
        metrics: whether an entry's extractor is loaded too, as a metric; who only draws saves its time.
        freeze_discriminator: layers of its discriminator that fine-tuning leaves as they are, where images are few.
        changes: image_shape=, classes= or other arguments of the variant, of a model to fine-tune on other data: it
            takes over what fits (`kerasgan.models.transfer`), without the metric, which is for the entry's images.

    Returns:
        A variant's model, with the Frechet distance in its extractor's features as a metric for `evaluate` and
        `validation_data`; for an extractor its classifier, a `keras.Model` from images in [-1, 1] to logits.

    Raises:
        ValueError: no such entry, or a file that is not what its card says; nothing is loaded then. Or changes that the
            variant refuses, or of what is no entry of a variant. TypeError: arguments that it does not have.
    """
    name = os.fspath(name)
    frozen = {"freeze_discriminator": freeze_discriminator} if freeze_discriminator else {}
    if name.endswith(".keras"):
        check_unchanged(name, changes | frozen)
        return load_keras(name)
    folder, card = find(name)
    if card["kind"] != "generator":
        check_unchanged(name, changes | frozen)
    card |= {"compile": card.get("compile", {}) | frozen}
    tell_licence(card["name"], card.get("commercial"), card["licences"].get("weights"), card["licences"].get("data"))
    if changes:
        return changed(folder, card, changes)
    if card["kind"] == "upscaler":
        from kerasgan.metrics import PSNR

        return restore(folder, card, [PSNR(crop=card["scale"])] if metrics else ())
    return restore(folder, card, handed_down(card) if metrics else ())


def check_unchanged(name, changes):
    """Refuse changes of what no recipe describes as a variant."""
    if changes:
        raise ValueError(f"{name} can be loaded as it is alone: {', '.join(changes)} are for generators of the zoo.")


def changed(folder, card, changes):
    """A model like an entry's but for these arguments of its variant, with what it can take over; tells on stderr."""
    from kerasgan import recipes
    from kerasgan.models.transfer import report, transfer

    old = restore(folder, card)
    section = old.config | card["model"]  # with what it left to the variant, which goes by the size
    if "average_half_life" in changes or "average_momentum" in changes:  # the one stands for the other
        section = {key: value for key, value in section.items() if not key.startswith("average_")}
    model = recipes.build(section | changes)
    rows = transfer(old, model)
    recipes.compile_model(model, card["compile"])
    print(f"From {card['name']}:\n{report(rows)}", file=sys.stderr)
    return model


def handed_down(card):
    """The metrics of the extractor that a card names; none, with a warning, where it cannot be used.

    A generator draws without it.
    """
    try:
        return metrics_in(card.get("extractor"))
    except (ValueError, OSError) as error:
        message = f"{card['name']} comes without a metric, compile(metrics=[...]) gives it one: {error}"
        warnings.warn(message, stacklevel=3)
        return []


def metrics_in(extractor_name):
    """[the Frechet distance in the features of that extractor]; [] without a name.

    Raises:
        ValueError, OSError: there is no such extractor, or its files are not what its card says.
    """
    if not extractor_name:
        return []
    from kerasgan.metrics import FrechetDistance
    from kerasgan.models.classifiers import extractor

    return [FrechetDistance(extractor(load(extractor_name, metrics=False)))]  # or who names himself never ends


def load_keras(path):
    """The model in a `.keras` file."""
    import keras

    from kerasgan import models  # noqa: F401  registers the classes that the file names

    if not os.path.isfile(path):
        raise FileNotFoundError(f"There is no file {path}.")
    if not zipfile.is_zipfile(path):  # Keras would say that there is none
        raise ValueError(f"{path} is damaged, or no .keras file: it is no zip archive, or was cut short.")
    try:
        return keras.saving.load_model(path)
    except Exception as error:  # Keras meets what a file says in many ways, and answers in as many
        said = str(error).split("\n")[0][:200]
        raise ValueError(
            f"{path} is damaged, or no .keras file that can be loaded: {type(error).__name__}: {said}."
        ) from error


def restore(folder, card, metrics=()):
    """Build what the card describes, and give it the weights: hashes and architecture first, weights last.

    A game is compiled, with these metrics, for a training that begins: its step is 0, its optimizers are new.
    """
    from kerasgan import recipes

    names = [part for part in ("generator", "discriminator", "classifier") if f"{part}.weights.h5" in card["files"]]
    paths = {part: cards.checked_file(folder, card, f"{part}.weights.h5") for part in names}
    manifests = {part: cards.manifest(path) for part, path in paths.items()}
    cards.check_modest(card, manifests)
    network = recipes.build(card["model"])
    parts = {part: its for part, its in weights_of(network).items() if part in names}
    if len(parts) < max(1, len(names)):
        raise ValueError(f"The card of {card['name']} names no weights, or those of something else.")
    for part, weights in parts.items():
        check_shapes(paths[part], manifests[part], weights)
    if cards.fingerprint(card["model"], manifests) != card["fingerprint"]:
        raise ValueError(f"The weights of {card['name']} are of another architecture than its card describes.")
    for part, weights in parts.items():
        try:
            weights.load_weights(paths[part])
        except Exception as error:  # the library of HDF5 finds more than one way to stumble over bytes that lie
            raise ValueError(f"{paths[part]} is damaged: {type(error).__name__}: {error}.") from error
    if hasattr(network, "average"):
        network.generator.set_weights(network.average.get_weights())
        recipes.compile_model(network, card["compile"], metrics=metrics)
        network.entry = cards.origin(card)
    return network


def weights_of(network):
    """{part: network} of what an entry stores: the average is the generator of those who load it."""
    if hasattr(network, "average"):
        return {"generator": network.average, "discriminator": network.discriminator}
    return {"classifier": network}


def check_shapes(path, manifest, network):
    """Refuse a weights file whose arrays are not the network's."""
    expected = sorted(tuple(w.shape) for w in network.weights)
    seen = sorted(manifest.values())
    if seen != expected:
        surplus = [s for s in seen if s not in expected] or [s for s in expected if s not in seen] or "the number"
        raise ValueError(
            f"{path} holds {len(seen)} arrays where {network.name} has {len(expected)}; they differ in {surplus}:"
            " it is of another architecture."
        )


@functools.cache
def tell_licence(name, commercial, weights, data):
    """Warn once if the entry may not be used for everything."""
    if commercial is False:
        message = f"{name}: weights {weights}; trained on data under {data}. Check that your use is allowed."
        warnings.warn(message, LicenceNotice, stacklevel=3)


def verify(name):
    """Make an entry's golden images again, and compare.

    Returns:
        {"name", "images", "pixels", "differing" (pixels off by any), "max_difference" (grey levels), "ok"}; ok means at
        most one grey level in at most 1e-4 of the pixels: two machines round differently.
    """
    import numpy as np

    folder, card = find(name)
    golden = cards.arrays(cards.checked_file(folder, card, "golden.npz"))
    made, logits = answers(card["kind"], restore(folder, card), golden), card["kind"] == "extractor"
    difference = np.abs(made - golden["logits"]) if logits else np.abs(made.astype(int) - golden["images"])
    ok = difference.max() <= (1e-3 if logits else 1) and (logits or (difference > 0).mean() <= 1e-4)
    counts = {"images": len(difference), "pixels": difference.size, "differing": int((difference > 0).sum())}
    return {"name": card["name"], **counts, "max_difference": difference.max().item(), "ok": bool(ok)}


def answers(kind, model, golden):
    """What a model makes of golden inputs: images, or an extractor's logits; in full float32, as on any machine."""
    from kerasgan import gradients, images

    with gradients.full_float32():
        if kind == "generator":
            return model.sample(*(golden[name] for name in ("latents", "labels") if name in golden))
        made = model.predict_on_batch(images.to_float(golden["low" if kind == "upscaler" else "images"]))
        return images.to_uint8(made) if kind == "upscaler" else made
