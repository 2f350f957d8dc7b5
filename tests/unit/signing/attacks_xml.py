"""Attacks on the form of XML signatures: wrapping, references, transforms, keys, algorithms, bytes, XAdES properties."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes, serialization
from lxml import etree

from signing import faults
from tests.unit.signing.attacks import Case, invalid, undecided, valid
from tests.unit.signing.forge import (
    C14N,
    COUNTERSIGNED,
    DS,
    ENVELOPED,
    EXCLUSIVE,
    FILTER,
    OTHERS,
    PARALLEL,
    SHA1,
    SHA256,
    XADES,
    XCLUSIVE,
    Made,
    Pair,
    World,
    b64,
    der,
    issue,
    key_info,
    made,
    own,
    properties,
    reference,
)

CASES: list[Case] = []
DOCUMENT = "<r><a>x</a>{}</r>"
PART = '<r><a Id="A">x</a><CHUKYDONVI>{}</CHUKYDONVI></r>'


def _signed(w: World, *references: str, document: str = DOCUMENT, keys: str = "", form: str = EXCLUSIVE) -> str:
    return document.replace("{}", made(w.person.memory, references, keys=keys, form=form).text())


def _step(algorithm: str, inner: str = "") -> str:
    return f'<Transform Algorithm="{algorithm}">{inner}</Transform>'


def _part(w: World, document: str = PART) -> str:
    return _signed(w, reference('<a Id="A">x</a>', "#A", transforms=XCLUSIVE), document=document)


# ---- controls: what is right passes, so that the table below cannot pass for a wrong reason ----

CASES += [
    valid("plain whole document", lambda w: w.plain()),
    valid("XAdES B-B", lambda w: DOCUMENT.replace("{}", w.basic().text())),
    valid("both children of a document with CHUKYDONVI", _part),
    valid(
        "C14N 1.1",
        lambda w: _signed(
            w, reference("<r><a>x</a></r>", transforms=_step(ENVELOPED) + _step("http://www.w3.org/2006/12/xml-c14n11"))
        ),
    ),
    valid(
        "exclusive with a prefix list",
        lambda w: _signed(
            w,
            reference(
                "<r><a>x</a></r>",
                transforms=_step(ENVELOPED)
                + _step(EXCLUSIVE, f'<InclusiveNamespaces xmlns="{EXCLUSIVE}" PrefixList="v"></InclusiveNamespaces>'),
            ),
        ),
    ),
    valid(
        "XPath that leaves out signatures",
        lambda w: _signed(
            w,
            reference(
                "<r><a>x</a></r>",
                transforms=_step(
                    "http://www.w3.org/TR/1999/REC-xpath-19991116",
                    f'<XPath xmlns:ds="{DS}">not(ancestor-or-self::ds:Signature)</XPath>',
                )
                + _step(C14N),
            ),
            form=C14N,
        ),
    ),
]


def _two(w: World, second: Pair | None = None) -> str:
    first = made(w.person.memory, [reference("<r><a>x</a></r>", transforms=PARALLEL)], identifier="S1")
    other = made((second or w.other).memory, [reference("<r><a>x</a></r>", transforms=PARALLEL)], identifier="S2")
    return DOCUMENT.replace("{}", first.text() + other.text())


def _countersigned(w: World, octets: bytes | None = None, uri: str = "#S-value", kind: str = COUNTERSIGNED) -> str:
    whole = w.basic()
    written = properties(w.other.certificate, "P2")
    refs = [reference(octets or whole.value_octets, uri, transforms=XCLUSIVE, kind=kind), own(written, "P2")]
    counter = made(w.other.memory, refs, written, identifier="S2")
    return DOCUMENT.replace("{}", whole.text(f"<xades:CounterSignature>{counter.text()}</xades:CounterSignature>"))


CASES += [
    valid("two parallel signatures", _two),
    valid("counter-signature", _countersigned),
    valid("comment between elements, outside the signature", lambda w: w.plain().replace("<a>", "<!-- c --><a>")),
]


# ---- wrapping ----


def _moved_under_another_root(w: World) -> str:
    return f"<evil><a>forged</a>{w.plain()}</evil>"


def _second_object(w: World) -> str:
    return _part(w).replace("<a Id", '<b Id="B">forged</b><a Id')


def _content_in_the_signature(w: World) -> str:
    return w.plain().replace("</Signature>", '<Object Id="A"><a>forged</a></Object></Signature>')


def _signed_element_hidden(w: World) -> str:
    """The signed element goes into the place for signatures, a forged one takes its place."""
    signed = _part(w)
    return signed.replace('<a Id="A">x</a>', "<a>forged</a>").replace("<CHUKYDONVI>", '<CHUKYDONVI><a Id="A">x</a>')


CASES += [
    invalid("signed document moved under another root", faults.SignatureMisplaced, _moved_under_another_root),
    invalid(
        "signed document wrapped, its signature lifted",
        faults.ContentChanged,
        lambda w: re.sub("<r>(.*?)(<Signature .*)</r>", r"<r><r>\1</r>\2</r>", w.plain()),
    ),
    invalid(
        "signature put into another document",
        faults.ContentChanged,
        lambda w: re.sub("<a>x</a>", "<a>forged</a>", w.plain()),
    ),
    invalid("second object beside the signed part", faults.ReferenceRefused, _second_object),
    invalid("duplicated Id", faults.ReferenceRefused, lambda w: _part(w).replace("<a Id", '<b Id="A">forged</b><a Id')),
    invalid(
        "the same Id in another spelling",
        faults.ReferenceRefused,
        lambda w: _part(w).replace("<a Id", '<b xml:id="A">forged</b><a Id'),
    ),
    invalid("signed element hidden in the place for signatures", faults.ReferenceRefused, _signed_element_hidden),
    invalid(
        "signed part under a forged root",
        faults.ReferenceRefused,
        lambda w: _part(w).replace("<r>", '<r status="final">'),
    ),
    invalid("text beside the signed part", faults.ReferenceRefused, lambda w: _part(w).replace("</r>", "forged</r>")),
    invalid(
        "instruction beside the signed part",
        faults.ReferenceRefused,
        lambda w: _part(w).replace("</r>", "<?forged?></r>"),
    ),
    invalid(
        "forged content in CHUKYDONVI",
        faults.ReferenceRefused,
        lambda w: _part(w).replace("<CHUKYDONVI>", "<CHUKYDONVI><b>forged</b>"),
    ),
    invalid(
        "signature of an ancestor's attribute only",
        faults.ReferenceRefused,
        lambda w: _part(w, '<r><c><a Id="A">x</a></c><CHUKYDONVI>{}</CHUKYDONVI></r>'),
    ),
    invalid(
        "part signed where the whole has to be",
        faults.ReferenceRefused,
        lambda w: _part(w, '<r><a Id="A">x</a><b>y</b>{}</r>'),
    ),
    invalid("signature inside another element", faults.SignatureMisplaced, lambda w: w.plain("<r><a>x{}</a></r>")),
    invalid(
        "signature too deep in a place",
        faults.SignatureMisplaced,
        lambda w: w.plain("<r><b><CHUKYDONVI>{}</CHUKYDONVI></b></r>"),
    ),
    invalid(
        "second, empty signature",
        faults.SignatureMisplaced,
        lambda w: _two(w).replace("</r>", f'<Signature xmlns="{DS}"/></r>'),
    ),
    invalid(
        "the same signature twice",
        faults.ContentChanged,
        lambda w: re.sub("(<Signature .*</Signature>)", r"\1\1", w.plain()),
    ),
    invalid(
        "one of two signatures broken",
        faults.SignatureValueWrong,
        lambda w: re.sub(r'("S2-value">.)(.)', lambda m: m[1] + ("A" if m[2] != "A" else "B"), _two(w)),
    ),
    invalid("content in an Object of the signature", faults.SignatureMisplaced, _content_in_the_signature),
    invalid(
        "signature in a signature",
        faults.SignatureMisplaced,
        lambda w: w.plain().replace("</Signature>", f'<Object><Signature xmlns="{DS}"/></Object></Signature>'),
    ),
    invalid(
        "signature as the whole document",
        faults.ReferenceRefused,
        lambda w: _signed(w, reference("<r></r>"), document="{}"),
    ),
    invalid(
        "comment inside the signature",
        faults.SignatureMisplaced,
        lambda w: w.plain().replace("<DigestValue>", "<DigestValue><!-- x -->"),
    ),
    invalid("not signed", faults.NotSigned, lambda _: "<r><a>x</a></r>"),
]


# ---- references ----

OUTSIDE = {
    "reference to a file": "file:///etc/passwd",
    "reference over http": "http://a.example/x",
    "reference to a relative file": "x.xml",
}
TRICKS = {
    "xpointer to the root": "#xpointer(/)",
    "xpointer by Id": "#xpointer(id('A'))",
    "xpointer to a place": "#xpointer(/r/a)",
    "reference by child sequence": "#element(/1/1)",
    "empty fragment": "#",
    "fragment in percent signs": "#%41",
}


def _to(uri: str, octets: str, document: str) -> Callable[[World], str]:
    return lambda w: _signed(w, reference(octets, uri), document=document)


def _through(steps: str) -> Callable[[World], str]:
    return lambda w: _signed(w, reference("<r><a>x</a></r>", transforms=steps), form=C14N)


CASES += [
    *(invalid(name, faults.ReferenceRefused, _to(uri, "<r><a>x</a></r>", DOCUMENT)) for name, uri in OUTSIDE.items()),
    *(invalid(name, faults.ReferenceRefused, _to(uri, "x", PART)) for name, uri in TRICKS.items()),
    invalid("no URI", faults.ReferenceRefused, lambda w: _signed(w, reference("<r><a>x</a></r>", None))),
    invalid("no reference", faults.ReferenceRefused, lambda w: _signed(w)),
    invalid("reference to nothing", faults.ReferenceRefused, lambda w: _signed(w, reference("x", "#nothing"))),
    invalid(
        "one good reference, one outside",
        faults.ReferenceRefused,
        lambda w: _signed(w, reference("<r><a>x</a></r>"), reference("x", "http://a.example/")),
    ),
    invalid(
        "one good reference, one with another digest",
        faults.ContentChanged,
        lambda w: _signed(w, reference("<r><a>x</a></r>"), reference("<r><a>y</a></r>")),
    ),
    invalid(
        "more references than anybody needs",
        faults.ReferenceRefused,
        lambda w: _signed(w, *[reference("<r><a>x</a></r>")] * 101),
    ),
    invalid(
        "manifest",
        faults.ReferenceRefused,
        lambda w: _signed(
            w,
            reference("x", "#M", transforms=XCLUSIVE, kind=f"{DS}Manifest"),
            document=f'<r><a>x</a><b><Manifest xmlns="{DS}" Id="M"/></b>{{}}</r>',
        ),
    ),
    invalid(
        "only the key is signed",
        faults.ReferenceRefused,
        lambda w: _signed(
            w,
            reference(
                key_info(w.person.certificate).replace("<KeyInfo", f'<KeyInfo xmlns="{DS}" Id="K"'),
                "#K",
                transforms=XCLUSIVE,
            ),
            keys=key_info(w.person.certificate).replace("<KeyInfo", '<KeyInfo Id="K"'),
        ),
    ),
]


# ---- transforms ----

XSLT = '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"></xsl:stylesheet>'
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
TRANSFORMS = {
    "XSLT": _step(ENVELOPED) + _step("http://www.w3.org/TR/1999/REC-xslt-19991116", XSLT),
    "XPath that leaves content out": _step(ENVELOPED) + _step(XPATH, "<XPath>not(self::a)</XPath>"),
    "XPath with a prefix bound elsewhere": _step(
        XPATH, '<XPath xmlns:ds="urn:x">not(ancestor-or-self::ds:Signature)</XPath>'
    ),
    "filter that intersects": _step(ENVELOPED)
    + _step(FILTER, f'<XPath xmlns="{FILTER}" Filter="intersect">/r</XPath>'),
    "filter that subtracts content": _step(ENVELOPED)
    + _step(FILTER, f'<XPath xmlns="{FILTER}" Filter="subtract">/r/a</XPath>'),
    "filter with a second expression": _step(
        FILTER,
        f'<XPath xmlns="{FILTER}" Filter="subtract">{OTHERS}</XPath><XPath xmlns="{FILTER}" Filter="union">/</XPath>',
    ),
    "base64": _step(ENVELOPED) + _step(f"{DS}base64"),
    "unknown transform": _step(ENVELOPED) + _step("urn:unknown"),
    "decryption": _step(ENVELOPED) + _step("http://www.w3.org/2002/07/decrypt#XML"),
    "something after the canonical form": _step(ENVELOPED) + _step(C14N) + _step(ENVELOPED),
    "canonical form with comments": _step(ENVELOPED) + _step(f"{C14N}#WithComments"),
    "no transform over the whole": "",
    "enveloped with a parameter": _step(ENVELOPED, "<a></a>") + _step(C14N),
}

CASES += [
    *(invalid(name, faults.TransformRefused, _through(steps)) for name, steps in TRANSFORMS.items()),
    invalid(
        "canonical form of SignedInfo unknown",
        faults.TransformRefused,
        lambda w: DOCUMENT.replace("{}", made(w.person.memory, [reference("<r><a>x</a></r>")], form="urn:none").text()),
    ),
    invalid(
        "canonical form 1.1 where it differs from 1.0",
        faults.TransformRefused,
        lambda w: _signed(
            w,
            reference(
                '<r xml:base="u"><a>x</a></r>',
                transforms=_step(ENVELOPED) + _step("http://www.w3.org/2006/12/xml-c14n11"),
            ),
            document='<r xml:base="u"><a>x</a>{}</r>',
        ),
    ),
]


# ---- text ----

ENTITY = '<!DOCTYPE r [<!ENTITY e "x">]>'
CASES += [
    invalid("DTD", faults.DocumentUnreadable, lambda w: "<!DOCTYPE r>" + w.plain()),
    invalid("entity", faults.DocumentUnreadable, lambda w: ENTITY + w.plain().replace("<a>x", "<a>&e;")),
    invalid(
        "external entity",
        faults.DocumentUnreadable,
        lambda w: '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + w.plain(),
    ),
    invalid(
        "a million laughs",
        faults.DocumentUnreadable,
        lambda w: '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>' + w.plain(),
    ),
    invalid(
        "ID declared in a DTD",
        faults.DocumentUnreadable,
        lambda w: "<!DOCTYPE r [<!ATTLIST b k ID #IMPLIED>]>" + _part(w),
    ),
    invalid(
        "comment that cuts a value",
        faults.DocumentUnreadable,
        lambda w: w.plain("<r><a>admin.forged</a>{}</r>").replace("admin.", "admin<!-- -->."),
    ),
    invalid("comment before a value", faults.DocumentUnreadable, lambda w: w.plain().replace("<a>", "<a><!-- -->")),
    invalid("instruction put into a value", faults.ContentChanged, lambda w: w.plain().replace("<a>x", "<a><?p?>x")),
    invalid(
        "instruction beside the root", faults.ContentChanged, lambda w: "<?xml-stylesheet href='evil.xsl'?>" + w.plain()
    ),
    invalid(
        "another namespace for an unused prefix",
        faults.ContentChanged,
        lambda w: w.plain('<r xmlns:v="urn:v"><a>x</a>{}</r>').replace("urn:v", "urn:w"),
    ),
    invalid("white space put between elements", faults.ContentChanged, lambda w: w.plain().replace("<a>", "\n<a>")),
    invalid("not well-formed", faults.DocumentUnreadable, lambda w: w.plain()[:-1]),
    invalid("very deep", faults.DocumentUnreadable, lambda w: w.plain("<r>" + "<a>" * 300 + "</a>" * 300 + "{}</r>")),
]


# ---- keys ----


def _key_value(w: World) -> str:
    numbers = w.person.key.public_key().public_numbers()
    modulus = b64(numbers.n.to_bytes(256))
    value = f"<RSAKeyValue><Modulus>{modulus}</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>"
    return f"<KeyInfo><KeyValue>{value}</KeyValue></KeyInfo>"


def _with_keys(w: World, keys: str) -> str:
    return _signed(w, reference("<r><a>x</a></r>"), keys=keys)


def _own_key_value_beside_a_strangers_certificate(w: World) -> str:
    value = _key_value(w).replace("</KeyInfo>", "")
    return _with_keys(w, value + key_info(w.other.certificate, w.ca.certificate).removeprefix("<KeyInfo>"))


def _method_key_info(w: World) -> str:
    return _with_keys(w, '<KeyInfo><RetrievalMethod URI="http://a.example/c.crt"></RetrievalMethod></KeyInfo>')


CASES += [
    invalid("KeyValue only", faults.KeyInfoRefused, lambda w: _with_keys(w, _key_value(w))),
    invalid("RetrievalMethod", faults.KeyInfoRefused, _method_key_info),
    invalid(
        "RetrievalMethod beside the certificate",
        faults.KeyInfoRefused,
        lambda w: w.plain().replace("<X509Data>", '<RetrievalMethod URI="#x"></RetrievalMethod><X509Data>'),
    ),
    invalid("no KeyInfo", faults.KeyInfoRefused, lambda w: re.sub("<KeyInfo>.*</KeyInfo>", "", w.plain())),
    invalid(
        "certificate of another key",
        faults.SignatureValueWrong,
        lambda w: _with_keys(w, key_info(w.other.certificate, w.ca.certificate)),
    ),
    invalid(
        "own KeyValue beside a stranger's certificate",
        faults.SignatureValueWrong,
        _own_key_value_beside_a_strangers_certificate,
    ),
    valid(
        "two people's certificates, of whom one signed",
        lambda w: _with_keys(w, key_info(w.other.certificate, w.person.certificate, w.ca.certificate)),
    ),
    invalid(
        "two people's certificates, of whom nobody signed",
        faults.KeyInfoRefused,
        lambda w: _with_keys(w, key_info(w.other.certificate, issue(w.ca, "Ai", 10).certificate, w.ca.certificate)),
    ),
    invalid(
        "two certificates for the key that signed",
        faults.KeyInfoRefused,
        lambda w: _with_keys(w, key_info(w.person.certificate, issue(w.ca, "Ai", 3).certificate, w.ca.certificate)),
    ),
    invalid(
        "certificate that is none",
        faults.KeyInfoRefused,
        lambda w: _with_keys(w, "<KeyInfo><X509Data><X509Certificate>AAAA</X509Certificate></X509Data></KeyInfo>"),
    ),
    invalid(
        "eleven certificates", faults.KeyInfoRefused, lambda w: _with_keys(w, key_info(*[w.person.certificate] * 11))
    ),
    invalid(
        "certificate with spare bits",
        faults.KeyInfoRefused,
        lambda w: _with_keys(
            w,
            key_info(w.person.certificate, w.ca.certificate).replace(
                b64(der(w.person.certificate)), b64(_spare_bits(w))
            ),
        ),
    ),
]


def _spare_bits(w: World) -> bytes:
    """Say that some bits of the issuer's signature do not count: the same certificate with another fingerprint."""
    encoded, seal = der(w.person.certificate), w.person.certificate.signature
    return encoded.removesuffix(b"\x00" + seal) + b"\x01" + seal[:-1] + bytes([seal[-1] & 0xFE])


