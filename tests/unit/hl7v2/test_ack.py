"""Acknowledgements, also to headers read out of rubbish; hl7apy judges their form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hl7apy.parser import parse_message

from mappings.formats import er7
from mappings.formats.er7_header import read_header
from mappings.formats.faults import Fault, HeaderMissing
from mappings.hl7v2.ack import Code, acknowledge
from mappings.hl7v2.faults import MissingField, UnsupportedMessage
from tests.unit.hl7v2.samples import PID, raw

AT = datetime(2026, 11, 3, 8, 15, 1, tzinfo=timezone(timedelta(hours=7)))


def answer(data: bytes, code: Code = "AA", fault: Fault | None = None, text: str = "") -> er7.Message:
    return er7.Message.parse(acknowledge(read_header(data), code, "L0001", AT, fault, text))


def test_a_positive_answer() -> None:
    found = acknowledge(read_header(raw("ADT^A01", PID)), "AA", "L0001", AT)
    assert found == (
        b"MSH|^~\\&|LT|01032|HIS|01032|20261103081501+0700||ACK^A01^ACK|L0001|P|2.5||||||UNICODE UTF-8\rMSA|AA|C1\r"
    )


def test_delimiters_of_the_sender_are_used() -> None:
    data = raw("ADT^A01").replace(b"|", b"#").replace(b"^", b"*").replace(b"&", b"@")
    found = answer(data)
    assert found.delimiters.field == b"#"
    assert found.value("MSH-9.2") == "A01"
    assert found.value("MSA-2") == "C1"


def test_err_names_place_condition_and_our_code() -> None:
    found = answer(raw("ADT^A01"), "AE", MissingField("PID-3"), "Thiếu số bệnh nhân")
    assert [found.value(f"ERR-2.{n}") for n in (1, 2, 3)] == ["PID", "1", "3"]
    assert found.value("ERR-3.1") == "101"
    assert found.value("ERR-3.3") == "HL70357"
    assert found.value("ERR-4") == "E"
    assert found.value("ERR-5.1") == "LT3104"
    assert found.value("ERR-8") == "Thiếu số bệnh nhân"


def test_err_of_a_place_in_a_repeated_segment() -> None:
    found = answer(raw("ADT^A01"), "AE", MissingField("OBX[3]-5[2].1.4"))
    assert [found.value(f"ERR-2.{n}") for n in range(1, 7)] == ["OBX", "3", "5", "2", "1", "4"]


def test_before_2_5_there_is_err_1_and_a_text_in_msa_3() -> None:
    data = raw("ADT^A01").replace(b"|2.5", b"|2.3")
    found = answer(data, "AR", UnsupportedMessage("MSH-9"), "Không đọc được")
    assert found.value("MSH-12") == "2.3"
    assert found.value("MSA-3") == "LT3101 Không đọc được"
    assert [found.value(f"ERR-1.{n}") for n in (1, 2, 3)] == ["MSH", "1", "9"]
    assert found.value("ERR-1.4.1") == "201"
    assert found.value("ERR-3") is None


@pytest.mark.parametrize(
    "rubbish", [b"", b"\x00\xff", b"GET / HTTP/1.1\r\n", b"MSH", b"MSH||||", b"PID|1||x", b"MSH|^~\\&\r"]
)
def test_rubbish_gets_a_well_formed_answer(rubbish: bytes) -> None:
    found = answer(rubbish, "AR", HeaderMissing())
    assert found.value("MSA-1") == "AR"
    assert found.value("MSA-2") is None
    assert found.value("MSH-9.1") == "ACK"
    assert found.value("MSH-10") == "L0001"
    assert found.value("ERR-3.1") == "100"


def test_what_the_sender_wrote_cannot_break_the_answer() -> None:
    data = b"MSH|^~\\&|A\\F\\MSA\\F\\AA|B|C|D|2026||ADT^A01|X\\X0D\\MSA\\F\\AA\\F\\Y|P|2.5\r"
    written = acknowledge(read_header(data), "AE", "L1", AT, MissingField("PID-3"), "a|b\rc^d")
    assert written.count(b"\r") == 3
    assert er7.Message.parse(written).value("MSA-1") == "AE"
    assert er7.Message.parse(written).value("ERR-8") == "a|b\rc^d"


def test_the_time_is_written_with_its_offset() -> None:
    found = er7.Message.parse(acknowledge(read_header(raw("ADT^A01")), "CA", "L1", datetime(2026, 11, 3, tzinfo=UTC)))
    assert found.value("MSH-7") == "20261103000000+0000"


@pytest.mark.parametrize("fault", [None, MissingField("PID-3")])
def test_hl7apy_reads_it(fault: Fault | None) -> None:
    text = acknowledge(read_header(raw("ADT^A01")), "AE" if fault else "AA", "L0001", AT, fault, "xem lại").decode()
    parsed = parse_message(text, find_groups=False)
    assert parsed.msa.msa_2.value == "C1"
    assert parsed.msh.msh_9.value == "ACK^A01^ACK"
