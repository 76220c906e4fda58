"""Which replica am I, on which worker; what all of them share, and what they agree on.

A replica is one device's copy of a model; a worker is a process, with one replica for each of its devices. All see one
global batch, each its own part of it. Without a strategy, and on torch, there is one replica.
"""

import contextlib
import functools
import os

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
else:
    tf = None

FOLD = 0x3C6EF35F  # between the seeds of two replicas


def replica():
    """The (index, count) of the replica that runs this code, over all workers; (0, 1) without a strategy."""
    context = tf and tf.distribute.get_replica_context()
    return (context.replica_id_in_sync_group, context.num_replicas_in_sync) if context else (0, 1)


def replicas():
    """How many replicas the strategy in scope has, over all workers."""
    return tf.distribute.get_strategy().num_replicas_in_sync if tf else 1


def cores():
    """How many of the processor's cores this process may use: fewer than there are, where it is held to some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def applied(network, inputs):
    """What a network makes of a batch, without training; among several replicas of an empty batch, too.

    oneDNN's convolutions forget the channels of an empty batch (TensorFlow 2.21): it gets a sample, whose answer is
    taken away again.
    """
    if replica()[1] == 1:
        return network(inputs, training=False)

    def filled(x):
        missing = tf.cast(tf.shape(x)[:1] == 0, "int32")
        return tf.concat([x, tf.zeros(tf.concat([missing, tf.shape(x)[1:]], 0), x.dtype)], 0)

    made = network(tf.nest.map_structure(filled, inputs), training=False)
    return made[: tf.shape(tf.nest.flatten(inputs)[0])[0]]


def across_workers():
    """Whether several processes train together."""
    return tf is not None and isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy) and (
        # Private: a strategy of one worker has no other sign of it, and its logs would get a needless axis;
        # `test_which_replica_am_i` would notice.
        getattr(tf.distribute.get_strategy().extended, "_in_multi_worker_mode", lambda: False)()
    )  # fmt: skip


def is_chief():
    """Whether this is the process that writes: the first worker, or the only process there is."""
    return not across_workers() or tf.distribute.get_strategy().cluster_resolver.task_id == 0


def workers():
    """How many processes train together."""
    if not across_workers():
        return 1
    return tf.distribute.get_strategy().cluster_resolver.cluster_spec().num_tasks("worker")


def in_scope(method):
    """A model's method that runs in the scope of the strategy it was built in."""

    @functools.wraps(method)
    def inside(model, *args, **kwargs):
        with model.distribute_strategy.scope() if tf else contextlib.nullcontext():
            return method(model, *args, **kwargs)

    return inside


def share(draw, n):
    """This replica's part of `draw(count)`, noise for the `n` images of each replica: all of them share one seed."""
    index, count = replica()
    everyone = draw(n * count)
    return everyone if count == 1 else everyone[index * n : (index + 1) * n]


class ReplicaSeeds(keras.random.SeedGenerator):
    """Seeds of one state that all replicas share, and yet another for each: their dropout masks differ."""

    def next(self, ordered=True):
        """The next seed; the first replica's is Keras' own."""
        seed, (index, count) = super().next(ordered), replica()
        return seed if count == 1 else seed + keras.ops.cast([FOLD, 0], seed.dtype) * keras.ops.cast(index, seed.dtype)


def fold_replicas(layers):
    """Let every layer that draws (Dropout, GaussianNoise, ...) draw otherwise on each replica.

    The generator itself stays, with its state: Keras would keep a second one beside it, and save both.
    """
    for layer in layers:
        if type(generator := getattr(layer, "seed_generator", None)) is keras.random.SeedGenerator:
            generator.__class__ = ReplicaSeeds


def distributed(dataset):
    """A tf.data.Dataset of global batches, each in equal parts for the replicas: nothing lost, nothing twice.

    TensorFlow would give whole batches to workers in turn, and other noise would meet other images than on one device.

    Raises:
        ValueError: a batch that they do not divide.
    """
    if replicas() == 1:
        return dataset
    size = keras.tree.flatten(dataset.element_spec)[0].shape[0]
    if size % replicas():
        raise ValueError(
            f"A batch of {size} images does not divide by {replicas()} replicas: choose another batch_size, other"
            " devices, or the strategy one."
        )

    def of_worker(context):
        own = context.num_replicas_in_sync // context.num_input_pipelines

        def part(x):
            shape = (context.num_replicas_in_sync, x.shape[0] // context.num_replicas_in_sync, *x.shape[1:])
            return tf.reshape(x, shape)[context.input_pipeline_id * own :][:own]

        def parts(*arrays):
            return part(arrays[0]) if len(arrays) == 1 else tuple(map(part, arrays))

        return dataset.map(parts).unbatch()

    return tf.distribute.get_strategy().distribute_datasets_from_function(of_worker)


def total(value):
    """The sum of a number over all workers, which ask at the same step; without others the number itself."""
    if not across_workers():
        return value
    here = tf.distribute.get_strategy()
    local = here.num_replicas_in_sync // workers()

    def of_replica(context):  # the first one of every worker has it
        return tf.constant(0.0 if context.replica_id_in_sync_group % local else value, "float64")

    return float(here.reduce("SUM", here.experimental_distribute_values_from_function(of_replica), axis=None))


def agreed(value):
    """Whether all workers, which ask at the same step, have the same number: as sums of it and of its square say."""
    sums, alone = [total(power) for power in (value, value**2)], [value, value**2]
    return sums == [workers() * power for power in alone]


def mean_over_replicas(variables):
    """Let every replica have the mean of what they have: BatchNorm's statistics, of each replica's own images.

    In float64, in which the mean of equal numbers is that number.
    """
    if not variables or replicas() == 1:
        return

    def agree():
        context = tf.distribute.get_replica_context()
        for variable in variables:
            mean = context.all_reduce("MEAN", tf.cast(variable.value, "float64"))
            variable.assign(tf.cast(mean, variable.dtype))

    tf.distribute.get_strategy().run(tf.function(agree, autograph=False))
