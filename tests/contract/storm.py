"""Generated inputs of every kind, each a command with what may come of it.

A kind takes a source of chance and an empty folder, and gives a :class:`Trial`. Half of what it
generates is sound and must be accepted; the other half is damaged and may be accepted or refused.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shutil
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from files_of_before import make_old

QED = ("--set", "reward.factors=[{scorer: QED, transform: identity}]")

#: Pieces that have broken readers of text before.
ODD = [
    *(
        "",
        "-1",
        "1e999",
        "-0.0",
        "nan",
        ".inf",
        "null",
        "~",
        "yes",
        "'",
        '"',
        '""',
        "0x1F",
        "1_000",
    ),
    *("9" * 400, "1" * 5000, "{}", "[]", "{a: [", "[" * 300, "&a [*a]", "*a", "!!map [1]"),
    *("!!set [1]", "!!python/name:os.system", "!!binary x", "%", "@", "`", "|", ">", "? :", "- -"),
    *("\ufeff", "\x85", "\u2028", "é", "−1", "\U0001f4a9", "a" * 300, "a: b", "#", "../x", "\\"),
]
MOLECULES = [
    *("CCO", "c1ccccc1", "CC(=O)Nc1ccc(O)cc1", "C[C@H](N)C(=O)O", "O=C([O-])c1ccccc1", "[NH4+]"),
    *("CC.Cl", "C1CC1", "F/C=C/F", "N#Cc1ccncc1", "CS(=O)(=O)N", "[2H]C", "[Na+].[Cl-]", "BrBr"),
]
PIECES = [
    *("C", "c1ccccc1", "N", "O", "(", ")", "[", "]", "=", "#", "@", "@@", "/", "\\", ".", "-", "+"),
    *("1", "2", "%10", "[nH]", "[N+]", "[O-]", "[Fe]", "[Xx]", "[13C]", "[C:1]", "*", "Cl", "Br"),
    *("[H]", "[H-]", "[c-]", "[C@TH1]", "$", ">", "~", "é", "0", "[1000C]", "[C+9]", "n", "s", "o"),
]


Check = Callable[[str], str]


class Trial(NamedTuple):
    """A command, the exit codes that it may have, and what its output must satisfy."""

    args: list[str | Path]
    codes: set[int]
    check: Check = lambda stdout: ""
    env: tuple[tuple[str, str], ...] = ()

    def fault(self, code: int, stdout: str) -> str:
        """What is wrong with the outcome; empty where nothing is."""
        if code not in self.codes:
            return f"exit code {code}, not one of {sorted(self.codes)}"
        return "" if code else self.check(stdout)


def column(stdout: str, name: str) -> list[str]:
    """A column of a table that came out; empty where its header was lost."""
    return [row.get(name, "") for row in csv.DictReader(io.StringIO(stdout))]


def all_rows(ids: list[str]) -> Check:
    """Every row comes out, in the order in which it went in."""

    def check(stdout: str) -> str:
        found = column(stdout, "id")
        return "" if found == ids else f"rows {found}, not {ids}"

    return check


def in_order(text: str) -> Check:
    """What is left of a damaged table has the order of its text."""
    ids = iter(re.findall(r"m\d{3}", text))

    def check(stdout: str) -> str:
        known = [each for each in column(stdout, "id") if re.fullmatch(r"m\d{3}", each)]
        return "" if all(each in ids for each in known) else f"rows in another order: {known}"

    return check


def the_same(expected: str) -> Check:
    """The output is what it was before the damage."""
    return lambda stdout: "" if stdout == expected else f"another output: {stdout}"


def damaged(text: str, rng: random.Random) -> str:
    """Text with a piece missing, doubled, displaced or strange."""
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice([0, 1, 3, 40]))
        piece = rng.choice(
            ["", "", text[start:end] * 2, rng.choice(ODD), rng.choice(string.printable)]
        )
        text = text[:start] + piece + text[end:]
    return text[: rng.randrange(len(text) + 1)] if rng.random() < 0.1 else text


def damaged_bytes(content: bytes, rng: random.Random) -> bytes:
    """A file of which a part is changed, zero, missing, doubled or of another file."""
    place = rng.randrange(len(content) + 1)
    length = rng.choice([1, 8, 512, 4096])
    part = content[place : place + length]
    other = rng.choice(
        [
            *(b"", bytes(len(part)), part + part, part[::-1], b"{}", b"\x80\x04."),
            rng.randbytes(len(part)),
        ]
    )
    return content[:place] + other + content[place + length :] if rng.random() < 0.9 else other


def places(text: str) -> list[tuple[int, int, int]]:
    """Lines ``key: value`` of a configuration: number of the line, start and end of the value."""
    found = []
    for number, line in enumerate(text.splitlines()):
        key, colon, value = line.partition(": ")
        if colon and value and not key.lstrip().startswith(("#", "- ")):
            found.append((number, len(key) + 2, len(line)))
    return found


def leaves(node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys of a configuration with their values, as ``--set`` takes them."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, json.dumps(value)


class Storm:
    """The kinds of trials, over files that are made once.

    Args:
        cli: Runs a command.
        run: Directory of a tiny trained run.
        proxy: Directory of a tiny proxy.
        cache: Docking cache of the chains of 1 to 5 carbon atoms in the target ``T``.
        peptide: Text of a PDB file.
    """

    def __init__(self, cli: Any, run: Path, proxy: Path, cache: Path, peptide: str) -> None:
        self.run, self.proxy, self.docked, self.peptide = run, proxy, cache, peptide
        self.text = cli("config").stdout
        self.settings = list(leaves(yaml.safe_load(self.text)))
        (proxy.parent / "t.csv").write_text("SMILES\nCCO\n")
        self.sampled = cli(*sample(run)).stdout
        self.scored = cli(*score(proxy)).stdout

    def config(self, rng: random.Random, folder: Path) -> Trial:
        """A configuration with another value, or with damage anywhere."""
        path, text = folder / "c.yaml", self.text
        if rng.random() < 0.5:
            lines = text.splitlines()
            number, start, end = rng.choice(places(text))
            lines[number] = lines[number][:start] + rng.choice(ODD) + lines[number][end:]
            text = "\n".join(lines)
        elif rng.random() < 0.8:
            text = damaged(text, rng)
        path.write_text(text, errors="surrogatepass")
        codes = {0} if text == self.text else {0, 3}
        return Trial(["config", "check", path], codes)

    def setting(self, rng: random.Random, folder: Path) -> Trial:
        """Settings of known keys and strange ones, with the values they have or any others."""
        sound = rng.random() < 0.3
        settings: list[str | Path] = []
        for _ in range(rng.randint(1, 3)):
            key, value = rng.choice(self.settings)
            if not sound:
                key = rng.choice([key, key, key, rng.choice(ODD), damaged(key, rng)])
                value = rng.choice(
                    [rng.choice(ODD), damaged(value, rng), damaged("[1, {a: 2}]", rng)]
                )
            settings += ["--set", f"{key}={value}".replace("\x00", "")]
        return Trial(["config", *settings], {0} if sound else {0, 2, 3})

    def table(self, rng: random.Random, folder: Path) -> Trial:
        """A table as programs and people write it, sound or damaged, scored or selected from."""
        separator, mark = rng.choice([(",", "."), (";", ","), (";", "."), ("\t", ","), ("\t", ".")])
        ids = [f"m{number:03d}" for number in range(rng.randint(1, 9))]
        out = io.StringIO()
        if rng.random() < 0.2 and separator == ";":
            out.write("sep=;\n")
        end = rng.choice(["\n", "\r\n"])
        writer = csv.writer(out, delimiter=separator, lineterminator=end)
        writer.writerow(["id", "SMILES", "Score", "remark"])
        for each in ids:
            score = f"{rng.random():.3f}".replace(".", mark)
            writer.writerow([each, rng.choice(MOLECULES), score, rng.choice(["", "a, b; c", "é"])])
        text = rng.choice(["", "\ufeff"]) + out.getvalue()
        sound = rng.random() < 0.5
        content = text.encode() if sound else damaged(text, rng).encode(errors="replace")
        if not sound and rng.random() < 0.3:
            content = damaged_bytes(content, rng)
        path = folder / ("t.tsv" if separator == "\t" else "t.csv")
        path.write_bytes(content)
        if rng.random() < 0.3:
            return Trial(["select", path, "-k", "3"], {0, 5} if sound else {0, 3, 5})
        check = all_rows(ids) if sound else in_order(content.decode(errors="replace"))
        return Trial(["score", path, *QED], {0} if sound else {0, 3}, check)

    def smiles(self, rng: random.Random, folder: Path) -> Trial:
        """Lines of SMILES and of what looks like SMILES, each of which comes out."""
        ids, lines = [f"m{number:03d}" for number in range(20)], []
        for each in ids:
            text = "".join(rng.choice(PIECES) for _ in range(rng.choice([1, 3, 8, 30])))
            if rng.random() < 0.5:
                text = "".join(damaged(rng.choice(MOLECULES), rng).split()) or "C"
            text = "".join(c for c in text if c.isprintable() and c not in ",;\"'") or "C"
            lines.append([each, text])
        path = folder / "s.csv"
        with path.open("w", newline="", errors="replace") as file:
            csv.writer(file).writerows([["id", "SMILES"], *lines])
        return Trial(["score", path, *QED], {0}, all_rows(ids))

    def checkpoint(self, rng: random.Random, folder: Path) -> Trial:
        """A run of which one file is damaged, missing or another's; with and without digests."""
        path = shutil.copytree(self.run, folder / "run")
        codes, sealed = damaged_folder(path, rng)
        if rng.random() < 0.5:
            return Trial(["train", "--run", path, "--resume"], codes)
        return Trial(sample(path), codes, the_same(self.sampled) if sealed else accepted)

    def a_proxy(self, rng: random.Random, folder: Path) -> Trial:
        """A proxy of which one file is damaged, missing or another's; with and without digests."""
        path = shutil.copytree(self.proxy, folder / "proxy")
        codes, sealed = damaged_folder(path, rng)
        return Trial(score(path), codes, the_same(self.scored) if sealed else accepted)

    def cache(self, rng: random.Random, folder: Path) -> Trial:
        """A docking cache that is damaged: what is believed of it is what was docked."""
        content = self.docked.read_bytes()
        sound = rng.random() < 0.1
        changed = content if sound else damaged_bytes(content, rng)
        (folder / self.docked.name).write_bytes(changed)
        table = folder / "t.csv"
        table.write_text("\n".join(["SMILES", *("C" * n for n in range(1, 6))]))

        def check(stdout: str) -> str:
            energies = column(stdout, "T_docked_kcal_mol")
            expected = [f"{-n / 4 - 1:g}" for n in range(1, 6)]
            return "" if energies == expected else f"energies {energies}"

        args = ["dock", table, "--target", "T", "--workers", "1"]
        env = (("MOLGFN_CACHE_DIR", str(folder)),)
        return Trial(args, {0} if sound else {0, 3}, check, env)

    def pdb(self, rng: random.Random, folder: Path) -> Trial:
        """A receptor with pieces missing, doubled, displaced and strange."""
        path = folder / "r.pdb"
        sound = rng.random() < 0.2
        path.write_text(self.peptide if sound else damaged(self.peptide, rng), errors="replace")
        box = ["--center", "0", "0", "0", "--size", "40", "40", "40"]
        args = ["targets", "add", "S", "--receptor", path, *box]
        env = (("MOLGFN_DATA_DIR", str(folder / "data")),)
        return Trial(args, {0} if sound else {0, 3}, env=env)


