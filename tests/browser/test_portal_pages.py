"""The pages of the simulated insurance portal as people see them: narrow and wide, light and dark, without a script."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.browser.chromium import chromium
from tests.browser.test_pages import NAMELESS
from tests.integration.sandbox.portal_peer import Bench, play
from tests.integration.sandbox.portal_records import envelope, visit

TOO_WIDE = """[...document.querySelectorAll('*')].filter(e => !e.closest('.scroll')
  && e.getBoundingClientRect().right > screen.width + 1).map(e => e.tagName + '.' + e.className)"""
PATHS = (
    "/portal",
    "/portal/records/1",
    "/portal/records/1/1/XML1",
    "/portal/records/1/1/XML3?every=1",
    "/portal/cards",
    "/portal/settings?lang=en",
)


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_cut_off_or_nameless(width: int, dark: bool, tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        wrong = visit("LK" + "1" * 90)
        wrong["XML1"][0] |= {"GIOI_TINH": "4", "GHI_CHU": "x" * 500}
        await bench.client.send(bench.sign(envelope(wrong)))
        bench.sandbox.portal.certificates.add("01999", bench.signer.pem)
        bench.clock.advance(61)
        await asyncio.to_thread(look, bench.sandbox.admin_url)

    def look(address: str) -> None:
        with chromium(tmp_path / "chromium") as tab:
            tab.scripts(allowed=False)
            tab.size(width, dark=dark)
            for path in PATHS:
                tab.open(address + path)
                assert tab.run(TOO_WIDE) == [], path
                assert tab.run(NAMELESS) == [], path
                assert tab.asked() == {address}
                assert tab.complaints() == []

    play(scene)
