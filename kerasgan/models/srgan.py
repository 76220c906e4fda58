"""SRGAN: Ledig et al. 2017, "Photo-realistic single image super-resolution using a generative adversarial network",
arXiv:1609.04802.

A picture made `scale` times larger: the generator is SRResNet, trained by pixels alone and then, in a second stage,
also to be taken for real (section 2.2, figure 4).
"""

import keras
from keras import layers, ops

from kerasgan import contents, data, penalties, replicas
from kerasgan.images import in_contract, to_float
from kerasgan.layers import BilinearUpsampling, PixelShuffle
from kerasgan.models import networks, rules
from kerasgan.models.adversarial import Adversarial
from kerasgan.upscaler import Upscaler

STEPS = {2: (2,), 3: (3,), 4: (2, 2)}  # the factors of the sub-pixel convolutions


def build_generator(scale=4, channels=3, width=64, blocks=16, kernel_size=9, norm=True, skip=False, direct=False):
    """SRResNet: low pictures of any size to high ones (Ledig et al. 2017, figure 4, above).

    Args:
        scale: 2, 3 or 4. channels: of the pictures. width: channels inside, 64 in the paper. blocks: residual ones, 16.
        kernel_size: of the first and the last convolution, 9.
        norm: BatchNorm in the blocks, as in the paper; without it pictures come out sharper, and train faster (Lim et
            al. 2017, EDSR, section 3.1).
        skip: add the low picture, bilinearly enlarged: the network learns the detail alone (BasicSR's MSRResNet).
        direct: one convolution makes all sub-pixels of the picture itself (Shi et al. 2016, ESPCN, figure 1), instead
            of two that each double `width` maps: a third of the work.

    Returns:
        A functional model: (batch, h, w, channels) in [-1, 1] -> (batch, h scale, w scale, channels), not clipped.
    """

    def convolution(x, filters, size=3, scaled=1.0):
        initializer = keras.initializers.VarianceScaling(2.0 * scaled**2, "fan_in", "truncated_normal")
        return layers.Conv2D(filters, size, padding="same", kernel_initializer=initializer)(x)

    def normed(x):
        return layers.BatchNormalization()(x) if norm else x

    def prelu(x):
        return layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25), shared_axes=[1, 2])(x)

    small = 1.0 if norm else 0.1  # what BatchNorm would do for a sum of many branches
    low = keras.Input((None, None, channels), name="low")
    x = first = prelu(convolution(low, width, kernel_size))
    for _ in range(blocks):
        y = prelu(normed(convolution(x, width)))
        x = layers.Add()([x, normed(convolution(y, width, scaled=small))])
    x = layers.Add()([first, normed(convolution(x, width))])
    if direct:
        x = PixelShuffle(scale)(convolution(x, channels * scale**2, scaled=small))
    else:
        for factor in STEPS[scale]:
            x = prelu(PixelShuffle(factor)(convolution(x, width * factor**2)))
        x = convolution(x, channels, kernel_size, scaled=small)
    if skip:
        x = layers.Add(dtype="float32")([x, BilinearUpsampling(scale, dtype="float32")(low)])
    return keras.Model(low, layers.Activation("linear", dtype="float32", name="high")(x), name="generator")


def build_discriminator(image_shape, width=64, norm=True, units=1024):
    """High pictures to scores: eight convolutions that halve the sides four times (figure 4, below).

    Args:
        image_shape: (height, width, channels); without `units` sides may be None, which stands for any.
        width: channels of the first convolution, 64 in the paper; doubled three times.
        norm: BatchNorm after all but the first, as in the paper.
        units: of the dense layer before the score, 1,024; None: the mean over positions instead.

    Returns:
        A functional model: (batch, height, width, channels) in [-1, 1] -> logits (batch, 1).
    """
    images = x = keras.Input(image_shape, name="images")
    for i in range(8):
        x = layers.Conv2D(width * 2 ** (i // 2), 3, 1 + i % 2, "same", kernel_initializer="he_normal")(x)
        x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(x) if norm and i else x)
    if units:
        x = layers.LeakyReLU(0.2)(layers.Dense(units)(layers.Flatten()(x)))
    else:
        x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, layers.Dense(1, dtype="float32", name="scores")(x), name="discriminator")


