import math

import numpy as np
import pytest

from molgfn.active.answer import Answer
from molgfn.active.knowledge import (
    best_value,
    check_amounts,
    check_initial,
    learned,
    learned_name,
    training_data,
)
from molgfn.active.ledger import Planned
from molgfn.active.measurements import Measurement
from molgfn.chem.molecule import read_molecule
from molgfn.config.rounds_schema import OracleConfig, RoundsConfig
from molgfn.config.schema import Config
from molgfn.errors import ConfigError, TableError
from molgfn.tables.measured import Measured

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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"initial_size": 29}, "rounds.initial_size 29 gives the first round 29 measured"),
        ({"budget": 29}, "rounds.budget 29 gives the first round 29 measured"),
        ({"oracle": OracleConfig(scale="log10")}, "energies are below 0 and have no logarithm"),
    ],
)
def test_what_the_first_fit_cannot_learn_from_is_refused_before_it_is_paid(settings, message):
    with pytest.raises(ConfigError, match=message):
        check_amounts(RoundsConfig(**settings))


def test_an_initial_set_alone_may_be_small():
    check_amounts(RoundsConfig(rounds=0, initial_size=5))
    check_amounts(RoundsConfig(initial_size=30, budget=30))
    check_amounts(RoundsConfig(initial="known.csv", initial_size=1, budget=5))


def initial(n, value=float, relation="="):
    chains = [read_molecule("C" * (i + 1) + "O") for i in range(n)]
    return [
        Measurement(molecule, (Measured(value(i), relation),), (i,), is_correction=False)
        for i, molecule in enumerate(chains, start=1)
    ]


@pytest.mark.parametrize(
    ("measured", "scale", "message"),
    [
        (initial(29), "linear", "29 molecules have a measured value, a proxy needs at least 30"),
        (initial(40, lambda _: 5.3), "linear", "40 of 40 molecules have the value 5.3"),
        (initial(40, relation=">"), "linear", "0 of 40 values are measured, the others are bounds"),
    ],
)
def test_measurements_that_no_proxy_can_learn_from_are_refused_at_the_beginning(
    measured, scale, message
):
    rounds = RoundsConfig(initial="known.csv", oracle=OracleConfig(scale=scale))
    with pytest.raises(TableError, match=f"rounds.initial known.csv.*{message}"):
        check_initial(measured, Config(rounds=rounds))
    check_initial(initial(30), Config(rounds=rounds))
