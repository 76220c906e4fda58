"""GAN: Goodfellow et al. 2014, "Generative adversarial nets", arXiv:1406.2661.

Two perceptrons, as section 5 and the authors' code have them: rectifiers in the generator; maxout and dropout in the
discriminator. Algorithm 1, in which D moves k times and G then answers the new D, is `compile(alternate=True,
discriminator_steps=k)`; the authors' own MNIST run moved both at once, and so does the default.
"""

import math

import keras
from keras import layers

from kerasgan import penalties
from kerasgan.layers import LatentMixture, Maxout
from kerasgan.models import networks, rules
from kerasgan.models.generative import Generative


def build_generator(image_shape, latent_size, units=(1200, 1200), kernel_initializer=None, modes=0):
    """Latents to images: hidden layers of rectifiers, then a sigmoid per pixel, stretched from [0, 1] to [-1, 1].

    Args:
        image_shape: (height, width, channels), of any size. latent_size: length of z. units: of the hidden layers.
        kernel_initializer: of the hidden layers, on latents as they are, such as "he_normal"; None: the authors'.
        modes: how many of the latents choose one of as many kinds of images; 0: none, as in the paper.

    Returns:
        A functional model: (batch, latent_size) -> (batch, height, width, channels) in [-1, 1].
    """
    z = keras.Input((latent_size,), name="latents")
    x = LatentMixture(modes)(z) if modes else z
    if kernel_initializer is None:
        x = layers.Rescaling(math.sqrt(3))(x)  # the authors draw from U(-sqrt 3, sqrt 3), whose variance is 1
    for count in units:
        start = networks.initializer(kernel_initializer, uniform(0.05))
        x = layers.Dense(count, "relu", kernel_initializer=start)(x)
    x = layers.Dense(math.prod(image_shape), "sigmoid", kernel_initializer=uniform(0.05), dtype="float32")(x)
    images = layers.Rescaling(2.0, -1.0, dtype="float32", name="images")(layers.Reshape(image_shape)(x))
    return keras.Model(z, images, name="generator")


def build_discriminator(image_shape, units=(240, 240), pieces=5, dropout=(0.2, 0.5)):
    """Images to scores: hidden layers of maxout, dropout before each layer.

    Args:
        image_shape: (height, width, channels); with packing, channels times the images judged together.
        units: of the hidden layers. pieces: of each maxout unit.
        dropout: the share dropped of the pixels, and of each hidden layer.

    Returns:
        A functional model: (batch, height, width, channels) in [-1, 1] -> logits (batch, 1).
    """
    visible, hidden = dropout
    images = keras.Input(image_shape, name="images")
    x = layers.Flatten()(layers.Rescaling(0.5, 0.5)(images))  # the authors' pixels lie in [0, 1]
    for seed, count in enumerate(units):
        x = layers.Dropout(hidden if seed else visible, seed=seed)(x)  # torch needs an explicit seed
        x = Maxout(count, pieces, kernel_initializer=uniform(0.005))(x)
    x = layers.Dropout(hidden, seed=len(units))(x)
    scores = layers.Dense(1, kernel_initializer=uniform(0.005), dtype="float32", name="scores")(x)
    return keras.Model(images, scores, name="discriminator")


