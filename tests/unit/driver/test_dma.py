"""The DMA's registers are written in the order and with the values that PG021 asks for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq_ee.driver import dma
from pynq_ee.driver.dma import AxiDma, Status
from pynq_ee.errors import DeadlineError, TransferError

SEND_CONTROL, SEND_STATUS, SEND_ADDRESS, SEND_HIGH, SEND_LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RECEIVE_CONTROL, RECEIVE_STATUS, RECEIVE_ADDRESS, RECEIVE_HIGH, RECEIVE_LENGTH = 0x30, 0x34, 0x48, 0x4C, 0x58


class Registers:
    """An MMIO that remembers every access; its reset bit clears after some reads, or never."""

    def __init__(self, reset_reads: float = 2) -> None:
        self.values: dict[int, int] = {}
        self.log: list[tuple[str, int, int]] = []
        self.reset_reads = reset_reads

    def read(self, offset: int) -> int:
        value = self.values.get(offset, 0)
        if offset == SEND_CONTROL and value & 4:
            self.reset_reads -= 1
            if self.reset_reads <= 0:
                value = self.values[offset] = value & ~4
        self.log.append(("read", offset, value))
        return value

    def write(self, offset: int, value: int) -> None:
        assert type(value) is int, "pynq's MMIO refuses NumPy's integers"
        assert 0 <= value < 1 << 32
        self.values[offset] = value
        self.log.append(("write", offset, value))

    @property
    def array(self) -> Registers:
        """The registers by word, as an MMIO has them."""
        return self

    def __getitem__(self, word: int) -> int:
        return self.read(4 * word)

    def __setitem__(self, word: int, value: int) -> None:
        self.write(4 * word, value)

    @property
    def writes(self) -> list[tuple[int, int]]:
        return [(offset, value) for kind, offset, value in self.log if kind == "write"]


def engine(registers: Registers, interrupt: bool = False, **parameters: object) -> AxiDma:
    """A DMA on these registers, described as pynq describes it: parameters are text."""
    return AxiDma(registers, {"c_sg_length_width": "26", "c_addr_width": "32", **parameters}, interrupt)


def buffer(address: int, nbytes: int = 784) -> SimpleNamespace:
    """What a transfer sees of a pynq buffer."""
    return SimpleNamespace(physical_address=address, nbytes=nbytes)


def test_a_reset_waits_for_its_bit_and_starts_both_channels() -> None:
    registers = Registers(reset_reads=3)
    engine(registers).reset()
    assert registers.log == [
        ("write", SEND_CONTROL, 0b100),
        ("read", SEND_CONTROL, 0b100),
        ("read", SEND_CONTROL, 0b100),
        ("read", SEND_CONTROL, 0),
        ("write", RECEIVE_CONTROL, 1),
        ("write", SEND_CONTROL, 1),
    ]


def test_a_reset_that_does_not_end_is_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dma, "RESET_SECONDS", 0.02)
    with pytest.raises(DeadlineError, match=r"within 0.02 s; its clock is stopped .*load the overlay again"):
        engine(Registers(reset_reads=float("inf"))).reset()


def test_the_end_of_receiving_and_its_errors_raise_the_interrupt_where_it_is_connected() -> None:
    registers = Registers()
    engine(registers, interrupt=True).reset()
    assert registers.writes[-2:] == [(RECEIVE_CONTROL, 0x5001), (SEND_CONTROL, 1)]


def test_a_transfer_writes_the_address_and_then_the_length_that_starts_it() -> None:
    registers = Registers()
    channels = engine(registers)
    channels.receive.transfer(buffer(0x1E000000, 24))
    channels.send.transfer(buffer(0xFFFFFCF0, 784))
    assert registers.writes == [
        (RECEIVE_ADDRESS, 0x1E000000),
        (RECEIVE_LENGTH, 24),
        (SEND_ADDRESS, 0xFFFFFCF0),
        (SEND_LENGTH, 784),
    ]


@given(st.integers(0, 2**40 - 1))
def test_a_wide_address_is_written_in_two_words(address: int) -> None:
    registers = Registers()
    engine(registers, c_addr_width="40").send.transfer(buffer(address))
    (low_at, low), (high_at, high), (length_at, _) = registers.writes
    assert (low_at, high_at, length_at) == (SEND_ADDRESS, SEND_HIGH, SEND_LENGTH)
    assert high << 32 | low == address


@pytest.mark.parametrize("address", [1 << 32, (1 << 32) - 783])
def test_a_buffer_beyond_a_32_bit_dma_is_refused_before_it_is_started(address: int) -> None:
    registers = Registers()
    with pytest.raises(TransferError, match=f"0x{address:x}, beyond the 32-bit addresses"):
        engine(registers).send.transfer(buffer(address))
    assert not registers.writes


@pytest.mark.parametrize(("bits", "largest"), [("14", 16383), ("26", 67108863)])
def test_the_largest_transfer_follows_from_the_length_register(bits: str, largest: int) -> None:
    assert engine(Registers(), c_sg_length_width=bits).max_bytes == largest


def test_status_is_read_once_and_told_apart_by_channel() -> None:
    registers = Registers()
    registers.values = {SEND_STATUS: 0b01, RECEIVE_STATUS: 0b10, RECEIVE_LENGTH: 240}
    channels = engine(registers)
    assert channels.send.status().halted and not channels.send.status().complete
    assert channels.receive.status().complete and not channels.receive.status().halted
    assert channels.receive.transferred() == 240
    assert len(registers.log) == 5


@pytest.mark.parametrize(
    ("raw", "words"),
    [(1 << 4, ["internal"]), (1 << 5, ["slave"]), (1 << 6, ["decode"]), (0x70, ["internal", "slave", "decode"])],
)
def test_an_error_bit_is_told_in_words(raw: int, words: list[str]) -> None:
    assert [text.split()[0] for text in Status(raw | 1).error.split("; ")] == words
    assert raw & dma.ERROR_MASK == raw


@given(st.integers(0, 2**32 - 1))
def test_only_error_bits_are_errors(raw: int) -> None:
    assert bool(Status(raw).error) == bool(raw & 0x70)
    assert Status(raw).complete == bool(raw & 2) and Status(raw).halted == bool(raw & 1)


def test_acknowledging_lowers_the_interrupt() -> None:
    registers = Registers()
    engine(registers, interrupt=True).receive.acknowledge()
    assert registers.writes == [(RECEIVE_STATUS, 0x5000)]
