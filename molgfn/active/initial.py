"""The initial set: what the user has measured before, or molecules of random trajectories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from molgfn.active.directory import RoundDirectory
from molgfn.active.history import Repeat, history_json
from molgfn.active.ledger import Ledger, Planned
from molgfn.active.measurements import Measurement, answer_of, read_measurements
from molgfn.chem.molecule import Molecule, read_or_reason
from molgfn.config.rounds_schema import RoundsConfig
from molgfn.config.schema import Config
from molgfn.errors import ShortfallError, TableError
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.machine.device import seeded, set_up_device
from molgfn.molecules.policy.uniform import UniformPolicy
from molgfn.molecules.sampler import Sampler
from molgfn.molecules.task import build_env
from molgfn.tables.columns import INITIAL_COLUMNS
from molgfn.tables.reader import read_molecule_table


def read_initial(rounds: RoundsConfig, column: str) -> list[Measurement]:
    """Read the user's own measured molecules.

    Returns:
        Measurements of molecules that differ in their InChIKey, in the order of the file.

    Raises:
        TableError: The file cannot be read or understood, or holds no measured molecule.
    """
    path = str(rounds.initial)
    measurements = read_measurements(read_molecule_table(path), column, rounds.oracle)
    if not measurements:
        raise TableError(f"{path} has no value in {column}; the first round learns from them")
    return measurements


def measured_before(
    rounds: RoundsConfig, column: str, ledger: Ledger, begin: RoundDirectory
) -> list[str]:
    """Enter the user's own measured molecules; they cost nothing.

    Returns:
        A line for each molecule whose mean does not keep one of its bounds.

    Raises:
        TableError: See :func:`read_initial`.
    """
    measurements = read_initial(rounds, column)
    planned = [
        Planned(begin.entry(place), 0, m.molecule.smiles, m.molecule.inchikey)
        for place, m in enumerate(measurements, start=1)
    ]
    notes = []
    with ledger.transaction():
        ledger.plan(planned, Path(str(rounds.initial)).name, paid=False)
        for entry, came in zip(planned, measurements, strict=True):
            answer, note = answer_of(came.repeats, rounds.oracle)
            repeats = history_json([Repeat(one) for one in came.repeats])
            n_repeats = len(came.repeats)
            ledger.finish(entry.entry, answer, n_repeats=n_repeats, repeats=repeats)
            notes += [f"{came.where}, {came.molecule.smiles}: {note}"] if note else []
    return notes


def random_molecules(
    config: Config,
    vocabulary: Vocabulary,
    n: int,
    refuse: Callable[[Molecule], str],
    entry: Callable[[int], str],
) -> pd.DataFrame:
    """Draw molecules of random trajectories, for the oracle to begin with.

    Args:
        config: Limits, device and seed.
        vocabulary: The vocabulary.
        n: How many to draw.
        refuse: Why the oracle would refuse a molecule, ``""`` where it would not.
        entry: Name of the ledger's entry for each place, from 1.

    Raises:
        ShortfallError: The environment holds fewer molecules.
    """
    env = build_env(config, vocabulary, set_up_device(config.device))
    uniform = Sampler(config, env, UniformPolicy(env), "random trajectories", Path())
    found: dict[str, Molecule] = {}
    generator = seeded(config.seed, env.device)
    # More than n: some are the same in their standard form, or refused.
    for batch in uniform.sample(2 * n, uniform.ask(1.0), generator=generator):
        for sampled in batch:
            molecule = read_or_reason(sampled.molecule.smiles, keep_stereo=False)
            if isinstance(molecule, Molecule) and not refuse(molecule):
                found.setdefault(molecule.inchikey, molecule)
        if len(found) >= n:
            break
    if len(found) < n:
        raise ShortfallError(
            f"random trajectories give only {len(found)} of {n} molecules that the oracle takes; "
            "lower rounds.initial_size"
        )
    molecules = list(found.values())[:n]
    rows = [
        (molecule.smiles, entry(place), molecule.inchikey, molecule.scaffold)
        for place, molecule in enumerate(molecules, start=1)
    ]
    return pd.DataFrame(rows, columns=list(INITIAL_COLUMNS))
