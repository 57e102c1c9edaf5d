"""What a reader of a proxy's report must know beside its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.evaluation import vary
from molgfn.reward.proxy.split import Kept, Split

#: With fewer test molecules another seed gives quite other numbers.
FEW = 20
#: Fewer errors than these have no 90 % quantile.
_LEAST_OF_INTERVAL = 9
#: Spreads from the median beyond which a value is named.
_FAR = 100.0
#: The standard deviation of normal values over their median absolute deviation.
_MAD_TO_SD = 1.4826
_NAMED = 3


def cautions(data: Dataset, split: Split, others: Iterable[Kept]) -> list[str]:
    """List what makes a test say less than its numbers seem to.

    Args:
        data: All molecules.
        split: How they were split for the test.
        others: What control and early stopping keep apart.

    Returns:
        Sentences without a full stop; none for a plain split into parts that are large enough.
    """
    found = far_values(data)
    series = _why_no_scaffolds(data)
    if split.kept == "clusters":
        found.append(
            f"{series}, so clusters of similar molecules were held out within it; on new scaffolds "
            "errors will be larger"
        )
    elif split.kept == "molecules":
        found.append(
            f"{series}, so molecules were held out at random and resemble those learned from; on "
            "other molecules errors will be larger"
        )
    elif len(own := {data.molecules[i].scaffold for i in split.test}) == 1 and "" not in own:
        found.append(f"all test molecules have one scaffold, {own.pop()}; others may go otherwise")
    if split.kept == "scaffolds" and (finer := sorted({*others} - {"scaffolds"})):
        found.append(f"control and early stopping keep {' or '.join(finer)} apart, not scaffolds")
    if len(split.test) < FEW:
        found.append(f"{len(split.test)} test molecules tell little: the numbers are rough")
    if len(split.calibration) < _LEAST_OF_INTERVAL:
        found.append(
            f"standard deviation and interval are calibrated on {len(split.calibration)} molecules "
            "only; they are rough too"
        )
    if not vary(data.targets[split.test]):
        found.append(f"all test values are {data.targets[split.test[0]]:g}: nothing to rank")
    return found


def _why_no_scaffolds(data: Dataset) -> str:
    scaffolds = Counter(m.scaffold for m in data.molecules if m.scaffold)
    if not scaffolds or np.any(data.bound_signs):
        return "no scaffolds make parts with enough measured values"
    common, n_common = scaffolds.most_common(1)[0]
    return f"{n_common} of {len(data.molecules)} molecules have the scaffold {common}"


def far_values(data: Dataset) -> list[str]:
    """Name values that are so far from the others that a wrong unit or a slip is likely.

    Distances are from the median, in spreads that a few such values do not change: the median
    absolute deviation, scaled to the standard deviation of normal values.

    Returns:
        A line for each of the first few, the farthest first, and one for the rest.
    """
    distances = np.abs(data.targets - np.median(data.targets))
    spread = _MAD_TO_SD * float(np.median(distances))
    if spread == 0.0:
        # Half of the values are one: what is usual among the others counts.
        spread = float(np.median(distances[distances > 0.0]))
    far = [i for i in np.argsort(-distances, kind="stable") if distances[i] > _FAR * spread]
    lines = [
        f"{data.molecules[i].smiles} has the value {data.targets[i]:g}, "
        f"{distances[i] / spread:.2g} times the usual spread ({spread:.2g}) away from the median "
        f"{np.median(data.targets):g}; a wrong unit or a slip? It rules the fit and the numbers"
        for i in far[:_NAMED]
    ]
    if len(far) > _NAMED:
        lines.append(f"{len(far) - _NAMED} more values are as far away")
    return lines
