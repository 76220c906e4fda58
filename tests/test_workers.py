"""Real processes over loopback: a training by two workers, one of which is killed, makes the entry that one would."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import TINY, squares
from test_training_resumed import arrays

from kerasgan import training, zoo
from kerasgan.checkpoints import Checkpoints

MEASURED = """validation = "MORE"
licence = "CC0"

[training]
choose = "best"
"""


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    """As `tiny.toml`, of twelve epochs, without BatchNorm, which sees a worker's images alone: {name: its path}, of one
    that is not measured, and of one whose pair is chosen by validation."""
    folder = tmp_path_factory.mktemp("recipe")
    images = squares(264)
    np.savez(folder / "train.npz", images=images[:64])
    np.savez(folder / "more.npz", images=images[64:])
    text = TINY.replace("IMAGES", (folder / "train.npz").as_posix()).replace("epochs = 6", "epochs = 12")
    text = text.replace("width = 4", "width = 4\ngenerator_norm = false").replace("0.02,", "0.002,")
    # Adam moves a weight of hardly a slope by the sign of its last digits, which one and two workers round differently.
    text = text.replace("beta_1 = 0.0 }", "beta_1 = 0.0, epsilon = 1e-5 }")
    measured = MEASURED.replace("MORE", (folder / "more.npz").as_posix())
    chosen = text.replace('licence = "CC0"\n\n[training]\n', measured) + 'extractor = "lenet_mnist"\n'
    paths = {name: folder / f"{name}.toml" for name in ("plain", "measured")}
    for path, content in zip(paths.values(), (text, chosen), strict=True):
        path.write_text(content, encoding="utf-8")
    return paths


@pytest.fixture(scope="module")
def recipe(recipes):
    """The path of the second."""
    return recipes["measured"]


def command(*arguments, **options):
    """A process of the command."""
    line = [sys.executable, "-m", "kerasgan", *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def children(process):
    """The processes that it has started, oldest first."""
    found = subprocess.run(["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


def wait_for(launched, run, step):
    """Wait until a checkpoint of that step is there, or all is over."""
    while launched.poll() is None and not any(s >= step for s in Checkpoints(run / "checkpoints").steps()):
        time.sleep(0.05)


def killed_once(launched, run, index, step):
    """Kill one of the workers once a checkpoint of that step is there; (what was said, the exit code) at the end."""
    wait_for(launched, run, step)
    os.kill(children(launched)[index], signal.SIGKILL)
    _, said = launched.communicate(timeout=200)
    return said, launched.returncode


@pytest.mark.parametrize("name", ["plain", pytest.param("measured", marks=pytest.mark.soak)])
def test_two_workers_one_of_them_killed(recipes, name, tmp_path):
    """Two together come to what one comes to alone."""
    folders = [tmp_path / run for run in ("one", "two")]
    training.train(recipes[name], folders[0], verbose=0)
    launched = command("launch", "--workers", 2, "--", "train", recipes[name], "-o", folders[1])
    said, code = killed_once(launched, folders[1], index=1, step=12)
    assert code == 0, said
    assert "Lost worker 1 (killed by SIGKILL). All start again from the newest checkpoint; 3 more times" in said
    assert "Another worker has died" in said, "the chief says so too"
    histories = [json.loads((folder / "history.json").read_text()) for folder in folders]
    assert [[epoch["step"] for epoch in history] for history in histories] == [list(range(4, 52, 4))] * 2
    for one, two in zip(*histories, strict=True):
        assert one.keys() == two.keys() and ("val_frechet_distance" in one) == (name == "measured")
        for value in one.keys() - {"seconds"}:
            assert two[value] == pytest.approx(one[value], rel=1e-2, abs=1e-3), value
    if name == "measured":
        notes = [json.loads((folder / "best.json").read_text()) for folder in folders]
        assert notes[0]["step"] == notes[1]["step"]
    drawn = [sorted(path.name for path in folder.rglob("*.png")) for folder in folders]
    assert drawn[0] == drawn[1]
    weights = [arrays(folder / "entry" / "generator.weights.h5") for folder in folders]
    for place, values in weights[0].items():
        np.testing.assert_allclose(weights[1][place], values, atol=1e-3)
    assert zoo.verify(folders[1] / "entry")["ok"]
