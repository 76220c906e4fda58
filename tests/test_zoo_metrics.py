"""What measures a loaded model: the extractor that its card names comes with it."""

import shutil

import numpy as np
import pytest
from test_zoo import change_card

from kerasgan import zoo
from kerasgan.metrics import Coverage, FrechetDistance
from kerasgan.models.classifiers import extractor

SHIPPED = zoo.shipped()


@pytest.fixture
def tiny(tiny_zoo):
    return tiny_zoo / "tiny"


def test_the_extractor_of_the_card_measures(tiny, tiny_recipe, tmp_path):
    """`load` hands it down; a .keras file holds it with its weights."""
    change_card(tiny, extractor="lenet_mnist")
    shutil.copytree(SHIPPED / "lenet_mnist", tiny.parent / "lenet_mnist")
    model, real = zoo.load(tiny), np.random.default_rng(0).integers(0, 256, (200, 28, 28, 1)).astype("uint8")
    (measure,) = model.measures
    its, lenet = measure.extractor.get_weights(), extractor(zoo.load("lenet_mnist")).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(its, lenet, strict=True))
    distance = model.evaluate(real, return_dict=True, verbose=0)["frechet_distance"]
    assert distance > 1
    model.save(tmp_path / "saved.keras")
    again = zoo.load(tmp_path / "saved.keras").evaluate(real, return_dict=True, verbose=0)
    assert again["frechet_distance"] == pytest.approx(distance, rel=1e-9)
    assert zoo.load(tiny, metrics=False).measures == []


def test_two_metrics_of_one_extractor_are_saved_with_the_model(tiny, tmp_path):
    """Keras stores the extractor once, under the first."""
    judge = extractor(zoo.load(SHIPPED / "lenet_mnist"))
    model, real = zoo.load(tiny), np.random.default_rng(0).integers(0, 256, (200, 28, 28, 1)).astype("uint8")
    model.compile(metrics=[FrechetDistance(judge), Coverage(judge)])
    model.save(tmp_path / "saved.keras")
    found, again = (m.evaluate(real, return_dict=True, verbose=0) for m in (model, zoo.load(tmp_path / "saved.keras")))
    assert found == pytest.approx(again, rel=1e-9) and set(found) == {"frechet_distance", "coverage"}


def test_metrics_in():
    assert zoo.metrics_in(None) == zoo.metrics_in("") == []
    (metric,) = zoo.metrics_in("lenet_mnist")
    assert metric.name == "frechet_distance" and metric.extractor.output_shape == (None, 128)


def test_without_its_extractor_it_draws_and_says_that_nothing_measures_it(tiny):
    change_card(tiny, extractor="lenet_mist")
    with pytest.warns(
        UserWarning, match=r"tiny comes without a metric, compile\(metrics=\[...\]\) gives it one: There"
    ):
        model = zoo.load(tiny)
    with pytest.raises(ValueError, match="There is no model 'lenet_mist'"):
        zoo.metrics_in("lenet_mist")
    assert zoo.handed_down({"extractor": None}) == model.measures == [] and model.generate(1, seed=0).shape == (
        1,
        28,
        28,
        1,
    )
    with pytest.raises(ValueError, match="Nothing to measure with"):
        model.evaluate(np.zeros((2, 28, 28, 1), "uint8"))
