"""Pairs of functions of scores (the discriminator's logits), real first: what each player loses.

    >>> loss = get("nonsaturating")
    >>> loss.discriminator(real_scores, fake_scores), loss.generator(real_scores, fake_scores)

Scores have shape (batch, 1) and any float value; every loss is a float scalar, the mean over the batch. All forms are
stable: `softplus(-x)` is -log sigmoid(x).
"""

from collections.abc import Callable
from dataclasses import dataclass

from keras import ops

from kerasgan import names


@dataclass(frozen=True)
class Loss:
    """What the two players lose, as functions `(real_scores, fake_scores) -> scalar`.

    `boundary` is the score between "real" and "fake" (None: scores mean something only in comparison);
    `smooths` says whether one-sided label smoothing is defined; `paired` whether scores are compared in pairs.
    """

    name: str
    discriminator: Callable
    generator: Callable
    boundary: float | None = 0.0
    smooths: bool = False
    paired: bool = False


def cross_entropy(real, fake, smoothing=0.0):
    """D's loss of Goodfellow et al. 2014, eq. 1: -E log D(x) - E log(1 - D(G(z))), D(x) = sigmoid(score).

    With `smoothing` s the target of real images is 1 - s (Salimans et al. 2016, section 3.4: one-sided).
    """
    real_loss = (1 - smoothing) * ops.softplus(-real) + smoothing * ops.softplus(real)
    return ops.mean(real_loss) + ops.mean(ops.softplus(fake))


nonsaturating = Loss(  # Goodfellow et al. 2014, section 3: G maximises log D(G(z))
    "nonsaturating", cross_entropy, lambda real, fake: ops.mean(ops.softplus(-fake)), smooths=True
)
minimax = Loss(  # Goodfellow et al. 2014, eq. 1: G minimises log(1 - D(G(z)))
    "minimax", cross_entropy, lambda real, fake: -ops.mean(ops.softplus(fake)), smooths=True
)
least_squares = Loss(  # Mao et al. 2017, eq. 2 and 9 with a = 0, b = c = 1
    "least_squares",
    lambda real, fake, smoothing=0.0: (
        0.5 * ops.mean(ops.square(real - (1 - smoothing))) + 0.5 * ops.mean(ops.square(fake))
    ),
    lambda real, fake: 0.5 * ops.mean(ops.square(fake - 1)),
    boundary=0.5,
    smooths=True,
)
hinge = Loss(  # Lim and Ye 2017; Miyato et al. 2018, eq. 16 and 17
    "hinge",
    lambda real, fake: ops.mean(ops.relu(1 - real)) + ops.mean(ops.relu(1 + fake)),
    lambda real, fake: -ops.mean(fake),
)
wasserstein = Loss(  # Arjovsky et al. 2017, eq. 2 and 3
    "wasserstein",
    lambda real, fake: ops.mean(fake) - ops.mean(real),
    lambda real, fake: -ops.mean(fake),
    boundary=None,
)
relativistic = Loss(  # Jolicoeur-Martineau 2018, section 4.2 (RpGAN); Huang et al. 2024 (R3GAN), eq. 2
    "relativistic",
    lambda real, fake: ops.mean(ops.softplus(fake - real)),
    lambda real, fake: ops.mean(ops.softplus(real - fake)),
    boundary=None,
    paired=True,
)

LOSSES = {loss.name: loss for loss in (nonsaturating, minimax, least_squares, hinge, wasserstein, relativistic)}


def get(name):
    """The loss of that name.

    Raises:
        ValueError: no such loss; the message names the nearest, and all.
    """
    names.check_choice("loss", name, LOSSES)
    return LOSSES[name]
