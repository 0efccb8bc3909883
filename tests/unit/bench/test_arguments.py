"""What an option cannot be is a usage error that names the option, never a traceback from deep within."""

from __future__ import annotations

import argparse
import importlib
import math
from pathlib import Path

import pytest

import pynq_ee
from pynq_ee.bench.arguments import nats, positive, whole

ROOT = Path(pynq_ee.__file__).parent

#: Programs of the package that measure, by module, and a wrong call of each: refused before anything is measured.
WRONG = [
    ("bench.ink_on_paper", "--seed -1"),
    ("bench.ink_on_paper", "--count 0"),
    ("bench.ink_on_paper", "--picture papers.xyz"),
    ("bench.cluster", "--boards 0"),
    ("bench.cluster", "--rate nan"),
    ("bench.cluster", "--rate 0"),
    ("bench.cluster", "--seconds inf"),
    ("bench.cluster", "--batch 0"),
    ("bench.paper.bars", "--repetitions 0"),
    ("bench.reliability.soak", "--images 0"),
    ("bench.reliability.soak", "--seed -1"),
    ("bench.reliability.soak", "--seconds nan"),
    ("bench.circuit.depth", "netlist.json --count 0"),
    ("bench.circuit.clocks", "--latency -1"),
    ("bench.circuit.netlist", "netlist.v --images 0"),
    ("bench.host.remainder", "--batch 4 0"),
    ("bench.host.remainder", "--rounds 0"),
    ("bench.host.transfer_paths", "--batch 0"),
    ("bench.host.transfer_paths", "--repetitions x"),
    ("bench.host.scale", "--counts 0"),
    ("bench.host.bytes_per_image", "--threshold nan"),
    ("openflow.__main__", "netlist.json --clock nan"),
    ("openflow.__main__", "netlist.json --seed 0"),
]


@pytest.mark.parametrize(("module", "arguments"), WRONG, ids=lambda value: value)
def test_a_number_that_cannot_be_is_refused_by_its_option(
    module: str, arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"pynq_ee.{module}").main(arguments.split())
    option = next(word for word in arguments.split() if word.startswith("--"))
    assert ended.value.code == 2
    assert f"error: argument {option}: " in capsys.readouterr().err.splitlines()[-1]


def test_no_program_takes_a_number_without_its_range() -> None:
    programs = [*ROOT.glob("bench/**/*.py"), *ROOT.glob("openflow/*.py"), *ROOT.glob("bitcheck/*.py")]
    assert not [path for path in programs if "type=int" in path.read_text() or "type=float" in path.read_text()]


def test_numbers_are_what_they_say_and_within_their_range() -> None:
    assert [whole()("1"), whole(0)("0"), whole(2, 4)("4"), positive("1e-3"), nats("0"), nats("inf")] == [
        *(1, 0, 4, 1e-3, 0.0, math.inf),
    ]
    refusals = [
        (whole(), "0", "0 is out of range: it must be 1 or more"),
        (whole(2, 4), "5", "5 is out of range: it must be 2 to 4"),
        (whole(), "1.5", "'1.5' is no whole number, 1 or more"),
        *((positive, text, "is no finite number above 0") for text in ("0", "-1", "nan", "inf", "x")),
        *((nats, text, "is no number of nats, 0 or more") for text in ("-1", "nan", "x")),
    ]
    for read, text, message in refusals:
        with pytest.raises(argparse.ArgumentTypeError, match=message):
            read(text)
