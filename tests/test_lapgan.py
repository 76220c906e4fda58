"""LAPGAN: levels that do not know each other, each a game of its own."""

import keras
import numpy as np
import pytest
from goldens import deep_lapgan
from keras import ops

from kerasgan import data, penalties, pyramid

IMAGES = np.random.default_rng(1).integers(0, 256, (16, 16, 16, 1)).astype("uint8")
LABELS = np.arange(16) % 3


def arrays(variables):
    return [ops.convert_to_numpy(variable).copy() for variable in variables]


def trained(steps=3, **rules):
    """A noisy golden after some steps, all its draws in use: (its players' weights by level, logs)."""
    keras.utils.set_random_seed(4)
    model = deep_lapgan(dropout=0.3, label_dropout=0.3)
    adams = [keras.optimizers.Adam(0.01) for _ in range(2)]
    options = dict(penalty=penalties.r1_r2(0.5), instance_noise=0.1, coarse_noise=0.1)
    model.compile(*adams, loss="relativistic", run_eagerly=True, **options, **rules)
    before = weights(model)
    stream = data.from_arrays(IMAGES, LABELS, batch_size=8).stream()
    logs = model.fit(stream, steps_per_epoch=steps, epochs=1, verbose=0).history
    return before, weights(model), logs


def test_a_penalty_has_the_share_of_its_level(monkeypatch):
    """Of 4x4, 8x8 and 16x16: a sixteenth, a quarter, the whole."""
    model = deep_lapgan()
    model.compile(loss="relativistic", penalty=penalties.r1_r2(0.5), run_eagerly=True)
    monkeypatch.setattr(model, "judge", lambda scores, real, fake, seed: (scores(real), scores(fake), ops.ones(())))
    logs = model.fit(IMAGES, LABELS, batch_size=8, verbose=0).history
    assert [logs[f"penalty_{size}"] for size in model.sizes] == [[1 / 16], [1 / 4], [1]]
    assert logs["penalty"] == [pytest.approx(1 + 1 / 4 + 1 / 16)]


def weights(model):
    return {(player, level): arrays(model.level(player, level).weights)
            for player in ("generator", "discriminator") for level in range(3)}  # fmt: skip


def test_all_levels_together_are_each_alone():
    """Dropout, instance noise, noise on the coarse images and hidden labels in use: every level has its own streams."""
    _, together, logs = trained()
    for level, size in enumerate((4, 8, 16)):
        before, alone, own = trained(train_levels=[size])
        for key, values in alone.items():
            same = together[key] if key[1] == level else before[key]
            for value, expected in zip(values, same, strict=True):
                np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-6)
        for player in ("generator", "discriminator"):
            pair = (found[player, level] for found in (before, alone))
            assert not all(np.array_equal(a, b) for a, b in zip(*pair, strict=True)), f"the {player} moved"
        mine = {name for name in logs if name.endswith(f"_{size}")}
        assert {f"generator_loss_{size}", f"pair_accuracy_{size}", f"penalty_{size}"} <= mine
        assert mine == {name for name in own if name[-1].isdigit()}
        assert own["generator_loss"] == pytest.approx(own[f"generator_loss_{size}"])
    for name in ("generator_loss", "discriminator_loss", "penalty"):
        assert logs[name] == pytest.approx(np.sum([logs[f"{name}_{size}"] for size in (4, 8, 16)], axis=0), rel=1e-5)
    assert set(logs) >= {"residual_std_8", "real_residual_std_16"} and "residual_std_4" not in logs
    assert 0.5 < logs["real_residual_std_16"][0] <= 1.1, "in the deviation of all residuals"


def test_what_d_sees():
    """Coarse images with the same noise beside real and generated residuals, and real residuals of deviation 1."""
    model, seen = deep_lapgan(classes=None), []
    model.adapt(IMAGES)
    model.compile(coarse_noise=0.2)
    model.scores = lambda images, *_, **__: seen.append(ops.convert_to_numpy(images)) or ops.zeros((len(images), 1))
    fine = ops.convert_to_tensor(IMAGES / np.float32(127.5) - 1)
    model.play_level(2, pyramid.down(fine), fine, [])
    real, fake = seen
    np.testing.assert_array_equal(real[..., 0], fake[..., 0])
    coarse = ops.convert_to_numpy(pyramid.up(pyramid.down(fine)))[..., 0]
    assert (real[..., 0] - coarse).std() == pytest.approx(0.2, rel=0.05)
    assert real[..., 1].std() == pytest.approx(1, abs=1e-5) and not np.allclose(real[..., 1], fake[..., 1])


