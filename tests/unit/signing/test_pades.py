"""A PAdES signature leaves every byte that was there alone, says who signed and can be made by any key, in two phases."""

from __future__ import annotations

import io
import pickle
import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.reader import PdfFileReader

from signing import pades, pades_block, pades_field, pades_levels, validation, verify_pdf
from signing.algorithms import ALGORITHMS
from signing.contract import ToSign
from signing.evidence import Evidence
from signing.faults import (
    CertificateOutOfDate,
    DocumentUnsignable,
    FieldUnfit,
    FontMissing,
    KeyUnsuitable,
    PdfActive,
    PdfBroken,
    PdfEncrypted,
    PdfTooLarge,
    RoomTooSmall,
    TimestampInvalid,
)
from signing.testing import AnyMemoryKey, Authority, MemoryKey, new_rsa_key
from signing.validation import Trust
from signing.verdict import PDF_LAYERS, Held, Report
from tests.tsa import Tsa
from tests.unit.signing.forge_pdf import TEXT, base, catalog, page, stream, update
from tests.unit.signing.test_xades_levels import crl, der, response

AT = datetime(2026, 11, 25, 7, 30, tzinfo=UTC)
SLOTS = "/Dests << /slot-KY-1 [3 0 R /XYZ 60 300 0] /slot-KY-2 [3 0 R /XYZ 320 300 0] >> "
TAGS = {
    1: catalog("", "/MarkInfo << /Marked true >> /StructTreeRoot 20 0 R " + SLOTS),
    20: b"<< /Type /StructTreeRoot /K [21 0 R] /ParentTree << /Nums [0 [22 0 R]] >> >>",
    21: b"<< /Type /StructElem /S /Document /P 20 0 R /K [22 0 R] >>",
    22: b"<< /Type /StructElem /S /P /P 21 0 R /Pg 3 0 R /K 0 >>",
}


@pytest.fixture(scope="module")
def tsa(issuing: Authority) -> Tsa:
    return Tsa.of(issuing)


@pytest.fixture(scope="module")
def evidence(root: Authority, issuing: Authority, key: MemoryKey) -> Evidence:
    chain = tuple(der(one) for one in (*key.chain, root.certificate))
    return Evidence(chain, (response(issuing, key.chain[0]),), (crl(root),))


def judged(pdf: bytes, root: Authority, now: datetime | None = None) -> Report:
    return validation.validate(pdf, Trust([root.certificate]), now)


def reader(pdf: bytes) -> Any:
    return PdfFileReader(io.BytesIO(pdf))


def widget(pdf: bytes, name: str) -> Any:
    fields = reader(pdf).root["/AcroForm"]["/Fields"]
    return next(fields[at] for at in range(len(fields)) if fields[at]["/T"] == name)


def block(pdf: bytes, name: str) -> list[str]:
    """Read what the visible block of a field says, by the table that is there for whoever copies text."""
    shown = widget(pdf, name)["/AP"]["/N"]
    font = shown["/Resources"]["/Font"]["/F1"]
    table = font["/ToUnicode"].data.decode()
    letters = {glyph: chr(int(code, 16)) for glyph, code in re.findall(r"<(\w{4})> <(\w{4})>", table)}
    return [
        "".join(letters[line[at : at + 4]] for at in range(0, len(line), 4))
        for line in re.findall(r"<(\w+)> Tj", shown.data.decode())
    ]


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_every_algorithm(name: str, root: Authority, issuing: Authority, key: MemoryKey) -> None:
    curve = ec.SECP384R1() if name == "ES384" else ec.SECP256R1()
    own: AnyMemoryKey = issuing.issue_elliptic("Đường cong", curve) if name.startswith("ES") else key
    report = judged(pades.sign(base(), own, algorithm=name), root)
    assert report.verdict == "valid", report.reasons
    assert [(signed.level, signed.signer.name) for signed in report.signers] == [
        ("B-B", "Nguyễn Thị Ánh" if own is key else "Đường cong")
    ]


def test_a_device_that_signs_hashes(root: Authority, key: MemoryKey) -> None:
    prepared = pickle.loads(pickle.dumps(pades.prepare(base(), key.chain[0], algorithm="PS384")))
    (signature,) = key.sign_hashes([ToSign(prepared.digest)], "PS384")
    assert judged(pades.inject(prepared, signature, key.chain), root).verdict == "valid"


