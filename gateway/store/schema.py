"""The tables. Instants are microseconds since 1970 in BIGINT; keys are UUIDv7 text; `body` columns are sealed.

Every index says which query it serves; `tests/plans` asks both engines whether they use it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData()


def work_columns() -> list[Column[int] | Column[str]]:
    """Columns of a row that a node works on: when it may be taken, by whom it is taken, what went wrong last."""
    return [
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("due_at", BigInteger, nullable=False),
        Column("lease_owner", String(64), nullable=False, server_default=""),
        Column("lease_until", BigInteger, nullable=False, server_default="0"),
        Column("deaths", Integer, nullable=False, server_default="0"),  # of nodes and workers that held it
        Column("fault_code", Integer, nullable=False, server_default="0"),
        Column("fault_where", Text, nullable=False, server_default=""),
        Column("fault_detail", Text, nullable=False, server_default=""),
    ]


message = Table(
    "message",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("channel", String(64), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("peer", String(64), nullable=False),
    Column("sender", String(255), nullable=False),
    Column("control_id", String(255), nullable=False),
    Column("type", String(32), nullable=False),
    Column("version", String(16), nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("dedupe_key", LargeBinary(16), nullable=True),
    Column("repeats_id", String(36), nullable=True),
    Column("order_key", LargeBinary(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("answer", String(4), nullable=False),
    Column("answered_at", BigInteger, nullable=True),
    *work_columns(),
    Column("keyed", Boolean, nullable=False, server_default=false()),
    Column("priority", SmallInteger, nullable=False, server_default=text("0")),
    UniqueConstraint("dedupe_key", name="message_dedupe"),  # intake: is this a repeat?
)
_received = text("state = 'received'")
# pipeline: the next messages to map
Index("message_due", message.c.id, sqlite_where=_received, postgresql_where=_received)
# pipeline: the same, of channels that may not wait for others
_first = text("state = 'received' AND priority = 0")
Index("message_first", message.c.id, sqlite_where=_first, postgresql_where=_first)
# pipeline: is an earlier message of the same key still waiting?
Index("message_order", message.c.order_key, message.c.id, sqlite_where=_received, postgresql_where=_received)
# people: the error queue
_wrong = text("state IN ('error', 'held')")
Index("message_wrong", message.c.id, sqlite_where=_wrong, postgresql_where=_wrong)
_unkeyed = text("NOT keyed AND state <> 'received'")
# search: what has no keys yet
Index("message_unkeyed", message.c.id, sqlite_where=_unkeyed, postgresql_where=_unkeyed)

message_body = Table(
    "message_body",
    metadata,
    Column("message_id", ForeignKey("message.id"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""Apart from `message`, whose rows change state several times: SQLite writes a whole row again for every change of it."""

