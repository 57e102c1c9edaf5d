"""Policies over the actions of the fragment environment."""
