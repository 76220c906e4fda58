"""The command: data on stdout, the rest on stderr; a user's mistake is one sentence, found before the work."""

import importlib.metadata
import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from command import mistake, parsed, run

import kerasgan
from kerasgan import cards, cli, images, rendering, zoo
from kerasgan.export import exporting

ROOT = Path(__file__).resolve().parents[1]

# --- list and info ----------------------------------------------------------------------------------------------------


def test_list(tiny_zoo):
    assert run("list") == ("tiny             generator  Squares from noise\n", "")
    assert parsed("list") == [{"name": "tiny", "kind": "generator", "title": "Squares from noise"}]
    assert parsed("list", "t?n*", "--family", "tiny", "--kind", "generator") == parsed("list")


@pytest.mark.parametrize("filters", [["dc*"], ["--family", "tin"], ["--kind", "extractor"]])
def test_list_of_nothing(tiny_zoo, filters):
    assert run("list", *filters) == ("", "There is no such model.\n")
    assert parsed("list", *filters) == []


def test_list_has_what_only_a_mirror_has(tiny_zoo, tmp_path, monkeypatch):
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / cards.INDEX).write_text('{"far_away": "0"}')
    monkeypatch.setattr(zoo, "shipped", lambda: tmp_path / "shipped")
    absent, here = parsed("list")
    assert absent == {"name": "far_away", "kind": None, "title": "not on this machine: fetched from KERASGAN_MIRROR"}
    assert here["name"] == "tiny"


def test_info(tiny_zoo):
    assert parsed("info", "tiny") == kerasgan.info("tiny") == parsed("info", tiny_zoo / "tiny")
    assert run("info", "tiny")[0].rstrip() == rendering.render(kerasgan.info("tiny")).rstrip()


def test_show(capsys):
    cli.show({"a": [1]}, True, str)
    assert json.loads(capsys.readouterr().out) == {"a": [1]}
    cli.show({"a": [1]}, False, lambda value: f"a is {value['a']}")
    assert capsys.readouterr().out == "a is [1]\n"


# --- generate ---------------------------------------------------------------------------------------------------------


def test_generate_a_grid(tiny_zoo, tmp_path):
    out, error = run("generate", "tiny", "-n", 6, "--seed", 7, "-o", tmp_path / "grid.png")
    assert out == f"6 images of tiny, seed 7: {tmp_path / 'grid.png'}\n"
    picture = images.read(tmp_path / "grid.png")
    assert picture.shape[0] < picture.shape[1]  # 2 rows of 3
    drawn = kerasgan.load("tiny").generate(6, seed=7)
    np.testing.assert_array_equal(picture, kerasgan.plotting.grid(drawn))


def test_generate_an_archive_by_a_seed_that_it_tells(tiny_zoo, tmp_path):
    said = parsed("generate", "tiny", "-n", 3, "-o", tmp_path / "drawn.npz")
    assert said == {"model": "tiny", "images": 3, "seed": said["seed"], "output": str(tmp_path / "drawn.npz")}
    drawn = np.load(tmp_path / "drawn.npz")["images"]
    np.testing.assert_array_equal(drawn, kerasgan.load("tiny").generate(3, seed=said["seed"]))


