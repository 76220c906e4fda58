"""A training that goes on is the one that was stopped: to the same bits after SIGKILL, and refused if it is another."""

import json
import signal
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

from kerasgan import DCGAN, recipes, training
from kerasgan.checkpoints import Checkpoints
from kerasgan.metrics import fingerprint

RECIPE = """
[model]
variant = "DCGAN"
image_shape = [16, 16, 1]
latent_size = 2
width = 2
kernel_size = 2
average_momentum = 0.5

[compile]
loss = "relativistic"
penalty = { kind = "r1", weight = { schedule = "cosine", first = 1.0, last = 0.1 } }
instance_noise = { schedule = "linear", first = 0.3, last = 0.1 }
generator_optimizer = { name = "adam", learning_rate = { schedule = "linear", first = 0.01, last = 0.001 } }

[data]
train = "IMAGES"

[training]
epochs = 3
batch_size = 4
seed = 3
checkpoint_steps = 3
"""


def pictures(path, seed, n=18, side=16):
    np.savez(path, images=np.random.default_rng(seed).integers(0, 256, (n, side, side, 1)).astype("uint8"))


@pytest.fixture
def recipe(tmp_path):
    """The path of a recipe of three epochs of four steps."""
    pictures(tmp_path / "x.npz", 0)
    (tmp_path / "noise.toml").write_text(RECIPE.replace("IMAGES", (tmp_path / "x.npz").as_posix()))
    return tmp_path / "noise.toml"


def arrays(path):
    """{place: array} of a weights file."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda place, item: found.update({place: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


# --- the same bits ----------------------------------------------------------------------------------------------------

# A process of its own: op determinism cannot be switched off again, and SIGKILL leaves no process to go on in. Dropout,
# which a recipe cannot ask for, comes in through a variant.
CHILD = """
import os, pathlib, signal, sys
import keras, tensorflow
if sys.argv[4] == "deterministic":
    tensorflow.config.experimental.enable_op_determinism()
from kerasgan import DCGAN, models, training

class Dropping(DCGAN):
    def __init__(self, image_shape, **options):
        def judge():
            x = pictures = keras.Input(image_shape)
            for layer in (keras.layers.Dropout(0.3), keras.layers.Flatten(), keras.layers.Dense(8, "tanh"),
                          keras.layers.Dropout(0.3), keras.layers.Dense(1)):
                x = layer(x)
            return keras.Model(pictures, x)
        super().__init__(image_shape, discriminator=judge, **options)

class Die(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) == 7:
            os.kill(os.getpid(), signal.SIGKILL)

models.VARIANTS["Dropping"] = Dropping
recipe, folder = map(pathlib.Path, sys.argv[2:4])
if sys.argv[1] == "die":
    training.train(recipe, folder / "killed", callbacks=[Die()], verbose=0)
else:
    training.train(recipe, folder / "killed", resume=True, verbose=0)
    training.train(recipe, folder / "whole", verbose=0)
"""


@pytest.mark.parametrize(
    ("ops", "rule"),
    [
        ("deterministic", "jit_compile = false"),
        pytest.param("as they are", "jit_compile = true", marks=pytest.mark.soak),
    ],
)
def test_killed_in_mid_epoch_it_goes_on_to_the_same_bits(recipe, tmp_path, ops, rule):
    """With and without XLA; without op determinism too, which `kerasgan train` does not ask for. The average
    that validation finds best is chosen as if nothing had been."""
    for name, n in (("x", 18), ("held_out", 150)):
        pictures(tmp_path / f"{name}.npz", n, n, side=28)
    split = (tmp_path / "held_out.npz").as_posix()
    text = recipe.read_text().replace('"DCGAN"', '"Dropping"').replace("[16, 16, 1]", "[28, 28, 1]")
    text = text.replace("[data]", f'{rule}\n[data]\nvalidation = "{split}"')
    (tmp_path / "dropping.toml").write_text(f'{text}\n[card]\nextractor = "lenet_mnist"\n')
    command = [sys.executable, "-c", CHILD]
    arguments = [str(tmp_path / "dropping.toml"), str(tmp_path), ops]
    dead = subprocess.run([*command, "die", *arguments], capture_output=True, text=True)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    left = Checkpoints(tmp_path / "killed" / "checkpoints")
    assert left.steps() == [4, 6] and not (tmp_path / "killed" / "entry").exists()
    again = subprocess.run([*command, "resume", *arguments], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    files = ["entry/generator.weights.h5", "entry/discriminator.weights.h5", "best.weights.h5"]
    files += ["checkpoints/step-00000012.weights.h5"]
    for file in files:
        killed, whole = (arrays(tmp_path / run / file) for run in ("killed", "whole"))
        assert killed.keys() == whole.keys() and len(whole) > 3
        differing = [place for place in whole if not np.array_equal(killed[place], whole[place])]
        assert not differing, f"{file}: {differing} of {len(whole)} differ"
    first = arrays(left.paths(12)[0].with_name("step-00000009.weights.h5"))
    assert any(not np.array_equal(first[place], whole[place]) for place in whole), "nothing was learnt in between"
    for file in ("entry/golden.npz", "entry/samples.png"):
        assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    killed, whole = (json.loads((tmp_path / run / "entry" / "card.json").read_text()) for run in ("killed", "whole"))
    assert killed["training"]["chosen"] == whole["training"]["chosen"]
    distances = [[epoch["val_frechet_distance"] for epoch in card["history"]] for card in (killed, whole)]
    assert distances[0] == distances[1] and len(set(distances[1])) == 3


# --- another training -------------------------------------------------------------------------------------------------


class Stop(keras.callbacks.Callback):
    """Ctrl-C after a step."""

    def on_train_batch_end(self, batch, logs=None):
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def stopped(recipe, tmp_path):
    """The folder of a run that was stopped after a step, on other pictures and for more epochs than the recipe's."""
    recipe.write_text(recipe.read_text().replace("[data]", "run_eagerly = true\n[data]"))
    pictures(tmp_path / "mine.npz", 1)
    options = {"source": str(tmp_path / "mine.npz"), "epochs": 5}
    with pytest.raises(training.Interrupted, match="Stopped at step 1 of 20"):
        training.train(recipe, tmp_path / "run", callbacks=[Stop()], verbose=0, **options)
    return tmp_path / "run", options


