"""How the networks of a game are built, copied, packed and given their optimizers."""

import contextlib

import keras
import numpy as np
from keras import ops

from kerasgan import gradients, replicas
from kerasgan.layers import ConcatenateLabels, Maxout, MinibatchDiscrimination, MinibatchStddev, SpectralNormalization

ALONE = {  # layers in which no image meets another of its batch, and nothing has a state
    *(getattr(keras.layers, name) for name in (
        "InputLayer", "Identity", "Dense", "Conv2D", "Flatten", "Reshape", "Concatenate", "Add", "Multiply", "Dot",
        "LeakyReLU", "ReLU", "Activation", "Dropout", "Rescaling", "AveragePooling2D", "MaxPooling2D",
        "GlobalAveragePooling2D",
    )),
    Maxout, ConcatenateLabels,
}  # fmt: skip


@contextlib.contextmanager
def policy(dtype_policy):
    """Layers made inside follow `dtype_policy`: a reloaded mixed-precision model builds its layers as they were."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype_policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def built(network, player):
    """The network itself, or what a function without arguments builds.

    Raises:
        TypeError: it is neither a built functional Keras model nor a function that gives one.
    """
    if not isinstance(network, keras.Model) and callable(network):
        network = network()
    if not isinstance(network, keras.Model) or not network.built:
        raise TypeError(
            f"The {player} is a built Keras model, or a function without arguments that builds one; saw {network!r}."
        )
    return network


def initializer(name, own):
    """An initializer for a layer: the paper's own where no name is given, or Keras' of that name.

    Raises:
        ValueError: Keras has none of that name.
    """
    if name is None:
        return own
    if not isinstance(name, str):
        raise ValueError(f"kernel_initializer is None or a name, such as 'he_normal'; saw {name!r}.")
    try:
        return keras.initializers.get(name)  # a new object each time: one alone gives every layer the same numbers
    except ValueError as error:
        raise ValueError(
            f"kernel_initializer is None, or a name that Keras knows, such as 'he_normal': {error}"
        ) from None


def shape_judged(discriminator, pack):
    """The shape of the images that a built discriminator takes; None of what is not built yet, or takes others."""
    if not isinstance(discriminator, keras.Model) or not discriminator.built:
        return None
    taken = tuple(discriminator.inputs[0].shape[1:])
    if len(taken) != 3 or None in taken:
        return None
    height, width, channels = taken
    return height, width, channels // pack


def shape_drawn(generator, pack=1):
    """The shape of the images that a generator makes, `pack` of them side by side in the channels.

    Raises:
        ValueError: it makes no images.
    """
    shape = tuple(generator.outputs[0].shape)
    if len(shape) != 4:
        raise ValueError(f"The generator makes images (batch, height, width, channels); saw one that makes {shape}.")
    return *shape[1:3], shape[3] * pack


def classes_of(network):
    """How many classes its second input, one-hot labels, tells apart; None where it has none.

    Raises:
        ValueError: it has more than two inputs.
    """
    if len(network.inputs) > 2:
        raise ValueError(f"The {network.name} takes latents, or latents and one-hot labels; saw {network.inputs}.")
    return network.inputs[1].shape[-1] if len(network.inputs) == 2 else None


def passed(**given):
    """The names of the networks that were passed, and not left to the variant."""
    return [name for name, network in given.items() if network is not None]


def float32_copy(network, name):
    """The same network and weights in float32, whatever policy the network itself follows."""

    def in_float32(layer):
        if not isinstance(layer, keras.layers.Layer):  # an operation, which has no type and no weights
            return layer
        config = {**layer.get_config(), "dtype": "float32"}
        if isinstance(layer, keras.layers.Wrapper):  # the layer inside has a policy of its own
            inside = config["layer"]
            config["layer"] = {**inside, "config": {**inside["config"], "dtype": "float32"}}
        return type(layer).from_config(config)

    with policy("float32"):  # for its inputs, and the model around its layers
        copy = keras.models.clone_model(network, clone_function=in_float32, recursive=True)
    copy.name = name
    copy.set_weights(network.get_weights())
    return copy


def all_finite(variables):
    """Whether every one is finite: no NaN, no infinity; integers always are."""
    floats = (ops.convert_to_numpy(v) for v in variables if keras.backend.is_float_dtype(v.dtype))
    return all(np.isfinite(values).all() for values in floats)


def layers_of(network):
    """All layers of a network, those inside nested models, wrappers and layers of one's own too.

    Private: `layers` names nested models' alone, and a BatchNormalization in a residual block of one's own would pass
    for none; `test_layers_of` would notice.
    """
    return list(network._flatten_layers(include_self=False))


def has_batch_normalization(network):
    """Whether the network mixes the images of a batch through BatchNormalization."""
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers_of(network))


def statistics(*those):
    """The moving means and variances of their BatchNormalization layers."""
    layers = [layer for network in those for layer in layers_of(network)]
    mixing = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    return [variable for layer in mixing for variable in (layer.moving_mean, layer.moving_variance)]


def looks_across(network):
    """The names of the layers in which an image depends on the others of its batch, in use as well as in training."""
    return [x.name for x in layers_of(network) if isinstance(x, MinibatchDiscrimination | MinibatchStddev)]


def writes_kernels(network):
    """The names of Keras' own spectrally normalised layers, whose every call in training changes their kernel."""
    return [x.name for x in layers_of(network) if isinstance(x, keras.layers.SpectralNormalization)]


