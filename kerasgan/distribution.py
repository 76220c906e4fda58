"""Many devices and many machines: a name -> a tf.distribute strategy.

with kerasgan.distribution.strategy("mirrored").scope():
    model = kerasgan.load("dcgan_mnist")
model.fit(images)
"""

import contextlib
import functools
import json
import os
from types import SimpleNamespace

import keras

from kerasgan import names, rendezvous
from kerasgan.replicas import across_workers, tf

KINDS = ("auto", "one", "mirrored", "multi_worker", "tpu")
TIMEOUT = 300  # seconds that workers wait for each other at the start
LOST = 75  # the exit code of a worker whose peer has died: EX_TEMPFAIL, try again


class WorkerLost(Exception):
    """Another worker has died, or cannot be reached: all have to start again, from the newest checkpoint."""


# --- a name -> a strategy ---------------------------------------------------------------------------------------------


def strategy(kind="auto", devices=None, *, workers=None, index=None, timeout=TIMEOUT):
    """The `tf.distribute` strategy of a name; build and compile a model in its `scope()`, then `fit` as ever.

        >>> strategy("mirrored", devices=["GPU:0", "GPU:1"])
        >>> strategy("multi_worker", workers=["one:12345", "two:12345"], index=0)

    Args:
        kind: "one": one device. "mirrored": the devices of one machine. "multi_worker": the processes that `workers` or
            TF_CONFIG names, on any machines. "tpu". "auto": the last two where `workers`, TF_CONFIG or TPU_NAME ask for
            them, "mirrored" where there are several GPUs, and otherwise no strategy, as on torch.
        devices: of "one" a name; of "mirrored" names, or how many: all GPUs by default. Without GPUs a number makes so
            many logical CPU devices, to try it out. Of "tpu" its name or address.
        workers: ["host:port", ...] of all workers (by IPv6 "[host]:port"), in one order everywhere, or that as one text
            with commas; instead of TF_CONFIG. The first is the chief, which alone writes. index: which of them this is,
            from 0.
        timeout: seconds to wait for the other workers.

    Raises:
        ValueError: an unknown kind, devices that there are not, or workers that make no sense.
        ConnectionError: a worker that cannot be reached in time, by name; this one's address is taken.
        WorkerLost: one is lost at the start.
        NotImplementedError: Keras does not run on TensorFlow.
    """
    names.check_choice("strategy", kind, KINDS)
    given = workers is not None or index is not None
    if tf is None:
        if kind == "auto" and not given:
            return SimpleNamespace(scope=contextlib.nullcontext)
        raise NotImplementedError(f"Strategies are TensorFlow's, and Keras runs on {keras.backend.backend()!r}.")
    if kind == "auto":
        kind = "multi_worker" if given or several_in(os.environ.get("TF_CONFIG")) else chosen()
    if given and kind != "multi_worker":
        raise ValueError(f"workers and index are for the strategy multi_worker; saw {kind}.")
    if devices is not None and kind in ("none", "multi_worker"):
        raise ValueError(f"devices={devices!r} is for the strategies one, mirrored and tpu: choose one of them.")
    if kind == "none":
        return tf.distribute.get_strategy()
    if kind == "one":
        return tf.distribute.OneDeviceStrategy(existing(devices or best_device()))
    if kind == "mirrored":
        return mirrored(tuple(mirrored_devices(devices)))
    if kind == "tpu":
        return tpu(devices)
    return multi_worker(cluster_of(workers, index) if given else cluster_in(os.environ.get("TF_CONFIG")), timeout)


def chosen():
    """What "auto" is on this machine, without other workers."""
    if os.environ.get("TPU_NAME"):
        return "tpu"
    return "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "none"


def best_device():
    """The first GPU, or the CPU."""
    return "GPU:0" if tf.config.list_logical_devices("GPU") else "CPU:0"


def existing(device):
    """The device, if there is one of that name."""
    known = [each.name.removeprefix("/device:") for each in tf.config.list_logical_devices()]
    if str(device).removeprefix("/").removeprefix("device:") not in known:
        raise ValueError(f"There is no device {device!r}, only {', '.join(known)}.")
    return device


@functools.cache
def mirrored(devices):
    """The one MirroredStrategy of a process on these devices: TensorFlow numbers the collectives of a second anew.

    So that on CPUs the sums of two models would meet, "Shape mismatch in the collective instance".
    """
    return tf.distribute.MirroredStrategy(list(devices))


