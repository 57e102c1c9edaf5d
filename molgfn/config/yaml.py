"""YAML without its traps: ``1e-3`` is a number, ``no`` is text, a key stands once.

PyYAML follows YAML 1.1, where ``1e-3`` is text, ``no`` is False, ``010`` is 8, ``1:30`` is 90, and
of two equal keys the last one wins. Here the short rules of YAML 1.2 hold.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from molgfn.errors import ConfigError

# Tag, pattern, and the characters a matching text can begin with.
_RULES = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
        r"|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
)


# Characters of which PyYAML and libyaml do not make the same: tabs, byte-order marks, and those of
# tags, block scalars and long keys.
_DISPUTED = re.compile(r"[^\n -~]|[!>?|]")


class _Rules(SafeConstructor, Resolver):
    """What the loaders make of a document: the rules above."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a single word", key.start_mark
                )
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Loader(_Rules, yaml.SafeLoader):
    """Safe loader with the rules above."""


if yaml.__with_libyaml__:

    class _FastLoader(_Rules, Composer, yaml.CSafeLoader):
        """The same over libyaml, in a fifth of the time.

        It composes nodes in Python: libyaml's own composer crashes on deep nesting.
        """

        def __init__(self, stream: str) -> None:
            yaml.CSafeLoader.__init__(self, stream)
            Composer.__init__(self)


class _Dumper(yaml.SafeDumper):
    """Safe dumper that quotes exactly what the loader would not read as text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _class in (_Rules, _Dumper):
    for _tag, _pattern, _first in _RULES:
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first
        )


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Double quotes spell line breaks as \n, the unusual ones too; the other styles would spread
    # over lines and lose some of them.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)


def parse_yaml(text: str, where: str) -> Any:
    """Read one YAML document.

    Args:
        text: The document.
        where: What an error calls its source, such as a file name.

    Returns:
        Plain dicts, lists, texts, numbers, truth values and None.

    Raises:
        ConfigError: The text is not YAML, or a key stands twice; with line and column.
    """
    if yaml.__with_libyaml__ and not _DISPUTED.search(text):
        # What it refuses is read once more, for the other loader's messages.
        with suppress(yaml.YAMLError, ValueError, RecursionError):
            return yaml.load(text, Loader=_FastLoader)  # noqa: S506 - as below
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise ConfigError(f"{where}{place}: {error.problem}") from error
    except RecursionError as error:
        raise ConfigError(f"{where}: not readable as YAML: nested too deeply") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
        # PyYAML looks at no value before it reads it: !!int "" and !!timestamp x break it.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{where}: not readable as YAML: {reason}") from error


def format_yaml(value: Any) -> str:
    """One line of YAML for a scalar or None, or for plain lists and dicts of them."""
    text = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=True,
        allow_unicode=True,
        sort_keys=False,
        width=float("inf"),
    )
    return text.removesuffix("\n").removesuffix("\n...")
