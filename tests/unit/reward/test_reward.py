import importlib.metadata
import shlex
import sys
from dataclasses import replace

import numpy as np
import pytest

from molgfn.chem.molecule import Molecule, read_molecule
from molgfn.config.resources import shipped_path
from molgfn.config.reward_schema import AcquisitionConfig, FactorConfig, GuardConfig, RewardConfig
from molgfn.errors import ConfigError, ScorerError
from molgfn.reward.protocol import Scorer, Scores, Uncertainty
from molgfn.reward.proxy.dataset import read_dataset
from molgfn.reward.proxy.store import save_proxy
from molgfn.reward.reward import build_reward

MOLECULES = [read_molecule(smiles) for smiles in ("CC(=O)Oc1ccccc1C(=O)O", "CCO", "c1ccncc1")]


def lengths(smiles):
    """A user's scorer: the length of the SMILES, nothing for ethanol."""
    return [None if s == "CCO" else len(s) / 100 for s in smiles]


def broken(smiles):
    raise RuntimeError("no licence")


def short(smiles):
    return [1.0]


class Counting:
    columns = ("count",)
    calls = 0

    def __call__(self, molecules):
        Counting.calls += 1
        return Scores({"count": np.full(len(molecules), 0.5)}, ("",) * len(molecules))


class Uncertain(Scorer):
    """Predicts 0.4 with a standard deviation of 0.1; its three members differ."""

    columns = ("guess", "guess_std", "first", "second", "third")
    uncertainty = Uncertainty("guess_std", columns[2:], 1.0)
    needs_molecules = False

    def __call__(self, molecules):
        values = (0.4, 0.1, 0.3, 0.4, 0.5)
        columns = {n: np.full(len(molecules), v) for n, v in zip(self.columns, values, strict=True)}
        return Scores(columns, ("",) * len(molecules))


class Ragged:
    columns = ("ragged",)

    def __call__(self, molecules):
        return Scores({"ragged": np.zeros(1)}, ("",) * len(molecules))


NOT_A_SCORER = 7


def reward_of(*factors, **options):
    return build_reward(RewardConfig(factors=factors, **options))


def test_no_bit_of_a_score_depends_on_the_other_molecules_of_the_batch():
    """The training cuts its batches as its workers need it."""
    path = shipped_path("data", "parp1", "docked.csv")
    shipped = read_dataset(path, None, "PARP1_kcal_mol").molecules[::20]

    def table(size):
        reward = build_reward(RewardConfig())
        fresh = [Molecule(molecule.mol, molecule.text) for molecule in shipped]
        parts = [reward(fresh[start : start + size]) for start in range(0, len(fresh), size)]
        columns = [[part.log_score, *part.columns.values()] for part in parts]
        return np.concatenate([np.stack(part) for part in columns], axis=1)

    assert len(shipped) > 200
    whole = table(len(shipped))
    assert np.isfinite(whole).all()
    for size in (1, 7, 64):
        assert np.array_equal(table(size), whole)


def test_the_score_is_the_product_of_the_factors_to_their_weights():
    reward = reward_of(
        FactorConfig("QED", "identity", weight=2.0),
        FactorConfig("heavy_atoms", "window", low=1.0, high=6.0, softness=1.0),
    )
    table = reward(MOLECULES[1:])
    qed = table.columns["QED"]
    assert table.score == pytest.approx(qed**2)
    assert table.log_score == pytest.approx(2 * np.log(qed))
    assert table.status == ("ok", "ok")
    assert reward.columns == ("QED", "heavy_atoms")
    assert reward.value_column is None


def test_a_failed_factor_means_no_reward_and_a_reason_with_its_name():
    own = f"{__name__}:lengths"
    table = reward_of(FactorConfig("QED", "identity"), FactorConfig(own, "identity", name="mine"))(
        MOLECULES
    )
    assert np.isnan(table.score).tolist() == [False, True, False]
    assert np.isnan(table.log_score).tolist() == [False, True, False]
    assert table.status == ("ok", "failed", "ok")
    assert table.reasons == ("", "mine: mine gave no number", "")
    assert np.isnan(table.columns["mine"][1])
    assert np.isfinite(table.columns["QED"]).all()


def test_a_bad_molecule_gets_the_floor_and_a_finite_logarithm():
    factor = FactorConfig("heavy_atoms", "window", low=500.0, high=600.0, softness=1.0)
    table = reward_of(factor, floor=0.01)(MOLECULES)
    assert table.score == pytest.approx([0.01] * 3)
    assert table.status == ("ok",) * 3


def test_two_factors_of_one_scorer_call_it_once():
    own = f"{__name__}:Counting"
    reward = reward_of(
        FactorConfig(own, "identity", name="a"),
        FactorConfig(own, "window", low=0.0, high=1.0, softness=1.0, name="b"),
    )
    Counting.calls = 0
    table = reward(MOLECULES)
    assert Counting.calls == 1
    assert table.score == pytest.approx([0.5] * 3)
    assert set(table.factors) == {"a", "b"}


