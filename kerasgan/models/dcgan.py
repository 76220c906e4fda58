"""DCGAN: Radford, Metz, Chintala 2015, "Unsupervised representation learning with deep convolutional generative
adversarial networks", arXiv:1511.06434.

The guidelines of section 3: strided convolutions instead of pooling, no hidden fully connected layers, BatchNorm, ReLU
in the generator with tanh at its end, LeakyReLU in the discriminator.
"""

import math

import keras
from keras import layers

from kerasgan import penalties
from kerasgan.layers import ConcatenateLabels, LatentMixture
from kerasgan.models import networks, rules
from kerasgan.models.generative import Generative
from kerasgan.models.sides import check_image_shape, strides


def build_generator(
    image_shape, latent_size, width, kernel_size=5, convolutions=1, norm=True, units=(), classes=None, modes=0
):
    """Latents to images: project, then double the sides until they are the image's (Radford et al. 2015, figure 1).

    Args:
        image_shape: (height, width, channels). latent_size: length of z.
        width: channels of the last hidden layer; each level before has twice as many, at most 8 times.
        kernel_size: 5 in the authors' code; of the strided convolutions.
        convolutions: per level, the first of them strided. With more than one the last hidden layer has the image's own
            size, as in the authors' 32x32 model; with one it has half.
        norm: BatchNorm or not.
        units: of dense layers before the projection; 1,024 in the authors' MNIST model, none in the paper's others.
        classes: how many, if images are drawn of a class; the one-hot label then enters every layer (MNIST model).
        modes: how many of the latents choose one of as many kinds of images; 0: none, as in the paper.

    Returns:
        A functional model: (batch, latent_size), with classes [that, (batch, classes)], -> (batch, height, width,
        channels) in [-1, 1].

    Raises:
        ValueError: sides that do not halve, or other channels than 1, 3 or 4.
    """
    levels = check_image_shape(image_shape)
    height, breadth, channels = image_shape
    widths = [width * min(2**i, 8) for i in reversed(range(levels if convolutions == 1 else levels + 1))]
    filters = [*widths, channels][1 : levels + 1]  # of each level above the projection
    chain = [(layer, count) for count in filters for layer in [upward] + [flat] * (convolutions - 1)]
    *inner, (last, _) = chain

    def hidden(x):
        return layers.ReLU()(layers.BatchNormalization()(x) if norm else x)

    z, labels, told = keras.Input((latent_size,), name="latents"), *label_input(classes)
    side, x = (height >> levels, breadth >> levels, widths[0]), LatentMixture(modes)(z) if modes else z
    for count in units:
        x = hidden(dense(count, not norm)(told(x)))
    x = hidden(layers.Reshape(side)(dense(math.prod(side), not norm)(told(x))))
    for layer, count in inner:
        x = hidden(layer(count, kernel_size, not norm)(told(x)))
    x = last(channels, kernel_size, True)(told(x))
    images = layers.Activation("tanh", dtype="float32", name="images")(x)
    return keras.Model([z, *labels] if labels else z, images, name="generator")


def build_discriminator(
    image_shape, width, kernel_size=5, convolutions=1, norm=False, units=(), perceptron=(), labels=None
):  # fmt: skip
    """Images to scores: halve the sides until 4 to 6 are left, then one linear layer (Radford et al. 2015, section 3).

    Args:
        image_shape: (height, width, channels); with packing, channels times the images judged together.
        width: channels of the first level; each level after has twice as many, at most 8 times.
        kernel_size: of the strided convolutions. convolutions: per level, the last of them strided.
        norm: BatchNorm after all but the first level, as in the paper.
        units: of dense layers before the score; 1,024 in the authors' MNIST model, none in the paper's others.
        perceptron: units of dense layers that judge the image beside the convolutions, the score added to theirs: they
            see it whole, where convolutions see parts and the score weighs those alone. None in the paper.
        labels: length of the label vector that enters every layer, if there are classes; with packing, of all.

    Returns:
        A functional model: (batch, height, width, channels) in [-1, 1], with labels [that, (batch, labels)], -> logits
        (batch, 1).
    """
    images, its, told = keras.Input(image_shape, name="images"), *label_input(labels)

    def hidden(x, normed):
        return layers.LeakyReLU(0.2)(layers.BatchNormalization()(x) if normed else x)

    x = images
    for level in range(strides(*image_shape[:2])):
        filters, normed = width * min(2**level, 8), norm and level > 0
        for i in range(convolutions):
            last = i == convolutions - 1
            x = hidden((downward if last else flat)(filters, kernel_size, not normed)(told(x)), normed)
    x = layers.Flatten()(x)
    for count in units:
        x = hidden(dense(count, not norm)(told(x)), norm)
    scores = layers.Dense(1, kernel_initializer=normal(), dtype="float32", name="scores")(told(x))
    if perceptron:
        x = layers.Flatten()(images)
        for count in perceptron:
            x = hidden(layers.Dense(count, kernel_initializer="he_normal")(told(x)), False)
        whole = layers.Dense(1, kernel_initializer="he_normal", dtype="float32", name="scores_whole")(told(x))
        scores = layers.Add(dtype="float32")([scores, whole])
    return keras.Model([images, *its] if its else images, scores, name="discriminator")


