"""What is kept inside a time stamp token about its authority: certificates, CRLs, OCSP answers, in unsigned attributes.

A token that has them proves itself when nobody can be asked any more, and whoever stamps the token stamps them, too. Pure.

Not here: judging any of it (`verify_timestamp`, `validation`).

Standard: RFC 5126 §6.3.3 (certificate-values), §6.3.4 (revocation-values); RFC 4998 §5.2
Requirement: S0.10
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from asn1crypto import core

from signing.der import Element, element, tagged
from signing.evidence import Evidence
from signing.faults import TimestampInvalid

_SEQUENCE, _SET, _OCTETS, _UNSIGNED = 0x30, 0x31, 0x04, 0xA1
_BASIC: Final = core.ObjectIdentifier("1.3.6.1.5.5.7.48.1.1").dump()
_CERTIFICATE_VALUES: Final = core.ObjectIdentifier("1.2.840.113549.1.9.16.2.23").dump()
_REVOCATION_VALUES: Final = core.ObjectIdentifier("1.2.840.113549.1.9.16.2.24").dump()
_SUCCESSFUL: Final = b"\x0a\x01\x00"


def with_material(token: bytes, about: Evidence) -> bytes:
    """Return a token with what `about` holds, its time stamps and records aside; its signature stays what it was.

    One that has such attributes keeps these alone. Raises TimestampInvalid when it cannot be read.
    """
    try:
        form, wrapped = element(token).inside(_SEQUENCE)
        (data,) = wrapped.inside(0xA0)
        *before, signers = data.inside(_SEQUENCE)
        (signer,) = signers.inside(_SET)
        fields = signer.inside(_SEQUENCE)
        own = [one.whole for one in fields.pop()] if fields[-1].tag == _UNSIGNED else []
        if any(name in one for one in own for name in (_CERTIFICATE_VALUES, _REVOCATION_VALUES)):
            return token
        new = [*own, *_attributes(about)]
        if not new:
            return token
        whole = tagged(_SEQUENCE, *(one.whole for one in fields), tagged(_UNSIGNED, *sorted(new)))
        signed = tagged(_SEQUENCE, *(one.whole for one in before), tagged(_SET, whole))
        return tagged(_SEQUENCE, form.whole, tagged(0xA0, signed))
    except (ValueError, IndexError) as problem:
        raise TimestampInvalid("token", "cannot be read") from problem


def material(token: bytes) -> Evidence:
    """Return what a token holds about its authority; nothing where there is nothing that can be read."""
    found = Evidence()
    try:
        for attribute in _unsigned(token):
            name, values = attribute.inside(_SEQUENCE)
            (value,) = values.inside(_SET)
            if name.whole == _CERTIFICATE_VALUES:
                found += Evidence(certificates=tuple(one.whole for one in value.inside(_SEQUENCE)))
            elif name.whole == _REVOCATION_VALUES:
                found += _revocation_values(value)
    except (ValueError, IndexError):
        pass
    return found


def _unsigned(token: bytes) -> list[Element]:
    _, wrapped = element(token).inside(_SEQUENCE)
    (data,) = wrapped.inside(0xA0)
    (signer,) = data.inside(_SEQUENCE)[-1].inside(_SET)
    last = signer.inside(_SEQUENCE)[-1]
    return list(last) if last.tag == _UNSIGNED else []


def _revocation_values(value: Element) -> Evidence:
    found = Evidence()
    for kind in value.inside(_SEQUENCE):
        (listed,) = kind
        held = tuple(one.whole for one in listed.inside(_SEQUENCE))
        if kind.tag == 0xA0:
            found += Evidence(crls=held)
        elif kind.tag == 0xA1:
            found += Evidence(ocsp_responses=tuple(_response(one) for one in held))
    return found


def _attributes(about: Evidence) -> Iterator[bytes]:
    if about.certificates:
        yield tagged(_SEQUENCE, _CERTIFICATE_VALUES, tagged(_SET, tagged(_SEQUENCE, *about.certificates)))
    answers = [_basic(one) for one in about.ocsp_responses]
    values = [tagged(tag, tagged(_SEQUENCE, *held)) for tag, held in ((0xA0, about.crls), (0xA1, answers)) if held]
    if values:
        yield tagged(_SEQUENCE, _REVOCATION_VALUES, tagged(_SET, tagged(_SEQUENCE, *values)))


def _basic(response: bytes) -> bytes:
    """Return the BasicOCSPResponse of an OCSPResponse: the attribute holds no more."""
    _, held = element(response).inside(_SEQUENCE)
    (kept,) = held.inside(0xA0)
    _, octets = kept.inside(_SEQUENCE)
    return octets.octets


def _response(basic: bytes) -> bytes:
    """Return the successful OCSPResponse around a BasicOCSPResponse."""
    return tagged(_SEQUENCE, _SUCCESSFUL, tagged(0xA0, tagged(_SEQUENCE, _BASIC, tagged(_OCTETS, basic))))
