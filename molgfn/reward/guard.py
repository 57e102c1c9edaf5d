"""Guards against a generator that exploits the proxy's errors.

A generator seeks the molecules that the proxy overrates. Two parts of the reward resist it:
predictions are lowered by a margin of their standard deviation, and molecules unlike every
training molecule score less. A control, fitted on another part of the data and never read by the
reward, watches: while the two agree on the best molecules as well as on random ones, the proxy's
predictions can be believed.

References:
    Renz et al. 2019, On failure modes in molecule generation and optimization.
    https://doi.org/10.1016/j.ddtec.2020.09.003
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from molgfn.chem.molecule import Molecule
from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.config.choices import Direction, sign
from molgfn.config.reward_schema import GuardConfig
from molgfn.reward.proxy.proxy import Proxy

#: Names in the metrics of a training, in the proxy's unit.
PROXY_BEST, CONTROL_BEST = "proxy_best", "control_best"
#: Names of what :func:`control_measures` returns.
CONTROL_MEASURES = ("control mean", "proxy minus control", "its standard error")
#: The gap of the best molecules is suspicious from this many standard errors on, ...
_SUSPICIOUS_ERRORS = 3.0
#: ... and from this share of the spread of the training targets on.
_SUSPICIOUS_SHARE = 0.15


def applicability(similarity: NDArray[np.float64], guard: GuardConfig) -> NDArray[np.float64]:
    """Lower the Score of molecules that are unlike the proxy's training set.

    Args:
        similarity: Similarity to the nearest training molecule, shape ``(n,)``.
        guard: The similarity that suffices, and how fast the Score falls below it.

    Returns:
        exp(-shortfall / softness), 1 from ``min_similarity`` on, shape ``(n,)``.
    """
    missing = np.maximum(guard.min_similarity - similarity, 0.0)
    return np.asarray(np.exp(-missing / guard.softness), dtype=np.float64)


def control_measures(proxy: Proxy, molecules: Sequence[Molecule]) -> dict[str, float]:
    """Compare the proxy with its control.

    Args:
        proxy: The proxy.
        molecules: Distinct molecules, such as the best of a policy.

    Returns:
        ``control mean``: the control's mean prediction; ``proxy minus control``: mean difference;
        ``its standard error``. Empty when the proxy has no control or there are no molecules.
    """
    if proxy.control is None or not molecules:
        return {}
    molecules = MoleculeBatch.of(molecules)  # what both models read is computed once
    control = proxy.predict_control(molecules)
    gap = proxy.predict(molecules)[0] - control
    n = len(gap)
    error = float(gap.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan
    found = (float(control.mean()), float(gap.mean()), error)
    return dict(zip(CONTROL_MEASURES, found, strict=True))


def best_predictions(proxy: Proxy, molecules: Sequence[Molecule]) -> dict[str, float]:
    """Mean predictions as a training logs them: :data:`PROXY_BEST` and :data:`CONTROL_BEST`.

    They are NaN where there are no molecules; the proxy must have a control.
    """
    if not molecules:
        return {PROXY_BEST: math.nan, CONTROL_BEST: math.nan}
    molecules = MoleculeBatch.of(molecules)
    return {
        PROXY_BEST: float(proxy.predict(molecules)[0].mean()),
        CONTROL_BEST: float(proxy.predict_control(molecules).mean()),
    }


def warn_of_exploitation(
    best: dict[str, float], ordinary: dict[str, float], proxy: Proxy, direction: Direction
) -> list[str]:
    """Warn of a proxy that overrates the best molecules of a policy against its control.

    Args:
        best: :func:`control_measures` of a policy's best molecules.
        ordinary: The same of random molecules.
        proxy: The proxy.
        direction: Which predictions are good.
    """
    if not best or not ordinary:
        return []
    excess = sign(direction) * (best["proxy minus control"] - ordinary["proxy minus control"])
    error = math.hypot(best["its standard error"], ordinary["its standard error"])
    limit = max(_SUSPICIOUS_ERRORS * error, _SUSPICIOUS_SHARE * proxy.calibration.sd)
    if not excess > limit:
        return []
    return [
        f"warning: on the best molecules the proxy is {excess:.2f} more optimistic than its "
        f"control, measured against random molecules ({proxy.value_column}); the policy may live "
        "on the proxy's mistakes: raise reward.guard.kappa, or measure some of its molecules"
    ]