@pytest.mark.parametrize(
    ("acquisition", "expected"),
    [
        (AcquisitionConfig(), [0.4]),
        (AcquisitionConfig("ucb", exploration=2.0), [0.6]),
        (AcquisitionConfig("thompson"), [0.3, 0.4, 0.5]),
        (AcquisitionConfig("log_ei", best=-9.0), [0.4]),  # the best is in the proxy's unit
    ],
)
def test_a_scorer_that_tells_its_uncertainty_is_read_under_the_acquisition(acquisition, expected):
    own = f"{__name__}:Uncertain"
    factors = [FactorConfig(own, "identity", name="mine")]
    if acquisition.kind == "log_ei":
        factors.append(FactorConfig("proxy", "sigmoid", "minimise", low=-12.0, high=-8.0))
    reward = build_reward(
        RewardConfig(factors=tuple(factors), acquisition=acquisition), with_similarity=False
    )
    assert np.exp(reward(MOLECULES).log_parts[:, 0, 0]) == pytest.approx(expected)
    assert not reward.needs_molecules


def test_a_scorer_that_tells_nothing_more_is_exact_and_reads_molecules():
    own = FactorConfig(f"{__name__}:Counting", "identity")
    reward = reward_of(own, acquisition=AcquisitionConfig("ucb"))
    assert reward(MOLECULES).score == pytest.approx([0.5] * 3)
    assert reward.needs_molecules
    corrected = FactorConfig(f"{__name__}:Counting", "size_corrected", low=0.0, high=1.0)
    with pytest.raises(ConfigError, match="needs the scorer proxy"):
        reward_of(corrected)(MOLECULES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", "scorer 'mine' raised RuntimeError: no licence"),
        ("short", "scorer 'mine' returned 1 numbers for 3 molecules"),
        ("Ragged", "scorer 'mine' returned .* for 3 molecules"),
    ],
)
def test_a_users_scorer_that_breaks_is_named(name, message):
    reward = reward_of(FactorConfig(f"{__name__}:{name}", "identity", name="mine"))
    with pytest.raises(ScorerError, match=message):
        reward(MOLECULES)


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        ("QEDD", "unknown scorer 'QEDD'.*did you mean QED"),
        ("no_such_module:f", "cannot import the scorer 'no_such_module:f'"),
        (f"{__name__}:no_such_function", "cannot import the scorer"),
        (f"{__name__}:NOT_A_SCORER", "the scorer is a int"),
    ],
)
def test_a_scorer_that_does_not_exist_is_named(scorer, message):
    with pytest.raises(ConfigError, match=message):
        reward_of(FactorConfig(scorer, "identity"))


def test_a_package_offers_a_scorer_by_an_entry_point(monkeypatch):
    entry = importlib.metadata.EntryPoint("fancy", f"{__name__}:lengths", "molgfn.scorers")
    offered = importlib.metadata.EntryPoints([entry])
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: offered)
    table = reward_of(FactorConfig("fancy", "identity"))(MOLECULES[2:])
    assert table.score == pytest.approx([0.08])  # c1ccncc1


def test_a_command_is_a_factor_like_any_other(tmp_path):
    path = tmp_path / "score.py"
    path.write_text("import sys\nprint('x')\nfor line in sys.stdin: print(0.25)\n")
    command = f"command: {shlex.join([sys.executable, str(path)])}"
    table = reward_of(FactorConfig(command, "identity", weight=0.5, name="mine"))(MOLECULES)
    assert table.score == pytest.approx([0.5] * 3)
    assert table.columns["mine"].tolist() == [0.25] * 3


def test_no_molecules_give_an_empty_table():
    table = build_reward(RewardConfig())([])
    assert table.score.shape == (0,)
    assert table.status == ()


def test_what_only_a_table_needs_can_be_left_out():
    full, lean = build_reward(RewardConfig()), build_reward(RewardConfig(), with_similarity=False)
    assert set(full.columns) - set(lean.columns) == {"nearest_train_similarity"}
    assert lean(MOLECULES).score.tolist() == full(MOLECULES).score.tolist()
    gated = RewardConfig(guard=GuardConfig(min_similarity=0.5))
    assert "nearest_train_similarity" in build_reward(gated, with_similarity=False).columns


def test_the_default_reward_scores_with_the_shipped_proxy():
    reward = build_reward(RewardConfig())
    table = reward(MOLECULES)
    assert reward.value_column == "PARP1_kcal_mol"
    assert reward.columns[:3] == (
        "PARP1_kcal_mol",
        "PARP1_kcal_mol_std",
        "nearest_train_similarity",
    )
    assert set(table.columns) == set(reward.columns)
    assert ((table.score > 0) & (table.score <= 1)).all()
    assert (table.columns["PARP1_kcal_mol"] < 0).all()


def test_a_proxy_is_not_loaded_where_no_factor_needs_it():
    reward = reward_of(FactorConfig("QED", "identity"), proxy="nowhere")
    assert reward.proxy is None
    with pytest.raises(ConfigError, match="neither a directory nor a shipped proxy"):
        reward_of(FactorConfig("proxy", "sigmoid", low=0.0, high=1.0), proxy="nowhere")


def test_default_factors_refuse_a_proxy_of_another_unit(proxy, dataset, tmp_path):
    """The defaults minimise kcal/mol; a pIC50 read by them would be minimised in silence."""
    for unit, directory in (("kcal_mol", tmp_path / "energy"), ("", tmp_path / "assay")):
        save_proxy(replace(proxy, target="pIC50", unit=unit), dataset, directory)
    assert build_reward(RewardConfig(proxy=str(tmp_path / "energy"))).proxy is not None
    assay = str(tmp_path / "assay")
    with pytest.raises(ConfigError, match="predicts pIC50, but the default factors"):
        build_reward(RewardConfig(proxy=assay))
    own = FactorConfig("proxy", "sigmoid", low=6.0, high=9.0)
    assert build_reward(RewardConfig(proxy=assay, factors=(own,))).value_column == "pIC50"
