"""Studies that leave by STOW-RS: to a real Orthanc, to our own source, and to archives that answer as a test wants."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors.contract import Receipt
from connectors.destinations.dicomweb import Destination, Settings
from connectors.faults import (
    CannotAsk,
    InterfaceClosed,
    LoginRefused,
    NoPictures,
    ObjectsRefused,
    ObjectStoreAway,
    PacsBusy,
    Refused,
    StudyInterrupted,
    Throttled,
    Uncertain,
    Unreachable,
)
from connectors.sources import dicomweb as source
from mappings.formats.faults import DeliveryFault
from mappings.formats.values import Secret, Size
from tests.contract import http_peer as wire
from tests.contract.http_peer import Reply, Request, ScriptedPeer, http, scripted_peer
from tests.contract.objects import Running
from tests.contract.recording_objects import RecordingObjects
from tests.integration.connectors.orthanc import orthanc
from tests.outgoing import STUDY, Outgoing, made, outbound, small

QUICK: dict[str, Any] = {
    "connect_timeout": timedelta(seconds=2),
    "answer_timeout": timedelta(seconds=1),
}
SLOW: dict[str, Any] = {"answer_timeout": timedelta(seconds=60)}


def to(url: str, **more: Any) -> Destination:
    return Destination("archive", Settings(url, **{**QUICK, **more}), lambda data: b"")


async def sent(url: str, pictures: Outgoing, **more: Any) -> Receipt:
    destination = to(url, **more)
    try:
        return await destination.deliver(outbound(pictures))
    finally:
        await destination.close()


async def found(url: str, pictures: Outgoing, **more: Any) -> Receipt | None:
    destination = to(url, **more)
    try:
        return await destination.find(outbound(pictures))
    finally:
        await destination.close()


@pytest.fixture
def archive() -> Iterator[str]:
    with orthanc({}) as url:
        yield url


def kept(url: str) -> list[bytes]:
    with httpx.Client(base_url=url, trust_env=False) as client:
        return [client.get(f"/instances/{one}/file").content for one in client.get("/instances").json()]


def mixed() -> list[bytes]:
    return [made("CT_small.dcm", 1), made("test-SR.dcm", 1, series=2), made("JPEG2000.dcm", 1, series=3)]


def test_orthanc_gets_every_file_as_it_is_kept_and_the_second_time_nothing(archive: str) -> None:
    files, url = mixed(), f"{archive}/dicom-web"
    pictures = Outgoing(files)
    assert asyncio.run(found(url, pictures, **SLOW)) is None
    receipt = asyncio.run(sent(url, pictures, **SLOW))
    assert (receipt.reference, receipt.facts) == (STUDY, {"objects": "3", "sent": "3", "there": "0"})
    assert sorted(kept(archive)) == sorted(files)
    again = Outgoing(files)
    assert asyncio.run(sent(url, again, **SLOW)).facts == {"objects": "3", "sent": "0", "there": "3"}
    assert again.opened == []
    newer = Outgoing([*files, made("CT_small.dcm", 2)])
    assert asyncio.run(sent(url, newer, **SLOW)).facts == {"objects": "4", "sent": "1", "there": "3"}
    arrived = asyncio.run(found(url, newer, **SLOW))
    assert arrived is not None
    assert arrived.facts == {"objects": "4", "sent": "0", "there": "4"}


def test_a_study_of_a_thousand_that_broke_at_seven_hundred_goes_on_with_three_hundred(archive: str) -> None:
    files, url = small(1000), f"{archive}/dicom-web"
    size = Size(100 * len(files[0]))

    def away(number: int) -> None:
        if number == 750:
            raise ObjectStoreAway(detail="no such file")

    with pytest.raises(ObjectStoreAway):
        asyncio.run(sent(url, Outgoing(files, before=away), batch=size, **SLOW))
    rest = Outgoing(files)
    assert asyncio.run(found(url, rest, **SLOW)) is None
    receipt = asyncio.run(sent(url, rest, batch=size, **SLOW))
    assert receipt.facts == {"objects": "1000", "sent": "300", "there": "700"}
    assert len(kept(archive)) == 1000


def test_another_gateway_of_ours_takes_it() -> None:
    settings = source.Settings("127.0.0.1:0", tls="none", clients={"us": Secret("a token of a test")})
    intake: Any = RecordingObjects()
    running = Running("dicomweb", settings, intake)
    pictures = Outgoing(mixed())
    try:
        url = f"http://127.0.0.1:{running.port}/dicom-web"
        receipt = asyncio.run(sent(url, pictures, token=Secret("a token of a test"), **SLOW))
        assert receipt.facts == {"objects": "3", "sent": "3", "there": "0"}
        with pytest.raises(LoginRefused):
            asyncio.run(sent(url, pictures, token=Secret("another"), **SLOW))
    finally:
        running.close()
    assert {one.sop_instance: one.data for one in intake.kept} == pictures.files


# ---- archives that answer as a test wants ----


def answer(stored: list[str], failed: dict[str, int] | None = None, status: int = 200, warning: int = 0) -> Reply:
    def named(uid: str, tag: str = "", code: int = 0) -> dict[str, Any]:
        reason = {tag: {"vr": "US", "Value": [code]}} if code else {}
        return {"00081155": {"vr": "UI", "Value": [uid]}, **reason}

    content: dict[str, Any] = {}
    if stored:
        content["00081199"] = {"vr": "SQ", "Value": [named(uid, "00081196", warning) for uid in stored]}
    if failed:
        content["00081198"] = {"vr": "SQ", "Value": [named(uid, "00081197", code) for uid, code in failed.items()]}
    return http(status, content)


def rows(*uids: str) -> Reply:
    return http(200, [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in uids])


def scene(
    pictures: Outgoing, *replies: Reply, listed: Reply | None = None, ask: bool = False, **more: Any
) -> tuple[Any, ScriptedPeer]:
    """Deliver (or ask) where the questions are answered with `listed`, and the rest with `replies`, in order."""
    script = iter(replies)
    peers: list[ScriptedPeer] = []

    def give(request: Request) -> Reply:
        return (listed or http(204)) if request.method == "GET" else next(script)

    async def run() -> Any:
        async with scripted_peer(give) as peer:
            peers.append(peer)
            return await (found if ask else sent)(peer.url, pictures, **more)

    try:
        return asyncio.run(run()), peers[0]
    except DeliveryFault as fault:
        return fault, peers[0]


UIDS = [f"{STUDY}.1.{number}" for number in (100000, 100001, 100002)]


def test_answers_are_read_object_by_object() -> None:
    full = answer(UIDS, warning=0xB000)
    receipt, peer = scene(Outgoing(small(3)), full)
    assert receipt.facts == {"objects": "3", "sent": "3", "there": "0", "warnings": "3"}
    posted = peer.requests[-1]
    assert posted.path == f"/studies/{STUDY}"
    assert posted.headers["accept"] == "application/dicom+json"
    assert posted.body.count(b"Content-Type: application/dicom\r\n") == 3
    assert "transfer-encoding" not in posted.headers

    fault, _ = scene(Outgoing(small(3)), answer(UIDS[:1], {UIDS[1]: 0xA900, UIDS[2]: 0xC000}, 202))
    assert isinstance(fault, ObjectsRefused)
    assert (fault.where, fault.detail) == ("archive 2/3", "reason A900")

    receipt, _ = scene(Outgoing(small(3)), answer(UIDS[:2], {UIDS[2]: 0x0111}, 202))
    assert receipt.facts == {"objects": "3", "sent": "2", "there": "1"}


@pytest.mark.parametrize(
    ("reply", "kind", "detail"),
    [
        (answer([], {UIDS[0]: 0xA700}, 409), PacsBusy, "reason A700"),
        (answer([], {UIDS[0]: 0x0122}, 409), ObjectsRefused, "reason 0122"),
        (answer([], {UIDS[0]: 0xA900}, 400), ObjectsRefused, "reason A900"),
        (answer([], status=409), Refused, "HTTP 409"),
        (http(400), Refused, "HTTP 400"),
        (http(403), Refused, "HTTP 403"),
        (http(413), Refused, "HTTP 413"),
        (http(415), Refused, "HTTP 415"),
        (http(401), LoginRefused, "HTTP 401"),
        (http(404), InterfaceClosed, "HTTP 404"),
        (http(429, Retry_After="7"), Throttled, "HTTP 429"),
        (http(503), Throttled, "HTTP 503"),
        (http(302, Location="http://elsewhere.example"), Refused, "HTTP 302 redirect, not followed"),
        (http(500), Uncertain, "HTTP 500: 1 objects not named"),
        (http(200), Uncertain, "HTTP 200: 1 objects not named"),
        (http(200, b"<html>"), Uncertain, "HTTP 200: 1 objects not named"),
        (http(200, [1]), Uncertain, "HTTP 200: 1 objects not named"),
        (http(200, {"00081199": {"Value": "x"}}), Uncertain, "HTTP 200: 1 objects not named"),
        (http(200, {"00081199": {"Value": [{"00081155": {"Value": []}}]}}), Uncertain, "HTTP 200: 1 objects not named"),
        (answer(["9.9.9"]), Uncertain, "HTTP 200: 1 objects not named"),
        (answer([UIDS[0]], status=500), Uncertain, "HTTP 500: 1 objects not named"),
        (wire.CLOSE, Uncertain, ""),
        (wire.RESET, Uncertain, ""),
        (wire.SILENCE, Uncertain, ""),
        (wire.HALF_HEAD, Uncertain, ""),
        (wire.HALF_BODY, Uncertain, ""),
        (wire.ENDLESS, Uncertain, ""),
    ],
)
def test_what_an_archive_says(reply: Reply, kind: type[DeliveryFault], detail: str) -> None:
    fault, peer = scene(Outgoing(small(1)), reply)
    assert type(fault) is kind, fault
    assert not detail or fault.detail == detail
    assert sum(one.method == "POST" for one in peer.requests) == 1, "sent twice without being told to"


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_who_answers_no_questions_gets_everything_and_cannot_be_asked(status: int) -> None:
    receipt, _ = scene(Outgoing(small(3)), answer(UIDS), listed=http(status))
    assert receipt.facts["sent"] == "3"
    fault, _ = scene(Outgoing(small(3)), listed=http(status), ask=True)
    assert isinstance(fault, CannotAsk)


@pytest.mark.parametrize("listed", [wire.SILENCE, wire.CLOSE, wire.GARBAGE, http(500), http(200, {"a": 1})])
def test_a_question_without_an_answer_is_asked_again_before_anything_is_sent(listed: Reply) -> None:
    for ask in (True, False):
        fault, peer = scene(Outgoing(small(1)), listed=listed, ask=ask)
        assert isinstance(fault, Unreachable)
        assert all(one.method == "GET" for one in peer.requests)


def test_pages_are_read_to_the_last_and_no_further() -> None:
    pictures = Outgoing(small(520))
    uids = [one.sop_instance for one in pictures.objects]
    asked: list[str] = []

    def page(ignoring: bool) -> Callable[[Request], Reply]:
        def give(request: Request) -> Reply:
            asked.append(request.path)
            offset = 0 if ignoring else int(request.path.rpartition("=")[2])
            return rows(*uids[offset : offset + 500])

        return give

    async def run(ignoring: bool) -> Receipt | None:
        async with scripted_peer(page(ignoring)) as peer:
            return await found(peer.url, pictures)

    receipt = asyncio.run(run(ignoring=False))
    assert receipt is not None
    assert len(asked) == 2
    asked.clear()
    assert asyncio.run(run(ignoring=True)) is None  # one that knows no offset gives the same page for ever
    assert len(asked) == 2


def test_a_study_goes_in_requests_of_a_size_and_a_large_object_alone() -> None:
    files = small(3)
    one = Size(len(files[0]) + 10)
    replies = [answer([uid]) for uid in UIDS]
    receipt, peer = scene(Outgoing(files), *replies, batch=one)
    assert receipt.facts["sent"] == "3"
    assert [request.method for request in peer.requests] == ["GET", "POST", "POST", "POST"]
    receipt, peer = scene(Outgoing(files), *replies, batch=Size(1))
    assert len(peer.requests) == 4


def test_a_node_that_ends_leaves_between_two_requests() -> None:
    files = small(3)

    async def run() -> None:
        async with scripted_peer(give) as peer:
            destination = to(peer.url, batch=Size(1))
            pictures = Outgoing(files, before=lambda number: destination.interrupt() if number == 1 else None)
            with pytest.raises(StudyInterrupted, match=r"2 of 3 confirmed"):
                await destination.deliver(outbound(pictures))
            await destination.close()

    script = iter(answer([uid]) for uid in UIDS)

    def give(request: Request) -> Reply:
        return http(204) if request.method == "GET" else next(script)

    asyncio.run(run())


def test_what_cannot_be_read_cuts_the_request_off_and_says_why() -> None:
    def away(number: int) -> None:
        raise ObjectStoreAway(detail="no such file")

    with pytest.raises(ObjectStoreAway):
        scene(Outgoing(small(1), before=away), wire.SILENCE)


def test_a_token_is_taken_and_renewed_once() -> None:
    pictures = Outgoing(small(1))
    logins: list[Request] = []

    def give(request: Request) -> Reply:
        if request.path == "/token":
            logins.append(request)
            return http(200, {"access_token": f"t{len(logins)}", "expires_in": 3600})
        if request.method == "GET":
            return http(204)
        return http(401) if request.headers["authorization"] == "Bearer t1" else answer(UIDS[:1])

    async def run() -> Receipt:
        async with scripted_peer(give) as peer:
            return await sent(
                peer.url, pictures, token_url="/token", client_id="01999", client_secret=Secret("mật khẩu")
            )

    assert asyncio.run(run()).facts["sent"] == "1"
    assert len(logins) == 2


def test_basic_and_bearer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, peer = scene(Outgoing(small(1)), answer(UIDS[:1]), username="us", password=Secret("mật khẩu"))
    assert peer.requests[0].headers["authorization"].startswith("Basic ")
    _, peer = scene(Outgoing(small(1)), answer(UIDS[:1]), token=Secret("a very long token"))
    assert {one.headers["authorization"] for one in peer.requests} == {"Bearer a very long token"}
    assert "NGUYEN" not in caplog.text
    assert "mật khẩu" not in caplog.text
    assert "a very long token" not in caplog.text


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"token": Secret("t"), "username": "u", "password": Secret("p")}, "token: one way"),
        ({"username": "u"}, "password: goes with username"),
        ({"token_url": "/t"}, "client_id: goes with token_url"),
        ({"batch": Size(0)}, "batch: "),
        ({"url": "ftp://h"}, "url: "),
    ],
)
def test_settings_that_cannot_be_used(more: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Settings(**{"url": "https://h", **more})


def test_what_is_no_study_does_not_leave() -> None:
    with pytest.raises(NoPictures):
        asyncio.run(to("http://127.0.0.1:1").deliver(outbound(None)))
