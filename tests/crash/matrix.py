"""Every transition, and where a process is killed at it.

Each is killed twice in a transaction of its own: inside it, and when it is committed and nobody has heard of it. Those that a
node makes by itself in a hospital's day are killed there too; the others are made by people or need what a day does not have.
"""

from __future__ import annotations

from gateway import states

IN_A_DAY: dict[str, tuple[str, ...]] = {
    "message": ("map", "fail"),
    "document": ("compose", "sign"),
    "delivery": ("ready", "claim", "send", "accept", "retry", "refuse", "lose", "expire"),
}
"""What a node comes to while it takes, signs and delivers the papers of a day, as `killing_node.record` wrote it down."""

WITH_PROOFS: dict[str, tuple[str, ...]] = {
    "document": ("prove", "complete"),
    "proof": ("stamp", "prove"),
}
"""What it comes to besides where signatures are proved."""

ELSEWHERE: dict[str, dict[str, str]] = {
    "message": {
        "keep": "a type that no mapping knows",
        "hold": "a person",
        "release": "a person",
        "reprocess": "a person",
        "close": "a person",
    },
    "document": {
        "submit": "papers that people sign",
        "repeat": "a paper that says nothing new",
        "fail": "a paper that cannot be made",
        "seal": "a signer",
        "return": "a signer",
        "supersede": "a newer version while people sign",
        "resume": "a person",
        "retry": "a person",
        "close": "a person",
    },
    "signing task": {
        "ready": "a signer",
        "skip": "a signer",
        "claim": "a signer",
        "refuse": "a signer",
        "sign": "a signer, or the seal after people",
        "release": "a signer, or a lease that ran out",
        "void": "a newer version",
    },
    "proof": {
        "want": "a setting that changed",
        "raise": "a person",
        "fail": "a signature that cannot be proved",
        "drop": "a time stamp that is worth nothing",
        "void": "a newer version",
    },
    "archive": {"renew": "years"},
    "delivery": {
        "await": "papers that people sign",
        "fail": "a paper that its form cannot carry",
        "drop": "a paper that is returned",
        "withhold": "closed lists",
        "repeat": "a paper that says nothing new",
        "hold": "a person",
        "give_up": "days",
        "skip": "a person",
        "resend": "a person",
        "send_again": "a person",
        "renew": "a person",
        "close": "a person",
        "release": "a person",
        "poison": "an item that kills",
    },
}
"""What a day does not have, and whose doing it is."""

TABLES: dict[str, states.Table] = {
    "message": states.MESSAGE,
    "document": states.DOCUMENT,
    "signing task": states.SIGNING_TASK,
    "proof": states.PROOF,
    "archive": states.ARCHIVE,
    "delivery": states.DELIVERY,
}


def places(reached: dict[str, tuple[str, ...]]) -> list[str]:
    """Name the two kill places of each transition that a node comes to."""
    return [
        f"{table} {event}{when}" for table, events in reached.items() for event in events for when in ("", " committed")
    ]


def missing(tables: dict[str, states.Table]) -> list[str]:
    """Return the transitions of which nobody has said where they are killed."""
    told = {
        (table, event)
        for part in (IN_A_DAY, WITH_PROOFS, ELSEWHERE)
        for table, events in part.items()
        for event in events
    }
    return sorted(
        f"{table} {event}"
        for table, rows in tables.items()
        for event in states.events(rows) - {e for t, e in told if t == table}
    )
