"""A trained network becomes an entry of the zoo: weights, golden images, samples, recipe, card."""

import datetime
import platform
import sys

import keras
import numpy as np

from kerasgan import __version__, cards, gradients, images, plotting, replicas, zoo
from kerasgan.files import sha256, write_atomically

GOLDEN = 16  # images that an entry must give again
GOLDEN_SEED = 20141


def name_of(recipe_path):
    """The name of the entry that a recipe makes: of its folder in a zoo, else of the file."""
    return recipe_path.resolve().parent.name if recipe_path.name == "recipe.toml" else recipe_path.stem


def of_game(folder, path, recipe, model, dataset, history, chosen=None):
    """The entry of a trained variant; returns its folder.

    Args:
        folder: where. path, recipe: of the recipe. model: trained. dataset: what it was trained on.
        history: the logs of its epochs. chosen: {monitor, value, epoch, ...} of the average that the model was given.
    """
    labels = None if model.classes is None else np.arange(GOLDEN) % model.classes
    inputs = model.inputs_of(GOLDEN_SEED, range(GOLDEN), labels)
    golden = dict(zip(("latents", "labels"), inputs, strict=False))
    golden["images"] = zoo.answers("generator", model, golden)
    card = describe(path, recipe, dataset) | {
        "compile": recipe["fine_tuning"] or recipe["compile"],
        "latents": {"shape": list(model.latent_shape), "distribution": model.latent_distribution},
        "images": {"shape": list(model.image_shape), "value_range": [-1, 1]},
        "training": run_of(recipe, dataset, history, int(model.step.numpy())),
        "history": history,
    }
    if model.conditional:
        names = recipe["card"].get("class_names") or dataset.class_names or range(model.classes)
        card["class_names"] = [str(name) for name in names]
    card["training"] |= said(chosen)
    columns = min(model.classes or 8, 16)  # a column is a class
    in_turn = None if model.classes is None else np.arange(8 * columns) % model.classes
    pictures = {"samples.png": plotting.grid(model.generate(8 * columns, seed=0, labels=in_turn), columns=columns)}
    if hasattr(model, "sizes"):
        pictures["levels.png"] = levels(model)
    return write(folder, path, card, model, golden, pictures)


def of_upscaler(folder, path, recipe, model, pairs, history, chosen=None):
    """The entry of a model that makes pictures larger; returns its folder. Args: as `of_game`; pairs: trained on.

    Of a training by pixels alone the discriminator, which rested, is no part.
    """
    low = blocks((24, 32, pairs.channels))
    card = describe(path, recipe, pairs) | {
        "compile": recipe["fine_tuning"] or recipe["compile"],
        "images": {"shape": list(model.image_shape), "value_range": [-1, 1]},
        "scale": model.scale,
        "training": run_of(recipe, pairs, history, int(model.step.numpy())) | said(chosen),
        "history": history,
    }
    golden = {"low": low, "images": zoo.answers("upscaler", model, {"low": low})}
    parts = ["generator", *(["discriminator"] if model.rules["adversarial"] else [])]
    return write(folder, path, card, model, golden, parts=parts)


def said(chosen):
    """What a card says of the epoch that was chosen, if one was."""
    words = "epoch {epoch}: the best {monitor} of the average, {value:.4g} on the validation split"
    return {"chosen": words.format(**chosen)} if chosen else {}


