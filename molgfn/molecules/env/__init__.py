"""Batched states and actions of the fragment environment."""
