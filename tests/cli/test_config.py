from molgfn.config.loader import load_config
from molgfn.config.schema import Config


def test_the_printed_defaults_are_the_defaults(cli, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(cli("config").stdout)
    assert load_config(path) == Config()
    assert cli("config", "check", path).stdout == path.read_text()


def test_settings_are_applied(cli, tmp_path):
    assert "\n  steps: 7\n" in cli("config", "--set", "train.steps=7").stdout
    path = tmp_path / "run.yaml"
    path.write_text("seed: 4\n")
    result = cli("config", "check", path, "--set", "train.steps=7")
    assert "seed: 4\n" in result.stdout
    assert "\n  steps: 7\n" in result.stdout


def test_a_mistake_exits_with_3(cli, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("train: {stepz: 4}\n")
    result = cli("config", "check", path)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == (
        f"molgfn: error: {path}: unknown key train.stepz; did you mean train.steps?\n"
    )
