"""Thousands of spoilt entries, half of them hashed again: each is refused in a sentence of ours, or does no harm.

No crash of the interpreter, no code run, no file written; some of it here, all of it in `make soak`.
"""

import shutil
from concurrent.futures import ThreadPoolExecutor

import goldens
import hostile
import pytest

from kerasgan import zoo


@pytest.fixture(scope="module")
def entry(tiny_entry, tmp_path_factory):
    """The tiny entry, with a `.keras` file beside."""
    folder = tmp_path_factory.mktemp("hostile") / "entry"
    shutil.copytree(tiny_entry, folder)
    zoo.load(folder).save(folder / "model.keras")
    return folder


def attacked(entry, place, seed, count):
    """What came of so many attacks, in a child."""
    place.mkdir()
    try:
        return goldens.in_child(hostile.attack, seed, count, str(entry), str(place), folder=place)
    except AssertionError as error:
        pytest.fail(f"seed {seed} brought the interpreter down at {(place / 'now.txt').read_text()}: {error}")


def test_some(entry, tmp_path):
    found = attacked(entry, tmp_path / "place", 0, 60)
    assert found["faults"] == [] and found["refused"] > 30 and found["harmless"] > 5


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand(entry, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        all_found = list(pool.map(lambda seed: attacked(entry, tmp_path / str(seed), seed, 500), range(1, 21)))
    assert [fault for found in all_found for fault in found["faults"]] == []
    assert sum(found["refused"] + found["harmless"] for found in all_found) == 10_000
