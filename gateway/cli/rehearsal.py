"""How `lienthong reprocess --dry-run` tells what today's mapping would change. Values are left out unless asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.cli.output import console, fault_dict, print_json
from gateway.clock import SystemClock
from gateway.ops.again import Chosen
from gateway.ops.rehearsal import Difference, Element, PaperEffect, Rehearsal, Rehearsed
from gateway.settings import Plan
from gateway.site import load_site
from gateway.store.engine import Store
from mappings.formats import json as fhir_json

_SIGNS = {"added": "+", "changed": "~", "removed": "-", "unmade": "?"}
_RESULTS = {
    "version": "bản mới",
    "withdrawal": "hủy, bản",
    "unchanged": "không đổi",
    "dropped": "không cần nữa",
    "fault": "không lập được",
}


def run(plan: Plan, store: Store, chosen: Chosen, *, json: bool, values: bool) -> None:
    """Rehearse every message of a selection and tell each."""
    load_site(plan.site)
    rehearsal = Rehearsal(plan, SystemClock().now())
    total: Counter[str] = Counter()
    told: list[dict[str, Any]] = []
    for message_id, _ in chosen.items:
        one = store.read_now(lambda connection, id_=message_id: rehearsal.one(connection, id_))  # type: ignore[misc]
        _count(total, one)
        if json:
            told.append(_dict(one, values))
        else:
            _print(one, values)
    summary = {name: total[name] for name in _TOTALS}
    if json:
        print_json({"messages": told, "summary": summary})
        return
    console.print(", ".join(f"{label} {total[name]}" for name, label in _TOTALS.items()), soft_wrap=True)
    console.print("Chưa làm gì: bỏ --dry-run và thêm --yes để làm.", soft_wrap=True)


_TOTALS = {
    "messages": "bản tin",
    "differing": "sẽ khác",
    "faults": "lỗi",
    "kept": "không có ánh xạ",
    "added": "tài nguyên mới",
    "changed": "tài nguyên đổi",
    "unmade": "không còn lập",
    "version": "giấy thành bản mới",
    "withdrawal": "giấy bị hủy",
    "unchanged": "giấy không đổi",
    "paper_faults": "giấy không lập được",
}


def _count(total: Counter[str], one: Rehearsed) -> None:
    total["messages"] += 1
    total["differing"] += bool(one.differences)
    total["faults"] += one.outcome == "fault"
    total["kept"] += one.outcome == "kept"
    total.update(difference.how for difference in one.differences)
    total.update("paper_faults" if paper.result == "fault" else paper.result for paper in one.papers)


def _print(one: Rehearsed, values: bool) -> None:
    before, after = one.counts_before, one.counts
    fields = f", trường (ánh xạ/bỏ qua/chưa biết) {_counts(before)} → {_counts(after)}" if before != after else ""
    _line(f"{one.message_id} {one.type} {one.state}{fields}")
    if one.fault is not None:
        _line(f"    LT{one.fault.code:04d} {one.fault.where} {one.fault.detail}".rstrip())
    elif one.outcome == "kept":
        _line("    không có ánh xạ cho loại này")
    for difference in one.differences:
        more = ": nay không lập nữa, vẫn ở trong hồ sơ" if difference.how == "unmade" else ""
        _line(f"  {_SIGNS[difference.how]} {difference.reference}{more}")
        _print_elements(difference.elements, values)
    if one.identity:
        _line(f"    danh tính: {one.identity} thay đổi mới")
    for paper in one.papers:
        version = f" {paper.version}" if paper.version else ""
        goes_to = f" → {', '.join(paper.destinations)}" if paper.destinations else ""
        fault = "" if paper.fault is None else f" LT{paper.fault.code:04d} {paper.fault.detail}"
        _line(f"    {paper.paper} {paper.subject}: {_RESULTS[paper.result]}{version}{goes_to}{fault}")
        _print_elements(paper.printed, values)
        if paper.coded:
            _line("      chữ trên giấy như cũ, khác ở phần mã hóa:")
            _print_elements(paper.coded, values)


def _print_elements(elements: Iterable[Element], values: bool) -> None:
    for element in elements:
        said = f": {_value(element.before)} → {_value(element.after)}" if values else ""
        _line(f"      {_SIGNS[element.how]} {element.path}{said}")


def _line(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _counts(counts: tuple[int, int, int] | None) -> str:
    return "—" if counts is None else "/".join(map(str, counts))


def _value(value: Any) -> str:
    return "—" if value is None else fhir_json.dumps(value).decode()


def _dict(one: Rehearsed, values: bool) -> dict[str, Any]:
    return {
        "message": one.message_id,
        "type": one.type,
        "state": one.state,
        "outcome": one.outcome,
        "fault": None if one.fault is None else fault_dict(one.fault.code, one.fault.where, one.fault.detail),
        "fields": {"before": _fields(one.counts_before), "after": _fields(one.counts)},
        "resources": [_difference(difference, values) for difference in one.differences],
        "identity": one.identity,
        "papers": [_paper(paper, values) for paper in one.papers],
    }


def _fields(counts: tuple[int, int, int] | None) -> Mapping[str, int] | None:
    return None if counts is None else dict(zip(("mapped", "ignored", "unknown"), counts, strict=True))


def _difference(one: Difference, values: bool) -> dict[str, Any]:
    return {
        "reference": one.reference,
        "change": one.how,
        "elements": [_element(element, values) for element in one.elements],
    }


def _element(one: Element, values: bool) -> dict[str, Any]:
    shown = {"before": one.before, "after": one.after} if values else {}
    return {"path": one.path, "change": one.how, **shown}


def _paper(one: PaperEffect, values: bool) -> dict[str, Any]:
    return {
        "paper": one.paper,
        "subject": one.subject,
        "result": one.result,
        "version": one.version or None,
        "destinations": list(one.destinations),
        "printed": [_element(element, values) for element in one.printed],
        "coded": [_element(element, values) for element in one.coded],
        "fault": None if one.fault is None else fault_dict(one.fault.code, one.fault.where, one.fault.detail),
    }
