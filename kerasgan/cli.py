"""The `kerasgan` command. Data goes to stdout, progress to stderr; a user's mistake is one sentence and exit code 1."""

import json
import os
import pathlib
import sys
import warnings

import click

from kerasgan import __version__
from kerasgan.names import nearest

# What our own checks raise. Anything else is a bug of ours, and shows its traceback.
MISTAKES = (ValueError, TypeError, OSError, MemoryError, FloatingPointError, ImportError, NotImplementedError)


class Commands(click.Group):
    """A group that answers a mistake with a sentence, and an unknown command with the nearest."""

    def parse_args(self, context, args):
        """Read what stands before the command; without anything, show the help."""
        try:
            return super().parse_args(context, args or ["--help"])
        except click.UsageError as error:
            refuse(context, error)

    def resolve_command(self, context, args):
        """Name the nearest command if there is none of that name."""
        if args and self.get_command(context, args[0]) is None:
            hint, there_are = nearest(args[0], self.commands), ", ".join(self.commands)
            raise click.UsageError(f"There is no command {args[0]!r}.{hint} There are: {there_are}.")
        return super().resolve_command(context, args)

    def invoke(self, context):
        """Run a command."""
        if context.params.get("debug"):
            return super().invoke(context)
        try:
            with warnings.catch_warnings():
                warnings.showwarning = lambda message, *rest, **more: click.echo(f"note: {message}", err=True)
                return super().invoke(context)
        except click.UsageError as error:
            refuse(context, error)
        except MISTAKES as error:
            click.echo(f"kerasgan: {str(error) or type(error).__name__}", err=True)
            context.exit(1)
        except KeyboardInterrupt:
            click.echo("kerasgan: stopped.", err=True)
            context.exit(130)


def refuse(context, error):
    """End with the sentence of a mistake in the command line, and the command whose help has the rest."""
    path = error.ctx.command_path if error.ctx else context.command_path
    click.echo(f"kerasgan: {error.format_message()} See `{path} --help`.", err=True)
    context.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show a traceback on errors.")
