"""The simulated board's bitstream file: a .bit with Vivado's header, so that whose it is can be read and compared."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

from pynq_ee.driver.bit_header import DATA, DATE, DESIGN, NO_USER_ID, PART, PREAMBLE, TIME


def write(path: str | os.PathLike[str], design: str, part: str, payload: bytes, user_id: int = NO_USER_ID) -> Path:
    """Write a .bit for a part; the payload is no configuration data, and nothing reads it.

    The header spells the part as Vivado does: ``7z020clg400`` for an ``xc7z020clg400-1``, the whole name of newer
    families. ``user_id`` is the model's ``build_id``, as ``hw/build.tcl`` sets it.
    """
    now = time.localtime()
    fields = {
        DESIGN: f"{design};UserID=0X{user_id:08X};Version=simulated",
        PART: part[2:].partition("-")[0] if part.startswith("xc7") else part,
        DATE: time.strftime("%Y/%m/%d", now),
        TIME: time.strftime("%H:%M:%S", now),
    }
    content = bytearray(PREAMBLE)
    for key, text in fields.items():
        data = text.encode("ascii") + b"\0"
        content += struct.pack(">BH", key, len(data)) + data
    payload += b"\0" * (-len(payload) % 4)  # pynq turns words around
    content += struct.pack(">BI", DATA, len(payload)) + payload
    target = Path(path)
    target.write_bytes(content)
    return target
