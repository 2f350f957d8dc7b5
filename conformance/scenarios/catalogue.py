"""The catalogues of the made-up hospital, as it keeps them for the insurer: medicines, services, staff; CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from conformance.scenarios.charges import MEDICINES
from conformance.scenarios.tables import table

_ROUTES = {"PO": "1.01", "IH": "5.05"}
"""Route of the pharmacy → code of the insurance tables; made up."""
_DEVICES = {"1": "XN.1.01999.HH500", "2": "CD.1.01999.XQ200", "3": "TD.1.01999.DT100"}
"""MA_NHOM → the device its services are done with."""
_STRENGTH = ("mg", "mcg", "mL", "g")


def lists() -> Mapping[str, str]:
    """Name of a list → its CSV text."""
    medicines = {row["code"]: row for row in table("medicines")}
    prices = table("prices")
    drugs = [
        {
            "code": row["code"],
            "name": row["name"],
            "strength": _strength(row["name"]),
            "route": _ROUTES[medicines[row["code"]]["route_code"]],
            "form": medicines[row["code"]]["form"],
            "unit": row["unit"],
            "registration": f"VD-{20000 + number}-26",
            "tender": f"{100 + number}/QĐ-BV;G1;N4;2026",
            "price": row["price"],
        }
        for number, row in enumerate((row for row in prices if row["group"] == MEDICINES), start=1)
    ]
    services = [
        {
            "code": row["code"],
            "name": row["name"],
            "unit": row["unit"],
            "price": row["price"],
            "device": _DEVICES.get(row["group"], ""),
        }
        for row in prices
        if row["group"] != MEDICINES
    ]
    staff = [{"code": row["licence"]} for row in table("doctors")]
    return {"DRUGS": _csv(drugs), "SERVICES": _csv(services), "STAFF": _csv(staff)}


def _strength(name: str) -> str:
    """Read the strength off a name such as `Amoxicillin 500 mg (Moxilen)`."""
    words = name.replace("(", " ").split()
    found = next((n for n, word in enumerate(words) if word.partition("/")[0] in _STRENGTH), 0)
    return " ".join(words[found - 1 : found + 1]) if found else words[-1]


def _csv(rows: Iterable[Mapping[str, str]]) -> str:
    listed = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(listed[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return text.getvalue()
