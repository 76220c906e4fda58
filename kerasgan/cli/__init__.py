"""The `kerasgan` command. Data goes to stdout, progress to stderr; a user's mistake is one sentence and exit code 1."""

from kerasgan.cli.entries import info, list_
from kerasgan.cli.group import MISTAKES, Commands, generator, main, refuse, show, tidy
from kerasgan.cli.pictures import demo, generate, labels_of, upscale
from kerasgan.cli.training import evaluate, export, launch, tensorboard_callback, train, verify, verify_metrics

__all__ = [
    "MISTAKES", "Commands", "demo", "evaluate", "export", "generate", "generator", "info", "labels_of", "launch",
    "list_", "main", "refuse", "show", "tensorboard_callback", "tidy", "train", "upscale", "verify", "verify_metrics",
]  # fmt: skip
