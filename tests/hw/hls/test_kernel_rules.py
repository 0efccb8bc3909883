"""The kernel's C++ has the pragmas that its rate rests on, and a lost one is noticed without an HLS tool."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recorder"))

import kernel_rules

from pynq_ee.network import spec

SOURCES = kernel_rules.sources()

#: What dataflow regions call: the processes, and the core, which is a region itself.
PROCESSES = [*spec.PIPELINE_DEPTHS, "first_exit_core"]


def pragmas(kind: str) -> list[object]:
    """Each pragma of a kind in the kernel: its file, its line, and the variable that it is of."""
    return [
        pytest.param(name, found[0], found[1], id=f"{name}-{found[1]}-{found.start()}")
        for name, text in SOURCES.items()
        for found in re.finditer(rf"^ *VITIS\(HLS {kind} variable=(\w+) .*\n", text, re.MULTILINE)
    ]


def changed(name: str, old: str, new: str) -> list[str]:
    """The violations when each occurrence of ``old`` in a file is replaced."""
    assert old in SOURCES[name]
    return kernel_rules.violations({**SOURCES, name: SOURCES[name].replace(old, new)})


def test_the_kernel_breaks_no_rule() -> None:
    assert kernel_rules.violations(SOURCES) == []


@pytest.mark.parametrize(("name", "line", "variable"), pragmas("array_partition"))
def test_an_array_that_is_not_partitioned_breaks_a_rule(name: str, line: str, variable: str) -> None:
    assert any(f"{name}: the array {variable} is not" in sentence for sentence in changed(name, line, ""))


@pytest.mark.parametrize(("name", "line", "variable"), pragmas("stream") + pragmas("bind_storage"))
def test_a_stream_without_a_depth_or_a_kind_of_memory_breaks_a_rule(name: str, line: str, variable: str) -> None:
    assert any(f"{name}: the stream {variable} is not" in sentence for sentence in changed(name, line, ""))


@pytest.mark.parametrize(
    ("name", "old", "new", "violation"),
    [
        ("trunk.cpp", "variable=patch complete dim=0", "variable=patch complete", "the array patch is not followed"),
        ("trunk.cpp", "    Word word = 0;", "    Token kept[2];\n    Word word = 0;", "the array kept is not"),
        ("classifier.cpp", "CLASSIFIER_BIAS[index]", "CLASSIFIER_BIAS[phase]", "reads CLASSIFIER_BIAS at 'phase'"),
        ("classifier.cpp", "(index, image_step)", "(phase, index)", "reads classifier_weights at 'phase'"),
        ("branch.cpp", "(activations, channel)", "(activations, row)", "reads BRANCH_WEIGHT at 'channel'"),
        ("trunk.cpp", "(patch, channel,", "(patch, position.row,", "reads TRUNK_WEIGHT at 'channel'"),
    ],
)  # fmt: skip
def test_what_a_memory_of_two_ports_cannot_serve_breaks_a_rule(name: str, old: str, new: str, violation: str) -> None:
    found = changed(name, old, new)
    assert any(violation in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("name", "old", "new", "violation"),
    [
        ("branch.cpp", "greatest[CHANNELS];", "greatest[CHANNELS] = {0};", "greatest is initialized in braces"),
        ("trunk.cpp", "II=1 style=stp", "II=1", "a loop is pipelined by 'VITIS(HLS pipeline II=1)'"),
        ("branch.cpp", "= product(", "= int32_t(", "a product is made by 'int32_t'"),
        ("trunk.cpp", "=\n          product(", "=\n          int32_t(", "a product is made by 'int32_t'"),
        ("trunk.cpp", "word = words.read()", "word = with_features ? words.read() : Word(0)",
         "words is read in a conditional expression"),
    ],
)  # fmt: skip
def test_what_a_synthesizer_reads_otherwise_than_a_compiler_breaks_a_rule(
    name: str, old: str, new: str, violation: str
) -> None:
    found = changed(name, old, new)
    assert any(violation in sentence for sentence in found), found


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_that_may_be_inlined_breaks_a_rule(name: str) -> None:
    (file,) = [file for file, text in SOURCES.items() if re.search(rf"\b{name}\([^;]*\) \{{\n", text)]
    text = SOURCES[file]
    start = re.search(rf"\b{name}\([^;]*?\) \{{\n  VITIS\(HLS inline off\)\n", text).end()
    without = text[:start].removesuffix("  VITIS(HLS inline off)\n") + text[start:]
    found = kernel_rules.violations({**SOURCES, file: without})
    assert [sentence for sentence in found if sentence.startswith(f"{name}, a process of ")]
