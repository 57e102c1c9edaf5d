"""Standard forms of odd molecules from a generated table: charges, tautomers, metals, salts."""

import random

import pytest
from rdkit import Chem, rdBase

from molgfn.chem.molecule import MoleculeError, Unreadable, read_molecule, read_or_reason
from molgfn.chem.smiles import parse_smiles

_RING = """
c [cH-] [c-] [cH+] n [n-] [nH] [nH+] [n+]([O-]) [n+](C) o [o+] s [s+] [se] p [b-] b c(=O) c(=S)
c(=N) c(=[NH2+]) c([O-]) c(O) c(N) c([N+](=O)[O-]) c(C) s(=O) c([N-]) c(=[N+]=[N-]) c(B(O)O)
c(S(=O)(=O)[O-])
"""
_CHAIN = """
C N O S [CH-] [CH2+] [NH-] [NH3+] [O-] [N+](C)(C) [S-] [S+]([O-]) P(=O)([O-]) [P+](C)(C) [N-]
N=[N+]=[N-] C#[N+] [C-]#[N+] [N+](=O)[O-] N(=O)=O S(=O)(=O) [Si] B [B-](O)(O) [CH] [NH2+] C(=O)[O-]
C(=O)[NH-] C=[NH+] [I+] Cl(=O)(=O)=O [Se] [As] [CH2-] [Na] [Mg] [Zn] [Pt] [Fe] [Al]
"""
_IONS = """
[Na+] [Cl-] [K+] [Ca+2] [Zn+2] [OH-] [H-] [H+] [NH4+] [Li+] [Mg+2] [Fe+3] [B-](F)(F)(F)F
F[P-](F)(F)(F)(F)F O Cl [Br-] [O-]S(=O)(=O)[O-] [Al+3] [Fe] [He] [2H] [O-2] [S-2] [Cu+] [Pt+2]
"""
_RINGS, _CHAINS, _SALTS = _RING.split(), _CHAIN.split(), _IONS.split()
_USUAL = ["c", "n", "c(=O)", "[nH]", "[cH-]", "[n-]"]


def _ring(rng):
    atoms = [rng.choice(rng.choice((_RINGS, _USUAL))) for _ in range(rng.choice((5, 6)))]
    ends = [a[: a.index("]") + 1] if a[0] == "[" else a[0] for a in atoms]
    closed = [f"{end}1{atom[len(end) :]}" for atom, end in zip(atoms, ends, strict=True)]
    return closed[0] + "".join(atoms[1:-1]) + closed[-1]


def _chain(rng):
    return "".join(rng.choice(_CHAINS) for _ in range(rng.randint(1, 5)))


def odd_smiles(seed):
    """A SMILES that RDKit can read, with charges where there seldom are any."""
    rng = random.Random(seed)
    while True:
        parts = [rng.choice((_ring, _chain, lambda r: _chain(r) + _ring(r)))(rng)]
        smiles = ".".join(parts + rng.choices(_SALTS, k=rng.choice((0, 0, 1, 2))))
        with rdBase.BlockLogs():
            if Chem.MolFromSmiles(smiles) is not None:
                return smiles


def _check(seeds):
    n_invalid = 0
    for seed in seeds:
        smiles = odd_smiles(seed)
        found = read_or_reason(smiles)
        if isinstance(found, Unreadable):
            n_invalid += 1
            reason = found.reason.replace(smiles, "").replace(smiles[:79], "")
            assert len(reason) > 20, (seed, smiles)
            assert "\n" not in reason, (seed, smiles)
            assert "Violation" not in reason, (seed, smiles)
        else:
            again = parse_smiles(found.smiles)
            assert again is not None, (seed, smiles)
            assert Chem.MolToSmiles(again) == found.smiles, (seed, smiles)
            assert len(found.inchikey) == 27, (seed, smiles)
    assert 0 < n_invalid < len(seeds) / 2


def test_every_odd_molecule_has_a_standard_form_or_a_reason(capfd):
    _check(range(400))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_many_odd_molecules():
    _check(range(400, 4000))


@pytest.mark.parametrize(
    ("smiles", "standard"),
    [
        ("O=c1[cH-]c(=O)[n-]c(=O)[nH]1", "O=C1CC(=O)NC(=O)N1"),
        ("[Na+].O=C1[CH-]C(=O)NC(=O)N1", "O=C1CC(=O)NC(=O)N1"),
        ("c1cc[cH-]c1", "C1=CCC=C1"),
        ("[Na+].c1cc[cH-]c1", "C1=CCC=C1"),
        ("[Li+].c1ccc2[cH-]ccc2c1", "C1=Cc2ccccc2C1"),
        ("C/C=C/c1cc[cH-]c1", "C/C=C/C1=CCC=C1"),
    ],
)
def test_anions_of_aromatic_carbon_are_neutralised(smiles, standard):
    assert read_molecule(smiles).smiles == standard
    assert read_molecule(standard).smiles == standard


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("[H-].[Na+]", "has no atoms but hydrogen and metals"),
        ("[Zn+2]", "has no atoms but hydrogen and metals"),
        ("[AlH4-].[Li+]", "has no atoms but hydrogen and metals"),
        ("[Na][C-]#[N+]", "keeps a metal in a dative bond"),
        ("[2H][2H]", "has no atoms but hydrogen and metals"),
        ("[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1", "holds Fe beside an anion of carbon; without it"),
        ("F[P-](F)(F)(F)(F)F.[Na+]", "has no neutral form: Explicit valence for atom # 1 P"),
    ],
)
def test_what_has_no_standard_form_says_why(smiles, reason, capfd):
    with pytest.raises(MoleculeError, match=reason):
        read_molecule(smiles)
    assert capfd.readouterr() == ("", "")