# ---- algorithms ----


def _algorithm(w: World, method: str, seal: hashes.HashAlgorithm | None = None) -> str:
    return DOCUMENT.replace(
        "{}", made(w.person.memory, [reference("<r><a>x</a></r>")], method=method, seal=seal).text()
    )


def _hmac(w: World) -> str:
    """A signature whose secret is the public key, as everybody can make it."""
    whole = made(w.person.memory, [reference("<r><a>x</a></r>")], method=f"{DS}hmac-sha256")
    secret = w.person.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    value = b64(hmac.digest(secret, whole.info.encode(), "sha256"))
    return DOCUMENT.replace("{}", Made(whole.info, value, whole.key_info).text())


def _short_key(w: World) -> str:
    return w.plain(signer=issue(w.ca, "Ngắn", 90, bits=1024))


MORE = "http://www.w3.org/2001/04/xmldsig-more#"
CASES += [
    valid("RSA with SHA-512", lambda w: _algorithm(w, f"{MORE}rsa-sha512", hashes.SHA512())),
    invalid("HMAC with the public key", faults.AlgorithmRefused, _hmac),
    invalid("RSA with SHA-1", faults.AlgorithmRefused, lambda w: _algorithm(w, f"{DS}rsa-sha1", hashes.SHA1())),
    invalid("RSA with MD5", faults.AlgorithmRefused, lambda w: _algorithm(w, f"{MORE}rsa-md5", hashes.MD5())),
    invalid(
        "digest SHA-1",
        faults.AlgorithmRefused,
        lambda w: _signed(w, reference("<r><a>x</a></r>", method=SHA1, digest="sha1")),
    ),
    invalid(
        "digest MD5",
        faults.AlgorithmRefused,
        lambda w: _signed(w, reference("<r><a>x</a></r>", method=f"{MORE}md5", digest="md5")),
    ),
    invalid("RSA of 1024 bits", faults.AlgorithmRefused, _short_key),
    invalid("unknown algorithm", faults.AlgorithmRefused, lambda w: _algorithm(w, "urn:unknown")),
    invalid("DSA", faults.AlgorithmRefused, lambda w: _algorithm(w, f"{DS}dsa-sha1")),
    invalid("ECDSA named over an RSA key", faults.AlgorithmRefused, lambda w: _algorithm(w, f"{MORE}ecdsa-sha256")),
    invalid("another hash named than used", faults.SignatureValueWrong, lambda w: _algorithm(w, f"{MORE}rsa-sha384")),
    invalid(
        "PSS named over PKCS#1 v1.5",
        faults.SignatureValueWrong,
        lambda w: _algorithm(w, "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"),
    ),
    invalid(
        "algorithm with a parameter",
        faults.AlgorithmRefused,
        lambda w: w.plain().replace('rsa-sha256">', 'rsa-sha256"><HMACOutputLength>1</HMACOutputLength>'),
    ),
]


