"""The workstation agent over real HTTP with a real token: three hundred papers, a pulled token, and strangers."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from mappings.formats.values import FileName, Secret
from signing import token
from signing.agent import protocol
from signing.agent.guard import Guard
from signing.agent.listener import holder, listening
from signing.agent.service import Agent, Holder
from signing.testing import Authority, MemoryKey
from tests.signer import Browser, Halt
from tests.softhsm import MODULE, SoftHsm

PIN = Secret("472915")
PAGE = "https://cong.benhvien.vn"
JSON = {"Content-Type": "application/json", "Origin": PAGE}


@pytest.fixture(scope="module")
def signer() -> MemoryKey:
    return Authority.root().intermediate().issue("BS Đỗ Thị Ký", title="Bác sĩ", organisation="BV Thử nghiệm")


@pytest.fixture(scope="module")
def softhsm(tmp_path_factory: pytest.TempPathFactory, signer: MemoryKey) -> Iterator[SoftHsm]:
    if not Path(MODULE).exists() and os.geteuid() != 0:
        pytest.skip("SoftHSM2 is not installed")
    made = SoftHsm(tmp_path_factory.mktemp("softhsm"))
    made.start()
    made.add("usb", PIN)
    made.put("usb", PIN, signer)
    yield made
    token.load(MODULE).library.finalize()


@dataclass
class Station:
    agent: Agent
    guard: Guard
    origin: str
    announced: SimpleQueue[str]
    page: httpx.Client
    """The gateway's page, paired."""

    def send(self, count: int, name: str = "b1", **more: Any) -> httpx.Response:
        return self.page.post("/v1/batches", json={**batch(self, count, name), **more})

    def state(self, name: str = "b1", after: int = 0) -> protocol.BatchState:
        answer = self.page.get(f"/v1/batches/{name}", params={"after": after, "wait": 20})
        return msgspec.json.decode(answer.raise_for_status().content, type=protocol.BatchState)

    def until(self, state: str, name: str = "b1") -> protocol.BatchState:
        found = self.state(name)
        while found.state != state:
            found = self.state(name, found.version)
        return found


def batch(station: Station, count: int, name: str) -> dict[str, Any]:
    certificate = token.signer_chain(token.view(MODULE, "usb").certificates)[0]
    documents = [
        {
            "id": f"d{number}",
            "digest": b64encode(digest(number)).decode(),
            "title": f"Giấy ra viện số {number} <b>",
            "html": f"<p onclick='x()'>Nội dung {number}</p><script>alert(1)</script>",
        }
        for number in range(count)
    ]
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
    return {"protocol": 1, "id": name, "algorithm": "RS256", "certificate": fingerprint, "documents": documents}


def digest(number: int) -> bytes:
    return sha256(b"paper %d" % number).digest()


@contextmanager
def station(place: Holder | None = None, port: int = 0) -> Iterator[Station]:
    guard, announced = Guard(frozenset({PAGE})), SimpleQueue[str]()
    agent = Agent(place or holder(FileName(MODULE), "usb"), guard, announced.put)
    with listening(agent, guard, port) as origin, httpx.Client(base_url=origin, headers=JSON, trust_env=False) as page:
        paired = page.post("/v1/pairings", json={"protocol": 1, "code": guard.new_code()})
        assert paired.status_code == 201
        page.headers["Authorization"] = f"Bearer {paired.json()['token']}"
        yield Station(agent, guard, origin, announced, page)


def require_signed(state: protocol.BatchState, signer: MemoryKey, count: int) -> None:
    signed = [document for document in state.documents if document.state == "signed"]
    assert len(signed) == count
    public = signer.private_key.public_key()
    for document in signed:
        prehashed = Prehashed(hashes.SHA256())
        public.verify(document.signature, digest(int(document.id[1:])), padding.PKCS1v15(), prehashed)


# ---- a day at the workstation ----


