"""Layers that the papers need and Keras has not."""

import keras
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
