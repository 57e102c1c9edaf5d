"""Reading and writing a configuration: strict, typed, and with a comment for every key.

Precedence: defaults, then the file, then each ``--set a.b=c`` in order.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping, Sequence
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union

from molgfn.config.schema import Config
from molgfn.config.yaml import format_yaml, parse_yaml
from molgfn.errors import ConfigError, brief, did_you_mean, shell_quoted, shown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

_EXPECTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}


def from_mapping(cls: type[T], mapping: Mapping[str, Any], where: str = "") -> T:
    """Build a dataclass from plain values, strictly.

    Args:
        cls: A dataclass whose fields are numbers, texts, truth values, literals, optional ones,
            tuples of one type, or further dataclasses.
        mapping: Values by field name; missing ones keep their default.
        where: Dotted key of ``mapping`` itself, for messages.

    Raises:
        ConfigError: A key is unknown (the nearest one is suggested) or missing, or a value has the
            wrong type; the message names the dotted key.
    """
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key in mapping:
        if key not in fields:
            raise ConfigError(
                f"unknown key {_join(where, brief(str(key)))}{_suggest(str(key), fields, where)}"
            )
    for name, f in fields.items():
        if name not in mapping and not _has_default(f):
            raise ConfigError(f"{_join(where, name)} is missing")
    return cls(**{k: _convert(hints[k], v, _join(where, k)) for k, v in mapping.items()})


def to_mapping(config: Any) -> dict[str, Any]:
    """Plain values of a configuration dataclass, for JSON or YAML.

    In lists of dataclasses what equals its default is left out.
    """
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def load_config(path: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration: defaults, then the file, then the overrides.

    Args:
        path: YAML file; None for the defaults alone.
        overrides: Settings such as ``"train.steps=500"`` or ``"reward.factors.0.weight=2"``; the
            value is read as YAML.

    Raises:
        ConfigError: The file is missing or not YAML, or a key or value is wrong.
    """
    values = to_mapping(Config())
    config = Config()
    if path is not None:
        document = parse_yaml(_read_text(path), str(path))
        if document is not None and not isinstance(document, dict):
            raise ConfigError(f"{path}: expected keys and values, got {shown(document)}")
        _merge(values, document if document is not None else {})
        try:
            config = from_mapping(Config, values)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
    # Checked once all are in: a setting may be right only together with a later one.
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                f"--set {brief(override)}: expected key=value, such as train.steps=500"
            )
        try:
            _assign(values, key.strip(), parse_yaml(text, "value"))
        except ConfigError as error:
            raise ConfigError(f"--set {brief(override)}: {error}") from error
    if overrides:
        try:
            config = from_mapping(Config, values)
        except ConfigError as error:
            raise ConfigError(f"--set {brief(_culprit(overrides, str(error)))}: {error}") from error
    return config


def dump_config(config: Any) -> str:
    """YAML that :func:`load_config` reads back, with a comment above every key.

    The comments come from the docstrings of the dataclasses.
    """
    return "\n".join(_section_lines(config)) + "\n"


def _culprit(overrides: Sequence[str], message: str) -> str:
    """The last setting that a message speaks of, else the last one."""
    named = [o for o in overrides if o.partition("=")[0].strip() in message]
    return named[-1] if named else overrides[-1]


# ---- reading -------------------------------------------------------------------------------


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file; `molgfn config > {shell_quoted(path.name)}` writes one"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file (UTF-8)") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _merge(base: dict[str, Any], update: Mapping[str, Any]) -> None:
    """Lay ``update`` over ``base``; sections merge, an empty section changes nothing."""
    for key, value in update.items():
        old = base.get(key)
        if isinstance(old, dict) and value is None:
            continue
        if isinstance(old, dict) and isinstance(value, dict):
            _merge(old, value)
        else:
            base[key] = value