def mirrored_devices(devices):
    """The names of the devices of a MirroredStrategy; Args: `strategy`'s."""
    if isinstance(devices, str):
        devices = [name.strip() for name in devices.split(",")]
        devices = int(devices[0]) if len(devices) == 1 and devices[0].isdecimal() else devices
    if devices is not None and (isinstance(devices, bool) or not hasattr(devices, "__index__")):
        return [existing(name) for name in devices]
    count = None if devices is None else int(devices)
    gpus = [f"GPU:{i}" for i in range(len(tf.config.list_physical_devices("GPU")))]
    if count is None and gpus:
        return gpus
    if count is None or count < 1 or (gpus and count > len(gpus)):
        seen = f"{len(gpus)} GPUs" if gpus else "no GPU"
        raise ValueError(
            f"mirrored has one replica for each device, and there is {seen}; saw devices={devices!r}. Choose devices"
            f" up to {len(gpus)}." if gpus else
            f"mirrored has one replica for each GPU, and there is none; saw devices={devices!r}. devices=2 tries it out"
            " on the CPU."
        )  # fmt: skip
    return gpus[:count] if gpus else logical_cpus(count)


def logical_cpus(count):
    """The names of so many devices, all of them the CPU."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(cpu) or [None]) != count:  # by default there is one
        try:
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
        except RuntimeError:
            raise ValueError(
                f"devices={count} makes so many devices of the CPU, and TensorFlow has begun to use it: ask for the"
                " strategy before all else."
            ) from None
    return [f"CPU:{i}" for i in range(count)]


def tpu(name):
    """The strategy of a TPU, which is connected to and set to zero."""
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name or "")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise ValueError(f"There is no TPU {name or ''}: {error}") from error
    return tf.distribute.TPUStrategy(resolver)


# --- workers ----------------------------------------------------------------------------------------------------------


def several_in(config):
    """Whether a TF_CONFIG names more than one worker."""
    return bool(config) and len(cluster_in(config)[0]) > 1


def cluster_in(config):
    """(addresses of all workers, which of them this is) of a TF_CONFIG.

    Raises:
        ValueError: there is none, or it is none.
    """
    if not config:
        raise ValueError("Which workers? Give workers and index (--workers host:port,... --index i), or TF_CONFIG.")
    try:
        content = json.loads(config)
        cluster, task = content["cluster"], content["task"]
        if task["type"] not in ("chief", "worker"):
            raise ValueError(f"a task of type {task['type']!r} does not train")
        addresses = [*cluster.get("chief", []), *cluster.get("worker", [])]
        index = int(task["index"]) + (len(cluster.get("chief", [])) if task["type"] == "worker" else 0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            'TF_CONFIG is {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}; saw'
            f" {config!r:.200} ({type(error).__name__}: {error})."
        ) from None
    return cluster_of(addresses, index)


def cluster_of(workers, index):
    """(addresses, index), checked; Args and Raises: `strategy`'s."""
    if workers is None or index is None:
        raise ValueError("workers and index belong together: all addresses, and which of them this is, from 0.")
    workers = [w.strip() for w in workers.split(",")] if isinstance(workers, str) else list(workers)
    for address in workers:
        host, colon, port = str(address).rpartition(":")
        bare = ":" in host and not (host.startswith("[") and host.endswith("]"))
        if bare or not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
            raise ValueError(f"A worker is host:port, or [host]:port by IPv6; saw {address!r}.")
    if twice := sorted({address for address in workers if workers.count(address) > 1}):
        raise ValueError(f"Each worker has an address of its own; {', '.join(twice)} is there twice.")
    if isinstance(index, bool) or not hasattr(index, "__index__") or not 0 <= index < len(workers):
        raise ValueError(f"index is one of the {len(workers)} workers, 0 to {len(workers) - 1}; saw {index!r}.")
    return workers, int(index)


def multi_worker(cluster, timeout=TIMEOUT):
    """The strategy of (addresses, index); waits for the others so many seconds."""
    workers, index = cluster
    rendezvous.meet(workers, index, timeout)
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError) as error:  # one that was there a moment ago is gone
        raise WorkerLost(f"Worker {index} found no agreement with {', '.join(workers)}: {error}") from error


def is_of_peer(error):
    """Whether an error of TensorFlow says that another worker is gone."""
    if isinstance(error, (tf.errors.UnavailableError, tf.errors.AbortedError)):
        return True
    return isinstance(error, (tf.errors.OpError, RuntimeError)) and "ollective" in str(error)


@contextlib.contextmanager
def losing_none():
    """Say in one sentence that another worker has died, in whatever way TensorFlow noticed.

    Raises:
        WorkerLost: it has.
    """
    try:
        yield
    except Exception as error:
        if across_workers() and is_of_peer(error):
            raise WorkerLost(
                "Another worker has died, or cannot be reached any more. Start all workers again with --resume; they"
                " go on from the newest checkpoint (`kerasgan launch` does so by itself)."
            ) from error
        raise
