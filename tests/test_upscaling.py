"""`kerasgan.upscale`: what goes in, what comes out, by which model, and how strong."""

import numpy as np
import pytest
from PIL import Image
from upscalers import network, upscaler

import kerasgan
from kerasgan import upscaling
from kerasgan.upscaler import Upscaler
from kerasgan.upscaling import upscale


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype("uint8")


@pytest.fixture(scope="module")
def model():
    return upscaler(seed=1)


@pytest.fixture(scope="module")
def base():
    return upscaler(seed=2)


def test_an_array_a_picture_and_a_path(model, tmp_path):
    """An array gives an array, a picture or a path a picture, all of the same pixels."""
    image = noise(9, 7, 3)
    made = kerasgan.upscale(image, model)
    assert made.dtype == np.uint8 and made.shape == (18, 14, 3)
    Image.fromarray(image).save(tmp_path / "x.png")
    for x in (Image.fromarray(image), tmp_path / "x.png", str(tmp_path / "x.png")):
        picture = upscale(x, model)
        assert isinstance(picture, Image.Image)
        np.testing.assert_array_equal(np.asarray(picture), made)


def test_options_reach_the_upscaler(model):
    image, told = noise(30, 20, 3), []
    made = upscale(image, model, color_fix=True, tile=20, progress=lambda *done: told.append(done))
    np.testing.assert_array_equal(made, Upscaler(model, color_fix=True, tile=20)(image))
    assert told[-1] == (600, 600) and len(told) > 1
    floats = image / 255
    np.testing.assert_array_equal(upscale(floats, model, value_range=(0, 1)), Upscaler(model)(floats, (0, 1)))
    with pytest.raises(ValueError, match="more than 0.001"):
        upscale(image, model, max_megapixels=0.001)
    with pytest.raises(TypeError, match="tiles"):
        upscale(image, model, tiles=20)


def test_a_real_srgan_of_any_scale(tmp_path):
    """Saved and loaded, by its path; its mixed blocks see as far as they are deep."""
    model = kerasgan.SRGAN.modern(scale=3, width=8, blocks=2, discriminator_width=8)
    model.save(tmp_path / "mine.keras")
    image = noise(50, 33, 3)
    whole, tiles = (upscale(image, each, tile=t) for each, t in ((model, 100), (tmp_path / "mine.keras", 20)))
    difference = np.abs(whole.astype(int) - tiles)
    assert whole.shape == (150, 99, 3) and difference.max() <= 1 and (difference > 0).mean() <= 1e-4
    assert Upscaler(model).overlap == 1 + 2 * 2 + 1 + 1


@pytest.mark.parametrize("options", [{"channels": 1}, {"scale": 4, "direct": False, "kernel_size": 9}])
def test_other_srgans(options):
    model = kerasgan.SRGAN(**{"scale": 2, "width": 4, "blocks": 1, "discriminator_width": 8, "direct": True, **options})
    image = noise(47, 61, 4)
    whole, tiles = (upscale(image, model, tile=t) for t in (100, 40))
    difference = np.abs(whole.astype(int) - tiles)
    assert difference.max() <= 1 and (difference > 0).mean() <= 1e-4


# --- strength ---------------------------------------------------------------------------------------------------------


def test_strength_is_between_the_weights(base, model):
    image = noise(12, 9, 3)
    made = {s: upscale(image, model, s, base=base).astype(int) for s in (0, 0.25, 1, 1.0)}
    np.testing.assert_array_equal(made[0], upscale(image, base))
    np.testing.assert_array_equal(made[1], upscale(image, model))
    mixed = upscaling.between(base, model, 0.25)
    for first, last, between in zip(*(m.average.get_weights() for m in (base, model, mixed)), strict=True):
        np.testing.assert_allclose(between, 0.75 * first + 0.25 * last, atol=1e-7)
    np.testing.assert_array_equal(made[0.25], upscale(image, mixed))
    assert np.abs(made[0.25] - made[0]).mean() < np.abs(made[1] - made[0]).mean()


def test_the_models_stay_as_they_are(base, model):
    before = [w.copy() for m in (base, model) for w in m.average.get_weights()]
    upscale(noise(5, 5, 3), model, 0.5, base=base)
    for old, new in zip(before, [w for m in (base, model) for w in m.average.get_weights()], strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("other", "differ"),
    [
        (dict(scale=3), "scale 3 and scale 2"),
        (dict(width=9), r"Conv2D \[\(3, 3, 3, 9\), \(9,\)\] and Conv2D \[\(3, 3, 3, 8\), \(8,\)\]"),
        (dict(depth=4), r"Conv2D .* and Conv2D"),
    ],
)
def test_strength_refuses_models_that_differ(model, other, differ):
    with pytest.raises(ValueError, match=f"mixes two models of one architecture; these differ: {differ}"):
        upscale(noise(5, 5, 3), model, 0.5, base=upscaler(**other))
    assert upscaling.parts(model) != upscaling.parts(upscaler(**other))


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), "0.5", None, True])
def test_strength_out_of_range(base, model, strength):
    with pytest.raises(ValueError, match=r"strength lies in \[0, 1\].*; saw"):
        upscaling.chosen(model, strength, base)


# --- which model ------------------------------------------------------------------------------------------------------


def test_the_names_that_there_are_not_yet(tiny_zoo):
    with pytest.raises(ValueError, match="There is no model 'srgan_x4'"):
        upscale(noise(5, 5, 3))
    with pytest.raises(ValueError, match="DCGAN makes no picture larger: take an SRGAN"):
        upscale(noise(5, 5, 3), "tiny")
    with pytest.raises(ValueError, match="Functional makes no picture larger"):
        upscaling.loaded(network())


def test_a_picture_that_is_none_is_found_before_the_model_is_loaded(tmp_path):
    (tmp_path / "x.png").write_text("no picture")
    with pytest.raises(ValueError, match="x.png is no picture that can be read"):
        upscale(tmp_path / "x.png", "no_such_model")
