"""Pictures and the same ones made smaller, for super-resolution: random crops, a function of (seed, step) alone."""

import hashlib
import io

import keras
import numpy as np

from kerasgan import names, random
from kerasgan.data.dataset import Stream, pipeline
from kerasgan.resampling import imresize

SCALES = (2, 3, 4)


class Pictures(keras.utils.PyDataset):
    """Whole pictures (low, high), one a batch, in their order: to measure with.

        >>> model.evaluate(pictures_from_folder("Set5", scale=4))

    Args:
        high: pictures, uint8 (height, width, channels), of any sizes. low: the same, `scale` times smaller; None makes
            them (`resampling.imresize`, bicubic as MATLAB's).
        scale: 2, 3 or 4. names: of the pictures, for what is said of them.

    Raises:
        ValueError: no pictures, channels that differ, or a low picture of another size than high / scale.
    """

    def __init__(self, high, low=None, *, scale=4, names=None, least=1):
        super().__init__()
        check_scale(scale)
        if not len(high):
            raise ValueError("There are no pictures: nothing can be learnt or measured with none.")
        for name, others in dict(low=low, names=names).items():
            if others is not None and len(others) != len(high):
                raise ValueError(f"{name} has {len(others)} for {len(high)} high pictures: give one for each.")
        names = [f"picture {i}" for i in range(len(high))] if names is None else list(names)
        self.high = [whole(image, name, scale, least) for image, name in zip(high, names, strict=True)]
        if len(shapes := {image.shape[2] for image in self.high}) > 1:
            raise ValueError(f"The pictures have {sorted(shapes)} channels: give all the same (channels=3).")
        if low is None:
            self.low = [imresize(image, scale=1 / scale) for image in self.high]
        else:
            every = zip(low, high, self.high, names, strict=True)
            self.low = [matching(small, large, kept, name, scale) for small, large, kept, name in every]
        self.scale, self.names = scale, names

    @property
    def images(self):
        """The high pictures."""
        return self.high

    @property
    def channels(self):
        """Of every picture."""
        return self.high[0].shape[2]

    @property
    def fingerprint(self):
        """A SHA-256 over all pictures, high and low: which data these are."""
        digest = hashlib.sha256(f"{self.scale}".encode())
        for image in (*self.high, *self.low):
            digest.update(f"{image.shape}".encode())
            digest.update(np.ascontiguousarray(image))
        return digest.hexdigest()

    def __len__(self):
        return len(self.high)

    def __getitem__(self, index):
        return self.low[index][None], self.high[index][None]


