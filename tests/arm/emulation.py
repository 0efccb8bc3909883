"""ARM programs on another machine: in private namespaces, where the kernel hands each of them to QEMU.

``python tests/arm/emulation.py armhf --root FOLDER -- COMMAND`` runs a command, and whatever that starts, in a root
filesystem. QEMU is registered with the kernel (binfmt_misc) for these namespaces only, which needs Linux 6.7; on an
older kernel the machine's own registration serves, if it has one. Nothing of the machine is changed.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_REGISTRATIONS = Path("/proc/sys/fs/binfmt_misc")
_IDENTIFIERS = 65536
_PR_SET_PDEATHSIG = 1
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000


class Architecture(NamedTuple):
    """QEMU's name, the libraries' folder, the processor that a board has, what ``uname -m`` says, and pynq's boards."""

    emulator: str
    triplet: str
    processor: str
    machine: str
    boards: str


#: By Debian's names.
ARCHITECTURES = {
    "armhf": Architecture("arm", "arm-linux-gnueabihf", "cortex-a9", "armv7l", "PYNQ-Z1 and Z2"),
    "arm64": Architecture("aarch64", "aarch64-linux-gnu", "cortex-a53", "aarch64", "ZCU104 and KV260"),
}

_libc = ctypes.CDLL(None, use_errno=True)


def command(architecture: str, *words: str | Path, root: Path, binds: Mapping[Path, str] | None = None) -> list[str]:
    """The command line that runs a command in a root filesystem.

    Parameters
    ----------
    architecture
        A key of :data:`ARCHITECTURES`.
    words
        The command, by its path in the root filesystem or by a name that its ``PATH`` finds.
    root
        The root filesystem.
    binds
        Files and folders of this machine, and where they are to be seen in it.
    """
    shown = [f"--bind={source}:{target}" for source, target in (binds or {}).items()]
    return [sys.executable, __file__, architecture, f"--root={root}", *shown, "--", *map(str, words)]


def enter(architecture: str, words: Sequence[str], root: Path | None, binds: Mapping[Path, str]) -> int:
    """Run a command in new namespaces and return its exit status. Without a root filesystem: in that of the machine.

    The namespaces end with the command, or with this process, and every process in them too.
    """
    if os.geteuid() != 0:
        raise SystemExit("a root filesystem belongs to root, and is entered as root: sudo make test-arm")
    ready_reader, ready_writer = os.pipe()
    mapped_reader, mapped_writer = os.pipe()
    outer = os.fork()
    if outer == 0:
        try:
            _call("unshare", _CLONE_NEWNS | _CLONE_NEWUSER | _CLONE_NEWPID)
        except OSError as error:
            print(
                f"this machine gives no namespaces to a program ({error}), and in these alone are ARM programs run and "
                "root filesystems made. In a container: start it with --privileged; elsewhere see "
                "/proc/sys/user/max_user_namespaces, which must not be 0, and the rules of AppArmor and seccomp",
                file=sys.stderr,
            )
            os._exit(1)
        os.write(ready_writer, b".")
        os.read(mapped_reader, 1)
        os.setgid(0)
        os.setuid(0)
        _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # not before: new credentials take it back
        first = os.fork()
        if first == 0:  # the process number 1: when it ends, all that is in the namespaces ends
            _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            os._exit(_inside(ARCHITECTURES[architecture].emulator, words, root, binds))
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 0xFF)
    os.close(ready_writer)
    if os.read(ready_reader, 1):
        for identifiers in ("uid_map", "gid_map"):
            Path(f"/proc/{outer}/{identifiers}").write_text(f"0 0 {_IDENTIFIERS}")
        os.write(mapped_writer, b".")
    return os.waitstatus_to_exitcode(os.waitpid(outer, 0)[1])


def _inside(emulator: str, words: Sequence[str], root: Path | None, binds: Mapping[Path, str]) -> int:
    registered = _registered(emulator)
    _mount("", "/", "", _MS_REC | _MS_PRIVATE)
    _mount("proc", "/proc", "proc")
    _register(emulator, registered)
    if root is not None:
        _mount("proc", str(root / "proc"), "proc")
        _mount("/dev", str(root / "dev"), "", _MS_BIND | _MS_REC)
        for source, target in binds.items():
            place = root / target.lstrip("/")
            if source.is_dir():
                place.mkdir(parents=True, exist_ok=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
            _mount(str(source), str(place), "", _MS_BIND)
    child = os.fork()
    if child == 0:
        if root is not None:
            os.chroot(root)
            os.chdir("/")
        try:
            os.execvp(words[0], words)
        except OSError as error:
            print(f"{words[0]} cannot be run: {error}", file=sys.stderr)
            os._exit(127)
    while True:  # orphans are number 1's to wait for
        process, status = os.wait()
        if process == child:
            return os.waitstatus_to_exitcode(status) & 0xFF


def _registered(emulator: str) -> bool:
    """Whether the machine's own registration serves in a root filesystem: it holds the emulator open (F)."""
    entry = _REGISTRATIONS / f"qemu-{emulator}"
    if not entry.exists():
        return False
    lines = entry.read_text().splitlines()
    return "enabled" in lines and any(line.startswith("flags:") and "F" in line for line in lines)


def _register(emulator: str, registered: bool) -> None:
    """Have the kernel hand the architecture's programs to the emulator."""
    try:
        _mount("binfmt_misc", str(_REGISTRATIONS), "binfmt_misc")
    except OSError as error:
        if registered:
            return
        raise SystemExit(
            f"binfmt_misc cannot be mounted in a namespace ({error}); that needs Linux 6.7. On an older kernel let the "
            f"machine register QEMU: sudo apt install binfmt-support qemu-user-static, and then "
            f"{_REGISTRATIONS}/qemu-{emulator} is there (in a container: on its host)"
        ) from error
    registration = Path(f"/usr/lib/binfmt.d/qemu-{emulator}.conf")
    try:
        line = registration.read_text().strip()
    except OSError as error:
        raise SystemExit(f"no QEMU for ARM programs ({error}): sudo apt install qemu-user-static") from error
    (_REGISTRATIONS / "register").write_text(line)


def _mount(source: str, target: str, kind: str, flags: int = 0) -> None:
    _call("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def main() -> int:
    """Run the command of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture", choices=ARCHITECTURES)
    parser.add_argument("--root", type=Path, help="the root filesystem (default: the machine's own)")
    parser.add_argument("--bind", action="append", default=[], metavar="HERE:THERE", help="what is to be seen in it")
    parser.add_argument("words", nargs="+", metavar="COMMAND")
    args = parser.parse_args()
    binds = {Path(source).resolve(): target for source, _, target in (entry.partition(":") for entry in args.bind)}
    return enter(args.architecture, args.words, args.root and args.root.resolve(), binds)


if __name__ == "__main__":
    sys.exit(main())
