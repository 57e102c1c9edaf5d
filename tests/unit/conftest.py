import pytest
from rdkit import Chem

from molgfn.fragments.fragment import Fragment
from molgfn.fragments.vocabulary import Vocabulary

#: What a junction may change, or be changed by: lone pairs, charges, all kinds of double bonds.
ODD = """
    N O S C P B F [NH4+] [NH3+]C C=C C#C C=O C=N N=N N=S C=C=C O=[SH2]=O O=S CS(C)=O OB(O)O O=P(O)O
    [SiH4] [SeH2] C1CC1 c1ccccc1 c1cc[nH]c1 c1ccncc1 O=c1cc[nH]cc1 C1=CCNC=C1 C1=CC=CC=CC1
    C[N+](=O)[O-] NC(N)=N O=NN C=[N+]=[N-] [O-]c1ccccc1 Cc1cc[n+]([O-])cc1 c1ccc2[nH]ccc2c1
    OO NN SS NO Br I
"""


@pytest.fixture(scope="session")
def odd_vocabulary():
    """Fragments of which every hydrogen is a site."""
    fragments = []
    for text in ODD.split():
        smiles = Chem.CanonSmiles(text)
        atoms = Chem.MolFromSmiles(smiles).GetAtoms()
        sites = {a.GetIdx(): a.GetTotalNumHs() for a in atoms if a.GetTotalNumHs()}
        fragments.append(Fragment.build(smiles, sites))
    return Vocabulary("odd", tuple(fragments))
