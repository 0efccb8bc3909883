"""Runs of cocotb's tests in a simulator, and what became of each test.

Those tests are functions of a module in ``hw/rtl/benches/`` that the Python within the simulator imports; a test of
pytest asks here what became of one.
"""

from __future__ import annotations

import ast
import contextlib
import multiprocessing
import os
import shutil
import signal
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
RTL = TESTS.parent / "hw" / "rtl"
BENCHES = TESTS / "hw" / "rtl" / "benches"

#: The files of each circuit; some are shared. The kernel is that of a model, of which more is generated.
SOURCES = {
    "dma": [
        "axi_dma.sv",
        "axi_lite_slave.sv",
        "dma_receive.sv",
        "dma_registers.sv",
        "dma_send.sv",
        "fifo.sv",
        "skid_buffer.sv",
        "stream_fifo.sv",
    ],
    "interrupt_controller": ["axi_lite_slave.sv", "interrupt_controller.sv"],
    "kernel": [
        "axi_lite_slave.sv",
        "branch.sv",
        "checksum.sv",
        "classifier.sv",
        "common.sv",
        "core.sv",
        "fifo.sv",
        "first_exit.sv",
        "frame.sv",
        "kernel_registers.sv",
        "output.sv",
        "skid_buffer.sv",
        "steps.sv",
        "stream_fifo.sv",
        "trunk.sv",
        "unframe.sv",
    ],
}


#: How an outcome begins where no test has said what went wrong.
TIME_OUT, NOT_BUILT, ENDED = "no end within", "does not build", "the simulator ended"

#: Is in the folder once the simulation has been built.
_BUILT = "built"


def missing() -> str:
    """What has to be installed before anything can be simulated; empty where nothing has."""
    if shutil.which("iverilog") is None:
        return "no iverilog; apt install iverilog"
    for package in ("cocotb", "cocotbext.axi"):
        try:
            __import__(package)
        except ImportError:
            return f"no {package}; pip install '.[rtl]'"
    return ""


needs_cocotb = pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing")


def tests_of(bench: str) -> list[str]:
    """Names of the tests in a bench, read without importing it: outside of a simulator it cannot be."""
    tree = ast.parse((BENCHES / f"{bench}_tests.py").read_text())
    decorated = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef) and node.decorator_list]
    return [node.name for node in decorated]


def run(
    bench: str,
    folder: Path,
    *,
    rtl: Path = RTL,
    generated: Path | None = None,
    parameters: Mapping[str, int] | None = None,
    tests: list[str] | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = 600,
) -> dict[str, str]:
    """Simulate a bench and run its tests.

    Parameters
    ----------
    bench
        One of :data:`SOURCES`.
    folder
        Where the simulation is built; the log stays there.
    rtl
        Where the circuit's files are.
    generated
        The file of what a model decides (:func:`pynq_ee.generate.verilog.generated`), for a bench that has a model.
    parameters
        Of the bench's top module.
    tests
        The tests to be run, all of them if not named.
    environment
        Variables for the tests.
    timeout_s
        How long the tests may take in all, in seconds; those that have not ended by then have failed.

    Returns
    -------
    dict
        For each test that was asked for, by its name, what went wrong; empty where nothing did. :func:`kind` tells it
        in a word.
    """
    names = tests or tests_of(bench)
    # In a process of its own: the runner of cocotb leaves its mark on the environment, and may hang with the simulator.
    process = multiprocessing.get_context("spawn").Process(
        target=_simulate, args=(bench, folder, rtl, generated, dict(parameters or {}), names, dict(environment or {}))
    )
    process.start()
    process.join(timeout_s)
    if hung := process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)  # the child has made itself a group, with the simulator in it
        process.join()
    if hung:
        return _outcomes(folder, names, f"{TIME_OUT} {timeout_s:g} s")
    return _outcomes(folder, names, ENDED if (folder / _BUILT).exists() else NOT_BUILT)


def kind(outcome: str) -> str:
    """What became of a test: ``""``, passed; one of the constants above; or the type of the exception that ended it."""
    for known in (TIME_OUT, NOT_BUILT, ENDED):
        if outcome.startswith(known):
            return known
    return outcome.partition(":")[0]


def _outcomes(folder: Path, names: list[str], otherwise: str) -> dict[str, str]:
    log = folder / "log"
    found = dict.fromkeys(names, f"{otherwise}\n{log.read_text()[-4000:] if log.exists() else ''}")
    results = folder / "results.xml"
    if not results.exists():
        return found
    for case in ElementTree.parse(results).iter("testcase"):
        failures = [*case.iter("failure"), *case.iter("error")]
        # Of cocotb 2.0 and of later releases.
        types = ((failure.get("type") or failure.get("error_type") or "error", failure) for failure in failures)
        found[case.attrib["name"]] = "\n".join(
            f"{type_}: {failure.get('message') or failure.get('error_msg')}\n{failure.text or ''}"
            for type_, failure in types
        )
    return found


def _simulate(
    bench: str,
    folder: Path,
    rtl: Path,
    generated: Path | None,
    parameters: dict[str, int],
    names: list[str],
    environment: dict[str, str],
) -> None:
    os.setpgrp()
    folder.mkdir(parents=True, exist_ok=True)
    output = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)

    from cocotb_tools.runner import get_runner

    for name in ("results.xml", _BUILT):
        (folder / name).unlink(missing_ok=True)
    top = BENCHES / f"{bench}_bench.sv"
    first = [generated] if generated else []  # the package that the others name
    runner = get_runner("icarus")
    runner.build(
        sources=[*first, *([top] if top.exists() else []), *(rtl / name for name in SOURCES[bench])],
        hdl_toplevel=top.stem if top.exists() else bench,
        parameters=parameters,
        build_dir=folder,
        always=True,
        build_args=["-Wall"],
        timescale=("1ns", "1ps"),
    )
    (folder / _BUILT).touch()
    sys.path.insert(0, str(BENCHES))
    runner.test(
        test_module=f"{bench}_tests",
        hdl_toplevel=top.stem if top.exists() else bench,
        testcase=names,
        seed=1,
        build_dir=folder,
        test_dir=folder,
        results_xml=str(folder / "results.xml"),
        extra_env={"COCOTB_LOG_LEVEL": "WARNING", **environment},
    )
