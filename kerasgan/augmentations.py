"""What D sees of an image, real or generated, changed at random so that it cannot learn the data by heart.

    >>> model.compile(augment=kerasgan.augmentations.DiffAugment("translation", "cutout"))

Every operation is differentiable, twice too, so that G learns through it and gradient penalties hold.
"""

import keras
from keras import ops

from kerasgan import names, replicas


@keras.saving.register_keras_serializable("kerasgan")
class DiffAugment:
    """Differentiable augmentation (Zhao et al. 2020, section 3.2), with the authors' ranges; each image its own draw.

    "color": brightness + U(-0.5, 0.5), saturation x U(0, 2), contrast x U(0.5, 1.5); of grey images saturation changes
    nothing. "translation": up to 1/8 of each side, zeros (mid-grey) coming in. "cutout": a square of half the sides
    becomes zeros. In that order.

    Args:
        policy: which of them; all three without arguments.

    Raises:
        ValueError: an unknown name, or one given twice.
    """

    def __init__(self, *policy):
        for name in policy:
            names.check_choice("augmentation", name, POLICIES)
        if len(set(policy)) < len(policy):
            raise ValueError(f"Each augmentation at most once; saw {', '.join(policy)}.")
        self.policy = [name for name in POLICIES if name in policy or not policy]

    def __call__(self, images, seed):
        """Images (batch, height, width, channels) in [-1, 1] to images of that shape; color leaves the range.

        Args:
            seed: a `keras.random.SeedGenerator`.

        Raises:
            ValueError: the sides are not known when the step is compiled.
        """
        if None in images.shape[1:]:
            raise ValueError(
                f"DiffAugment moves images of one size; saw {images.shape}: compile() anew for another size."
            )
        for name in self.policy:
            images = POLICIES[name](images, seed)
        return images

    def get_config(self):
        """The policy."""
        return {"policy": self.policy}

    @classmethod
    def from_config(cls, config):
        """The augmentation that `get_config` described."""
        return cls(*config["policy"])


def color(images, seed):
    """Brightness, saturation and contrast."""
    images = images + drawn(images, -0.5, 0.5, seed)
    grey = ops.mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * drawn(images, 0.0, 2.0, seed)
    middle = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return middle + (images - middle) * drawn(images, 0.5, 1.5, seed)


def translation(images, seed):
    """Shifted by up to an eighth of each side."""
    return shifted(images, seed, *(int(side / 8 + 0.5) for side in images.shape[1:3]))


def shifted(images, seed, rows, columns):
    """Shifted by whole pixels, up to so many rows and columns, zeros coming in.

    A product with a shift matrix: it has derivatives of every order, and XLA compiles it.
    """
    for axis, most, subscripts in ((1, rows, "nij,njwc->niwc"), (2, columns, "nij,nhjc->nhic")):
        side = images.shape[axis]
        shift = ops.floor(drawn(images, -most, most + 1, seed)[:, :, :, 0])
        places = ops.arange(side, dtype="float32")
        from_where = ops.reshape(places, (1, side, 1)) + shift
        moved = ops.cast(from_where == ops.reshape(places, (1, 1, side)), images.dtype)
        images = ops.einsum(subscripts, moved, images)
    return images


def mirrored(images, seed):
    """Half of them left for right."""
    return ops.where(drawn(images, 0.0, 1.0, seed) < 0.5, images, ops.flip(images, axis=2))


def cutout(images, seed, *ratios):
    """Without a rectangle, whose middle lies anywhere, of so much of height and width: half of both by default."""
    inside = []
    for axis, ratio in zip((1, 2), ratios or (0.5, 0.5), strict=True):
        side = images.shape[axis]
        size = int(side * ratio + 0.5)
        first = ops.floor(drawn(images, 0, side + 1 - size % 2, seed)) - size // 2
        shape = [1, 1, 1, 1]
        shape[axis] = side
        places = ops.reshape(ops.arange(side, dtype="float32"), shape)
        inside.append((places >= first) & (places < first + size))
    return ops.where(inside[0] & inside[1], ops.zeros_like(images), images)


def drawn(images, low, high, seed):
    """A number of [low, high) for each image: (batch, 1, 1, 1)."""
    return replicas.share(lambda n: keras.random.uniform((n, 1, 1, 1), low, high, seed=seed), ops.shape(images)[0])


POLICIES = {"color": color, "translation": translation, "cutout": cutout}
