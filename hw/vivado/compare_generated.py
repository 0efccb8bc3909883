"""Whether hw/generated/ is what `pynq-ee export` wrote of a model, told by digests.

    python3 compare_generated.py MODEL FOLDER [VERILOG]

MODEL is a model file, or the name of a shipped one; VERILOG is what `make -C hw rtl` wrote of it. Prints the build_id
of the model, and the name of each file that is not as it was written.

It runs where the bitstream is built, which may be a machine with an old system: the standard library of Python 3.6 is
all that it needs. A model file is a zip archive of NumPy arrays; its header, a text, says the build_id.
"""

import ast
import hashlib
import json
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

#: Written by pynq_ee/generate/constants.py: the build_id, and the SHA-256 of each of the other files.
DIGESTS = "digests.json"


def header(path):
    """The header of a model file, a dict; the archive's checksums are compared."""
    with zipfile.ZipFile(str(path)) as archive:
        damaged = archive.testzip()
        if damaged:
            raise ValueError(f"{damaged} is damaged")
        content = archive.read("header.npy")
    # A .npy of version 1.0: a magic number, the length of a Python dict that describes the array, and the array.
    start = 10 + int.from_bytes(content[8:10], "little")
    description = ast.literal_eval(content[10:start].decode("latin-1"))
    order = {"<": "utf-32-le", ">": "utf-32-be"}[description["descr"][0]]
    return json.loads(content[start:].decode(order).rstrip("\0"))


def differing(folder):
    """The build_id that the generated files are of, and the names of those that were changed since."""
    written = json.loads((folder / DIGESTS).read_text())
    changed = []
    for name, digest in sorted(written["sha256"].items()):
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            changed.append(name)
    return written["build_id"], changed


def edited(path):
    """Whether generated Verilog is not as it was written: its second line has the digest of what is behind it."""
    lines = path.read_bytes().split(b"\n", 2)
    return len(lines) < 3 or lines[1].split(b" ")[-1].decode("latin-1") != hashlib.sha256(lines[2]).hexdigest()


def main(model, folder, verilog=None):
    path = Path(model)
    shipped = REPOSITORY / "pynq_ee" / "models" / (model + ".npz")
    if not path.is_file() and shipped.is_file():
        path = shipped
    expected = header(path)["build_id"]
    found, changed = differing(Path(folder))
    if found != expected:
        changed.append(DIGESTS)
    if verilog and edited(Path(verilog)):
        changed.append(Path(verilog).name)
    print("compared:", "0x" + expected, *changed)


if __name__ == "__main__":
    main(*sys.argv[1:])
