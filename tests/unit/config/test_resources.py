from molgfn.config.resources import cure_of, is_shipped, shipped_folders, shipped_path
from molgfn.machine.sealed import SUMS, read_sealed


def test_vocabularies_lie_in_the_checkout_and_the_rest_in_the_package(repository):
    assert shipped_path("fragments") == repository / "fragments"
    assert shipped_path("proxies", "x") == repository / "molgfn" / "shipped" / "proxies" / "x"


def test_every_file_that_ships_has_its_digest():
    folders = shipped_folders()
    assert shipped_path("fragments") in folders
    assert shipped_path("policy", "parp1") in folders
    for file in [file for folder in folders for file in folder.iterdir() if file.is_file()]:
        assert is_shipped(file)
        if file.name != SUMS:
            # Where one was changed on purpose: python scripts/seal_shipped.py
            assert read_sealed(file, "", required=True)
    assert cure_of(folders[0] / "x", "mend it") == "install molgfn again"


def test_other_files_do_not_ship(tmp_path):
    assert not is_shipped(tmp_path / "default.yaml")
    assert cure_of(tmp_path / "x", "mend it") == "mend it"
