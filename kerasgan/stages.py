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
from keras import ops

from kerasgan import frequencies
from kerasgan.contents import Content, checked_weight
from kerasgan.metrics.features import check_fingerprint, fingerprint


@keras.saving.register_keras_serializable("kerasgan")
class SecondStage(Content):
    """In every window: not more drawn than was missing, as much fine detail as there is, and little of what costs most.

    Three parts. `error`: the squared difference from the first stage's picture, relative to what that lacks in the
    window (`relative_error`). It asks for the same as squared pixels do, but a window of grass, of which a low picture
    says little, does not outweigh all edges; and beside the first stage's picture, which is the mean of what might be
    there, there is less chance in it than beside the real one. `fine`: how far apart the energies of the fine are
    (`frequencies.fine_distance`).

    `restraint`: middle frequencies, in which pictures are strong, cost most PSNR. So losses and D are shown what was
    drawn of the coarse 1 + restraint times as strong (`shown`): the generator draws it 1 / (1 + restraint) as strong
    as looks real. A content loss that held it back would be at odds with D, which fills in what it sees missing.

    Args:
        network: the generator of the first stage, (batch, h, w, c) to (batch, h scale, w scale, c). It does not learn,
            nor is it saved with the model.
        error, fine: weights of at least 0. restraint: at least 0.
        window: the side in pixels, an even number, at least 2 and less than a crop. Windows overlap by half.
        sha256: the fingerprint that the network's weights must have; None takes them as they are. A config has no
            weights: they are to be loaded into `network` again.

    Raises:
        ValueError: no network, or a weight or a window that is none.
    """

    HALF = 0.24  # of a cycle a pixel: what is below is coarse
    FLOOR = (2 / 127.5) ** 2  # two grey levels squared, beside which nothing is told from none

    def __init__(self, network, error=0.016, fine=0.05, restraint=0.0, window=16, sha256=None):
        self.error, self.fine, self.restraint = (checked_weight(weight) for weight in (error, fine, restraint))
        self.window = frequencies.checked_window(window)
        if network is None:
            raise ValueError(
                "SecondStage compares with the generator of the first stage, and saw None: pass it as network; in the"
                " [compile] of a recipe, say in [training] which entry to start from."
            )
        self.network, self.sha256 = network, sha256 or fingerprint(network)

    def compared(self, low, real, fake, discriminator):
        """(what is shown of the generator's picture, the loss of that), with one pass of the first stage."""
        first = ops.stop_gradient(ops.cast(self.network(low, training=False), "float32"))
        shown = self.shown(first, fake)
        return shown, self(real, shown, first=first)

    def shown(self, first, fake):
        """The generator's picture, with what it has drawn of the coarse onto the first stage's made stronger."""
        return fake + self.restraint * frequencies.coarse(fake - first, self.HALF, taps=17) if self.restraint else fake

    def __call__(self, real, fake, discriminator=None, *, first):
        """The loss of real pictures and those that are shown."""
        loss = self.error * ops.mean(self.relative_error(real, fake, first))
        return loss + (self.fine and self.fine * frequencies.fine_distance(real, fake, self.window, self.FLOOR))

    def relative_error(self, real, fake, first):
        """In every window, (batch, down, across): what was drawn beside what is missing, both mean squares."""
        drawn, missing = (
            ops.mean(frequencies.windowed(ops.square(x - first), self.window), axis=-1) for x in (fake, real)
        )
        return drawn / (missing + self.FLOOR)

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
        names = ("error", "fine", "restraint", "window", "sha256")
        network = keras.saving.serialize_keras_object(self.network)
        return {"network": network, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config):
        """The content that `get_config` described, its network with random weights."""
        return cls(**config | {"network": keras.saving.deserialize_keras_object(config["network"])})