def test_doctor_head_seal(root: Authority, issuing: Authority, key: MemoryKey) -> None:
    head = issuing.issue("Trần Văn Trưởng", title="Trưởng khoa")
    seal = issuing.issue_elliptic("Bệnh viện Thử", ec.SECP256R1())
    steps = [base()]
    for one in (key, head, seal):
        steps.append(pades.sign(steps[-1], one))
        assert steps[-1].startswith(steps[-2])
        report = judged(steps[-1], root)
        assert report.verdict == "valid", report.reasons
    assert [(signed.signer.name, signed.covers[0].part) for signed in report.signers] == [
        ("Nguyễn Thị Ánh", "revision 2 of 4"),
        ("Trần Văn Trưởng", "revision 3 of 4"),
        ("Bệnh viện Thử", "document"),
    ]
    assert [signed.covers[0].data for signed in report.signers] == steps[1:]
    assert report.data == steps[-1]


def test_the_block_says_name_title_moment_and_serial(key: MemoryKey) -> None:
    at = datetime.now(UTC).replace(hour=20, minute=30, second=5) - timedelta(hours=20)
    local = at + timedelta(hours=7)
    serial = f"{key.chain[0].serial_number:x}"
    assert block(pades.sign(base(), key, at=at), "Signature1") == [
        "Ký bởi: Nguyễn Thị Ánh, Bác sĩ",
        f"Thời gian ký: {local:%d/%m/%Y %H:%M:%S}",
        f"Số sê-ri chứng thư: …{serial[-16:]}",
    ]


def test_the_blocks_stand_beside_each_other(key: MemoryKey) -> None:
    pdf = base()
    for _ in range(6):
        pdf = pades.sign(pdf, key)
    boxes = [[float(x) for x in widget(pdf, f"Signature{number}")["/Rect"]] for number in range(1, 7)]
    for number, (left, bottom, right, top) in enumerate(boxes):
        assert 0 <= left < right <= 595
        assert 0 <= bottom < top <= 842
        for other in boxes[number + 1 :]:
            assert right <= other[0] or other[2] <= left or top <= other[1] or other[3] <= bottom
    with pytest.raises(FieldUnfit):
        pades.sign(pdf, key)
    assert "/AP" not in widget(pades.sign(pdf, key, said=()), "Signature7")


def test_letters_are_composed_and_controls_left_out(key: MemoryKey) -> None:
    signed = pades.sign(base(), key, said=["Nguye\u0302\u0303n \u202eÁnh\n"])
    assert block(signed, "Signature1") == ["Nguyễn Ánh"]


def test_the_font_is_cut_down_once(key: MemoryKey) -> None:
    first = pades_block._font("")
    assert pades_block._font("") is first
    assert len(first.file) < 40_000
    assert len(zlib.decompress(first.file)) == first.length
    assert len(pades.sign(base(), key)) - len(base()) < 90_000


def test_slots_of_the_page(root: Authority, key: MemoryKey) -> None:
    pdf = pades.with_fields(base(TAGS), ["KY-1", "KY-2"])
    assert pades_field.names(reader(pdf)) == [("KY-1", False), ("KY-2", False)]
    boxes = [[float(x) for x in widget(pdf, name)["/Rect"]] for name in ("KY-1", "KY-2")]
    assert boxes == [[60, 252, 272, 300], [320, 252, 532, 300]]
    signed = pades.sign(pades.sign(pdf, key, field="KY-2"), key, field="KY-1")
    assert judged(signed, root).verdict == "valid"
    with pytest.raises(FieldUnfit):
        pades.sign(signed, key, field="KY-1")
    with pytest.raises(DocumentUnsignable):
        pades.with_fields(signed, ["KY-3"])


def test_a_tagged_document_gets_form_elements(root: Authority, key: MemoryKey) -> None:
    pdf = pades.with_fields(base(TAGS), ["KY-1", "KY-2"])
    tree = reader(pdf).root["/StructTreeRoot"]
    elements = tree["/K"][0]["/K"]
    assert [elements[at]["/S"] for at in range(3)] == ["/P", "/Form", "/Form"]
    entries = tree["/ParentTree"]["/Nums"]
    for name, number in (("KY-1", 1), ("KY-2", 2)):
        field = widget(pdf, name)
        assert field["/StructParent"] == number
        assert entries[2 * number + 1]["/K"]["/Obj"]["/T"] == name
        assert field["/TU"] == f"Chữ ký số {name}"
    first = pades.sign(base(TAGS), key)
    assert len(reader(first).root["/StructTreeRoot"]["/K"][0]["/K"]) == 2
    second = pades.sign(first, key)  # tags added now would break the first signature
    assert len(reader(second).root["/StructTreeRoot"]["/K"][0]["/K"]) == 2
    assert judged(second, root).verdict == "valid"


