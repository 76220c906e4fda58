"""How far a training is, for whoever waits in front of a terminal."""

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


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
        self.console = Console(stderr=True)
        columns = [TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"), BarColumn(), MofNCompleteColumn()]
        columns += [TimeRemainingColumn(), TextColumn("{task.fields[losses]}")]
        self.bar = Bar(*columns, console=self.console, disable=not self.console.is_terminal)
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


class Tiles:
    """A progress bar on stderr for each picture that is made tile by tile; nothing where stderr is no terminal."""

    def __init__(self):
        self.console = Console(stderr=True)
        self.bar = None

    def __call__(self, name, done, total):
        """Move the bar: so many of all pixels of that picture are done."""
        if not self.console.is_terminal:
            return
        if self.bar is None:
            columns = [TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn()]
            options = dict(console=self.console, transient=True, redirect_stdout=False, redirect_stderr=False)
            self.bar = Bar(*columns, TimeRemainingColumn(), **options)
            self.bar.add_task(name, total=total)
            self.bar.start()
        self.bar.update(self.bar.task_ids[0], completed=done)

    def stop(self):
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()
        self.bar = None
