"""What watches a training: it stops on NaN, draws samples, keeps the best average, and tells how far it is."""

import json
import pathlib

import keras
import numpy as np

from kerasgan import images, plotting
from kerasgan.files import sha256, write_atomically, write_json


class StopOnNaN(keras.callbacks.Callback):
    """Stop when a loss is no longer finite, name the step, and put the last good weights back.

    A last step with a finite loss may leave weights that are not: they are looked at when the training ends. `fit` adds
    one where none is given.

    Args:
        every: steps between the copies of the weights that are kept to go back to.

    Raises:
        FloatingPointError: from `fit`, with the step, what was no longer finite, and what to try.
    """

    def __init__(self, every=200):
        super().__init__()
        self.every = every

    def on_train_begin(self, logs=None):
        """Keep the weights as they come."""
        self.seen, self.good = 0, None
        self.keep()

    def keep(self):
        """Copy all variables, if they are finite."""
        if self.model.is_finite():
            values = [keras.ops.convert_to_numpy(v).copy() for v in self.model.state]
            self.good = (int(self.model.step.numpy()), values)

    def on_train_batch_end(self, batch, logs=None):
        """Look at the losses of the step."""
        for name, value in (logs or {}).items():
            value = keras.ops.convert_to_numpy(value)
            if name.endswith("_loss") and not np.isfinite(value).all():
                raise FloatingPointError(self.undone(f"{name} became {float(np.ravel(value)[0])}"))
        self.seen += 1
        if self.seen % self.every == 0:
            self.keep()

    def on_train_end(self, logs=None):
        """Look at what the last step left."""
        if not self.model.is_finite():
            raise FloatingPointError(self.undone("weights became NaN or infinite"))

    def undone(self, what):
        """Put the last good weights back, and say what happened."""
        message = f"{what} at step {int(self.model.step.numpy())}"
        if self.good is None:
            return f"{message}, and the weights were not finite before training: load good ones first."
        step, values = self.good
        for variable, kept in zip(self.model.state, values, strict=True):
            variable.assign(kept)
        return f"{message}; the weights are those of step {step}, the last good ones. Try a lower learning rate."


class SampleGrid(keras.callbacks.Callback):
    """Draw the same latents after every epoch: `epoch-0001.png`, `epoch-0002.png`, ...

    Args:
        folder: where the pictures go; made if it does not exist. n: images in the grid. seed: of their latents.
    """

    def __init__(self, folder, n=64, seed=0):
        super().__init__()
        self.folder, self.n, self.seed = pathlib.Path(folder), n, seed

    def on_epoch_end(self, epoch, logs=None):
        """Write the grid, of the average."""
        self.folder.mkdir(parents=True, exist_ok=True)
        grid = plotting.grid(self.model.generate(self.n, seed=self.seed))
        images.write(self.folder / f"epoch-{epoch + 1:04d}.png", grid)


