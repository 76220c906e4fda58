"""What README.md and EXPORT.md show runs: the Python of each in order; their commands are there, with those options.

`dcgan_mnist` is a tiny entry under that name here, so that no test waits for the real one (`test_zoo_shipped` has it).
"""

import json
import re
import shlex
import shutil
from pathlib import Path

import click
import numpy as np
import pytest

from kerasgan import cards, cli, zoo

ROOT = Path(__file__).resolve().parents[1]
README, EXPORT = ((ROOT / name).read_text("utf-8") for name in ("README.md", "EXPORT.md"))


def blocks(language, page=README):
    """The code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def lines(command, page=README):
    """The lines that a reader types which start with a command, comments cut off."""
    typed = [line.removeprefix("$ ") for block in blocks("console", page) for line in block.splitlines()]
    return [words for line in typed if (words := shlex.split(line, comments=True)) and words[0] == command]


@pytest.fixture
def dcgan_mnist(tiny_zoo):
    folder = (tiny_zoo / "tiny").rename(tiny_zoo / "dcgan_mnist")
    for name in ("lenet_mnist", "cgan_mnist"):  # small ones
        shutil.copytree(ROOT / "zoo" / name, tiny_zoo / name)
    card = json.loads((folder / cards.CARD).read_text("utf-8"))
    (folder / cards.CARD).write_text(json.dumps(card | {"extractor": "lenet_mnist"}), "utf-8")
    return folder


def test_every_block_is_looked_at():
    assert README.count("\n```") == 2 * (len(blocks("python")) + len(blocks("console")))
    assert len(blocks("python")) >= 3 and len(lines("kerasgan")) >= 5


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to work in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def namespace_of(page, name):
    """What a page's Python leaves, run in order."""
    namespace = {}
    for number, block in enumerate(blocks("python", page), 1):
        exec(compile(block, f"{name}, Python block {number}", "exec"), namespace)
    return namespace


def test_the_python_runs(dcgan_mnist, here, capsys):
    namespace = namespace_of(README, "README.md")
    listed, measured, *_ = capsys.readouterr().out.splitlines()
    assert listed == "['cgan_mnist', 'dcgan_mnist', 'lenet_mnist']" and measured.startswith("{'frechet_distance': ")
    images = namespace["images"]
    assert images.dtype == np.uint8 and images.shape == (16, 28, 28, 1)  # as the README says
    made = {path.name for path in Path().iterdir()}
    exports = {
        f"{name}{suffix}" for name in ("generator.tflite", "serving", "upscaler.tflite") for suffix in ("", ".json")
    }
    assert made == {"mine.keras", *exports}
    mine = zoo.load("mine.keras")
    assert int(mine.step) == 4  # one epoch of 256 images, 64 at a time
    assert not np.array_equal(mine.generate(16, seed=7), images)


def test_the_python_of_exports_runs(dcgan_mnist, here):
    for package in ("ai_edge_quantizer", "onnxruntime"):
        pytest.importorskip(package, reason="pip install 'kerasgan[tflite,onnx]'")
    namespace = namespace_of(EXPORT, "EXPORT.md")
    assert EXPORT.count("\n```") == 2 * sum(len(blocks(x, EXPORT)) for x in ("python", "console", "bash", "kotlin"))
    np.testing.assert_allclose(namespace["digits"], namespace["model"].generate(4, seed=7), atol=1)
    assert namespace["digit"].shape == (1, 28, 28, 1) and namespace["digit"].dtype == np.uint8
    assert namespace["images"].shape == (16, 28, 28, 1) and namespace["images"].dtype == np.float32


@pytest.mark.parametrize("words", [*lines("kerasgan"), *lines("kerasgan", EXPORT)], ids=" ".join)
def test_the_commands_parse(words):
    with click.Context(cli.main, info_name="kerasgan") as context:
        name, command, rest = cli.main.resolve_command(context, words[1:])
        parsed = command.make_context(name, rest, parent=context)
    assert name in cli.main.commands and not parsed.args


def test_make_has_what_is_asked_of_it():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for _, target in lines("make"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert [target for _, target in lines("make")] == ["demo", "test"]  # the two commands that come first
    assert README.index("make demo") < README.index("make test") < README.index("import kerasgan")


def test_links_lead_somewhere():
    """To files of this repository; what is made together with an entry of the zoo comes with its card."""
    targets = re.findall(r"\]\(([^)#:]+)[^)]*\)", README + EXPORT)
    assert targets
    known = {path.parent.name for path in ROOT.glob(f"zoo/*/{cards.CARD}")}
    for target in targets:
        parts = Path(target).parts
        assert (ROOT / target).exists() or (parts[0] == "zoo" and parts[1] not in known), target
