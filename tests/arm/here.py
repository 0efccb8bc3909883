"""Instructions of streams and calls of ``transfers.py``, on an x86 machine like this one instead of a board, as JSON.

``python -m pynq_ee.bench.board.check`` runs it. An emulator counts here too, for a processor with AVX2 and no AVX-512.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from arm import transfers
from arm.counter import MARKS, batches, compile_plugin


def main() -> int:
    """Count and print."""
    emulator, compiler = shutil.which("qemu-x86_64"), shutil.which("cc")
    if emulator is None or compiler is None:
        raise SystemExit("counting needs cc and qemu-x86_64: sudo apt install gcc qemu-user")
    with tempfile.TemporaryDirectory() as folder:
        plugin = Path(folder) / "counter.so"
        compile_plugin(compiler, plugin)
        done = subprocess.run(
            [
                *(emulator, "-cpu", "max", "-seed", "0", "-d", "plugin", "-plugin", f"{plugin},mark={MARKS['amd64']}"),
                *(sys.executable, "-W", "ignore", transfers.__file__, transfers.ONLY_PREDICTIONS),
            ],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    if done.returncode:
        raise SystemExit(f"{transfers.__file__} failed under {emulator}: {done.stderr[-2000:]}")
    print(json.dumps(batches(done.stdout, done.stderr)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
