"""Rows of every table with made-up content, for properties: each field in its form and size, some empty, none about anybody."""

from __future__ import annotations

import random

from mappings.bhyt.tables import Field, Table, code_list

_WORDS = (
    *("viêm", "phổi;", "sốt", "<", "39°C", "&", "ho", '"đau"', "'ngực'", "]]>"),
    *("Nguyễn", "Mẫu\nxuống", "dòng", "2 viên/lần", "*", "lần/ngày"),
)


def value(field: Field, chance: random.Random) -> str:
    """Give a value in the form of a field."""
    codes = code_list(field.codes) if field.codes else None
    if codes:
        return chance.choice([one.code for one in codes])
    if field.type in ("date", "datetime"):
        day = f"20{chance.randint(20, 26)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
        return day if field.type == "date" else f"{day}{chance.randint(0, 23):02}{chance.randint(0, 59):02}"
    size = field.size or 60
    if field.type == "number":
        digits = str(chance.randint(0, 10 ** min(size, 7) - 1))
        return digits if size < 10 or chance.random() < 0.7 else f"{digits}.{chance.randint(0, 99):02}"
    if field.is_text:
        return " ".join(chance.choice(_WORDS) for _ in range(chance.randint(1, 9)))[:size].strip()
    return "".join(chance.choice("0123456789ABCDEFGHK.") for _ in range(chance.randint(1, min(size, 15))))


def row(known: Table, chance: random.Random, number: int = 1, *, filled: float = 0.7) -> dict[str, str]:
    """Give a row; MA_LK and STT are what they have to be."""
    made = {field.name: value(field, chance) for field in known.fields if chance.random() < filled}
    fixed = {"MA_LK": "LK-001", "STT": str(number)}
    return made | {name: text for name, text in fixed.items() if any(field.name == name for field in known.fields)}


def rows(known: Table, chance: random.Random, *, filled: float = 0.7) -> list[dict[str, str]]:
    """Give one row, or up to five where the table is a list."""
    return [
        row(known, chance, number, filled=filled)
        for number in range(1, chance.randint(1, 5) + 1 if known.has_list else 2)
    ]
