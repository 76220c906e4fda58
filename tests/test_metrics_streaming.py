"""The streaming Frechet distance: in batches, inside a compiled evaluation, saved and loaded."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasgan import metrics
from kerasgan.metrics import FrechetDistance, frechet_distance

rng = np.random.default_rng


def gaussian(seed, n=400, d=8):
    return rng(seed).normal(size=(n, d))


def digits(seed, n=64, dtype="uint8"):
    images = rng(seed).integers(0, 256, (n, 12, 12, 1)).astype("uint8")
    return images if dtype == "uint8" else images.astype("float32") / 127.5 - 1


@pytest.fixture(scope="module")
def extractor():
    """Four linear features of 12 x 12 images: small, and never dead."""
    keras.utils.set_random_seed(0)
    images = keras.Input((12, 12, 1))
    return keras.Model(images, layers.Dense(4)(layers.Flatten()(layers.AveragePooling2D(3)(images))), name="linear")


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_streaming_equals_the_function_for_any_batch_size(batch_size):
    """Given features (here an extractor that changes nothing) the size of the batches does not matter."""
    inputs = keras.Input((6,))
    metric = FrechetDistance(keras.Model(inputs, layers.Identity()(inputs)))
    real, fake = gaussian(1, 500, 6).astype("float32") + 2, 2 * gaussian(2, 500, 6).astype("float32")
    for start in range(0, 500, batch_size):
        metric.update_state(real[start : start + batch_size], fake[start : start + batch_size])
    assert metric.result() == pytest.approx(frechet_distance(real, fake), rel=1e-9)


def test_streaming_takes_images_of_both_kinds(extractor):
    metric = FrechetDistance(extractor)
    assert np.isnan(metric.result())
    metric.update_state(digits(1, dtype="float"), digits(2, n=32))
    metric.update_state(digits(3), digits(4, n=32, dtype="float"))
    real = metrics.features(extractor, np.concatenate([digits(1), digits(3)]))
    fake = metrics.features(extractor, np.concatenate([digits(2, n=32), digits(4, n=32)]))
    assert metric.result() == pytest.approx(frechet_distance(real, fake), rel=1e-5)
    metric.reset_state()
    assert np.isnan(metric.result())


@keras.saving.register_keras_serializable("tests")
class Judged(keras.Model):
    """The smallest model whose `test_step` feeds a metric in the graph and reads it once, on the host."""

    def __init__(self, measure):
        super().__init__()
        self.measure, self.built = measure, True

    def get_config(self):
        return {"measure": keras.saving.serialize_keras_object(self.measure)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["measure"]))

    def call(self, images):
        return images

    def test_step(self, data):
        real = keras.utils.unpack_x_y_sample_weight(data)[0]
        self.measure.update_state(real, -real)
        return {self.measure.name: ops.zeros(())}

    def get_metrics_result(self):
        return {self.measure.name: self.measure.result()}

    @property
    def metrics(self):
        return [self.measure]


def test_streaming_inside_a_compiled_evaluate(extractor):
    model = Judged(FrechetDistance(extractor))
    model.compile()
    images = digits(1, n=50, dtype="float")
    expected = frechet_distance(metrics.features(extractor, images), metrics.features(extractor, -images))
    for batch_size in (7, 50):  # the second evaluation starts afresh
        logs = model.evaluate(images, batch_size=batch_size, verbose=0, return_dict=True)
        assert logs == {"frechet_distance": pytest.approx(expected, rel=1e-4)}


def test_streaming_is_saved_with_its_model(extractor, tmp_path):
    """A .keras file holds the extractor's weights, so the fingerprint in the config is met."""
    model = Judged(FrechetDistance(extractor))
    model.save(tmp_path / "judged.keras")
    again = keras.saving.load_model(tmp_path / "judged.keras")
    for metric in (model.measure, again.measure):
        metric.reset_state()
        metric.update_state(digits(1), digits(2))
    assert again.measure.result() == model.measure.result()


def test_streaming_is_rebuilt_from_its_config(extractor):
    metric = FrechetDistance(extractor, name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert again.name == "mine" and again.extractor_sha256 == metrics.fingerprint(extractor)
    again.update_state(digits(1), digits(2))
    with pytest.raises(ValueError, match="load them into `metric.extractor`"):
        again.result()  # a config holds no weights: other weights would be another ruler

    again.extractor.set_weights(extractor.get_weights())
    again.reset_state()
    for each in (metric, again):
        each.update_state(digits(1), digits(2))
    assert again.result() == metric.result()


def test_streaming_refuses_what_it_cannot_measure(extractor):
    metric = FrechetDistance(extractor)
    with pytest.raises(ValueError, match=r"\(64, 12, 12, 3\).*\(None, 12, 12, 1\)"):
        metric.update_state(digits(1), np.repeat(digits(1), 3, axis=-1))
    with pytest.raises(ValueError, match="expected \\(batch, d\\)"):
        FrechetDistance(keras.Sequential([keras.Input((12, 12, 1)), layers.Conv2D(2, 3)]))
    metric.update_state(digits(1, n=2), digits(2, n=2))
    with pytest.raises(ValueError, match="more than 4 samples"):
        metric.result()
    metric.update_state(digits(1, dtype="float") * np.nan, digits(2))
    with pytest.raises(ValueError, match="NaN"):
        metric.result()
