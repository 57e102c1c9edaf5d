"""YAML without its traps: ``1e-3`` is a number, ``no`` is text, a key stands once.

PyYAML follows YAML 1.1, where ``1e-3`` is text, ``no`` is False, ``010`` is 8, ``1:30`` is 90, and
of two equal keys the last one wins. Here the short rules of YAML 1.2 hold. An alias may repeat only
so much: a kilobyte of aliases to aliases stands for gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import yaml
from yaml.composer import Composer, ComposerError
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.resolver import Resolver

from molgfn.errors import ConfigError, brief, shown

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

# Read in seconds; what is longer is a table or a library given by mistake.
_MAX_LENGTH = 4_000_000

# What all aliases of a document may add to it, in nodes and characters.
_MAX_REPEATED = 1_000_000

# No setting is near it, and of a number with 4300 digits Python makes no text for a message.
_MAX_DIGITS = 1000

# Others make sets, dates and bytes, or break on what they are put before.
_TAGS = {
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")
}


class _Rules(Composer, SafeConstructor, Resolver):
    """What the loaders make of a document: the rules above.

    Nodes are composed in Python over libyaml too, whose own composer crashes on deep nesting.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    yaml_constructors = {  # noqa: RUF012
        tag: make
        for tag, make in SafeConstructor.yaml_constructors.items()
        if tag in {*_TAGS, None}
    }

    # Of the parser, which is PyYAML's or libyaml's.
    check_event: Callable[..., bool]
    peek_event: Callable[[], yaml.Event]

    def compose_document(self) -> yaml.Node | None:
        self._repeated = 0
        self._sizes: dict[int, int] = {}
        return super().compose_document()

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        mark: Any = self.peek_event().start_mark if self.check_event(yaml.AliasEvent) else None
        node = super().compose_node(parent, index)
        if mark is None or node is None:
            return node
        self._repeated += self._size(node, mark)
        if self._repeated > _MAX_REPEATED:
            raise ComposerError(None, None, "the aliases repeat too much; write it out", mark)
        return node

    def _size(self, node: yaml.Node, mark: yaml.Mark) -> int:
        """Nodes and characters of a node when all aliases in it are written out."""
        if node.end_mark is None:
            raise ComposerError(None, None, "an alias stands inside of what it repeats", mark)
        if isinstance(node, yaml.ScalarNode):
            return 1 + len(node.value)
        if id(node) not in self._sizes:
            pairs = node.value if isinstance(node, yaml.MappingNode) else zip(node.value)
            parts = [part for pair in pairs for part in pair]
            self._sizes[id(node)] = 1 + sum(self._size(part, mark) for part in parts)
        return self._sizes[id(node)]

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        if not isinstance(node, yaml.MappingNode):  # PyYAML looks only after it has taken it apart
            return super().construct_mapping(node, deep)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                what = "a key must be a single word"
                raise ConstructorError(None, None, what, key.start_mark)
            if key.value in seen:
                what = f"the key {shown(key.value)} stands twice"
                raise ConstructorError(None, None, what, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Loader(_Rules, yaml.SafeLoader):
    """Safe loader with the rules above."""


if yaml.__with_libyaml__:

    class _FastLoader(_Rules, yaml.CSafeLoader):
        """The same over libyaml, in a fifth of the time."""

        def __init__(self, stream: str) -> None:
            yaml.CSafeLoader.__init__(self, stream)
            Composer.__init__(self)


class _Dumper(yaml.SafeDumper):
    """Safe dumper that quotes exactly what the loader would not read as text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _whole_number(loader: _Rules, node: yaml.ScalarNode) -> int:
    if len(node.value) > _MAX_DIGITS:
        what = f"a whole number of {len(node.value)} digits is too large"
        raise ConstructorError(None, None, what, node.start_mark)
    return int(loader.construct_yaml_int(node))


_Rules.yaml_constructors["tag:yaml.org,2002:int"] = _whole_number

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
        ConfigError: The text is not YAML, or a key stands twice; with line and column. Or it is
            too long, or its aliases make it so.
    """
    if len(text) > _MAX_LENGTH:
        raise ConfigError(
            f"{where}: {len(text)} characters of YAML are more than {_MAX_LENGTH}; "
            "is it the right file?"
        )
    if yaml.__with_libyaml__ and not _DISPUTED.search(text):
        # What it refuses is read once more, for the other loader's messages.
        with suppress(yaml.YAMLError, ValueError, RecursionError):
            return yaml.load(text, Loader=_FastLoader)  # noqa: S506 - as below
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise ConfigError(f"{where}{place}: {brief(str(error.problem))}") from error
    except RecursionError as error:
        raise ConfigError(f"{where}: not readable as YAML: nested too deeply") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
        # PyYAML looks at no value before it reads it: !!int "" and !!timestamp x break it.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{where}: not readable as YAML: {brief(reason)}") from error


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
