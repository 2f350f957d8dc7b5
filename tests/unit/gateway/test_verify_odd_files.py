"""`lienthong verify --json` of whatever somebody drops on it: a verdict, an exit code and a reason, never a trace."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from gateway import verification
from gateway.cli import app, verify
from signing.faults import FileUnreadable
from tests.unit.signing import attacks_foreign
from tests.unit.signing.attacks import Scene
from tests.unit.signing.forge import NOW, World

NOISE = random.Random(7).randbytes(5000)
EMPTY = b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>'
BUNDLE = b'{"resourceType":"Bundle","a":%s}'


def _entities(depth: int) -> bytes:
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, depth))
    return f'<!DOCTYPE a [<!ENTITY e0 "ha">{lines}]><a>&e{depth - 1};</a>'.encode()


UNREADABLE, UNSIGNED, MISPLACED, UNKNOWN = "LT5084", "LT5004", "LT5087", "LT5092"
INVALID, UNDECIDED = 1, 2
ODD: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", UNDECIDED, UNKNOWN),
    "white space": (b" \n\t ", UNDECIDED, UNKNOWN),
    "byte order mark": (b"\xef\xbb\xbf", UNDECIDED, UNKNOWN),
    "noise": (NOISE, UNDECIDED, UNKNOWN),
    "zeroes": (bytes(1000), UNDECIDED, UNKNOWN),
    "text": ("Giấy ra viện".encode(), UNDECIDED, UNKNOWN),
    "zip": (b"PK\x03\x04" + NOISE, UNDECIDED, UNKNOWN),
    "unsigned XML": (b"<r/>", INVALID, UNSIGNED),
    "unsigned XML, with a mark": (b"\xef\xbb\xbf<r/>", INVALID, UNSIGNED),
    "unsigned XML in UTF-16": ("<r>Đặng</r>".encode("utf-16"), INVALID, UNSIGNED),
    "unsigned XML in Latin-1": (
        '<?xml version="1.0" encoding="ISO-8859-1"?><r>é</r>'.encode("latin-1"),
        INVALID,
        UNSIGNED,
    ),
    "UTF-16 that ends": (b"\xff\xfe<", INVALID, UNREADABLE),
    "unknown encoding": (b'<?xml version="1.0" encoding="x-foo"?><r/>', INVALID, UNREADABLE),
    "XML that ends": (b"<r><a>x</a>", INVALID, UNREADABLE),
    "page": (b"<!DOCTYPE html><html><body>x</body></html>", INVALID, UNREADABLE),
    "signature that is empty": (b"<r>" + EMPTY + b"</r>", INVALID, MISPLACED),
    "signature alone": (EMPTY, INVALID, MISPLACED),
    "thousands of signatures": (b"<r>" + EMPTY * 5000 + b"</r>", INVALID, MISPLACED),
    "entities in entities": (_entities(10), INVALID, UNREADABLE),
    "entity from a file": (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>', INVALID, UNREADABLE),
    "external DTD": (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>', INVALID, UNREADABLE),
    "deep XML": (b"<a>" * 100_000 + b"</a>" * 100_000, INVALID, UNREADABLE),
    "many attributes": (b"<a " + b" ".join(b'a%d="1"' % n for n in range(50_000)) + b"/>", INVALID, UNSIGNED),
    "50 MB of XML": (b"<r>" + b"<a>xxxxxxxxxx</a>" * 3_000_000 + b"</r>", INVALID, UNSIGNED),
    "70 MB of XML": (b"<r>" + b"x" * 70_000_000 + b"</r>", INVALID, UNREADABLE),
    "unsigned JSON": (b'{"resourceType":"Bundle"}', INVALID, UNSIGNED),
    "JSON with a mark": (b'\xef\xbb\xbf{"resourceType":"Bundle"}', INVALID, UNREADABLE),
    "JSON in UTF-16": ('{"resourceType":"Bundle"}'.encode("utf-16"), INVALID, UNREADABLE),
    "JSON list": (b"[]", UNDECIDED, UNKNOWN),
    "JSON that ends": (b'{"a":', INVALID, UNREADABLE),
    "JSON that says a name twice": (b'{"a":1,"a":2}', INVALID, UNREADABLE),
    "JSON with no number": (BUNDLE % b"NaN", INVALID, UNREADABLE),
    "JSON with half a character": (BUNDLE % b'"\\ud800"', INVALID, UNSIGNED),
    "deep JSON": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, INVALID, UNREADABLE),
    "deep JSON list": (BUNDLE % (b"[" * 1_000_000 + b"]" * 1_000_000), INVALID, UNREADABLE),
    "number of a hundred thousand digits": (BUNDLE % (b"9" * 100_000), INVALID, UNSIGNED),
    "number with an exponent": (BUNDLE % b"1e999999999", INVALID, UNSIGNED),
    "50 MB of JSON": (BUNDLE % (b'"' + b"x" * 50_000_000 + b'"'), INVALID, UNSIGNED),
    "another resource": (b'{"resourceType":"Patient"}', INVALID, UNREADABLE),
    "signature that is a number": (b'{"resourceType":"Bundle","signature":5}', INVALID, MISPLACED),
}


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture
def trust(tmp_path: Path, world: World) -> Path:
    (file := tmp_path / "root.pem").write_bytes(world.root.certificate.public_bytes(Encoding.PEM))
    return file


def _verify(trust: Path, *arguments: str) -> tuple[int, Any]:
    done = CliRunner().invoke(app, ["verify", "--json", "--offline", "--trust", str(trust), *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.parametrize("name", ODD)
def test_odd_file(name: str, trust: Path, tmp_path: Path) -> None:
    data, code, reason = ODD[name]
    (file := tmp_path / "file").write_bytes(data)
    exit_code, told = _verify(trust, str(file))
    assert (exit_code, [one["code"] for one in told["reasons"]]) == (code, [reason])
    assert told["verdict"] == {INVALID: "invalid", UNDECIDED: "undecided"}[code]
    assert told["signers"] == told["covers"] == []
    assert all(one["what"] and one["do"] for one in told["reasons"])


def test_folder_without_papers_is_not_valid(trust: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "folder").mkdir()
    assert _verify(trust, str(folder)) == (UNDECIDED, [])


def test_folder_is_as_bad_as_its_worst_file(trust: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "folder").mkdir()
    (folder / "a.xml").write_bytes(b"")
    (folder / "b.json").write_bytes(b"{}")
    (folder / "ignored.txt").write_bytes(b"")
    code, told = _verify(trust, str(folder))
    assert code == INVALID
    assert [Path(one["file"]).name for one in told] == ["a.xml", "b.json"]


def _pipe(file: Path) -> None:
    os.mkfifo(file)


def _too_long(file: Path) -> None:
    file.touch()
    os.truncate(file, verify._MAXIMUM + 1)


@pytest.mark.parametrize("make", [_pipe, _too_long])
def test_file_that_is_not_read(make: Callable[[Path], None], trust: Path, tmp_path: Path) -> None:
    make(file := tmp_path / "file.xml")
    code, told = _verify(trust, str(file))
    assert (code, [one["code"] for one in told["reasons"]]) == (UNDECIDED, ["LT5204"])


def test_file_without_the_right_to_read(trust: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file := tmp_path / "file.xml").write_bytes(b"<r/>")
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path == file:
            raise PermissionError
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    code, told = _verify(trust, str(file))
    assert code == UNDECIDED
    assert told["reasons"][0]["detail"] == "PermissionError"


FOREIGN = {case.name: case for case in attacks_foreign.CASES if case.name.startswith("vendor:")}
"""As vendors here write signatures: what they sign is plain XMLDSig, judged for now, and nobody is asked about revocation."""


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_signature(name: str, world: World, trust: Path, tmp_path: Path) -> None:
    made = FOREIGN[name].make(world)
    assert not isinstance(made, Scene)
    (file := tmp_path / "file.xml").write_bytes(made if isinstance(made, bytes) else made.encode())
    code, told = _verify(trust, "--at", "2026-06-01", str(file))
    if FOREIGN[name].verdict == "valid":
        assert (code, told["verdict"]) == (UNDECIDED, "undecided")
        assert {one["code"] for one in told["reasons"]} == {"LT5072"}
        assert told["signers"][0]["name"] == "Nguyễn Thị Ánh"
    else:
        assert (code, told["verdict"]) == (INVALID, "invalid")


def test_sha1_is_named(world: World, trust: Path, tmp_path: Path) -> None:
    for name, word in (
        ("vendor: rsa-sha1", "rsa-sha1 (SHA-1)"),
        ("vendor: SHA-1 of the document under rsa-sha256", "sha1 (SHA-1)"),
    ):
        (file := tmp_path / "file.xml").write_text(str(FOREIGN[name].make(world)), encoding="utf-8")
        code, told = _verify(trust, "--at", "2026-06-01", str(file))
        assert code == INVALID
        assert word in told["reasons"][0]["detail"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_what_is_signed_does_not_depend_on_how_it_is_encoded(
    encoding: str, world: World, trust: Path, tmp_path: Path
) -> None:
    (file := tmp_path / "file.xml").write_bytes(world.plain("<r><a>Đặng</a>{}</r>").encode(encoding))
    code, told = _verify(trust, "--at", "2026-06-01", str(file))
    if encoding == "utf-16-le":  # without a mark nobody can know
        assert (code, told["reasons"][0]["code"]) == (INVALID, UNREADABLE)
    else:
        assert (code, {one["code"] for one in told["reasons"]}) == (UNDECIDED, {"LT5072"})


# ---- signature policies ----


def _following(world: World) -> bytes:
    """Sign and say which policy that follows."""
    (make,) = (one.make for one in attacks_foreign.CASES if one.name == "policy not at hand")
    found = make(world)
    assert isinstance(found, str)
    return found.encode()


@pytest.mark.parametrize(
    ("files", "reasons", "warnings"),
    [
        (None, [], ["LT5202"]),
        ({}, ["LT5206"], []),
        ({"other.pdf": b"khac"}, ["LT5206"], []),
        ({"1.2.704.9.pdf": b"khac"}, ["LT5201"], []),
        ({"ky-giay.txt": attacks_foreign.DOCUMENT_OF_POLICY, "other.pdf": b"khac"}, [], []),
        ({".hidden": attacks_foreign.DOCUMENT_OF_POLICY}, ["LT5206"], []),
    ],
)
def test_policies_of_a_folder_are_those_that_count(
    files: dict[str, bytes] | None,
    reasons: list[str],
    warnings: list[str],
    world: World,
    trust: Path,
    tmp_path: Path,
) -> None:
    (paper := tmp_path / "giay.xml").write_bytes(_following(world))
    options = ["--at", NOW.isoformat()]
    if files is not None:
        (folder := tmp_path / "policies").mkdir()
        for name, body in files.items():
            (folder / name).write_bytes(body)
        options += ["--policies", str(folder)]
    _, told = _verify(trust, str(paper), *options)
    about_policies = ("LT5201", "LT5202", "LT5206")
    found = [[one["code"] for one in told[key] if one["code"] in about_policies] for key in ("reasons", "warnings")]
    assert found == [reasons, warnings]
    assert (told["signers"][0]["policy"], told["verdict"]) == ("urn:oid:1.2.704.9", "undecided"), "nobody is asked"


def test_a_document_of_a_policy_that_is_too_long(world: World, trust: Path, tmp_path: Path) -> None:
    (paper := tmp_path / "giay.xml").write_bytes(_following(world))
    (folder := tmp_path / "policies").mkdir()
    (folder / "long.pdf").touch()
    os.truncate(folder / "long.pdf", verification._LARGEST_POLICY + 1)
    done = CliRunner().invoke(app, ["verify", str(paper), "--trust", str(trust), "--policies", str(folder)])
    assert isinstance(done.exception, FileUnreadable)
    assert done.exception.where == "long.pdf"
