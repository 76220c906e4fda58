"""What a chain's levels do, by hand: a model that draws nothing, one that ignores its noise, and real images."""

import numpy as np
import pytest
from goldens import deep_lapgan
from keras import ops

from kerasgan import data, pyramid, rendering
from kerasgan.metrics import frechet_distance
from kerasgan.protocols import Modern, chain

RNG = np.random.default_rng(5)
TEST, TRAIN = (RNG.integers(0, 256, (24, 16, 16, 1)).astype("uint8") for _ in range(2))


def judge(images):
    """Three features: brightness of the whole, of the upper half, and contrast."""
    x = np.asarray(images, "float64").reshape(len(images), 16, 16)
    return np.stack([x.mean((1, 2)), x[:, :8].mean((1, 2)), x.std((1, 2))], axis=1)


def datasets(labels=None):
    return (data.Dataset(images, labels, batch_size=1) for images in (TEST, TRAIN))


def silent(**options):
    """A LAPGAN whose levels draw residuals of 0."""
    model = deep_lapgan(**options)
    for level in (1, 2):
        network = model.average.get_layer(f"generator_{model.sizes[level]}")
        network.set_weights([0 * w for w in network.get_weights()])
    return model


def test_a_chain_that_adds_nothing_doubles():
    model = silent(classes=None)
    found = chain.chained(model, judge, *datasets(), seed=3)
    assert found.keys() == {"frechet_from_4", "frechet_from_8", "frechet_at_8", "noise_used_8", "noise_used_16"}
    sizes = chain.gaussian(TRAIN, 2)
    assert [x.shape[1] for x in sizes] == [4, 8, 16] and sizes[0].dtype == "float32"
    for size, small, count in zip((4, 8), sizes, (2, 1), strict=False):
        expected = frechet_distance(judge(TEST), judge(chain.doubled(small, count)))
        assert found[f"frechet_from_{size}"] == pytest.approx(expected, rel=1e-3)
    own = model.generate(24, seed=3, return_pyramid=True)[1]
    pair = (chain.doubled(chain.gaussian(TEST, 2)[1], 1), chain.doubled(own / np.float32(127.5) - 1, 1))
    assert found["frechet_at_8"] == pytest.approx(frechet_distance(*map(judge, pair)), rel=1e-6)
    assert found["noise_used_8"] == found["noise_used_16"] == 0


def test_a_chain_of_classes_is_asked_for_those_of_the_images(monkeypatch):
    """Small training images are refined as what they are; without labels a level draws of no class."""
    model, asked = deep_lapgan(label_dropout=0.1), []
    labels = np.arange(24) % 3
    for name in ("refine", "generate"):
        own = getattr(model, name)
        monkeypatch.setattr(model, name, lambda *a, own=own, **k: asked.append(k["labels"]) or own(*a, **k))
    chain.chained(model, judge, *datasets(labels), seed=3)
    assert len(asked) == 3 and all(np.array_equal(found, labels) for found in asked)
    below = chain.gaussian(TRAIN, 2)[1][:2]
    none, first = (chain.residuals(model, 2, below, y, seed=0, draws=3) for y in (None, np.zeros(2, int)))
    assert none.shape == first.shape == (2, 3, 16, 16, 1) and not np.allclose(none, first)


def test_noise_used_of_a_level_that_draws_its_noise():
    """Residuals that are the plane of noise itself: deviation 1; labels and coarse images change nothing."""
    model = silent()
    network = model.average.get_layer("generator_8")
    names = [weight.path for weight in network.weights]
    kernels = [i for i, name in enumerate(names) if name.endswith("kernel") and "dense" not in name]
    weights = [0 * w for w in network.get_weights()]
    first, second, last = (weights[i] for i in kernels)
    first[1, 1, 0, :2], second[1, 1, [0, 1], [0, 1]], last[1, 1, :2, 0] = (1, -1), 1, (1, -1)  # relu(z) - relu(-z)
    network.set_weights(weights)
    labels = np.arange(24) % 3
    found = chain.noise_used(model, 1, chain.gaussian(TRAIN, 2)[0], labels, seed=0)
    assert found == pytest.approx(1, abs=0.01)


def test_anchors_are_of_real_images():
    found = chain.anchors([4, 8, 16], judge, *datasets())
    whole = frechet_distance(judge(TEST), judge(TRAIN))
    assert found["frechet_from_4"] == found["frechet_from_8"] == whole
    halves = [
        ops.convert_to_numpy(pyramid.down(ops.convert_to_tensor(x / np.float32(127.5) - 1))) for x in (TEST, TRAIN)
    ]
    expected = frechet_distance(*(judge(chain.doubled(half, 1)) for half in halves))
    assert found["frechet_at_8"] == pytest.approx(expected, rel=1e-3)
    record = {"metric": "frechet_from_8", "value": 3.0, "real": 1.5}
    assert rendering.verdict(record) == "2x real data" and not rendering.measures_ratio("noise_used_8")


def test_what_has_no_levels_has_no_chain():
    assert Modern.of_model(None, object()) == {}
