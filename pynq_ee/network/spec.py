"""The one source of truth: layer shapes, bit widths, stream words, registers, addresses, boards.

Whatever a second language or a second file needs stands here and is read or generated from here: the C++ and Tcl
constants in ``hw/generated/`` are written from this module and compared with it by a test. This module imports
nothing but the standard library.

One object, :class:`Spec`, holds the few numbers that a hardware developer may choose (pixels a beat, channels of the
branch, weight widths). Everything else is derived from them, so a derived number cannot disagree.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

# ---------------------------------------------------------------------------------------------------------------------
# The task
# ---------------------------------------------------------------------------------------------------------------------

CLASSES = 10
IMAGE_SIDE = 28
IMAGE_PIXELS = IMAGE_SIDE * IMAGE_SIDE
PIXEL_BITS = 8

# ---------------------------------------------------------------------------------------------------------------------
# The first exit, in the fabric
# ---------------------------------------------------------------------------------------------------------------------

ACTIVATION_BITS = 4
ACTIVATION_MAX = (1 << ACTIVATION_BITS) - 1
LOGIT_BITS = 16
LOGIT_MIN = -(1 << (LOGIT_BITS - 1))
LOGIT_MAX = (1 << (LOGIT_BITS - 1)) - 1
POOL = 2

#: Pixels are convolved in groups of four: the largest group that no image row straddles (28 = 7 * 4) for both
#: supported stream widths, so that image borders fall between groups and never inside one.
GROUP_PIXELS = 4

#: Pooled positions of the trunk in one token of the stream between trunk and branch: what one group of each of two
#: image rows gives.
TOKEN_POSITIONS = GROUP_PIXELS // POOL


@dataclass(frozen=True)
class FabricLayer:
    """Shape and ranges of one integer layer of the first exit.

    A convolution has ``kernel > 1`` and is followed by a 2x2 max-pool and a ReLU; the fully connected layer has
    ``kernel = 1``, ``side = 1``.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    padding: int
    side: int
    input_max: int
    weight_bits: int

    @property
    def weight_max(self) -> int:
        """Largest magnitude of a weight: 1 for 2 bits (ternary), 7 for 4 bits (symmetric, -8 is not used)."""
        return (1 << (self.weight_bits - 1)) - 1

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights, output channel first: (out, in, kernel, kernel), or (out, in) if fully connected."""
        if self.kernel == 1:
            return (self.out_channels, self.in_channels)
        return (self.out_channels, self.in_channels, self.kernel, self.kernel)

    @property
    def taps(self) -> int:
        """Products that one output sums."""
        return self.in_channels * self.kernel * self.kernel


@dataclass(frozen=True)
class Spec:
    """The numbers of the fabric that a hardware developer may choose, and all that follows from them.

    Parameters
    ----------
    pixels_per_beat
        Pixels in one beat of the image stream: 4 (a 32-bit stream) or 8 (a 64-bit stream).
    branch_channels
        Output channels of the branch's convolution. A pooled position of the branch must fit one 64-bit word:
        at most 16.
    trunk_weight_bits, branch_weight_bits, classifier_weight_bits
        Width of the weights of the trunk's convolution, the branch's convolution and the branch's fully connected
        layer: 2 (ternary) or 4 (-7 to 7).

    Raises
    ------
    ValueError
        A number outside its range; the message names the value and the range.
    """

    pixels_per_beat: int = 8
    branch_channels: int = 16
    trunk_weight_bits: int = 4
    branch_weight_bits: int = 2
    classifier_weight_bits: int = 4

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is not int:  # True and 4.0 would pass the checks below, and make another build_id
                raise ValueError(f"{name} is {value!r}; it must be a whole number")
        if self.pixels_per_beat not in (4, 8):
            raise ValueError(f"pixels_per_beat is {self.pixels_per_beat}; it must be 4 or 8")
        if not 1 <= self.branch_channels <= 16:
            raise ValueError(f"branch_channels is {self.branch_channels}; it must be 1 to 16")
        for name in ("trunk_weight_bits", "branch_weight_bits", "classifier_weight_bits"):
            if getattr(self, name) not in (2, 4):
                raise ValueError(f"{name} is {getattr(self, name)} bit; it must be 2 (ternary) or 4")

    # Layers -----------------------------------------------------------------------------------------------------

    @property
    def trunk(self) -> FabricLayer:
        """Convolution 5x5, 1 -> 6, padding 2, on the image; max-pool 2; ReLU; unsigned 4-bit."""
        return FabricLayer("trunk", 1, 6, 5, 2, IMAGE_SIDE, (1 << PIXEL_BITS) - 1, self.trunk_weight_bits)

    @property
    def branch(self) -> FabricLayer:
        """Convolution 3x3, 6 -> C, padding 1, on the trunk's features; max-pool 2; ReLU; unsigned 4-bit."""
        side = self.trunk.side // POOL
        channels = self.trunk.out_channels
        return FabricLayer(
            "branch", channels, self.branch_channels, 3, 1, side, ACTIVATION_MAX, self.branch_weight_bits
        )

    @property
    def classifier(self) -> FabricLayer:
        """Fully connected 49 C -> 10, on the branch's output in position-major order; signed 16-bit logits."""
        side = self.branch.side // POOL
        inputs = self.branch_channels * side * side
        return FabricLayer("classifier", inputs, CLASSES, 1, 0, 1, ACTIVATION_MAX, self.classifier_weight_bits)

    @property
    def layers(self) -> tuple[FabricLayer, FabricLayer, FabricLayer]:
        """The three layers of the first exit, in order."""
        return (self.trunk, self.branch, self.classifier)

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """Shape of the trunk's features of one image: (channels, rows, columns)."""
        return (self.trunk.out_channels, self.branch.side, self.branch.side)

    # Streams ----------------------------------------------------------------------------------------------------

    @property
    def beat_bytes(self) -> int:
        """Bytes of one beat, of both streams."""
        return self.pixels_per_beat * PIXEL_BITS // 8

    @property
    def beat_bits(self) -> int:
        """Bits of one beat, of both streams."""
        return self.beat_bytes * 8

    @cached_property
    def image_beats(self) -> int:  # asked for with every batch
        """Beats of one image: 196 of 32 bit or 98 of 64 bit."""
        return IMAGE_PIXELS // self.pixels_per_beat

    @cached_property
    def feature_bytes(self) -> int:  # asked for with every batch
        """Bytes of the packed features of one image (588), without the padding to a whole beat."""
        channels, rows, columns = self.feature_shape
        return channels * rows * columns * ACTIVATION_BITS // 8

    @property
    def feature_beats(self) -> int:
        """Beats of the packed features of one image, the last one padded with zeros."""
        return -(-self.feature_bytes // self.beat_bytes)

    @property
    def result_beats(self) -> int:
        """Beats of the result record of one image."""
        return RESULT_BYTES // self.beat_bytes

    @cached_property
    def feature_block_bytes(self) -> int:  # asked for with every batch
        """Bytes of the features of one image in the result stream: whole beats (588 of 32 bit, 592 of 64 bit)."""
        return self.feature_beats * self.beat_bytes

    def output_beats(self, features: bool) -> int:
        """Beats that one image gives back: its result record, and its features behind it if they follow."""
        return self.result_beats + (self.feature_beats if features else 0)

    def output_bytes(self, features: bool) -> int:
        """Bytes that one image gives back: its result record, and its features behind it if they follow."""
        return self.output_beats(features) * self.beat_bytes

    # Dataflow ---------------------------------------------------------------------------------------------------

    @property
    def trunk_tokens(self) -> int:
        """Tokens of one image between trunk and branch: two horizontally adjacent pooled positions each."""
        return self.branch.side * self.branch.side // TOKEN_POSITIONS

    @property
    def branch_tokens(self) -> int:
        """Tokens of one image between branch and classifier: one pooled position each."""
        return (self.branch.side // POOL) ** 2

    @property
    def branch_interval(self) -> int:
        """Clocks that the branch spends on a token, so that an image takes it ``image_beats`` clocks."""
        return self.image_beats // self.trunk_tokens

    @property
    def classifier_interval(self) -> int:
        """Clocks that the classifier spends on a token, so that an image takes it ``image_beats`` clocks."""
        return self.image_beats // self.branch_tokens

    def canonical(self, interface_version: int | None = None) -> dict[str, int]:
        """Every number that changes the circuit, for the digest of a build and for the generated files.

        ``interface_version`` is that of an earlier interface, by which a model file written then is known.
        """
        return {
            **asdict(self),
            "interface_version": INTERFACE_VERSION if interface_version is None else interface_version,
            "activation_bits": ACTIVATION_BITS,
            "logit_bits": LOGIT_BITS,
        }


#: The spec that is built, shipped and simulated unless another is asked for.
DEFAULT = Spec()

#: The result record of one image, little-endian: ten int16 logits, uint16 sequence number, uint16 flags.
RESULT_BYTES = CLASSES * LOGIT_BITS // 8 + 2 + 2

#: The sequence number counts the images of a batch and wraps here.
SEQUENCE_MODULUS = 1 << 16

#: Bits of the flags in a result record.
RESULT_TRUNCATED = 1 << 0
"""The image was cut short by an early TLAST; the missing pixels were taken as zeros."""
RESULT_FEATURES = 1 << 1
"""The image's features follow its record."""

#: The register ``feature_margin`` with which no image's features follow its record. They follow, where ``mode`` asks
#: for features, if the largest of its logits less the second largest is below the register.
FEATURES_NEVER = 0
#: That with which every image's features follow, also where the difference itself is as large as this.
FEATURES_ALWAYS = (1 << LOGIT_BITS) - 1

#: The polynomial of the checksums, bits reversed: CRC-32 as zlib computes it (IEEE 802.3), starting from and ending in
#: all bits flipped, each byte from its lowest bit on.
CRC_POLYNOMIAL = 0xEDB88320
CRC_BITS = 32


def crc_columns(bits: int) -> list[int]:
    """What each bit of a beat brings into the next state of a checksum: to take in a beat is linear.

    Parameters
    ----------
    bits
        Of a beat: 32 or more. Its lowest byte comes first.

    Returns
    -------
    For each bit of the beat a word of ``CRC_BITS``. The next state is the sum without carry, over the bits that are
    set in the sum without carry of the beat and the state, of these words.
    """
    columns = []
    for bit in range(bits):
        state = 1 << bit
        for _ in range(bits):  # what lies above the state moves down into it
            state = state >> 1 ^ (CRC_POLYNOMIAL if state & 1 else 0)
        columns.append(state)
    return columns


# ---------------------------------------------------------------------------------------------------------------------
# Registers (AXI4-Lite, ap_ctrl_hs as Vitis HLS lays them out)
# ---------------------------------------------------------------------------------------------------------------------

MAGIC = int.from_bytes(b"PYEE", "little")
INTERFACE_VERSION = 2

Access = Literal["read-write", "read-only"]


@dataclass(frozen=True)
class Register:
    """One register of the accelerator: a word, of which the lowest ``bits`` are kept and the others read zero."""

    name: str
    offset: int
    access: Access
    description: str
    bits: int = 32


#: Vitis HLS fixes the first four. A read-only value ``x`` at ``offset`` has its ``x_ap_vld`` bit at ``offset + 4``. The
#: identity has been at these offsets in every version, so that a driver can tell which version it has met.
REGISTERS: tuple[Register, ...] = (
    Register("CTRL", 0x00, "read-write", "ap_start 0, ap_done 1 (clear on read), ap_idle 2, ap_ready 3"),
    Register("GIER", 0x04, "read-write", "global interrupt enable"),
    Register("IP_IER", 0x08, "read-write", "interrupt enable: ap_done 0, ap_ready 1"),
    Register("IP_ISR", 0x0C, "read-write", "interrupt status: ap_done 0, ap_ready 1 (toggle on write)"),
    Register("num_images", 0x10, "read-write", "images of the next batch; 0 only publishes the identity"),
    Register("mode", 0x18, "read-write", "bit 0: return the trunk's features behind the result records"),
    Register("magic", 0x20, "read-only", "0x45455950, the letters PYEE"),
    Register("version", 0x30, "read-only", "interface version"),
    Register("build_id", 0x40, "read-only", "digest of the spec and of the weights"),
    Register("images_done", 0x50, "read-only", "whole images received in the last batch"),
    Register("error_flags", 0x60, "read-only", "bit 0: early TLAST, bit 1: late or missing TLAST"),
    Register(
        "feature_margin",
        0x70,
        "read-write",
        "return an image's features if its two largest logits differ by less; 0: never, 65535: always",
        LOGIT_BITS,
    ),
    Register("images_crc", 0x80, "read-only", "CRC-32 of all beats that the last batch's run took"),
    Register("results_crc", 0x90, "read-only", "CRC-32 of all beats that the last batch's run gave"),
)
REGISTER_OFFSET: dict[str, int] = {register.name: register.offset for register in REGISTERS}
REGISTER_ADDRESS_BITS = 8

CTRL_START = 1 << 0
CTRL_DONE = 1 << 1
CTRL_IDLE = 1 << 2
CTRL_READY = 1 << 3

MODE_FEATURES = 1 << 0

ERROR_SHORT_BATCH = 1 << 0
"""TLAST came before the last beat of the last image; the rest of the batch was computed from zeros."""
ERROR_LONG_BATCH = 1 << 1
"""The last beat of the last image had no TLAST; the surplus beats were dropped up to the next TLAST."""

# ---------------------------------------------------------------------------------------------------------------------
# The processes of the kernel and the FIFOs between them (modelled by pynq_ee/sim/dataflow.py)
# ---------------------------------------------------------------------------------------------------------------------

#: Clocks that a process may take from reading a token to writing what it makes of it: the depth of its pipeline. These
#: are bounds that the FIFOs are sized for; the synthesizer's report must not exceed them.
PIPELINE_DEPTHS: dict[str, int] = {
    "unframe": 4,
    "trunk": 24,
    "branch": 24,
    "classifier": 20,
    "pack_features": 8,
    "merge": 4,
    "frame": 4,
}

#: Clocks from ``ap_start`` until every process runs; a bound as well.
START_CLOCKS = 16

#: The shallowest FIFOs that together hold the rate of one beat a clock, at both stream widths and in both modes: with
#: any one of them a token shallower, clocks are lost or the kernel hangs. A FIFO of one token cannot be read and
#: written in the same clock, hence 2. ``tokens``, ``feature_tokens`` and ``pooled`` take a row of seven tokens that
#: comes twice as fast as it is read. ``features`` holds an image's until its record has left the classifier, and what
#: comes of the next image meanwhile, up to 204 beats of 32 bit. ``flags`` holds those of the images in the kernel;
#: below 3 it stops the very input that it waits for.
FIFO_NEEDED: dict[str, int] = {
    "words": 2,
    "tokens": 4,
    "feature_tokens": 4,
    "pooled": 4,
    "features": 204,
    "records": 2,
    "merged": 2,
    "flags": 4,
}

#: Tokens that each FIFO holds: at least half as many again. A look-up table is a shift register of 16 bits or of 32, so
#: the short ones would save nothing; nor would ``features``, since one block RAM has 512 words of up to 72 bits.
FIFO_DEPTHS: dict[str, int] = {name: 512 if name == "features" else 16 for name in FIFO_NEEDED}

# ---------------------------------------------------------------------------------------------------------------------
# The design around the kernel
# ---------------------------------------------------------------------------------------------------------------------

OVERLAY_NAME = "first_exit"
KERNEL_NAME = "first_exit"
KERNEL_VENDOR = "pynq_ee"
KERNEL_VERSION = f"{INTERFACE_VERSION}.0"
DMA_NAME = "axi_dma"
DMA_LENGTH_BITS = 26
INTERRUPT_NAME = "interrupt_controller"
DMA_RANGE = 0x10000
KERNEL_RANGE = 0x10000
INTERRUPT_RANGE = 0x10000

#: The kernel, by what it is made of: the C++ of ``hw/hls`` by an HLS tool, or the SystemVerilog of ``hw/rtl``. They
#: have the same ports, registers and ``build_id``.
KERNEL_VLNVS: dict[str, str] = {
    library: f"{KERNEL_VENDOR}:{library}:{KERNEL_NAME}:{KERNEL_VERSION}" for library in ("hls", "rtl")
}
KERNEL_VLNV = KERNEL_VLNVS["hls"]
#: The DMA, by whose it is: Xilinx' in a block design of Vivado, or that of ``hw/rtl``, with the same registers.
DMA_VLNVS: dict[str, str] = {
    "vivado": f"xilinx.com:ip:{DMA_NAME}:7.1",
    "rtl": f"{KERNEL_VENDOR}:rtl:{DMA_NAME}:1.0",
}
DMA_VLNV = DMA_VLNVS["vivado"]
#: The cells of the overlay of ``hw/rtl``, by their names in its description. pynq follows interrupts through cells
#: whose third part here is ``axi_intc`` or ``xlconcat``, whosever they are. Its drivers it chooses by the whole; that
#: for the DMA is in :mod:`pynq_ee.driver.pynq_drivers`.
RTL_VLNVS: dict[str, str] = {
    DMA_NAME: DMA_VLNVS["rtl"],
    KERNEL_NAME: KERNEL_VLNVS["rtl"],
    INTERRUPT_NAME: f"{KERNEL_VENDOR}:rtl:axi_intc:1.0",
    "interrupt_concat": f"{KERNEL_VENDOR}:rtl:xlconcat:1.0",
    "control_interconnect": f"{KERNEL_VENDOR}:rtl:axi3_lite_bridge:1.0",
    "memory_interconnect": f"{KERNEL_VENDOR}:rtl:axi_join:1.0",
}


@dataclass(frozen=True)
class Board:
    """A board that the overlay is built for.

    ``kernel_address``, ``dma_address`` and ``interrupt_address`` are where the processor sees the accelerator's
    registers, the DMA's and the interrupt controller's.
    """

    name: str
    part: str
    processor: Literal["zynq7", "zynqmp"]
    clock_mhz: int
    kernel_address: int
    dma_address: int
    interrupt_address: int


#: Bytes of memory, from address 0 on, that the DMA sees, by processor: what its boards have below 4 GB, where Linux
#: places contiguous memory.
DMA_MEMORY_RANGES: dict[str, int] = {"zynq7": 0x2000_0000, "zynqmp": 0x8000_0000}

#: Clocks are ones that the processors' PLLs give exactly: 1000 MHz / 10 and 1500 MHz / 10.
BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        Board("pynq-z2", "xc7z020clg400-1", "zynq7", 100, 0x43C00000, 0x40400000, 0x41800000),
        Board("pynq-z1", "xc7z020clg400-1", "zynq7", 100, 0x43C00000, 0x40400000, 0x41800000),
        Board("zcu104", "xczu7ev-ffvc1156-2-e", "zynqmp", 150, 0xA0020000, 0xA0000000, 0xA0010000),
        Board("kv260", "xck26-sfvc784-2LV-c", "zynqmp", 150, 0xA0020000, 0xA0000000, 0xA0010000),
    )
}
DEFAULT_BOARD = BOARDS["pynq-z2"]

