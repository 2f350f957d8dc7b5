"""Check the tables of a visit as the insurance portal and its assessment would, before they are sent.

One rule is one function with its id, source, time in force and severity (`core.rule`); its texts are data. Rules come by
subject, one module each. They say where something is wrong and of which class the value is, never the value. Does not read
files, correct anything, or know what the portal answered.

Standard: QĐ 130, QĐ 4750, QĐ 3176 and QĐ 1931/QĐ-BYT with the checks of the portal sheet and the block errors; second-hand
"""

from __future__ import annotations

from mappings.bhyt.rules import (  # noqa: F401  # their functions enter themselves
    beds,
    card,
    catalogue,
    checkin,
    codes,
    dates,
    diseases,
    drugs,
    equality,
    form_rules,
    identity,
    leave,
    money_rows,
    money_sums,
    papers,
    presence,
    programmes,
    results,
    services,
)
from mappings.bhyt.rules.checker import Checker, check_visit, not_run
from mappings.bhyt.rules.core import RULES, Finding, Rule
from mappings.bhyt.rules.duplicates import Earlier, key_of
from mappings.bhyt.rules.settings import DEFAULT, Settings

__all__ = ["DEFAULT", "RULES", "Checker", "Earlier", "Finding", "Rule", "Settings", "check_visit", "key_of", "not_run"]
