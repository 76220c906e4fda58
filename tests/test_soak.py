"""What takes long (`make soak`): one process killed at twenty steps, and of two workers one or the other at six."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import test_workers
from test_training_resumed import arrays

from kerasgan.checkpoints import Checkpoints

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3000)]
recipes, recipe = test_workers.recipes, test_workers.recipe

CHILD = """
import os, pathlib, signal, sys
import keras
from kerasgan import training
recipe, run, step = sys.argv[1:]

class Die(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) == int(step):
            os.kill(os.getpid(), signal.SIGKILL)

training.train(recipe, run, resume=(pathlib.Path(run) / "checkpoints").exists(), callbacks=[Die()], verbose=0)
"""


def trained(*arguments):
    """The exit code of a training in a process of its own."""
    done = subprocess.run([sys.executable, "-c", CHILD, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def test_killed_at_twenty_random_steps(tiny_recipe, tmp_path):
    """The same bits, wherever it was, of every weight, moment and random state."""
    assert trained(tiny_recipe, tmp_path / "whole", 0) == 0
    whole = arrays(tmp_path / "whole" / "checkpoints" / "step-00000024.weights.h5")
    steps = np.random.default_rng(0).permutation(np.arange(4, 24)).tolist()  # before 3 there is no checkpoint
    for step in steps:
        run = tmp_path / f"killed-{step}"
        assert trained(tiny_recipe, run, step) == -signal.SIGKILL
        assert Checkpoints(run / "checkpoints").steps()[-1] < step + 1
        assert trained(tiny_recipe, run, 0) == 0
        found = arrays(run / "checkpoints" / "step-00000024.weights.h5")
        differing = [place for place in whole if not np.array_equal(found[place], whole[place])]
        assert not differing, f"killed at {step}: {differing}"
        golden = [(folder / "entry" / "golden.npz").read_bytes() for folder in (run, tmp_path / "whole")]
        assert golden[0] == golden[1]


@pytest.fixture(scope="module")
def alone(recipe, tmp_path_factory):
    """The run of one process."""
    run = tmp_path_factory.mktemp("alone") / "one"
    process = test_workers.command("train", recipe, "-o", run)
    assert process.wait(timeout=300) == 0, process.communicate()
    return run


@pytest.mark.parametrize("step", [4, 15, 33])
@pytest.mark.parametrize("index", [0, 1], ids=["the chief", "the other"])
def test_a_worker_killed(recipe, alone, tmp_path, index, step):
    launched = test_workers.command("launch", "--workers", 2, "--", "train", recipe, "-o", tmp_path / "two")
    said, code = test_workers.killed_once(launched, tmp_path / "two", index, step)
    assert code == 0 and f"Lost worker {index} (killed by SIGKILL)" in said, said
    weights = [arrays(run / "entry" / "generator.weights.h5") for run in (alone, tmp_path / "two")]
    for place, values in weights[0].items():
        np.testing.assert_allclose(weights[1][place], values, atol=1e-3)
    assert Checkpoints(tmp_path / "two" / "checkpoints").steps()[-1] == 48


def test_told_to_stop_all_stop_at_one_step(recipe, alone, tmp_path):
    """SIGTERM to the launcher, or to a single worker; saved, and gone on with."""
    run, line = tmp_path / "two", ("--workers", 2, "--", "train", recipe, "-o", tmp_path / "two")
    for step, told in ((6, lambda process: process.pid), (20, lambda process: test_workers.children(process)[1])):
        launched = test_workers.command("launch", *line, *(["--resume"] if run.exists() else []))
        test_workers.wait_for(launched, run, step)
        os.kill(told(launched), signal.SIGTERM)
        _, said = launched.communicate(timeout=300)
        assert launched.returncode == 130 and "Stopped at step" in said, said
        assert f"Stopped at step {Checkpoints(run / 'checkpoints').steps()[-1]} of 48" in said
    launched = test_workers.command("launch", *line, "--resume")
    assert launched.wait(timeout=300) == 0, launched.communicate()
    weights = [arrays(folder / "entry" / "generator.weights.h5") for folder in (alone, run)]
    for place, values in weights[0].items():
        np.testing.assert_allclose(weights[1][place], values, atol=1e-3)
