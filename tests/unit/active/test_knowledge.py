import math

import numpy as np
import pytest

from molgfn.active.answer import Answer
from molgfn.active.knowledge import best_value, learned, learned_name, training_data
from molgfn.active.ledger import Planned
from molgfn.chem.molecule import read_molecule
from molgfn.config.rounds_schema import OracleConfig
from molgfn.errors import TableError

LINEAR, LOG = OracleConfig(), OracleConfig(scale="log10")


@pytest.mark.parametrize(
    ("column", "oracle", "expected"),
    [
        ("PARP1_docked_kcal_mol", LINEAR, ("PARP1", "kcal_mol")),
        ("dG_kcal_mol", LINEAR, ("dG_predicted", "kcal_mol")),
        ("pIC50", LINEAR, ("pIC50_predicted", "")),
        ("IC50", LOG, ("log10_IC50", "")),
    ],
)
def test_a_prediction_is_never_called_like_a_measurement(column, oracle, expected):
    assert learned_name(column, oracle) == expected
    assert column != "_".join(filter(None, expected))


def test_concentrations_are_learned_as_logarithms():
    values = np.array([0.1, 10.0])
    assert learned(values, LOG) == pytest.approx([-1.0, 1.0])
    assert learned(values, LINEAR) is values


@pytest.fixture
def filled(ledger):
    """36 molecules: five failed, one is a bound, one has no answer."""
    planned = []
    for n in range(36):
        molecule = read_molecule("C" * (n + 1) + "O")
        planned.append(Planned(f"00-{n:04d}", 0, molecule.smiles, molecule.inchikey))
    ledger.plan(planned, "test")
    for n, one in enumerate(planned[:35]):
        answer = Answer(n + 1.0, "ok", "", 0.0, ">" if n == 30 else "=")
        ledger.finish(one.entry, Answer.failed("no luck") if n < 5 else answer)
    return ledger


def test_failures_are_left_out_and_bounds_are_marked(filled):
    data = training_data(filled.rows(), LINEAR)
    assert len(data.molecules) == 30
    assert data.targets.tolist() == [float(n + 1) for n in range(5, 35)]
    assert np.flatnonzero(data.bound_signs).tolist() == [25]
    assert data.bound_signs[25] == 1
    assert best_value(data, "minimise") == 6.0
    assert best_value(data, "maximise") == 35.0
    assert math.isnan(best_value(data.part(np.array([25])), "minimise"))


def test_too_few_values_say_why(filled):
    with pytest.raises(TableError, match="10 molecules have .* at least 30; .* no luck"):
        training_data(filled.rows()[:15], LINEAR)


def test_a_value_without_logarithm_is_named(filled):
    filled.amend("00-0007", Answer(0.0, "ok", "", 0.0))
    with pytest.raises(TableError, match="entry 00-0007, CCCCCCCCO: 0 has no logarithm"):
        training_data(filled.rows(), LOG)
