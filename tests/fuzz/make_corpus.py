"""Writes the constructed files of the corpus: each has one purpose, which its name tells, and what becomes of it.

  PYTHONPATH=tests python -m fuzz.make_corpus

``accepted-*`` must be read, ``refused-*`` must be refused. The corpus also holds ``found-*``, files on which a target
once failed: they cannot be made again, and are left alone.
"""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tempfile
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fuzz.targets import CORPUS
from pynq_ee.generate import hwh
from pynq_ee.network import spec, weights
from pynq_ee.network.weights import LayerWeights, Model
from pynq_ee.sim import bitfile, recorded_designs

Files = Iterator[tuple[str, bytes]]


# Model file ----------------------------------------------------------------------------------------------------------


def small_model() -> bytes:
    """A legal model of zeros, which pack well."""
    fabric = {
        layer.name: LayerWeights(
            np.zeros(layer.weight_shape, np.int8),
            np.zeros(layer.out_channels, np.int32),
            np.zeros(layer.out_channels, np.uint8),
        )
        for layer in spec.DEFAULT.layers
    }
    remainder = {
        name: LayerWeights(np.zeros(shape, np.int8), np.zeros(shape[0], np.int32), np.zeros(shape[0], np.uint8))
        for name in weights.remainder_layers("lenet5-3exit")
        for shape in [spec.REMAINDER_LAYERS[name].weight_shape]
    }
    model = Model("lenet5-3exit", spec.DEFAULT, fabric, -3, (-6, -8, -8), remainder, (0.5, 0.5))
    with tempfile.TemporaryDirectory() as folder:
        return weights.save(model, Path(folder) / "m.npz").read_bytes()


def members_of(content: bytes) -> dict[str, bytes]:
    """Name and content of each member of an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, *more: tuple[str, bytes]) -> bytes:
    """An archive of these members, and then of those that a dictionary could not hold."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, member in (*members.items(), *more):
            archive.writestr(zipfile.ZipInfo(name), member, method)
    return content.getvalue()


def npy(array: Any, shape: tuple[int, ...] | None = None) -> bytes:
    """An array as a member; with ``shape``, one that claims to have that shape."""
    content = io.BytesIO()
    if shape is None:
        np.save(content, array, allow_pickle=True)
    else:
        np.lib.format.write_array_header_1_0(
            content, {"descr": array.dtype.str, "fortran_order": False, "shape": shape}
        )
        content.write(array.tobytes())
    return content.getvalue()


def described(text: bytes) -> bytes:
    """A member whose description is this text."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


class Payload:
    """What would be called when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("executed",)


