"""The domain of the hypergrid: environment, policy, target, task."""
