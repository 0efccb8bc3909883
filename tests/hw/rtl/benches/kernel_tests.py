"""The kernel against the NumPy model, batch for batch, and its registers against the model of Vitis HLS's adapter."""

from __future__ import annotations

import random
import zlib
from types import SimpleNamespace
from typing import Any

import cocotb
import cocotb.utils
import numpy as np
from cocotb.triggers import RisingEdge
from kernel_board import CTRL, GIER, IER, ISR, VALUES, Board, pictures

from pynq_ee.network import fabric, spec
from pynq_ee.network.spec import FEATURES_ALWAYS, FEATURES_NEVER, MODE_FEATURES, REGISTER_OFFSET
from pynq_ee.sim import vectors
from pynq_ee.sim.accelerator import Accelerator

NUM_IMAGES, MODE, MARGIN = (REGISTER_OFFSET[name] for name in ("num_images", "mode", "feature_margin"))

#: What a run that takes nothing needs, in clocks, and more than that.
A_WHILE = 40


def some_margin(board: Board, images: Any) -> int:
    """By which about half of the images have their features sent, one of them not by the least difference."""
    ordered = np.sort(fabric.first_exit(images, board.model)[1].astype(np.int64), axis=1)
    return int(np.median(ordered[:, -1] - ordered[:, -2]))


# Registers -----------------------------------------------------------------------------------------------------------


@cocotb.test()
async def registers_read_zero_after_a_reset_but_that_it_is_idle(dut: Any) -> None:
    board = await Board.on(dut)
    for offset in range(0, 1 << spec.REGISTER_ADDRESS_BITS, 4):
        assert await board.read(offset) == (spec.CTRL_IDLE if offset == CTRL else 0)
    assert not dut.interrupt.value and not dut.images_tready.value


@cocotb.test()
async def no_images_publish_the_identity_and_take_no_beat(dut: Any) -> None:
    board = await Board.on(dut)
    beats, last = board.whole(pictures(1))
    board.sends(beats, last)
    for mode in (0, MODE_FEATURES):
        await board.start(0, mode, FEATURES_ALWAYS)
        await board.ended()
        values = await board.values()
        assert values == board.expected(beats[:0], last[:0], 0, mode, 0).registers
        assert values["magic"] == int.from_bytes(b"PYEE", "little") and values["build_id"] == board.model.build_id
        assert not board.source.idle() and not dut.images_tready.value


@cocotb.test()
async def registers_agree_with_the_model_whatever_is_written(dut: Any) -> None:
    board = await Board.on(dut, stalls=0.2)
    model = Accelerator(board.kernel, board.model.spec.beat_bytes, lambda images, mode: None)
    streams: Any = SimpleNamespace(transfer=None)  # nothing on them
    offsets = [register.offset for register in spec.REGISTERS] + [REGISTER_OFFSET[name] + 4 for name in VALUES] + [0xC0]
    for _ in range(60):
        offset = random.choice([*offsets, CTRL, IER, ISR, GIER])
        value = random.getrandbits(32)
        if offset == CTRL:  # a run that takes nothing, or nothing at all
            await board.write(NUM_IMAGES, 0)
            model.write(NUM_IMAGES, 0)
        await board.write(offset, value)
        model.write(offset, value)
        while model.settle(streams, streams):
            pass
        await board.clocks(A_WHILE)
        assert bool(dut.interrupt.value) == model.interrupt
        for read in random.sample(offsets, 6):
            assert await board.read(read) == model.read(read), f"0x{read:02x}"


@cocotb.test()
async def a_write_of_some_bytes_leaves_the_others(dut: Any) -> None:
    board = await Board.on(dut)
    for offset, bits in ((NUM_IMAGES, 32), (MODE, 32), (MARGIN, spec.LOGIT_BITS)):
        kept = bytearray(4)
        for _ in range(8):
            place = random.randrange(4)
            kept[place] = random.randrange(256)
            await board.lite.write(offset + place, bytes(kept[place : place + 1]))
            assert await board.read(offset) == int.from_bytes(kept, "little") & ((1 << bits) - 1)
    await board.write(NUM_IMAGES, 0)
    for offset in (CTRL, GIER, IER, ISR):
        await board.lite.write(offset + 1, b"\xff\xff\xff")
        await board.clocks(A_WHILE)
        assert await board.read(offset) == (spec.CTRL_IDLE if offset == CTRL else 0)


