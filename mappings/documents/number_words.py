"""Write whole numbers in Vietnamese words, as quantities of narcotics are written: 25 → `hai mươi lăm`."""

from __future__ import annotations

from decimal import Decimal

_DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_THOUSANDS = ("", "nghìn", "triệu", "tỷ")
_LIMIT = 10**12


def words(number: int) -> str:
    """Give the words of a whole number from 0 below a thousand thousand million; `""` for any other."""
    if not 0 <= number < _LIMIT:
        return ""
    if number == 0:
        return _DIGITS[0]
    groups = []
    rest = number
    while rest:
        rest, group = divmod(rest, 1000)
        groups.append(group)
    said = []
    for power in range(len(groups) - 1, -1, -1):
        if groups[power]:
            said += [_hundreds(groups[power], power < len(groups) - 1), _THOUSANDS[power]]
    return " ".join(part for part in said if part)


def _hundreds(number: int, is_inner: bool) -> str:
    """Write up to 999; inside a longer number the hundreds are said even when there are none."""
    hundred, rest = divmod(number, 100)
    ten, one = divmod(rest, 10)
    said = [f"{_DIGITS[hundred]} trăm"] if hundred or is_inner else []
    if ten == 0 and one:
        said += ["linh"] if said else []
        said.append(_DIGITS[one])
    elif ten == 1:
        said += ["mười", *([_unit(one)] if one else [])]
    elif ten:
        said += [f"{_DIGITS[ten]} mươi", *([("mốt" if one == 1 else _unit(one))] if one else [])]
    return " ".join(said)


def _unit(one: int) -> str:
    return "lăm" if one == 5 else _DIGITS[one]


def amount_words(value: Decimal) -> str:
    """Give the words of an amount, the first letter a capital; the digits after the comma are said one by one."""
    text = format(value.normalize(), "f") if value == value.to_integral_value() else format(value, "f").rstrip("0")
    whole, _, part = text.partition(".")
    said = words(int(whole)) if whole.isdigit() else ""
    if said and part:
        said = " ".join([said, "phẩy", *(_DIGITS[int(digit)] for digit in part)])
    return said.capitalize()
