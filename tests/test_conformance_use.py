"""What every variant promises its user, proved on its golden: samples, measures, files that go on, and refusals."""

import goldens
import keras
import numpy as np
import pytest
from goldens import GOLDENS
from keras import ops

from kerasgan import data, penalties, random
from kerasgan.models import networks


@pytest.fixture(params=GOLDENS, ids=lambda golden: golden.variant, scope="module")
def golden(request):
    return request.param


@pytest.fixture(scope="module")
def trained(golden):
    """A model that draws something: an untrained one answers with grey, on which all images agree."""
    keras.utils.set_random_seed(1)
    model = golden.build(average_momentum=0.5)
    model.compile(*[keras.optimizers.Adam(0.02, beta_1=0.0) for _ in range(2)])
    model.fit(golden.images(64), batch_size=16, epochs=5, verbose=0)
    assert model.generate(16, seed=0).std() > 10
    return model


def arrays(variables):
    return [ops.convert_to_numpy(v).copy() for v in variables]


def within_one_level(images, others):
    """Equal, but for one grey level in 1e-4 of the pixels."""
    gap = np.abs(images.astype(int) - others)
    return gap.max() <= 1 and np.mean(gap > 0) <= 1e-4


# --- sampling ---------------------------------------------------------------------------------------------------------


def test_image_i_depends_on_seed_and_i_alone(trained):
    hundred = trained.generate(100, seed=7)
    assert hundred.dtype == "uint8" and hundred.shape == (100, *trained.image_shape)
    assert len({image.tobytes() for image in hundred}) == 100
    for n in (1, 7):
        assert within_one_level(trained.generate(n, seed=7), hundred[:n])
    for batch_size in (1, 33, 1000):
        assert within_one_level(trained.generate(100, seed=7, batch_size=batch_size), hundred)
    assert not within_one_level(trained.generate(100, seed=8), hundred)


def test_a_seed_that_was_drawn_is_told(trained):
    images = trained.generate(3)
    seed = trained.last_seed
    assert within_one_level(trained.generate(3, seed=seed), images)
    trained.generate(3)
    assert trained.last_seed != seed


def test_generate_draws_from_no_generator_of_the_model(trained):
    """Sampling in the middle of a training leaves it as it was."""
    states = arrays(random.state_of(trained))
    trained.generate(3, seed=1)
    for before, after in zip(states, arrays(random.state_of(trained)), strict=True):
        np.testing.assert_array_equal(before, after)


def test_what_latents_become(trained):
    """`call` gives the average's floats in [-1, 1], `sample` the same as uint8, `generate` those of `latents_of`."""
    latents = trained.latents_of(7, range(5))
    assert latents.shape == (5, *trained.latent_shape) and latents.dtype == "float32"
    images = ops.convert_to_numpy(trained(latents))
    assert images.dtype == "float32" and np.abs(images).max() <= 1
    np.testing.assert_array_equal(images, trained.average(latents, training=False))
    assert within_one_level(trained.sample(latents), np.round((images + 1) * 127.5))
    assert within_one_level(trained.generate(5, seed=7), trained.sample(latents))


@pytest.mark.parametrize("n", [0, -3, 1.5, None])
def test_no_number_of_images(trained, n):
    with pytest.raises(ValueError, match=f"n is an integer of at least 1; saw {n}"):
        trained.generate(n)


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_no_seed(trained, seed):
    with pytest.raises(ValueError, match=r"A seed is an integer in \[0, 2\*\*31\)"):
        trained.generate(1, seed=seed)


def test_labels_for_a_model_without_classes(golden, trained):
    if trained.conditional:
        pytest.skip("this variant has classes")
    with pytest.raises(ValueError, match="is unconditional: generate takes no labels"):
        trained.generate(3, labels=[0, 1, 2])
    with pytest.raises(ValueError, match="is unconditional: it has no use for labels; pass images alone"):
        trained.fit(golden.images(8), np.zeros(8, "int32"))


# --- measuring --------------------------------------------------------------------------------------------------------


class Brightness(keras.metrics.Mean):
    """The mean brightness of the real images, or of the fake ones."""

    def update_state(self, real, fake):
        return super().update_state(ops.mean({"real": real, "fake": fake}[self.name], axis=(1, 2, 3)))


