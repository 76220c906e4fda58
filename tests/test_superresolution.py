"""Upscalers by recipe (`training.train_upscaler`, `entries.of_upscaler`): trained in two stages, kept by validation,
resumed, measured on sets of pictures.
"""

from pathlib import Path

import numpy as np
import pytest

import kerasgan
from kerasgan import (
    cards,
    data,
    entries,
    evaluation,
    images,
    metrics,
    recipes,
    rendering,
    superresolution,
    training,
    zoo,
)
from kerasgan.resampling import imresize

RECIPE = """
[model]
variant = "SRGAN"
scale = 2
width = 4
blocks = 1
kernel_size = 3
discriminator_width = 2
average_momentum = 0.5

[compile]
content = "l1"
adversarial = 0.0
run_eagerly = true
generator_optimizer = { name = "adam", learning_rate = { schedule = "cosine", first = 0.01, last = 1e-4 } }

[data]
train = "photos[2:]"
validation = "photos[:2]"
test = ["photos[:2]", "large|small"]
licence = "CC0"

[training]
epochs = 2
batch_size = 4
crop = 16
steps_per_epoch = 6
checkpoint_steps = 2

[card]
kind = "upscaler"
title = "Photos made larger"
weights_licence = "Apache-2.0"
commercial = true
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with photos, low and high ones, and the recipes of both stages."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    photos = [imresize(rng.integers(0, 256, (6, 6, 3)).astype("uint8"), size=(28 + 2 * i, 30)) for i in range(6)]
    for name in ("photos", "large", "small"):
        (folder / name).mkdir()
    for i, photo in enumerate(photos):
        images.write(folder / "photos" / f"{i}.png", photo)
    for i, photo in enumerate(photos[:2]):
        images.write(folder / "large" / f"{i}.png", photo)
        images.write(folder / "small" / f"{i}.png", imresize(photo, scale=0.5))
    (folder / "pixels.toml").write_text(RECIPE)
    second = RECIPE.replace("adversarial = 0.0", "adversarial = 1e-3").replace(
        "crop = 16", 'crop = 16\nstart = "START"'
    )
    (folder / "second.toml").write_text(second)
    return folder


@pytest.fixture(scope="module")
def entry(place, tmp_path_factory):
    """The first stage's entry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERASGAN_DATA", str(place))
        return training.train(place / "pixels.toml", tmp_path_factory.mktemp("run") / "pixels", verbose=0)


@pytest.fixture(autouse=True)
def here(place, monkeypatch):
    """Pictures are named by their folders in KERASGAN_DATA."""
    monkeypatch.setenv("KERASGAN_DATA", str(place))


def test_sources_are_folders_in_a_place(place, tmp_path, monkeypatch):
    assert data.pair_sources.located("a/b[2:]") == (place / "a/b", None, slice(2, None))
    assert data.pair_sources.located("high|low[:3]") == (place / "high", place / "low", slice(None, 3))
    for wrong in ("", "a|b|c", "a[1]", "a[x:]"):
        with pytest.raises(ValueError, match=r"named as FOLDER, HIGH\|LOW or FOLDER\[first:last\]; saw"):
            data.pair_sources.located(wrong)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    assert data.pair_sources.placed("here") == Path("here"), "as it was typed, where the place has none"
    assert len(data.pairs_from("photos[2:]", scale=2, crop=16).high) == 4
    assert len(data.pictures_from("photos[:2]", scale=2)) == 2


def test_a_stage_by_pixels_becomes_an_entry(entry):
    """Without the discriminator, which rested; its golden pictures come again; it is compiled, with PSNR."""
    card = zoo.info(entry)
    assert card["kind"] == "upscaler" and card["scale"] == 2 and card["parameters"].keys() == {"generator"}
    assert set(card["files"]) == {"generator.weights.h5", "golden.npz"}
    assert "the best val_psnr of the average" in card["training"]["chosen"] and entries.said(None) == {}
    assert card["data"]["training_images"] == 4 and card["training"]["steps"] == 12
    assert zoo.verify(entry)["ok"]
    model = zoo.load(entry)
    found = model.evaluate(data.pictures_from("photos[:2]", scale=2), verbose=0, return_dict=True)
    best = max(epoch["val_psnr"] for epoch in card["history"])
    assert found["psnr"] == pytest.approx(best, abs=1e-3)
    assert 'kerasgan.upscale("holiday.jpg"' in rendering.render(card) and "any size" in rendering.render(card)
    with pytest.raises(ValueError, match="can be loaded as it is alone"):
        kerasgan.load(entry, scale=4)


