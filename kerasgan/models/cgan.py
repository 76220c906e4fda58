"""CGAN: Mirza and Osindero 2014, "Conditional generative adversarial nets", arXiv:1411.1784.

Both players are told the class y: G(z | y) draws an image of it, D(x | y) says whether x is a real image of it
(equation 2). The perceptrons are those of section 4.1; `projection=True` is Miyato and Koyama's discriminator of 2018.
"""

import math

import keras
from keras import layers

from kerasgan import penalties
from kerasgan.layers import Maxout
from kerasgan.models import networks, rules
from kerasgan.models.generative import Generative


def build_generator(image_shape, classes, latent_size, units=(200, 1000, 1200), dropout=0.5, kernel_initializer=None):
    """Latents and a class to images: a hidden layer for each, one for both, then a sigmoid per pixel (section 4.1).

    Args:
        image_shape: (height, width, channels), of any size. classes: how many. latent_size: length of z.
        units: of the hidden layers of z, of y, and of the two together. dropout: the share dropped of each of them.
        kernel_initializer: of the hidden layers, on latents as they are, such as "he_normal"; None: U(-0.05, 0.05).

    Returns:
        A functional model: [(batch, latent_size), one-hot (batch, classes)] -> (batch, height, width, channels) in
        [-1, 1].
    """
    z, y = keras.Input((latent_size,), name="latents"), keras.Input((classes,), name="labels")
    drawn = z if kernel_initializer else layers.Rescaling(0.5, 0.5)(z)  # the authors draw from the unit hypercube
    starts = [networks.initializer(kernel_initializer, uniform(0.05)) for _ in units]
    parts = [layers.Dense(count, "relu", kernel_initializer=start) for count, start in zip(units, starts, strict=True)]
    noise, label = (layers.Dropout(dropout, seed=i)(parts[i](x)) for i, x in enumerate((drawn, y)))
    x = layers.Dropout(dropout, seed=2)(parts[2](layers.Concatenate()([noise, label])))
    x = layers.Dense(math.prod(image_shape), "sigmoid", kernel_initializer=uniform(0.05), dtype="float32")(x)
    images = layers.Rescaling(2.0, -1.0, dtype="float32", name="images")(layers.Reshape(image_shape)(x))
    return keras.Model([z, y], images, name="generator")


def build_discriminator(image_shape, labels, units=(240, 50, 240), pieces=(5, 5, 4), dropout=0.5, projection=False):
    """Images and a class to scores: a maxout layer for each, one for both (section 4.1).

    Args:
        image_shape: (height, width, channels); with packing, channels times the images judged together.
        labels: length of the label vector: the classes, with packing times the images judged together.
        units, pieces: of the maxout layers of x, of y, and of the two together. dropout: the share dropped of each.
        projection: y enters as an inner product instead: w . f(x) + (V y) . f(x) (Miyato and Koyama 2018, eq. 4), where
            f is the layers of x and of both, and `units` says nothing of y.

    Returns:
        A functional model: [(batch, height, width, channels) in [-1, 1], (batch, labels)] -> logits (batch, 1).
    """
    images, y = keras.Input(image_shape, name="images"), keras.Input((labels,), name="labels")
    small = uniform(0.005)

    def hidden(i, x):
        return layers.Dropout(dropout, seed=i)(Maxout(units[i], pieces[i], kernel_initializer=small)(x))

    x = hidden(0, layers.Flatten()(layers.Rescaling(0.5, 0.5)(images)))  # the authors' pixels lie in [0, 1]
    joint = hidden(2, x if projection else layers.Concatenate()([x, hidden(1, y)]))
    scores = layers.Dense(1, kernel_initializer=small, dtype="float32", name="scores")(joint)
    if projection:
        own = layers.Dense(units[2], use_bias=False, kernel_initializer=small, name="classes")(y)
        scores = layers.Add(dtype="float32")([scores, layers.Dot(1, dtype="float32")([own, joint])])
    return keras.Model([images, y], scores, name="discriminator")


