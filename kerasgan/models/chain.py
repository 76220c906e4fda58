"""What a chain of levels can do once it has learnt: images of every size from noise, and detail for small ones."""

import keras
import numpy as np
from keras import ops

from kerasgan import data, pyramid
from kerasgan.images import in_contract, to_float, to_uint8
from kerasgan.models import levels, networks
from kerasgan.models.generative import Generative


class Chain(Generative):
    """A model whose generator is `levels.chain`, and whose discriminator `levels.judges`; `LAPGAN` trains it."""

    @property
    def sizes(self):
        """The heights of the levels, coarse to fine."""
        names = (layer.name for layer in self.generator.layers)
        return [int(name.removeprefix("generator_")) for name in names if name.startswith("generator_")]

    def level(self, player, level):
        """The network of a player at a level."""
        return getattr(self, player).get_layer(f"{player}_{self.sizes[level]}")

    def adapt(self, images):
        """Find the residuals' deviation at every level, of images as `fit` takes them; `fit` does so once by itself.

        Raises:
            ValueError: no images, or such as `fit` refuses.
        """
        images = to_float(in_contract(images, self.image_shape))
        if not len(images):
            raise ValueError("adapt looks at images, at least one; saw none.")
        parts = pyramid.split(ops.convert_to_tensor(images), len(self.sizes) - 1)
        found = {f"scale_{size}": part for size, part in zip(self.sizes, parts, strict=True)}
        for network in (self.generator, self.average, self.discriminator):
            for layer in networks.layers_of(network):
                if isinstance(layer, levels.ResidualScale):
                    layer.deviation.assign(ops.maximum(ops.std(found[layer.name]), 0.01))  # flat images have none

    def prepare(self, x):
        """Adapt to the data, once."""
        if all(float(ops.convert_to_numpy(self.deviation(i))) == 1 for i in range(1, len(self.sizes))):
            self.adapt(data.some(x, 2048))

    def deviation(self, level):
        """The residuals' deviation at a level above the smallest: a variable."""
        return self.generator.get_layer(f"scale_{self.sizes[level]}").deviation

    def inputs_of(self, seed, indices, labels=None):
        """As `Generative.inputs_of`; without labels images are of no class, if labels were hidden in training."""
        if labels is None and self.conditional and self.label_dropout:
            latents = self.latents_of(seed, indices)
            return latents, np.zeros((len(latents), self.classes), "float32")
        return super().inputs_of(seed, indices, labels)

    def generate(self, n=None, seed=None, *, labels=None, batch_size=256, return_pyramid=False):
        """Draw `n` images, as `Generative.generate`; where labels were hidden in training, of no class without labels.

        Args:
            return_pyramid: give the images of every level, coarse to fine: a list of arrays.
        """
        if not return_pyramid:
            return super().generate(n, seed, labels=labels, batch_size=batch_size)
        every = keras.Model(self.average.inputs, [self.average.get_layer(f"image_{s}").output for s in self.sizes])
        drawn = []
        for inputs in self.batches(n, seed, labels, batch_size):
            drawn.append([images[: len(inputs[0])] for images in every.predict_on_batch(list(inputs))])
        return [to_uint8(np.concatenate(images)) for images in zip(*drawn, strict=True)]

    def refine(self, images, from_level=None, seed=None, *, labels=None, batch_size=256):
        """Draw the detail of small images: the levels above theirs, from noise.

            >>> model.refine(thumbnails, seed=7).shape           # thumbnails: (5, 8, 8, 3)
            (5, 32, 32, 3)

        Args:
            images: (n, height, width, channels) of a level below the last: uint8, or floats in [-1, 1].
            from_level: the height of that level, if it is to be checked. seed, labels, batch_size: as in `generate`.

        Returns:
            uint8 array (n, *image_shape).

        Raises:
            ValueError: images of a size that no level has, or what `generate` refuses.
        """
        seen, images = np.shape(images), ops.convert_to_numpy(to_float(in_contract(images)))
        shapes = levels.shapes_of(self.image_shape, self.sizes[0])
        if images.shape[1:] not in shapes[:-1] or from_level not in (None, images.shape[1]):
            known = " or ".join(str(shape) for shape in shapes[:-1])
            raise ValueError(
                f"refine takes images of {known}; saw {seen}, of (n, height, width, channels), with"
                f" from_level={from_level}."
            )
        if not len(images):
            raise ValueError("refine takes images, at least one; saw none.")
        if self.conditional and labels is None and not self.label_dropout:
            raise ValueError(
                f"This LAPGAN always draws of a class: refine needs labels, one for each of {len(images)}."
            )
        level = shapes.index(images.shape[1:])
        network, parts = levels.above(self.average, shapes, self.config["latent_size"], level), []
        for inputs in self.batches(len(images), seed, labels, batch_size):
            small = images[len(parts) * batch_size :][: len(inputs[0])]
            parts.append(network.predict_on_batch([small, *inputs])[: len(small)])
        return to_uint8(np.concatenate(parts))
