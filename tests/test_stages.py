"""What a second stage draws onto the first: by hand, saved, loaded; what is refused."""

import keras
import numpy as np
import pytest
from goldens import in_child, srgan
from keras import ops

from kerasgan import SRGAN, frequencies
from kerasgan.metrics.features import check_fingerprint, fingerprint
from kerasgan.stages import SecondStage


def pictures(shape=(4, 8, 8, 1), seed=0):
    """Noise in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def first_of(model):
    """A generator as the model's, with its weights."""
    first = keras.models.clone_model(model.generator)
    first.set_weights(model.generator.get_weights())
    return first


def wave(frequency, side=64):
    """(1, side, side, 1): a weak wave of so many cycles a pixel, across."""
    row = 0.1 * np.cos(2 * np.pi * frequency * np.arange(side))
    return (row[None, None, :, None] * np.ones((1, side, 1, 1))).astype("float32")


@pytest.mark.parametrize(("frequency", "times"), [(0.05, 1.8), (0.125, 1.8), (0.4, 1.0)])
def test_the_coarse_is_shown_stronger_and_the_fine_is_not(frequency, times):
    """1 + restraint of a wave under half the Nyquist frequency, 1 of one above it; what the first stage drew stays."""
    content, first, drawn = SecondStage(srgan().generator, restraint=0.8), pictures((1, 64, 64, 1)), wave(frequency)
    np.testing.assert_allclose(content.shown(first, first), first, atol=1e-6)
    shown = ops.convert_to_numpy(content.shown(first, first + drawn))
    np.testing.assert_allclose((shown - first)[:, 8:-8, 8:-8], times * drawn[:, 8:-8, 8:-8], atol=0.003)
    assert SecondStage(srgan().generator).shown(first, drawn) is drawn


def test_relative_error_by_hand():
    """Windows of four pixels, two apart: mean squares over pixels and channels, of the drawn beside the missing."""
    real, fake, first = (pictures((2, 8, 10, 3), seed) for seed in range(3))
    found = ops.convert_to_numpy(SecondStage(srgan().generator, window=4).relative_error(real, fake, first))
    assert found.shape == (2, 3, 4)
    inside = (slice(None), slice(2, 6), slice(4, 8))
    drawn, missing = (np.square(x - first)[inside].mean(axis=(1, 2, 3)) for x in (fake, real))
    np.testing.assert_allclose(found[:, 1, 2], drawn / (missing + (2 / 127.5) ** 2), rtol=1e-4)


def test_the_error_asks_for_what_squared_pixels_ask_for():
    """Where what is missing is all chance, as much in every window, the real picture and the first stage's, which is
    its mean, differ as targets by a constant, but for chance: here of 64 draws of what is missing."""
    rng, content = np.random.default_rng(0), SecondStage(srgan().generator, window=8)
    first = pictures((1, 16, 16, 1))
    real = first + rng.normal(0, 0.3, (64, 16, 16, 1)).astype("float32")
    fakes = [first + amount * pictures((1, 16, 16, 1), 5) for amount in (0.3, 0.6, 0.0)]
    relative = [float(np.mean(content.relative_error(real, fake, first))) for fake in fakes]
    squared = [float(np.mean((real - fake) ** 2)) / 0.3**2 for fake in fakes]
    assert relative[2] == pytest.approx(0, abs=1e-6)
    for a, b in zip(relative[:2], squared[:2], strict=True):
        assert a == pytest.approx(b - squared[2], rel=0.1)


def test_losses_are_of_what_is_shown():
    """Content by its parts, and the adversarial loss: as by hand."""
    model, low, high = srgan(), pictures((4, 16, 16, 1)), pictures((4, 32, 32, 1), 1)
    content = SecondStage(first_of(model), error=2.0, fine=0.5, restraint=0.5, window=8)
    model.generator.set_weights([1.3 * w for w in model.generator.get_weights()])
    first, fake = (ops.convert_to_numpy(network(low)) for network in (content.network, model.generator))
    shown = fake + 0.5 * ops.convert_to_numpy(frequencies.coarse(fake - first, 0.24, 17))
    assert np.abs(shown - fake).max() > 0.01
    model.compile(content=content, run_eagerly=True)
    adversarial = model.loss.generator(*(model.discriminator(x) for x in (high, shown)))
    energies = [ops.convert_to_numpy(frequencies.fine_energies(x, 8)) + content.FLOOR for x in (high, shown)]
    expected = (
        2 * np.mean(content.relative_error(high, shown, first)) + 0.5 * np.abs(np.log(energies[0] / energies[1])).mean()
    )
    logs = model.train_on_batch(low, high, return_dict=True)
    assert logs["content_loss"] == pytest.approx(float(expected), rel=1e-3)
    assert logs["adversarial_loss"] == pytest.approx(float(adversarial), rel=1e-3)


