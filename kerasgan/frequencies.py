"""What is coarse in pictures and what is fine, apart: frequency separation (Fritsche et al. 2019, arXiv:1911.07850).

Pictures are float (batch, height, width, channels), of any range.
"""

import keras
import numpy as np
from keras import ops


def blurred(pictures, taps=(1, 4, 6, 4, 1), padding="same"):
    """Each channel under a filter of both directions, whose taps are divided by their sum.

    Args:
        taps: the binomial 1 4 6 4 1 leaves cos^4(pi f) of a wave of f cycles a pixel; 1 2 1 leaves cos^2(pi f).
        padding: "same", 0 outside; "valid", without the pixels that the filter does not fit around.
    """
    row = np.array(taps, "float32") / sum(taps)
    kernel = np.repeat(np.outer(row, row)[..., None, None], pictures.shape[-1], axis=2)
    return ops.depthwise_conv(pictures, kernel, padding=padding)


@keras.saving.register_keras_serializable("kerasgan")
class HighFrequencies(keras.layers.Layer):
    """Pictures less their blur 1 2 1: what a discriminator is to judge while a content loss holds the rest.

    A wave of f cycles a pixel in one direction keeps sin^2(pi f): half of it at half the Nyquist frequency, 0.15 at a
    quarter, nothing of what is even. Computes in float32 by default: the fine is small beside what it is taken from.

    Shapes: (batch, height, width, channels) -> (batch, height - 2, width - 2, channels): borders have no blur.
    """

    def __init__(self, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)

    def call(self, pictures):
        """The difference."""
        return pictures[:, 1:-1, 1:-1] - blurred(pictures, (1, 2, 1), "valid")
