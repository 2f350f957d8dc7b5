"""Turn HL7 v2 messages into FHIR R4 resources with an account of every field.

Pure: no clock, no store, no network; the same message gives the same resources. Times without an offset are read in the zone of
the context. Does not check the message against the structures of the standard: what is there is mapped, in whatever order it
came, each thing with what it follows.

Shelves: `messages/` (one module per family of messages), `segments/` (one per segment), the code tables of `mappings/codes`.
Beside them:

- the message being mapped: `context`, `reader` (each field and what became of it), `draft` (what was made), `header`,
  `acknowledgement` (MSA and ERR in it), `targets`, `leftovers`, `bundle`, `site` (a hospital's own functions), `faults`
- data types: `datatypes` (what they share), `codings`, `shared_codes`, `quantities`, `ranges`, `money`, `timing`, `names`,
  `addresses`, `administrative_units`, `identifiers`, `actors`, `places`, `values` (OBX-5), `attachments`, `formatted`
- a person and a visit: `visit` (what nearly every message begins with), `events` (what ADT does to it), `details` (diagnoses,
  insurance …), `participation`, `occupations`, `insurance_card`, `enclosed` (documents in OBX)
- orders and results: `parts` (one patient after the other), `orders` (the walk), `order`, `requests`, `links`, `order_people`,
  `vital_signs`, `objects_named` (numbers of DICOM objects in OBX)
- medicines: `pharmacy` (the walk), `medicine_orders` (their ORC), `encoded_order` (RXO beside RXE), `medicines`, `dosage`,
  `dispense_requests`, `vaccination` (the walk of vaccinations)
- the rest of a hospital: `scheduling`, `finance`, `accounts`, `cost_groups`, `staff`, `actions` (problems, goals, pathways)
- the way back: `ack`, `query` (read a question), `answer`, `answer_segments`, `fields` (FHIR data types as fields),
  `card_query` (questions about insurance cards)
- looking for a message: `business_keys` (the numbers people know it by)
"""

from __future__ import annotations

from mappings import codes
from mappings.fhir import tables, vocabulary
from mappings.formats import er7
from mappings.hl7v2 import segments
from mappings.hl7v2.acknowledgement import take_what_is_left
from mappings.hl7v2.bundle import outcome_to_bundle
from mappings.hl7v2.context import Context
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.faults import UnsupportedMessage
from mappings.hl7v2.header import close_message, open_header
from mappings.hl7v2.messages import mapper_of, mappers
from mappings.outcome import Outcome

__all__ = ["Context", "known", "map_message", "mappers", "outcome_to_bundle", "preload", "trigger_of"]

_EVENTS = {"ACK": "", "MCF": "", "ORU": "R01", "ORM": "O01", "ORR": "O02", "VXU": "V04", "VXQ": "V01", "VXR": "V03"}
"""The event of types that had only one when messages did not name it. Standard: HL7 v2.2 table 0003"""


def preload() -> None:
    """Read every mapping, code table and vocabulary now, so that no message waits for a file."""
    mappers()
    segments.preload()
    codes.preload()
    vocabulary.systems()
    tables.load()


def known(trigger: str) -> bool:
    """Tell whether a trigger such as `ADT^A01` can be mapped."""
    return mapper_of(trigger) is not None


def trigger_of(message: er7.Message) -> str:
    """Give `type^event` from MSH-9.

    When MSH-9 has only the type: the event from EVN-1, from the structure that some write there (`ORU_R01`), or the only one
    that the type had.
    """
    kind, _, structure = (message.value("MSH-9.1") or "").strip().upper().partition("_")
    event = message.value("MSH-9.2") or message.value("EVN-1") or structure or _EVENTS.get(kind, "")
    event = event.strip().upper()
    return f"{kind}^{event}".strip("^")


def map_message(message: er7.Message, context: Context) -> Outcome:
    """Map one message.

    Raises `UnsupportedMessage`, `MissingSegment`, `TwoPatients`, `MissingField`; nothing else, whatever the message holds.

    Requirement: S1.1, S2.9, S2.10
    """
    trigger = trigger_of(message)
    mapper = mapper_of(trigger)
    if mapper is None:
        raise UnsupportedMessage("MSH-9", trigger if trigger.replace("^", "").isalnum() and len(trigger) < 12 else "")
    draft = Draft(message, context, trigger)
    open_header(draft)
    mapper(draft)
    take_what_is_left(draft)
    close_message(draft)
    return draft.outcome()
