"""Messages about medicines, vaccinations and queries take time in proportion to their length."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.hl7v2.test_growth import HEAD, MOST, PID, growth, reading_and_mapping

RDE, RAS = HEAD.format("RDE^O11^RDE_O11") + PID, HEAD.format("RAS^O17^RAS_O17") + PID
VXU, RSP = HEAD.format("VXU^V04^VXU_V04") + PID, HEAD.format("RSP^K22^RSP_K22")
RXE = "RXE||A{}^Thuốc^L|1||viên\r"
RXA = "RXA|0|{}|20261125||A^Thuốc^L|1|viên\r"
VACCINE = "RXA|0|1|20260310||03^MMR^CVX|0.5|mL\r"

LONGER: dict[str, Callable[[int], str]] = {
    "medicines": lambda n: RDE + "".join(f"ORC|NW|TH{i}\r" + RXE.format(i) for i in range(n)),
    "medicines under one number": lambda n: RDE + "".join("ORC|NW|TH\r" + RXE.format(i) for i in range(n)),
    "timings and routes": lambda n: RDE + "ORC|NW|TH\r" + RXE + "TQ1|1||BID\r" * n + "RXR|PO\r" * n,
    "components": lambda n: RDE + "ORC|NW|TH\r" + RXE + "".join(f"RXC|A|C{i}^x^L|1|mL\r" for i in range(n)),
    "supplementary codes": lambda n: (
        RDE + "ORC|NW|TH\rRXO|A^x^L" + "|" * 23 + "~".join(f"S{i}^x^L" for i in range(n)) + "\r"
    ),
    "alternate numbers": lambda n: RDE + "ORC|NW|TH" + "|" * 31 + "~".join(f"N{i}" for i in range(n)) + "\r" + RXE,
    "administrations": lambda n: RAS + "".join(f"ORC|RE|TH{i}\r" + RXA.format(i) for i in range(n)),
    "administrations of one order": lambda n: RAS + "ORC|RE|TH\r" + "".join(RXA.format(i) for i in range(n)),
    "vaccinations": lambda n: VXU + "".join(f"ORC|RE||TC{i}\r" + VACCINE for i in range(n)),
    "the same vaccination": lambda n: VXU + "".join("ORC|RE||TC\r" + VACCINE + f"NTE|1||{i}\r" for i in range(n)),
    "facts of a vaccination": lambda n: (
        VXU + "ORC|RE||TC\r" + VACCINE + "".join(f"OBX|{i}|CE|64994-7^E^LN|{i}|V{i}^x^L||||||F\r" for i in range(n))
    ),
    "candidates": lambda n: RSP + "".join(f"PID|{i}||BN{i}^^^01032^PI||Lê^An\r" for i in range(n)),
}


@pytest.mark.parametrize("name", LONGER)
def test_twice_as_long(name: str) -> None:
    assert growth(lambda size: reading_and_mapping(LONGER[name](size))) < MOST
