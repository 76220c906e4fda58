"""The protocols a generator is measured by: in an extractor's features, and as the tables of the papers have it."""

import json

import keras
import numpy as np
import pytest

from kerasgan import data, metrics, protocols, zoo
from kerasgan.protocols import likelihood, modern, paper


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
    judged = modern.judged(plain, pixels((255, 0), (0, 255), (255, 0), (255, 226)))
    assert judged.unclear == 0.25 and judged.shares.tolist() == [0.75, 0.25]
    np.testing.assert_allclose(judged.features[:, 1], [-1, 1, -1, 226 / 127.5 - 1], atol=1e-6)


def test_a_class_that_is_never_drawn_counts(plain):
    assert modern.judged(plain, pixels((255, 0), (255, 10))).shares.tolist() == [1, 0]


def test_compare_puts_real_first(plain):
    rng = np.random.default_rng(0)
    real = modern.judged(plain, rng.integers(0, 256, (40, 2, 1, 1)).astype("uint8"))
    fake = modern.judged(plain, pixels(*((255, i) for i in range(40))))
    found = modern.compare(real, fake)
    density, coverage = metrics.density_coverage(real.features, fake.features)
    precision, recall = metrics.precision_recall(real.features, fake.features)
    assert found == {
        "frechet_distance": pytest.approx(metrics.frechet_distance(real.features, fake.features)),
        "kernel_distance": pytest.approx(metrics.kernel_distance(real.features, fake.features, subset_size=40)),
        "precision": precision, "recall": recall, "density": density, "coverage": coverage,
        "unclear": fake.unclear, "smallest_class": 0, "largest_class": 1,
    }  # fmt: skip
    assert coverage < modern.compare(real, real)["coverage"] == 1
    assert json.loads(json.dumps(found)) == found, "plain numbers, for the card"


def test_settings():
    assert modern.settings(10_000)["kernel_distance"]["subset_size"] == 1000
    assert modern.settings(40)["kernel_distance"]["subset_size"] == 40
    assert modern.settings(40)["density"] == {"k": 5} and modern.settings(40)["recall"] == {"k": 3}


# --- real statistics are kept -----------------------------------------------------------------------------------------


def dataset(seed, n=12):
    images = np.random.default_rng(seed).integers(0, 256, (n, 2, 1, 1)).astype("uint8")
    return data.Dataset(images, batch_size=1)


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_real_statistics_are_kept_by_both_fingerprints(plain, tmp_path, monkeypatch):
    monkeypatch.setenv("KERASGAN_HOME", str(tmp_path))
    first, other = modern.remembered(plain, dataset(0)), modern.remembered(plain, dataset(1))
    assert same(first, modern.judged(plain, dataset(0).images)) and not same(first, other)
    kept = sorted((tmp_path / "statistics").iterdir())
    assert len(kept) == 2 and all(metrics.fingerprint(plain)[:16] in path.name for path in kept)
    stranger = keras.models.clone_model(plain)
    stranger.add_weight(shape=(1,), name="another")
    with monkeypatch.context() as patch:
        patch.setattr(modern, "judged", lambda *_: pytest.fail("worked out again"))
        assert same(first, modern.remembered(plain, dataset(0)))
        with pytest.raises(pytest.fail.Exception):
            modern.remembered(stranger, dataset(0))
    for path in kept:
        path.write_bytes(path.read_bytes()[:100])
    assert same(first, modern.remembered(plain, dataset(0))), "a file that was cut short counts as none"


def test_where_nothing_can_be_written_it_is_worked_out_each_time(plain, tmp_path, monkeypatch):
    (tmp_path / "a_file").write_text("")
    monkeypatch.setenv("KERASGAN_HOME", str(tmp_path / "a_file"))
    assert same(modern.remembered(plain, dataset(0)), modern.judged(plain, dataset(0).images))


# --- which protocol ---------------------------------------------------------------------------------------------------

CARD = {"name": "x", "data": {}}
CLASSES = CARD | {"class_names": ["a", "b", "c"]}


