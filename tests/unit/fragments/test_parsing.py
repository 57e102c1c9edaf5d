"""Molecules to trees and back."""

import csv
import random
from pathlib import Path

import pytest
from rdkit import Chem, RDConfig

from molgfn.chem.molecule import read_mol
from molgfn.errors import MoleculeError
from molgfn.fragments import parsing
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.mining import LibraryReport, read_library
from molgfn.fragments.parsing import Parser
from molgfn.fragments.symmetry import TreeSymmetry
from molgfn.fragments.tree import assemble
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.fragments.vocabulary_file import find_vocabulary, load_vocabulary


def parse(mol, words, max_fragments=9):
    return Parser(words).trees(mol, max_fragments)


def vocabulary(*fragments, pairs=None):
    return Vocabulary("test", tuple(Fragment.build(*f, close=True) for f in fragments), pairs)


C = ("C", {0: 4})
CC = ("CC", {0: 3, 1: 3})
BENZENE = ("c1ccccc1", {0: 1})
PYRAZOLE = ("c1cn[nH]c1", {0: 1, 1: 1, 3: 1, 4: 1})


@pytest.fixture(scope="module")
def default():
    return find_vocabulary("default")


def test_toluene_has_one_tree():
    words = vocabulary(BENZENE, C)
    (tree,) = parse(read_mol("Cc1ccccc1"), words)
    assert sorted(tree.fragments) == [0, 1]
    assert tree.parents == (-1, 0)
    assert Chem.MolToSmiles(assemble(tree, words)) == "Cc1ccccc1"


@pytest.mark.parametrize(
    ("smiles", "n_trees"),
    [
        ("C", 1),
        ("CC", 2),  # CC; C-C
        ("CCC", 2),  # C-C-C; CC-C
        ("CCCC", 4),  # four C; CC at the end; CC in the middle; CC-CC
        ("CC(C)C", 2),  # three equal ways to take CC are one state
        ("CO", 0),
    ],
)
def test_all_trees_of_small_alkanes(smiles, n_trees):
    words = vocabulary(C, CC)
    trees = parse(read_mol(smiles), words)
    assert len(trees) == n_trees
    assert all(Chem.MolToSmiles(assemble(tree, words)) == smiles for tree in trees)
    symmetry = TreeSymmetry(words)
    assert len({symmetry.key_and_order(tree)[0] for tree in trees}) == n_trees


def test_the_limit_on_fragments_counts():
    words = vocabulary(C, CC)
    assert len(parse(read_mol("CCCC"), words, max_fragments=3)) == 3
    assert len(parse(read_mol("CCCC"), words, max_fragments=2)) == 1
    assert parse(read_mol("CCCC"), words, max_fragments=1) == []


def test_capacities_are_respected():
    words = vocabulary(BENZENE, ("C", {0: 1}))
    assert len(parse(read_mol("Cc1ccccc1"), words)) == 1
    assert parse(read_mol("c1ccc(Cc2ccccc2)cc1"), words) == []


def test_pairs_are_respected():
    assert parse(read_mol("Cc1ccccc1"), vocabulary(BENZENE, C, pairs=frozenset({("C", "C")}))) == []
    assert parse(read_mol("Cc1ccccc1"), vocabulary(BENZENE, C, pairs=frozenset({("C", "c")})))


def test_some_root_must_let_all_others_in():
    # Methanol enters by its oxygen, ethane by any carbon: bonded at methanol's carbon, methanol
    # must be the root. Two such methanols bonded carbon to carbon cannot be built at all.
    words = vocabulary(("CO", {0: 3, 1: 1}, frozenset({1})), CC)
    (tree,) = parse(read_mol("CCCO"), words)
    assert words.fragments[tree.fragments[0]].smiles == "CO"
    assert parse(read_mol("OCCO"), vocabulary(("CO", {0: 3, 1: 1}, frozenset({1})))) == []


def test_the_hydrogen_of_pyrazole_is_where_it_is():
    words = vocabulary(PYRAZOLE, C)
    for smiles in ("Cn1cccn1", "Cc1ccn[nH]1", "Cc1cc[nH]n1", "Cc1cn[nH]c1"):
        (tree,) = parse(read_mol(smiles), words)
        assert Chem.CanonSmiles(Chem.MolToSmiles(assemble(tree, words))) == Chem.CanonSmiles(smiles)


@pytest.mark.parametrize("smiles", ["C.C", "C[NH3+]", "[13CH3]c1ccccc1", "C=C", "c1ccncc1"])
def test_what_the_vocabulary_cannot_make_has_no_tree(smiles):
    assert parse(read_mol(smiles), vocabulary(BENZENE, C, CC)) == []


def test_stereo_is_ignored():
    words = vocabulary(("CC(N)O", {1: 1}), BENZENE)
    assert len(parse(read_mol("C[C@@](N)(O)c1ccccc1"), words)) == 1


def test_too_many_ways_to_cut_is_an_error(monkeypatch):
    monkeypatch.setattr(parsing, "MAX_COVERS", 10)
    with pytest.raises(MoleculeError, match="too many ways"):
        parse(read_mol("CCCCCCCC"), vocabulary(C, CC))


def test_round_trip_of_screening_compounds(default):
    path = Path(RDConfig.RDDataDir) / "Pains" / "test_data" / "wehi_mols.csv"
    with path.open(newline="") as stream:
        rows = [row[0] for row in csv.reader(stream)]
    sample = random.Random(0).sample(rows, 500)
    parser = Parser(default)
    n_covered = 0
    for molecule in read_library(enumerate(sample), LibraryReport()):
        trees = parser.trees(molecule.mol)
        # The shipped vocabulary decodes uniquely.
        assert len(trees) <= 1
        for tree in trees:
            assert Chem.MolToSmiles(assemble(tree, default)) == molecule.smiles
            n_covered += 1
    assert n_covered > 150


def test_round_trip_of_molecules_from_the_published_blocks(shared_data):
    blocks = load_vocabulary(shared_data / "seh" / "blocks_PDB_105.json")
    parser = Parser(blocks)
    with (shared_data / "seh" / "proxy_reference.csv").open(newline="") as stream:
        molecules = [Chem.MolFromSmiles(row["smiles"]) for row in csv.DictReader(stream)]
    without = []
    for mol in molecules:
        Chem.RemoveStereochemistry(mol)
        trees = parser.trees(mol)
        for tree in trees:
            assert Chem.MolToSmiles(assemble(tree, blocks)) == Chem.MolToSmiles(mol)
        if not trees:
            without.append(Chem.MolToSmiles(mol))
    # Sulfur dioxide alone is the one molecule that is not its template O=[SH2]=O.
    assert set(without) <= {"O=S=O"}
