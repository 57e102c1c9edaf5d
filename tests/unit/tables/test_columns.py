import pytest

from molgfn.tables.columns import (
    docked_column,
    member_columns,
    split_column,
    std_column,
    value_column,
)


@pytest.mark.parametrize(
    ("column", "target", "unit"),
    [
        ("PARP1_kcal_mol", "PARP1", "kcal_mol"),
        ("PARP1_docked_kcal_mol", "PARP1", "kcal_mol"),
        ("pIC50", "pIC50", ""),
        ("kcal_mol", "kcal_mol", ""),
    ],
)
def test_a_measured_column_tells_target_and_unit(column, target, unit):
    assert split_column(column) == (target, unit)


def test_columns_are_named_by_target_and_unit():
    assert value_column("PARP1", "kcal_mol") == "PARP1_kcal_mol"
    assert value_column("pIC50", "") == "pIC50"
    assert docked_column("PARP1") == "PARP1_docked_kcal_mol"
    assert std_column("pIC50") == "pIC50_std"
    assert member_columns("pIC50", 2) == ("pIC50_member_1", "pIC50_member_2")
