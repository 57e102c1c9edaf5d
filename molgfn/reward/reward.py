"""The reward of a molecule: the product of its factors, each raised to its weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule
from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.config.reward_schema import DEFAULT_FACTORS, GATE, FactorConfig, RewardConfig
from molgfn.errors import ConfigError
from molgfn.reward.acquisition import Acquisition, Prediction, find_acquisition, log_parts
from molgfn.reward.guard import applicability
from molgfn.reward.objectives import Objective, group_factors
from molgfn.reward.protocol import Scorer, Scores, check_columns
from molgfn.reward.proxy.proxy import Proxy
from molgfn.reward.proxy.store import load_proxy
from molgfn.reward.scorers import ProxyScorer, are_built_in, find_scorer
from molgfn.reward.table import RewardTable
from molgfn.reward.transforms import transform
from molgfn.tables.columns import KCAL_MOL, SIMILARITY_COLUMN


@dataclass(frozen=True)
class Reward:
    """A reward function; made by :func:`build_reward`.

    Attributes:
        config: What it was made from.
        acquisition: What factors make of an uncertain prediction.
        factors: The factors under its acquisition.
        scorers: Scorer of each factor, in order; factors of one scorer share the object.
        objectives: Groups of the factors; one of all unless :func:`build_reward` was given others.
        proxy: The proxy, where a factor uses it.
    """

    config: RewardConfig
    acquisition: Acquisition
    factors: tuple[FactorConfig, ...]
    scorers: tuple[Scorer, ...]
    objectives: tuple[Objective, ...]
    proxy: Proxy | None

    @property
    def member_power(self) -> float:
        """Exponent of the mean over the members of the ensemble."""
        return self.config.acquisition.power

    @property
    def value_column(self) -> str | None:
        """Column of the proxy's prediction, such as ``PARP1_kcal_mol``; None without a proxy."""
        return None if self.proxy is None else self.proxy.value_column

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns in every table, without repetition."""
        names = [name for scorer in self.scorers for name in scorer.columns]
        return tuple(dict.fromkeys(names))

    @property
    def needs_molecules(self) -> bool:
        """Whether any scorer reads more of a molecule than its graph."""
        return any(scorer.needs_molecules for scorer in self.scorers)

    def __call__(self, molecules: Sequence[Molecule]) -> RewardTable:
        """Score molecules; each scorer is called once.

        Returns:
            Their rewards, in the order of the molecules.

        Raises:
            ScorerError: A scorer broke as a whole.
        """
        molecules = MoleculeBatch.of(molecules)  # what the scorers share is computed once
        n_molecules, guard = len(molecules), self.config.guard
        sizes = np.array([m.n_heavy_atoms for m in molecules], dtype=np.float64)
        known: dict[int, Scores] = {}
        columns: dict[str, NDArray[np.float64]] = {}
        parts: list[NDArray[np.float64]] = []
        reasons = [""] * n_molecules
        for factor, scorer in zip(self.factors, self.scorers, strict=True):
            if id(scorer) not in known:
                known[id(scorer)] = scorer(molecules)
                columns.update(known[id(scorer)].values)
            scores = known[id(scorer)]
            parts.append(self._log_part(factor, scorer, scores, sizes))
            for index in np.flatnonzero(np.isnan(parts[-1]).any(axis=0)).tolist():
                if not reasons[index]:
                    given = scores.reasons[index]
                    reasons[index] = f"{factor.label}: {given if given else 'no value'}"
        labels = [factor.label for factor in self.factors]
        weights = [factor.weight for factor in self.factors]
        if guard.min_similarity > 0.0 and self.proxy is not None:
            gate = np.maximum(applicability(columns[SIMILARITY_COLUMN], guard), self.config.floor)
            parts.append(np.log(gate)[None])
            labels.append(GATE)
            weights.append(1.0)
        return RewardTable(
            log_parts=np.stack(np.broadcast_arrays(*parts), axis=-1),
            labels=tuple(labels),
            weights=np.array(weights),
            objectives=self.objectives,
            member_power=self.member_power,
            columns=columns,
            reasons=tuple(reasons),
        )

    def _log_part(
        self, factor: FactorConfig, scorer: Scorer, scores: Scores, sizes: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Logarithm of a factor's part by each opinion of it, shape ``(M, n)`` or ``(1, n)``."""

        def to_part(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return transform(factor, values, sizes, scorer.size, self.config.floor)

        columns, known = scores.values, scorer.uncertainty
        value = columns[scorer.columns[0]]
        if known is None:
            return log_parts([value], to_part)
        members = tuple(columns[name] for name in known.members)
        prediction = Prediction(value, columns[known.std], members, known.spread)
        return self.acquisition.log_parts(factor, prediction, to_part)


def build_reward(
    config: RewardConfig,
    *,
    with_similarity: bool = True,
    objectives: Mapping[str, Sequence[str]] | None = None,
) -> Reward:
    """Make the reward function that a config describes.

    Args:
        config: Proxy and factors.
        with_similarity: Whether tables tell how near a molecule is to the proxy's training set,
            even where no guard asks for it.
        objectives: Labels of the factors of each objective by its name; default: one of all.

    Raises:
        ConfigError: A scorer or the proxy does not exist, the default factors, which are made
            for docking energies, would read a proxy of another unit, or a factor is not in exactly
            one objective.
        CheckpointError: The proxy cannot be read.
    """
    acquisition = find_acquisition(config)
    factors = acquisition.factors

    @cache
    def proxy_scorer() -> ProxyScorer:
        scorer = ProxyScorer(
            load_proxy(config.proxy),
            with_members=acquisition.needs_members,
            with_similarity=with_similarity or config.guard.min_similarity > 0.0,
        )
        cure = "fit the proxy again with another --target-name"
        check_columns(scorer.columns[:2], f"reward.proxy {config.proxy}", cure)
        _check_unit(config, scorer.proxy)
        return scorer

    scorers: dict[tuple[str, str | None, float], Scorer] = {}
    chosen = []
    for factor in factors:
        key = (factor.scorer, factor.column, factor.timeout_s)
        if key not in scorers:
            scorers[key] = find_scorer(factor, proxy_scorer)
            if not are_built_in([factor]):
                owner = f"reward.factors, factor {factor.label!r}"
                check_columns(scorers[key].columns, owner, "give it another name: in the factor")
        chosen.append(scorers[key])
    proxy = proxy_scorer().proxy if any(factor.reads_proxy for factor in factors) else None
    grouped = group_factors(config, factors, objectives)
    return Reward(config, acquisition, factors, tuple(chosen), grouped, proxy)


def _check_unit(config: RewardConfig, proxy: Proxy) -> None:
    """Refuse default factors for a value that may have to be maximised."""
    if config.factors == DEFAULT_FACTORS and proxy.unit != KCAL_MOL:
        raise ConfigError(
            f"reward.proxy {config.proxy} predicts {proxy.value_column}, but the default factors "
            "are made for docking energies in kcal/mol; set reward.factors with the direction and "
            "the range of yours (`molgfn config` shows how)"
        )
