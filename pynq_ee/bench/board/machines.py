"""The constants of the model: for each machine what its core, its memory and its ports take, with range and source.

What nobody has published is an estimate, and says so. ``pynq-ee bringup`` measures several of them on a board.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pynq_ee.bench.host.instructions import KINDS
from pynq_ee.network import spec
from pynq_ee.network.spec import Board


class Quantity(NamedTuple):
    """What a constant says, its unit, and whether a greater one makes the board faster."""

    meaning: str
    unit: str
    more_is_faster: bool = False


class Range(NamedTuple):
    """A constant: least, usual and greatest value, and where it is from."""

    low: float
    typical: float
    high: float
    source: str


QUANTITIES: dict[str, Quantity] = {
    "clock": Quantity("the core's clock", "MHz", True),
    **{kind: Quantity(f"a vector kernel's instruction, {kind}", "cycles") for kind in KINDS},
    "interpreter": Quantity("an instruction of Python, NumPy and the C library", "cycles"),
    "interpreter instructions": Quantity("such instructions for one that was counted on an ARMv7", "times"),
    "second core": Quantity("speed of a core while the other one works too, for that of one alone", "times", True),
    "copy": Quantity("images copied into the DMA's buffer", "MB/s", True),
    "read": Quantity("results read that the DMA has written to memory", "MB/s", True),
    "clean": Quantity("a cache line cleaned to memory", "ns"),
    "invalidate": Quantity("a cache line invalidated", "ns"),
    "call": Quantity("a system call that maintains the cache, without its lines", "us"),
    "access": Quantity("a register of the fabric read or written", "ns"),
    "wake": Quantity("a sleeping thread woken on the other core, of each core's time", "us"),
    "memory bus": Quantity("the memory's bus", "MB/s", True),
    "memory efficiency": Quantity("of which can be had", "times", True),
    "port efficiency": Quantity("of the port's clocks can be had", "times", True),
}


@dataclass(frozen=True)
class Machine:
    """A machine and its constants.

    Attributes
    ----------
    name
        As tables have it.
    target
        Key of :data:`pynq_ee.bench.host.instructions.TARGETS`, by which its native instructions are counted.
    board
        Whose fabric it has.
    line_bytes
        Of a cache line.
    ranges
        A range for each of ``QUANTITIES``.
    """

    name: str
    target: str
    board: Board
    line_bytes: int
    ranges: dict[str, Range]


_A9 = "ARM DDI 0388 (Cortex-A9 TRM)"
_MPE = "ARM DDI 0409 (Cortex-A9 NEON MPE TRM), chapter 3"
_A53 = "ARM DDI 0500 (Cortex-A53 TRM) has no table; LLVM's model of it"
_ZEN4 = "AMD 57647 (optimization guide, family 19h), Zen 4: six a cycle at most, two vector products, loads or branches"
_ESTIMATE = "estimate"

#: The command that tries the model on an x86 machine.
CHECK = "python -m pynq_ee.bench.board.check"

PYNQ_Z2 = Machine(
    "PYNQ-Z2",
    "armv7",
    spec.BOARDS["pynq-z2"],
    32,
    {
        "clock": Range(650, 650, 650, "the board's manual"),
        "multiply": Range(2, 2, 2.4, f"{_MPE}: two cycles for 128 bits; above, a sum that is waited for"),
        "multiply, long": Range(1, 1.25, 2, f"{_MPE}: one cycle for products of bytes"),
        "vector memory": Range(1, 1.5, 3, f"{_MPE}: one cycle for 128 aligned bits, else two; above, misses of L1"),
        "vector, other": Range(1, 1.2, 2, f"{_MPE}: one cycle, two for some of 128 bits"),
        "memory": Range(0.5, 1, 2, f"{_A9}: one a cycle; below, issued beside a vector's; above, misses"),
        "branch": Range(0.5, 1, 3, f"{_A9}: none or one where predicted, eight or more where not"),
        "other": Range(0.4, 0.6, 1, f"{_A9}: two a cycle at most"),
        "interpreter": Range(1.2, 1.7, 2.5, f"{_ESTIMATE}: two a cycle at most; 32 KB of code in L1"),
        "interpreter instructions": Range(1, 1, 1, "counted on ARMv7"),
        "second core": Range(0.8, 0.92, 1, f"{_ESTIMATE}: one L2 and one memory"),
        "copy": Range(
            200,
            300,
            500,
            "measured by others on Zynq-7000 with a memory of 32 bit: 256 (ZedBoard, bmartini/zynq-xdma#10), 349 (Zybo "
            "Z7, ikwzm/udmabuf#120), 315 to 412 (genodelabs/genode#4456); above, a third of what this memory gives",
        ),
        "read": Range(150, 300, 600, f"{_ESTIMATE}: a line of 32 bytes in 50 to 200 ns"),
        "clean": Range(20, 45, 100, f"{_ESTIMATE}: 32 bytes to memory, 15 to 30 ns, and the L2 controller's register"),
        "invalidate": Range(10, 25, 60, f"{_ESTIMATE}: the L2 controller's register (ARM DDI 0246)"),
        "call": Range(1.5, 3, 8, _ESTIMATE),
        "wake": Range(5, 15, 50, f"{_ESTIMATE}: two system calls and two switches of context"),
        "access": Range(80, 150, 350, f"{_ESTIMATE}: 8 to 35 clocks of the fabric, through a GP port"),
        "memory bus": Range(2100, 2100, 2100, "16 bit at 1050 MT/s, the board's manual"),
        "memory efficiency": Range(
            0.6, 0.75, 0.87, "AMD UG585, DDR Efficiency: 75 % by design, 79 to 87 % measured for reads and writes"
        ),
        "port efficiency": Range(0.75, 0.95, 0.998, "AMD PG021: 99.8 % measured sending, 74.6 % receiving"),
    },
)

KV260 = Machine(
    "KV260",
    "arm64",
    spec.BOARDS["kv260"],
    64,
    {
        "clock": Range(1333, 1333, 1333, "AMD DS987 (Kria K26), processor of speed grade -2LV"),
        "multiply": Range(1, 1.2, 2, f"{_A53}: one a cycle; above, a result that is waited for, in order"),
        "multiply, long": Range(1, 1.2, 2, f"{_A53}: one a cycle; above, a result that is waited for, in order"),
        "vector memory": Range(1, 2, 4, f"{_A53}: 64 bits a cycle; above, a result that is waited for, misses of L1"),
        "vector, other": Range(0.6, 1.3, 2.5, f"{_A53}: one or two a cycle; above, a result that is waited for"),
        "memory": Range(0.6, 1.2, 2.5, f"{_A53}: one a cycle; below, issued beside another; above, misses"),
        "branch": Range(0.6, 1, 2, f"{_A53}: one where predicted, eight or so where not"),
        "other": Range(0.5, 0.7, 1, f"{_A53}: two a cycle at most, in order"),
        "interpreter": Range(1, 1.5, 2.4, f"{_ESTIMATE}: two a cycle at most, in order"),
        "interpreter instructions": Range(
            0.85,
            1,
            1.1,
            f"{_ESTIMATE}: not counted on ARM64; an x86-64 executes 0.71 to 1.05 times as many, as `{CHECK}` counts",
        ),
        "second core": Range(0.85, 0.95, 1, f"{_ESTIMATE}: one L2 and one memory"),
        "copy": Range(
            800,
            1200,
            2500,
            "measured by others: 800 (Zynq UltraScale+, ikwzm/udmabuf#16), 890 to 960 (a Cortex-A53 at 816 MHz, "
            "genodelabs/genode#4658); above, by the clock",
        ),
        "read": Range(700, 1500, 3000, f"{_ESTIMATE}: a line of 64 bytes in 20 to 90 ns"),
        "clean": Range(8, 20, 50, f"{_ESTIMATE}: one instruction for both levels, 64 bytes to memory"),
        "invalidate": Range(5, 12, 35, _ESTIMATE),
        "call": Range(0.8, 1.5, 4, _ESTIMATE),
        "wake": Range(3, 8, 25, f"{_ESTIMATE}: two system calls and two switches of context"),
        "access": Range(60, 120, 300, f"{_ESTIMATE}: 9 to 45 clocks of the fabric, through an HPM port"),
        "memory bus": Range(19200, 19200, 19200, "64 bit at 2400 MT/s, AMD DS987"),
        "memory efficiency": Range(0.6, 0.75, 0.925, "Manev et al., FPT 2019: 75 % on a ZCU102, 92.5 % on an Ultra96"),
        "port efficiency": Range(0.75, 0.95, 0.998, "AMD PG021: 99.8 % measured sending, 74.6 % receiving"),
    },
)

#: What the model is tried on where there is no board: an x86 server, with the kernels for AVX2. None has this fabric.
X86_SERVER = Machine(
    "x86 server",
    "x86-64",
    spec.BOARDS["pynq-z2"],
    64,
    {
        "clock": Range(2400, 3200, 4000, "data sheets of AMD EPYC and Intel Xeon: base and boost"),
        **{
            kind: Range(
                0.17, 0.25, alone, f"{_ZEN4}; above, what instructions of one kind take that overlap no other's"
            )
            for kind, alone in zip(KINDS, (0.5, 0.5, 0.5, 0.5, 0.5, 1.5, 0.5))
        },
        "interpreter": Range(0.2, 0.4, 0.8, f"{_ESTIMATE}: 1.2 to 5 a cycle"),
        "interpreter instructions": Range(1, 1, 1, "counted on x86-64"),
        "second core": Range(0.8, 0.95, 1, _ESTIMATE),
        "copy": Range(4000, 10000, 25000, f"{_ESTIMATE}: from one level of the cache to the next"),
        "read": Range(4000, 10000, 25000, f"{_ESTIMATE}: from one level of the cache to the next"),
        "clean": Range(0, 0, 0, "coherent"),
        "invalidate": Range(0, 0, 0, "coherent"),
        "call": Range(0, 0, 0, "coherent"),
        "wake": Range(1, 5, 50, f"{_ESTIMATE}: two system calls and two switches of context"),
        "access": Range(0, 0, 0, "memory, in the interpreter's instructions"),
        "memory bus": Range(20000, 20000, 20000, "one channel of DDR4 or more"),
        "memory efficiency": Range(0.6, 0.75, 0.9, _ESTIMATE),
        "port efficiency": Range(1, 1, 1, "none"),
    },
)

BOARDS = (PYNQ_Z2, KV260)
