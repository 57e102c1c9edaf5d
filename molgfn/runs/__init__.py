"""Runs: the components put together from a configuration, and the directory they live in."""
