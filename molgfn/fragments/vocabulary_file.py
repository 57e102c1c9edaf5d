"""Vocabularies on disk: readable YAML, one line per fragment, read strictly.

::

    format: 1
    name: example
    provenance: {source: a library, licence: CC0}
    pairs:                      # allowed junctions, how often each was seen; absent: all allowed
    - ["C", "c", 1234]
    fragments:
    - {smiles: "Cc1ccccc1", sites: {3: 1, 5: 1}, count: 17}
    - {smiles: "CO", sites: {0: 3, 1: 1}, entries: [1], count: 12}

``sites`` is ``{atom: capacity}``; atoms count from 0 as they stand in ``smiles``. ``entries`` are
the atoms by which the fragment may be attached; absent: all sites.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from molgfn.config.resources import SHIPPED_CURE, shipped_path
from molgfn.config.yaml import format_yaml, parse_yaml
from molgfn.errors import ConfigError, VocabularyError, brief, shown
from molgfn.fragments.blocks import read_blocks
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary
from molgfn.machine.files import write_file
from molgfn.machine.sealed import read_sealed

FORMAT = 1

_TOP_KEYS = ("format", "name", "provenance", "pairs", "fragments")
_FRAGMENT_KEYS = ("smiles", "sites", "entries", "count")


def find_vocabulary(name_or_path: str) -> Vocabulary:
    """Load a vocabulary by the name of a shipped one, or from a file.

    Args:
        name_or_path: A shipped name such as ``default``, or the path of a ``.yaml`` or ``.json``
            file. A name without suffix and directory means a shipped vocabulary.

    Raises:
        VocabularyError: There is no such name or file, or the file is malformed.
    """
    path = Path(name_or_path)
    if not path.suffix and path.name == name_or_path:
        shipped = shipped_path("fragments", f"{name_or_path}.yaml")
        if shipped.is_file():
            return load_sealed_vocabulary(shipped, SHIPPED_CURE, required=True)
        names = sorted(p.stem for p in shipped.parent.glob("*.yaml"))
        if not path.exists():
            raise VocabularyError(
                f"{shown(name_or_path)} is no shipped vocabulary; give one of "
                f"{', '.join(names)} or the path of a vocabulary file"
            )
    return load_vocabulary(path)


def load_vocabulary(path: Path) -> Vocabulary:
    """Read a vocabulary file.

    Args:
        path: A YAML file in the format above, or a ``.json`` block file of the 2021 paper.

    Returns:
        The vocabulary; a file written by :func:`save_vocabulary` comes back equal.

    Raises:
        VocabularyError: The file cannot be read, or an entry is wrong; the message names the
            file, the entry and the cure.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise VocabularyError(
            f"cannot read the vocabulary {path}: {reason}; give a file written by "
            "'molgfn fragments build'"
        ) from error
    return _read(text, path)


def load_sealed_vocabulary(path: Path, cure: str, *, required: bool = False) -> Vocabulary:
    """Read the vocabulary of a run, or one that ships; see :func:`read_sealed`.

    Raises:
        CheckpointError: The file is not as it was written.
        VocabularyError: An entry is wrong.
    """
    content = read_sealed(path, cure, required=required)
    try:
        return _read(content.decode("utf-8"), path)
    except UnicodeDecodeError as error:
        raise VocabularyError(f"{path} is damaged: it is not UTF-8 text; {cure}") from error


def _read(text: str, path: Path) -> Vocabulary:
    try:
        if path.suffix.lower() == ".json":
            return read_blocks(text, name=path.stem)
        return _parse(parse_yaml(text, str(path)))
    except VocabularyError as error:
        raise VocabularyError(f"{path}: {error}") from error
    except ConfigError as error:
        raise VocabularyError(str(error)) from error


def save_vocabulary(
    vocabulary: Vocabulary,
    path: Path,
    pair_counts: Mapping[tuple[str, str], int] | None = None,
) -> None:
    """Write a vocabulary; a file of that name is replaced only when the new one is complete.

    Args:
        vocabulary: What to write; its provenance holds plain values only.
        path: The file to write.
        pair_counts: How often each allowed pair was seen, for the reader of the file.

    Raises:
        OutputError: The file cannot be written.
    """
    text = dump_vocabulary(vocabulary, pair_counts)
    write_file(path, text)


def dump_vocabulary(
    vocabulary: Vocabulary, pair_counts: Mapping[tuple[str, str], int] | None = None
) -> str:
    """Vocabulary as YAML text, one line per pair and per fragment; see :func:`save_vocabulary`."""
    lines = [f"format: {FORMAT}", f"name: {format_yaml(vocabulary.name)}"]
    if vocabulary.provenance:
        lines += ["provenance:", *_block(vocabulary.provenance, "  ")]
    if vocabulary.pairs is not None:
        counts = {} if pair_counts is None else pair_counts
        lines.append("pairs:" if vocabulary.pairs else "pairs: []")
        for pair in sorted(vocabulary.pairs, key=lambda p: (-counts.get(p, 0), p)):
            row: list[str | int] = [*pair]
            if pair in counts:
                row.append(counts[pair])
            lines.append(f"- {json.dumps(row)}")
    lines.append("fragments:")
    lines.extend(f"- {_fragment_line(fragment)}" for fragment in vocabulary.fragments)
    return "\n".join(lines) + "\n"


