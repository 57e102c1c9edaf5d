"""molgfn: design diverse molecules in proportion to their reward.

These names are the public face; the modules behind them may move. Each loads what it needs when
it is first used, so that ``import molgfn`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from molgfn.chem.molecule import read_molecule
    from molgfn.config.loader import load_config
    from molgfn.config.schema import TrainConfig
    from molgfn.gfn.condition import Condition
    from molgfn.gfn.discrete import DiscreteEnvironment
    from molgfn.gfn.likelihood import log_likelihood
    from molgfn.gfn.perceptron import PerceptronPolicy
    from molgfn.gfn.target import Target
    from molgfn.gfn.trainer import Networks, Trainer
    from molgfn.molecules.env.fragment_env import FragmentEnv
    from molgfn.molecules.sampler import load_sampler
    from molgfn.reward.proxy.dataset import read_dataset
    from molgfn.reward.proxy.fit import fit_proxy
    from molgfn.reward.proxy.store import load_proxy
    from molgfn.reward.reward import build_reward
    from molgfn.workflows.sample import draw_candidates

__version__ = "0.1.0"

_HOMES = {
    "Condition": "gfn.condition",
    "DiscreteEnvironment": "gfn.discrete",
    "FragmentEnv": "molecules.env.fragment_env",
    "Networks": "gfn.trainer",
    "PerceptronPolicy": "gfn.perceptron",
    "Target": "gfn.target",
    "TrainConfig": "config.schema",
    "Trainer": "gfn.trainer",
    "build_reward": "reward.reward",
    "draw_candidates": "workflows.sample",
    "fit_proxy": "reward.proxy.fit",
    "load_config": "config.loader",
    "load_proxy": "reward.proxy.store",
    "load_sampler": "molecules.sampler",
    "log_likelihood": "gfn.likelihood",
    "read_dataset": "reward.proxy.dataset",
    "read_molecule": "chem.molecule",
}
__all__ = [
    "Condition",
    "DiscreteEnvironment",
    "FragmentEnv",
    "Networks",
    "PerceptronPolicy",
    "Target",
    "TrainConfig",
    "Trainer",
    "build_reward",
    "draw_candidates",
    "fit_proxy",
    "load_config",
    "load_proxy",
    "load_sampler",
    "log_likelihood",
    "read_dataset",
    "read_molecule",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
