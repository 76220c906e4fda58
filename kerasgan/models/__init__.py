"""One paper a file, each read beside its paper; `adversarial` is the game that all of them play."""

from kerasgan.models.cgan import CGAN
from kerasgan.models.classifiers import convnet, lenet
from kerasgan.models.dcgan import DCGAN
from kerasgan.models.gan import GAN
from kerasgan.models.lapgan import LAPGAN
from kerasgan.models.srgan import SRGAN

# What a recipe or a card may name: nothing else is ever built from a file.
VARIANTS = {
    "GAN": GAN, "CGAN": CGAN, "DCGAN": DCGAN, "LAPGAN": LAPGAN, "SRGAN": SRGAN, "lenet": lenet, "convnet": convnet,
}  # fmt: skip

__all__ = ["CGAN", "DCGAN", "GAN", "LAPGAN", "SRGAN", "VARIANTS", "convnet", "lenet"]
