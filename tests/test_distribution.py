"""A name -> a strategy; and what is refused: devices that there are not, workers that make no sense or do not come."""

import json
import os
import re
import socket

import keras
import pytest
import tensorflow as tf

from kerasgan import distribution
from kerasgan.distribution import (
    WorkerLost,
    best_device,
    chosen,
    cluster_in,
    cluster_of,
    existing,
    logical_cpus,
    losing_none,
    mirrored,
    mirrored_devices,
    multi_worker,
    several_in,
    strategy,
    tpu,
)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("TF_CONFIG", "TPU_NAME"):  # set first: what a test leaves there is taken away again
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def config(index=0, kind="worker", **cluster):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


# --- names ------------------------------------------------------------------------------------------------------------


def test_auto_is_no_strategy_on_one_device():
    assert best_device() == "CPU:0", "this test is of a machine without GPUs"
    assert chosen() == "none" and strategy() is tf.distribute.get_strategy()


def test_auto_goes_by_what_is_there(monkeypatch):
    monkeypatch.setattr(distribution, "multi_worker", lambda cluster, timeout: (cluster, timeout))
    assert strategy(workers="a:1,b:2", index=1, timeout=7) == ((["a:1", "b:2"], 1), 7)
    monkeypatch.setenv("TF_CONFIG", config(1, worker=["a:1", "b:2"]))
    assert strategy() == ((["a:1", "b:2"], 1), 300)
    monkeypatch.setenv("TF_CONFIG", config(0, worker=["a:1"]))
    assert strategy() is tf.distribute.get_strategy(), "one worker is alone"
    assert strategy("multi_worker") == ((["a:1"], 0), 300), "unless it is asked for"
    monkeypatch.setenv("TPU_NAME", "t")
    monkeypatch.setattr(distribution, "tpu", lambda name: ("TPU", name))
    assert strategy() == ("TPU", None)


def test_one():
    one = strategy("one")
    assert isinstance(one, tf.distribute.OneDeviceStrategy) and one.num_replicas_in_sync == 1
    assert existing("CPU:0") == "CPU:0" and existing("/device:CPU:0")


