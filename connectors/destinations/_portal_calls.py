"""Every call of the portal that carries a file: its path, the type of record, the names of its fields, how sure the facts are.

Which call a file goes by is told by the media type (`application/xml; decision=4750`, `…; call=medicines`), else by its root
element. The file itself is not understood here.

Standard: CV 1245/BHXH-CNTT (2024) for records and check-in; TT 12/2026/TT-BTC and lists of addresses for the
others, second-hand
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Final, Literal
from urllib.parse import urlencode

from connectors.contract import Outbound
from connectors.destinations._portal_settings import Settings
from connectors.faults import VersionMixed

Sure = Literal["guide", "several", "one"]
"""`guide`: in a guide of the portal. `several`: in several public programs. `one`: in one source alone."""

FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
JSON: Final = {"Content-Type": "application/json"}
NEWEST: Final = "3176"
VERSIONS: Final = ("130", "4750", "3176")


@dataclass(frozen=True)
class Call:
    """One call."""

    name: str
    path: str
    """With `{version}` where each decision has its own."""
    record_type: str
    """loaiHoSo."""
    sure: Sure
    vi: str
    en: str
    newer: bool = False
    """One of the calls of 2026, which spell their fields otherwise."""
    wants_period: bool = False
    """It names its month (kyQT, yyyyMM), which the media type has: `…; call=summary; period=202610`."""

    def of_version(self, version: str) -> str:
        return self.path.format(version=version)

    @property
    def has_versions(self) -> bool:
        return "{version}" in self.path


_CATALOGUE = "/api/DanhMucGW/GuiDanhMuc{}"
CALLS: Final[Mapping[str, Call]] = {
    one.name: one
    for one in (
        Call("record", "/api/qd130/guiHoSoXmlQD{version}", "130", "guide", "hồ sơ khám bệnh", "record of a visit"),
        Call("check-in", "/api/qd130/checkInKcbQd{version}", "0", "guide", "trạng thái KCB (XML0)", "check-in (XML0)"),
        Call("boards", "/api/qd130/guiDuLieuGdykQd130", "12", "guide", "giám định y khoa (XML12)", "boards (XML12)"),
        Call("departments", _CATALOGUE.format("01_BPCMKBCB"), "70", "one", "bộ phận chuyên môn", "departments", True),
        Call("staff", _CATALOGUE.format("02_NLKCB"), "71", "one", "nhân lực khám chữa bệnh", "staff", True),
        Call("medicines", _CATALOGUE.format("03_DMTHUOC"), "10", "one", "danh mục thuốc", "medicines", True),
        Call("supplies", _CATALOGUE.format("04_DMVTYT"), "11", "one", "danh mục vật tư", "supplies", True),
        Call("services", _CATALOGUE.format("05_DVKT"), "12", "one", "dịch vụ kỹ thuật", "services", True),
        Call("devices", _CATALOGUE.format("06_DMTBYT"), "72", "one", "thiết bị y tế", "devices", True),
        Call(
            "summary",
            "/api/HoSoTongHop7980/GuiHoSoTongHop01BH",
            "5",
            "several",
            "tổng hợp tháng 01/BH",
            "summary",
            True,
            True,
        ),
        Call(
            "adjustment", "/api/HSDCTT12/GuiHoSoDieuChinh09BH", "73", "several", "điều chỉnh 09/BH", "adjustment", True
        ),
        Call(
            "certificate", "/api/chungtugw/GuiHoSoChungTu2025", "39", "one", "chứng từ ngoài hồ sơ", "certificate", True
        ),
        Call("death", "/api/hososuckhoe/guiGiayToDienTu", "60", "one", "giấy báo tử", "death paper", True),
        Call("birth", "/api/hososuckhoe/guiGiayToDienTu", "61", "one", "giấy chứng sinh", "birth paper", True),
    )
}
CATALOGUES: Final = ("departments", "staff", "medicines", "supplies", "services", "devices")
_OF_ROOT: Final = {"CHI_TIEU_TRANG_THAI_KCB": "check-in", "CHI_TIEU_GIAM_DINH_YKHOA": "boards"}
_BEFORE_ROOT: Final = re.compile(rb"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*)*<(?:[\w.-]+:)?([\w.-]+)", re.DOTALL)


def call_of(document: Outbound) -> Call:
    """Tell by which call a document goes; a root that no other call is known for goes as the record of a visit."""
    named = parameters(document.media_type).get("call", "")
    if named in CALLS:
        return CALLS[named]
    root = _BEFORE_ROOT.match(document.body.removeprefix(b"\xef\xbb\xbf")[:4096])
    return CALLS[_OF_ROOT.get(root[1].decode("latin-1") if root else "", "record")]


def version_of(where: str, document: Outbound, wanted: str) -> str:
    """Give the decision under whose address a document is sent.

    Raises VersionMixed when the document was written for a decision nobody knows, or for another than the one `wanted`.
    """
    said = parameters(document.media_type).get("decision", "")
    if said and said not in VERSIONS:
        raise VersionMixed(where, "the file's decision has no address")
    if wanted == "auto":
        return said or NEWEST
    if said and said != wanted:
        raise VersionMixed(where, f"file {said}, setting {wanted}")
    return wanted


def body_of(call: Call, settings: Settings, document: Outbound) -> tuple[bytes, Mapping[str, str]]:
    """Write the body of a call and give its headers."""
    file = document.body
    account = {
        "username": settings.username,
        "loaiHs" if call.newer else "loaiHoSo": call.record_type,
        "maTinh": settings.province or settings.facility[:2],
        "maCSKCB": settings.facility,
    }
    if call.wants_period:
        account["kyQT"] = parameters(document.media_type).get("period", "")
    if call.newer and settings.catalogue_body == "json":
        return json.dumps(account | {"fileHsBase64": base64.b64encode(file).decode()}).encode(), JSON
    name = b"fileHsBase64" if call.newer else b"fileHSBase64"
    return b"%b&%b=%b" % (urlencode(account).encode(), name, _quoted_base64(file)), FORM


def parameters(media_type: str) -> dict[str, str]:
    """Read the parameters of a media type. Standard: RFC 2045 §5.1"""
    header = Message()
    header["content-type"] = media_type
    return {name: value for name, value in header.get_params([])[1:] if value}


def _quoted_base64(body: bytes) -> bytes:
    """Encode for a form; `urlencode` goes character by character, which is seconds for a file of 20 MB."""
    return base64.b64encode(body).replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D")
