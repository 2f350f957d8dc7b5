"""Signatures as other people's software writes them, and signature policies: accepted, refused, or read past with a word."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from signing import faults
from tests.unit.signing.attacks import Case, Scene, invalid, undecided, valid
from tests.unit.signing.forge import (
    C14N,
    DS,
    ENVELOPED,
    EXCLUSIVE,
    SHA1,
    SHA256,
    WHOLE,
    XADES141,
    XCLUSIVE,
    World,
    b64,
    key_info,
    made,
    own,
    properties,
    reference,
)

CASES: list[Case] = []
DOCUMENT = "<r><a>x</a>{}</r>"
BASE64 = f'<Transform Algorithm="{DS}base64"></Transform>'
C14N11 = "http://www.w3.org/2006/12/xml-c14n11"
RSA_SHA1 = f"{DS}rsa-sha1"


# ---- an Object around which the signature is ----


def _enveloping(text: str, *references: str) -> Callable[[World], str]:
    def make(w: World) -> str:
        written = properties(w.person.certificate)
        objects = f'<Object Id="O">{text}</Object>'
        return made(w.person.memory, [*references, own(written)], written, objects=objects).text()

    return make


def _decoded(text: bytes = b"n\xe1\xbb\x99i dung", uri: str = "#O") -> str:
    return reference(text, uri, transforms=BASE64)


CASES += [
    valid("enveloping, of what base64 encodes", _enveloping(b64("nội dung".encode()), _decoded())),
    invalid("enveloping, changed", faults.ContentChanged, _enveloping(b64(b"khac"), _decoded())),
    invalid("enveloping, not base64", faults.DocumentUnreadable, _enveloping("nội dung", _decoded())),
    invalid(
        "enveloping, an element among the base64",
        faults.DocumentUnreadable,
        _enveloping(f"{b64('nội dung'.encode())}<b>x</b>", _decoded()),
    ),
    invalid(
        "base64 of the document",
        faults.TransformRefused,
        lambda w: DOCUMENT.replace("{}", made(w.person.memory, [reference(b"x", transforms=BASE64)]).text()),
    ),
    invalid(
        "base64 of a child of the root",
        faults.TransformRefused,
        lambda w: '<r><a Id="A">eA==</a>{}</r>'.replace(
            "{}", made(w.person.memory, [reference(b"x", "#A", transforms=BASE64)]).text()
        ),
    ),
    invalid(
        "base64 with another transform",
        faults.TransformRefused,
        _enveloping(
            b64(b"x"), reference(b"x", "#O", transforms=BASE64 + f'<Transform Algorithm="{C14N}"></Transform>')
        ),
    ),
]


# ---- lists of references ----


def _manifest(
    *inside: str, content: str = "x", twisted: str = "", beside: str = "", whole: bool = False
) -> Callable[[World], str]:
    """Let a signature cover a Manifest in one of its Objects; `twisted` stands there instead of what was signed."""

    def make(w: World) -> str:
        listed = "".join(inside) or reference("<r><a>x</a></r>", "")
        text = f'<Manifest Id="M">{listed}</Manifest>'
        signed = text.replace("<Manifest", f'<Manifest xmlns="{DS}"')
        written = properties(w.person.certificate)
        about = reference(signed, "#M", transforms=XCLUSIVE, kind=f"{DS}Manifest")
        references = [about, *([reference(DOCUMENT.replace("{}", ""))] if whole else []), own(written)]
        objects = f"<Object>{(twisted or text)}</Object>{beside}"
        made_ = made(w.person.memory, references, written, objects=objects).text()
        return DOCUMENT.replace("<a>x</a>", f"<a>{content}</a>").replace("{}", made_)

    return make


OTHER_LIST = f'<Manifest Id="M">{reference("<r><a>khac</a></r>", "")}</Manifest>'

CASES += [
    undecided("a manifest of the document", faults.ManifestUnread, _manifest()),
    undecided("a manifest of a changed document", faults.ManifestUnread, _manifest(content="khac")),
    undecided(
        "a manifest of another object",
        faults.ManifestUnread,
        _manifest(reference("<b/>", "#O"), beside='<Object Id="O"><b></b></Object>'),
    ),
    undecided("a manifest beside a signature of the document", faults.ManifestUnread, _manifest(whole=True)),
    invalid("a manifest that was changed", faults.ContentChanged, _manifest(twisted=OTHER_LIST)),
    invalid(
        "a manifest beside a changed document that was signed",
        faults.ContentChanged,
        _manifest(whole=True, content="khac"),
    ),
    invalid(
        "a manifest outside the signature",
        faults.ReferenceRefused,
        lambda w: f'<r><o><Manifest xmlns="{DS}" Id="M"></Manifest></o>{{}}</r>'.replace(
            "{}",
            made(
                w.person.memory,
                [reference(f'<Manifest xmlns="{DS}" Id="M"></Manifest>', "#M", transforms=XCLUSIVE)],
            ).text(),
        ),
    ),
]


# ---- signature policies ----


DOCUMENT_OF_POLICY = "Chính sách chữ ký".encode()
NAME = "urn:oid:1.2.704.9"


def _following(inner: str) -> Callable[[World], str]:
    def make(w: World) -> str:
        identifier = f"<xades:SignaturePolicyIdentifier>{inner}</xades:SignaturePolicyIdentifier>"
        written = properties(w.person.certificate, more=identifier)
        whole = made(w.person.memory, [reference(DOCUMENT.replace("{}", "")), own(written)], written)
        return DOCUMENT.replace("{}", whole.text())

    return make


def _policy(
    document: bytes = DOCUMENT_OF_POLICY, method: str = SHA256, hashed: str = "sha256", transforms: str = ""
) -> str:
    value = b64(hashlib.new(hashed, document).digest())
    return (
        f"<xades:SignaturePolicyId><xades:SigPolicyId><xades:Identifier>{NAME}</xades:Identifier></xades:SigPolicyId>"
        f'{transforms}<xades:SigPolicyHash><DigestMethod xmlns="{DS}" Algorithm="{method}"></DigestMethod>'
        f'<DigestValue xmlns="{DS}">{value}</DigestValue></xades:SigPolicyHash></xades:SignaturePolicyId>'
    )


def _with(document: bytes, name: str = NAME) -> Callable[[World], Scene]:
    return lambda w: Scene(_following(_policy())(w), policies={name: document})


def _carried(document: bytes) -> Callable[[World], str]:
    def make(w: World) -> str:
        identifier = f"<xades:SignaturePolicyIdentifier>{_policy()}</xades:SignaturePolicyIdentifier>"
        written = properties(w.person.certificate, more=identifier)
        whole = made(w.person.memory, [reference(DOCUMENT.replace("{}", "")), own(written)], written)
        store = (
            f'<n:SignaturePolicyStore xmlns:n="{XADES141}"><n:SPDocSpecification><xades:Identifier>{NAME}</xades:Identifier>'
            f"</n:SPDocSpecification><n:SignaturePolicyDocument>{b64(document)}</n:SignaturePolicyDocument>"
            f"</n:SignaturePolicyStore>"
        )
        return DOCUMENT.replace("{}", whole.text(store))

    return make


UNCOMPARED = f'<Transforms xmlns="{DS}"><Transform Algorithm="{C14N}"></Transform></Transforms>'

CASES += [
    valid("policy implied", _following("<xades:SignaturePolicyImplied></xades:SignaturePolicyImplied>")),
    valid("policy not at hand", _following(_policy())),
    valid("policy whose hash is weak", _following(_policy(method=SHA1, hashed="sha1"))),
    valid("policy whose hash is of a form of it", _following(_policy(transforms=UNCOMPARED))),
    valid("policy at hand", _with(DOCUMENT_OF_POLICY)),
    valid("policy carried along", _carried(DOCUMENT_OF_POLICY)),
    undecided("policy at hand is another", faults.PolicyContradicted, _with(b"khac")),
    undecided("policy carried along is another", faults.PolicyContradicted, _carried(b"khac")),
    valid("policy at hand under a name of its own", _with(DOCUMENT_OF_POLICY, "ky-giay.pdf")),
    undecided("policy at hand as a file is another", faults.PolicyContradicted, _with(b"khac", "1.2.704.9.pdf")),
    undecided("policies at hand are others", faults.PolicyUnknown, _with(b"khac", "1.2.704.8")),
    undecided("policies at hand: none", faults.PolicyUnknown, lambda w: Scene(_following(_policy())(w), policies={})),
    undecided(
        "policy carried along is none of those at hand",
        faults.PolicyUnknown,
        lambda w: Scene(_carried(DOCUMENT_OF_POLICY)(w), policies={"1.2.704.8": b"khac"}),
    ),
    undecided(
        "policy at hand, but its hash is weak",
        faults.PolicyUnknown,
        lambda w: Scene(_following(_policy(method=SHA1, hashed="sha1"))(w), policies={NAME: DOCUMENT_OF_POLICY}),
    ),
    valid(
        "policy implied, while others are at hand",
        lambda w: Scene(
            _following("<xades:SignaturePolicyImplied></xades:SignaturePolicyImplied>")(w), policies={NAME: b"khac"}
        ),
    ),
    invalid(
        "policy without a hash",
        faults.PropertiesRefused,
        _following(
            f"<xades:SignaturePolicyId><xades:SigPolicyId><xades:Identifier>{NAME}</xades:Identifier></xades:SigPolicyId>"
            f"</xades:SignaturePolicyId>"
        ),
    ),
    invalid("two policies in one", faults.PropertiesRefused, _following(_policy() + _policy())),
]


# ---- as vendors here write it: XMLDSig alone, inclusive forms, whole KeyInfo ----


def _vendor(form: str = C14N, *, steps: str = "", keys: str = "", content: str = "<a>x</a>") -> Callable[[World], str]:
    """Enveloped over the whole document, `URI=""`, a transform alone, everything in an inclusive form."""

    def make(w: World) -> str:
        transforms = steps or f'<Transform Algorithm="{ENVELOPED}"></Transform>'
        held = keys.replace(
            "{}", key_info(w.person.certificate, w.ca.certificate)[len("<KeyInfo>") : -len("</KeyInfo>")]
        )
        whole = made(
            w.person.memory,
            [reference(f"<r>{content}</r>", transforms=transforms)],
            form=form,
            keys=f"<KeyInfo>{held}</KeyInfo>" if keys else key_info(w.person.certificate, w.ca.certificate),
        )
        return f"<r>{content}{whole.text()}</r>"

    return make


KEY_VALUE = "<KeyValue><RSAKeyValue><Modulus>AQAB</Modulus><Exponent>AQAB</Exponent></RSAKeyValue></KeyValue>"


def _sha1(method: str = RSA_SHA1, digest: str = SHA1) -> Callable[[World], str]:
    def make(w: World) -> str:
        hashed = "sha1" if digest == SHA1 else "sha256"
        whole = made(
            w.person.memory, [reference(DOCUMENT.replace("{}", ""), method=digest, digest=hashed)], method=method
        )
        return DOCUMENT.replace("{}", whole.text())

    return make


def _indented(w: World) -> str:
    """White space between the parts of the signature and line ends inside base64, as many programs write them."""
    document = "<r>\n  <a>x</a>\n  \n</r>"
    whole = made(w.person.memory, [reference(document)]).text()
    spaced = (
        whole.replace("<KeyInfo>", "\n<KeyInfo>\n")
        .replace("<X509Data>", "<X509Data>\n\t")
        .replace("</KeyInfo>", "\n</KeyInfo>\n")
    )
    start = spaced.index("<SignatureValue") + 60
    return document.replace("\n</r>", "{}\n</r>").replace("{}", spaced[:start] + "\n" + spaced[start:])


CASES += [
    valid("vendor: enveloped alone, inclusive form", _vendor()),
    valid("vendor: Canonical XML 1.1", _vendor(C14N11, steps=WHOLE.replace(C14N, C14N11))),
    valid("vendor: exclusive form for the document", _vendor(EXCLUSIVE, steps=WHOLE.replace(C14N, EXCLUSIVE))),
    valid("vendor: key value beside the certificates", _vendor(keys=KEY_VALUE + "{}")),
    valid("vendor: name of the key beside the certificates", _vendor(keys="<KeyName>Bệnh viện</KeyName>{}")),
    valid("vendor: white space inside the signature", _indented),
    invalid("vendor: rsa-sha1", faults.AlgorithmRefused, _sha1()),
    invalid(
        "vendor: SHA-1 of the document under rsa-sha256",
        faults.AlgorithmRefused,
        _sha1("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"),
    ),
    invalid("vendor: rsa-sha1 over SHA-256", faults.AlgorithmRefused, _sha1(digest=SHA256)),
]
