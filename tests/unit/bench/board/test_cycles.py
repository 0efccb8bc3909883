"""LLVM's cycles of blocks: of known ones, and an error where it cannot read them."""

from __future__ import annotations

import shutil

import pytest

from pynq_ee.bench.board import cycles
from pynq_ee.bench.board.cycles import Row
from pynq_ee.bench.host.instructions import Block
from pynq_ee.errors import ToolError

with_llvm = pytest.mark.skipif(shutil.which("llvm-mca") is None, reason="llvm-mca is not installed (package llvm)")


@with_llvm
@pytest.mark.parametrize(
    ("target", "product", "branch", "most"),
    [
        ("armv7", "vmla.i16 q{}, q4, d0[0]", "bne #0x10444", 1.1),
        ("arm64", "mul v{}.8h, v4.8h, v0.h[0]", "cbnz x1, #0x400804", 1.6),
    ],
)
def test_independent_products_take_a_cycle_each_and_those_in_order_wait_for_the_last_ones(
    target: str, product: str, branch: str, most: float
) -> None:
    block = Block("kernel", (*(product.format(number) for number in range(8, 16)), branch), 100)
    assert 1 <= cycles.scheduled([block], target) / 800 <= most


@with_llvm
def test_what_is_rare_is_as_slow_as_the_rest() -> None:
    often = Block("kernel", ("add r1, r1, #1",) * 10, 1000)
    alone, both = cycles.scheduled([often], "armv7"), cycles.scheduled([often, Block("rare", ("nop",), 5)], "armv7")
    assert both == pytest.approx(alone * 10_005 / 10_000)


@with_llvm
def test_what_thumb_makes_conditional_is_taken_for_unconditional() -> None:
    block = ("cmp r0, r1", "ite ge", "movge r0, r1", "addlt.w r0, r0, #1", "ldrb r2, [r3]")
    assert cycles._assembly(block).splitlines() == ["cmp r0, r1", "mov r0, r1", "add.w r0, r0, #1", "ldrb r2, [r3]"]
    assert cycles.scheduled([Block("kernel", block, 1)], "armv7") > 0


@with_llvm
def test_a_block_that_is_no_assembly_is_told() -> None:
    with pytest.raises(ToolError, match=r"llvm-mca took 0 of 1 blocks: .*invalid instruction"):
        cycles.scheduled([Block("kernel", ("frobnicate r1, r2",), 1)], "armv7")


def test_a_missing_tool_is_told_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match="llvm-mca is not installed; Debian's package llvm has it"):
        cycles.scheduled([Block("kernel", ("nop",), 1)], "armv7")


def test_more_cycles_than_the_model_allows_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = Row("PYNQ-Z2", "decision", 100, 200, 300, 250)
    monkeypatch.setattr(cycles, "compare", lambda machine, network: [row])
    assert cycles.main([]) == 0
    assert "| PYNQ-Z2 | decision | 200 | 100 | 300 | 250 |" in capsys.readouterr().out
    monkeypatch.setattr(cycles, "compare", lambda machine, network: [row._replace(scheduled=301)])
    assert cycles.main([]) == 1
    assert "ABOVE THE RANGE: PYNQ-Z2 decision" in capsys.readouterr().err
