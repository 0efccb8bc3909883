"""The header of a ``.bit`` file: whose bitstream it is, and for which part, told without loading it.

Vivado writes ``design;UserID=0XA3A4AB5B;Version=2022.1`` as the name of the design. ``hw/build.tcl`` sets the UserID to
the ``build_id`` of the model; one that nobody set is all ones.
"""

from __future__ import annotations

import re
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from pynq_ee.errors import OverlayError

#: What every ``.bit`` begins with; fields follow, each a letter, a length in 16 bits, and text that ends with a zero.
PREAMBLE = bytes.fromhex("0009 0ff0 0ff0 0ff0 0ff0 00 0001")
DESIGN, PART, DATE, TIME, DATA = b"abcde"

#: The UserID that nobody set.
NO_USER_ID = 0xFFFFFFFF

#: Bytes within which a header ends.
_LIMIT = 4096


@dataclass(frozen=True)
class BitHeader:
    """What a header says.

    ``design`` is the name of the design with what Vivado adds to it, ``part`` is spelled as in the file
    (``7z020clg400``, or ``xczu7ev-ffvc1156-2-e``), ``user_id`` is None where nobody set one.
    """

    design: str
    part: str
    user_id: int | None


def read(path: Path) -> BitHeader:
    """Read a header, and see that the file has all of the data that it announces.

    Raises
    ------
    OverlayError
        No such file, no ``.bit``, or one that is cut short.
    """
    fields: dict[int, str] = {}
    try:
        with path.open("rb") as file:
            head = file.read(_LIMIT)
        if not head.startswith(PREAMBLE):
            raise ValueError("it does not begin as a .bit does")
        place = len(PREAMBLE)
        while (key := head[place]) != DATA:
            (length,) = struct.unpack_from(">H", head, place + 1)
            fields[key] = head[place + 3 : place + 3 + length].rstrip(b"\0").decode("ascii")
            place += 3 + length
        (length,) = struct.unpack_from(">I", head, place + 1)
        if (found := path.stat().st_size - place - 5) < length:
            raise ValueError(f"it has {found} of {length} bytes of data")
        design, part = fields[DESIGN], fields[PART]
    except (OSError, ValueError, IndexError, KeyError, struct.error) as error:
        raise OverlayError(
            f"{path} is no bitstream file ({type(error).__name__}: {error}); copy it again, or build it again"
        ) from error
    set_to = re.search(r";UserID=0x([0-9a-f]{1,8})(?:;|$)", design, re.IGNORECASE)
    user_id = int(set_to[1], 16) if set_to else NO_USER_ID
    return BitHeader(design, part, None if user_id == NO_USER_ID else user_id)


def compose(design: str, part: str, user_id: int, version: str, length: int) -> bytes:
    """The header of a ``.bit`` as Vivado writes it, now; ``length`` bytes of data belong behind it.

    Parameters
    ----------
    design
        Its name.
    part
        As in the specification; spelled as Vivado does, ``7z020clg400`` for an ``xc7z020clg400-1``, and the whole name
        of newer families.
    user_id
        The model's ``build_id``, as ``hw/build.tcl`` sets it, or :data:`NO_USER_ID`.
    version
        Of what made it.
    """
    now = time.localtime()
    fields = {
        DESIGN: f"{design};UserID=0X{user_id:08X};Version={version}",
        PART: part[2:].partition("-")[0] if part.startswith("xc7") else part,
        DATE: time.strftime("%Y/%m/%d", now),
        TIME: time.strftime("%H:%M:%S", now),
    }
    content = bytearray(PREAMBLE)
    for key, text in fields.items():
        data = text.encode("ascii") + b"\0"
        content += struct.pack(">BH", key, len(data)) + data
    return bytes(content + struct.pack(">BI", DATA, length))