def model_files() -> Files:
    """Model files."""
    content = small_model()
    members = members_of(content)
    bias, fc1 = "exit2.bias.npy", "fc1.weight.npy"
    header = json.loads(str(np.load(io.BytesIO(members["header.npy"]))))

    def changed(**values: Any) -> bytes:
        return archive_of(members | {"header.npy": npy(np.array(json.dumps({**header, **values})))})

    yield "accepted-three-exits", content
    old = {name: value for name, value in header.items() if name != "digest"}
    yield (
        "accepted-of-an-earlier-version-without-digest",
        archive_of(members | {"header.npy": npy(np.array(json.dumps(old)))}),
    )
    yield "refused-empty", b""
    yield "refused-truncated-in-its-directory", content[:-40]
    yield "refused-truncated-in-a-member", content[: len(content) // 3]
    yield "refused-wrong-type", archive_of(members | {bias: npy(np.zeros(10))})
    yield "refused-floats-for-integers", archive_of(members | {bias: npy(np.full(10, np.nan, np.float32))})
    yield "refused-object-array-to-unpickle", archive_of(members | {bias: npy(np.array([Payload()], object))})
    yield "refused-pickle-in-place-of-a-member", archive_of(members | {bias: pickle.dumps(Payload())})
    yield "refused-pickle-in-place-of-the-file", pickle.dumps(Payload())
    yield "refused-claims-a-petabyte", archive_of(members | {fc1: npy(np.zeros(1, np.float32), (1 << 48,))})
    yield (
        "refused-claims-more-than-an-index-holds",
        archive_of(members | {fc1: npy(np.zeros(1, np.float32), (1 << 62, 1 << 62))}),
    )
    yield (
        "refused-header-claims-a-gigabyte",
        archive_of(
            members | {"header.npy": described(b"{'descr': '<U268435456', 'fortran_order': False, 'shape': (), }")}
        ),
    )
    yield "refused-bomb-behind-an-array", archive_of(members | {bias: members[bias] + bytes(20 << 20)})
    yield "refused-bomb-in-the-header", archive_of(members | {"header.npy": members["header.npy"] + bytes(20 << 20)})
    yield "refused-description-of-nested-brackets", archive_of(members | {bias: described(b"[" * 60_000)})
    yield "refused-description-of-many-signs", archive_of(members | {bias: described(b"-" * 60_000 + b"1")})
    yield "refused-json-of-nested-brackets", archive_of(members | {"header.npy": npy(np.array("[" * 100_000))})
    yield "refused-json-of-a-long-number", archive_of(members | {"header.npy": npy(np.array("9" * 200_000))})
    yield "refused-two-members-of-one-name", archive_of(members, zipfile.ZIP_DEFLATED, (bias, members[bias]))
    yield (
        "refused-member-with-and-without-its-suffix",
        archive_of(members, zipfile.ZIP_DEFLATED, ("exit2.bias", members[bias])),
    )
    yield "refused-path-out-of-the-archive", archive_of(members | {"../../etc/cron.d/x.npy": members[bias]})
    yield "refused-absolute-path", archive_of(members | {"/etc/passwd.npy": members[bias]})
    yield "refused-packed-by-lzma", archive_of(members, zipfile.ZIP_LZMA)
    yield "refused-packed-by-bzip2", archive_of(members, zipfile.ZIP_BZIP2)
    yield "refused-other-format", changed(format=3)
    yield "refused-format-1-of-floats", changed(format=1)
    yield "refused-other-spec", changed(spec={"branch_channels": 1 << 40})
    yield "refused-other-build-id", changed(build_id="00000000")
    yield "refused-other-digest", changed(digest="0" * 64)
    yield (
        "refused-other-thresholds-under-a-right-checksum",
        archive_of(members | {"thresholds.npy": npy(np.array([0.5, 0.25]))}),
    )


# Overlay -------------------------------------------------------------------------------------------------------------


#: Parameters that anything here reads.
PARAMETERS = {
    *("c_include_sg", "c_micro_dma", "c_include_mm2s", "c_include_s2mm", "c_sg_length_width"),
    *("c_addr_width", "c_m_axis_mm2s_tdata_width", "c_m_axi_mm2s_data_width", "NUM_PORTS"),
}


def smallest_description() -> bytes:
    """The description of the PYNQ-Z2's design without what nothing here reads."""
    design = recorded_designs.load("pynq-z2", spec.DEFAULT.beat_bits)
    with tempfile.TemporaryDirectory() as folder:
        root = ElementTree.parse(hwh.write(design, Path(folder) / "d.hwh")).getroot()
    for module in root.iter("MODULE"):
        for name in ("ADDRESSBLOCKS", "BUSINTERFACES"):
            module.remove(module.find(name))
        for parameters in module.iter("PARAMETERS"):
            for parameter in [*parameters]:
                if parameter.get("NAME") not in PARAMETERS:
                    parameters.remove(parameter)
        for ports in module.iter("PORTS"):
            for port in [*ports]:
                if port.get("SIGIS") == "clk":
                    ports.remove(port)
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)


