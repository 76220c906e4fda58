"""Files that arrive whole or not at all."""

import errno
import hashlib
import json
import math
import os
import pathlib
import tempfile


def sha256(path):
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_room(folder, size):
    """Refuse to begin with a file of `size` bytes for which there is no room: half-way HDF5 fails in many ways.

    Raises:
        OSError: the disk, or what this process may write, is full.
    """
    if not hasattr(os, "posix_fallocate"):  # Windows, macOS
        return
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                return  # a file system that cannot say
            raise OSError(
                error.errno, f"No room in {folder} for a file of {size / 1e6:.3g} MB ({error.strerror}): free some"
            ) from None


def stored(variables):
    """About how many bytes an HDF5 file of these variables has, at most."""
    return sum(4 * math.prod(variable.shape) + 4096 for variable in variables)


def write_atomically(path, write, size=0):
    """Let `write(temporary path)` make a file, then rename it to `path`: others see the old file or the new one.

    The temporary file lies beside `path`, has its suffixes and a name of its own, and never outlives a failure. Where
    its size is known, about, it is not begun without room for it.
    """
    path = pathlib.Path(path)
    if size:
        check_room(path.parent, size)
    suffixes = "".join(path.suffixes[-2:])
    temporary = path.with_name(f".{path.name.removesuffix(suffixes)}-{os.urandom(6).hex()}{suffixes}")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def json_text(value):
    """A value as JSON that every reader knows (RFC 8259): NaN and infinity, of which it has no word, as null."""
    return json.dumps(finite(value), indent=2, allow_nan=False)


def finite(value):
    """The value, with None for every float in it that is not finite."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path, value):
    """Write a value as JSON, atomically, as `json_text` has it."""
    text = json_text(value) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def put_between(path, marks, lines):
    """Put lines between two marks of a text file, in the place of what stands there, atomically.

    Raises:
        ValueError: the file does not have the marks once each, in that order; nothing is changed.
    """
    path = pathlib.Path(path)
    text = path.read_text(encoding="utf-8")
    if [text.count(mark) for mark in marks] != [1, 1] or text.index(marks[0]) > text.index(marks[1]):
        raise ValueError(f"{path} needs {marks[0]} and {marks[1]}, once each, around what is made for that place.")
    before, after = text.split(marks[0])[0], text.split(marks[1])[1]
    text = "\n".join([before + marks[0], *lines, marks[1] + after])
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
