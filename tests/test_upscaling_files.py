"""Files and folders of pictures: where each one goes, what is skipped, and that a bad one stops nobody."""

import os

import numpy as np
import pytest
from PIL import Image
from test_files import locked  # noqa: F401  a fixture
from upscalers import upscaler

from kerasgan import images, plotting, upscaling
from kerasgan.upscaler import Upscaler
from kerasgan.upscaling import Result, beside, compare_files, upscale, upscale_files, write_comparison


@pytest.fixture(scope="module")
def model():
    return upscaler()


def picture(path, seed=0, size=(9, 7), mode="RGB"):
    """A picture file with random pixels; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype("uint8")
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.fixture
def photos(tmp_path):
    """A folder with pictures in it and below, and with what is none."""
    folder = tmp_path / "photos"
    for i, name in enumerate(("a.png", "deep/er/b.jpg", "c.PNG", ".hidden.png")):
        picture(folder / name, i)
    (folder / "notes.txt").write_text("of mine")
    return folder


def below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def statuses(results):
    return [result.status for result in results]


def test_folders_keep_their_structure(model, photos, tmp_path):
    out = tmp_path / "new" / "out"
    results = list(upscale_files([photos], out, model))
    assert below(out) == ["a.png", "c.PNG", "deep/er/b.jpg"]
    assert results[0] == Result(str(photos / "a.png"), str(out / "a.png"), "written", "14 x 18")
    np.testing.assert_array_equal(images.read(out / "a.png"), upscale(images.read(photos / "a.png"), model))


def test_a_file_to_a_file_or_into_a_folder(model, photos, tmp_path):
    assert statuses(upscale_files([photos / "a.png"], tmp_path / "large.jpg", model)) == ["written"]
    assert statuses(upscale_files([photos / "a.png", photos / "deep"], tmp_path / "out", model)) == ["written"] * 2
    (tmp_path / "odd.png").mkdir()
    assert statuses(upscale_files(photos / "a.png", tmp_path / "odd.png", model)) == ["written"]
    assert images.read(tmp_path / "large.jpg").shape == (18, 14, 3)
    assert below(tmp_path / "out") == ["a.png", "er/b.jpg"] and below(tmp_path / "odd.png") == ["a.png"]


def test_what_exists_is_skipped_unless_asked(model, photos, tmp_path):
    """Without a model, if there is nothing to do."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_text("mine")
    assert statuses(upscale_files([photos], out, model)) == ["skipped", "written", "written"]
    assert (out / "a.png").read_text() == "mine"
    assert statuses(upscale_files([photos], out, "no_such_model")) == ["skipped"] * 3
    assert statuses(upscale_files([photos], out, model, overwrite=True)) == ["written"] * 3
    assert images.read(out / "a.png").shape == (18, 14, 3)


def test_what_exists_is_compared_too(model, photos, tmp_path):
    """Once, and without a model, if there is nothing else to do; damaged it fails, and the others go on."""
    out = tmp_path / "out"
    list(upscale_files([photos / "a.png", photos / "c.PNG"], out, model))
    made = (out / "a.png").read_bytes()
    for _ in range(2):
        results = upscale_files([photos / "a.png", photos / "c.PNG"], out, "no_such_model", compare=True)
        assert statuses(results) == ["skipped"] * 2
        assert below(out) == ["a.png", "a.png.compare.png", "c.PNG", "c.PNG.compare.png"]
        assert (out / "a.png").read_bytes() == made
        first = (out / "a.png.compare.png").stat().st_mtime_ns
    assert (out / "a.png.compare.png").stat().st_mtime_ns == first
    again = beside(out / "a.png").read_bytes()
    compare_files(photos / "a.png", out / "a.png")
    with images.open_picture(photos / "a.png") as low, images.open_picture(out / "a.png") as high:
        write_comparison(low, high, tmp_path / "same.png")
    assert again == beside(out / "a.png").read_bytes() == beside(tmp_path / "same.png").read_bytes()
    (out / "c.PNG").write_text("no picture")
    (out / "c.PNG.compare.png").unlink()
    results = list(upscale_files([photos / "c.PNG", photos / "a.png"], out, "no_such_model", compare=True))
    assert statuses(results) == ["failed", "skipped"] and "c.PNG is no picture that can be read" in results[0].detail


