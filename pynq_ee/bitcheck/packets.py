"""The packets of a bitstream, as UG470 has them: what is written to which configuration register."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError

Words = npt.NDArray[np.uint32]

#: Begins the packets, aligned to nothing.
_SYNC = bytes.fromhex("aa995566")

#: Configuration registers, UG470 table 5-23, and the commands of CMD that matter here, table 5-25.
CRC, FAR, FDRI, CMD, MFWR, IDCODE = 0x00, 0x01, 0x02, 0x04, 0x0A, 0x0C
_RESET_CRC, DESYNC = 0x7, 0xD

#: CRC-32C, least significant bit first, over the 32 bits of a word and then the 5 of the register's number.
_POLYNOMIAL = 0x82F63B78


@dataclass
class Configuration:
    """What a file tells the device to do.

    Attributes
    ----------
    part
        As the header names it, such as ``7z020clg400``; empty where there is no header.
    idcode
        The device that the file is for, 32 bit; None if it asks for none.
    frames
        The writes of frame data: the address of the first frame, and words, 32 bit each.
    checksums
        How many checksums the file carries; all are right.
    """

    part: str = ""
    idcode: int | None = None
    frames: list[tuple[int, Words]] = field(default_factory=list)
    checksums: int = 0


def read(data: bytes) -> Configuration:
    """Packets of a file, with or without the header of a ``.bit``.

    Raises
    ------
    InputError
        It is no bitstream of the 7 series, is cut off, is compressed, or a checksum is wrong.
    """
    configuration = Configuration(part=_header_part(data))
    start = data.find(_SYNC)
    if start < 0:
        raise InputError("no synchronization word 0xaa995566 in the file; is it a bitstream (.bit or .bin)?")
    start += len(_SYNC)
    words = np.frombuffer(data, ">u4", (len(data) - start) // 4, start).astype(np.uint32)
    at, register, address, checksum = 0, -1, 0, 0
    while at < len(words):
        header = int(words[at])
        kind, operation = header >> 29, header >> 27 & 3
        at += 1
        if kind == 1:
            register, count = header >> 13 & 0x3FFF, header & 0x7FF
        elif kind == 2:
            count = header & 0x7FFFFFF
        else:
            raise InputError(
                f"word {at - 1} after the synchronization, 0x{header:08x}, begins no packet of type 1 or 2"
            )
        if operation != 2:
            at += count if operation == 1 else 0
            continue
        payload = words[at : at + count]
        if len(payload) < count:
            raise InputError(f"the file ends within a packet: {count} words announced, {len(payload)} there")
        at += count
        if register == CRC and count:
            if int(payload[-1]) != checksum:
                raise InputError(
                    f"the checksum before word {at} is 0x{payload[-1]:08x}, and that of the words is 0x{checksum:08x}; "
                    "the file is damaged, copy or build it again"
                )
            configuration.checksums, checksum = configuration.checksums + 1, 0
            continue
        checksum = crc(register, payload, checksum)
        if register == CMD and count:
            if payload[-1] == DESYNC:
                return configuration
            if payload[-1] == _RESET_CRC:
                checksum = 0
        elif register == FAR and count:
            address = int(payload[-1])
        elif register == IDCODE and count:
            configuration.idcode = int(payload[-1])
        elif register == FDRI and count:
            configuration.frames.append((address, payload))
        elif register == MFWR and count:
            raise InputError(
                "the bitstream is compressed (it writes one frame many times); write it without compression"
            )
    raise InputError("the file ends without the command DESYNC; it is cut off")


def _header_part(data: bytes) -> str:
    """The part that the header of a ``.bit`` names: fields with a letter, a length of 16 bit, and text."""
    at = 2 + int.from_bytes(data[:2], "big") + 2
    while at + 3 <= len(data) and data[at : at + 1] in (b"a", b"b", b"c", b"d"):
        length = int.from_bytes(data[at + 1 : at + 3], "big")
        if data[at : at + 1] == b"b":
            return data[at + 3 : at + 3 + length].rstrip(b"\0").decode("ascii", "replace")
        at += 3 + length
    return ""


def crc(register: int, words: npt.NDArray[Any], before: int = 0) -> int:
    """The checksum after words have been written to a register, 32 bit; ``before`` is that before them."""
    value = before
    for word in words.tolist():
        value ^= word
        value = _FOUR[3][value & 255] ^ _FOUR[2][value >> 8 & 255] ^ _FOUR[1][value >> 16 & 255] ^ _FOUR[0][value >> 24]
        value = value >> 5 ^ _FIVE_BITS[(value ^ register) & 31]
    return value


def _shifted(value: int, bits: int) -> int:
    for _ in range(bits):
        value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value


_FIVE_BITS = [_shifted(value, 5) for value in range(32)]
#: What a byte does to the checksum when one, two, three or four bytes have gone by.
_FOUR = [[_shifted(value, 8 * steps) for value in range(256)] for steps in range(1, 5)]