@keras.saving.register_keras_serializable("kerasgan")
class DCGAN(Generative):
    """Images from noise, all convolutional.

        >>> model = DCGAN.modern((28, 28, 1))
        >>> model.fit(images, epochs=3)
        >>> model.generate(16, seed=7).shape
        (16, 28, 28, 1)

    `DCGAN.paper(...)` and `DCGAN.modern(...)` are compiled presets; `DCGAN(...)` is compiled by hand.

    Args:
        image_shape: (height, width, channels): 1, 3 or 4 channels; sides that halve two to six times, to 4 to 16.
            (64, 64, 3), the paper's, by default, or what a built network of your own says.
        latent_size: length of z; 100, the paper's, by default, or what a generator of your own takes.
        width: channels next to the image, doubled at each level. None: 64, 32 above 64 pixels, 16 above 512, which
            keeps the default under 15 million parameters (the paper's 64x64 model has 128, and 36 million).
        kernel_size: of the strided convolutions, 5 in the authors' code.
        convolutions: per level; 2 adds one of stride 1, as the authors' 32x32 model has.
        units: of dense layers between the latents and the projection, and between D's last convolution and its score.
            None by default; the authors' MNIST model has one of 1,024.
        classes: how many, for images of a class you ask for, as in the paper's conditional MNIST model (its Table 3):
            the label enters every layer of both networks. None by default: of no class; or what a generator of your own
            takes.
        modes: how many of the latents choose, by the largest of them, one of as many kinds of images
            (`kerasgan.layers.LatentMixture`); 0, as in the paper, by default.
        discriminator_width, discriminator_convolutions: of the discriminator alone; None: the generator's.
        discriminator_perceptron: units of dense layers that judge each image beside the discriminator's convolutions,
            their score added; in short trainings on digits it helped (benchmarks/NOTES.md). None, as in the paper, by
            default.
        generator_norm, discriminator_norm: BatchNorm. The paper has both; the discriminator's is off by default:
            gradient penalties and relativistic pairing, which train far better, do not go with it.
        generator, discriminator: networks of your own instead: built models, or functions that build them. What is
            said above of sides, and width to discriminator_norm, is for networks built here.
        The rest is `Generative`'s.

    Raises:
        ValueError: sides that do not halve, other channels, a size that is no integer of at least 1, or a shape that is
            not that of a network of your own.
    """

    mismatches = True

    def __init__(
        self,
        image_shape=None,
        *,
        latent_size=None,
        width=None,
        kernel_size=5,
        convolutions=1,
        units=(),
        classes=None,
        modes=0,
        discriminator_width=None,
        discriminator_convolutions=None,
        discriminator_perceptron=(),
        generator_norm=True,
        discriminator_norm=False,
        generator=None,
        discriminator=None,
        pack=1,
        **kwargs,
    ):
        given = image_shape and tuple(image_shape)
        shape = given or networks.shape_judged(discriminator, pack) or (64, 64, 3)
        width = default_width(shape) if width is None else width
        judges = convolutions if discriminator_convolutions is None else discriminator_convolutions
        sizes = dict(
            latent_size=100 if latent_size is None else latent_size,
            width=width,
            kernel_size=kernel_size,
            convolutions=convolutions,
            discriminator_width=width if discriminator_width is None else discriminator_width,
            discriminator_convolutions=judges,
        )
        norms = dict(generator_norm=generator_norm, discriminator_norm=discriminator_norm)
        check_sizes(sizes, norms, classes, modes, units=units, discriminator_perceptron=discriminator_perceptron)

        def new_generator():
            own = (kernel_size, convolutions, generator_norm, units, classes, modes)
            return build_generator(shape, sizes["latent_size"], width, *own)

        def new_discriminator():  # of what the generator makes: it is built first
            count = networks.classes_of(self.generator)
            convolving = (sizes["discriminator_width"], kernel_size, judges, discriminator_norm)
            own = (*convolving, units, discriminator_perceptron, count and pack * count)
            return build_discriminator(networks.shape_drawn(self.generator, pack), *own)

        super().__init__(generator or new_generator, discriminator or new_discriminator, pack=pack, **kwargs)
        self.own = networks.passed(generator=generator, discriminator=discriminator)
        self.agree(given, latent_size, classes)
        later = {"discriminator_perceptron": list(discriminator_perceptron)} if discriminator_perceptron else {}
        self.config = sizes | norms | dict(units=list(units), modes=modes) | later | self.config  # as in 0.1.0 without

    @classmethod
    def paper(cls, image_shape=None, **options):
        """The paper's model, compiled: BatchNorm in both players, uniform latents, Adam 2e-4 with beta_1 0.5.

        Args:
            image_shape: (height, width, channels), (64, 64, 3) by default. options: the constructor's, instead.
        """
        defaults = dict(width=128, discriminator_norm=True, latent_distribution="uniform")
        model = cls(image_shape, **{**defaults, **options})
        model.compile()
        return model

    @classmethod
    def modern(cls, image_shape=None, gamma=1.0, learning_rate=5e-4, **options):
        """The same generator trained as in Huang et al. 2024 (R3GAN): relativistic pairs with R1 and R2, compiled.

        Args:
            image_shape: (height, width, channels), (64, 64, 3) by default. options: the constructor's.
            gamma: of R1 and R2, a number or a schedule over steps. learning_rate: of both Adams, beta_1 0, beta_2 0.99.
        """
        model = cls(image_shape, **options)
        adams = [keras.optimizers.Adam(learning_rate, beta_1=0.0, beta_2=0.99) for _ in range(2)]
        model.compile(*adams, loss="relativistic", penalty=penalties.r1_r2(gamma))
        return model

    def train_step(self, data):
        """One round: D learns to tell real from fake, G to be taken for real (Goodfellow et al. 2014, Algorithm 1)."""

        def play(batch):
            real, *labels = batch  # one-hot, where there are classes

            def scores(images):
                return self.scores(images, *labels)

            fake = self.generator(networks.together(self.latents(real), *labels), training=True)
            real_scores, fake_scores, penalty = self.judge(scores, real, fake)
            return {
                "discriminator": self.discriminator_loss(real_scores, fake_scores, self.mismatched(real, *labels))
                + penalty,
                "generator": self.loss.generator(real_scores, fake_scores),
                "penalty": penalty,
                **self.odds(real_scores, fake_scores),
            }

        return self.descend(play, self.labelled(data) if self.conditional else (self.images(data),))


