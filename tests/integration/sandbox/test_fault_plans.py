"""Each fault of a plan happens on the wire, when the plan says, and what was stored under it is told truly."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import pytest

from conformance.sandbox.faults import Action, Call, FaultPlan, PaperNames, Rule
from conformance.sandbox.server import Sandbox
from conformance.sandbox.wire import BY_PLAN
from tests.integration.sandbox.peer import (
    SETTINGS,
    AxisClient,
    Clock,
    CoordinationClient,
    PortalClient,
    cda,
    insurance_file,
    sign,
)

PORTAL, AXIS, COORDINATION = "insurance_portal", "moh_axis", "national_coordination"
Scene = Callable[[Sandbox, PortalClient, bytes], Awaitable[None]]


def play(scene: Scene, *, clock: Clock | None = None, tls: bool = False) -> None:
    async def run() -> None:
        settings = replace(SETTINGS, tls=tls)
        made = Sandbox(settings, clock=clock) if clock else Sandbox(settings)
        async with made as sandbox, httpx.AsyncClient(trust_env=False, verify=False) as http:
            client = PortalClient(sandbox, http)
            await client.login()
            await scene(sandbox, client, sign(insurance_file(), sandbox.ca.issue("Bệnh viện A"), "CHUKYDONVI"))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (Rule(PORTAL, Action.UNAVAILABLE, retry_after_s=7), 503),
        (Rule(PORTAL, Action.THROTTLE, retry_after_s=7), 429),
        (Rule(PORTAL, Action.THROTTLE), 429),
        (Rule(PORTAL, Action.HTTP_500), 500),
        (Rule(PORTAL, Action.BAD_ANSWER), 200),
    ],
)
def test_answers_by_status_store_nothing(rule: Rule, status: int) -> None:
    async def scene(sandbox: Sandbox, client: PortalClient, file: bytes) -> None:
        sandbox.faults.add(replace(rule, last=1))
        response = await client.post(file)
        assert response.status_code == status
        assert response.headers.get("retry-after") == ("7" if rule.retry_after_s else None)
        if rule.action is Action.BAD_ANSWER:
            with pytest.raises(UnicodeDecodeError):
                response.json()
        assert len(sandbox.records) == 0
        assert (await client.send(file))["maKetQua"] == "200"
        assert sandbox.faults.fired(rule.action) == 1

    play(scene)


@pytest.mark.parametrize("tls", [False, True])
def test_a_lost_answer_was_stored_and_the_resent_file_is_a_repeat(tls: bool) -> None:
    async def scene(sandbox: Sandbox, client: PortalClient, file: bytes) -> None:
        sandbox.faults.add(Rule(PORTAL, Action.LOSE_ANSWER, last=1))
        with pytest.raises(httpx.TransportError):
            await client.post(file)
        assert sandbox.records.counts(PORTAL)["accepted"] == 1
        answer = await client.send(file)
        assert answer["maGiaoDich"] == sandbox.records.all()[0].reference
        assert sandbox.records.counts(PORTAL) == {"accepted": 1, "repeats": 1, "refused": 0}

    play(scene, tls=tls)


@pytest.mark.parametrize("tls", [False, True])
def test_down_refuses_connections_and_the_same_port_comes_back(tls: bool) -> None:
    async def scene(sandbox: Sandbox, client: PortalClient, file: bytes) -> None:
        address = sandbox.portal_url
        for _ in range(2):
            sandbox.faults.add(Rule(PORTAL, Action.DOWN))
            await sandbox.settle()
            with pytest.raises(httpx.ConnectError):
                await client.post(file)
            sandbox.faults.clear()
            await sandbox.settle()
            assert sandbox.portal_url == address
            assert (await client.send(file))["maKetQua"] == "200"

    play(scene, tls=tls)


def test_down_leaves_the_other_destinations_alone() -> None:
    async def scene(sandbox: Sandbox, client: PortalClient, file: bytes) -> None:
        sandbox.faults.add(Rule(AXIS, Action.DOWN))
        await sandbox.settle()
        assert (await client.send(file))["maKetQua"] == "200"
        async with httpx.AsyncClient(trust_env=False) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(sandbox.axis_url)

    play(scene)


def test_down_by_a_window_of_time_opens_by_itself() -> None:
    async def scene(sandbox: Sandbox, client: PortalClient, file: bytes) -> None:
        opened = asyncio.Event()
        sandbox.faults.add(Rule(PORTAL, Action.DOWN, until_s=0.2))
        await sandbox.settle()
        with pytest.raises(httpx.ConnectError):
            await client.post(file)

        async def try_again() -> None:
            while True:
                try:
                    await client.post(file)
                except httpx.ConnectError:
                    await asyncio.sleep(0.02)
                else:
                    opened.set()
                    return

        async with asyncio.timeout(5):
            await try_again()
        assert opened.is_set()

    play(scene)


def test_down_for_one_request_resets_it_and_stores_nothing() -> None:
    async def scene(sandbox: Sandbox, client: PortalClient, file: bytes) -> None:
        sandbox.faults.add(Rule(PORTAL, Action.DOWN, first=2, last=2))
        assert (await client.send(file))["maKetQua"] == "200"
        with pytest.raises(httpx.TransportError):
            await client.post(file)
        assert len(sandbox.records) == 1
        assert (await client.send(file))["maKetQua"] == "200"

    play(scene)


def test_refuse_answers_the_code_asked_for_in_each_interface() -> None:
    async def run() -> None:
        async with Sandbox(SETTINGS) as sandbox, httpx.AsyncClient(trust_env=False) as http:
            signer = sandbox.ca.issue("Bác sĩ B")
            portal, coordination = PortalClient(sandbox, http), CoordinationClient(sandbox, http)
            axis = AxisClient(sandbox, http, signer)
            sandbox.register("8930000000019", signer.pem)
            for client in (portal, axis, coordination):
                await client.login()
            sandbox.faults.add(
                Rule(PORTAL, Action.REFUSE, code="403", last=1),
                Rule(AXIS, Action.REFUSE, code="PS_CCCD_DUPLICATE_IN_6_MONTHS", last=1),
                Rule(AXIS, Action.REFUSE, first=2, last=2),
                Rule(COORDINATION, Action.REFUSE, last=1),
            )
            file, paper = sign(insurance_file(), signer, "CHUKYDONVI"), sign(cda(), signer)
            answer = await portal.send(file)
            assert (answer["maKetQua"], answer["thongDiep"]) == ("403", "Không có quyền")
            for code in ("PS_CCCD_DUPLICATE_IN_6_MONTHS", "PS_DS_VERIFY_FAIL", "CM_SUCCESS"):
                assert (await axis.push(axis.envelope(paper))).json()["header"]["res_code"] == code
            key = str(uuid.uuid4())
            refused = await coordination.send(paper, key)
            assert (refused.status_code, refused.json()["code"]) == (422, "DOCUMENT_REFUSED")
            assert (await coordination.send(paper, key)).status_code == 201
            assert [each.n for each in sandbox.records.all() if each.detail == BY_PLAN] == [1, 2, 3, 5]

    asyncio.run(run())


def test_slow_waits_and_another_rule_still_acts() -> None:
    async def scene(sandbox: Sandbox, client: PortalClient, file: bytes) -> None:
        sandbox.faults.add(Rule(PORTAL, Action.THROTTLE), Rule(PORTAL, Action.SLOW, delay_ms=150))
        began = asyncio.get_running_loop().time()
        assert (await client.post(file)).status_code == 429
        assert asyncio.get_running_loop().time() - began >= 0.15

    play(scene)


def test_a_rule_for_log_in_leaves_submissions_alone() -> None:
    async def scene(sandbox: Sandbox, client: PortalClient, file: bytes) -> None:
        sandbox.faults.add(Rule(PORTAL, Action.HTTP_500, call=Call.LOGIN))
        assert (await client.send(file))["maKetQua"] == "200"
        with pytest.raises(json.JSONDecodeError):
            await client.login()

    play(scene)


def test_a_window_of_time_counts_from_the_moment_the_rule_was_added() -> None:
    clock = Clock()

    async def scene(sandbox: Sandbox, client: PortalClient, file: bytes) -> None:
        clock.advance(100)
        sandbox.faults.add(Rule(PORTAL, Action.UNAVAILABLE, after_s=10, until_s=20))
        found = []
        for _ in range(4):
            found.append((await client.post(file)).status_code)
            clock.advance(7)
        assert found == [200, 200, 503, 200]

    play(scene, clock=clock)


def _submissions(rule: Rule, papers: str) -> str:
    """Play one letter per paper; return x where the rule acted."""
    plan = FaultPlan(Clock())
    plan.add(rule)

    def acted(paper: str) -> bool:
        return bool(plan.match(PORTAL, Call.SUBMIT, lambda: PaperNames(paper, paper, f"id-{paper}")))

    return "".join("x" if acted(paper) else "." for paper in papers)


@pytest.mark.parametrize(
    ("rule", "papers", "acted"),
    [
        (Rule(PORTAL, Action.HTTP_500, first=2, last=3), "abcde", ".xx.."),
        (Rule(PORTAL, Action.HTTP_500, first=2, every=3), "abcdefgh", ".x..x..x"),
        (Rule(PORTAL, Action.HTTP_500, attempts=2), "aabaabb", "xxx..x."),
        (Rule(PORTAL, Action.HTTP_500, document="id-b"), "abab", ".x.x"),
        (Rule(PORTAL, Action.HTTP_500, document="a", attempts=1), "aba", "x.."),
        (Rule(AXIS, Action.HTTP_500), "abc", "..."),
        (Rule(PORTAL, Action.HTTP_500, call=Call.FIND), "abc", "..."),
    ],
)
def test_conditions(rule: Rule, papers: str, acted: str) -> None:
    assert _submissions(rule, papers) == acted
    assert _submissions(rule, papers) == acted


def test_the_first_rule_that_matches_acts() -> None:
    plan = FaultPlan(Clock())
    plan.add(Rule(PORTAL, Action.HTTP_500, last=1), Rule(PORTAL, Action.THROTTLE))
    names = PaperNames("", "", "")
    found = [plan.match(PORTAL, Call.SUBMIT, lambda: names)[0].action for _ in range(2)]
    assert found == [Action.HTTP_500, Action.THROTTLE]
    assert [state["fired"] for state in plan.state()] == [1, 1]


@pytest.mark.parametrize(
    "bad",
    [
        {"destination": "x"},
        {"first": 0},
        {"every": 0},
        {"first": 3, "last": 2},
        {"action": Action.DISTORT, "code": "stale"},
        {"destination": "ocsp", "action": Action.DISTORT},
        {"destination": "ocsp", "action": Action.DISTORT, "code": "huge"},
        {"destination": "tsa", "action": Action.REFUSE, "code": "tryLater"},
    ],
)
def test_a_rule_that_can_never_act_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"destination|begin"):
        Rule(**({"destination": PORTAL, "action": Action.DOWN} | bad))  # type: ignore[arg-type]  # wrong on purpose
