"""Attacks on signed PDF files, and PDF files that fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from signing import faults, pades, pades_levels, pdf_file, timestamp_token
from signing.evidence import Evidence
from signing.timestamp_token import Token
from tests.unit.signing import forge
from tests.unit.signing.attacks import Case, Scene, invalid, undecided, valid
from tests.unit.signing.forge import NOW, SIGNED, World, crl, time_stamp
from tests.unit.signing.forge_pdf import base, catalog, page, seal, signed, stream, update

CASES: list[Case] = []
OTHER_TEXT = b"BT /F1 24 Tf 72 700 Td (Ket qua: DUONG TINH) Tj ET"
BLOCK = "20 780 220 830"
NOTE = b"<< /Type /Annot /Subtype /FreeText /Rect [60 690 400 730] /Contents (DUONG TINH) /AP << /N 31 0 R >> >>"
FORM = stream(OTHER_TEXT, b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] ")
TEN_YEARS = NOW + timedelta(days=3652)


def _one(w: World, **how: Any) -> bytes:
    """A file that the person signed."""
    return signed(base(), seal(w.person), **how)


def _two(w: World, **how: Any) -> bytes:
    """And the other person after that."""
    return signed(_one(w), seal(w.other), number=1, **how)


def _after(objects: Mapping[int, bytes], **how: Any) -> Callable[[World], bytes]:
    return lambda w: update(_one(w), objects, **how)


def _before(objects: Mapping[int, bytes], root: str = "") -> Callable[[World], bytes]:
    """What the person signed held this already."""
    more = {1: catalog("11 0 R", root)} if root else {}
    return lambda w: signed(base(objects), seal(w.person), more=more)


def _token(w: World, octets: bytes, hours: int = 0) -> Token:
    return timestamp_token.read(time_stamp(octets, w.tsa, SIGNED + timedelta(hours=hours, minutes=1)))


def _stamped(w: World) -> bytes:
    ours = pades.sign(base(), w.person.memory, at=SIGNED)
    return pades_levels.with_timestamp(ours, _token(w, pades_levels.timestamp_data(ours)))


def _archived(w: World) -> bytes:
    prepared = pades_levels.prepare_archive_timestamp(pades_levels.with_values(_stamped(w), w.good()))
    return pades_levels.with_archive_timestamp(prepared, _token(w, prepared.octets, 2))


def _renewed(w: World) -> bytes:
    fresh = Evidence(crls=(crl(w.root, at=SIGNED + timedelta(days=8), until=SIGNED + timedelta(days=20)),))
    prepared = pades_levels.prepare_archive_timestamp(pades_levels.with_values(_archived(w), fresh))
    return pades_levels.with_archive_timestamp(prepared, _token(w, prepared.octets, 300))


def _wrapped(w: World) -> bytes:
    """Signature wrapping: the signed second part is moved back, a table that stands where it was shows other objects."""
    whole = _one(w)
    start = whole.index(b"/Contents <") + len(b"/Contents ")
    end = whole.index(b">", start) + 1
    at = int(whole[whole.rindex(b"startxref") :].split()[1])
    opening = whole.rindex(b"10 0 obj", 0, start)
    entries = (1, 3, 4, 10, 11)
    trailer = b"trailer\n<< /Size 12 /Root 1 0 R /Prev %s >>\n" % whole.split(b"startxref")[1].split()[0]
    length = len(b"xref\n") + sum(len(b"%d 1\n" % one) + 20 for one in entries) + len(trailer)
    text = b"4 0 obj\n%s\nendobj\n" % stream(OTHER_TEXT)
    value = whole[opening:end] + b" >>\nendobj\n"
    moved = at + length + len(text) + len(value)
    value = value.replace(b"%d %d" % (end, len(whole) - end), b"%d %d" % (moved, len(whole) - end), 1)
    places = {
        1: whole.rindex(b"\n1 0 obj") + 1,
        3: whole.rindex(b"\n3 0 obj") + 1,
        4: at + length,
        10: at + length + len(text),
        11: whole.index(b"11 0 obj") + moved - end,
    }
    table = b"xref\n" + b"".join(b"%d 1\n%010d 00000 n \n" % (one, places[one]) for one in entries)
    filling = b" >>\nendobj\n".ljust(at - end)
    return whole[:end] + filling + table + trailer + text + value + whole[end:]


def _elsewhere(w: World) -> bytes:
    """A signature taken from one file into another one of the same length."""
    whole, other = _one(w), signed(base({4: stream(TEXT_OF_SAME_LENGTH)}), lambda _: b"\x30\x00")
    start = whole.index(b"/Contents <")
    return other[:start] + whole[start : whole.index(b"> >>", start)] + other[whole.index(b"> >>", start) :]


TEXT_OF_SAME_LENGTH = b"BT /F1 24 Tf 72 700 Td (Ket qua: DUONGTIN) Tj ET"[:47]


def _unnamed(w: World) -> bytes:
    return signed(base(), seal(w.person, certificate=False))


def _plain(w: World) -> bytes:
    """PKCS#7 as many programs write it."""
    return signed(base(), seal(w.person, certificate=False), form="/adbe.pkcs7.detached")


