"""Super-resolution in two stages (Ledig et al. 2017, section 3.2): what the second may draw onto pictures of the first.

    >>> model.fit(pairs, epochs=50)                              # the first stage, by pixels
    >>> first = keras.models.clone_model(model.generator)
    >>> first.set_weights(model.average.get_weights())
    >>> model.compile(content=kerasgan.stages.SecondStage(first), adversarial=0.04)
    >>> model.fit(pairs, epochs=20)

What the second stage draws and what the first stage lacks have nothing in common but their place, as a low picture does
not tell more; so all that is drawn adds to the squared error. The pictures below are float in [-1, 1].
"""

import keras
import numpy as np
from keras import ops

from kerasgan.contents import Content, check_numbers
from kerasgan.metrics.features import check_fingerprint, fingerprint


@keras.saving.register_keras_serializable("kerasgan")
class SecondStage(Content):
    """In every window: not more drawn than was missing, as much fine detail as there is, and most where there is most.

    `error`: the squared difference from the first stage's picture, relative to what that lacks in the window
    (`relative_error`). It asks for the same as squared pixels do, but a window of grass, of which a low picture says
    little, does not outweigh all edges; and beside the first stage's picture, which is the mean of what might be there,
    there is less chance in it than beside the real one. `fine`: how far apart the amplitudes of the fine are
    (`fine_distance`).

    `expansion`: what is drawn strongly is worth its error, grass; what is drawn weakly is not, a wall. So losses and D
    are shown what was drawn with its local strengths compressed (`shown`), as before a dynamic range expander: what
    looks real when drawn s strong, the generator draws s^(1 + expansion) strong. A content loss that held back what is
    weak would be at odds with D, which fills in what it sees missing.

    Args:
        network: the generator of the first stage, (batch, h, w, c) to (batch, h scale, w scale, c). It does not learn,
            nor is it saved with the model.
        error, fine: weights of at least 0.
        power: of what is missing, beside which the error is, at least 0: above 1 less is drawn where little is missing.
        expansion: at least 0, which is none. strong: the strength that is shown as it is, a root mean square in grey
            levels, above 0; the lower it is, the stronger all is drawn.
        window: the side in pixels, an even number, at least 2 and less than a crop. Windows overlap by half.
        sha256: the fingerprint that the network's weights must have; None takes them as they are. A config has no
            weights: they are to be loaded into `network` again.

    Raises:
        ValueError: no network, or a number or a window that is none.
    """

    GREY = 1 / 127.5  # one level of 255
    FLOOR = (2 * GREY) ** 2  # squared, beside which nothing is told from none
    USUAL = (10 * GREY) ** 2  # what is missing in a window of texture: there all powers weigh alike

    def __init__(
        self, network, error=0.016, power=1.6, fine=1.0, expansion=0.5, strong=15.5, window=16, sha256=None
    ):  # fmt: skip
        check_numbers(error=error, power=power, fine=fine, expansion=expansion, strong=strong)
        if not strong:
            raise ValueError("strong is a strength in grey levels, above 0; saw 0.")
        check_window(window)
        if network is None:
            raise ValueError(
                "SecondStage compares with the generator of the first stage, and saw None: pass it as network; in the"
                " [compile] of a recipe, say in [training] which entry to start from."
            )
        self.error, self.power, self.fine = error, power, fine
        self.expansion, self.strong, self.window = expansion, strong, window
        self.network, self.sha256 = network, sha256 or fingerprint(network)

    def compared(self, low, real, fake, discriminator):
        """(what is shown of the generator's picture, the loss of that), with one pass of the first stage."""
        first = ops.stop_gradient(ops.cast(self.network(low, training=False), "float32"))
        shown = self.shown(first, fake)
        return shown, self(real, shown, first=first)

    def shown(self, first, fake):
        """The generator's picture, with what it has drawn onto the first stage's compressed: weaker the stronger it is.

        Its strength is a root mean square around each pixel, a window and one wide, with one grey level added so that
        nothing is not made infinitely strong. Gradients take it as it is: what is drawn learns its shape from what is
        shown, not to hide.
        """
        if not self.expansion:
            return fake
        drawn = fake - first
        around = ops.average_pool(ops.mean(ops.square(drawn), -1, keepdims=True), self.window + 1, 1, "same")
        strength = ops.sqrt(around + self.GREY**2) / (self.strong * self.GREY)
        return first + drawn * ops.stop_gradient(strength ** (-self.expansion / (1 + self.expansion)))

    def __call__(self, real, fake, discriminator=None, *, first):
        """The loss of real pictures and those that are shown."""
        loss = self.error * ops.mean(self.relative_error(real, fake, first))
        return loss + (self.fine and self.fine * fine_distance(real, fake, self.window, self.FLOOR))

    def relative_error(self, real, fake, first):
        """In every window, (batch, down, across): what was drawn beside what is missing, both mean squares."""
        drawn, missing = (ops.mean(windowed(ops.square(x - first), self.window), axis=-1) for x in (fake, real))
        missing = missing + self.FLOOR
        return drawn / missing * (self.USUAL / missing) ** (self.power - 1)

    def check_model(self, model, adversarial):
        """Refuse a training by pixels alone, and a first stage that makes other pictures than the model."""
        if not adversarial:
            raise ValueError("SecondStage is content beside a game, and with adversarial=0 there is none: take 'l1'.")
        low = (1, 8, 12, model.image_shape[-1])
        makes, wanted = (tuple(x.compute_output_shape(low)[1:]) for x in (self.network, model.generator))
        if makes != wanted:
            raise ValueError(
                f"The first stage's network makes (8, 12) pictures {makes}, the model {wanted}: give the generator that"
                " this one goes on from."
            )

    def check(self):
        """Refuse weights that are not those of the config."""
        check_fingerprint(self.network, self.sha256, "first stage's", "model.rules['content'].network")

    def get_config(self):
        """The arguments: of the network its architecture and its fingerprint."""
        names = ("error", "power", "fine", "expansion", "strong", "window", "sha256")
        network = keras.saving.serialize_keras_object(self.network)
        return {"network": network, **{name: getattr(self, name) for name in names}}


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
    """How far apart the amplitudes of the fine are: the mean absolute difference of the roots of their energies.

    It says where detail belongs, as texture matching does (Sajjadi et al. 2017, EnhanceNet, eq. 6), not what it shows.

    Args:
        window: as of `windowed`. floor: added to the energies, beside which none is told from none.
    """
    amplitudes = (ops.sqrt(fine_energies(pictures, window) + floor) for pictures in (real, fake))
    return ops.mean(ops.abs(ops.subtract(*amplitudes)))


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


def check_window(window):
    """Refuse what is no even number of at least 2."""
    if isinstance(window, bool) or not isinstance(window, int) or window < 2 or window % 2:
        raise ValueError(f"window is an even number of pixels, at least 2; saw {window!r}.")
