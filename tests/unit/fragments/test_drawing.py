"""The sheet of fragments."""

from xml.etree import ElementTree

from molgfn.fragments.drawing import draw_png, draw_svg
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    "test",
    (
        Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1), count=12),
        Fragment.build("CO", {0: 3, 1: 1}, frozenset({1})),
        Fragment.build("CC(C)C", {1: 1}),
    ),
)


def test_svg_has_a_cell_per_fragment_and_its_colours():
    svg = draw_svg(VOCABULARY, columns=2)
    root = ElementTree.fromstring(svg)
    assert (root.get("width"), root.get("height")) == ("360px", "320px")
    assert "#A5D8FF" in svg  # one bond
    assert "#FFD87F" in svg  # three


def test_png_is_a_png():
    assert draw_png(VOCABULARY).startswith(b"\x89PNG\r\n\x1a\n")


def test_templates_are_not_touched():
    draw_svg(VOCABULARY)
    assert not any(f.mol.GetNumConformers() for f in VOCABULARY.fragments)