def test_three_hundred_papers_under_one_pin_and_a_pulled_token(softhsm: SoftHsm, signer: MemoryKey) -> None:
    halt = Halt(at=120)
    with station(halt.holder(holder(FileName(MODULE), "usb"))) as here:
        assert here.page.get("/v1/signer").json()["algorithms"][0] == "RS256"
        assert here.send(300).status_code == 201
        browser = Browser(here.announced.get(timeout=10))
        path = urlsplit(str(browser.first.url)).path
        assert "BS Đỗ Thị Ký, Bác sĩ, BV Thử nghiệm" in browser.first.text

        browser.post(f"{path}/sign", {"pin": str(PIN)})
        assert halt.reached.wait(timeout=20)
        softhsm.pull()
        halt.gate.set()
        state = here.until("waiting")
        assert state.fault == 5001
        require_signed(state, signer, 120)
        assert "Không thấy USB token" in browser.get(path)

        halt.at = -1
        browser.post(f"{path}/sign", {"pin": str(PIN)})  # the token is still away
        assert here.until("waiting").fault == 5001

        softhsm.plug()
        browser.post(f"{path}/sign", {"pin": "000000"})
        state = here.until("waiting")
        assert state.fault == 5002
        require_signed(state, signer, 120)
        assert "đã bị nhập sai ít nhất một lần" in browser.get(path)

        browser.post(f"{path}/sign", {"pin": str(PIN)})
        state = here.until("done")
        require_signed(state, signer, 300)
        assert "Đã xong: đã ký 300/300" in browser.get(path)


def test_the_gateway_stops_a_batch(softhsm: SoftHsm, signer: MemoryKey) -> None:
    halt = Halt(at=5)
    with station(halt.holder(holder(FileName(MODULE), "usb"))) as here:
        here.send(10)
        browser = Browser(here.announced.get(timeout=10))
        browser.post("/batches/b1/sign", {"pin": str(PIN)})
        assert halt.reached.wait(timeout=20)
        stopped = here.page.post("/v1/batches/b1/stop").json()
        assert stopped["state"] == "stopped"
        halt.gate.set()
        halt.at = -1
        here.send(2, "b2")
        second = Browser(here.announced.get(timeout=10))
        while here.state("b2").state == "waiting":  # until the run of the first has ended
            second.post("/batches/b2/sign", {"pin": str(PIN)})
        require_signed(here.until("done", "b2"), signer, 2)
        assert sum(document.state == "signed" for document in here.state().documents) <= 6
        assert here.page.delete("/v1/batches/b1").status_code == 204
        assert here.page.get("/v1/batches/b1").status_code == 404


def test_the_signer_pauses_leaves_papers_out_and_goes_on(softhsm: SoftHsm, signer: MemoryKey) -> None:
    halt = Halt(at=3)
    with station(halt.holder(holder(FileName(MODULE), "usb"))) as here:
        here.send(10)
        browser = Browser(here.announced.get(timeout=10))
        browser.post("/batches/b1/sign", {"pin": str(PIN)})
        assert halt.reached.wait(timeout=20)
        assert 'http-equiv="refresh"' in browser.get("/batches/b1")
        here.send(1, "b2")
        other = Browser(here.announced.get(timeout=10))
        assert "Đang ký một lô khác" in other.post("/batches/b2/sign", {"pin": str(PIN)}).text
        browser.post("/batches/b1/pause", {})
        halt.gate.set()
        state = here.until("waiting")
        assert 3 <= sum(document.state == "signed" for document in state.documents) <= 4
        halt.at = -1
        while here.state().state == "waiting":
            browser.post("/batches/b1/sign", {"pin": str(PIN), "leave": ["d7", "d9", "d0"]})
        state = here.until("done")
        require_signed(state, signer, 8)  # d0 was signed before it was left out
        assert [document.id for document in state.documents if document.state == "left out"] == ["d7", "d9"]


def test_the_signer_does_not_sign_the_rest(softhsm: SoftHsm) -> None:
    with station() as here:
        here.send(2)
        Browser(here.announced.get(timeout=10)).post("/batches/b1/leave", {})
        assert {document.state for document in here.until("done").documents} == {"left out"}


