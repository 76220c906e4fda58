"""What every variant promises under tf.distribute, proved on its golden in children: devices are set once a process."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import goldens
import keras
import numpy as np
import pytest
from cases import asked, quick
from goldens import GOLDENS
from keras import ops

from kerasgan import callbacks, distribution, penalties
from kerasgan.augmentations import DiffAugment

pytestmark = pytest.mark.timeout(1200)  # what all its tests look at takes minutes to be trained, before the first


STRATEGIES = ("one device", "2 replicas", "4 replicas", "2 workers")
SOONEST = "GAN"  # whose step is compiled soonest
AT_ONCE = {(SOONEST, "one device"), (SOONEST, "2 workers"), ("DCGAN", "2 replicas")}  # the others in `make soak`
MIX, IN_HALF = "test_replicas_train_networks_that_mix_images", "test_replicas_train_in_half_precision"


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
    if golden.name == SOONEST:
        rules |= {"discriminator_steps": 2, "augment": DiffAugment("translation", "cutout")}
    if golden.variant == "GAN":
        del rules["penalty"]  # which would have a backward pass of its own for each player
    keras.utils.set_random_seed(0)
    model = golden.build_plain(average_momentum=0.5)
    model.compile(*sgd(golden.rate), **rules, **dict(golden.rules))
    return model


def trained(golden, model):
    """What became of a model in 20 steps of 64 images: weights, history, images, which of the weights moved."""
    before = arrays(model.weights)
    history = model.fit(*golden.data(320), batch_size=64, epochs=4, verbose=0).history
    return arrays(model.weights), history, golden.drawn(model, 5), moved(before, model.weights)


def distributed(replicas, wanted):
    """Run by a child: [(golden, strategy)], each trained; of the strategies one has so many logical CPU devices.

    In one process TensorFlow's collectives on the CPU take one number of replicas.
    """
    strategies = {f"{replicas} replicas": distribution.strategy("mirrored", replicas)}  # first: it makes the devices
    strategies |= {"none": distribution.strategy(), "one device": distribution.strategy("one")}
    found = {}
    for golden, name in wanted:
        with strategies[name].scope():
            model = compiled(golden)
        found[golden.name, name] = trained(golden, model)
    return found


@pytest.fixture(scope="module")
def wanted(request):
    """[(golden, strategy)] of the tests that are to run."""
    found = asked(request, "test_a_strategy_trains_as_no_strategy_does")
    return [(golden, case["strategy"]) for golden, case in found]


def on_two(wanted, mixed, half):
    """Run by a child: all that two replicas are to do, and what is compared with them."""
    return distributed(2, wanted), mixing(mixed), in_half_precision(half)


@pytest.fixture(scope="module")
def two_replicas(request, wanted, tmp_path_factory):
    plain = [(golden, "none") for golden in {golden.name: golden for golden, _ in wanted}.values()]
    some = [(golden, strategy) for golden, strategy in wanted if strategy in ("one device", "2 replicas")]
    mixed, half = ([golden for golden, _ in asked(request, test)] for test in (MIX, IN_HALF))
    return goldens.in_child(on_two, plain + some, mixed, half, folder=tmp_path_factory.mktemp("devices"))


@pytest.fixture(scope="module")
def on_devices(wanted, two_replicas, tmp_path_factory):
    some = [(golden, strategy) for golden, strategy in wanted if strategy == "4 replicas"]
    four = goldens.in_child(distributed, 4, some, folder=tmp_path_factory.mktemp("devices")) if some else {}
    return two_replicas[0] | four


def cases():
    """Every variant under every strategy; at once: each strategy with one of them, four replicas with none."""
    for golden in GOLDENS:
        for strategy in STRATEGIES:
            soon = (golden.name, strategy) in AT_ONCE
            yield pytest.param(golden, strategy, id=f"{golden.name}-{strategy}", marks=() if soon else pytest.mark.soak)


@pytest.mark.parametrize(("golden", "strategy"), list(cases()))
def test_a_strategy_trains_as_no_strategy_does(golden, on_devices, on_workers, strategy):
    """Noise on, and the penalty of all but one: it is drawn for all replicas together, and each takes its own part."""
    weights, history, images, has_moved = on_devices[golden.name, "none"]
    assert sum(has_moved) > len(has_moved) / 2, "nothing was trained"
    found = on_workers[1][golden.name] if strategy == "2 workers" else on_devices[golden.name, strategy]
    for mine, plain in zip(found[0], weights, strict=True):
        np.testing.assert_allclose(mine, plain, atol=1e-5)
    assert found[1].keys() == history.keys()
    for name in history:
        np.testing.assert_allclose(found[1][name], history[name], atol=1e-5)
    assert np.abs(found[2].astype(int) - images).max() <= 1


def mixing(wanted):
    """Run by a child: two steps by two replicas of networks that mix images."""
    strategy, found = distribution.strategy("mirrored", 2), {}
    for golden in wanted:
        with strategy.scope():  # BatchNorm and Dropout: each replica has its own batch and masks
            model = golden.build_noisy()
            model.compile()
        before = arrays(model.trainable_variables)
        history = model.fit(*golden.data(32), batch_size=16, verbose=0).history
        learnt = moved(before, model.trainable_variables)
        local = [strategy.experimental_local_results(v.value) for v in model.variables]
        apart = [v.path for v, (one, two) in zip(model.variables, local, strict=True) if np.any(one != two)]
        good, watch = arrays(model.state), callbacks.StopOnNaN()
        watch.set_model(model)
        watch.on_train_begin()
        model.set_weights([w * np.nan if w.dtype.kind == "f" else w for w in model.get_weights()])
        found[golden.name] = history, learnt, watch.undone("loss became nan"), moved(good, model.state), apart
    return found


@pytest.mark.parametrize("golden", quick(GOLDENS, "DCGAN"))
def test_replicas_train_networks_that_mix_images(golden, two_replicas):
    """All have the same afterwards, BatchNorm's statistics too: what is saved and drawn from is no single replica's."""
    history, has_moved, message, undone, apart = two_replicas[1][golden.name]
    assert np.isfinite(list(history.values())).all() and all(has_moved) and not apart
    assert "the weights are those of step 2" in message and not any(undone)


def in_half_precision(wanted):
    """Run by a child: two steps by two replicas."""
    strategy, found = distribution.strategy("mirrored", 2), {}
    for golden in wanted:
        with strategy.scope():
            model = golden.build(dtype="mixed_float16")
            model.compile()
        history = model.fit(*golden.data(32), batch_size=16, verbose=0).history
        found[golden.name] = history, model.is_finite(), int(model.step.numpy())
    return found


@pytest.mark.parametrize("golden", quick(GOLDENS, "GAN"))
def test_replicas_train_in_half_precision(golden, two_replicas):
    history, is_finite, step = two_replicas[2][golden.name]
    assert np.isfinite(list(history.values())).all() and is_finite and step == 2


# --- workers ----------------------------------------------------------------------------------------------------------


def worker(wanted):
    """Run by a child, one of several that TF_CONFIG names: goldens, trained on this worker's share of the images.

    The strategy comes first: TensorFlow wants its collectives configured before it does anything else.
    """
    strategy, found = distribution.strategy(), {}
    for golden in wanted:
        with strategy.scope():
            model = compiled(golden)
        found[golden.name] = trained(golden, model)
    return found


@pytest.fixture(scope="module")
def on_workers(wanted, tmp_path_factory):
    some = [golden for golden, strategy in wanted if strategy == "2 workers"]
    if not some:
        return None
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        cluster = {"worker": [f"127.0.0.1:{free.getsockname()[1]}" for free in (one, other)]}
    tasks = [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}}) for i in range(2)]
    folders = [tmp_path_factory.mktemp("worker") for _ in tasks]

    def start(task, folder):
        return goldens.in_child(worker, some, folder=folder, TF_CONFIG=task)

    with ThreadPoolExecutor() as pool:  # each waits for the other
        found = list(pool.map(start, tasks, folders))
    for golden in some:  # what Keras' `fit` fails at in two places, unless it is helped
        for mine, other in zip(*(answer[golden.name][0] for answer in found), strict=True):
            np.testing.assert_array_equal(mine, other, err_msg="two workers have trained one model")
    return found