# ---- signature value ----


def _value(change: Callable[[bytes], str]) -> Callable[[World], str]:
    def make(w: World) -> str:
        whole = made(w.person.memory, [reference("<r><a>x</a></r>")])
        return DOCUMENT.replace("{}", Made(whole.info, change(base64.b64decode(whole.value)), whole.key_info).text())

    return make


CASES += [
    invalid("signature value truncated", faults.SignatureValueWrong, _value(lambda v: b64(v[:-1]))),
    invalid("signature value with bytes after it", faults.SignatureValueWrong, _value(lambda v: b64(v + b"\0"))),
    invalid("signature value with zeros before it", faults.SignatureValueWrong, _value(lambda v: b64(b"\0" + v))),
    invalid("signature value empty", faults.DocumentUnreadable, _value(lambda _: "")),
    invalid(
        "signature value in another alphabet",
        faults.DocumentUnreadable,
        _value(lambda v: b64(v).replace("+", "-").replace("/", "_") + "-"),
    ),
    invalid(
        "signature value of another document",
        faults.SignatureValueWrong,
        lambda w: re.sub(
            ">[^<]*</SignatureValue>",
            f">{made(w.person.memory, [reference('<q></q>')]).value}</SignatureValue>",
            w.plain(),
        ),
    ),
]


