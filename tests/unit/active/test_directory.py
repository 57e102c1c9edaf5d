"""What a directory of rounds says where files of it are gone."""

import pytest

from molgfn.active.directory import RoundsDirectory
from molgfn.errors import CheckpointError


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ([], "holds no rounds; begin with `molgfn rounds"),
        (["ledger.sqlite"], "holds no rounds; begin with `molgfn rounds"),
        (["config.yaml"], "has lost its ledger.sqlite; restore it"),
        (["ledger.sqlite", "round_01/batch.csv"], "has lost its config.yaml; restore it"),
        (["round_01/batch.csv"], "has lost its config.yaml; restore it"),
    ],
)
def test_what_is_missing_is_named(there, message, tmp_path):
    for name in there:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    with pytest.raises(CheckpointError, match=f"^{tmp_path} {message}"):
        RoundsDirectory(tmp_path).check_begun()
