"""List the kinds of submission: path, type codes, names of the parameters, shape of the file.

`confidence` says how well a kind is known: `published` (guides of the portal, as integrators quote them), `reported`
(several integrators send so), `doubtful` (the path is known and little else: any signed XML is taken).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Confidence = Literal["published", "reported", "doubtful"]


@dataclass(frozen=True)
class Form:
    """One kind of submission."""

    path: str
    name: str
    """`record`, `check-in`, `boards`, `catalogue`, `summary`, `adjustment`, `certificate`, `e-paper`."""
    types: tuple[str, ...]
    """What `loaiHoSo` may be."""
    decision: str = "3176"
    root: str = ""
    """The file's root element; the empty string takes any."""
    rows: str = ""
    """The element below the root that holds the rows."""
    row: str = ""
    type_names: tuple[str, ...] = ("loaiHoSo",)
    """How the parameter of the type is spelt."""
    file_names: tuple[str, ...] = ("fileHSBase64",)
    confidence: Confidence = "published"
    needs_period: bool = False
    """Whether `kyQT` (yyyyMM) has to be given."""


_LISTS: Final = (
    ("GuiDanhMuc01_BPCMKBCB", "70", "DANHSACH_DMBOPHANCHUYENMON", "DMBOPHANCHUYENMON"),
    ("GuiDanhMuc02_NLKCB", "71", "DANHSACH_DMNHANLUCKBCB", "DMNHANLUCKBCB"),
    ("GuiDanhMuc03_DMTHUOC", "10", "DANHSACH_DMTHUOCMAUCHEPHAMMAU", "DMTHUOCMAUCHEPHAMMAU"),
    ("GuiDanhMuc04_DMVTYT", "11", "DSACH_TBYT", "DM_TBYT"),
    ("GuiDanhMuc05_DVKT", "12", "DANHSACH_DMDICHVUKBCB", "DMDICHVUKBCB"),
    ("GuiDanhMuc06_DMTBYT", "72", "DSACH_TBYTTHDV", "DM_TBYTTHDV"),
)
"""TT 12/2026/TT-BTC, forms 01 to 06, as one integrator describes them."""

_TYPE_NAMES: Final = ("loaiHs", "loaiHoSo")
_FILE_NAMES: Final = ("fileHsBase64", "fileHSBase64")
"""Which spelling these calls want is not known: both are taken."""

FORMS: Final = (
    *(
        Form(f"/api/qd130/{word}{decision}", name, (kind,), decision, root)
        for decision in ("130", "4750", "3176")
        for word, name, kind, root in (
            ("guiHoSoXmlQD", "record", "130", "GIAMDINHHS"),
            ("checkInKcbQd", "check-in", "0", "CHI_TIEU_TRANG_THAI_KCB"),
        )
    ),
    Form("/api/qd130/guiDuLieuGdykQd130", "boards", ("12",), "3176", "CHI_TIEU_GIAM_DINH_YKHOA"),
    *(
        Form(
            f"/api/DanhMucGW/{word}",
            "catalogue",
            (kind,),
            root="HSDANHMUC",
            rows=rows,
            row=row,
            type_names=("loaiHs",),
            file_names=("fileHsBase64",),
            confidence="reported",
        )
        for word, kind, rows, row in _LISTS
    ),
    Form(
        "/api/HoSoTongHop7980/GuiHoSoTongHop01BH",
        "summary",
        ("5",),
        root="HSTH01BH",
        type_names=("loaiHs",),
        file_names=("fileHsBase64",),
        confidence="reported",
        needs_period=True,
    ),
    *(
        Form(path, name, types, type_names=_TYPE_NAMES, file_names=_FILE_NAMES, confidence="doubtful")
        for path, name, types in (
            ("/api/HSDCTT12/GuiHoSoDieuChinh09BH", "adjustment", ("73",)),
            ("/api/chungtugw/GuiHoSoChungTu2025", "certificate", ("39",)),
            ("/api/hososuckhoe/guiGiayToDienTu", "e-paper", ("60", "61")),
        )
    ),
)
BY_PATH: Final = {form.path.lower(): form for form in FORMS}
"""Paths are told apart without regard to case, as the portal's server does (ours: reported by nobody)."""

WITHDRAWN: Final = frozenset(
    f"/api/egw/{word}".lower()
    for word in (
        "guiHoSoGiamDinh",
        "guiHoSoGiamDinh4210",
        "KQNhanLichSuKCB595",
        "KQNhanLichSuKCB2018",
        "KQNhanLichSuKCB2019",
        "NhanLichSuKCB",
        "NhanLichSuKCB595",
        "NhanLichSuKCB2018",
        "NhanLichSuKCB2019",
    )
)
"""Calls withdrawn by 2024-08-01. What the portal answers to them is not published: here HTTP 410 with a message."""


def form_named(path: str) -> Form:
    """Return the kind of submission of a path kept with a record; a record without one is a file of QĐ 3176."""
    return BY_PATH[path.lower() or "/api/qd130/guihosoxmlqd3176"]
