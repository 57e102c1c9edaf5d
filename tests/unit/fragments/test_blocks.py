"""The block file of the 2021 paper."""

import json

import pytest

from molgfn.errors import VocabularyError
from molgfn.fragments.blocks import read_blocks
from molgfn.fragments.lint import lint
from molgfn.fragments.vocabulary_file import load_vocabulary


def block_file(*rows):
    return json.dumps(
        {
            "block_name": {str(i): s for i, (s, _) in enumerate(rows)},
            "block_smi": {str(i): s for i, (s, _) in enumerate(rows)},
            "block_r": {str(i): r for i, (_, r) in enumerate(rows)},
        }
    )


def test_rows_of_one_molecule_are_merged():
    vocabulary = read_blocks(block_file(("CO", [0, 1]), ("F", [0]), ("CO", [1, 0, 0, 0])), "b")
    assert [f.smiles for f in vocabulary.fragments] == ["CO", "F"]
    methanol = vocabulary.fragments[0]
    assert dict(methanol.capacities) == {0: 3, 1: 1}
    assert methanol.entries == frozenset({0, 1})
    assert vocabulary.pairs is None
    assert vocabulary.provenance["closed"] == []


def test_only_first_atoms_are_entries():
    (blocks,) = read_blocks(block_file(("CO", [1, 0])), "b").fragments
    assert blocks.entries == frozenset({1})
    assert blocks.entry_sites == (1,)


def test_sites_are_closed_and_what_was_added_is_said():
    vocabulary = read_blocks(block_file(("C1CCNCC1", [1, 0, 3])), "b")
    (piperidine,) = vocabulary.fragments
    assert piperidine.n_sites == 4
    assert vocabulary.provenance["closed"] == ["C1CCNCC1: sites +1, bonds +1, entries +1"]


def test_a_block_without_hydrogen_bonds_at_its_next_valence():
    vocabulary = read_blocks(block_file(("O=S=O", [1]), ("O=PO", [1])), "b")
    assert [f.smiles for f in vocabulary.fragments] == ["O=[SH2]=O", "O=[PH2]O"]
    assert [list(f.capacities.values()) for f in vocabulary.fragments] == [[1], [1]]


def test_stereo_is_dropped_and_what_was_dropped_is_said():
    rows = ("C[C@H](N)O", [2, 3]), ("C[C@@H](N)O", [3, 2])
    vocabulary = read_blocks(block_file(*rows), "b")
    (aminal,) = vocabulary.fragments
    assert (aminal.smiles, aminal.n_sites, len(aminal.entries)) == ("CC(N)O", 2, 2)
    assert vocabulary.provenance["flattened"] == ["C[C@H](N)O", "C[C@@H](N)O"]
    assert any("lost their stereo: C[C@H](N)O" in line for line in lint(vocabulary).warnings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a block file"),
        ("[]", "not a block file"),
        ('{"block_smi": {}}', "not a block file"),
        (json.dumps({"block_smi": {}, "block_r": {}}), "equal length"),
        (json.dumps({"block_smi": {"0": "C"}, "block_r": {}}), "equal length"),
        (block_file(("C", [])), "block 1: expected"),
        (block_file(("C", 3)), "block 1: expected"),
        (block_file(("C", [4])), "block C: site 4 of C is no atom"),
        (block_file(("F", [0, 0])), "block F: site 0 of F has capacity 2"),
        (block_file(("C(", [0])), "RDKit cannot read"),
    ],
)
def test_wrong_files_are_refused(text, message):
    with pytest.raises(VocabularyError, match=message):
        read_blocks(text, "b")


def test_the_published_file(shared_data):
    vocabulary = load_vocabulary(shared_data / "seh" / "blocks_PDB_105.json")
    assert len(vocabulary) == 72
    assert len(vocabulary.provenance["closed"]) == 19
    by_smiles = {f.smiles: f for f in vocabulary.fragments}
    assert by_smiles["C1CCNCC1"].n_sites == 4
    assert by_smiles["CO"].capacities == {0: 3, 1: 1}
