"""The faults for the tests of hw/rtl still stand in the text, and what is told of each is what became of its test."""

from __future__ import annotations

from pathlib import Path

import pytest

import cocotb_runs
from hw.rtl import mutations
from hw.rtl.mutations import Mutation


@pytest.mark.parametrize(
    "mutation", mutations.MUTATIONS, ids=lambda mutation: f"{mutation.file}-{mutation.original[:30]}"
)
def test_each_fault_stands_once_in_the_circuit_and_names_a_test(tmp_path: Path, mutation: Mutation) -> None:
    mutations.apply(mutation, tmp_path)
    assert mutation.test in cocotb_runs.tests_of(mutation.bench)


@cocotb_runs.needs_cocotb
@pytest.mark.parametrize(
    ("fault", "kind", "found"),
    [
        ("irq <= pending", "AssertionError", True),
        ("irq <= master && pending", "", False),
        ("irq <= nobody &&& pending", cocotb_runs.NOT_BUILT, False),
    ],
)
def test_a_fault_that_cannot_be_built_is_not_one_that_was_found(
    tmp_path: Path, fault: str, kind: str, found: bool
) -> None:
    mutation = Mutation(
        "interrupt_controller.sv", "irq <= master && pending", fault, mutations.MASTER, "interrupt_controller"
    )
    assert mutations.run(mutation, tmp_path) == kind
    assert mutations.is_found(kind) is found


@cocotb_runs.needs_cocotb
def test_a_test_that_comes_to_no_end_is_told_apart_from_one_that_fails(tmp_path: Path) -> None:
    """No write of a register is ever answered."""
    mutation = Mutation("axi_lite_slave.sv", "        bvalid <= 1;\n", "", mutations.MASTER, "interrupt_controller")
    mutations.apply(mutation, tmp_path)
    outcome = cocotb_runs.run(
        "interrupt_controller", tmp_path / "run", rtl=tmp_path, tests=[mutation.test], timeout_s=5
    )
    assert cocotb_runs.kind(outcome[mutation.test]) == cocotb_runs.TIME_OUT
