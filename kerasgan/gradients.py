"""The one room that knows the backend: who descends which loss, gradients with respect to an input, and the GPU's ways.

Everything else is `keras.ops`. JAX is not supported: Keras' JAX trainer hands the model's whole state in and wants it
back from `train_step`, an adapter that would double this file.
"""

import contextlib
import functools

import keras
from keras import ops

from kerasgan import replicas

BACKEND = keras.backend.backend()

if BACKEND == "tensorflow":
    import tensorflow as tf

    def of_players(play, players):
        """Play once; return what it returned, and each player's gradients, of its losses for its weights alone.

        Args:
            play: a function that returns {name: scalar}; what starts with a player's name is a loss of that player.
            players: {name: (weights, optimizer)}. Each loss is seeded with `optimizer.scale_loss(1 / replicas)`: the
                optimizers *sum* gradients over replicas, and a float16 loss needs its scale.

        Returns:
            ({name: scalar}, {name: [gradient or None, ...]}); a player without a loss is absent from the second.
        """
        count = replicas.replica()[1]
        with tf.GradientTape(persistent=len(players) > 1) as tape:
            values = play()
        gradients = {}
        for name, (weights, optimizer) in players.items():
            if losses := losses_of(name, values):
                seeds = [optimizer.scale_loss(ops.ones_like(loss) / count) for loss in losses]
                gradients[name] = agreed(tape.gradient(losses, weights, output_gradients=seeds), optimizer, count)
        return settled((values, gradients))

    def settled(tensors):
        """The same tensors, none of which is there before all are: no weight moves while another still needs its value.

        TensorFlow orders reads before writes, but its dependency optimizer (2.21) loses that order where a gradient
        through a read folds to zero: under a gradient penalty one step in a thousand saw a bias that had already moved.
        """
        with tf.control_dependencies([tensor for tensor in tf.nest.flatten(tensors) if tensor is not None]):
            return tf.nest.map_structure(lambda tensor: tensor if tensor is None else tf.identity(tensor), tensors)

    def agreed(gradients, optimizer, count):
        """The gradients, or infinities where any replica's are not finite.

        A float16 loss scale must fall on all replicas or on none, and Keras asks the first replica alone.
        """
        if count == 1 or not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            return gradients
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients if g is not None])
        votes = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.cast(finite, "float32"))
        return [g if g is None else tf.where(votes == count, g, float("inf")) for g in gradients]

    def with_slope(function, x):
        """(function(x), the gradient d sum(function(x)) / dx), both differentiable; the second has the shape of `x`."""
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return y, tape.gradient(y, x)

    def once(scores, images):
        """scores(images), (batch, 1), each of its own image alone; all players share one backward pass through them.

        Players' losses differ in how they slope for each score. So what the second asks for, the slope of its loss for
        the images, is the first's, times the ratio of the two for each image: six passes through D, not seven.
        """

        @tf.custom_gradient
        def judged(images):
            with tf.GradientTape() as tape:
                tape.watch(images)
                made = scores(images)
            first = []  # (the slope of the first loss for the scores, for the images)

            def back(slope, variables=()):
                if first:
                    of_scores, of_images = first
                    ratio = tf.reshape(slope / of_scores, (-1, *[1] * (len(of_images.shape) - 1)))
                    return of_images * ratio, [tf.zeros_like(v) for v in variables]  # which are not the second's
                # No slope is 0, which would have no ratio: beside any other 1e-20 is nothing.
                slope = tf.where(tf.abs(slope) < 1e-20, 1e-20, slope)
                of_images, *of_weights = tape.gradient(made, [images, *variables], output_gradients=slope)
                first.extend([slope, of_images])
                return of_images, of_weights

            return made, back

        return judged(images)

    def fused(optimizer):
        """The optimizer itself. Keras' Adam and AdamW henceforth move a weight by one kernel, in one pass over memory.

        Keras writes the same formula (Kingma and Ba 2015, section 2, last lines) in a dozen operations, each a pass.
        `_momentums`, `_velocities` and `_get_variable_index` are private: without them a weight's state could be told
        by its name alone. `test_adam_moves_a_weight_by_one_kernel_as_keras_does` would notice.
        """
        if type(optimizer) in (keras.optimizers.Adam, keras.optimizers.AdamW) and not optimizer.amsgrad:
            optimizer.update_step = functools.partial(adam_step, optimizer)
        return optimizer

    def adam_step(adam, slope, weight, rate):
        """What `keras.optimizers.Adam.update_step` does, of a tf.Variable."""
        i, kind = adam._get_variable_index(weight), weight.dtype
        beta_1, beta_2, step = (tf.cast(x, kind) for x in (adam.beta_1, adam.beta_2, adam.iterations + 1))
        tf.raw_ops.ResourceApplyAdam(
            var=weight.handle, m=adam._momentums[i].value.handle, v=adam._velocities[i].value.handle,
            beta1_power=beta_1**step, beta2_power=beta_2**step, lr=tf.cast(rate, kind), beta1=beta_1, beta2=beta_2,
            epsilon=tf.cast(adam.epsilon, kind), grad=tf.cast(tf.convert_to_tensor(slope), kind),
        )  # fmt: skip

    def accelerator():
        """The name of the GPU that Keras computes on; None: the CPU."""
        found = tf.config.list_physical_devices("GPU")
        return tf.config.experimental.get_device_details(found[0]).get("device_name", "GPU") if found else None

    @contextlib.contextmanager
    def full_float32():
        """While it lasts products have all bits of float32; otherwise an NVIDIA GPU rounds their factors (TF32)."""
        before = tf.config.experimental.tensor_float_32_execution_enabled()
        tf.config.experimental.enable_tensor_float_32_execution(False)
        try:
            yield
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(before)

