"""Games whose generator draws images from latents: sampled, measured, exported, always from its average."""

import keras
import numpy as np
from keras import ops

from kerasgan import data, names, random, replicas
from kerasgan.images import to_float, to_uint8
from kerasgan.models import networks, rules
from kerasgan.models.adversarial import Adversarial


class Generative(Adversarial):
    """A game of images drawn from latents, of a class or of none.

    Labels are integers outside, and vectors with a 1 at the class (one-hot) where a network takes them.

    Args:
        latent_distribution: "normal", or "uniform" in [-1, 1).
        The rest is `Adversarial`'s. Where there are classes both networks have a second input, one-hot labels (batch,
        classes); of a packed discriminator (batch, pack * classes).
    """

    label_dropout = 0.0  # the share of labels that were hidden in training: above 0 it draws of no class too

    def __init__(self, generator, discriminator, *, latent_distribution="normal", **kwargs):
        names.check_choice("latent_distribution", latent_distribution, random.DISTRIBUTIONS)
        super().__init__(generator, discriminator, **kwargs)
        self.latent_distribution = latent_distribution
        self.latent_shape = tuple(self.generator.inputs[0].shape[1:])

    def agree(self, image_shape=None, latent_size=None, classes=None):
        """What a variant's constructor was asked for is what its networks have; begins the variant's `config`.

        Raises:
            ValueError: it is not, for a network of the caller's own has another shape or number.
        """
        rules.check_asked("image_shape", image_shape, self.image_shape)
        rules.check_asked("latent_size", latent_size and (latent_size,), self.latent_shape)
        rules.check_asked("classes", classes, self.classes)
        length = self.latent_shape[0] if len(self.latent_shape) == 1 else None
        classes = {} if self.classes is None else {"classes": self.classes}
        self.config = {"image_shape": self.image_shape, "latent_size": length, **classes}

    def get_config(self):
        """As `Adversarial.get_config`."""
        return super().get_config() | {"latent_distribution": self.latent_distribution}

    @property
    def conditional(self):
        """Whether images are drawn, and judged, with labels."""
        return self.classes is not None

    # --- sampling ------------------------------------------------------------------------------------------------

    def call(self, inputs, training=False):
        """Images of the average: latents (batch, *latent_shape) to float32 (batch, height, width, channels).

        A conditional model takes [latents, one-hot labels (batch, classes)].
        """
        return replicas.applied(self.average, inputs)

    def generate(self, n=None, seed=None, *, labels=None, batch_size=256):
        """Draw `n` images; image i depends on (seed, i) and its label alone, on any batch size, backend or device.

            >>> kerasgan.load("dcgan_mnist").generate(16, seed=7).shape
            (16, 28, 28, 1)
            >>> CGAN.modern((28, 28, 1), classes=10).generate(labels=[3, 1, 4]).shape
            (3, 28, 28, 1)

        Args:
            n: how many, at least 1; a conditional model may be given labels instead.
            seed: an integer in [0, 2**31); None draws one, kept in `model.last_seed`.
            labels: of a conditional model, the class of each image, integers in [0, classes); without them image i is
                of class i mod classes. Others take none.
            batch_size: how many at a time; it changes no image.

        Returns:
            uint8 array (n, height, width, channels).

        Raises:
            ValueError: n or batch_size is no integer of at least 1, no such seed, or labels that are not `n` of the
                model's classes.
        """
        return np.concatenate([self.sample(*inputs) for inputs in self.batches(n, seed, labels, batch_size)])

    def batches(self, n, seed, labels, batch_size):
        """What the network is given to generate, a batch at a time; Args and Raises as in `generate`."""
        labels = rules.checked_labels(self, n, labels, batch_size)
        n = len(labels) if n is None else n
        self.last_seed = seed = random.seed_of(seed)
        for start in range(0, n, batch_size):
            part = range(start, min(start + batch_size, n))
            yield self.inputs_of(seed, part, None if labels is None else labels[part.start : part.stop])

    def inputs_of(self, seed, indices, labels=None):
        """What `generate` gives the network for images number `indices`: (latents,), or (latents, one-hot labels)."""
        latents = self.latents_of(seed, indices)
        if not self.conditional:
            return (latents,)
        labels = np.asarray(indices) % self.classes if labels is None else labels
        return latents, np.eye(self.classes, dtype="float32")[labels]

    def latents_of(self, seed, indices):
        """The latents that `generate` gives images number `indices`: float32 (len(indices), *latent_shape)."""
        rows = random.DISTRIBUTIONS[self.latent_distribution](seed, indices, int(np.prod(self.latent_shape)))
        return rows.reshape(len(indices), *self.latent_shape)

    def sample(self, *inputs):
        """The images of latents (batch, *latent_shape), and one-hot labels if the model has classes, as uint8."""
        n = len(inputs[0])
        images = self.predict_on_batch(networks.together(*inputs))
        return to_uint8(images[:n])  # under a strategy every replica answers: the first is enough

    # --- noise and images of a batch ----------------------------------------------------------------------------

    def latents(self, like, seed=None):
        """Fresh latents for each sample of `like`: (batch, *latent_shape)."""
        return self.draw(like, self.latent_shape, self.latent_distribution, seed)

    @staticmethod
    def images(data):
        """The images of a batch, float32 in [-1, 1]; labels and weights, if any, are left."""
        return to_float(keras.utils.unpack_x_y_sample_weight(data)[0])

    def labelled(self, data):
        """(images, one-hot labels) of a batch: float32 in [-1, 1], and (batch, classes).

        A label out of range becomes NaN, and stops the training: no program looks at all that a stream brings.
        """
        labels = keras.utils.unpack_x_y_sample_weight(data)[1]
        if labels is None:
            raise ValueError(rules.unlabelled(self))
        known = ops.expand_dims((labels >= 0) & (labels < self.classes), -1)
        return self.images(data), ops.where(known, ops.one_hot(labels, self.classes), float("nan"))

    def mismatched(self, real, labels=None):
        """D's scores of real images under a class not theirs, one of the others by chance; None where not played."""
        if not self.rules["mismatched"]:
            return None
        others = self.draw(real, (self.classes,), "uniform") - 2 * labels  # in [-1, 1): its own is never the largest
        return self.scores(real, ops.one_hot(ops.argmax(others, axis=-1), self.classes))

    # --- measuring -----------------------------------------------------------------------------------------------

    def trained_on(self, x, y=None, **options):
        """(checked images to train on, batch size); Args: as `data.dataset_of`."""
        rules.check_labels(self, y)
        return data.dataset_of(
            x, y, seed=self.seed, image_shape=self.image_shape, check_labels=self.check_labelled, **options
        )

    def measured(self, x, y=None, value_range=None):
        """Checked (images, labels, batch size); whole, for a Dataset would drop its remainder."""
        rules.check_labels(self, y)
        options = dict(value_range=value_range, image_shape=self.image_shape, check_labels=self.check_labelled)
        x, size = data.dataset_of(x, y, **options)
        if not isinstance(x, data.Dataset):
            return x, y, size
        return x.images, x.labels if self.conditional else None, size  # they say nothing to an unconditional model

    def check_labelled(self, labels):
        """Refuse images without the labels that a conditional model needs, or with others; None is none.

        To an unconditional model those of a data set say nothing.
        """
        if not self.conditional:
            return
        if labels is None:
            raise ValueError(rules.unlabelled(self))
        rules.check_labels(self, labels)

    def test_step(self, data):
        """Feed the metrics with a batch of real images and as many fresh samples of the average."""
        real, *labels = self.labelled(data) if self.conditional else (self.images(data),)
        latents = self.latents(real, seed=self.evaluation)
        fake = self(networks.together(latents, *labels))
        if labels:  # one out of range is NaN, of which a ReLU may make a picture: this does not
            fake += ops.reshape(0 * ops.sum(labels[0], axis=-1), (-1, 1, 1, 1))
        for measure in self.measures:
            measure.update_state(real, fake)
        # Placeholders: a result such as a Frechet distance is worth computing once, at the end.
        return networks.shaped({measure.name: ops.zeros(()) for measure in self.measures})
