"""The packets of a bitstream."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny_device
from pynq_ee.bitcheck import frames, packets
from pynq_ee.errors import InputError


@pytest.fixture(scope="module")
def bits() -> np.ndarray:
    generator = np.random.default_rng(1)
    return tiny_device.with_codes((generator.random((60, frames.BITS)) < 0.01).astype(np.uint8))


def test_what_was_written_is_read(bits: np.ndarray) -> None:
    found = packets.read(tiny_device.bitstream(bits))
    assert (found.part, found.idcode, found.checksums) == ("tinycq1", tiny_device.IDCODE, 1)
    ((address, words),) = found.frames
    assert address == 0 and len(words) == 60 * frames.WORDS
    assert np.array_equal(frames.arrange(range(60), found.frames), bits)


def test_a_file_without_header_is_read_as_well(bits: np.ndarray) -> None:
    data = tiny_device.bitstream(bits)
    found = packets.read(data[data.index(b"\xff" * 16) :])
    assert found.part == "" and found.idcode == tiny_device.IDCODE


@pytest.mark.parametrize(
    ("register", "word", "before", "after"),
    [  # the published checks of prjxray's icap_crc
        (0, 0, 0, 0),
        (1 << 4, 0, 0, 0x82F63B78),
        (0x1F, 0xFFFFFFFF, 0, 0xBF86D4DF),
        (0, 0, 0xFFFFFFFF, 0xC631E365),
    ],
)
def test_the_checksum_is_that_of_the_device(register: int, word: int, before: int, after: int) -> None:
    assert packets.crc(register, np.array([word], np.uint32), before) == after


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5), st.integers(0, 31), st.integers(0, 2**32 - 1))
def test_the_checksum_goes_bit_by_bit(words: list[int], register: int, before: int) -> None:
    value = before
    for word in words:
        for bit in range(37):
            differs = (register << 32 | word) >> bit & 1 ^ value & 1
            value = value >> 1 ^ (0x82F63B78 if differs else 0)
    assert packets.crc(register, np.array(words, np.uint32), before) == value


def test_a_wrong_checksum_is_refused(bits: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"checksum .* is 0x00001234, and that of the words is 0x.*damaged"):
        packets.read(tiny_device.bitstream(bits, checksum=0x1234))


def test_a_bit_that_was_flipped_on_the_way_is_noticed(bits: np.ndarray) -> None:
    data = bytearray(tiny_device.bitstream(bits))
    data[len(data) // 2] ^= 0x10
    with pytest.raises(InputError, match="damaged"):
        packets.read(bytes(data))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no synchronization word"),
        (b"\xaa\x99\x55\x66", "without the command DESYNC"),
        (bytes.fromhex("aa995566 e0000000"), "0xe0000000, begins no packet"),
        (bytes.fromhex("aa995566 30008002 00000001"), "ends within a packet: 2 words announced, 1 there"),
        (bytes.fromhex("aa995566 30014001 00000000"), "compressed"),
    ],
)
def test_what_is_no_whole_bitstream_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        packets.read(data)


@given(st.binary(max_size=64), st.integers(0, 80))
def test_a_damaged_file_is_an_error_of_ours_or_read(damage: bytes, at: int) -> None:
    data = tiny_device.bitstream(np.zeros((3, frames.BITS), np.uint8))
    with contextlib.suppress(InputError):
        packets.read(data[:at] + damage + data[at + len(damage) :])
