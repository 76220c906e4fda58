"""Pictures of Pillow and of files, larger: every mode, what they say of themselves, and files that cannot be read."""

import io
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from test_modes import PICTURES
from upscalers import upscaler

from kerasgan import images
from kerasgan import upscaler as module
from kerasgan.upscaler import Upscaler


@pytest.fixture(scope="module")
def model():
    return upscaler(scale=2, depth=3)


@pytest.fixture(scope="module")
def grey_model():
    return upscaler(scale=3, channels=1, depth=2)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype("uint8")


@pytest.mark.parametrize("name", PICTURES)
def test_every_mode_in_tiles(model, grey_model, name):
    """Larger, of the mode that it comes back in, and the same in tiles."""
    make, _, back = PICTURES[name]
    picture = make().resize((41, 30), Image.Resampling.NEAREST)
    picture.info |= make().info
    for each in (model, grey_model):
        made, whole = Upscaler(each, tile=20)(picture), Upscaler(each, tile=100)(picture)
        assert made.mode == back and made.size == (41 * each.scale, 30 * each.scale)
        difference = np.abs(np.asarray(made).astype(float) - np.asarray(whole))
        level = 1e-5 if back == "F" else 255 if back == "1" else 1
        assert difference.max() <= level and (difference > 1e-5).sum() <= max(1, 1e-4 * difference.size)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_picture_that_loses_bits_is_told(model, tmp_path, channels):
    """Of 16-bit colours Pillow reads 8 bits; of 16-bit grey all, and of 8-bit colours there is nothing to lose."""
    import tensorflow as tf

    deep = np.random.default_rng(0).integers(0, 65536, (5, 6, channels)).astype("uint16")
    (tmp_path / "deep.png").write_bytes(tf.io.encode_png(deep).numpy())
    (tmp_path / "plain.png").write_bytes(tf.io.encode_png((deep // 257).astype("uint8")).numpy())
    for name, loses in (("deep.png", channels > 1), ("plain.png", False)):
        assert images.loses_bits(images.open_picture(tmp_path / name)) == loses
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            Upscaler(model)(images.open_picture(tmp_path / name))
        told = [str(warning.message) for warning in said]
        sentence = "has 16 bits a channel, of which Pillow reads 8, and so has what is made of it: to keep all, upscale"
        assert told == [f"{tmp_path / name} {sentence} a uint16 array."] * loses


def exif_of(orientation):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "a camera"
    exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0x9003] = 7, "2024:01:02 03:04:05"
    return exif.tobytes()


PROFILE = b"not a profile that anybody reads"


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_exif_and_profile_stay(model, tmp_path, suffix, orientation):
    """The picture is turned, and says so no more, nor its old sizes; the rest of EXIF and the profile stay."""
    source = Image.fromarray(noise(9, 7, 3))
    source.save(tmp_path / f"x{suffix}", exif=exif_of(orientation), icc_profile=PROFILE, dpi=(72, 72))
    made = Upscaler(model)(tmp_path / f"x{suffix}")
    upright = images.read(tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(np.asarray(made), Upscaler(model)(upright))
    images.write_picture(tmp_path / f"y{suffix}", made)
    with images.open_picture(tmp_path / f"y{suffix}") as written:
        assert written.size == made.size == (upright.shape[1] * 2, upright.shape[0] * 2)
        assert written.info["icc_profile"] == PROFILE
        exif = written.getexif()
        assert exif.get(0x0112, 1) == 1 and exif[0x010F] == "a camera"
        assert exif.get(0x0100) in (None, made.width)
        assert exif.get_ifd(0x8769) == {0x9003: "2024:01:02 03:04:05"}
        assert suffix == ".webp" or written.info["dpi"] == pytest.approx((72, 72), abs=0.1)


def test_metadata_of_nothing_and_of_damaged_exif():
    picture = Image.new("L", (2, 2))
    assert images.metadata(picture) == {} and images.name_of(picture) == "This picture"
    picture.getexif()[0x011A] = "no number"
    with pytest.raises(ValueError, match="This picture is no picture that can be read: "):
        images.metadata(picture)


def test_a_picture_of_pillow_s_is_turned_too(model):
    file = io.BytesIO()
    Image.fromarray(noise(9, 7, 3)).save(file, "png", exif=exif_of(6))
    with Image.open(file) as picture:
        assert Upscaler(model)(picture).size == (18, 14)


def test_camera_files_with_a_picture_behind(model, tmp_path):
    """MPO, as phones write: the first is the picture. Animations and pages are refused."""
    first, second = Image.fromarray(noise(9, 7, 3)), Image.fromarray(noise(5, 5, 3))
    first.save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[second])
    assert Upscaler(model)(tmp_path / "x.jpg").size == (14, 18)
    for name in ("x.gif", "x.tif", "x.webp"):
        first.save(tmp_path / name, save_all=True, append_images=[second.resize((7, 9))])
        with pytest.raises(ValueError, match=f"{name} has 2 frames, and one can be upscaled: save them as pictures"):
            Upscaler(model)(tmp_path / name)
    with pytest.raises(ValueError, match="This picture has 2 frames"):
        module.check_still(SimpleNamespace(n_frames=2, format="GIF"))


def test_pictures_that_cannot_be_read(model, tmp_path):
    file = io.BytesIO()
    Image.fromarray(noise(90, 70, 3)).save(file, "jpeg")
    (tmp_path / "cut.jpg").write_bytes(file.getvalue()[:-900])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("cut.jpg", "text.png", "empty.png"):
        with pytest.raises(ValueError, match=rf"{name} is no picture that can be read: "):
            Upscaler(model)(str(tmp_path / name))
    with Image.open(io.BytesIO(file.getvalue()[:-900])) as picture:
        with pytest.raises(ValueError, match="This picture is no picture that can be read: image file is truncated"):
            Upscaler(model)(picture)
    with pytest.raises(FileNotFoundError):
        Upscaler(model)(tmp_path / "missing.png")
    with pytest.raises(IsADirectoryError):
        Upscaler(model)(tmp_path)
