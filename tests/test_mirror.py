"""A mirror is any server of files, and is not trusted: what it serves is held against what was shipped."""

import functools
import http.server
import json
import random
import shutil
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

import kerasgan
from kerasgan import cards, mirror, zoo
from kerasgan.files import sha256


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; `server.asked` has the paths, and of those in `server.short` half the bytes arrive."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path not in self.server.short:
            return super().do_GET()
        content = open(self.translate_path(self.path), "rb").read()
        self.send_response(200)
        if self.server.announce:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])

    def log_message(self, *_):
        """Nothing on stderr."""


@pytest.fixture
def served(tiny_zoo, tmp_path, monkeypatch):
    """The tiny entry on a mirror alone: the folder that is served; this machine knows its name and its card's hash."""
    place = tmp_path / "served"
    tiny_zoo.rename(place)
    (tmp_path / "shipped").mkdir()
    cards.write_index(place)
    (place / cards.INDEX).rename(tmp_path / "shipped" / cards.INDEX)
    monkeypatch.setattr(zoo, "shipped", lambda: tmp_path / "shipped")
    monkeypatch.delenv("KERASGAN_ZOO")
    return place


@pytest.fixture
def server(served, monkeypatch):
    """An HTTP server of that folder, to which KERASGAN_MIRROR points."""
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(served)))
    made.asked, made.short, made.announce = [], set(), True
    made.address = f"http://127.0.0.1:{made.server_port}"
    threading.Thread(target=made.serve_forever, daemon=True).start()
    monkeypatch.setenv("KERASGAN_MIRROR", made.address)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield made
    made.shutdown()
    made.server_close()


def pinned():
    return zoo.index()["tiny"]


def arrived():
    """The files of the entry in the cache, hidden ones too."""
    return {path.name for path in (mirror.cache() / "tiny").glob("*")}


FILES = {"generator.weights.h5", "discriminator.weights.h5", "golden.npz", "samples.png"}


# --- what works -------------------------------------------------------------------------------------------------------


