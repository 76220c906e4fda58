"""What is coarse in pictures and what is fine, apart: frequency separation (Fritsche et al. 2019, arXiv:1911.07850).

Pictures are float (batch, height, width, channels), of any range. Frequencies are in cycles a pixel, of at most 1/2.
"""

import keras
import numpy as np
from keras import ops

BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16
HALF = 0.21  # where `coarse` leaves a half


def blurred(pictures, padding="same"):
    """Each channel under the binomial filter 1 4 6 4 1 of both directions.

    Of a wave of frequency f in one direction it leaves cos^4(pi f): 0.73 at 1/8, 0.25 at 1/4.

    Args:
        padding: "same", 0 outside; "valid", without the two pixels at each side that the filter does not fit around.
    """
    return filtered(pictures, BINOMIAL, padding)


def coarse(pictures, half=HALF, taps=13):
    """Each channel under a low-pass of both directions that ends sharply: a sinc under a Hamming window.

    By default it leaves 0.92 of a wave of frequency 1/8, which an enlargement by 4 still knows of, and 0.25 at 1/4.

    Args:
        half: the frequency of which it leaves a half. taps: its length in pixels, odd. Outside of pictures is 0.
    """
    sinc = np.sinc(2 * half * (np.arange(taps) - taps // 2)) * np.hamming(taps)
    return filtered(pictures, sinc / sinc.sum(), "same")


def filtered(pictures, taps, padding):
    """Each channel under a filter of odd length, down and across."""
    kernel = np.repeat(np.outer(taps, taps)[..., None, None], pictures.shape[-1], axis=2)
    return ops.depthwise_conv(pictures, kernel.astype("float32"), padding=padding)


def fine_energies(pictures, window):
    """The mean square of each channel's finest Haar bands, in windows that overlap by half.

    Haar's differences across, down and in both directions, of two by two pixels: what is finer than 1/4, mostly.

    Args, Raises: as of `windowed`.

    Returns:
        float32 (batch, windows down, windows across, 3 * channels).
    """
    bands = [np.outer(down, across) / 4 for down, across in (([1, 1], [1, -1]), ([1, -1], [1, 1]), ([1, -1], [1, -1]))]
    kernel = np.repeat(np.stack(bands, axis=-1)[:, :, None], pictures.shape[-1], axis=2)
    fine = ops.depthwise_conv(ops.cast(pictures, "float32"), kernel.astype("float32"), padding="valid")
    return windowed(ops.square(fine), window)


def fine_distance(real, fake, window, floor):
    """How far apart the energies of the fine are: the mean absolute difference of their logarithms.

    A log spectral distance (Gray and Markel 1976), so that a window of skin counts as much as one of grass.

    Args:
        window: as of `windowed`. floor: added to the energies, beside which none is told from none.
    """
    logarithms = (ops.log(fine_energies(pictures, window) + floor) for pictures in (real, fake))
    return ops.mean(ops.abs(ops.subtract(*logarithms)))


def windowed(maps, window):
    """The means of each channel in windows that overlap by half, (batch, windows down, windows across, channels).

    Args:
        maps: such as squared differences. window: its side in pixels, even, and no more than the maps' sides.

    Raises:
        ValueError: maps that have no such window.
    """
    if min(sides := maps.shape[1:3]) < window:
        raise ValueError(f"There are no windows of {window} pixels in {sides[0]} x {sides[1]}: larger crops.")
    return ops.average_pool(maps, window, window // 2, "valid")


def checked_window(window):
    """The side of a window; refuses what is no even number of at least 2."""
    if isinstance(window, bool) or not isinstance(window, int) or window < 2 or window % 2:
        raise ValueError(f"window is an even number of pixels, at least 2; saw {window!r}.")
    return window


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
