"""A number, with what real images score under the same protocol beside it, onto the card."""

import json
import shutil
import types

import numpy as np
import pytest
from command import parsed, run

from kerasgan import cards, data, entries, evaluation, metrics, protocols, recipes, rendering, training, zoo
from kerasgan.models.classifiers import extractor
from kerasgan.protocols import modern

GENERATOR = """
[model]
variant = "DCGAN"
image_shape = [16, 16, 1]
latent_size = 2
width = 2
kernel_size = 2
[data]
train = "FOLDER/train.npz"
test = "FOLDER/test.npz"
[training]
epochs = 1
batch_size = 8
[card]
extractor = "judge"
"""
EXTRACTOR = """
[model]
variant = "lenet"
image_shape = [16, 16, 1]
classes = 3
[compile]
optimizer = { name = "adam", learning_rate = 0.005 }
[data]
train = "FOLDER/train.npz"
validation = "FOLDER/test.npz"
test = "FOLDER/test.npz"
[training]
epochs = 2
batch_size = 32
[card]
kind = "extractor"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A zoo of two: `noise`, which nobody has trained, and `judge`, which has seen bars of three heights."""
    place, zoo_ = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("zoo")
    for seed, (split, n) in enumerate({"train": 160, "test": 150}.items()):
        rng = np.random.default_rng(seed)
        labels, images = rng.integers(0, 3, n), rng.integers(0, 60, (n, 16, 16, 1)).astype("uint8")
        for image, label in zip(images, labels, strict=True):
            image[: 4 * label + 2] = 220
        np.savez(place / f"{split}.npz", images=images, labels=labels)
    for name, text in {"judge": EXTRACTOR, "noise": GENERATOR}.items():
        (place / f"{name}.toml").write_text(text.replace("FOLDER", place.as_posix()))
    training.train(place / "judge.toml", place / "run")
    (place / "run" / "entry").rename(zoo_ / "judge")
    recipe = recipes.read(place / "noise.toml")
    model = recipes.build(recipe["model"])
    model.compile()
    dataset = data.read(place / "train.npz", batch_size=8)
    entries.of_game(zoo_ / "noise", place / "noise.toml", recipe, model, dataset, [])
    return place, zoo_


@pytest.fixture
def own_zoo(made, monkeypatch):
    monkeypatch.setenv("KERASGAN_ZOO", str(made[1]))
    return made


def change_card(folder, **changes):
    card = json.loads((folder / "card.json").read_text()) | changes
    (folder / "card.json").write_text(json.dumps(card))


# --- the whole --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(made):
    """The records of `noise`, now on its card too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASGAN_ZOO", str(made[1]))
        return evaluation.evaluate("noise", n=140, seeds=(4, 5), write=True)


def test_the_numbers_are_the_metrics_of_real_against_drawn_images(own_zoo, measured):
    """Worked out once more: the test split against each seed's samples, then mean and deviation; and against train."""
    place, _ = own_zoo
    classifier, model = zoo.load("judge"), zoo.load("noise")
    test, train = (np.load(place / f"{split}.npz")["images"][:140] for split in ("test", "train"))
    real, anchor = (modern.judged(classifier, images) for images in (test, train))
    drawn = [modern.judged(classifier, model.generate(140, seed=seed)) for seed in (4, 5)]
    seen, shown = np.load(place / "train.npz")["images"], [model.generate(140, seed=seed) for seed in (4, 5)]
    values = [modern.compare(real, one) for one in drawn]
    values = [v | modern.pixels(images, test, seen) for v, images in zip(values, shown, strict=True)]
    assert [record["metric"] for record in measured] == list(values[0])
    for record in measured:
        each = [value[record["metric"]] for value in values]
        assert record["value"] == pytest.approx(np.mean(each), rel=1e-4, abs=1e-6)
        assert record["spread"] == pytest.approx(abs(each[0] - each[1]) / np.sqrt(2), rel=1e-3, abs=1e-4)
        expected = (modern.compare(real, anchor) | modern.pixels(train, test)).get(record["metric"])
        assert record["real"] == (expected and pytest.approx(expected, rel=1e-4, abs=1e-6))
    distance = measured[0]
    assert distance["metric"] == "frechet_distance" and distance["value"] > 5 * distance["real"]


