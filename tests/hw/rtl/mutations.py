"""Faults put into the DMA, one line each, and the tests that must find them.

``make -C hw mutations`` applies each to a copy, runs its tests, and prints a table; a fault that none of them finds is
an error of the tests.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cocotb_runs


class Mutation(NamedTuple):
    """A fault: in a file of ``hw/rtl``, what stands there once, what comes in its place, and a test that fails then."""

    file: str
    original: str
    fault: str
    test: str
    bench: str = "dma"


SENDS = "memory_is_sent_byte_for_byte_whatever_stalls"
RECEIVES = "packets_are_received_byte_for_byte_whatever_stalls"
RESETS = "a_soft_reset_at_any_time_ends_what_is_under_way_and_all_works_again"
STOPS = "clearing_run_halts_when_nothing_is_under_way_and_drops_the_transfer"
READ_REFUSED = "a_read_that_memory_refuses_ends_the_stream_before_it_without_a_last_beat"
WRITE_REFUSED = "a_write_that_memory_refuses_is_an_error"
OVERFLOW = "a_packet_longer_than_the_transfer_is_an_internal_error_and_its_rest_stays_in_the_stream"
INTERRUPTS = "completion_raises_the_interrupt_where_enabled_until_a_one_is_written"
LATCHES = "an_input_stays_latched_until_it_is_acknowledged_and_comes_again_while_it_is_high"

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


def main() -> int:
    """Run all mutations, print a table of them, and tell whether each was found."""
    missed = 0
    print("| fault | found by | s |\n| --- | --- | ---: |")
    for mutation in MUTATIONS:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            apply(mutation, folder)
            parameters = {"LATENCY": 60} if mutation.bench == "dma" else {}
            outcome = cocotb_runs.run(
                mutation.bench,
                folder / "simulation",
                rtl=folder,
                parameters=parameters,
                tests=[mutation.test],
                timeout_s=60,
            )
        found = bool(outcome[mutation.test])
        missed += not found
        fault = f"{mutation.file}: `{mutation.original.strip()}` is `{mutation.fault.strip()}`".replace("\n", " ")
        print(
            f"| {fault} | {mutation.test if found else '**nothing**'} | {time.monotonic() - started:.0f} |", flush=True
        )
    print(f"\n{len(MUTATIONS) - missed} of {len(MUTATIONS)} faults found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
