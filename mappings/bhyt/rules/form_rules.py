"""Rules of form: how the file is written, and whether each field has the form of its kind."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mappings.bhyt.decisions import digits_to_day
from mappings.bhyt.rows import OddityKind
from mappings.bhyt.rules.case import Case, number
from mappings.bhyt.rules.core import Hit, ValueClass, rule
from mappings.bhyt.rules.form import Kind
from mappings.bhyt.tables import DECISIONS, table

_PLACE = re.compile(r"(XML\d+)(?:\[(\d+)\])?(?:/(\w+))?")


def _odd(case: Case, kind: OddityKind, value: ValueClass) -> Iterator[Hit]:
    for oddity in case.visit.oddities:
        if oddity.kind == kind:
            place = _PLACE.fullmatch(oddity.where)
            if place:
                yield Hit(place[1], int(place[2] or 1), place[3] or "", value)
            else:
                yield Hit("", 0, oddity.where.rpartition("/")[2], value)


def _formal(case: Case, kind: Kind, value: ValueClass) -> Iterator[Hit]:
    return (Hit(one.table, one.row, one.field, value) for one in case.formal if one.kind == kind)


@rule("BF-001", "README §2: NOIDUNGFILE is base64 of the inner document; result codes 124, 204")
def unreadable_table(case: Case) -> Iterator[Hit]:
    return _odd(case, "unreadable", "form")


@rule("BF-002", "README §4: the fields of each table", warns=True)
def unknown_field(case: Case) -> Iterator[Hit]:
    return _odd(case, "unknown", "present")


@rule("BF-003", "README §3: an empty value keeps its tag")
def missing_field(case: Case) -> Iterator[Hit]:
    return _odd(case, "missing", "absent")


@rule("BF-004", "README §4: the fields of each table")
def repeated_field(case: Case) -> Iterator[Hit]:
    return _odd(case, "repeated", "duplicate")


@rule("BF-005", "README §4: order of fields", warns=True)
def fields_out_of_order(case: Case) -> Iterator[Hit]:
    return _odd(case, "order", "form")


@rule("BF-006", "README §2: roots of QĐ 4210 are accepted on reading, never written")
def old_root(case: Case) -> Iterator[Hit]:
    return _odd(case, "root", "form")


@rule("BF-007", "README §2: NOIDUNGFILE is base64")
def plain_content(case: Case) -> Iterator[Hit]:
    return _odd(case, "plain", "form")


@rule("BF-008", "README §2: XML0 and XML12 travel without the envelope")
def foreign_table(case: Case) -> Iterator[Hit]:
    return _odd(case, "foreign", "form")


@rule("BF-009", "README §7: fields by decision")
def shape_of_another_decision(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows(*case.tables):
        wanted = _names(name, case.decision)
        if wanted is None:
            if n == 1:
                yield Hit(name, 0, "", "present")
        elif len(row) != len(wanted) or row.keys() != wanted:
            for other in DECISIONS:
                shape = _names(name, other)
                if shape and shape != wanted and row.keys() == shape:
                    yield Hit(name, n, min(shape ^ wanted), "different")
                    break


def _names(name: str, decision: str) -> frozenset[str] | None:
    found = _NAMES.get((name, decision))
    if found is None and (name, decision) not in _NAMES:
        try:
            found = frozenset(table(name, decision).names)
        except KeyError:
            found = None
        _NAMES[name, decision] = found
    return found


_NAMES: dict[tuple[str, str], frozenset[str] | None] = {}


@rule(
    "BF-010",
    "portal sheet of QĐ 4750: required fields",
    errors=(1, 11, 15, 16, 23, 24, 25, 26, 35, 36, 37, 39, 40, 43, 44),
)
def required_field_empty(case: Case) -> Iterator[Hit]:
    return _formal(case, "empty", "empty")


@rule("BF-011", "README §4, §7: sizes; result code 1001")
def field_too_long(case: Case) -> Iterator[Hit]:
    return _formal(case, "too long", "too long")


@rule("BF-012", "README §3: numbers")
def not_a_number(case: Case) -> Iterator[Hit]:
    return _formal(case, "no number", "no number")


@rule("BF-013", "README §3: decimals of money, prices, quantities and percentages")
def too_many_decimals(case: Case) -> Iterator[Hit]:
    return _formal(case, "too many decimals", "too many decimals")


@rule("BF-014", "README §3: numbers")
def negative_number(case: Case) -> Iterator[Hit]:
    return _formal(case, "negative", "range")


@rule("BF-015", "README §3: yyyyMMdd", errors=(18, 19))
def not_a_day(case: Case) -> Iterator[Hit]:
    return _formal(case, "no day", "no date")


@rule("BF-016", "README §3: yyyyMMddHHmm", errors=(23, 24, 27))
def not_a_moment(case: Case) -> Iterator[Hit]:
    return _formal(case, "no moment", "no date")


@rule("BF-017", "README §3: decimal point, no thousands mark")
def comma_or_thousands_mark(case: Case) -> Iterator[Hit]:
    return _formal(case, "mark", "form")


@rule("BF-018", "README §2: one HOSO is one visit, one MA_LK")
def another_visit_in_the_record(case: Case) -> Iterator[Hit]:
    ours = case.visit.number
    for name, n, row in case.rows(*case.tables):
        if row.get("MA_LK", ours) not in ("", ours):
            yield Hit(name, n, "MA_LK", "unequal")


@rule("BF-019", "README §4: STT counts from 1", "XML0 XML2 XML3 XML4 XML5 XML15", warns=True)
def row_number_skips(case: Case) -> Iterator[Hit]:
    for name in ("XML0", "XML2", "XML3", "XML4", "XML5", "XML15"):
        counted = [row.get("STT", "") for row in case.tables.get(name, ())]
        if all(counted) and len(set(counted)) == len(counted):
            for n, one in enumerate(counted, 1):
                if one != str(n):
                    yield Hit(name, n, "STT", "different")
                    break


@rule("BF-020", "README §4: STT counts the rows", "XML0 XML2 XML3 XML4 XML5 XML15")
def row_number_twice(case: Case) -> Iterator[Hit]:
    for name in ("XML0", "XML2", "XML3", "XML4", "XML5", "XML15"):
        rows = case.tables.get(name, ())
        if len({row.get("STT", "") for row in rows}) < len(rows):
            seen: set[str] = set()
            for n, row in enumerate(rows, 1):
                stt = row.get("STT", "")
                if stt and stt in seen:
                    yield Hit(name, n, "STT", "duplicate")
                seen.add(stt)


@rule("BF-021", "README §2: MACSKCB of the envelope", "XML1", errors=(10,))
def envelope_of_another_facility(case: Case) -> Iterator[Hit]:
    if case.visit.facility and case.one.get("MA_CSKCB", "") not in ("", case.visit.facility):
        yield Hit("XML1", 1, "MA_CSKCB", "unequal")


@rule("BF-022", "README §2: NGAYLAP", warns=True)
def made_in_the_future(case: Case) -> Iterator[Hit]:
    if case.visit.made_on and case.visit.made_on > case.now.date():
        yield Hit("", 0, "NGAYLAP", "future")


@rule("BF-023", "README §2: NGAYLAP; TT 48/2017: the record is sent after the visit", "XML1", warns=True)
def made_before_the_end(case: Case) -> Iterator[Hit]:
    ended = digits_to_day(case.left)
    if case.visit.made_on and ended and case.visit.made_on < ended:
        yield Hit("", 0, "NGAYLAP", "early")


@rule("BF-024", "README §2: UTF-8")
def broken_letters(case: Case) -> Iterator[Hit]:
    return _formal(case, "letters", "form")


@rule("BF-025", "README §2: MACSKCB has five characters", errors=(10,))
def facility_of_the_envelope(case: Case) -> Iterator[Hit]:
    facility = case.visit.facility
    if facility and (len(facility) != 5 or not facility.isalnum()):
        yield Hit("", 0, "MACSKCB", "form")


@rule("BF-026", "README §3: percentages are whole numbers 0 to 100", "XML2 XML3 XML12")
def percentage_out_of_range(case: Case) -> Iterator[Hit]:
    for line in (*case.drugs, *case.services):
        name = "XML2" if "MA_THUOC" in line.row else "XML3"
        for field, value in (("TYLE_TT_BH", line.rate_bh), ("TYLE_TT_DV", line.rate_dv), ("MUC_HUONG", line.level)):
            if value is not None and value > 100:
                yield Hit(name, line.n, field, "range")
    for name, n, row in case.rows("XML12"):
        for field in ("TYLE_TTCT_CU", "TYLE_TTCT_MOI", "TONG_TYLE_TTCT"):
            value = number(row.get(field, ""))
            if value is not None and value > 100:
                yield Hit(name, n, field, "range")
