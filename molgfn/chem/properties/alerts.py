"""Structural alerts: reactive, unstable or assay-disturbing groups in a molecule.

Two lists are searched: the 480 PAINS patterns (Baell and Holloway 2010, as shipped with RDKit) and
the list below. The list is meant for designing molecules, not for flagging a library: it names
groups that react with protein or water, fall apart, or are hazardous. Esters, carbamates,
sulfones, single Michael acceptors of the acrylamide kind (covalent drugs), nitriles, aryl halides
and phenols are *not* alerts, which is where the well-known lists flag half of all drugs.

Searching 540 patterns one by one costs 5 ms a molecule. A screen rules nearly all of them out
first, with identical results, in a fiftieth of the time.

References:
    Baell and Holloway 2010, New substructure filters for removal of pan assay interference
    compounds (PAINS). https://doi.org/10.1021/jm901137j
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, RDConfig

from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.chem.properties.pattern_screen import PatternScreen

#: The list of this package: name and SMARTS.
DEFAULT_ALERTS: tuple[tuple[str, str], ...] = (
    # Acylating, sulfonylating and alkylating groups.
    ("acyl halide", "[C,S](=[O,S])[F,Cl,Br,I]"),
    ("alkyl halide", "[CX4;!$(C(F)(F)[F,Cl])][Cl,Br,I]"),
    ("anhydride", "[#6]C(=O)O[C,S]=O"),
    ("activated ester", "C(=O)O[n,$(N(C=O)C=O)]"),
    ("acyl cyanide", "C(=O)C#N"),
    ("sulfonate ester", "[#6]S(=O)(=O)O[CX4]"),
    ("isocyanate or isothiocyanate", "N=C=[O,S]"),
    ("carbodiimide", "N=C=N"),
    ("ketene", "C=C=O"),
    ("three-membered heterocycle", "[CX4]1[O,S,N][CX4]1"),
    ("beta-lactone", "O=C1OCC1"),
    ("nitro-activated aryl halide", "[F,Cl,Br,I]c1[c,n]cc([N+](=O)[O-])cc1"),
    ("halo-diazine or -triazine", "[F,Cl,Br,I]c1nc([F,Cl,Br,I])ncn1"),
    ("halomethyl ketone", "[#6]C(=O)[CH2][F,Cl,Br,I]"),
    # Michael acceptors beyond acrylamides.
    ("vinyl ketone", "[CX3;!R]=[CX3;!R]C(=O)[#6]"),
    ("alkylidene dicarbonyl", "[#6]=C([C,S]=O)C=O"),
    ("alkylidene cyano", "C=!@C(C#N)[C,S]=O"),
    ("vinyl sulfone or nitro", "C=C[$(S(=O)(=O)[#6]),$([N+](=O)[O-])]"),
    ("ynone", "C#CC(=O)[#6,O]"),
    ("quinone", "O=C1[#6]=,:[#6]C(=O)[#6]=,:[#6]1"),
    ("ortho-quinone", "O=C1C(=O)[#6]=,:[#6][#6]=,:[#6]1"),
    # Carbonyl condensation and hydrolysis.
    ("aldehyde", "[CX3H1](=O)[#6]"),
    ("thiocarbonyl", "[CX3;!R]=S"),
    ("acyclic imine", "[CX3;!R;!$(C[N,O,S])]=[NX2;!R][#6]"),
    ("hydrazone or azine", "[CX3;!R]=[NX2;!R][N;!R]"),
    ("acyclic hemiaminal or aminal", "[NX3;!R;!$(NC=[O,S,N]);!$(NS=O)][CX4;!R][O,N,S;!R]"),
    ("hemiacetal or hemiaminal", "[OH,SH,NH2][CX4][OX2,NX3,SX2;!$(NC=O);!$(NS=O)]"),
    ("carbamic or thiocarbamic acid", "[NX3]C(=[O,S])[OH,SH]"),
    ("formamide or formate", "[CX3H1](=O)[N,O]"),
    ("hydrogen on S or P of high valence", "[$([#16;!H0;v4,v6]),$([#16+;!H0]),$([P;!H0])]"),
    ("halogen on carbon next to N, O or S", "[N,O,S][CX4;!$(C(F)(F))][F,Cl,Br,I]"),
    ("enol or enamine", "[C;!R]=[C;!R][OH,NH2,SH]"),
    ("1,2-dicarbonyl", "[#6]C(=O)C(=O)[#6]"),
    # Weak bonds between hetero atoms.
    ("peroxide", "[OX2][OX2]"),
    ("disulfide or polysulfide", "[SX2][SX2]"),
    ("thiol", "[SX2H]"),
    ("acyclic N-O or N-S", "[NX3;!R;!$(N~[O;X1]);!$(NC=O);!$(N[S](=O)=O)][OX2,SX2;!R]"),
    ("sulfenyl", "[SX2]O"),
    ("hydrazine", "[NX3;!R;!$(NC=O)][NX3;!R;!$(NC=O);!$(NS=O)]"),
    ("azo", "[#6][N;!R]=[N;!R][#6]"),
    ("triazene", "[N;!R]=[N;!R][N]"),
    ("azide", "[N]=[N+]=[N-]"),
    ("diazo or diazonium", "[#6]=[N+]=[N-]"),
    ("diazonium", "[N+]#N"),
    ("nitroso", "[#6,N][NX2]=O"),
    ("N-halogen", "[N,n,O,S][F,Cl,Br,I]"),
    ("nitro", "[N+](=O)[O-]"),
    ("isonitrile", "[N+]#[C-]"),
    ("cyanamide or cyanate", "[N,O,S;!$(N=*)]C#N"),
    # Others.
    ("phosphorus halide", "P[F,Cl,Br,I]"),
    ("phosphine", "[PX3]"),
    ("allene", "C=C=C"),
    ("polyene", "[C;!R]=[C;!R][C;!R]=[C;!R]"),
    ("chain of seven carbons", "[CH2;!R][CH2;!R][CH2;!R][CH2;!R][CH2;!R][CH2;!R][CH2,CH3;!R]"),
    ("crown ether", "[O;r9,r10,r11,r12,r13,r14,r15,r16,r17,r18]CC[O;R]CC[O;R]"),
    ("polyhalogenated ring", "[F,Cl,Br,I]c1c([F,Cl,Br,I])c([F,Cl,Br,I])c([F,Cl,Br,I])cc1"),
    ("catechol", "[OH]c1c([OH])cccc1"),
    ("iodine", "[#53]"),
    ("element outside drug chemistry", "[!#1;!#5;!#6;!#7;!#8;!#9;!#14;!#15;!#16;!#17;!#35;!#53]"),
)


def structural_alerts(mol: Chem.Mol) -> list[str]:
    """Names of the alerts in a molecule: the default list, then PAINS.

    Returns:
        Names such as ``"aldehyde"`` or ``"PAINS catechol_A(92)"``; empty when there is none.
    """
    return _default_screen().matches(mol)


def count_alerts(batch: MoleculeBatch) -> NDArray[np.float64]:
    """Number of :func:`structural_alerts` of each molecule, shape ``(B,)``."""
    found = _default_screen().find(batch.mols, batch.atoms)
    return np.array([len(patterns) for patterns in found], dtype=np.float64)


@cache
def _default_screen() -> PatternScreen:
    path = Path(RDConfig.RDDataDir) / "Pains" / "wehi_pains.csv"
    with path.open(newline="", encoding="utf-8") as file:
        pains = [
            (f"PAINS {label.removeprefix('<regId=').removesuffix('>')}", smarts)
            for smarts, label in csv.reader(file)
        ]
    return PatternScreen([*DEFAULT_ALERTS, *pains])
