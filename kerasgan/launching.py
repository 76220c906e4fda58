"""Workers of one machine: started together, watched, and started again when one dies."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from kerasgan import replicas
from kerasgan.distribution import LOST

STOPPED = 130  # the exit code of a training that was told to stop, and is saved
GRACE = 60  # seconds that the others have to notice or to save, once one has ended
WATCH = 0.2  # seconds between two looks
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def launch(arguments, count, resumable, restarts=3, tell=print):
    """Run `kerasgan train <arguments>` as so many workers of one training; returns the exit code.

    A worker that dies takes the others along, for their numbers are sums over all. They are started again, with
    `--resume` where there is a checkpoint; not when one of them has ended with a mistake of the user's.

    Args:
        arguments: what follows `kerasgan train`, ["dcgan_mnist", ...]. count: of workers.
        resumable: a function that says whether there is a checkpoint. restarts: how often, at most.
        tell: is called with a sentence when something has happened.

    Returns:
        0: all have ended well. 130: a signal, which all were told. `distribution.LOST`: workers were lost more often
        than `restarts`. Otherwise the code of the worker that made a mistake.
    """
    for left in range(restarts, -1, -1):
        stopped, codes = run(["train", *arguments], count)
        killed = [code for code in codes if code < 0]
        mistake = next((code for code in codes if code > 0 and code not in (LOST, STOPPED)), None)
        if stopped or STOPPED in codes or not any(codes):
            return STOPPED if any(codes) else 0
        if mistake and not killed:
            return mistake
        dead = ", ".join(f"worker {i} ({ending(code)})" for i, code in enumerate(codes) if code not in (0, LOST))
        if resumable() and "--resume" not in arguments:
            arguments = ["--resume", *arguments]
        how = " from the newest checkpoint" if "--resume" in arguments else ""
        more = f"All start again{how}; {left} more time{'s' if left != 1 else ''} at most."
        last = f"It was the last try: start again{' with --resume' if how else ''}."
        tell(f"Lost {dead or 'a worker'}. {more if left else last}")
    return LOST


def ending(code):
    """How a process ended, in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def run(arguments, count):
    """(Was it told to stop, exit codes) of so many workers, once all have ended; those that had to be ended: LOST."""
    workers, stopped, ended = [], [], {}

    def stop(number, frame):
        stopped.append(number)
        if len(stopped) > 1:
            return end(workers)
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGTERM)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        with tempfile.TemporaryDirectory(prefix="kerasgan-launch-") as place:
            addresses = free_addresses(count)
            workers += [start(arguments, addresses, i, place) for i in range(count)]
            first = None  # when one has ended, and the others have to
            while any(worker.poll() is None for worker in workers):
                ended = {i: code for i, worker in enumerate(workers) if (code := worker.poll()) is not None}
                if first is None and any(code or stopped for code in ended.values()):
                    first = time.monotonic()
                if first is not None and time.monotonic() - first > GRACE:
                    break
                time.sleep(WATCH)
            else:
                ended = {i: worker.poll() for i, worker in enumerate(workers)}
            end(workers)
    finally:
        end(workers)
        for number, handler in before.items():
            signal.signal(number, handler)
    return bool(stopped), [ended.get(i, LOST) for i in range(count)]


def end(workers):
    """Kill those that are still there: a worker that waits in TensorFlow for another hears no other signal."""
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        worker.wait()


def start(arguments, addresses, index, place):
    """The process of one worker; what one says that is not the chief gets its number in front.

    Args:
        arguments: of the command. addresses: of all workers. index: which this is. place: for its passing files.
    """
    task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    share = str(max(1, replicas.cores() // len(addresses)))  # of the cores: threads of all are no faster
    own = {"TF_NUM_INTRAOP_THREADS": share, "OMP_NUM_THREADS": share} | os.environ
    own |= {"TF_CONFIG": json.dumps(task), "TMPDIR": place, "CUDA_VISIBLE_DEVICES": gpu_of(index)}
    said = {} if index == 0 else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    command = [sys.executable, "-m", "kerasgan", *arguments]
    # A session of its own: Ctrl-C comes from here alone, once.
    worker = subprocess.Popen(command, env=own, **said, start_new_session=True)
    if said:
        threading.Thread(target=repeat, args=(worker.stdout, index), daemon=True).start()
    return worker


def gpu_of(index):
    """What a worker sees of the GPUs: one, its own; none where there are not so many."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return str(index)
    return dict(enumerate(visible.split(","))).get(index, "")


def repeat(lines, index):
    """Say on stderr what a worker says; read on whatever becomes of stderr, or the worker would wait."""
    for line in lines:
        with contextlib.suppress(OSError, ValueError):
            print(f"worker {index}: {line.decode(errors='replace').rstrip()}", file=sys.stderr, flush=True)


def free_addresses(count):
    """So many addresses of this machine that nobody listens at."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
