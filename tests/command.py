"""The `kerasgan` command, called in this process: for the tests of what it prints and how it ends."""

import json

from click.testing import CliRunner

from kerasgan import cli


def run(*args, code=0):
    """(stdout, stderr) of the command, which must end with that exit code."""
    done = CliRunner().invoke(cli.main, [str(arg) for arg in args], prog_name="kerasgan")
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout, done.stderr


def mistake(*args):
    """The one sentence, without `kerasgan: `, that a mistake is answered with."""
    out, error = run(*args, code=1)
    assert out == "" and error.startswith("kerasgan: ") and error.count("\n") == 1, (out, error)
    return error.removeprefix("kerasgan: ").rstrip()


def parsed(*args, code=0):
    """The JSON on stdout, of which nothing else may be there."""
    return json.loads(run(*args, "--json", code=code)[0])
