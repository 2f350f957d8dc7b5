"""What a hospital says that an answer of a destination means, where it knows better than the connector.

An answer is written as it stands beside a fault in the error queue, such as `maKetQua 205` or `HTTP 404`. Only what is a fault
to the connector can be given another meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from connectors.contract import Receipt
from connectors.faults import Refused, ServerTrouble, Throttled, Uncertain
from mappings.formats.faults import Fault

Meaning = Literal["accepted", "refused", "transient", "throttled", "uncertain", "paused"]
_FAULTS = {
    "refused": Refused,
    "transient": ServerTrouble,
    "throttled": Throttled,
    "uncertain": Uncertain,
    "paused": ServerTrouble,
}


def judged(fault: Fault, answers: Mapping[str, Meaning]) -> Fault | Receipt:
    """Return what an answer counts as: another fault, or a receipt that holds nothing but the answer's code."""
    meaning = answers.get(fault.detail)
    if meaning is None:
        return fault
    if meaning == "accepted":
        return Receipt("", fault.detail.encode(), {"answer": fault.detail})
    return _FAULTS[meaning](fault.where, fault.detail)


def pauses(fault: Fault, answers: Mapping[str, Meaning]) -> bool:
    """Tell whether an answer stops the destination until a person lets it go on; what the hospital says goes first."""
    meaning = answers.get(fault.detail)
    return meaning == "paused" if meaning is not None else bool(getattr(fault, "stops", False))
