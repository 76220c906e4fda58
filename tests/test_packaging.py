"""What is built holds the zoo and nothing that is only ours, and what is installed from it works anywhere."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import kerasgan
from kerasgan import cards

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [
    "setup.py", "pyproject.toml", "MANIFEST.in", "Makefile", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
]  # fmt: skip
FOLDERS = ["kerasgan", "zoo", "tests", "runs"]
EXTRAS = {"all", "cuda", "dev", "metrics", "onnx", "plot", "tensorboard", "tflite"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the sources, so that building leaves no trace here; with a run, its index up to date."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        shutil.copy(ROOT / name, folder)
    for name in FOLDERS[:3]:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    (folder / "runs" / "mine").mkdir(parents=True)
    (folder / "runs" / "mine" / "history.json").write_text("[]")
    cards.write_index(folder / "zoo")
    return folder


@pytest.fixture(scope="module")
def built(checkout, tmp_path_factory):
    """(wheel, sdist): the wheel is built from the sdist, as pip does it, offline."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, checkout], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The wheel, unpacked."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(built[0]) as wheel:
        wheel.extractall(folder)
    return folder


def files(folder):
    """The paths of all files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_wheel(checkout, installed):
    zoo = files(checkout / "zoo")
    assert {"index.json", "lenet_mnist/card.json", "lenet_mnist/recipe.toml", "dcgan_mnist/recipe.toml"} < zoo
    assert files(installed / "kerasgan" / "_zoo") == zoo
    code = {path for path in files(checkout / "kerasgan") if path.endswith(".py")}
    assert {path for path in files(installed / "kerasgan") if not path.startswith("_zoo/")} == code
    dist_info = f"kerasgan-{kerasgan.__version__}.dist-info"
    assert {path.name for path in installed.iterdir()} == {"kerasgan", dist_info}, "no tests, no runs, nothing else"


def test_the_sdist(checkout, built):
    with tarfile.open(built[1]) as archive:
        top = f"kerasgan-{kerasgan.__version__}/"
        inside = {member.name.removeprefix(top) for member in archive.getmembers() if member.isfile()}
    expected = {*SOURCES, "tests/conftest.py", "kerasgan/__init__.py"}
    assert expected | {f"zoo/{path}" for path in files(checkout / "zoo")} <= inside
    assert not [path for path in inside if path.startswith("runs/") or path.endswith(".pyc")]


def test_the_metadata(installed):
    (dist_info,) = installed.glob("*.dist-info")
    metadata = Parser().parsestr((dist_info / "METADATA").read_text("utf-8"))
    assert metadata["Name"] == "kerasgan" and metadata["Version"] == kerasgan.__version__
    assert metadata["License-Expression"] == "Apache-2.0" and metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().startswith("# kerasgan\n")
    assert "Apache License" in (dist_info / "licenses" / "LICENSE").read_text("utf-8")
    assert (dist_info / "entry_points.txt").read_text("utf-8") == "[console_scripts]\nkerasgan = kerasgan.cli:main\n"
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS
    requirements = metadata.get_all("Requires-Dist")
    core = {line for line in requirements if "extra ==" not in line}
    assert core == {
        "tensorflow>=2.21", "keras>=3.15", "tensorflow-datasets", "importlib_resources", "numpy", "h5py", "pillow",
        "scipy", "click", "rich",
    }  # fmt: skip
    assert not [line for line in requirements if "<" in line or "==" in line.split(";")[0]], "no upper pins"
    extras = {extra: {line.split(";")[0] for line in requirements if f'"{extra}"' in line} for extra in EXTRAS}
    alone = {extra: extras[extra] for extra in ("metrics", "plot", "tflite", "tensorboard")}
    assert alone == {
        "metrics": {"scikit-learn"}, "plot": {"matplotlib"}, "tflite": {"ai-edge-litert", "ai-edge-quantizer"},
        "tensorboard": {"tensorboard"},
    }  # fmt: skip
    assert extras["cuda"] == {"tensorflow[and-cuda]"} and not extras["cuda"] & extras["all"]
    assert extras["all"] == set().union(*alone.values(), extras["onnx"])
    used = extras["metrics"] | extras["tflite"] | extras["tensorboard"]
    assert {"build", "pytest", "ruff", "setuptools>=77"} | used <= extras["dev"]


def test_the_build_backend_is_named():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]
    assert build["build-backend"] == "setuptools.build_meta" and build["requires"] == ["setuptools>=77"]


def environment(folder, *what):
    """The folder of commands of a new virtual environment into which pip installed that; the rest is this one's."""
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "-q", "--no-index"]
    done = subprocess.run([*pip, "--no-deps", "--no-build-isolation", *what], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "bin"


def output(*command, cwd):
    """What a command prints, called from a folder that has nothing to do with the project."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("KERASGAN_", "PYTHON"))}
    done = subprocess.run(command, env=own, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_installed_works_from_any_folder(checkout, built, tmp_path):
    """Every entry of the zoo is found, checked against the index, and gives its golden images again."""
    commands = environment(tmp_path / "venv", built[0])
    code = """
import json, kerasgan
names = kerasgan.list_models()
print(json.dumps({"from": kerasgan.__file__, "ok": {name: kerasgan.verify(name)["ok"] for name in names}}))
"""
    entries = {path.parent.name for path in checkout.glob("zoo/*/card.json")}
    said = json.loads(output(commands / "python", "-c", code, cwd=tmp_path))
    assert tmp_path in Path(said["from"]).parents
    assert "lenet_mnist" in entries and said["ok"] == dict.fromkeys(entries, True)
    assert {line.split()[0] for line in output(commands / "kerasgan", "list", cwd=tmp_path).splitlines()} == entries


def test_an_editable_install_works_from_any_folder(checkout, tmp_path):
    """The zoo lies beside the package."""
    commands = environment(tmp_path / "venv", "-e", checkout)
    code = "import json, kerasgan; print(json.dumps([kerasgan.__file__, kerasgan.info('lenet_mnist')['name']]))"
    path, name = json.loads(output(commands / "python", "-c", code, cwd=tmp_path))
    assert Path(path).parent == checkout / "kerasgan" and name == "lenet_mnist"
