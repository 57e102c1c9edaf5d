"""Molecules: reading, similarity, diverse picks, properties; RDKit only, no torch."""
