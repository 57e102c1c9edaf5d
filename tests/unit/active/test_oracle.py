import math
import re
import sys

import counting_oracle
import numpy as np
import pytest

from molgfn.active.oracle import OracleSpec, measure, open_oracle
from molgfn.chem.molecule import read_molecule
from molgfn.chem.properties.by_name import PROPERTIES
from molgfn.config.rounds_schema import OracleConfig
from molgfn.errors import ConfigError, MissingPackageError, ScorerError, TargetError


@pytest.fixture(autouse=True)
def fresh():
    open_oracle.cache_clear()


def values(spec, *smiles):
    return [answer.value for answer in measure(spec.to_json(), smiles)]


class TwoColumns:
    columns = ("a", "b")

    def __call__(self, molecules):
        raise KeyError("of its own")


@pytest.fixture
def two_columns(monkeypatch):
    monkeypatch.setattr(counting_oracle, "two_columns", TwoColumns(), raising=False)
    return "counting_oracle:two_columns"


@pytest.mark.parametrize(
    ("config", "column"),
    [
        (OracleConfig(), "PARP1_docked_kcal_mol"),
        (OracleConfig(target="kit"), "KIT_docked_kcal_mol"),
        (OracleConfig(column="dG"), "dG"),
        (OracleConfig("QED"), "QED"),
        (OracleConfig(" QED ", column="quality"), "quality"),
        (OracleConfig("noisy: QED 0.05"), "noisy_QED"),
        (OracleConfig("counting_oracle:score"), "counting_oracle:score"),
        (OracleConfig("counting_oracle:score", column="pIC50"), "pIC50"),
        (OracleConfig("command: cat", column="pIC50"), "pIC50"),
    ],
)
def test_the_column_of_values_and_the_way_through_json(config, column):
    spec = OracleSpec.of(config)
    assert spec.column == column
    assert OracleSpec.from_json(spec.to_json()) == spec


