"""Molecules, fragments, vocabularies and their symmetry; RDKit only, no torch."""
