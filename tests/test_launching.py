"""Workers that are started, watched and started again: the rules, and the real thing with a worker killed."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from kerasgan import launching
from kerasgan.launching import end, ending, free_addresses, gpu_of, launch, repeat, run, start

LOST = 75


@pytest.fixture
def script(monkeypatch):
    """Let launch meet these (stopped, exit codes) in turn; returns what it ran."""
    ran = []

    def play(*scenes):
        rest = iter(scenes)

        def scene(arguments, count):
            ran.append(arguments)
            return next(rest)

        monkeypatch.setattr(launching, "run", scene)
        return ran

    return play


def test_all_well(script):
    ran, said = script((False, [0, 0])), []
    assert launch(["x"], 2, lambda: True, tell=said.append) == 0
    assert ran == [["train", "x"]] and not said


def test_a_lost_worker_is_started_again(script):
    """From the newest checkpoint once there is one."""
    ran, said, there = script((False, [-9, LOST]), (False, [LOST, -11]), (False, [0, 0])), [], iter([False, True])
    assert launch(["x"], 2, lambda: next(there), tell=said.append) == 0
    assert ran == [["train", "x"], ["train", "x"], ["train", "--resume", "x"]]
    assert said == [
        "Lost worker 0 (killed by SIGKILL). All start again; 3 more times at most.",
        "Lost worker 1 (killed by SIGSEGV). All start again from the newest checkpoint; 2 more times at most.",
    ]


def test_lost_too_often(script):
    ran, said = script(*[(False, [0, -9])] * 3), []
    assert launch(["--resume", "x"], 2, lambda: True, restarts=2, tell=said.append) == LOST
    assert ran == [["train", "--resume", "x"]] * 3 and "1 more time at most." in said[1]
    assert said[2] == "Lost worker 1 (killed by SIGKILL). It was the last try: start again with --resume."


@pytest.mark.parametrize(
    ("scene", "code"), [((False, [1, LOST]), 1), ((False, [LOST, 2]), 2), ((True, [130, 130]), 130)]
)
def test_what_is_not_tried_again(script, scene, code):
    """A mistake of the user's, and being told to stop."""
    ran = script(scene)
    assert launch(["x"], 2, lambda: True) == code and len(ran) == 1


def test_a_worker_killed_beside_a_mistake_is_a_lost_one(script):
    """A peer that dies while the others start may look like a mistake of theirs."""
    ran = script((False, [1, -9]), (False, [0, 0]))
    assert launch(["x"], 2, lambda: False, tell=lambda _: None) == 0 and len(ran) == 2


def test_every_worker_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [gpu_of(i) for i in range(2)] == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert [gpu_of(i) for i in range(3)] == ["5", "7", ""]


def test_words():
    assert ending(-9) == "killed by SIGKILL" and ending(3) == "exit code 3"
    addresses = free_addresses(3)
    assert len(set(addresses)) == 3 and all(a.startswith("127.0.0.1:") for a in addresses)


@pytest.fixture
def python(monkeypatch):
    """Let workers be a line of Python that knows its index `i`."""

    def play(code):
        def started(arguments, addresses, index, place):
            return subprocess.Popen([sys.executable, "-c", f"i = {index}\n{code}"], start_new_session=True)

        monkeypatch.setattr(launching, "start", started)

    return play


def test_the_others_get_time_and_are_ended(python, monkeypatch):
    monkeypatch.setattr(launching, "GRACE", 0.5)
    python("import sys, time\nsys.exit(3) if i == 1 else time.sleep(60 * (i == 2))")
    assert run([], 3) == (False, [0, 3, LOST])


def test_a_signal_reaches_all(python):
    """As Ctrl-C does; the second one ends them."""
    stops = "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(130))\ntime.sleep(60)"
    for code, signals, codes in ((stops, 1, [130, 130]), (stops.replace("sys.exit(130)", "0"), 2, [-9, -9])):
        python(code)
        for i in range(signals):
            threading.Timer(1.5 + i, os.kill, (os.getpid(), signal.SIGINT)).start()
        stopped, ended = run([], 2)
        assert stopped and ended == codes
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_worker_says_who_it_is(capfd, monkeypatch, tmp_path):
    """All but the chief, whose terminal it is."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    addresses = ["127.0.0.1:1", "127.0.0.1:2"]
    both = [start(["no-such-command"], addresses, index, str(tmp_path)) for index in (0, 1)]
    assert [worker.wait() for worker in both] == [1, 1]
    end(both)
    repeat([b"late\n"], 1)
    said = capfd.readouterr().err
    assert "worker 1: kerasgan: There is no command 'no-such-command'" in said and "worker 1: late\n" in said
    assert said.count("There is no command") == 2
