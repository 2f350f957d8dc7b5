"""The signature policy that a XAdES signature names: read it, and compare its hash with the document when that is at hand.

A verdict is made by this product's own rules, never by those of a policy: a policy that is not known is a warning. When the
document is at hand and is another one than the signer meant, nobody can say what was agreed: undecided.

Not here: what a policy asks, fetching it, hashes over a part or a transformed form of it.

Standard: ETSI EN 319 132-1 V1.2.1 §5.2.9, §5.2.10; ETSI EN 319 102-1 §5.2.4
Requirement: S0.10
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

from lxml import etree

from signing import xml_parts
from signing.faults import PolicyContradicted, PropertiesRefused
from signing.verdict import POLICY_UNKNOWN, NamedPolicy, Reason
from signing.xml_parts import DS, XADES, XADES141


def read(signed: etree._Element) -> NamedPolicy | None:
    """Return the policy that SignedSignatureProperties name; None when they name none. Raises PropertiesRefused."""
    found = signed.findall(f"{{{XADES}}}SignaturePolicyIdentifier")
    if not found:
        return None
    inside = list(found[0])
    if len(found) != 1 or len(inside) != 1:
        raise PropertiesRefused("SignaturePolicyIdentifier", "not one policy")
    if inside[0].tag == f"{{{XADES}}}SignaturePolicyImplied":
        return NamedPolicy("", implied=True)
    identifier = inside[0].find(f"{{{XADES}}}SigPolicyId/{{{XADES}}}Identifier")
    held = inside[0].find(f"{{{XADES}}}SigPolicyHash")
    method = None if held is None else held.find(f"{{{DS}}}DigestMethod")
    value = None if held is None else held.find(f"{{{DS}}}DigestValue")
    if identifier is None or method is None or value is None:
        raise PropertiesRefused("SignaturePolicyId", "without identifier or hash")
    whole = inside[0].find(f"{{{DS}}}Transforms") is None
    return NamedPolicy(
        "".join((identifier.text or "").split()), method.get("Algorithm", ""), xml_parts.octets(value), whole
    )


def stored(unsigned: Sequence[etree._Element]) -> bytes:
    """Return the policy document that the signature carries (SignaturePolicyStore); empty when it carries none."""
    for one in unsigned:
        document = one.find(f"{{{XADES141}}}SignaturePolicyDocument")
        if one.tag == f"{{{XADES141}}}SignaturePolicyStore" and document is not None:
            return xml_parts.octets(document)
    return b""


def check(policy: NamedPolicy, documents: Mapping[str, bytes]) -> Reason | None:
    """Compare the hash with the document, of `documents` by identifier or else the one the signature carries.

    Returns a warning when that cannot be done, None when it fits. Raises PolicyContradicted.
    """
    if policy.implied:
        return None
    document = documents.get(policy.identifier, policy.document)
    hashed = xml_parts.DIGEST_METHODS.get(policy.digest_method)
    if not document or hashed is None or not policy.whole:
        return Reason(POLICY_UNKNOWN, "SignaturePolicyId", policy.identifier[:80])
    if not hmac.compare_digest(hashed(document).digest(), policy.digest):
        raise PolicyContradicted("SignaturePolicyId", policy.identifier[:80])
    return None
