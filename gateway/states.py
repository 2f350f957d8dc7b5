"""The lives of messages, papers, signatures, deliveries, certificates, jobs, steps, nodes, as tables: (state, event) → state.

A pair that is not in a table cannot happen; `advance` refuses it. The tests walk every cell, present and absent.
Each table holds one fact only (promise P8): whether the sender was answered, whether a lease is held and which checks a
destination made are columns of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.faults import NotPossibleNow

Table = Mapping[tuple[str, str], str]

MESSAGE: Table = {
    ("received", "map"): "mapped",
    ("received", "keep"): "kept",  # no mapping for its type: stored and listed, nothing made of it
    ("received", "fail"): "error",
    ("received", "hold"): "held",
    ("held", "release"): "received",
    ("mapped", "reprocess"): "received",
    ("kept", "reprocess"): "received",
    ("error", "reprocess"): "received",
    ("error", "close"): "closed",  # a person decided that nothing more is to be done
}
"""Two states have no row, because what is in them lives no further: `duplicate`, the repeat of a message, kept as proof that it
came, and `answered`, a question that got its answer when it came."""

DOCUMENT: Table = {
    ("due", "compose"): "composed",  # the node's own signature is next
    ("due", "submit"): "signing",  # people sign first
    ("due", "repeat"): "unchanged",  # it says what the version before says, or nothing is to be said
    ("due", "fail"): "error",
    ("signing", "seal"): "composed",  # everybody before the seal has signed
    ("signing", "return"): "returned",  # somebody refused to sign it
    ("signing", "supersede"): "superseded",  # a version with other content came before everybody had signed
    ("composed", "sign"): "signed",
    ("composed", "prove"): "proving",  # sealed; its signatures have no proofs yet, so it does not leave
    ("composed", "return"): "returned",  # a signature of a person can never be proved
    ("composed", "fail"): "error",
    ("proving", "complete"): "signed",
    ("proving", "return"): "returned",
    ("proving", "supersede"): "superseded",  # it had not left
    ("proving", "fail"): "error",
    ("error", "prove"): "proving",  # it is sealed: only the proofs are tried again
    ("error", "resume"): "composed",  # people have signed; only the seal is tried again
    ("error", "retry"): "due",
    ("error", "close"): "closed",
}

SIGNING_TASK: Table = {
    ("waiting", "ready"): "ready",  # the steps before are done
    ("waiting", "skip"): "skipped",
    ("ready", "claim"): "claimed",
    ("ready", "skip"): "skipped",
    ("ready", "refuse"): "refused",
    ("ready", "sign"): "signed",  # by the node itself, which claims the document instead
    ("claimed", "release"): "ready",  # nothing was signed: stopped, key away, lease run out
    ("claimed", "sign"): "signed",
    ("waiting", "void"): "void",  # the document was sent back, or a newer version took its place
    ("ready", "void"): "void",
    ("claimed", "void"): "void",
    ("signed", "void"): "void",
}

PROOF: Table = {
    ("kept", "want"): "bare",  # nothing was wanted when it was made; now something is
    ("bare", "stamp"): "stamped",
    ("bare", "prove"): "proved",  # nothing is wanted any more
    ("bare", "fail"): "error",
    ("stamped", "drop"): "bare",  # the stamp is worth nothing: another one is wanted
    ("stamped", "prove"): "proved",
    ("stamped", "fail"): "error",
    ("kept", "void"): "void",  # the signature counts no more
    ("bare", "void"): "void",
    ("stamped", "void"): "void",
    ("proved", "raise"): "stamped",  # a higher level is wanted by now
    ("proved", "void"): "void",
    ("error", "void"): "void",
}
"""What is known of one signature; of one that is `kept` nothing more is wanted than that it was made."""

ARCHIVE: Table = {
    ("current", "renew"): "renewed",  # other bytes of the same document hold a newer archive time stamp
}

DELIVERY: Table = {
    ("pending", "await"): "awaiting",  # people sign its document first; what comes later need not wait for them
    ("awaiting", "ready"): "queued",
    ("awaiting", "fail"): "error",
    ("awaiting", "drop"): "closed",  # its document will not be completed
    ("pending", "drop"): "closed",
    ("pending", "ready"): "queued",  # its document is signed
    ("pending", "fail"): "error",  # its document is in the error queue
    ("pending", "withhold"): "withheld",
    ("pending", "repeat"): "closed",  # its document says nothing new
    ("queued", "claim"): "claimed",
    ("queued", "hold"): "held",
    ("queued", "give_up"): "error",
    ("queued", "skip"): "error",  # a person lets what comes after it go on
    ("held", "skip"): "error",
    ("uncertain", "skip"): "error",
    ("claimed", "send"): "sending",
    ("claimed", "expire"): "queued",  # nothing was on the wire yet
    ("claimed", "poison"): "error",  # whoever held it alone died again
    ("sending", "accept"): "accepted",
    ("sending", "retry"): "queued",
    ("sending", "refuse"): "error",
    ("sending", "lose"): "uncertain",
    ("sending", "expire"): "uncertain",  # the node died with the request on the wire
    ("uncertain", "accept"): "accepted",
    ("uncertain", "retry"): "queued",
    ("uncertain", "refuse"): "error",
    ("uncertain", "poison"): "error",  # to ask about it killed whoever did
    ("error", "accept"): "accepted",  # a person saw it at the destination
    ("error", "resend"): "uncertain",  # it is asked about before it is sent: what ended in error may have arrived
    ("error", "renew"): "pending",  # its document is made again
    ("error", "close"): "closed",
    ("held", "release"): "queued",
    ("withheld", "close"): "closed",
    ("accepted", "send_again"): "queued",  # the same bytes under the same key, because a person insists
}

CERTIFICATE: Table = {
    ("requested", "approve"): "approved",
    ("requested", "reject"): "rejected",
    ("approved", "reject"): "rejected",  # the provider refused, or nobody needs it any more
    ("approved", "issue"): "issued",
    ("issued", "hand_over"): "handed_over",
    ("handed_over", "activate"): "active",  # hand-over record and commitment are there
    ("active", "suspend"): "suspended",
    ("suspended", "resume"): "active",
    ("issued", "revoke"): "revoked",
    ("handed_over", "revoke"): "revoked",
    ("active", "revoke"): "revoked",
    ("suspended", "revoke"): "revoked",
    ("issued", "expire"): "expired",
    ("handed_over", "expire"): "expired",
    ("active", "expire"): "expired",
    ("suspended", "expire"): "expired",
}
"""Only what is `active` may sign. A renewal is a request of its own that names what it replaces."""

JOB: Table = {
    ("running", "stop"): "stopped",
    ("running", "expire"): "stopped",  # who worked on it died
    ("running", "finish"): "done",
    ("stopped", "resume"): "running",
}
"""One run over a selection: resend or reprocess."""

JOB_ITEM: Table = {
    ("waiting", "do"): "done",
    ("waiting", "leave"): "left",  # its state was another one than when it was counted
}

PROCEDURE_STEP: Table = {
    ("in_progress", "go_on"): "in_progress",
    ("in_progress", "complete"): "completed",
    ("in_progress", "discontinue"): "discontinued",
}
"""A modality's work (MPPS), as the modality tells it. Standard: DICOM PS3.4 §F.7.2.2.2"""

