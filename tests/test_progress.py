"""The progress bar of the command: a line an epoch where nobody watches, a bar with the losses where somebody does."""

import numpy as np
from test_callbacks import pictures, tiny

from kerasgan.progress import Progress


def test_progress_is_a_line_per_epoch_on_stderr_when_it_is_no_terminal(capsys):
    tiny().fit(pictures(8), batch_size=4, epochs=3, verbose=0, callbacks=[Progress()])
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.split("epoch ")[1:]
    assert [line.split(":")[0] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all("discriminator loss " in line and "generator loss " in line for line in lines)


def test_progress_is_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # what makes rich take any stream for a terminal
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    tiny().fit(pictures(8), batch_size=4, epochs=2, verbose=0, callbacks=[Progress()])
    told = capsys.readouterr()
    assert told.out == "" and "2/2" in told.err and "epoch 2/2" in told.err and "\x1b[" in told.err


def test_the_words_of_the_logs():
    logs = {"generator_loss": np.array([1.0, 2.0]), "pair_accuracy": 0.25}
    assert Progress.words(logs) == "generator loss 1.500, pair accuracy 0.250"
    assert Progress.words(None) == ""
