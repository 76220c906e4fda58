"""What every variant promises its user, proved on its golden: samples, and files that go on."""

import functools

import goldens
import keras
import numpy as np
import pytest
from cases import asked, once, quick
from goldens import GENERATIVE, GOLDENS
from keras import ops

from kerasgan import data, penalties, random
from kerasgan.models import networks


@pytest.fixture(params=once(GOLDENS), scope="module")
def golden(request):
    return request.param


@pytest.fixture(params=once(GENERATIVE), scope="module")
def trained(request):
    """A model that draws something: an untrained one answers with grey, on which all images agree."""
    return trained_by(request.param)


@functools.cache
def trained_by(golden):
    """A golden's model after five epochs."""
    keras.utils.set_random_seed(1)
    model = golden.build(average_momentum=0.5)
    model.compile(*[keras.optimizers.Adam(0.02, beta_1=0.0) for _ in range(2)])
    model.fit(*golden.data(64), batch_size=16, epochs=5, verbose=0)
    assert golden.drawn(model, 16).std() > 10
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
    """`call` gives the average's floats in [-1, 1], `sample` the same as uint8, `generate` those of `inputs_of`."""
    latents, *labels = inputs = trained.inputs_of(7, range(5))
    np.testing.assert_array_equal(latents, trained.latents_of(7, range(5)))
    assert latents.shape == (5, *trained.latent_shape) and latents.dtype == "float32"
    assert [array.shape for array in labels] == ([(5, trained.classes)] if trained.conditional else [])
    taken = list(inputs) if trained.conditional else latents
    images = ops.convert_to_numpy(trained(taken))
    assert images.dtype == "float32" and np.abs(images).max() <= 1
    np.testing.assert_array_equal(images, trained.average(taken, training=False))
    assert within_one_level(trained.sample(*inputs), np.round((images + 1) * 127.5))
    assert within_one_level(trained.generate(5, seed=7), trained.sample(*inputs))


def test_an_image_of_the_class_you_ask_for(trained):
    """Image i depends on its own label alone; without labels it is of class i mod classes; n may be left out."""
    if not trained.conditional:
        pytest.skip("this variant has no classes")
    n = 2 * trained.classes
    by_turns, labels = trained.generate(n, seed=7), np.arange(n) % trained.classes
    assert within_one_level(trained.generate(seed=7, labels=labels), by_turns)
    assert within_one_level(trained.generate(n, seed=7, labels=list(labels), batch_size=3), by_turns)
    changed = trained.generate(seed=7, labels=np.where(np.arange(n) == 1, 0, labels))
    assert [not np.array_equal(*pair) for pair in zip(changed, by_turns, strict=True)] == [i == 1 for i in range(n)]


@pytest.mark.parametrize("n", [0, -3, 1.5, None])
def test_no_number_of_images(trained, n):
    with pytest.raises(ValueError, match=f"n is an integer of at least 1; saw {n}"):
        trained.generate(n)


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_no_seed(trained, seed):
    with pytest.raises(ValueError, match=r"A seed is an integer in \[0, 2\*\*31\)"):
        trained.generate(1, seed=seed)


# --- going on ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("golden", quick(GOLDENS, "GAN"))
def test_where_a_fit_begins(golden, monkeypatch):
    """Steps that are counted go on where the last fit stopped, in mid-epoch too; whole epochs with a whole one."""
    kind = data.Dataset if golden in GENERATIVE else data.Pairs
    starts, stream = [], kind.stream
    monkeypatch.setattr(kind, "stream", lambda self, start: starts.append(start) or stream(self, start))
    model, images = golden.build(), golden.data(32)
    model.compile(run_eagerly=True)
    for steps in (3, 3, 3, None, None, 1):  # an epoch has four
        model.fit(*images, batch_size=8, steps_per_epoch=steps, verbose=0)
    assert starts == [0, 3, 6, 12, 16, 17]


def gone_on(folder, wanted):
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
    for golden in wanted:
        keras.utils.set_random_seed(3)
        model, half_way = compile_(golden.build_noisy(average_momentum=0.5, seed=5)), []

        def save(epoch, logs, model=model, half_way=half_way):
            if epoch == 0:
                half_way += arrays(model.state)
                model.save(f"{folder}/saved.keras")
                model.save_weights(f"{folder}/saved.weights.h5")

        images = golden.data(64)  # eight batches: five steps end, and ten begin, in mid-epoch
        saving = keras.callbacks.LambdaCallback(on_epoch_end=save)
        model.fit(*images, batch_size=8, steps_per_epoch=5, epochs=2, callbacks=[saving], verbose=0)
        names, expected = [v.path for v in model.state], arrays(model.state)
        keras.utils.set_random_seed(4)
        for how in (".keras", ".weights.h5", "without its random state"):
            if how == ".keras":
                other = keras.saving.load_model(f"{folder}/saved.keras")
            else:  # the model itself, put back
                other = model
                other.load_weights(f"{folder}/saved.weights.h5")
            if how == "without its random state":
                for state in random.state_of(other):
                    state.assign(state + 1)
            at_once = differing(names, half_way, other)
            other.fit(*images, batch_size=8, steps_per_epoch=5, verbose=0)
            found[golden.name, how] = at_once, differing(names, expected, other), len(random.state_of(other))
    return found


def differing(names, expected, model):
    """The variables that are not bit for bit as expected."""
    return [n for n, x, y in zip(names, expected, arrays(model.state), strict=True) if x.tobytes() != y.tobytes()]


@pytest.fixture(scope="module")
def differences(request, tmp_path_factory):
    tests = "test_saved_loaded_and_trained_on_is_uninterrupted", "test_the_random_state_matters"
    folder, some = tmp_path_factory.mktemp("saved"), {g.name: g for g, _ in asked(request, *tests)}
    return goldens.in_child(gone_on, str(folder), list(some.values()), folder=folder)


@pytest.mark.parametrize("golden", quick(GOLDENS, "GAN"))
@pytest.mark.parametrize("how", [".keras", ".weights.h5"])
def test_saved_loaded_and_trained_on_is_uninterrupted(golden, differences, how):
    """Bit for bit: weights, average, both optimizers' moments, step, and every random state."""
    at_once, later, states = differences[golden.name, how]
    assert at_once == [] and later == []
    assert states >= 2 + 3, "the model's two, and those of the Dropout layers of G, of its average, and of D"


@pytest.mark.parametrize("golden", quick(GOLDENS, "GAN"))
def test_the_random_state_matters(golden, differences):
    """Or the test above would prove nothing of it."""
    at_once, later, _ = differences[golden.name, "without its random state"]
    assert len(later) > len(at_once)


def test_a_saved_model_is_the_model(golden, tmp_path):
    """Compiled as it was, drawing the same images; bfloat16 stays bfloat16."""
    trained = trained_by(golden)
    trained.save(tmp_path / "saved.keras")
    loaded = keras.saving.load_model(tmp_path / "saved.keras")
    assert loaded.get_compile_config() == trained.get_compile_config()
    np.testing.assert_array_equal(golden.drawn(loaded, 5), golden.drawn(trained, 5))
    with networks.policy("mixed_bfloat16"):
        model = golden.build()
    model.compile(penalty=penalties.r1(0.5))
    model.save(tmp_path / "half.keras")
    loaded = keras.saving.load_model(tmp_path / "half.keras")
    for player in ("generator", "discriminator", "average"):
        mine, theirs = ([layer.compute_dtype for layer in getattr(m, player).layers] for m in (model, loaded))
        assert mine == theirs
    assert "bfloat16" in [layer.compute_dtype for layer in loaded.discriminator.layers]
