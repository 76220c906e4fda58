"""What watches a training: NaN stops it and is undone, samples are drawn, the best average is kept."""

import keras
import numpy as np
import pytest
from goldens import cgan
from PIL import Image

from kerasgan import DCGAN, callbacks, images

NAN = float("nan")


class Fall(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is NaN after so many steps."""

    def __init__(self, after):
        self.after = after

    def __call__(self, step):
        return keras.ops.where(step < self.after, 0.01, NAN)


def tiny(nan_after=1000):
    """A small game in eager steps."""
    model = DCGAN((16, 16, 1), latent_size=2, width=2, kernel_size=2)
    model.compile(keras.optimizers.Adam(Fall(nan_after)), keras.optimizers.Adam(0.01), run_eagerly=True)
    return model


def pictures(n=24):
    return np.random.default_rng(0).integers(0, 256, (n, 16, 16, 1)).astype("uint8")


def values(model):
    return [keras.ops.convert_to_numpy(variable).copy() for variable in model.state]


class Keep(keras.callbacks.Callback):
    """The model's whole state after every step."""

    def on_train_begin(self, logs=None):
        self.states = {0: values(self.model)}

    def on_train_batch_end(self, batch, logs=None):
        self.states[int(self.model.step)] = values(self.model)


# --- NaN --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("every", "good"), [(1, 3), (2, 2), (200, 0)])
def test_stop_on_nan_goes_back_to_the_last_good_weights(every, good):
    """Step 4 makes the weights NaN, step 5's losses are: what was kept in between is not good either."""
    model, keep = tiny(nan_after=3), Keep()
    sentence = f"_loss became nan at step 5; the weights are those of step {good}, the last good ones. Try a lower"
    with pytest.raises(FloatingPointError, match=sentence):
        model.fit(pictures(), batch_size=4, verbose=0, callbacks=[keep, callbacks.StopOnNaN(every)])
    assert list(keep.states) == [0, 1, 2, 3, 4, 5] and not all(np.isfinite(v).all() for v in keep.states[4])
    assert int(model.step) == good
    for mine, kept in zip(values(model), keep.states[good], strict=True):
        np.testing.assert_array_equal(mine, kept)


def test_fit_adds_one():
    model = tiny(nan_after=1)
    with pytest.raises(FloatingPointError, match="became nan at step 3; the weights are those of step 0"):
        model.fit(pictures(), batch_size=4, verbose=0)
    assert np.isfinite(model.generate(2, seed=0)).all()


def test_a_later_fit_goes_back_to_its_own_beginning():
    model = tiny(nan_after=8)
    model.fit(pictures(), batch_size=4, verbose=0)
    with pytest.raises(FloatingPointError, match="at step 10; the weights are those of step 6"):
        model.fit(pictures(), batch_size=4, verbose=0)


def test_weights_that_were_never_good():
    model = tiny()
    model.generator.weights[0].assign(model.generator.weights[0] * NAN)
    with pytest.raises(FloatingPointError, match="at step 1, and the weights were not finite before training: load"):
        model.fit(pictures(), batch_size=4, verbose=0)


@pytest.mark.parametrize("every", [1, 200])
def test_a_last_step_that_leaves_nan_is_noticed(every):
    """Its losses are those of the weights before it, and finite."""
    model, good = tiny(nan_after=2), 2 if every == 1 else 0
    sentence = f"weights became NaN or infinite at step 3; the weights are those of step {good}, the last good ones"
    with pytest.raises(FloatingPointError, match=sentence):
        model.fit(pictures(12), batch_size=4, verbose=0, callbacks=[callbacks.StopOnNaN(every)])
    assert model.is_finite() and int(model.step) == good


# --- samples ----------------------------------------------------------------------------------------------------------


def test_sample_grid_draws_the_same_latents_after_every_epoch(tmp_path):
    model = tiny()
    folder = tmp_path / "new" / "samples"
    model.fit(pictures(8), batch_size=4, epochs=2, verbose=0, callbacks=[callbacks.SampleGrid(folder, n=6, seed=3)])
    assert sorted(path.name for path in folder.iterdir()) == ["animation.gif", "epoch-0001.png", "epoch-0002.png"]
    last = images.read(folder / "epoch-0002.png")
    assert last.shape == (2 * 18 + 2, 3 * 18 + 2, 1)
    for i, image in enumerate(model.generate(6, seed=3)):
        y, x = 2 + i // 3 * 18, 2 + i % 3 * 18
        np.testing.assert_array_equal(last[y : y + 16, x : x + 16], image)
    model.fit(pictures(8), batch_size=4, epochs=4, initial_epoch=2, verbose=0,
              callbacks=[callbacks.SampleGrid(folder, n=6, seed=3)])  # fmt: skip
    with Image.open(folder / "animation.gif") as animation:  # of the training that went on: all four
        assert animation.n_frames == 4
        animation.seek(1)
        np.testing.assert_array_equal(np.asarray(animation.convert("L")), last[..., 0])
    model.fit(pictures(8), batch_size=4, epochs=2, verbose=0, callbacks=[callbacks.SampleGrid(folder, n=3, seed=3)])
    with Image.open(folder / "animation.gif") as animation:  # of another training: the older pictures are not its own
        assert animation.n_frames == 2
    model.fit(pictures(8), batch_size=4, epochs=1, verbose=0, callbacks=[callbacks.SampleGrid(folder, n=6, seed=3)])
    with Image.open(folder / "animation.gif") as animation:
        assert getattr(animation, "n_frames", 1) == 1


@pytest.mark.parametrize(("n", "shape"), [(6, (2, 3)), (2, (1, 2))])
def test_in_a_sample_grid_a_class_is_a_column(tmp_path, n, shape):
    model = cgan()
    model.compile()
    photos = np.random.default_rng(0).integers(0, 256, (6, 15, 18, 1)).astype("uint8")
    model.fit(photos, np.arange(6) % 3, verbose=0, callbacks=[callbacks.SampleGrid(tmp_path, n=n)])
    assert images.read(tmp_path / "epoch-0001.png").shape == (shape[0] * 17 + 2, shape[1] * 20 + 2, 1)


# --- the best pair ----------------------------------------------------------------------------------------------------


class Script(keras.callbacks.Callback):
    """Puts a number into the logs of each epoch, before the callbacks behind it; keeps the pairs."""

    def __init__(self, numbers):
        super().__init__()
        self.numbers, self.averages, self.discriminators = list(numbers), [], []

    def on_epoch_end(self, epoch, logs=None):
        logs["val_distance"] = self.numbers.pop(0)
        for kept, network in ((self.averages, self.model.average), (self.discriminators, self.model.discriminator)):
            kept.append([w.copy() for w in network.get_weights()])


def same(weights, others):
    return all(np.array_equal(a, b) for a, b in zip(weights, others, strict=True))


@pytest.mark.parametrize(
    ("mode", "numbers", "epoch"), [("min", [4, 2, 3, NAN], 2), ("max", [1, 0, 3, 2], 3), ("min", [2, 2, 2, 5], 1)]
)
def test_best_pair(tmp_path, mode, numbers, epoch):
    model, script = tiny(), Script(numbers)
    best = callbacks.BestPair(tmp_path / "run" / "best.weights.h5", "val_distance", mode)
    model.fit(pictures(16), batch_size=8, epochs=4, verbose=0, callbacks=[script, best])
    assert best.best["epoch"] == epoch and best.best["value"] == numbers[epoch - 1] and best.best["step"] == 2 * epoch
    assert same(model.average.get_weights(), script.averages[-1]), "a training that goes on needs the average as it is"
    assert best.give_back(model) == best.best
    assert same(model.average.get_weights(), script.averages[epoch - 1])
    assert same(model.discriminator.get_weights(), script.discriminators[epoch - 1])
    assert not same(script.averages[0], script.averages[-1])


def test_best_pair_of_a_training_that_has_ended(tmp_path):
    """Resumed when nothing is left to train, it still knows what to give back; where there is nothing, nothing."""
    model, script, path = tiny(), Script([2, 3]), tmp_path / "best.weights.h5"
    assert callbacks.BestPair(path, "val_distance").give_back(model) is None
    best = callbacks.BestPair(path, "val_distance")
    model.fit(pictures(), batch_size=8, epochs=2, verbose=0, callbacks=[script, best])
    assert callbacks.BestPair(path, "val_distance").give_back(model)["epoch"] == 1
    assert same(model.average.get_weights(), script.averages[0])


class Cut(keras.callbacks.Callback):
    """Ctrl-C after a step: Keras ends the epoch there, and tells it to the callbacks as any other."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training |= int(self.model.step) == self.step


@pytest.mark.parametrize(("step", "epochs"), [(1, []), (2, []), (3, [1]), (4, [1]), (6, [1, 2])])
def test_best_pair_ignores_an_epoch_that_was_cut(tmp_path, step, epochs):
    """Even the best number of all is none there: three steps an epoch, each epoch better than the last."""
    model, best = tiny(), callbacks.BestPair(tmp_path / "best.weights.h5", "val_distance")
    model.fit(pictures(), batch_size=8, epochs=3, verbose=0, callbacks=[Script([3, 2, 1]), Cut(step), best])
    assert int(model.step) == step and (best.best or {"epoch": None})["epoch"] == (epochs[-1] if epochs else None)


def test_best_pair_remembers_when_a_training_goes_on_and_not_when_one_starts(tmp_path):
    model, path = tiny(), tmp_path / "best.weights.h5"
    model.fit(pictures(), batch_size=8, verbose=0, callbacks=[Script([2]), callbacks.BestPair(path, "val_distance")])
    first = model.average.get_weights()
    again = callbacks.BestPair(path, "val_distance")
    model.fit(pictures(), batch_size=8, verbose=0, callbacks=[Script([3]), again])
    assert again.best["value"] == 2 and not same(model.average.get_weights(), first)
    again.give_back(model)
    assert same(model.average.get_weights(), first)
    tiny().fit(pictures(), batch_size=8, verbose=0, callbacks=[Script([5]), again])  # at step 0, what is there is older
    assert again.best["value"] == 5
    again.note.write_text(again.note.read_text().replace(again.best["sha256"][0], "0" * 64))
    model.fit(pictures(), batch_size=8, verbose=0, callbacks=[Script([7]), again])
    assert again.best["value"] == 7


def test_best_pair_refuses(tmp_path):
    for path, mode in (("best.h5", "min"), ("best.weights.h5", "least")):
        with pytest.raises(ValueError, match="path ends in .weights.h5 and mode is 'min' or 'max'; saw"):
            callbacks.BestPair(path, mode=mode)
    with pytest.raises(ValueError, match="The logs have no 'val_frechet_distance', only .*: pass validation_data"):
        tiny().fit(pictures(), verbose=0, callbacks=[callbacks.BestPair(tmp_path / "best.weights.h5")])
    assert list(tmp_path.iterdir()) == []