@cocotb.test()
async def done_and_ready_raise_the_interrupt_where_enabled_until_a_one_is_written(dut: Any) -> None:
    board = await Board.on(dut)
    for enabled in range(4):
        await board.write(IER, enabled)
        for master in (0, 1):
            await board.write(GIER, master)
            await board.start(0, 0, 0)
            await board.ended()
            await board.clocks(3)
            assert bool(dut.interrupt.value) == bool(master and enabled)
            assert await board.read(ISR) == enabled
            await board.write(ISR, enabled)
            await board.clocks(3)
            assert not dut.interrupt.value and await board.read(ISR) == 0
    await board.write(ISR, 0b01)
    assert await board.read(ISR) == 0b01, "a one toggles"
    await board.clocks(3)
    assert dut.interrupt.value
    await board.write(GIER, 0)
    await board.clocks(3)
    assert not dut.interrupt.value


# Batches -------------------------------------------------------------------------------------------------------------


@cocotb.test()
async def a_batch_gives_what_the_model_says_whatever_stalls(dut: Any) -> None:
    board = await Board.on(dut)
    for share, count in ((0, 4), (0.3, 3), (0.6, 2)):
        board.stall(share)
        images = pictures(count)
        for mode, margin in (
            (0, FEATURES_ALWAYS),
            (MODE_FEATURES, FEATURES_NEVER),
            (MODE_FEATURES, some_margin(board, images)),
            (MODE_FEATURES | 0xFFFF_FFFE, FEATURES_ALWAYS),
        ):
            await board.batch(*board.whole(images), count, mode, margin)


@cocotb.test()
async def images_beyond_an_early_end_are_of_zeros_and_flagged_and_beats_behind_a_late_one_are_dropped(dut: Any) -> None:
    board = await Board.on(dut)
    for mode in (0, MODE_FEATURES):
        for name, count, margin, beats, last in vectors.cases(board.model, pictures(3)):
            if "end" not in name:  # a whole batch, or none
                continue
            dut._log.info(name)
            end = int(np.flatnonzero(last)[0]) + 1
            board.stall(random.choice((0, 0, 0.3)))
            await board.batch(beats[:end], last[:end], count, mode, margin)


