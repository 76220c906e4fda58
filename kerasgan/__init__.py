"""A Keras model zoo of generative adversarial networks.

>>> import kerasgan
>>> model = kerasgan.load("dcgan_mnist")
>>> model.generate(16, seed=7).shape
(16, 28, 28, 1)

Importing this package is cheap: a name is fetched from its module, and TensorFlow with it, when it is first used.
"""

import importlib
import os

# TensorFlow's convolutions by oneDNN, which it leaves off where a processor has no VNNI: a training step of DCGAN takes
# half as long (benchmarks/NOTES.md). It is read when TensorFlow is imported; what the user has said stands.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"

MODULES = {
    "GAN": "models.gan",
    "CGAN": "models.cgan",
    "DCGAN": "models.dcgan",
    "LAPGAN": "models.lapgan",
    "SRGAN": "models.srgan",
    "load": "zoo",
    "list_models": "zoo",
    "info": "zoo",
    "verify": "zoo",
    "augmentations": "augmentations",
    "callbacks": "callbacks",
    "contents": "contents",
    "data": "data",
    "distribution": "distribution",
    "enlarge": "enlarging",
    "upscale": "upscaling",
    "upscale_files": "upscaling",
    "export": "export",
    "images": "images",
    "layers": "layers",
    "losses": "losses",
    "metrics": "metrics",
    "models": "models",
    "penalties": "penalties",
    "plotting": "plotting",
    "stages": "stages",
    "zoo": "zoo",
}


def __getattr__(name):
    if name not in MODULES:
        import difflib

        nearest = difflib.get_close_matches(name, MODULES, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"it has {', '.join(sorted(MODULES))}."
        raise AttributeError(f"kerasgan has no attribute {name}; {hint}")
    module = importlib.import_module(f"kerasgan.{MODULES[name]}")
    return globals().setdefault(name, module if MODULES[name] == name else getattr(module, name))


def __dir__():
    return sorted([*MODULES, "__version__"])
