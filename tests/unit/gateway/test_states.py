"""Every cell of every transition table, present and absent."""

from __future__ import annotations

import itertools

import pytest

from gateway import states
from gateway.faults import NotPossibleNow

TABLES = {
    "message": states.MESSAGE,
    "document": states.DOCUMENT,
    "signing task": states.SIGNING_TASK,
    "proof": states.PROOF,
    "archive": states.ARCHIVE,
    "delivery": states.DELIVERY,
    "certificate": states.CERTIFICATE,
    "job": states.JOB,
    "job item": states.JOB_ITEM,
    "procedure step": states.PROCEDURE_STEP,
    "commitment": states.COMMITMENT,
    "lab call": states.LAB_CALL,
    "critical value": states.CRITICAL_VALUE,
    "node": states.NODE,
    "lease": states.LEASE,
}

FIRST = {
    "message": {"received", "error"},
    "document": {"due"},
    "signing task": {"waiting", "ready"},
    "proof": {"kept", "bare"},
    "archive": {"current"},
    "delivery": {"pending"},
    "certificate": {"requested"},
    "job": {"running"},
    "job item": {"waiting"},
    "procedure step": {"in_progress"},
    "commitment": {"owed"},
    "lab call": {"owed"},
    "critical value": {"open"},
    "node": {"running"},
    "lease": {"free"},
}
"""States in which a row may be born."""

LAST = {
    "message": {"closed"},
    "document": {"signed", "closed", "unchanged", "returned", "superseded"},
    "signing task": {"refused", "skipped", "void"},
    "proof": {"void"},
    "archive": {"renewed"},
    "delivery": {"closed"},
    "certificate": {"rejected", "revoked", "expired"},
    "job": {"done"},
    "job item": {"done", "left"},
    "procedure step": {"completed", "discontinued"},
    "commitment": set(),
    "lab call": set(),
    "critical value": {"acknowledged"},
    "node": set(),
    "lease": set(),
}
"""States that nothing leaves: what is answered or signed stays so."""


@pytest.mark.parametrize("name", TABLES)
def test_every_cell(name: str) -> None:
    table = TABLES[name]
    for state, event in itertools.product(states.states(table), states.events(table)):
        if (state, event) in table:
            assert states.advance(table, state, event) == table[state, event]
        else:
            with pytest.raises(NotPossibleNow):
                states.advance(table, state, event)


@pytest.mark.parametrize("name", TABLES)
def test_last_states_are_those_that_are_meant(name: str) -> None:
    table = TABLES[name]
    assert {state for state in states.states(table) if not any(s == state for s, _ in table)} == LAST[name]


@pytest.mark.parametrize("name", TABLES)
def test_every_state_can_be_reached(name: str) -> None:
    table = TABLES[name]
    reached = set(FIRST[name])
    while more := {target for (state, _), target in table.items() if state in reached} - reached:
        reached |= more
    assert reached == states.states(table)


@pytest.mark.parametrize("name", TABLES)
def test_an_event_leads_to_one_state(name: str) -> None:
    table = TABLES[name]
    for event in states.events(table):
        targets = {target for (_, e), target in table.items() if e == event}
        if (name, event) == ("delivery", "expire"):
            assert targets == {"queued", "uncertain"}
        else:
            assert len(targets) == 1


def test_open_deliveries_are_those_that_can_still_arrive_in_order() -> None:
    everything = states.states(states.DELIVERY)
    assert everything - set(states.OPEN_DELIVERY) == {"accepted", "error", "withheld", "closed", "awaiting"}


def test_what_is_accepted_is_left_only_because_a_person_insists() -> None:
    assert [event for state, event in states.DELIVERY if state == "accepted"] == ["send_again"]
    assert states.sources(states.DELIVERY, "send_again") == ("accepted",)


def test_sources_name_every_state_of_an_event() -> None:
    assert states.sources(states.DELIVERY, "accept") == ("error", "sending", "uncertain")


def test_nothing_becomes_active_that_was_not_handed_over_and_activated() -> None:
    ways = {(state, event) for (state, event), target in states.CERTIFICATE.items() if target == "active"}
    assert ways == {("handed_over", "activate"), ("suspended", "resume")}
    assert states.sources(states.CERTIFICATE, "suspend") == ("active",)
