"""Docking with AutoDock Vina: targets, ligands, workers that can be killed, a cache of results."""
