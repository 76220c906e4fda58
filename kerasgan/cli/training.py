"""`train`, `launch`, `verify`, `evaluate` and `export`: how an entry comes about, what it is worth, where it goes."""

import pathlib
import sys

import click

from kerasgan.cli.group import as_json, generator, main, show, tidy


@main.command()
@click.argument("name")
@click.option("-o", "--output", help="The folder of the run.  [default: runs/NAME]")
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint.")
@click.option(
    "--data",
    "source",
    help="Other training data: a folder of pictures, an .npz, or tfds:NAME:SPLIT; of an upscaler HIGH|LOW too.",
)
@click.option("--epochs", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Instead of the recipe's.")
@click.option("--tensorboard", is_flag=True, help="Write logs for TensorBoard into the run's folder.")
@click.option(
    "--strategy",
    type=click.Choice(["auto", "one", "mirrored", "multi_worker", "tpu"]),
    default="auto",
    show_default=True,
    help="How many devices: as TF_CONFIG or the GPUs say, or one.",
)
@click.option("--devices", help="Of mirrored: names, as in GPU:0,GPU:1, or how many.")
@click.option("--workers", help="Of multi_worker: all addresses, host:port,..., instead of TF_CONFIG.")
@click.option("--index", type=click.IntRange(0), help="Which of them this is; 0 is the chief, which writes.")
@as_json
def train(name, output, resume, source, epochs, seed, tensorboard, as_json, strategy, **where):
    """Train by the recipe NAME, or by a recipe.toml.

    Ctrl-C saves; --resume with the same --data, --epochs and --seed goes on to the bits of a training that was never
    stopped, on the CPU. Over several devices a batch is that of the recipe, in parts. The exit code is 75 when another
    worker was lost: start all again with --resume.
    """
    from kerasgan import distribution, recipes, replicas, training
    from kerasgan.progress import Progress

    recipe = training.find_recipe(name)
    run = training.run_folder(recipe, output)
    progress = Progress(epochs or recipes.read(recipe)["training"]["epochs"])
    options = dict(resume=resume, source=source, epochs=epochs, seed=seed)
    try:
        with distribution.strategy(strategy, **where).scope(), distribution.losing_none():
            chief = replicas.is_chief()
            callbacks = [progress] if chief else []
            if tensorboard and chief:
                callbacks.append(tensorboard_callback(run / "tensorboard"))
            entry = training.train(name, run, **options, callbacks=callbacks, verbose=0)
    except training.Interrupted as stop:
        click.echo(f"kerasgan: {stop}", err=True)
        sys.exit(130)
    except distribution.WorkerLost as lost:
        click.echo(f"kerasgan: {lost}", err=True)
        sys.exit(distribution.LOST)
    finally:
        if hasattr(progress, "bar"):
            progress.bar.stop()  # Keras tells no callback of an error, and the bar hides the cursor
    if not chief:
        return
    value = {"name": name, "entry": str(entry)}
    uses = {"upscaler": f"kerasgan upscale ... --model {entry}", "extractor": f"kerasgan info {entry}"}
    use = uses.get(recipes.read(recipe)["card"].get("kind"), f"kerasgan generate {entry}")
    show(value, as_json, lambda v: f"Trained. Use it: kerasgan.load({v['entry']!r}), or {use}")


@main.command(context_settings={"ignore_unknown_options": True})
@click.option("--workers", type=click.IntRange(1), required=True, help="How many processes.")
@click.option("--restarts", type=click.IntRange(0), default=3, show_default=True, help="At most, when one is lost.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- train NAME ...")
def launch(workers, restarts, command):
    """Train with several processes of this machine, and start them again when one dies.

    As in: kerasgan launch --workers 2 -- train dcgan_mnist -o runs/two
    """
    from kerasgan import launching, training
    from kerasgan.checkpoints import Checkpoints

    first, *rest = command or [None]
    if first != "train":
        raise click.UsageError(f"launch starts `train NAME ...`; saw {' '.join(command) or 'nothing'}.")
    given = train.make_context("kerasgan launch -- train", list(rest)).params  # mistakes are told once, before all
    if given["workers"] or given["index"] is not None or given["strategy"] not in ("auto", "multi_worker"):
        raise click.UsageError("launch itself says who the workers are: leave --strategy, --workers and --index out.")
    run = training.run_folder(training.find_recipe(given["name"]), given["output"])

    def resumable():
        return bool(Checkpoints(run / "checkpoints").steps())

    def tell(sentence):
        click.echo(f"kerasgan: {sentence}", err=True)

    sys.exit(launching.launch(rest, workers, resumable, restarts, tell))


def tensorboard_callback(folder):
    """Keras' TensorBoard callback, or the line that installs it."""
    import importlib.util

    import keras

    if importlib.util.find_spec("tensorboard") is None:
        raise ImportError("TensorBoard is not installed: pip install 'kerasgan[tensorboard]'.")
    return keras.callbacks.TensorBoard(folder)


@main.command()
@click.argument("name")
@click.option("--metrics", is_flag=True, help="Measure again by the card's protocol, with other sampling seeds.")
@as_json
def verify(name, metrics, as_json):
    """Make the golden images of NAME again and compare; exit code 1 if they differ."""
    from kerasgan import zoo

    if metrics:
        sys.exit(verify_metrics(name, as_json))
    value = zoo.verify(name)
    show(value, as_json, lambda v: "{verdict}: {name}, {images} golden images, largest difference {max_difference}, "
         "{differing} of {pixels} values differ".format(verdict="ok" if v["ok"] else "DIFFERENT", **v))  # fmt: skip
    sys.exit(0 if value["ok"] else 1)


def verify_metrics(name, as_json):
    """Show each number beside the card's; returns the exit code, 1 if one lies outside the card's interval."""
    from kerasgan import evaluation

    rows = evaluation.verify(name)
    line = "{metric:18} card {card:.4g} ± {spread:.2g}, now {now:.4g}: "
    words = [line.format(**row) + ("ok" if row["ok"] else f"MISSED by {row['missed']:.2g}") for row in rows]
    show(rows, as_json, lambda _: "\n".join(words))
    return 0 if all(row["ok"] for row in rows) else 1


@main.command()
@click.argument("name")
@click.option("--data", "source", help="Other real images than the recipe's test split.")
@click.option("-n", type=click.IntRange(1), default=10_000, show_default=True, help="Images on each side.")
@click.option(
    "--protocol",
    type=click.Choice(["modern", "paper"]),
    default="modern",
    show_default=True,
    help="In an extractor's features, or as the paper's own table has it.",
)
@click.option("--beside", multiple=True, help="The same entry trained with another seed (`train --seed`); repeatable.")
@click.option("--write", is_flag=True, help="For maintainers: write the numbers onto the card, and pin it anew.")
@as_json
def evaluate(name, source, n, protocol, beside, write, as_json):
    """Measure NAME against real images it never saw, beside what real data score; an upscaler beside bicubic."""
    from kerasgan import evaluation, rendering

    rows = evaluation.evaluate(name, n=n, source=source, protocol=protocol, beside=beside, write=write)
    rows = [row | {"verdict": rendering.verdict(row)} for row in rows]
    words = []
    for row in rows:
        real = f"real data {rendering.real(row):9}" if rendering.real(row) else ""
        where = f"{row['set']}, {row['protocol']}: " if "set" in row else ""
        words.append(f"{where}{row['metric']:20} {rendering.spread(row):36} {real} {row['verdict']}".rstrip())
    show(rows, as_json, lambda _: "\n".join(words))


@main.command()
@click.argument("name")
@click.option("-o", "--output", help="A .tflite or .onnx file, or a folder for a SavedModel.  [default: NAME, here]")
@click.option("--format", help="tf_saved_model, litert or onnx.  [default: as OUTPUT ends]")
@click.option("--float16", is_flag=True, help="Of a .tflite: half the bytes.")
@click.option("--int8", is_flag=True, help="Of a .tflite: a quarter of the bytes, calibrated.")
@click.option("--batch-size", type=click.IntRange(1), help="Fixed, as GPU delegates need it.  [default: any]")
@click.option("--size", type=click.IntRange(1), nargs=2, help="Of an upscaler: height and width of what goes in.")
@click.option("--force", "overwrite", is_flag=True, help="Replace what lies there.")
@as_json
@tidy
def export(name, output, format, float16, int8, as_json, **options):
    """Write the generator of NAME as a SavedModel, .tflite or .onnx, with a side-car and its measured error."""
    if float16 and int8:
        raise click.UsageError("--float16 and --int8 exclude each other.")
    if not output and not format:
        raise click.UsageError("Say --format or --output: tf_saved_model, litert or onnx; or a path.")
    from kerasgan import zoo
    from kerasgan.export import FORMATS
    from kerasgan.names import check_choice

    if not output:
        check_choice("format", format, FORMATS)
        output = pathlib.Path(name).resolve().name.removesuffix(".keras") + FORMATS[format]
    model = zoo.load(name, metrics=False)
    options |= {"format": format, "precision": "int8" if int8 else "float16" if float16 else "float32"}
    value = (model if hasattr(model, "upscale") else generator(model, name)).export(output, **options)
    line = "{path}: {bytes:,} bytes; difference to Keras on {checked_on}: max {max_difference:.1e}, "
    line += "99.9th percentile {p999_difference:.1e}, mean {mean_difference:.1e}"
    show(value, as_json, lambda v: line.format(**v))
