"""SRGAN: the paper's networks and losses, any size, two stages; what it refuses. The conformance suite has the rest."""

import keras
import numpy as np
import pytest
from goldens import dcgan, srgan
from keras import ops

from kerasgan import SRGAN, callbacks, data, losses, penalties
from kerasgan.images import to_uint8
from kerasgan.layers import PixelShuffle
from kerasgan.metrics import psnr
from kerasgan.models import rules
from kerasgan.models.srgan import check_generator
from kerasgan.resampling import imresize


def photos(n=4, side=24, channels=1):
    """Smooth pictures."""
    rng = np.random.default_rng(0)
    return [imresize(rng.integers(0, 256, (6, 6, channels)).astype("uint8"), size=(side, side)) for _ in range(n)]


def test_the_papers_networks():
    """1.5 million weights, as published implementations count; D takes 96x96, doubles its maps three times."""
    model = SRGAN.paper()
    assert model.generator.count_params() == 1_554_883
    convolutions = [x for x in model.discriminator.layers if isinstance(x, keras.layers.Conv2D)]
    assert [x.filters for x in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [x.strides[0] for x in convolutions] == [1, 2] * 4
    assert model.discriminator.input_shape == (None, 96, 96, 3)
    assert model.discriminator.layers[-4].input.shape[1:] == (6, 6, 512)  # what is flattened
    assert sum(isinstance(x, keras.layers.BatchNormalization) for x in model.generator.layers) == 33
    assert not any("bilinear" in x.name for x in model.generator.layers)
    assert model.rules["content"].kind == "mse" and model.rules["adversarial"] == 1e-3
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-4) and model.optimizer.beta_1 == 0.9


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pictures_of_any_size_become_larger(scale, direct):
    model = SRGAN(scale, width=4, blocks=1, kernel_size=3, direct=direct)
    for size in ((1, 1), (5, 7), (16, 9)):
        low = np.random.default_rng(0).uniform(-1, 1, (2, *size, 3)).astype("float32")
        high = ops.convert_to_numpy(model(low))
        assert high.shape == (2, scale * size[0], scale * size[1], 3) and high.dtype == "float32"
        assert np.abs(high).max() <= 1


def test_modern_begins_near_bilinear():
    """The skip is there from the first step, and the detail nearly nothing."""
    high = photos(1, 48, 3)[0]
    low = imresize(high, scale=1 / 4)
    made = SRGAN.modern()(low[None] / np.float32(127.5) - 1)
    assert psnr(high, (np.asarray(made)[0] + 1) * 127.5) > 20


# --- the game ---------------------------------------------------------------------------------------------------------


def one_batch(model, n=4):
    """(low, high) float pictures, and what the generator makes of them."""
    pairs = data.Pairs(photos(), scale=model.scale, crop=16, batch_size=n, steps=1)
    low, high = (x / np.float32(127.5) - 1 for x in pairs.batch(0))
    return pairs, high, ops.convert_to_numpy(model.generator(low))


@pytest.mark.parametrize("adversarial", [0.0, 1e-3, 0.5])
def test_losses_by_hand(adversarial):
    """Content + weight x adversarial (the paper's eq. 3); at 0 the discriminator rests."""
    model = srgan()
    pairs, high, fake = one_batch(model)
    before = model.discriminator.get_weights()
    scores = [ops.convert_to_numpy(model.discriminator(x)) for x in (high, fake)]
    model.compile(content="mse", adversarial=adversarial, run_eagerly=True)
    logs = {name: values[0] for name, values in model.fit(pairs, verbose=0).history.items()}
    content = np.mean((high - fake) ** 2)
    assert logs["content_loss"] == pytest.approx(content, rel=1e-4)
    same = all(np.array_equal(a, b) for a, b in zip(before, model.discriminator.get_weights(), strict=True))
    if not adversarial:
        assert set(logs) == {"content_loss", "generator_loss"} and same
        assert int(model.discriminator_optimizer.iterations) == 0
        return
    loss = losses.get("nonsaturating")
    assert logs["adversarial_loss"] == pytest.approx(float(loss.generator(*scores)), rel=1e-4)
    assert logs["discriminator_loss"] == pytest.approx(float(loss.discriminator(*scores)), rel=1e-4)
    assert logs["generator_loss"] == pytest.approx(content + adversarial * logs["adversarial_loss"], rel=1e-4)
    assert not same


def test_relativistic_discriminator_is_an_option():
    model = SRGAN.modern(2, adversarial=1e-3, width=4, blocks=1, channels=1, discriminator_width=2)
    logs = model.fit(data.Pairs(photos(), scale=2, crop=16, batch_size=4, steps=2), verbose=0).history
    assert model.loss.name == "relativistic" and {"pair_accuracy", "penalty"} <= set(logs)


