"""Small networks that upscale, for the tests of tiles, of pictures and of files; random weights, never trained."""

from types import SimpleNamespace

import keras
from keras import layers

from kerasgan.layers import PixelShuffle


def network(scale=2, channels=3, depth=3, kernel_size=3, width=8, seed=0):
    """`depth` convolutions with ReLUs and a last one to sub-pixels: it sees (depth + 1) (kernel_size - 1) / 2 far."""
    keras.utils.set_random_seed(seed)
    x = low = keras.Input((None, None, channels))
    for _ in range(depth):
        x = layers.Conv2D(width, kernel_size, padding="same", activation="relu", bias_initializer="random_normal")(x)
    x = layers.Conv2D(channels * scale**2, kernel_size, padding="same")(x)
    return keras.Model(low, PixelShuffle(scale)(x))


def upscaler(scale=2, channels=3, **options):
    """What `kerasgan.SRGAN` offers those who upscale with it."""
    average = network(scale, channels, **options)
    return SimpleNamespace(average=average, scale=scale, image_shape=(None, None, channels))
