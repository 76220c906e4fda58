"""What a second stage draws onto the first: by hand, saved, loaded; what is refused."""

import keras
import numpy as np
import pytest
from goldens import in_child, srgan
from keras import ops

from kerasgan import SRGAN, stages
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


@pytest.mark.parametrize(("expansion", "strong"), [(0.5, 15.0), (1.0, 12.0)])
def test_what_is_drawn_is_shown_compressed(expansion, strong):
    """Its strength to the power of 1 / (1 + expansion), so that the inverse is drawn; what is `strong` as it is."""
    content, first = SecondStage(srgan().generator, expansion=expansion, strong=strong), pictures((1, 64, 64, 3))
    sign = np.sign(pictures((1, 64, 64, 3), 1))
    for grey in (3.0, 15.0, 40.0):
        shown = ops.convert_to_numpy(content.shown(first, first + grey / 127.5 * sign))
        strength = strong * (grey / strong) ** (1 / (1 + expansion))
        np.testing.assert_allclose(shown - first, strength / 127.5 * sign, rtol=0.03, atol=1e-5)
    np.testing.assert_allclose(content.shown(first, first), first, atol=1e-6)
    assert SecondStage(srgan().generator, expansion=0.0).shown(first, sign) is sign


def test_strength_is_local():
    """Two windows apart, what is drawn here does not change how strong it is shown there."""
    content, first = SecondStage(srgan().generator, window=8), np.zeros((1, 64, 64, 1), "float32")
    drawn = 0.1 * np.sign(pictures((1, 64, 64, 1), 1))
    more = drawn * np.where(np.arange(64) < 32, 4.0, 1.0)[:, None].astype("float32")
    one, other = (ops.convert_to_numpy(content.shown(first, x)) for x in (drawn, more))
    np.testing.assert_allclose(one[:, :, 37:], other[:, :, 37:], rtol=1e-5)
    assert np.abs(other[:, :, :27]).mean() > 2 * np.abs(one[:, :, :27]).mean()


def test_relative_error_by_hand():
    """Windows of four pixels, two apart: mean squares over pixels and channels, of the drawn beside the missing."""
    real, fake, first = (pictures((2, 8, 10, 3), seed) for seed in range(3))
    inside = (slice(None), slice(2, 6), slice(4, 8))
    drawn, missing = (np.square(x - first)[inside].mean(axis=(1, 2, 3)) for x in (fake, real))
    for power in (1.0, 1.6):
        content = SecondStage(srgan().generator, power=power, window=4)
        found = ops.convert_to_numpy(content.relative_error(real, fake, first))
        assert found.shape == (2, 3, 4)
        beside = (missing + (2 / 127.5) ** 2) ** power * (10 / 127.5) ** (2 - 2 * power)
        np.testing.assert_allclose(found[:, 1, 2], drawn / beside, rtol=1e-4)


def test_the_error_asks_for_what_squared_pixels_ask_for():
    """Where what is missing is all chance, as much in every window, the real picture and the first stage's, which is
    its mean, differ as targets by a constant, but for chance: here of 64 draws of what is missing."""
    rng, content = np.random.default_rng(0), SecondStage(srgan().generator, power=1.0, window=8)
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
    content = SecondStage(first_of(model), error=2.0, fine=0.5, expansion=0.5, window=8)
    model.generator.set_weights([1.3 * w for w in model.generator.get_weights()])
    first, fake = (ops.convert_to_numpy(network(low)) for network in (content.network, model.generator))
    shown = ops.convert_to_numpy(content.shown(first, fake))
    assert np.abs(shown - fake).max() > 0.01
    model.compile(content=content, run_eagerly=True)
    adversarial = model.loss.generator(*(model.discriminator(x) for x in (high, shown)))
    a, b = (np.sqrt(ops.convert_to_numpy(stages.fine_energies(x, 8)) + content.FLOOR) for x in (high, shown))
    expected = 2 * np.mean(content.relative_error(high, shown, first)) + 0.5 * np.abs(a - b).mean()
    logs = model.train_on_batch(low, high, return_dict=True)
    assert logs["content_loss"] == pytest.approx(float(expected), rel=1e-3)
    assert logs["adversarial_loss"] == pytest.approx(float(adversarial), rel=1e-3)


def test_without_the_fine_it_is_not_asked_for():
    real, fake, first = (pictures((2, 16, 16, 1), seed) for seed in range(3))
    content = SecondStage(srgan().generator, error=3.0, fine=0.0)
    assert float(content(real, fake, first=first)) == pytest.approx(
        3 * float(np.mean(content.relative_error(real, fake, first))), rel=1e-5
    )


def test_fine_energies_by_hand():
    """Of two by two pixels: stripes down are across, stripes across are down, a chequerboard is both."""
    y, x = np.mgrid[:8, :10]
    patterns = np.stack([(-1.0) ** x, (-1.0) ** y, (-1.0) ** (x + y), np.ones_like(x)])[..., None].astype("float32")
    energies = ops.convert_to_numpy(stages.fine_energies(0.5 * patterns, 4))
    assert energies.shape == (4, 2, 3, 3)
    np.testing.assert_allclose(energies, np.broadcast_to(0.25 * np.eye(4, 3)[:, None, None], (4, 2, 3, 3)), atol=1e-6)
    with pytest.raises(ValueError, match="There are no windows of 8 pixels in 7 x 9: larger crops"):
        stages.fine_energies(patterns, 8)


def test_windowed_by_hand():
    """Windows of four pixels, two apart; what does not fill one is left out."""
    maps = pictures((1, 7, 9, 2))
    means = ops.convert_to_numpy(stages.windowed(maps, 4))
    assert means.shape == (1, 2, 3, 2)
    np.testing.assert_allclose(means[0, 1, 2], maps[0, 2:6, 4:8].mean(axis=(0, 1)), atol=1e-6)
    with pytest.raises(ValueError, match="window is an even number of pixels, at least 2; saw 3"):
        stages.check_window(3)


def test_fine_distance_by_hand():
    """Half the contrast is half the amplitudes apart, equal pictures not at all; a floor brings the weak nearer."""
    real = pictures((2, 12, 10, 3))
    apart = 0.5 * np.sqrt(ops.convert_to_numpy(stages.fine_energies(real, 4))).mean()
    assert float(stages.fine_distance(real, 0.5 * real, 4, 1e-8)) == pytest.approx(apart, rel=1e-3)
    assert float(stages.fine_distance(real, real, 4, 1e-8)) == pytest.approx(0, abs=1e-6)
    assert float(stages.fine_distance(real, 0.5 * real, 4, 10.0)) < 0.2 * apart


def test_the_first_stage_does_not_learn_and_is_not_saved(tmp_path):
    """Whoever loads the model and would train on without it is told."""
    model = srgan()
    first, plain = first_of(model), len(model.weights)
    before = first.get_weights()
    model.compile(content=SecondStage(first, expansion=0.8, window=8), run_eagerly=True)
    low, high = np.zeros((4, 8, 8, 1), "uint8"), np.full((4, 16, 16, 1), 200, "uint8")
    model.fit(low, high, verbose=0)
    assert len(model.weights) == plain
    for old, new in zip(before, first.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(loaded.weights) == plain and loaded.rules["content"].expansion == 0.8
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
            model.compile(content=SecondStage(first, expansion=0.8, window=8))
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
        ({"expansion": -1}, "The expansion of a content loss is a number of at least 0; saw -1"),
        ({"strong": 0}, "strong is a strength in grey levels, above 0; saw 0"),
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
