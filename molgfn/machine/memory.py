"""The memory that this process may use."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

#: What a container may use, by the two versions of Linux's control groups.
_CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def available_memory() -> int:
    """Bytes that the machine has, or its container or the shell's ``ulimit -v`` leaves of them."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # absent, or "max"
            limits.append(int(file.read_text()))
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        limits.append(soft)
    return min(limits)
