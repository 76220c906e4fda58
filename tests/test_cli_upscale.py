"""`kerasgan upscale`: what it writes, says and returns."""

import json

import numpy as np
import pytest
from command import mistake, parsed, run
from PIL import Image

import kerasgan
from kerasgan import cli, images
from kerasgan.progress import Tiles


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The path of a tiny SRGAN, never trained."""
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    kerasgan.SRGAN.modern(scale=2, width=4, blocks=1, discriminator_width=4).save(path)
    return path


@pytest.fixture
def photos(tmp_path):
    """A folder with two pictures."""
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    for i, name in enumerate(("a.png", "deep/b.png")):
        pixels = np.random.default_rng(i).integers(0, 256, (30, 20, 3)).astype("uint8")
        images.write(tmp_path / "photos" / name, pixels)
    return tmp_path / "photos"


def test_upscale_a_folder(model, photos, tmp_path):
    out, error = run("upscale", photos, "-o", tmp_path / "out", "--model", model)
    assert out == f"{tmp_path}/out/a.png: written, 40 x 60\n{tmp_path}/out/deep/b.png: written, 40 x 60\n"
    assert error == "", "quiet, where nobody watches"
    expected = kerasgan.upscale(photos / "a.png", model)
    np.testing.assert_array_equal(images.read(tmp_path / "out" / "a.png"), np.asarray(expected))
    out, error = run("upscale", photos, "-o", tmp_path / "out", "--model", model)
    assert out.count("skipped, it exists\n") == 2 and error == ""
    out, _ = run("upscale", photos, "-o", tmp_path / "out", "--model", model, "--overwrite", "--compare")
    assert out.count("written") == 2 and (tmp_path / "out" / "deep" / "b.png.compare.png").is_file()


def test_upscale_options_reach_it(model, photos, tmp_path):
    options = ["--color-fix", "--max-memory", "2MB", "--strength", "0.5", "--base", model]
    run("upscale", photos / "a.png", "-o", tmp_path / "x.png", "--model", model, *options)
    expected = kerasgan.upscale(photos / "a.png", model, color_fix=True)
    difference = np.abs(images.read(tmp_path / "x.png").astype(int) - np.asarray(expected))
    assert difference.max() <= 1
    assert "max_memory is 0.001 MB" in mistake(
        "upscale", photos / "a.png", "-o", tmp_path / "y.png", "--model", model, "--max-memory", "1000"
    )


def test_upscale_says_what_failed_and_goes_on(model, photos, tmp_path):
    (photos / "bad.png").write_text("no picture")
    out, error = run("upscale", photos, "-o", tmp_path / "out", "--model", model, code=1)
    assert out.count("written") == 2
    assert error.splitlines()[0].startswith(f"kerasgan: {photos}/bad.png is no picture that can be read: ")
    assert error.splitlines()[1:] == ["kerasgan: 1 of 3 pictures failed."]
    assert "bad.png is no picture" in mistake("upscale", photos / "bad.png", "-o", tmp_path / "x.png", "--model", model)
    rows = json.loads(run("upscale", photos, "-o", tmp_path / "out", "--model", model, "--json", code=1)[0])
    assert [row["status"] for row in rows] == ["skipped", "failed", "skipped"]
    assert set(rows[0]) == {"source", "output", "status", "detail"}


def test_upscale_what_is_too_large_by_force_alone(model, tmp_path):
    """Found from the size that the file says, before a pixel is read."""
    wide = tmp_path / "wide.png"
    Image.new("1", (900, 70)).save(wide)
    assert parsed("upscale", wide, "-o", tmp_path / "x.png", "--model", model, "--force")[0]["status"] == "written"
    Image.new("1", (9000, 7000)).save(wide)
    said = mistake("upscale", wide, "-o", tmp_path / "y.png", "--model", model)
    assert "wide.png: 9000 x 7000 pixels would become 18000 x 14000: 252 megapixels, more than 250." in said
    assert "--force" in said and not (tmp_path / "y.png").exists()


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["photos"], "Missing option '-o'"),
        (["-o", "out"], "Missing argument 'IN...'"),
        (["photos", "-o", "out", "--strength", "2"], "2.0 is not in the range 0<=x<=1"),
        (["photos", "-o", "photos"], "photos/a.png would be written over itself"),
        (["photos", "-o", "x.png"], "Several pictures need a folder to go into; saw x.png."),
        (["photos", "-o", "out"], "There is no model 'srgan_x4'."),
        (["photos", "-o", "out", "--model", "tiny"], "DCGAN makes no picture larger: take an SRGAN."),
        (["photos", "-o", "out", "--model", "tinny"], "Did you mean 'tiny'?"),
    ],
)
def test_upscale_refuses(tiny_zoo, photos, tmp_path, monkeypatch, args, complaint):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert complaint in mistake("upscale", *args)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_bar_is_for_terminals(monkeypatch, capsys):
    bar = Tiles()
    bar("1/2 a.png", 5, 10)
    bar.stop()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    bar = Tiles()
    for done in (5, 10):
        bar("1/2 [a].png", done, 10)
    bar.stop()
    bar.stop()
    told = capsys.readouterr()
    assert told.out == "" and "1/2 [a].png" in told.err and "100%" in told.err


def test_a_bar_does_not_outlive_an_error(model, photos, tmp_path, monkeypatch):
    """Ctrl-C in the middle of a picture: nothing is half written, and the cursor comes back."""
    bars = []

    class Interrupted(Tiles):
        def __call__(self, *what):
            bars.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr("kerasgan.progress.Tiles", Interrupted)
    _, error = run("upscale", photos, "-o", tmp_path / "out", "--model", model, code=130)
    assert error == "kerasgan: stopped.\n" and bars[0].bar is None
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert cli.upscale.name == "upscale"
