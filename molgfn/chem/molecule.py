"""Reading SMILES into standard molecules, with RDKit's own reason when it fails."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rdkit import Chem, RDLogger, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from molgfn.chem.scaffold import murcko_scaffold
from molgfn.chem.smiles import parse_smiles
from molgfn.errors import MoleculeError, brief


def quiet_rdkit() -> None:
    """Have RDKit keep to itself what it makes of a molecule all the same; errors are captured."""
    for channel in ("rdApp.info", "rdApp.warning"):
        RDLogger.DisableLog(channel)


quiet_rdkit()

#: Longest SMILES that is given to RDKit at all: its parser's memory grows with the text.
MAX_SMILES_LENGTH = 2000

_WILDCARD = Chem.MolFromSmarts("[#0]")
#: Charges, unusual elements, sulfoxides.
_UNUSUAL = Chem.MolFromSmarts("[!+0,!#6&!#7&!#8&!#9&!#16&!#17&!#35&!#53,#16X3]")
#: Metals in a bond, those of groups 1 and 2 left out: drawn so they are mostly salts.
_METALS = (13, *range(21, 32), *range(39, 51), *range(57, 85))
#: Those of salts too.
_SALT_METALS = (3, 4, 11, 12, 19, 20, 37, 38, 55, 56, *range(87, 104))
#: What no molecule to score is made of alone: hydrogen and metals.
_BARE = frozenset((1, *_METALS, *_SALT_METALS))
#: Carbon that carries the charge itself, other than in cyanide and its like.
_CARBANION = Chem.MolFromSmarts("[#6-;!$([#6-]#*)]")
_DATIVE = Chem.MolFromSmarts(f"*->[{','.join(f'#{number}' for number in sorted(_BARE - {1}))}]")
_METAL = Chem.MolFromSmarts(f"[{','.join(f'#{number}' for number in _METALS)}]")
_COMPLEX = Chem.MolFromSmarts(f"[{','.join(f'#{number}' for number in _METALS)};!D0]")

_UNCHARGER = rdMolStandardize.Uncharger()


@dataclass(frozen=True)
class Molecule:
    """A sanitised RDKit molecule with its canonical SMILES.

    Attributes:
        mol: The molecule, hydrogens implicit; treat it as read-only.
        text: SMILES to go by in place of the canonical one.
    """

    mol: Chem.Mol
    text: str | None = None

    @cached_property
    def smiles(self) -> str:
        """Canonical isomeric SMILES, the identity of the object; found when first asked for."""
        return str(Chem.MolToSmiles(self.mol)) if self.text is None else self.text

    @cached_property
    def inchikey(self) -> str:
        """Standard InChIKey, 27 characters."""
        with rdBase.BlockLogs():
            return str(Chem.MolToInchiKey(self.mol))

    @cached_property
    def scaffold(self) -> str:
        """Canonical SMILES of the Murcko scaffold; empty for a molecule without rings."""
        return murcko_scaffold(self.mol)

    @property
    def n_heavy_atoms(self) -> int:
        """Number of atoms other than hydrogen."""
        return int(self.mol.GetNumHeavyAtoms())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Molecule) and other.smiles == self.smiles

    def __hash__(self) -> int:
        return hash(self.smiles)


@dataclass(frozen=True)
class Unreadable:
    """What stands in for a molecule where there is none.

    Attributes:
        reason: One line, fit for a table.
    """

    reason: str


def read_mol(smiles: str) -> Chem.Mol:
    """Parse and sanitise a SMILES string as it stands, without standardising it.

    Args:
        smiles: SMILES without a name; at most ``MAX_SMILES_LENGTH`` characters.

    Raises:
        MoleculeError: The text is empty, too long, holds blanks or a wildcard atom, or RDKit
            refuses it; the message carries RDKit's reason.
    """
    text = smiles.strip()
    if not text:
        raise MoleculeError("the SMILES is empty")
    if len(text) > MAX_SMILES_LENGTH:
        raise MoleculeError(f"the SMILES has {len(text)} characters, more than {MAX_SMILES_LENGTH}")
    if any(c.isspace() for c in text):
        raise MoleculeError(
            f"the SMILES {_short(text)!r} holds a blank; give the name in another column"
        )
    if not text.isascii():
        strange = next(c for c in text if not c.isascii())
        raise MoleculeError(f"the SMILES {_short(text)!r} holds {strange!r}, which no SMILES does")
    with rdBase.CaptureErrorLog() as log:
        mol = parse_smiles(text)
    if mol is None:
        raise MoleculeError(f"RDKit cannot read {_short(text)!r}: {_reason(log)}")
    if mol.GetNumAtoms() == 0:
        raise MoleculeError(f"{_short(text)!r} has no atoms")
    if mol.HasSubstructMatch(_WILDCARD):
        raise MoleculeError(f"{_short(text)!r} has a wildcard atom '*'")
    return mol


def read_molecule(smiles: str, *, keep_stereo: bool = True) -> Molecule:
    """Parse a SMILES string and standardise it: largest component, clean-up, neutral charges.

    Args:
        smiles: SMILES without a name.
        keep_stereo: Whether stereo centres and double-bond geometry survive.

    Raises:
        MoleculeError: See :func:`read_mol`; also when standardisation fails or would take a metal
            off its ligands, or when nothing is left but hydrogen and metals.
    """
    mol = read = read_mol(smiles)
    try:
        with rdBase.BlockLogs():
            clean = _is_clean(mol)
            # Clean-up takes the metals of salts off, so the components are counted after it.
            if not clean:
                _check_metals(mol, smiles)
                mol = rdMolStandardize.Cleanup(mol)
            if len(Chem.GetMolFrags(mol)) > 1:
                mol = rdMolStandardize.FragmentParent(mol, skipStandardize=True)
            parent = mol
            if not clean:
                mol = _UNCHARGER.uncharge(mol)
            if not keep_stereo:
                Chem.RemoveStereochemistry(mol)
            canonical = str(Chem.MolToSmiles(mol))
            if clean and canonical == smiles:
                return Molecule(mol, canonical)
            # One more pass through SMILES gives the atoms their canonical order and
            # explicit hydrogens their implicit form, so equal molecules are equal objects.
            standard = parse_smiles(canonical)
            if standard is None:
                _check_carbanions(read, smiles)
                standard = _neutral_kekule_form(parent, keep_stereo)
    except ValueError as error:
        raise MoleculeError(f"{_short(smiles)!r} has no neutral form: {error}") from error
    except RuntimeError as error:  # RDKit's text tells of its own source
        raise MoleculeError(f"RDKit fails to standardise {_short(smiles)!r}") from error
    if standard is None:
        raise MoleculeError(f"{_short(smiles)!r} has no neutral form that RDKit can read")
    if not clean:
        _check_what_is_left(standard, smiles)
    return Molecule(standard)


def read_or_reason(smiles: str, *, keep_stereo: bool = True) -> Molecule | Unreadable:
    """Read a molecule as :func:`read_molecule` does, or say why there is none."""
    try:
        return read_molecule(smiles, keep_stereo=keep_stereo)
    except MoleculeError as error:
        return Unreadable(str(error))


def _is_clean(mol: Chem.Mol) -> bool:
    """Whether clean-up, half of the time of standardising, has nothing to do.

    It removes hydrogen atoms, takes metals off, moves charges, and rewrites groups that are all
    charged but sulfoxides and what holds phosphorus.
    """
    return not mol.HasSubstructMatch(_UNUSUAL)


def _check_metals(mol: Chem.Mol, smiles: str) -> None:
    found = mol.GetSubstructMatch(_COMPLEX)
    if found:
        symbol = mol.GetAtomWithIdx(found[0]).GetSymbol()
        raise MoleculeError(
            f"{_short(smiles)!r} holds {symbol} in a bond; without it, it would be another molecule"
        )


def _check_what_is_left(standard: Chem.Mol, smiles: str) -> None:
    """Refuse hydrogen and metals alone, and metals that clean-up leaves on their ligands."""
    if all(atom.GetAtomicNum() in _BARE for atom in standard.GetAtoms()):
        raise MoleculeError(f"{_short(smiles)!r} has no atoms but hydrogen and metals")
    if standard.HasSubstructMatch(_DATIVE):
        raise MoleculeError(
            f"{_short(smiles)!r} keeps a metal in a dative bond, of which there is no InChIKey"
        )


def _check_carbanions(mol: Chem.Mol, smiles: str) -> None:
    """Refuse ferrocene and its like, drawn as ions: without the metal they are something else."""
    found = mol.GetSubstructMatch(_METAL)
    if found and mol.HasSubstructMatch(_CARBANION):
        symbol = mol.GetAtomWithIdx(found[0]).GetSymbol()
        raise MoleculeError(
            f"{_short(smiles)!r} holds {symbol} beside an anion of carbon; without it, it would be "
            "another molecule"
        )


def _neutral_kekule_form(parent: Chem.Mol, keep_stereo: bool) -> Chem.Mol | None:
    """Neutralise where a proton on an aromatic atom would end what made the ring aromatic.

    Args:
        parent: The largest component, cleaned up, with its charges.
        keep_stereo: Whether stereo centres and double-bond geometry survive.

    Raises:
        ValueError: The clean-up left a ring without Kekulé form, or the neutral form breaks a
            valence.
    """
    mol = Chem.Mol(parent)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    mol = _UNCHARGER.uncharge(mol)
    Chem.SanitizeMol(mol)
    if not keep_stereo:
        Chem.RemoveStereochemistry(mol)
    return parse_smiles(str(Chem.MolToSmiles(mol)))


def _reason(log: rdBase.CaptureErrorLog) -> str:
    lines = [line.split("] ", 1)[-1].strip() for line in log.messages.splitlines()]
    return brief(next((line for line in lines if line), "no reason given"))


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
