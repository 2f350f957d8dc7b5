"""What a paper says on its face: lines by section and label, without what a version says of itself."""

from __future__ import annotations

from typing import Any

from mappings.documents import face

HEAD = '<div xmlns="http://www.w3.org/1999/xhtml" lang="vi">'


def paper(*sections: tuple[str, str]) -> dict[str, Any]:
    parts = [{"title": title, "text": {"div": f"{HEAD}{markup}</div>"}} for title, markup in sections]
    composition = {"resourceType": "Composition", "section": [*parts, {"title": "Trống"}]}
    return {"identifier": {"value": "N-1"}, "entry": [{"resource": composition}]}


def test_a_line_stands_under_its_section_and_label() -> None:
    row = '<tr><th>Chẩn đoán:</th><td id="CHAN_DOAN">Viêm phổi<br/>(J18.9)  &amp; sốt</td><td>lần 2</td></tr>'
    assert face(paper(("Bệnh", f"<p>Ghi chú</p><table>{row}</table>"))) == {
        "Bệnh": ("Ghi chú",),
        "Bệnh / Chẩn đoán": ("Viêm phổi (J18.9) & sốt | lần 2",),
    }


def test_lines_of_a_table_have_no_running_number() -> None:
    head = "<thead><tr><th>STT</th><th>Tên</th><th>Kết quả</th></tr></thead>"
    rows = "".join(f'<tr><td id="STT-{n}">{n}</td><td>WBC</td><td>{n}.5</td></tr>' for n in (1, 2))
    assert face(paper(("Kết quả", f"<table>{head}<tbody>{rows}</tbody></table>"))) == {
        "Kết quả": ("STT | Tên | Kết quả", "WBC | 1.5", "WBC | 2.5")
    }


def test_what_a_version_says_of_itself_and_empty_lines_are_left_out() -> None:
    own = '<p id="NGAY_CT" class="xDate">Ngày 28</p><p id="LY_DO_SUA">Thay thế</p><p id="CAP_LAI">Cấp lại</p>'
    table = "<table><tr><th>Số:</th><td>N-1</td></tr><tr><th>Khoa:</th><td></td></tr></table>"
    assert face(paper(("Chữ ký", own + table))) == {}
