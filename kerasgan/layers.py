"""Layers that the papers need and Keras has not."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("kerasgan")
class Maxout(keras.layers.Layer):
    """Each unit is the largest of several linear pieces (Goodfellow et al. 2013, section 3): max_j (x W_j + b_j).

    Args:
        units: how many, at least 1. pieces: of each unit, at least 1; with one the layer is linear.
        kernel_initializer: of all pieces' weights; biases start at 0.

    Raises:
        ValueError: fewer than one unit or piece.

    Shapes: (batch, d) -> (batch, units).
    """

    def __init__(self, units, pieces=5, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        if min(units, pieces) < 1:
            raise ValueError(f"Maxout has at least 1 unit of at least 1 piece; saw units={units}, pieces={pieces}.")
        self.units, self.pieces = units, pieces
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.linear = keras.layers.Dense(
            units * pieces, kernel_initializer=self.kernel_initializer, dtype=self.dtype_policy
        )

    def build(self, input_shape):
        """Make the weights: a kernel (d, units * pieces), the pieces of a unit side by side, and a bias."""
        self.linear.build(input_shape)

    def call(self, inputs):
        """The maxima."""
        return ops.max(ops.reshape(self.linear(inputs), (-1, self.units, self.pieces)), axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, units)."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """The arguments."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "units": self.units, "pieces": self.pieces, "kernel_initializer": initializer}


@keras.saving.register_keras_serializable("kerasgan")
class PixelShuffle(keras.layers.Layer):
    """Channels become sub-pixels (Shi et al. 2016, eq. 4): (batch, h, w, c s^2) -> (batch, h s, w s, c).

    Args:
        scale: s, an integer of at least 1.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs):
        """The larger map."""
        return inputs if self.scale == 1 else ops.depth_to_space(inputs, self.scale)

    def compute_output_shape(self, shape):
        """The larger shape; a side may be None."""
        height, width = (side and side * self.scale for side in shape[1:3])
        return shape[0], height, width, shape[3] // self.scale**2

    def get_config(self):
        """The arguments."""
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable("kerasgan")
class BilinearUpsampling(PixelShuffle):
    """Bilinear interpolation, `scale` times, of any size: (batch, h, w, c) -> (batch, h s, w s, c).

    A fixed 3x3 convolution makes the sub-pixels, edges repeated: Keras' UpSampling2D compiles for known sizes alone.
    """

    def call(self, inputs):
        """The larger images."""
        channels, s = inputs.shape[-1], self.scale
        offsets = (np.arange(s) + 0.5) / s - 0.5  # of a sub-pixel's centre from its pixel's
        taps = np.maximum(0, 1 - np.abs(offsets[:, None] - np.array([-1, 0, 1])))  # (s, 3): a triangle
        kernel = np.einsum("iy,jx,co->yxcijo", taps, taps, np.eye(channels)).reshape(3, 3, channels, -1)
        edged = ops.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="symmetric")
        return super().call(ops.conv(edged, ops.cast(kernel, inputs.dtype), padding="valid"))

    def compute_output_shape(self, shape):
        """The larger shape; a side may be None."""
        return (*super().compute_output_shape(shape)[:3], shape[3])


@keras.saving.register_keras_serializable("kerasgan")
class LatentMixture(keras.layers.Layer):
    """The largest of the first `modes` latents chooses one of as many directions; the others go on as they are.

    A mixture in latent space (Gurumurthy et al. 2017, DeLiGAN): where there are kinds of images with nothing between
    them, a network need not draw what lies between. Latents stay normal, and each has one image.

    Args:
        modes: how many, from 2 to the length of the latents.

    Raises:
        ValueError: fewer than two modes, or more than latents.

    Shapes: (batch, d) -> (batch, d); the first `modes` become sqrt(modes) at the largest and 0 elsewhere, which keeps
    their mean square.
    """

    def __init__(self, modes, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})  # in half precision two latents may be equally large
        self.modes = modes

    def build(self, input_shape):
        """Look at the number of latents."""
        if not 2 <= self.modes <= input_shape[-1]:
            raise ValueError(
                f"{input_shape[-1]} latents choose of 2 to {input_shape[-1]} modes; saw modes={self.modes}."
            )

    def call(self, latents):
        """The mixture's; not by Keras' argmax, which TFLite has not."""
        choosing, others = ops.split(latents, [self.modes], axis=-1)
        largest = ops.equal(choosing, ops.max(choosing, axis=-1, keepdims=True))
        return ops.concatenate([self.modes**0.5 * ops.cast(largest, latents.dtype), others], axis=-1)

    def get_config(self):
        """The argument."""
        return {**super().get_config(), "modes": self.modes}


@keras.saving.register_keras_serializable("kerasgan")
class ConcatenateLabels(keras.layers.Layer):
    """Labels behind the channels, at every position: constant maps (Radford et al. 2015, its conditional MNIST model).

    Shapes: [(batch, ..., channels), (batch, classes)] -> (batch, ..., channels + classes).
    """

    def call(self, inputs):
        """The two, side by side; without `repeat`, which TFLite has not."""
        x, labels = inputs
        labels = ops.reshape(labels, (-1, *[1] * (len(x.shape) - 2), labels.shape[-1]))
        return ops.concatenate([x, ops.ones_like(x[..., :1]) * ops.cast(labels, x.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, ..., channels + classes)."""
        x, labels = input_shape
        return (*x[:-1], x[-1] + labels[-1])


