"""The folder of a training: where it lies, who holds it, and the history that is kept there."""

import contextlib
import json
import math
import os
import pathlib
import shutil
import tempfile
import time

import keras
import numpy as np

from kerasgan import entries, replicas
from kerasgan.checkpoints import Checkpoints
from kerasgan.files import write_json


def run_folder(path, output=None):
    """The folder of a recipe's run: `output`, or `runs/<name>`."""
    return pathlib.Path(output or pathlib.Path("runs") / entries.name_of(path))


def check_run(run, resume):
    """Refuse to write over a run, and find out before the work whether the folder can be written."""
    steps = Checkpoints(run / "checkpoints").steps()
    if resume and not steps:
        shared = ", or give all workers one folder" if replicas.across_workers() else ""
        raise FileNotFoundError(f"There is no checkpoint in {run} to resume from: start without --resume{shared}.")
    if steps and not resume:
        raise FileExistsError(f"{run} has a run at step {steps[-1]}: go on with --resume, or choose another --output.")
    if (run / "entry").exists() and not resume:
        raise FileExistsError(f"{run} has a finished entry: choose another --output.")
    there = next(folder for folder in (run, *run.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise PermissionError(f"Cannot write in {run}: {there} is not a writable folder. Choose another --output.")


@contextlib.contextmanager
def held(run):
    """The folder to write into: that of the run, which no other training may have; a copy that passes for the workers
    that are not the chief: they do all that the chief does, saving too, in which they may have to agree on numbers.

    Raises:
        FileExistsError: another training holds the folder.
    """
    if replicas.is_chief():
        with alone(run):
            yield run
        return
    with tempfile.TemporaryDirectory(prefix="kerasgan-worker-") as place:
        place = pathlib.Path(place)
        if (run / "checkpoints").is_dir():
            shutil.copytree(run / "checkpoints", place / "checkpoints", ignore=shutil.ignore_patterns(".*"))
        for path in [*run.glob("history.json"), *run.glob("best.*")]:
            shutil.copy(path, place)
        yield place


@contextlib.contextmanager
def alone(run):
    """Hold a run's folder: another training would write over its files.

    Raises:
        FileExistsError: another training holds it. A process that ends, killed or not, lets go.
    """
    run.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # on Windows nobody holds
        yield
        return
    with open(run / ".lock", "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileExistsError(f"Another training is at work in {run}: choose another --output.") from None
        yield


class History(keras.callbacks.Callback):
    """The logs of every epoch and the time spent, kept in a JSON file across resumptions.

    An epoch that was interrupted is put together from its parts: seconds add up, logs are weighed by their steps; what
    validation found is of the end.

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
        self.started, self.first = time.monotonic(), int(self.model.step.numpy())

    def on_epoch_end(self, epoch, logs=None):
        """Note the epoch."""
        values = {name: float(np.mean(value)) for name, value in (logs or {}).items()}
        step, seconds = int(self.model.step.numpy()), time.monotonic() - self.started
        if self.epochs and self.epochs[-1]["epoch"] == epoch + 1:
            earlier = self.epochs.pop()
            begun = self.epochs[-1]["step"] if self.epochs else 0
            share = (step - self.first) / (step - begun)
            summed = {name for name in values if name in earlier and not name.startswith("val_")}
            was = {name: math.nan if earlier[name] is None else earlier[name] for name in summed}  # JSON has no NaN
            values |= {name: share * values[name] + (1 - share) * was[name] for name in summed}
            seconds += earlier["seconds"]
        self.epochs.append({"epoch": epoch + 1, "step": step, "seconds": round(seconds, 2), **values})
        write_json(self.path, self.epochs)
