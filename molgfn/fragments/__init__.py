"""Fragments and vocabularies: trees, symmetry, parsing, mining."""
