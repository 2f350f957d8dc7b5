"""A client for every call of the simulated insurance portal, and small files of each kind."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx

from conformance.sandbox.ca import Identity
from conformance.sandbox.portal.forms import Form
from conformance.sandbox.portal.switches import Switches
from conformance.sandbox.server import FACILITY, USER, Sandbox
from tests.integration.sandbox.peer import PASSWORD_MD5, SETTINGS, Clock, PortalClient, insurance_file, sign, table

OFFICER = {"hoTenCb": "Nguyễn Thị Tra Cứu", "cccdCb": "001180999901"}
ADULT = {"maThe": "DN4019999000001", "hoTen": "Nguyễn Thị Thử Nghiệm", "ngaySinh": "15/03/1985"}


class Bench:
    """A running sandbox, a client that is logged in, and the key of a hospital."""

    def __init__(self, sandbox: Sandbox, http: httpx.AsyncClient, clock: Clock) -> None:
        self.sandbox = sandbox
        self.http = http
        self.clock = clock
        self.client = PortalClient(sandbox, http)
        self.signer: Identity = sandbox.ca.issue("Bệnh viện A")

    def sign(self, xml: str, references: list[str] | None = None) -> bytes:
        return sign(xml, self.signer, "CHUKYDONVI", references)

    async def submit(self, form: Form, file: bytes, *, kind: str | None = None, **more: str) -> dict[str, str]:
        fields = {
            "username": USER,
            form.type_names[0]: kind or form.types[0],
            "maTinh": FACILITY[:2],
            "maCSKCB": FACILITY,
            form.file_names[0]: base64.b64encode(file).decode(),
            "kyQT": "202611",
        }
        response = await self.http.post(self.sandbox.portal_url + form.path, data=fields | more, headers=self.headers())
        assert response.status_code == 200
        return dict(response.json())

    def headers(self) -> dict[str, str]:
        key = self.client.key
        return {
            "accessToken": key.get("access_token", ""),
            "tokenId": key.get("id_token", ""),
            "passwordHash": PASSWORD_MD5,
        }

    def query(self) -> dict[str, str]:
        key = self.client.key
        return {
            "token": key.get("access_token", ""),
            "id_token": key.get("id_token", ""),
            "username": USER,
            "password": PASSWORD_MD5,
        }

    async def look_up(self, **changed: str) -> dict[str, Any]:
        response = await self.http.post(
            self.sandbox.portal_url + "/api/egw/KQNhanLichSuKCB2024",
            params=self.query(),
            json=ADULT | OFFICER | changed,
        )
        assert response.status_code == 200
        return dict(response.json())

    async def copayment(self, **changed: str) -> httpx.Response:
        asked = {"username": USER, **ADULT} | changed
        return await self.http.post(
            self.sandbox.portal_url + "/api/TraCuuCCT/TraCuuTienMCCT", json=asked, headers=self.headers()
        )

    async def admin(self, method: str, path: str, **body: Any) -> httpx.Response:
        return await self.http.request(method, f"{self.sandbox.admin_url}/_sandbox/{path}", **body)

    async def visits(self, **query: str) -> list[dict[str, Any]]:
        return list((await self.admin("GET", "portal/visits", params=query)).json())


def play(scene: Callable[[Bench], Awaitable[None]], **switches: Any) -> None:
    """Run a scene with a sandbox whose portal has these switches."""

    async def run() -> None:
        clock = Clock()
        settings = replace(SETTINGS, portal=Switches(**switches), largest_file=200_000)
        async with Sandbox(settings, clock=clock) as sandbox, httpx.AsyncClient(trust_env=False) as http:
            bench = Bench(sandbox, http, clock)
            await bench.client.login()
            await scene(bench)

    asyncio.run(run())


def check_in(*, facility: str = FACILITY, link: str = "LK1", rows: str | None = None) -> str:
    row = f"<TRANG_THAI_KCB><MA_LK>{link}</MA_LK><MA_CSKCB>{facility}</MA_CSKCB></TRANG_THAI_KCB>"
    rows = row if rows is None else rows
    listed = f"<DSACH_TRANG_THAI_KCB>{rows}</DSACH_TRANG_THAI_KCB>"
    return f"<CHI_TIEU_TRANG_THAI_KCB>{listed}<CHUKYDONVI/></CHI_TIEU_TRANG_THAI_KCB>"


def file_for(form: Form) -> str:
    """Make the smallest file of a kind that the portal receives."""
    if form.name == "record":
        return insurance_file()
    if form.name == "check-in":
        return check_in()
    if form.name == "boards":
        row = "<GIAM_DINH_YKHOA><NGUOI_CHU_TRI>Nguyễn Văn Chủ Trì</NGUOI_CHU_TRI></GIAM_DINH_YKHOA>"
        return f"<{form.root}><DSACH_GIAM_DINH_YKHOA>{row}</DSACH_GIAM_DINH_YKHOA><CHUKYDONVI/></{form.root}>"
    if form.rows:
        row = f"<{form.row}><STT>1</STT><MA_CSKCB>{FACILITY}</MA_CSKCB></{form.row}>"
        return f'<{form.root}><{form.rows} Id="Id-1">{row}</{form.rows}><CHUKYDONVI/></{form.root}>'
    root = form.root or "HOSO"
    return f"<{root}><DULIEU>1</DULIEU><CHUKYDONVI/></{root}>"


def signed_for(form: Form, bench: Bench, *, more: tuple[str, str] | None = None) -> bytes:
    """Sign the smallest file of a kind; `more` adds a table to a record."""
    xml = file_for(form)
    if more is not None:
        part = f"<FILEHOSO><LOAIHOSO>{more[0]}</LOAIHOSO><NOIDUNGFILE>{table(more[1])}</NOIDUNGFILE></FILEHOSO>"
        xml = xml.replace("</HOSO>", part + "</HOSO>")
    return bench.sign(xml)