#: The rate rule: a batch of N images takes at most ``image_beats * N + FILL_CLOCKS`` clocks of the fabric.
FILL_CLOCKS = 400


def batch_clocks(spec: Spec, images: int) -> int:
    """Clocks of the fabric that a batch of ``images`` may take by the rate rule (*modelled*)."""
    return spec.image_beats * images + FILL_CLOCKS


# ---------------------------------------------------------------------------------------------------------------------
# The remainder, in software
# ---------------------------------------------------------------------------------------------------------------------


REMAINDER_ACTIVATION_BITS = 7
REMAINDER_ACTIVATION_MAX = (1 << REMAINDER_ACTIVATION_BITS) - 1
REMAINDER_WEIGHT_MAX = 127


@dataclass(frozen=True)
class RemainderLayer:
    """Shape and ranges of one integer layer of the remainder.

    ``kernel > 0`` is a convolution without padding, followed by a 2x2 max-pool and a ReLU; ``kernel = 0`` is a fully
    connected layer, followed by a ReLU where ``relu`` says so, else its outputs are logits.
    """

    name: str
    inputs: int
    outputs: int
    kernel: int = 0
    relu: bool = True

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights: (out, in, kernel, kernel) or (out, in)."""
        if self.kernel:
            return (self.outputs, self.inputs, self.kernel, self.kernel)
        return (self.outputs, self.inputs)

    @property
    def input_max(self) -> int:
        """Largest input: a feature's for the convolution, an activation's for the others."""
        return ACTIVATION_MAX if self.kernel else REMAINDER_ACTIVATION_MAX


REMAINDER_LAYERS: dict[str, RemainderLayer] = {
    layer.name: layer
    for layer in (
        RemainderLayer("conv", 6, 16, kernel=5),
        RemainderLayer("exit2", 400, CLASSES, relu=False),
        RemainderLayer("fc1", 400, 120),
        RemainderLayer("fc2", 120, 84),
        RemainderLayer("fc3", 84, CLASSES, relu=False),
    )
}


@dataclass(frozen=True)
class Stage:
    """The software between two exits: ``body`` makes the hidden state, ``head`` makes this exit's logits from it.

    The next stage starts from the hidden state, so what one exit computed is not computed again.
    """

    body: tuple[str, ...]
    head: tuple[str, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers of this stage, in the order in which they run."""
        return self.body + self.head


#: The networks: for each, the software stages behind the first exit. A network has ``1 + len(stages)`` exits.
NETWORKS: dict[str, tuple[Stage, ...]] = {
    "lenet5-2exit": (Stage(("conv",), ("fc1", "fc2", "fc3")),),
    "lenet5-3exit": (Stage(("conv",), ("exit2",)), Stage((), ("fc1", "fc2", "fc3"))),
}
DEFAULT_NETWORK = "lenet5-2exit"


def network_exits(network: str) -> int:
    """Number of exits of a network, the first one in the fabric included."""
    return 1 + len(NETWORKS[network])
