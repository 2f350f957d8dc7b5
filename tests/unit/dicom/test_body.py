"""The body of a study: nothing lost, small, the same for the same objects."""

from __future__ import annotations

import random
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.dicom import faults
from mappings.dicom.body import Entry, join, split
from mappings.formats import json
from mappings.outcome import Notice
from tests.unit.dicom import samples

_TEXT = st.text(max_size=8)
_VALUES = st.one_of(
    _TEXT,
    st.integers(-(2**31), 2**32),
    st.none(),
    st.sampled_from([Decimal("4.5"), Decimal("-1E-7"), Decimal("0.1")]),
    st.dictionaries(st.sampled_from(["Alphabetic", "Phonetic"]), _TEXT, min_size=1),
)
_PLAIN = st.builds(
    lambda vr, values: {"vr": vr, "Value": values},
    st.sampled_from(["LO", "DS", "US"]),
    st.lists(_VALUES, min_size=1, max_size=3),
)
_LEAF = st.one_of(
    _PLAIN,
    st.just({"vr": "LO"}),
    st.just({"vr": "OB", "InlineBinary": "AAA="}),
    st.builds(lambda n: {"vr": "OW", "BulkDataURI": "", "Length": n}, st.integers(0, 2**32)),
)
_TAGS = st.sampled_from(["00100010", "00100020", "00200032", "00290010", "00291010", "00400275"])
_ELEMENT = st.recursive(
    _LEAF,
    lambda inner: st.builds(
        lambda items: {"vr": "SQ", "Value": items},
        st.lists(st.dictionaries(_TAGS, inner, max_size=2), min_size=1, max_size=2),
    ),
    max_leaves=4,
)
_FACTS = st.dictionaries(
    st.sampled_from(["object", "sha256", "size", "calling"]), st.one_of(_TEXT, st.integers(0, 2**40)), max_size=4
)


@st.composite
def _entries(draw: st.DrawFn) -> list[Entry]:
    made = []
    common = draw(st.dictionaries(_TAGS, _ELEMENT, max_size=3))
    for n in range(draw(st.integers(1, 6))):
        found: dict[str, Any] = common | draw(st.dictionaries(_TAGS, _ELEMENT, max_size=3))
        found["0020000D"] = {"vr": "UI", "Value": ["1.2.3"]}
        found["0020000E"] = {"vr": "UI", "Value": [f"1.2.3.{draw(st.integers(1, 2))}"]}
        found["00080018"] = {"vr": "UI", "Value": [f"1.2.3.9.{n}"]}
        notices = draw(st.lists(st.builds(Notice, st.just(3360), _TEXT), max_size=1))
        made.append(Entry(found, draw(_FACTS), tuple(notices)))
    return made


def _known(entries: list[Entry]) -> list[tuple[str, Any, Any, Any]]:
    return sorted((e.attributes["00080018"]["Value"][0], e.attributes, dict(e.facts), e.notices) for e in entries)


@settings(max_examples=300)
@given(_entries())
def test_nothing_is_lost(entries: list[Entry]) -> None:
    assert _known(split(join(entries))) == _known(entries)


@settings(max_examples=50)
@given(_entries(), st.randoms())
def test_the_order_of_arrival_does_not_matter(entries: list[Entry], chance: random.Random) -> None:
    turned = list(entries)
    chance.shuffle(turned)
    assert join(turned) == join(entries)


def test_objects_stand_in_the_order_of_their_numbers() -> None:
    entries = [samples.picture(2, 1), samples.picture(1, 10), samples.picture(1, 9)]
    found = [entry.attributes["00080018"]["Value"][0] for entry in split(join(entries))]
    assert found == [f"{samples.STUDY}.1.9", f"{samples.STUDY}.1.10", f"{samples.STUDY}.2.1"]


def slices(count: int) -> list[Entry]:
    """Give a CT as scanners write it: some twenty attributes differ from slice to slice, one private one too."""
    made = []
    for n in range(1, count + 1):
        one = samples.picture(
            1,
            n,
            SOPInstanceUID=f"1.3.12.2.1107.5.1.4.95678.30000026110300000000000{n:05d}",
            InstanceCreationTime=f"1402{n % 60:02d}.{n:06d}",
            AcquisitionTime=f"1401{n % 60:02d}.{n:06d}",
            ContentTime=f"1403{n % 60:02d}.{n:06d}",
            ImagePositionPatient=["-158.135803", "-179.035797", f"{-400 + n * 0.625:.6f}"],
            SliceLocation=f"{-400 + n * 0.625:.6f}",
            XRayTubeCurrent=str(100 + n % 200),
            Exposure=str(n % 90),
            ExposureTime="500",
            CTDIvol=8.25 + n % 7,
            TableHeight="133.5",
            WindowCenter=["40", "-600"],
            SmallestImagePixelValue=n % 9,
            LargestImagePixelValue=2000 + n,
            IrradiationEventUID="1.3.12.2.1107.5.1.4.95678.30000026110300000000000",
            AcquisitionNumber="2",
        )
        found = one.attributes | {"00191008": {"vr": "UN", "InlineBinary": f"{n:08d}AAAA"}}
        made.append(
            Entry(
                found,
                {**one.facts, "sha256": sha256(b"%d" % n).hexdigest(), "object": f"0192f6a0-1111-7abc-8def-{n:012d}"},
            )
        )
    return made


def test_a_ct_of_a_thousand_slices_is_small() -> None:
    assert len(join(slices(1000))) < 600_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"dicom": 2}',
        b"\xff",
        json.dumps({"dicom": 1, "attributes": {}, "facts": {}, "series": [{}]}),
    ],
)
def test_what_is_no_body_is_refused(body: bytes) -> None:
    with pytest.raises(faults.BodyInvalid):
        split(body)


def test_a_body_with_rows_too_short_is_refused() -> None:
    content = json.loads(join([samples.picture(1, 1), samples.picture(1, 2)]))
    content["series"][0]["rows"][0].pop()
    with pytest.raises(faults.BodyInvalid):
        split(json.dumps(content))
