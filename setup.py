"""Metadata, dependencies, the `kerasgan` command, and the way of zoo/ into the wheel."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "kerasgan/__init__.py").read_text("utf-8"), re.MULTILINE)[1]

# No upper pins: a release that breaks us is met by a fix, not by a wall in front of everybody's environment.
EXTRAS = {
    "metrics": ["scikit-learn"],
    "plot": ["matplotlib"],
    "tflite": ["ai-edge-litert", "ai-edge-quantizer"],  # to run and to check; for float16 and int8
    "tensorboard": ["tensorboard"],
    "onnx": ["tf2onnx", "onnx", "onnxruntime"],
}
EXTRAS["all"] = sorted(sum(EXTRAS.values(), []))
EXTRAS["cuda"] = ["tensorflow[and-cuda]"]  # not in `all`: gigabytes that most machines cannot use
TOOLS = ["build", "pytest", "pytest-timeout", "pytest-xdist", "ruff", "setuptools>=77"]
EXTRAS["dev"] = [*TOOLS, *sum((EXTRAS[name] for name in ("metrics", "tflite", "tensorboard", "onnx")), [])]

setup(
    name="kerasgan",
    version=VERSION,
    description="A Keras model zoo of generative adversarial networks: load, sample, fine-tune, export",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["GAN", "generative adversarial network", "Keras", "TensorFlow", "pretrained models"],
    python_requires=">=3.11",
    install_requires=[
        "tensorflow>=2.21",
        "keras>=3.15",
        "tensorflow-datasets",
        "importlib_resources",  # tensorflow-datasets 4.9.10 imports it and does not declare it
        "numpy",
        "h5py",
        "pillow",
        "scipy",
        "click",
        "rich",
    ],
    extras_require=EXTRAS,
    # zoo/ has no Python in it and lies beside the package; in the wheel it is kerasgan/_zoo, where zoo.py looks first.
    packages=[*find_packages(include=["kerasgan", "kerasgan.*"]), "kerasgan._zoo"],
    package_dir={"kerasgan": "kerasgan", "kerasgan._zoo": "zoo"},
    package_data={"kerasgan._zoo": ["**/*"]},
    include_package_data=False,
    entry_points={"console_scripts": ["kerasgan = kerasgan.cli:main"]},
)
