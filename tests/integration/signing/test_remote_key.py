"""The remote key against the sandbox's signing service, with every failure that it can play."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance.sandbox.faults import Action, Call, Rule
from conformance.sandbox.holders import DEMO_HOLDERS, KeyKind
from conformance.sandbox.remote_credentials import RemoteCredential, Terms
from conformance.sandbox.server import USER
from mappings.formats.faults import SigningFault
from mappings.formats.values import Secret
from signing.algorithms import ALGORITHMS
from signing.batch import State, sign_batch, unsigned
from signing.contract import ToSign
from signing.faults import KeyLocked, KeyUnavailable, KeyUnsuitable, NotAuthorised, OneTimeCodeWrong, ServiceRefused
from signing.keys.remote import Ask, Key, Settings
from tests.integration.sandbox.peer import PASSWORD
from tests.integration.sandbox.trust import Bench, play

PIN = "24682468"
Open = Callable[..., Key]
Work = Callable[["Service", Open], None]


@dataclass
class Service:
    """The sandbox as a thread beside its loop may use it."""

    bench: Bench
    credential: RemoteCredential
    loop: asyncio.AbstractEventLoop

    def fail(self, action: Action | None, code: str | None = None, **more: Any) -> None:
        """Play this failure and no other; None: none."""

        async def change() -> None:
            self.bench.sandbox.faults.clear()
            if action is not None:
                self.bench.sandbox.faults.add(Rule("csc", action, code=code, **more))
            await self.bench.sandbox.settle()

        asyncio.run_coroutine_threadsafe(change(), self.loop).result(timeout=20)


def at_the_sandbox(
    work: Work, folder: Path, key: KeyKind = "rsa2048", *, code: bool = True, multisign: int = 50
) -> None:
    """Do blocking work in a thread beside the sandbox."""

    async def scene(bench: Bench) -> None:
        terms = Terms(USER, PIN, one_time_code=code, multisign=multisign)
        credential = bench.sandbox.credentials.add(DEMO_HOLDERS["doctor"], terms, key=key)

        def telephone(_: str) -> str:
            return credential.one_time_code

        def open_key(ask: Ask = telephone, **more: Any) -> Key:
            settings = {"client_id": USER, "client_secret": Secret(PASSWORD), "pin": Secret(PIN), **more}
            url = f"{bench.sandbox.csc_url}/csc/v2"
            return Key(Settings(url=url, credential=credential.identifier, **settings), ask)

        await asyncio.to_thread(work, Service(bench, credential, asyncio.get_running_loop()), open_key)

    run: Callable[[Bench], Awaitable[None]] = scene
    play(run, folder)


def papers(algorithm: str, count: int) -> dict[str, ToSign]:
    return {f"d{n}": ToSign(ALGORITHMS[algorithm].digest(b"d%d" % n)) for n in range(count)}


@pytest.mark.parametrize("kind", ["rsa2048", "rsa3072", "ec256", "ec384"])
def test_every_algorithm_of_the_service(kind: KeyKind, tmp_path: Path) -> None:
    def work(service: Service, open_key: Open) -> None:
        key = open_key()
        assert key.chain[0] == service.credential.held.certificate
        assert len(key.chain) > 1
        public = service.credential.held.key.public_key()
        for name in key.algorithms:
            assert ALGORITHMS[name].holds(public, key.sign(b"data", name), b"data"), name

    at_the_sandbox(work, tmp_path, kind)


def test_a_password_logs_in_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    def work(service: Service, open_key: Open) -> None:
        assert open_key(client_id="", user=USER, password=Secret(PASSWORD)).sign(b"data")
        for wrong in ({"client_id": "", "user": USER, "password": Secret("x")}, {"client_secret": Secret("x")}):
            with pytest.raises(NotAuthorised):
                open_key(**wrong)

    at_the_sandbox(work, tmp_path)


def test_three_hundred_papers_in_slices_and_a_service_that_starts_again(tmp_path: Path) -> None:
    def work(service: Service, open_key: Open) -> None:
        key, batch, results = open_key(), papers("RS256", 300), []
        for result in sign_batch(batch, key):
            results.append(result)
            if len(results) == 120:
                service.bench.sandbox.credentials.forget_all()
                service.fail(Action.REFUSE, "expired_token", first=1, last=1)
        assert {result.state for result in results} == {State.SIGNED}
        public = service.credential.held.key.public_key()
        for result in results:
            assert ALGORITHMS["RS256"].holds(public, result.signature, result.name.encode())

    at_the_sandbox(work, tmp_path)


def test_a_batch_goes_on_after_the_service_was_down(tmp_path: Path) -> None:
    def work(service: Service, open_key: Open) -> None:
        key, batch, results = open_key(), papers("ES256", 10), []
        for result in sign_batch(batch, key):
            results.append(result)
            if len(results) == 4:
                service.fail(Action.DOWN)
        assert [result.state for result in results] == [State.SIGNED] * 4 + [State.FAILED] + [State.NOT_REACHED] * 5
        assert isinstance(results[4].fault, KeyUnavailable)
        service.fail(None)
        rest = list(sign_batch(unsigned(batch, results), key))
        assert [(result.name, result.state) for result in rest] == [(f"d{n}", State.SIGNED) for n in range(4, 10)]

    at_the_sandbox(work, tmp_path, "ec256", multisign=4)


@pytest.mark.parametrize(
    ("action", "code", "wanted"),
    [
        (Action.REFUSE, "invalid_otp", OneTimeCodeWrong),
        (Action.REFUSE, "invalid_authentication_data", OneTimeCodeWrong),
        (Action.REFUSE, "credential_locked", KeyLocked),
        (Action.REFUSE, "credential_disabled", ServiceRefused),
        (Action.REFUSE, "certificate_expired", ServiceRefused),
        (Action.REFUSE, "too_many_signatures", ServiceRefused),
        (Action.REFUSE, "hash_not_authorized", ServiceRefused),
        (Action.REFUSE, "invalid_sad", ServiceRefused),
        (Action.REFUSE, "expired_token", NotAuthorised),
        (Action.REFUSE, "server_error", KeyUnavailable),
        (Action.REFUSE, "temporarily_unavailable", KeyUnavailable),
        (Action.DISTORT, "partial_batch", ServiceRefused),
        (Action.DISTORT, "swapped", KeyUnsuitable),
        (Action.DISTORT, "wrong_key", KeyUnsuitable),
        (Action.DISTORT, "bad_signature", KeyUnsuitable),
        (Action.DOWN, None, KeyUnavailable),
    ],
)
def test_a_failure_is_told_as_what_it_is(
    action: Action, code: str | None, wanted: type[SigningFault], tmp_path: Path
) -> None:
    def work(service: Service, open_key: Open) -> None:
        key = open_key()
        if wanted in (OneTimeCodeWrong, KeyLocked):
            service.fail(action, code, call=Call.AUTHORIZE, first=2)  # the first is the question for a code
        else:
            service.fail(action, code)
        with pytest.raises(SigningFault) as caught:
            list(key.sign_hashes(list(papers("RS256", 4).values())))
        assert type(caught.value) is wanted
        service.fail(None)
        assert key.sign(b"data")

    at_the_sandbox(work, tmp_path)


def test_a_wrong_code_and_then_a_right_one(tmp_path: Path) -> None:
    def work(service: Service, open_key: Open) -> None:
        said = iter(["000000x"])
        key = open_key(lambda _: next(said, service.credential.one_time_code))
        with pytest.raises(OneTimeCodeWrong):
            key.sign(b"data")
        assert key.sign(b"data")

    at_the_sandbox(work, tmp_path)


def test_a_wrong_pin_of_a_seal_is_sent_once(tmp_path: Path) -> None:
    def work(service: Service, open_key: Open) -> None:
        key = open_key(pin=Secret("00000000"))
        for _ in range(5):
            with pytest.raises(NotAuthorised):
                key.sign(b"data")
        assert service.credential.wrong_tries == 1

    at_the_sandbox(work, tmp_path, code=False)
