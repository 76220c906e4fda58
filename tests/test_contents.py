"""Content losses by hand; networks that compare, and are never trained or saved."""

import keras
import numpy as np
import pytest
from goldens import srgan
from keras import ops

from kerasgan import contents
from kerasgan.models import networks


@pytest.fixture
def pair():
    """Two pictures of each kind, in [-1, 1]."""
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, (2, 12, 10, 3)).astype("float32") for _ in range(2)]


def network():
    """A convolution and its square: "map" and "square"."""
    images = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, name="map", use_bias=False)(images)
    return keras.Model(images, keras.layers.Lambda(ops.square, name="square")(x), name="eye")


def test_pixels_by_hand(pair):
    real, fake = pair
    assert float(contents.Pixels("l1")(real, fake)) == pytest.approx(np.abs(real - fake).mean(), rel=1e-5)
    assert float(contents.Pixels("mse")(real, fake)) == pytest.approx(((real - fake) ** 2).mean(), rel=1e-5)


def test_get(pair):
    assert contents.get("mse").kind == "mse" and contents.get(same := contents.Pixels()) is same
    with pytest.raises(ValueError, match="Unknown content 'l2'. There are: l1, mse"):
        contents.get("l2")
    with pytest.raises(ValueError, match="content is 'l1', 'mse', or one of kerasgan.contents"):
        contents.get(3)


def test_features_by_hand(pair):
    """The mean squared difference of each layer, summed (the paper's eq. 5, which divides by W H)."""
    real, fake = pair
    eye = network()
    content = contents.Features(eye, ["map", "square"], weight=0.5)
    maps = [ops.convert_to_numpy(eye.get_layer("map")(x)) for x in pair]
    expected = 0.5 * (((maps[0] - maps[1]) ** 2).mean() + ((maps[0] ** 2 - maps[1] ** 2) ** 2).mean())
    assert float(content(real, fake)) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match="Unknown layer of eye 'maps'. Did you mean 'map'"):
        contents.Features(eye, ["maps"])
    assert contents.maps_of(eye, ["map"]).output[0].shape[-1] == 4
    assert contents.Features(eye, "map").layers == contents.named(["map"]) == ["map"]  # a text is one name
    with pytest.raises(ValueError, match="at least one; saw none"):
        contents.Features(eye, [])
    for weight in ("1", -1, float("nan"), True):
        with pytest.raises(ValueError, match="The weight of a content loss is a number of at least 0; saw"):
            contents.check_numbers(weight=weight)


def test_a_network_that_lost_its_weights_is_refused():
    """A config has none: whoever goes on with random ones would not know."""
    convolution = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3, name="map")])
    content = contents.Features(convolution, ["map"])
    content.check()
    again = contents.Features.from_config(content.get_config())
    with pytest.raises(ValueError, match="The content network's weights have SHA-256 .* load them into"):
        again.check()
    again.network.set_weights(convolution.get_weights())
    again.check()


def test_vgg19_before_its_activation():
    """Half of what a convolution says is below 0; pictures are prepared as ImageNet's were."""
    content = contents.VGG19(["block1_conv2", "block2_conv1"], weights=None)
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 16, 20, 3)).astype("float32")
    first, second = map(ops.convert_to_numpy, content.features(picture))
    assert first.shape == (1, 16, 20, 64) and second.shape == (1, 8, 10, 128)
    assert 0.2 < (first < 0).mean() < 0.8
    seen = contents.before_activation(None)
    vgg = keras.applications.VGG19(False, None)
    vgg.set_weights(seen.get_weights())
    prepared = keras.applications.vgg19.preprocess_input((picture + 1) * 127.5)
    made, expected = (contents.maps_of(n, [name])(prepared)[0] for n, name in
                      ((seen, "block2_conv1_relu"), (vgg, "block2_conv1")))  # fmt: skip
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)


def test_vgg19_is_read_when_a_training_begins(tmp_path):
    """Who loads a model to use it needs no weights; who trains on needs the same."""
    content = contents.VGG19(["block1_conv1"], weights=None)
    assert content.sha256 is None
    content.check()
    again = contents.VGG19.from_config(content.get_config())  # random ones, which are others
    with pytest.raises(ValueError, match="The content network's weights have SHA-256"):
        again.check()
    gone = contents.VGG19(weights=str(tmp_path / "gone.weights.h5"))
    assert gone.get_config()["weights"].endswith("gone.weights.h5")
    with pytest.raises(OSError, match="of VGG19 cannot be had; pass the path of a file as weights="):
        gone.check()


