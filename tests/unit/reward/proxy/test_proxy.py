import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors
from rdkit.DataStructs import BulkTanimotoSimilarity, ExplicitBitVect

from molgfn.chem.molecule import read_molecule
from molgfn.chem.properties.batch import MoleculeBatch
from molgfn.config.resources import shipped_path
from molgfn.errors import TableError
from molgfn.reward.proxy import ensemble
from molgfn.reward.proxy.architecture import Architecture
from molgfn.reward.proxy.dataset import Dataset, read_dataset
from molgfn.reward.proxy.ensemble import Ensemble
from molgfn.reward.proxy.features import N_ATOM_CODES, N_BOND_CODES, Graphs
from molgfn.reward.proxy.fit import FitSettings, fit_proxy
from molgfn.reward.proxy.member import ProxyNetwork
from molgfn.reward.proxy.split import scaffold_folds
from molgfn.reward.proxy.store import (
    find_proxy,
    load_held_out,
    load_proxy,
)
from molgfn.reward.proxy.training import TrainingSettings, fit_network

ODD = ["C", "[Na+].[Cl-]", "C[Se]C", "C[Si](C)(C)C", "[2H]C", "C#N", "C1CC1", "FS(F)(F)(F)(F)F"]


@pytest.fixture(scope="module")
def shipped():
    return load_proxy("parp1")


