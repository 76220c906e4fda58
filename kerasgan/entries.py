"""A trained network becomes an entry of the zoo: weights, golden images, samples, recipe, card."""

import datetime
import os
import platform
import sys

import keras
import numpy as np

from kerasgan import __version__, cards, images, plotting, zoo
from kerasgan.files import sha256, write_atomically

GOLDEN = 16  # images that an entry must give again
GOLDEN_SEED = 20141


def name_of(recipe_path):
    """The name of the entry that a recipe makes: of its folder in a zoo, else of the file."""
    return recipe_path.resolve().parent.name if recipe_path.name == "recipe.toml" else recipe_path.stem


def of_game(folder, path, recipe, model, dataset, history):
    """The entry of a trained variant; returns its folder.

    Args:
        folder: where. path, recipe: of the recipe. model: trained. dataset: what it was trained on.
        history: the logs of its epochs.
    """
    latents = model.latents_of(GOLDEN_SEED, range(GOLDEN))
    golden = {"latents": latents, "images": model.sample(latents)}
    facts = {
        "compile": recipe["fine_tuning"] or recipe["compile"],
        "latents": {"shape": list(model.latent_shape), "distribution": model.latent_distribution},
        "images": {"shape": list(model.image_shape), "value_range": [-1, 1]},
        "training": run_of(recipe, dataset, history, int(model.step)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    images.write(folder / "samples.png", plotting.grid(model.generate(64, seed=0)))
    return write(folder, path, recipe, model, dataset, golden, history, facts, ["samples.png"])


def of_classifier(folder, path, recipe, classifier, dataset, history):
    """The entry of an extractor; returns its folder. Args: as `of_game`."""
    shown = dataset.images[:GOLDEN]
    golden = {"images": shown, "logits": classifier.predict_on_batch(images.to_float(shown))}
    facts = {
        "images": {"shape": list(dataset.image_shape), "value_range": [-1, 1]},
        "class_names": list(recipe["card"].get("class_names") or dataset.class_names or []),
        "training": run_of(recipe, dataset, history, len(history) * len(dataset)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    return write(folder, path, recipe, classifier, dataset, golden, history, facts, [])


def write(folder, path, recipe, network, dataset, golden, history, facts, files):
    """Write all files, the card last: without a card there is no entry."""
    parts = zoo.weights_of(network)
    names = {part: f"{part}.weights.h5" for part in parts}
    for part, weights in parts.items():
        write_atomically(folder / names[part], weights.save_weights)
    write_atomically(folder / "golden.npz", lambda temporary: np.savez(temporary, **golden))
    write_atomically(folder / "recipe.toml", lambda temporary: temporary.write_bytes(path.read_bytes()))
    manifests = {part: cards.manifest(folder / name) for part, name in names.items()}
    card = describe(name_of(path), recipe, dataset, path) | facts
    card |= {
        "files": cards.describe_files(folder, [*names.values(), "golden.npz", *files]),
        "fingerprint": cards.fingerprint(recipe["model"], manifests),
        "parameters": {part: weights.count_params() for part, weights in parts.items()},
        "history": history,
    }
    cards.write(folder, card)
    return folder


def run_of(recipe, dataset, history, steps):
    """What the training was."""
    settings = recipe["training"]
    return {
        "steps": steps,
        "epochs": len(history),
        "images_seen": steps * dataset.batch_size,
        "batch_size": dataset.batch_size,
        "seed": settings.get("seed", 0),
        "dtype_policy": settings.get("dtype_policy", "float32"),
        "minutes": round(sum(epoch["seconds"] for epoch in history) / 60, 1),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
    }


def describe(name, recipe, dataset, path):
    """The part of a card that needs no network: names, licences, data, versions."""
    about = recipe["card"]
    return {
        "format": 1,
        "name": name,
        **{key: about.get(key) for key in ("kind", "title", "task", "paper", "summary", "commercial", "extractor")},
        "kind": about.get("kind", "generator"),
        "date": datetime.date.today().isoformat(),
        "model": recipe["model"],
        "recipe_sha256": sha256(path),
        "data": {**recipe["data"], "training_images": len(dataset.images), "fingerprint": dataset.fingerprint},
        "licences": {
            "code": "Apache-2.0",
            "weights": about.get("weights_licence", "not stated"),
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
