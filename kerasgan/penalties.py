"""Gradient penalties of the discriminator: what needs a second gradient.

    >>> model.compile(loss="relativistic", penalty=kerasgan.penalties.r1_r2(1.0))

A penalty judges as well: it returns D's scores beside itself, so that D passes over the images once and not twice.

Images are float32 in [-1, 1], `(batch, height, width, channels)`. No BatchNorm in D: it mixes the images of a batch,
and the gradient of one image's score is then no longer that image's own.
"""

import keras
from keras import ops

from kerasgan import gradients


def sloped(scores, x):
    """The scores of `x`, and |d scores(x) / dx|^2 per image, summed over pixels: float32 (batch,)."""
    y, slope = gradients.with_slope(scores, x)
    return y, ops.sum(ops.square(ops.cast(slope, "float32")), axis=tuple(range(1, len(slope.shape))))


@keras.saving.register_keras_serializable("kerasgan")
class Penalty:
    """A weight (a number, or a `keras.optimizers.schedules` schedule over steps) times a gradient penalty.

    Args:
        kind: "r1", "r2", "r1_r2" or "gradient_penalty"; use the functions of those names.
        weight: gamma (lambda for `gradient_penalty`), at least 0.

    Raises:
        ValueError: an unknown kind, or a weight that is negative or no number.
    """

    def __init__(self, kind, weight):
        if kind not in KINDS:
            raise ValueError(f"Unknown penalty {kind!r}. There are: {', '.join(KINDS)}.")
        scheduled = isinstance(weight, keras.optimizers.schedules.LearningRateSchedule)
        if not scheduled and not (isinstance(weight, int | float) and 0 <= weight < float("inf")):
            raise ValueError(f"The weight of {kind} is a number >= 0 or a schedule over steps; saw {weight!r}.")
        self.kind, self.weight = kind, weight

    def __call__(self, scores, real, fake, mix, step):
        """Judge real and fake images.

        Args:
            scores: a function, images -> (batch, 1). real, fake: images. step: of the training, an integer.
            mix: uniform in [0, 1), (batch, 1, 1, 1): how much of a real image is in a line's point.

        Returns:
            (real scores, fake scores, the weighted penalty, a scalar).
        """
        weight = self.weight(step) if callable(self.weight) else self.weight
        real_scores, fake_scores, penalty = KINDS[self.kind](scores, real, fake, mix)
        return real_scores, fake_scores, weight * penalty

    def get_config(self):
        """What `Penalty(**config)` needs to make this again."""
        weight = keras.saving.serialize_keras_object(self.weight) if callable(self.weight) else self.weight
        return {"kind": self.kind, "weight": weight}

    @classmethod
    def from_config(cls, config):
        """The penalty that `get_config` described."""
        weight = config["weight"]
        return cls(
            config["kind"], keras.saving.deserialize_keras_object(weight) if isinstance(weight, dict) else weight
        )


def at_real(scores, real, fake, mix):
    """E |grad D(x)|^2 / 2 over real images."""
    real_scores, squares = sloped(scores, real)
    return real_scores, scores(fake), ops.mean(squares) / 2


def at_fake(scores, real, fake, mix):
    """E |grad D(G(z))|^2 / 2 over generated images."""
    fake_scores, squares = sloped(scores, fake)
    return scores(real), fake_scores, ops.mean(squares) / 2


def at_both(scores, real, fake, mix):
    """The two together."""
    (real_scores, real_squares), (fake_scores, fake_squares) = sloped(scores, real), sloped(scores, fake)
    return real_scores, fake_scores, (ops.mean(real_squares) + ops.mean(fake_squares)) / 2


def between(scores, real, fake, mix):
    """E (|grad D(x')| - 1)^2 on lines between real and generated images."""
    _, squares = sloped(scores, mix * real + (1 - mix) * ops.stop_gradient(fake))
    # epsilon inside the root: the slope of sqrt at 0 is infinite, and 0 * inf is NaN
    return scores(real), scores(fake), ops.mean(ops.square(ops.sqrt(squares + 1e-12) - 1))


KINDS = {"r1": at_real, "r2": at_fake, "r1_r2": at_both, "gradient_penalty": between}


def r1(gamma=1.0):
    """gamma / 2 E |grad D(x)|^2 over real images (Mescheder et al. 2018, eq. 9).

    Args:
        gamma: a number of at least 0, or a `keras.optimizers.schedules` schedule over steps.
    """
    return Penalty("r1", gamma)


def r2(gamma=1.0):
    """gamma / 2 E |grad D(G(z))|^2 over generated images (Mescheder et al. 2018, eq. 10).

    Args:
        gamma: a number of at least 0, or a `keras.optimizers.schedules` schedule over steps.
    """
    return Penalty("r2", gamma)


def r1_r2(gamma=1.0):
    """r1 and r2 together (Huang et al. 2024, R3GAN, section 2.2), every step.

    Args:
        gamma: a number of at least 0, or a `keras.optimizers.schedules` schedule over steps.
    """
    return Penalty("r1_r2", gamma)


def gradient_penalty(weight=10.0):
    """lambda E (|grad D(x')| - 1)^2 on lines between real and generated images (Gulrajani et al. 2017, eq. 3).

    Args:
        weight: lambda, a number of at least 0, or a `keras.optimizers.schedules` schedule over steps; 10 in the paper.
    """
    return Penalty("gradient_penalty", weight)