def test_the_second_stage_starts_from_the_first(entry, place, tmp_path):
    recipe = tmp_path / "second.toml"
    recipe.write_text((place / "second.toml").read_text().replace("START", entry.as_posix()))
    model, _, _ = superresolution.prepared(recipes.read(recipe))
    for mine, theirs in zip(model.generator.get_weights(), zoo.load(entry).average.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    second = training.train(recipe, tmp_path / "second", epochs=1, verbose=0)
    card, first = zoo.info(second), zoo.info(entry)
    assert card["training"]["start"] == entry.as_posix()
    assert card["licences"]["weights"].endswith(f"; begun from {first['name']}: {first['licences']['weights']}")
    assert first["commercial"] is not False or card["commercial"] is False, "what binds the first binds the second"
    assert "chosen" not in zoo.info(second)["training"], "PSNR would choose the least of the game"
    assert zoo.info(second)["parameters"].keys() == {"generator", "discriminator"} and zoo.verify(second)["ok"]
    gone = recipe.read_text().replace(entry.as_posix(), (tmp_path / "gone").as_posix())
    (tmp_path / "gone.toml").write_text(gone)
    superresolution.prepared(recipes.read(tmp_path / "gone.toml"), resume=True)  # the checkpoint has its weights
    with pytest.raises(ValueError, match="has another generator than this recipe, blocks 1 and 2"):
        superresolution.first_stage(kerasgan.SRGAN(2, width=4, blocks=2), entry)


def test_a_second_stage_is_compared_with_the_first(entry, place, tmp_path):
    """Resumed, it finds the first stage again; who loads what came of it has none, and needs rules of their own."""
    text = (place / "second.toml").read_text().replace("START", entry.as_posix())
    kind = 'content = { kind = "second_stage", expansion = 0.8, window = 8 }'
    (recipe := tmp_path / "second.toml").write_text(text.replace('content = "l1"', kind))
    with pytest.raises(ValueError, match="compares with the generator of the first stage, and saw None"):
        superresolution.prepared(recipes.read(recipe))
    recipe.write_text(recipe.read_text() + '\n[fine_tuning]\ncontent = "l1"\n')
    for resume in (False, True):
        model, _, _ = superresolution.prepared(recipes.read(recipe), resume)
        content, first = model.rules["content"], zoo.load(entry).average
        assert content.expansion == 0.8 and metrics.fingerprint(content.network) == metrics.fingerprint(first)
    second = training.train(recipe, tmp_path / "second", epochs=1, verbose=0)
    assert zoo.load(second).rules["content"].kind == "l1" and zoo.verify(second)["ok"]
    recipe.write_text(recipe.read_text().replace("start", "# start"))
    with pytest.raises(ValueError, match="in the .compile. of a recipe, say in .training. which entry to start from"):
        training.train(recipe, tmp_path / "alone", verbose=0)


def test_stopped_and_resumed_to_the_same_bits(entry, place, tmp_path):
    """Whole epochs here; where in an epoch it stops is the concern of `test_training_resumed`."""
    import keras

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step.numpy()) == 8:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train(place / "pixels.toml", tmp_path / "run", callbacks=[Stop()], verbose=0)
    again = training.train(place / "pixels.toml", tmp_path / "run", resume=True, verbose=0)
    assert zoo.info(again)["fingerprint"] == zoo.info(entry)["fingerprint"]
    mine, theirs = (zoo.load(x).average.get_weights() for x in (again, entry))
    assert all(np.array_equal(x, y) for x, y in zip(mine, theirs, strict=True))


def test_measured_on_every_set_in_both_protocols(entry, tmp_path):
    """As `metrics.fidelity` of the pictures it makes; bicubic beside it; onto the card."""
    records = evaluation.evaluate(entry, write=True)
    assert [(r["set"], r["protocol"], r["metric"]) for r in records][:4] == [
        ("photos[:2]", metrics.STANDARD.name, "psnr"), ("photos[:2]", metrics.STANDARD.name, "ssim"),
        ("photos[:2]", metrics.SRGAN.name, "psnr"), ("photos[:2]", metrics.SRGAN.name, "ssim"),
    ]  # fmt: skip
    assert len(records) == 10 and {r["set"] for r in records} == {"photos[:2]", "large|small"}
    pictures, model = data.pictures_from("large|small", scale=2), zoo.load(entry)
    made = [model.upscale(low) for low in pictures.low]
    last = {(r["metric"], r["protocol"]): r for r in records[5:]}
    (detail,) = [r for r in records[5:] if r["metric"] == "detail"]
    assert detail["value"] == metrics.detail_energy(made, 2) / metrics.detail_energy(pictures.high, 2)
    for protocol in (metrics.STANDARD, metrics.SRGAN):
        scores = metrics.fidelity(pictures.high, made, protocol, crop=2)
        assert last["psnr", protocol.name]["value"] == scores.psnr
        assert last["ssim", protocol.name]["value"] == scores.ssim
    bicubic = metrics.fidelity(pictures.high, [imresize(x, scale=2) for x in pictures.low], crop=2)
    assert last["psnr", metrics.STANDARD.name]["bicubic"] == bicubic.psnr
    assert "against bicubic's" in rendering.verdict(records[0])
    with pytest.raises(ValueError, match="Unknown paper_table 'srresnext'. Did you mean 'srresnet'?"):
        superresolution.evaluate(zoo.info(entry) | {"paper_table": "srresnext"}, None)
    assert cards.read(entry)["metrics"] == records
    for options in ({"n": 5}, {"protocol": "paper"}, {"beside": ["x"]}):
        with pytest.raises(ValueError, match="draws nothing: it is measured on whole sets"):
            evaluation.evaluate(entry, **options)
    with pytest.raises(ValueError, match="its numbers have no spread"):
        evaluation.verify(entry)
    alone = evaluation.of_upscaler(*zoo.find(entry), source="photos[3:5]")
    assert [r["set"] for r in alone] == ["photos[3:5]"] * 5
    evaluation.write_card(entry, cards.read(entry) | {"metrics": []})
    assert cards.read(entry)["metrics"] == []