def test_generate_each(tiny_zoo, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("each", "empty"):
        run("generate", tiny_zoo / "tiny", "-n", 11, "--seed", 7, "--each", "-o", tmp_path / folder)
    assert sorted(path.name for path in (tmp_path / "each").iterdir()) == [f"{i:02}.png" for i in range(11)]
    drawn = kerasgan.load("tiny").generate(11, seed=7)
    np.testing.assert_array_equal(images.read(tmp_path / "each" / "10.png"), drawn[10])


def test_generate_where_it_is_called(tiny_zoo, tmp_path, monkeypatch):
    """By default samples.png and samples/, in the working directory; a .keras file is a model too."""
    kerasgan.load("tiny").save(tmp_path / "mine.keras")
    monkeypatch.chdir(tmp_path)
    run("generate", "mine.keras", "-n", 2)
    run("generate", "tiny", "-n", 2, "--each")
    assert Path("samples.png").is_file()
    assert {path.name for path in Path("samples").iterdir()} == {"0.png", "1.png"}


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["-o", "missing/x.png"], "Cannot write missing/x.png: there is no folder missing. Make it first."),
        (["-o", "missing/x.npz"], "there is no folder missing"),
        (["-o", "missing/each", "--each"], "there is no folder missing"),
        (["-o", "folder"], "folder is a folder; name a file in it."),
        (["-o", "file.txt", "--each"], "Cannot write file.txt/0.png"),
        (["-o", ".", "--each"], ". is not empty: choose another --output, or old images would be among the new."),
        (["-o", "x.doc"], "no picture format is named '.doc'; try .png"),
        (["-o", "x"], "no picture format is named"),
        (["-n", "0"], "Invalid value for '-n': 0 is not in the range x>=1. See `kerasgan generate --help`."),
        (["-n", "-3"], "-3 is not in the range"),
        (["-n", "many"], "'many' is not a valid integer"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--seed", str(2**31)], "is not in the range"),
    ],
)
def test_generate_refuses_before_it_looks_for_the_model(tiny_zoo, tmp_path, monkeypatch, args, complaint):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert complaint in mistake("generate", "no_such_model", *args)
    assert sorted(tmp_path.rglob("*")) == before and Path("file.txt").read_text() == "mine"


def test_generate_refuses_what_is_no_generator(tiny_zoo, tmp_path):
    assert "no model 'tinny'. Did you mean 'tiny'?" in mistake("generate", "tinny", "-o", tmp_path / "x.png")
    complaint = mistake("generate", ROOT / "zoo" / "lenet_mnist", "-o", tmp_path / "x.png")
    assert "lenet_mnist draws no images: it is Functional" in complaint
    assert not (tmp_path / "x.png").exists()
    model = kerasgan.load("tiny")
    assert cli.generator(model, "tiny") is model
    with pytest.raises(ValueError, match="draws no images"):
        cli.generator(model.discriminator, "half of it")


def test_a_damaged_entry_is_one_sentence(tiny_zoo, tmp_path):
    path = tiny_zoo / "tiny" / "generator.weights.h5"
    path.write_bytes(path.read_bytes()[:-1])
    assert "the file was cut short" in mistake("generate", "tiny", "-o", tmp_path / "x.png")


def test_a_licence_is_told_on_stderr(tiny_zoo, tmp_path):
    card = kerasgan.info("tiny") | {"commercial": False}
    (tiny_zoo / "tiny" / "card.json").write_text(json.dumps(card))
    zoo.tell_licence.cache_clear()
    out, error = run("generate", "tiny", "-n", 1, "--json", "-o", tmp_path / "x.png")
    assert error.startswith("note: tiny: weights Apache-2.0; trained on data under CC0.") and error.count("\n") == 1
    assert json.loads(out)["images"] == 1


# --- mistakes in the command line, and others -------------------------------------------------------------------------

COMMANDS = ["list", "info", "generate", "train", "launch", "verify", "evaluate", "export", "upscale", "demo"]


def test_the_commands_and_their_help():
    """The functions stand under these names; each has a help that its options are in."""
    functions = [getattr(cli, {"list": "list_"}.get(name, name)) for name in COMMANDS]
    assert dict(zip(COMMANDS, functions, strict=True)) == cli.main.commands
    for name in COMMANDS:
        out, error = run(name, "--help")
        assert (
            out.startswith(f"Usage: kerasgan {name} ")
            and error == ""
            and ("--json" in out) is (name not in ("demo", "launch"))
        )
    assert run("-h") == run("--help") == run() and all(f"\n  {name} " in run()[0] for name in COMMANDS)
    assert kerasgan.__version__ in run("--version")[0]


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["genrate"], "There is no command 'genrate'. Did you mean 'generate'? There are: list, info, generate"),
        (["xyz"], "There is no command 'xyz'. There are: list"),
        (["list", "--jsn"], "Did you mean '--json'? See `kerasgan list --help`."),
        (["--debgu", "list"], "Did you mean '--debug'? See `kerasgan --help`."),
        (["info"], "Missing argument 'NAME'. See `kerasgan info --help`."),
        (["info", "a", "b"], "Got unexpected extra argument (b)"),
        (["upscale", "tiny"], "Missing option '-o'"),
        (["info", "tinny"], "There is no model 'tinny'. Did you mean 'tiny'? There are: tiny."),
        (["info", "missing/tiny"], "There is no entry folder 'missing/tiny'"),
    ],
)
def test_a_mistake_is_one_sentence(tiny_zoo, args, complaint):
    assert complaint in mistake(*args)


