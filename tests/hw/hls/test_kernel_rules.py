"""The kernel's C++ has the pragmas that its rate rests on, and a lost one is noticed without an HLS tool."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recorder"))

import kernel_rules

SOURCES = kernel_rules.sources()


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
        ("trunk.cpp", "    const Word word = ", "    Token kept[2];\n    const Word word = ", "the array kept is not"),
        ("classifier.cpp", "CLASSIFIER_BIAS[index]", "CLASSIFIER_BIAS[phase]", "reads CLASSIFIER_BIAS at 'phase'"),
        ("classifier.cpp", "(index, image_step)", "(phase, index)", "reads classifier_weights at 'phase'"),
        ("branch.cpp", "(activations, channel)", "(activations, row)", "reads BRANCH_WEIGHT at 'channel'"),
        ("trunk.cpp", "(patch, channel,", "(patch, position.row,", "reads TRUNK_WEIGHT at 'channel'"),
    ],
)  # fmt: skip
def test_what_a_memory_of_two_ports_cannot_serve_breaks_a_rule(name: str, old: str, new: str, violation: str) -> None:
    found = changed(name, old, new)
    assert any(violation in sentence for sentence in found), found
