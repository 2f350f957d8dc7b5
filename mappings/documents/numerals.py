"""Write numbers in Vietnamese words, as papers want dates and amounts beside the figures."""

from __future__ import annotations

_DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_SCALES = ("", " nghìn", " triệu", " tỷ")


def in_words(number: int) -> str:
    """Write a number of nought and more: `hai nghìn không trăm hai mươi sáu`."""
    groups = []
    while number:
        number, group = divmod(number, 1000)
        groups.append(group)
    words: list[str] = []
    for scale in reversed(range(len(groups))):
        if groups[scale]:
            words.append(_group(groups[scale], full=bool(words)) + _scale(scale))
    return " ".join(words) or _DIGITS[0]


def _scale(power: int) -> str:
    """Name the power of a thousand; beyond a billion the words repeat."""
    return _SCALES[power % 3] + " tỷ" * (power // 3) if power >= len(_SCALES) else _SCALES[power]


def _group(number: int, full: bool) -> str:
    """Write up to three digits; `full`: something stands before them, so the hundreds are named even when nought."""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    words = [_DIGITS[hundreds], "trăm"] if hundreds or full else []
    if tens == 1:
        words.append("mười")
    elif tens:
        words += [_DIGITS[tens], "mươi"]
    elif words and ones:
        words.append("linh")
    if ones == 1 and tens > 1:
        words.append("mốt")
    elif ones == 5 and tens:
        words.append("lăm")
    elif ones:
        words.append(_DIGITS[ones])
    return " ".join(words)


def day_in_words(year: int, month: int, day: int) -> str:
    """Write `ngày mười một tháng tư năm hai nghìn không trăm hai mươi sáu`."""
    named = "tư" if month == 4 else in_words(month)
    return f"ngày {in_words(day)} tháng {named} năm {in_words(year)}"
