"""A storm of generated inputs: no traceback, no hang, the right exit code, rows in order."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import fake_docker
import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdDistGeom import EmbedMolecule
from series import smiles_of

from molgfn.chem.molecule import read_molecule
from molgfn.reward.docking.docking import Docking
from molgfn.reward.proxy.architecture import Architecture
from molgfn.reward.proxy.dataset import Dataset
from molgfn.reward.proxy.fit import FitSettings, fit_proxy
from molgfn.reward.proxy.store import save_proxy
from molgfn.reward.proxy.training import TrainingSettings

from .state_files import target_state
from .storm import Storm

#: Seconds of processor time after which a command hangs.
MOST_SECONDS = 10

#: Trials of each kind in `make test` and in `make slow`: 10,000 in all.
TRIALS = {
    "config": (60, 2000),
    "setting": (60, 2000),
    "table": (60, 2000),
    "smiles": (40, 1200),
    "checkpoint": (30, 1000),
    "a_proxy": (30, 1000),
    "cache": (6, 200),
    "pdb": (20, 600),
}


def peptide():
    mol = Chem.AddHs(Chem.MolFromSequence("GMHCKG"))
    EmbedMolecule(mol, randomSeed=1)
    return Chem.MolToPDBBlock(Chem.RemoveHs(mol))


@pytest.fixture(scope="module")
def storm(cli, trained, tmp_path_factory):
    """Everything that is damaged, made once."""
    folder = tmp_path_factory.mktemp("storm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOLGFN_DATA_DIR", str(folder / "data"))
        patch.setenv("MOLGFN_CACHE_DIR", str(folder / "cache"))
        patch.setenv("PYTHONPATH", str(Path(fake_docker.__file__).parent))
        patch.setitem(Docking.__init__.__kwdefaults__, "docker", "fake_docker:make")
        target_state(None, folder)
        chains = folder / "chains.csv"
        chains.write_text("\n".join(["SMILES", *("C" * n for n in range(1, 6))]))
        assert cli("dock", chains, "--target", "T", "--workers", 1).exit_code == 0
        proxy = tiny_proxy(folder / "proxy")
        yield Storm(cli, trained, proxy, folder / "cache" / "docking.sqlite", peptide())


def tiny_proxy(path):
    molecules = tuple(map(read_molecule, smiles_of(40, 8, "equal", np.random.default_rng(0))))
    data = Dataset(molecules, np.array([-0.3 * each.n_heavy_atoms for each in molecules]))
    settings = FitSettings(
        members=2,
        architecture=Architecture(hidden=8, layers=2),
        training=TrainingSettings(epochs=2, batch_size=16),
    )
    save_proxy(fit_proxy(data, "TOY", "kcal_mol", settings), data, path)
    return path


def hang(number, frame):
    raise TimeoutError(f"more than {MOST_SECONDS} s of processor time")


def blow(storm, cli, kind, seeds, tmp_path, monkeypatch):
    """Run the trials of some seeds; a seed that fails is named."""
    signal.signal(signal.SIGPROF, hang)
    n_accepted = 0
    for seed in seeds:
        folder: Path = tmp_path / f"{kind}_{seed}"
        folder.mkdir()
        trial = getattr(storm, kind)(random.Random(seed), folder)
        told = f"{kind}, seed {seed}: molgfn {' '.join(map(str, trial.args))}"
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        try:
            with monkeypatch.context() as patch:
                for name, value in trial.env:
                    patch.setenv(name, value)
                result = cli(*trial.args)
        except Exception as error:
            raise AssertionError(told) from error
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        assert time.process_time() - started < MOST_SECONDS, told
        fault = trial.fault(result.exit_code, result.stdout)
        assert not fault, f"{told}\n{fault}\n{result.stderr[-2000:]}"
        if result.exit_code in (2, 3):
            assert result.stderr.splitlines()[-1].startswith("molgfn: error: "), told
            assert len(result.stderr) < 5000, told
        n_accepted += result.exit_code == 0
    return n_accepted


@pytest.mark.parametrize("kind", TRIALS)
def test_a_storm(kind, storm, cli, tmp_path, monkeypatch):
    assert blow(storm, cli, kind, range(TRIALS[kind][0]), tmp_path, monkeypatch) > 0


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
@pytest.mark.parametrize("kind", TRIALS)
def test_a_long_storm(kind, part, storm, cli, tmp_path, monkeypatch):
    size = TRIALS[kind][1] // 10
    start = 1000 + part * size
    blow(storm, cli, kind, range(start, start + size), tmp_path, monkeypatch)
