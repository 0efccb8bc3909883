"""Under the hood: the accelerator's block design, its registers, and the dataflow's clocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from IPython.display import HTML

from pynq_ee.bench import plots
from pynq_ee.driver import bitfiles
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import spec
from pynq_ee.network.spec import Spec
from pynq_ee.notebook import block_design
from pynq_ee.notebook.block_design import Design
from pynq_ee.notebook.pages import table


def design_of(network: EarlyExitInference) -> Design:
    """The block design of the overlay that a device has, out of its .hwh."""
    return block_design.read(bitfiles.find(network.device).with_suffix(".hwh"))


def registers(network: EarlyExitInference) -> HTML:
    """The accelerator's registers as they are now, read by the processor."""
    import pynq

    board = bitfiles.board_of(network.device)
    mmio = pynq.MMIO(board.kernel_address, spec.KERNEL_RANGE, device=network.device)
    rows = [
        (f"0x{each.offset:02x}", each.name, each.access, f"0x{mmio.read(each.offset):08x}", each.description)
        for each in spec.REGISTERS
    ]
    return table(
        rows,
        ("offset", "register", "access", "value", "what it is"),
        caption=f"from 0x{board.kernel_address:08X} on, read on {network.device.name}",
    )


# The dataflow's clocks -----------------------------------------------------------------------------------------------

#: Clocks that one column of the picture stands for.
_CLOCKS_A_COLUMN = 4


def dataflow(design: Spec, images: int, path: str | Path) -> Path:
    """Draw which process of the kernel works at which clock of a batch, by the cycle model (*modelled*).

    Parameters
    ----------
    design
        The fabric's numbers, ``network.model.spec``.
    images
        Images of the batch; some few, or the picture has no room.
    path
        The picture to write.
    """
    from pynq_ee.sim import dataflow as model

    moves: list[Any] = []
    names = [process.name for process in model.processes(design, images, features=True)]
    result = model.simulate(design, images, features=True, on_clock=lambda moving: moves.append(moving[:, 0].copy()))
    clocks = int(result.clocks[0])
    working = np.zeros((len(names), -(-clocks // _CLOCKS_A_COLUMN) * _CLOCKS_A_COLUMN))
    working[:, clocks - len(moves) : clocks] = np.array(moves).T
    share = working.reshape(len(names), -1, _CLOCKS_A_COLUMN).mean(2)
    with plots.figure(path, size=(8, 2.8)) as axes:
        axes.imshow(
            share, aspect="auto", cmap="Blues", vmin=0, vmax=1, interpolation="nearest",
            extent=(0, working.shape[1], len(names) - 0.5, -0.5),
        )  # fmt: skip
        axes.set_yticks(range(len(names)))
        axes.set_yticklabels(names, fontsize=8)
        axes.set_xlabel("clocks from the start of the batch")
        axes.set_title(
            f"{images} images, {clocks} clocks; dark: a step in every clock (cycle model: modelled, for any device)",
            fontsize=9,
        )
    return Path(path)


def fifos(design: Spec, images: int) -> HTML:
    """How full each FIFO between the processes becomes, by the cycle model (*modelled*), and how deep it is."""
    from pynq_ee.sim import dataflow as model

    most = model.simulate(design, images, features=True).most
    rows = [(name, held, spec.FIFO_NEEDED[name], spec.FIFO_DEPTHS[name]) for name, held in most.items()]
    return table(
        rows,
        ("FIFO", "tokens at most", "depth needed", "depth built"),
        caption=f"{images} images that come and go without a pause, modelled by the cycle model",
    )


def clocks(network: EarlyExitInference, batches: tuple[int, ...] = (1, 4, 16, 64, 256, 1024)) -> HTML:
    """Clocks of a batch by the cycle model beside the rate rule's bound, and what they are in time (*modelled*)."""
    from pynq_ee.sim import dataflow as model

    design, megahertz = network.model.spec, network.accelerator.clock_mhz
    found = [(images, model.batch_clocks(design, images, features=True)) for images in batches]
    rows = [
        (images, needed, spec.batch_clocks(design, images), f"{needed / images:.2f}", f"{needed / megahertz:.2f}")
        for images, needed in found
    ]
    return table(
        rows,
        ("images", "clocks", "rate rule, at most", "clocks an image", f"us at {megahertz:g} MHz"),
        caption="modelled by the cycle model; the rate rule is what deadlines are computed from",
    )