def _assign(values: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    node: Any = values
    for depth, part in enumerate([*parents, last]):
        where = ".".join(parents[:depth])
        if isinstance(node, list):
            index: Any = next((i for i in range(len(node)) if str(i) == part), None)
            if index is None:
                raise ConfigError(
                    f"{where} has {len(node)} items, numbered from 0; {shown(part)} is none of them"
                )
        elif isinstance(node, dict):
            index = part
            if depth < len(parents) and part not in node:
                raise ConfigError(
                    f"unknown key {_join(where, brief(part))}{_suggest(part, node, where)}"
                )
        else:
            raise ConfigError(f"{where} is a single value and has no key {shown(part)}")
        if depth == len(parents):
            node[index] = value
        else:
            node = node[index]


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        inner = [a for a in arguments if a is not type(None)]
        return _convert(inner[0], value, where)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool):
            choices = [str(a) for a in arguments]
            raise ConfigError(
                f"{where} must be one of {', '.join(choices)}, got {shown(value)}"
                f"{did_you_mean(value, choices) if isinstance(value, str) else ''}"
            )
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} must be a list, got {shown(value)}")
        return tuple(_convert(arguments[0], v, f"{where}.{i}") for i, v in enumerate(value))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise ConfigError(f"{where} must be a section of keys and values, got {shown(value)}")
        return from_mapping(hint, value, where)
    return _convert_scalar(hint, value, where)


def _convert_scalar(kind: type, value: Any, where: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is float and is_number:
        try:
            return float(value)
        except OverflowError as error:
            raise ConfigError(f"{where} is too large for a number") from error
    if kind is int and is_number and (isinstance(value, int) or value.is_integer()):
        return int(value)
    if kind in (bool, str) and isinstance(value, kind):
        return value
    if kind not in _EXPECTED:
        raise TypeError(f"{where} is declared as {kind}, which the loader does not know")
    cure = "; put it in quotes" if kind is str and is_number else ""
    raise ConfigError(f"{where} must be {_EXPECTED[kind]}, got {shown(value)}{cure}")


def _suggest(key: str, known: Mapping[str, Any], where: str) -> str:
    hint = did_you_mean(key, known, f"{where}." if where else "")
    return hint if hint else f"; known here: {', '.join(known)}"


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


# ---- writing -------------------------------------------------------------------------------


def _has_default(f: dataclasses.Field[Any]) -> bool:
    return f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_mapping(value)
    if isinstance(value, tuple):
        return [_plain_item(v) for v in value]
    return value


def _plain_item(value: Any) -> Any:
    if not dataclasses.is_dataclass(value):
        return _plain(value)
    pairs = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
    return {f.name: _plain(v) for f, v in pairs if f.default != v}


def _section_lines(section: Any) -> list[str]:
    comments = _attribute_comments(type(section))
    lines: list[str] = []
    for f in dataclasses.fields(section):
        value = getattr(section, f.name)
        nested = dataclasses.is_dataclass(value)
        if nested and lines:
            lines.append("")
        lines += [f"# {line}".rstrip() for line in comments.get(f.name, [])]
        if nested:
            lines.append(f"{f.name}:")
            lines += [f"  {line}".rstrip() for line in _section_lines(value)]
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            lines += _items_comment(type(value[0]))
            lines.append(f"{f.name}:")
            lines += [f"  - {format_yaml(_plain_item(item))}" for item in value]
        else:
            lines.append(f"{f.name}: {format_yaml(_plain(value))}")
    return lines


def _items_comment(cls: type) -> list[str]:
    lines = ["# Keys of each:"]
    for name, text in _attribute_comments(cls).items():
        lines.append(f"#   {name}: {text[0]}")
        lines += [f"#     {line}".rstrip() for line in text[1:]]
    return lines


def _attribute_comments(cls: type) -> dict[str, list[str]]:
    """Lines of the entries in the ``Attributes`` section of a docstring, markup removed."""
    doc = cleandoc(cls.__doc__) if cls.__doc__ is not None else ""
    _, _, rest = doc.partition("\nAttributes:\n")
    comments: dict[str, list[str]] = {}
    name = ""
    for line in rest.replace("``", "").splitlines():
        if line and not line.startswith(" "):
            break
        if found := re.match(r" {4}(\w+): (.*)", line):
            name = found[1]
            comments[name] = [found[2]]
        elif name and line.strip():
            comments[name].append(line.removeprefix(" " * 8))
    return comments
