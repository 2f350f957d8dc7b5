"""Tables of `lienthong cda read` for people: one document as a whole, several as a list. Does not read documents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.mapping_table import STATES, common_names, print_faults, print_said, sums
from gateway.cli.output import console, language, print_table
from gateway.text.reasons import reason
from mappings.formats.dates import fhir_to_ddmmyyyy

if TYPE_CHECKING:
    from gateway.cli.cda_read import Read

_MOST_UNKNOWN = 20
_INDEX = re.compile(r"\[\d+\]")
_OUTCOMES = {"read": "đã đọc", "without_patient": "không nêu người bệnh", "fault": "lỗi"}
_GENDERS = {"male": "nam", "female": "nữ", "other": "khác", "unknown": "không rõ"}


def show_one(one: Read) -> None:
    """Show whose document it is, its sections with what was made of them, and what was not understood."""
    row = one.as_dict()
    bundle = row["bundle"]
    if bundle:
        print_table(Path(one.file).name, ("", ""), _header(bundle))
        print_table(
            "Các mục",
            ("mục", "mã", "trình bày", "tài nguyên"),
            _sections(bundle["entry"][0]["resource"].get("section", []), 0),
        )
        kinds = Counter(entry["resource"]["resourceType"] for entry in bundle["entry"])
        print_table("Tài nguyên", ("loại", "số lượng"), sorted(kinds.items()), right=(1,))
        _print_unknown([row])
        console.print(sums(row["coverage"]))
    else:
        console.print(Path(one.file).name, style="bold", markup=False)
    print_said(row)


def show_list(results: Sequence[Read]) -> None:
    """Show one line per document, then what no mapping knows, the most frequent first."""
    rows = [one.as_dict() for one in results]
    names = common_names([one.file for one in results])
    print_table(
        "Tài liệu",
        ("tệp", "kết quả", *STATES.values(), "tổng", "lỗi, lưu ý"),
        (
            (
                name,
                _OUTCOMES[row["outcome"]],
                *(row["coverage"][state] for state in (*STATES, "populated")),
                " ".join(sorted({one["code"] for one in (*row["faults"], *row["notices"])})),
            )
            for name, row in zip(names, rows, strict=True)
        ),
        right=(2, 3, 4, 5),
    )
    _print_unknown(rows)
    print_faults(rows)
    totals = {state: sum(row["coverage"][state] for row in rows) for state in (*STATES, "populated")}
    console.print(f"{len(rows)} tài liệu, {sum(bool(row['faults']) for row in rows)} lỗi; {sums(totals)}")


def _header(bundle: dict[str, Any]) -> Iterator[tuple[str, str]]:
    composition = bundle["entry"][0]["resource"]
    found = {f"{e['resource']['resourceType']}/{e['resource'].get('id')}": e["resource"] for e in bundle["entry"]}
    found |= {e["fullUrl"]: e["resource"] for e in bundle["entry"] if "fullUrl" in e}

    def named(reference: dict[str, Any]) -> str:
        resource = found.get(reference.get("reference", ""), {})
        return _name(resource) or reference.get("display", "")

    patient = found.get(composition.get("subject", {}).get("reference", ""), {})
    yield "tiêu đề", composition.get("title", "")
    yield "loại", _concept(composition.get("type", {}))
    yield "ngày", _day(composition.get("date", ""))
    yield "người bệnh", _name(patient)
    born = " · ".join(filter(None, (_day(patient.get("birthDate", "")), _GENDERS.get(patient.get("gender", ""), ""))))
    yield "ngày sinh, giới", born
    yield (
        "số định danh",
        "\n".join(f"{i.get('system', '')} {i.get('value', '')}" for i in patient.get("identifier", [])),
    )
    yield "người lập", ", ".join(filter(None, (named(author) for author in composition.get("author", []))))
    yield "nơi giữ", named(composition.get("custodian", {}))


def _name(resource: dict[str, Any]) -> str:
    name = resource.get("name", "")
    if isinstance(name, list):
        first = name[0] if name else {}
        parts = (*first.get("prefix", []), *first.get("given", []), first.get("family", ""), *first.get("suffix", []))
        return str(first.get("text") or " ".join(filter(None, parts)))
    return str(name)


def _day(text: str) -> str:
    return fhir_to_ddmmyyyy(text) if text else ""


def _concept(concept: dict[str, Any]) -> str:
    coding: dict[str, Any] = next(iter(concept.get("coding", [])), {})
    return str(concept.get("text") or coding.get("display") or coding.get("code") or "")


def _code(concept: dict[str, Any]) -> str:
    codings: list[dict[str, Any]] = concept.get("coding", [])
    return str(codings[0].get("code", "")) if codings else ""


def _sections(sections: list[dict[str, Any]], depth: int) -> Iterator[tuple[str, str, str, str]]:
    for section in sections:
        kinds = Counter(
            entry.get("reference", "").rpartition("/")[0].rpartition("/")[2] for entry in section.get("entry", [])
        )
        made = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if kind)
        code = _code(section.get("code", {}))
        yield "  " * depth + section.get("title", ""), code, "có" if "text" in section else "", made
        yield from _sections(section.get("section", []), depth + 1)


def _print_unknown(rows: Sequence[dict[str, Any]]) -> None:
    found = Counter(
        ("/".join(_INDEX.sub("", entry["position"]).split("/")[-4:]), entry["reason"])
        for row in rows
        for entry in row["coverage"]["fields"]
        if entry["state"] == "unknown"
    )
    if not found:
        return
    print_table(
        "Dữ kiện chưa biết, nhiều nhất trước",
        ("vị trí", "số lần", "vì sao"),
        ((place, count, reason(why, language())) for (place, why), count in found.most_common(_MOST_UNKNOWN)),
        right=(1,),
    )
    if len(found) > _MOST_UNKNOWN:
        console.print(f"… và {len(found) - _MOST_UNKNOWN} loại nữa; --json in tất cả.")
