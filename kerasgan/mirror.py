"""Entries from a mirror: any HTTP server (or `file://` folder) that serves the zoo's folders as files."""

import hashlib
import http.client
import json
import os
import pathlib
import urllib.request

from kerasgan import cards
from kerasgan.files import sha256, write_atomically

TIMEOUT = 30  # seconds without a byte


def cache():
    """The folder that fetched entries are kept in: `KERASGAN_HOME`, or `~/.cache/kerasgan`."""
    return pathlib.Path(os.environ.get("KERASGAN_HOME") or pathlib.Path.home() / ".cache" / "kerasgan")


def fetch(address, name, pinned):
    """Bring an entry into the cache; returns its (folder, card). A file that is there and right is not fetched again.

    Args:
        address: of the mirror, under which `<name>/card.json` lies. pinned: the SHA-256 of the card.

    Raises:
        OSError: the mirror does not answer, or lacks a file. ValueError: it serves other bytes than were shipped.
    """
    folder, address = cache() / name, address.rstrip("/")
    content = download(f"{address}/{name}/{cards.CARD}")
    if hashlib.sha256(content).hexdigest() != pinned:
        raise ValueError(
            f"{address} serves another card of {name} than this kerasgan was shipped with (SHA-256 {pinned[:12]}...):"
            " not used. Point KERASGAN_MIRROR at a mirror of this version."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for file, expected in json.loads(content)["files"].items():
        path = folder / pathlib.PurePath(file).name
        if path.is_file() and sha256(path) == expected["sha256"]:
            continue
        bytes_ = download(f"{address}/{name}/{path.name}")
        if hashlib.sha256(bytes_).hexdigest() != expected["sha256"]:
            raise ValueError(f"{address} serves {name}/{path.name} with other bytes than its card says: not used.")
        write_atomically(path, lambda temporary, bytes_=bytes_: temporary.write_bytes(bytes_))
    write_atomically(
        folder / cards.CARD, lambda temporary: temporary.write_bytes(content)
    )  # last: now the entry is whole
    return folder, cards.read(folder, pinned)


def download(url):
    """The bytes at an address."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            return answer.read()
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: it is no address
        raise OSError(f"Could not fetch {url}: {error}. Check KERASGAN_MIRROR and the network.") from None
