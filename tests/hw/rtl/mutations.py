"""Faults put into the DMA and the kernel, one line each, and the tests that must find them.

``make -C hw mutations`` applies each to a copy, runs its tests, and prints a table: by which test each was found, and
whether by an assertion, by another exception, or because the test came to no end. A fault that none of them finds is an
error of the tests, and one with which the circuit cannot be built is found by nobody.
"""

from __future__ import annotations

import collections
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cocotb_runs
from hw.rtl import test_kernel


class Mutation(NamedTuple):
    """A fault: in a file of ``hw/rtl``, what stands there once, what comes in its place, and a test that fails then."""

    file: str
    original: str
    fault: str
    test: str
    bench: str = "dma"


SENDS = "memory_is_sent_byte_for_byte_whatever_stalls"
RECEIVES = "packets_are_received_byte_for_byte_whatever_stalls"
STOPS = "clearing_run_halts_when_nothing_is_under_way_and_drops_the_transfer"
READ_REFUSED = "a_read_that_memory_refuses_ends_the_stream_before_it_without_a_last_beat"
OVERFLOW = "a_packet_longer_than_the_transfer_is_an_internal_error_and_its_rest_stays_in_the_stream"
INTERRUPTS = "completion_raises_the_interrupt_where_enabled_until_a_one_is_written"
LATCHES = "an_input_stays_latched_until_it_is_acknowledged_and_comes_again_while_it_is_high"
MASTER = "the_output_follows_the_master_enable_and_inputs_their_own_which_stays"
SLOW_ASK = "an_address_is_offered_until_it_is_taken"
FINISHES = "nothing_is_done_before_the_last_beat_has_been_taken"
FILLS = "a_reader_that_stands_still_while_the_fifo_fills_up_gets_one_packet"
FORGETS = "what_the_fifo_held_at_a_stop_is_gone_and_so_are_its_places"
STALE = "the_last_beat_of_a_transfer_that_was_stopped_completes_no_other"

BATCHES = "a_batch_gives_what_the_model_says_whatever_stalls"
ENDS = "images_beyond_an_early_end_are_of_zeros_and_flagged_and_beats_behind_a_late_one_are_dropped"
REGISTERS = "registers_agree_with_the_model_whatever_is_written"
STARTS = "what_is_written_while_a_run_is_under_way_is_for_the_next_one"
RESTARTS = "a_reset_at_any_time_loses_the_run_and_all_works_again"

MUTATIONS = [
    Mutation("dma_send.sv", "words_after[3:0] <= ~position;", "words_after[3:0] < ~position;", SENDS),
    Mutation("dma_send.sv", "words_after <= (length - 1'b1) >> 3;", "words_after <= length >> 3;", SENDS),
    Mutation("dma_send.sv", "      position <= 0;\n", "", SENDS),
    Mutation("dma_send.sv", "block <= block + 1'b1;", "block <= block;", SENDS),
    Mutation(
        "dma_send.sv",
        "8'hff >> (3'd7",
        "8'hff >> (3'd6",
        "a_last_beat_that_is_not_whole_tells_so_and_is_filled_up_with_zeros",
    ),
    Mutation("dma_send.sv", "decode_error <= rresp[0];", "decode_error <= 1'b0;", READ_REFUSED),
    Mutation("dma_send.sv", "!rresp[1] && !stop && !failing;", "!stop && !failing;", READ_REFUSED),
    Mutation(
        "dma_send.sv", "places <= places + place_freed;", "places <= places;", "the_memorys_latency_costs_no_beat"
    ),
    Mutation("dma_receive.sv", "final_beat <= beats_after == 1;", "final_beat <= beats_after == 0;", OVERFLOW),
    Mutation("dma_receive.sv", "overflow <= !tlast || ", "overflow <= ", OVERFLOW),
    Mutation(
        "dma_receive.sv",
        "(kept & ~allowed) != 0;",
        "1'b0;",
        "a_length_that_cuts_the_last_beat_in_two_is_an_internal_error",
    ),
    Mutation("dma_receive.sv", "(word_ends || &write_position);", "(&write_position);", RECEIVES),
    Mutation("dma_receive.sv", "words_after == 0 ? last_strobe : 8'hff;", "1'b0 ? last_strobe : 8'hff;", RECEIVES),
    Mutation("dma_receive.sv", "wvalid <= moves || (wvalid && !wready);", "wvalid <= moves;", RECEIVES),
    Mutation("dma_receive.sv", "<< STREAM_SHIFT) + last_count;", "<< STREAM_SHIFT);", RECEIVES),
    Mutation("dma_receive.sv", "if (reset || stop) blocks <= 0;", "if (reset) blocks <= 0;", STOPS),
    Mutation("dma_registers.sv", "(on_complete && enables[0])", "(on_complete)", INTERRUPTS),
    Mutation("dma_send.sv", "arvalid <= ask || (arvalid && !arready);", "arvalid <= ask;", SLOW_ASK),
    Mutation("dma_send.sv", "if (stop) places <= DEPTH;\n      else if (ask)", "if (ask)", FORGETS),
    Mutation("dma_send.sv", "rlast && !asking && bursts == 1;", "rlast && bursts == 1;", FILLS),
    Mutation("dma_send.sv", ".clear(reset || stop),", ".clear(reset),", FORGETS),
    Mutation("dma_send.sv", "(stop || stale) && (tvalid", "1'b0 && (tvalid", STALE),
    Mutation("checksum.sv", "^(state & ROW[31:0])", "^(state & ROW[30:0])", BATCHES, "kernel"),
    Mutation("unframe.sv", "whole <= moves && image_ends && !ended", "whole <= moves && image_ends", ENDS, "kernel"),
    Mutation("unframe.sv", "image_ends <= words_after == 1;", "image_ends <= words_after == 2;", BATCHES, "kernel"),
    Mutation("unframe.sv", "long_batch <= !ended && !beat_last;", "long_batch <= !ended;", BATCHES, "kernel"),
    Mutation("unframe.sv", "      short_batch <= 0;\n", "", ENDS, "kernel"),
    Mutation("unframe.sv", "word = ended ? {spec::BEAT_BITS{1'b0}} : beat;", "word = beat;", ENDS, "kernel"),
    Mutation(
        "frame.sv", "beat_last = image_ends && last_image;", "beat_last = part_ends && last_image;", BATCHES, "kernel"
    ),
    Mutation("frame.sv", "moves && record_ends && !truncated;", "moves && record_ends;", ENDS, "kernel"),
    Mutation("kernel_registers.sv", "&& !started;", ";", STARTS, "kernel"),
    Mutation("kernel_registers.sv", "else if (finish) started <= 0;", "", BATCHES, "kernel"),
    Mutation("kernel_registers.sv", "raised <= (raised ^ (", "raised <= (raised & ~(", REGISTERS, "kernel"),
    Mutation("kernel_registers.sv", "fresh <= fresh & ~reads_fresh;", "fresh <= fresh;", BATCHES, "kernel"),
    Mutation("kernel_registers.sv", "{done, ready} <= 2'b00;", "{done, ready} <= 2'b01;", BATCHES, "kernel"),
    Mutation("kernel_registers.sv", "      enabled <= 0;\n", "", RESTARTS, "kernel"),
    Mutation("first_exit.sv", "&& frame_done && !results_TVALID;", "&& frame_done;", FINISHES, "kernel"),
    Mutation("skid_buffer.sv", "kept <= in_data;", "kept <= out_data;", BATCHES, "kernel"),
    Mutation("interrupt_controller.sv", "(hardware ? levels :", "(1'b1 ? levels :", MASTER, "interrupt_controller"),
    Mutation("interrupt_controller.sv", "irq <= master && pending", "irq <= pending", MASTER, "interrupt_controller"),
    Mutation(
        "interrupt_controller.sv",
        "latched <= (latched & ~(",
        "latched <= ({INPUTS{1'b0}} & ~(",
        LATCHES,
        "interrupt_controller",
    ),
    Mutation("trunk.sv", "left_masked <= row_outside[y] || left_outside;", "left_masked <= 0;", BATCHES, "kernel"),
    Mutation("output.sv", "difference < feature_margin;", "difference <= feature_margin;", BATCHES, "kernel"),
]