def _weak(w: World) -> bytes:
    return signed(base(), seal(forge.issue(w.ca, "Ngắn", 9, bits=1024)))


def _certified(w: World, permission: int) -> bytes:
    """The person permits no change (1) or signatures (2)."""
    reference = (
        f"/Reference [<< /Type /SigRef /TransformMethod /DocMDP "
        f"/TransformParams << /Type /TransformParams /V /1.2 /P {permission} >> >>] "
    )
    return _one(w, dictionary=reference, more={1: catalog("11 0 R", "/Perms << /DocMDP 10 0 R >> ")})


def _certified_then(w: World, permission: int) -> bytes:
    more = {1: catalog("11 0 R 21 0 R", "/Perms << /DocMDP 10 0 R >> ")}
    return signed(_certified(w, permission), seal(w.other), number=1, more=more)


def _revoked(w: World) -> Scene:
    entry = (w.person, SIGNED - timedelta(days=1), None)
    return Scene(_one(w), w.about(crls=[crl(w.ca, [entry])]))


def _foreign(w: World) -> Scene:
    return Scene(_one(w), roots=[forge.issue(None, "Lạ", 8, ca=True, **forge.LONG).certificate])


def _only_stamp(w: World) -> bytes:
    return signed(base(), lambda octets: time_stamp(octets, w.tsa), form="/ETSI.RFC3161", kind="/DocTimeStamp", time="")


def _other_stamp(w: World) -> bytes:
    """A document time stamp of something else behind a good signature."""
    stamp: dict[str, Any] = {"form": "/ETSI.RFC3161", "kind": "/DocTimeStamp", "time": ""}
    return signed(_one(w), lambda octets: time_stamp(octets + b"x", w.tsa), number=1, **stamp)


def _token_of_other(w: World) -> bytes:
    return signed(base(), seal(w.person, token=lambda value: time_stamp(value + b"x", w.tsa)))


def _typed(w: World) -> bytes:
    """A text field that is filled in after the signature."""
    text = b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (KetQua) /P 3 0 R /Rect [60 690 400 730] /DA (/F1 24 Tf) %s>>"
    more = {1: catalog("30 0 R 11 0 R"), 3: page("30 0 R 11 0 R"), 30: text % b"/V (am tinh) "}
    whole = signed(base(), seal(w.person), more=more)
    return update(whole, {30: text % b"/V (DUONG TINH) /AP << /N 31 0 R >> ", 31: FORM})


def _empty_field(w: World, by: bool) -> bytes:
    """A field without a signature, with a picture that lies over the page; `by` another signer later, or by nobody."""
    field = b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Phu) /P 3 0 R /Rect [60 690 400 730] /AP << /N 31 0 R >> >>"
    fields = "11 0 R 30 0 R"
    whole = update(_one(w), {1: catalog(fields), 3: page(fields), 30: field, 31: FORM})
    more = {1: catalog("11 0 R 30 0 R 21 0 R"), 3: page("11 0 R 30 0 R 21 0 R")}
    return signed(whole, seal(w.other), number=1, more=more) if by else whole


