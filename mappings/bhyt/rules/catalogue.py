"""Rules against the lists of the site: staff, devices, medicines, services and supplies as the insurer approved them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mappings.bhyt.lists import Entry
from mappings.bhyt.rules.case import Case, Line, day, number, parts
from mappings.bhyt.rules.core import Hit, ValueClass, rule

_SUFFIX = re.compile(r"\.(C|HD|TX|CG)\.[0-9A-Z]{5}$")
_SUFFIX_LIKE = re.compile(r"\.(C|HD|TX|CG)\..*$")
_KIND = re.compile(r"_(GT|TB|TT)$")


@rule("BS-001", "README §3: .C. .HD. .TX. .CG. and the facility after a person's code", "XML2 XML3 XML4 XML5")
def suffix_of_a_person(case: Case) -> Iterator[Hit]:
    for name, field in _STAFF:
        for n, row in enumerate(case.tables.get(name, ()), 1):
            value = row.get(field, "")
            if (
                value
                and _SUFFIX_LIKE.search(value)
                and any(_SUFFIX_LIKE.search(one) and not _SUFFIX.search(one) for one in parts(value))
            ):
                yield Hit(name, n, field, "form")


_STAFF = (
    *(("XML2", "MA_BAC_SI"), ("XML3", "MA_BAC_SI"), ("XML3", "NGUOI_THUC_HIEN")),
    *(("XML4", "MA_BS_DOC_KQ"), ("XML5", "NGUOI_THUC_HIEN")),
)


@rule("B2-060", "README §6: staff in the approved list", "XML2", needs="STAFF")
def drug_ordered_by_a_stranger(case: Case) -> Iterator[Hit]:
    return case.unlisted("STAFF", "MA_BAC_SI", "XML2", form=_SUFFIX)


@rule("B3-070", "README §6: staff in the approved list", "XML3", needs="STAFF")
def service_ordered_by_a_stranger(case: Case) -> Iterator[Hit]:
    return case.unlisted("STAFF", "MA_BAC_SI", "XML3", form=_SUFFIX)


@rule("B3-071", "README §6: staff in the approved list", "XML3", needs="STAFF")
def service_done_by_a_stranger(case: Case) -> Iterator[Hit]:
    return case.unlisted("STAFF", "NGUOI_THUC_HIEN", "XML3", form=_SUFFIX)


@rule("B4-020", "README §6: staff in the approved list", "XML4", needs="STAFF")
def result_read_by_a_stranger(case: Case) -> Iterator[Hit]:
    return case.unlisted("STAFF", "MA_BS_DOC_KQ", "XML4", form=_SUFFIX)


@rule("B5-020", "README §6: staff in the approved list", "XML5", needs="STAFF")
def course_written_by_a_stranger(case: Case) -> Iterator[Hit]:
    return case.unlisted("STAFF", "NGUOI_THUC_HIEN", "XML5", form=_SUFFIX)


@rule("BS-002", "README §6: staff in the approved list", "XML7 XML10 XML11 XML13 XML14", needs="STAFF")
def paper_of_a_stranger(case: Case) -> Iterator[Hit]:
    yield from case.unlisted("STAFF", "MA_BS", "XML7 XML10 XML11", form=_SUFFIX)
    yield from case.unlisted("STAFF", "MA_BAC_SI", "XML13 XML14", form=_SUFFIX)


@rule("B3-072", "README §6: devices in the approved list", "XML3", needs="DEVICES")
def device_unknown(case: Case) -> Iterator[Hit]:
    known = case.lists["DEVICES"]
    for line in case.services:
        value = line.row.get("MA_MAY", "")
        if (
            value
            and not known.has(value, case.ended)
            and not all(known.has(one, case.ended) for one in _devices(value))
        ):
            yield Hit("XML3", line.n, "MA_MAY", "unknown code")


def _devices(value: str) -> list[str]:
    """Give the devices of `XX.n.Z1;Z2`: the kind stands once."""
    first, *others = parts(value)
    kind = ".".join(first.split(".")[:2])
    return [first, *(one if one.startswith(kind) else f"{kind}.{one}" for one in others)]


@rule("B2-061", "list of routes", "XML2", needs="DUONG_DUNG")
def route_unknown(case: Case) -> Iterator[Hit]:
    return case.unlisted("DUONG_DUNG", "DUONG_DUNG", "XML2")


Compare = tuple[str, str]
"""A column of a list, and the field it must equal."""
_DRUG: tuple[Compare, ...] = (
    ("name", "TEN_THUOC"),
    ("strength", "HAM_LUONG"),
    ("registration", "SO_DANG_KY"),
    ("tender", "TT_THAU"),
)
_SUPPLY: tuple[Compare, ...] = (("name", "TEN_VAT_TU"), ("tender", "TT_THAU"))
_SERVICE: tuple[Compare, ...] = (("name", "TEN_DICH_VU"),)


def _first_difference(case: Case, line: Line, entries: list[Entry], compared: tuple[Compare, ...]) -> str:
    """Name what the approved lines of a code do not have: `code`, a column, `price`, or nothing."""
    if not entries:
        return "code"
    for column, field in compared:
        value = _folded(line.row.get(field, ""))
        if not value:
            continue
        same = [entry for entry in entries if not (wanted := entry.values.get(column, "")) or _folded(wanted) == value]
        if not same:
            return column
        entries = same
    prices = [price for entry in entries if (price := number(entry.values.get("price", ""))) is not None]
    said = line.price_bh if line.price_bh is not None else line.price
    return "price" if prices and said is not None and said > max(prices) else ""


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _catalogued(
    case: Case, wanted: str, name: str, listed: str, code: str, compared: tuple[Compare, ...]
) -> Iterator[Line]:
    """Yield the rows whose first difference from the catalogue is the one that is asked for; worked out once per visit."""
    memory: dict[str, list[tuple[Line, str]]] = case.__dict__.setdefault("_catalogued", {})
    if listed not in memory:
        known = case.lists[listed]
        lines = case.drugs if name == "XML2" else case.services
        memory[listed] = []
        for line in lines:
            if listed == "SERVICES" and line.group in ("10", "11"):
                continue
            if value := line.row.get(code, ""):
                on = day(line.ordered) or case.ended
                found = known.find(value, on) or (known.find(_KIND.sub("", value), on) if listed == "SERVICES" else [])
                if listed == "SERVICES" and value.startswith("VC."):
                    continue
                memory[listed].append((line, _first_difference(case, line, found, compared)))
    return (line for line, difference in memory[listed] if difference == wanted)


def _drugs(case: Case, wanted: str, field: str, value: ValueClass) -> Iterator[Hit]:
    for line in _catalogued(case, wanted, "XML2", "DRUGS", "MA_THUOC", _DRUG):
        if line.row.get("NGUON_CTRA", "1") in ("", "1") and line.row.get("PHAM_VI") != "2":
            yield Hit("XML2", line.n, field, value)


@rule("B2-050", "README §6: medicines of the approved catalogue", "XML2", needs="DRUGS")
def drug_unknown(case: Case) -> Iterator[Hit]:
    return _drugs(case, "code", "MA_THUOC", "unknown code")


@rule("B2-051", "README §6: name equal to the catalogue", "XML2", needs="DRUGS")
def drug_name(case: Case) -> Iterator[Hit]:
    return _drugs(case, "name", "TEN_THUOC", "different")


@rule("B2-052", "README §6: strength equal to the catalogue", "XML2", needs="DRUGS")
def drug_strength(case: Case) -> Iterator[Hit]:
    return _drugs(case, "strength", "HAM_LUONG", "different")


@rule("B2-053", "README §6: registration number equal to the catalogue", "XML2", needs="DRUGS")
def drug_registration(case: Case) -> Iterator[Hit]:
    return _drugs(case, "registration", "SO_DANG_KY", "different")


@rule("B2-054", "README §6: tender equal to the catalogue", "XML2", needs="DRUGS")
def drug_tender(case: Case) -> Iterator[Hit]:
    return _drugs(case, "tender", "TT_THAU", "different")


@rule("B2-055", "README §6: price ≤ tender price", "XML2", needs="DRUGS")
def drug_price(case: Case) -> Iterator[Hit]:
    return _drugs(case, "price", "DON_GIA", "range")


def _services(case: Case, wanted: str) -> Iterator[Line]:
    found = _catalogued(case, wanted, "XML3", "SERVICES", "MA_DICH_VU", _SERVICE)
    return (line for line in found if line.row.get("PHAM_VI") != "2")


def _supplies(case: Case, wanted: str) -> Iterator[Line]:
    found = _catalogued(case, wanted, "XML3", "SUPPLIES", "MA_VAT_TU", _SUPPLY)
    return (line for line in found if line.row.get("PHAM_VI") != "2")


@rule("B3-073", "README §6: services of the approved catalogue", "XML3", needs="SERVICES")
def service_unknown(case: Case) -> Iterator[Hit]:
    return (Hit("XML3", line.n, "MA_DICH_VU", "unknown code") for line in _services(case, "code"))


@rule("B3-074", "README §6: name equal to the catalogue", "XML3", needs="SERVICES", warns=True)
def service_name(case: Case) -> Iterator[Hit]:
    return (Hit("XML3", line.n, "TEN_DICH_VU", "different") for line in _services(case, "name"))


@rule("B3-075", "README §6: price of the approved catalogue", "XML3", needs="SERVICES")
def service_price(case: Case) -> Iterator[Hit]:
    return (Hit("XML3", line.n, "DON_GIA_BH", "range") for line in _services(case, "price"))


@rule("B3-076", "README §6: supplies of the approved catalogue", "XML3", needs="SUPPLIES")
def supply_unknown(case: Case) -> Iterator[Hit]:
    return (Hit("XML3", line.n, "MA_VAT_TU", "unknown code") for line in _supplies(case, "code"))


@rule("B3-077", "README §6: name and tender equal to the catalogue", "XML3", needs="SUPPLIES")
def supply_tender(case: Case) -> Iterator[Hit]:
    for line in _supplies(case, "name"):
        yield Hit("XML3", line.n, "TEN_VAT_TU", "different")
    for line in _supplies(case, "tender"):
        yield Hit("XML3", line.n, "TT_THAU", "different")


@rule("B3-078", "README §6: price ≤ tender price", "XML3", needs="SUPPLIES")
def supply_price(case: Case) -> Iterator[Hit]:
    return (Hit("XML3", line.n, "DON_GIA_BH", "range") for line in _supplies(case, "price"))
