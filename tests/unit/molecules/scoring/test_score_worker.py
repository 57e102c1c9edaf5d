"""A training comes out the same to the last bit whoever scores its molecules."""

import os
import signal
import threading
import time

import pytest
import torch

from molgfn.config.loader import load_config
from molgfn.molecules.run_directory import RunDirectory
from molgfn.workflows.train import _count_workers, resume_training, start_training

#: No proxy, a narrow network, short molecules, two parts and five chunks a step.
SETTINGS = (
    "device=cpu",
    "policy={hidden: 16, layers: 1}",
    "limits.max_fragments=4",
    "train.steps=8",
    "train.batch_size=16",
    "train.replay_batch_size=8",
    "train.n_beta_groups=2",
    "train.updates_per_step=2",
    "train.checkpoint_every=4",
    "train.log_every=1",
    "reward.factors=[{scorer: QED, transform: identity},"
    " {scorer: logP, transform: window, low: 1, high: 3, softness: 1}]",
)


def begin(path, n_workers):
    config = load_config(None, [*SETTINGS, f"train.reward_workers={n_workers}"])
    return start_training(config, RunDirectory(path))


class Watched:
    """Steps of a training whose workers are all at work; counts what it scores itself."""

    def __init__(self, training):
        self.training, self.told, self.n_here = training, [], 0
        self.queue = training.target._queue
        self._steps, self.metrics = training.steps(self.told.append), []
        self._score, self.queue._score = self.queue._score, self._count

    def _count(self, packed, *, with_modes):
        self.n_here += 1
        return self._score(packed, with_modes=with_modes)

    def step(self, n):
        self.metrics += [next(self._steps) for _ in range(n)]

    def wait(self):
        deadline = time.monotonic() + 120
        while not all(worker.process.is_ready for worker in self.queue._workers):
            assert time.monotonic() < deadline
            self.queue._tend(1)
            time.sleep(0.01)

    def close(self):
        self._steps.close()


def outcome(training):
    part = training.trainer.state()
    return {name: tensor.tolist() for name, tensor in part.tensors.items()}, part.document


@pytest.fixture(scope="module", autouse=True)
def small_chunks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("molgfn.molecules.target.MAX_CHUNK_SIZE", 4)
        yield


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Without workers: metrics and all that a checkpoint holds."""
    training = begin(tmp_path_factory.mktemp("alone") / "run", 0)
    metrics = list(training.steps())
    assert metrics[-1]["modes"] > 0
    return metrics, outcome(training)


@pytest.mark.parametrize("n_workers", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_workers_change_nothing(alone, tmp_path, n_workers):
    watched = Watched(begin(tmp_path / "run", n_workers))
    watched.step(1)
    watched.wait()
    watched.n_here = 0
    watched.step(7)
    workers = [worker.process for worker in watched.queue._workers]
    watched.close()
    assert (watched.metrics, outcome(watched.training)) == alone
    # Of the 35 chunks the training takes but one for each that it waits for.
    assert watched.n_here <= 14
    assert len(workers) == n_workers
    assert not any(process.is_running for process in workers)
    assert watched.told == []


def test_a_worker_killed_at_work_changes_nothing(alone, tmp_path):
    watched = Watched(begin(tmp_path / "run", 1))
    watched.step(1)
    watched.wait()
    process = watched.queue._workers[0].process._process.pid
    # It takes its chunks and never answers; the training waits for it when it is killed.
    os.kill(process, signal.SIGSTOP)
    killer = threading.Timer(0.5, os.kill, (process, signal.SIGKILL))
    killer.start()
    watched.step(3)
    killer.join()
    assert watched.told == [
        "warning: a scoring process was killed by SIGKILL; the training does its share"
    ]
    watched.close()  # as a signal would, after the checkpoint of step 4
    resumed = resume_training(watched.training.directory, ["train.reward_workers=0"])
    assert resumed.trainer.step == 4
    assert (watched.metrics + list(resumed.steps()), outcome(resumed)) == alone


@pytest.mark.parametrize(
    ("setting", "n_steps", "device", "expected"),
    [
        ("seed=0", 100, "cpu", 1),  # an update takes longer than the 64 molecules of a part
        ("train.updates_per_step=1", 100, "cpu", 4),
        ("train.batch_size=64", 100, "cuda", 4),
        ("seed=0", 100, "cuda", 8),
        ("seed=0", 99, "cpu", 0),
        ("train.reward_workers=0", 100, "cpu", 0),
        ("train.reward_workers=12", 1, "cpu", 12),
        ("reward.divide_by_multiplicity=true", 100, "cpu", 0),
    ],
)
def test_as_many_workers_as_are_of_use(monkeypatch, setting, n_steps, device, expected):
    monkeypatch.setattr("molgfn.workflows.train.available_cpus", lambda: 32)
    config = load_config(None, [setting])
    assert _count_workers(config, torch.device(device), n_steps) == expected


@pytest.mark.parametrize("scorer", ["command: ./score", "my.scorers:docking"])
def test_scorers_of_the_users_own_stay_in_the_training(scorer):
    factor = f"{{scorer: '{scorer}', transform: identity}}"
    settings = [f"reward.factors=[{factor}]", "train.reward_workers=2"]
    assert _count_workers(load_config(None, settings), torch.device("cpu"), 1000) == 0


def test_one_cpu_has_none_to_spare(monkeypatch):
    monkeypatch.setattr("molgfn.workflows.train.available_cpus", lambda: 1)
    assert _count_workers(load_config(), torch.device("cuda"), 1000) == 0
