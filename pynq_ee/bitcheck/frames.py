"""The frames of a device: their order in a bitstream, their error-correcting code, and the bits in them.

A frame is 101 words of 32 bit; its address has a block type, half, row, column and minor number (UG470, table 5-24).
Data that is written goes to consecutive frames; behind each row lie two that exist only in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError

#: Words of a frame, bits of a frame, and frames behind each row that are not in the device.
WORDS, BITS, PADS = 101, 101 * 32, 2

#: Buses in the order of their block types.
_BUSES = ("CLB_IO_CLK", "BLOCK_RAM")

#: Where the error-correcting code of a frame stands: the low bits of its middle word.
CODE_WORD, CODE_BITS = 50, 13
CODE = slice(32 * CODE_WORD, 32 * CODE_WORD + CODE_BITS)

_PAD = -1

Bits = npt.NDArray[np.uint8]


def addresses(part: Mapping[str, Any]) -> list[int]:
    """Addresses of all frames in the order of the file, -1 for those that are not in the device.

    Parameters
    ----------
    part
        The database's ``part.json``.
    """
    order: list[int] = []
    for block, bus in enumerate(_BUSES):
        for half, name in enumerate(("top", "bottom")):
            rows = part["global_clock_regions"].get(name, {}).get("rows", {})
            for row in sorted(rows, key=int):
                columns = rows[row]["configuration_buses"].get(bus, {}).get("configuration_columns", {})
                base = block << 23 | half << 22 | int(row) << 17
                for column in sorted(columns, key=int):
                    order += range(base | int(column) << 7, (base | int(column) << 7) + columns[column]["frame_count"])
                if columns:
                    order += [_PAD] * PADS
    return order


def arrange(order: Sequence[int], writes: Sequence[tuple[int, npt.NDArray[np.uint32]]]) -> Bits:
    """Bits of all frames, by what has been written to them.

    Parameters
    ----------
    order
        From :func:`addresses`.
    writes
        Address of the first frame, and words, as :class:`pynq_ee.bitcheck.packets.Configuration` has them.

    Returns
    -------
    0 or 1, shape (frames of ``order``, 3232); bit 0 of word 0 comes first. What is not written is 0.

    Raises
    ------
    InputError
        An address that the device does not have, more frames than it has, half a frame, or one that is not empty where
        the device has none.
    """
    at_address = {address: index for index, address in enumerate(order) if address != _PAD}
    bits = np.zeros((len(order), BITS), np.uint8)
    for address, words in writes:
        if address not in at_address:
            raise InputError(f"frames are written from address 0x{address:08x} on, which this device does not have")
        count, rest = divmod(len(words), WORDS)
        start = at_address[address]
        if rest or start + count > len(order):
            raise InputError(
                f"{len(words)} words are written from frame 0x{address:08x} on; "
                f"the device has {len(order) - start} frames of {WORDS} words there"
            )
        written = words.astype("<u4").view(np.uint8).reshape(count, 4 * WORDS)
        bits[start : start + count] = np.unpackbits(written, axis=1, bitorder="little")
    pads = np.flatnonzero(np.array(order) == _PAD)
    if filled := int(np.count_nonzero(bits[pads].any(axis=1))):
        raise InputError(f"{filled} frames that no device has are not empty; the file is for another part, or damaged")
    return bits


def codes(bits: Bits) -> npt.NDArray[np.uint16]:
    """The error-correcting code that each frame should carry: a Hamming code of 12 bit, and their parity above them."""
    position = np.arange(BITS)
    word = position // 32
    # Positions of one bit only are those of the code itself, so that the numbers leave out the powers of two.
    number = position + np.where(word > 0x25, 0x1360, np.where(word > 0x6, 0x1340, 0x1320))
    number[CODE] = 0
    code = np.zeros(len(bits), np.uint16)
    parity = np.zeros(len(bits), np.uint16)
    for bit in range(CODE_BITS):
        values = np.bitwise_xor.reduce(bits[:, np.flatnonzero(number >> bit & 1)], axis=1).astype(np.uint16)
        code |= values << np.uint16(bit)
        parity ^= values
    # Every number has the highest bit, which so counts the bits that are set. It is the parity of that and of the code.
    top = np.uint16(CODE_BITS - 1)
    return np.asarray(code & ~(np.uint16(1) << top) | parity << top, np.uint16)


def wrong_codes(bits: Bits) -> npt.NDArray[np.intp]:
    """Indices of the frames whose code is not that of their bits."""
    used = np.flatnonzero(bits.any(axis=1))
    stored = bits[used, CODE].astype(np.uint16) @ (1 << np.arange(CODE_BITS)).astype(np.uint16)
    return np.asarray(used[stored != codes(bits[used])], np.intp)