# ---- XAdES ----


def _xades(w: World, refs: list[str], written: str, *, unsigned: str = "", target: str | None = None) -> str:
    whole = made(w.person.memory, [reference("<r><a>x</a></r>"), *refs], written)
    return DOCUMENT.replace("{}", whole.text(unsigned, target=target))


def _wrong_certificate(w: World) -> str:
    written = properties(w.other.certificate)
    return _xades(w, [own(written)], written)


def _unsigned_properties(w: World) -> str:
    return _xades(w, [], properties(w.person.certificate))


def _untyped(w: World) -> str:
    written = properties(w.person.certificate)
    return _xades(w, [own(written, kind="")], written)


def _twice(w: World, second: str = "P2") -> str:
    written = properties(w.person.certificate)
    return _xades(w, [own(written)], written + properties(w.person.certificate, second))


def _second_qualifying(w: World) -> str:
    whole = DOCUMENT.replace("{}", w.basic().text())
    forged = properties(w.person.certificate, "P2")
    inner = f'<xades:QualifyingProperties xmlns:xades="{XADES}" Target="#S">{forged}</xades:QualifyingProperties>'
    return whole.replace("</Signature>", f"<Object>{inner}</Object></Signature>")


def _properties_elsewhere(w: World) -> str:
    """The signed properties stand in the document, other ones in the signature."""
    moved, forged = properties(w.person.certificate), properties(w.person.certificate, "P2")
    document = f"<r><a>x</a>{moved}{{}}</r>"
    whole = made(w.person.memory, [reference(document.replace("{}", "")), own(moved)], forged)
    return document.replace("{}", whole.text())


