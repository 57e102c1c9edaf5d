import numpy as np
import pytest

from molgfn.config.schema import LimitsConfig
from molgfn.errors import ConfigError
from molgfn.fragments.enumeration import enumerate_states
from molgfn.fragments.fragment import Fragment
from molgfn.fragments.marked_graph import MarkedGraphs, canonical_smiles, self_matches
from molgfn.fragments.vocabulary import Vocabulary

BENZENE = Fragment.build("c1ccccc1", dict.fromkeys(range(6), 1))
TRIFLUORIDE = Fragment.build("FC(F)F", {1: 1})
PAIR = Vocabulary("pair", (BENZENE, TRIFLUORIDE))
#: Two rings and CF3 would have 16 heavy atoms, a ring and two CF3 have 14.
LIMITS = LimitsConfig(min_fragments=2, max_fragments=3, max_heavy_atoms=14)
ORTHO, META, PARA = (
    f"FC(F)(F)c1{ring}" for ring in ("ccccc1C(F)(F)F", "cccc(C(F)(F)F)c1", "ccc(C(F)(F)F)cc1")
)


@pytest.fixture(scope="module")
def found():
    return enumerate_states(PAIR, LIMITS)


def test_states_of_benzene_and_trifluoromethyl(found):
    single = {"c1ccccc1", "FC(F)F"}
    double = {"c1ccc(-c2ccccc2)cc1", "FC(F)(F)c1ccccc1", "FC(F)(F)C(F)(F)F"}
    assert found.smiles[0] == ""
    assert set(found.smiles[1:3]) == single
    assert set(found.smiles[3:6]) == double
    assert set(found.smiles[6:]) == {ORTHO, META, PARA}
    assert len(found) == 9
    assert found.trees[0] is None


def test_multiplicities_counted_by_hand(found):
    counts = {
        (found.smiles[p], found.smiles[c], int(f)): (int(m), int(k))
        for p, c, f, m, k in zip(
            found.edge_parent,
            found.edge_child,
            found.edge_fragment,
            found.edge_m,
            found.edge_k,
            strict=True,
        )
    }
    toluene = "FC(F)(F)c1ccccc1"
    assert counts == {
        ("", "c1ccccc1", 0): (1, 1),
        ("", "FC(F)F", 1): (1, 1),
        ("c1ccccc1", "c1ccc(-c2ccccc2)cc1", 0): (6, 2),
        ("c1ccccc1", toluene, 1): (6, 1),
        ("FC(F)F", toluene, 0): (1, 1),
        ("FC(F)F", "FC(F)(F)C(F)(F)F", 1): (1, 2),
        (toluene, ORTHO, 1): (2, 2),
        (toluene, META, 1): (2, 2),
        (toluene, PARA, 1): (1, 2),
    }


def test_symmetry_leaves_and_stops_counted_by_hand(found):
    by_smiles = {
        s: (int(o), bool(stop), int(leaves))
        for s, o, stop, leaves in zip(
            found.smiles, found.order, found.may_stop, found.n_leaves, strict=True
        )
    }
    assert by_smiles[""] == (1, False, 0)
    assert by_smiles["c1ccccc1"] == (12, False, 1)
    assert by_smiles["FC(F)(F)c1ccccc1"] == (2 * 6, True, 2)
    assert by_smiles["FC(F)(F)C(F)(F)F"] == (2 * 6 * 6, True, 2)
    assert by_smiles["c1ccc(-c2ccccc2)cc1"] == (2 * 2 * 2, True, 2)
    assert by_smiles[ORTHO] == by_smiles[META] == (2 * 6 * 6, True, 2)
    assert by_smiles[PARA] == (4 * 6 * 6, True, 2)


def test_actions_are_the_edges_one_by_one(found):
    assert np.array_equal(np.bincount(found.action_edge, minlength=len(found.edge_m)), found.edge_m)
    assert np.array_equal(found.action_state, found.edge_parent[found.action_edge])
    assert (np.diff(found.action_state) >= 0).all()
    assert (found.edge_parent < found.edge_child).all()


def test_a_state_with_nothing_to_attach_may_stop_early():
    """Only carbon on the ring is allowed: no CF3 on CF3, no ring on a ring."""
    methane = Fragment.build("C", {0: 1})
    vocabulary = Vocabulary("one pair", (BENZENE, TRIFLUORIDE, methane), frozenset({("C", "c")}))
    limits = LimitsConfig(min_fragments=3, max_fragments=3, max_heavy_atoms=10)
    found = enumerate_states(vocabulary, limits)
    stops = {s for s, stop in zip(found.smiles, found.may_stop, strict=True) if stop}
    # CF3 fills the limit of ten atoms: stuck at two fragments.
    assert "FC(F)(F)c1ccccc1" in stops
    assert "Cc1ccccc1" not in stops
    lonely = enumerate_states(
        Vocabulary("no pair", (TRIFLUORIDE, BENZENE), frozenset({("c", "c")})), LIMITS
    )
    assert lonely.smiles == ("", "c1ccccc1", "c1ccc(-c2ccccc2)cc1")


def test_weight_limit_is_that_of_the_molecule():
    hexafluoroethane = 138.01
    names = [
        set(
            enumerate_states(
                PAIR,
                LimitsConfig(min_fragments=1, max_fragments=2, max_weight_g_per_mol=weight),
            ).smiles
        )
        for weight in (hexafluoroethane - 0.1, hexafluoroethane + 0.1)
    ]
    assert names[1] - names[0] == {"FC(F)(F)C(F)(F)F"}


def test_an_entry_site_is_no_substitute_for_a_site_by_which_nothing_enters():
    """Piperidine comes in by its nitrogen only: hanging by carbon it cannot be removed."""
    piperidine = Fragment.build("C1CCNCC1", {0: 1, 3: 1}, entries=frozenset({3}))
    vocabulary = Vocabulary("entries", (piperidine,))
    found = enumerate_states(vocabulary, LimitsConfig(max_fragments=2))
    leaves = dict(zip(found.smiles, found.n_leaves.tolist(), strict=True))
    assert leaves == {
        "": 0,
        "C1CCNCC1": 1,
        "C1CCN(N2CCCCC2)CC1": 2,
        "C1CCN(C2CCNCC2)CC1": 1,
    }


def test_tautomeric_nitrogens_are_told_apart():
    pyrazole = Fragment.build("c1cn[nH]c1", {0: 1, 1: 1, 4: 1})
    graphs = MarkedGraphs(Vocabulary("pyrazole", (pyrazole,)))
    assert self_matches(graphs.single(0))[0] == 1
    methylated = {canonical_smiles(graphs.attached(graphs.single(0), 0, 0, s)) for s in range(3)}
    assert len(methylated) == 3


def test_too_many_states_is_refused_with_the_cure():
    with pytest.raises(ConfigError, match="more than 8 states.*lower limits.max_fragments"):
        enumerate_states(PAIR, LIMITS, max_states=8)
    assert len(enumerate_states(PAIR, LIMITS, max_states=9)) == 9


def test_progress_counts_every_state():
    seen = []
    found = enumerate_states(PAIR, LIMITS, on_progress=seen.append)
    assert seen == list(range(2, len(found) + 1))