@keras.saving.register_keras_serializable("kerasgan")
class GAN(Generative):
    """Images from noise, by perceptrons.

        >>> model = GAN.modern((28, 28, 1))
        >>> model.fit(images, epochs=3)
        >>> model.generate(16, seed=7).shape
        (16, 28, 28, 1)

    `GAN.paper(...)` and `GAN.modern(...)` are compiled presets; `GAN(...)` is compiled by hand.

    Args:
        image_shape: (height, width, channels), any sides and 1, 3 or 4 channels; (28, 28, 1), the paper's MNIST, by
            default, or what a built network of your own says.
        latent_size: length of z; 100, the paper's, by default, or what a generator of your own takes.
        units: of the generator's hidden layers, [1200, 1200] in the authors' code.
        kernel_initializer: of these layers, on latents as they are drawn: a name such as "he_normal". None: as in the
            authors' code, U(-0.05, 0.05), on latents stretched to variance 1.
        modes: how many of the latents choose, by the largest of them, one of as many kinds of images
            (`kerasgan.layers.LatentMixture`); 0, as in the paper, by default.
        discriminator_units, pieces: of the discriminator's maxout layers, [240, 240] of 5 pieces.
        dropout: in the discriminator, the share dropped of the pixels and of each hidden layer, [0.2, 0.5].
        generator, discriminator: networks of your own instead: built models, or functions that build them.
        The rest is `Generative`'s; latents are uniform.

    Raises:
        ValueError: a size that is no integer of at least 1, a share outside of [0, 1), or a shape that is not that of a
            network of your own.
    """

    def __init__(
        self,
        image_shape=None,
        *,
        latent_size=None,
        units=(1200, 1200),
        kernel_initializer=None,
        modes=0,
        discriminator_units=(240, 240),
        pieces=5,
        dropout=(0.2, 0.5),
        generator=None,
        discriminator=None,
        latent_distribution="uniform",
        pack=1,
        **kwargs,
    ):
        given = image_shape and tuple(image_shape)
        shape = given or networks.shape_judged(discriminator, pack) or (28, 28, 1)
        length = 100 if latent_size is None else latent_size
        lists = dict(units=units, discriminator_units=discriminator_units, image_shape=shape)
        for name, counts in {**lists, "pieces": [pieces], "latent_size": [length]}.items():
            rules.check_counts(name, counts)
        if modes:
            rules.check_count("modes", modes)
        if len(dropout) != 2 or not all(0 <= share < 1 for share in dropout):
            raise ValueError(f"dropout is two shares in [0, 1), of the pixels and of each hidden layer; saw {dropout}.")

        def new_generator():
            return build_generator(shape, length, units, kernel_initializer, modes)

        def new_discriminator():  # of what the generator makes: it is built first
            return build_discriminator(networks.shape_drawn(self.generator, pack), discriminator_units, pieces, dropout)

        super().__init__(
            generator or new_generator, discriminator or new_discriminator, latent_distribution=latent_distribution,
            pack=pack, **kwargs,
        )  # fmt: skip
        self.own = networks.passed(generator=generator, discriminator=discriminator)
        self.agree(given, latent_size)
        lists = dict(units=list(units), discriminator_units=list(discriminator_units), dropout=list(dropout))
        self.config |= lists | dict(pieces=pieces, kernel_initializer=kernel_initializer, modes=modes)

    @classmethod
    def paper(cls, image_shape=None, **options):
        """The paper's model, compiled with the authors' gradient descent: 0.1, divided by 1.000004 after each step.

        D's is half of it, for their D descends the mean of two losses whose sum is ours. Their momentum rises from 0.5
        to 0.7 within 250 epochs, and here stays at 0.5; their last biases of G start at the mean pixels' logits, here
        at 0.

        Args:
            image_shape: (height, width, channels), (28, 28, 1) by default. options: the constructor's.
        """
        model = cls(image_shape, **options)
        model.compile()
        return model

    @classmethod
    def modern(cls, image_shape=None, gamma=1.0, learning_rate=2e-4, **options):
        """The same networks without dropout, trained as in Huang et al. 2024 (R3GAN), compiled.

        Args:
            image_shape: (height, width, channels), (28, 28, 1) by default. options: the constructor's.
            gamma: of R1 and R2, a number or a schedule over steps. learning_rate: of both Adams, beta_1 0, beta_2 0.99.
        """
        model = cls(image_shape, **{"dropout": (0.0, 0.0), **options})
        adams = [keras.optimizers.Adam(learning_rate, beta_1=0.0, beta_2=0.99) for _ in range(2)]
        model.compile(*adams, loss="relativistic", penalty=penalties.r1_r2(gamma))
        return model

    def default_optimizers(self):
        """The authors' (generator, discriminator) optimizers."""
        schedule = keras.optimizers.schedules.ExponentialDecay
        thousand = 1.000004**-1000  # in float32 the power of one step's ratio is off by a hundredth after 250,000
        return tuple(keras.optimizers.SGD(schedule(rate, 1000, thousand), momentum=0.5) for rate in (0.1, 0.05))

    def train_step(self, data):
        """One round: D learns to tell real from fake, G to be taken for real (Algorithm 1)."""

        def play(real):
            fake = self.generator(self.latents(real), training=True)
            real_scores, fake_scores, penalty = self.judge(self.scores, real, fake)
            return {
                "discriminator": self.discriminator_loss(real_scores, fake_scores) + penalty,
                "generator": self.loss.generator(real_scores, fake_scores),
                "penalty": penalty,
                **self.odds(real_scores, fake_scores),
            }

        return self.descend(play, self.images(data))


def uniform(limit):
    """Weights from U(-limit, limit), as in the authors' code: 0.05 in the generator, 0.005 in the discriminator."""
    return keras.initializers.RandomUniform(-limit, limit)
