"""Compressed data, unpacked as it is read and no further than data go.

A gzip file of a megabyte may hold a gigabyte of nothing. Tables of molecules shrink to a fifth or a
tenth; what unpacks to several hundred times its size is none.
"""

from __future__ import annotations

import gzip
import io
from typing import BinaryIO

from molgfn.errors import InputError

#: How every gzip file begins.
GZIP_MAGIC = b"\x1f\x8b"
#: Data that repeat themselves may shrink a lot; as long as they are few they do no harm.
HARMLESS_BYTES = 256 * 2**20
MAX_RATIO = 200


def check_unpacked_size(name: str, n_packed: int, n_unpacked: int) -> None:
    """Refuse what is so much larger than its compressed form that it holds no data.

    Args:
        name: What messages call the file.
        n_packed: Its size, bytes.
        n_unpacked: How large its content is, or has become so far, bytes.

    Raises:
        InputError: It is too large.
    """
    if n_unpacked > max(HARMLESS_BYTES, MAX_RATIO * n_packed):
        raise InputError(
            f"{name}: {n_packed} bytes unpack to more than {n_unpacked // 2**20} MiB, which no "
            "data do; unpack it by yourself if you trust it"
        )


class Unpacked(io.RawIOBase):
    """The content of a gzip file, from the beginning on."""

    def __init__(self, packed: BinaryIO, n_packed: int, name: str) -> None:
        """Begin to unpack.

        Args:
            packed: The compressed data.
            n_packed: Their number, bytes.
            name: What messages call the file.
        """
        self._content = gzip.GzipFile(fileobj=packed, mode="rb")
        self._n_packed, self._name = n_packed, name
        self._n_unpacked = 0

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Unpack the next bytes.

        Raises:
            InputError: They have become too many.
            OSError, EOFError, zlib.error: The data are damaged or cut short.
        """
        data = self._content.read1(len(buffer))
        buffer[: len(data)] = data
        self._n_unpacked += len(data)
        check_unpacked_size(self._name, self._n_packed, self._n_unpacked)
        return len(data)
