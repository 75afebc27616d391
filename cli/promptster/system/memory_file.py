"""Creates files in memory, which have a path while a process holds them open and are never written to a disk."""

from __future__ import annotations

import fcntl
import os
import sys

_SEALS = ("F_SEAL_SHRINK", "F_SEAL_GROW", "F_SEAL_WRITE", "F_SEAL_SEAL")


def memory_file(data: bytes) -> tuple[int, str] | None:
    """Create a read-only file in memory for the program that this process will become.

    The path contains the process id, which ``execve`` keeps, so programs that the agent starts can read the file too.
    It disappears when the agent ends.

    Returns:
        The descriptor (not inherited by default) and the path; ``None`` if the system has no such files.
    """
    if sys.platform != "linux":
        return None
    try:
        descriptor = os.memfd_create("promptster", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        return None
    try:
        os.fchmod(descriptor, 0o400)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        seals = 0
        for name in _SEALS:
            seals |= getattr(fcntl, name)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor, f"/proc/{os.getpid()}/fd/{descriptor}"