def test_papers_for_another_certificate_are_not_signed(softhsm: SoftHsm) -> None:
    with station() as here:
        here.send(2, certificate="0" * 64)
        browser = Browser(here.announced.get(timeout=10))
        browser.post("/batches/b1/sign", {"pin": str(PIN)})
        state = here.until("waiting")
        while state.fault == 0:
            state = here.state(after=state.version)
        assert state.fault == 5003
        assert {document.state for document in state.documents} == {"waiting"}


def test_a_paper_is_shown_where_it_can_do_nothing(softhsm: SoftHsm) -> None:
    with station() as here:
        here.send(1)
        browser = Browser(here.announced.get(timeout=10))
        page = browser.first
        assert "Giấy ra viện số 0 &lt;b&gt;" in page.text
        assert "<script" not in page.text
        assert digest(0).hex() in page.text
        assert 'sandbox=""' in page.text
        assert "script-src" not in page.headers["content-security-policy"]
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        paper = browser.client.get("/batches/b1/papers/0")
        assert paper.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        for none in ("/batches/b1/papers/1", "/batches/b1/papers/x", "/batches/none", "/none"):
            assert browser.client.get(none).status_code == 404


# ---- strangers ----


def raw(here: Station, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> int:
    """Send exactly these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", here.guard.port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


def test_strangers_are_refused(softhsm: SoftHsm) -> None:
    with station() as here:
        here.send(1)
        host = ("Host", f"127.0.0.1:{here.guard.port}")
        bearer = ("Authorization", here.page.headers["Authorization"])
        origin, evil = ("Origin", PAGE), ("Origin", "https://evil.vn")
        json, body = ("Content-Type", "application/json"), b"{}"
        length = ("Content-Length", "2")
        assert raw(here, "GET", "/v1/signer", [host, bearer, origin]) == 200
        for headers, wanted in (
            ([("Host", f"evil.vn:{here.guard.port}"), bearer, origin], 421),
            ([bearer, origin], 421),
            ([host, host, bearer, origin], 400),
            ([host, bearer, origin, ("Transfer-Encoding", "chunked")], 400),
            ([host, bearer, evil], 403),
            ([host, bearer, ("Origin", "null")], 403),
            ([host, bearer, ("Sec-Fetch-Site", "cross-site")], 403),
            ([host, origin], 401),
            ([host, origin, ("Authorization", "Bearer x")], 401),
            ([host, bearer], 401),
        ):
            assert raw(here, "GET", "/v1/signer", headers) == wanted, headers
        assert raw(here, "POST", "/v1/batches", [host, bearer, origin, json, length], body) == 400
        assert (
            raw(here, "POST", "/v1/batches", [host, bearer, origin, ("Content-Type", "text/plain"), length], body)
            == 415
        )
        assert raw(here, "POST", "/v1/batches", [host, bearer, origin, json, ("Content-Length", "99999999")]) == 413
        assert raw(here, "POST", "/v1/batches", [host, bearer, origin, json, ("Content-Length", "-1")]) == 400
        assert raw(here, "GET", "/", [host]) == 403
        assert raw(here, "GET", "/batches/b1/papers/0", [host, bearer, origin]) == 403
        assert raw(here, "GET", "/enter?key=x", [host]) == 403


def test_a_form_from_elsewhere_signs_nothing(softhsm: SoftHsm) -> None:
    with station() as here:
        here.send(1)
        browser = Browser(here.announced.get(timeout=10))
        assert browser.post("/batches/b1/sign", {"pin": str(PIN)}, secret="guessed").status_code == 403
        own = {"form": "x", "pin": str(PIN)}
        for headers in ({"Origin": PAGE}, {"Origin": browser.origin, "Sec-Fetch-Site": "cross-site"}, {}):
            assert browser.client.post("/batches/b1/sign", data=own, headers=headers).status_code == 403
        cookie = browser.first.history[0].headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert here.state().state == "waiting"


def test_another_batch_of_the_same_id_is_a_conflict(softhsm: SoftHsm) -> None:
    with station() as here:
        assert [here.send(1).status_code, here.send(1).status_code, here.send(2).status_code] == [201, 200, 409]
        here.announced.get(timeout=10)
        assert here.announced.empty()


def test_pairing_is_done_on_the_signers_page(softhsm: SoftHsm) -> None:
    with station() as here:
        browser = Browser(here.agent.entry())
        assert f"Đang ghép: {PAGE}" in browser.first.text
        browser.post("/code", {})
        code = re.search(r'class="code">(\d{4} \d{4})<', browser.get("/"))
        assert code
        wrong = here.page.post("/v1/pairings", json={"protocol": 1, "code": "1"})
        assert (wrong.status_code, wrong.json()["code"]) == (401, 5002)
        assert here.page.post("/v1/pairings", json={"protocol": 1, "code": code[1]}).status_code == 201
        browser.post("/unpair", {})
        assert here.page.get("/v1/signer").status_code == 401


def test_without_a_token_the_signer_is_away(softhsm: SoftHsm) -> None:
    with station(holder(FileName(MODULE), "none")) as here:
        answer = here.page.get("/v1/signer")
        assert (answer.status_code, answer.json()["code"]) == (503, 5001)


# ---- the command, and a browser that other people made ----


def test_the_command_signs_and_says_nothing_secret(softhsm: SoftHsm, signer: MemoryKey) -> None:
    command = [sys.executable, "-m", "gateway.cli", "sign-agent", "--module", MODULE, "--allow", PAGE]
    running = subprocess.Popen(
        [*command, "--port", "0", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=partial(
            signal.signal, signal.SIGINT, signal.default_int_handler
        ),  # whoever runs the tests may ignore it
    )
    assert running.stdout
    said = [running.stdout.readline()]
    try:
        browser = Browser(said[0].strip())
        code = re.search(r'class="code">(\d{4} \d{4})<', browser.first.text)
        assert code
        with httpx.Client(base_url=browser.origin, headers=JSON, trust_env=False) as page:
            paired = page.post("/v1/pairings", json={"protocol": 1, "code": code[1]}).json()["token"]
            page.headers["Authorization"] = f"Bearer {paired}"
            here = Station(None, None, browser.origin, SimpleQueue(), page)  # type: ignore[arg-type]
            assert here.send(3).status_code == 201
            said.append(running.stdout.readline())
            Browser(said[1].strip()).post("/batches/b1/sign", {"pin": str(PIN)})
            require_signed(here.until("done"), signer, 3)
    finally:
        running.send_signal(signal.SIGINT)
        try:
            rest, _ = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 130
    assert not [secret for secret in (str(PIN), paired, "Giấy") if secret in "".join(said) + rest]


CHROMIUM = shutil.which("chromium")
SCRIPT = """<!doctype html><body><pre id=out>waiting</pre><script>
(async () => {
  const say = t => { document.getElementById('out').textContent = t };
  try {
    const call = (path, how) => fetch('AGENT' + path, how);
    const json = {'Content-Type': 'application/json'};
    const paired = await call('/v1/pairings', {method: 'POST', headers: json, body: '{"protocol":1,"code":"CODE"}'});
    const {token} = await paired.json();
    const signer = await call('/v1/signer', {headers: {Authorization: 'Bearer ' + token}});
    say('got ' + (await signer.json()).algorithms[0]);
  } catch (e) { say('refused ' + e.name) }
})();
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("listed", [True, False])
def test_a_browser_lets_the_listed_page_through_and_no_other(listed: bool, softhsm: SoftHsm, tmp_path: Path) -> None:
    content: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(content[0])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as site:
        thread = Thread(target=site.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        page = f"http://127.0.0.1:{site.server_address[1]}"
        guard = Guard(frozenset({page if listed else PAGE}))
        agent = Agent(holder(FileName(MODULE), "usb"), guard)
        with listening(agent, guard, 0) as address:
            content.append(SCRIPT.replace("AGENT", address).replace("CODE", guard.new_code()).encode())
            command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
            seen = subprocess.run(
                [*command, "--virtual-time-budget=10000", "--dump-dom", page],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        site.shutdown()
        thread.join()
    assert ("got RS256" if listed else "refused TypeError") in seen.stdout
