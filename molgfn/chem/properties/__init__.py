"""Properties of molecules, re-implemented for batches where RDKit is slow."""
