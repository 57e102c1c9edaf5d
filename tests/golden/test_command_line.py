"""What users see stays as it is, or changes on purpose: ``python -m tests.golden.rewrite``."""

import csv
import io

from .rewrite import HELP, SAMPLED, help_texts, sampled


def test_every_help_text_is_the_golden_one():
    assert help_texts() == HELP.read_text(encoding="utf-8")


def test_the_shipped_policy_draws_the_golden_molecules():
    rows = list(csv.DictReader(io.StringIO(sampled())))
    golden = list(csv.DictReader(io.StringIO(SAMPLED.read_text(encoding="utf-8"))))
    assert len(golden) == 20
    assert rows == golden