def descriptions() -> Files:
    """Hardware descriptions."""
    content = smallest_description()
    yield "accepted-pynq-z2", content
    start = content.index(b"<EDKSYSTEM")
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    yield (
        "refused-entities-that-grow",
        (f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "ha">{laughs}]><l>&a9;</l>'.encode()),
    )
    yield (
        "refused-entity-of-another-file",
        content[:start] + (b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + content[start:]),
    )
    yield (
        "refused-entity-in-an-attribute",
        content[:start]
        + b'<!DOCTYPE l [<!ENTITY x "'
        + b"y" * 5000
        + b'">]>'
        + (content[start:].replace(b'EDWVERSION="1.2"', b'EDWVERSION="' + b"&x;" * 500 + b'"')),
    )
    yield "refused-truncated", content[: len(content) // 2]
    yield "refused-empty", b""
    yield "refused-nested-deep", b"<a>" * 3000 + b"</a>" * 3000
    yield "refused-another-root", b"<a/>"
    yield "refused-unknown-encoding", b'<?xml version="1.0" encoding="x-no-such"?><a/>'
    yield "refused-not-of-its-encoding", b'<?xml version="1.0" encoding="utf-8"?><a b="\xff\xfe"/>'
    yield "refused-no-dma", content.replace(b"axi_dma:7.1", b"axi_dma:7.0")
    yield (
        "refused-dma-of-a-long-number",
        content.replace(
            b'NAME="c_sg_length_width" VALUE="26"', b'NAME="c_sg_length_width" VALUE="' + b"9" * 5000 + b'"'
        ),
    )
    yield (
        "refused-dma-of-no-number",
        content.replace(b'NAME="c_sg_length_width" VALUE="26"', b'NAME="c_sg_length_width" VALUE="-26"'),
    )


def simulated_descriptions() -> Files:
    """Hardware descriptions to program the simulated fabric by: what else they hold is of importance there."""
    files = dict(descriptions())
    content = files["accepted-pynq-z2"]
    yield from ((name, files[name]) for name in ("accepted-pynq-z2", "refused-entities-that-grow", "refused-truncated"))
    yield (
        "refused-concatenation-of-a-billion-inputs",
        content.replace(b'NAME="NUM_PORTS" VALUE="3"', b'NAME="NUM_PORTS" VALUE="1000000000"'),
    )
    yield "refused-address-that-is-no-number", content.replace(b'BASEVALUE="0x4', b'BASEVALUE="twelve')
    yield "refused-address-of-many-digits", content.replace(b'BASEVALUE="0x4', b'BASEVALUE="0x4' + b"0" * 5000)
    yield (
        "refused-dma-of-no-width",
        content.replace(b'NAME="c_m_axi_mm2s_data_width" VALUE="', b'NAME="c_m_axi_mm2s_data_width" VALUE="-'),
    )
    yield (
        "refused-interrupt-from-nowhere",
        content.replace(b'CONNECTION INSTANCE="interrupt_concat"', b'CONNECTION INSTANCE="nowhere"'),
    )


def manifests() -> Files:
    """What a build wrote of itself; a damaged one counts as none."""
    right = {"build_id": "0xa3a4ab5b", "clock_mhz": 100.0, "part": "xc7z020clg400-1"}
    yield "accepted-pynq-z2", json.dumps(right).encode()
    yield "refused-empty", b""
    yield "refused-a-list", b"[]"
    yield "refused-nested-deep", b"[" * 20_000
    yield "refused-long-number", json.dumps({**right, "clock_mhz": 10**400}).encode()
    yield "refused-infinite-clock", json.dumps({**right, "clock_mhz": 1e999}).encode()
    yield "refused-clock-that-is-no-number", json.dumps({**right, "clock_mhz": float("nan")}).encode()
    other = {"first_exit.bit": "00", "first_exit.hwh": 7}
    yield "refused-of-other-files", json.dumps({**right, "sha256": other}).encode()
    yield "refused-build-id-that-is-no-text", json.dumps({**right, "build_id": 7}).encode()
    yield "refused-not-utf-8", b'{"build_id": "\xff"}'


#: Date and time of a bitstream, so that the corpus is made the same again.
TIMELESS = b"c\0\x0b2026/01/01\0d\0\x0900:00:00\0"


def bitstreams() -> Files:
    """Headers of bitstreams."""
    with tempfile.TemporaryDirectory() as folder:
        content = bitfile.write(Path(folder) / "b.bit", "first_exit", "xc7z020clg400-1", b"0123").read_bytes()
    content = content.replace(content[content.index(b"c\0\x0b") : content.index(b"e\0\0\0\x04")], TIMELESS)
    at = content.index(b"b\0\x0c7z020")
    yield "accepted-pynq-z2", content
    yield "refused-empty", b""
    yield "refused-truncated", content[: len(content) // 2]
    yield "refused-data-cut-short", content[:-1]
    yield "refused-no-part", content[:at] + b"c" + content[at + 1 :]
    yield "refused-field-of-negative-length", content[: at + 1] + b"\xff\xfd" + content[at + 3 :]
    yield "refused-unknown-field", content[:at] + b"z" + content[at + 1 :]
    yield "refused-first-field-of-negative-length", b"\xff\xff" + content[2:]
    yield "refused-part-that-is-not-ascii", content.replace(b"7z020", b"\xff\xff020")


# Picture -------------------------------------------------------------------------------------------------------------

GRADIENT = (np.arange(28)[:, None] * 9 + np.arange(28)[None]).astype(np.uint8)


def picture(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture as a file."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def png(width: int, height: int, *, depth: int = 8, colour: int = 0, data: bytes = b"", **chunks: bytes) -> bytes:
    """A PNG with any claim in its header."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
            *(chunk(name.encode(), content) for name, content in chunks.items()),
            chunk(b"IDAT", zlib.compress(data, 9)),
            chunk(b"IEND", b""),
        )
    )


def pictures() -> Files:
    """Pictures."""
    grey = Image.fromarray(GRADIENT)
    for kind, mode in (("PNG", "L"), ("JPEG", "RGB"), ("GIF", "P"), ("BMP", "RGB"), ("PPM", "L"), ("TIFF", "L")):
        yield f"accepted-{kind.lower()}", picture(grey.convert(mode), kind)
    yield "accepted-webp", picture(grey.convert("RGB"), "WEBP", lossless=True)
    yield "accepted-png-16-bit", picture(Image.fromarray(GRADIENT.astype(np.uint16) * 257), "PNG")
    yield "accepted-tiff-float", picture(Image.fromarray(GRADIENT.astype(np.float32)), "TIFF")
    yield "accepted-tiff-deflate", picture(grey, "TIFF", compression="tiff_deflate")
    yield "accepted-jpeg-cmyk", picture(grey.convert("CMYK"), "JPEG")
    yield "accepted-jpeg-progressive", picture(grey, "JPEG", progressive=True)
    yield "accepted-png-alpha", picture(Image.merge("LA", (grey, grey)), "PNG")
    palette = grey.quantize(16)
    yield "accepted-png-palette-with-transparency", picture(palette, "PNG", transparency=3)
    turned = Image.Exif()
    turned[0x0112] = 6
    yield "accepted-png-turned-by-exif", picture(grey, "PNG", exif=turned)
    yield "accepted-jpeg-turned-by-exif", picture(grey, "JPEG", exif=turned)
    frames = [Image.fromarray(np.roll(GRADIENT, n, 1)) for n in range(3)]
    yield "accepted-gif-animated", picture(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield "accepted-png-of-one-pixel", picture(Image.new("L", (1, 1), 255), "PNG")
    yield "refused-empty", b""
    yield "refused-png-truncated", picture(grey, "PNG")[:60]
    yield "refused-png-of-no-size", png(0, 0)
    yield "refused-png-that-claims-to-be-huge", png(60_000, 60_000)
    yield "refused-png-that-claims-100-megapixels", png(10_000, 10_000)
    yield "refused-png-just-above-the-limit", png(6000, 4001)
    yield (
        "refused-png-with-a-text-bomb",
        png(28, 28, data=bytes(28 * 29), zTXt=b"k\0\0" + zlib.compress(bytes(8 << 20), 9)),
    )
    yield "refused-tiff-of-negative-values", picture(Image.fromarray(np.full((28, 28), -7, np.float32)), "TIFF")
    yield "refused-tiff-not-a-number", picture(Image.fromarray(np.full((28, 28), np.nan, np.float32)), "TIFF")
    yield (
        "refused-eps-which-would-be-run",
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\n{ } loop\n%%EOF\n"),
    )
    yield "refused-text", b"hello"


# Data set ------------------------------------------------------------------------------------------------------------


def idx(*sizes: int, magic: int = 0x0803, content: bytes = bytes(784)) -> bytes:
    """An IDX file with any claim in its header."""
    return struct.pack(f">I{len(sizes)}I", magic, *sizes) + content


def datasets() -> Files:
    """Test images of a data set that are not MNIST's."""
    right = idx(1, 28, 28)
    yield "refused-plain", right
    yield "refused-gzip", gzip.compress(right, mtime=0)
    yield "refused-empty", b""
    yield "refused-gzip-truncated", gzip.compress(right, mtime=0)[:30]
    yield "refused-gzip-damaged", gzip.compress(bytes(3000), mtime=0)[:12] + b"\xff" * 20
    yield "refused-gzip-of-other-checksum", gzip.compress(right, mtime=0)[:-8] + bytes(8)
    yield "refused-gzip-bomb", gzip.compress(bytes(20 << 20), mtime=0)
    yield "refused-gzip-of-endless-name", b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 5000
    yield "refused-other-magic", idx(1, 28, 28, magic=0x1234)
    yield "refused-sizes-that-disagree", idx(10_000, 28, 28)
    yield "refused-sizes-that-overflow", idx(*[0xFFFFFFFF] * 3)


CORPORA = {
    "model": model_files,
    "description": descriptions,
    "simulated": simulated_descriptions,
    "manifest": manifests,
    "bitstream": bitstreams,
    "picture": pictures,
    "dataset": datasets,
}


def main() -> None:
    """Write them all."""
    for name, files in CORPORA.items():
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for kind in ("accepted", "refused"):
            for path in folder.glob(f"{kind}-*"):
                path.unlink()
        for file, content in files():
            (folder / file).write_bytes(content)
        print(f"{name}: {sum(path.stat().st_size for path in folder.iterdir())} bytes")


if __name__ == "__main__":
    main()
