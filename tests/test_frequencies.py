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


@pytest.mark.parametrize("taps", [(1, 4, 6, 4, 1), (1, 2, 1)])
def test_blurred_by_hand(taps):
    images, reach, weights = pictures(), len(taps) // 2, np.array(taps) / sum(taps)
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    rows = sum(weight * padded[:, i : i + 12] for i, weight in enumerate(weights))
    expected = sum(weight * rows[:, :, i : i + 10] for i, weight in enumerate(weights))
    np.testing.assert_allclose(frequencies.blurred(images, taps), expected, atol=1e-6)
    inside = expected[:, reach:-reach, reach:-reach]
    np.testing.assert_allclose(frequencies.blurred(images, taps, "valid"), inside, atol=1e-6)


@pytest.mark.parametrize("frequency", [0, 0.25, 0.5, 1])
def test_what_is_kept_of_a_wave(frequency):
    """cos^4 and cos^2 of pi f / 2 of a blur; the rest of the second is what HighFrequencies keeps: sin^2."""
    cosine = np.cos(np.pi * frequency / 2)
    for taps, kept in (((1, 4, 6, 4, 1), cosine**4), ((1, 2, 1), cosine**2)):
        seen = ops.convert_to_numpy(frequencies.blurred(wave(frequency), taps, "valid"))
        np.testing.assert_allclose(np.abs(seen).max(), kept, atol=0.01)
    fine = ops.convert_to_numpy(HighFrequencies()(wave(frequency)))
    np.testing.assert_allclose(np.abs(fine).max(), 1 - cosine**2, atol=0.01)


def test_coarse_and_fine_are_the_picture():
    images = pictures()
    whole = frequencies.blurred(images, (1, 2, 1), "valid") + HighFrequencies()(images)
    np.testing.assert_allclose(whole, images[:, 1:-1, 1:-1], atol=1e-6)


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
