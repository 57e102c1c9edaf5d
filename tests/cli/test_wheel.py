"""The wheel works where nothing of the checkout is in reach."""

import csv
import io
import subprocess
import sys
import sysconfig
import zipfile

import pytest


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory],
        cwd=repository,
        check=True,
        capture_output=True,
    )
    (path,) = directory.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment that holds the wheel, and sees the other packages of this one."""
    directory = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    python = directory / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
    options = ["--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*command, *options, wheel], check=True)
    # A path in a .pth file is searched, but the .pth files in it are not read: the editable
    # install of the checkout stays out of reach.
    site = next(directory.glob("lib/python*/site-packages"))
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return directory


def run(*args, cwd):
    done = subprocess.run([*args], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_a_wheel_contains(wheel, repository):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "molgfn/py.typed" in names
    assert not any(name.split("/")[0] in ("tests", "scripts", "fragments") for name in names)
    vocabularies = [p.name for p in (repository / "fragments").iterdir()]
    assert "default.yaml" in vocabularies
    shipped = [p for p in (repository / "molgfn" / "shipped").rglob("*") if p.is_file()]
    expected = {f"molgfn/shipped/fragments/{name}" for name in vocabularies}
    expected |= {p.relative_to(repository).as_posix() for p in shipped}
    assert expected <= names
    assert any(name.startswith("molgfn/shipped/policy/") for name in names)


def test_the_imported_package_is_that_of_the_wheel(installed, tmp_path):
    python = installed / "bin" / "python"
    script = (
        "import molgfn, molgfn.config.resources as r; print(molgfn.__file__);"
        "print(r.shipped_path('fragments', 'default.yaml'))"
    )
    for line in run(python, "-c", script, cwd=tmp_path).splitlines():
        assert line.startswith(str(installed))


def test_it_samples_and_scores(installed, tmp_path):
    molgfn = installed / "bin" / "molgfn"
    text = run(molgfn, "sample", "--n", "10", "-o", "c.csv", cwd=tmp_path)
    assert text == ""
    scored = run(molgfn, "score", "c.csv", "--strict", cwd=tmp_path)
    rows = list(csv.DictReader(io.StringIO(scored)))
    assert len({row["InChIKey"] for row in rows}) == 10
    assert {row["status"] for row in rows} == {"ok"}