def apply(mutation: Mutation, folder: Path) -> None:
    """Copy the circuit into a folder, with the fault in it."""
    for path in cocotb_runs.RTL.glob("*.sv"):
        text = path.read_text()
        if path.name == mutation.file:
            count = text.count(mutation.original)
            if count != 1:
                raise ValueError(f"{mutation.file}: {mutation.original!r} stands there {count} times, not once")
            text = text.replace(mutation.original, mutation.fault)
        (folder / path.name).write_text(text)


def run(mutation: Mutation, folder: Path) -> str:
    """What became of a fault's test, as :func:`cocotb_runs.kind` says it; empty where it passed."""
    apply(mutation, folder)
    tests = [mutation.test]
    if mutation.bench == "kernel":
        outcome = test_kernel.run(8, folder / "kernel", folder, tests=tests, timeout_s=300)
    else:
        parameters = {"LATENCY": 60} if mutation.bench == "dma" else {}
        simulation = folder / "simulation"
        outcome = cocotb_runs.run(
            mutation.bench, simulation, rtl=folder, parameters=parameters, tests=tests, timeout_s=300
        )
    return cocotb_runs.kind(outcome[mutation.test])


def is_found(kind: str) -> bool:
    """Whether a test that ended so has found a fault: it ran, and failed or came to no end."""
    return kind not in ("", cocotb_runs.NOT_BUILT, cocotb_runs.ENDED)


def main() -> int:
    """Run all mutations, print a table of them, and tell whether each was found."""
    kinds: collections.Counter[str] = collections.Counter()
    print("| fault | found by | how | s |\n| --- | --- | --- | ---: |")
    for mutation in MUTATIONS:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as name:
            kind = run(mutation, Path(name))
        kinds[kind] += 1
        fault = f"{mutation.file}: `{mutation.original.strip()}` is `{mutation.fault.strip()}`".replace("\n", " ")
        by = mutation.test if is_found(kind) else "**nothing**"
        print(f"| {fault} | {by} | {kind or 'it passed'} | {time.monotonic() - started:.0f} |", flush=True)
    found = sum(count for kind, count in kinds.items() if is_found(kind))
    listed = ", ".join(f"{kind or 'the test passed'}: {count}" for kind, count in kinds.most_common())
    print(f"\n{found} of {len(MUTATIONS)} faults found ({listed})")
    return 0 if found == len(MUTATIONS) else 1


if __name__ == "__main__":
    sys.exit(main())