def _sha1_certificate(w: World) -> str:
    written = properties(w.person.certificate).replace(SHA256, SHA1)
    return _xades(w, [own(written)], written)


def _no_certificate(w: World) -> str:
    written = re.sub(
        "<xades:SigningCertificateV2>.*</xades:SigningCertificateV2>", "", properties(w.person.certificate)
    )
    return _xades(w, [own(written)], written)


def _time(text: str) -> Callable[[World], str]:
    def make(w: World) -> str:
        written = re.sub("SigningTime>[^<]*<", f"SigningTime>{text}<", properties(w.person.certificate))
        return _xades(w, [own(written)], written)

    return make


def _counter_of_the_document(w: World) -> str:
    return _countersigned(w, b"<a>x</a>", "#A").replace("<a>x</a>", '<a Id="A">x</a>')


def _counter_of_another(w: World) -> str:
    return _countersigned(w, b"", "#S2-value")


CASES += [
    invalid("SigningCertificateV2 of somebody else", faults.PropertiesRefused, _wrong_certificate),
    invalid("signed properties not signed", faults.PropertiesRefused, _unsigned_properties),
    invalid("signed properties without Type", faults.ReferenceRefused, _untyped),
    invalid("signed properties twice", faults.PropertiesRefused, _twice),
    invalid("signed properties twice with one Id", faults.ReferenceRefused, lambda w: _twice(w, "P")),
    invalid("second QualifyingProperties", faults.PropertiesRefused, _second_qualifying),
    invalid("signed properties outside the signature", faults.PropertiesRefused, _properties_elsewhere),
    invalid(
        "QualifyingProperties of another signature",
        faults.PropertiesRefused,
        lambda w: _xades(w, [own(properties(w.person.certificate))], properties(w.person.certificate), target="T"),
    ),
    invalid(
        "signed properties changed",
        faults.ContentChanged,
        lambda w: DOCUMENT.replace("{}", w.basic().text()).replace("2026-05-01T08", "2026-04-01T08"),
    ),
    invalid("signing certificate by SHA-1", faults.AlgorithmRefused, _sha1_certificate),
    invalid("no signing certificate", faults.PropertiesRefused, _no_certificate),
    invalid("signing time without a zone", faults.PropertiesRefused, _time("2026-05-01T08:00:00")),
    invalid("signing time that is none", faults.PropertiesRefused, _time("yesterday")),
    invalid("signing time in the future", faults.SignatureInvalid, _time("2026-08-01T08:00:00Z")),
    invalid("counter-signature of content", faults.ContentChanged, lambda w: _countersigned(w, b"<a></a>")),
    invalid("counter-signature of an element of the document", faults.ContentChanged, _counter_of_the_document),
    invalid("counter-signature of itself", faults.ReferenceRefused, _counter_of_another),
    invalid("counter-signature without Type", faults.ReferenceRefused, lambda w: _countersigned(w, kind="")),
    invalid(
        "counter-signature that is no signature",
        faults.PropertiesRefused,
        lambda w: DOCUMENT.replace("{}", w.basic().text("<xades:CounterSignature><a></a></xades:CounterSignature>")),
    ),
    invalid(
        "only a counter-signature by reference",
        faults.ReferenceRefused,
        lambda w: DOCUMENT.replace("{}", _only_confirms(w)),
    ),
    undecided("a kind of file that is not known", faults.KindUnknown, lambda _: "MZ"),
]


