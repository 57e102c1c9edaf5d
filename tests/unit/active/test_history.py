"""One rule for repeats, within a file and between files."""

import itertools
from dataclasses import replace

import pytest

from molgfn.active.history import Repeat, history_json, history_of, standing, with_measurement
from molgfn.active.ledger import Row
from molgfn.active.measurements import Measurement
from molgfn.chem.molecule import read_molecule
from molgfn.tables.measured import Measured

MOLECULE = read_molecule("CCO")
UNANSWERED = Row(
    *("01-0001", 1, "CCO", MOLECULE.inchikey, "me", True, 0, "", ""),
    *(float("nan"), "=", "", "", 0.0, 0),
)


def came(*values, corrects=False):
    repeats = tuple(v if isinstance(v, Measured) else Measured(v) for v in values)
    return Measurement(MOLECULE, repeats, tuple(range(1, len(repeats) + 1)), corrects)


def values(*files):
    """What counts after these files, each read back from the ledger before the next."""
    row = UNANSWERED
    for file in files:
        row = replace(row, repeats=history_json(with_measurement(history_of(row), file)))
    return sorted(one.value for one in standing(history_of(row)))


def test_a_second_file_adds_its_repeats_as_a_file_adds_its_rows():
    assert values(came(1.0, 12.0)) == values(came(1.0), came(12.0)) == [1.0, 12.0]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_files_does_not_matter(order):
    files = [came(1.0, 1.0), came(2.0), came(3.0, 2.0)]
    assert values(*(files[place] for place in order)) == [1.0, 1.0, 2.0, 3.0]


def test_what_comes_again_is_known():
    grown = came(1.0, 12.0, 12.0, Measured(5.0, "<"), Measured(float("nan"), reason="no"))
    once = values(grown)
    assert len(once) == 5
    assert str(values(grown, grown, came(12.0))) == str(once)
    # Another unit may have cost the last digit.
    assert values(came(0.1234), came(123.4 * 1e-3 + 1e-17)) == [0.1234]


def test_a_correction_takes_the_place_of_all_before_it_whatever_comes_again():
    first, second = came(1.0, 12.0), came(2.0, corrects=True)
    assert values(first, second) == values(first, second, second) == [2.0]
    assert values(first, second, first) == [2.0]
    assert values(first, second, came(3.0)) == [2.0, 3.0]
    assert values(first, second, came(1.0, corrects=True)) == [1.0]


def test_the_history_in_a_ledger_of_before_is_its_answer():
    row = replace(UNANSWERED, finished="then", status="ok", value=2.0, relation=">", n_repeats=2)
    assert history_of(row) == [Repeat(Measured(2.0, ">"))] * 2
    assert history_of(UNANSWERED) == []
