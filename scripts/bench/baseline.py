"""The standard implementation and molgfn in turns: JSON on stdout, a table on stderr.

    OMP_NUM_THREADS=1 PYTHONPATH=CHECKOUT/src python scripts/bench/baseline.py > baseline.json

CHECKOUT holds recursionpharma/gflownet (MIT licence), which is no part of this repository and is
not fetched; measured was commit ba3d7eb. Its fragments, environment, sampler, network and
trajectory balance are its own, with the settings of its task of sEH: 64 trajectories a step, 4
layers of 128, at most 9 fragments. The loop around them is written here, without its data loaders
and logs and without gradients in sampling, which favours it; so is the proxy (standard_proxy.py)
and torch_scatter (scatter.py). What else it imports has to be installed.

Speeds of a shared machine vary by half within a minute, so both are measured in every turn, and a
ratio is that of one turn; the table shows its median. Both make larger molecules once they have
learned, which takes longer, so trained weights are measured beside trained ones: those shipped,
and those of the standard implementation as soon as its molecules are as large. Then its weights
stay as they are, as ours do, and an update costs the same. Sizes differ all the same, so ``by
fragment`` compares the fragments that were placed a second. Our scorers remember surroundings of
atoms: a training is measured once they know those of WARM_UP molecules, a hundredth of a training
by default, and both proxies read molecules of either kind, new ones in every turn.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from itertools import count
from statistics import median
from types import SimpleNamespace
from typing import Any, NamedTuple

import scatter
import torch
import training
from measuring import say, show, write
from rdkit import Chem, RDLogger
from standard_proxy import StandardProxy
from torch import Tensor

from molgfn.chem.molecule import Molecule
from molgfn.chem.smiles import parse_smiles
from molgfn.config.resources import shipped_path
from molgfn.config.schema import Config
from molgfn.machine.device import seeded
from molgfn.molecules.sampler import load_sampler
from molgfn.reward.reward import build_reward
from molgfn.reward.scorers import ProxyScorer

BATCH = 64
N_BETA_BINS = 32
BETA_MAX = 64.0
#: Log reward of what is no molecule.
ILLEGAL = -75.0
#: Mean fragments of molecules of the shipped policy at all its betas; the standard implementation
#: comes there within a few dozen steps.
TRAINED_SIZE, MAX_STEPS = 6.0, 100
#: Trajectories before ours is measured; with the whole reward the first ones take longer.
WARM_UP = 8192


class Pace(NamedTuple):
    """What a second of processor time is good for.

    Attributes:
        rate: Trajectories or molecules.
        size: Fragments of each.
    """

    rate: float
    size: float


class Standard:
    """The standard implementation at its task of sEH, with the loop around it."""

    def __init__(self) -> None:
        """Set up as its trainer does.

        Raises:
            ModuleNotFoundError: It is not to be found.
        """
        sys.modules.setdefault("torch_scatter", scatter)
        config = import_module("gflownet.algo.config").AlgoConfig()
        config.max_nodes, config.illegal_action_logreward = 9, ILLEGAL
        config.tb.do_sample_p_b = True
        transformer = SimpleNamespace(
            num_heads=2, ln_type="pre", concat_heads=True, num_mlp_layers=0
        )
        model = SimpleNamespace(num_emb=128, num_layers=4, graph_transformer=transformer)
        everything = SimpleNamespace(algo=config, model=model)
        environment = import_module("gflownet.envs.graph_building_env").GraphBuildingEnv()
        self.context: Any = import_module("gflownet.envs.frag_mol_env").FragMolBuildingEnvContext(
            max_frags=9, num_cond_dim=N_BETA_BINS
        )
        balance = import_module("gflownet.algo.trajectory_balance").TrajectoryBalance
        self.algorithm: Any = balance(environment, self.context, everything)
        network = import_module("gflownet.models.graph_transformer").GraphTransformerGFN
        self.policy: Any = network(self.context, everything)
        self.sampler: Any = copy.deepcopy(self.policy)
        self.proxy = StandardProxy()
        log_z = list(self.policy._logZ.parameters())
        others = [p for p in self.policy.parameters() if all(p is not z for z in log_z)]
        self.optimizers = (
            torch.optim.Adam(others, 1e-4, weight_decay=1e-8),
            torch.optim.Adam(log_z, 1e-3),
        )

    def train_step(self) -> float:
        """Sample, score and learn from one batch; returns the mean number of fragments."""
        beta = torch.rand(BATCH) * BETA_MAX
        condition = encode(beta)
        with torch.no_grad():
            drawn = self.algorithm.create_training_data_from_own_samples(
                self.sampler, BATCH, condition, 0.0
            )
        valid = torch.tensor([each["is_valid"] for each in drawn])
        score = self.proxy.predict(self._molecules(drawn)) / 8
        log_reward = torch.full((BATCH,), ILLEGAL)
        log_reward[valid] = beta[valid] * score.clip(1e-4, 100).log()
        batch = self.algorithm.construct_batch(drawn, condition, log_reward)
        loss, _ = self.algorithm.compute_batch_losses(self.policy, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), 10.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        with torch.no_grad():
            average = self.sampler.parameters()
            for mean, now in zip(average, self.policy.parameters(), strict=True):
                mean.lerp_(now, 0.1)
        return _fragments(drawn)

    def freeze(self) -> None:
        """Keep the weights with which it samples; updates go on at rate 0."""
        self.policy.load_state_dict(self.sampler.state_dict())
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = 0.0

    @torch.no_grad()
    def sample(self, n: int) -> list[Any]:
        """Sample trajectories."""
        sampler = self.algorithm.graph_sampler
        found: list[Any] = []
        for _ in range(0, n, BATCH):
            condition = encode(torch.full((BATCH,), BETA_MAX / 2))
            found += sampler.sample_from_model(self.sampler, BATCH, condition)
        return found

    def molecules(self, n: int) -> list[str]:
        """SMILES of sampled molecules."""
        return [Chem.MolToSmiles(mol) for mol in self._molecules(self.sample(n))]

    def _molecules(self, drawn: Sequence[Any]) -> list[Any]:
        return [self.context.graph_to_obj(x["result"]) for x in drawn if x["is_valid"]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=_example())
    parser.add_argument("--turns", type=int, default=5, help="turns of both")
    options = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        standard, trained = Standard(), Standard()
    except ModuleNotFoundError as error:
        parser.error(f"{error}; put a checkout of recursionpharma/gflownet on PYTHONPATH")
    for _ in range(MAX_STEPS):
        if trained.train_step() >= TRAINED_SIZE:
            break
    standard.freeze()
    trained.freeze()
    theirs, ours = their_work(standard, trained), our_work(standard)
    paces: dict[str, list[tuple[Pace, Pace]]] = {name: [] for name in ours}
    for turn in range(options.turns + 1):
        base = {name: work() for name, work in theirs.items()}
        for name, (against, work) in ours.items():
            pace = work()
            if turn:  # the first one warms up
                paces[name].append((base[against], pace))
        say(f"turn {turn} of {options.turns}")
    rows = {name: summary(pairs) for name, pairs in paces.items()}
    columns = ("standard", "size", "molgfn", "size here", "ratio", "by fragment")
    show("per CPU-second", rows, columns)
    write(vars(options) | {"threads": torch.get_num_threads()}, {"in_turns": rows})


def their_work(standard: Standard, trained: Standard) -> dict[str, Callable[[], Pace]]:
    """What is measured of the standard implementation, fresh and trained."""
    predict, seeds = standard.proxy.from_smiles, count()
    return {
        "training": lambda: _timed(lambda: (BATCH, standard.train_step())),
        "training, trained": lambda: _timed(lambda: (BATCH, trained.train_step())),
        "sampling": lambda: _timed(lambda: (BATCH, _fragments(standard.sample(BATCH)))),
        "proxy, its molecules": lambda: _proxy(predict, lambda: standard.molecules(BATCH)),
        "proxy, our molecules": lambda: _proxy(predict, lambda: our_molecules(BATCH, next(seeds))),
    }


def our_work(standard: Standard) -> dict[str, tuple[str, Callable[[], Pace]]]:
    """What is measured of molgfn, and beside what of the standard implementation."""
    found: dict[str, tuple[str, Callable[[], Pace]]] = {}
    for name, (config, trained) in training.settings().items():
        against = "training, trained" if trained else "training"
        found[f"training, {name}"] = (against, _training(config, trained=trained))
    for n in (BATCH, 1000):
        found[f"sampling, {n}"] = ("sampling", _sampling(n))
    reward = build_reward(Config().reward)
    proxy = next(s.proxy for s in reward.scorers if isinstance(s, ProxyScorer))

    def predict(texts: list[str]) -> object:
        return proxy.predict([Molecule(parse_smiles(text), text) for text in texts])

    seeds = count(1000)
    for name, molecules in (
        ("proxy, its molecules", lambda: standard.molecules(4 * BATCH)),
        ("proxy, our molecules", lambda: our_molecules(16 * BATCH, next(seeds))),
    ):
        found[name] = (name, partial(_proxy, predict, molecules))
    return found


def our_molecules(n: int, seed: int) -> list[str]:
    """SMILES of molecules that the shipped policy draws."""
    sampler = load_sampler(shipped_path("policy", "parp1"), "cpu")
    states = sampler.draw_states(
        n, sampler.ask(sampler.config.train.beta_max), generator=seeded(seed)
    )
    return [molecule.smiles for molecule in sampler.env.molecules(states)]


def encode(beta: Tensor) -> Tensor:
    """Thermometer encoding of beta, as wide as the one of the standard implementation."""
    width = BETA_MAX / N_BETA_BINS
    return ((beta[:, None] - width * torch.arange(N_BETA_BINS)) / width).clamp(0, 1)


def summary(pairs: Sequence[tuple[Pace, Pace]]) -> dict[str, object]:
    """Lowest and highest rate of both, median ratio of a turn."""
    base, ours = zip(*pairs, strict=True)
    ratio = median(ours.rate / base.rate for base, ours in pairs)
    by_fragment = median(ours.rate * ours.size / base.rate / base.size for base, ours in pairs)
    return {
        "standard": _range(base),
        "size": round(median(pace.size for pace in base), 1),
        "molgfn": _range(ours),
        "size here": round(median(pace.size for pace in ours), 1),
        "ratio": round(ratio, 1),
        "by fragment": round(by_fragment, 1),
    }


def _training(config: Config, *, trained: bool) -> Callable[[], Pace]:
    trainer, size = training.build_trainer(config, trained=trained), config.train.batch_size
    n_steps = max(1, 512 // size)
    for _ in range(WARM_UP // size):
        trainer.train_step()

    def work() -> tuple[int, float]:
        lengths = [trainer.train_step()["length"] for _ in range(n_steps)]
        return n_steps * size, sum(lengths) / n_steps - 1  # the last step is stop

    return lambda: _timed(work)


def _sampling(n: int) -> Callable[[], Pace]:
    sampler = load_sampler(shipped_path("policy", "parp1"), "cpu")
    generator, repeats = seeded(1), max(1, 512 // n)

    def work() -> tuple[int, float]:
        beta = sampler.config.train.beta_max
        drawn = [
            sampler.draw_states(n, sampler.ask(beta), generator=generator) for _ in range(repeats)
        ]
        return n * repeats, float(torch.cat([each.n_fragments for each in drawn]).float().mean())

    return lambda: _timed(work)


def _proxy(predict: Callable[[list[str]], object], molecules: Callable[[], Sequence[str]]) -> Pace:
    """Time a proxy on molecules, which are made before."""
    texts = molecules()

    def work() -> tuple[int, float]:
        for i in range(0, len(texts), BATCH):
            predict(list(texts[i : i + BATCH]))
        return len(texts), 1.0

    return _timed(work)


def _timed(work: Callable[[], tuple[int, float]]) -> Pace:
    start = time.process_time()
    n, size = work()
    return Pace(n / (time.process_time() - start), size)


def _fragments(drawn: Sequence[Any]) -> float:
    return sum(len(each["result"].nodes) for each in drawn) / len(drawn)


def _range(paces: Sequence[Pace]) -> str:
    rates = [pace.rate for pace in paces]
    return f"{min(rates):.0f}-{max(rates):.0f}"


def _example() -> str:
    return "Example: OMP_NUM_THREADS=1 PYTHONPATH=../gflownet/src python scripts/bench/baseline.py"


if __name__ == "__main__":
    main()