def test_psnr_streams():
    """The mean of each picture's, as `fidelity` has it: of rounded pixels, on luma, without the border; grey too."""
    rng = np.random.default_rng(0)
    for channels in (1, 3):
        real = rng.integers(0, 256, (5, 20, 24, channels)).astype("uint8")
        fake = np.clip(real + rng.normal(0, 9, real.shape), 0, 255) / 127.5 - 1
        metric = metrics.PSNR(crop=4)
        for part in (slice(0, 2), slice(2, 5)):
            metric.update_state(real[part], fake[part].astype("float32"))
        expected = metrics.fidelity(real, images.to_uint8(fake), crop=4).psnr
        assert float(metric.result()) == pytest.approx(expected, abs=1e-4)
    assert metrics.PSNR.from_config(metrics.PSNR(crop=2, name="x").get_config()).crop == 2


def test_content_of_a_recipe():
    sections = {"data": {"train": "a", "test": ["b", "c"]}, "training": {"start": "d"}}
    recipes.check_texts("x.toml", sections)
    with pytest.raises(ValueError, match=r"x.toml: test in \[data\] is text; saw \[\]"):
        recipes.check_texts("x.toml", {**sections, "data": {"test": []}})
    assert recipes.content("mse").kind == "mse"
    assert recipes.content({"kind": "discriminator", "weight": 2.0}).weight == 2.0
    with pytest.raises(ValueError, match="Unknown kind of content 'vgg'. Did you mean 'vgg19'"):
        recipes.content({"kind": "vgg"})
    assert recipes.kind_of(kerasgan.SRGAN) == "upscaler" and recipes.kind_of(kerasgan.GAN) == "generator"


@pytest.mark.parametrize(
    "change, complaint",
    [
        (("crop = 16", "crop = 0"), "crop in .training. is an integer of at least 1; saw 0"),
        (('kind = "upscaler"', 'kind = "generator"'), "reads .*; saw crop, steps_per_epoch: leave it out"),
        (("[training]", "[augment]\nshift = 1\n[training]"), "of .augment. the upscaler reads nothing; saw shift"),
        (("adversarial = 0.0", "adversarial = -1.0"), r"adversarial lies in \[0, inf\); saw -1.0"),
        (('train = "photos[2:]"', 'train = "absent"'), "There is no folder"),
        (("crop = 16", "crop = 64"), "smaller than the crop of 64"),
        (('test = ["photos[:2]", "large|small"]', "test = 3"), "test in .data. is text; saw 3"),
        (("crop = 16", "crop = 16\nstart = 3"), "start in .training. is text; saw 3"),
        (("title =", 'extractor = "lenet_mnist"\ntitle ='), "of .card. the upscaler reads .*; saw extractor"),
    ],
)
def test_refused_recipes(change, complaint, tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(RECIPE.replace(*change))
    with pytest.raises((ValueError, FileNotFoundError), match=complaint):
        superresolution.prepared(recipes.read(path))


def test_published():
    """The paper's own figures, for its sets at its scale alone; beside bicubic's in the verdict."""
    card = {"scale": 4, "paper_table": "srgan"}
    found = superresolution.published(card, "sr/Set14/hr|sr/Set14/lr_x4", "ssim")
    table = "Ledig et al. 2017, Table 2: srgan, Set14"
    assert found == {"paper": 0.7397, "better": "higher", "table": table}
    for other, source in ((card, "mine/Set"), (card | {"scale": 2}, "Set14"), ({"scale": 4}, "Set14")):
        assert superresolution.published(other, source, "psnr") == {}
    assert superresolution.PAPER["srresnet"]["Set5"] == (32.05, 0.9019)
    record = {"metric": "psnr", "value": 31.5, "bicubic": 28.5, "paper": 32.0, "better": "higher"}
    assert rendering.verdict(record) == "+3 against bicubic's 28.5; -0.5 against the paper's 32"
