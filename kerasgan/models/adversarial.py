"""The game: every player has a loss of its own and descends it with an optimizer of its own."""

import keras
from keras import ops

from kerasgan import gradients, losses, random, replicas
from kerasgan.models import networks, rules
from kerasgan.models.trainable import Trainable


class Adversarial(Trainable):
    """A generator and a discriminator that play against each other; a variant adds `train_step`, its paper's algorithm.

    A variant's `train_step` says how one round is played and lets the players descend:

        def train_step(self, data):
            def play(real):
                ...
                return {"discriminator": its loss, "generator": its loss, **self.odds(real_scores, fake_scores)}

            return self.descend(play, self.images(data))

    Samples come from `average`, an exponential moving average of the generator, float32 whatever the others train in.

    Args:
        generator, discriminator: the networks: Keras models, or functions without arguments that build them (under the
            model's dtype policy). The generator ends in float32 images (batch, height, width, channels) in [-1, 1],
            the discriminator in float32 scores (batch, 1), logits.
        average_momentum: m of average <- m average + (1 - m) generator, in [0, 1); 0 makes the average the generator.
            0.999, the default, is common practice and no number of the papers, whose samples are the generator's own.
        average_half_life: instead of it, after how many images seen a weight counts half as much in the average:
            m = 0.5 ^ (batch / half-life), the same average for any batch size (Karras et al. 2020, StyleGAN2's code).
        pack: how many images D judges together, side by side in the channels (Lin et al. 2018, PacGAN).
        seed: of the model's own random state and of the order of the data, an integer in [0, 2**31).
    """

    def __init__(
        self,
        generator,
        discriminator,
        *,
        average_momentum=None,
        average_half_life=None,
        pack=1,
        seed=0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # the networks cast for themselves; latents stay float32
        rules.check_count("pack", pack)
        rules.check_average(average_momentum, average_half_life)
        with networks.policy(self.dtype_policy):
            self.generator = networks.built(generator, "generator")
            self.discriminator = networks.built(discriminator, "discriminator")
        self.average = networks.float32_copy(self.generator, "average")
        self.average.trainable = False
        for network in (self.generator, self.discriminator):
            replicas.fold_replicas(networks.layers_of(network))
        self.image_shape = networks.shape_drawn(self.generator)
        self.classes = networks.classes_of(self.generator)
        rules.check_players(self.generator, self.discriminator, self.image_shape, self.classes, pack)
        self.average_half_life = average_half_life
        neither = average_momentum is None and average_half_life is None
        self.average_momentum = 0.999 if neither else average_momentum
        self.pack, self.seed = pack, random.seed_of(seed)
        self.random = keras.random.SeedGenerator(self.seed)
        self.evaluation = keras.random.SeedGenerator(self.seed)
        self.step = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, aggregation="only_first_replica", name="step"
        )
        self.trackers = [keras.metrics.Mean(name) for name in self.reports]
        self.measures = []
        self.built = True  # or `fit` would call the model on images to build it (keras#20164)

    reports = (
        "discriminator_loss", "generator_loss", "penalty", "real_accuracy", "fake_accuracy", "pair_accuracy",
    )  # fmt: skip

    config, own = {}, ()  # a variant's: its own arguments, and the names of the networks that were passed to it
    mismatches = False  # whether `play` judges real images under a class that is not theirs
    entry = None  # of the zoo, that it was loaded from: `cards.origin`

    def get_config(self):
        """What `from_config` needs to make this model again: the arguments, and the networks that were passed."""
        arguments = ("average_momentum", "average_half_life", "pack", "seed")
        networks_passed = {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in self.own}
        common = {name: getattr(self, name) for name in arguments}
        return {**super().get_config(), **common, **self.config, **networks_passed}

    @classmethod
    def from_config(cls, config):
        """The model that `get_config` described."""
        passed = [name for name in ("generator", "discriminator") if config.get(name)]
        return cls(**config | {name: keras.saving.deserialize_keras_object(config[name]) for name in passed})

    # --- the rules of the game -----------------------------------------------------------------------------------

    def compile(
        self, generator_optimizer=None, discriminator_optimizer=None, loss="nonsaturating", *, penalty=None,
        alternate=False, discriminator_steps=1, freeze_discriminator=0, label_smoothing=0.0, mismatched=0.0,
        augment=None, instance_noise=None, metrics=(), jit_compile=False, steps_per_execution=1, run_eagerly=False,
        **unknown,
    ):  # fmt: skip
        """Set the rules of the game.

        Args:
            generator_optimizer, discriminator_optimizer: Keras optimizers, one each; None is the paper's.
            loss: a name in `kerasgan.losses.LOSSES`.
            penalty: None, or a gradient penalty of `kerasgan.penalties`.
            alternate: D moves first and G answers the new D with fresh noise (Goodfellow et al. 2014, Algorithm 1);
                otherwise both move at once, from one forward pass of G.
            discriminator_steps: k, steps of D for each step of G, each on its own k-th part of the batch.
            freeze_discriminator: how many layers of D with weights, from the image on, do not move: for fine-tuning on
                few images (Mo et al. 2020, FreezeD). BatchNorm's statistics go on.
            label_smoothing: s; real images are called real with target 1 - s, in [0, 0.5).
            mismatched: of CGAN and of DCGAN with classes, the share in [0, 1) that real images under a class not theirs
                have in what D learns to call fake (Reed et al. 2016, GAN-CLS, where it is 0.5): D then looks at the
                label, and G draws it.
            augment: None, or a differentiable function (images, seed) -> images before D sees them, real and fake.
            instance_noise: None, a standard deviation of noise on D's images, or a schedule over steps.
            metrics: streaming metrics of (real, fake) images for `evaluate` and `validation_data`.
            jit_compile, steps_per_execution, run_eagerly: Keras'; the first two fail under several replicas.

        Raises:
            TypeError: an unknown option. ValueError: a value out of range, or a combination that makes no sense.
        """
        rules.check_arguments(unknown, Adversarial.compile, type(self).compile)
        of_keras = dict(jit_compile=jit_compile, steps_per_execution=steps_per_execution, run_eagerly=run_eagerly)
        options = dict(  # plain values alone: Keras walks attributes when it saves and would store optimizers here
            loss=loss, penalty=penalty, alternate=alternate, discriminator_steps=discriminator_steps,
            freeze_discriminator=freeze_discriminator, label_smoothing=label_smoothing, mismatched=mismatched,
            augment=augment, instance_noise=instance_noise, **of_keras,
        )  # fmt: skip
        own = self.default_optimizers()
        players = [generator_optimizer or own[0], discriminator_optimizer or own[1]]
        measures = rules.checked_metrics(metrics)
        rules.check(self, players, options)
        first, second = map(networks.prepared, players, (self.generator, self.discriminator))
        self.loss, self.rules = losses.get(loss), options  # not before: what is refused changes nothing
        # The generator's is `model.optimizer`: stock callbacks act on it. Keras would scale the loss of this one alone.
        super().compile(optimizer=first, auto_scale_loss=False, **of_keras)
        self.discriminator_optimizer, self.measures = second, measures

    def default_optimizers(self):
        """The paper's (generator, discriminator) optimizers; here Adam as in Radford et al. 2015, section 4."""
        return tuple(keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))

    @property
    def generator_optimizer(self):
        """The generator's optimizer: `model.optimizer`."""
        return self.optimizer

    def get_compile_config(self):
        """The rules, optimizers and metrics, as `compile_from_config` takes them."""
        if not self.compiled:
            return {}
        players = {
            "generator_optimizer": self.optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
            "metrics": self.measures,
        }
        return keras.saving.serialize_keras_object({**players, **self.rules})

    def compile_from_config(self, config):
        """Compile as the model that was saved; its optimizers are built, so that their moments can be restored."""
        options, extractors = keras.saving.deserialize_keras_object(config), {}
        for metric in options.get("metrics", ()):  # what several share was saved once, and is loaded once
            if hasattr(metric, "extractor_sha256"):
                metric.extractor = extractors.setdefault(metric.extractor_sha256, metric.extractor)
        self.compile(**options)

    # --- playing -------------------------------------------------------------------------------------------------

    def descend(self, play, batch):
        """Play the game on a batch and let every player step down its own loss: the only place that moves a weight.

        Args:
            play: a function of a batch that returns {name: scalar}; it may be called several times, each time on its
                own slice and with fresh noise. What starts with a player's name is a loss of that player; the rest is
                reported. A player without a loss rests.
            batch: tensors whose first axis is the sample.

        Returns:
            The logs: {name: mean over the epoch so far}.
        """
        k = self.rules["discriminator_steps"]
        # Interleaved parts: a replica holds a contiguous piece of the batch, so its rounds are the same on any number.
        *earlier, last = [keras.tree.map_structure(lambda x, i=i: x[i::k], batch) for i in range(k)]
        for part in earlier:
            self.take(play, part, ["discriminator"])
        if self.rules["alternate"]:
            values = self.take(play, last, ["discriminator"])
            replayed = self.take(play, last, ["generator"])
            values = {n: replayed[n] if n.startswith("generator") else value for n, value in values.items()}
        else:
            values = self.take(play, last, ["discriminator", "generator"])
        self.follow(ops.shape(keras.tree.flatten(batch)[0])[0] * replicas.replica()[1])
        return self.report(values)

    def take(self, play, batch, names):
        """One step of each named player down its own loss; returns what `play` returned."""
        optimizers = {"generator": self.optimizer, "discriminator": self.discriminator_optimizer}
        players = {name: (self.learning(name), optimizers[name]) for name in names}
        values, slopes = gradients.of_players(lambda: play(batch), players)
        for name, slope in slopes.items():
            weights, optimizer = players[name]
            optimizer.apply(slope, weights)
            networks.iterate(getattr(self, name))
        return values

    def learning(self, player):
        """The weights that a player moves."""
        if player == "generator":
            return self.generator.trainable_variables
        return self.thawed(self.rules["freeze_discriminator"])

    def thawed(self, frozen):
        """D's weights, but for those of its first `frozen` layers."""
        return networks.thawed(self.discriminator, frozen)

    def follow(self, count):
        """Move the average towards the generator: every weight, BatchNorm statistics too; faster in the first steps.

        Args:
            count: images of this step, of all replicas.
        """
        self.step.assign_add(1)
        step, momentum = ops.cast(self.step, "float32"), self.average_momentum
        if self.average_half_life is not None:
            momentum = 0.5 ** (ops.cast(count, "float32") / self.average_half_life)
        rate = 1 - ops.minimum(momentum, (1 + step) / (10 + step))
        for mean, now in zip(self.average.weights, self.generator.weights, strict=True):
            mean.assign(mean + rate * (ops.cast(ops.stop_gradient(now), "float32") - mean))

    def scores(self, images, labels=None, *, discriminator=None, seed=None):
        """The only door to D: augmentation, instance noise, packing, the discriminator; float32 (batch / pack, 1).

        `labels` are one-hot, (batch, classes), where there are classes. Of several discriminators one is passed, with
        its own stream of draws.
        """
        discriminator, seed = discriminator or self.discriminator, seed or self.random
        if self.rules["augment"] is not None:
            images = self.rules["augment"](images, seed)
        if self.rules["instance_noise"] is not None:
            deviation = self.scheduled(self.rules["instance_noise"])
            images = images + deviation * self.draw(images, ops.shape(images)[1:], "normal", seed)
        judged = networks.packed(images, self.pack)
        labels = [] if labels is None else [ops.reshape(labels, (-1, self.pack * self.classes))]

        def scores(judged):
            return ops.cast(discriminator(networks.together(judged, *labels), training=True), "float32")

        alone = self.rules["penalty"] is None and networks.judges_alone(discriminator)
        return gradients.once(scores, judged) if alone else scores(judged)

    def judge(self, scores, real, fake, seed=None):
        """(real scores, fake scores, the compiled gradient penalty: a scalar, 0 without one), from one pass of D."""
        if self.rules["penalty"] is None:
            return scores(real), scores(fake), ops.zeros(())
        mix = (self.draw(real, (1, 1, 1), "uniform", seed) + 1) / 2
        return self.rules["penalty"](scores, real, fake, mix, self.step)

    def discriminator_loss(self, real_scores, fake_scores, mismatched_scores=None):
        """D's loss under the compiled rules: with smoothed labels; of mismatched pairs too, where they are played."""
        options = {"smoothing": self.rules["label_smoothing"]} if self.loss.smooths else {}
        loss = self.loss.discriminator(real_scores, fake_scores, **options)
        if mismatched_scores is None:
            return loss
        share = self.rules["mismatched"]
        return (1 - share) * loss + share * self.loss.discriminator(real_scores, mismatched_scores, **options)

    def odds(self, real_scores, fake_scores):
        """How often D is right: near 0.5 the game is even. Of pairs, where scores mean something only in comparison."""
        if self.loss.boundary is None:
            right = {"pair_accuracy": real_scores > fake_scores}
        else:
            right = {
                "real_accuracy": real_scores > self.loss.boundary,
                "fake_accuracy": fake_scores < self.loss.boundary,
            }
        return {name: ops.mean(ops.cast(value, "float32")) for name, value in right.items()}

    def scheduled(self, value):
        """A number, or a schedule's value at this step."""
        return value(self.step) if callable(value) else value

    # --- using ---------------------------------------------------------------------------------------------------

    def export(self, filepath, format=None, **options):
        """Write the averaged generator for use elsewhere, checked: see `kerasgan.export.export`."""
        from kerasgan.export import export  # it imports TensorFlow, which the torch backend lives without

        return export(self, filepath, format=format, **options)
