"""Tables of molecules in and out: CSV and SMILES files, plain or compressed."""