def test_pixels_are_learnt():
    """A few steps of the first stage on smooth pictures bring it nearer to them than it was."""
    model = SRGAN.modern(2, width=8, blocks=1, channels=1, learning_rate=5e-3, average_momentum=0.9)
    pairs = data.Pairs(photos(), scale=2, crop=16, batch_size=4, steps=30)
    first, *_, last = model.fit(pairs, epochs=4, verbose=0).history["content_loss"]
    assert last < 0.7 * first


def test_what_fit_takes():
    """Pairs, arrays, a stream of batches: each trains."""
    high = np.stack(photos())
    low = np.stack([imresize(x, scale=1 / 2) for x in high])
    stream = ((low / 127.5 - 1, high / 127.5 - 1) for _ in range(2))
    pairs = data.Pairs(list(high), scale=2, crop=16, batch_size=2, steps=3)
    for x, y, steps in (
        (pairs, None, 3),
        (low, high, 1),
        (stream, None, 2),
    ):
        model = srgan()
        model.compile(run_eagerly=True)
        model.fit(x, y, verbose=0)
        assert int(model.step) in (steps, steps + (x is stream))  # Keras 3.15 takes a generator's first batch twice


def test_a_model_upscales_what_a_user_has():
    """As it would the whole picture; `test_upscaling` has every kind of picture."""
    model = srgan()
    picture = photos(1, 21)[0]
    made = model.upscale(picture, tile=16)
    expected = to_uint8(model(picture[None] / np.float32(127.5) - 1))[0]
    assert made.shape == (42, 42, 1) and np.abs(made.astype(int) - expected).max() <= 1
    floats = model.upscale(picture / 255, value_range=(0, 1))
    assert floats.dtype == "float64" and np.abs(floats * 255 - made).max() <= 1


# --- measuring --------------------------------------------------------------------------------------------------------


class Gap(keras.metrics.Mean):
    """The mean difference of pixels, a picture at a time."""

    def update_state(self, real, fake):
        return super().update_state(ops.mean(ops.abs(real - fake), axis=(1, 2, 3)))


def test_whole_pictures_are_measured(tmp_path):
    """Of any sizes, one after the other; in `fit`, after every epoch; arrays as well."""
    high = [*photos(3, 24), *photos(2, 30), *photos(1, 18)]
    pictures, model = data.Pictures(high, scale=2), srgan()
    model.compile(metrics=[Gap("gap")], run_eagerly=True)
    found = model.evaluate(pictures, verbose=0, return_dict=True)["gap"]
    made = [model(low / np.float32(127.5) - 1) for low, _ in (pictures[i] for i in range(6))]
    expected = [np.abs(x / 127.5 - 1 - np.asarray(y)[0]).mean() for x, y in zip(high, made, strict=True)]
    assert found == pytest.approx(np.mean(expected), rel=1e-5)
    pairs = data.Pairs(high, scale=2, crop=16, batch_size=4, steps=1)
    history = model.fit(pairs, validation_data=pictures, epochs=2, verbose=0).history
    assert len(history["val_gap"]) == 2 and history["val_gap"][0] != found
    low = np.stack(pictures.low[:3])
    arrays = model.evaluate(low / 255, np.stack(high[:3]) / 255, value_range=(0, 1), verbose=0, return_dict=True)
    assert arrays["gap"] == pytest.approx(model.evaluate(low, np.stack(high[:3]), verbose=0), rel=1e-4)


