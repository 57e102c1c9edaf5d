from types import SimpleNamespace

import pytest

from molgfn.cli import progress
from molgfn.cli.progress import progress_bar


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    now = SimpleNamespace(s=0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now.s))
    return now


def test_without_a_terminal_a_line_a_minute_tells_how_long_it_will_take(clock, capsys):
    with progress_bar("sample", 1000) as advance:
        for now, n in ((10.0, 50), (61.0, 200), (90.0, 50), (122.0, 100), (200.0, 600)):
            clock.s = now
            advance(n)
    assert capsys.readouterr() == (
        "",
        "sample: 250 of 1000, about 3 min to go\nsample: 400 of 1000, about 3 min to go\n",
    )


def test_what_was_known_does_not_count_for_the_speed(clock, capsys):
    with progress_bar("dock", 1000) as advance:
        advance(800)
        clock.s = 100.0
        advance(100)
    assert capsys.readouterr().err == "dock: 900 of 1000, about 2 min to go\n"


def test_nothing_is_promised_where_nobody_knows(clock, capsys):
    with progress_bar("list states", None) as advance:
        clock.s = 61.0
        advance(7000)
    assert capsys.readouterr().err == "list states: 7000\n"


@pytest.mark.parametrize(
    ("per_item_s", "left"), [(61.0, "1 h 41 min"), (600.0, "16 h 30 min"), (60.4, "1 h 40 min")]
)
def test_long_work_is_told_in_hours(clock, capsys, per_item_s, left):
    with progress_bar("dock", 100) as advance:
        clock.s = per_item_s
        advance(1)
    assert capsys.readouterr().err == f"dock: 1 of 100, about {left} to go\n"