def test_without_the_fine_it_is_not_asked_for():
    real, fake, first = (pictures((2, 16, 16, 1), seed) for seed in range(3))
    content = SecondStage(srgan().generator, error=3.0, fine=0.0)
    assert float(content(real, fake, first=first)) == pytest.approx(
        3 * float(np.mean(content.relative_error(real, fake, first))), rel=1e-5
    )


def test_the_first_stage_does_not_learn_and_is_not_saved(tmp_path):
    """Whoever loads the model and would train on without it is told."""
    model = srgan()
    first, plain = first_of(model), len(model.weights)
    before = first.get_weights()
    model.compile(content=SecondStage(first, restraint=0.8, window=8), run_eagerly=True)
    low, high = np.zeros((4, 8, 8, 1), "uint8"), np.full((4, 16, 16, 1), 200, "uint8")
    model.fit(low, high, verbose=0)
    assert len(model.weights) == plain
    for old, new in zip(before, first.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(loaded.weights) == plain and loaded.rules["content"].restraint == 0.8
    with pytest.raises(
        ValueError, match="The first stage's network's weights have SHA-256 .*rules\\['content'\\].network"
    ):
        loaded.fit(low, high, verbose=0)
    loaded.rules["content"].network.set_weights(before)
    assert np.isfinite(loaded.fit(low, high, verbose=0).history["content_loss"]).all()


def alone_and_on_two():
    """Run by a child, for devices are set once a process: weights and content loss after two steps."""
    import contextlib

    from kerasgan import distribution

    two, found = distribution.strategy("mirrored", 2), []  # first: it makes the devices
    low, high = (((pictures((8, side, side, 1)) + 1) * 127.5).astype("uint8") for side in (8, 16))
    for scope in (contextlib.nullcontext(), two.scope()):
        keras.utils.set_random_seed(0)
        with scope:
            model = srgan()
            first = first_of(model)
            model.generator.set_weights([1.2 * w for w in model.generator.get_weights()])
            model.compile(content=SecondStage(first, restraint=0.8, window=8))
        history = model.fit(low, high, batch_size=8, epochs=2, verbose=0).history
        found.append((model.generator.get_weights(), history["content_loss"]))
    return found


def test_two_replicas_train_what_one_device_trains(tmp_path):
    (weights, loss), (others, other_loss) = in_child(alone_and_on_two, folder=tmp_path)
    np.testing.assert_allclose(loss, other_loss, rtol=1e-5)
    for a, b in zip(weights, others, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_fingerprint_is_of_the_weights():
    network = srgan().generator
    check_fingerprint(network, fingerprint(network), "eye's", "here")
    with pytest.raises(ValueError, match="The eye's network's weights have SHA-256 .*, expected 0000.* `here`"):
        check_fingerprint(network, "0" * 64, "eye's", "here")


def test_what_is_refused():
    model = srgan()
    network = first_of(model)
    for options, complaint in (
        ({"restraint": -1}, "The weight of a content loss is a number of at least 0; saw -1"),
        ({"window": 5}, "window is an even number of pixels, at least 2; saw 5"),
        ({"network": None}, "compares with the generator of the first stage, and saw None: pass it as network"),
    ):
        with pytest.raises(ValueError, match=complaint):
            SecondStage(**{"network": network, **options})
    for other in (SRGAN(4, channels=1, width=4, blocks=1).generator, srgan(channels=3).generator):
        with pytest.raises(ValueError, match=r"makes \(8, 12\) pictures \(\d+, \d+, \d\), the model \(16, 24, 1\)"):
            model.compile(content=SecondStage(other))
    with pytest.raises(ValueError, match="beside a game, and with adversarial=0 there is none: take 'l1'"):
        model.compile(content=SecondStage(network), adversarial=0)
    assert not model.compiled
    model.compile(content=SecondStage(network), run_eagerly=True)
    with pytest.raises(ValueError, match="There are no windows of 16 pixels in 8 x 8: larger crops"):
        model.train_on_batch(pictures((2, 4, 4, 1)), pictures((2, 8, 8, 1)))
