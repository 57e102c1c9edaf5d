"""Single bits flipped all over every file of state: refused by name, or nothing changes."""

from __future__ import annotations

import random

import pytest

from molgfn.errors import InputError

from .state_files import STATES, is_told, outcome

#: Bits flipped in each file; reading a run takes longer.
QUICK = {"run": 4, "proxy": 6, "ledger": 120, "cache": 120}


def flip(make, trained, tmp_path, n, seed):
    """Flip n bits of every file, one at a time; tells how many were refused."""
    state = make(trained, tmp_path)
    expected, source, refused = state.read(), random.Random(seed), 0
    for file in state.files:
        content = file.read_bytes()
        for _ in range(n if content else 0):
            place, bit = source.randrange(len(content)), source.randrange(8)
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            file.write_bytes(bytes(changed))
            found = outcome(state.read)
            if isinstance(found, InputError):
                refused += 1
                assert is_told(found, file), (file, place, bit, found)
            else:
                assert found == expected, (file, place, bit)
            for leftover in file.parent.glob(f"{file.name}-*"):
                leftover.unlink()
            file.write_bytes(content)
    assert state.read() == expected
    return refused


@pytest.mark.parametrize("name", STATES)
def test_a_flipped_bit_is_refused_or_changes_nothing(name, trained, tmp_path, own_data):
    assert flip(STATES[name], trained, tmp_path, QUICK.get(name, 20), seed=22) > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", STATES)
def test_many_flipped_bits(name, seed, trained, tmp_path, own_data):
    n = {"run": 40, "proxy": 100, "shipped": 20}.get(name, 2000)
    assert flip(STATES[name], trained, tmp_path, n, seed) > 0
