"""Files that arrive whole or not at all."""

import hashlib
import json
import os
import pathlib


def sha256(path):
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path, write):
    """Let `write(temporary path)` make a file, then rename it to `path`: others see the old file or the new one.

    The temporary file lies beside `path`, has its suffixes and a name of its own, and never outlives a failure.
    """
    path = pathlib.Path(path)
    suffixes = "".join(path.suffixes[-2:])
    temporary = path.with_name(f".{path.name.removesuffix(suffixes)}-{os.urandom(6).hex()}{suffixes}")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path, value):
    """Write a value as JSON, atomically."""
    text = json.dumps(value, indent=2) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def check_writable(path):
    """Refuse an output path that cannot be written, before the work that would be lost.

    Raises:
        OSError: the folder it lies in does not exist or is not writable, or the path is itself a folder.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"Cannot write {path}: there is no folder {path.parent}. Make it first.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"Cannot write {path}: the folder {path.parent} is not writable.")
