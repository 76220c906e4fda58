"""The extractors: their shape, their size, that they learn, and what they refuse."""

import keras
import numpy as np
import pytest
from keras import ops

from kerasgan import DCGAN, metrics
from kerasgan.models import classifiers


@pytest.mark.parametrize("image_shape, classes", [((28, 28, 1), 10), ((32, 40, 3), 4), ((12, 12, 1), 2)])
def test_lenet_gives_logits_and_128_features(image_shape, classes):
    classifier = classifiers.lenet(image_shape, classes)
    images = np.zeros((3, *image_shape), "float32")
    assert classifier(images).shape == (3, classes)
    features = classifiers.extractor(classifier)(images)
    assert features.shape == (3, 128) and ops.min(features) >= 0


def test_lenet_is_small():
    assert classifiers.lenet().count_params() == 258_314  # 1.1 MB of weights


@pytest.mark.parametrize("image_shape, classes", [((32, 32, 3), 10), ((40, 32, 3), 4), ((16, 16, 1), 2)])
def test_convnet_gives_logits_and_128_features(image_shape, classes):
    classifier = classifiers.convnet(image_shape, classes)
    images = np.zeros((3, *image_shape), "float32")
    assert classifier(images).shape == (3, classes)
    assert classifiers.extractor(classifier)(images).shape == (3, 128)


def test_convnet_is_as_large_as_it_says():
    classifier = classifiers.convnet()
    multiplications = sum(
        np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:-1])
        for layer in classifier.get_layer("features").network.layers
        if isinstance(layer, (keras.layers.Conv2D, classifiers.Whitening))
    )
    assert round(multiplications / 1e6) == 115
    assert classifier.count_params() == 1_678_378


def test_convnet_tells_the_same_of_a_mirror_image():
    """In use; in training it is shown the image alone."""
    classifier = classifiers.convnet((16, 20, 3), 4)
    images = np.random.default_rng(0).uniform(-1, 1, (3, 16, 20, 3)).astype("float32")
    network = classifier.get_layer("features").network
    halves = [ops.convert_to_numpy(network(x)) for x in (images, images[:, :, ::-1])]
    features = classifiers.extractor(classifier)
    np.testing.assert_allclose(ops.convert_to_numpy(features(images)), sum(halves) / 2, atol=1e-5)
    np.testing.assert_allclose(*(classifier.predict(x, verbose=0) for x in (images, images[:, :, ::-1])), atol=1e-5)
    mirrored = classifiers.Mirrored(network)
    keras.utils.set_random_seed(0)
    np.testing.assert_allclose(mirrored(images, training=True), network(images, training=True), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_whitening_makes_components_of_variance_one_without_correlation(channels):
    """Of smooth images, whose neighbouring pixels are nearly the same; the second half is the first, negated."""
    rng = np.random.default_rng(0)
    images = rng.normal(0, 0.5, (50, 20, 24, channels))
    images = (images + np.roll(images, 1, 1) + np.roll(images, 1, 2)).astype("float32")
    layer = classifiers.Whitening()
    before = ops.convert_to_numpy(layer(images))
    patch = images[0, 3:5, 7:9].reshape(-1)
    np.testing.assert_allclose(before[0, 3, 7], np.concatenate([patch, -patch]), rtol=1e-6)  # until it has adapted
    layer.adapt(images)
    found = ops.convert_to_numpy(layer(images)).reshape(-1, 8 * channels)
    np.testing.assert_allclose(np.cov(found[:, : 4 * channels].T), np.eye(4 * channels), atol=0.02)
    np.testing.assert_allclose(found[:, 4 * channels :], -found[:, : 4 * channels], atol=1e-5)
    assert not layer.trainable_weights


def test_adapt_reaches_every_layer_that_looks_at_images():
    images = np.random.default_rng(0).uniform(-0.1, 0.1, (30, 16, 16, 3)).astype("float32")
    classifier = classifiers.convnet((16, 16, 3), 2)
    classifiers.adapt(classifier, images)
    whitened = classifier.get_layer("features").network.get_layer("whitening")(images)
    assert 0.8 < ops.convert_to_numpy(whitened).std() < 1.2
    classifiers.adapt(classifiers.lenet(), np.zeros((2, 28, 28, 1), "float32"))  # which has none: nothing happens


def test_extractor_shares_the_weights():
    """The features, through the last layer, are the logits; dropout rests."""
    classifier = classifiers.lenet()
    images = np.random.default_rng(0).uniform(-1, 1, (4, 28, 28, 1)).astype("float32")
    logits = classifier.get_layer("logits")(classifiers.extractor(classifier)(images))
    np.testing.assert_allclose(ops.convert_to_numpy(logits), ops.convert_to_numpy(classifier(images)), atol=1e-5)


def test_lenet_learns():
    """Bright against dark squares in a few steps."""
    keras.utils.set_random_seed(0)
    labels = np.arange(64) % 2
    images = np.random.default_rng(0).uniform(-1, 1, (64, 12, 12, 1)).astype("float32")
    images[:, 4:8, 4:8] = np.where(labels, 1, -1)[:, None, None, None]
    classifier = classifiers.lenet((12, 12, 1), 2)
    classifier.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    classifier.fit(images, labels, batch_size=32, epochs=5, verbose=0)
    assert classifier.evaluate(images, labels, verbose=0, return_dict=True)["accuracy"] > 0.95


def test_refusals():
    with pytest.raises(ValueError, match=r"image_shape=\(8, 28, 1\)"):
        classifiers.lenet((8, 28, 1))
    with pytest.raises(ValueError, match=r"image_shape=\(8, 32, 3\)"):
        classifiers.convnet((8, 32, 3))
    for build in (classifiers.lenet, classifiers.convnet):
        with pytest.raises(ValueError, match="classes=1"):
            build(classes=1)
    with pytest.raises(ValueError, match="no layer named 'features'"):
        classifiers.extractor(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))