@pytest.fixture(scope="module")
def trained():
    """300 of the shipped proxy's own molecules."""
    path = shipped_path("data", "parp1", "docked.csv")
    molecules = read_dataset(path, None, "PARP1_kcal_mol").molecules
    return MoleculeBatch(molecules[:: len(molecules) // 300])


def read(smiles):
    return [read_molecule(s) for s in smiles]


def test_graph_of_propene():
    graphs = Graphs.of(MoleculeBatch(read(["C=CC"])))
    batch = graphs.batch()
    assert batch.edges.T.tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
    assert batch.bonds.tolist() == [1, 1, 0, 0]
    assert graphs.descriptors.tolist() == [[3, 0, 0, 0, 0, 0, 1, 0, 0]]


def test_graph_of_biphenyl_tells_ring_bonds_from_the_rotatable_one():
    graphs = Graphs.of(MoleculeBatch(read(["c1ccccc1-c1ccccc1"])))
    assert sorted(graphs.bonds.codes.tolist()) == [0, 0] + [3 + 5] * 24
    assert graphs.descriptors[0, :4].tolist() == [12, 2, 2, 1]


@pytest.mark.parametrize("smiles", ODD)
def test_every_molecule_has_codes_within_the_tables(smiles):
    batch = Graphs.of(MoleculeBatch(read([smiles]))).batch()
    assert batch.atoms.min() >= 0
    assert batch.atoms.max() < N_ATOM_CODES
    assert batch.edges.shape == (2, len(batch.bonds))
    assert all(0 <= code < N_BOND_CODES for code in batch.bonds)


def test_chosen_graphs_are_joined_in_the_order_of_the_choice():
    graphs = Graphs.of(MoleculeBatch(read(["C#N", "CC", "C", "CO"])))
    batch = graphs[np.array([3, 2, 1])].batch()
    assert batch.edges.tolist() == [[0, 1, 3, 4], [1, 0, 4, 3]]
    assert batch.owner.tolist() == [0, 0, 1, 2, 2]
    assert np.array_equal(graphs[1:3].types, graphs.types[2:5])


def plain_descriptors(mol):
    """As RDKit counts them."""
    halogens = sum(atom.GetAtomicNum() in (9, 17, 35, 53) for atom in mol.GetAtoms())
    sp3 = Chem.HybridizationType.SP3
    carbons = [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 6]
    return [
        mol.GetNumAtoms(),
        mol.GetRingInfo().NumRings(),
        rdMolDescriptors.CalcNumAromaticRings(mol),
        sum(
            bond.GetBondType() == Chem.BondType.SINGLE
            and not bond.IsInRing()
            and min(bond.GetBeginAtom().GetDegree(), bond.GetEndAtom().GetDegree()) > 1
            for bond in mol.GetBonds()
        ),
        rdMolDescriptors.CalcNumLipinskiHBD(mol),
        rdMolDescriptors.CalcNumLipinskiHBA(mol),
        sum(atom.GetHybridization() == sp3 for atom in carbons),
        halogens,
    ]


def test_descriptors_are_those_of_rdkit(trained):
    descriptors = Graphs.of(trained).descriptors
    for row, mol in zip(descriptors.tolist(), trained.mols, strict=True):
        expected = plain_descriptors(mol)
        assert row[:-1] == expected
        assert row[-1] == pytest.approx(expected[3] / expected[0])


def test_the_fast_ensemble_predicts_what_the_networks_do(shipped, trained):
    fast = shipped.predict_members(trained)[2]
    scale, mean = shipped.calibration.sd, shipped.calibration.mean
    batch = Graphs.of(trained).batch()
    with torch.inference_mode():
        networks = [ProxyNetwork.of(shipped.architecture, w) for w in shipped.networks]
        plain = np.stack([network(batch).numpy() for network in networks])
    assert fast == pytest.approx(plain * scale + mean, abs=1e-5)


def test_predictions_do_not_depend_on_the_batch_nor_on_what_was_predicted_before(
    shipped, trained, monkeypatch
):
    value, std = shipped.predict(trained)
    backwards, backwards_std = shipped.predict(trained[::-1])
    assert np.array_equal(backwards[::-1], value)
    assert np.array_equal(backwards_std[::-1], std)
    monkeypatch.setattr(ensemble, "CAPACITY", 64)
    forgetful = Ensemble(shipped.networks)
    monkeypatch.setattr(ensemble, "CAPACITY", 1 << 16)
    retentive = Ensemble(shipped.networks)
    for start in range(0, 60, 3):
        graphs = Graphs.of(trained[start : start + 3])
        assert np.array_equal(forgetful(graphs), retentive(graphs))
        assert forgetful(graphs).mean(axis=0) == pytest.approx(
            (value[start : start + 3] - shipped.calibration.mean) / shipped.calibration.sd
        )
    assert (std > 0).all()


def test_similarity_is_the_largest_tanimoto_similarity(shipped, trained):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    training = [ExplicitBitVect(2048) for _ in shipped.neighbours.counts]
    ends = np.cumsum(shipped.neighbours.counts.astype(int))
    for bits, row in zip(np.split(shipped.neighbours.bits, ends[:-1]), training, strict=True):
        row.SetBitsFromList(bits.tolist())
    strangers = read(["CCOC(=O)c1cnc2ccsc2c1", "N#CC(Br)(Br)I", "C", "O=C1CCC(N2CCCC2)CN1"])
    for molecule in strangers:
        expected = max(BulkTanimotoSimilarity(generator.GetFingerprint(molecule.mol), training))
        assert shipped.nearest_train_similarity([molecule])[0] == pytest.approx(expected, abs=1e-12)
    assert shipped.nearest_train_similarity(trained[:50]).tolist() == [1.0] * 50


def test_no_molecules_give_no_predictions(proxy):
    value, std = proxy.predict([])
    assert value.shape == std.shape == (0,)


def test_the_seed_decides_the_proxy_and_leaves_the_callers_random_numbers_alone(
    proxy, dataset, settings
):
    state = torch.get_rng_state()
    again = fit_proxy(dataset, "TOY", "kcal_mol", settings)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(again.predict(dataset.molecules)[0], proxy.predict(dataset.molecules)[0])


def test_progress_counts_every_epoch(dataset, settings):
    calls = []
    fit_proxy(dataset, "TOY", "", settings, on_epoch=lambda: calls.append(1))
    assert len(calls) == settings.n_epochs == 18


def test_the_report_says_how_the_test_went(proxy):
    report = proxy.provenance["report"]
    assert report["n_train"] + report["n_calibration"] + report["n_test"] == 42
    assert set(report["ensemble"]) == {
        *("rmse", "r2", "spearman", "size_residual_r2", "size_residual_spearman")
    }
    assert 0.0 <= report["interval_coverage"] <= 1.0
    assert report["sources"] == {}
    # The target is linear in heavy atoms, so three epochs of a tiny network cannot beat this.
    assert report["heavy_atoms"]["rmse"] < 1e-6
    assert isinstance(report["beats_random_forest"], bool)


def test_an_ensemble_needs_two_members():
    with pytest.raises(ValueError, match="at least 2 members"):
        FitSettings(members=1)
    with pytest.raises(ValueError, match="a control needs a member"):
        FitSettings(control_members=0)


def test_similarity_to_the_training_set(proxy, dataset):
    assert proxy.nearest_train_similarity(dataset.molecules[:3]).tolist() == [1.0, 1.0, 1.0]
    far = proxy.nearest_train_similarity([read_molecule("N#CC(Br)(Br)I")])
    assert 0.0 <= far[0] < 0.3


def test_the_shipped_proxy_beats_the_forest_and_knows_an_inhibitor(shipped):
    report = shipped.provenance["report"]
    assert report["beats_random_forest"]
    assert report["ensemble"]["spearman"] > 0.9
    olaparib = read_molecule("O=C1NN=C(Cc2ccc(F)c(C(=O)N3CCN(C(=O)C4CC4)CC3)c2)c2ccccc12")
    aspirin = read_molecule("CC(=O)Oc1ccccc1C(=O)O")
    value, _ = shipped.predict([olaparib, aspirin])
    assert value[0] < -11.0
    assert value[1] > -8.0


def test_a_proxy_of_before_has_no_control_and_no_test_molecules(shipped):
    directory = find_proxy("parp1")
    if load_held_out(directory) is None:
        assert shipped.control is None
        assert shipped.calibration.weights == ()


def test_values_that_differ_in_one_molecule_alone_are_refused(dataset, settings):
    folds = scaffold_folds(dataset.molecules, 8, settings.seed)
    targets = np.where(np.arange(len(folds)) == np.flatnonzero(folds == 0)[0], 1.0, 0.0)
    with pytest.raises(TableError, match="a proxy needs values that differ"):
        fit_proxy(Dataset(dataset.molecules, targets), "TOY", "", settings)


def test_a_bound_pulls_predictions_to_its_own_side_only(dataset):
    # Half of the molecules are known only to lie above or below a value far on one side.
    graphs = Graphs.of(MoleculeBatch.of(dataset.molecules))
    n = len(dataset.molecules)
    bounded = np.arange(n) % 2 == 0
    settings = TrainingSettings(epochs=30, batch_size=16)

    def mean_of_bounded(target, sign):
        targets = np.where(bounded, target, 0.0)
        signs = np.where(bounded, sign, 0)
        network = fit_network(
            graphs,
            targets,
            np.arange(n),
            np.arange(n),
            Architecture(hidden=8, layers=2),
            settings,
            seed=0,
            on_epoch=lambda: None,
            bounds=signs,
        )
        with torch.inference_mode():
            return float(network(graphs.batch())[torch.from_numpy(bounded)].mean())

    assert abs(mean_of_bounded(-3.0, 1)) < 0.2  # "more than -3" says nothing against 0
    assert abs(mean_of_bounded(3.0, -1)) < 0.2
    assert mean_of_bounded(3.0, 1) > 0.4
    assert mean_of_bounded(3.0, 0) > 0.4