@keras.saving.register_keras_serializable("kerasgan")
class MinibatchDiscrimination(keras.layers.Layer):
    """How close each sample is to the others of its batch (Salimans et al. 2016, section 3.2).

    With M_i = f(x_i) T, of shape (kernels, dimensions): o(x_i)_b = sum_j exp(-|M_ib - M_jb|_1), the sample itself
    included; n, the batch's size, if all are alike. Under several replicas a batch is what one of them sees.

    Args:
        kernels: how many numbers o(x_i) has. dimensions: of each kernel's space. kernel_initializer: of T.

    Raises:
        ValueError: fewer than one kernel or dimension, or inputs that are no vectors.

    Shapes: (batch, d) -> (batch, d + kernels), o(x) behind the features.
    """

    def __init__(self, kernels=50, dimensions=5, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        if min(kernels, dimensions) < 1:
            raise ValueError(
                f"MinibatchDiscrimination has at least 1 kernel of 1 dimension; saw {kernels} and {dimensions}."
            )
        self.kernels, self.dimensions = kernels, dimensions
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.linear = keras.layers.Dense(
            kernels * dimensions, use_bias=False, kernel_initializer=self.kernel_initializer, dtype=self.dtype_policy
        )

    def build(self, input_shape):
        """Make T: (d, kernels * dimensions)."""
        if len(input_shape) != 2:
            raise ValueError(f"MinibatchDiscrimination takes (batch, d), saw {input_shape}: put a Flatten before it.")
        self.linear.build(input_shape)

    def call(self, inputs):
        """The features, and how close the others are; added in float32, for in half the small terms would be lost."""
        places = ops.reshape(ops.cast(self.linear(inputs), "float32"), (-1, self.kernels, self.dimensions))
        apart = ops.sum(ops.abs(ops.expand_dims(places, 0) - ops.expand_dims(places, 1)), axis=-1)
        return ops.concatenate([inputs, ops.cast(ops.sum(ops.exp(-apart), axis=1), inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, d + kernels)."""
        return (*input_shape[:-1], input_shape[-1] + self.kernels)

    def get_config(self):
        """The arguments."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        sizes = {"kernels": self.kernels, "dimensions": self.dimensions}
        return {**super().get_config(), **sizes, "kernel_initializer": initializer}


@keras.saving.register_keras_serializable("kerasgan")
class MinibatchStddev(keras.layers.Layer):
    """One more channel: how much the batch varies (Karras et al. 2018, section 3); the same number everywhere.

    The standard deviation over the batch of every feature at every position, averaged over all of them. Under several
    replicas a batch is what one of them sees.

    Shapes: (batch, ..., channels) -> (batch, ..., channels + 1).
    """

    def call(self, inputs):
        """The features, and the number."""
        x = ops.cast(inputs, "float32")  # in float16 neither a small square nor the epsilon would be there
        # epsilon inside the root: the slope of sqrt at 0, where all are alike, is infinite
        spread = ops.mean(ops.sqrt(ops.mean(ops.square(x - ops.mean(x, axis=0, keepdims=True)), axis=0) + 1e-8))
        return ops.concatenate([inputs, ops.ones_like(inputs[..., :1]) * ops.cast(spread, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, ..., channels + 1)."""
        return (*input_shape[:-1], input_shape[-1] + 1)


@keras.saving.register_keras_serializable("kerasgan")
class SpectralNormalization(keras.layers.Wrapper):
    """A layer whose kernel is divided by its largest singular value sigma (Miyato et al. 2018, section 2.1).

        >>> x = SpectralNormalization(keras.layers.Conv2D(64, 4, 2, "same"))(images)

    sigma = v' W u, with W the kernel as a matrix (inputs, outputs), u and v its leading singular vectors. Gradients
    flow through it, as in equation 10. The kernel itself is never touched, and u moves by one power iteration when the
    model has taken a step (`iterate`), not when the layer is called: all passes of a step see the same weights.
    `keras.layers.SpectralNormalization` writes into the kernel at each call and has no gradient through sigma.

    Args:
        layer: a Dense, Conv2D or Conv2DTranspose without activation: put that behind.

    Raises:
        ValueError: another layer, or one with an activation.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        known = (keras.layers.Dense, keras.layers.Conv2D, keras.layers.Conv2DTranspose)
        if not isinstance(layer, known) or layer.activation is not keras.activations.linear:
            raise ValueError(
                "SpectralNormalization takes a Dense, Conv2D or Conv2DTranspose without activation (put one behind);"
                f" saw {layer!r} with {getattr(layer, 'activation', None)}."
            )

    def build(self, input_shape=None):
        """Make the layer's weights, and u: a vector over its outputs."""
        super().build(input_shape)
        outputs = self.matrix().shape[1]
        self.vector = self.add_weight(
            shape=(outputs,), initializer=keras.initializers.RandomNormal(1.0, seed=1), trainable=False, name="vector",
            dtype="float32", aggregation="only_first_replica",
        )  # fmt: skip

    def matrix(self):
        """The kernel as a float32 matrix (inputs, outputs)."""
        kernel = ops.cast(self.layer.kernel, "float32")
        if isinstance(self.layer, keras.layers.Conv2DTranspose):
            kernel = ops.swapaxes(kernel, -1, -2)  # its kernel is (height, width, outputs, inputs)
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    def singular(self, matrix):
        """(sigma, v, u) from the vector as it stands; gradients flow through the matrix of sigma alone."""
        u = unit(self.vector)
        v = unit(ops.matmul(ops.stop_gradient(matrix), u))
        return ops.sum(v * ops.matmul(matrix, u)), v, u

    def call(self, inputs):
        """The layer's outputs, as if its kernel were the normalised one: what is linear in a kernel can be divided."""
        outputs, (sigma, _, _) = self.layer(inputs), self.singular(self.matrix())
        sigma = ops.cast(sigma, outputs.dtype)
        if not self.layer.use_bias:
            return outputs / sigma
        bias = ops.cast(self.layer.bias, outputs.dtype)
        return (outputs - bias) / sigma + bias

    def iterate(self):
        """One power iteration of u; the model that trains calls it after each step of the weights."""
        matrix = ops.stop_gradient(self.matrix())
        _, v, _ = self.singular(matrix)
        self.vector.assign(unit(ops.matmul(ops.transpose(matrix), v)))


def unit(vector):
    """The vector, of length 1."""
    return vector / (ops.norm(vector) + 1e-12)
