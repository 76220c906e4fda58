"""The tables that have a likelihood: Parzen windows of samples, in the unit and at the scales of each paper."""

import itertools
import warnings

import numpy as np
from keras import ops

from kerasgan import data, pyramid
from kerasgan.images import to_float
from kerasgan.protocols import chain

NORMALISATION = "each channel less its mean, over its deviation, both of the training images"
SIGMAS = np.logspace(-1, 1, 21)  # in that unit, and at a coarse level in four of it, windows are wider than in pixels
IMAGES, DRAWS = 500, 100  # that a multi-scale window is of, and samples at every level for each


class OfSamples:
    """A part of a table that is of samples alone."""

    def of_model(self, model, seed=None):
        """{}: nothing beside."""
        return {}


class Parzen(OfSamples):
    """The Gaussian Parzen window of Goodfellow et al. 2014, Table 1, on MNIST.

    Their +- is the standard error over test images; ours is over sampling seeds. More than real images score is no
    merit: the estimate rewards smooth samples (Theis et al. 2016, section 3.2). It rises with the number of samples: as
    many as test images are taken, of a model with classes equally many of each.

    Args:
        card: names the validation split, whose first 1,000 images choose sigma. test, train: the real images that are
            judged and those that the model has seen, Datasets. figure: the paper's, and which it is.
    """

    share = 1  # samples for each test image
    sigmas = "np.logspace(-1, 0, 10)"  # to choose from, as a card says it

    def __init__(self, card, test, train, figure):
        self.test, self.validation = test.images, validation_of(card, test.image_shape)
        sigma = f"of {self.sigmas}, by the first 1000 of {card['data']['validation']}"
        self.own = {"parzen_likelihood": figure | {"better": "higher", "sigma": sigma}}

    def measure(self, samples):
        """{"parzen_likelihood": nats an image} of a Dataset."""
        from kerasgan.metrics import parzen_likelihood

        return {"parzen_likelihood": parzen_likelihood(self.test, samples.images, self.validation).mean}


class StandardisedParzen(Parzen):
    """The same window of colours in a unit of their own: Denton et al. 2015, Table 1, which does not say its unit.

    A likelihood depends on the unit: numbers compare under one alone, `NORMALISATION`. No paper's figure stands beside
    it: those are of a unit that can only be guessed.

    Args: as of `Parzen`.
    """

    sigmas = "np.logspace(-1, 1, 21)"

    def __init__(self, card, test, train, figure):
        super().__init__(card, test, train, figure | {"unit": NORMALISATION})
        self.unit = Standardised(train.images)
        self.test, self.validation = self.unit(self.test), self.unit(self.validation)

    def measure(self, samples):
        """{"parzen_likelihood": nats an image} of a Dataset."""
        from kerasgan.metrics import parzen_likelihood

        clouds = (self.test, self.unit(samples.images), self.validation)
        return {"parzen_likelihood": inside(parzen_likelihood(*(x.reshape(len(x), -1) for x in clouds), SIGMAS)).mean}


class MultiscaleParzen:
    """The multi-scale window of Denton et al. 2015, Appendix A, of a model with levels, in `StandardisedParzen`'s unit.

    Each level answers to test images made smaller, of no class. It is another density than the window of whole images:
    in the paper the same model has 1,773 nats more.

    Args: as of `Parzen`; the first `IMAGES` test images are judged, and as many validation images choose the sigmas.
    """

    share = 1

    def __init__(self, card, test, train, figure):
        self.unit = Standardised(train.images)
        self.test = self.unit(test.images[:IMAGES])
        self.validation = self.unit(validation_of(card, test.image_shape)[:IMAGES])
        sigma = f"of np.logspace(-1, 1, 21), one a level, by as many of {card['data']['validation']}"
        self.smallest = len(test.images)  # samples of the smallest level
        says = {"better": "higher", "unit": NORMALISATION, "sigma": sigma}
        says |= {"images": len(self.test), "draws": DRAWS, "smallest": self.smallest}
        self.own = {"multiscale_parzen_likelihood": figure | says}

    def measure(self, samples):
        """{}: samples do not say which smaller image they are of."""
        return {}

    def of_model(self, model, seed=None):
        """{"multiscale_parzen_likelihood": nats an image} of a model; of real images, without a seed, there is none."""
        from kerasgan.metrics import multiscale_likelihood

        if not hasattr(model, "sizes") or (model.conditional and not model.label_dropout):
            raise ValueError("A multi-scale window is of a model with levels that draws of no class too: LAPGAN.")
        if seed is None:
            return {}
        count = len(model.sizes) - 1
        coarse = self.unit(model.generate(self.smallest, seed=seed, return_pyramid=True)[0])
        finest_first = [self.drawing(model, level, seed) for level in range(count, 0, -1)]
        found = multiscale_likelihood(self.test, coarse, finest_first, self.validation, SIGMAS)
        return {"multiscale_parzen_likelihood": inside(found).mean}

    def drawing(self, model, level, seed):
        """A function: what a level draws above one smaller image, (DRAWS, height, width, channels), in this unit."""
        numbers, scale = itertools.count(step=DRAWS), float(ops.convert_to_numpy(model.deviation(level)))

        def draw(low):
            below = self.unit.back(low[None])
            drawn = chain.residuals(model, level, below, None, seed, DRAWS, first=next(numbers))[0]
            return self.unit(ops.convert_to_numpy(pyramid.up(ops.convert_to_tensor(below))) + scale * drawn)

        return draw


class Standardised:
    """`NORMALISATION`: images (n, height, width, channels), uint8 or floats in [-1, 1], to float64."""

    def __init__(self, training):
        channels = [np.asarray(to_float(training[..., i])) for i in range(training.shape[-1])]
        self.mean = np.array([channel.mean(dtype="float64") for channel in channels])
        self.deviation = np.array([max(channel.std(dtype="float64"), 1 / 127.5) for channel in channels])

    def __call__(self, images):
        """In that unit."""
        return (np.asarray(to_float(images), "float64") - self.mean) / self.deviation

    def back(self, values):
        """Floats in [-1, 1] again."""
        return (values * self.deviation + self.mean).astype("float32")


def inside(found):
    """A likelihood whose sigmas are no ends of `SIGMAS`; of others it warns, for there may be likelier ones."""
    if np.isin(found.sigma, SIGMAS[[0, -1]]).any():
        warnings.warn(
            f"A window of sigma {found.sigma}, an end of those tried: a wider one may be likelier.", stacklevel=2
        )
    return found


def validation_of(card, image_shape):
    """The validation images that a card names, which choose sigma."""
    source = card["data"].get("validation")
    if not source:
        raise ValueError(f"{card['name']} has no validation split on its card, which the window's sigma needs.")
    return data.read(source, image_shape=image_shape, batch_size=1).images