class Pairs(Pictures):
    """Batches (low, high) of crops out of pictures, each turned and mirrored in one of eight ways.

        >>> pairs = pairs_from_folder("photos", scale=4, crop=96, batch_size=16)
        >>> low, high = pairs.batch(0)                  # uint8 (16, 24, 24, 3) and (16, 96, 96, 3)
        >>> model.fit(pairs, epochs=10)

    Every picture comes as often as the others: once in each pass over them. Low pictures are made once, whole, so that
    a crop inside has no border; "mild" spoils each crop anew.

    Args:
        high, low, scale, names: as `Pictures`.
        crop: side of a high crop, a multiple of the scale.
        batch_size: crops. steps: of an epoch; None: 16 crops of each picture.
        degradation: "bicubic", or "mild": blur, noise and JPEG as well, as in pictures from a camera.
        seed: of all that is drawn; None draws one.

    Raises:
        ValueError: what `Pictures` refuses, a picture smaller than the crop, or an option out of range.
    """

    def __init__(
        self, high, low=None, *, scale=4, crop=96, batch_size=16, steps=None, degradation="bicubic", seed=0, names=None
    ):
        check_options(scale, crop, batch_size, steps, degradation)
        if low is not None and degradation != "bicubic":
            raise ValueError(f'degradation="{degradation}" makes low pictures, and these were given: leave one out.')
        super().__init__(high, low, scale=scale, names=names, least=crop)
        self.crop, self.batch_size, self.degradation = crop, batch_size, degradation
        self.seed, self.steps = random.seed_of(seed), steps or -(-16 * len(self.high) // batch_size)

    @property
    def image_shape(self):
        """(height, width, channels) of a high crop."""
        return self.crop, self.crop, self.channels

    @property
    def fingerprint(self):
        """A SHA-256 over all pictures, high and low, and what is done to them: which data these are."""
        return hashlib.sha256(f"{super().fingerprint}{self.degradation}".encode()).hexdigest()

    def __len__(self):
        return self.steps

    def __getitem__(self, index):
        return self.batch(index)

    def stream(self, start=0):
        """All batches from step `start` on, without end: for `fit` with steps_per_epoch."""
        return pipeline(self, start) if keras.backend.backend() == "tensorflow" else Stream(self, start)

    def batch(self, step):
        """The (low, high) crops of a step, counted over all epochs: the same whenever it is asked for."""
        rng = np.random.default_rng([self.seed, 1, step])
        drawn = [self.pair(self.picture(step * self.batch_size + i), rng) for i in range(self.batch_size)]
        return tuple(np.stack(crops) for crops in zip(*drawn, strict=True))

    def picture(self, i):
        """The number of the picture that the i-th crop of the training is of: all in a new order in every pass."""
        passed, place = divmod(i, len(self.high))
        return np.random.default_rng([self.seed, 0, passed]).permutation(len(self.high))[place]

    def pair(self, i, rng):
        """A crop of a picture, (low, high), turned the same way."""
        small, side = self.low[i], self.crop // self.scale
        y, x = (rng.integers(0, length - side + 1) for length in small.shape[:2])
        low = small[y : y + side, x : x + side]
        high = self.high[i][y * self.scale :, x * self.scale :][: self.crop, : self.crop]
        way = rng.integers(8)
        low, high = turned(low, way), turned(high, way)
        return (spoilt(high, self.scale, rng) if self.degradation == "mild" else low), high


def turned(image, way):
    """One of the eight ways to lay a square: four quarter turns, each mirrored or not."""
    image = np.rot90(image, way % 4)
    return np.ascontiguousarray(image[:, ::-1] if way >= 4 else image)


def spoilt(high, scale, rng):
    """A small picture as a camera might have left it: blurred by up to a pixel, made smaller, with noise of up to four
    grey levels, and stored as a JPEG of quality 60 to 95.
    """
    from PIL import Image, ImageFilter

    grey = high.shape[2] == 1
    picture = Image.fromarray(high[..., 0] if grey else high).filter(ImageFilter.GaussianBlur(rng.uniform(0, 1)))
    small = imresize(np.asarray(picture).reshape(high.shape), scale=1 / scale)
    noisy = np.clip(np.round(small + rng.normal(0, rng.uniform(0, 4), small.shape)), 0, 255).astype("uint8")
    file = io.BytesIO()
    Image.fromarray(noisy[..., 0] if grey else noisy).save(file, "JPEG", quality=int(rng.integers(60, 96)))
    return np.asarray(Image.open(file)).reshape(small.shape)


def check_options(scale, crop, batch_size, steps, degradation):
    """Refuse what makes no pairs."""
    check_scale(scale)
    for name, value in {"crop": crop, "batch_size": batch_size, **({} if steps is None else {"steps": steps})}.items():
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
            raise ValueError(f"{name} is an integer of at least 1; saw {value!r}.")
    if crop % scale:
        raise ValueError(f"crop is a multiple of scale={scale}; saw {crop}: choose {crop - crop % scale or scale}.")
    names.check_choice("degradation", degradation, ("bicubic", "mild"))


def check_scale(scale):
    """Refuse another scale than those of `SCALES`."""
    if type(scale) is not int or scale not in SCALES:
        raise ValueError(f"scale is 2, 3 or 4; saw {scale!r}.")


def whole(image, name, scale, crop):
    """A high picture, cut at the right and below to a multiple of the scale."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
        raise ValueError(f"{name}: a picture is uint8 (height, width, 1 or 3); saw {image.dtype} {image.shape}.")
    height, width = (side - side % scale for side in image.shape[:2])
    if min(height, width) < crop:
        what = f"the crop of {crop}: take it out, or choose a smaller crop" if crop > 1 else f"the scale of {scale}"
        raise ValueError(f"{name} is {image.shape[1]}x{image.shape[0]}, smaller than {what}.")
    return image[:height, :width]


def matching(low, high, kept, name, scale):
    """A low picture, cut as its high one was, whose size it has to match; a low side may be rounded up."""
    low, (height, width) = np.asarray(low), np.asarray(high).shape[:2]
    wanted = [{side // scale, -(-side // scale)} for side in (height, width)]
    if not all(side in sides for side, sides in zip(low.shape[:2], wanted, strict=True)):
        raise ValueError(f"{name} is {width}x{height} and its low picture {low.shape[1]}x{low.shape[0]}, which is not"
                         f" {scale} times smaller: {width // scale}x{height // scale}.")  # fmt: skip
    return whole(low[: kept.shape[0] // scale, : kept.shape[1] // scale], f"the low picture of {name}", 1, 1)