@keras.saving.register_keras_serializable("kerasgan")
class CGAN(Generative):
    """Images of the class you ask for.

        >>> model = CGAN.modern((28, 28, 1), classes=10)
        >>> model.fit(images, labels, epochs=3)
        >>> model.generate(labels=[3, 1, 4], seed=7).shape
        (3, 28, 28, 1)

    `CGAN.paper(...)` and `CGAN.modern(...)` are compiled presets; `CGAN(...)` is compiled by hand. Labels are integers
    in [0, classes); a network of your own takes them as vectors with a 1 at the class, its second input.

    Args:
        image_shape: (height, width, channels), any sides and 1, 3 or 4 channels; (28, 28, 1), the paper's MNIST, by
            default, or what a built network of your own says.
        classes: how many, 10 by default, or what a generator of your own takes.
        latent_size: length of z; 100, the paper's, by default, or what a generator of your own takes.
        units: of the generator's hidden layers, of z, y and both: [200, 1000, 1200].
        kernel_initializer: of these layers, on latents as they are drawn: a name such as "he_normal". None: U(-0.05,
            0.05), on latents in the unit hypercube.
        discriminator_units, pieces: of the maxout layers, of x, y and both: [240, 50, 240] of [5, 5, 4] pieces.
        dropout: the share dropped of every hidden layer, 0.5.
        projection: the class enters D as an inner product (Miyato and Koyama 2018).
        generator, discriminator: networks of your own instead, convolutional ones say: built models, or functions that
            build them.
        The rest is `Generative`'s; latents are uniform.

    Raises:
        ValueError: a size that is no integer of at least 1, a share outside of [0, 1), or a shape or number of classes
            that is not that of a network of your own.
    """

    mismatches = True

    def __init__(
        self,
        image_shape=None,
        *,
        classes=None,
        latent_size=None,
        units=(200, 1000, 1200),
        kernel_initializer=None,
        discriminator_units=(240, 50, 240),
        pieces=(5, 5, 4),
        dropout=0.5,
        projection=False,
        generator=None,
        discriminator=None,
        latent_distribution="uniform",
        pack=1,
        **kwargs,
    ):
        given = image_shape and tuple(image_shape)
        shape = given or networks.shape_judged(discriminator, pack) or (28, 28, 1)
        length, count = (100 if latent_size is None else latent_size), (10 if classes is None else classes)
        triples = dict(units=units, discriminator_units=discriminator_units, pieces=pieces)
        rules.check_flag("projection", projection)
        if projection and discriminator is not None:
            raise ValueError("projection is of the discriminator that is built here, and one was given: leave it out.")
        check_sizes(triples | {"latent_size": [length], "classes": [count], "image_shape": shape}, dropout)

        def new_generator():
            return build_generator(shape, count, length, units, dropout, kernel_initializer)

        def new_discriminator():  # of what the generator makes: it is built first
            labels = pack * networks.classes_of(self.generator)
            sizes = (discriminator_units, pieces, dropout, projection)
            return build_discriminator(networks.shape_drawn(self.generator, pack), labels, *sizes)

        super().__init__(
            lambda: told(generator or new_generator), discriminator or new_discriminator,
            latent_distribution=latent_distribution, pack=pack, **kwargs,
        )  # fmt: skip
        self.own = networks.passed(generator=generator, discriminator=discriminator)
        self.agree(given, latent_size, classes)
        triples = {name: list(counts) for name, counts in triples.items()}
        self.config |= triples | dict(kernel_initializer=kernel_initializer, dropout=dropout, projection=projection)

    @classmethod
    def paper(cls, image_shape=None, **options):
        """The paper's model, compiled with its gradient descent: 0.1, divided by 1.00004 after each step.

        There it ends at 1e-6, 288,000 steps later, and the momentum rises from 0.5 to 0.7; here it stays at 0.5. G's
        loss is not the paper's eq. 2, which starves it, but the one that Goodfellow et al. 2014 advise (section 3).

        Args:
            image_shape: (height, width, channels), (28, 28, 1) by default. options: the constructor's.
        """
        model = cls(image_shape, **options)
        model.compile()
        return model

    @classmethod
    def modern(cls, image_shape=None, gamma=1.0, learning_rate=2e-4, **options):
        """The same networks without dropout, with projection, trained as in Huang et al. 2024 (R3GAN), compiled.

        Its generator starts as in He et al. 2015, on normal latents: as the authors' it drew one image of each class.

        Args:
            image_shape: (height, width, channels), (28, 28, 1) by default. options: the constructor's.
            gamma: of R1 and R2, a number or a schedule over steps. learning_rate: of both Adams, beta_1 0, beta_2 0.99.
        """
        start = {"kernel_initializer": "he_normal", "latent_distribution": "normal"}
        start |= {"dropout": 0.0, "projection": options.get("discriminator") is None}
        model = cls(image_shape, **start | options)
        adams = [keras.optimizers.Adam(learning_rate, beta_1=0.0, beta_2=0.99) for _ in range(2)]
        model.compile(*adams, loss="relativistic", penalty=penalties.r1_r2(gamma))
        return model

    def default_optimizers(self):
        """The paper's (generator, discriminator) optimizers."""
        schedule = keras.optimizers.schedules.ExponentialDecay
        return tuple(keras.optimizers.SGD(schedule(0.1, 1000, 1.00004**-1000), momentum=0.5) for _ in range(2))

    def train_step(self, data):
        """One round: D learns to tell real images of a class from fake ones of it, G to be taken for real (eq. 2)."""

        def play(batch):
            real, labels = batch

            def scores(images):
                return self.scores(images, labels)

            fake = self.generator([self.latents(real), labels], training=True)
            real_scores, fake_scores, penalty = self.judge(scores, real, fake)
            return {
                "discriminator": self.discriminator_loss(real_scores, fake_scores, self.mismatched(real, labels))
                + penalty,
                "generator": self.loss.generator(real_scores, fake_scores),
                "penalty": penalty,
                **self.odds(real_scores, fake_scores),
            }

        return self.descend(play, self.labelled(data))


def told(generator):
    """The generator, built; refuses one that is told no class."""
    network = networks.built(generator, "generator")
    if networks.classes_of(network) is None:
        raise ValueError(
            f"A CGAN's generator takes latents and one-hot labels (batch, classes), and {network.name} takes latents"
            " alone: give it a second input, or make a GAN of it."
        )
    return network


def check_sizes(counts, dropout):
    """Refuse lists of layers that are no three counts, a count below 1, and a share outside of [0, 1)."""
    for name, numbers in counts.items():
        rules.check_counts(name, numbers)
        if name in ("units", "discriminator_units", "pieces") and len(numbers) != 3:
            raise ValueError(f"{name} is three counts: of the layer of the image or latents, of the class, and of both;"
                             f" saw {numbers}.")  # fmt: skip
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is a share in [0, 1), of every hidden layer; saw {dropout}.")


def uniform(limit):
    """Weights from U(-limit, limit), as in the code of Goodfellow et al. 2014; this paper does not say."""
    return keras.initializers.RandomUniform(-limit, limit)