def check_sizes(sizes, norms, classes, modes, **lists):
    """Refuse, by its name, what is no count of at least 1, no list of them, or neither True nor False."""
    counts = sizes | ({} if classes is None else {"classes": classes}) | ({"modes": modes} if modes else {})
    for check, options in ((rules.check_count, counts), (rules.check_counts, lists), (rules.check_flag, norms)):
        for name, value in options.items():
            check(name, value)


def normal():
    """Weights from N(0, 0.02), section 4."""
    return keras.initializers.RandomNormal(stddev=0.02)


def label_input(classes):
    """([the input of one-hot labels], a function that joins them to a layer's input); ([], nothing) without classes."""
    if classes is None:
        return [], lambda x: x
    labels = keras.Input((classes,), name="labels")
    return [labels], lambda x: ConcatenateLabels()([x, labels])


def dense(units, use_bias):
    """Every unit of the layer before."""
    return layers.Dense(units, use_bias=use_bias, kernel_initializer=normal())


def upward(filters, kernel_size, use_bias):
    """Twice the sides."""
    return layers.Conv2DTranspose(filters, kernel_size, 2, "same", use_bias=use_bias, kernel_initializer=normal())


def downward(filters, kernel_size, use_bias):
    """Half the sides."""
    return layers.Conv2D(filters, kernel_size, 2, "same", use_bias=use_bias, kernel_initializer=normal())


def flat(filters, _, use_bias):
    """The same sides; 3x3 whatever the others have, as in the authors' 32x32 model."""
    return layers.Conv2D(filters, 3, 1, "same", use_bias=use_bias, kernel_initializer=normal())


def default_width(image_shape):
    """Channels next to the image that keep both networks, of one convolution a level, under 15 million parameters."""
    longest = max(image_shape[:2])
    return 64 if longest <= 64 else 32 if longest <= 512 else 16
