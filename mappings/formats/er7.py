"""Read HL7 v2 messages in ER7 encoding, lazily, on bytes, keeping the position of everything.

Splitting happens when a field is asked for; nothing is decoded before. Does not validate against message structures, does not
map, does not write whole messages (acknowledgements are written by `mappings/hl7v2/ack.py` with `escape`).

Standard: HL7 v2.5.1 §2.5–2.7, §2.10.
"""

from __future__ import annotations

# API (to be implemented here; signatures are agreed with the mappings and the gateway):
#
# NULL: a str subclass singleton equal to '""'?  -> see Null below
#
# class Delimiters: field, component, repetition, escape, subcomponent, truncation (each a 1-byte bytes; escape/subcomponent may be b"")
#
# class Message:
#     raw: bytes
#     delimiters: Delimiters
#     charset: str                    python codec name in force
#     segments: list[Segment]         in order; the split is done once
#     @classmethod
#     def parse(cls, raw: bytes, charset: str = "auto") -> Message
#         charset: "auto" = MSH-18 first repetition, absent -> utf-8; anything else = python codec name or one of
#         "tcvn3", "vni", "viqr" (the channel's override). Raises EmptyMessage, HeaderMissing, DelimitersInvalid,
#         CharsetMismatch (undecodable bytes; where = "byte N"), SegmentInvalid.
#     def first(self, name: str) -> Segment | None
#     def all(self, name: str) -> list[Segment]
#     def value(self, position: str) -> str | None     "PID-3.1", "PID-3[2].1", "OBX[2]-5.1.2"; None = absent/empty; '""' null -> NULL
#     notices: list[tuple[int code, str where, str detail]]   warnings such as legacy encoding suspected (see charsets)
#
# class Segment:
#     name: str; number: int (1-based line in message); occurrence: int (1-based among same name)
#     def __getitem__(self, n: int) -> Field             field n, 1-based as in the standard (MSH-1, MSH-2 included)
#     def __len__(self) -> int                           highest populated field number
#     def position(self) -> str                          "OBX[2]" (occurrence only when > 1), used to build positions
#     def populated(self) -> Iterator[int]               numbers of populated fields (null counts as populated)
#
# class Field:
#     text: str          first repetition, first component, first subcomponent, unescaped; "" when absent; NULL-aware
#     raw: bytes         undecoded bytes of the whole field
#     is_null: bool      the whole field is '""'
#     __bool__           populated and not null
#     repetitions: list[Repetition]    (empty list when absent or null)
#     c(n, s=1) -> str   component n, subcomponent s of the first repetition, unescaped, "" when absent or null
#
# class Repetition:
#     c(n, s=1) -> str
#     components -> int count
#     raw: bytes
#
# def unescape(data: bytes, delimiters, charset) -> str ; def escape(text: str, delimiters=DEFAULT) -> str
# def split_batch(raw: bytes) -> list[bytes]     FHS/BHS/BTS/FTS removed; a single message gives [raw]
# def header(raw: bytes) -> Header               what could be read of MSH even in rubbish: never raises; every field optional
#     Header: delimiters, sending_application, sending_facility, receiving_application, receiving_facility, type, trigger,
#             structure, control_id, processing_id, version, accept_ack (MSH-15), application_ack (MSH-16), charset (MSH-18) as str