@pytest.mark.parametrize(
    ("pdf", "fault"),
    [
        (b"", PdfBroken),
        (b"<r/>", PdfBroken),
        (base()[:-40], PdfBroken),
        (
            update(
                base(),
                {9: b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (b"41" * 32, b"42" * 32)},
                trailer="/Encrypt 9 0 R /ID [<41> <42>] ",
            ),
            PdfEncrypted,
        ),
        (base({1: catalog("", form="/XFA 9 0 R "), 9: stream(b"<xdp/>")}), PdfActive),
        (base({9: b"<< /S /JavaScript /JS (x) >>"}), PdfActive),
        (base({2: b"<< /Type /Pages /Kids [] /Count 0 >>"}), DocumentUnsignable),
        (base({2: b"null"}), DocumentUnsignable),
    ],
)
def test_what_cannot_be_signed(pdf: bytes, fault: type[Exception], key: MemoryKey) -> None:
    with pytest.raises(fault):
        pades.sign(pdf, key)


def test_a_document_that_its_author_closed(key: MemoryKey) -> None:
    parameters = "/Reference [<< /TransformMethod /DocMDP /TransformParams << /P 1 >> >>]"
    closed = base({1: catalog("", "/Perms << /DocMDP 9 0 R >> "), 9: f"<< /Type /Sig {parameters} >>".encode()})
    with pytest.raises(DocumentUnsignable):
        pades.sign(closed, key)


def test_names_of_fields(key: MemoryKey) -> None:
    text = b"<< /FT /Tx /T (Ten) /Type /Annot /Subtype /Widget /Rect [0 0 9 9] >>"
    pdf = base({1: catalog("9 0 R"), 3: page("9 0 R"), 9: text})
    for name in ("Ten", "a.b"):
        with pytest.raises(FieldUnfit):
            pades.sign(pdf, key, field=name)


def test_key_and_certificate(issuing: Authority, key: MemoryKey) -> None:
    prepared = pades.prepare(base(), key.chain[0])
    other = issuing.issue("Khác")
    for signature, chain in (
        (key.sign(b"x"), key.chain),
        (other.sign(prepared.to_be_signed), other.chain),
        (key.sign(prepared.to_be_signed), ()),
    ):
        with pytest.raises(KeyUnsuitable):
            pades.inject(prepared, signature, chain)
    with pytest.raises(KeyUnsuitable):
        pades.prepare(base(), key.chain[0], algorithm="ES256")
    with pytest.raises(KeyUnsuitable):
        pades.prepare(base(), issuing.issue("Ngắn", private_key=new_rsa_key(1024)).chain[0])
    with pytest.raises(CertificateOutOfDate):
        pades.prepare(base(), key.chain[0], at=datetime.now(UTC) + timedelta(days=800))


def test_room(key: MemoryKey) -> None:
    prepared = pades.prepare(base(), key.chain[0])
    with pytest.raises(RoomTooSmall):
        pades.inject(prepared, key.sign(prepared.to_be_signed), (*key.chain, *[key.chain[-1]] * 30))


def test_without_a_font(key: MemoryKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pades_block, "FOLDERS", ())
    for cached in (pades_block._installed, pades_block._font):
        cached.cache_clear()
    try:
        with pytest.raises(FontMissing):
            pades.sign(base(), key)
        pades.sign(base(), key, said=())
    finally:
        for cached in (pades_block._installed, pades_block._font):
            cached.cache_clear()


def test_a_letter_that_no_font_has(key: MemoryKey) -> None:
    with pytest.raises(FontMissing):
        pades.sign(base(), key, said=["\U00020000"])


# ---- levels ----