def test_evaluate(golden):
    """Every image counts, real ones as they are, fake ones anew but the same each time; nothing is learnt."""
    model, images = golden.build(), golden.images(22)
    metrics = [Brightness("real"), Brightness("fake")]
    model.compile(metrics=metrics, run_eagerly=True)
    model.fit(images, batch_size=8, verbose=0)
    before, found = arrays(model.weights), []
    for x in (images, images, images / 127.5 - 1, data.from_arrays(images, batch_size=8)):
        found.append(model.evaluate(x, batch_size=8, verbose=0, return_dict=True))
        assert [int(metric.count) for metric in metrics] == [22, 22]
    assert found[0] == found[1] and found[0]["real"] == pytest.approx(np.mean(images / 127.5 - 1), abs=1e-5)
    assert abs(found[0]["real"] - found[0]["fake"]) > 1e-3
    for values in found[2:]:
        assert values == pytest.approx(found[0], abs=1e-6)
    for old, new in zip(before, arrays(model.weights), strict=True):
        np.testing.assert_array_equal(old, new)


def test_validation_data(golden):
    """Measured after every epoch, from nothing each time."""
    model, images = golden.build(), golden.images(16)
    metric = Brightness("real")
    model.compile(metrics=[metric], run_eagerly=True)
    history = model.fit(images, batch_size=8, epochs=2, validation_data=images, verbose=0).history
    assert history["val_real"] == [pytest.approx(np.mean(images / 127.5 - 1), abs=1e-5)] * 2 and "real" not in history
    assert int(metric.count) == 16, "every epoch starts from nothing"


def test_nothing_to_measure_with(golden, trained):
    with pytest.raises(ValueError, match=r"Nothing to measure with: compile\(metrics=\[...\]\) first"):
        trained.evaluate(golden.images(8))


# --- refusing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda x: x / 255.0, r"lie in \[-1, 1\]; saw values in \[0.07843, 0.902\]: pass uint8.*value_range=\(0, 1\)"),
        (lambda x: x.astype("float32"), r"saw values in \[20, 230\]: pass uint8, or value_range"),
        (lambda x: x.astype("int32"), "uint8, or floats in .*; saw int32: pass images.astype"),
        (lambda x: np.where(x > 100, np.nan, 0.5), "are NaN or infinite"),
        (lambda x: x[:, :-1], "The model takes images of shape .*: resize them"),
        (lambda x: x[0, 0], "Images have shape"),
        (lambda x: np.concatenate([x, x], axis=-1), "1, 3 or 4 channels"),
    ],
    ids=["[0, 1]", "[0, 255]", "int32", "NaN", "shape", "2D", "channels"],
)
def test_images_that_break_the_contract(golden, change, complaint):
    model, before = golden.build(), None
    model.compile(metrics=[Brightness("real")])
    before = arrays(model.weights)
    for look in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=complaint):
            look(change(golden.images(8)), verbose=0)
    for old, new in zip(before, arrays(model.weights), strict=True):
        np.testing.assert_array_equal(old, new)


def test_another_range_is_told(golden):
    """Floats in [0, 1] with value_range=(0, 1), and the uint8 images they were made of, train alike."""
    images, start, after = golden.images(8), None, []
    for x, options in ((images, {}), (images / 255.0, {"value_range": (0, 1)})):
        model = golden.build()
        start = start or model.get_weights()
        model.set_weights(start)
        model.compile(*[keras.optimizers.SGD(0.1) for _ in range(2)], run_eagerly=True)
        model.fit(x, batch_size=8, verbose=0, **options)
        after.append(arrays(model.weights))
    for mine, other in zip(*after, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)


def test_an_unknown_option_tells_the_nearest(trained):
    with pytest.raises(TypeError, match="Unknown option 'discriminator_step' .* Did you mean 'discriminator_steps'?"):
        trained.compile(discriminator_step=2)


def test_a_loss_that_becomes_nan(golden):
    """The training stops, names loss and step, and everything is as it was when `fit` began."""
    model, images = golden.build(), golden.images(32)
    model.compile(instance_noise=lambda step: ops.where(step < 3, 0.0, np.nan), run_eagerly=True)
    model.fit(images, batch_size=16, verbose=0)
    before = arrays(model.state)
    complaint = "discriminator_loss became nan at step 4; the weights are those of step 2, the last good ones"
    with pytest.raises(FloatingPointError, match=complaint):
        model.fit(images, batch_size=16, epochs=2, verbose=0)
    for old, new in zip(before, arrays(model.state), strict=True):
        np.testing.assert_array_equal(old, new)


