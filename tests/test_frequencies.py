"""What is coarse and what is fine: by hand, and as a discriminator sees it."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasgan import SRGAN, frequencies
from kerasgan.frequencies import HighFrequencies


def pictures(seed=0, shape=(2, 12, 10, 3)):
    """Noise in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def wave(frequency, length=68):
    """Columns of a wave of so many times the Nyquist frequency."""
    row = np.cos(np.pi * frequency * np.arange(length))
    return (row[None, None, :, None] * np.ones((1, 12, 1, 3))).astype("float32")


def test_blurred_by_hand():
    images, taps = pictures(), np.array([1, 4, 6, 4, 1]) / 16
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    rows = sum(tap * padded[:, i : i + 12] for i, tap in enumerate(taps))
    expected = sum(tap * rows[:, :, i : i + 10] for i, tap in enumerate(taps))
    np.testing.assert_allclose(frequencies.blurred(images), expected, atol=1e-6)
    np.testing.assert_allclose(frequencies.blurred(images, "valid"), expected[:, 2:-2, 2:-2], atol=1e-6)


@pytest.mark.parametrize(("frequency", "kept"), [(0, 1), (0.25, 0.73), (0.5, 0.25), (1, 0)])
def test_what_is_kept_of_a_wave(frequency, kept):
    """cos^4(pi f) is coarse, of f in cycles a pixel, here given in Nyquist frequencies; the rest is fine."""
    coarse, fine = frequencies.blurred(wave(frequency), "valid"), HighFrequencies()(wave(frequency))
    assert np.abs(coarse).max() == pytest.approx(kept, abs=0.01)
    assert np.abs(fine).max() == pytest.approx(1 - kept, abs=0.01)


@pytest.mark.parametrize(("frequency", "kept"), [(0, 1), (0.25, 0.92), (0.5, 0.25), (0.72, 0), (1, 0)])
def test_what_is_coarse_ends_sharply(frequency, kept):
    coarse = frequencies.coarse(np.repeat(wave(frequency), 2, axis=1))[:, 6:-6, 6:-6]
    assert np.abs(coarse).max() == pytest.approx(kept, abs=0.01)


@pytest.mark.parametrize(("frequency", "kept"), [(0.25, 1), (0.48, 0.5), (0.7, 0), (1, 0)])
def test_where_the_coarse_ends_can_be_said(frequency, kept):
    """A longer filter, which leaves a half of 0.24 cycles a pixel."""
    coarse = frequencies.coarse(np.repeat(wave(frequency), 2, axis=1), half=0.24, taps=17)[:, 8:-8, 8:-8]
    assert np.abs(coarse).max() == pytest.approx(kept, abs=0.02)


def test_fine_energies_by_hand():
    """Of two by two pixels: stripes down are across, stripes across are down, a chequerboard is both."""
    y, x = np.mgrid[:8, :10]
    patterns = np.stack([(-1.0) ** x, (-1.0) ** y, (-1.0) ** (x + y), np.ones_like(x)])[..., None].astype("float32")
    energies = ops.convert_to_numpy(frequencies.fine_energies(0.5 * patterns, 4))
    assert energies.shape == (4, 2, 3, 3)
    np.testing.assert_allclose(energies, np.broadcast_to(0.25 * np.eye(4, 3)[:, None, None], (4, 2, 3, 3)), atol=1e-6)
    with pytest.raises(ValueError, match="There are no windows of 8 pixels in 7 x 9: larger crops"):
        frequencies.fine_energies(patterns, 8)


def test_windowed_by_hand():
    """Windows of four pixels, two apart; what does not fill one is left out."""
    maps = pictures(shape=(1, 7, 9, 2))
    means = ops.convert_to_numpy(frequencies.windowed(maps, 4))
    assert means.shape == (1, 2, 3, 2)
    np.testing.assert_allclose(means[0, 1, 2], maps[0, 2:6, 4:8].mean(axis=(0, 1)), atol=1e-6)
    assert frequencies.checked_window(4) == 4
    with pytest.raises(ValueError, match="window is an even number of pixels, at least 2; saw 3"):
        frequencies.checked_window(3)


def test_fine_distance_by_hand():
    """Half the contrast is log 4 of energies apart, equal pictures not at all; a floor brings the weak nearer."""
    real = pictures()
    assert float(frequencies.fine_distance(real, 0.5 * real, 4, 1e-8)) == pytest.approx(np.log(4), abs=1e-4)
    assert float(frequencies.fine_distance(real, real, 4, 1e-8)) == pytest.approx(0, abs=1e-6)
    assert float(frequencies.fine_distance(real, 0.5 * real, 4, 10.0)) < 0.1


def test_filtered_by_hand():
    """Down and across alike, of each channel alone; 0 lies outside."""
    images = pictures(shape=(1, 3, 3, 2))
    around = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = sum(
        a * b * around[:, i : i + 3, j : j + 3] for i, a in enumerate((1, 2, 3)) for j, b in enumerate((1, 2, 3))
    )
    np.testing.assert_allclose(frequencies.filtered(images, np.array([1, 2, 3]), "same"), expected, atol=1e-5)


def test_coarse_and_fine_are_the_picture():
    images = pictures()
    whole = frequencies.blurred(images, "valid") + HighFrequencies()(images)
    np.testing.assert_allclose(whole, images[:, 2:-2, 2:-2], atol=1e-6)


def test_the_fine_is_not_rounded_in_half_precision():
    """On a bright ground it is taken from pixels that bfloat16 keeps to 1 in 256."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        fine = HighFrequencies()(0.9 + 0.001 * pictures())
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(fine, 0.001 * HighFrequencies()(pictures()), atol=1e-6)


def test_a_discriminator_that_sees_the_fine_alone(tmp_path):
    """Brighter pictures, and what grows evenly from side to side, it scores as before; noise it does not."""
    model = SRGAN(4, width=4, blocks=1, discriminator_width=4, discriminator_high_pass=True)
    plain = SRGAN(4, width=4, blocks=1, discriminator_width=4)
    images = 0.3 * pictures(shape=(2, 32, 32, 3))
    slope = np.linspace(-0.3, 0.3, 32, dtype="float32")[:, None, None]
    before = ops.convert_to_numpy(model.discriminator(images))
    for other in (images + 0.5, images + slope):
        np.testing.assert_allclose(model.discriminator(other), before, atol=1e-5)
        assert np.abs(plain.discriminator(other) - plain.discriminator(images)).max() > 1e-3
    assert np.abs(model.discriminator(pictures(1, images.shape)) - before).max() > 1e-3
    model.save(tmp_path / "fine.keras")
    again = keras.models.load_model(tmp_path / "fine.keras")
    np.testing.assert_array_equal(again.discriminator(images), before)
