"""The simulated board's contiguous memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq_ee.sim.dram import PAGE_BYTES, Dram, MemoryLimitError

BASE = 0x1000_0000
PAGES = 16


@pytest.fixture
def memory() -> Dram:
    return Dram(BASE, PAGES * PAGE_BYTES)


def test_allocations_start_at_pages_and_take_whole_pages(memory: Dram) -> None:
    first, second = memory.allocate(1), memory.allocate(PAGE_BYTES + 1)
    assert (first, second) == (BASE, BASE + PAGE_BYTES)
    assert memory.allocated_bytes == 3 * PAGE_BYTES
    assert memory.allocations == 2


def test_an_empty_allocation_has_an_address_of_its_own(memory: Dram) -> None:
    assert memory.allocate(0) != memory.allocate(0)


def test_the_first_free_range_that_is_long_enough_is_taken(memory: Dram) -> None:
    small, _, large, _ = (memory.allocate(pages * PAGE_BYTES) for pages in (1, 1, 3, 1))
    memory.free(small)
    memory.free(large)
    assert memory.allocate(2 * PAGE_BYTES) == large
    assert memory.allocate(PAGE_BYTES) == small


def test_free_ranges_that_touch_become_one(memory: Dram) -> None:
    first, second, third, _ = (memory.allocate(PAGE_BYTES) for _ in range(4))
    for address in (first, third, second):
        memory.free(address)
    assert memory.allocate(3 * PAGE_BYTES) == first


def test_the_limit_is_a_runtime_error_that_names_the_sizes(memory: Dram) -> None:
    memory.allocate(10 * PAGE_BYTES)
    with pytest.raises(MemoryLimitError, match=rf"{7 * PAGE_BYTES} bytes.*longest free range has {6 * PAGE_BYTES} "):
        memory.allocate(7 * PAGE_BYTES)
    assert issubclass(MemoryLimitError, RuntimeError)
    assert memory.allocate(6 * PAGE_BYTES)


def test_memory_that_is_used_again_is_zeroed(memory: Dram) -> None:
    address = memory.allocate(8)
    memory.write(address, np.full(8, 255, np.uint8))
    memory.free(address)
    assert memory.allocate(8) == address
    assert not memory.read(address, 8).any()


@pytest.mark.parametrize(
    ("offset", "asked", "accessible"),
    [
        (0, 10, 10),
        (10, PAGE_BYTES - 10, PAGE_BYTES - 10),
        (10, PAGE_BYTES, PAGE_BYTES - 10),  # ends outside
        (PAGE_BYTES, 1, 0),  # begins behind
        (-1, 1, 0),  # begins before
    ],
)
def test_only_bytes_within_one_allocation_are_accessible(
    memory: Dram, offset: int, asked: int, accessible: int
) -> None:
    assert memory.accessible(memory.allocate(100) + offset, asked) == accessible


def test_a_transfer_may_not_run_from_one_allocation_into_the_next(memory: Dram) -> None:
    first, _ = memory.allocate(PAGE_BYTES), memory.allocate(PAGE_BYTES)
    assert memory.accessible(first, 2 * PAGE_BYTES) == PAGE_BYTES


def test_what_is_read_cannot_be_written_to(memory: Dram) -> None:
    with pytest.raises(ValueError, match="read-only"):
        memory.read(memory.allocate(8), 8)[0] = 1


@pytest.mark.parametrize(("base", "size", "message"), [(1, PAGE_BYTES, "multiple of 4096"), (0, 4095, "one page")])
def test_an_impossible_memory_is_refused(base: int, size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dram(base, size)


@given(st.lists(st.one_of(st.integers(0, 5 * PAGE_BYTES), st.integers(-PAGES, -1)), max_size=60))
def test_allocations_never_overlap_and_all_memory_comes_back(steps: list[int]) -> None:
    memory = Dram(BASE, PAGES * PAGE_BYTES)
    live: dict[int, int] = {}
    for step in steps:
        if step < 0 and live:
            address = sorted(live)[step % len(live)]
            memory.free(address)
            del live[address]
        elif step >= 0:
            try:
                address = memory.allocate(step)
            except MemoryLimitError:
                continue
            length = max(-(-step // PAGE_BYTES), 1) * PAGE_BYTES
            assert address % PAGE_BYTES == 0
            assert memory.base <= address and address + length <= memory.base + memory.size
            for other, other_length in live.items():
                assert address + length <= other or other + other_length <= address
            live[address] = length
        assert memory.allocated_bytes == sum(live.values())
    for address in live:
        memory.free(address)
    assert memory.allocate(memory.size) == BASE
