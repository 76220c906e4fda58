"""Files arrive whole or not at all, and an output that cannot be written is found before the work."""

import hashlib
import json
import math
import os

import pytest

from kerasgan import files


def test_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert files.sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    large = os.urandom(3_000_001)  # more than one block of any buffer
    (tmp_path / "large").write_bytes(large)
    assert files.sha256(tmp_path / "large") == hashlib.sha256(large).hexdigest()


def test_the_temporary_file_lies_beside_with_the_same_suffixes(tmp_path):
    seen = []

    def write(temporary):
        seen.append(temporary)
        temporary.write_text("new")

    for name in ("a.weights.h5", "b.png", "c"):
        files.write_atomically(tmp_path / name, write)
        temporary = seen.pop()
        assert temporary.parent == tmp_path and temporary.name != name and temporary.name.startswith(".")
        assert temporary.suffixes[-2:] == (tmp_path / name).suffixes
        assert (tmp_path / name).read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.weights.h5", "b.png", "c"]


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")

    def write(temporary):
        temporary.write_text("ne")
        assert path.read_text() == "old"
        temporary.write_text("new")

    files.write_atomically(path, write)
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_nothing_behind(tmp_path, error):
    (tmp_path / "x").write_text("old")

    def write(temporary):
        temporary.write_text("half")
        raise error("stopped")

    for name in ("x", "y"):
        with pytest.raises(error, match="stopped"):
            files.write_atomically(tmp_path / name, write)
    assert [path.name for path in tmp_path.iterdir()] == ["x"] and (tmp_path / "x").read_text() == "old"


def test_two_writers_do_not_share_a_temporary_file(tmp_path):
    def outer(first):
        first.write_text("outer")
        files.write_atomically(tmp_path / "x", lambda second: second.write_text("inner"))
        assert (tmp_path / "x").read_text() == "inner"

    files.write_atomically(str(tmp_path / "x"), outer)
    assert (tmp_path / "x").read_text() == "outer"


def test_write_json(tmp_path):
    value = {"digits": [1, 2.5, None, True], "nested": {"ü": "x"}}
    files.write_json(tmp_path / "x.json", value)
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == value
    with pytest.raises(TypeError, match="not JSON serializable"):
        files.write_json(tmp_path / "x.json", {1, 2})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == value
    assert len(list(tmp_path.iterdir())) == 1


def test_json_text_has_null_for_what_is_not_finite():
    value = {"psnr": math.inf, "rows": [1.5, -math.inf, (math.nan, "x")], "n": 3, "none": None, "yes": True}

    def no_json(word):
        raise AssertionError(f"{word} is no JSON")

    text = files.json_text(value)
    read = json.loads(text, parse_constant=no_json)
    assert read == {"psnr": None, "rows": [1.5, None, [None, "x"]], "n": 3, "none": None, "yes": True}
    assert math.isinf(value["psnr"]), "the value itself stays"


def test_put_between(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x -->\nold\n<!-- /x -->\nafter\n")
    marks = ("<!-- x -->", "<!-- /x -->")
    for lines in (["1", "2"], []):
        files.put_between(page, marks, lines)
        assert page.read_text().split("\n") == ["before", marks[0], *lines, marks[1], "after", ""]
    for wrong in ("", marks[0], f"{marks[1]} {marks[0]}", f"{marks[0]} {marks[0]} {marks[1]}"):
        page.write_text(wrong)
        with pytest.raises(ValueError, match="page.md needs <!-- x --> and <!-- /x -->, once each, around"):
            files.put_between(page, marks, ["1"])
        assert page.read_text() == wrong


# --- before the work --------------------------------------------------------------------------------------------------


@pytest.fixture
def locked(tmp_path):
    """A folder that may not be written in. No mode stops root, so root asks as somebody else (`access` asks as the real
    user, the rest is done as the effective one)."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    root = os.geteuid() == 0
    if root:
        os.setreuid(65534, 0)
    yield folder
    if root:
        os.setreuid(0, 0)


def test_check_writable(tmp_path):
    (tmp_path / "there").write_text("old")
    for name in ("there", "not there"):
        files.check_writable(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["there"], "asking wrote a file"


def test_a_path_that_cannot_be_written(tmp_path, locked):
    (tmp_path / "file").write_text("")
    with pytest.raises(IsADirectoryError, match="locked is a folder; name a file in it"):
        files.check_writable(locked)
    for missing in ("none/x", "file/x"):
        with pytest.raises(FileNotFoundError, match=f"Cannot write .*{missing}: there is no folder .* Make it first"):
            files.check_writable(tmp_path / missing)
    with pytest.raises(PermissionError, match="Cannot write .*x: the folder .*locked is not writable"):
        files.check_writable(locked / "x")


def test_check_room(tmp_path):
    files.check_room(tmp_path, 1000)
    with pytest.raises(OSError, match="No room in .* for a file of 1e.12 MB"):
        files.check_room(tmp_path, 10**18)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="No room"):
        files.write_atomically(tmp_path / "x.txt", lambda path: path.write_text("x"), size=10**18)
    files.write_atomically(tmp_path / "x.txt", lambda path: path.write_text("x"), size=10)
    assert (tmp_path / "x.txt").read_text() == "x"
