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
HEARING = 5  # seconds for somebody at the door to say who it is
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
    """The socket at which this worker is reached, by IPv6 too where the machine has it."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        return socket.create_server(("", port_of(workers[index])), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise ConnectionError(
            f"Worker {index} cannot listen at {workers[index]} ({error.strerror}): is another one started with index"
            f" {index}, or the port taken?"
        ) from None


def port_of(address):
    """The port of "host:port"."""
    return int(address.rpartition(":")[2])


def host_of(address):
    """The host of "host:port", without the brackets of "[::1]:port"."""
    return address.rpartition(":")[0].strip("[]")


def receive(door, workers, timeout):
    """The chief's part: let the others in, until all are there."""
    deadline, came = time.monotonic() + timeout, {}
    with contextlib.ExitStack() as open_, selectors.DefaultSelector() as ready:
        ready.register(door, selectors.EVENT_READ)
        while len(came := {i: guest for i, guest in came.items() if not hung_up(guest)}) < len(workers) - 1:
            left = deadline - time.monotonic()
            if left <= 0:
                missing = [f"{i} ({workers[i]})" for i in range(1, len(workers)) if i not in came]
                refuse(came.values(), f"Waited {timeout} s for worker {', '.join(missing)}: start it, and look at its"
                       " address and at firewalls.")  # fmt: skip
            if not ready.select(min(left, 1)):
                continue
            guest = open_.enter_context(door.accept()[0])
            guest.settimeout(min(left, HEARING))
            said = hear(guest)
            if not (isinstance(said, dict) and {"index", "workers"} <= said.keys()):
                continue  # somebody else, such as a scan of ports
            everyone = [*came.values(), guest]
            if said["workers"] != workers:
                refuse(everyone, f"Worker {said['index']} knows other workers, {said['workers']}, than the chief,"
                       f" {workers}: give all one list.")  # fmt: skip
            if said["index"] in came and not hung_up(came[said["index"]]):
                refuse(everyone, f"Two workers have the index {said['index']}: give each its own.")
            came[said["index"]] = guest
        for act in (lambda guest: say(guest, {"go": True}), lambda guest: guest.recv(1)):
            for guest in came.values():  # the guests hang up first, so that the port is free at once
                with contextlib.suppress(OSError):
                    act(guest)


def hung_up(guest):
    """Whether a worker that came has left again: it has died, or was started anew."""
    try:
        guest.setblocking(False)
        return not guest.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        guest.settimeout(HEARING)


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
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection((host_of(workers[0]), port_of(workers[0])), timeout=left) as line:
                say(line, {"index": index, "workers": workers})
                line.settimeout(left + 5)  # the chief, who came first, gives up first, and says of whom
                answer = hear(line)
        except OSError:
            answer = None
        if isinstance(answer, dict) and "go" in answer:
            return
        if isinstance(answer, dict) and "why" in answer:
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
    """The line of JSON that comes; None of anything else, and of silence."""
    said = b""
    try:
        while not said.endswith(b"\n") and len(said) < LONGEST:
            part = line.recv(LONGEST)
            if not part:
                return None
            said += part
        return json.loads(said)
    except (OSError, ValueError):
        return None
