"""The contract of every destination, held against each kind that can be found; a new kind needs its `Face` here."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

import pytest

from connectors.contract import Destination, Outbound
from connectors.destinations._http import HttpPeer
from connectors.faults import (
    CannotAsk,
    InterfaceClosed,
    LoginRefused,
    Refused,
    ServerTrouble,
    Throttled,
    TrustFileUnusable,
    Uncertain,
    Unreachable,
)
from connectors.kinds import destination_kinds, load_destination
from mappings.formats.faults import DeliveryFault
from mappings.formats.values import Secret
from tests.contract import http_peer as wire
from tests.contract.certificates import Authority
from tests.contract.http_peer import Reply, Request, ScriptedPeer, http, scripted_peer

DEADLINE_S = 20
PASSWORD = "mật khẩu+/="
BODY = "<ClinicalDocument>Nguyễn Văn An</ClinicalDocument>".encode()
DOCUMENT = Outbound(
    key="0192f0c4-5f3e-7a10-8c3d-1f2e3d4c5b6a",
    kind="discharge_paper",
    body=BODY,
    media_type="application/xml",
    sha256=hashlib.sha256(BODY).hexdigest(),
    created_at=datetime(2026, 11, 20, 18, 30, tzinfo=UTC),
    facility="01999",
)
BUNDLE = (
    '{"resourceType":"Bundle","identifier":{"system":"https://h/sid/document","value":"0192"},"type":"document","entry":['
    '{"fullUrl":"https://h/Patient/1","resource":{"resourceType":"Patient","id":"1","name":[{"text":"Nguyễn Văn An"}]}}]}'
).encode()
FHIR_DOCUMENT = replace(
    DOCUMENT, body=BUNDLE, media_type="application/fhir+json", sha256=hashlib.sha256(BUNDLE).hexdigest()
)
GLN = "8930000000019"
MSG_ID = f"{GLN}2611210192f0c45f3e7a108c3d1f2e3d4c5b6a"


@dataclass(frozen=True)
class Face:
    """What the contract must know of one kind's interface."""

    settings: dict[str, Any]
    login_path: str
    login: Reply
    login_refused: Reply
    token_refused: Reply
    accepted: Reply
    reference: str
    refused: tuple[Reply, ...]
    server_trouble: tuple[Reply, ...]
    uncertain: tuple[Reply, ...]
    carried: Callable[[Request], bytes]
    """The document's bytes in a request."""
    found: tuple[Reply, ...] = ()
    absent: tuple[Reply, ...] = ()
    found_refused: tuple[Reply, ...] = ()
    cannot_ask: tuple[Reply, ...] = ()
    document: Outbound = DOCUMENT


def axis(code: str, status: int = 200, **header: str) -> Reply:
    return http(status, {"header": {"res_code": code, **header}, "data": {"data_state": ""}, "signature": ""})


def portal(code: object, status: int = 200, **more: object) -> Reply:
    return http(status, {"maKetQua": code, "thoiGianTiepNhan": "20261121013000", "thongDiep": "", **more})


def item(**content: str) -> Reply:
    return http(200, {"success": True, "data": {"item": {"msg_id": MSG_ID, **content}}})


def outcome(status: int, code: str, severity: str = "error") -> Reply:
    issue = {"severity": severity, "code": code, "diagnostics": "Nguyễn Văn An"}
    return http(status, {"resourceType": "OperationOutcome", "issue": [issue]})


def searchset(*values: str, **more: Any) -> Reply:
    system = "https://h/sid/document"
    found = [{"resourceType": "Bundle", "id": f"b-{v}", "identifier": {"system": system, "value": v}} for v in values]
    entries = [{"resource": one, "search": {"mode": "match"}} for one in found]
    return http(200, {"resourceType": "Bundle", "type": "searchset", "total": len(found), "entry": entries, **more})


