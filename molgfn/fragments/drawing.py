"""A sheet of the fragments of a vocabulary, their sites in colour."""

from __future__ import annotations

from rdkit import Chem
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary

#: Colour of a site by its capacity; three and more share the last.
_COLOURS = {1: (0.65, 0.85, 1.0), 2: (0.7, 0.93, 0.65), 3: (1.0, 0.85, 0.5)}

_CELL_WIDTH, _CELL_HEIGHT = 180, 160


def draw_svg(vocabulary: Vocabulary, columns: int = 10) -> str:
    """Draw all fragments as SVG.

    A site is a coloured atom; its capacity stands beside it when it is more than 1. Atoms by
    which a fragment cannot be attached, where entries are restricted, are marked with ``-``.
    """
    drawer = rdMolDraw2D.MolDraw2DSVG(*_size(vocabulary, columns))
    _draw(drawer, vocabulary)
    return str(drawer.GetDrawingText())


def draw_png(vocabulary: Vocabulary, columns: int = 10) -> bytes:
    """Draw all fragments as PNG; see :func:`draw_svg`."""
    drawer = rdMolDraw2D.MolDraw2DCairo(*_size(vocabulary, columns))
    _draw(drawer, vocabulary)
    return bytes(drawer.GetDrawingText())


def _size(vocabulary: Vocabulary, columns: int) -> tuple[int, int, int, int]:
    columns = min(columns, len(vocabulary))
    rows = -(-len(vocabulary) // columns)
    return columns * _CELL_WIDTH, rows * _CELL_HEIGHT, _CELL_WIDTH, _CELL_HEIGHT


def _draw(drawer: rdMolDraw2D.MolDraw2D, vocabulary: Vocabulary) -> None:
    options = drawer.drawOptions()
    options.legendFontSize = 14
    options.fixedBondLength = 28
    options.annotationFontScale = 0.8
    fragments = vocabulary.fragments
    drawer.DrawMolecules(
        [_annotated(fragment) for fragment in fragments],
        legends=[
            f"{number}" + (f" · seen {fragment.count}" if fragment.count else "")
            for number, fragment in enumerate(fragments)
        ],
        highlightAtoms=[list(fragment.site_atoms) for fragment in fragments],
        highlightAtomColors=[
            {atom: _COLOURS[min(n, 3)] for atom, n in fragment.capacities.items()}
            for fragment in fragments
        ],
        highlightBonds=[[] for _ in fragments],
    )
    drawer.FinishDrawing()


def _annotated(fragment: Fragment) -> Chem.Mol:
    mol = Chem.Mol(fragment.mol)
    rdDepictor.Compute2DCoords(mol)
    for index, capacity in fragment.capacities.items():
        note = ("" if capacity == 1 else str(capacity)) + ("" if index in fragment.entries else "-")
        if note:
            mol.GetAtomWithIdx(index).SetProp("atomNote", note)
    return rdMolDraw2D.PrepareMolForDrawing(mol, addChiralHs=False)