@pytest.mark.parametrize(
    ("name", "card", "sentence"),
    [
        ("modrn", {}, "Unknown protocol 'modrn'. Did you mean 'modern'?"),
        ("modern", {}, "x names no extractor to measure it by .`extractor` in its recipe's .card"),
        ("paper", {"extractor": "judge"}, "x names no paper's table to measure it by .`paper_table` in its recipe"),
        ("paper", {"paper_table": "parsen"}, "Unknown paper_table 'parsen'. Did you mean 'parzen'?"),
        ("paper", {"paper_table": "parzen"}, "x has no validation split on its card"),
        ("paper", {"paper_table": "cdcgan"}, "x has no classes: the 1-nearest-neighbour error is of labelled samples"),
    ],
)
def test_what_a_card_must_name(name, card, sentence):
    with pytest.raises(ValueError, match=sentence):
        protocols.of(name, CARD | card, dataset(0), dataset(1))


def test_check_passes_what_is_whole():
    protocols.check("modern", CARD | {"extractor": "judge"})
    protocols.check("paper", CARD | {"paper_table": "parzen"})
    assert protocols.PROTOCOLS.keys() == {"modern", "paper"}
    assert protocols.TABLES.keys() == {"parzen", "cgan", "cdcgan", "colours", "lapgan"}
    parts = {part for rows in protocols.TABLES.values() for part, _ in rows}
    of_samples = {likelihood.Parzen, likelihood.StandardisedParzen, paper.NearestNeighbour}
    assert parts == {*of_samples, likelihood.MultiscaleParzen}
    assert {part for part in parts if issubclass(part, likelihood.OfSamples)} == of_samples
    assert likelihood.OfSamples().of_model(object(), seed=1) == {}


