"""Small networks that upscale, for the tests of tiles, of pictures and of files; random weights, never trained."""

from types import SimpleNamespace

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kerasgan-tests")
class Shuffle(layers.Layer):
    """Channels become sub-pixels."""

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs):
        return ops.depth_to_space(inputs, self.scale)

    def compute_output_shape(self, shape):
        height, width = (side and side * self.scale for side in shape[1:3])
        return shape[0], height, width, shape[3] // self.scale**2

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


def network(scale=2, channels=3, depth=3, kernel_size=3, width=8, seed=0):
    """`depth` convolutions with ReLUs and a last one to sub-pixels: it sees (depth + 1) (kernel_size - 1) / 2 far."""
    keras.utils.set_random_seed(seed)
    x = low = keras.Input((None, None, channels))
    for _ in range(depth):
        x = layers.Conv2D(width, kernel_size, padding="same", activation="relu", bias_initializer="random_normal")(x)
    x = layers.Conv2D(channels * scale**2, kernel_size, padding="same")(x)
    return keras.Model(low, Shuffle(scale)(x))


def upscaler(scale=2, channels=3, **options):
    """What `kerasgan.SRGAN` offers those who upscale with it."""
    average = network(scale, channels, **options)
    return SimpleNamespace(average=average, scale=scale, image_shape=(None, None, channels))
