"""An oracle to try things out with: a property with noise, as a measurement has."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from molgfn.chem.molecule import Molecule
from molgfn.chem.properties.by_name import PROPERTIES
from molgfn.errors import ConfigError, did_you_mean
from molgfn.reward.protocol import Scorer, Scores
from molgfn.reward.scorers import PropertyScorer

#: How the name of the oracle begins: ``noisy: QED 0.05``.
NOISY_PREFIX = "noisy:"


class NoisyProperty(Scorer):
    """A property plus Gaussian noise that belongs to the molecule: the same for ever."""

    def __init__(self, name: str) -> None:
        """Read its name.

        Args:
            name: Such as ``noisy: QED 0.05``, with the standard deviation of the noise.

        Raises:
            ConfigError: The property is unknown, or the noise no number of 0 or more.
        """
        words = name.removeprefix(NOISY_PREFIX).split()
        std = _number(words[1]) if len(words) == 2 else math.nan
        if not (math.isfinite(std) and std >= 0):
            raise ConfigError(
                "rounds.oracle.scorer must be a property and the standard deviation of its noise, "
                f"such as noisy: QED 0.05, got {name!r}"
            )
        if words[0] not in PROPERTIES:
            raise ConfigError(
                f"rounds.oracle.scorer: no property {words[0]!r}, expected one of "
                f"{', '.join(PROPERTIES)}{did_you_mean(words[0], PROPERTIES)}"
            )
        self._property = PropertyScorer(words[0], PROPERTIES[words[0]])
        self._std = std

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column, such as ``noisy_QED``."""
        return (f"noisy_{self._property.name}",)

    def __call__(self, molecules: Sequence[Molecule]) -> Scores:
        """Compute the property and add the noise."""
        exact = self._property(molecules)
        noise = np.array([_standard_normal(molecule.smiles) for molecule in molecules])
        values = exact.values[self._property.name] + self._std * noise.reshape(len(molecules))
        return Scores({self.columns[0]: values}, exact.reasons)


def _standard_normal(text: str) -> float:
    """A draw whose seed is the text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    return float(np.random.default_rng(seed).standard_normal())


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan
