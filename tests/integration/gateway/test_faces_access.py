"""Strangers before the faces: rebound names, foreign pages, tokens that nobody has, sessions that were made up."""

from __future__ import annotations

import http.client
import logging
import re
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.clock import SystemClock
from tests.integration.gateway.faces import HOST, TOKENS, House, browser, program
from tests.integration.gateway.test_papers import discharge

FORM = re.compile(r'name="form" value="([^"]+)"')


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    made = House(tmp_path_factory.mktemp("house") / "config")
    made.desk.send(discharge("1"))
    return made


def raw(address: str, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b"") -> int:
    """Send exactly these headers."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders(body or None)
    status = connection.getresponse().status
    connection.close()
    return status


def sign_in(client: httpx.Client, code: str = "BS1", token: str = "") -> httpx.Response:
    return client.post("/sign/in", data={"code": code, "token": token or TOKENS.get(code, "")})


def test_only_own_names_are_answered(house: House) -> None:
    with house.open() as address:
        port = urlsplit(address).port
        for name, wanted in (
            (f"127.0.0.1:{port}", 200),
            (f"localhost:{port}", 200),
            (HOST, 200),
            (f"{HOST}:8443", 200),
            ("[::1]:8443", 200),
            (f"evil.example:{port}", 421),
            (f"{HOST}.evil.example", 421),
            ("", 421),
        ):
            assert raw(address, "GET", "/verify", [("Host", name)]) == wanted, name
        assert raw(address, "GET", "/verify", [("Host", HOST), ("Host", HOST)]) in (400, 421)
        assert raw(address, "GET", "/verify", []) in (400, 421)


def test_no_other_page_sends_anything(house: House) -> None:
    host, length = ("Host", HOST), ("Content-Length", "4")
    with house.open() as address:
        for headers, wanted in (
            ([], 200),
            ([("Origin", f"http://{HOST}")], 200),
            ([("Origin", f"https://{HOST}")], 403),
            ([("Origin", "https://evil.example")], 403),
            ([("Origin", "null")], 403),
            ([("Sec-Fetch-Site", "cross-site")], 403),
            ([("Sec-Fetch-Site", "same-site")], 403),
            ([("Sec-Fetch-Site", "same-origin")], 200),
        ):
            assert raw(address, "POST", "/verify", [host, length, *headers], b"<a/>") == wanted, headers
        with httpx.Client(base_url=address, trust_env=False) as other:
            asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
            answer = other.options("/verify", headers=asked)
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_every_answer_tells_browsers_what_they_must_not(house: House) -> None:
    with house.open() as address, browser(address) as client:
        for path in ("/verify", "/static/style.css", "/none", "/sign/in", f"/verify/{'0' * 64}"):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "server" not in headers
        assert "127.0.0.1" not in client.get("/verify").headers["content-security-policy"]
        sign_in(client)
        policy = client.get("/sign").headers["content-security-policy"]
        assert "connect-src 'self' http://127.0.0.1:*;" in policy
        task = re.search(r'data-task="([^"]+)"', client.get("/sign").text)
        assert task
        paper = client.get(f"/sign/papers/{task[1]}")
        assert paper.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert "NGUYỄN THỊ HOA" in paper.text.upper()


def test_programs_need_a_token_that_may(house: House) -> None:
    with house.open() as address, program(address) as his, program(address, "portal") as portal:
        assert his.get("/api/certs").status_code == 200
        said = portal.get("/api/certs")
        assert (said.status_code, said.json()["fault"]["code"], said.json()["fault"]["detail"]) == (
            403,
            "LT7003",
            "certs",
        )
        for wrong in ("", "Bearer", "Bearer x", f"Basic {TOKENS['his']}", f"Bearer {TOKENS['BS1']}"):
            with httpx.Client(base_url=address, headers={"Authorization": wrong}, trust_env=False) as stranger:
                answer = stranger.get("/api/certs")
                assert (answer.status_code, answer.json()["fault"]["code"]) == (401, "LT7002")
                assert answer.headers["www-authenticate"] == "Bearer"
                assert stranger.post("/api/sign/sittings", json={}).status_code == 401
        with browser(address) as person:
            sign_in(person)
            assert person.get("/api/certs").status_code == 401, "a session of the page is no token"


def test_a_session_is_sealed_and_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with house.open() as address, browser(address) as client:
        assert client.get("/sign").url.path == "/sign/in"
        assert sign_in(client).url.path == "/sign"
        (cookie,) = client.cookies.jar
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "strict"
        value = str(cookie.value)
        for forged in ("", "x", value[:-4] + "AAAA", value[4:], "A" * 2000):
            with browser(address, Cookie=f"lienthong={forged}") as other:
                assert other.get("/sign").url.path == "/sign/in", forged
        later = SystemClock().now() + 11 * 3600 * 1_000_000
        with monkeypatch.context() as patch:
            patch.setattr(SystemClock, "now", lambda _: later)
            assert client.get("/sign").url.path == "/sign/in"
        form = FORM.search(client.get("/sign").text)
        assert form
        assert client.post("/sign/out", data={"form": "guessed"}).status_code == 403
        assert client.post("/sign/out", data={"form": form[1]}).url.path == "/sign/in"
        assert client.get("/sign").url.path == "/sign/in"


def test_nothing_is_done_in_somebodys_name_without_the_secret_of_the_page(house: House) -> None:
    with house.open() as address, browser(address) as client:
        sign_in(client)
        task = re.search(r'data-task="([^"]+)"', client.get("/sign").text)
        assert task
        for path in (f"/sign/tasks/{task[1]}/refuse", f"/sign/tasks/{task[1]}/skip", "/sign/sittings"):
            for headers in ({}, {"X-Form": "guessed"}):
                answer = client.post(path, json={"reason": "x"}, headers={**headers, "Accept": "application/json"})
                assert (answer.status_code, answer.json()["fault"]["code"]) == (403, "LT7007")


def test_whoever_tries_tokens_is_slowed_down(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), house.open() as address, browser(address) as client:
        for _ in range(10):
            assert sign_in(client, "TK1", "wrong-token-of-somebody").status_code == 401
        assert sign_in(client, "TK1").status_code == 429
        assert sign_in(client, "BS1").status_code == 200, "others are not"
        assert sign_in(client, "XX1", "").status_code == 401, "nobody"
    assert "wrong-token" not in caplog.text
    assert TOKENS["BS1"] not in caplog.text


def test_a_log_knows_no_address_and_no_patient(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), house.open() as address, browser(address) as client:
        sign_in(client)
        client.get("/sign")
        client.get("/verify/Nguyễn-Hoa")
        client.post("/verify", files={"file": ("Nguyễn Thị Hoa.xml", b"<a/>")})
        raw(address, "GET", "/Hoa", [("Host", "evil.example")])
    own = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not [line for line in own if "Hoa" in line or "Nguy" in line]
    assert any("LT7006" in line for line in own)
