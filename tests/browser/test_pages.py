"""The pages as people see them: narrow and wide, by drop and by form, in both languages, with and without script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store import documents
from tests.browser.chromium import Tab, chromium
from tests.browser.test_sign_page import sign_in
from tests.integration.gateway.faces import House
from tests.integration.gateway.test_papers import discharge, rows

WIDTHS = (360, 1280)
DROP = """(() => {
  const data = new DataTransfer();
  data.items.add(new File(['<a/>'], 'giay.xml', {type: 'text/xml'}));
  document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true}));
})()"""
TOO_WIDE = """[...document.querySelectorAll('*')]
  .filter(e => e.getBoundingClientRect().right > screen.width + 1).map(e => e.tagName)"""
NAMELESS = """[...document.querySelectorAll('input, button, textarea, a, progress, dialog, img')].filter(e =>
  e.type !== 'hidden' && e.tagName !== 'IMG' && !e.labels?.length && !e.textContent.trim()
  && !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby') || e.tagName === 'IMG' && !e.hasAttribute('alt')
).map(e => e.outerHTML)"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    made = House(tmp_path_factory.mktemp("house") / "config")
    made.desk.send(discharge("1"))
    return made


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, str, bytes]:
    """A hospital that has sealed a paper, its hash and its bytes."""
    made = House(tmp_path_factory.mktemp("sealed") / "config", policies="")
    made.desk.send(discharge("1"))
    (row,) = rows(made.desk)
    (kept,) = made.desk.store.read_now(lambda c: documents.renditions(c, row.id, "cda"))
    return made, kept.sha256, made.desk.keyring.open(kept.body, f"{row.id}/cda")


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    with chromium(tmp_path / "chromium") as opened:
        yield opened


def test_a_file_is_dropped_on_the_page(house: House, tab: Tab) -> None:
    with house.open() as address:
        tab.open(f"{address}/verify")
        tab.run(DROP)
        tab.until("document.querySelector('.verdict.invalid')")
        assert "giay.xml" in tab.text()
        assert tab.asked() == {address}
        assert tab.complaints() == []


def test_the_form_works_without_script(sealed: tuple[House, str, bytes], tab: Tab, tmp_path: Path) -> None:
    house, sha256, body = sealed
    (tmp_path / "giấy.xml").write_bytes(body)
    with house.open() as address:
        tab.scripts(allowed=False)
        tab.open(f"{address}/verify")
        tab.choose_file("#file", tmp_path / "giấy.xml")
        tab.click("#verify button")
        tab.until("document.querySelector('.verdict.valid')")
        assert "giấy.xml" in tab.text()
        tab.open(f"{address}/verify/{sha256}")
        assert "Giấy có hiệu lực" in tab.text()


def test_a_reader_of_english_gets_english_and_may_switch(house: House, tab: Tab) -> None:
    with house.open() as address:
        tab.languages("en-GB,en;q=0.8")
        tab.open(f"{address}/verify")
        assert tab.text("h1") == "Verify a signature"
        tab.click(".language")
        tab.until("document.documentElement.lang === 'vi'")
        tab.open(f"{address}/sign/in")
        assert tab.text("h1") == "Đăng nhập để ký"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_off_and_everything_has_a_name(
    sealed: tuple[House, str, bytes], house: House, tab: Tab, width: int, dark: bool, tmp_path: Path
) -> None:
    other, sha256, body = sealed
    (tmp_path / ("dài" * 40 + ".xml")).write_bytes(body)
    with other.open() as address, house.open() as signing:
        tab.size(width, dark=dark)
        for path in ("/verify", f"/verify/{sha256}", f"/verify/{'0' * 64}", "/none", "/sign/in"):
            tab.open(address + path)
            assert (tab.run(TOO_WIDE), tab.run(NAMELESS)) == ([], []), path
        tab.open(f"{address}/verify")
        tab.choose_file("#file", tmp_path / ("dài" * 40 + ".xml"))
        tab.click("#verify button")
        tab.until("document.querySelector('.verdict')")
        assert (tab.run(TOO_WIDE), tab.run(NAMELESS)) == ([], [])
        sign_in(tab, signing)
        tab.until("!document.getElementById('away').hidden")
        assert (tab.run(TOO_WIDE), tab.run(NAMELESS)) == ([], [])
        tab.open(f"{signing}/certs")
        assert "Lê Quang Minh" in tab.text()
        assert (tab.run(TOO_WIDE), tab.run(NAMELESS)) == ([], [])
        assert tab.run("getComputedStyle(document.body).fontSize") == "16px"


def test_a_planted_wide_thing_is_seen(house: House, tab: Tab) -> None:
    with house.open() as address:
        tab.size(360)
        tab.open(f"{address}/verify")
        tab.run("document.querySelector('h1').style.width = '400px'")
        tab.run("document.querySelector('main').append(document.createElement('button'))")
        assert tab.run(TOO_WIDE) == ["H1"]
        assert tab.run(NAMELESS) == ["<button></button>"]


def test_what_a_file_says_is_not_run(house: House, tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "<img src=x onerror=alert(1)>.xml").write_bytes(b"<a/>")
    with house.open() as address:
        tab.open(f"{address}/verify")
        tab.choose_file("#file", tmp_path / "<img src=x onerror=alert(1)>.xml")
        tab.click("#verify button")
        tab.until("document.querySelector('.verdict')")
        assert tab.run("document.querySelectorAll('main img').length") == 0
        tab.run("document.body.insertAdjacentHTML('beforeend', '<p onclick=\"window.ran = 1\" id=planted>x</p>')")
        tab.click("#planted")
        assert tab.run("window.ran") is None, "the policy of the page stops what is planted in it"
        assert any("Content Security Policy" in said for said in tab.complaints())
