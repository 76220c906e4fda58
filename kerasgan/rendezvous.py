"""Workers meet before TensorFlow takes over, which would wait without end, deaf to signals, for one that is not there.

The first worker, the chief, listens; the others call and say who they are. When all are there it says "go", and all
leave the port to TensorFlow.
"""

import contextlib
import json
import selectors
import socket
import time

PATIENCE = 0.2  # seconds between two calls
LONGEST = 10_000  # bytes of what is said


def meet(workers, index, timeout):
    """Wait until all workers are there.

    Args:
        workers: ["host:port", ...] of all, the same list everywhere. index: which of them this is.
        timeout: seconds.

    Raises:
        ConnectionError: a worker did not come in time, by name; two have one index, or other lists; a port is taken.
    """
    with listener(workers, index) as door:
        if index == 0:
            receive(door, workers, timeout)
        else:
            call(workers, index, timeout)


def listener(workers, index):
    """The socket at which this worker is reached."""
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # after a worker of the same address has died
    try:
        door.bind(("", port_of(workers[index])))
        door.listen(len(workers))
    except OSError as error:
        door.close()
        raise ConnectionError(
            f"Worker {index} cannot listen at {workers[index]} ({error.strerror}): is another one started with index"
            f" {index}, or the port taken?"
        ) from None
    return door


def port_of(address):
    """The port of "host:port"."""
    return int(address.rpartition(":")[2])


def receive(door, workers, timeout):
    """The chief's part: let the others in, until all are there."""
    deadline, came = time.monotonic() + timeout, {}
    with contextlib.ExitStack() as open_, selectors.DefaultSelector() as ready:
        ready.register(door, selectors.EVENT_READ)
        while len(came) < len(workers) - 1:
            left = deadline - time.monotonic()
            if left <= 0:
                missing = [f"{i} ({workers[i]})" for i in range(1, len(workers)) if i not in came]
                refuse(came.values(), f"Waited {timeout} s for worker {', '.join(missing)}: start it, and look at its"
                       " address and at firewalls.")  # fmt: skip
            if not ready.select(left):
                continue
            guest = open_.enter_context(door.accept()[0])
            guest.settimeout(max(left, 1))
            said = hear(guest)
            if not isinstance(said, dict) or "index" not in said:
                continue  # somebody else, such as a scan of ports
            everyone = [*came.values(), guest]
            if said["workers"] != workers:
                refuse(everyone, f"Worker {said['index']} knows other workers, {', '.join(said['workers'])}, than the"
                       f" chief, {', '.join(workers)}: give all one list.")  # fmt: skip
            if said["index"] in came:
                refuse(everyone, f"Two workers have the index {said['index']}: give each its own.")
            came[said["index"]] = guest
        for guest in came.values():
            say(guest, {"go": True})
        for guest in came.values():
            guest.recv(1)  # it hangs up first, so that the port is free at once


def refuse(guests, why):
    """Tell those who came, and stop.

    Raises:
        ConnectionError: always.
    """
    for guest in guests:
        with contextlib.suppress(OSError):
            say(guest, {"why": why})
    raise ConnectionError(why)


def call(workers, index, timeout):
    """The part of the others: call the chief, until it answers."""
    deadline = time.monotonic() + timeout
    host = workers[0].rpartition(":")[0]
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection((host, port_of(workers[0])), timeout=left) as line:
                say(line, {"index": index, "workers": workers})
                line.settimeout(left + 5)  # the chief, who came first, gives up first, and says of whom
                answer = hear(line)
        except OSError:
            answer = None
        if answer is not None:
            if "go" in answer:
                return
            raise ConnectionError(answer["why"])
        time.sleep(PATIENCE)
    raise ConnectionError(
        f"Worker {index} waited {timeout} s for worker 0 ({workers[0]}): start it, and look at its address and at"
        " firewalls."
    )


def say(line, what):
    """Send a line of JSON."""
    line.sendall(json.dumps(what).encode() + b"\n")


def hear(line):
    """The line of JSON that comes; None of anything else."""
    said = b""
    while not said.endswith(b"\n") and len(said) < LONGEST:
        part = line.recv(LONGEST)
        if not part:
            return None
        said += part
    try:
        return json.loads(said)
    except ValueError:
        return None
