"""The same numbers as Keras metrics of images that arrive in batches: for `compile(metrics=[...])`.

>>> model.compile(metrics=[FrechetDistance(extractor), Coverage(extractor)])
>>> best = keras.callbacks.ModelCheckpoint("best.keras", monitor="val_frechet_distance", save_best_only=True)
>>> model.fit(images, validation_data=held_out, callbacks=[best])

`update_state` may run inside a compiled step; `result` is NumPy and runs on the host, once at the end.
"""

import keras
from keras import ops

from kerasgan import replicas
from kerasgan.images import to_float
from kerasgan.metrics.coverage import density_coverage
from kerasgan.metrics.features import check_shape, fingerprint
from kerasgan.metrics.fidelity import PEAK
from kerasgan.metrics.frechet import frechet_from_moments
from kerasgan.metrics.kernel import kernel_distance


class Streaming(keras.metrics.Metric):
    """What all have in common: an extractor, two sides, and nothing kept that grows with the number of images.

    What is saved of the extractor inside a config is its architecture and the fingerprint of its weights; `result`
    refuses an extractor with other weights.

    Args:
        extractor: a Keras model from float images in [-1, 1] to features (batch, d).
        name: in the logs; the class's own by default.
        extractor_sha256: the fingerprint that the extractor must have; None takes it as it is.

    Raises:
        ValueError: an extractor without (batch, d) features, or with other weights than the fingerprint says.
    """

    called = None  # the name by default
    shapes = {}  # {what is kept of a side: (shape without d, how often d follows, dtype)}

    def __init__(self, extractor, name=None, extractor_sha256=None, **kwargs):
        super().__init__(name=name or self.called, **kwargs)
        check_shape(extractor, extractor.input_shape)
        self.extractor, self.extractor_sha256 = extractor, extractor_sha256
        self.real, self.fake = self.kept("real"), self.kept("fake")

    def kept(self, side):
        """The variables of one side, {what: variable}."""
        d = self.extractor.output_shape[-1]
        return {
            what: self.add_variable((*shape, *[d] * times), "zeros", dtype=dtype, name=f"{side}_{what}")
            for what, (shape, times, dtype) in self.shapes.items()
        }

    def update_state(self, real, fake):
        """Add a batch of real and one of fake images: uint8, or floats in [-1, 1]; the two may differ in number."""
        for side, images in ((self.real, real), (self.fake, fake)):
            check_shape(self.extractor, images.shape)
            images = to_float(images)
            features = ops.stop_gradient(replicas.applied(self.extractor, images))
            broken = ops.any(ops.isnan(ops.reshape(images, (ops.shape(images)[0], -1))), axis=1, keepdims=True)
            self.add(side, ops.where(broken, float("nan"), features))  # ReLU and pooling may make numbers of NaN

    def result(self):
        """The number, a float; NaN before the first images, as there is nothing to compare."""
        # By way of a tensor, which under a strategy is the sum over replicas.
        sides = [
            {what: ops.convert_to_numpy(ops.convert_to_tensor(variable)) for what, variable in side.items()}
            for side in (self.real, self.fake)
        ]
        if not any(side["n"] for side in sides):
            return float("nan")
        self.check_extractor()
        return float(self.compare(*sides))

    def check_extractor(self):
        """Raise ValueError if the extractor's weights are not those that the fingerprint was taken of."""
        seen = fingerprint(self.extractor)
        if self.extractor_sha256 not in (None, seen):
            raise ValueError(
                f"The extractor's weights have SHA-256 {seen[:12]}..., expected {self.extractor_sha256[:12]}...: "
                "a config holds no weights, so load them into `metric.extractor` before measuring."
            )

    def get_config(self):
        """Name, architecture and fingerprint of the extractor; not its weights."""
        return {
            **super().get_config(),
            "extractor": keras.saving.serialize_keras_object(self.extractor),
            "extractor_sha256": self.extractor_sha256 or fingerprint(self.extractor),
        }

    @classmethod
    def from_config(cls, config):
        """The metric again; its extractor's weights are still to be loaded."""
        return cls(**{**config, "extractor": keras.saving.deserialize_keras_object(config["extractor"])})


