"""From a recipe to an entry; stopped in any way, a training goes on as if it had not been."""

import json
import os
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kerasgan import DCGAN, data, images, recipes, runs, training, zoo
from kerasgan.checkpoints import Checkpoints

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
run_eagerly = true

[data]
train = "IMAGES"
licence = "CC0"

[training]
epochs = 3
batch_size = 4
seed = 3
checkpoint_steps = 3

[card]
weights_licence = "Apache-2.0"
commercial = true
title = "Noise"
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The path of a recipe of three epochs of four steps, in eager steps: quick to start."""
    folder = tmp_path_factory.mktemp("recipe")
    np.savez(folder / "x.npz", images=np.random.default_rng(0).integers(0, 256, (18, 16, 16, 1)).astype("uint8"))
    (folder / "noise.toml").write_text(RECIPE.replace("IMAGES", (folder / "x.npz").as_posix()))
    return folder / "noise.toml"


class Say(keras.callbacks.Callback):
    """Send this process a signal at a step."""

    def __init__(self, step, number):
        super().__init__()
        self.step, self.number = step, number

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) == self.step:
            os.kill(os.getpid(), self.number)


# --- whole ------------------------------------------------------------------------------------------------------------


def test_train_makes_an_entry(tiny_entry):
    run = tiny_entry.parent
    assert tiny_entry == run / "entry" and zoo.load(tiny_entry).generate(2, seed=0).shape == (2, 28, 28, 1)
    drawn = [path.name for path in sorted((run / "samples").iterdir())]
    assert drawn == ["animation.gif", *(f"epoch-000{i}.png" for i in range(1, 7))]
    assert images.read(run / "samples" / "epoch-0006.png").std() > 5
    assert Checkpoints(run / "checkpoints").steps()[-1] == 24
    history, card = json.loads((run / "history.json").read_text()), zoo.info(tiny_entry)
    assert [(epoch["epoch"], epoch["step"]) for epoch in history] == [(i, 4 * i) for i in range(1, 7)]
    assert {"seconds", "generator_loss", "discriminator_loss", "penalty"} <= set(history[0])
    assert card["name"] == "tiny" and card["history"] == history and card["training"]["steps"] == 24


def test_epochs_seed_and_source_instead_of_the_recipes(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", images=np.random.default_rng(1).integers(0, 256, (9, 16, 16, 1)).astype("uint8"))
    entry = training.train(recipe, epochs=1, source="mine.npz", seed=5, verbose=0)
    assert entry == runs.run_folder(recipe) / "entry" and entry.is_dir()
    card = zoo.info(entry)
    assert card["training"]["epochs"] == 1 and card["training"]["steps"] == 2 and card["training"]["seed"] == 5
    assert card["data"]["train"] == "mine.npz" and card["data"]["training_images"] == 9
    assert card["licences"] == {"code": "Apache-2.0", "weights": "not stated", "data": "not stated"}
    assert card["commercial"] is None and card["title"] == "Noise"


def test_of_source_keeps_what_selects():
    game = {"card": {"title": "x", "weights_licence": "CC0", "commercial": True}, "training": {"epochs": 1},
            "data": {"train": "a", "validation": "b", "test": "c", "licence": "CC0"}}  # fmt: skip
    assert training.of_source(game, None) is game
    mine = training.of_source(game, "mine")
    assert mine == {"card": {"title": "x"}, "data": {"train": "mine"}, "training": {"epochs": 1}}
    extractor = game | {"card": game["card"] | {"kind": "extractor"}}
    assert training.of_source(extractor, "mine")["data"] == {"train": "mine", "validation": "b", "test": "c"}
    assert game["data"]["train"] == "a" and "commercial" in game["card"], "the recipe itself was changed"


# --- stopped ----------------------------------------------------------------------------------------------------------


def test_told_to_stop_it_saves_and_goes_on(recipe, tmp_path):
    """In the middle of an epoch, at its end, and after the last step, when only the entry is left to make."""
    run, checkpoints = tmp_path / "run", Checkpoints(tmp_path / "run" / "checkpoints")
    for step, number in ((6, signal.SIGTERM), (8, signal.SIGINT), (12, signal.SIGTERM)):
        before, say = signal.getsignal(number), Say(step, number)
        with pytest.raises(training.Interrupted, match=f"Stopped at step {step} of 12, saved in .*run. Go on with"):
            training.train(recipe, run, resume=step > 6, callbacks=[say], verbose=0)
        assert signal.getsignal(number) is before
        assert checkpoints.steps()[-1] == step and not (run / "entry").exists()
    last = checkpoints.paths(12)[0].read_bytes()
    card = zoo.info(training.train(recipe, run, resume=True, verbose=0))
    assert checkpoints.paths(12)[0].read_bytes() == last
    assert card["training"]["steps"] == 12 and card["training"]["epochs"] == 3
    assert [(epoch["epoch"], epoch["step"]) for epoch in card["history"]] == [(1, 4), (2, 8), (3, 12)]


def test_a_loss_that_is_nan_leaves_the_last_good_weights(recipe, tmp_path):
    """On disk too, where the process that ends leaves nothing else; and the signals as they were."""
    path = recipe.with_name("nan.toml")
    path.write_text(recipe.read_text().replace("first = 0.01,", "first = 1e30,"))
    before = signal.getsignal(signal.SIGTERM)
    sentence = "_loss became (nan|inf) at step .*; the weights are those of step 0, .* Try a lower learning rate"
    with pytest.raises(FloatingPointError, match=sentence):
        training.train(path, tmp_path / "run", verbose=0)
    assert signal.getsignal(signal.SIGTERM) is before
    checkpoints, (model, *_) = Checkpoints(tmp_path / "run" / "checkpoints"), training.prepared(recipes.read(path))
    assert checkpoints.restore(model) == 0 and model.is_finite()


def test_a_checkpoint_of_weights_that_are_not_finite_is_never_left(recipe, tmp_path):
    """The loss of a step is from before it, so weights break one step earlier than a loss tells."""

    class Break(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step) == 5:
                weight = self.model.generator.weights[0]
                weight.assign(weight * np.nan)
                os.kill(os.getpid(), signal.SIGTERM)

    run = tmp_path / "run"
    with pytest.raises(FloatingPointError):
        training.train(recipe, run, callbacks=[Break()], verbose=0)
    checkpoints, (model, *_) = Checkpoints(run / "checkpoints"), training.prepared(recipes.read(recipe))
    assert checkpoints.restore(model) <= 4 and model.is_finite() and not (run / "entry").exists()


def test_the_history_is_never_behind_a_checkpoint(recipe, tmp_path, monkeypatch):
    """Killed between the two, an epoch would be missing on the card."""
    told, save = [], Checkpoints.save

    def watched(checkpoints, model):
        epochs = json.loads((tmp_path / "run" / "history.json").read_text()) if int(model.step) >= 4 else []
        told.append((int(model.step), len(epochs)))
        return save(checkpoints, model)

    monkeypatch.setattr(Checkpoints, "save", watched)
    text = recipe.read_text().replace("checkpoint_steps = 3", "checkpoint_steps = 100")
    recipe.with_name("rare.toml").write_text(text)
    training.train(recipe.with_name("rare.toml"), tmp_path / "run", verbose=0)
    assert told == [(4, 1), (8, 2), (12, 3)]


def test_play_finishes_a_half_done_epoch_first():
    model = DCGAN((16, 16, 1), latent_size=2, width=2, kernel_size=2)
    model.compile(run_eagerly=True)
    dataset = data.from_arrays(np.zeros((10, 16, 16, 1), "uint8"), batch_size=3)
    for start in (0, 2, 3, 5, 6):
        epochs, steps = [], []
        watch = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs, epochs=epochs: epochs.append(epoch),
            on_train_batch_end=lambda batch, logs, steps=steps: steps.append(int(model.step)),
        )
        model.step.assign(start)
        training.play(model, dataset, 2, start, [watch], verbose=0)
        assert epochs == list(range(start // 3, 2)) and steps == list(range(start + 1, 7))


def test_history_puts_an_interrupted_epoch_together(tmp_path):
    path, model = tmp_path / "history.json", SimpleNamespace(step=keras.Variable(0, dtype="int32"))

    def part(history, epoch, step, loss):
        history.set_model(model)
        history.on_epoch_begin(epoch)
        model.step.assign(step)
        history.on_epoch_end(epoch, {"generator_loss": np.float32(loss), "val_distance": 10 * loss})

    history = runs.History(path)
    part(history, 0, 4, 1.0)
    part(history, 1, 7, 2.0)  # stopped one step before the end
    again = runs.History(path, since=7)
    part(again, 1, 8, 6.0)
    part(again, 2, 12, 5.0)
    expected = [(1, 4, 1.0), (2, 8, 0.75 * 2 + 0.25 * 6), (3, 12, 5.0)]
    noted = json.loads(path.read_text())
    assert [(e["epoch"], e["step"], e["generator_loss"]) for e in noted] == expected
    assert [e["val_distance"] for e in noted] == [10, 60, 50], "what validation found is of the epoch's end"
    assert len(runs.History(path, since=9).epochs) == 2, "what came after the checkpoint is forgotten"
    assert runs.History(path).epochs == [], "a new run starts anew"

    part(runs.History(path), 0, 2, np.nan)
    part(again := runs.History(path, since=2), 0, 4, 1.0)
    assert json.loads(path.read_text())[0]["generator_loss"] is None, "what was lost in its first part stays lost"
    assert np.isnan(again.epochs[0]["generator_loss"])


# --- refused ----------------------------------------------------------------------------------------------------------


def test_find_recipe(recipe):
    assert training.find_recipe(recipe) == recipe
    assert recipes.read(training.find_recipe("dcgan_mnist"))["model"]["variant"] == "DCGAN"
    with pytest.raises(ValueError, match="Unknown recipe 'dcgan_minst'. Did you mean 'dcgan_mnist'?"):
        training.train("dcgan_minst")


def test_run_folder(recipe, tmp_path):
    assert runs.run_folder(recipe, tmp_path / "x") == tmp_path / "x"
    assert runs.run_folder(recipe).as_posix() == "runs/noise"
    assert runs.run_folder(training.find_recipe("dcgan_mnist")).as_posix() == "runs/dcgan_mnist"


def test_check_run(tmp_path):
    def check(resume, run=tmp_path / "run"):
        runs.check_run(run, resume)

    check(resume=False)
    assert not (tmp_path / "run").exists(), "asking made the folder"
    sentence = "There is no checkpoint in .*run to resume from: start without --resume"
    with pytest.raises(FileNotFoundError, match=sentence):
        check(resume=True)
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=sentence):
        check(resume=True)
    (tmp_path / "run" / "checkpoints" / "step-00000040.json").write_text("{}")
    check(resume=True)
    with pytest.raises(FileExistsError, match="run has a run at step 40: go on with --resume, or choose another"):
        check(resume=False)
    (tmp_path / "done" / "entry").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="done has a finished entry: choose another --output"):
        check(resume=False, run=tmp_path / "done")
    (tmp_path / "file").write_text("")
    for run in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(PermissionError, match="Cannot write in .*: .*file is not a writable folder. Choose"):
            check(resume=False, run=run)


@pytest.mark.parametrize(
    ("options", "change", "error", "sentence"),
    [
        ({"epochs": 0}, (), ValueError, "epochs is at least 1; saw 0"),
        ({"resume": True}, (), FileNotFoundError, "no checkpoint in .* to resume"),
        ({"source": "none.npz"}, (), FileNotFoundError, "There is no file none.npz"),
        ({}, ("batch_size = 4", "batch_size = 40"), ValueError, "A batch of 40 from 18 images"),
        ({}, ("[16, 16, 1]", "[32, 32, 1]"), ValueError, r"takes images of shape \(32, 32, 1\); saw \(16, 16, 1\)"),
        ({}, ('loss = "relativistic"', 'loss = "relativstic"'), ValueError, "Did you mean 'relativistic'?"),
        ({}, ("[data]", '[fine_tuning]\nloss = "hing"\n[data]'), ValueError, "Did you mean 'hinge'?"),
    ],
)
def test_refused_before_anything_is_written(recipe, tmp_path, options, change, error, sentence):
    path = recipe.with_name("changed.toml")
    path.write_text(recipe.read_text().replace(*change) if change else recipe.read_text())
    with pytest.raises(error, match=sentence):
        training.train(path, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()
