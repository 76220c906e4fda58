"""The demo makes everything once, from an entry under the name that it loads, and says what it made."""

import numpy as np
import pytest

from kerasgan import demo, images, zoo


@pytest.fixture
def digits(tiny_zoo):
    """A zoo in which the tiny entry has the name of the demo's."""
    (tiny_zoo / "tiny").rename(tiny_zoo / demo.NAME)
    return tiny_zoo


def test_run(digits, tmp_path):
    told, folder = [], tmp_path / "a" / "demo"
    demo.run(folder, told.append)
    files = ["digits.png", "interpolation.png", "fine-tuned.png", "generator.tflite"]
    assert {path.name for path in folder.iterdir()} == {*files, "generator.tflite.json"}
    assert demo.NAME in told[0] and str(folder) in told[0]
    assert [line.split()[0] for line in told[1:-1]] == files
    drawn, walked, tuned = (images.read(folder / name) for name in files[:3])
    grid = zoo.load(demo.NAME).generate(64, seed=7)
    np.testing.assert_array_equal(drawn[2:30, 2:30], grid[0])
    assert drawn.shape == tuned.shape and (drawn != tuned).mean() > 0.05  # fine-tuning changed what it draws
    assert walked.shape[1] > walked.shape[0]  # 7 walks of 12 steps, one a row
    demo.run(folder, told.append)  # again, over what is there


def test_run_into_a_file(digits, tmp_path):
    (tmp_path / "demo").write_text("mine")
    with pytest.raises(FileExistsError, match="demo"):
        demo.run(tmp_path / "demo", pytest.fail)
    assert (tmp_path / "demo").read_text() == "mine"


def test_run_without_the_entry(tiny_zoo, tmp_path):
    with pytest.raises(ValueError, match=f"There is no model '{demo.NAME}'"):
        demo.run(tmp_path / "demo", pytest.fail)


def test_scans():
    scans = demo.scans()
    assert scans.dtype == np.uint8 and scans.shape == (1797, 8, 8, 1)
    assert scans.min() == 0 and scans.max() == 255  # 16 levels, stretched


@pytest.mark.parametrize(("image_shape", "inner"), [((28, 28, 1), slice(4, 24)), ((14, 14, 1), slice(2, 12))])
def test_small_digits_have_the_margin_of_mnist(image_shape, inner):
    white = np.full((2, 8, 8, 1), 255, "uint8")
    digits = demo.small_digits(white, image_shape)
    expected = np.zeros((2, *image_shape), "uint8")
    expected[:, inner, inner] = 255
    assert digits.dtype == np.uint8
    np.testing.assert_array_equal(digits, expected)
