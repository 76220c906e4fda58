"""Workers meet, or one sentence says who is missing, to all who came."""

import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from kerasgan import rendezvous
from kerasgan.rendezvous import call, hear, host_of, listener, meet, port_of, receive, refuse, say


@pytest.fixture
def addresses():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    found = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return found


def together(*meetings):
    """What becomes of several meetings at once: None, or the error."""

    def one(meeting):
        try:
            return meet(*meeting)
        except ConnectionError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, meetings))


def test_all_come_and_leave_the_ports_free(addresses):
    """In any order; twice, as after a worker has died."""
    for order in ((2, 0, 1), (0, 1, 2)):
        assert together(*[(addresses, i, 10) for i in order]) == [None] * 3
        for i in range(3):
            listener(addresses, i).close()
    assert meet(addresses[:1], 0, 10) is None, "alone there is nobody to wait for"
    assert port_of("a:17") == 17 and host_of("a:17") == "a"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="the machine has no IPv6")
def test_by_ipv6(addresses):
    """In brackets, as in a URL; the same door serves both."""
    mixed = [f"[::1]:{port_of(addresses[0])}", addresses[1]]
    assert host_of(mixed[0]) == "::1" and together((mixed, 0, 10), (mixed, 1, 10)) == [None, None]
    with listener(addresses, 0) as door, socket.create_connection(("127.0.0.1", port_of(addresses[0]))):
        door.accept()[0].close()


def test_somebody_else_at_the_door(addresses, monkeypatch):
    """A scan of ports, a browser, somebody who says nothing: no workers."""
    monkeypatch.setattr(rendezvous, "HEARING", 0.3)
    with listener(addresses, 0) as door, ThreadPoolExecutor() as pool:
        place = ("127.0.0.1", port_of(addresses[0]))
        for words in (b"", b"GET / HTTP/1.1\n", b"[]\n", b"3\n", b'{"index": 1}\n'):
            with socket.create_connection(place) as line:
                line.sendall(words)
        with socket.create_connection(place) as line:  # hangs up with a reset, as scanners do
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        silent = socket.create_connection(place)
        with socket.create_connection(place) as line:  # a worker that dies before all are there, and is started anew
            say(line, {"index": 1, "workers": addresses})
        calls = [pool.submit(call, addresses, i, 10) for i in (1, 2)]
        assert receive(door, addresses, 10) is None and [done.result() for done in calls] == [None, None]
        silent.close()


def test_hung_up():
    one, other = socket.socketpair()
    with one, other:
        assert not rendezvous.hung_up(one)
        other.close()
        assert rendezvous.hung_up(one)


def test_one_is_missing(addresses):
    """All who came are told by the chief, who knows."""
    said = together((addresses, 0, 1), (addresses, 1, 1))
    assert (
        said == [f"Waited 1 s for worker 2 ({addresses[2]}): start it, and look at its address and at firewalls."] * 2
    )


def test_the_chief_is_missing(addresses):
    said = together((addresses, 1, 0.5), (addresses, 2, 0.5))
    assert said == [f"Worker {i} waited 0.5 s for worker 0 ({addresses[0]}): start it, and look at its address and at"
                    " firewalls." for i in (1, 2)]  # fmt: skip


def test_two_with_one_index(addresses):
    """On one machine the port is taken; on two the chief notices."""
    with listener(addresses, 1), pytest.raises(ConnectionError, match="Worker 1 cannot listen .*another one started"):
        meet(addresses, 1, 1)

    def twice():
        with pytest.raises(ConnectionError, match="Two workers have the index 1: give each its own"):
            call(addresses, 1, 5)

    with listener(addresses, 0) as door, ThreadPoolExecutor() as pool:
        calls = [pool.submit(twice) for _ in range(2)]
        with pytest.raises(ConnectionError, match="Two workers have the index 1"):
            receive(door, addresses, 5)
        assert [done.result() for done in calls] == [None, None]


def test_other_lists(addresses):
    other = [addresses[0], addresses[2]]
    said = together((addresses, 0, 5), (other, 1, 5))
    assert said[0] == said[1] and said[0].startswith(f"Worker 1 knows other workers, {other}, than the chief")


def test_lines():
    one, other = socket.socketpair()
    with one, other:
        say(one, {"index": 1})
        assert hear(other) == {"index": 1}
        one.sendall(b"x" * rendezvous.LONGEST)
        assert hear(other) is None, "no line"
        with pytest.raises(ConnectionError, match="because"):
            refuse([one], "because")
        assert hear(other) == {"why": "because"}
        one.close()
        assert hear(other) is None