def test_freeze_discriminator_counts_in_every_level():
    """One layer of each discriminator rests, the one next to the image; with all of a level's there is nothing left."""
    model = deep_lapgan(classes=None)
    model.compile(freeze_discriminator=1)
    resting = {id(v) for v in model.discriminator.trainable_variables} - {
        id(v) for v in model.learning("discriminator")
    }
    firsts = [model.level("discriminator", level).trainable_variables[:2] for level in range(3)]
    assert resting == {id(v) for pair in firsts for v in pair}
    with pytest.raises(ValueError, match="freeze_discriminator=2 leaves the discriminator nothing to learn with"):
        model.compile(freeze_discriminator=2)


def test_every_level_and_every_seed_draws_for_itself():
    states = [tuple(arrays([stream.state])[0]) for seed in (0, 1) for stream in deep_lapgan(seed=seed).streams]
    assert len(set(states)) == 6 and all(0 <= first < 2**31 for first, _ in states)


def test_hidden_labels():
    model = deep_lapgan(label_dropout=0.25)
    labels = ops.convert_to_tensor(np.eye(3, dtype="float32")[np.arange(3000) % 3])
    kept = ops.convert_to_numpy(model.hidden(labels, model.random))
    assert set(kept.sum(1)) == {0, 1} and kept.sum() / 3000 == pytest.approx(0.75, abs=0.03)
    assert (kept.argmax(1) == np.arange(3000) % 3)[kept.sum(1) == 1].all()


def test_adapt_finds_the_residuals_deviation_and_it_is_saved(tmp_path):
    model = deep_lapgan(classes=None)
    for level in (1, 2):
        model.deviation(level).assign(1.0)
    model.compile()
    model.fit(IMAGES, batch_size=8, verbose=0)
    parts = pyramid.split(ops.convert_to_tensor(IMAGES / np.float32(127.5) - 1), 2)
    expected = [ops.convert_to_numpy(part).std() for part in parts[1:]]
    found = arrays([model.deviation(1), model.deviation(2)])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    held = [model.average.get_layer("scale_8").deviation, model.discriminator.get_layer("scale_16").deviation]
    np.testing.assert_allclose(arrays(held), expected, rtol=1e-5)
    model.fit(IMAGES // 2, batch_size=8, verbose=0)
    assert arrays([model.deviation(1), model.deviation(2)]) == found, "the first data's, for good"
    model.save(tmp_path / "x.keras")
    assert arrays([keras.saving.load_model(tmp_path / "x.keras").deviation(1)]) == found[:1]


def test_adapt_of_flat_images_and_of_what_the_authors_see():
    model = deep_lapgan(add=True, classes=None)
    model.adapt(np.zeros((4, 16, 16, 1), "uint8"))
    assert arrays([model.deviation(1)]) == [np.float32(0.01)]
    inside = model.level("discriminator", 2).get_layer("scale_16").deviation
    assert arrays([inside]) == [np.float32(0.01)]
    with pytest.raises(ValueError, match="adapt looks at images, at least one; saw none"):
        model.adapt(np.zeros((0, 16, 16, 1), "uint8"))
    assert arrays([model.deviation(1)]) == [np.float32(0.01)]


def test_a_stream_need_not_tell_its_sides():
    tf = pytest.importorskip("tensorflow")
    model = deep_lapgan(classes=None)
    model.compile(run_eagerly=True)
    unknown = tf.TensorSpec((None, None, None, 1), "uint8")

    def stream(*batches):
        return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=unknown)

    assert np.isfinite(model.fit(stream(IMAGES[:8]), verbose=0).history["generator_loss_16"]).all()
    larger = IMAGES[:8].repeat(2, axis=1).repeat(2, axis=2)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):  # and not four images of each
        model.fit(stream(IMAGES[:8], larger), verbose=0)


def test_prepare_needs_data_that_can_be_looked_at():
    model = deep_lapgan(classes=None)
    for level in (1, 2):
        model.deviation(level).assign(1.0)
    model.compile()
    with pytest.raises(ValueError, match=r"call adapt\(images\) before fit"):
        model.fit((IMAGES[i : i + 8] for i in (0, 8)), verbose=0)
    model.prepare(data.from_arrays(IMAGES, batch_size=8).stream())
    assert arrays([model.deviation(1)]) != [1.0]