def test_it_describes_itself():
    about = "AutoDock Vina on PARP1, 16 x 25000 evaluations, 1 conformer, seed 1"
    assert OracleSpec.of(OracleConfig(target="parp1")).describe() == about
    assert OracleSpec.of(OracleConfig("noisy: QED 0.05")).describe() == "noisy: QED 0.05"


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (
            OracleConfig("QEDD"),
            ConfigError,
            "rounds.oracle.scorer: unknown scorer 'QEDD'.*mean QED?",
        ),
        (OracleConfig("nothing:here"), ConfigError, "rounds.oracle.scorer: cannot import"),
        (OracleConfig("proxy"), ConfigError, "rounds.oracle.scorer: a proxy learns from"),
        (OracleConfig("command: "), ConfigError, "rounds.oracle.scorer: the program is missing"),
        (OracleConfig(target="PARP"), TargetError, "no target 'PARP'.*mean PARP1?"),
        (OracleConfig(preset="slow"), ConfigError, "rounds.oracle.preset must be one of fast, de"),
        (OracleConfig("QED", column="Score"), ConfigError, "rounds.oracle.column.*'Score'"),
        (OracleConfig("noisy: QED"), ConfigError, "such as noisy: QED 0.05, got 'noisy: QED'"),
        (OracleConfig("noisy: QED -1"), ConfigError, "standard deviation"),
        (OracleConfig("noisy: QED x"), ConfigError, "standard deviation"),
        (OracleConfig("noisy: QDE 1"), ConfigError, "no property 'QDE'.*mean QED?"),
        (OracleConfig("lab", column="pIC50"), ValueError, "tables"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(config, error, message):
    with pytest.raises(error, match=message):
        OracleSpec.of(config)


def test_docking_without_its_packages_is_refused_at_once(monkeypatch):
    packages = ("vina", "no_such_package")
    monkeypatch.setattr("molgfn.reward.docking.packages.ENGINE_PACKAGES", packages)
    with pytest.raises(MissingPackageError, match=r"no_such_package; .*molgfn\[dock\]"):
        OracleSpec.of(OracleConfig())


def test_a_scorer_with_several_columns_needs_one_of_them(two_columns):
    with pytest.raises(ConfigError, match="has no column 'c', only a, b"):
        OracleSpec.of(OracleConfig(two_columns, column="c"))
    assert OracleSpec.of(OracleConfig(two_columns, column="b")).value_column == "b"


def test_what_a_scorer_raises_breaks_the_oracle(two_columns):
    spec = OracleSpec.of(OracleConfig(two_columns, column="b"))
    with pytest.raises(ScorerError, match="two_columns' raised KeyError: 'of its own'"):
        measure(spec.to_json(), ["CC"])


def test_a_property_is_measured_and_bad_smiles_fail_alone():
    spec = OracleSpec.of(OracleConfig("MW"))
    good, bad, other = measure(spec.to_json(), ["O", "C1CC", "C"])
    assert (good.value, other.value) == (pytest.approx(18.015), pytest.approx(16.043))
    assert (bad.status, bad.is_breakdown) == ("failed", False)
    assert "RDKit cannot read 'C1CC'" in bad.reason
    assert measure(spec.to_json(), ["C1CC"]) != []


@pytest.mark.skipif(sys.platform == "win32", reason="needs sh")
def test_a_program_is_asked_for_the_column_that_is_named(tmp_path):
    program = tmp_path / "score.sh"
    program.write_text("#!/bin/sh\necho SMILES,n,pIC50,reason\nread s\necho $s,1,6.5,\n")
    program.chmod(0o755)
    assert values(OracleSpec.of(OracleConfig(f"command: {program}")), "CC") == [1.0]
    named = OracleSpec.of(OracleConfig(f"command: {program}", column="pIC50"))
    assert values(named, "CC") == [6.5]
    other = OracleSpec.of(OracleConfig(f"command: {program}", column="dG"))
    with pytest.raises(ScorerError, match="wrote no column 'dG', only SMILES, n, pIC50, reason"):
        values(other, "CC")


def test_noise_belongs_to_the_molecule():
    smiles = [
        f"{'C' * n}{end}" for n in range(1, 31) for end in ("O", "N", "S", "F", "Cl", "Br", "I")
    ]
    exact = np.array([PROPERTIES["QED"](read_molecule(s).mol) for s in smiles])
    found = np.array(values(OracleSpec.of(OracleConfig("noisy: QED 0.05")), *smiles))
    alone = values(OracleSpec.of(OracleConfig("noisy: QED 0.05")), smiles[7])
    assert alone == [found[7]]
    noise = (found - exact) / 0.05
    assert abs(noise.mean()) < 4 / math.sqrt(len(noise))
    assert abs(noise.std() - 1) < 4 / math.sqrt(2 * len(noise))
    double = np.array(values(OracleSpec.of(OracleConfig("noisy: QED 0.1")), *smiles))
    assert np.allclose(double - exact, 2 * (found - exact))


@pytest.mark.parametrize(
    ("scale", "came", "reason"),
    [
        ("linear", float("inf"), "gave inf"),
        ("linear", None, "gave no number"),
        ("linear", -2e15, "-2e.15 is beyond 1e.15; use a larger unit"),
        ("log10", 0.0, "0 has no logarithm"),
        ("log10", -3, "-3 has no logarithm"),
    ],
)
def test_a_value_nobody_can_learn_from_is_a_failure_of_its_molecule(
    monkeypatch, scale, came, reason
):
    monkeypatch.setattr(counting_oracle, "odd", lambda smiles: [5.0, came], raising=False)
    spec = OracleSpec.of(OracleConfig("counting_oracle:odd", column="IC50", scale=scale))
    good, failed = measure(spec.to_json(), ["CC", "CCO"])
    assert (good.value, good.status) == (5.0, "ok")
    assert (failed.status, failed.is_breakdown) == ("failed", False)
    assert re.search(reason, failed.reason)


@pytest.mark.parametrize("returned", [[1.0], ["1", "2"], {"CC": 1}, None])
def test_wrong_numbers_break_the_oracle_and_are_named(monkeypatch, returned):
    monkeypatch.setattr(counting_oracle, "odd", lambda smiles: returned, raising=False)
    spec = OracleSpec.of(OracleConfig("counting_oracle:odd"))
    with pytest.raises(ScorerError, match="scorer 'counting_oracle:odd' returned"):
        measure(spec.to_json(), ["CC", "CCO"])
