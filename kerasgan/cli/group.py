"""What the commands share: how a mistake is answered, and how a result is shown."""

import functools
import os
import signal
import threading
import warnings

import click

from kerasgan import __version__
from kerasgan.files import json_text
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
        except KeyboardInterrupt as told:
            click.echo("kerasgan: stopped.", err=True)
            context.exit(128 + (told.args or (signal.SIGINT,))[0])


def tidy(command):
    """Let SIGTERM end a command as Ctrl-C does: what it had half-written is taken away, as of any error.

    Not for those that train: they save first, and a worker may wait for others where no handler is called.
    """

    def stop(number, frame):
        raise KeyboardInterrupt(number)

    @functools.wraps(command)
    def listening(*args, **options):
        if threading.current_thread() is not threading.main_thread():  # Python allows it there alone
            return command(*args, **options)
        before = signal.signal(signal.SIGTERM, stop)
        try:
            return command(*args, **options)
        finally:
            signal.signal(signal.SIGTERM, before)

    return listening


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
    click.echo(json_text(value) if as_json else text(value))


def generator(model, name):
    """The model, if it draws images.

    Raises:
        ValueError: it is a classifier, or some other Keras model.
    """
    if hasattr(model, "upscale"):
        raise ValueError(f"{name} draws no images, it makes pictures larger: kerasgan upscale ... --model {name}")
    if not hasattr(model, "generate"):
        raise ValueError(f"{name} draws no images: it is {type(model).__name__} {model.name!r}, not a GAN.")
    return model