def test_a_number_never_travels_without_its_protocol(own_zoo, measured):
    place, _ = own_zoo
    test = data.read(place / "test.npz", batch_size=1)
    judge = metrics.fingerprint(extractor(zoo.load("judge")))
    shown = data.Dataset(test.images[:140], test.labels[:140], batch_size=1)
    train = data.read(place / "train.npz", batch_size=1)
    anchor = data.Dataset(train.images[:140], train.labels[:140], batch_size=1)
    shared = {
        "n": 140, "seeds": [4, 5], "real_images": (place / "test.npz").as_posix(),
        "data_fingerprint": shown.fingerprint[:16], "anchor": f"first 140 of {(place / 'train.npz').as_posix()}",
        "anchor_fingerprint": anchor.fingerprint[:16], "extractor": "judge", "extractor_sha256": judge[:16],
        "resize": "none", "dtype": "float64",
    }  # fmt: skip
    own = {"kernel_distance": {"subsets": 100, "subset_size": 140, "subset_seed": 0}, "unclear": {"threshold": 0.9},
           "precision": {"k": 3}, "recall": {"k": 3}, "density": {"k": 5}, "coverage": {"k": 5},
           "copying": {"images": 140, "training_images": 160}}  # fmt: skip
    for record in measured:
        assert {key: record[key] for key in list(record)[4:]} == shared | own.get(record["metric"], {})
    images = evaluation.compared(zoo.info("noise"), (4, 5), None, shown, anchor)
    assert images == {key: shared[key] for key in list(shared)[:6]}


def test_numbers_of_other_settings_are_not_compared(own_zoo, measured):
    density = next(record for record in measured if record["metric"] == "density")
    for change in ({"k": 3}, {"anchor_fingerprint": "another"}):
        with pytest.raises(ValueError, match=f"their protocols differ in {next(iter(change))}"):
            cards.check_comparable(density, density | change)


def test_the_numbers_go_onto_the_card(own_zoo, measured):
    assert zoo.info("noise")["metrics"] == measured
    assert "frechet_distance" in (own_zoo[1] / "noise" / "README.md").read_text(encoding="utf-8")
    assert zoo.verify("noise")["ok"]


def test_numbers_that_are_not_written(own_zoo, measured):
    before = (own_zoo[1] / "noise" / "card.json").read_bytes()
    other = evaluation.evaluate("noise", n=130, seeds=(4,), source=str(own_zoo[0] / "train.npz"))
    assert other[0]["real_images"].endswith("train.npz") and other[0]["n"] == 130 and other[0]["spread"] is None
    assert other[0]["real"] == pytest.approx(0, abs=1e-3), "the training images against themselves"
    again = evaluation.evaluate(own_zoo[1] / "noise", n=140, seeds=(4, 5))
    for record, first in zip(again, measured, strict=True):
        keys = [key for key in ("value", "spread", "real") if first[key] is not None]
        near = {key: pytest.approx(first[key], rel=1e-4, abs=1e-4) for key in keys}
        assert record == first | near
    assert (own_zoo[1] / "noise" / "card.json").read_bytes() == before


def test_put_on_card_pins_anew_where_there_is_an_index(own_zoo, measured, tmp_path):
    folder = shutil.copytree(own_zoo[1] / "noise", tmp_path / "noise")
    change_card(folder, metrics=[])
    card = cards.read(folder)
    evaluation.put_on_card(folder, card, measured[:1])
    assert cards.read(folder)["metrics"] == measured[:1] and not (tmp_path / "index.json").exists()
    cards.write_index(tmp_path)
    evaluation.put_on_card(folder, cards.read(folder), measured)
    assert cards.read(folder, json.loads((tmp_path / "index.json").read_text())["noise"])["metrics"] == measured


def test_a_published_card_is_not_written(own_zoo, measured, tmp_path, monkeypatch):
    """In the cache of a mirror, or in an installed package: with another card the entry would be refused."""
    monkeypatch.setenv("KERASGAN_HOME", str(tmp_path))
    monkeypatch.setattr(zoo, "HERE", tmp_path)
    monkeypatch.setattr(protocols, "of", lambda *_: pytest.fail("measured before it was refused"))
    for folder in (tmp_path / "noise", tmp_path / "_zoo" / "noise"):
        shutil.copytree(own_zoo[1] / "noise", folder)
        cards.write_index(folder.parent)
        before = (folder / "card.json").read_bytes()
        with pytest.raises(PermissionError, match="is published and pinned .* Measure without --write, or in a checko"):
            evaluation.evaluate(folder, n=140, write=True)
        assert (folder / "card.json").read_bytes() == before


def test_check_may_write(own_zoo, tmp_path, monkeypatch):
    folder = shutil.copytree(own_zoo[1] / "noise", tmp_path / "noise")
    with pytest.raises(ValueError, match="Numbers against mine are not those of the card's test split: leave out"):
        evaluation.evaluate(folder, source="mine", write=True)
    evaluation.check_may_write(folder)
    monkeypatch.setattr(evaluation.os, "access", lambda path, _: path != tmp_path)  # root may write everywhere
    evaluation.check_may_write(folder)
    cards.write_index(tmp_path)
    with pytest.raises(PermissionError, match="Cannot write the numbers: .* is read-only. Measure without --write"):
        evaluation.check_may_write(folder)
    monkeypatch.setattr(evaluation.os, "access", lambda path, _: path != folder)
    with pytest.raises(PermissionError, match="noise is read-only"):
        evaluation.check_may_write(folder)