@keras.saving.register_keras_serializable("kerasgan")
class FrechetDistance(Streaming):
    """`frechet_distance` from float64 sums, which add up over batches and replicas: no size of batch changes it."""

    called = "frechet_distance"
    shapes = {"n": ((), 0, "float64"), "sum": ((), 1, "float64"), "outer": ((), 2, "float64")}

    def add(self, side, x):
        """Add features (batch, d) to the sums of a side."""
        x = ops.cast(x, "float64")
        side["n"].assign(side["n"] + ops.cast(ops.shape(x)[0], "float64"))
        side["sum"].assign(side["sum"] + ops.sum(x, axis=0))
        side["outer"].assign(side["outer"] + ops.transpose(x) @ x)  # on torch ops.matmul rounds float64 to float32

    def compare(self, real, fake):
        """The distance of two sides."""
        return frechet_from_moments(tuple(real.values()), tuple(fake.values()))


class OfClouds(Streaming):
    """A number of the features themselves: those of the first 10,000 images of a side are kept, as protocols have it.

    On one replica: rows of several would not add up.
    """

    capacity = 10_000
    shapes = {"n": ((), 0, "int32"), "rows": ((capacity + 1,), 1, "float32")}  # the last row: what no longer fits

    def add(self, side, x):
        """Keep features (batch, d), as far as there is room."""
        if replicas.replica()[1] > 1:
            raise NotImplementedError(f"{self.name} needs all features in one place: use FrechetDistance on replicas.")
        batch = ops.shape(x)[0]
        places = ops.minimum(side["n"] + ops.arange(batch, dtype="int32"), self.capacity)
        side["rows"].assign(ops.scatter_update(side["rows"], ops.expand_dims(places, 1), ops.cast(x, "float32")))
        side["n"].assign(ops.minimum(side["n"] + batch, self.capacity))

    def compare(self, real, fake):
        """The number of two sides."""
        return self.of(*(side["rows"][: side["n"]] for side in (real, fake)))


@keras.saving.register_keras_serializable("kerasgan")
class KernelDistance(OfClouds):
    """`kernel_distance`, of 100 subsets of 1,000 images, or of all where there are fewer."""

    called = "kernel_distance"

    @staticmethod
    def of(real, fake):
        """Of two clouds of features."""
        return kernel_distance(real, fake, subset_size=min(1000, len(real), len(fake)))


@keras.saving.register_keras_serializable("kerasgan")
class Density(OfClouds):
    """`density_coverage`'s first number: how deep the fakes lie among the real; k is 5."""

    called = "density"

    @staticmethod
    def of(real, fake):
        """Of two clouds of features."""
        return density_coverage(real, fake)[0]


@keras.saving.register_keras_serializable("kerasgan")
class Coverage(OfClouds):
    """`density_coverage`'s second number: the share of real images that have a fake near; k is 5."""

    called = "coverage"

    @staticmethod
    def of(real, fake):
        """Of two clouds of features."""
        return density_coverage(real, fake)[1]


@keras.saving.register_keras_serializable("kerasgan")
class PSNR(keras.metrics.Mean):
    """The mean over pictures of their PSNR in dB, as `fidelity` under STANDARD: of the luma (BT.601) of rounded pixels.

        >>> model.compile(metrics=[PSNR(crop=4)])
        >>> model.evaluate(kerasgan.data.pictures_from_folder("Set5", scale=4))

    Args:
        crop: pixels left out at each side; the papers leave out as many as the factor. name: in the logs.
    """

    def __init__(self, crop=4, name="psnr", **kwargs):
        super().__init__(name=name, **kwargs)
        self.crop = crop

    def update_state(self, real, fake, sample_weight=None):
        """Add a batch of real pictures and the upscaled ones: uint8, or floats in [-1, 1]; larger than two borders."""
        real, fake = (self.luma(to_float(images)) for images in (real, fake))
        error = ops.mean(ops.square(real - fake), axis=(1, 2))
        return super().update_state(10 * ops.log10(PEAK**2 / error))

    def luma(self, images):
        """Y of float images, without the border: (batch, h, w)."""
        levels = ops.clip(ops.round((images + 1) * 127.5), 0, 255)
        height, width = ops.shape(levels)[1:3]
        inside = levels[:, self.crop : height - self.crop, self.crop : width - self.crop]
        weights = ops.convert_to_tensor([[65.481, 128.553, 24.966]]) / PEAK  # 16 + is the same on both sides
        return ops.sum(inside * weights, axis=-1)

    def get_config(self):
        """The arguments."""
        return {"name": self.name, "dtype": self.dtype, "crop": self.crop}
