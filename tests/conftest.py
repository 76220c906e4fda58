"""What every test file shares: which tests may be skipped, and one seed."""

import importlib.util
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported, by subprocesses too
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `import kerasgan` would, were it always the first
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["KERASGAN_HOME"] = tempfile.mkdtemp(prefix="kerasgan-tests-")  # not the cache of whoever runs the tests
# A shell that starts the tests in the background lets them ignore Ctrl-C, and with them the children they interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST = {"test_conformance_distribute", "test_workers", "test_conformance", "test_conformance_use", "test_backends"}


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="run what takes long, and that alone: make soak")


def pytest_collection_modifyitems(config, items):
    soaking = config.getoption("--soak")
    others = [item for item in items if bool(item.get_closest_marker("soak")) != soaking]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)
    items.sort(key=lambda item: item.path.stem not in LONGEST)  # or one process would be left with them at the end
    data = os.environ.get("TFDS_DATA_DIR")
    missing = {}
    if not (data and Path(data).is_dir()):
        missing["real_data"] = "real data: set TFDS_DATA_DIR"
    if importlib.util.find_spec("torch") is None:
        missing["torch"] = "torch: pip install torch"
    for item in items:
        for mark, reason in missing.items():
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def one_seed():
    """Every test of a file that imports keras starts from the same state; the others need not pay for the import."""
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(7)


# --- a tiny entry of the zoo, trained for real ------------------------------------------------------------------------

TINY = """
[model]
variant = "DCGAN"
image_shape = [28, 28, 1]
latent_size = 8
width = 4
kernel_size = 4
average_momentum = 0.5

[compile]
loss = "relativistic"
penalty = { kind = "r1_r2", weight = { schedule = "cosine", first = 1.0, last = 0.1 } }
generator_optimizer = { name = "adam", learning_rate = { schedule = "linear", first = 0.02, last = 0.0 }, beta_1 = 0.0 }
discriminator_optimizer = { name = "adam", learning_rate = 0.02, beta_1 = 0.0 }

[fine_tuning]
loss = "relativistic"
penalty = { kind = "r1_r2", weight = 0.1 }

[data]
train = "IMAGES"
licence = "CC0"

[training]
epochs = 6
batch_size = 16
checkpoint_steps = 3

[card]
kind = "generator"
title = "Squares from noise"
task = "unconditional image generation"
summary = "Draws bright squares."
weights_licence = "Apache-2.0"
commercial = true
"""


def squares(n):
    """`n` pictures of a bright square: uint8 (n, 28, 28, 1)."""
    import numpy as np

    images = np.full((n, 28, 28, 1), 20, "uint8")
    for image, (x, y) in zip(images, np.random.default_rng(0).integers(2, 16, (n, 2)), strict=True):
        image[y : y + 10, x : x + 10] = 230
    return images


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory):
    """The path of `tiny.toml`, a recipe of six epochs of four steps on 64 pictures of a bright square."""
    import numpy as np

    folder = tmp_path_factory.mktemp("recipe")
    np.savez(folder / "squares.npz", images=squares(64))
    path = folder / "tiny.toml"
    path.write_text(TINY.replace("IMAGES", (folder / "squares.npz").as_posix()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_entry(tiny_recipe, tmp_path_factory):
    """The folder of an entry that `kerasgan.training` made of `tiny.toml`; a test that changes it takes `tiny_zoo`."""
    from kerasgan import training

    return training.train(tiny_recipe, tmp_path_factory.mktemp("run") / "tiny", verbose=0)


@pytest.fixture
def tiny_zoo(tiny_entry, tmp_path, monkeypatch):
    """A zoo of the user's own, alone in the world: a copy of the entry as `tiny`; no shipped zoo, cache or mirror."""
    from kerasgan import zoo

    place = tmp_path / "zoo"
    shutil.copytree(tiny_entry, place / "tiny")
    monkeypatch.setattr(zoo, "shipped", lambda: None)
    monkeypatch.setenv("KERASGAN_ZOO", str(place))
    monkeypatch.setenv("KERASGAN_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KERASGAN_MIRROR", raising=False)
    return place
