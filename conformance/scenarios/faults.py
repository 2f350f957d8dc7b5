"""Add to a good day what goes wrong on real days: repeats, wrong charset, cut messages, reused ids, strangers."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

from conformance.scenarios import messages
from conformance.scenarios.clinic import doctors
from conformance.scenarios.event import Event

_TONES = "\u0300\u0301\u0303\u0309\u0323"
_REPEATED = ("ORU^R01", "ADT^A03", "ADT^A08")


def spoil(events: Sequence[Event], rng: Random) -> list[Event]:
    """Return the day with its faults, in time order; each stands within a minute after the message it was made from."""
    plain = [event for event in events if event.ack == "AA"]
    victims = [event for event in plain if event.label == "ADT^A08"]
    registrations = [event for event in plain if event.label == "ADT^A04"]
    victims += registrations[: max(0, 5 - len(victims))]
    charset, cut, strange, reused, reminder = rng.sample(victims, 5)
    added = [_repeated(rng, events, label) for label in _REPEATED]
    added += [_wrong_charset(charset), _cut(cut), _unknown_segment(strange), _reused_id(reused), _unaccepted(reminder)]
    return sorted([*events, *added], key=lambda event: event.at)


def _repeated(rng: Random, events: Sequence[Event], label: str) -> Event:
    original = rng.choice([event for event in events if event.label == label])
    return replace(
        original, at=original.at + timedelta(seconds=40), expect="duplicate", papers=(), note="the same bytes again"
    )


def _variant(original: Event, suffix: str, seconds: int) -> tuple[Event, str]:
    """A copy with a control id of its own, and its text for further change."""
    control_id = original.control_id + suffix
    text = original.raw.decode().replace(original.control_id, control_id, 1)
    changed = replace(
        original,
        at=original.at + timedelta(seconds=seconds),
        control_id=control_id,
        raw=text.encode(),
        papers=(),
    )
    return changed, text


def _wrong_charset(original: Event) -> Event:
    event, text = _variant(original, "C", 20)
    note = "declares UNICODE UTF-8, bytes are Windows-1258"
    return replace(event, raw=cp1258(text), expect="refused", ack="AE", note=note)


def _cut(original: Event) -> Event:
    """A complete frame whose content stops in the middle of EVN: a valid header and no PID."""
    event, text = _variant(original, "T", 25)
    middle = text.index("\rEVN|") + len("\rEVN|A08|20261")
    return replace(
        event, raw=text[:middle].encode(), expect="error_queue", note="cut inside EVN, so that PID is missing"
    )


def _unknown_segment(original: Event) -> Event:
    event, text = _variant(original, "Z", 30)
    raw = f"{text}ZBV|1|K01^Phòng 105|Ưu tiên^Người cao tuổi||Đã nộp tạm ứng\r".encode()
    return replace(event, raw=raw, note="unknown segment ZBV: taken, its fields shown as unknown")


def _reused_id(original: Event) -> Event:
    raw = original.raw.decode().replace("\rPV2|||^", "\rPV2|||^Bổ sung: ", 1).encode()
    return replace(
        original,
        at=original.at + timedelta(seconds=35),
        raw=raw,
        expect="refused",
        ack="AE",
        papers=(),
        note="control id of the message before, another body",
    )


def _unaccepted(original: Event) -> Event:
    at = original.at + timedelta(seconds=45)
    control_id = original.control_id + "M"
    body = messages.unaccepted(doctors("K01")[0], at)
    return Event(
        at=at,
        stream="his",
        raw=messages.message("his", body, at, control_id),
        label=body.label,
        expect="refused",
        ack="AR",
        note="message type no channel accepts",
        control_id=control_id,
        patients=(),
    )


def cp1258(text: str) -> bytes:
    """Encode as Windows-1258 does: tone marks as characters of their own, and `?` for what it lacks, such as ŭ."""
    written = []
    for char in unicodedata.normalize("NFC", text):
        parts = unicodedata.normalize("NFD", char)
        tone = "".join(part for part in parts if part in _TONES)
        letter = unicodedata.normalize("NFC", "".join(part for part in parts if part not in _TONES))
        written.append(letter + tone)
    return "".join(written).encode("cp1258", "replace")
