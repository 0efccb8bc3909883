"""The simulated board's bitstream file: a .bit with Vivado's header, so that its part can be read and compared."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

from pynq.pl_server.embedded_device import parse_bit_header

from pynq_ee.errors import OverlayError

_PREAMBLE = bytes.fromhex("0009 0ff0 0ff0 0ff0 0ff0 00 0001")
_DESIGN, _PART, _DATE, _TIME, _DATA = b"abcde"


def write(path: str | os.PathLike[str], design: str, part: str, payload: bytes) -> Path:
    """Write a .bit for a part; the payload is no configuration data, and nothing reads it.

    The header spells the part as Vivado does: ``7z020clg400`` for an ``xc7z020clg400-1``, the whole name of newer
    families.
    """
    now = time.localtime()
    fields = {
        _DESIGN: f"{design};UserID=0XFFFFFFFF;Version=simulated",
        _PART: part[2:].partition("-")[0] if part.startswith("xc7") else part,
        _DATE: time.strftime("%Y/%m/%d", now),
        _TIME: time.strftime("%H:%M:%S", now),
    }
    content = bytearray(_PREAMBLE)
    for key, text in fields.items():
        data = text.encode("ascii") + b"\0"
        content += struct.pack(">BH", key, len(data)) + data
    payload += b"\0" * (-len(payload) % 4)  # pynq turns words around
    content += struct.pack(">BI", _DATA, len(payload)) + payload
    target = Path(path)
    target.write_bytes(content)
    return target


def part(path: str | os.PathLike[str]) -> str:
    """Part that a .bit is for, as its header spells it.

    Raises
    ------
    OverlayError
        Not a .bit file.
    """
    try:
        return str(parse_bit_header(Path(path).read_bytes())["part"])
    except (RuntimeError, struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise OverlayError(
            f"{path} is no bitstream file ({type(error).__name__}: {error}); copy it again, or build it again"
        ) from error