@cocotb.test()
async def a_batch_that_ends_between_two_images_at_once_flags_no_image_too_many(dut: Any) -> None:
    """The output stands still while its records fill up, whole ones and cut ones, and all leave at once."""
    board = await Board.on(dut)
    beats, last = board.whole(pictures(2))
    for whole in (1, 2):
        board.sink.pause = True
        run = board.expected(beats[: whole * len(beats) // 2], last[-whole * len(beats) // 2 :], 5, 0, 0)
        await board.start(5, 0, 0)
        board.sends(beats[: run.consumed], last[-run.consumed :])
        await board.clocks(7 * board.model.spec.image_beats)
        board.sink.pause = False
        await board.ended()
        board.gave(run)
        assert await board.values() == run.registers


@cocotb.test()
async def a_batch_waits_for_its_start_and_the_next_one_for_its_own(dut: Any) -> None:
    board = await Board.on(dut)
    batches = [board.whole(pictures(count)) for count in (1, 2, 1)]
    for beats, last in batches:
        board.sends(beats, last)
    for beats, last in batches:
        await board.clocks(A_WHILE)
        assert not dut.images_tready.value
        arguments = len(beats) // board.model.spec.image_beats, MODE_FEATURES, FEATURES_ALWAYS
        await board.start(*arguments)
        await board.ended()
        run = board.expected(beats, last, *arguments)
        board.gave(run)
        assert await board.values() == run.registers
        assert run.registers["images_crc"] == zlib.crc32(beats.tobytes())


@cocotb.test()
async def nothing_is_done_before_the_last_beat_has_been_taken(dut: Any) -> None:
    board = await Board.on(dut)
    beats, last = board.whole(pictures(1))
    board.sends(beats, last)
    await board.start(1, 0, 0)
    board.sink.pause = True
    await board.clocks(4 * board.model.spec.image_beats)
    board.sink.pause = False
    while not (dut.results_tvalid.value and dut.results_tready.value):
        await RisingEdge(dut.clock)
    board.sink.pause = True
    for _ in range(20):
        assert await board.read(CTRL) == spec.CTRL_START
    assert dut.results_tvalid.value
    board.sink.pause = False
    await board.ended()
    board.gave(board.expected(beats, last, 1, 0, 0))


@cocotb.test()
async def what_is_written_while_a_run_is_under_way_is_for_the_next_one(dut: Any) -> None:
    board = await Board.on(dut)
    beats, last = board.whole(pictures(2))
    half = len(beats) // 2
    await board.start(2, MODE_FEATURES, FEATURES_ALWAYS)
    for offset, value in ((NUM_IMAGES, 1), (MODE, 0), (MARGIN, FEATURES_NEVER), (CTRL, spec.CTRL_START)):
        await board.write(offset, value)
        assert await board.read(offset) == value
    board.sends(beats, last)
    await board.ended()
    board.gave(board.expected(beats, last, 2, MODE_FEATURES, FEATURES_ALWAYS))
    await board.clocks(A_WHILE)
    assert await board.read(CTRL) == spec.CTRL_IDLE, "a second start was none"
    await board.write(CTRL, spec.CTRL_START)
    board.sends(*board.whole(beats[:half]))
    await board.ended()
    board.gave(board.expected(*board.whole(beats[:half]), 1, 0, FEATURES_NEVER))


@cocotb.test()
async def registers_can_be_read_and_written_at_any_time(dut: Any) -> None:
    board = await Board.on(dut, stalls=0.15)
    await board.write(GIER, 1)
    seen = []

    async def accesses() -> None:
        while True:
            offset = random.choice([register.offset for register in spec.REGISTERS if register.offset != CTRL])
            await board.read(offset + random.choice((0, 4)))
            if random.random() < 0.3:
                await board.write(random.choice((MODE, MARGIN, 0xC0)), random.getrandbits(32))
            await board.clocks(random.randint(0, 20))

    async def interrupts() -> None:
        while True:
            await RisingEdge(dut.interrupt)
            seen.append(True)

    cocotb.start_soon(interrupts())
    for count in (1, 2, 1):
        await board.write(IER, 0b01)
        beats, last = board.whole(pictures(count))
        run = board.expected(beats, last, count, MODE_FEATURES, FEATURES_ALWAYS)
        await board.start(count, MODE_FEATURES, FEATURES_ALWAYS)
        board.sends(beats, last)
        accessing = cocotb.start_soon(accesses())
        await board.ended()
        accessing.cancel()
        await board.clocks(A_WHILE)
        await board.write(ISR, await board.read(ISR))
        board.gave(run)
        assert await board.values() == run.registers
    assert len(seen) == 3


@cocotb.test()
async def a_reset_at_any_time_loses_the_run_and_all_works_again(dut: Any) -> None:
    board = await Board.on(dut)
    for _ in range(8):
        board.stall(random.choice((0, 0.3)))
        count = random.randint(1, 3)
        await board.write(GIER, 1)
        await board.write(IER, 0b11)
        await board.start(count, random.randrange(2), random.choice((FEATURES_NEVER, FEATURES_ALWAYS)))
        board.sends(*board.whole(pictures(random.randint(1, 3))))
        await board.clocks(random.randint(0, 450))
        await board.reset()
        assert not dut.interrupt.value and not dut.results_tvalid.value
        assert await board.read(CTRL) == spec.CTRL_IDLE
        assert await board.read(GIER) == await board.read(IER) == await board.read(ISR) == 0
        assert set((await board.values()).values()) == {0}
        await board.batch(*board.whole(pictures(1)), 1, MODE_FEATURES, FEATURES_ALWAYS)


# Rate ----------------------------------------------------------------------------------------------------------------


@cocotb.test()
async def a_batch_takes_no_more_clocks_than_the_rate_rule_allows(dut: Any) -> None:
    board = await Board.on(dut)
    clocks = {}
    for count in (1, 5):
        for mode in (0, MODE_FEATURES):
            beats, last = board.whole(pictures(count))
            run = board.expected(beats, last, count, mode, FEATURES_ALWAYS)
            await board.write(GIER, 1)
            await board.write(IER, 1)
            board.sends(beats, last)
            started = cocotb.start_soon(_rises(dut.kernel.start))
            await board.start(count, mode, FEATURES_ALWAYS)
            since = await started
            clocks[count, mode] = (await _rises(dut.interrupt) - since) // 10
            await board.ended()
            board.gave(run)
            await board.write(ISR, 1)
            assert clocks[count, mode] <= spec.batch_clocks(board.model.spec, count), clocks
    for mode in (0, MODE_FEATURES):
        assert clocks[5, mode] - clocks[1, mode] == 4 * board.model.spec.image_beats, clocks
    dut._log.warning("clocks by images and mode: %s", clocks)


async def _rises(signal: Any) -> int:
    """When the signal next is high, in nanoseconds."""
    await RisingEdge(signal)
    return int(cocotb.utils.get_sim_time("ns"))
