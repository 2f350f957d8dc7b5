"""The tables of DICOM objects (which are files: `objects.py`), their studies and the worklist, beside those of `schema.py`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, text

from gateway.store.schema import metadata

study = Table(
    "study",
    metadata,
    Column("uid", String(64), primary_key=True),
    Column("channel", String(64), nullable=False),
    Column("calling", String(64), nullable=False),
    Column("order_key", LargeBinary(16), nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("instances", Integer, nullable=False),
    Column("told", Integer, nullable=False, server_default="0"),  # instances in its newest message
    Column("version", Integer, nullable=False, server_default="0"),
    Column("message_id", ForeignKey("message.id"), nullable=True),  # its newest message
    Column("assigned", LargeBinary, nullable=True),  # sealed: the number of the person it was moved to by a person
    Column("due_at", BigInteger, nullable=True),  # when it counts as complete; none: nothing came since it was told
    Column("expected", Integer, nullable=True),  # how many objects its procedure steps made; none: nobody said
    Column("pruned_at", BigInteger, nullable=True),  # when a person had the files of its objects removed
)
_due = text("due_at IS NOT NULL")
# collector: which studies are complete now?
Index("study_due", study.c.due_at, sqlite_where=_due, postgresql_where=_due)
# people: the newest studies
Index("study_newest", study.c.last_at, study.c.uid)

instance = Table(
    "instance",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("sop_instance", String(64), nullable=False),
    Column("sop_class", String(64), nullable=False),
    Column("study_uid", String(64), nullable=False, server_default=""),
    Column("series_uid", String(64), nullable=False, server_default=""),
    Column("transfer_syntax", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("peer", String(64), nullable=False),
    Column("calling", String(64), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # kept, quarantined; pruning, pruned: its file goes, is gone
    Column("fault_code", Integer, nullable=False, server_default="0"),
    Column("fault_where", Text, nullable=False, server_default=""),
    Column("fault_detail", Text, nullable=False, server_default=""),
)
_kept = text("state = 'kept'")
# intake: was this object taken before? Of one UID one object is kept, whatever else came under it
Index("instance_sop", instance.c.sop_instance, unique=True, sqlite_where=_kept, postgresql_where=_kept)
# collector: everything of a study
Index("instance_study", instance.c.study_uid, instance.c.id, sqlite_where=_kept, postgresql_where=_kept)
_gone = text("state IN ('pruning', 'pruned')")
# collector: what of a study has no file any more
Index("instance_gone", instance.c.study_uid, instance.c.id, sqlite_where=_gone, postgresql_where=_gone)
_going = text("state = 'pruning'")
# people: which files are still to be removed
Index("instance_going", instance.c.id, sqlite_where=_going, postgresql_where=_going)
_aside = text("state = 'quarantined'")
# people: what lies in quarantine
Index("instance_aside", instance.c.id, sqlite_where=_aside, postgresql_where=_aside)

instance_header = Table(
    "instance_header",
    metadata,
    Column("instance_id", ForeignKey("instance.id"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""The beginning of an object up to its pixels, as it came, sealed: what is mapped, without opening large files again."""

procedure_step = Table(
    "procedure_step",
    metadata,
    Column("sop_instance", String(64), primary_key=True),
    Column("study_uid", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("calling", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # states.PROCEDURE_STEP
    Column("instances", Integer, nullable=True),  # objects that it made; none: it goes on, or does not say
    Column("begun_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    Column("begun_key", LargeBinary(16), nullable=False),  # of what it began with: the same again is a repeat
    Column("last_key", LargeBinary(16), nullable=False),  # of what was said last
    Column("body", LargeBinary, nullable=False),  # sealed: its attributes in the DICOM JSON Model
)
# studies: how many objects are expected?
Index("procedure_step_study", procedure_step.c.study_uid)

commitment = Table(
    "commitment",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("channel", String(64), nullable=False),
    Column("calling", String(64), nullable=False),
    Column("transaction_uid", String(64), nullable=False),
    Column("key", LargeBinary(16), nullable=False),  # of what was asked: the same again is a repeat
    Column("objects", Integer, nullable=False),
    Column("missing", Integer, nullable=True),  # as the report said that the device took
    Column("asked_at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),  # when it is given up
    Column("due_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("state", String(16), nullable=False),  # states.COMMITMENT
    Column("fault_code", Integer, nullable=False, server_default="0"),
    Column("fault_where", Text, nullable=False, server_default=""),
    Column("fault_detail", Text, nullable=False, server_default=""),
    Column(
        "body", LargeBinary, nullable=False
    ),  # sealed: class and instance of each object; empty once the device knows
)
_owed = text("state = 'owed'")
# sources: which reports are due?
Index("commitment_due", commitment.c.channel, commitment.c.due_at, sqlite_where=_owed, postgresql_where=_owed)
# intake: was this asked before?
Index("commitment_asked", commitment.c.channel, commitment.c.calling, commitment.c.transaction_uid, unique=True)
_unheard = text("state = 'error'")
# people: what was given up
Index("commitment_wrong", commitment.c.id, sqlite_where=_unheard, postgresql_where=_unheard)

worklist = Table(
    "worklist",
    metadata,
    Column(
        "order_id", String(64), primary_key=True
    ),  # of the ServiceRequest; of a study whose order nobody told its own
    Column("patient_id", String(64), nullable=False),  # of the Patient that survived all merges
    Column("patient_key", LargeBinary(16), nullable=False),  # of the number that a device asks for
    Column("accession_key", LargeBinary(16), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("day", String(8), nullable=False),  # YYYYMMDD, at the hospital
    Column("status", String(16), nullable=False),  # of the order (FHIR request-status); empty: nobody told of it yet
    Column("done_at", BigInteger, nullable=True),  # when its study came
    Column("message_id", ForeignKey("message.id"), nullable=False),  # the newest that changed it
    Column("body", LargeBinary, nullable=False),  # sealed: its item in the DICOM JSON Model
)
_open = text("status = 'active' AND done_at IS NULL")
# devices: what is to be done from one day to another
Index("worklist_day", worklist.c.day, worklist.c.order_id, sqlite_where=_open, postgresql_where=_open)
# devices: what is to be done for a person; pipeline: which entries does a message about a person concern?
Index("worklist_number", worklist.c.patient_key, sqlite_where=_open, postgresql_where=_open)
Index("worklist_patient", worklist.c.patient_id, sqlite_where=_open, postgresql_where=_open)
# studies: whose order is this?
Index("worklist_accession", worklist.c.accession_key)
Index("worklist_study", worklist.c.study_uid)
