import signal
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from molgfn import __version__, errors
from molgfn.cli.app import app
from molgfn.cli.boundary import BoundaryGroup

COMMANDS = ["train", "sample", "score", "select", "evaluate", "proxy", "fragments", "config"]


def test_help_names_every_command(cli):
    result = cli("--help")
    assert result.exit_code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(cli, command):
    result = cli(command, "--help")
    assert result.exit_code == 0
    assert f" {command} [OPTIONS]" in result.stdout
    assert cli(command, "-h").stdout == result.stdout


def test_help_loads_nothing_heavy():
    script = (
        "import sys\n"
        "from molgfn.cli.app import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'rdkit', 'pandas', 'numpy', 'sklearn', 'torch_geometric'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr == "[]\n"
    assert "Usage:" in done.stdout


def test_sampling_scoring_and_training_load_no_statistics():
    script = (
        "import sys\n"
        "import molgfn.workflows.sample, molgfn.workflows.score, molgfn.workflows.train\n"
        "print(sorted({'scipy.stats', 'scipy.optimize', 'torch_geometric'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_version(cli):
    assert cli("--version").stdout == f"molgfn {__version__}\n"


@pytest.mark.parametrize("args", [["nonsense"], ["score", "--nonsense"], ["select", "-k", "x"]])
def test_usage_mistakes_exit_with_2_and_say_so_on_stderr(cli, args):
    result = cli(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error" in result.stderr


def faulty(error):
    broken = typer.Typer(cls=BoundaryGroup)

    @broken.callback()
    def root():
        pass

    @broken.command()
    def run():
        raise error

    return CliRunner().invoke(broken, ["run"])


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.MolgfnError, 1),
        (errors.UsageError, 2),
        (errors.ConfigError, 3),
        (errors.MoleculeError, 3),
        (errors.VocabularyError, 3),
        (errors.TableError, 3),
        (errors.CheckpointError, 3),
        (errors.RowsFailedError, 4),
        (errors.ShortfallError, 5),
        (errors.OutputError, 1),
        (errors.ScorerError, 1),
        (errors.NumericalError, 1),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(kind, code):
    result = faulty(kind("first\nsecond"))
    assert result.exit_code == code
    assert result.stderr == "molgfn: error: first second\n"
    assert result.stdout == ""


def test_an_interruption_exits_with_130():
    assert faulty(KeyboardInterrupt()).exit_code == 130


def test_a_mistake_of_the_program_keeps_its_traceback():
    assert isinstance(faulty(KeyError("x")).exception, KeyError)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
def test_a_signal_stops_with_its_code_and_leaves_nothing_behind(start, tmp_path, number, code):
    process = start("select", "-", "-o", tmp_path / "out.csv", stdin=subprocess.PIPE)
    while not list(tmp_path.iterdir()):  # the output is open, so the command waits for its input
        assert process.poll() is None
    process.send_signal(number)
    assert process.wait(60) == code
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in process.stderr.read()


def test_every_command_is_mounted_once():
    names = [c.callback.__name__ for c in app.registered_commands]
    assert sorted(names) == sorted(set(names))
