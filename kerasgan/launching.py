"""Workers of one machine: started together, watched, and started again when one dies."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from kerasgan.distribution import LOST

GRACE = 30  # seconds that the others have to notice, once one has ended
WATCH = 0.2  # seconds between two looks


def launch(arguments, count, resumable, restarts=3, tell=print):
    """Run `kerasgan <arguments>` as so many workers of one training; returns the exit code.

    A worker that dies takes the others along, for their numbers are sums over all. They are started again, with
    `--resume` where there is a checkpoint; not when one of them has ended with a mistake of the user's.

    Args:
        arguments: of the command, ["train", "dcgan_mnist", ...]. count: of workers.
        resumable: a function that says whether there is a checkpoint. restarts: how often, at most.
        tell: is called with a sentence when something has happened.

    Returns:
        0: all have ended well. 130: SIGINT or SIGTERM, which all were told. `distribution.LOST`: workers were lost more
        often than `restarts`. Otherwise the code of the worker that made a mistake.
    """
    for left in range(restarts, -1, -1):
        stopped, codes = run(arguments, count)
        mistake = next((code for code in codes if code > 0 and code not in (LOST, 130)), None)
        if stopped or 130 in codes or not any(codes) or mistake:
            return 130 if stopped or 130 in codes else mistake or 0
        dead = ", ".join(f"worker {i} ({ending(code)})" for i, code in enumerate(codes) if code not in (0, LOST))
        again = [] if "--resume" in arguments or not resumable() else ["--resume"]
        tell(f"Lost {dead or 'a worker'}. " + (
            f"All start again{' from the newest checkpoint' if again or '--resume' in arguments else ''}; {left} more"
            f" time{'s' if left != 1 else ''} at most." if left else "It was the last try: start again with --resume."
        ))  # fmt: skip
        arguments = [*arguments, *again]
    return LOST


def ending(code):
    """How a process ended, in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def run(arguments, count):
    """(Was it told to stop, exit codes) of so many workers, once all have ended."""
    addresses = free_addresses(count)
    workers = [start(arguments, addresses, i) for i in range(count)]
    stopped = []

    def stop(number, frame):
        stopped.append(number)
        if len(stopped) > 1:
            return end(workers)
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGTERM)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        first = None  # when the first has ended otherwise than well
        while any(worker.poll() is None for worker in workers):
            if first is None and any(worker.poll() for worker in workers):
                first = time.monotonic()
            if first is not None and time.monotonic() - first > GRACE and not stopped:
                end(workers)
            time.sleep(WATCH)
    finally:
        end(workers)
        for number, handler in before.items():
            signal.signal(number, handler)
    return bool(stopped), [worker.wait() for worker in workers]


def end(workers):
    """Kill those that are still there: a worker that waits in TensorFlow for another hears no other signal."""
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()


def start(arguments, addresses, index):
    """The process of one worker; what one says that is not the chief gets its number in front."""
    task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    share = str(max(1, (os.cpu_count() or 1) // len(addresses)))  # of the cores: threads of all are no faster
    own = {"TF_NUM_INTRAOP_THREADS": share, "OMP_NUM_THREADS": share, "CUDA_VISIBLE_DEVICES": str(index)} | os.environ
    command = [sys.executable, "-m", "kerasgan", *arguments]
    said = {} if index == 0 else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    worker = subprocess.Popen(
        command, env=own | {"TF_CONFIG": json.dumps(task)}, **said, start_new_session=True
    )  # a session of its own: Ctrl-C comes from here alone, once
    if said:
        threading.Thread(target=repeat, args=(worker.stdout, index), daemon=True).start()
    return worker


def repeat(lines, index):
    """Say on stderr what a worker says."""
    for line in lines:
        print(f"worker {index}: {line.decode(errors='replace').rstrip()}", file=sys.stderr, flush=True)


def free_addresses(count):
    """So many addresses of this machine that nobody listens at."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