def test_vgg19_without_a_network_says_what_to_do(monkeypatch):
    def fails(*_, **__):
        raise Exception("URL fetch failure on https://somewhere/x.h5: None -- nodename nor servname provided")

    monkeypatch.setattr(keras.applications, "VGG19", fails)
    with pytest.raises(OSError, match="The weights 'imagenet' of VGG19 cannot be had; pass the path .* URL fetch"):
        contents.VGG19().check()


def test_discriminator_features_by_hand(pair):
    """Absolute differences after each LeakyReLU, their mean over layers, beside the pixels'."""
    images = keras.Input((None, None, 3))
    x = keras.layers.LeakyReLU(0.5)(images)
    scores = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(keras.layers.LeakyReLU(0.0)(x)))
    real, fake = pair
    once, twice = ([np.where(x < 0, slope * x, x) for x in pair] for slope in (0.5, 0.0))
    apart = (np.abs(once[0] - once[1]).mean() + np.abs(twice[0] - twice[1]).mean()) / 2
    content = contents.DiscriminatorFeatures(weight=3.0, pixels=2.0)
    expected = 2 * np.abs(real - fake).mean() + 3 * apart
    assert float(content(real, fake, keras.Model(images, scores))) == pytest.approx(expected, rel=1e-5)


def test_content_that_fits_no_model():
    """Each is refused by `compile`, before anything changes."""
    grey, colour = srgan(), srgan(channels=3)
    no_relu = keras.Sequential(
        [keras.Input((None, None, 1)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    )
    for model, content, options, complaint in (
        (grey, contents.VGG19(weights=None), {}, "VGG19 sees pictures of 3 channels, and this model makes grey ones"),
        (grey, contents.Features(network(), ["map"]), {}, "takes pictures of 3 channels; the model makes 1"),
        (grey, contents.DiscriminatorFeatures(), {"adversarial": 0}, "with adversarial=0 it rests"),
        (srgan(pack=2), contents.DiscriminatorFeatures(), {}, "with LeakyReLU layers, and pack=1"),
        (srgan(discriminator=no_relu), contents.DiscriminatorFeatures(), {}, "with LeakyReLU layers, and pack=1"),
    ):
        with pytest.raises(ValueError, match=complaint):
            model.compile(content=content, **options)
        assert not model.compiled
    colour.compile(content=contents.Features(network(), ["map"]))
    contents.Content().check_model(grey, 0.0)  # pixels fit all
    assert len(contents.activations(colour.discriminator)) == 8


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_compares_in_float32(policy):
    with networks.policy(policy):
        model = srgan(channels=3)
        content = contents.Features(network(), ["map"])
    low, high = np.zeros((4, 8, 8, 3), "uint8"), np.full((4, 16, 16, 3), 200, "uint8")
    for each in (content, contents.DiscriminatorFeatures()):
        model.compile(content=each, run_eagerly=True)
        assert np.isfinite(model.fit(low, high, verbose=0).history["content_loss"]).all()
    assert {x.dtype for x in contents.in_float32([np.zeros(2, "float16")])} == {keras.ops.zeros(2).dtype}


@pytest.mark.parametrize("kind", ["features", "discriminator"])
def test_networks_that_compare_do_not_learn_and_are_not_saved(kind, tmp_path):
    compares = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(2, 3, name="map")])
    features = contents.Features(compares, ["map"])
    content = features if kind == "features" else contents.DiscriminatorFeatures()
    model, before = srgan(), compares.get_weights()
    model.compile(content=content, run_eagerly=True)
    plain = len(srgan().weights)
    assert len(model.weights) == plain
    low, high = np.zeros((4, 8, 8, 1), "uint8"), np.full((4, 16, 16, 1), 200, "uint8")
    assert np.isfinite(model.fit(low, high, verbose=0).history["content_loss"]).all()
    for old, new in zip(before, compares.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.rules["content"]) is type(content) and len(loaded.weights) == plain
    if kind == "features":
        with pytest.raises(ValueError, match="load them into `model.rules\\['content'\\].network`"):
            loaded.fit(low, high, verbose=0)