def _only_confirms(w: World) -> str:
    """Two signatures, the second over the value of the first, the first over nothing."""
    first = made(w.person.memory, [reference("<b></b>", "#B", transforms=XCLUSIVE)], identifier="S1")
    second = made(
        w.other.memory,
        [reference(first.value_octets, "#S1-value", transforms=XCLUSIVE, kind=COUNTERSIGNED)],
        identifier="S2",
    )
    return first.text() + second.text()


# ---- GIAMDINHHS ----

ENVELOPE = (
    "<GIAMDINHHS><THONGTINDONVI><MACSKCB>01001</MACSKCB></THONGTINDONVI>"
    "<THONGTINHOSO><NGAYLAP>20260501</NGAYLAP></THONGTINHOSO><CHUKYDONVI>{}</CHUKYDONVI></GIAMDINHHS>"
)
PARTS = ENVELOPE.replace("<THONGTINDONVI>", '<THONGTINDONVI Id="D">').replace("<THONGTINHOSO>", '<THONGTINHOSO Id="H">')


def _envelope(w: World, *ids: str) -> str:
    root = etree.fromstring(PARTS)
    octets = {one.get("Id"): etree.tostring(one, method="c14n", exclusive=True, with_tail=False) for one in root}
    return _signed(w, *(reference(octets[one], f"#{one}", transforms=XCLUSIVE) for one in ids), document=PARTS)


