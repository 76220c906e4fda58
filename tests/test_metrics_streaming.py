"""Metrics that stream: in batches, inside a compiled evaluation, saved and loaded."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasgan import metrics
from kerasgan.metrics import Coverage, Density, FrechetDistance, KernelDistance, frechet_distance, streaming

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


def test_streaming_takes_no_number_of_an_image_that_is_none():
    """ReLU and max pooling make numbers of NaN."""
    flat = [layers.MaxPooling2D(6), layers.Flatten(), layers.ReLU()]
    coverage = Coverage(keras.Sequential([keras.Input((12, 12, 1)), *flat]))
    broken = digits(1, dtype="float")
    broken[7, 3, 3] = np.nan
    coverage.update_state(digits(2), broken)
    with pytest.raises(ValueError, match="1 of 64 fake samples hold NaN"):
        coverage.result()


# --- of clouds --------------------------------------------------------------------------------------------------------

OF_CLOUDS = {
    KernelDistance: lambda real, fake: metrics.kernel_distance(real, fake, subset_size=min(1000, len(real), len(fake))),
    Density: lambda real, fake: metrics.density_coverage(real, fake)[0],
    Coverage: lambda real, fake: metrics.density_coverage(real, fake)[1],
}


@pytest.mark.parametrize("kind", OF_CLOUDS)
def test_a_cloud_is_the_first_images_whatever_the_batches(kind, monkeypatch):
    """Room for 40 of 60: the rest changes nothing, and nothing grows."""
    monkeypatch.setattr(kind, "capacity", 40)
    monkeypatch.setattr(kind, "shapes", kind.shapes | {"rows": ((41,), 1, "float32")})
    inputs = keras.Input((3,))
    real, fake = (gaussian(seed, 60, 3).astype("float32") for seed in (1, 2))
    for size in (1, 7, 60):
        metric = kind(keras.Model(inputs, layers.Identity()(inputs)))
        assert metric.name == kind.called and np.isnan(metric.result())
        for start in range(0, 60, size):
            metric.update_state(real[start : start + size], fake[start : start + size])
        assert metric.result() == pytest.approx(OF_CLOUDS[kind](real[:40], fake[:40]), rel=1e-6)
    metric.reset_state()
    metric.update_state(real[:30], fake[:20])
    assert metric.result() == pytest.approx(OF_CLOUDS[kind](real[:30], fake[:20]), rel=1e-6)


@pytest.mark.parametrize("kind", OF_CLOUDS)
def test_a_cloud_inside_a_compiled_evaluate_and_saved(kind, extractor, tmp_path):
    model, images = Judged(kind(extractor)), digits(1, n=50, dtype="float")
    model.compile()
    expected = OF_CLOUDS[kind](metrics.features(extractor, images), metrics.features(extractor, -images))
    logs = model.evaluate(images, batch_size=7, verbose=0, return_dict=True)
    assert logs == {kind.called: pytest.approx(expected, rel=1e-4, abs=1e-6)}
    model.save(tmp_path / "judged.keras")
    again = keras.saving.load_model(tmp_path / "judged.keras")
    again.compile()
    assert again.evaluate(images, batch_size=50, verbose=0, return_dict=True) == pytest.approx(logs, rel=1e-4, abs=1e-6)


def test_a_cloud_is_refused_on_several_replicas(extractor, monkeypatch):
    monkeypatch.setattr(streaming.replicas, "replica", lambda: (0, 2))
    assert issubclass(Coverage, streaming.OfClouds) and issubclass(streaming.OfClouds, streaming.Streaming)
    with pytest.raises(NotImplementedError, match="coverage needs all features in one place: use FrechetDistance"):
        Coverage(extractor).update_state(digits(1), digits(2))
