"""What the network destinations put on the wire, to the letter of the interfaces."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from connectors.contract import Destination, Outbound
from connectors.destinations._http import HttpPeer
from connectors.destinations.insurance_portal import Destination as InsurancePortal
from connectors.destinations.insurance_portal import Settings as PortalSettings
from connectors.destinations.moh_axis import Destination as MohAxis
from connectors.destinations.moh_axis import Settings as AxisSettings
from connectors.destinations.national_coordination import Destination as NationalCoordination
from connectors.destinations.national_coordination import Settings as CoordinationSettings
from connectors.faults import Uncertain, WrongFacility
from mappings.formats.values import Secret
from tests.contract.http_peer import Reply, Request, http, scripted_peer

BODY = bytes(range(256)) + "<ClinicalDocument>Nguyễn Văn An</ClinicalDocument>".encode()
GLN = "8930000000019"
DOCUMENT = Outbound(
    key="0192F0C4-5F3E-7A10-8C3D-1F2E3D4C5B6A",
    kind="discharge_paper",
    body=BODY,
    media_type="application/xml",
    sha256=hashlib.sha256(BODY).hexdigest(),
    created_at=datetime(2026, 11, 20, 18, 30, 0, 123456, tzinfo=UTC),
    facility="01999",
)


def seal(data: bytes) -> bytes:
    return b"sealed:" + data


def requests_of(make: Callable[[str], Destination], *replies: Reply, document: Outbound = DOCUMENT) -> list[Request]:
    async def scene() -> list[Request]:
        script = iter(replies)
        async with asyncio.timeout(10), scripted_peer(lambda _: next(script)) as peer:
            destination = make(peer.url + "/prefix/")
            try:
                await destination.deliver(document)
            finally:
                await destination.close()
            return peer.requests

    return asyncio.run(scene())


def portal(url: str, **more: Any) -> Destination:
    return InsurancePortal("portal", PortalSettings(url, "01999_BV", Secret("mật khẩu"), "01999", **more), seal)


PORTAL_LOGIN = http(200, {"maKetQua": 200, "APIKey": {"access_token": "a+/=", "id_token": "i", "expires_in": "x"}})
PORTAL_YES = http(200, {"maKetQua": "200", "maGiaoDich": "1"})


def test_portal() -> None:
    login, submission = requests_of(portal, PORTAL_LOGIN, PORTAL_YES)
    md5 = hashlib.md5("mật khẩu".encode(), usedforsecurity=False).hexdigest().upper()
    assert (login.method, login.path) == ("POST", "/prefix/api/token/take")
    assert dict(parse_qsl(login.body.decode())) == {"username": "01999_BV", "password": md5}
    assert (submission.method, submission.path) == ("POST", "/prefix/api/qd130/guiHoSoXmlQD3176")
    assert dict(parse_qsl(submission.body.decode())) == {
        "username": "01999_BV",
        "loaiHoSo": "130",
        "maTinh": "01",
        "maCSKCB": "01999",
        "fileHSBase64": base64.b64encode(BODY).decode(),
    }
    wanted = {"accesstoken": "a+/=", "tokenid": "i", "passwordhash": md5, "connection": "close"}
    wanted["content-type"] = "application/x-www-form-urlencoded"
    assert wanted.items() <= submission.headers.items()


@pytest.mark.parametrize(("version", "path"), [("4750", "guiHoSoXmlQD4750"), ("130", "guiHoSoXmlQD130")])
def test_portal_versions_and_province(version: str, path: str) -> None:
    _, submission = requests_of(lambda url: portal(url, version=version, province="79"), PORTAL_LOGIN, PORTAL_YES)
    assert submission.path == f"/prefix/api/qd130/{path}"
    assert dict(parse_qsl(submission.body.decode()))["maTinh"] == "79"


def test_portal_sends_nothing_of_another_facility() -> None:
    with pytest.raises(WrongFacility):
        requests_of(portal, document=replace(DOCUMENT, facility="79001"))


def axis(url: str, **more: Any) -> Destination:
    return MohAxis("axis", AxisSettings(url, f"{GLN}_api", Secret("mật khẩu"), GLN, "sync_document", **more), seal)


@pytest.mark.parametrize("form", ["string", "file_content", "content"])
def test_axis(form: str) -> None:
    login, push = requests_of(
        lambda url: axis(url, data_form=form),
        http(200, {"data": {"token": "t", "duration": "3600"}}),
        http(200, {"header": {"res_code": "CM_SUCCESS"}}),
    )
    assert (login.path, json.loads(login.body)) == (
        "/prefix/api/auth/login",
        {"username": f"{GLN}_api", "password": "mật khẩu"},
    )
    assert push.path == "/prefix/api/platform/data-sync/push"
    wanted = {"authorization": "Bearer t", "service-type": "100", "content-type": "application/json"}
    assert wanted.items() <= push.headers.items()
    envelope = json.loads(push.body)
    assert envelope["header"] == {
        "version": "1.0.6",
        "sender_id": GLN,
        "receiver_id": "TDLBYT",
        "txn_type": "sync_document",
        "msg_id": f"{GLN}2611210192f0c45f3e7a108c3d1f2e3d4c5b6a",
        "msg_type": "101",
        "data_type": "xml/base64",
        "send_datetime": 1795199400123,
        "ref_msg_id": "",
    }
    text = base64.b64encode(BODY).decode()
    assert envelope["data"] == (text if form == "string" else {form: text})
    header = push.body[push.body.index(b'{"version"') : push.body.index(b',"data":')]
    data = push.body[push.body.index(b',"data":') + 8 : push.body.index(b',"signature":')]
    hashes = [hashlib.sha256(part).hexdigest().upper() for part in (header, data.strip(b'"'))]
    assert base64.b64decode(envelope["signature"]) == b"sealed:" + ".".join(hashes).encode()
    assert b" " not in header
    assert push.body == b'{"header":%b,"data":%b,"signature":"%b"}' % (header, data, envelope["signature"].encode())


def test_coordination() -> None:
    token, submission = requests_of(
        lambda url: NationalCoordination("c", CoordinationSettings(url, "01999", Secret("mật khẩu"), "01999"), seal),
        http(200, {"access_token": "t", "expires_in": 60}),
        http(201, {"id": "1"}),
    )
    assert token.path == "/prefix/v1/token"
    assert dict(parse_qsl(token.body.decode())) == {
        "grant_type": "client_credentials",
        "client_id": "01999",
        "client_secret": "mật khẩu",
    }
    assert (submission.path, submission.body) == ("/prefix/v1/documents", BODY)
    wanted = {
        "authorization": "Bearer t",
        "content-type": "application/xml",
        "idempotency-key": DOCUMENT.key,
        "x-document-type": "discharge_paper",
        "x-sender": "01999",
        "digest": "sha-256=" + base64.b64encode(hashlib.sha256(BODY).digest()).decode(),
    }
    assert wanted.items() <= submission.headers.items()


@pytest.mark.parametrize(
    "reply",
    [
        http(200, b'{"maKetQua":"200"}' + b" " * 1024 * 1024),
        http(200, gzip.compress(b'{"maKetQua":"200"}' + b" " * 50 * 1024 * 1024), Content_Encoding="gzip"),
    ],
)
def test_of_an_endless_answer_no_more_than_a_megabyte_is_held(reply: Reply) -> None:
    async def scene() -> None:
        async with scripted_peer(lambda _: reply) as server:
            second = timedelta(seconds=1)
            peer = HttpPeer("x", server.url, ca="", connect_timeout=second, answer_timeout=second)
            with pytest.raises(Uncertain, match="longer than 1048576 bytes"):
                await peer.exchange("POST", "/")
            await peer.close()

    asyncio.run(scene())


def test_a_compressed_answer_is_read() -> None:
    async def scene() -> None:
        async with scripted_peer(lambda _: http(200, gzip.compress(b"{}"), Content_Encoding="gzip")) as server:
            second = timedelta(seconds=1)
            peer = HttpPeer("x", server.url, ca="", connect_timeout=second, answer_timeout=second)
            assert (await peer.exchange("POST", "/")).body == b"{}"
            await peer.close()

    asyncio.run(scene())


def test_an_answer_that_trickles_for_ever_is_given_up() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def scene() -> None:
        server = await asyncio.start_server(trickle, "127.0.0.1", 0)
        short = timedelta(milliseconds=100)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        peer = HttpPeer("x", url, ca="", connect_timeout=short, answer_timeout=short)
        async with asyncio.timeout(10), server:
            with pytest.raises(Uncertain):
                await peer.exchange("POST", "/", content=b"x")
        await peer.close()

    asyncio.run(scene())