CASES += [
    valid("GIAMDINHHS, the whole file", lambda w: w.plain(ENVELOPE)),
    valid("GIAMDINHHS, its parts", lambda w: _envelope(w, "D", "H")),
    invalid("GIAMDINHHS, one part not signed", faults.ReferenceRefused, lambda w: _envelope(w, "H")),
    invalid(
        "GIAMDINHHS, a part changed", faults.ContentChanged, lambda w: _envelope(w, "D", "H").replace("01001", "01002")
    ),
    invalid(
        "GIAMDINHHS, a second THONGTINHOSO",
        faults.ReferenceRefused,
        lambda w: _envelope(w, "D", "H").replace("<CHUKYDONVI>", "<THONGTINHOSO></THONGTINHOSO><CHUKYDONVI>"),
    ),
    invalid(
        "GIAMDINHHS, signature outside CHUKYDONVI, part only",
        faults.ReferenceRefused,
        lambda w: re.sub("<CHUKYDONVI>(.*)</CHUKYDONVI>", r"\1", _envelope(w, "D", "H")),
    ),
    invalid(
        "GIAMDINHHS, signature in THONGTINHOSO",
        faults.SignatureMisplaced,
        lambda w: re.sub("(</THONGTINHOSO><CHUKYDONVI>)(.*)(</CHUKYDONVI>)", r"\2\1\3", w.plain(ENVELOPE)),
    ),
    invalid("GIAMDINHHS, CHUKYDONVI empty", faults.NotSigned, lambda _: ENVELOPE.replace("{}", "")),
]
