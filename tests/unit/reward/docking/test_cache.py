import math
import sqlite3

import pytest

from molgfn.chem.molecule import read_molecule
from molgfn.errors import CheckpointError
from molgfn.reward.docking.cache import ResultCache, ResultKind, default_cache_file
from molgfn.reward.docking.result import Docked

KIND = ResultKind("t", "s", "vina 1")
ETHANOL = read_molecule("CCO")
ENERGY = Docked(-3.25, "ok", "", "a pose\n")


@pytest.fixture
def open_cache(tmp_path):
    opened = []

    def open_it(kind=KIND):
        opened.append(ResultCache(tmp_path / "new" / "c.sqlite", kind))
        return opened[-1]

    yield open_it
    for cache in opened:
        cache.close()


@pytest.fixture
def cache(open_cache):
    return open_cache()


def test_what_goes_in_comes_out(cache, open_cache):
    assert cache.get(ETHANOL) is None
    cache.put(ETHANOL, ENERGY)
    assert open_cache().get(ETHANOL) == ENERGY


def test_everything_the_energy_depends_on_is_in_the_key(cache, open_cache):
    cache.put(ETHANOL, ENERGY)
    for kind in (("x", "s", "vina 1"), ("t", "x", "vina 1"), ("t", "s", "vina 2")):
        assert open_cache(ResultKind(*kind)).get(ETHANOL) is None


def test_tautomers_of_one_inchikey_stay_apart(cache):
    pyridone, hydroxypyridine = read_molecule("O=c1cccc[nH]1"), read_molecule("Oc1ccccn1")
    assert pyridone.inchikey == hydroxypyridine.inchikey
    cache.put(pyridone, ENERGY)
    assert cache.get(hydroxypyridine) is None


def test_a_failure_of_the_molecule_is_kept_with_its_reason(cache):
    cache.put(ETHANOL, Docked.failed("no conformer", final=True))
    found = cache.get(ETHANOL)
    assert (found.status, found.reason, found.final) == ("failed", "no conformer", True)
    assert math.isnan(found.energy_kcal_mol)


@pytest.mark.parametrize("result", [Docked.timed_out(3), Docked.failed("crash", final=False)])
def test_a_failure_of_the_moment_is_not_kept(cache, result):
    cache.put(ETHANOL, result)
    assert cache.get(ETHANOL) is None


def test_a_file_that_is_something_else(tmp_path):
    (tmp_path / "c.sqlite").write_text("no database, and long enough to look at " * 50)
    with pytest.raises(CheckpointError, match=r"c.sqlite is damaged: file is not a database; rem"):
        ResultCache(tmp_path / "c.sqlite", KIND)


def test_a_file_of_a_newer_version(cache, tmp_path):
    connection = sqlite3.connect(tmp_path / "new" / "c.sqlite")
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(CheckpointError, match="written by a newer molgfn"):
        ResultCache(tmp_path / "new" / "c.sqlite", KIND)


def test_the_tests_keep_away_from_the_home_directory(own_files):
    assert default_cache_file() == own_files / "cache" / "docking.sqlite"


def change(cache, statement):
    with cache._database.faults_named():
        cache._database.connection.execute(statement)


@pytest.mark.parametrize(
    "change_to",
    [
        *("energy_kcal_mol = -9.0", "energy_kcal_mol = 'x'", "energy_kcal_mol = 9e999"),
        *("energy_kcal_mol = NULL", "molblock = x'00'", "reason = 'odd'", "digest = 'x'"),
    ],
)
def test_a_result_that_was_changed_is_refused(cache, change_to):
    cache.put(ETHANOL, ENERGY)
    change(cache, f"UPDATE results SET {change_to}")
    with pytest.raises(CheckpointError, match=r"c.sqlite is damaged: the result of CCO .*; remove"):
        cache.get(ETHANOL)


@pytest.mark.parametrize(
    "change_to",
    [
        *("energy_kcal_mol = 'x'", "energy_kcal_mol = 9e999", "energy_kcal_mol = -9e999"),
        *("molblock = x'00'", "molblock = 'text'", "reason = 'odd'", "energy_kcal_mol = x'00'"),
    ],
)
def test_a_result_of_before_has_no_digest_and_must_make_sense(cache, change_to):
    cache.put(ETHANOL, ENERGY)
    change(cache, "UPDATE results SET digest = NULL")
    assert cache.get(ETHANOL) == ENERGY
    change(cache, f"UPDATE results SET {change_to}")
    with pytest.raises(CheckpointError, match=r"c.sqlite is damaged: the result of CCO .*; remove"):
        cache.get(ETHANOL)


def test_a_file_of_the_version_before_is_read(cache, open_cache):
    cache.put(ETHANOL, ENERGY)
    change(cache, "ALTER TABLE results DROP COLUMN digest")
    change(cache, "PRAGMA user_version = 1")
    cache.close()
    assert open_cache().get(ETHANOL) == ENERGY
