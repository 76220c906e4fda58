"""From a recipe to a trained entry of the zoo; stopped at any step, it goes on to the same bits."""

import datetime
import json
import os
import pathlib
import platform
import time

import keras
import numpy as np

from kerasgan import cards, data, images, plotting, recipes, zoo
from kerasgan.callbacks import SampleGrid
from kerasgan.checkpoints import Checkpoints, SaveCheckpoints
from kerasgan.files import sha256, write_json
from kerasgan.models import networks, rules

GOLDEN = 16  # images an entry must give again
GOLDEN_SEED = 20141


class Interrupted(Exception):
    """The training was told to stop, and is saved: `--resume` goes on."""


def find_recipe(name):
    """The path of a recipe: a `.toml` file, or the name of an entry of the zoo that came with the package.

    Raises:
        ValueError: there is none; the names that have one are given.
    """
    if str(name).endswith(".toml"):
        return pathlib.Path(name)
    place = zoo.shipped()
    known = {path.parent.name: path for path in place.glob("*/recipe.toml")} if place else {}
    rules.check_choice("recipe", str(name), known)
    return known[name]


def train(name, output=None, *, resume=False, source=None, epochs=None, callbacks=(), verbose="auto"):
    """Train by a recipe; returns the folder of the finished entry, which `kerasgan.load` takes.

    Args:
        name: of a recipe in the zoo, or the path of a `.toml` file.
        output: the folder of the run, `runs/<name>` by default: checkpoints, a sample grid per epoch, history, `entry`.
        resume: go on from the newest checkpoint of that folder.
        source: other training data than the recipe's, as `kerasgan.data.read` takes them.
        epochs: instead of the recipe's.
        callbacks: Keras callbacks to add.

    Raises:
        FileExistsError: the folder has a run, without `resume`. FileNotFoundError: there is none to resume.
        Interrupted: Ctrl-C or SIGTERM; saved.
    """
    path = find_recipe(name)
    recipe = recipes.read(path)
    name = path.parent.name if path.name == "recipe.toml" else path.stem
    run = pathlib.Path(output or pathlib.Path("runs") / name)
    checkpoints = Checkpoints(run / "checkpoints")
    check_run(run, checkpoints, resume)
    settings = recipe["training"] | ({"epochs": epochs} if epochs else {})
    dataset = data.read(
        source or recipe["data"]["train"], batch_size=settings["batch_size"], seed=settings.get("seed", 0),
        image_shape=recipe["model"].get("image_shape"),
    )  # fmt: skip
    steps = settings["epochs"] * len(dataset)
    keras.utils.set_random_seed(settings.get("seed", 0))  # the initial weights
    with networks.policy(settings.get("dtype_policy", "float32")):
        model = recipes.build(recipe["model"])
    recipes.compile_model(model, recipe["compile"], steps)
    start = checkpoints.restore(model) if resume else 0
    if start is None:
        raise FileNotFoundError(f"There is no checkpoint in {checkpoints.folder} to resume from.")
    saver = SaveCheckpoints(checkpoints, settings.get("checkpoint_steps", 200))
    history = History(run / "history.json", since=start)
    play(model, dataset, settings["epochs"], start, [saver, history, SampleGrid(run / "samples"), *callbacks], verbose)
    if saver.interrupted:
        raise Interrupted(f"Stopped at step {int(model.step)} of {steps}, saved in {run}. Go on with --resume.")
    return finish(run / "entry", name, recipe, model, dataset, history, path)


def check_run(run, checkpoints, resume):
    """Refuse to write over a run, and find out before the work whether the folder can be written."""
    if checkpoints.steps() and not resume:
        raise FileExistsError(
            f"{run} has a run at step {checkpoints.steps()[-1]}: go on with --resume, or choose another --output."
        )
    if resume and not checkpoints.folder.is_dir():
        raise FileNotFoundError(f"There is no run in {run} to resume.")
    run.mkdir(parents=True, exist_ok=True)
    if not os.access(run, os.W_OK):
        raise PermissionError(f"Cannot write in {run}: choose another --output.")


