"""Make PDF files of every wrong kind, byte by byte, so that the judge shares no code with what it judges."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.unit.signing.forge import SIGNED, Pair, der

ROOM = 12_000
"""Hexadecimal digits kept for a signature."""
RANGE = b"0000000000"
SIGNATURE, FIELD = 10, 11
"""Object numbers of the first signature and of its field; those of the second are ten higher."""
TEXT = b"BT /F1 24 Tf 72 700 Td (Ket qua: am tinh) Tj ET"


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s>>\nstream\n%s\nendstream" % (len(data), entries, data)


def page(annotations: str = "", more: str = "") -> bytes:
    held = f"/Annots [{annotations}] " if annotations else ""
    return (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R {held}{more}"
        f"/Resources << /Font << /F1 5 0 R >> >> >>"
    ).encode()


def catalog(fields: str = "", more: str = "", form: str = "") -> bytes:
    held = f"/AcroForm << /Fields [{fields}] /SigFlags 3 {form}>> " if fields or form else ""
    return f"<< /Type /Catalog /Pages 2 0 R {held}{more}>>".encode()


def base(changed: Mapping[int, bytes] | None = None) -> bytes:
    """One page with one line of text."""
    objects = {
        1: catalog(),
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: page(),
        4: stream(TEXT),
        5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        **(changed or {}),
    }
    return _section(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", objects)


def update(pdf: bytes, objects: Mapping[int, bytes], *, freed: Sequence[int] = (), trailer: str = "") -> bytes:
    """Append a revision."""
    return _section(pdf if pdf.endswith(b"\n") else pdf + b"\n", objects, freed, trailer)


def _section(before: bytes, objects: Mapping[int, bytes], freed: Sequence[int] = (), trailer: str = "") -> bytes:
    out, places = before, {}
    for number, content in sorted(objects.items()):
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    starts = re.findall(rb"startxref\s+(\d+)", before)
    sizes = [int(one) for one in re.findall(rb"/Size (\d+)", before)]
    size = max([*places, *freed, max(sizes, default=1) - 1]) + 1
    table = b"xref\n"
    if not starts:
        table += b"0 1\n0000000000 65535 f \n"
    for number in sorted({*places, *freed}):
        entry = b"0000000000 00001 f \n" if number in freed else b"%010d 00000 n \n" % places[number]
        table += b"%d 1\n%s" % (number, entry)
    previous = b"/Prev %s " % starts[-1] if starts else b""
    end = b"trailer\n<< /Size %d /Root 1 0 R %s%s>>\nstartxref\n%d\n%%%%EOF\n"
    return out + table + end % (size, previous, trailer.encode(), len(out))


# ---- signatures ----

Seal = Callable[[bytes], bytes]
"""Bytes that are signed → what stands in Contents."""


def signed(
    pdf: bytes,
    seal: Seal,
    *,
    number: int = 0,
    form: str = "/ETSI.CAdES.detached",
    kind: str = "/Sig",
    rect: str = "0 0 0 0",
    dictionary: str = "",
    fields: str = "",
    more: Mapping[int, bytes] | None = None,
    contents: str = "",
    ranges: Callable[[int, int, int], str] = lambda start, end, size: f"0 {start} {end} {size - end}",
    time: str = f"/M (D:{SIGNED:%Y%m%d%H%M%S}Z) ",
) -> bytes:
    """Append a revision with a signature.

    `contents` stands before the place of the signature; `ranges` says what is written as ByteRange and so is signed.
    """
    value, field = SIGNATURE + 10 * number, FIELD + 10 * number
    place = b"<< /Type %s /Filter /Adobe.PPKLite /SubFilter %s %s%s/ByteRange [%s] /Contents %s<%s> >>" % (
        kind.encode(),
        form.encode(),
        time.encode(),
        dictionary.encode(),
        b" ".join([RANGE] * 4),
        contents.encode(),
        b"0" * ROOM,
    )
    widget = f"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Ky{number + 1}) /V {value} 0 R /P 3 0 R /F 132 /Rect [{rect}] >>"
    listed = " ".join([fields, *(f"{FIELD + 10 * one} 0 R" for one in range(number + 1))]).strip()
    changed = {1: catalog(listed), 3: page(listed), value: place, field: widget.encode(), **(more or {})}
    revision = update(pdf, changed)
    start = revision.rindex(b"<" + b"0" * 20)
    end = revision.index(b">", start) + 1
    written = ranges(start, end, len(revision)).encode()
    blank = b" ".join([RANGE] * 4)
    at = revision.rindex(blank)
    revision = revision[:at] + written.ljust(len(blank)) + revision[at + len(blank) :]
    numbers = [int(one) for one in written.split()]
    pairs = list(zip(numbers[0::2], numbers[1::2], strict=False))
    octets = b"".join(revision[first : first + length] for first, length in pairs if first >= 0 and length > 0)
    value_digits = seal(octets).hex().encode()
    return revision[: start + 1] + value_digits.ljust(ROOM, b"0") + revision[start + 1 + ROOM :]


def seal(
    by: Pair,
    *,
    digest: str = "sha256",
    certificate: bool = True,
    named: Pair | None = None,
    attributes: bool = True,
    inside: bytes | None = None,
    signers: int = 1,
    key: Pair | None = None,
    method: str = "",
    more: Sequence[tuple[str, Any]] = (),
    token: Callable[[bytes], bytes] | None = None,
    behind: bytes = b"",
) -> Seal:
    """Say how `by` signs; every argument is a way to do it wrong, or a choice."""

    def make(octets: bytes) -> bytes:
        hasher = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}[digest]
        held: list[dict[str, Any]] = [
            {"type": "content_type", "values": ["data"]},
            {"type": "message_digest", "values": [hashlib.new(digest, octets).digest()]},
            *({"type": name, "values": [value]} for name, value in more),
        ]
        if certificate:
            identifier = tsp.ESSCertIDv2({"cert_hash": hashlib.sha256(der((named or by).certificate)).digest()})
            value = tsp.SigningCertificateV2({"certs": [identifier]})
            held.append({"type": "signing_certificate_v2", "values": [value]})
        signed_attributes = cms.CMSAttributes(held)
        data = signed_attributes.dump() if attributes else octets
        signature = (key or by).key.sign(data, padding.PKCS1v15(), hasher)
        chain = [asn1_x509.Certificate.load(der(one)) for one in (by.certificate, *by.above)]
        pointer = {"issuer": chain[0].issuer, "serial_number": by.certificate.serial_number}
        signer: dict[str, Any] = {
            "version": "v1",
            "sid": {"issuer_and_serial_number": pointer},
            "digest_algorithm": algos.DigestAlgorithm({"algorithm": digest}),
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": method or f"{digest}_rsa"}),
            "signature": signature,
        }
        if attributes:
            signer["signed_attrs"] = signed_attributes
        if token is not None:
            stamp = cms.ContentInfo.load(token(signature))
            signer["unsigned_attrs"] = [{"type": "signature_time_stamp_token", "values": [stamp]}]
        content: dict[str, Any] = {"content_type": "data"}
        if inside is not None:
            content["content"] = core.OctetString(inside)
        whole = cms.SignedData(
            {
                "version": "v1",
                "digest_algorithms": [{"algorithm": digest}],
                "encap_content_info": content,
                "certificates": chain,
                "signer_infos": [signer] * signers,
            }
        )
        return bytes(cms.ContentInfo({"content_type": "signed_data", "content": whole}).dump()) + behind

    return make
