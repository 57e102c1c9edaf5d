"""Maps from a scorer's value to (0, 1], 1 being as good as it gets.

A missing value stays missing. A bad value gets a small number, never 0: the floor keeps its
logarithm finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from molgfn.config.choices import sign
from molgfn.config.reward_schema import FactorConfig
from molgfn.errors import ConfigError, ScorerError
from molgfn.reward.proxy.size import SizeBaseline

Array = NDArray[np.float64]

#: A sigmoid is 0.1 at its bad end and 0.9 at its good one: ln 9 on either side of the middle.
_LOGIT_OF_ENDS = math.log(9.0)


def transform(
    factor: FactorConfig,
    values: Array,
    heavy_atoms: Array,
    size: SizeBaseline | None,
    floor: float,
) -> Array:
    """Map the values of one factor to (0, 1].

    Args:
        factor: Which transform, with its parameters.
        values: Values of the factor's scorer, shape ``(n,)``, NaN = missing.
        heavy_atoms: Heavy atoms of the molecules, shape ``(n,)``, each at least 1.
        size: Mean and spread of the value by size; needed by ``size_corrected`` only.
        floor: Smallest result, in (0, 1).

    Returns:
        Shape ``(n,)``, in [floor, 1]; NaN where the value is.

    Raises:
        ConfigError: ``size_corrected`` without a size baseline.
        ScorerError: ``identity`` on a value outside 0 to 1.
    """
    scores = TRANSFORMS[factor.transform](factor, values, heavy_atoms, size)
    return np.maximum(scores, floor)  # NaN stays NaN


def _identity(factor: FactorConfig, values: Array, *_: object) -> Array:
    known = values[np.isfinite(values)]
    outside = known[(known < 0.0) | (known > 1.0)]
    if outside.size:
        raise ScorerError(
            f"factor {factor.label!r}: the transform identity needs values from 0 to 1, "
            f"got {outside[0]:g}; use sigmoid with low and high"
        )
    return values if sign(factor.direction) > 0 else 1.0 - values


def _sigmoid(factor: FactorConfig, values: Array, *_: object) -> Array:
    low, high = _given(factor.low), _given(factor.high)
    middle, half_width = 0.5 * (low + high), 0.5 * (high - low)
    logits = sign(factor.direction) * _LOGIT_OF_ENDS * (values - middle) / half_width
    # The logistic function as a hyperbolic tangent cannot overflow, and passes NaN on in silence.
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)), dtype=np.float64)


def _window(factor: FactorConfig, values: Array, *_: object) -> Array:
    low, high, softness = _given(factor.low), _given(factor.high), _given(factor.softness)
    outside = np.maximum(np.maximum(low - values, values - high), 0.0)
    return np.asarray(np.exp(-0.5 * (outside / softness) ** 2), dtype=np.float64)


def _decay(factor: FactorConfig, values: Array, *_: object) -> Array:
    limit, softness = _given(factor.limit), _given(factor.softness)
    excess = np.maximum(sign(factor.direction) * (limit - values), 0.0)
    return np.asarray(np.exp(-excess / softness), dtype=np.float64)


def _ligand_efficiency(
    factor: FactorConfig, values: Array, heavy_atoms: Array, *_: object
) -> Array:
    return _sigmoid(factor, values / heavy_atoms)


def _size_corrected(
    factor: FactorConfig, values: Array, heavy_atoms: Array, size: SizeBaseline | None
) -> Array:
    if size is None:
        raise ConfigError(
            f"reward.factors, factor {factor.label!r}: size_corrected compares with the "
            "proxy's training set and so needs the scorer proxy; use ligand_efficiency"
        )
    return _sigmoid(factor, size.z_score(values, heavy_atoms))


#: Transforms by their name in ``TRANSFORM_PARAMETERS``, before the floor.
TRANSFORMS: dict[str, Callable[[FactorConfig, Array, Array, SizeBaseline | None], Array]] = {
    "identity": _identity,
    "sigmoid": _sigmoid,
    "window": _window,
    "decay": _decay,
    "ligand_efficiency": _ligand_efficiency,
    "size_corrected": _size_corrected,
}


def _given(parameter: float | None) -> float:
    """A parameter that FactorConfig has checked to be there."""
    if parameter is None:
        raise ValueError("the transform misses a parameter that FactorConfig should have asked for")
    return parameter