FACES = {
    "insurance_portal": Face(
        settings={"username": "01999_BV", "password": Secret(PASSWORD), "facility": "01999"},
        login_path="/api/token/take",
        login=portal(
            "200", APIKey={"access_token": "access", "id_token": "identity", "expires_in": "2099-01-01T00:00:00Z"}
        ),
        login_refused=portal("401", APIKey=None),
        token_refused=portal("401"),
        accepted=portal("200", maGiaoDich="GD-1"),
        reference="GD-1",
        refused=(
            *map(portal, ("402", "123", 124, "125", "202", "204", "205", "1001")),
            http(400),
            http(403),
            http(413),
        ),
        server_trouble=(portal("500"), portal(500, status=500)),
        uncertain=(
            portal("200"),
            portal("999"),
            portal("200", status=500, maGiaoDich="GD-1"),
            portal(None),
            portal({"200": True}),
            http(200, [200]),
            http(500),
            http(502),
            http(504),
        ),
        carried=lambda request: base64.b64decode(parse_qs(request.body.decode())["fileHSBase64"][0], validate=True),
    ),
    "moh_axis": Face(
        settings={
            "username": "8930000000019_api",
            "password": Secret(PASSWORD),
            "sender_id": GLN,
            "txn_type": "sync_document",
        },
        login_path="/api/auth/login",
        login=http(200, {"data": {"token": "access", "refresh_token": "r", "duration": 3600}}),
        login_refused=axis("CM_AUTH_ACCOUNT_FAIL", 401),
        token_refused=axis("CM_AUTH_ACCOUNT_FAIL"),
        accepted=axis("CM_SUCCESS", txn_id="TX-1"),
        reference="TX-1",
        refused=(axis("CM_INVALID_REQUEST"), axis("PS_DS_RSA_SIGNATURE_INVALID", 400), http(400), http(413)),
        server_trouble=(axis("CM_SYSTEM_ERROR"), axis("PS_DS_SAVE_FAIL", 500)),
        uncertain=(
            axis("HOC_BYT_FORWARD_PAUSED", 202),
            axis("HOC_BYT_TIMEOUT", 504),
            axis("PS_SOMETHING_NEW"),
            axis("CM_SUCCESS", 500),
            axis(""),
            http(200, {"header": []}),
            http(500),
            http(504),
        ),
        carried=lambda request: base64.b64decode(request.body.split(b'"data":"')[1].split(b'"')[0], validate=True),
        found=(
            item(hoc_status="QUEUED", tracking_id="TX-1"),
            item(byt_status="BYT_ACCEPTED", byt_res_code="CM_SUCCESS", tracking_id="TX-1"),
            http(200, {"state": "ACCEPTED_DUPLICATE", "txn_id": "TX-1", "res_code": "CM_SUCCESS"}),
        ),
        absent=(http(404, {"success": False, "code": "NOT_FOUND"}), http(200, {"state": "NOT_FOUND", "txn_id": ""})),
        found_refused=(
            item(hoc_status="PROCESSED", hoc_validation_status="INVALID"),
            item(byt_status="BYT_REJECTED"),
            item(byt_status="X", byt_res_code="PS_DS_VERIFY_FAIL"),
            http(200, {"state": "INVALID", "res_code": "PS_DS_VERIFY_FAIL"}),
        ),
        cannot_ask=(http(404, b"<html>no such page</html>"),),
    ),
    "national_coordination": Face(
        settings={"client_id": "01999", "client_secret": Secret(PASSWORD), "sender": "01999"},
        login_path="/v1/token",
        login=http(200, {"access_token": "access", "token_type": "Bearer", "expires_in": 3600}),
        login_refused=http(401, {"code": "UNAUTHENTICATED"}),
        token_refused=http(401, {"code": "UNAUTHENTICATED"}),
        accepted=http(201, {"id": "R-1", "received_at": "2026-11-21T01:30:00Z"}),
        reference="R-1",
        refused=(http(409, {"code": "KEY_REUSED"}), http(422, {"code": "SIGNATURE_MISSING"}), http(400), http(413)),
        server_trouble=(http(500),),
        uncertain=(http(200, {"received_at": ""}), http(202, {"id": "R-1"}), http(502), http(504), http(408)),
        carried=lambda request: request.body,
        found=(http(200, {"id": "R-1", "received_at": "2026-11-21T01:30:00Z"}),),
        absent=(http(404, {"code": "NOT_FOUND"}),),
        cannot_ask=(http(404),),
    ),
    "fhir_rest": Face(
        settings={"token_url": "/token", "client_id": "01999", "client_secret": Secret(PASSWORD), "scope": "a b"},
        login_path="/token",
        login=http(200, {"access_token": "access", "token_type": "Bearer", "expires_in": 3600}),
        login_refused=http(401, {"error": "invalid_client"}),
        token_refused=outcome(401, "login"),
        accepted=http(201, Location="https://h/fhir/Bundle/b-0192/_history/1", ETag='W/"1"'),
        reference="Bundle/b-0192",
        refused=(
            outcome(422, "business-rule"),
            outcome(412, "multiple-matches"),
            outcome(400, "structure"),
            outcome(403, "forbidden"),
            http(409),
            http(413),
            http(415),
        ),
        server_trouble=(outcome(500, "exception"), outcome(500, "lock-error", "fatal")),
        uncertain=(
            http(200),
            http(201),
            http(201, Location="https://h/fhir/Patient/1"),
            http(201, Location="https://h/fhir/Bundle/Nguyễn"),
            http(202, Location="https://h/fhir/Bundle/b-0192"),
            outcome(200, "informational", "information"),
            http(500),
            http(502),
            http(504),
            http(408),
        ),
        carried=lambda request: request.body,
        found=(
            searchset("0192"),
            searchset("0192", link=[{"relation": "next", "url": "https://h/fhir?page=2"}]),
            searchset("0191", "0192", "0192"),
        ),
        absent=(
            searchset(),
            http(200, {"resourceType": "Bundle", "type": "searchset", "total": 0}),
            http(
                200,
                {
                    "resourceType": "Bundle",
                    "type": "searchset",
                    "entry": [{"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}],
                },
            ),
        ),
        cannot_ask=(
            outcome(404, "not-found"),
            outcome(400, "not-supported"),
            outcome(403, "forbidden"),
            searchset("0191"),
            searchset(link=[{"relation": "next", "url": "https://h/fhir?page=2"}]),
        ),
        document=FHIR_DOCUMENT,
    ),
}

OF_THEIR_OWN = {"dicom", "dicomweb", "folder"}
"""Kinds whose contract is held against them elsewhere: they are no HTTP, or ask before they send."""
every_kind = pytest.mark.parametrize("kind", sorted(set(destination_kinds()) & set(FACES)))

AFTER_SENDING = {
    "silence": wire.SILENCE,
    "close": wire.CLOSE,
    "reset": wire.RESET,
    "reset before the body is read": wire.RESET_EARLY,
    "half a head": wire.HALF_HEAD,
    "half a body": wire.HALF_BODY,
    "half a body, then silence": wire.HALF_BODY_HANG,
    "not HTTP": wire.NOT_HTTP,
    "9 MB": wire.ENDLESS,
    "a web page": wire.GARBAGE,
    "broken gzip": wire.BAD_GZIP,
    "unknown encoding": wire.STRANGE_ENCODING,
}


def seal(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def build(kind: str, url: str, **more: Any) -> Destination:
    settings, destination = load_destination(kind)
    quick = {"connect_timeout": timedelta(seconds=2), "answer_timeout": timedelta(milliseconds=400)}
    made: Destination = destination(kind, settings(url=url, **{**FACES[kind].settings, **quick, **more}), seal)
    return made


class House:
    def __init__(self, kind: str, peer: ScriptedPeer, destination: Destination, replies: Iterator[Reply]) -> None:
        self.face, self.peer, self.destination, self.replies = FACES[kind], peer, destination, replies

    @property
    def logins(self) -> int:
        return len([one for one in self.peer.requests if one.path == self.face.login_path])

    @property
    def carrying(self) -> list[Request]:
        return [one for one in self.peer.requests if one.path != self.face.login_path]


@asynccontextmanager
async def house(kind: str, *replies: Reply, login: Reply | None = None, **more: Any) -> AsyncIterator[House]:
    """A destination and its peer; the peer answers log-ins by itself and everything else by `replies`, in order."""
    script = iter(replies)

    def answer(request: Request) -> Reply:
        return (login or FACES[kind].login) if request.path == FACES[kind].login_path else next(script)

    async with scripted_peer(answer) as peer:
        destination = build(kind, peer.url, **more)
        try:
            yield House(kind, peer, destination, script)
        finally:
            await destination.close()


def on_loop(scene: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await scene()

    asyncio.run(limited())


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_every_kind_found_has_a_face_here() -> None:
    assert set(destination_kinds()) == set(FACES) | OF_THEIR_OWN


@pytest.mark.parametrize("kind", destination_kinds())
def test_settings_are_frozen_and_hide_their_secrets(kind: str) -> None:
    settings, _ = load_destination(kind)
    assert is_dataclass(settings)
    assert settings.__dataclass_params__.frozen  # type: ignore[attr-defined]  # not in typeshed
    if kind in FACES:
        settings = cast("Any", settings)
        made = settings(url="https://127.0.0.1", **FACES[kind].settings)
        assert made.takes in ("cda", "gdbhyt", "fhir")
        assert PASSWORD not in repr(made)
        assert "Secret" in {str(field.type) for field in fields(settings)}


@every_kind
def test_accepted_is_a_receipt(kind: str) -> None:
    async def scene() -> None:
        async with house(kind, FACES[kind].accepted) as at:
            receipt = await at.destination.deliver(at.face.document)
            assert receipt.reference == at.face.reference
            assert receipt.evidence in at.face.accepted.raw
            assert receipt.evidence
            assert at.face.carried(at.carrying[0]) == at.face.document.body
            assert "PATIENT" not in at.carrying[0].path

    on_loop(scene)


@every_kind
def test_nobody_there_is_unreachable(kind: str) -> None:
    async def scene() -> None:
        for url in (f"http://127.0.0.1:{closed_port()}", "http://no-such-host.invalid"):
            destination = build(kind, url)
            with pytest.raises(Unreachable):
                await destination.deliver(FACES[kind].document)
            await destination.close()

    on_loop(scene)


@every_kind
def test_a_refused_connection_after_the_log_in_is_unreachable(kind: str) -> None:
    async def scene() -> None:
        accepted = FACES[kind].accepted
        goodbye = Reply(accepted.raw.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1), then="close")

        def answer(request: Request) -> Reply:
            return FACES[kind].login if request.path == FACES[kind].login_path else goodbye

        async with scripted_peer(answer) as peer:
            destination = build(kind, peer.url)
            await destination.deliver(FACES[kind].document)
        with pytest.raises(Unreachable):
            await destination.deliver(FACES[kind].document)
        await destination.close()

    on_loop(scene)


@every_kind
@pytest.mark.parametrize("what", AFTER_SENDING)
def test_no_usable_answer_after_sending_is_uncertain(kind: str, what: str) -> None:
    async def scene() -> None:
        small = FACES[kind].document
        large = replace(small, body=small.body + b" " * 2_000_000)
        for document in (small, large):
            async with house(kind, AFTER_SENDING[what]) as at:
                with pytest.raises(Uncertain) as caught:
                    await at.destination.deliver(document)
                assert caught.value.where == kind
                assert len(at.carrying) == 1, "sent twice without being told to"

    on_loop(scene)


@every_kind
@pytest.mark.parametrize("what", AFTER_SENDING)
def test_no_usable_answer_to_a_log_in_is_never_uncertain(kind: str, what: str) -> None:
    async def scene() -> None:
        async with house(kind, login=AFTER_SENDING[what]) as at:
            with pytest.raises((Unreachable, ServerTrouble)):
                await at.destination.deliver(at.face.document)
            assert not at.carrying

    on_loop(scene)


@every_kind
def test_a_clear_no_is_refused(kind: str) -> None:
    async def scene() -> None:
        async with house(kind, *FACES[kind].refused) as at:
            for _ in FACES[kind].refused:
                with pytest.raises(Refused):
                    await at.destination.deliver(at.face.document)

    on_loop(scene)


@every_kind
def test_the_peers_own_trouble_is_tried_again(kind: str) -> None:
    async def scene() -> None:
        async with house(kind, *FACES[kind].server_trouble) as at:
            for _ in FACES[kind].server_trouble:
                with pytest.raises(ServerTrouble):
                    await at.destination.deliver(at.face.document)

    on_loop(scene)


@every_kind
def test_what_is_not_understood_is_uncertain(kind: str) -> None:
    async def scene() -> None:
        for number, reply in enumerate(FACES[kind].uncertain):
            async with house(kind, reply) as at:
                with pytest.raises(Uncertain):
                    await at.destination.deliver(at.face.document)
                assert len(at.carrying) == 1, number

    on_loop(scene)


@every_kind
@pytest.mark.parametrize("status", [429, 503])
def test_throttled_says_how_long(kind: str, status: int) -> None:
    async def scene() -> None:
        at_noon = (datetime.now(UTC) + timedelta(minutes=10)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        replies = (
            http(status, Retry_After="7"),
            http(status, Retry_After=at_noon),
            http(status, Retry_After="soon"),
            http(status),
        )
        async with house(kind, *replies) as at:
            waits = []
            for _ in replies:
                with pytest.raises(Throttled) as caught:
                    await at.destination.deliver(at.face.document)
                waits.append(caught.value.retry_after)
            assert waits[0] == timedelta(seconds=7)
            assert waits[1] is not None
            assert timedelta(minutes=9) < waits[1] <= timedelta(minutes=10)
            assert waits[2:] == [None, None]
        async with house(kind, login=http(status, Retry_After="7")) as at:
            with pytest.raises(Throttled) as caught:
                await at.destination.deliver(at.face.document)
            assert caught.value.retry_after == timedelta(seconds=7)

    on_loop(scene)


@every_kind
def test_a_redirect_is_not_followed(kind: str) -> None:
    async def scene() -> None:
        async with scripted_peer(lambda request: http(200)) as elsewhere:
            for status in (301, 302, 307, 308):
                async with house(kind, http(status, Location=f"{elsewhere.url}/x")) as at:
                    with pytest.raises(Refused):
                        await at.destination.deliver(at.face.document)
            async with house(kind, login=http(302, Location=f"{elsewhere.url}/x")) as at:
                with pytest.raises(DeliveryFault):
                    await at.destination.deliver(at.face.document)
            assert not elsewhere.requests

    on_loop(scene)


@every_kind
def test_an_interface_that_is_gone_keeps_the_queue(kind: str) -> None:
    async def scene() -> None:
        async with house(kind, http(404), http(405), http(410)) as at:
            for _ in range(3):
                with pytest.raises(InterfaceClosed):
                    await at.destination.deliver(at.face.document)

    on_loop(scene)


@every_kind
def test_every_attempt_sends_the_same_bytes(kind: str) -> None:
    async def scene() -> None:
        replies = (wire.CLOSE, http(429), FACES[kind].accepted)
        sent: list[tuple[bytes, str | None]] = []
        for _ in range(2):  # a destination built anew after a restart, too
            async with house(kind, *replies) as at:
                for _ in replies:
                    try:
                        await at.destination.deliver(at.face.document)
                    except DeliveryFault:
                        pass
                sent += [(request.body, request.headers.get("idempotency-key")) for request in at.carrying]
        assert len(sent) == 6
        assert len(set(sent)) == 1

    on_loop(scene)


@every_kind
def test_one_log_in_serves_all_who_wait(kind: str) -> None:
    async def scene() -> None:
        async with house(kind, *[FACES[kind].accepted] * 20) as at:
            await asyncio.gather(*(at.destination.deliver(at.face.document) for _ in range(20)))
            assert at.logins == 1
            assert len(at.carrying) == 20

    on_loop(scene)


@every_kind
def test_a_token_that_is_refused_is_renewed_once(kind: str) -> None:
    async def scene() -> None:
        for refusal in (FACES[kind].token_refused, http(401)):
            async with house(kind, refusal, FACES[kind].accepted) as at:
                await at.destination.deliver(at.face.document)
                assert at.logins == 2
            async with house(kind, *[refusal] * 3) as at:
                with pytest.raises(LoginRefused):
                    await at.destination.deliver(at.face.document)
                assert (at.logins, len(at.carrying)) == (2, 2)

    on_loop(scene)


@every_kind
def test_a_refused_account_is_not_tried_by_every_document(kind: str) -> None:
    async def scene() -> None:
        async with house(kind, login=FACES[kind].login_refused) as at:
            faults = await asyncio.gather(
                *(at.destination.deliver(at.face.document) for _ in range(10)), return_exceptions=True
            )
            assert all(isinstance(fault, LoginRefused) for fault in faults)
            assert at.logins == 1
            assert not at.carrying

    on_loop(scene)


@every_kind
def test_the_question_whether_it_arrived(kind: str) -> None:
    face = FACES[kind]

    async def scene() -> None:
        async with house(kind, *face.found, *face.absent, *face.found_refused, *face.cannot_ask) as at:
            if not face.found:
                with pytest.raises(CannotAsk):
                    await at.destination.find(at.face.document)
                return
            for _ in face.found:
                receipt = await at.destination.find(at.face.document)
                assert receipt is not None
                assert receipt.reference == face.reference
            for _ in face.absent:
                assert await at.destination.find(at.face.document) is None
            for _ in face.found_refused:
                with pytest.raises(Refused):
                    await at.destination.find(at.face.document)
            for _ in face.cannot_ask:
                with pytest.raises(CannotAsk):
                    await at.destination.find(at.face.document)
            assert all(request.method == "GET" and not request.body for request in at.carrying)

    on_loop(scene)


@every_kind
def test_a_question_without_an_answer_is_unreachable(kind: str) -> None:
    if not FACES[kind].found:
        pytest.skip("there is no question here")

    async def scene() -> None:
        for reply in (wire.SILENCE, wire.CLOSE, wire.GARBAGE, http(500), http(200, {"data": {"item": None}})):
            async with house(kind, reply) as at:
                with pytest.raises(Unreachable):
                    await at.destination.find(at.face.document)
        async with house(kind, http(503, Retry_After="9")) as at:
            with pytest.raises(Throttled):
                await at.destination.find(at.face.document)

    on_loop(scene)


@every_kind
def test_nothing_secret_and_no_patient_in_logs_and_faults(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hashed = hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest().upper()
    issue = {
        "severity": "error",
        "code": "Nguyễn Văn An",
        "diagnostics": "Nguyễn Văn An",
        "expression": ["Bundle.entry[0].resource.name.where(text = 'Nguyễn Văn An')"],
    }
    leaking = {
        "maKetQua": "Nguyễn Văn An",
        "code": "Nguyễn Văn An",
        "header": {"res_code": "Nguyễn Văn An"},
        "resourceType": "OperationOutcome",
        "issue": [issue, {**issue, "code": "invalid"}],
    }

    async def scene() -> None:
        async with house(kind, FACES[kind].accepted, http(200, leaking), http(422, leaking), http(500, leaking)) as at:
            await at.destination.deliver(at.face.document)
            for _ in range(3):
                with pytest.raises(DeliveryFault) as caught:
                    await at.destination.deliver(at.face.document)
                assert "Văn" not in str(caught.value)

    on_loop(scene)
    for secret in (PASSWORD, hashed, "Nguyễn Văn An", base64.b64encode(FACES[kind].document.body).decode()[:40]):
        assert secret not in caplog.text


@every_kind
def test_tls_is_verified(kind: str, tmp_path: Path) -> None:
    ours, strange = Authority(tmp_path / "ours"), Authority(tmp_path / "strange")
    context = ours.server_context(ours.issue("localhost"))

    def answer(request: Request) -> Reply:
        return FACES[kind].login if request.path == FACES[kind].login_path else FACES[kind].accepted

    async def scene() -> None:
        async with scripted_peer(answer, context) as peer:
            trusting = build(kind, peer.url, ca=ours.certificate)
            assert (await trusting.deliver(FACES[kind].document)).reference == FACES[kind].reference
            await trusting.close()
            count = len(peer.requests)
            for more in ({"ca": strange.certificate}, {}):
                doubting = build(kind, peer.url, **more)
                with pytest.raises(Unreachable):
                    await doubting.deliver(FACES[kind].document)
                await doubting.close()
            assert len(peer.requests) == count
        with pytest.raises(TrustFileUnusable):
            build(kind, peer.url, ca=str(tmp_path / "absent.pem"))

    on_loop(scene)


def test_only_two_proofs_together_make_it_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the HTTP library raises, and whenever: after the first byte it is Uncertain, and so is what is unknown."""
    import httpx

    peer = HttpPeer("x", "http://h", ca="", connect_timeout=timedelta(seconds=1), answer_timeout=timedelta(seconds=1))
    began = "http11.send_request_headers.started"

    async def outcome(events: list[str], error: Exception) -> type[Exception]:
        async def send(request: httpx.Request, *, stream: bool) -> httpx.Response:
            for event in events:
                await request.extensions["trace"](event, {})
            raise error

        monkeypatch.setattr(peer._client, "send", send)
        with pytest.raises(DeliveryFault) as caught:
            await peer.exchange("POST", "/")
        return type(caught.value)

    async def scene() -> None:
        connecting: list[Exception] = [httpx.ConnectError(""), httpx.ConnectTimeout(""), httpx.PoolTimeout("")]
        other: list[Exception] = [
            httpx.ReadError(""),
            httpx.ReadTimeout(""),
            httpx.WriteError(""),
            httpx.WriteTimeout(""),
            httpx.RemoteProtocolError(""),
            httpx.LocalProtocolError(""),
            TimeoutError(),
            OSError(),
            RuntimeError(),
        ]
        for error in connecting:
            assert await outcome(["connection.connect_tcp.started"], error) is Unreachable
            assert await outcome([began], error) is Uncertain
        for error in other:
            assert await outcome([began], error) is Uncertain
            assert await outcome([], error) is Uncertain
        await peer.close()

    on_loop(scene)
