"""Parts of the faces that need no socket: forms, languages, words, settings of who may."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest
from fastapi import Request

from gateway.api import uploads
from gateway.api.words import language
from gateway.configuration import load
from gateway.faults import ConfigInvalid, RequestNotUnderstood
from gateway.text import pages
from tests.site import write_site

BOUNDARY = "----x"
KIND = f"multipart/form-data; boundary={BOUNDARY}"


def form(*parts: tuple[str, bytes]) -> bytes:
    said = b"".join(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + body + b"\r\n" for head, body in parts)
    return said + f"--{BOUNDARY}--\r\n".encode()


def test_a_file_comes_out_of_a_form_as_it_went_in() -> None:
    body = bytes(range(256)) + b"\r\n--" + b"\r\n\r\n--\r\n" + b"\r\n-----x\r\n"
    head = 'Content-Disposition: form-data; name="file"; filename="giấy \\"1\\".xml"\r\nContent-Type: text/xml'
    read = uploads.fields(KIND, form(('Content-Disposition: form-data; name="a"', b"1"), (head, body)))
    assert read["file"].body == body
    assert read["file"].file_name.startswith("giấy")
    assert read["a"].body == b"1"
    assert uploads.fields("application/x-www-form-urlencoded", b"a=1&b=%C3%A1&a=2")["b"].body.decode() == "á"
    assert uploads.fields("application/x-www-form-urlencoded", b"a=1&a=2")["a"].body == b"1"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", b"a=1"),
        ("multipart/form-data", b""),
        (KIND, b""),
        (KIND, f"--{BOUNDARY}\r\n\r\n".encode()),
        (KIND, form(("Content-Type: text/plain", b"x"))),
        (KIND, form(*[('Content-Disposition: form-data; name="a"', b"")] * 30)),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(30))),
        ("application/x-www-form-urlencoded", b"a=\xff"),
    ],
)
def test_what_is_no_form_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(RequestNotUnderstood):
        uploads.fields(kind, body)


@pytest.mark.parametrize(
    ("query", "cookie", "accept", "wanted"),
    [
        ("", "", "", "vi"),
        ("", "", "en-US,en;q=0.9", "en"),
        ("", "", "vi,en;q=0.9", "vi"),
        ("", "", "fr-FR,fr;q=0.9,en;q=0.4,vi;q=0.5", "vi"),
        ("", "", "fr", "vi"),
        ("", "", "en;q=0", "vi"),
        ("", "", "en;q=x,;;,*", "vi"),
        ("", "lang=vi", "en", "vi"),
        ("lang=en", "lang=vi", "vi", "en"),
        ("lang=klingon", "lang=x", "en", "en"),
    ],
)
def test_the_language_of_a_request(query: str, cookie: str, accept: str, wanted: str) -> None:
    headers = [(b"accept-language", accept.encode()), (b"cookie", cookie.encode())]
    assert language(Request({"type": "http", "query_string": query.encode(), "headers": headers})) == wanted


def test_pages_have_the_words_they_use_and_use_those_they_have() -> None:
    folder = resources.files("gateway.api")
    used: set[str] = set()
    begun: set[str] = set()
    for path in [*(folder / "templates").iterdir(), folder / "static" / "sign.js"]:
        said = path.read_text(encoding="utf-8")
        used |= set(re.findall(r'(?:\bt\[|say\()"([^"]+)"[],)]', said))
        used |= set(re.findall(r'"((?:agent|run)\.[a-z]+)"', said))
        begun |= set(re.findall(r'\bt(?:\.get\(|\[)"([a-z_.]+\.)" ~', said))
    known = set(pages.words("vi"))
    assert used - known == set()
    unused = {word for word in known - used if not any(word.startswith(start) for start in begun)}
    assert unused == set()
    for word in known:
        vi, en = pages.words("vi")[word], pages.words("en")[word]
        assert vi, word
        assert sorted(re.findall(r"\{\d\}", vi)) == sorted(re.findall(r"\{\d\}", en)), word


CLIENT = '\n[[api.client]]\nname = "his"\ntoken = "secret:his"\nmay = ["certs"]\n'
HTTP = '\n[http]\nlisten = "127.0.0.1:8443"\ntls = "none"\n'


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (HTTP.replace("127.0.0.1", "0.0.0.0"), "tls: none is for 127.0.0.1"),
        (HTTP.replace('tls = "none"', ""), "certificate: TLS needs"),
        (HTTP + 'hosts = ["https://cong.vn"]\n', "hosts: names in small letters"),
        (HTTP + 'verify = "nobody"\n', "verify: one of"),
        (CLIENT.replace('"certs"', '"everything"'), "may: everything"),
        (CLIENT.replace('"certs"', '"images"'), "basis: the law or reason"),
        (CLIENT.replace('"certs"', '"images"') + 'basis = " "\n', "basis: the law or reason"),
        (CLIENT.replace('"his"\ntoken', '"his bệnh viện"\ntoken'), "name: letters"),
        (CLIENT.replace("secret:his", "secret:short"), "token: 20 characters"),
        (CLIENT + CLIENT, "token: somebody else has the same"),
        (CLIENT.replace("api.client", "api.klient"), "klient: did you mean client?"),
        (CLIENT + '\n[[signer]]\ncode = "A"\nname = "A"\nroles = ["nurse"]\ntoken = "secret:his"\n', "token: somebody"),
        ('\n[[signer]]\ncode = "A"\nname = "A"\nroles = ["nurse"]\ntoken = "secret:short"\n', "token: 20 characters"),
    ],
)
def test_settings_that_would_let_anybody_in_stop_the_start(tmp_path: Path, written: str, wanted: str) -> None:
    folder = write_site(tmp_path, signers=written)
    (folder / "secrets" / "his").write_text("a-token-that-is-long-enough")
    (folder / "secrets" / "short").write_text("short")
    with pytest.raises(ConfigInvalid) as caught:
        load(folder)
    assert any(wanted in problem.detail for problem in caught.value.problems), caught.value.problems


def test_no_token_is_shown(tmp_path: Path) -> None:
    folder = write_site(tmp_path, signers=HTTP + CLIENT)
    (folder / "secrets" / "his").write_text("a-token-that-is-long-enough")
    plan = load(folder)
    assert "long-enough" not in repr(plan)
    assert plan.clients[0].token == "a-token-that-is-long-enough"
