"""Everything a training needs to go on, as one atomic unit: players, average, both optimizers, random state, step.

A checkpoint is two files, `step-00000400.weights.h5` and `step-00000400.json`; the second holds the first's SHA-256 and
is renamed into place last, so a checkpoint exists wholly or not at all. HDF5 has no checksum of its own.
"""

import json
import pathlib
import signal
import threading
import warnings

import keras

from kerasgan import replicas
from kerasgan.files import sha256, stored, write_atomically, write_json


class Checkpoints:
    """The checkpoints of one training, in a folder.

    Args:
        folder: where; made if it does not exist. keep: how many of the newest are kept.
        about: what the training is, {section: {key: plain value}}; only one that says the same goes on from here.
    """

    def __init__(self, folder, keep=2, about=None):
        self.folder, self.keep, self.about = pathlib.Path(folder), keep, plain(about)

    def steps(self):
        """The steps of the checkpoints that exist, oldest first."""
        return sorted(int(path.stem.removeprefix("step-")) for path in self.folder.glob("step-*.json"))

    def paths(self, step):
        """The two files (weights, description) of a checkpoint."""
        return tuple(self.folder / f"step-{step:08d}{suffix}" for suffix in (".weights.h5", ".json"))

    def save(self, model):
        """Save the compiled model at its present step; returns the step.

        Raises:
            FloatingPointError: a weight is not finite; what was saved before stays. OSError: there is no room.
        """
        step = int(model.step.numpy())
        if not model.is_finite():
            raise FloatingPointError(
                f"The weights are no longer finite at step {step}, and were not saved. Try a lower learning rate."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        weights, description = self.paths(step)
        write_atomically(weights, model.save_weights, stored(model.state))
        content = {"step": step, "model": described(model), "about": self.about}
        write_json(description, content | {"sha256": sha256(weights), "keras": keras.__version__})
        for old in self.steps()[: -self.keep]:
            for path in reversed(self.paths(old)):  # first the description: half a checkpoint is none
                path.unlink(missing_ok=True)
        return step

    def restore(self, model):
        """Bring the compiled model to its newest whole checkpoint; returns the step, or None if there is none at all.

        Raises:
            ValueError: the checkpoint is of another model, or of another training.
            OSError: there are checkpoints, and all are damaged.
        """
        damaged = []
        for step in reversed(self.steps()):
            weights, description = self.paths(step)
            try:
                content = json.loads(description.read_text(encoding="utf-8"))
                whole = content["sha256"] == sha256(weights) and "model" in content
            except (OSError, ValueError, KeyError, TypeError):
                whole = False
            if not whole:
                damaged.append(weights.name)
                continue
            self.check_about(description, content.get("about"))  # first: another seed is another model's too
            if content["model"] != described(model):
                raise ValueError(
                    f"{weights} is a checkpoint of another model: {content['model']}, not {described(model)}."
                )
            if damaged:
                warnings.warn(f"Damaged, passed over: {', '.join(damaged)}. Going on from step {step}.", stacklevel=2)
            model.load_weights(weights)
            return step
        if damaged:
            raise OSError(
                f"Every checkpoint in {self.folder} is damaged: {', '.join(damaged)}. Start anew with another --output."
            )
        return None

    def check_about(self, path, about):
        """Refuse the checkpoint of another training; one that does not say what it is of agrees with all."""
        if about is None or self.about is None:
            return
        before, now = flat(about), flat(self.about)
        if differ := [key for key in sorted(before | now) if before.get(key) != now.get(key)]:
            words = "; ".join(f"{key} was {before.get(key)!r}, now {now.get(key)!r}" for key in differ)
            raise ValueError(
                f"{path} is of another training: {words}. Go on with the same recipe, pictures, --data and --epochs,"
                " or start anew with another --output."
            )


def plain(value):
    """A value as JSON gives it back."""
    return json.loads(json.dumps(value, default=str))


def flat(about):
    """{"[section] key": value} of sections."""
    return {f"[{section}] {key}": value for section, content in about.items() for key, value in content.items()}


def described(model):
    """What a checkpoint must agree on with the model it is loaded into."""
    config = {k: v for k, v in model.get_config().items() if k not in ("name", "trainable", "dtype")}
    return plain({"class": type(model).__name__, "config": config})


class SaveCheckpoints(keras.callbacks.Callback):
    """Save a checkpoint every so many steps, at each epoch's end, and when the training is told to stop.

    SIGINT (Ctrl-C) and SIGTERM end the training after the step in progress, saved; a second one ends it at once. Of
    several workers one that is told so is enough: all stop at the same step.

    Args:
        checkpoints: a `Checkpoints`. every: steps between two.
    """

    def __init__(self, checkpoints, every=200):
        super().__init__()
        self.checkpoints, self.every, self.interrupted, self.handlers = checkpoints, every, None, {}

    def on_train_begin(self, logs=None):
        """Listen for signals, where Python allows it: in the main thread."""
        self.periods = self.whole_periods()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.handlers[number] = signal.signal(number, self.interrupt)

    def interrupt(self, number, frame):
        """Stop after this step; the next signal acts as it did before."""
        self.interrupted = number
        if not replicas.across_workers():  # or this worker would leave the others waiting
            self.model.stop_training = True
        self.restore_handlers()

    def told(self):
        """Whether this process was told to stop, or any of several workers, which all ask at the same step."""
        return bool(replicas.total(bool(self.interrupted)))

    def restore_handlers(self):
        """Give the signals back."""
        while self.handlers:
            signal.signal(*self.handlers.popitem())

    def whole_periods(self):
        """How often `every` steps have passed; a call of several steps (steps_per_execution) may pass by the last."""
        return int(self.model.step.numpy()) // self.every

    def on_train_batch_end(self, batch, logs=None):
        """Save when it is time; not at the epoch's end, of which validation and history are still to come."""
        told = self.told()
        if told:
            self.model.stop_training = True
        earlier, self.periods = self.periods, self.whole_periods()
        if (told or self.periods > earlier) and batch + 1 != self.params["steps"]:
            self.checkpoints.save(self.model)

    def on_epoch_end(self, epoch, logs=None):
        """Save the epoch's end."""
        self.checkpoints.save(self.model)

    def on_train_end(self, logs=None):
        """Give the signals back."""
        self.restore_handlers()