def test_load_fetches_what_is_missing_and_no_more(served, server, monkeypatch):
    assert kerasgan.list_models() == ["tiny"] and not server.asked
    model = kerasgan.load("tiny")
    assert sorted(server.asked) == sorted(f"/tiny/{name}" for name in {*FILES, cards.CARD})
    golden = np.load(served / "tiny" / "golden.npz")
    np.testing.assert_array_equal(model.sample(golden["latents"]), golden["images"])
    assert arrived() == {*FILES, cards.CARD}
    server.asked.clear()
    kerasgan.load("tiny")
    assert not server.asked
    monkeypatch.delenv("KERASGAN_MIRROR")
    assert kerasgan.verify("tiny")["ok"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder_is_a_mirror_too(served, slash):
    folder, card = mirror.fetch(served.as_uri() + slash, "tiny", pinned())
    assert folder == mirror.cache() / "tiny" and card == cards.read(served / "tiny", pinned())
    for name in {*FILES, cards.CARD}:
        assert sha256(folder / name) == sha256(served / "tiny" / name)


def test_only_what_is_not_right_is_fetched_again(server):
    folder, _ = mirror.fetch(server.address, "tiny", pinned())
    server.asked.clear()
    (folder / "golden.npz").write_bytes(b"damaged")
    (folder / "samples.png").unlink()
    mirror.fetch(server.address, "tiny", pinned())
    assert server.asked == ["/tiny/card.json", "/tiny/golden.npz", "/tiny/samples.png"]
    assert zoo.verify("tiny")["ok"]


def test_what_another_version_left_in_the_cache_is_fetched_again(server):
    folder, _ = mirror.fetch(server.address, "tiny", pinned())
    card = json.loads((folder / cards.CARD).read_text())
    (folder / cards.CARD).write_text(json.dumps(card | {"title": "of another version"}))
    assert zoo.info("tiny")["title"] == "Squares from noise"


def test_a_name_that_was_not_shipped_is_not_asked_for(server):
    with pytest.raises(ValueError, match="no model 'tiy'. Did you mean 'tiny'"):
        kerasgan.load("tiy")
    assert not server.asked


def test_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KERASGAN_HOME", str(tmp_path / "here"))
    assert mirror.cache() == tmp_path / "here"
    monkeypatch.delenv("KERASGAN_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert mirror.cache() == tmp_path / ".cache" / "kerasgan"


def test_download(served, server):
    content = (served / "tiny" / "golden.npz").read_bytes()
    assert mirror.download(f"{server.address}/tiny/golden.npz") == content
    assert mirror.download((served / "tiny" / "golden.npz").as_uri()) == content


# --- what is refused: the cache has no entry then, and nothing half-written -------------------------------------------


def test_another_card_is_refused(served, server):
    card = json.loads((served / "tiny" / cards.CARD).read_text())
    (served / "tiny" / cards.CARD).write_text(json.dumps(card | {"title": "a lie"}))
    with pytest.raises(ValueError, match="serves another card of tiny than this kerasgan was shipped with"):
        kerasgan.load("tiny")
    assert server.asked == ["/tiny/card.json"] and not mirror.cache().exists()


@pytest.mark.parametrize("name", sorted(FILES))
def test_other_bytes_are_refused(served, server, name):
    content = bytearray((served / "tiny" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (served / "tiny" / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"serves tiny/{name} with other bytes than its card says: not used"):
        kerasgan.load("tiny")
    assert arrived() < FILES and name not in arrived()
    assert zoo.folders() == {}


@pytest.mark.parametrize("name", ["card.json", "golden.npz"])
@pytest.mark.parametrize("how", ["http", "file"])
def test_a_missing_file(served, server, name, how):
    (served / "tiny" / name).unlink()
    address = server.address if how == "http" else served.as_uri()
    with pytest.raises(OSError, match=f"Could not fetch {address}/tiny/{name}: .* Check KERASGAN_MIRROR"):
        mirror.fetch(address, "tiny", pinned())
    assert arrived() < FILES and zoo.folders() == {}


@pytest.mark.parametrize("name", ["card.json", "discriminator.weights.h5"])
@pytest.mark.parametrize("announce", [True, False], ids=["length told", "length not told"])
def test_a_file_cut_short(server, name, announce):
    server.short, server.announce = {f"/tiny/{name}"}, announce
    with pytest.raises((OSError, ValueError), match=f"Could not fetch .*{name}|serves .*tiny"):
        kerasgan.load("tiny")
    assert arrived() < FILES and name not in arrived() and zoo.folders() == {}
    server.short = set()
    assert kerasgan.load("tiny").generate(1, seed=0).shape == (1, 28, 28, 1)


def test_an_address_where_nobody_answers(served, monkeypatch):
    with socket.socket() as listener:  # a port that was free a moment ago
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    monkeypatch.setenv("KERASGAN_MIRROR", address)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(OSError, match=f"Could not fetch {address}/tiny/card.json: .*refused.*Check KERASGAN_MIRROR"):
        kerasgan.load("tiny")


@pytest.mark.parametrize("address", ["nonsense", "", "http://", "gopher://127.0.0.1"])
def test_no_address(served, address):
    with pytest.raises(OSError, match="Could not fetch .*Check KERASGAN_MIRROR"):
        mirror.fetch(address, "tiny", pinned())


def test_an_entry_at_hand_asks_no_mirror(served, server, tmp_path, monkeypatch):
    shutil.copytree(served / "tiny", tmp_path / "mine" / "tiny")
    monkeypatch.setenv("KERASGAN_ZOO", str(tmp_path / "mine"))
    assert kerasgan.load("tiny").generate(1, seed=0).shape == (1, 28, 28, 1)
    assert not server.asked


# --- many at once -----------------------------------------------------------------------------------------------------

CHILD = """
import pathlib, sys
from kerasgan import cards, zoo
zoo.shipped = lambda: pathlib.Path(sys.argv[1])
try:
    folder, card = zoo.find("tiny")
    for name in card["files"]:
        cards.checked_file(folder, card, name)
    print("right")
except OSError as error:
    print(error)
"""


class Dying(Handler):
    """Hangs up on about every eighth request, before or in the middle of the answer."""

    def do_GET(self):
        with self.server.lock:
            fate = self.server.chance.random()
        if fate < 0.06:
            self.connection.close()
        elif fate < 0.12:
            self.server.short.add(self.path)
            super().do_GET()
            self.server.short.discard(self.path)
            self.connection.close()
        else:
            super().do_GET()


def test_sixteen_processes_fill_one_cache_from_a_server_that_dies(served, server, tmp_path):
    """Each ends with the right bytes or with one clear sentence; what is in the cache is right, and nothing else."""
    server.RequestHandlerClass = functools.partial(Dying, directory=str(served))
    server.lock, server.chance, server.handle_error = threading.Lock(), random.Random(0), lambda *_: None

    def sixteen():
        command = [sys.executable, "-c", CHILD, str(tmp_path / "shipped")]
        every = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(16)]
        return [process.communicate()[0].strip() for process in every]

    every = []
    for _ in range(3):
        shutil.rmtree(mirror.cache(), ignore_errors=True)
        every += (said := sixteen())
        assert all(words == "right" or words.startswith("Could not fetch http://127.0.0.1") for words in said), said
        for name in arrived() - {cards.CARD}:
            assert (mirror.cache() / "tiny" / name).read_bytes() == (served / "tiny" / name).read_bytes()
        assert arrived() <= FILES | {cards.CARD}, "no temporary file outlives its process"
    assert {words[:9] for words in every} == {"right", "Could not"}, (
        "else the server did not die, or nobody came through"
    )
    server.RequestHandlerClass = functools.partial(Handler, directory=str(served))
    assert sixteen() == ["right"] * 16