class BestAverage(keras.callbacks.Callback):
    """Keep the average of the best epoch in a file; whoever ends the training gives it back.

    GANs get worse again: the last epoch is seldom the best. Choose by a split cut from the training data.

        >>> best = BestAverage("best.weights.h5", monitor="val_frechet_distance")
        >>> model.fit(images, epochs=20, validation_data=validation_images, callbacks=[best])
        >>> best.give_back(model)

    The callback changes nothing in the model, for a training that goes on needs the average as it is. An epoch that was
    cut short counts for nothing: the training that resumes it will end it.

    Args:
        path: of a `.weights.h5` file; beside it a `.json` says of which epoch it is, so that a training that is resumed
            remembers. A pair that does not belong together counts as none.
        monitor: what the logs call the number. mode: "min" or "max", whichever is better.

    Raises:
        ValueError: a path or a mode that is none; or, after the first epoch, no such number in the logs.
    """

    def __init__(self, path, monitor="val_frechet_distance", mode="min"):
        super().__init__()
        if not str(path).endswith(".weights.h5") or mode not in ("min", "max"):
            raise ValueError(f"path ends in .weights.h5 and mode is 'min' or 'max'; saw {str(path)!r} and {mode!r}.")
        self.path, self.monitor, self.mode, self.best = pathlib.Path(path), monitor, mode, None

    @property
    def note(self):
        """The path of the note: {monitor, value, epoch, step, sha256}."""
        return self.path.with_name(self.path.name.removesuffix(".weights.h5") + ".json")

    def remembered(self, model):
        """The note that lies there; None if of another number or other weights, or of a training that came further."""
        if not (self.note.is_file() and self.path.is_file()):
            return None
        best = json.loads(self.note.read_text(encoding="utf-8"))
        mine = best["monitor"] == self.monitor and best["step"] <= int(model.step.numpy())
        return best if mine and best["sha256"] == sha256(self.path) else None

    def on_train_begin(self, logs=None):
        """Remember the best of a training that goes on."""
        self.best = self.remembered(self.model)

    def on_train_batch_end(self, batch, logs=None):
        """Note how far the epoch came."""
        self.last = batch

    def on_epoch_end(self, epoch, logs=None):
        """Keep the average if no epoch before had a better one."""
        steps = self.params["steps"]  # None: nobody knows
        if steps is not None and self.last < steps - 1:
            return
        if self.monitor not in (logs or {}):
            raise ValueError(f"The logs have no {self.monitor!r}, only {', '.join(logs or {})}: pass validation_data.")
        value, sign = float(logs[self.monitor]), 1 if self.mode == "min" else -1
        if np.isfinite(value) and (self.best is None or sign * value < sign * self.best["value"]):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path, self.model.average.save_weights)
            where = {"epoch": epoch + 1, "step": int(self.model.step.numpy()), "sha256": sha256(self.path)}
            self.best = {"monitor": self.monitor, "value": value, **where}
            write_json(self.note, self.best)

    def give_back(self, model):
        """Load the best average into the model, once the training is over; returns the note, None if there is none."""
        if self.model is None:  # resumed at its very end: nothing was left to train
            self.best = self.remembered(model)
        if self.best is not None:
            model.average.load_weights(self.path)
        return self.best


class Progress(keras.callbacks.Callback):
    """A progress bar on stderr with the losses and the time left; a line per epoch where stderr is no terminal.

    Args:
        epochs: of the whole training, where `fit` is called for a part of it; None is `fit`'s own.
    """

    def __init__(self, epochs=None):
        super().__init__()
        self.epochs = epochs

    def on_train_begin(self, logs=None):
        """Open the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.console = Console(stderr=True)
        columns = [TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"), BarColumn(), MofNCompleteColumn()]
        columns += [TimeRemainingColumn(), TextColumn("{task.fields[losses]}")]
        self.bar = Progress(*columns, console=self.console, disable=not self.console.is_terminal)
        self.task = self.bar.add_task("", total=self.params["steps"], **self.fields(0))
        self.bar.start()

    def fields(self, epoch):
        """What the columns show of an epoch."""
        return {"epoch": epoch, "epochs": self.epochs or self.params["epochs"], "losses": ""}

    def on_epoch_begin(self, epoch, logs=None):
        """Start the bar anew."""
        self.bar.reset(self.task, total=self.params["steps"], **self.fields(epoch + 1))  # it forgets the others

    def on_train_batch_end(self, batch, logs=None):
        """Move the bar."""
        self.bar.update(self.task, completed=batch + 1, losses=self.words(logs) if self.console.is_terminal else "")

    def on_epoch_end(self, epoch, logs=None):
        """Leave a line."""
        line = f"epoch {epoch + 1}/{self.epochs or self.params['epochs']}: {self.words(logs)}"
        self.console.print(line, highlight=False, soft_wrap=True)  # or it would break at 80 characters in a log

    def on_train_end(self, logs=None):
        """Close the bar."""
        self.bar.stop()

    @staticmethod
    def words(logs):
        """The logs in a line."""
        values = {name: float(np.mean(keras.ops.convert_to_numpy(value))) for name, value in (logs or {}).items()}
        return ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in values.items())
