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

from kerasgan import callbacks, penalties
from kerasgan.augmentations import DiffAugment


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


def distributed():
    """Run by a child: every golden, trained plainly, on one device and on two logical CPU devices."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategies = {
        "none": tf.distribute.get_strategy(),
        "one device": tf.distribute.OneDeviceStrategy("CPU:0"),
        "two replicas": tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    }
    rules = {"penalty": penalties.gradient_penalty(0.1), "instance_noise": 0.1, "discriminator_steps": 2}
    found, rules = {}, rules | {"augment": DiffAugment("translation", "cutout")}
    keras.utils.set_random_seed(0)
    for golden in GOLDENS:
        start = None
        for name, strategy in strategies.items():
            with strategy.scope():
                model = golden.build_plain(average_momentum=0.5)
                start = start or model.get_weights()
                model.set_weights(start)
                model.compile(*sgd(golden.rate), **rules, **dict(golden.rules))
            history = model.fit(*golden.data(32), batch_size=16, epochs=2, verbose=0).history
            images = golden.drawn(model, 5)
            found[golden.name, name] = arrays(model.weights), history, images, moved(start, model.weights)
        with strategies["two replicas"].scope():  # BatchNorm and Dropout: each replica has its own batch and masks
            model = golden.build_noisy()
            model.compile()
        before = arrays(model.trainable_variables)
        history = model.fit(*golden.data(32), batch_size=16, verbose=0).history
        trained = moved(before, model.trainable_variables)
        good, watch = arrays(model.state), callbacks.StopOnNaN()
        watch.set_model(model)
        watch.on_train_begin()
        model.set_weights([w * np.nan if w.dtype.kind == "f" else w for w in model.get_weights()])
        found[golden.name, "noisy"] = history, trained, watch.undone("loss became nan"), moved(good, model.state)
    return found


@pytest.fixture(scope="module")
def on_devices(tmp_path_factory):
    return goldens.in_child(distributed, folder=tmp_path_factory.mktemp("devices"))


@pytest.mark.parametrize("strategy", ["one device", "two replicas"])
def test_a_strategy_trains_as_no_strategy_does(golden, on_devices, strategy):
    """Noise and penalty on: it is drawn for all replicas together, and each takes its own part."""
    weights, history, images, has_moved = on_devices[golden.name, "none"]
    assert sum(has_moved) > len(has_moved) / 2, "nothing was trained"
    found = on_devices[golden.name, strategy]
    for mine, plain in zip(found[0], weights, strict=True):
        np.testing.assert_allclose(mine, plain, atol=1e-5)
    assert found[1].keys() == history.keys()
    for name in history:
        np.testing.assert_allclose(found[1][name], history[name], atol=1e-5)
    assert np.abs(found[2].astype(int) - images).max() <= 1


def test_replicas_train_networks_that_mix_images(golden, on_devices):
    history, has_moved, message, undone = on_devices[golden.name, "noisy"]
    assert np.isfinite(list(history.values())).all() and all(has_moved)
    assert "the weights are those of step 2" in message and not any(undone)


# --- workers ----------------------------------------------------------------------------------------------------------


def worker():
    """Run by a child, one of several that TF_CONFIG names: every golden, trained on this worker's share of the images.

    The strategy comes first: TensorFlow wants its collectives configured before it does anything else.
    """
    import tensorflow as tf

    strategy, found = tf.distribute.MultiWorkerMirroredStrategy(), {}
    for golden in GOLDENS:
        with strategy.scope():
            model = golden.build()
            model.compile()
        before = arrays(model.trainable_variables)
        history = model.fit(*golden.data(16), batch_size=8, verbose=0).history
        found[golden.name] = history, moved(before, model.trainable_variables), arrays(model.trainable_variables)
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
    """Images without labels, in two processes: what Keras' `fit` fails at in two places, unless it is helped."""
    (history, has_moved, weights), (_, _, others) = (found[golden.name] for found in on_workers)
    assert np.isfinite(list(history.values())).all() and all(has_moved)
    for mine, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(mine, other)
