"""Likelihoods of colours: one stated unit, and a model with levels at each of its scales."""

import warnings

import numpy as np
import pytest
from goldens import deep_lapgan
from keras import ops

from kerasgan import data, evaluation, metrics, protocols, pyramid, rendering
from kerasgan.images import to_float
from kerasgan.models import levels
from kerasgan.protocols import likelihood

RNG = np.random.default_rng(3)
TEST, TRAIN, HELD_OUT = (RNG.integers(0, 256, (n, 16, 16, 1)).astype("uint8") for n in (20, 40, 30))


@pytest.fixture
def card(tmp_path):
    np.savez(tmp_path / "validation.npz", images=HELD_OUT)
    return {"name": "x", "data": {"validation": str(tmp_path / "validation.npz")}}


def ruler(card, table):
    np.testing.assert_array_equal(likelihood.validation_of(card, (16, 16, 1)), HELD_OUT)
    return protocols.of("paper", card | {"paper_table": table}, *(data.Dataset(x, batch_size=1) for x in (TEST, TRAIN)))


def standardised(images):
    """In the training images' unit, from their levels."""
    return (images.astype("float64") - TRAIN.mean()) / TRAIN.std()


def test_a_channel_has_mean_0_and_deviation_1_over_the_training_images():
    images = RNG.integers(0, [[[100, 256]]], (50, 4, 4, 2)).astype("uint8")
    unit = likelihood.Standardised(images)
    found = unit(images)
    np.testing.assert_allclose(found.mean((0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(found.std((0, 1, 2)), 1, rtol=1e-6)
    np.testing.assert_allclose(unit.back(found), to_float(images), atol=1e-6)
    flat = likelihood.Standardised(np.full((2, 4, 4, 1), 9, "uint8"))
    assert np.isfinite(flat(images[..., :1])).all(), "a channel that never varies"


def test_the_window_of_colours_is_the_published_one_in_that_unit(card):
    protocol = ruler(card, "colours")
    fakes = RNG.integers(0, 256, (20, 16, 16, 1)).astype("uint8")
    clouds = [standardised(x).reshape(len(x), -1) for x in (TEST, fakes, HELD_OUT)]
    expected = metrics.parzen_likelihood(*clouds, likelihood.SIGMAS).mean
    found = protocol.measure(data.Dataset(fakes, batch_size=1))
    assert protocol.samples == 20 and found == {"parzen_likelihood": pytest.approx(expected, rel=1e-6)}
    assert protocol.of_model(None) == {}, "samples say it all"
    own = protocol.own["parzen_likelihood"]
    assert own["unit"] == likelihood.NORMALISATION and "validation.npz" in own["sigma"] and "paper" not in own


def test_each_level_answers_to_real_images_made_smaller(card, monkeypatch):
    """Of a model whose levels add nothing, every sample above a smaller image is that image doubled."""
    monkeypatch.setattr(likelihood, "DRAWS", 3)
    model = deep_lapgan(classes=None)
    for level in (1, 2):
        network = model.average.get_layer(f"generator_{model.sizes[level]}")
        network.set_weights([0 * w for w in network.get_weights()])
    protocol = ruler(card, "lapgan")
    unit = likelihood.Standardised(TRAIN)

    def doubled(low):
        return unit(ops.convert_to_numpy(pyramid.up(ops.convert_to_tensor(unit.back(low[None])))))

    coarse = unit(model.generate(20, seed=4, return_pyramid=True)[0])
    expected = metrics.multiscale_likelihood(unit(TEST), coarse, [doubled] * 2, unit(HELD_OUT), likelihood.SIGMAS).mean
    assert protocol.of_model(model, seed=4) == {"multiscale_parzen_likelihood": pytest.approx(expected, rel=1e-6)}
    assert protocol.of_model(model) == {}, "real images have no levels to be asked"
    own = protocol.own["multiscale_parzen_likelihood"]
    assert (own["images"], own["draws"], own["smallest"]) == (20, 3, 20) and "one a level" in own["sigma"]


def test_each_image_is_given_noise_of_its_own(card):
    model = deep_lapgan(classes=None)
    draw = ruler(card, "lapgan").parts[1].drawing(model, 1, seed=0)
    low = np.zeros((4, 4, 1))
    first, second = draw(low), draw(low)
    assert first.shape == (likelihood.DRAWS, 8, 8, 1) and len({x.tobytes() for x in (*first, *second)}) == 200


@pytest.mark.parametrize("level", [1, 2])
def test_what_a_level_adds_is_of_its_scale(card, level):
    """The samples above an image are it, doubled, and the level's residuals times their deviation, all in the unit."""
    model = deep_lapgan(label_dropout=0.1)
    model.deviation(level).assign(0.3)
    drawing = ruler(card, "lapgan").parts[1].drawing(model, level, seed=5)
    unit, low = likelihood.Standardised(TRAIN), pyramid.coarser(ops.convert_to_tensor(to_float(TEST[:2])), 3 - level)[0]
    small = ops.convert_to_numpy(low).astype("float64")
    drawing(unit(small[0])), drawing(unit(small[1]))  # two images came before it
    found = drawing(unit(small[1]))
    n, size = likelihood.DRAWS, model.sizes[level]
    latents = ops.convert_to_tensor(model.latents_of(5, range(2 * n, 3 * n)))
    noise = levels.noise_of(latents, levels.shapes_of((16, 16, 1), 4), 8)[level]
    doubled = ops.repeat(pyramid.up(low[1:2]), n, axis=0)
    residuals = model.average.get_layer(f"generator_{size}")([noise, doubled, ops.zeros((n, 3))])
    assert ops.convert_to_numpy(residuals).std() > 0.01
    np.testing.assert_allclose(found, unit(ops.convert_to_numpy(doubled + 0.3 * residuals)), atol=1e-4)


def test_an_end_of_the_sigmas_is_warned_of():
    for sigma, warned in ((0.5, 0), (0.1, 1), (10.0, 1), ((0.5, 10.0), 1), ((0.5, 1.0), 0)):
        found = metrics.parzen_likelihood(*[np.zeros((2, 1)), np.ones((2, 1)), np.zeros((2, 1))])._replace(sigma=sigma)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            assert likelihood.inside(found) is found
        assert len(told) == warned and all("an end of those tried" in str(w.message) for w in told)


@pytest.mark.parametrize("model", [deep_lapgan(classes=3), object()], ids=["always of a class", "without levels"])
def test_what_has_no_scales_of_no_class_is_refused(card, model):
    with pytest.raises(ValueError, match="a model with levels that draws of no class too: LAPGAN"):
        ruler(card, "lapgan").of_model(model)


def test_no_figure_of_another_unit_stands_beside(card):
    protocol = ruler(card, "colours")
    shared = {"seeds": [1]} | protocol.says
    record = evaluation.recorded("parzen_likelihood", [-3300.0], -3200.0, shared | protocol.own["parzen_likelihood"])
    assert rendering.is_paper(record) and rendering.verdict(record) == ""
    assert "in another unit" in rendering.protocol(record)
