"""One DMA transfer, a step at a time, with every register access that a step makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from IPython.display import HTML

from pynq_ee.data.images import to_images
from pynq_ee.driver import bitfiles, dma
from pynq_ee.errors import TransferError
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import spec
from pynq_ee.network.spec import REGISTER_OFFSET
from pynq_ee.notebook.pages import table


class Access(NamedTuple):
    """One access to a register."""

    write: bool
    register: str
    value: int


class RecordedRegisters:
    """The registers of one IP as 32-bit words, as pynq's MMIO has them in ``array``, with a record of every access."""

    def __init__(self, mmio: Any, names: dict[int, str], record: list[Access]) -> None:
        self._words, self._names, self._record = mmio.array, names, record

    @property
    def array(self) -> RecordedRegisters:
        """The words."""
        return self

    def __getitem__(self, word: int) -> int:
        value = int(self._words[word])
        self._record.append(Access(False, self._names[4 * word], value))
        return value

    def __setitem__(self, word: int, value: int) -> None:
        self._record.append(Access(True, self._names[4 * word], value))
        self._words[word] = value


def transfer(network: EarlyExitInference, images: Any) -> HTML:
    """Send images through the fabric by hand, in the order in which the driver does it, and tell each step.

    Parameters
    ----------
    network
        Open, and with no batch in the fabric.
    images
        At most as many as one transfer carries.

    Raises
    ------
    TransferError
        The results do not come.
    """
    steps = list(_steps(network, to_images(images)))
    rows = []
    for number, (step, accesses) in enumerate(steps, start=1):
        for line, access in enumerate(accesses or [None]):
            first = (number, step) if line == 0 else ("", "")
            rows.append((*first, *(("", "", "", "") if access is None else _told(access))))
    return table(
        rows,
        ("", "step", "access", "register", "value", "meaning"),
        caption=f"one transfer on {network.device.name}: the register accesses of each step, recorded",
    )


def _steps(network: EarlyExitInference, images: Any) -> Iterator[tuple[str, list[Access]]]:
    import pynq

    board = bitfiles.board_of(network.device)
    record: list[Access] = []
    kernel_names = {offset: name for name, offset in REGISTER_OFFSET.items()}
    kernel, dma_registers = (
        RecordedRegisters(pynq.MMIO(address, size, device=network.device), names, record)
        for address, size, names in (
            (board.kernel_address, spec.KERNEL_RANGE, kernel_names),
            (board.dma_address, spec.DMA_RANGE, _DMA_REGISTERS),
        )
    )
    wide = board.processor == "zynqmp"
    send, receive = (dma.Channel(dma_registers, base, wide) for base in (dma.SEND_BASE, dma.RECEIVE_BASE))

    def told(step: str) -> tuple[str, list[Access]]:
        accesses = record.copy()
        record.clear()
        return step, accesses

    slot = network.accelerator.fill(images)
    yield told(f"copy {slot.count} images into the buffer that the DMA reads, and flush the cache")
    receive.transfer(slot.results)
    yield told("arm the receive channel, before anything can come")
    kernel[REGISTER_OFFSET["num_images"] // 4] = slot.count
    kernel[REGISTER_OFFSET["CTRL"] // 4] = spec.CTRL_START
    yield told("start the kernel; it waits for images")
    send.transfer(slot.images)
    yield told("send the images")
    for _ in range(_LOOKS):
        record.clear()
        if receive.status().complete:
            break
    else:
        network.accelerator.recover()
        raise TransferError(f"no results after {_LOOKS} looks at the receive channel; the circuit has been reset")
    slot.received = receive.transferred()
    for name in ("CTRL", "error_flags"):
        _ = kernel[REGISTER_OFFSET[name] // 4]  # the record keeps it
    slot.results_crc = int(kernel[REGISTER_OFFSET["results_crc"] // 4])
    yield told("look whether the results are there, and how the kernel ended (the last look is shown)")
    results = slot.read()
    labels = ", ".join(map(str, np.argmax(results.logits, axis=-1)))
    yield told(f"invalidate the cache, compare the checksum, check every record, read the logits: exit 1 says {labels}")


#: Looks at a channel's status before a transfer is given up; one takes a microsecond or more.
_LOOKS = 100_000

#: The AXI DMA's registers in direct mode, by their names in its product guide (PG021).
_DMA_REGISTERS = {
    base + offset: f"{channel}_{name}"
    for base, channel, address in ((dma.SEND_BASE, "MM2S", "SA"), (dma.RECEIVE_BASE, "S2MM", "DA"))
    for offset, name in (
        (dma.CONTROL, "DMACR"),
        (dma.STATUS, "DMASR"),
        (dma.ADDRESS, address),
        (dma.ADDRESS_HIGH, f"{address}_MSB"),
        (dma.LENGTH, "LENGTH"),
    )
}


def _told(access: Access) -> tuple[str, str, str, str]:
    meaning = _MEANINGS.get((access.write, access.register), lambda value: "")
    verb = "write" if access.write else "read"
    return verb, access.register, f"0x{access.value:x}", meaning(access.value)


def _status(value: int) -> str:
    status = dma.Status(value)
    return status.error or ("halted" if status.halted else "complete" if status.complete else "still running")


def _control(value: int) -> str:
    names = {spec.CTRL_DONE: "done", spec.CTRL_IDLE: "idle", spec.CTRL_READY: "ready", spec.CTRL_START: "started"}
    return ", ".join(name for bit, name in names.items() if value & bit) or "busy"


#: What an access means, by whether it is a write and by the register; the value is put in.
_MEANINGS: dict[tuple[bool, str], Callable[[int], str]] = {
    (True, "S2MM_DA"): lambda value: "where the results go in memory",
    (True, "S2MM_LENGTH"): lambda value: f"room for {value} bytes; with it, the channel runs",
    (False, "S2MM_LENGTH"): lambda value: f"{value} bytes of results have come",
    (True, "MM2S_SA"): lambda value: "where the images are in memory",
    (True, "MM2S_LENGTH"): lambda value: f"{value} bytes of images; with it, the stream flows",
    (False, "S2MM_DMASR"): _status,
    (True, "num_images"): lambda value: f"{value} images in this batch",
    (True, "CTRL"): lambda value: "ap_start",
    (False, "CTRL"): _control,
    (False, "results_crc"): lambda value: "the checksum of the results as the kernel sent them",
    (False, "error_flags"): lambda value: "an error" if value else "the images had the announced length",
}
