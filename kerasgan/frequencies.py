"""What is coarse in pictures and what is fine, apart: frequency separation (Fritsche et al. 2019, arXiv:1911.07850).

Pictures are float (batch, height, width, channels), of any range.
"""

import keras
import numpy as np
from keras import ops


def blurred(pictures, padding="same"):
    """Each channel under the binomial filter 1 4 6 4 1 of both directions.

    Of a wave of f cycles a pixel in one direction it leaves cos^4(pi f): 0.73 at a quarter of the Nyquist frequency,
    0.25 at half of it.

    Args:
        padding: "same", 0 outside; "valid", without the two pixels at each side that the filter does not fit around.
    """
    taps = np.array([1, 4, 6, 4, 1], "float32") / 16
    kernel = np.repeat(np.outer(taps, taps)[..., None, None], pictures.shape[-1], axis=2)
    return ops.depthwise_conv(pictures, kernel, padding=padding)


@keras.saving.register_keras_serializable("kerasgan")
class HighFrequencies(keras.layers.Layer):
    """Pictures less their blur: what a discriminator is to judge while a content loss holds the rest.

    Computes in float32 by default: the fine is small beside what it is taken from.

    Shapes: (batch, height, width, channels) -> (batch, height - 4, width - 4, channels): borders have no blur.
    """

    def __init__(self, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)

    def call(self, pictures):
        """The difference."""
        return pictures[:, 2:-2, 2:-2] - blurred(pictures, "valid")
