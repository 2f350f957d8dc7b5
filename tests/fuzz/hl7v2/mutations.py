"""Spoil messages the way networks, interfaces and people do; the same random numbers spoil them the same way."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Lines = list[list[bytes]]
"""Segments as their fields; MSH-2 is at 1."""

HOSTILE = [
    b"", b'""', b"^", b"&", b"~", b"^^^^^^^^^", b"&&&", b"~~~x", b'""^""', b'x~""', b"a^b&c~d", b"a&b&c&d^e&f", b"|", b"0",
    b"-1",
    b"NaN", b"1e5", b"1E999", b".5", b"5.", b"<5", b">=^5", b"^5^-^6", b"9" * 30, b"9" * 400, b"20261332", b"20260230",
    b"99991231235959", b"00000000", b"20260101000000+9999", b"20260101^20250101", b"2026", b" ", b"\t", b"\\", b"\\X",
    b"\\XZZ\\",
    b"\\X00\\", b"\\.br\\", b"\\.sp9999\\", b"\\H\\x", b"\\C2842\\", b"\\E\\F\\E\\", b"\x00", b"\x0b\x1c", b"\x7f",
    b"\xff", b"\xe1\xbb",
    "\u2003".encode(), "e\u0302\u0303".encode(), "\u202e\u200b\ufeff".encode(), "\U0001f9ec".encode(), b"http://x y",
    b"^^&urn:uuid:x&URI", b"^application^PDF^Base64^@", b"^application^PDF^Base64^" + b"QUJD" * 50, b"<script>&lt;", b"A" * 300,
    b"A" * 5000, b"079201234567", b"1^2^3^4^5^6^20260101^20250101", b"F", b"Y", b"P", b"A01", b"ADT^A40",
]  # fmt: skip


def _place(rng: Random, lines: Lines) -> tuple[list[bytes], int]:
    fields = rng.choice(lines)
    return fields, rng.randrange(1, max(2, min(len(fields) + rng.randrange(3), 60)))


def _put(fields: list[bytes], n: int, value: bytes) -> None:
    fields += [b""] * (n + 1 - len(fields))
    fields[n] = value


def hostile_value(rng: Random, lines: Lines) -> None:
    _put(*_place(rng, lines), rng.choice(HOSTILE))


def hostile_part(rng: Random, lines: Lines) -> None:
    fields, n = _place(rng, lines)
    parts = (fields[n] if n < len(fields) else b"").split(b"^")
    parts[rng.randrange(len(parts))] = rng.choice(HOSTILE)
    _put(fields, n, b"^".join(parts))


def null_everywhere(rng: Random, lines: Lines) -> None:
    share = rng.random()
    for fields in lines:
        for n in range(1, len(fields)):
            if (fields[0] != b"MSH" or n > 11) and rng.random() < share:
                fields[n] = rng.choice([b'""', b'""^""', b'""~""'])


def swap_fields(rng: Random, lines: Lines) -> None:
    fields = rng.choice(lines)
    if len(fields) > 2:
        a, b = rng.randrange(1, len(fields)), rng.randrange(1, len(fields))
        fields[a], fields[b] = fields[b], fields[a]


def move_a_value(rng: Random, lines: Lines) -> None:
    fields, n = _place(rng, lines)
    others, m = _place(rng, lines)
    _put(fields, n, others[m] if m < len(others) else b"")


def shift_fields(rng: Random, lines: Lines) -> None:
    fields, n = _place(rng, lines)
    if rng.random() < 0.5:
        fields.insert(n, b"")
    else:
        del fields[n : n + 1]


def repeat_a_field(rng: Random, lines: Lines) -> None:
    fields, n = _place(rng, lines)
    value = fields[n] if n < len(fields) else b"x"
    _put(fields, n, b"~".join([value] * rng.choice([2, 3, 50, 400])))


def repeat_a_component(rng: Random, lines: Lines) -> None:
    fields, n = _place(rng, lines)
    value = fields[n] if n < len(fields) else b"x"
    _put(fields, n, rng.choice([b"^", b"&"]).join([value] * rng.choice([2, 9, 200])))


def delete_a_segment(rng: Random, lines: Lines) -> None:
    if len(lines) > 1:
        del lines[rng.randrange(1, len(lines))]


def repeat_a_segment(rng: Random, lines: Lines) -> None:
    at = rng.randrange(len(lines))
    for _ in range(rng.choice([1, 1, 2, 40])):
        lines.insert(at + 1, list(lines[at]))


def shuffle_segments(rng: Random, lines: Lines) -> None:
    body = lines[1:]
    rng.shuffle(body)
    lines[1:] = body


def rename_a_segment(rng: Random, lines: Lines) -> None:
    if len(lines) > 1:
        names = [line[0] for line in lines[1:]] + [
            b"NTE",
            b"OBX",
            b"OBR",
            b"PRT",
            b"ZZZ",
            b"PV1",
            b"NK1",
            b"SPM",
            b"TQ1",
        ]
        lines[rng.randrange(1, len(lines))][0] = rng.choice(names)


def truncate_a_segment(rng: Random, lines: Lines) -> None:
    fields, n = _place(rng, lines)
    del fields[n:]


STRUCTURE: list[Callable[[Random, Lines], None]] = [
    hostile_value, hostile_value, hostile_value, hostile_part, hostile_part, null_everywhere, swap_fields, move_a_value,
    shift_fields, repeat_a_field, repeat_a_component, delete_a_segment, repeat_a_segment, shuffle_segments, rename_a_segment,
    truncate_a_segment,
]  # fmt: skip


def flip_bytes(rng: Random, raw: bytes) -> bytes:
    spoilt = bytearray(raw)
    for _ in range(rng.choice([1, 1, 3, 20])):
        spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    return bytes(spoilt)


def cut_short(rng: Random, raw: bytes) -> bytes:
    return raw[: rng.randrange(1, len(raw))]


def change_delimiters(rng: Random, raw: bytes) -> bytes:
    marks = rng.sample(b"!#$%*+,-./:;<=>?@[]_`{|}^~\\&", 5)
    return raw.translate(bytes.maketrans(b"|^~\\&", bytes(marks)))


def lose_a_delimiter(rng: Random, raw: bytes) -> bytes:
    return raw.replace(b"|^~\\&|", b"|" + b"^~\\&"[: rng.randrange(5)] + b"|", 1)


def break_escapes(rng: Random, raw: bytes) -> bytes:
    return raw.replace(rng.choice([b" ", b"e", b"\\"]), rng.choice([b"\\", b"\\X", b"\\T\\", b"\\.", b"\\E"]))


def other_line_ends(rng: Random, raw: bytes) -> bytes:
    return raw.replace(b"\r", rng.choice([b"\n", b"\r\n", b"\r\r", b"\n\r", b""]))


def wrong_charset(rng: Random, raw: bytes) -> bytes:
    text = raw.decode("utf-8", "replace")
    return text.encode(rng.choice(["latin-1", "cp1258", "utf-16", "utf-16-be", "gb18030", "utf-8-sig"]), "replace")


def other_declaration(rng: Random, raw: bytes) -> bytes:
    return raw.replace(
        b"UNICODE UTF-8", rng.choice([b"8859/1", b"ASCII", b"GB 18030-2000", b"ISO IR87", b"VIQR", b"TCVN3", b"?"]), 1
    )


BYTES: list[Callable[[Random, bytes], bytes]] = [
    flip_bytes, flip_bytes, cut_short, change_delimiters, lose_a_delimiter, break_escapes, other_line_ends, wrong_charset,
    other_declaration,
]  # fmt: skip

_MOST = 400_000


def mutated(rng: Random, raw: bytes) -> bytes:
    """Spoil one message in one to six ways."""
    lines = [line.split(b"|") for line in raw.replace(b"\r\n", b"\r").replace(b"\n", b"\r").split(b"\r") if line]
    for _ in range(rng.choice([0, 1, 1, 2, 3, 5])):
        rng.choice(STRUCTURE)(rng, lines)
        if sum(sum(map(len, fields)) for fields in lines) > _MOST:
            break
    made = b"\r".join(b"|".join(fields) for fields in lines)
    if rng.random() < 0.4:
        made = rng.choice(BYTES)(rng, made or b"MSH")
    return made[:_MOST]