elif BACKEND == "torch":
    import torch

    def of_players(play, players):
        """Play once; return what it returned, and each player's gradients, of its losses for its weights alone.

        Args:
            play: a function that returns {name: scalar}; what starts with a player's name is a loss of that player.
            players: {name: (weights, optimizer)}; each loss is seeded with `optimizer.scale_loss(1)`.

        Returns:
            ({name: scalar}, {name: [gradient or None, ...]}); a player without a loss is absent from the second.
        """
        values = play()
        gradients = {}
        for name, (weights, optimizer) in players.items():
            if losses := losses_of(name, values):
                seeds = [optimizer.scale_loss(ops.ones_like(loss)) for loss in losses]
                tensors = [w.value for w in weights]
                gradients[name] = torch.autograd.grad(losses, tensors, seeds, retain_graph=True, allow_unused=True)
        return {name: value.detach() for name, value in values.items()}, gradients

    def with_slope(function, x):
        """(function(x), the gradient d sum(function(x)) / dx), both differentiable; the second has the shape of `x`."""
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_(True)
            y = function(x)
            (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        return y, slope

    def once(scores, images):
        """scores(images); each player has a backward pass of its own here."""
        return scores(images)

    def fused(optimizer):
        """The optimizer itself: here Keras' own is fused."""
        return optimizer

    def accelerator():
        """The name of the GPU that Keras computes on; None: the CPU."""
        return torch.cuda.get_device_name() if torch.cuda.is_available() else None

    @contextlib.contextmanager
    def full_float32():
        """While it lasts products have all bits of float32; otherwise an NVIDIA GPU rounds their factors (TF32)."""
        places = torch.backends.cudnn, torch.backends.cuda.matmul
        before = [place.allow_tf32 for place in places]
        for place in places:
            place.allow_tf32 = False
        try:
            yield
        finally:
            for place, allowed in zip(places, before, strict=True):
                place.allow_tf32 = allowed

else:
    raise ImportError(
        f"kerasgan trains on the TensorFlow and torch backends; Keras runs on {BACKEND!r}. "
        "Set KERAS_BACKEND=tensorflow (or torch) before Python starts."
    )


def losses_of(player, values):
    """The scalars of `values` whose name starts with the player's: `generator`, `generator_16`, ..."""
    return [value for name, value in values.items() if name == player or name.startswith(player + "_")]
