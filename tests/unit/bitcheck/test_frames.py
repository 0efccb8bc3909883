"""Frames: their order, their codes, their bits."""

from __future__ import annotations

import numpy as np
import pytest

from pynq_ee.bitcheck import frames
from pynq_ee.bitcheck.database import Database
from pynq_ee.errors import InputError


def test_frames_follow_bus_half_row_column_and_minor_with_two_behind_each_row(database: Database) -> None:
    order = frames.addresses(database.part_data)
    first_row = [*range(0, 30), *range(0x80, 0x80 + 40), *range(0x100, 0x100 + 40), -1, -1]
    assert order == [*first_row, *range(0x400000, 0x400000 + 40), -1, -1, *range(0x800000, 0x800000 + 8), -1, -1]


def test_frames_are_put_where_they_are_written() -> None:
    words = np.zeros(2 * frames.WORDS, np.uint32)
    words[0], words[-1] = 1 << 31, 1
    bits = frames.arrange([7, 8, 9, -1], [(8, words)])
    assert bits.shape == (4, frames.BITS) and list(zip(*np.nonzero(bits))) == [(1, 31), (2, 3200)]


@pytest.mark.parametrize(
    ("address", "count", "value", "message"),
    [
        (6, 101, 0, "address 0x00000006 on, which this device does not have"),
        (8, 3 * 101, 0, "has 2 frames of 101 words there"),
        (7, 50, 0, "50 words are written"),
        (7, 3 * 101, 1, "1 frames that no device has are not empty"),
    ],
)
def test_what_does_not_fit_the_device_is_refused(address: int, count: int, value: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        frames.arrange([7, 8, -1], [(address, np.full(count, value, np.uint32))])


@pytest.mark.parametrize(
    ("word", "value", "code"),
    [(0, 1, 0x1320), (0x7, 1, 0x1420), (0x26, 1, 0x1820), (0x32, 0xFFFFFFFF, 0x19AC)],  # prjxray's checks of icap_ecc
)
def test_the_code_of_a_frame_is_that_of_the_device(word: int, value: int, code: int) -> None:
    words = np.zeros(frames.WORDS, np.uint32)
    words[word] = value
    parity = bin(code & 0xFFF).count("1") & 1
    assert frames.codes(frames.arrange([0], [(0, words)]))[0] == code ^ parity << 12


def test_a_flipped_bit_changes_the_code() -> None:
    bits = np.zeros((4, frames.BITS), np.uint8)
    bits[:, 77] = 1
    bits[:, frames.CODE] = frames.codes(bits)[:, None] >> np.arange(13) & 1
    assert not len(frames.wrong_codes(bits))
    bits[1, 3000] = 1
    bits[3, frames.CODE.start] ^= 1
    assert list(frames.wrong_codes(bits)) == [1, 3]
