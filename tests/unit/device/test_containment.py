"""The tree of a device: what kind a row is, where it stands, what hangs below it."""

from __future__ import annotations

import pytest

from mappings.device.containment import Containment, above, kind_of, path_of, rows_of, stripped, with_facets
from mappings.formats import er7
from mappings.hl7v2.reader import Reader, Segment

_HEAD = "MSH|^~\\&|M|F|||20261103101500+0700||ORU^R01^ORU_R01|1|P|2.6"


def segments(*rows: str) -> list[Segment]:
    return Reader(er7.Message.parse("\r".join([_HEAD, *rows]).encode())).segments[1:]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC", "device"),
        ("69965^^MDC", "device"),
        ("528391^^MDC", "device"),
        ("67975^^MDC", "attribute"),
        ("0^MDC_ATTR_SAMP_RATE^MDC", "attribute"),
        ("68220^MDC_TIME_SYNC_PROTOCOL^MDC", "attribute"),
        ("196616^^MDC", "event"),
        ("0^MDC_EVT_LEAD_OFF^MDC", "event"),
        ("147842^MDC_ECG_HEART_RATE^MDC", "metric"),
        ("8867-4^Heart rate^LN^147842^MDC_ECG_HEART_RATE^MDC", "metric"),
        ("99999999999999999999^^MDC", "metric"),
    ],
)
def test_kinds(code: str, kind: str) -> None:
    assert kind_of(segments(f"OBX|1||{code}|1.1.1.1")[0]) == kind


@pytest.mark.parametrize(
    ("sub_id", "path"),
    [
        ("1.2.1.3", (1, 2, 1, 3)),
        ("1.0.0.0", (1, 0, 0, 0)),
        ("1", (1,)),
        ("", ()),
        ("1..2", ()),
        ("1.2.x", ()),
        ("1.2.3.4.5.6.7.8.9", ()),
        ("12345678901", ()),
        ("-1.2", ()),
    ],
)
def test_paths(sub_id: str, path: tuple[int, ...]) -> None:
    assert path_of(segments(f"OBX|1|NM|147842^^MDC|{sub_id}|1")[0]) == path


def test_places_above() -> None:
    assert stripped((1, 2, 0, 0)) == (1, 2)
    assert list(above((1, 0, 0, 17))) == [(1,), ()]
    assert list(above((1, 2, 3, 4))) == [(1, 2, 3), (1, 2), (1,), ()]


def test_the_nearest_device_above() -> None:
    rows = rows_of(
        segments("OBX|1||69965^^MDC|1.0.0.0", "OBX|2||69798^^MDC|1.1.0.0", "OBX|3|NM|147842^^MDC|1.1.7.1|60")
    )
    tree = Containment(list(rows.values()))
    assert tree.device_above((1, 1, 7, 1)) == (1, 1)
    assert tree.device_above((1, 9, 7, 1)) == (1,)
    assert tree.device_above((2, 1, 1, 1)) == (2,), "a system of which only the number is known"
    assert tree.device_above((0, 0, 0, 1)) == ()


def test_other_messages_have_no_rows_of_devices() -> None:
    assert rows_of(segments("OBX|1|NM|718-7^Hb^LN|1.2.3|13", "OBX|2|NM|6690-2^BC^LN|2|9")) == {}


def test_a_row_in_another_code_is_of_the_device_by_its_place() -> None:
    rows = rows_of(segments("OBX|1||69965^^MDC|1.0.0.0", "OBX|2|NM|PAIN^Đau^99X|1.1.1.1|3", "OBX|3|ST|NOTE^^L|1|x"))
    assert sorted(rows) == [0, 1]


def test_facets_and_parts() -> None:
    rows = rows_of(
        segments(
            "OBX|1||150020^^MDC|1.0.1",
            "OBX|2|NM|150021^^MDC|1.0.1.1|120",
            "OBX|3|NA|131329^^MDC|1.1.1.1|1^2",
            "OBX|4|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.1.1.1.1|50",
            "OBX|5|NA|149504^^MDC|1.2.1.1|1^2",
            "OBX|6|NM|0^MDC_ATTR_SAMP_RATE^MDC|1.2.1.1|50",
        )
    )
    alone = with_facets(list(rows.values()))
    assert [row.code for row in alone] == ["150020", "131329", "149504"]
    assert [part.code for part in alone[0].parts] == ["150021"]
    assert [facet.name for row in alone[1:] for facet in row.facets] == ["MDC_ATTR_SAMP_RATE"] * 2
