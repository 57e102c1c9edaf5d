"""What molecules are worth: scorers, transforms, the proxy and their product."""