def test_another_training_does_not_go_on_from_there(recipe, stopped, tmp_path):
    run, options = stopped
    before = sorted((path, path.read_bytes()) for path in run.rglob("*") if path.is_file())

    def refused(*sentences, **changes):
        with pytest.raises(ValueError, match="is of another training: .* Go on with the same .* or start anew") as told:
            training.train(recipe, run, resume=True, verbose=0, **options | changes)
        assert all(sentence in str(told.value) for sentence in sentences), told.value
        return str(told.value)

    said = refused("[training] epochs was 5, now 3", epochs=None)
    assert "[data]" not in said and "[compile]" not in said
    refused("[data] train was ", "mine.npz", "[data] fingerprint was ", source=None)
    pictures(tmp_path / "mine.npz", 2)
    assert "train was" not in refused("[data] fingerprint was ")
    pictures(tmp_path / "mine.npz", 1)
    text = recipe.read_text()
    recipe.write_text(text.replace("first = 0.01,", "first = 0.02,").replace("seed = 3", "seed = 4"))
    refused("[compile] generator_optimizer was {", "[training] seed was 3, now 4")
    assert sorted((path, path.read_bytes()) for path in run.rglob("*") if path.is_file()) == before


def test_the_same_training_goes_on(recipe, stopped):
    """Whatever has no part in it may change: comments, titles, how often it is saved."""
    run, options = stopped
    recipe.write_text(recipe.read_text().replace("steps = 3", "steps = 7  # rarer") + '[card]\ntitle = "Noise"\n')
    read = training.of_source(recipes.read(recipe), options["source"])
    read["training"]["epochs"] = options["epochs"]
    entry = training.train_game(recipe, read, run, resume=True, verbose=0)
    assert json.loads((entry / "card.json").read_text())["training"]["steps"] == 20


def test_about_run(recipe):
    read = recipes.read(recipe)
    model, dataset, validation = training.prepared(read)
    assert validation is None
    assert training.about_run(read, model, dataset) == {
        "compile": read["compile"], "augment": {}, "training": {"epochs": 3, "batch_size": 4, "seed": 3},
        "data": {"train": read["data"]["train"], "fingerprint": dataset.fingerprint[:16]},
    }  # fmt: skip
    assert model.compiled and len(dataset) == 4
    assert model.seed == dataset.seed == 3  # its noise too: trainings of two seeds have nothing in common


def test_what_selects_is_part_of_the_training(recipe, tmp_path):
    """Another split, or other weights of the extractor, would be compared with distances that they did not measure."""
    for name, n in (("x", 18), ("held_out", 150), ("few", 128)):
        pictures(tmp_path / f"{name}.npz", n, n, side=28)

    def read(split, extractor="lenet_mnist", side=28):
        found = recipes.read(recipe)
        found["model"]["image_shape"] = [side, side, 1]
        found["data"]["validation"], found["card"]["extractor"] = (tmp_path / f"{split}.npz").as_posix(), extractor
        return found

    model, dataset, validation = training.prepared(read("held_out"))
    (metric,) = model.measures
    assert metric.name == "frechet_distance" and len(validation.images) == 150
    said = training.about_run(read("held_out"), model, dataset, validation)["data"]
    assert said["validation"].endswith("held_out.npz") and said["validation_fingerprint"] == validation.fingerprint[:16]
    assert said["extractor"] == [fingerprint(metric.extractor)[:16]]
    for wrong, sentence in (
        (
            read("few"),
            "few.npz has 128 images; to choose by the Frechet distance in 128 features of lenet_mnist it needs",
        ),
        (read("held_out", "lenet_mist"), "There is no model 'lenet_mist'. Did you mean"),
    ):
        with pytest.raises(ValueError, match=sentence):
            training.prepared(wrong)
    pictures(tmp_path / "held_out.npz", 0, 150, side=32)
    with pytest.raises(ValueError, match=r"Saw images of shape \(None, 32, 32, 1\), but the extractor"):
        training.selection(read("held_out", side=32), DCGAN((32, 32, 1), latent_size=2, width=2))
