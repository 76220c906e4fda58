"""`import kerasgan`, and what it asks of TensorFlow before that is imported."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("said", [None, "0"])
def test_onednn_is_asked_for_unless_the_user_has_said(said):
    others = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    program = "import kerasgan, os, sys; print(os.environ['TF_ENABLE_ONEDNN_OPTS'], 'tensorflow' in sys.modules)"
    environment = others if said is None else others | {"TF_ENABLE_ONEDNN_OPTS": said}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [said or "1", "False"], done.stderr
