"""pynq's overlay, with a description that is the one of the ``.hwh`` beside its ``.bit``.

pynq keeps the description that it has parsed last (``_current_metadata.pkl`` in its ``pl_server`` folder) and takes it
for every ``.bit`` of the same content, whatever lies beside it now. After a wrong ``.hwh`` has been loaded once, the
right one is never read, and registers would be written at addresses where others are, or nobody: on a board that is a
bus error, or a processor that hangs. So what pynq says is compared with the file before any register is touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pynq_ee.driver import hardware_description
from pynq_ee.errors import OverlayError, PynqEEError
from pynq_ee.network import spec


def open_overlay(bitfile: str | Path, device: Any) -> Any:
    """pynq's overlay of a ``.bit`` and the ``.hwh`` beside it, not yet downloaded.

    Raises
    ------
    OverlayError
        A description that pynq cannot read, without the DMA or the kernel, or another one than that of the file.
    """
    overlay = _open(bitfile, device)
    if difference := _difference(overlay, bitfile):
        cache = _cache()
        try:
            cache.unlink(missing_ok=True)
        except OSError as error:
            raise OverlayError(
                f"pynq remembers another description of {bitfile} than that of its .hwh: {difference}. "
                f"Remove {cache}, which this user may not ({error})"
            ) from error
        overlay = _open(bitfile, device)
        if difference := _difference(overlay, bitfile):
            raise OverlayError(
                f"pynq's description of {bitfile} is not that of its .hwh: {difference}; "
                "copy the .bit and the .hwh of one build again"
            )
    return overlay


def _open(bitfile: str | Path, device: Any) -> Any:
    import pynq

    try:
        overlay = pynq.Overlay(str(bitfile), device=device, download=False)
    except PynqEEError:
        raise
    except Exception as error:  # pynq's parser raises whatever a damaged description leads it to
        raise OverlayError(
            f"pynq cannot read the description of {bitfile} ({type(error).__name__}: {error}); "
            "copy the .bit and the .hwh of one build again"
        ) from error
    return overlay


def _cache() -> Path:
    from pynq.pl_server import embedded_device

    return Path(embedded_device.__file__).with_name("_current_metadata.pkl")


def _difference(overlay: Any, bitfile: str | Path) -> str:
    """What pynq takes for true that the ``.hwh`` says otherwise, in words; empty where there is nothing."""
    design = hardware_description.read(Path(bitfile).with_suffix(".hwh"))
    for name, ranges in hardware_description.address_map(design).items():
        entry = overlay.ip_dict.get(name)
        if entry is None and name in (spec.KERNEL_NAME, spec.DMA_NAME):
            return f"pynq finds no {name}"
        if entry is not None and (found := (entry["phys_addr"], entry["addr_range"])) not in ranges:
            places = [f"{size} bytes at 0x{base:x}" for base, size in (ranges[0], found)]
            return f"{name} has {places[0]}, for pynq {places[1]}"
    known = overlay.ip_dict.get(spec.DMA_NAME, {}).get("parameters", {})
    for parameter, value in hardware_description.parameters(design, spec.DMA_NAME).items():
        if str(known.get(parameter, value)) != value:
            return f"{parameter} of {spec.DMA_NAME} is {value}, for pynq {known[parameter]}"
    return ""