def accepted(stdout: str) -> str:
    """Any output will do: nothing says what it would be."""
    return ""


def sample(run: Path) -> list[str | Path]:
    """Command that draws from a run."""
    return ["sample", run, "--n", "2"]


def score(proxy: Path) -> list[str | Path]:
    """Command that scores with a proxy."""
    factor = "reward.factors=[{scorer: proxy, transform: sigmoid, low: -9.0, high: 0.0}]"
    return ["score", proxy.parent / "t.csv", "--set", f"reward.proxy={proxy}", "--set", factor]


def damaged_folder(path: Path, rng: random.Random) -> tuple[set[int], bool]:
    """Damage a file of a folder that molgfn wrote, which may be a folder of before.

    Returns:
        Exit codes that reading it may have, and whether digests would tell of damage.
    """
    (path.parent / "t.csv").write_text("SMILES\nCCO\n")
    if old := rng.random() < 0.5:
        make_old(path)
    files = sorted(p for p in path.rglob("*") if p.is_file())
    file = rng.choice(files)
    what = rng.choice(["nothing", "missing", "another's", *["damaged"] * 7])
    if what == "missing":
        file.unlink()
    elif what == "another's":
        file.write_bytes(rng.choice(files).read_bytes())
    elif what == "damaged":
        file.write_bytes(damaged_bytes(file.read_bytes(), rng))
    return {0} if what == "nothing" else {0, 3}, not old
