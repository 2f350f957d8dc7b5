"""Accounts: the number under which what a stay costs is gathered (PID-18, MRG-3).

Standard: HL7 v2.5.1 §3.4.2.18
"""

from __future__ import annotations

from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Components, Element, compact
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource


@replaceable
def pid_to_account(pid: Segment, draft: Draft) -> Resource | None:
    """Make the Account of PID-18, active unless somebody knows better."""
    return cx_to_account(pid[18], draft, "active")


@replaceable
def mrg_to_account(mrg: Segment, draft: Draft) -> Resource | None:
    """Make the Account of MRG-3; what became of it the segment does not say."""
    return cx_to_account(mrg[3], draft, "unknown")


def cx_to_account(cx: Components, draft: Draft, status: str) -> Resource | None:
    """Make an Account of the person; nothing without a number."""
    number = cx_to_identifier(cx, draft.context, of="account")
    if number is None:
        return None
    return {
        "resourceType": "Account",
        "id": account_id(number),
        "identifier": [number],
        "status": status,
        "subject": [reference(draft.patient)],
    }


def account_id(number: Element) -> str:
    """Give the id of the Account with this number."""
    return resource_id("Account", number["system"], number["value"])


def keep_account(account: Resource | None, draft: Draft, origin: Segment) -> str:
    """Keep an Account whose status is only assumed; give its reference."""
    if account is None:
        return ""
    target = draft.add(compact(account), origin)
    draft.assume(target, "status")
    return target
