"""The commands that train, verify, measure and export: what they print, how they end, what they refuse."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import mistake, parsed, run

import kerasgan
from kerasgan import cards, cli, distribution, launching, progress, training, zoo

ROOT = Path(__file__).resolve().parents[1]


def change_card(folder, **changes):
    card = json.loads((folder / "card.json").read_text()) | changes
    (folder / "card.json").write_text(json.dumps(card))


# --- train ------------------------------------------------------------------------------------------------------------


def test_train_on_devices_that_there_are_not(tiny_recipe, tmp_path):
    line = ("train", tiny_recipe, "-o", tmp_path / "run", "--strategy")
    assert "There is no device 'GPU:9'" in mistake(*line, "one", "--devices", "GPU:9")
    assert mistake(*line, "multi_worker").startswith("Which workers? Give workers and index")
    assert "workers and index belong together" in mistake(*line, "auto", "--workers", "a:1,b:2")
    assert not (tmp_path / "run").exists()
    run(*line, "one", "--epochs", 1)
    assert zoo.info(tmp_path / "run" / "entry")["training"]["steps"] == 4


def test_train_names_the_strategies_that_there_are():
    (strategy,) = (option for option in cli.train.params if option.name == "strategy")
    assert tuple(strategy.type.choices) == distribution.KINDS, "the command may not import them: it has to be quick"


def test_train_that_loses_a_worker_ends_with_75(tiny_recipe, tmp_path, monkeypatch):
    def lost(*arguments, **options):
        raise distribution.WorkerLost("Another worker has died.")

    monkeypatch.setattr(training, "train", lost)
    assert run("train", tiny_recipe, code=distribution.LOST)[1] == "kerasgan: Another worker has died.\n"


def test_launch_says_what_it_starts(tiny_recipe, tmp_path, monkeypatch):
    """And looks at it first: mistakes are told once, not by every worker. `test_workers` starts some."""
    seen = {}

    def started(arguments, count, resumable, restarts, tell):
        seen.update(arguments=arguments, count=count, restarts=restarts, resumable=resumable())
        tell("Lost worker 1.")
        return 75

    monkeypatch.setattr(launching, "launch", started)
    line = ("launch", "--workers", 2, "--restarts", 5, "--", "train")
    assert run(*line, tiny_recipe, "-o", tmp_path / "run", code=75)[1] == "kerasgan: Lost worker 1.\n"
    expected = {"arguments": [str(tiny_recipe), "-o", str(tmp_path / "run")], "count": 2, "restarts": 5}
    assert seen == expected | {"resumable": False}
    assert "launch starts `train NAME ...`; saw generate x." in mistake(*line[:-1], "generate", "x")
    assert "leave --strategy, --workers and --index out" in mistake(*line, tiny_recipe, "--strategy", "one")
    assert "No such option" in mistake(*line, tiny_recipe, "--epoch", "3")
    assert "recipe" in mistake(*line, "dcgan_minst") and "Did you mean" in mistake(*line, "dcgan_minst")


def test_train(tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out, error = run("train", tiny_recipe, "--epochs", 2, "--json")
    assert json.loads(out) == {"name": str(tiny_recipe), "entry": str(Path("runs", "tiny", "entry"))}
    lines = [line for line in error.splitlines() if "/" in line.split(":")[0]]
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "epoch 1: samples are alike: " in error, "the watch, which sees that nothing was learnt yet"
    assert all("discriminator loss" in line and "generator loss" in line for line in lines)
    assert zoo.info("runs/tiny/entry")["training"]["steps"] == 8
    drawn = {path.name for path in Path("runs/tiny/samples").iterdir()}
    assert drawn == {"epoch-0001.png", "epoch-0002.png", "animation.gif"}
    assert "has a run at step 8: go on with --resume" in mistake("train", tiny_recipe)


def test_train_on_other_data(tiny_recipe, tmp_path):
    np.savez(tmp_path / "mine.npz", images=np.zeros((16, 28, 28, 1), "uint8"))
    out, _ = run(
        "train", tiny_recipe, "-o", tmp_path / "run", "--data", tmp_path / "mine.npz", "--epochs", 1, "--seed", 3
    )
    entry = tmp_path / "run" / "entry"
    assert out == f"Trained. Use it: kerasgan.load({str(entry)!r}), or kerasgan generate {entry}\n"
    card = kerasgan.info(entry)
    assert card["data"]["train"] == str(tmp_path / "mine.npz") and card["training"]["steps"] == 1
    assert card["training"]["seed"] == 3


def test_ctrl_c_saves_and_resume_goes_on(tiny_recipe, tmp_path):
    folder, epochs = tmp_path / "run", 12
    args = ["train", str(tiny_recipe), "-o", str(folder), "--epochs", str(epochs)]
    training = subprocess.Popen(
        [sys.executable, "-m", "kerasgan", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in training.stderr:
        if line.startswith("epoch 1/12"):
            training.send_signal(signal.SIGINT)
            break
    out, error = training.communicate(timeout=120)
    assert training.returncode == 130 and out == ""
    told = error.splitlines()[-1]
    assert told.startswith("kerasgan: Stopped at step ") and told.endswith(f"saved in {folder}. Go on with --resume.")
    assert not (folder / "entry").exists()
    step = int(told.split()[4])
    assert 0 < step < 4 * epochs
    assert f"has a run at step {step}: go on with --resume" in mistake(*args)
    assert "is of another training: [training] epochs was 12, now 6" in mistake(*args[:-2], "--resume")
    _, error = run(*args, "--resume")
    first = -(-(step + 1) // 4)  # a half-done epoch is finished first
    told = [line for line in error.splitlines() if "/" in line.split(":")[0]]  # the watch says more
    assert told[0].startswith(f"epoch {first}/{epochs}: ") and told[-1].startswith(f"epoch {epochs}/{epochs}: ")
    card = kerasgan.info(folder / "entry")
    assert card["training"]["steps"] == card["history"][-1]["step"] == 4 * epochs
    assert kerasgan.verify(folder / "entry")["ok"]


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["lenet_mnits"], "Unknown recipe 'lenet_mnits'. Did you mean 'lenet_mnist'?"),
        (["missing.toml"], "There is no recipe missing.toml."),
        (["broken.toml"], "broken.toml is no TOML"),
        (["RECIPE", "--resume"], "There is no checkpoint in runs/tiny to resume"),
        (["RECIPE", "-o", "broken.toml/run"], "is not a writable folder. Choose another --output."),
        (["RECIPE", "--data", "missing"], "There is no folder missing."),
        (["RECIPE", "--data", "missing.npz"], "There is no file missing.npz."),
        (["RECIPE", "--data", "."], "has no picture that can be read"),
        (["RECIPE", "--epochs", "0"], "Invalid value for '--epochs': 0 is not in the range x>=1."),
    ],
)
def test_train_refuses(tiny_recipe, tmp_path, monkeypatch, args, complaint):
    monkeypatch.chdir(tmp_path)
    Path("broken.toml").write_text("no toml")
    assert complaint in mistake("train", *[tiny_recipe if arg == "RECIPE" else arg for arg in args])
    assert [path.name for path in tmp_path.iterdir()] == ["broken.toml"]


def test_tensorboard(tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # not to be found, whether it is installed or not
    with pytest.raises(ImportError, match=r"pip install 'kerasgan\[tensorboard\]'"):
        cli.tensorboard_callback(tmp_path)
    complaint = mistake("train", tiny_recipe, "-o", tmp_path / "run", "--tensorboard")
    assert complaint == "TensorBoard is not installed: pip install 'kerasgan[tensorboard]'."
    assert not list(tmp_path.iterdir())


def test_tensorboard_writes_its_events(tiny_recipe, tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard: pip install 'kerasgan[tensorboard]'")
    run("train", tiny_recipe, "-o", tmp_path / "run", "--epochs", 1, "--tensorboard")
    assert list((tmp_path / "run" / "tensorboard").rglob("events.out.tfevents.*"))


def test_train_an_extractor_tells_how_far_it_is(tmp_path):
    arrays = {"images": np.zeros((20, 12, 12, 1), "uint8"), "labels": np.arange(20) % 2}
    np.savez(tmp_path / "x.npz", **arrays)
    split = f'"{(tmp_path / "x.npz").as_posix()}"'
    (tmp_path / "small.toml").write_text(f"""
        model = {{ variant = "lenet", image_shape = [12, 12, 1], classes = 2 }}
        compile = {{ optimizer = {{ name = "adam" }} }}
        data = {{ train = {split}, validation = {split}, test = {split} }}
        training = {{ epochs = 2, batch_size = 10 }}
        card = {{ kind = "extractor" }}
    """)
    _, error = run("train", tmp_path / "small.toml", "-o", tmp_path / "run")
    lines = [line for line in error.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 2 and all("val accuracy 0.500" in line for line in lines)
    assert "go on with --resume" in mistake("train", tmp_path / "small.toml", "-o", tmp_path / "run")


def test_the_cursor_comes_back_after_an_error(tiny_recipe, tmp_path, monkeypatch):
    """Keras tells no callback that the training failed."""
    bars = []

    class Watched(progress.Progress):
        def on_train_begin(self, logs=None):
            super().on_train_begin(logs)
            bars.append(self.bar)

    monkeypatch.setattr(progress, "Progress", Watched)
    text = tiny_recipe.read_text().replace("learning_rate = 0.02", "learning_rate = 1e30")
    (tmp_path / "nan.toml").write_text(text)
    assert "Try a lower learning rate" in mistake("train", tmp_path / "nan.toml", "-o", tmp_path / "run")
    assert len(bars) == 1 and not bars[0].live.is_started


# --- verify -----------------------------------------------------------------------------------------------------------


def test_verify(tiny_zoo):
    assert parsed("verify", "tiny") == kerasgan.verify("tiny")
    assert run("verify", "tiny")[0] == "ok: tiny, 16 golden images, largest difference 0, 0 of 12544 values differ\n"


def test_verify_ends_with_1_if_an_image_differs(tiny_zoo):
    path = tiny_zoo / "tiny" / "golden.npz"
    golden = dict(np.load(path))
    golden["images"] = 255 - golden["images"]
    np.savez(path, **golden)
    change_card(tiny_zoo / "tiny", files=cards.describe_files(path.parent, kerasgan.info("tiny")["files"]))
    said = parsed("verify", "tiny", code=1)
    assert said["ok"] is False and said["max_difference"] > 1
    out, error = run("verify", "tiny", code=1)
    assert out.startswith("DIFFERENT: tiny, 16 golden images") and error == ""


# --- evaluate ---------------------------------------------------------------------------------------------------------


def test_evaluate(tiny_zoo, tiny_recipe, tmp_path):
    """In the features of the extractor that is shipped; with --write the numbers go onto the card."""
    few, many = str(tiny_recipe.with_name("squares.npz")), str(tmp_path / "many.npz")
    np.savez(many, images=np.tile(np.load(few)["images"], (3, 1, 1, 1)))
    assert "tiny names no extractor" in mistake("evaluate", "tiny")
    shutil.copytree(ROOT / "zoo" / "lenet_mnist", tiny_zoo / "lenet_mnist")
    change_card(tiny_zoo / "tiny", extractor="lenet_mnist")
    assert "tiny has no test split on its card: pass real images (--data" in mistake("evaluate", "tiny")
    assert "has 64 images, fewer than n=65" in mistake("evaluate", "tiny", "--data", few, "-n", 65)
    change_card(tiny_zoo / "tiny", data=kerasgan.info("tiny")["data"] | {"train": many})
    rows = parsed("evaluate", "tiny", "--data", many, "-n", 160)
    assert {"frechet_distance", "density", "coverage"} <= {row["metric"] for row in rows}
    assert all(row["n"] == 160 and row["real_images"] == many and len(row["seeds"]) == 3 for row in rows)
    assert rows[0]["real"] < 1e-3 < rows[0]["value"]  # the same images on both sides, and others
    assert kerasgan.info("tiny")["metrics"] == []
    change_card(tiny_zoo / "tiny", data=kerasgan.info("tiny")["data"] | {"test": many})
    assert "leave out --data or --write" in mistake("evaluate", "tiny", "--data", many, "--write")
    out, _ = run("evaluate", "tiny", "-n", 160, "--write")
    assert [line.split()[0] for line in out.splitlines()] == [row["metric"] for row in rows]
    assert [row["value"] for row in kerasgan.info("tiny")["metrics"]] == [row["value"] for row in rows]
    without = [line.split()[0] for line in out.splitlines() if len(line.split(" real data ")) != 2]
    assert without == ["copying"], "of the training images themselves that says nothing"
    assert "tiny names no paper's table" in mistake("evaluate", "tiny", "--protocol", "paper")
    change_card(tiny_zoo / "tiny", paper_table="parzen", data=kerasgan.info("tiny")["data"] | {"validation": many})
    (row,) = parsed("evaluate", "tiny", "-n", 100, "--protocol", "paper")
    assert row["metric"] == "parzen_likelihood" and row["verdict"].startswith("worse than the paper's 225 ± 2")
    same = ("evaluate", "tiny", "-n", 100, "--protocol", "paper", "--beside", "tiny")
    assert "is of the training seed 0, as another: `kerasgan train --seed`" in mistake(*same)


# --- export, demo -----------------------------------------------------------------------------------------------------


def test_export(tiny_zoo, tmp_path, monkeypatch):
    path = tmp_path / "g.tflite"
    said = parsed("export", "tiny", "-o", path)
    assert said == json.loads((tmp_path / "g.tflite.json").read_text()) and said["max_difference"] <= 1e-5
    assert "g.tflite exists: choose another path, or replace it" in mistake("export", "tiny", "-o", path)
    out, _ = run("export", "tiny", "-o", path, "--force")
    assert out.startswith(f"{path}: ") and out.count("\n") == 1
    words = "Keras on 1000 latents of seed 19999: max {max_difference:.1e}, 99.9th percentile {p999_difference:.1e}"
    assert words.format(**said) in out
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run("export", "tiny", "--format", "tf_saved_model")
    assert {path.name for path in Path().iterdir()} == {"tiny", "tiny.json"}


@pytest.mark.parametrize(("flag", "precision"), [("--float16", "float16"), ("--int8", "int8")])
def test_export_smaller(tiny_zoo, tmp_path, monkeypatch, flag, precision):
    pytest.importorskip("ai_edge_quantizer", reason="pip install 'kerasgan[tflite]'")
    monkeypatch.chdir(tmp_path)
    said = parsed("export", str(tiny_zoo / "tiny"), "--format", "litert", flag)
    assert (said["path"], said["precision"]) == ("tiny.tflite", precision)


@pytest.mark.parametrize(
    ("name", "output", "complaint"),
    [
        ("tiny", "missing/g.tflite", "there is no folder missing"),
        ("tiny", "g.keras", "litert a file that ends in .tflite, onnx one in .onnx; g.keras is none of them."),
        ("tinny", "g.tflite", "Did you mean 'tiny'?"),
        (str(ROOT / "zoo" / "lenet_mnist"), "g.tflite", "draws no images"),
    ],
)
def test_export_refuses(tiny_zoo, tmp_path, monkeypatch, name, output, complaint):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert complaint in mistake("export", name, "-o", output)
    assert "Say --format or --output: tf_saved_model, litert or onnx" in mistake("export", "tiny")
    assert "Did you mean 'litert'?" in mistake("export", "tiny", "--format", "litter")
    assert "exclude each other" in mistake("export", "tiny", "-o", "g.tflite", "--int8", "--float16")
    assert not list(Path().iterdir())


def test_the_demo_without_scikit_learn(tiny_zoo, tmp_path, monkeypatch):
    for name in ("sklearn", "sklearn.datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    complaint = mistake("demo", "-o", tmp_path / "demo")
    assert complaint == "The demo fine-tunes on scikit-learn's digits: pip install 'kerasgan[metrics]'."
    assert not (tmp_path / "demo").exists()