@click.version_option(__version__)
def main(debug):
    """GANs for Keras: trained models to sample, fine-tune, measure and export."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow reads it when it is imported, by a command


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")


def show(value, as_json, text):
    """Print a value as JSON, or as the text that `text(value)` makes of it."""
    click.echo(json.dumps(value, indent=2) if as_json else text(value))


@main.command("list")
@click.argument("pattern", default="*")
@click.option("--family", help="The first part of the name, such as dcgan.")
@click.option("--kind", help="generator, upscaler or extractor.")
@as_json
def list_(pattern, family, kind, as_json):
    """List the models whose name fits PATTERN (*, ?)."""
    from kerasgan import zoo

    here, absent = zoo.folders(), {"title": "not on this machine: fetched from KERASGAN_MIRROR"}
    names = zoo.list_models(pattern, family=family, kind=kind)
    found = {name: zoo.info(name) if name in here else absent for name in names}
    rows = [{"name": name, "kind": card.get("kind"), "title": card.get("title")} for name, card in found.items()]
    if rows or as_json:
        lines = [f"{row['name']:16} {row['kind'] or '':10} {row['title'] or ''}" for row in rows]
        show(rows, as_json, lambda _: "\n".join(lines))
    else:
        click.echo("There is no such model.", err=True)


@main.command()
@click.argument("name")
@as_json
def info(name, as_json):
    """Show the card of a model."""
    from kerasgan import rendering, zoo

    show(zoo.info(name), as_json, rendering.render)


@main.command()
@click.argument("name")
@click.option("-n", type=click.IntRange(1), help="How many images.  [default: 64, or one for each label]")
@click.option("--labels", help="Of a conditional model: classes by name or number, as in 3,1,4; repeated up to N.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Image i depends on (seed, i) alone; drawn if absent.")
@click.option("-o", "--output", help="A picture (grid) or .npz; with --each a folder.  [default: samples.png, samples]")
@click.option("--each", is_flag=True, help="One picture per image, in the folder OUTPUT.")
@as_json
def generate(name, n, labels, seed, output, each, as_json):
    """Draw images with the model NAME (an entry, a folder, a .keras file)."""
    from kerasgan import files, images, plotting, zoo

    path = pathlib.Path(output or ("samples" if each else "samples.png"))
    files.check_writable(path / "0.png" if each and path.exists() else path)
    if each and path.is_dir() and any(path.iterdir()):
        raise FileExistsError(f"{path} is not empty: choose another --output, or old images would be among the new.")
    if not each and path.suffix != ".npz":
        images.check_format(path)
    model = generator(zoo.load(name, metrics=False), name)
    if labels is not None:
        labels = labels_of(labels, n, [] if name.endswith(".keras") else zoo.info(name).get("class_names", []))
    drawn = model.generate(len(labels) if labels else n or 64, seed=seed, labels=labels)
    if each:
        path.mkdir(exist_ok=True)
        width = len(str(len(drawn) - 1))
        for i, image in enumerate(drawn):
            images.write(path / f"{i:0{width}}.png", image)
    elif path.suffix == ".npz":
        import numpy as np

        files.write_atomically(path, lambda temporary: np.savez_compressed(temporary, images=drawn))
    else:
        images.write(path, plotting.grid(drawn))
    value = {"model": name, "images": len(drawn), "seed": model.last_seed, "output": str(path)}
    show(value, as_json, lambda v: f"{v['images']} images of {v['model']}, seed {v['seed']}: {v['output']}")


@main.command()
@click.argument("name")
@click.option("-o", "--output", help="The folder of the run.  [default: runs/NAME]")
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint.")
@click.option("--data", "source", help="Other training data: a folder of pictures, an .npz, or tfds:NAME:SPLIT.")
@click.option("--epochs", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Instead of the recipe's.")
@click.option("--tensorboard", is_flag=True, help="Write logs for TensorBoard into the run's folder.")
@as_json
def train(name, output, resume, source, epochs, seed, tensorboard, as_json):
    """Train by the recipe NAME, or by a recipe.toml.

    Ctrl-C saves; --resume with the same --data, --epochs and --seed goes on to the bits of a training that was never
    stopped, on the CPU.
    """
    from kerasgan import recipes, training
    from kerasgan.progress import Progress

    recipe = training.find_recipe(name)
    run = training.run_folder(recipe, output)
    callbacks = [progress := Progress(epochs or recipes.read(recipe)["training"]["epochs"])]
    if tensorboard:
        callbacks.append(tensorboard_callback(run / "tensorboard"))
    try:
        options = dict(resume=resume, source=source, epochs=epochs, seed=seed)
        entry = training.train(name, run, **options, callbacks=callbacks, verbose=0)
    except training.Interrupted as stop:
        click.echo(f"kerasgan: {stop}", err=True)
        sys.exit(130)
    finally:
        if hasattr(progress, "bar"):
            progress.bar.stop()  # Keras tells no callback of an error, and the bar hides the cursor
    value = {"name": name, "entry": str(entry)}
    show(value, as_json, lambda v: f"Trained. Use it: kerasgan.load({v['entry']!r}), or kerasgan generate {v['entry']}")


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
    """Measure NAME against real images it never saw, beside what real data score."""
    from kerasgan import evaluation, rendering

    rows = evaluation.evaluate(name, n=n, source=source, protocol=protocol, beside=beside, write=write)
    rows = [row | {"verdict": rendering.verdict(row)} for row in rows]
    words = []
    for row in rows:
        real = f"real data {rendering.real(row):9}" if rendering.real(row) else ""
        words.append(f"{row['metric']:20} {rendering.spread(row):36} {real} {row['verdict']}".rstrip())
    show(rows, as_json, lambda _: "\n".join(words))


@main.command()
@click.argument("name")
@click.option("-o", "--output", required=True, help="A .tflite file, or a folder for a SavedModel.")
@click.option("--overwrite", is_flag=True, help="Replace what lies there.")
@as_json
def export(name, output, overwrite, as_json):
    """Write the generator of NAME as a SavedModel or .tflite, with a side-car and its measured error."""
    from kerasgan import zoo

    value = generator(zoo.load(name, metrics=False), name).export(output, overwrite=overwrite)
    show(value, as_json, lambda v: f"{v['path']}: largest difference to Keras {v['max_difference']:.1e}")


@main.command()
@click.option("-o", "--output", default="kerasgan-demo", show_default=True, help="The folder to write into.")
def demo(output):
    """Draw digits, walk between them, fine-tune on other digits, export: everything once, offline."""
    from kerasgan.demo import run

    run(output, click.echo)


def labels_of(text, n, class_names):
    """The labels that `cat,3` means, repeated until there are `n`.

    Raises:
        ValueError: a word that is neither the name of a class nor a number.
    """
    wanted = []
    for word in (word.strip() for word in text.split(",")):
        if word not in class_names and not word.isdecimal():
            raise ValueError(f"--labels: {word!r} is no class and no number.{nearest(word, class_names)}"
                             f" Classes: {', '.join(class_names) or 'by number'}.")  # fmt: skip
        wanted.append(class_names.index(word) if word in class_names else int(word))
    return [wanted[i % len(wanted)] for i in range(n or len(wanted))]


def generator(model, name):
    """The model, if it draws images.

    Raises:
        ValueError: it is a classifier, or some other Keras model.
    """
    if not hasattr(model, "generate"):
        raise ValueError(f"{name} draws no images: it is {type(model).__name__} {model.name!r}, not a GAN.")
    return model


def tensorboard_callback(folder):
    """Keras' TensorBoard callback, or the line that installs it."""
    import importlib.util

    import keras

    if importlib.util.find_spec("tensorboard") is None:
        raise ImportError("TensorBoard is not installed: pip install 'kerasgan[tensorboard]'.")
    return keras.callbacks.TensorBoard(folder)