def judges_alone(network):
    """Whether it is known of its every layer that an image meets no other in it; never in float16.

    Private: `operations` names what `layers` leaves out, such as a mean over the batch by `keras.ops`;
    `test_judges_alone` would notice.
    """
    chain = isinstance(network, keras.Sequential)
    every = network.layers if chain else getattr(network, "operations", [None])  # of a subclass nothing is known
    alone = (judges_alone(x) if isinstance(x, keras.Model) else type(x) in ALONE for x in every)
    return not is_half(network) and all(alone)


def iterate(network):
    """Let every spectral normalisation follow the step that its kernel has taken."""
    for layer in layers_of(network):
        if isinstance(layer, SpectralNormalization):
            layer.iterate()


def thawed(network, frozen):
    """Its trainable variables, but for those of its first `frozen` layers that have any."""
    if not frozen:
        return network.trainable_variables
    learning = [layer for layer in network.layers if layer.trainable_variables]
    kept = {id(variable) for layer in learning[:frozen] for variable in layer.trainable_variables}
    return [variable for variable in network.trainable_variables if id(variable) not in kept]


def is_half(network):
    """Whether the network computes in float16, whose gradients need a loss scale (bfloat16's do not)."""
    return any(layer.compute_dtype == "float16" for layer in layers_of(network))


def prepared(optimizer, network):
    """The optimizer, built on the network's weights, with a loss scale where the network computes in float16."""
    optimizer = gradients.fused(keras.optimizers.get(optimizer))
    if is_half(network) and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    if not optimizer.built:
        optimizer.build(network.trainable_variables)
    return optimizer


def together(*inputs):
    """What a functional model takes: a single input as it is, several as a list (otherwise Keras warns)."""
    return inputs[0] if len(inputs) == 1 else list(inputs)


def packed(images, count):
    """`count` images side by side in the channels: (batch, h, w, c) -> (batch / count, h, w, count * c)."""
    if count == 1:
        return images
    height, width, channels = ops.shape(images)[1:]
    groups = ops.reshape(images, (-1, count, height, width, channels))
    return ops.reshape(ops.transpose(groups, (0, 2, 3, 1, 4)), (-1, height, width, count * channels))


def shaped(logs):
    """Logs of shape (1,) across workers, where Keras reduces them over axis 0 (keras#20585).

    Without it `test_two_workers_train_one_model` fails.
    """
    return {name: ops.reshape(value, (1,)) for name, value in logs.items()} if replicas.across_workers() else logs
