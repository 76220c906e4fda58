"""Pictures of Pillow: opened, turned, without transparency, and written with a suffix that can hold them."""

import io

import numpy as np
import pytest
from PIL import Image
from test_images import ALPHA, COLOURS, on_white, palette

from kerasgan import images


def test_reading_says_which_file():
    """Whatever Pillow raises over it, but for what concerns the path or the memory."""
    for error in (OSError("bad."), TypeError("bad"), SyntaxError("bad")):
        with pytest.raises(ValueError, match="^x.png is no picture that can be read: bad.$"), images.reading("x.png"):
            raise error
    for kind in (FileNotFoundError, PermissionError, IsADirectoryError, MemoryError):
        with pytest.raises(kind), images.reading("x.png"):
            raise kind


def test_upright_is_read_and_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOURS).save(tmp_path / "x.png", exif=exif)
    with images.open_picture(tmp_path / "x.png") as picture:
        assert picture.size == (4, 5)
        turned = images.upright(picture)
    assert turned.size == (5, 4) and 0x0112 not in turned.getexif()
    np.testing.assert_array_equal(np.asarray(turned), np.rot90(COLOURS, -1))


def test_on_white():
    picture = Image.fromarray(np.dstack([COLOURS, ALPHA]))
    np.testing.assert_array_equal(np.asarray(images.on_white(picture).convert("RGB")), on_white(COLOURS))
    assert images.on_white(palette()).mode == "P", "nothing to be seen through"


def test_write_picture(tmp_path):
    """JPEG and WebP lose little; what a format cannot hold is refused, and leaves nothing."""
    smooth = Image.fromarray(np.linspace(0, 255, 60 * 40 * 3).reshape(60, 40, 3).astype("uint8"))
    for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp", ".gif"):
        images.write_picture(tmp_path / f"x{suffix}", smooth)
        error = np.abs(images.read(tmp_path / f"x{suffix}").astype(int) - np.asarray(smooth))
        assert error.mean() < {".jpg": 2, ".webp": 2, ".gif": 9}.get(suffix, 1e-9)
    before = list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="JPEG holds no pictures of mode RGBA; try .png or .tif"):
        images.write_picture(tmp_path / "y.jpg", smooth.convert("RGBA"))
    with pytest.raises(ValueError, match=r"WEBP holds sides of up to 16383 pixels, not \(16384, 1\)"):
        images.write_picture(tmp_path / "y.webp", Image.new("L", (16384, 1)))
    with pytest.raises(FileNotFoundError, match="Make it first"):
        images.write_picture(tmp_path / "none" / "y.png", smooth)
    assert list(tmp_path.iterdir()) == before


@pytest.mark.parametrize("format", images.SIDES)
def test_the_longest_sides_are_pillow_s(format):
    images.check_format(f"x.{format.lower()}", size=(images.SIDES[format], 1))
    Image.new("L", (images.SIDES[format], 1)).save(io.BytesIO(), format)
    with pytest.raises((OSError, ValueError, OverflowError)):
        Image.new("L", (images.SIDES[format] + 1, 1)).save(io.BytesIO(), format)
