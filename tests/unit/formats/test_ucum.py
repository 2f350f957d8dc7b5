"""Which texts are UCUM unit terms; the two lists were compared with another implementation when they were written."""

from __future__ import annotations

import time

import pytest

from mappings.formats.ucum import LONGEST, is_ucum

ACCEPTED = """
m g s rad K C cd % 1 10* 10^ 10*3 10*-3 10^9 mol mmol/L umol/L ug/dL mg/dL g/L ng/mL pg fL U/L mU/L kU/L [IU]/L m[IU]/mL
k[IU] 10*3/uL 10*9/L 10*12/L 10*6.[IU] /min /uL /[HPF] /100{WBCs} /(12.h) mg/(24.h) mm[Hg] cm[H2O] kPa Cel [degF]
mL/min/{1.73_m2} {copies}/mL {titer} {s_co_ratio} g/mol{creat} mosm/kg meq/L kg/m2 m-2 m+2 s-1 dyn.s/cm5 ((m)) (m.s)/g dam
10.uN.s/(cm5.m2) [pH] [CFU]/mL [arb'U]/mL [in_i'H2O] [D'ag'U] %[slope] B[10.nV] cal_[15] kcal_th ug/kg/min mo_j a wk d h
mL{total} 2.h ' '' deg KiBy [m/s2/Hz^(1/2)] m[H2O] L/(min.m2) 1.73 /m/s
"""
REJECTED = """
/ . m. .m m/ m//s m..s () (m m) (m)) )m( m(s) 2m m^2 m**2 kmin mmin k% m[degF] [IU [] ] IU/L mIU/mL UI/L mmHg °C
µmol/L μmol/L sec giây lần/phút x10^9/L K/µL beats/min kkg {a {a}} m{a}{b} {a}m {a}2 {ä} (m){a} +1 -1 10*+ 10*** ** 1e3 M
M/uL T/l/ mg/dL; mcg gm g/dl%m 1.5e mOsm/kg mEq/L S/CO ppm
"""


@pytest.mark.parametrize("code", ACCEPTED.split())
def test_a_unit_term(code: str) -> None:
    assert is_ucum(code)


@pytest.mark.parametrize("code", [*REJECTED.split(), "", " ", "m ", "mg / dL", "{a b}", "m\n", "m" * (LONGEST + 1)])
def test_no_unit_term(code: str) -> None:
    assert not is_ucum(code)


@pytest.mark.parametrize(
    "text", ["(" * 100_000, "m." * 60, "[" * 120, "{" * 120, "a" * 120, "[a" * 60, "m/" * 59 + "m["]
)
def test_hostile_texts_cost_nothing(text: str) -> None:
    start = time.process_time()
    assert not is_ucum(text)
    assert time.process_time() - start < 2, "one step back for each letter of them would take years"