def levels(model, n=16):
    """A picture of `n` images of a chain, each from coarse to fine, four in a row; small ones in large pixels."""
    every = model.generate(n, seed=0, return_pyramid=True)
    high = every[-1].shape[1]
    large = [images.repeat(high // images.shape[1], axis=1).repeat(high // images.shape[1], axis=2) for images in every]
    in_turn = np.stack(large, axis=1).reshape(-1, *large[-1].shape[1:])
    return plotting.grid(in_turn, columns=4 * len(every))


def of_classifier(folder, path, recipe, classifier, dataset, history, metrics=()):
    """The entry of an extractor; returns its folder. Args: as `of_game`; metrics: the records for its card."""
    shown = blocks(dataset.image_shape)
    golden = {"images": shown, "logits": zoo.answers("extractor", classifier, {"images": shown})}
    card = describe(path, recipe, dataset) | {
        "metrics": list(metrics),
        "images": {"shape": list(dataset.image_shape), "value_range": [-1, 1]},
        "class_names": list(recipe["card"].get("class_names") or dataset.class_names or []),
        "training": run_of(recipe, dataset, history, len(history) * len(dataset)),
        "history": history,
    }
    return write(folder, path, card, classifier, golden)


def blocks(image_shape):
    """Pictures of random blocks, uint8 (GOLDEN, *image_shape), which a classifier must answer alike everywhere.

    No real ones: not all data may be published.
    """
    height, width, channels = image_shape
    small = np.random.default_rng(GOLDEN_SEED).integers(
        0, 256, (GOLDEN, -(-height // 4), -(-width // 4), channels), "uint8"
    )
    return small.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]


def write(folder, path, card, network, golden, pictures=None, parts=None):
    """Write all files, the card last: without a card there is no entry; returns the folder.

    Args:
        folder: made if it does not exist; an entry that is there ceases to be one first. path: of the recipe.
        card: without what the files say. network: trained. golden: {name: array}. pictures: {file name: image}.
        parts: the names of its networks that are kept; None: all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / cards.CARD).unlink(missing_ok=True)  # an old card beside new files would condemn them
    parts = {name: part for name, part in zoo.weights_of(network).items() if parts is None or name in parts}
    names = {part: f"{part}.weights.h5" for part in parts}
    for part, weights in parts.items():
        write_atomically(folder / names[part], weights.save_weights)
    write_atomically(folder / "golden.npz", lambda temporary: np.savez(temporary, **golden))
    write_atomically(folder / "recipe.toml", lambda temporary: temporary.write_bytes(path.read_bytes()))
    pictures = pictures or {}
    for name, picture in pictures.items():
        images.write(folder / name, picture)
    manifests = {part: cards.manifest(folder / name) for part, name in names.items()}
    card |= {
        "files": cards.describe_files(folder, [*names.values(), "golden.npz", *pictures]),
        "fingerprint": cards.fingerprint(card["model"], manifests),
        "parameters": {part: weights.count_params() for part, weights in parts.items()},
    }
    cards.write(folder, card)
    return folder


def run_of(recipe, dataset, history, steps):
    """What the training was."""
    settings, cores = recipe["training"], replicas.cores()
    said = [f"{cores} cores" if cores > 1 else "1 core", platform.machine(), gradients.accelerator()]
    return {
        "steps": steps,
        "epochs": len(history),
        "images_seen": steps * dataset.batch_size,
        "batch_size": dataset.batch_size,
        "seed": settings.get("seed", 0),
        **({"start": settings["start"]} if "start" in settings else {}),
        "dtype_policy": settings.get("dtype_policy", "float32"),
        "minutes": round(sum(epoch["seconds"] for epoch in history) / 60, 1),
        "machine": ", ".join(filter(None, said)),
    }


def describe(path, recipe, dataset):
    """The part of a card that needs no network: names, licences, data, versions."""
    about, weights = recipe["card"], recipe["card"].get("weights_licence", "not stated")
    commercial = about.get("commercial")
    if start := recipe["training"].get("start"):  # whose terms go on with its weights
        first = zoo.info(start)
        weights += f"; begun from {first['name']}: {first['licences'].get('weights')}"
        commercial = False if first.get("commercial") is False else commercial
    return {
        "format": 1,
        "name": name_of(path),
        **{key: about.get(key) for key in ("kind", "title", "task", "paper", "summary", "extractor", "paper_table")},
        "commercial": commercial,
        "kind": about.get("kind", "generator"),
        "date": datetime.date.today().isoformat(),
        "model": recipe["model"],
        "recipe_sha256": sha256(path),
        "data": {**recipe["data"], "training_images": len(dataset.images), "fingerprint": dataset.fingerprint},
        "licences": {
            "code": "Apache-2.0",
            "weights": weights,
            "data": recipe["data"].get("licence", "not stated"),
        },
        "metrics": [],
        "versions": versions(),
    }


def versions():
    """The versions of what trained."""
    packages = ["keras", "numpy", "h5py", keras.backend.backend()]
    found = {package: sys.modules[package].__version__ for package in packages}  # TensorFlow has several distributions
    return {"kerasgan": __version__, "python": platform.python_version(), "backend": keras.backend.backend(), **found}