def test_the_papers_table_stands_beside_the_modern_numbers(own_zoo, measured, tmp_path):
    """Written to the same card, each verified by its own protocol."""
    place, folder = own_zoo[0], shutil.copytree(own_zoo[1] / "noise", tmp_path / "noise")
    splits = zoo.info(folder)["data"] | {"validation": (place / "train.npz").as_posix()}
    change_card(folder, paper_table="parzen", data=splits)
    (record,) = evaluation.evaluate(folder, n=140, seeds=(4, 5), protocol="paper", write=True)
    test, train = (np.load(place / f"{split}.npz")["images"] for split in ("test", "train"))
    values = [metrics.parzen_likelihood(test[:140], zoo.load(folder).generate(140, seed=s), train).mean for s in (4, 5)]
    assert record["value"] == pytest.approx(np.mean(values), rel=1e-4) and record["paper"] == 225
    assert record["real"] == pytest.approx(metrics.parzen_likelihood(test[:140], train[:140], train).mean)
    assert rendering.verdict(record) == "worse than the paper's 225 ± 2"
    assert zoo.info(folder)["metrics"] == [*measured, record]
    rows = evaluation.verify(folder)
    assert [row["metric"] for row in rows] == [*(known["metric"] for known in measured), "parzen_likelihood"]
    assert rows[-1]["card"] == record["value"] != rows[-1]["now"]


def test_verify_measures_again_with_other_seeds(own_zoo, measured):
    rows = {row["metric"]: row for row in evaluation.verify("noise")}
    for record in measured:
        row = rows[record["metric"]]
        assert (row["card"], row["spread"]) == (record["value"], record["spread"])
        assert row["ok"] is (row["missed"] == 0)
    distance = rows["frechet_distance"]
    assert distance["now"] != distance["card"] and distance["now"] == pytest.approx(distance["card"], rel=0.3)


def test_the_command_verifies_metrics(own_zoo, measured):
    """`cli.verify_metrics`, as it is called."""
    assert [row["metric"] for row in parsed("verify", "noise", "--metrics")] == [row["metric"] for row in measured]
    card = zoo.info("noise")
    try:
        change_card(own_zoo[1] / "noise", metrics=[record | {"value": 1e3, "spread": 1e-9} for record in measured[:1]])
        out, _ = run("verify", "noise", "--metrics", code=1)
        assert out.startswith("frechet_distance   card 1000 ± 1e-09, now ") and "MISSED by " in out
    finally:
        change_card(own_zoo[1] / "noise", **card)


def test_verify_says_by_how_much_it_missed(own_zoo, measured):
    folder = own_zoo[1] / "noise"
    before = (folder / "card.json").read_bytes()
    try:
        wrong = [record | {"value": record["value"] + 100} for record in measured]
        change_card(folder, metrics=wrong)
        rows = evaluation.verify("noise")
        assert not any(row["ok"] for row in rows) and all(50 < row["missed"] < 110 for row in rows)
        change_card(folder, metrics=[record | {"extractor_sha256": "another"} for record in measured])
        with pytest.raises(ValueError, match="their protocols differ in extractor_sha256 .'another'"):
            evaluation.verify("noise")
        change_card(folder, metrics=[measured[0] | {"metric": "beauty"}])
        with pytest.raises(
            ValueError, match="Nothing measures beauty any more: `kerasgan evaluate noise --write` anew"
        ):
            evaluation.verify("noise")
        change_card(folder, metrics=[])
        with pytest.raises(ValueError, match="has no number with a spread: `kerasgan evaluate noise --write` first"):
            evaluation.verify("noise")
    finally:
        (folder / "card.json").write_bytes(before)


def test_a_model_that_a_protocol_is_not_for_is_refused_before_the_work(own_zoo, monkeypatch):
    def refuses(*_):
        raise ValueError("not for this one")

    ruler = types.SimpleNamespace(samples=8, of_model=refuses, measure=lambda *_, **__: pytest.fail("measured first"))
    monkeypatch.setattr(protocols, "check", lambda *_: None)
    monkeypatch.setattr(protocols, "of", lambda *_: ruler)
    with pytest.raises(ValueError, match="not for this one"):
        evaluation.evaluate("noise", n=8)


def test_what_evaluate_refuses(own_zoo, measured):
    folder = own_zoo[1] / "noise"
    before, no_split = (folder / "card.json").read_bytes(), "noise has no test split on its card: pass real images"
    with pytest.raises(ValueError, match="test.npz has 150 images, fewer than n=151"):
        evaluation.evaluate("noise", n=151)
    assert (folder / "card.json").read_bytes() == before
    try:
        for changes, sentence in (
            ({"extractor": None}, "noise names no extractor to measure it by .`extractor` in its recipe's .card"),
            ({"extractor": "jugde"}, "There is no model 'jugde'. Did you mean 'judge'?"),
            ({"data": {"train": "x"}}, no_split),
        ):
            (folder / "card.json").write_bytes(before)
            change_card(folder, **changes)
            with pytest.raises(ValueError, match=sentence):
                evaluation.evaluate("noise", n=130)
    finally:
        (folder / "card.json").write_bytes(before)
    with pytest.raises(ValueError, match="judge names no extractor"):
        evaluation.evaluate("judge")