def test_is_finite(golden):
    """One NaN or infinity anywhere in what a training needs to go on, an optimizer's moment too, and it is not."""
    model = golden.build()
    model.compile()
    assert model.is_finite()
    floats = [variable for variable in model.state if keras.backend.is_float_dtype(variable.dtype)]
    for variable, wrong in zip([floats[0], floats[-1]], (np.nan, np.inf), strict=True):
        good = arrays([variable])[0]
        bad = good.copy()
        bad.flat[-1] = wrong
        variable.assign(bad)
        assert not model.is_finite()
        variable.assign(good)
    assert model.is_finite()


# --- going on ---------------------------------------------------------------------------------------------------------


def gone_on(folder):
    """Run by a child, for determinism is for a whole process: what differs after five more steps, by how it was saved.

    Everything that draws is on: Dropout in both networks, instance noise, latents, a mixing penalty, all on schedules.
    """
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    falling = keras.optimizers.schedules.PolynomialDecay

    def compile_(model):
        adams = [keras.optimizers.Adam(falling(0.02, 10, 0.01), beta_1=0.5) for _ in range(2)]
        noise, penalty = falling(0.3, 10, 0.1), penalties.gradient_penalty(falling(0.2, 10, 0.1))
        model.compile(*adams, penalty=penalty, instance_noise=noise, label_smoothing=0.1)
        return model

    found = {}
    for golden in GOLDENS:
        images = golden.images(40)
        keras.utils.set_random_seed(3)
        model = compile_(golden.build_noisy(average_momentum=0.5, seed=5))
        model.fit(images, batch_size=8, verbose=0)  # five steps
        model.save(f"{folder}/saved.keras")
        model.save_weights(f"{folder}/saved.weights.h5")
        half_way = arrays(model.state)
        model.fit(images, batch_size=8, verbose=0)
        expected = arrays(model.state)
        names = [v.path for v in model.state]
        keras.utils.set_random_seed(4)
        loaded = {".keras": keras.saving.load_model(f"{folder}/saved.keras")}
        for how in (".weights.h5", "without its random state"):
            loaded[how] = compile_(golden.build_noisy(average_momentum=0.5, seed=5))
            loaded[how].load_weights(f"{folder}/saved.weights.h5")
        for state in random.state_of(loaded["without its random state"]):
            state.assign(state + 1)
        for how, other in loaded.items():
            at_once = differing(names, half_way, other)
            other.fit(images, batch_size=8, verbose=0)
            found[golden.variant, how] = at_once, differing(names, expected, other), len(random.state_of(other))
    return found


def differing(names, expected, model):
    """The variables that are not bit for bit as expected."""
    return [n for n, x, y in zip(names, expected, arrays(model.state), strict=True) if x.tobytes() != y.tobytes()]


@pytest.fixture(scope="module")
def differences(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    return goldens.in_child(gone_on, str(folder), folder=folder)


@pytest.mark.parametrize("how", [".keras", ".weights.h5"])
def test_saved_loaded_and_trained_on_is_uninterrupted(golden, differences, how):
    """Bit for bit: weights, average, both optimizers' moments, step, and every random state."""
    at_once, later, states = differences[golden.variant, how]
    assert at_once == [] and later == []
    assert states >= 2 + 3, "the model's two, and those of the Dropout layers of G, of its average, and of D"


def test_the_random_state_matters(golden, differences):
    """Or the test above would prove nothing of it."""
    at_once, later, _ = differences[golden.variant, "without its random state"]
    assert len(later) > len(at_once)


def test_a_saved_model_is_the_model(golden, trained, tmp_path):
    """Compiled as it was, drawing the same images; bfloat16 stays bfloat16."""
    trained.save(tmp_path / "saved.keras")
    loaded = keras.saving.load_model(tmp_path / "saved.keras")
    assert loaded.get_compile_config() == trained.get_compile_config()
    np.testing.assert_array_equal(loaded.generate(5, seed=7), trained.generate(5, seed=7))
    with networks.policy("mixed_bfloat16"):
        model = golden.build()
    model.compile(penalty=penalties.r1(0.5))
    model.save(tmp_path / "half.keras")
    loaded = keras.saving.load_model(tmp_path / "half.keras")
    for player in ("generator", "discriminator", "average"):
        mine, theirs = ([layer.compute_dtype for layer in getattr(m, player).layers] for m in (model, loaded))
        assert mine == theirs
    assert "bfloat16" in [layer.compute_dtype for layer in loaded.discriminator.layers]