def _encrypted(w: World) -> bytes:
    encrypt = b"<< /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <%s> /U <%s> >>" % (b"41" * 32, b"42" * 32)
    return update(_one(w), {9: encrypt}, trailer="/Encrypt 9 0 R /ID [<41> <42>] ")


def _hidden(w: World) -> bytes:
    """Shadow attack: an object that lay over the page is taken away."""
    whole = signed(base({3: page("30 0 R"), 30: NOTE, 31: FORM}), seal(w.person), more={3: page("30 0 R 11 0 R")})
    return update(whole, {}, freed=[30])


def _dangling(w: World) -> bytes:
    """Shadow attack: the signed table points behind the signed bytes, where an object is put later."""
    whole = base({1: catalog(), 40: b"null"})
    at = whole.index(b"40 0 obj")
    far = signed(
        whole.replace(b"%010d 00000 n" % at, b"%010d 00000 n" % 30_000, 1),
        seal(w.person),
        more={3: page("11 0 R", "/Extra 40 0 R ")},
    )
    appended = far + b" " * (30_000 - len(far)) + b"40 0 obj\n(DUONG TINH)\nendobj\n"
    return update(appended, {41: b"(x)"})


CASES += [
    valid("PDF B-B", _one, "B-B"),
    valid("PDF two signatures", _two),
    valid("PDF of our own with time stamp", _stamped, "B-T"),
    valid(
        "PDF with a document time stamp",
        lambda w: signed(
            _one(w), lambda o: time_stamp(o, w.tsa), number=1, form="/ETSI.RFC3161", kind="/DocTimeStamp", time=""
        ),
        "B-T",
    ),
    valid("PDF LT", lambda w: pades_levels.with_values(_stamped(w), w.good()), "B-LT"),
    valid("PDF LTA ten years later, the CA gone", lambda w: Scene(_archived(w), Evidence(), TEN_YEARS), "B-LTA"),
    valid("PDF LTA renewed", lambda w: Scene(_renewed(w), Evidence(), TEN_YEARS), "B-LTA"),
    valid("PDF plain PKCS#7", _plain, "PKCS7"),
    valid("PDF certified, signatures permitted, signed again", lambda w: _certified_then(w, 2)),
    invalid("PDF a letter changed", faults.ContentChanged, lambda w: _one(w).replace(b"am tinh", b"AM TINH", 1)),
    invalid("PDF signature of another file", faults.ContentChanged, _elsewhere),
    # universal signature forgery: a viewer that finds nothing to check must not be content
    invalid(
        "PDF without Contents",
        faults.ContentsRefused,
        lambda w: _one(w).replace(b"/Contents <", b"/Contentx <", 1),
    ),
    invalid("PDF Contents null", faults.ContentsRefused, lambda w: _one(w, contents="null /X")),
    invalid("PDF Contents of zeros", faults.ContentsRefused, lambda _: signed(base(), lambda _: b"")),
    invalid("PDF Contents no CMS", faults.ContentsRefused, lambda _: signed(base(), lambda _: b"\x04\x01x")),
    invalid(
        "PDF without ByteRange",
        faults.ByteRangeRefused,
        lambda w: _one(w).replace(b"/ByteRange [", b"/ByteRangx [", 1),
    ),
    invalid(
        "PDF ByteRange negative",
        faults.ByteRangeRefused,
        lambda w: _one(w, ranges=lambda start, end, size: f"0 {start} -{end} {size - end}"),
    ),
    invalid(
        "PDF ByteRange of six numbers",
        faults.ByteRangeRefused,
        lambda w: _one(w, ranges=lambda start, end, size: f"0 {start} {end} 9 {end + 9} {size - end - 9}"),
    ),
    invalid(
        "PDF ByteRange not from the start",
        faults.ByteRangeRefused,
        lambda w: _one(w, ranges=lambda start, end, size: f"9 {start - 9} {end} {size - end}"),
    ),
    invalid(
        "PDF signature over less than the file",
        faults.ByteRangeRefused,
        lambda w: _one(w, ranges=lambda start, end, size: f"0 {start} {end} {size - end - 40}"),
    ),
    invalid(
        "PDF signature leaves out a part of the page",
        faults.ByteRangeRefused,
        lambda w: _one(w, ranges=lambda start, end, size: f"0 {start - 200} {end} {size - end}"),
    ),
    invalid("PDF signature wrapping", faults.ByteRangeRefused, _wrapped),
    invalid(
        "PDF value that is no dictionary",
        faults.ContentsRefused,
        lambda w: update(base(), {1: catalog("11 0 R"), 11: b"<< /FT /Sig /T (Ky1) /V (signed) >>"}),
    ),
    invalid(
        "PDF value that is an empty dictionary",
        faults.ContentsRefused,
        lambda w: update(base(), {1: catalog("11 0 R"), 10: b"<< >>", 11: b"<< /FT /Sig /T (Ky1) /V 10 0 R >>"}),
    ),
    # incremental saving
    invalid("PDF page changed after signing", faults.ChangedAfterSigning, _after({4: stream(OTHER_TEXT)})),
    invalid(
        "PDF page added after signing",
        faults.ChangedAfterSigning,
        _after({2: b"<< /Type /Pages /Kids [3 0 R 30 0 R] /Count 2 >>", 30: page()}),
    ),
    invalid(
        "PDF annotation added after signing",
        faults.ChangedAfterSigning,
        _after({3: page("11 0 R 30 0 R"), 30: NOTE, 31: FORM}),
    ),
    invalid(
        "PDF bytes of no revision behind it",
        faults.PdfBroken,
        lambda w: _one(w) + b"4 0 obj\nnull\nendobj\n%%EOF\n",
    ),
    invalid(
        "PDF old table named again behind it",
        faults.ByteRangeRefused,
        lambda w: _one(w) + b"4 0 obj\nnull\nendobj\n" + _one(w)[_one(w).rindex(b"startxref") :],
    ),
    invalid("PDF garbage behind it", faults.PdfBroken, lambda w: _one(w) + b"DUONG TINH"),
    invalid("PDF form filled in after signing", faults.ChangedAfterSigning, _typed),
    invalid(
        "PDF catalogue changed after signing",
        faults.ChangedAfterSigning,
        _after({1: catalog("11 0 R", "/PageLabels << /Nums [] >> ")}),
    ),
    invalid("PDF shadow attack: hide", faults.ChangedAfterSigning, _hidden),
    invalid(
        "PDF shadow attack: replace a font",
        faults.ChangedAfterSigning,
        _after({5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>"}),
    ),
    invalid(
        "PDF shadow attack: another catalogue",
        faults.ChangedAfterSigning,
        _after({30: catalog("11 0 R"), 1: catalog("11 0 R", "/Version /2.0 /OpenAction [3 0 R /Fit] ")}),
    ),
    invalid("PDF shadow attack: table points behind the signature", faults.PdfBroken, _dangling),
    invalid("PDF empty signature field added", faults.ChangedAfterSigning, lambda w: _empty_field(w, False)),
    invalid(
        "PDF empty signature field between two signatures", faults.SignatureCovered, lambda w: _empty_field(w, True)
    ),
    invalid("PDF second block over the page", faults.SignatureCovered, lambda w: _two(w, rect="0 0 595 842")),
    valid("PDF second block at the edge", lambda w: _two(w, rect=BLOCK)),
    invalid("PDF certified as final, signed again", faults.CertificationViolated, lambda w: _certified_then(w, 1)),
    invalid("PDF signature taken out", faults.SignatureRemoved, _after({1: catalog(), 3: page()})),
    invalid(
        "PDF signature taken out of its field",
        faults.SignatureRemoved,
        _after({11: b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Ky1) /P 3 0 R /F 132 /Rect [0 0 0 0] >>"}),
    ),
    invalid(
        "PDF two fields with one signature",
        faults.SignatureMisplaced,
        lambda w: _one(w, more={1: catalog("11 0 R 12 0 R"), 12: b"<< /FT /Sig /T (Ky2) /V 10 0 R >>"}),
    ),
    # what changes by itself
    invalid(
        "PDF script at opening",
        faults.PdfActive,
        _before({30: b"<< /S /JavaScript /JS (x) >>"}, "/OpenAction 30 0 R "),
    ),
    invalid(
        "PDF XFA form",
        faults.PdfActive,
        lambda w: _one(w, more={1: catalog("11 0 R", form="/XFA 30 0 R "), 30: stream(b"<xdp/>")}),
    ),
    invalid("PDF starts a program", faults.PdfActive, _before({30: b"<< /S /Launch /F (cmd.exe) >>"})),
    invalid(
        "PDF script under an indirect name", faults.PdfActive, _before({30: b"<< /S 31 0 R >>", 31: b"/JavaScript"})
    ),
    invalid("PDF page from another file", faults.PdfActive, _before({4: stream(b"", b"/F (page.bin) ")})),
    # what is no PDF to judge
    undecided("PDF encrypted", faults.PdfEncrypted, _encrypted),
    undecided("PDF too large", faults.PdfTooLarge, lambda _: base() + b" " * pdf_file.MAXIMUM),
    invalid("PDF cut off", faults.PdfBroken, lambda w: _one(w)[:-30]),
    invalid("PDF cut in the middle", faults.PdfBroken, lambda w: _one(w)[:700]),
    invalid("PDF garbage", faults.PdfBroken, lambda _: b"%PDF-1.7\n\x00\xff\x13garbage\n%%EOF\n"),
    invalid("PDF behind something else", faults.PdfBroken, lambda w: b"GIF89a\n" + _one(w)),
    invalid(
        "PDF a name twice in a dictionary",
        faults.PdfBroken,
        lambda w: _one(w, more={3: page("11 0 R", "/Contents 30 0 R "), 30: stream(OTHER_TEXT)}),
    ),
    invalid("PDF not signed", faults.NotSigned, lambda _: base()),
    invalid("PDF time-stamped, not signed", faults.NotSigned, _only_stamp),
    # CMS
    invalid("PDF SHA-1", faults.AlgorithmRefused, lambda w: signed(base(), seal(w.person, digest="sha1"))),
    invalid("PDF RSA of 1024 bits", faults.AlgorithmRefused, _weak),
    invalid(
        "PDF algorithm and hash differ",
        faults.AlgorithmRefused,
        lambda w: signed(base(), seal(w.person, method="sha512_rsa")),
    ),
    invalid(
        "PDF without signed attributes",
        faults.ContentsRefused,
        lambda w: signed(base(), seal(w.person, attributes=False)),
    ),
    invalid(
        "PDF content inside the CMS", faults.ContentsRefused, lambda w: signed(base(), seal(w.person, inside=b"x"))
    ),
    invalid("PDF two signers in one CMS", faults.ContentsRefused, lambda w: signed(base(), seal(w.person, signers=2))),
    invalid(
        "PDF something behind the CMS", faults.ContentsRefused, lambda w: signed(base(), seal(w.person, behind=b"x"))
    ),
    invalid("PDF certificate not named", faults.PropertiesRefused, _unnamed),
    invalid(
        "PDF another certificate named",
        faults.PropertiesRefused,
        lambda w: signed(base(), seal(w.person, named=w.other)),
    ),
    invalid(
        "PDF an attribute twice",
        faults.PropertiesRefused,
        lambda w: signed(base(), seal(w.person, more=[("content_type", "data")])),
    ),
    invalid("PDF another key", faults.SignatureValueWrong, lambda w: signed(base(), seal(w.person, key=w.other))),
    invalid(
        "PDF form of the nineties",
        faults.AlgorithmRefused,
        lambda w: _one(w, form="/adbe.x509.rsa_sha1"),
    ),
    invalid("PDF signature called a time stamp", faults.AlgorithmRefused, lambda w: _one(w, kind="/DocTimeStamp")),
    # time and trust
    invalid("PDF time stamp of something else", faults.TimeStampInvalid, _token_of_other),
    invalid("PDF document time stamp of something else", faults.TimeStampInvalid, _other_stamp),
    invalid("PDF signed tomorrow", faults.SignatureInvalid, lambda w: _one(w, time="/M (D:20270101000000Z) ")),
    invalid("PDF signer revoked before", faults.CertificateRevoked, _revoked),
    invalid("PDF signer of a stranger's CA", faults.CertificateUntrusted, _foreign),
    undecided(
        "PDF B-B after the certificate's end", faults.ProofMissing, lambda w: Scene(_one(w), w.good(), TEN_YEARS)
    ),
]
