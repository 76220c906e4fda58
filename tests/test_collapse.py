"""`CollapseWatch`: every illness of a game, acted out, is named when it begins; a healthy game hears nothing."""

import keras
import numpy as np
import pytest
from test_callbacks import pictures, tiny

import kerasgan
from kerasgan import data
from kerasgan.callbacks import CollapseWatch, variety


def watch(**options):
    """A watch that has begun, and what it has said."""
    said = []
    callback = CollapseWatch(say=said.append, **options)
    callback.on_train_begin()
    return callback, said


HEALTHY = {"generator_loss": 0.8, "discriminator_loss": 1.3, "real_accuracy": 0.7, "fake_accuracy": 0.6}


@pytest.mark.parametrize(
    ("logs", "words"),
    [
        ({"real_accuracy": 0.99, "fake_accuracy": 0.97}, "the discriminator wins: it is right 98% of the time"),
        ({"pair_accuracy": 0.96}, "the discriminator wins: it is right 96%"),
        ({"pair_accuracy": 0.51}, "the discriminator is at chance (51%): samples are as good as it can tell, or"),
        ({"real_accuracy": 0.52, "fake_accuracy": 0.5}, "the discriminator is at chance"),
        ({"generator_loss": 40.0}, "generator_loss runs away: 40, where it used to be 0.8. Try a lower learning rate"),
        ({"discriminator_loss": -30.0}, "discriminator_loss runs away: 30, where it used to be 1.3"),
    ],
)
def test_an_epoch_that_goes_wrong(logs, words):
    callback, said = watch()
    for epoch in range(3):
        callback.on_epoch_end(epoch, HEALTHY)
    assert said == []
    ill = ({} if "pair_accuracy" in logs else HEALTHY) | logs
    callback.on_epoch_end(3, ill)
    (sentence,) = said
    assert sentence.startswith(f"epoch 4: {words}")
    callback.on_epoch_end(4, ill)
    assert len(said) == 1, "said when it begins, not every epoch"
    callback.on_epoch_end(5, HEALTHY)
    callback.on_epoch_end(6, ill)
    assert len(said) == 2 and len(callback.found) == 2


def test_a_discriminator_that_says_real_to_all_is_not_at_chance():
    callback, said = watch()
    callback.on_epoch_end(0, HEALTHY | {"real_accuracy": 0.99, "fake_accuracy": 0.01})
    assert said == []


def test_variety_by_hand():
    """Two images 5 apart, and none from itself: the root of the mean square is 5 / sqrt 2."""
    assert variety(np.array([[0, 0, 7], [3, 4, 7]])) == pytest.approx(5 / np.sqrt(2))


@pytest.fixture(scope="module")
def halves():
    """A classifier of 16x16 images: class 0 dark, class 1 bright, class 2 never."""
    inputs = keras.Input((16, 16, 1))
    mean = keras.layers.Reshape((1,))(keras.layers.GlobalAveragePooling2D()(inputs))
    return keras.Model(inputs, keras.layers.Concatenate()([-mean, mean, mean - 5]))


def test_samples_that_are_alike_and_a_class_that_is_missing(halves):
    real = pictures(64)
    callback, _ = watch(real=real, classifier=halves)
    dark, bright = np.zeros((32, 16, 16, 1), "uint8"), np.full((32, 16, 16, 1), 255, "uint8")
    seen = callback.of_samples(dark)
    assert seen["alike"].startswith(
        "samples are alike: two of them differ by 0.00 of what two real images do. Try pack=2"
    )
    assert seen["missing"] == "no sample of 32 is of class 1, 2."
    assert list(callback.of_samples(np.concatenate([dark, bright]))) == ["missing"]
    assert watch(real=data.Dataset(real, batch_size=1))[0].variety == callback.variety
    assert watch()[0].of_samples(dark) == {}, "nothing to compare with"
    few, _ = watch(classifier=halves, n=8)
    assert few.of_samples(dark[:8]) == {}, "of three classes eight samples miss one by chance"


def test_real_images_of_a_folder_come_class_by_class():
    """Of 40 dark and 40 bright ones every tenth is looked at, and not the first eight."""
    real = np.repeat(np.array([0, 255], "uint8"), 40).reshape(80, 1, 1, 1)
    assert watch(real=real, n=8)[0].variety == pytest.approx(2**0.5)
    with pytest.raises(ValueError, match="Float images lie in .-1, 1."):
        watch(real=real / 255)


def test_what_samples_show_is_said_once_though_not_every_epoch_looks(halves, monkeypatch):
    """Epochs of a second, draws of 0.1: most epochs have no time for samples, and nothing is healed by that."""
    clock = {"now": 0.0}
    monkeypatch.setattr("kerasgan.callbacks.time.monotonic", lambda: clock["now"])
    callback, said = watch(classifier=halves, n=32)
    drawn = []

    class Slow:
        def generate(self, n, seed):
            clock["now"] += 0.1
            drawn.append(np.zeros((n, 16, 16, 1), "uint8"))
            return drawn[-1]

    callback.set_model(Slow())
    for epoch in range(16):
        clock["now"] += 1.0
        callback.on_epoch_end(epoch, HEALTHY)
    assert len(drawn) == 3 and len(said) == 1


def test_a_critic_is_no_discriminator():
    """It tells nearly all pairs apart when all is well, and its losses have no unit."""
    model = tiny()
    model.compile(loss="wasserstein", penalty=kerasgan.penalties.gradient_penalty())
    callback, said = watch()
    callback.set_model(model)
    for epoch in range(3):
        callback.on_epoch_end(epoch, {"pair_accuracy": 0.99, "discriminator_loss": -40.0 * epoch})
    assert said == []


def test_of_a_training(halves, capsys):
    """A generator that has collapsed is found, and told on stderr."""
    model = tiny()
    for weight in model.generator.weights + model.average.weights:
        weight.assign(0 * weight)
    callback = CollapseWatch(pictures(24), halves, n=32)
    callback.on_train_begin()
    callback.started -= 1000  # as if the epoch had been long
    callback.set_model(model)
    callback.on_epoch_end(0, HEALTHY)
    told = capsys.readouterr()
    assert told.out == "" and "epoch 1: samples are alike" in told.err and "epoch 1: no sample of 32" in told.err
    assert [what for _, what in callback.found] == ["alike", "missing"]
    assert 0 < callback.spent <= 0.02 * 1000


def test_it_takes_at_most_its_share_of_the_time(monkeypatch):
    """Epochs of a second: 0.1 seconds of drawing are due after five, and again after ten."""
    clock = {"now": 0.0}
    monkeypatch.setattr("kerasgan.callbacks.time.monotonic", lambda: clock["now"])
    callback, _ = watch(real=pictures(8), n=4)
    drawn = []

    class Slow:
        def generate(self, n, seed):
            clock["now"] += 0.1
            drawn.append(round(clock["now"], 1))
            return pictures(n)

    callback.set_model(Slow())
    for epoch in range(20):
        clock["now"] += 1.0
        callback.on_epoch_end(epoch, HEALTHY)
        assert callback.spent <= 0.02 * clock["now"] or len(drawn) == 1, "the first shows how long it takes"
    assert len(drawn) >= 3
