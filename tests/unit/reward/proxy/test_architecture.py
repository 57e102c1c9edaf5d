import pytest

from molgfn.reward.proxy.architecture import Architecture
from molgfn.reward.proxy.member import ProxyNetwork


def test_weights_are_checked_against_what_a_network_has():
    # Predicting reads weights by their names and never builds the network.
    shape = Architecture(hidden=8, layers=2)
    weights = ProxyNetwork(shape).state_dict()
    shape.check(weights)
    with pytest.raises(ValueError, match="convs.0.eps"):
        shape.check({name: w for name, w in weights.items() if name != "convs.0.eps"})
    with pytest.raises(ValueError, match="atom.weight has the shape"):
        shape.check(weights | {"atom.weight": weights["atom.weight"].t()})
    with pytest.raises(ValueError, match="convs.1.eps"):
        Architecture(hidden=8, layers=1).check(weights)
