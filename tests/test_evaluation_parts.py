"""What `evaluation` is made of: who judges, what is compared, by which settings, and where numbers may be written."""

import json

import keras
import numpy as np
import pytest

from kerasgan import evaluation, metrics


@pytest.fixture(scope="module")
def plain():
    """A classifier whose features are an image's two pixels, in [-1, 1], and whose logits are four times those."""
    inputs = keras.Input((2, 1, 1))
    features = keras.layers.Flatten(name="features")(inputs)
    return keras.Model(inputs, keras.layers.Rescaling(4.0)(features))


def pixels(*pairs):
    return np.array(pairs, "uint8").reshape(-1, 2, 1, 1)


def test_judged(plain):
    """Logits 4, -4: sure, e^8 to 1. Logits 4, 3.1: unclear, 71 to 29 in a hundred."""
    judged = evaluation.Judged(plain, pixels((255, 0), (0, 255), (255, 0), (255, 226)))
    assert judged.unclear == 0.25 and judged.shares.tolist() == [0.75, 0.25]
    np.testing.assert_allclose(judged.features[:, 1], [-1, 1, -1, 226 / 127.5 - 1], atol=1e-6)
    assert judged.extractor.output_shape == (None, 2)


def test_a_class_that_is_never_drawn_counts(plain):
    assert evaluation.Judged(plain, pixels((255, 0), (255, 10))).shares.tolist() == [1, 0]


def test_compare_puts_real_first(plain):
    rng = np.random.default_rng(0)
    real = evaluation.Judged(plain, rng.integers(0, 256, (40, 2, 1, 1)).astype("uint8"))
    fake = evaluation.Judged(plain, pixels(*((255, i) for i in range(40))))
    found = evaluation.compare(real, fake)
    density, coverage = metrics.density_coverage(real.features, fake.features)
    precision, recall = metrics.precision_recall(real.features, fake.features)
    assert found == {
        "frechet_distance": pytest.approx(metrics.frechet_distance(real.features, fake.features)),
        "kernel_distance": pytest.approx(metrics.kernel_distance(real.features, fake.features, subset_size=40)),
        "precision": precision, "recall": recall, "density": density, "coverage": coverage,
        "unclear": fake.unclear, "smallest_class": 0, "largest_class": 1,
    }  # fmt: skip
    assert coverage < evaluation.compare(real, real)["coverage"] == 1
    assert json.loads(json.dumps(found)) == found, "plain numbers, for the card"


def test_first(tmp_path):
    images = np.arange(5, dtype="uint8")[:, None, None, None] * np.ones((5, 4, 4, 1), "uint8")
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(5))
    some = evaluation.first(str(tmp_path / "x.npz"), 3, (4, 4, 1))
    assert some.images[:, 0, 0, 0].tolist() == [0, 1, 2] == some.labels.tolist()
    np.savez(tmp_path / "y.npz", images=images)
    assert evaluation.first(tmp_path / "y.npz", 5, (4, 4, 1)).labels is None
    with pytest.raises(ValueError, match="y.npz has 5 images, fewer than n=6: pass a smaller n"):
        evaluation.first(tmp_path / "y.npz", 6, (4, 4, 1))
    with pytest.raises(ValueError, match=r"takes images of shape \(8, 8, 1\)"):
        evaluation.first(tmp_path / "y.npz", 3, (8, 8, 1))


def test_mean_and_deviation():
    assert evaluation.mean([1, 2, 6]) == 3 and evaluation.deviation([1, 2, 6]) == pytest.approx(7**0.5)
    assert evaluation.mean([4]) == 4 and evaluation.deviation([4]) is None
    assert type(evaluation.mean([np.float64(1)])) is type(evaluation.deviation([1, 2])) is float


def test_settings():
    assert evaluation.settings(10_000)["kernel_distance"]["subset_size"] == 1000
    assert evaluation.settings(40)["kernel_distance"]["subset_size"] == 40
    one = evaluation.recorded("recall", [1.0, 3.0], 0.5, {"n": 40})
    assert one == {"metric": "recall", "value": 2, "spread": pytest.approx(2**0.5), "real": 0.5, "n": 40, "k": 3}


def test_check_measurable():
    card = {"name": "x", "extractor": "judge", "data": {"test": "t"}}
    evaluation.check_measurable(card, None)
    evaluation.check_measurable(card | {"data": {}}, "mine")