def test_all_levels(root: Authority, key: MemoryKey, tsa: Tsa, evidence: Evidence) -> None:
    def archived(pdf: bytes) -> bytes:
        prepared = pades_levels.prepare_archive_timestamp(pdf)
        return pades_levels.with_archive_timestamp(prepared, tsa.token(prepared.octets))

    steps: list[Callable[[bytes], bytes]] = [
        lambda pdf: pades.sign(pdf, key),
        lambda pdf: pades_levels.with_timestamp(pdf, tsa.token(pades_levels.timestamp_data(pdf))),
        lambda pdf: pades_levels.with_values(pdf, evidence),
        archived,
        lambda pdf: pades_levels.with_values(pdf, Evidence(crls=(crl(root), *evidence.crls))),
        archived,
    ]
    pdf, levels, parts = base(), [], []
    for step in steps:
        before, pdf = pdf, step(pdf)
        assert len(pdf) == len(before) or pdf.startswith(before)
        report = judged(pdf, root)
        assert report.verdict == "valid", report.reasons
        levels.append(report.signers[0].level)
        parts.append(report.covers[0].part)
    assert levels == ["B-B", "B-T", "B-LT", "B-LTA", "B-LTA", "B-LTA"]
    assert set(parts) == {"document"}
    assert pades_levels.with_values(pdf, evidence) == pdf
    late = judged(pdf, root, datetime.now(UTC) + timedelta(days=3652))
    assert (late.verdict, late.signers[0].level) == ("valid", "B-LTA")


def test_material_for_all_signatures(
    root: Authority, issuing: Authority, key: MemoryKey, evidence: Evidence, tsa: Tsa
) -> None:
    head = issuing.issue("Trưởng khoa")
    pdf = base()
    for one in (key, head):
        pdf = pades.sign(pdf, one)
        name = f"Signature{1 + (one is head)}"
        pdf = pades_levels.with_timestamp(pdf, tsa.token(pades_levels.timestamp_data(pdf, name)), name)
    more = Evidence(ocsp_responses=(response(issuing, head.chain[0]),))
    report = judged(pades_levels.with_values(pdf, evidence + more), root)
    assert [signed.level for signed in report.signers] == ["B-LT", "B-LT"]


def test_stamps_that_do_not_fit(key: MemoryKey, tsa: Tsa) -> None:
    signed = pades.sign(base(), key)
    with pytest.raises(TimestampInvalid):
        pades_levels.with_timestamp(signed, tsa.token(b"something else"))
    with pytest.raises(TimestampInvalid):
        pades_levels.with_archive_timestamp(pades_levels.prepare_archive_timestamp(signed), tsa.token(b"else"))
    twice = pades.sign(signed, key)
    for pdf, name in ((twice, ""), (twice, "Signature1"), (twice, "Signature3"), (base(), "")):
        value = pades_levels.timestamp_data(signed) if pdf is twice and name == "Signature1" else b""
        with pytest.raises(DocumentUnsignable):
            pades_levels.with_timestamp(pdf, tsa.token(value), name)
    for step in (pades_levels.prepare_archive_timestamp, lambda pdf: pades_levels.with_values(pdf, Evidence())):
        with pytest.raises(DocumentUnsignable):
            step(base())


# ---- read ----


def test_layers_are_pointed_out(root: Authority, key: MemoryKey) -> None:
    layers = "/OCProperties << /OCGs [9 0 R] /D << /OFF [9 0 R] >> >> "
    report = judged(pades.sign(base({1: catalog("", layers), 9: b"<< /Type /OCG /Name (x) >>"}), key), root)
    assert report.verdict == "valid"
    assert [warning.code for warning in report.warnings if warning.code == PDF_LAYERS]


def test_a_file_made_to_take_for_ever(key: MemoryKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_pdf, "_MAXIMUM_STEPS", 2_000)
    chain = {100 + at: f"[{101 + at} 0 R {101 + at} 0 R]".encode() for at in range(40)}
    pdf = base({**chain, 140: b"(x)", 1: catalog("", "/Chain 100 0 R ")})
    first, _ = verify_pdf.read(pades.sign(pades.sign(pdf, key), key))
    assert isinstance(first, PdfTooLarge)


def test_what_is_read(key: MemoryKey) -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    (held,) = verify_pdf.read(pades.sign(base(), key, at=at))
    assert isinstance(held, Held)
    assert (held.form, held.where, held.claimed_at, held.leaf) == ("PAdES", "Signature1", at, key.chain[0])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_done_to_a_file(data: st.DataObject, root: Authority, damaged: bytes) -> None:
    """Never raise, and never call valid what shows something else."""
    changed = bytearray(damaged)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        piece = data.draw(
            st.sampled_from([b"\0", b"9", b"<<", b" 0 R", b"null", b"/V", b"]", b">>", b"-1", b"/Prev 9"])
        )
        changed[at : at + len(piece)] = piece
    report = judged(bytes(changed), root)
    assert report.verdict != "valid" or TEXT in changed


@pytest.fixture(scope="module")
def damaged(key: MemoryKey) -> bytes:
    return pades.sign(pades.sign(base(), key, said=()), key, said=())
