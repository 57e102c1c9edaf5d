import csv
from itertools import islice
from pathlib import Path

import pytest
from rdkit import Chem, RDConfig

from molgfn.chem.molecule import Molecule
from molgfn.chem.properties.batch import MoleculeBatch

#: Salts, metals, isotopes, radicals, cages, unusual bonds and valences, labelled stereo.
ODD = (
    *("C", "[2H]C", "[13CH4]", "[15NH2]C", "[Na+].[Cl-]", "[Fe]", "[NH4+]", "[H][H]", "[CH3]"),
    *("C[Si](C)(C)C", "FS(F)(F)(F)(F)F", "CN(C)(C)->O", "N->[Fe]", "B1OCCO1", "C[N+](C)(C)C"),
    *("C1CC2CC1C2", "C12C3C4C1C5C2C3C45", "C#CC#CC", "CC(C)(C)c1ccccc1", "N=C=C=N", "C1#CCCCCCC1"),
    *("C[C@H](F)Cl", "C[C@H](O)[C@@H](N)C(=O)O", "F/C=C/F", "C1CCCCCCCCCCC1", "OP(O)(O)=O"),
    *("C[S+]([O-])C", "CS(C)(=O)=O", "c1ccc2c(c1)ccc1ccccc12", "O=c1cc[nH]cc1", "[O-][n+]1ccccc1"),
    *("C1CCCCCCC1", "C1CCCCCCCC1", "c1ccc2cc1CCCCc1cccc(c1)CCCC2"),
)


@pytest.fixture(scope="session")
def diverse():
    """546 molecules: screening compounds, then odd ones."""
    path = Path(RDConfig.RDDataDir) / "Pains" / "test_data" / "wehi_mols.csv"
    with path.open() as file:
        smiles = [row[0] for row in islice(csv.reader(file), 0, 5120, 10)]
    mols = [Chem.MolFromSmiles(s) for s in (*smiles, *ODD)]
    return MoleculeBatch([Molecule(mol) for mol in mols if mol is not None])
