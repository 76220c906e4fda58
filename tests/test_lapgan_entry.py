"""A LAPGAN by its recipe, as every user's: trained, stopped, resumed, loaded, measured level by level."""

import signal

import keras
import numpy as np
import pytest

import kerasgan
from kerasgan import evaluation, images, rendering, training

RECIPE = """
[model]
variant = "LAPGAN"
image_shape = [28, 28, 1]
base = 7
latent_size = 4
classes = 3
units = [8]
discriminator_units = [8]
widths = [4, 4]
discriminator_widths = [4, 4]
kernel_size = 3
discriminator_kernel_size = 3
halve_to = 7
label_dropout = 0.1

[compile]
loss = "relativistic"
penalty = { kind = "r1_r2", weight = 0.5 }
coarse_noise = 0.05

[data]
train = "FOLDER/train.npz"
test = "FOLDER/test.npz"
note = "blocks"

[training]
epochs = 2
batch_size = 16
seed = 1

[card]
extractor = "lenet_mnist"
"""


class Stop(keras.callbacks.Callback):
    """Ctrl-C after the third step."""

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) == 3:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps")
    rng = np.random.default_rng(0)
    for name in ("train", "test"):
        blocks = rng.integers(0, 256, (140, 7, 7, 1)).astype("uint8").repeat(4, axis=1).repeat(4, axis=2)
        np.savez(folder / f"{name}.npz", images=blocks, labels=np.arange(140) % 3)
    (folder / "steps.toml").write_text(RECIPE.replace("FOLDER", folder.as_posix()))
    return folder / "steps.toml"


@pytest.fixture(scope="module")
def entry(recipe, tmp_path_factory):
    return training.train(recipe, tmp_path_factory.mktemp("run") / "steps", verbose=0)


def test_an_entry_of_levels(entry):
    card = kerasgan.info(entry)
    page = (entry / "README.md").read_text()
    assert "levels.png" in card["files"] and "(levels.png)" in page
    assert card["data"]["note"] == "blocks" and "| note | blocks |" in page
    assert images.read(entry / "levels.png").shape == (4 * 30 + 2, 12 * 30 + 2, 1)
    last = card["history"][-1]
    assert {"generator_loss_28", "residual_std_14", "pair_accuracy_7", "generator_loss"} <= last.keys()
    model = kerasgan.load(entry)
    assert model.label_dropout == 0.1 and kerasgan.verify(entry)["ok"]
    assert all(float(model.deviation(level).numpy()) != 1 for level in (1, 2)), "the data's scale came with it"
    assert model.refine(model.generate(3, seed=1, return_pyramid=True)[0], seed=2, labels=[0, 1, 2]).shape[1] == 28


def test_goldens_and_samples_are_of_classes(entry):
    assert np.load(entry / "golden.npz")["labels"].argmax(1).tolist() == [i % 3 for i in range(16)]
    model = kerasgan.load(entry, metrics=False)
    some = model.generate(24, seed=0, labels=np.arange(24) % 3)
    np.testing.assert_array_equal(images.read(entry / "samples.png"), kerasgan.plotting.grid(some, columns=3))


def test_another_size_takes_over_the_levels_of_its_heights(entry, capsys):
    """The level above is new, and so is how much residuals vary: `fit` looks at the new data."""
    old = kerasgan.load(entry, metrics=False)
    new = kerasgan.load(entry, image_shape=(56, 56, 1), widths=[4, 4, 4], discriminator_widths=[4, 4, 4])
    told = capsys.readouterr().err
    for player in ("generator", "discriminator"):
        for size in (7, 14, 28):
            pair = (getattr(model, player).get_layer(f"{player}_{size}").get_weights() for model in (old, new))
            assert all(np.array_equal(a, b) for a, b in zip(*pair, strict=True)), (player, size)
    assert "generator: 20 kept, 0 resized, 8 new" in told, told
    assert all(float(new.deviation(level).numpy()) == 1 for level in (1, 2, 3))
    with pytest.raises(ValueError, match="widths has one for each level above the smallest, 3"):
        kerasgan.load(entry, image_shape=(56, 56, 1))


@pytest.mark.soak
def test_stopped_and_resumed_it_is_the_same(entry, recipe, tmp_path):
    with pytest.raises(training.Interrupted, match="Stopped at step 3 of 16"):
        training.train(recipe, tmp_path / "run", callbacks=[Stop()], verbose=0)
    again = training.train(recipe, tmp_path / "run", resume=True, verbose=0)
    for name in ("generator", "discriminator"):
        pair = (getattr(kerasgan.load(folder, metrics=False), name).get_weights() for folder in (entry, again))
        assert all(np.array_equal(a, b) for a, b in zip(*pair, strict=True))


def test_it_is_measured_level_by_level(entry):
    records = {record["metric"]: record for record in evaluation.evaluate(entry, n=130, seeds=(1, 2))}
    assert {"frechet_from_7", "frechet_from_14", "frechet_at_14", "noise_used_14", "noise_used_28"} <= records.keys()
    assert records["frechet_from_7"]["real"] == pytest.approx(records["frechet_distance"]["real"], rel=1e-6)
    assert records["frechet_at_14"]["real"] > 0 and records["noise_used_28"]["real"] is None
    assert all(np.isfinite(record["value"]) for record in records.values())
    assert "x real data" in rendering.verdict(records["frechet_from_14"])
