"""``pynq-ee trace``: what host and fabric do when, as a picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pynq_ee.commands.common import (
    PICTURES,
    Output,
    add_device_options,
    add_json_option,
    add_waveform_option,
    device_of,
    open_network,
    percent,
    print_json,
    table,
    waveform,
)
from pynq_ee.data import datasets
from pynq_ee.errors import InputError
from pynq_ee.inference import SIMULATED, EarlyExitInference
from pynq_ee.network import weights
from pynq_ee.prediction import Prediction
from pynq_ee.trace import BESIDE, FABRIC, HOST, STAGES, Trace

HELP = "record and draw what host and fabric do over time"
EXAMPLES = """\
  pynq-ee trace --device sim                          as fast as modelled, where the simulation keeps up
  pynq-ee trace --device sim --pace 4 --output trace.png
  pynq-ee trace --device sim-numpy --batch 256 --json
  pynq-ee trace --device software            no fabric: the first exit is computed by the host too
  pynq-ee trace                                       the board that this runs on"""

#: Batches of different images; those that follow are the same again, so that a simulated board knows their results.
_DISTINCT = 4

#: What computes the first exit, in words.
_FABRIC = {"fabric": "fabric", "software": "first exit in software"}

#: Seconds after which Python lets another thread run. The usual five milliseconds are longer than a batch.
_SWITCH_SECONDS = 1e-4


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--batches", type=int, default=12, help="how many batches (default 12)")
    parser.add_argument(
        "--pace",
        type=float,
        default=1.0,
        help="a simulated fabric takes this times its modelled time, and what its simulation takes beyond (default 1); "
        "that of sim-rtl has no pace: its clocks are counted, and take what it takes to simulate them",
    )
    parser.add_argument("--output", type=Path, default=Path("trace.png"), help="the picture (default trace.png)")
    parser.add_argument("--no-picture", action="store_true", help="write no picture (needs no matplotlib)")
    add_device_options(parser)
    add_waveform_option(parser)
    add_json_option(parser)


def outputs(args: argparse.Namespace) -> list[Output]:
    """The picture, and the waveform."""
    picture = [] if args.no_picture else [Output("--output", args.output, PICTURES, ", or none: --no-picture")]
    return [*picture, *waveform(args)]


def run(args: argparse.Namespace) -> int:
    """Record, draw, print."""
    if args.batches < 2:
        raise InputError(f"--batches is {args.batches}; gaps lie between two or more")
    digits = datasets.available().images
    with ExitStack() as stack:
        network = stack.enter_context(_opened(args, stack))
        size = min(network.capacity, len(digits) // _DISTINCT)
        distinct = digits[: _DISTINCT * size]
        network.classify(distinct)
        images = np.resize(distinct, (args.batches * size, *digits.shape[1:]))
        trace, prediction = _record(network, images, _paced(args), stack)
        modelled = _modelled(network, size, args.pace) if trace.lane(FABRIC) else None
        facts = _facts(trace, network, size, modelled, args.pace)
        if prediction.fabric_clocks_are == "counted":
            facts["counted_clocks_a_batch"] = prediction.fabric_clocks / args.batches
    if not args.no_picture:
        from pynq_ee.bench import plots

        fabric = f"{_FABRIC[facts['first_exit']]} {facts['fabric_time']}"
        title = f"{facts['device']}: host measured, {fabric}{_beside(modelled, args.pace)}"
        plots.trace(trace, args.output, title=title, modelled=modelled)
        facts["picture"] = args.output
    if args.json:
        spans = [span._asdict() for span in trace.spans]
        print_json({**facts, "spans": spans})
    else:
        print(table(_rows(facts)))
    return 0


@contextmanager
def _opened(args: argparse.Namespace, stack: ExitStack) -> Iterator[EarlyExitInference]:
    """The network, on a simulated board with time of its own where one is asked for that has it."""
    device = stack.enter_context(device_of(args))
    if _paced(args):
        from pynq_ee.sim.device import KERNELS, SimulatedDevice
        from pynq_ee.sim.pacing import remembering

        args.model = weights.load(args.model)
        kernel = remembering(KERNELS[SIMULATED[args.device]])
        device = stack.enter_context(SimulatedDevice(args.model, kernel=kernel, pace=args.pace))
    with open_network(args, device) as network:
        yield network


def _paced(args: argparse.Namespace) -> bool:
    """Whether the device can have time of its own: one that is made of a kernel in software."""
    if args.device not in SIMULATED:
        return False
    from pynq_ee.sim.device import KERNELS

    return SIMULATED[args.device] in KERNELS


def _record(network: EarlyExitInference, images: Any, paced: bool, stack: ExitStack) -> tuple[Trace, Prediction]:
    trace = Trace()
    if paced:
        network.device.on_batch = trace.add_fabric
    stack.callback(sys.setswitchinterval, sys.getswitchinterval())
    sys.setswitchinterval(_SWITCH_SECONDS)
    network.trace = trace
    prediction = network.classify(images)
    network.trace = None
    return trace, prediction


def _modelled(network: EarlyExitInference, images: int, pace: float) -> float:
    """Seconds of a batch by the cycle model, stretched."""
    from pynq_ee.sim import dataflow

    accelerator = network.accelerator
    return (
        pace * dataflow.batch_clocks(network.model.spec, images, accelerator.features) / (1e6 * accelerator.clock_mhz)
    )


def _facts(trace: Trace, network: EarlyExitInference, size: int, modelled: float | None, pace: float) -> dict[str, Any]:
    batches = trace.fabric
    host = {
        stage: sum(span.end - span.begin for span in trace.lane(HOST) if span.stage == stage) / len(batches)
        for stage in STAGES
    }
    waiting = host.pop("fabric")
    gaps = [end - begin for begin, end in trace.gaps()]
    return {
        "device": str(network.device.name),
        "first_exit": "fabric" if network.board else "software",
        "batches": len(batches),
        "images_a_batch": size,
        "fabric_time": "as the host sees it" if modelled is None else "in the simulation's wall time",
        "pace": None if modelled is None else pace,
        "modelled_seconds_a_batch": modelled,
        "fabric_seconds_a_batch": float(np.mean([span.end - span.begin for span in batches])),
        "host_seconds_a_batch": host,
        "beside_seconds_a_batch": sum(span.end - span.begin for span in trace.lane(BESIDE)) / len(batches),
        "host_waits_seconds_a_batch": waiting,
        "fabric_waits_seconds_a_batch": float(np.mean(gaps)),
        "fabric_waits_seconds_at_most": float(max(gaps)),
        "fabric_busy_share": trace.busy_share(),
    }


def _rows(facts: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The facts in words."""
    host = facts["host_seconds_a_batch"]
    stages = ", ".join(f"{stage} {_milliseconds(seconds)}" for stage, seconds in host.items())
    beside = _beside(facts["modelled_seconds_a_batch"], facts["pace"])
    yield "device", facts["device"]
    yield "batches", f"{facts['batches']} of {facts['images_a_batch']} images"
    fabric = _FABRIC[facts["first_exit"]]
    yield fabric, facts["fabric_time"]
    yield f"{fabric}, a batch", f"{_milliseconds(facts['fabric_seconds_a_batch'])}{beside}"
    if "counted_clocks_a_batch" in facts:
        yield "counted", f"{facts['counted_clocks_a_batch']:,.0f} clocks a batch; the times above are the simulation's"
    yield "host, a batch", f"{_milliseconds(sum(host.values()))} (measured: {stages})"
    if facts["beside_seconds_a_batch"]:
        yield "beside, a batch", f"{_milliseconds(facts['beside_seconds_a_batch'])} (measured: remainder)"
    waiting = _milliseconds(facts["host_waits_seconds_a_batch"])
    includes = "register accesses" if facts["first_exit"] == "fabric" else "the first exit itself"
    yield "host waits, a batch", f"{waiting} (measured, {includes} included)"
    gap, longest = (facts[f"fabric_waits_seconds_{which}"] for which in ("a_batch", "at_most"))
    yield f"{fabric} waits, a batch", f"{_milliseconds(gap)}, at most {_milliseconds(longest)}"
    yield f"{fabric} busy", f"{percent(facts['fabric_busy_share'])} from its first start to its last end"
    if "picture" in facts:
        yield "picture", facts["picture"]


def _beside(modelled: float | None, pace: float) -> str:
    """The modelled time of a batch, to stand beside the simulation's."""
    if modelled is None:
        return ""
    stretched = "" if pace == 1 else f" x {pace:g}"
    return f" (modelled clocks{stretched}: {_milliseconds(modelled)} a batch)"


def _milliseconds(seconds: Any) -> str:
    return f"{1e3 * seconds:.3f} ms"