# --- inception --------------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_inception_takes_small_pictures_of_either_kind():
    """Grey ones are three times the same; 2,048 features, resized on the way."""
    network = classifiers.inception((20, 24, 1), weights=None)
    images = np.random.default_rng(0).integers(0, 256, (2, 20, 24, 1)).astype("uint8")
    found = metrics.features(network, images)
    assert found.shape == (2, 2048) and np.isfinite(found).all() and found.std() > 0
    assert classifiers.extractor(network).output_shape == (None, 2048)
    assert network.get_layer("resized").output.shape == (None, 299, 299, 3)
    with pytest.raises(ValueError, match=r"inception saw image_shape=\(20, 24, 4\): it takes 1 or 3 channels"):
        classifiers.inception((20, 24, 4))


def test_inception_without_a_network_says_what_to_do(monkeypatch):
    def fails(*_, **__):
        raise Exception("URL fetch failure on https://somewhere/x.h5: None -- nodename nor servname provided")

    monkeypatch.setattr(keras.applications, "InceptionV3", fails)
    with pytest.raises(OSError, match="InceptionV3 could not be fetched; pass their path as weights=. URL fetch"):
        classifiers.inception()


def test_a_model_measured_by_convnet_is_saved(tmp_path):
    """Its layers are registered, and none of them needs the weights to say what it makes."""
    keras.utils.set_random_seed(0)
    classifier = classifiers.convnet((16, 16, 3), 2)
    images = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 3)).astype("float32")
    classifiers.adapt(classifier, images)
    classifier.save(tmp_path / "c.keras")
    again = keras.saving.load_model(tmp_path / "c.keras")
    np.testing.assert_array_equal(again.predict(images, verbose=0), classifier.predict(images, verbose=0))
    model = DCGAN((16, 16, 3), latent_size=4, width=4)
    model.compile(metrics=[metrics.FrechetDistance(classifiers.extractor(classifier))])
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").measures[0].name == "frechet_distance"
    assert classifiers.Whitening().compute_output_shape((None, 9, None, 3)) == (None, 8, None, 24)
