"""What every benchmark says of the machine it ran on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from molgfn import __version__

#: Packages whose versions matter for speed.
PACKAGES = ("rdkit", "numpy", "torch", "torch-geometric")


def machine() -> dict[str, object]:
    """Processor, load and versions; loads none of the packages."""
    cpu = "unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        cpu = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), cpu)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load_average": [round(x, 2) for x in os.getloadavg()],
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "versions": {
            "python": platform.python_version(),
            "molgfn": __version__,
            **{name: version(name) for name in PACKAGES},
        },
    }
