"""The sums of products of the reference circuit: one addition a register, as wide as needed, built once.

That they compute what they should is simulated in tests/hw/rtl/test_reference.py.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pynq_ee.generate import verilog
from pynq_ee.generate.verilog_pipeline import Pipeline, Signal, Term
from pynq_ee.network.spec import Spec
from pynq_ee.network.weights import LayerWeights, Model


def pixels(pipeline: Pipeline, count: int) -> list[Signal]:
    return [pipeline.input("patch", 8 * index, 0, 255) for index in range(count)]


@pytest.mark.parametrize(
    ("low", "high", "bits"), [(0, 0, 1), (0, 1, 1), (0, 255, 8), (0, 256, 9), (-1, 0, 1), (-128, 127, 8), (-129, 0, 9)]
)
def test_a_signal_has_the_bits_that_its_range_needs(low: int, high: int, bits: int) -> None:
    assert Signal("x", low, high, 0).bits == bits


@pytest.mark.parametrize(
    ("low", "shift", "bits", "text"),
    [
        (0, 0, 8, "x[7:0]"),
        (0, 2, 4, "x[5:2]"),
        (0, 2, 10, "{4'd0, x[7:2]}"),
        (0, 9, 3, "3'd0"),
        (-200, 0, 12, "{{3{x[8]}}, x[8:0]}"),
        (-200, 9, 2, "{2{x[8]}}"),
    ],
)
def test_a_part_beyond_the_value_is_filled_by_its_sign(low: int, shift: int, bits: int, text: str) -> None:
    assert Signal("x", low, 255, 0).part(shift, bits) == text


@pytest.mark.parametrize("weight", range(-7, 8))
def test_a_multiple_takes_at_most_one_addition_and_has_its_range(weight: int) -> None:
    pipeline = Pipeline()
    term = pipeline.multiple(pixels(pipeline, 1)[0], weight)
    assert (term is None) == (weight == 0)
    assert len(pipeline.registers) == (abs(weight) in (3, 5, 6, 7))
    if term:
        assert term.range == tuple(sorted((0, 255 * weight)))


def test_a_weight_that_takes_two_additions_is_refused() -> None:
    pipeline = Pipeline()
    with pytest.raises(ValueError, match="weight is 11; a multiple by one addition"):
        pipeline.multiple(pixels(pipeline, 1)[0], 11)


@given(st.lists(st.integers(-7, 7), min_size=1, max_size=25))
def test_a_sum_has_the_range_of_its_products_and_one_addition_less_than_terms(values: list[int]) -> None:
    pipeline = Pipeline()
    terms = [pipeline.multiple(pixel, weight) for pixel, weight in zip(pixels(pipeline, len(values)), values)]
    multiples = len(pipeline.registers)
    total = pipeline.tree(terms)
    used = [weight for weight in values if weight]
    if total is None:
        assert not used
        return
    assert total.range == (255 * sum(min(weight, 0) for weight in used), 255 * sum(max(weight, 0) for weight in used))
    additions = [text for text in pipeline.registers if re.search(" [+-] ", text)]
    assert len(additions) - multiples <= len(used) - 1
    assert all(len(re.findall(" [+-] ", text)) == 1 for text in additions)


def test_equal_sums_are_built_once_whatever_their_sign() -> None:
    pipeline = Pipeline()
    first, second, third = pixels(pipeline, 3)
    terms = [
        pipeline.pair(Term(first, 0, negative), Term(second, 0, negative)) for negative in (False, True, False, True)
    ]
    assert len(pipeline.registers) == 1
    assert {term.signal for term in terms if term} == {terms[0].signal}
    difference, opposite = (
        pipeline.pair(Term(first, 0, negative), Term(second, 0, not negative)) for negative in (False, True)
    )
    assert len(pipeline.registers) == 2
    assert (difference.negative, opposite.negative) == (False, True)
    pipeline.pair(Term(first, 1, False), Term(third, 1, False))
    assert pipeline.pair(Term(third, 0, False), Term(first, 0, False)).signal.name == "r2"


def test_terms_of_different_clocks_meet_in_one() -> None:
    pipeline = Pipeline()
    first, second = pixels(pipeline, 2)
    total = pipeline.pair(pipeline.multiple(first, 3), Term(second, 0, False))
    assert total.signal.clock == 2
    assert "patch_8" in pipeline.registers  # the second pixel waits for a clock


def test_a_register_holds_one_operation_whose_operands_are_of_the_clock_before(
    random_model: Callable[..., Model],
) -> None:
    text = verilog.generated(random_model(3, Spec(8, 4)))
    for module in re.findall(r"module (?:trunk|branch)_arithmetic.*?endmodule", text, re.DOTALL):
        clock = dict.fromkeys(re.findall(r"wire \[\d+:0\] (\w+) =", module), 0)
        gates = dict(re.findall(r"wire \[\d+:0\] (g\d+); (.*);", module))  # operations without a carry chain
        assignments = re.findall(r"(r\d+) <= (.*);", module)
        assert len(assignments) > 100
        for name, expression in assignments:
            of_gates = re.findall(r"\bg\d+", expression)
            inputs = " ".join([expression, *(gates[gate] for gate in of_gates)])
            operands = set(re.findall(r"\b(?:r|patch_)\d+", inputs))
            assert len(operands) <= 2
            assert len(re.findall(" [+-] ", expression)) + len(of_gates) <= 1
            clocks = {clock[operand] for operand in operands}
            assert len(clocks) <= 1, f"{name} mixes clocks {clocks}"
            clock[name] = max(clocks, default=0) + 1


def test_the_same_model_gives_the_same_text_and_another_weight_another(random_model: Callable[..., Model]) -> None:
    model = random_model(4)
    assert verilog.generated(model) == verilog.generated(model)
    trunk = model.fabric["trunk"]
    changed = trunk.weight.copy()
    changed[0, 0, 0, 0] = 1 if changed[0, 0, 0, 0] != 1 else 2
    other = {**model.fabric, "trunk": LayerWeights(np.ascontiguousarray(changed), trunk.bias, trunk.shift)}
    assert verilog.generated(dataclasses.replace(model, fabric=other)) != verilog.generated(model)
