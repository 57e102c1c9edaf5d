"""Scores of fragment trees, remembered, computed in worker processes."""
