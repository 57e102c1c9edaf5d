"""Vocabularies: identity, allowed pairsion."""

from dataclasses import replace

import pytest

from molgfn.errors import VocabularyError
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary

BENZENE = Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1))
METHANE = Fragment.build("C", {0: 4})
FLUORINE = Fragment.build("F", {0: 1})


@pytest.fixture
def vocabulary():
    return Vocabulary("test", (BENZENE, METHANE, FLUORINE), frozenset({("C", "c"), ("F", "c")}))


def test_pairs_are_allowed_in_either_order(vocabulary):
    assert vocabulary.allows("c", "C")
    assert vocabulary.allows("C", "c")
    assert not vocabulary.allows("C", "C")


def test_without_pairs_everything_is_allowed(vocabulary):
    assert replace(vocabulary, pairs=None).allows("F", "F")


def test_site_types_and_index(vocabulary):
    assert vocabulary.site_types == ("C", "F", "c")
    assert vocabulary.index["C"] == 1
    assert len(vocabulary) == 3


def test_digest_depends_on_content_not_on_name_or_provenance(vocabulary):
    assert replace(vocabulary, name="other", provenance={"a": 1}).digest == vocabulary.digest
    assert replace(vocabulary, pairs=None).digest != vocabulary.digest
    fewer = replace(vocabulary, fragments=(BENZENE, Fragment.build("C", {0: 3}), FLUORINE))
    assert fewer.digest != vocabulary.digest


def test_empty_and_repeated_fragments_are_refused():
    with pytest.raises(VocabularyError, match="no fragments"):
        Vocabulary("empty", ())
    with pytest.raises(VocabularyError, match="fragments 0 and 1 are both C"):
        Vocabulary("twice", (METHANE, Fragment.build("C", {0: 1})))
