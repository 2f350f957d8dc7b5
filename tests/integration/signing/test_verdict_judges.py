"""Other people's software and our verdict: xmlsec1, signxml's XAdES signer, openssl as time stamp authority."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from lxml import etree
from signxml.xades.xades import XAdESSigner

from signing import xmldsig
from signing.validation import Trust, validate
from tests.site import cli
from tests.unit.signing.forge import (
    C14N,
    LONG,
    NOW,
    SIGNED,
    World,
    b64,
    issue,
    made,
    reference,
    time_stamp,
    values,
)

pytestmark = pytest.mark.skipif(
    shutil.which("xmlsec1") is None and os.geteuid() != 0, reason="xmlsec1 is not installed and cannot be"
)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made_here = tmp_path_factory.mktemp("judges")
    pem = serialization.Encoding.PEM
    (made_here / "root.pem").write_bytes(world.root.certificate.public_bytes(pem))
    (made_here / "chain.pem").write_bytes(world.ca.certificate.public_bytes(pem))
    for name, one in (("ca", world.ca), ("person", world.person), ("tsa", world.tsa)):
        (made_here / f"{name}.pem").write_bytes(one.certificate.public_bytes(pem))
        private = one.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (made_here / f"{name}.key").write_bytes(private)
    return made_here


def run(folder: Path, *command: str, fails: bool = False) -> bytes:
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stdout


DEFAULT_NAMESPACES = {
    "inside a namespace": '<r xmlns="urn:r" xmlns:v="urn:v"><a>x</a>{}</r>',
    "without one": "<r><a>x</a>{}</r>",
    "under xml:lang": '<r xml:lang="vi"><a>x</a>{}</r>',
}


@pytest.mark.parametrize("name", DEFAULT_NAMESPACES)
def test_inclusive_form_of_signed_info(name: str, world: World, folder: Path) -> None:
    """As .NET writes it: SignedInfo in Canonical XML 1.0 below a default namespace."""
    document = DEFAULT_NAMESPACES[name]
    content = document.replace("{}", "")
    whole = made(world.person.memory, [reference(content)], form=C14N)
    inherited = 'xml:lang="vi"' if "lang" in name else ""
    info = whole.info
    own = f'"{xmldsig.NAMESPACE}"'
    if "xmlns:v" in document:
        info = info.replace(f"{own}>", f'{own} xmlns:v="urn:v">', 1)
    if inherited:
        info = info.replace(f"{own}>", f"{own} {inherited}>", 1)
    value = b64(world.person.memory.sign(info.encode()))
    text = whole.text().replace(whole.value, value)
    (folder / "inclusive.xml").write_text(document.replace("{}", text))
    at = NOW.strftime("%Y-%m-%d %H:%M:%S")
    run(folder, "xmlsec1", "--verify", "--trusted-pem", "root.pem", "--verification-time", at, "inclusive.xml")
    trust = Trust([world.root.certificate], evidence=world.standing(NOW))
    told = validate((folder / "inclusive.xml").read_bytes(), trust, NOW)
    assert (told.verdict, told.reasons, told.data) == ("valid", (), content.encode())


def test_xades_by_signxml(world: World, folder: Path) -> None:
    tree = etree.fromstring('<r xmlns:v="urn:v"><a>Lý</a></r>'.encode())
    today = issue(world.ca, "Hôm Nay", 80, **LONG)
    private = folder / "today.key"
    private.write_bytes(
        today.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    signed = etree.tostring(
        XAdESSigner().sign(tree, key=private.read_bytes(), cert=list(today.memory.chain)), encoding="UTF-8"
    )
    told = validate(signed, Trust([world.root.certificate]))
    assert [(one.level, one.at_is, one.signer.name) for one in told.signers] == [("B-B", "claimed", "Hôm Nay")]
    assert {one.code for one in told.reasons} == {5072}
    changed = validate(signed.replace("Lý".encode(), b"Le"), Trust([world.root.certificate]))
    assert (changed.verdict, changed.reasons[0].code) == ("invalid", 5088)


TSA = """
[tsa]
default_tsa = it
[it]
serial = ./serial
signer_cert = ./tsa.pem
certs = ./chain.pem
signer_key = ./tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_alg = sha256
"""


def test_time_stamp_by_openssl(world: World, folder: Path) -> None:
    (folder / "tsa.cnf").write_text(TSA)
    today = issue(world.ca, "Hôm Nay", 80, service=False, **LONG)
    whole = world.basic(signer=today)
    (folder / "value.bin").write_bytes(whole.value_octets)
    run(folder, "openssl", "ts", "-query", "-data", "value.bin", "-sha512", "-cert", "-out", "q.tsq")
    reply = ("openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q.tsq", "-token_out", "-out", "t.der")
    run(folder, *reply)
    token = (folder / "t.der").read_bytes()
    trust = Trust([world.root.certificate], evidence=world.standing(datetime.now(UTC)))
    told = validate(world.stamped(signer=today, token=token).encode(), trust)
    assert (told.verdict, [one.level for one in told.signers]) == ("valid", ["B-T"])
    assert told.signers[0].at - datetime.now(UTC) < timedelta(minutes=1)


def test_our_forged_time_stamps_are_what_openssl_takes_for_good_ones(world: World, folder: Path) -> None:
    """So that refusing the bad ones says something."""
    (folder / "data.bin").write_bytes(b"data")
    (folder / "mine.der").write_bytes(time_stamp(b"data", world.tsa))
    check = ("openssl", "ts", "-verify", "-token_in", "-in", "mine.der", "-data", "data.bin", "-CAfile", "root.pem")
    assert world.tsa.certificate.issuer == world.ca.certificate.subject
    run(folder, *check, "-untrusted", "chain.pem")
    (folder / "mine.der").write_bytes(time_stamp(b"data", world.tsa, spoil="seal"))
    run(folder, *check, "-untrusted", "chain.pem", fails=True)


# ---- the command ----


def told(folder: Path, *arguments: str, code: int) -> Any:
    done = cli("verify", "--json", "--trust", str(folder / "root.pem"), *arguments)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_command(world: World, folder: Path, tmp_path: Path) -> None:
    names = {"valid": world.stamped(more=values(world.good())), "undecided": world.stamped(), "invalid": world.plain()}
    for name, data in names.items():
        (tmp_path / f"{name}.xml").write_text(data.replace("<a>x", "<a>y") if name == "invalid" else data)
    at = ("--at", NOW.isoformat(), "--offline")
    for name, code in (("valid", 0), ("invalid", 1), ("undecided", 2)):
        one = told(folder, str(tmp_path / f"{name}.xml"), *at, code=code)
        assert one["verdict"] == name
        assert bool(one["reasons"]) == (name != "valid")
        assert bool(one["covers"]) == (name == "valid")
    good = told(folder, str(tmp_path / "valid.xml"), "--at", "2036-01-01", "--offline", code=0)
    (signer,) = good["signers"]
    assert (signer["name"], signer["title"], signer["level"]) == ("Nguyễn Thị Ánh", "Bác sĩ", "B-LT")
    assert signer["serial"] == f"{world.person.certificate.serial_number:x}"
    assert signer["time"].startswith(SIGNED.strftime("%Y-%m-%dT%H:"))
    assert [one["part"] for one in good["covers"]] == ["document"]
    every = told(folder, str(tmp_path), *at, code=1)
    assert sorted(one["verdict"] for one in every) == ["invalid", "undecided", "valid"]
    two = told(folder, str(tmp_path / "valid.xml"), str(tmp_path / "undecided.xml"), *at, code=2)
    assert [one["verdict"] for one in two] == ["valid", "undecided"]


def test_command_speaks_two_languages(world: World, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    file.write_text(world.plain().replace("<a>x", "<a>y"))
    arguments = ("verify", str(file), "--trust", str(folder / "root.pem"), "--offline")
    for language, words in (("vi", ("KHÔNG HỢP LỆ", "Nội dung đã bị thay đổi")), ("en", ("INVALID", "was changed"))):
        said = cli(*arguments, "--lang", language)
        assert said.returncode == 1
        assert all(word in said.stdout for word in words)


def test_command_over_detached_content(world: World, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "anh.bin").write_bytes(b"\0\1")
    today = issue(world.ca, "Hôm Nay", 80, service=False, **LONG)
    detached = made(today.memory, [reference(b"\0\1", "anh.bin", transforms="")]).text()
    (tmp_path / "s.xml").write_text(detached)
    content = ("--content", str(tmp_path / "anh.bin"))
    assert (
        told(folder, str(tmp_path / "s.xml"), "--offline", *content, code=2)["signers"][0]["covers"][0]["part"]
        == "anh.bin"
    )
    told(folder, str(tmp_path / "s.xml"), "--offline", code=1)
