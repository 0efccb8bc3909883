"""What a real board punishes some day, the box notes at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pynq
import pytest

from board.box.machine import Machine
from pynq_ee.network.spec import IMAGE_PIXELS, RESULT_BYTES


@pytest.fixture
def loaded(board: Machine, overlay: Path) -> Iterator[Any]:
    yield pynq.Overlay(str(overlay))
    board.memory.violations.clear()


def transfer(loaded: Any, sent: Any, results: Any, count: int = 1) -> None:
    """A batch by pynq's own DMA driver, without its flush and invalidate."""
    channels = loaded.axi_dma.mmio
    loaded.first_exit.write(0x10, 0)
    for base, buffer in ((0x30, results), (0x00, sent)):
        channels.write(base, 1)
        channels.write(base + 0x18, buffer.physical_address)
        channels.write(base + 0x28, buffer.nbytes)


def buffers(**options: Any) -> tuple[Any, Any]:
    return pynq.allocate((IMAGE_PIXELS,), "u1", **options), pynq.allocate((RESULT_BYTES,), "u1", **options)


def started(loaded: Any) -> None:
    from pynq_ee.network import spec

    loaded.first_exit.write(spec.REGISTER_OFFSET["num_images"], 1)
    loaded.first_exit.write(spec.REGISTER_OFFSET["CTRL"], spec.CTRL_START)


def test_a_forgotten_flush_is_noted_and_the_dma_reads_what_was_there(loaded: Any, board: Machine) -> None:
    sent, results = buffers(cacheable=True)
    sent[:] = 9
    started(loaded)
    transfer(loaded, sent, results)
    assert board.memory.violations == ["the DMA reads what the host wrote and has not flushed"]


def test_a_batch_whose_buffers_are_flushed_and_invalidated_is_not_punished(loaded: Any, board: Machine) -> None:
    sent, results = buffers(cacheable=True)
    sent[:] = 9
    sent.flush()
    started(loaded)
    transfer(loaded, sent, results)
    assert not results.any(), "the host sees the results without an invalidate"
    results.invalidate()
    assert results.any() and board.memory.violations == []


def test_results_that_the_cache_may_write_over_are_noted(loaded: Any, board: Machine) -> None:
    sent, results = buffers(cacheable=True)
    results[:] = 1
    started(loaded)
    transfer(loaded, sent, results)
    assert "the DMA writes where the cache holds lines" in board.memory.violations[0]
    results.invalidate()
    assert board.memory.violations[1] == "an invalidate drops what the host wrote and has not flushed"


def test_an_uncached_buffer_is_the_dram_itself(loaded: Any, board: Machine) -> None:
    sent, results = buffers()
    assert board.memory.asked[-2:] == [False, False]
    sent[:] = 9
    started(loaded)
    transfer(loaded, sent, results)
    assert results.any() and board.memory.violations == []


def test_a_freed_buffer_gives_its_memory_back(loaded: Any, board: Machine) -> None:
    before = board.hardware.live_buffers
    with pynq.allocate((5000,), "u1"):
        assert board.hardware.live_buffers == before + 1
    buffer = pynq.allocate((5000,), "u1")
    del buffer
    assert board.hardware.live_buffers == before


def test_memory_that_is_used_up_is_a_runtime_error(loaded: Any, board: Machine) -> None:
    with pytest.raises(RuntimeError, match=r"(?i)alloc"):
        pynq.allocate((1 << 30,), "u1")


def test_a_file_that_is_no_bitstream_is_refused_by_the_fpga_manager(board: Machine) -> None:
    (board.root / "lib/firmware/noise.bin").write_bytes(np.arange(64, dtype=np.uint8).tobytes())
    with pytest.raises(OSError, match="no bitstream"), Path("/sys/class/fpga_manager/fpga0/firmware").open("w") as file:
        file.write("noise.bin")