COMMITMENT: Table = {
    ("owed", "report"): "reported",  # the device took it
    ("owed", "give_up"): "error",  # it was tried as long as it may be
    ("reported", "ask"): "owed",  # the same asked again: the device did not keep what it was told
    ("error", "ask"): "owed",
    ("error", "retry"): "owed",
    ("error", "close"): "closed",
    ("closed", "ask"): "owed",
}
"""A report of storage commitment that a device waits for."""

LAB_CALL: Table = {
    ("owed", "tell"): "told",  # the instrument took it, or it is as the instrument knows it
    ("owed", "fail"): "error",  # the instrument refused it, or was away for too long
    ("owed", "change"): "owed",
    ("told", "change"): "owed",
    ("error", "change"): "owed",
    ("error", "retry"): "owed",
    ("error", "close"): "closed",
    ("closed", "change"): "owed",
}
"""An order that an instrument is to be told unasked."""

CRITICAL_VALUE: Table = {
    ("open", "acknowledge"): "acknowledged",  # a person says that whoever treats the patient knows
}

NODE: Table = {
    ("running", "drain"): "draining",  # it takes nothing more and finishes what it has
    ("running", "stop"): "stopped",
    ("draining", "stop"): "stopped",
    ("running", "die"): "dead",  # another node, or its own next start, took back what it held
    ("draining", "die"): "dead",
    ("dead", "revive"): "running",  # it had only been silent
    ("dead", "start"): "running",
    ("stopped", "start"): "running",
}

LEASE: Table = {
    ("free", "take"): "held",  # under a new token
    ("lapsed", "take"): "held",
    ("held", "lapse"): "lapsed",  # its time passed, and nobody has taken it
    ("held", "renew"): "held",
    ("lapsed", "renew"): "held",
    ("held", "release"): "free",
    ("lapsed", "release"): "free",
}
"""What the holder of the newest token may do, and anybody by `take`; an older token may do nothing. To act for all is allowed
while the lease is held, and still when it has lapsed: the token decides, not the clock."""

OPEN_DELIVERY = ("pending", "queued", "claimed", "sending", "uncertain", "held")
"""States in which a delivery still keeps later ones of its key waiting (promise P4)."""


ENDED_DELIVERY = ("accepted", "closed", "withheld")
"""States in which nothing of a delivery is waited for."""


def states(table: Table) -> set[str]:
    return {state for state, _ in table} | set(table.values())


def events(table: Table) -> set[str]:
    return {event for _, event in table}


def advance(table: Table, state: str, event: str) -> str:
    """Return the next state; raise NotPossibleNow for a pair that the table does not hold."""
    try:
        return table[state, event]
    except KeyError:
        raise NotPossibleNow(detail=f"{event} while {state}") from None


def sources(table: Table, event: str) -> tuple[str, ...]:
    """Return the states in which `event` may happen; SQL guards are built from this, so that table and store agree."""
    return tuple(sorted(state for state, e in table if e == event))