def test_a_bad_file_does_not_stop_the_rest(model, photos, tmp_path):
    """And leaves nothing behind: no half of a picture, no folder that is empty for its sake."""
    (photos / "b").mkdir()
    (photos / "b" / "cut.jpg").write_bytes((photos / "deep/er/b.jpg").read_bytes()[:300])
    (photos / "b" / "text.png").write_text("no picture")
    picture(photos / "b" / "large.png", size=(60, 60))
    Image.new("LAB", (5, 5)).save(photos / "b" / "lab.tif")
    (photos / "b" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    out = tmp_path / "out"
    results = list(upscale_files([photos, tmp_path / "none.png"], out, model, max_megapixels=0.01))
    failed = {os.path.basename(r.source): r.detail for r in results if r.status == "failed"}
    assert statuses(results).count("written") == 3 and len(failed) == 6
    assert "cut.jpg is no picture that can be read: " in failed["cut.jpg"]
    assert "text.png is no picture that can be read: " in failed["text.png"]
    assert "would become 120 x 120: 0.0144 megapixels" in failed["large.png"]
    assert "mode LAB has no colours" in failed["lab.tif"]
    assert "There is no file " in failed["gone.png"] and "none.png." in failed["none.png"]
    assert below(out) == ["a.png", "c.PNG", "deep/er/b.jpg"]


def test_a_format_that_cannot_hold_it_is_found_before_the_work(model, tmp_path, monkeypatch):
    monkeypatch.setattr(Upscaler, "picture", None)
    source, upscaler = picture(tmp_path / "x.png", mode="RGBA"), Upscaler(model)
    with pytest.raises(ValueError, match="y.jpg: JPEG holds no pictures of mode RGBA; try .png or .tif"):
        upscaling.upscale_file(source, tmp_path / "y.jpg", upscaler)
    with pytest.raises(ValueError, match="y.doc: no picture format is named '.doc'"):
        upscaling.upscale_file(source, tmp_path / "y.doc", upscaler)
    Image.new("L", (8192, 1)).save(source)
    with pytest.raises(ValueError, match=r"y.webp: WEBP holds sides of up to 16383 pixels, not \[16384, 2\]; try .png"):
        upscaling.upscale_file(source, tmp_path / "y.webp", upscaler)
    assert below(tmp_path) == ["x.png"]


def test_a_folder_that_cannot_be_written(photos, locked):  # noqa: F811
    with pytest.raises(PermissionError, match="Cannot write into .*out: the folder .*locked is not writable"):
        upscale_files([photos], locked / "out", "no_such_model")


def test_outputs_that_cannot_be(model, photos, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*missing. Make it first"):
        upscale_files([photos / "a.png"], tmp_path / "missing" / "y.png", "no_such_model")
    with pytest.raises(ValueError, match="y.doc: no picture format is named '.doc'"):
        upscale_files([photos / "a.png"], tmp_path / "y.doc", "no_such_model")
    for output in (tmp_path / "all.png", photos / "notes.txt", photos / "notes.txt" / "out"):
        with pytest.raises(NotADirectoryError, match="Several pictures need a folder to go into; saw"):
            upscale_files([photos], output, "no_such_model")
    upscaling.check_folder(tmp_path / "not" / "yet")
    assert not (tmp_path / "not").exists()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "deep").write_text("a file where a folder has to be")
    assert statuses(upscale_files([photos], tmp_path / "out", model)) == ["written", "written", "failed"]


def test_nothing_is_written_over_itself_or_another(photos, tmp_path):
    for sources, output in (([photos], photos), ([photos / "a.png"], photos / "a.png"), ([photos / "a.png"], photos)):
        with pytest.raises(ValueError, match="a.png would be written over itself: choose another output"):
            upscale_files(sources, output, "no_such_model")
    other = picture(tmp_path / "other" / "a.png")
    picture(photos / "a.png.compare.png")
    with pytest.raises(ValueError, match="the comparison of .*a.png and .*a.png.compare.png would both become"):
        list(upscale_files(photos, tmp_path / "compared", model, compare=True))
    (photos / "a.png.compare.png").unlink()
    with pytest.raises(ValueError, match="a.png and .*a.png would both become .*: do them apart"):
        upscale_files([photos, other], tmp_path / "out", "no_such_model")
    upscaling.check_apart([(other, tmp_path / "x.png"), (photos / "a.png", tmp_path / "y.png")])


def test_an_output_below_the_source_is_not_a_source(photos):
    for _ in range(2):
        plan = upscaling.planned([photos], photos / "large")
        assert [source.name for source, _ in plan] == ["a.png", "c.PNG", "b.jpg"]
        picture(photos / "large" / "a.png")
    assert upscaling.is_ours(photos / ".x.png", photos, photos / "large")
    assert upscaling.is_ours(photos / "large" / "a.png", photos, photos / "large")
    assert not upscaling.is_ours(photos / "a.png", photos, photos), "or nothing would be left"
    assert len(upscaling.planned([photos / ".hidden.png"], photos / "large")) == 1, "it was asked for by name"


def test_no_pictures(tmp_path):
    with pytest.raises(ValueError, match="There is no picture in .*empty"):
        (tmp_path / "empty").mkdir()
        upscale_files([tmp_path / "empty"], tmp_path / "out", "no_such_model")


def test_progress_names_the_picture(model, photos, tmp_path):
    told = []
    list(upscale_files([photos], tmp_path / "out", model, progress=lambda *what: told.append(what)))
    assert told == [("1/3 a.png", 63, 63), ("2/3 c.PNG", 63, 63), ("3/3 b.jpg", 63, 63)]


def test_profile_and_modes_reach_the_file(model, tmp_path):
    source = picture(tmp_path / "in" / "x.tif", mode="CMYK")
    with Image.open(source) as opened:
        opened.save(tmp_path / "in" / "x.tif", icc_profile=b"profile")
    Image.fromarray(np.arange(0, 60000, 1000, dtype="uint16").reshape(6, 10)).save(tmp_path / "in" / "deep.png")
    list(upscale_files([tmp_path / "in"], tmp_path / "out", model))
    with Image.open(tmp_path / "out" / "x.tif") as made, Image.open(tmp_path / "out" / "deep.png") as deep:
        assert (made.mode, made.size, made.info["icc_profile"]) == ("CMYK", (14, 18), b"profile")
        assert deep.mode == "I;16" and len(np.unique(np.asarray(deep))) > 200


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16", "P", "CMYK"])
def test_compare(model, tmp_path, mode):
    """Beside it lies what a bicubic enlargement would be, the picture, and where they differ most."""
    source = tmp_path / "in" / ("x.tif" if mode == "CMYK" else "x.png")
    picture(source, mode="L" if mode == "I;16" else mode)
    if mode == "I;16":
        Image.fromarray(np.asarray(Image.open(source)).astype("uint16") * 257).save(source)
    list(upscale_files([source], tmp_path / "out", model, compare=True))
    made = upscaling.beside(tmp_path / "out" / source.name)
    assert made.name == f"{source.name}.compare.png" and len(below(tmp_path / "out")) == 2
    with images.open_picture(source) as opened:
        low, high = (images.on_white(images.eight_bits(x)).convert("RGB") for x in (opened, Upscaler(model)(opened)))
    bicubic = low.resize(high.size, Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(images.read(made), plotting.comparison(bicubic, high))
