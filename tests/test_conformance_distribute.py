"""What every variant promises under tf.distribute, proved on its golden in children: devices are set once a process."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import goldens
import keras
import numpy as np
import pytest
from goldens import GOLDENS
from keras import ops

from kerasgan import callbacks, distribution, penalties
from kerasgan.augmentations import DiffAugment

pytestmark = pytest.mark.timeout(1200)  # what all its tests look at takes minutes to be trained, before the first


@pytest.fixture(params=GOLDENS, ids=lambda golden: golden.name, scope="module")
def golden(request):
    return request.param


def sgd(rate):
    """The two optimizers, plain steps down the gradient."""
    return [keras.optimizers.SGD(rate) for _ in range(2)]


def arrays(variables):
    return [ops.convert_to_numpy(v).copy() for v in variables]


def moved(before, variables):
    """Which of the variables are no longer what they were."""
    return [not np.array_equal(old, new) for old, new in zip(before, arrays(variables), strict=True)]


# --- devices ----------------------------------------------------------------------------------------------------------


def compiled(golden):
    """A model of the golden's plain networks, which start as all others do, under rules that draw much."""
    rules = {"penalty": penalties.gradient_penalty(0.1), "instance_noise": 0.1}
    if golden.name == "GAN":  # whose step is compiled soonest
        rules |= {"discriminator_steps": 2, "augment": DiffAugment("translation", "cutout")}
    keras.utils.set_random_seed(0)
    model = golden.build_plain(average_momentum=0.5)
    model.compile(*sgd(golden.rate), **rules, **dict(golden.rules))
    return model


def trained(golden, model):
    """What became of a model in 20 steps of 64 images: weights, history, images, which of the weights moved."""
    before = arrays(model.weights)
    history = model.fit(*golden.data(320), batch_size=64, epochs=4, verbose=0).history
    return arrays(model.weights), history, golden.drawn(model, 5), moved(before, model.weights)


def distributed(replicas):
    """Run by a child: every golden on so many logical CPU devices, and by two of them on one and plainly, too.

    In one process TensorFlow's collectives on the CPU take one number of replicas.
    """
    mirrored = distribution.strategy("mirrored", replicas)  # first: it makes the devices
    strategies, found = {f"{replicas} replicas": mirrored}, {}
    if replicas == 2:
        strategies |= {"none": distribution.strategy(), "one device": distribution.strategy("one")}
    for golden in GOLDENS:
        for name, strategy in strategies.items():
            with strategy.scope():
                model = compiled(golden)
            found[golden.name, name] = trained(golden, model)
        if replicas > 2:
            continue
        with mirrored.scope():  # BatchNorm and Dropout: each replica has its own batch and masks
            model = golden.build_noisy()
            model.compile()
        before = arrays(model.trainable_variables)
        history = model.fit(*golden.data(32), batch_size=16, verbose=0).history
        learnt = moved(before, model.trainable_variables)
        local = [mirrored.experimental_local_results(v.value) for v in model.variables]
        apart = [v.path for v, (one, two) in zip(model.variables, local, strict=True) if np.any(one != two)]
        good, watch = arrays(model.state), callbacks.StopOnNaN()
        watch.set_model(model)
        watch.on_train_begin()
        model.set_weights([w * np.nan if w.dtype.kind == "f" else w for w in model.get_weights()])
        found[golden.name, "noisy"] = history, learnt, watch.undone("loss became nan"), moved(good, model.state), apart
        with mirrored.scope():
            model = golden.build(dtype="mixed_float16")
            model.compile()
        history = model.fit(*golden.data(32), batch_size=16, verbose=0).history
        found[golden.name, "half"] = history, model.is_finite(), int(model.step.numpy())
    return found


@pytest.fixture(scope="module")
def on_devices(tmp_path_factory):
    found = [goldens.in_child(distributed, n, folder=tmp_path_factory.mktemp("devices")) for n in (2, 4)]
    return found[0] | found[1]


@pytest.mark.parametrize("strategy", ["one device", "2 replicas", "4 replicas", "2 workers"])
def test_a_strategy_trains_as_no_strategy_does(golden, on_devices, on_workers, strategy):
    """Noise and penalty on: it is drawn for all replicas together, and each takes its own part."""
    weights, history, images, has_moved = on_devices[golden.name, "none"]
    assert sum(has_moved) > len(has_moved) / 2, "nothing was trained"
    found = on_workers[1][golden.name] if strategy == "2 workers" else on_devices[golden.name, strategy]
    for mine, plain in zip(found[0], weights, strict=True):
        np.testing.assert_allclose(mine, plain, atol=1e-5)
    assert found[1].keys() == history.keys()
    for name in history:
        np.testing.assert_allclose(found[1][name], history[name], atol=1e-5)
    assert np.abs(found[2].astype(int) - images).max() <= 1


def test_replicas_train_networks_that_mix_images(golden, on_devices):
    """All have the same afterwards, BatchNorm's statistics too: what is saved and drawn from is no single replica's."""
    history, has_moved, message, undone, apart = on_devices[golden.name, "noisy"]
    assert np.isfinite(list(history.values())).all() and all(has_moved) and not apart
    assert "the weights are those of step 2" in message and not any(undone)


def test_replicas_train_in_half_precision(golden, on_devices):
    history, is_finite, step = on_devices[golden.name, "half"]
    assert np.isfinite(list(history.values())).all() and is_finite and step == 2


# --- workers ----------------------------------------------------------------------------------------------------------


def worker():
    """Run by a child, one of several that TF_CONFIG names: every golden, trained on this worker's share of the images.

    The strategy comes first: TensorFlow wants its collectives configured before it does anything else.
    """
    strategy, found = distribution.strategy(), {}
    for golden in GOLDENS:
        with strategy.scope():
            model = compiled(golden)
        found[golden.name] = trained(golden, model)
    return found


@pytest.fixture(scope="module")
def on_workers(tmp_path_factory):
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        cluster = {"worker": [f"127.0.0.1:{free.getsockname()[1]}" for free in (one, other)]}
    tasks = [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}}) for i in range(2)]
    folders = [tmp_path_factory.mktemp("worker") for _ in tasks]

    def start(task, folder):
        return goldens.in_child(worker, folder=folder, TF_CONFIG=task)

    with ThreadPoolExecutor() as pool:  # each waits for the other
        return list(pool.map(start, tasks, folders))


def test_two_workers_train_one_model(golden, on_workers):
    """In two processes: what Keras' `fit` fails at in two places, unless it is helped."""
    weights, others = (found[golden.name][0] for found in on_workers)
    for mine, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(mine, other)