def test_modern_measures_in_the_features_of_the_cards_extractor(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASGAN_HOME", str(tmp_path))
    rng = np.random.default_rng(0)
    real, fake = (rng.integers(0, top, (150, 28, 28, 1)).astype("uint8") for top in (256, 128))
    test, seen = data.Dataset(real, batch_size=1), data.Dataset(fake[:60], batch_size=1)
    protocol = protocols.of("modern", CARD | {"extractor": "lenet_mnist"}, test, seen)
    assert isinstance(protocol, protocols.Modern)
    lenet = zoo.load("lenet_mnist")
    expected = modern.compare(modern.judged(lenet, real), modern.judged(lenet, fake))
    expected |= modern.pixels(fake, real, fake[:60])
    assert protocol.samples == 150 and protocol.measure(data.Dataset(fake, batch_size=1)) == expected
    assert protocol.measure(test, real=True)["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert len(list((tmp_path / "statistics").iterdir())) == 1, "drawn images are kept nowhere"
    from kerasgan.models.classifiers import extractor

    assert protocol.says["extractor_sha256"] == metrics.fingerprint(extractor(lenet))[:16]
    assert (
        protocol.own == modern.settings(150) | {"copying": {"images": 150, "training_images": 60}}
        and protocol.says["extractor"] == "lenet_mnist"
    )


def test_parzen_is_the_published_window(tmp_path):
    rng = np.random.default_rng(0)
    real, fake, held_out = (rng.integers(0, 256, (n, 4, 4, 1)).astype("uint8") for n in (20, 30, 25))
    np.savez(tmp_path / "validation.npz", images=held_out)
    card = CARD | {"paper_table": "parzen", "data": {"validation": str(tmp_path / "validation.npz")}}
    protocol = protocols.of("paper", card, data.Dataset(real, batch_size=1), None)
    assert isinstance(protocol, protocols.Paper) and protocol.samples == 20, "as many as there are test images"
    expected = metrics.parzen_likelihood(real, fake[:20], held_out).mean
    assert protocol.measure(data.Dataset(fake, batch_size=1)) == {"parzen_likelihood": expected}
    own = protocol.own["parzen_likelihood"]
    assert (own["paper"], own["paper_spread"], own["better"]) == (225, 2, "higher") and "Table 1" in own["table"]
    assert "validation.npz" in own["sigma"] and protocol.says == {"dtype": "float64"}


def test_the_tables_of_conditional_models(tmp_path):
    """CGAN's: the window of as many samples as test images; and of five times as many the 1-nearest-neighbour error."""
    rng = np.random.default_rng(0)
    test, held_out = (labelled_squares(rng, n) for n in (20, 12))
    np.savez(tmp_path / "validation.npz", images=held_out.images)
    card = CLASSES | {"paper_table": "cgan", "data": {"validation": str(tmp_path / "validation.npz")}}
    cgan, cdcgan = (protocols.of("paper", c, test, None) for c in (card, CLASSES | {"paper_table": "cdcgan"}))
    assert cgan.samples == cdcgan.samples == 100
    good, wrong = labelled_squares(rng, 100), labelled_squares(rng, 100)
    wrong.labels = 2 - wrong.labels  # 1 is right, 0 and 2 are asked for as each other
    found = cgan.measure(good)
    window = metrics.parzen_likelihood(test.images, good.images[:20], held_out.images).mean
    assert found == {"parzen_likelihood": window, "nearest_neighbour_error": 0.0}
    errors = cdcgan.measure(wrong)
    assert errors == {"nearest_neighbour_error": pytest.approx(np.mean(test.labels != 1))}
    assert cgan.own["parzen_likelihood"]["paper"] == 132 and cgan.own["nearest_neighbour_error"]["paper"] == 0.0628
    assert cdcgan.own["nearest_neighbour_error"] == {
        "paper": 0.0298, "table": "Radford et al. 2015, Table 3: DCGAN", "better": "lower", "samples": 100,
    }  # fmt: skip
    with pytest.raises(
        ValueError, match="x: the test images have no labels, which the 1-nearest-neighbour error needs"
    ):
        protocols.of("paper", CLASSES | {"paper_table": "cdcgan"}, data.Dataset(test.images, batch_size=1), None)


def labelled_squares(rng, n):
    """A Dataset of three classes, of one brightness each but for a little noise."""
    labels = rng.integers(0, 3, n).astype("int32")
    images = (100 * labels[:, None, None, None] + rng.integers(0, 9, (n, 4, 4, 1))).astype("uint8")
    return data.Dataset(images, labels, batch_size=1)


def test_pixels_by_hand():
    """Two images that differ by 51 levels in one pixel, 0.2: variance 0.1^2. Of a fake that is a copy all reals are
    farther away."""
    images = np.zeros((2, 2, 2, 1), "uint8")
    images[1, 0, 0] = 51
    real = np.full((3, 2, 2, 1), 99, "uint8")
    found = modern.pixels(images, real, images)
    assert found == {"pixel_variance": pytest.approx(0.01), "copying": 1.0}
    assert modern.pixels(real, real, images) == {"pixel_variance": 0.0, "copying": 0.5}
    assert modern.pixels(images, real) == {"pixel_variance": pytest.approx(0.01)}, "of training images themselves"


def test_by_class(plain):
    """Of two classes: samples cover the class that they were drawn for, and count nothing towards the other."""
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    images = (
        np.stack([rng.integers(0, 60, 40) + 190 * (labels == i) for i in (0, 1)], 1)
        .astype("uint8")
        .reshape(40, 2, 1, 1)
    )
    real = modern.judged(plain, images)
    assert real.taken_for.tolist() == labels.tolist()
    right = modern.by_class(real, labels, real, labels)
    assert right == {"label_agreement": 1.0, "worst_class_coverage": 1.0}
    few = np.where(np.arange(40) < 4, labels, 1 - labels)  # two of a class are drawn for it, the rest for the other
    mixed = modern.by_class(real, labels, real, few)
    assert mixed["label_agreement"] == 0.1 and 0.1 < mixed["worst_class_coverage"] < 1
    five = modern.by_class(modern.judged(plain, images[:10]), labels[:10], real, labels)
    assert five == {"label_agreement": 1.0}, "five real images of a class are too few"
    one_missing = modern.by_class(real, labels, real, np.zeros(40, int))
    assert one_missing == {"label_agreement": 0.5, "worst_class_coverage": 0.0}
