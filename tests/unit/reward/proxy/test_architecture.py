from molgfn.reward.proxy.architecture import Architecture
from molgfn.reward.proxy.member import ProxyNetwork


def test_the_shapes_of_weights_are_those_of_a_network():
    # Predicting reads weights by their names and never builds the network.
    architecture = Architecture(hidden=8, layers=2)
    weights = ProxyNetwork(architecture).state_dict()
    assert architecture.shapes() == {name: tuple(w.shape) for name, w in weights.items()}