# --- refusing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"scale": 5}, "scale is 2, 3 or 4; saw 5"),
        ({"channels": 4}, "channels is 1 or 3; saw 4"),
        ({"width": 0}, "width is an integer of at least 1; saw 0"),
        ({"skip": 1}, "skip is True or False; saw 1"),
        ({"discriminator_units": 8}, "which needs a size: say the crop, 96 in the paper"),
        ({"generator": keras.Sequential([keras.Input((8, 8, 3)), PixelShuffle(1)])}, "pictures of any size"),
    ],
)
def test_refused_networks(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        SRGAN(**options)


def test_check_generator():
    low = keras.Input((None, None, 1))
    three = keras.Model(low, PixelShuffle(3)(keras.layers.Conv2D(9, 3, padding="same")(low)))
    check_generator(three, 3)
    with pytest.raises(ValueError, match=r"2 times larger, \(8, 12, 1\) to \(16, 24, 1\); saw \(24, 36, 1\)"):
        check_generator(three, 2)


def test_refused_rules():
    model = srgan()
    for game, complaint in (
        ({"adversarial": -1}, r"adversarial lies in \[0, inf\); saw -1"),
        (
            {"adversarial": 0, "alternate": True},
            "alternate is for a game, and adversarial=0 trains the generator alone",
        ),
        ({"adversarial": 0.0, "discriminator_steps": 2}, "discriminator_steps is for a game"),
        ({"adversarial": 0.0, "penalty": penalties.r1(1.0)}, "penalty is for a game"),
        ({"adversarial": 0.0, "instance_noise": 0.1}, "instance_noise is for a game"),
        ({"content": "l3"}, "Unknown content 'l3'"),
    ):
        with pytest.raises(ValueError, match=complaint):
            model.compile(**game)
    rules.check_no_game({"loss": "nonsaturating", "penalty": None, "jit_compile": True})  # what says nothing of a game
    with pytest.raises(TypeError, match="no argument 'contents'. Did you mean 'content'"):
        model.compile(contents="l1")


def test_refused_pictures():
    model, low, high = srgan(), np.zeros((4, 8, 8, 1), "uint8"), np.zeros((4, 16, 16, 1), "uint8")
    model.compile(metrics=[Gap()])
    pairs = data.Pairs(list(high), scale=2, crop=8)
    for given, options, complaint in (
        ((low,), {}, "Super-resolution learns from pairs: pass low and high pictures"),
        ((data.Pictures(list(high), scale=2),), {}, "learns from pairs"),
        ((low, high[:, :12]), {}, "not 2 times smaller"),
        ((high, low), {}, "not 2 times smaller"),
        ((low.astype("float32"), high.astype("float32")), {}, "Pairs are learnt from uint8 pictures; saw float32"),
        ((low, high), {"value_range": (0, 1)}, "value_range=.0, 1.: round them"),
        ((pairs,), {"batch_size": 3}, "batch_size and value_range are for arrays"),
        ((pairs,), {"shuffle": False}, "shuffle=False is of no use here"),
        ((data.Pairs(list(high), scale=4, crop=8),), {}, "these pairs are of scale 4"),
        (((batch for batch in [(low, low)]),), {}, "Super-resolution learns from .low, high. batches"),
        (((batch for batch in [(low / 255 + 0.1, high / 255)]),), {}, r"Float images lie in \[-1, 1\]"),
    ):
        with pytest.raises(ValueError, match=complaint):
            model.fit(*given, verbose=0, **options)
    with pytest.raises(ValueError, match="Super-resolution learns from"):
        model.evaluate(low, high[:, :12], verbose=0)
    for given, complaint in (
        (None, "There are no pictures|measured by pairs"),
        (low, "measured by pairs"),
        (data.Pictures(list(high), scale=4), "these pairs are of scale 4"),
        ((batch for batch in [(low + 1.0, high + 1.0)]), r"Float images lie in"),
        ((batch for batch in [(low, high.astype("int32"))]), "Images are uint8, or floats"),
        ((batch for batch in [(np.zeros((2, 8, 8, 3)), np.zeros((2, 16, 16, 3)))]), "this stream's have 3"),
    ):
        with pytest.raises(ValueError, match=complaint):
            model.evaluate(given, verbose=0)
    for callback in (callbacks.SampleGrid("nowhere"), callbacks.CollapseWatch(np.stack(photos(side=16)))):
        with pytest.raises(ValueError, match="looks at samples, and SRGAN draws none: leave it out"):
            model.fit(pairs, verbose=0, callbacks=[callback])
    callbacks.check_draws(callbacks.SampleGrid("nowhere"), dcgan())
    assert int(model.step) == 0


def test_crops_of_another_size():
    """With noise on the images, and packed: nothing is bound to the size of the first crops."""
    model = srgan(pack=2)
    model.compile(instance_noise=0.1, run_eagerly=True)
    for side in (16, 12):
        model.fit(data.Pairs(photos(), scale=2, crop=side, batch_size=4, steps=2), verbose=0)
    assert int(model.step) == 4


def test_check_known():
    rules.check_known("scale", 2, (2, 3, 4))
    for value in (5, True, "2", None, 2.0):
        with pytest.raises(ValueError, match=f"scale is 2, 3 or 4; saw {value!r}."):
            rules.check_known("scale", value, (2, 3, 4))


def test_check_pair():
    rules.check_pair((4, 8, 9, 3), (4, 16, 18, 3), 2)
    rules.check_pair((None, None, 9, 3), (None, None, 18, 3), 2)  # in a graph a size may be unknown
    for high in (None, (4, 16, 17, 3), (3, 16, 18, 3), (4, 16, 18, 1), (16, 18, 3)):
        with pytest.raises(ValueError, match="Super-resolution learns from .low, high. batches, high ones 2 times"):
            rules.check_pair((4, 8, 9, 3), high, 2)