def test_mirrored_takes_names():
    assert mirrored_devices(["CPU:0"]) == ["CPU:0"] and mirrored_devices("CPU:0") == ["CPU:0"]
    assert strategy("mirrored", "CPU:0").num_replicas_in_sync == 1
    assert strategy("mirrored", "CPU:0") is strategy("mirrored", 1) is mirrored(("CPU:0",))  # a second one would fail
    assert logical_cpus(1) == ["CPU:0"], "what there is already"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(kind="mirored"), "Did you mean 'mirrored'?"),
        (dict(kind="one", devices="GPU:7"), "There is no device 'GPU:7', only CPU:0."),
        (dict(kind="mirrored"), "for each GPU, and there is none; saw devices=None. devices=2 tries it out on the CPU"),
        (dict(kind="mirrored", devices=0), "saw devices=0"),
        (dict(kind="mirrored", devices=[True, "GPU:1"]), "There is no device True"),
        (dict(kind="mirrored", devices=2), "TensorFlow has begun to use it: ask for the strategy before all else"),
        (dict(devices=2), "devices=2 is for the strategies one, mirrored and tpu"),
        (dict(kind="multi_worker"), "Which workers? Give workers and index (--workers host:port,... --index i), or TF"),
        (dict(kind="one", workers="a:1", index=0), "workers and index are for the strategy multi_worker; saw one."),
        (dict(workers="a:1,b:2"), "workers and index belong together"),
        (dict(index=1), "workers and index belong together"),
    ],
)
def test_refused(options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        strategy(**options)


def test_more_gpus_than_there_are(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one", "two"])
    assert mirrored_devices(None) == ["GPU:0", "GPU:1"] and mirrored_devices("1") == ["GPU:0"]
    with pytest.raises(ValueError, match="there is 2 GPUs; saw devices=3. Choose devices up to 2"):
        mirrored_devices(3)


def test_no_tpu(monkeypatch):
    def none(tpu):
        raise ValueError("Please provide a TPU Name to connect to.")

    monkeypatch.setattr(tf.distribute.cluster_resolver, "TPUClusterResolver", none)
    with pytest.raises(ValueError, match="There is no TPU mine: Please provide"):
        tpu("mine")


def test_another_backend(monkeypatch):
    monkeypatch.setattr(distribution, "tf", None)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with strategy().scope():
        pass  # nothing to be asked for: `kerasgan train` runs on torch too
    for options in (dict(kind="mirrored"), dict(workers="a:1,b:2", index=0)):
        with pytest.raises(NotImplementedError, match="Strategies are TensorFlow's, and Keras runs on 'torch'"):
            strategy(**options)


# --- workers ----------------------------------------------------------------------------------------------------------


def test_clusters():
    assert cluster_of("a:1, b:2", 1) == (["a:1", "b:2"], 1) and cluster_of(["a:1"], 0) == (["a:1"], 0)
    assert cluster_in(config(1, worker=["a:1", "b:2"])) == (["a:1", "b:2"], 1)
    with_chief = dict(chief=["a:1"], worker=["b:2", "c:3"])
    assert cluster_in(config(0, "chief", **with_chief)) == (["a:1", "b:2", "c:3"], 0)
    assert cluster_in(config(1, **with_chief)) == (["a:1", "b:2", "c:3"], 2)
    assert (
        several_in(config(1, worker=["a:1", "b:2"])) and not several_in(config(worker=["a:1"])) and not several_in("")
    )


@pytest.mark.parametrize(
    ("workers", "index", "words"),
    [
        (["a"], 0, "A worker is host:port, or [host]:port by IPv6; saw 'a'"),
        (["a:0"], 0, "A worker is host:port, or [host]:port by IPv6; saw 'a:0'"),
        (["a:99999"], 0, "saw 'a:99999'"),
        (["::1:17"], 0, "or [host]:port by IPv6; saw '::1:17'"),
        (["a:1", "a:1"], 0, "Each worker has an address of its own; a:1 is there twice."),
        (["a:1", "b:2"], 2, "index is one of the 2 workers, 0 to 1; saw 2"),
        (["a:1", "b:2"], -1, "saw -1"),
        (["a:1", "b:2"], True, "saw True"),
    ],
)
def test_clusters_that_make_no_sense(workers, index, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        cluster_of(workers, index)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", config(0, "evaluator", worker=["a:1"]), '{"cluster": {}}', '{"cluster": 3, "task": {"index": "x"}}'],
)
def test_a_tf_config_that_is_none(text):
    with pytest.raises(ValueError, match=re.escape('TF_CONFIG is {"cluster"')):
        cluster_in(text)


def test_workers_that_do_not_meet(monkeypatch):
    """TensorFlow is not asked: it would wait without end."""
    with socket.socket() as free, socket.socket() as other:
        free.bind(("127.0.0.1", 0)), other.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in (free, other)]
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", None)
    with pytest.raises(ConnectionError, match=f"Waited 0.3 s for worker 1 .{addresses[1]}"):
        strategy(workers=addresses, index=0, timeout=0.3)
    assert "TF_CONFIG" not in os.environ


def test_workers_that_do_not_agree(monkeypatch):
    def none():
        raise RuntimeError("Collective ops must be configured at program startup")

    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", none)
    monkeypatch.setattr(distribution.rendezvous, "meet", lambda workers, index, timeout: None)
    with pytest.raises(WorkerLost, match="Worker 1 found no agreement with a:1, b:2: Collective ops must be"):
        multi_worker((["a:1", "b:2"], 1))


def test_losing_none(monkeypatch):
    lost = tf.errors.UnavailableError(None, None, "Connection reset by peer")
    with pytest.raises(tf.errors.UnavailableError), losing_none():
        raise lost  # alone it is another matter
    monkeypatch.setattr(distribution, "across_workers", lambda: True)
    assert distribution.is_of_peer(lost) and not distribution.is_of_peer(ValueError("of a collective"))
    for error in (lost, tf.errors.InternalError(None, None, "Collective ops is aborted by: ...")):
        with pytest.raises(WorkerLost, match="Another worker has died, or cannot be reached any more. Start all"):
            with losing_none():
                raise error
    with pytest.raises(ValueError, match="mine"), losing_none():
        raise ValueError("mine")
