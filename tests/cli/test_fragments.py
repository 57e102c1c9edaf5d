"""``molgfn fragments`` from the command line."""

import gzip
import itertools

import pytest
from typer.testing import CliRunner

from molgfn.cli.fragments import fragments_app
from molgfn.errors import InputError, MolgfnError, OutputError, UsageError
from molgfn.fragments.vocabulary_file import load_vocabulary

RINGS = ("c1ccc({})cc1", "c1ccc({})nc1", "C1CCC({})CC1", "c1cc({})cs1", "C1CCN({})CC1")
GROUPS = ("C", "CC", "OC", "C(N)=O", "S(C)(=O)=O", "C(F)(F)F", "Nc1ccccc1", "c1ccncc1")
LIBRARY = [ring.format(group) for ring, group in itertools.product(RINGS, GROUPS)]
FEW = ("--min-count", "1", "--min-pair-count", "1")


def molgfn(*arguments):
    return CliRunner().invoke(fragments_app, [str(a) for a in arguments])


@pytest.fixture
def library(tmp_path):
    path = tmp_path / "library.smi"
    path.write_text("\n".join(LIBRARY))
    return path


def test_build_then_check_then_show(tmp_path, library):
    vocabulary = tmp_path / "my.yaml"
    built = molgfn("build", library, "-o", vocabulary, *FEW)
    assert built.exit_code == 0, built.stderr
    assert built.stdout == ""
    assert "rebuilt of the held-out tenth" in built.stderr
    assert load_vocabulary(vocabulary).name == "my"
    checked = molgfn("check", vocabulary)
    assert checked.exit_code == 0
    assert "decoding     unique" in checked.stdout
    for name in ("sheet.svg", "sheet.png"):
        assert molgfn("show", vocabulary, "-o", tmp_path / name).exit_code == 0
        assert (tmp_path / name).stat().st_size > 1000


def test_the_same_library_gives_the_same_bytes_in_every_format(tmp_path, library):
    (tmp_path / "library.csv").write_text(
        "id,mol\n" + "\n".join(f"{i},{s}" for i, s in enumerate(LIBRARY))
    )
    (tmp_path / "library.smi.gz").write_bytes(gzip.compress(library.read_bytes()))
    texts = []
    for name, extra in (
        ("library.smi", ()),
        ("library.smi.gz", ()),
        ("library.csv", ("--smiles-column", "mol")),
    ):
        output = tmp_path / "v.yaml"
        assert molgfn("build", tmp_path / name, "-o", output, *FEW, *extra).exit_code == 0
        texts.append(output.read_text().replace(name, "library"))
    assert texts[0] == texts[1] == texts[2]


def test_a_bad_row_is_named_and_stops_nothing(tmp_path, library):
    library.write_text("\n".join([*LIBRARY[:3], "C1CC bad", *LIBRARY[3:]]))
    built = molgfn("build", library, "-o", tmp_path / "v.yaml", *FEW)
    assert built.exit_code == 0
    assert "1 unreadable" in built.stderr
    assert "row 4: RDKit cannot read 'C1CC'" in built.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.smi", None, "no such file"),
        ("empty.smi", b"", "empty"),
        ("garbage.smi", b"\xff\xfe\x00\x80", "UTF-8"),
        ("ions.smi", b"C[N+](C)(C)C\n", "none of 1 rows"),
        ("words.csv", b"name\nx\n", "SMILES column"),
        ("one.smi", b"Cc1ccccc1\n", "--min-count"),
    ],
)
def test_a_library_that_cannot_be_used(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    result = molgfn("build", path, "-o", tmp_path / "v.yaml")
    assert_one_line(result, InputError, message)
    assert not (tmp_path / "v.yaml").exists()


def test_an_output_that_cannot_be_written_is_told_before_the_work(tmp_path):
    for output in (tmp_path / "absent" / "v.yaml", tmp_path):
        assert_one_line(molgfn("build", "absent.smi", "-o", output), OutputError, "cannot write")
    assert_one_line(molgfn("show", "-o", tmp_path / "absent" / "v.svg"), OutputError, "create it")


def test_a_picture_needs_a_known_format(tmp_path):
    assert_one_line(molgfn("show", "-o", tmp_path / "v.pdf"), UsageError, r".svg or .png")


def test_a_broken_vocabulary_ends_with_3(tmp_path):
    path = tmp_path / "v.yaml"
    path.write_text('format: 1\nname: v\npairs: []\nfragments:\n- {smiles: "C", sites: {0: 4}}\n')
    result = molgfn("check", path)
    assert_one_line(result, InputError, "can bond to no fragment")
    assert "fault: fragment 1 (C)" in result.stdout
    assert_one_line(molgfn("check", tmp_path / "absent.yaml"), InputError, "absent.yaml")


def test_the_shipped_vocabulary_passes():
    result = molgfn("check")
    assert result.exit_code == 0
    assert "warning" not in result.stdout


def test_the_block_file_passes_with_warnings(shared_data):
    result = molgfn("check", shared_data / "seh" / "blocks_PDB_105.json")
    assert result.exit_code == 0
    assert "19 fragments were closed under symmetry" in result.stdout
    assert "have several trees" in result.stdout


@pytest.mark.parametrize("verb", ["build", "check", "show"])
def test_help_shows_an_example(verb):
    result = molgfn(verb, "--help")
    assert result.exit_code == 0
    assert "Example: molgfn fragments" in result.stdout


def assert_one_line(result, kind, message):
    error = result.exception
    assert isinstance(error, kind), error
    assert isinstance(error, MolgfnError)
    assert error.exit_code == kind.exit_code
    assert message in str(error)
    assert "\n" not in str(error)
