"""Fixtures that every test can use."""

from __future__ import annotations

import os
from pathlib import Path

# Two test processes on two cores: more threads each would only fight.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings
from typer.testing import CliRunner

from molgfn.cli.app import app

# No wall-clock limits: a busy machine must not fail a law.
settings.register_profile(
    "molgfn", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("molgfn")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def own_files(tmp_path_factory):
    """Nothing under the user's home is read or written, nor by commands started as processes."""
    folder = tmp_path_factory.mktemp("own_files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOLGFN_CACHE_DIR", str(folder / "cache"))
        patch.setenv("MOLGFN_DATA_DIR", str(folder / "data"))
        yield folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Data that lies beside the checkout and is too large, or not ours, to ship."""
    path = Path(__file__).parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"no shared data at {path}")
    return path


@pytest.fixture
def fake_docker(monkeypatch):
    """Name of the docking function of tests/support, which worker processes can import."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "support"))
    return "fake_docker:make"


@pytest.fixture(scope="session")
def cli():
    """Run a command in this process; the result has exit_code, stdout and stderr."""

    def run(*args, input=None):
        result = CliRunner().invoke(app, [str(a) for a in args], input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def qed_alone():
    """Options for a reward that is QED and nothing else: quick, and known by heart."""
    return ["--set", "reward.factors=[{scorer: QED, transform: identity}]"]
