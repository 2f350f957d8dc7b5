"""One planted error for each rule."""

from __future__ import annotations

from tests.unit.bhyt.planted_papers import CHECK_IN, LEAVE, PAPERS, PRESENCE, PROGRAMMES, RESULTS, RUNS
from tests.unit.bhyt.planted_record import CARD, CODES, DATES, DISEASES, FORM, IDENTITY
from tests.unit.bhyt.planted_rows import DRUGS, MONEY, SERVICES

PLANTED = [
    *(*FORM, *CODES, *CARD, *IDENTITY, *DATES, *DISEASES, *MONEY, *DRUGS, *SERVICES, *CHECK_IN, *PRESENCE),
    *(*RESULTS, *PROGRAMMES, *PAPERS, *LEAVE, *RUNS),
]