def raising(error):
    """A group with a command that raises."""

    def fail():
        raise error

    return cli.Commands("kerasgan", commands={"fail": click.Command("fail", callback=fail)})


@pytest.mark.parametrize("kind", cli.MISTAKES)
def test_what_our_checks_raise_is_a_sentence(kind):
    done = CliRunner().invoke(raising(kind("Saw this, expected that.")), ["fail"])
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "kerasgan: Saw this, expected that.\n")


def test_what_is_a_bug_of_ours_is_not_hidden():
    done = CliRunner().invoke(raising(KeyError("x")), ["fail"])
    assert isinstance(done.exception, KeyError) and done.stderr == ""


def test_a_refusal_names_the_command():
    command = click.Command("fail", callback=lambda: cli.refuse(click.get_current_context(), click.UsageError("No.")))
    done = CliRunner().invoke(cli.Commands("kerasgan", commands={"fail": command}), ["fail"])
    assert (done.exit_code, done.stderr) == (1, "kerasgan: No. See `kerasgan fail --help`.\n")


def test_ctrl_c():
    done = CliRunner().invoke(raising(KeyboardInterrupt()), ["fail"])
    assert (done.exit_code, done.stderr) == (130, "kerasgan: stopped.\n")


def test_told_to_end_in_the_midst_of_a_file(tiny_zoo, tmp_path, monkeypatch):
    """SIGTERM, as a system that goes down sends it: nothing is left, and the process would have said so: 128 + 15."""
    before = signal.getsignal(signal.SIGTERM)

    def half(model, path, *rest):
        path.write_bytes(b"half")
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(exporting, "write", half)
    done = CliRunner().invoke(cli.main, ["export", "tiny", "-o", str(tmp_path / "x.tflite")])
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (143, "kerasgan: stopped.")
    assert not list(tmp_path.glob(".*")) + list(tmp_path.glob("x*"))
    assert signal.getsignal(signal.SIGTERM) is before


def test_signals_are_the_main_threads():
    with ThreadPoolExecutor() as threads:
        assert threads.submit(cli.tidy(lambda x, y: x + y), 1, y=2).result() == 3


def python(*args, code=0, cwd=None):
    """(stdout, stderr) of a process of its own."""
    done = subprocess.run([sys.executable, *args], capture_output=True, text=True, cwd=cwd)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def test_a_traceback_with_debug_alone():
    out, error = python("-m", "kerasgan", "info", "xyz", code=1)
    assert out == "" and error.startswith("kerasgan: There is no model 'xyz'") and error.count("\n") == 1
    out, error = python("-m", "kerasgan", "--debug", "info", "xyz", code=1)
    assert out == "" and error.startswith("Traceback") and "ValueError: There is no model 'xyz'" in error


def test_what_needs_no_tensorflow_does_not_wait_for_it():
    lines = [["list"], ["list", "--json"], ["info", "lenet_mnist"], ["--help"], ["generate", "--help"], ["info", "xyz"]]
    code = f"""
import sys
from kerasgan.cli import main
codes = []
for args in {lines}:
    try:
        main(args)
    except SystemExit as end:
        codes.append(end.code)
print(codes, "imported", *sys.modules)
"""
    out, _ = python("-c", code, cwd=ROOT)
    report, loaded = out.rstrip().splitlines()[-1].split(" imported ")
    assert report == "[0, 0, 0, 0, 0, 1]" and "kerasgan.zoo" in loaded.split()
    assert not {"tensorflow", "keras", "torch", "numpy"} & set(loaded.split())


def test_the_command_is_installed():
    (point,) = [p for p in importlib.metadata.entry_points(group="console_scripts") if p.name == "kerasgan"]
    assert point.load() is cli.main


def test_in_a_process_of_its_own(tiny_zoo, tmp_path):
    """Whatever TensorFlow says goes to stderr: stdout is JSON to the last byte."""
    out, _ = python("-m", "kerasgan", "verify", tiny_zoo / "tiny", "--json", cwd=tmp_path)
    assert json.loads(out)["ok"] is True
