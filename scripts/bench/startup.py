"""Start-up time of the commands, each a process of its own: JSON on stdout, a table on stderr.

    OMP_NUM_THREADS=1 python scripts/bench/startup.py [--only sample] > startup.json

Seconds on the clock and of processor time, the best of three, and the most memory. Commands run in
an empty directory, so that they take what ships with the program. ``bare import`` loads torch,
torch_geometric and rdkit.Chem and nothing else; ``ratio`` compares with its processor time.
Commands whose work takes minutes (verify, evaluate, rounds, dock, proxy fit) show their help alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measuring import FIRST_STEP_BASELINE_S, PASSES, say, show, write

MOLGFN = (sys.executable, "-m", "molgfn")
BARE = "bare import"
IMPORTS = "import torch, torch_geometric; from rdkit import Chem"
FIRST_STEP = "train, one step"
COMMANDS = (
    *("train", "sample", "score", "select", "dock", "evaluate", "verify"),
    *("rounds", "proxy", "targets", "fragments", "config"),
)
MOLECULES = (
    ("c1ccc(cc1)C(=O)N1CCOCC1", 0.6),
    ("CC(=O)Nc1ccc(O)cc1", 0.5),
    ("Cc1ccccc1C(=O)NC1CCNCC1", 0.4),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=_example())
    parser.add_argument("--passes", type=int, default=PASSES, help="runs of each, the best counts")
    parser.add_argument("--only", default="", help="commands whose line contains this text")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="molgfn_bench_") as folder:
        rows = {
            name: measure(arguments, Path(folder), options.passes)
            for name, arguments in commands(Path(folder)).items()
            if options.only in name or name == BARE
        }
    for row in rows.values():
        row["ratio"] = round(row["cpu_s"] / rows[BARE]["cpu_s"], 2)
    show("command", rows, ("wall_s", "cpu_s", "peak_mb", "ratio"))
    say(f"ratio: to the processor time of the {BARE}")
    if FIRST_STEP in rows:
        faster = FIRST_STEP_BASELINE_S / rows[FIRST_STEP]["wall_s"]
        say(f"{FIRST_STEP}: {faster:.1f} times as fast as the baseline's {FIRST_STEP_BASELINE_S} s")
    write(
        vars(options) | {"threads": 1},
        {"baseline_first_step_s": FIRST_STEP_BASELINE_S, "startup": rows},
    )


def commands(folder: Path) -> dict[str, Sequence[str]]:
    """Command lines by their names in the table; their input is written to the folder."""
    (folder / "one.smi").write_text(f"{MOLECULES[0][0]}\n")
    lines = [f"{smiles},{score}" for smiles, score in MOLECULES]
    (folder / "scored.csv").write_text("\n".join(["SMILES,Score", *lines, ""]))
    (folder / "config.yaml").write_text("train:\n  steps: 5\n")
    found: dict[str, Sequence[str]] = {BARE: (sys.executable, "-c", IMPORTS)}
    plain = ["--version", "--help", *(f"{command} --help" for command in COMMANDS)]
    plain += ["config", "config check config.yaml", "targets list", "fragments check default"]
    plain += ["select scored.csv --top-k 2"]
    plain += ["score one.smi", "score one.smi --log-likelihood"]
    plain += ["sample --n 1", "sample --n 1000", "sample --n 1000 --score"]
    found |= {f"molgfn {line}": (*MOLGFN, *line.split()) for line in plain}
    found[FIRST_STEP] = (*MOLGFN, "train", "--run", "{new}", "--set", "train.steps=1")
    return found


def measure(arguments: Sequence[str], folder: Path, passes: int) -> dict[str, float]:
    """Run a command several times.

    Args:
        arguments: Its command line; ``{new}`` stands for a directory that does not exist.
        folder: Where it runs.
        passes: How often.

    Returns:
        The least seconds on the clock and of processor time, and the most memory in MB.

    Raises:
        SystemExit: The command failed.
    """
    runs = [_run(arguments, folder) for _ in range(passes)]
    wall, cpu, peak = zip(*runs, strict=True)
    return {"wall_s": round(min(wall), 3), "cpu_s": round(min(cpu), 3), "peak_mb": round(max(peak))}


def _run(arguments: Sequence[str], folder: Path) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory(prefix="molgfn_bench_") as new:
        line = [argument.format(new=f"{new}/run") for argument in arguments]
        start = time.perf_counter()
        process = subprocess.Popen(
            line,
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1", "MOLGFN_DATA_DIR": f"{new}/data"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(line)} ended with exit code {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _example() -> str:
    return "Example: OMP_NUM_THREADS=1 python scripts/bench/startup.py --only sample > startup.json"


if __name__ == "__main__":
    main()
