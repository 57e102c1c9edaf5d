import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molgfn.config.loader import dump_config, from_mapping, load_config, to_mapping
from molgfn.config.schema import Config, FactorConfig, LimitsConfig, RewardConfig, TrainConfig
from molgfn.errors import ConfigError


def write(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_gives_the_defaults():
    assert load_config() == Config()


def test_the_file_wins_over_the_defaults_and_a_setting_over_the_file(tmp_path):
    path = write(tmp_path, "seed: 5\ntrain:\n  steps: 7\n  learning_rate: 1e-3\n")
    config = load_config(path, ["train.steps=9", "train.steps=1e1"])
    assert (config.seed, config.train.steps, config.train.learning_rate) == (5, 10, 0.001)
    assert config.train.batch_size == TrainConfig().batch_size


def test_an_empty_file_and_an_empty_section_change_nothing(tmp_path):
    assert load_config(write(tmp_path, "")) == Config()
    assert load_config(write(tmp_path, "train:\n  # steps: 3\n")) == Config()


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    assert load_config(write(tmp_path, "\ufeffseed: 3\r\n")).seed == 3


def test_items_of_a_list_are_set_by_number():
    config = load_config(None, ["reward.factors.1.weight=2"])
    assert config.reward.factors[1].weight == 2.0
    assert config.reward.factors[0] == Config().reward.factors[0]


def test_a_list_in_the_file_replaces_the_default_list(tmp_path):
    path = write(tmp_path, "reward:\n  factors:\n    - {scorer: QED, transform: identity}\n")
    assert load_config(path).reward.factors == (FactorConfig("QED", "identity"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz: 3", "unknown key stepz; known here: seed, device"),
        ("trian: {steps: 3}", "unknown key trian; did you mean train?"),
        ("train: {stepz: 3}", "unknown key train.stepz; did you mean train.steps?"),
        ("train: {steps: many}", "train.steps must be a whole number, got 'many'"),
        ("train: {steps: 1.5}", "train.steps must be a whole number, got 1.5"),
        ("train: {steps: true}", "train.steps must be a whole number, got True"),
        ("train: {steps:}", "train.steps must be a whole number, got nothing"),
        ("train: {learning_rate: false}", "train.learning_rate must be a number, got False"),
        ("train: {learning_rate: .nan}", "train.learning_rate must be a number, got nan"),
        ("train: 3", "train must be a section of keys and values, got 3"),
        ("train: {objective: vargrat}", "did you mean vargrad?"),
        ("vocabulary: 12", "vocabulary must be text, got 12; put it in quotes"),
        ("reward: {factors: QED}", "reward.factors must be a list, got 'QED'"),
        ("reward: {factors: [{scorer: QED}]}", "reward.factors.0.transform is missing"),
        ("reward: {factors: [3]}", "reward.factors.0 must be a section"),
        ("seed: 1\nseed: 2", "run.yaml line 2, column 1: the key 'seed' stands twice"),
        ("seed: [1", "run.yaml line 1"),
        ("- seed", "expected keys and values, got a list"),
        ("limits: {min_fragments: 4, max_fragments: 3}", "limits.max_fragments must be at least"),
        ("device: gpu", "device must be auto, cpu, cuda or cuda:N, got 'gpu'"),
        (
            "train: {n_beta_groups: 7}",
            "train.batch_size must be a multiple of train.updates_per_step times "
            "train.n_beta_groups (28)",
        ),
        ("train: {reward_workers: -1}", "train.reward_workers must be at least 0, got -1"),
        (f"train: {{learning_rate: 1{'0' * 400}}}", "train.learning_rate is too large"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_with_file_key_and_cure(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, text))
    line = str(caught.value)
    assert message in line
    assert "run.yaml" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.steps", "expected key=value"),
        ("=3", "expected key=value"),
        ("train.stepz=3", "unknown key train.stepz; did you mean train.steps?"),
        ("trian.steps=3", "unknown key trian; did you mean train?"),
        ("seed.x=3", "seed is a single value and has no key 'x'"),
        ("reward.factors.99.weight=3", "numbered from 0; '99' is none of them"),
        ("reward.factors.x.weight=3", "'x' is none of them"),
        ("train.steps=[", "value line 1"),
    ],
)
def test_a_mistake_in_a_setting_names_the_setting(setting, message):
    with pytest.raises(ConfigError) as caught:
        load_config(None, [setting])
    assert message in str(caught.value)
    assert f"--set {setting}" in str(caught.value)


def test_missing_binary_and_directory_files(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    binary = tmp_path / "b.yaml"
    binary.write_bytes(bytes(range(256)))
    with pytest.raises(ConfigError, match="not a text file"):
        load_config(binary)
    binary.write_bytes(b"seed: \x00\x01")
    with pytest.raises(ConfigError, match="not readable as YAML"):
        load_config(binary)


def test_optional_fields_take_nothing():
    factor = from_mapping(
        FactorConfig, {"scorer": "QED", "transform": "identity", "low": None, "column": None}
    )
    assert factor == FactorConfig("QED", "identity")


def test_plain_values_survive_json():
    assert from_mapping(Config, json.loads(json.dumps(to_mapping(Config())))) == Config()


def sections_of(config):
    """The configuration, its sections and theirs."""
    inner = [v for v in vars_of(config) if dataclasses.is_dataclass(v)]
    return [config, *(section for part in inner for section in sections_of(part))]


def test_every_key_of_the_dump_has_a_comment():
    lines = dump_config(Config()).splitlines()
    keys = [i for i, line in enumerate(lines) if line and line.strip()[0] not in "#-"]
    assert len(keys) == sum(len(dataclasses.fields(part)) for part in sections_of(Config()))
    for i in keys:
        assert lines[i - 1].lstrip().startswith("#"), lines[i]


def vars_of(config):
    return [getattr(config, f.name) for f in dataclasses.fields(config)]


texts = st.text(min_size=1, max_size=20)
weights = st.floats(1e-9, 1e9)
factors = st.builds(
    FactorConfig,
    scorer=texts.filter(lambda s: s.strip() and s.strip() != "command:"),
    transform=st.just("identity"),
    direction=st.sampled_from(["maximise", "minimise"]),
    weight=weights,
    column=st.none() | texts,
    timeout_s=st.floats(1e-3, 1e6),
    name=texts,
)
configs = st.builds(
    Config,
    seed=st.integers(0, 2**63 - 1),
    device=st.sampled_from(["auto", "cpu", "cuda", "cuda:3"]),
    vocabulary=texts,
    limits=st.builds(
        LimitsConfig,
        min_fragments=st.integers(1, 3),
        max_fragments=st.integers(3, 99),
        max_weight_g_per_mol=st.floats(1, 1e5),
    ),
    reward=st.builds(
        RewardConfig,
        proxy=texts,
        factors=st.lists(factors, min_size=1, max_size=3, unique_by=lambda f: f.label).map(tuple),
        floor=st.floats(1e-300, 0.5),
        divide_by_multiplicity=st.booleans(),
    ),
    train=st.builds(
        TrainConfig,
        steps=st.integers(1, 10**12),
        learning_rate=st.floats(1e-9, 10),
        epsilon_start=st.floats(0, 1),
        objective=st.sampled_from(["vargrad", "trajectory_balance"]),
    ),
)


@given(config=configs)
def test_every_config_dumps_and_loads_back(config, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "round_trip.yaml"
    path.write_text(dump_config(config), encoding="utf-8", newline="")
    assert load_config(path) == config
