"""TensorFlow and torch play the same game; and torch plays it with nothing but numpy, h5py, pillow and keras."""

import contextlib
import importlib.machinery
import sys

import goldens
import numpy as np
import pytest
from cases import asked, quick
from goldens import GOLDENS

pytestmark = pytest.mark.torch
STEPS = 20
ABSENT = ("tensorflow", "tensorflow_datasets", "scipy", "sklearn", "matplotlib", "click", "rich")


def played(wanted):
    """Run by a child: what a backend makes of 20 steps of SGD, in which nothing is drawn.

    Weights and noise are given; relativistic pairs, R1 and R2, BatchNorm in G.
    """
    import keras
    from keras import ops

    from kerasgan import penalties

    found = {"backend": keras.backend.backend(), "full float32": full_float32_leaves_all_as_it_was()}
    for golden in wanted:
        rng, model = np.random.default_rng(0), golden.build(average_momentum=0.5)
        players = {name: getattr(model, name) for name in ("generator", "discriminator", "average")}
        for weight in (*model.generator.trainable_variables, *model.discriminator.trainable_variables):
            weight.assign(0.3 * rng.normal(size=weight.shape).astype("float32"))
        model.average.set_weights(model.generator.get_weights())
        first = {"inputs": golden.inputs(model, 100), "images": golden.drawn(model, 100)}
        before = [w for player in players.values() for w in player.get_weights()]

        def given(like, shape, *_, model=model):
            noise = np.random.default_rng(int(np.prod(shape))).normal(size=(STEPS, 8, *shape)).astype("float32")
            return ops.take(ops.convert_to_tensor(noise), model.step, axis=0)

        model.draw = given
        optimizers = [keras.optimizers.SGD(0.02) for _ in range(2)]
        model.compile(*optimizers, loss="relativistic", penalty=penalties.r1_r2(0.1), **dict(golden.rules))
        logs = model.fit(golden.dataset(*golden.data(8 * STEPS), batch_size=8), verbose=0).history
        weights = [(f"{name} {w.path}", ops.convert_to_numpy(w)) for name, p in players.items() for w in p.weights]
        way = [float(np.abs(w - start).max()) for (_, w), start in zip(weights, before, strict=True)]
        steps = int(model.step.numpy())
        found[golden.name] = {**first, "weights": weights, "logs": logs, "steps": steps, "way": way}
    return found


@pytest.fixture(params=quick(GOLDENS, "DCGAN"), scope="module")
def golden(request):
    return request.param


@pytest.fixture(scope="module")
def backends(request, tmp_path_factory):
    tests = "test_two_backends_play_one_game", "test_two_backends_draw_the_same_images"
    names, some = ("tensorflow", "torch"), list({g.name: g for g, _ in asked(request, *tests)}.values())
    folders = [tmp_path_factory.mktemp(name) for name in names]
    answers = [goldens.in_child(played, some, folder=f, KERAS_BACKEND=n) for f, n in zip(folders, names, strict=True)]
    assert [answer["backend"] for answer in answers] == [*names]
    return answers


@pytest.fixture
def both(backends, golden):
    return [answer[golden.name] for answer in backends]


def test_two_backends_play_one_game(both):
    tensorflow, torch = both
    assert tensorflow["steps"] == torch["steps"] == STEPS
    assert np.median(tensorflow["way"]) > 5e-3, "the weights hardly moved: there is nothing to compare"
    for (name, mine), (other, theirs) in zip(tensorflow["weights"], torch["weights"], strict=True):
        assert name == other
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6, err_msg=name)
    assert tensorflow["logs"].keys() == torch["logs"].keys()
    for name, values in tensorflow["logs"].items():
        assert values == pytest.approx(torch["logs"][name], rel=1e-4), name


def test_two_backends_draw_the_same_images(both):
    """The same latents to the bit, and images of the same weights within one grey level in 1e-4 of the pixels."""
    tensorflow, torch = both
    inputs = [given if isinstance(given := backend["inputs"], list) else [given] for backend in both]
    for mine, other in zip(*inputs, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert tensorflow["images"].std() > 10, "all grey: nothing to compare"
    gap = np.abs(tensorflow["images"].astype(int) - torch["images"])
    assert gap.max() <= 1 and np.mean(gap > 0) <= 1e-4


class Without(importlib.machinery.PathFinder):
    """Finds what is installed, but for these packages."""

    absent = set(ABSENT) - {"rich"}

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in cls.absent else super().find_spec(name, path, target)


def trained_barely(recipe, folder):
    """Run by a child: a whole training by a recipe, from an .npz, and its entry loaded, without all those packages."""
    sys.meta_path = [Without if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
    importlib.import_module("keras")  # which itself imports rich (3.15, summary_utils); afterwards nobody may
    for name in [name for name in sys.modules if name.split(".")[0] == "rich"]:
        del sys.modules[name]
    Without.absent = set(ABSENT)
    for name in ABSENT:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)
    import kerasgan
    from kerasgan import training

    entry = training.train(recipe, f"{folder}/run", epochs=1, verbose=0)
    model = kerasgan.load(entry)
    history = model.fit(np.zeros((8, 28, 28, 1), "uint8"), verbose=0).history
    loaded = [name for name in ABSENT if name in sys.modules]
    return str(entry), {name: values[-1] for name, values in history.items()}, loaded, int(model.step.numpy())


def test_torch_alone_trains(tiny_recipe, tmp_path):
    """What it makes is an entry that TensorFlow draws the same images from."""
    from kerasgan import zoo

    entry, logs, loaded, step = goldens.in_child(
        trained_barely, str(tiny_recipe), str(tmp_path), folder=tmp_path, KERAS_BACKEND="torch"
    )
    assert loaded == [] and step == 1 and np.isfinite(list(logs.values())).all()
    assert zoo.info(entry)["versions"]["backend"] == "torch"
    assert zoo.verify(entry)["ok"]


# --- the GPU's ways ---------------------------------------------------------------------------------------------------


def reduced():
    """Whether products of float32 may be rounded, on this backend."""
    from kerasgan import gradients

    if gradients.BACKEND == "tensorflow":
        import tensorflow as tf

        return [tf.config.experimental.tensor_float_32_execution_enabled()]
    import torch

    return [torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32]


def full_float32_leaves_all_as_it_was():
    """Also when what it is for fails. Run by a child."""
    from kerasgan import gradients

    before, inside = reduced(), None
    with contextlib.suppress(ZeroDivisionError), gradients.full_float32():
        inside = reduced()
        raise ZeroDivisionError
    return before, inside, reduced(), gradients.accelerator()


@pytest.mark.parametrize("place", [0, 1], ids=["tensorflow", "torch"])
def test_full_float32(backends, place):
    before, inside, after, gpu = backends[place]["full float32"]
    assert any(before) and not any(inside) and after == before
    assert gpu is None or isinstance(gpu, str)