@keras.saving.register_keras_serializable("kerasgan")
class SRGAN(Adversarial):
    """Pictures made larger, with detail.

        >>> model = SRGAN.modern(scale=4)
        >>> model.fit(kerasgan.data.pairs_from_folder("photos", scale=4, crop=96), epochs=10)
        >>> model.upscale("holiday.jpg").save("large.png")

    `SRGAN.paper(...)` and `SRGAN.modern(...)` are compiled presets; `SRGAN(...)` is compiled by hand.

    Args:
        scale: 2, 3 or 4. channels: 1 or 3.
        width, blocks, kernel_size, skip, direct: of the generator, as `build_generator` has them; generator_norm:
            its BatchNorm. By default the paper's sizes without BatchNorm, with the skip.
        crop: side of the high crops that D judges, where it has a dense layer. None: any.
        discriminator_width, discriminator_norm, discriminator_units: as `build_discriminator` has them. By default
            without BatchNorm, which penalties and relativistic pairs do not go with, and without the dense layer.
        generator, discriminator: networks of your own instead: built models, or functions that build them; the
            generator of any size (None, None, channels).
        The rest is `Adversarial`'s.

    Raises:
        ValueError: another scale, a size that is no integer of at least 1, or a generator that does not scale so.
    """

    def __init__(
        self, scale=4, *, channels=3, width=64, blocks=16, kernel_size=9, skip=True, direct=False, generator_norm=False,
        crop=None, discriminator_width=64, discriminator_norm=False, discriminator_units=None,
        generator=None, discriminator=None, pack=1, **kwargs,
    ):  # fmt: skip
        rules.check_known("scale", scale, data.SCALES)
        rules.check_known("channels", channels, (1, 3))
        counts = dict(width=width, blocks=blocks, kernel_size=kernel_size, discriminator_width=discriminator_width)
        optional = dict(crop=crop, discriminator_units=discriminator_units)
        for name, value in (counts | {k: v for k, v in optional.items() if v is not None}).items():
            rules.check_count(name, value)
        flags = dict(skip=skip, direct=direct, generator_norm=generator_norm, discriminator_norm=discriminator_norm)
        for name, value in flags.items():
            rules.check_flag(name, value)
        if discriminator_units and crop is None and discriminator is None:
            raise ValueError(
                "discriminator_units makes a dense layer, which needs a size: say the crop, 96 in the paper."
            )

        def new_generator():
            return build_generator(scale, channels, width, blocks, kernel_size, generator_norm, skip, direct)

        def new_discriminator():
            shape = (crop, crop, self.generator.outputs[0].shape[-1] * pack)
            return build_discriminator(shape, discriminator_width, discriminator_norm, discriminator_units)

        super().__init__(generator or new_generator, discriminator or new_discriminator, pack=pack, **kwargs)
        check_generator(self.generator, scale)
        self.own = networks.passed(generator=generator, discriminator=discriminator)
        self.scale = scale
        self.config = counts | optional | flags | dict(scale=scale, channels=self.image_shape[-1])

    reports = (*Adversarial.reports, "content_loss", "adversarial_loss")

    @classmethod
    def paper(cls, scale=4, crop=96, adversarial=1e-3, content="mse", **options):
        """The paper's model, compiled: BatchNorm in both, Adam 1e-4 with beta_1 0.9; "SRGAN-MSE" of its Table 1.

        Args:
            scale: 2, 3 or 4. crop: side of the high crops. adversarial: 0 trains its SRResNet-MSE, the first stage.
            content: "mse", or `contents.VGG19()` for SRGAN-VGG54. options: the constructor's, instead.
        """
        dense = dict(discriminator_norm=True, discriminator_units=1024, generator_norm=True, skip=False)
        model = cls(scale, crop=crop, **{**dense, **options})
        model.compile(content=content, adversarial=adversarial)
        return model

    @classmethod
    def modern(cls, scale=4, adversarial=0.0, content="l1", gamma=0.1, learning_rate=2e-4, **options):
        """A generator without BatchNorm that learns the detail alone, for few cores, compiled for its first stage.

        Args:
            scale: 2, 3 or 4. adversarial: 0 is the first stage, pixels alone; above it relativistic pairs with R1 and
                R2 (Huang et al. 2024, R3GAN). content: as in `compile`. options: the constructor's, instead.
            gamma: of R1 and R2, a number or a schedule over steps. learning_rate: of both Adams, beta_2 0.99.
        """
        small = dict(width=48, blocks=10, kernel_size=3, direct=True, discriminator_width=32)
        model = cls(scale, **{**small, **options})
        game = dict(loss="relativistic", penalty=penalties.r1_r2(gamma)) if adversarial else {}
        adams = [keras.optimizers.Adam(learning_rate, beta_2=0.99) for _ in range(2)]
        model.compile(*adams, content=content, adversarial=adversarial, **game)
        return model

    def default_optimizers(self):
        """The paper's (generator, discriminator) optimizers: Adam 1e-4, beta_1 0.9 (section 3.2)."""
        return tuple(keras.optimizers.Adam(1e-4, beta_1=0.9) for _ in range(2))

    def compile(self, *optimizers, content="mse", adversarial=1e-3, **options):
        """Set the rules of the game.

        Args:
            content: what high and upscaled pictures shall have in common: "mse", "l1", one of `kerasgan.contents`, or
                `kerasgan.stages.SecondStage`.
            adversarial: the weight of the generator's adversarial loss beside it, 1e-3 in the paper's eq. 3; 0: content
                alone, and the discriminator rests.
            optimizers, options: `Adversarial.compile`'s.

        Raises:
            ValueError: no such content, a value out of range, or rules of a game that is not played.
        """
        content = contents.get(content)
        rules.check_share("adversarial", adversarial, below=float("inf"))
        if not adversarial:
            rules.check_no_game(options)
        content.check_model(self, adversarial)
        super().compile(*optimizers, **options)
        self.rules |= dict(content=content, adversarial=adversarial)

    # --- playing -------------------------------------------------------------------------------------------------

    def train_step(self, data):
        """One round: G is near the high picture and, in the second stage, taken for one (eq. 3)."""

        def play(batch):
            low, high = batch
            fake = ops.cast(self.generator(low, training=True), "float32")
            fake, content = self.rules["content"].compared(low, high, fake, self.discriminator)
            weight = self.rules["adversarial"]
            if not weight:
                return {"generator": content, "content": content}
            real_scores, fake_scores, penalty = self.judge(self.scores, high, fake)
            adversarial = self.loss.generator(real_scores, fake_scores)
            return {
                "discriminator": self.discriminator_loss(real_scores, fake_scores) + penalty,
                "generator": content + weight * adversarial,
                "content": content,
                "adversarial": adversarial,
                "penalty": penalty,
                **self.odds(real_scores, fake_scores),
            }

        return self.descend(play, self.pair(data))

    def pair(self, data):
        """(low, high) of a batch, float32 in [-1, 1]."""
        low, high, _ = keras.utils.unpack_x_y_sample_weight(data)
        rules.check_pair(low.shape, None if high is None else high.shape, self.scale)
        return to_float(low), to_float(high)

    def prepare(self, x):
        """Look at the content network, once."""
        self.rules["content"].check()

    # --- using ---------------------------------------------------------------------------------------------------

    def call(self, inputs, training=False):
        """Low pictures (batch, h, w, channels) in [-1, 1] to high ones, float32 in [-1, 1], by the average."""
        return ops.clip(replicas.applied(self.average, inputs), -1, 1)

    def upscale(self, x, *, value_range=None, progress=None, **options):
        """A picture of any size and mode, larger, in tiles: `kerasgan.upscale` by this model."""
        return Upscaler(self, **options)(x, value_range, progress)

    def test_step(self, data):
        """Feed the metrics with a batch of high pictures and the upscaled low ones."""
        low, high = self.pair(data)
        fake = self(low)
        for measure in self.measures:
            measure.update_state(high, fake)
        return networks.shaped({measure.name: ops.zeros(()) for measure in self.measures})

    def trained_on(self, x, y=None, *, batch_size=None, shuffle=True, value_range=None):
        """(what to train on, batch size): Pairs, arrays (low, high), or another stream of (low, high) batches."""
        return data.pairs_of(x, y, scale=self.scale, channels=self.image_shape[-1], batch_size=batch_size,
                             seed=self.seed, shuffle=shuffle, value_range=value_range)  # fmt: skip

    def measured(self, x, y=None, value_range=None):
        """Checked (low, high, batch size)."""
        if y is None:
            return data.measured_of(x, scale=self.scale, channels=self.image_shape[-1], value_range=value_range)
        low, high = (in_contract(images, None, value_range) for images in (x, y))
        rules.check_pair(low.shape, high.shape, self.scale)
        return low, high, None


def check_generator(generator, scale):
    """Refuse a generator that takes one size alone, or scales by another factor."""
    *sides, channels = generator.inputs[0].shape[1:]
    if sides != [None, None]:
        raise ValueError(f"The generator takes pictures of any size, (None, None, channels); saw {(*sides, channels)}.")
    made, wanted = tuple(generator.compute_output_shape((1, 8, 12, channels))[1:]), (8 * scale, 12 * scale, channels)
    if made != wanted:
        raise ValueError(f"The generator has to make pictures {scale} times larger, (8, 12, {channels}) to {wanted};"
                         f" saw {made}.")  # fmt: skip
