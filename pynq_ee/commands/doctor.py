"""``pynq-ee doctor``: one screen that tells whether this machine can run the accelerator."""

from __future__ import annotations

import argparse

from pynq_ee.commands import checks
from pynq_ee.commands.common import add_json_option, add_model_option, print_json, table
from pynq_ee.network import weights

HELP = "tell whether this machine can run the accelerator, and what to do if not"
EXAMPLES = """\
  pynq-ee doctor
  pynq-ee doctor --json
The exit status is 1 if a check fails; a warning names what only some uses need."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model_option(parser)
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line for each check."""
    findings = checks.examine(weights.load(args.model))
    if args.json:
        print_json([finding._asdict() for finding in findings])
    else:
        print(table((finding.state, finding.check, finding.found) for finding in findings))
        remedies = [(finding.check, finding.remedy) for finding in findings if finding.remedy]
        if remedies:
            print("\nremedies")
            print(table(remedies))
    return int(any(finding.state == "fail" for finding in findings))
