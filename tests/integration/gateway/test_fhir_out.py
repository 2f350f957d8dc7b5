"""Signed FHIR documents, each destination in the words of the guide it asks for; every judge finds them valid."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.sandbox.server import Sandbox, Settings, default_accounts
from conformance.validators import judge
from connectors.kinds import load_destination
from gateway.clock import SECOND
from gateway.configuration import load
from gateway.delivery.sql_queue import SqlQueue
from gateway.delivery.worker import Worker
from gateway.faults import ConfigInvalid
from gateway.store import deliveries, documents
from mappings.formats.faults import Fault
from mappings.guides import guides
from mappings.systems import DEFAULT
from signing.certificates import load_roots
from signing.verify_jws import verify
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.judges.bundles import table
from tests.site import PASSWORD, cli, cli_json, destinations, write_site

COMMUNITY = guides()["http://fhir.hl7.org.vn/core|0.6.0"]
HL7VN = guides()["http://fhir.ehealth.gov.vn/core|1.0.0"]
RESULTS = "\r".join(
    (
        "MSH|^~\\&|LIS|01999|GW|X|20261121080000||ORU^R01|1|P|2.5.1||||||UNICODE UTF-8",
        "PID|1||P001^^^01999^PI~001085012345^^^VNM^NI||Nguyễn^An^Văn||19850214|M|||1 Trần Phú^^^Hà Nội",
        "PV1|1|O|PK1^1^1||||BS01^Trần^Bình^Minh^^^^^01999^^^^EI|||||||||||V001^^^01999^VN",
        "ORC|RE|O1|F1||CM||||20261121073000|||BS01^Trần^Bình^Minh^^^^^01999^^^^EI",
        "OBR|1|O1|F1|HH^Sinh hóa^99LAB|||20261121073000|||||||||BS01^Trần^Bình^Minh^^^^^01999^^^^EI||||||20261121075500||LAB|F",
        "OBX|1|NM|GLU^Glucose^99LAB||4.50|mmol/L|3.90-6.40||||F|||20261121075000",
        "OBX|2|NM|URE^Ure^99LAB||5.0|mmol/L|2.5-7.5||||F|||20261121075000",
        "",
    )
).encode()


def folder_table(folder: Path, name: str, guide: str = "", rendition: str = "fhir") -> str:
    folder.mkdir()
    asked = f'guide = "{guide}"\n' if guide else ""
    return (
        f'\n[[destination]]\nkind = "folder"\nname = "{name}"\nfolder = "{folder}"\nrendition = "{rendition}"\n{asked}'
        'basis = "test"\n'
    )


async def deliver(desk: Desk) -> None:
    """Let every destination take what is queued for it."""
    rules = {name: route.common.rules("Asia/Ho_Chi_Minh") for name, route in desk.plan.routes.items()}
    queue = SqlQueue(desk.store, desk.keyring, desk.clock, "n1", 30 * SECOND, "01999", rules)
    for route in desk.plan.routes.values():
        destination = load_destination(route.common.kind)[1](route.name, route.settings, lambda data: data)
        worker = Worker(route, destination, queue, desk.clock)
        while await worker._step():
            await worker._tasks.drain()
        await destination.close()


def the_file(folder: Path) -> bytes:
    (path,) = folder.iterdir()
    return path.read_bytes()


def profiles(bundle: dict[str, Any]) -> dict[str, str]:
    found = {}
    for entry in bundle["entry"]:
        for profile in entry["resource"].get("meta", {}).get("profile", ()):
            found[entry["resource"]["resourceType"]] = profile
    return found


def systems(value: Any) -> Iterator[str]:
    """Give every system of a resource but the Bundle's own."""
    if isinstance(value, dict):
        if isinstance(value.get("system"), str):
            yield value["system"]
        for part in value.values():
            yield from systems(part)
    elif isinstance(value, list):
        for part in value:
            yield from systems(part)


@pytest.fixture
def desk(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Desk]:
    tables = (
        folder_table(tmp_path / "plain", "plain")
        + folder_table(tmp_path / "community", "community", COMMUNITY.key)
        + folder_table(tmp_path / "hl7vn", "hl7vn", HL7VN.key)
        + folder_table(tmp_path / "again", "again", HL7VN.key)
        + folder_table(tmp_path / "cda", "cda", rendition="cda")
    )
    made = Desk(tmp_path / "site", store_url, clock, produce=("lab_report",), destinations=tables)
    yield made
    made.store.close()


