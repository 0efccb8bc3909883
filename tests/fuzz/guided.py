"""Coverage-guided fuzzing of one target with atheris.

  PYTHONPATH=tests python -m fuzz.guided TARGET [OPTION OF LIBFUZZER...]
  PYTHONPATH=tests python -m fuzz.guided picture -max_total_time=60 .fuzz/picture tests/fuzz/corpus/picture

Inputs that reach something new go to the first folder named. What breaks a target is written beside, its name begins
with ``crash``, ``oom``, ``timeout`` or ``slow-unit``; once its cause is removed it is kept in the corpus.
"""

from __future__ import annotations

import importlib
import random
import sys
import warnings

import atheris

with atheris.instrument_imports(include=["pynq_ee", "zipfile", "PIL", "numpy.lib", "json", "gzip"]):
    from fuzz.targets import TARGETS, accepts

    if "simulated" in sys.argv:  # which imports it only when it is called
        importlib.import_module("pynq_ee.sim.programmable_logic")


def main() -> int:
    """Fuzz for ever, or as long as the options say."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        print(f"{__doc__}\ntargets: {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    name = sys.argv.pop(1)
    warnings.simplefilter("ignore")

    def change(content: bytes, limit: int, seed: int) -> bytes:
        choice = random.Random(seed)
        return TARGETS[name].change(content, lambda piece: atheris.Mutate(piece, max(limit, 1)), choice)[:limit]

    atheris.Setup(sys.argv, lambda content: accepts(name, content) and None, custom_mutator=change)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