def _block(mapping: Mapping[str, object], indent: str) -> Iterator[str]:
    """Write a mapping in indented lines, one per value."""
    for key, value in mapping.items():
        name = f"{indent}{format_yaml(key)}:"
        if isinstance(value, Mapping) and value:
            yield name
            yield from _block(value, indent + "  ")
        elif isinstance(value, list) and value:
            yield name
            yield from (f"{indent}- {format_yaml(item)}" for item in value)
        else:
            yield f"{name} {format_yaml(value)}"


def _fragment_line(fragment: Fragment) -> str:
    sites = ", ".join(f"{atom}: {capacity}" for atom, capacity in fragment.capacities.items())
    parts = [f"smiles: {json.dumps(fragment.smiles)}", f"sites: {{{sites}}}"]
    if fragment.entries != frozenset(fragment.capacities):
        parts.append(f"entries: {sorted(fragment.entries)}")
    if fragment.count:
        parts.append(f"count: {fragment.count}")
    return "{" + ", ".join(parts) + "}"


def _parse(content: object) -> Vocabulary:
    if not isinstance(content, dict):
        came = "an empty file" if content is None else f"a {type(content).__name__}"
        raise VocabularyError(f"expected a mapping with the key 'fragments', got {came}")
    _refuse_unknown(content, _TOP_KEYS, "the file")
    if content.get("format") != FORMAT:
        raise VocabularyError(
            f"format is {shown(content.get('format'))}, this version reads {FORMAT}; "
            f"write 'format: {FORMAT}'"
        )
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise VocabularyError("'name' must be a short text, such as 'name: my-vocabulary'")
    provenance = content.get("provenance", {})
    if not isinstance(provenance, dict):
        raise VocabularyError("'provenance' must be a mapping, such as {source: my library}")
    entries = content.get("fragments")
    if not isinstance(entries, list) or not entries:
        raise VocabularyError("'fragments' must be a list with at least one entry")
    fragments = tuple(_fragment(i, entry) for i, entry in enumerate(entries, 1))
    pairs = _pairs(content["pairs"]) if "pairs" in content else None
    return Vocabulary(name, fragments, pairs, provenance)


def _fragment(number: int, entry: object) -> Fragment:
    smiles = entry.get("smiles") if isinstance(entry, dict) else None
    where = f"fragment {number}" + (f" ({brief(smiles)})" if isinstance(smiles, str) else "")
    if not isinstance(entry, dict) or not isinstance(smiles, str):
        raise VocabularyError(
            f'{where}: expected a mapping such as {{smiles: "CO", sites: {{1: 1}}}}'
        )
    _refuse_unknown(entry, _FRAGMENT_KEYS, where)
    sites = entry.get("sites")
    if not isinstance(sites, dict) or not all(
        _is_count(atom) and _is_count(capacity) for atom, capacity in sites.items()
    ):
        raise VocabularyError(
            f"{where}: 'sites' must map atom numbers to capacities, such as {{0: 1, 3: 2}}"
        )
    doors = entry.get("entries")
    if doors is not None and not (isinstance(doors, list) and all(map(_is_count, doors))):
        raise VocabularyError(f"{where}: 'entries' must be a list of atom numbers, such as [0]")
    count = entry.get("count", 0)
    if not _is_count(count):
        raise VocabularyError(f"{where}: 'count' must be a whole number, 0 or more")
    try:
        return Fragment.build(smiles, sites, None if doors is None else frozenset(doors), count)
    except VocabularyError as error:
        raise VocabularyError(f"{where}: {error}") from error


def _pairs(rows: object) -> frozenset[tuple[str, str]]:
    if not isinstance(rows, list):
        raise VocabularyError("'pairs' must be a list; leave it out to allow all pairs")
    pairs = set()
    for number, row in enumerate(rows, 1):
        if (
            not isinstance(row, list)
            or len(row) not in (2, 3)
            or not all(isinstance(kind, str) and kind for kind in row[:2])
            or not all(map(_is_count, row[2:]))
        ):
            raise VocabularyError(
                f'pair {number}: expected ["C", "c"] or ["C", "c", times seen], got {shown(row)}'
            )
        first, second = sorted(row[:2])
        if (first, second) in pairs:
            raise VocabularyError(f"pair {number}: {first}, {second} is given twice; drop one")
        pairs.add((first, second))
    return frozenset(pairs)


def _is_count(value: object) -> bool:
    # True and False are integers to Python, but never meant as numbers here.
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _refuse_unknown(mapping: dict[Any, Any], known: tuple[str, ...], where: str) -> None:
    unknown = [key for key in mapping if key not in known]
    if unknown:
        raise VocabularyError(
            f"{where}: the key {shown(unknown[0])} is not known; the keys are {', '.join(known)}"
        )