def play(model, dataset, epochs, start, callbacks, verbose):
    """Fit from step `start` to the end of the last epoch: a half-done epoch is finished first."""
    epoch, done = divmod(start, len(dataset))
    if done:
        left = len(dataset) - done
        model.fit(dataset.stream(start), steps_per_epoch=left, initial_epoch=epoch, epochs=epoch + 1,
                  callbacks=callbacks, verbose=verbose)  # fmt: skip
        epoch += 1
    if epoch < epochs and not model.stop_training:
        model.fit(dataset, initial_epoch=epoch, epochs=epochs, callbacks=callbacks, verbose=verbose)


class History(keras.callbacks.Callback):
    """The logs of every epoch and the time spent, kept in a JSON file across resumptions.

    Args:
        path: of the file. since: the step that the training starts from; what was written after it is forgotten.
    """

    def __init__(self, path, since=0):
        super().__init__()
        self.path, self.epochs = path, []
        if since and path.is_file():
            self.epochs = [e for e in json.loads(path.read_text(encoding="utf-8")) if e["step"] <= since]

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Note the epoch."""
        values = {name: float(np.mean(value)) for name, value in (logs or {}).items()}
        seconds = round(time.monotonic() - self.started, 2)
        self.epochs.append({"epoch": epoch + 1, "step": int(self.model.step), "seconds": seconds, **values})
        write_json(self.path, self.epochs)


def finish(folder, name, recipe, model, dataset, history, path):
    """Write the entry: weights, golden images, samples, the recipe, the card; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = zoo.weights_of(model)
    for part, network in parts.items():
        network.save_weights(folder / f"{part}.weights.h5")
    latents = model.latents_of(GOLDEN_SEED, range(GOLDEN))
    np.savez(folder / "golden.npz", latents=latents, images=model.sample(latents))
    images.write(folder / "samples.png", plotting.grid(model.generate(64, seed=0)))
    (folder / "recipe.toml").write_bytes(path.read_bytes())
    names = [f"{part}.weights.h5" for part in parts]
    manifests = {part: cards.manifest(folder / f"{part}.weights.h5") for part in parts}
    steps = int(model.step)
    card = describe(name, recipe, dataset, path) | {
        "compile": recipe["fine_tuning"] or recipe["compile"],
        "files": cards.describe_files(folder, [*names, "golden.npz", "samples.png"]),
        "fingerprint": cards.fingerprint(recipe["model"], manifests),
        "parameters": {part: network.count_params() for part, network in parts.items()},
        "latents": {"shape": list(model.latent_shape), "distribution": model.latent_distribution},
        "images": {"shape": list(model.image_shape), "value_range": [-1, 1]},
        "training": {
            "steps": steps,
            "epochs": len(history.epochs),
            "images_seen": steps * dataset.batch_size,
            "batch_size": dataset.batch_size,
            "seed": recipe["training"].get("seed", 0),
            "dtype_policy": recipe["training"].get("dtype_policy", "float32"),
            "minutes": round(sum(e["seconds"] for e in history.epochs) / 60, 1),
            "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        },
        "history": history.epochs,
    }
    cards.write(folder, card)
    return folder


def describe(name, recipe, dataset, path):
    """The part of a card that needs no network: names, licences, data, versions."""
    about = recipe["card"]
    return {
        "format": 1,
        "name": name,
        **{key: about.get(key) for key in ("kind", "title", "task", "paper", "summary", "commercial", "class_names")},
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
    import h5py

    from kerasgan import __version__

    found = {"kerasgan": __version__, "keras": keras.__version__, "backend": keras.backend.backend(),
             "numpy": np.__version__, "h5py": h5py.__version__, "python": platform.python_version()}  # fmt: skip
    if keras.backend.backend() == "tensorflow":
        import importlib.metadata

        found["tensorflow"] = importlib.metadata.version("tensorflow")
    return found
