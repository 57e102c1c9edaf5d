"""The domain of the hypergrid: environment, target, task."""