def test_each_destination_gets_the_guide_it_asks_for(desk: Desk, tmp_path: Path) -> None:
    message = desk.send(RESULTS)
    asyncio.run(deliver(desk))
    (document,) = desk.store.read_now(lambda c: documents.of_message(c, message))
    kinds = {row.kind: row for row in desk.store.read_now(lambda c: documents.renditions(c, document.id))}
    assert {kind for kind in kinds if kind.startswith("fhir")} == {
        "fhir",
        f"fhir:{COMMUNITY.tag}",
        f"fhir:{HL7VN.tag}",
    }, "one rendition per guide, however many destinations ask for it"

    files = {name: the_file(tmp_path / name) for name in ("plain", "community", "hl7vn", "again", "cda")}
    assert files["again"] == files["hl7vn"]
    assert files["cda"].startswith(b"<")
    assert next((tmp_path / "cda").iterdir()).suffix == ".xml"
    assert next((tmp_path / "plain").iterdir()).suffix == ".json"
    states = {row.destination: row.state for row in desk.store.read_now(deliveries.listing)}
    assert set(states.values()) == {"accepted"}, states

    roots = load_roots(desk.plan.signing.trust)
    said = {}
    for name, kind in (("plain", "fhir"), ("community", f"fhir:{COMMUNITY.tag}"), ("hl7vn", f"fhir:{HL7VN.tag}")):
        body = files[name]
        assert (kinds[kind].signed, kinds[kind].media_type) == (True, "application/fhir+json")
        assert kinds[kind].sha256 == hashlib.sha256(body).hexdigest()
        assert desk.keyring.open(kinds[kind].body, f"{document.id}/{kind}") == body
        verified = verify(body, roots)
        assert verified.signer.name == "Bệnh viện Đa khoa Thử Nghiệm"
        assert b'"value":4.50' in verified.data
        said[name] = json.loads(body)
        assert said[name]["identifier"] == {"system": DEFAULT.document, "value": document.id}
        who = said[name]["signature"]["who"]["reference"]
        assert who in {entry["fullUrl"] for entry in said[name]["entry"]}

    assert profiles(said["plain"]) == {}
    assert profiles(said["community"])["Patient"] == f"{COMMUNITY.canonical}/StructureDefinition/vn-core-patient|0.6.0"
    assert profiles(said["hl7vn"])["Patient"] == f"{HL7VN.canonical}/StructureDefinition/vn-core-patient|1.0.0"
    assert f"{HL7VN.canonical}/sid/national_id" in set(systems(said["hl7vn"]))
    assert DEFAULT.cccd not in set(systems(said["hl7vn"]))
    assert DEFAULT.cccd in set(systems(said["plain"])) & set(systems(said["community"]))

    found = judge([(name, files[name]) for name in ("plain", "community", "hl7vn")])
    assert not found, "\n" + table(found)


def test_the_file_verifies_by_command_and_a_changed_digit_does_not(desk: Desk, tmp_path: Path) -> None:
    desk.send(RESULTS)
    asyncio.run(deliver(desk))
    path = next((tmp_path / "hl7vn").iterdir())
    trust = str(desk.plan.folder / "keys" / "ca.pem")
    good = cli_json("verify", str(path), "--trust", trust)
    assert (good["verdict"], good["reasons"]) == ("valid", [])
    (signer,) = good["signers"]
    assert signer["name"] == "Bệnh viện Đa khoa Thử Nghiệm"
    assert (signer["level"], signer["time_is"]) == ("JWS", "claimed")
    changed = tmp_path / "changed.json"
    changed.write_bytes(path.read_bytes().replace(b":4.50", b":4.5"))
    done = cli("verify", str(changed), str(next((tmp_path / "cda").iterdir())), "--trust", trust)
    assert done.returncode == 1
    assert "KHÔNG HỢP LỆ" in done.stdout
    assert "Thời điểm ký do người ký khai" in cli("verify", str(path), "--trust", trust).stdout


def test_a_fhir_server_gets_what_was_signed(tmp_path: Path, store_url: str, clock: HandClock) -> None:
    async def scene() -> None:
        async with Sandbox(Settings(accounts=default_accounts(PASSWORD), folder=tmp_path / "box")) as sandbox:
            route = destinations({"fhir_rest": sandbox.fhir_url}, ("fhir_rest",))
            route = route.replace('basis = "test"', f'basis = "test"\nguide = "{HL7VN.key}"')
            desk = await asyncio.to_thread(make, route, sandbox)
            await asyncio.to_thread(desk.send, RESULTS)
            await deliver(desk)
            (row,) = desk.store.read_now(deliveries.listing)
            assert (row.state, row.reference.partition("/")[0]) == ("accepted", "Bundle")
            (record,) = sandbox.records.all("fhir_rest")
            bundle = json.loads(sandbox.records.body(record))
            assert HL7VN.canonical in profiles(bundle)["Patient"]
            assert record.signers == ("Bệnh viện Đa khoa Thử Nghiệm",)
            desk.store.close()

    def make(route: str, sandbox: Sandbox) -> Desk:
        return Desk(tmp_path / "site", store_url, clock, produce=("lab_report",), destinations=route, ca=sandbox.ca)

    asyncio.run(scene())


def problems(folder: Path, tables: str) -> list[Fault]:
    with pytest.raises(ConfigInvalid) as caught:
        load(write_site(folder, destinations=tables))
    return list(caught.value.problems)


def test_check_tells_what_cannot_be(tmp_path: Path) -> None:
    tables = (
        folder_table(tmp_path / "a", "a", "http://fhir.hl7.org.vn/core|9.9.9")
        + folder_table(tmp_path / "b", "b", COMMUNITY.key, rendition="cda")
        + folder_table(tmp_path / "c", "c", rendition="pdf")
    )
    unknown, not_fhir, no_rendition = problems(tmp_path / "site", tables)
    assert (unknown.code, unknown.where) == (1005, "channels/his.toml:11")
    assert all(key in unknown.detail for key in guides())
    assert not_fhir.where == "channels/his.toml:19"
    assert "takes cda" in not_fhir.detail
    assert "'cda', 'fhir'" in no_rendition.detail
