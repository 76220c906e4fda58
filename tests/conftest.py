"""What every test file shares: which tests may be skipped, and one seed."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported, by subprocesses too
os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_collection_modifyitems(items):
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
