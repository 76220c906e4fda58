"""LAPGAN: Denton, Chintala, Szlam, Fergus 2015, "Deep generative image models using a Laplacian pyramid of adversarial
networks", arXiv:1506.05751.

A small image is drawn from noise; then, level by level, it is doubled, and a generator of that level draws what the
doubled one lacks: I_k = up(I_k+1) + h_k, h_k = G_k(z_k, up(I_k+1)) (section 2.3, eq. 5). Each level is a game of its
own, on the pyramids of real images: no gradient crosses levels, so all are played in one step.
"""

import keras
from keras import ops

from kerasgan import penalties, pyramid, random
from kerasgan.models import levels, networks, rules
from kerasgan.models.chain import Chain

STDS = ("real_residual_std", "residual_std")  # of an image's residual, in that of all the data's: the two should meet


@keras.saving.register_keras_serializable("kerasgan")
class LAPGAN(Chain):
    """Images from coarse to fine, one game per level of a Laplacian pyramid.

        >>> model = LAPGAN.modern((32, 32, 3), classes=10)   # 8x8, 16x16, 32x32
        >>> model.fit(images, labels, epochs=3)
        >>> model.generate(16, seed=7).shape                  # of any class; labels=[3, 1, 4]: of those
        (16, 32, 32, 3)
        >>> model.refine(thumbnails, seed=7)                  # (n, 16, 16, 3) -> (n, 32, 32, 3)

    `LAPGAN.paper(...)` and `LAPGAN.modern(...)` are compiled presets; `LAPGAN(...)` is compiled by hand. The first
    `fit` finds the residuals' deviation of each level (`adapt`), so that all networks work at unit scale.

    Args:
        image_shape: (height, width, channels), (32, 32, 3) by default: sides that halve down to `base`.
        base: height of the smallest image, 8; it is doubled at least once.
        latent_size: length of the smallest image's z, 100; every other level has a plane of noise.
        classes: how many, for images of a class you ask for. None by default: of no class.
        units, discriminator_units: of the dense layers of the smallest level, the authors' [1200, 1200] and [600, 600].
        widths, discriminator_widths: channels of the hidden convolutions of the other levels, coarse to fine; 64.
        kernel_size, convolutions: of the other levels' generators, 7 and 2. discriminator_kernel_size: 5.
        halve_to: how far the discriminators halve the sides; None, the authors': once (`build_discriminator`).
        dropout: the share dropped in every discriminator, 0.5.
        add: discriminators see the sum of doubled image and residual alone, as in the authors' code, and not both.
        label_dropout: the share of labels that are hidden in training, all 0: `generate` then draws of no class too.
        projection: the class enters the discriminators as an inner product (Miyato and Koyama 2018), and every hidden
            convolution of the generators as a bias; otherwise both as a plane beside the image, as in the paper.
        The rest is `Generative`'s; the networks are no others than these.

    Raises:
        ValueError: sides that are not base x 2^k, a size that is no integer of at least 1, or as many widths as there
            are no levels.
    """

    def __init__(
        self, image_shape=(32, 32, 3), *, base=8, latent_size=100, classes=None, units=(1200, 1200),
        discriminator_units=(600, 600), widths=None, discriminator_widths=None, kernel_size=7, convolutions=2,
        discriminator_kernel_size=5, halve_to=None, dropout=0.5, add=False, label_dropout=0.0,
        projection=False, pack=1, **kwargs,
    ):  # fmt: skip
        sizes = dict(base=base, latent_size=latent_size, kernel_size=kernel_size, convolutions=convolutions,
                     discriminator_kernel_size=discriminator_kernel_size)  # fmt: skip
        counts = sizes | {k: v for k, v in dict(classes=classes, halve_to=halve_to).items() if v is not None}
        for name, value in counts.items():
            rules.check_count(name, value)
        shapes = levels.shapes_of(image_shape, base)
        each = [64] * (len(shapes) - 1)
        lists = dict(units=units, discriminator_units=discriminator_units)
        for name, values in dict(widths=widths, discriminator_widths=discriminator_widths).items():
            lists[name] = each if values is None else values
        for name, values in lists.items():
            rules.check_counts(name, values)
            if "widths" in name and len(values) != len(each):
                raise ValueError(f"{name} has one for each level above the smallest, {len(each)}; saw {values!r}.")
        rules.check_share("dropout", dropout)
        rules.check_share("label_dropout", label_dropout)
        rules.check_flag("add", add)
        rules.check_flag("projection", projection)
        if label_dropout and classes is None:
            raise ValueError("label_dropout hides labels, and there are no classes: leave it at 0.")
        if projection and classes is None:
            raise ValueError("projection is of classes, and there are none: leave it out.")

        def new_generator():
            sizes = (latent_size, units, lists["widths"], kernel_size, convolutions, classes, projection)
            return levels.build_generators(shapes, *sizes)

        def new_discriminator():
            sizes = (discriminator_units, lists["discriminator_widths"], discriminator_kernel_size, halve_to)
            return levels.build_discriminators(shapes, *sizes, dropout, add, pack, classes, projection)

        super().__init__(new_generator, new_discriminator, pack=pack, **kwargs)
        self.streams = [keras.random.SeedGenerator(random.stream(self.seed, i)) for i, _ in enumerate(shapes)]
        self.agree(tuple(image_shape), None, classes)
        given = dict(units=units, discriminator_units=discriminator_units, widths=widths)
        given |= dict(discriminator_widths=discriminator_widths)
        self.config |= sizes | {name: values and list(values) for name, values in given.items()}
        self.config |= dict(halve_to=halve_to, dropout=dropout, add=add, label_dropout=label_dropout)
        self.config |= dict(projection=projection)
        self.label_dropout = label_dropout

    @property
    def reports(self):
        """The names of the logs: of the whole game, and of each level."""
        own = [f"{name}_{size}" for size in self.sizes for name in (*Chain.reports, *STDS)]
        return (*Chain.reports, *own)

    @classmethod
    def paper(cls, image_shape=(32, 32, 3), **options):
        """The authors' model, compiled: SGD 0.02 with momentum 0.5, uniform noise, D sees the sums.

        Args:
            image_shape: (height, width, channels). options: the constructor's, instead.
        """
        model = cls(image_shape, **{"latent_distribution": "uniform", "add": True, **options})
        model.compile()
        return model

    @classmethod
    def modern(cls, image_shape=(32, 32, 3), gamma=5.0, learning_rate=5e-4, **options):
        """A smaller one for few cores, trained as in Huang et al. 2024 (R3GAN): relativistic pairs, R1 + R2, compiled.

        Channels double with every halving, so that every level costs as much: 64 at 16x16 and 32 at 32x32, three 3x3
        convolutions each. An image takes 41 million multiply-adds; with the authors' 7x7 ones of 64 channels 281.

        Args:
            image_shape: (height, width, channels). options: the constructor's, instead.
            gamma: of R1 and R2 at the last level, a number or a schedule over steps.
            learning_rate: of both Adams, beta_1 0, beta_2 0.99.
        """
        rules.check_count("base", base := options.get("base", 8))
        above = len(levels.shapes_of(image_shape, base)) - 1
        widths = [32 * 2**i for i in reversed(range(above))]
        small = dict(units=[512, 512], discriminator_units=[512, 256], widths=widths, discriminator_widths=widths,
                     kernel_size=3, convolutions=3, discriminator_kernel_size=4, halve_to=4, dropout=0.0)  # fmt: skip
        labels = {"label_dropout": 0.1, "projection": True} if options.get("classes") else {}
        model = cls(image_shape, **{**small, **labels, **options})
        adams = [keras.optimizers.Adam(learning_rate, beta_1=0.0, beta_2=0.99) for _ in range(2)]
        model.compile(*adams, loss="relativistic", penalty=penalties.r1_r2(gamma), coarse_noise=0.05)
        return model

    def default_optimizers(self):
        """The authors': SGD of 0.02, momentum 0.5."""
        return tuple(keras.optimizers.SGD(0.02, momentum=0.5) for _ in range(2))

    def compile(self, *optimizers, train_levels=None, coarse_noise=0.0, **options):
        """Set the rules of the games.

        Args:
            train_levels: the heights of the levels that are trained, such as [16, 32]; None: all. The others rest.
            coarse_noise: deviation of noise on the doubled real images in training, for G and D alike: in use they are
                generated ones, which differ from real ones (Ho et al. 2022, conditioning augmentation).
            optimizers, options: `Adversarial.compile`'s; but a `penalty` has its weight at the last level, and at each
                before a quarter of the next: gamma grows with the pixels (as in StyleGAN2-ADA's code, Karras et al.
                2020). `augment` is given (batch, height, width, 2 channels), the doubled image and the residual, above
                the smallest level, where DiffAugment has no "color".

        Raises:
            ValueError: no such level, levels out of order, a value out of range, or an optimizer that clips the
                gradients of all levels together.
        """
        chosen = self.sizes if train_levels is None else train_levels
        some = isinstance(chosen, list | tuple) and chosen and all(size in self.sizes for size in chosen)
        if not some or list(chosen) != sorted(set(chosen)):
            raise ValueError(f"train_levels is a list of some of {self.sizes}, coarse to fine; saw {train_levels!r}.")
        if any(getattr(optimizer, "global_clipnorm", None) for optimizer in (*optimizers, *options.values())):
            raise ValueError(
                "global_clipnorm is of all gradients at once, and the levels of a LAPGAN are games of their own:"
                " clipnorm is of each weight's."
            )
        if "color" in getattr(options.get("augment"), "policy", ()):
            raise ValueError('A LAPGAN judges residuals, which have no "color": DiffAugment("translation", "cutout").')
        if isinstance(coarse_noise, bool) or not isinstance(coarse_noise, int | float) or not 0 <= coarse_noise < 10:
            raise ValueError(f"coarse_noise is a deviation in [0, 10); saw {coarse_noise!r}.")
        super().compile(*optimizers, **options)
        self.rules |= dict(train_levels=train_levels, coarse_noise=coarse_noise)

    # --- playing -------------------------------------------------------------------------------------------------

    def train_step(self, data):
        """One round on every level, each on its own part of the pyramid (section 2.3, figure 2)."""

        def play(batch):
            images, *labels = batch  # one-hot, where there are classes
            images = ops.reshape(images, (ops.shape(images)[0], *self.image_shape))  # a stream may not tell its sides
            sizes = pyramid.coarser(images, len(self.sizes) - 1)
            values = {}
            for level in self.trained:
                played = self.play_level(level, sizes[max(level - 1, 0)], sizes[level], labels)
                values |= {f"{name}_{self.sizes[level]}": value for name, value in played.items()}
            return values

        return self.descend(play, self.labelled(data) if self.conditional else (self.images(data),))

    def play_level(self, level, below, fine, labels):
        """What the players of a level lose on its real images, and those below; all noise is of the level's stream."""
        generator, discriminator = (self.level(player, level) for player in ("generator", "discriminator"))
        stream = self.streams[level]
        labels = [self.hidden(y, stream) for y in labels] if self.label_dropout else labels
        noise, made = self.draw(fine, generator.inputs[0].shape[1:], self.latent_distribution, stream), {}
        if level == 0:
            real, fake = fine, generator(networks.together(noise, *labels), training=True)
        else:
            coarse = pyramid.up(below)
            residual = (fine - coarse) / self.deviation(level)
            if deviation := self.rules["coarse_noise"]:
                coarse = coarse + deviation * self.draw(fine, fine.shape[1:], "normal", stream)
            drawn = generator([noise, coarse, *labels], training=True)
            real, fake = (ops.concatenate([coarse, ops.cast(h, "float32")], axis=-1) for h in (residual, drawn))
            spread = [ops.mean(ops.std(ops.cast(h, "float32"), axis=(1, 2, 3))) for h in (residual, drawn)]
            made = dict(zip(STDS, spread, strict=True))

        def scores(images):
            return self.scores(images, *labels, discriminator=discriminator, seed=stream)

        real_scores, fake_scores, penalty = self.judge(scores, real, fake, stream)
        penalty = penalty * (self.sizes[level] / self.sizes[-1]) ** 2
        return {
            "discriminator": self.discriminator_loss(real_scores, fake_scores) + penalty,
            "generator": self.loss.generator(real_scores, fake_scores),
            "penalty": penalty,
            **self.odds(real_scores, fake_scores),
            **made,
        }

    @property
    def trained(self):
        """The numbers of the levels that play."""
        chosen = self.rules["train_levels"]
        return [i for i, size in enumerate(self.sizes) if chosen is None or size in chosen]

    def learning(self, player):
        """The weights that a player moves: of the levels that play."""
        weights = super().learning(player)
        if self.rules["train_levels"] is None:
            return weights
        mine = {id(v) for level in self.trained for v in self.level(player, level).trainable_variables}
        return [weight for weight in weights if id(weight) in mine]

    def thawed(self, frozen):
        """The discriminators' weights, but for those of the first `frozen` layers of each."""
        each = [networks.thawed(self.level("discriminator", level), frozen) for level in range(len(self.sizes))]
        return sum(each, []) if all(each) else []

    def hidden(self, labels, stream):
        """Labels some of which are hidden: all 0."""
        kept = (self.draw(labels, (1,), "uniform", stream) + 1) / 2 >= self.label_dropout
        return labels * ops.cast(kept, labels.dtype)

    def report(self, values):
        """The running means, of each level and of the whole game: losses and penalties add up, accuracies are means."""
        whole = {}
        for name in ("discriminator", "generator", "penalty", "real_accuracy", "fake_accuracy", "pair_accuracy"):
            if found := [values[f"{name}_{size}"] for size in self.sizes if f"{name}_{size}" in values]:
                whole[name] = sum(found) / (len(found) if name.endswith("accuracy") else 1)
        return super().report(values | whole)