message_answer = Table(
    "message_answer",
    metadata,
    Column("message_id", ForeignKey("message.id"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""What a query was answered, as it left."""

coverage = Table(
    "coverage",
    metadata,
    Column("message_id", ForeignKey("message.id"), primary_key=True),
    Column("mapped", Integer, nullable=False),
    Column("ignored", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    Column("positions", LargeBinary, nullable=False),  # JSON: mapped, ignored with reasons, unknown, notices; no values
)

resource = Table(
    "resource",
    metadata,
    Column("type", String(40), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("patient_id", String(64), nullable=True),
    Column("message_id", ForeignKey("message.id"), nullable=False),  # the newest that spoke of it with authority
    Column("sent_at", BigInteger, nullable=False, server_default="0"),  # when that message was made; 0: it does not say
    Column("recorded_at", BigInteger, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
_current = text("current")
# records: the newest version, and everything current of one patient
Index(
    "resource_current",
    resource.c.type,
    resource.c.id,
    unique=True,
    sqlite_where=_current,
    postgresql_where=_current,
)
Index("resource_patient", resource.c.patient_id, sqlite_where=_current, postgresql_where=_current)

identity_change = Table(
    "identity_change",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("message_id", ForeignKey("message.id"), nullable=True),  # none: a person did it
    Column("at", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False, server_default=""),
    Column("kind", String(8), nullable=False),  # merge, link, unlink, move
    Column("kept", String(110), nullable=False),
    Column("other", String(110), nullable=False),
    Column("was", String(110), nullable=False, server_default=""),  # move: the Patient it belonged to before
    Column("ended_by", String(36), nullable=True),  # the change, or the act of undoing, after which it holds no more
)
"""What was said about which records are one, or whose they are. Rows are never deleted; one holds until something ends it."""
# people: what a message changed, to undo it; pipeline: was this message mapped before?
Index("identity_change_message", identity_change.c.message_id)
# records: was this visit, account or person moved or merged away?
Index("identity_change_other", identity_change.c.other)
Index("identity_change_kept", identity_change.c.kept)  # people: what else happened to the record that was kept

identity_effect = Table(
    "identity_effect",
    metadata,
    Column("change_id", ForeignKey("identity_change.id"), primary_key=True),
    Column("type", String(40), primary_key=True),
    Column("id", String(64), primary_key=True),
)
"""Resources that a merge of visits or accounts turned round, to turn them back."""

person_link = Table(
    "person_link",
    metadata,
    Column("patient_id", String(64), primary_key=True),
    Column("survivor_id", String(64), nullable=False),
    Column("change_id", ForeignKey("identity_change.id"), nullable=False),
)
"""The merges that hold now."""
Index("person_link_survivor", person_link.c.survivor_id)  # records: all numbers of one person

person_key = Table(
    "person_key",
    metadata,
    Column("key", LargeBinary(16), primary_key=True),
    Column("patient_id", String(64), primary_key=True),
)
"""Search keys of the newest version of every Patient: HMACs, so the table says nothing by itself. Found by `key`."""
Index("person_key_patient", person_key.c.patient_id)  # records: replace the keys of a Patient

person_number = Table(
    "person_number",
    metadata,
    Column("serial", Integer, primary_key=True),
    Column("message_id", ForeignKey("message.id"), nullable=False),  # the query that asked for it
    sqlite_autoincrement=True,
)
"""Numbers of persons that the gateway gave. Rows are never deleted: a number is given once."""

unmapped_code = Table(
    "unmapped_code",
    metadata,
    Column("system", String(255), primary_key=True),
    Column("code", String(255), primary_key=True),
    Column("field", String(16), primary_key=True),
    Column("display", String(255), nullable=False),
    Column("messages", Integer, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
)
"""Codes of this site that no table takes to a shared catalogue, and in how many messages they came. No patient data."""

document = Table(
    "document",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("paper", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("replaces_id", String(36), nullable=True),
    Column("channel", String(64), nullable=False),
    Column("message_id", ForeignKey("message.id"), nullable=False),
    Column("patient_id", String(64), nullable=False),
    Column("order_key", LargeBinary(16), nullable=False),
    Column("event_at", BigInteger, nullable=False),
    Column("deadline_at", BigInteger, nullable=False),
    Column("signed_at", BigInteger, nullable=True),
    Column("state", String(16), nullable=False),
    *work_columns(),
    Column("act", String(8), nullable=False, server_default="make"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("actor", String(64), nullable=False, server_default=""),
    Column("digest", LargeBinary(16), nullable=True),
)
"""`act` is `make`, `renew`, `cancel` or `reissue`; `digest` tells what a composed version says from what another one says."""
_unfinished = text("state IN ('due', 'composed', 'proving')")
# pipeline: the next documents to compose, seal or complete
Index("document_due", document.c.id, sqlite_where=_unfinished, postgresql_where=_unfinished)
# people: the error queue
Index("document_wrong", document.c.id, sqlite_where=_wrong, postgresql_where=_wrong)
Index("document_subject", document.c.paper, document.c.subject, document.c.version)  # pipeline: which version is next
Index("document_patient", document.c.patient_id)  # pipeline: what waits for more about a person
Index("document_event", document.c.event_at)  # reports: what a day called for
Index("document_message", document.c.message_id)  # people: what a message became

rendition = Table(
    "rendition",
    metadata,
    Column("document_id", ForeignKey("document.id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("media_type", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("signed", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
Index("rendition_sha256", rendition.c.sha256)  # people: which paper bears this code?

signature = Table(
    "signature",
    metadata,
    Column("document_id", ForeignKey("document.id"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("number", Integer, primary_key=True),  # in the order in which they were made
    Column("task_id", String(36), nullable=True),
    Column("role", String(48), nullable=False),
    Column("holder", String(64), nullable=False),
    Column("account", String(64), nullable=False),
    Column("workstation", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),  # of the rendition with this signature and those before it
    Column("signer", Text, nullable=False),
    Column("certificate_sha256", String(64), nullable=False),
    Column("signed_at", BigInteger, nullable=False),
    Column("voided_at", BigInteger, nullable=True),
)
# register: what was signed with a certificate since it was revoked
Index("signature_certificate", signature.c.certificate_sha256, signature.c.signed_at)

signing_task = Table(
    "signing_task",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("document_id", ForeignKey("document.id"), nullable=False),
    Column("number", Integer, nullable=False),  # of the step
    Column("step", String(16), nullable=False),
    Column("role", String(48), nullable=False),
    Column("holder", String(64), nullable=False, server_default=""),  # none: whoever has the role
    Column("departments", Text, nullable=False, server_default=""),  # of the visit, one a line
    Column("optional", Boolean, nullable=False),
    Column("skippers", Text, nullable=False, server_default=""),  # roles, with a space between them
    Column("in_person", Boolean, nullable=False),
    Column("countersigns", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("lease_owner", String(64), nullable=False, server_default=""),
    Column("lease_until", BigInteger, nullable=False, server_default="0"),
    Column("ready_at", BigInteger, nullable=True),
    Column("deadline_at", BigInteger, nullable=False),
    Column("notice_at", BigInteger, nullable=True),  # when something is to be said next about the deadline
    Column("warned_at", BigInteger, nullable=True),
    Column("breached_at", BigInteger, nullable=True),
    Column("signed_at", BigInteger, nullable=True),
    Column("signer", String(64), nullable=False, server_default=""),  # who signed, refused or left it out
    Column("delegation", String(64), nullable=False, server_default=""),  # for whom
    Column("certificate_sha256", String(64), nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
)
"""One signature that a document needs, by the policy that was in force when it was composed."""
Index("signing_task_document", signing_task.c.document_id, signing_task.c.number)  # desk: what is next?
_open_task = text("state IN ('waiting', 'ready', 'claimed')")
# people: what waits for whom
Index("signing_task_open", signing_task.c.role, sqlite_where=_open_task, postgresql_where=_open_task)
# node: which deadline is near or past?
Index("signing_task_notice", signing_task.c.notice_at, sqlite_where=_open_task, postgresql_where=_open_task)

delivery = Table(
    "delivery",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("document_id", ForeignKey("document.id"), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("order_key", LargeBinary(16), nullable=False),
    Column("basis", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("accepted_at", BigInteger, nullable=True),
    Column("resent_at", BigInteger, nullable=True),  # by a person: patience begins anew
    Column("reference", Text, nullable=False, server_default=""),
    *work_columns(),
    Column("deadline_at", BigInteger, nullable=False, server_default="0"),  # 0: the document's
    Column("notice_at", BigInteger, nullable=True),  # when something is to be said next about the deadline
    Column("warned_at", BigInteger, nullable=True),
    Column("breached_at", BigInteger, nullable=True),
)
_queued = text("state IN ('queued', 'uncertain')")
_open = text("state IN ('pending', 'queued', 'claimed', 'sending', 'uncertain', 'held')")
# worker: what is due for a destination
Index("delivery_due", delivery.c.destination, delivery.c.due_at, sqlite_where=_queued, postgresql_where=_queued)
_uncertain = text("state = 'uncertain'")
# worker: what is the destination to be asked about?
Index(
    "delivery_uncertain",
    delivery.c.destination,
    delivery.c.due_at,
    sqlite_where=_uncertain,
    postgresql_where=_uncertain,
)
# worker: is an earlier delivery of the same key still open?
Index(
    "delivery_order",
    delivery.c.destination,
    delivery.c.order_key,
    delivery.c.id,
    sqlite_where=_open,
    postgresql_where=_open,
)
_leased = text("lease_owner <> ''")
# worker: how many are under way to a destination, and whose lease ran out?
Index("delivery_leased", delivery.c.destination, sqlite_where=_leased, postgresql_where=_leased)
Index("delivery_document", delivery.c.document_id)  # pipeline: release the deliveries of a signed document
_referred = text("reference <> ''")
# people: which delivery does the destination mean by its number?
Index("delivery_reference", delivery.c.reference, sqlite_where=_referred, postgresql_where=_referred)
# node: which deadline is near or past? people: what has not arrived of it?
_noticed = text("notice_at IS NOT NULL")
Index("delivery_notice", delivery.c.notice_at, sqlite_where=_noticed, postgresql_where=_noticed)
# people: the error queue
Index("delivery_wrong", delivery.c.id, sqlite_where=_wrong, postgresql_where=_wrong)

attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", ForeignKey("delivery.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("ended_at", BigInteger, nullable=False),
    Column(
        "event", String(16), nullable=False
    ),  # accept, retry, refuse, lose …: the row of the transition table it caused
    Column("fault_code", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("body", LargeBinary, nullable=True),  # the destination's answer, sealed: the receipt
)

destination = Table(
    "destination",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("failures", Integer, nullable=False, server_default="0"),  # transient, since it last answered
    Column("closed_until", BigInteger, nullable=False, server_default="0"),
    Column("started", Text, nullable=False, server_default=""),  # JSON: [second, requests] of the last minute
    Column("paused_at", BigInteger, nullable=True),
    Column("paused_by", String(64), nullable=False, server_default=""),
    Column("paused_reason", Text, nullable=False, server_default=""),
)
"""What all nodes know of a destination. Losing a row costs a few requests too many, except for a pause."""

action = Table(
    "action",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("verb", String(32), nullable=False),
    Column("target", String(64), nullable=False),
    Column("reason", Text, nullable=False),
)
"""What people, and the egress gate, did to messages, documents and deliveries, and why (S1.10)."""

holder = Table(
    "holder",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),  # person, organisation
    Column("code", String(64), nullable=False),  # of the staff; the organisation: MA_CSKCB
    Column("name", String(255), nullable=False),
    Column("roles", Text, nullable=False),  # in which it signs, with a space between them
    Column("department", String(255), nullable=False, server_default=""),
    Column("post", String(255), nullable=False, server_default=""),
    Column("title", String(255), nullable=False, server_default=""),
    Column("licence", String(64), nullable=False, server_default=""),
    Column("citizen_key", LargeBinary(16), nullable=True),  # HMAC of the personal number
    Column("private", LargeBinary, nullable=False),  # sealed JSON: citizen_id, email, phone
    Column("listed", Boolean, nullable=False),  # false: not in the newest whole list of the staff
    Column("commitment_on", String(10), nullable=False, server_default=""),
    Column("commitment_sha256", String(64), nullable=False, server_default=""),
    Column("commitment_reference", Text, nullable=False, server_default=""),
    Column("recorded_at", BigInteger, nullable=False),
    UniqueConstraint("code", name="holder_code"),  # people: who is this?
)
"""Who signs: people of the staff, and the organisation, whose certificate is its seal."""

certificate = Table(
    "certificate",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("holder_id", ForeignKey("holder.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_since", BigInteger, nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    Column("replaces_id", String(36), nullable=True),
    Column("device_kind", String(16), nullable=False, server_default=""),
    Column("device_serial", String(64), nullable=False, server_default=""),
    Column("provider", String(255), nullable=False, server_default=""),
    Column("key_kind", String(16), nullable=False, server_default=""),
    Column("key_name", String(64), nullable=False, server_default=""),
    Column("serial", String(64), nullable=False, server_default=""),
    Column("issuer", Text, nullable=False, server_default=""),
    Column("sha256", String(64), nullable=True),
    Column("not_before", BigInteger, nullable=True),
    Column("not_after", BigInteger, nullable=True),
    Column("der", LargeBinary, nullable=True),
    Column("handed_over_on", String(10), nullable=False, server_default=""),
    Column("received_by", String(255), nullable=False, server_default=""),
    Column("handed_by", String(255), nullable=False, server_default=""),
    Column("revoked_at", BigInteger, nullable=True),
    Column("proposal", Text, nullable=False, server_default=""),  # why somebody should revoke it
    UniqueConstraint("sha256", name="certificate_sha256"),  # desk: may this certificate sign?
)
"""`key_kind` and `key_name` say which provider and settings sign with it; the key itself is never here."""
Index("certificate_holder", certificate.c.holder_id)  # people: the certificates of a holder
_living = text("state IN ('issued', 'handed_over', 'active', 'suspended')")
# every day: whose end is near or past
Index("certificate_ending", certificate.c.not_after, sqlite_where=_living, postgresql_where=_living)

certificate_event = Table(
    "certificate_event",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("holder_id", ForeignKey("holder.id"), nullable=False),
    Column("certificate_id", ForeignKey("certificate.id"), nullable=True),
    Column("at", BigInteger, nullable=False),
    Column("effective_at", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("event", String(16), nullable=False),
    Column("state", String(16), nullable=False, server_default=""),  # that it led to; none when it changed none
    Column("reason", Text, nullable=False),
    Column("facts", Text, nullable=False),  # JSON, no personal numbers
)
"""What was done to holders and certificates, by whom and why. Rows are never changed or deleted."""
Index("certificate_event_certificate", certificate_event.c.certificate_id)  # what state was it in then?
Index("certificate_event_holder", certificate_event.c.holder_id)  # people: all about a holder

certificate_incident = Table(
    "certificate_incident",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("certificate_id", ForeignKey("certificate.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("closed_at", BigInteger, nullable=True),
    Column("closed_by", String(64), nullable=False, server_default=""),
    Column("outcome", Text, nullable=False, server_default=""),
)
"""PIN forgotten, locked, lost, exposed, damaged, other: what happened, and how it ended."""
Index("certificate_incident_certificate", certificate_incident.c.certificate_id)  # is one open?

certificate_notice = Table(
    "certificate_notice",
    metadata,
    Column("certificate_id", ForeignKey("certificate.id"), primary_key=True),
    Column("days", Integer, primary_key=True),
    Column("recipient", String(16), primary_key=True),  # holder, it
    Column("at", BigInteger, nullable=False),
)
"""Which notice of an expiry went to whom: each goes once."""
