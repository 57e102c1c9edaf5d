"""The number of CPUs."""

from __future__ import annotations

import os


def available_cpus() -> int:
    """CPUs that this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return max(1, os.cpu_count() or 1)
