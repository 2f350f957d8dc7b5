"""The table of forms: which rule states what, and what a wrong one is told."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from signing import joint, xades
from signing.evidence import Evidence
from signing.faults import DocumentUnsignable, KeyUnsuitable
from signing.forms import USUAL, Form, Forms
from signing.policy_toml import read
from signing.testing import Authority, MemoryKey
from signing.validation import Trust, validate

TABLE = """
[[form]]
papers = ["referral"]
destinations = ["archive"]
signature = "xades"

[[form]]
destinations = ["insurance_portal", "archive"]
reference = "parts"
algorithm = ["ES256", "RS256"]

[[form]]
papers = ["referral"]
algorithm = "PS256"
canonical = "fhir"

[[form]]
signature = "xmldsig"
provenance = true
"""


def test_each_setting_comes_from_the_first_rule_that_states_it() -> None:
    forms = read(TABLE).forms
    assert forms.of("lab_report") == Form("xmldsig", "", (), "", "yes")
    assert forms.of("referral") == Form("xmldsig", "", ("PS256",), "fhir", "yes")
    assert forms.of("lab_report", "bhyt", "insurance_portal") == Form("xmldsig", "parts", ("ES256", "RS256"), "", "yes")
    assert forms.of("referral", "archive", "folder") == Form("xades", "parts", ("ES256", "RS256"), "fhir", "yes")
    assert [forms.name(*one) for one in (("archive", "folder"), ("x", "insurance_portal"), ("x", "folder"))] == [
        True,
        True,
        False,
    ]
    assert Forms().of("referral", "archive") == USUAL
    assert [rule.line for rule in forms.rules] == [2, 7, 12, 17]


def test_the_first_algorithm_that_the_key_can_do_is_taken() -> None:
    form = Form(algorithms=("ES256", "RS512"))
    assert form.algorithm(["RS256", "RS512"]) == "RS512"
    assert USUAL.algorithm(["RS256"]) == ""
    with pytest.raises(KeyUnsuitable, match="ES256, RS512 asked for; this key does PS256"):
        form.algorithm(["PS256"])


def test_the_level_is_that_of_the_form_then_that_of_the_policy() -> None:
    policies = read("""
[[policy]]
level = "B-LT"
[[policy.step]]
role = "seal"

[[form]]
papers = ["referral"]
destinations = ["archive"]
level = "B-LTA"

[[form]]
papers = ["referral"]
level = "B-T"

[[form]]
destinations = ["portal"]
level = "B-B"
""")
    assert policies.level("lab_report") == policies.level("lab_report", "archive", "folder") == "B-LT"
    assert (policies.level("lab_report", "portal"), policies.level("referral", "portal")) == ("B-B", "B-T")
    assert (policies.level("referral"), policies.level("referral", "archive", "folder")) == ("B-T", "B-LTA")
    assert [Form(level=one).lasting for one in ("", "B-B", "B-T", "B-LTA")] == [False, False, True, True]


def test_a_file_of_a_level_holds_what_it_wants() -> None:
    everything = Evidence((b"c",), (b"o",), (b"l",), (b"t",))
    assert [everything.within(one) for one in ("B-B", "B-T", "B-LT", "B-LTA")] == [
        Evidence(),
        Evidence(timestamps=(b"t",)),
        everything,
        everything,
    ]
    assert Evidence((b"c",), (b"o",)).within("B-LT") == Evidence(), "nothing shows that it came after the signature"


@pytest.mark.parametrize(("level", "form"), [("", "XMLDSig"), ("B-B", "XMLDSig"), ("B-T", "B-B"), ("B-LTA", "B-B")])
def test_a_seal_to_which_proofs_come_is_made_for_them(level: str, form: str, root: Authority, key: MemoryKey) -> None:
    sealed = joint.seal(b"<r><a/></r>", key, None, Form(level=level))
    assert [one.level for one in validate(sealed, Trust([root.certificate])).signers] == [form]
    assert [one.holds_proofs for one in joint.marks(sealed)] == [form == "B-B"]
    placed = joint.seal(ENVELOPE, key, "CHUKYDONVI", Form(level=level))
    assert [one.holds_proofs for one in joint.marks(placed)] == [False], "the interface's form stays"


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('signature = "cades"', "3: signature: not known; one of xmldsig, xades"),
        ('reference = "half"', "3: reference: not known; one of whole, parts, detached"),
        ('algorithm = "RS1"', "3: algorithm: RS1 is none; known: RS256, "),
        ('algorithm = ["RS256", "none"]', "3: algorithm: none is none; known: "),
        ("algorithm = 256", "3: algorithm: a list of names is expected"),
        ('canonical = "xml"', "3: canonical: not known; one of rfc8785, fhir"),
        ("canonical = []", "3: canonical: not known"),
        ('provenance = "yes"', "3: provenance: neither true nor false"),
        ('papers = ["referral"]', "2: form[0]: states nothing"),
        ('level = "B-X"', "3: level: not known; one of B-B, B-T, B-LT, B-LTA"),
        ('grade = "B-T"', "3: grade: unknown; known here: "),
    ],
)
def test_what_a_wrong_rule_is_told(table: str, told: str) -> None:
    with pytest.raises(ValueError, match=r"^\d+: ") as caught:
        read(f"\n[[form]]\n{table}\n")
    assert str(caught.value).startswith(told)


ENVELOPE = (
    b"<GIAMDINHHS><THONGTINDONVI><MACSKCB>01001</MACSKCB></THONGTINDONVI>\r\n<THONGTINHOSO><X/></THONGTINHOSO>"
    b"<CHUKYDONVI/></GIAMDINHHS>"
)
PARTS = ("THONGTINDONVI", "THONGTINHOSO")


@pytest.mark.parametrize("signature", ["", "xmldsig", "xades"])
@pytest.mark.parametrize("reference", ["", "whole", "parts"])
@pytest.mark.parametrize("algorithm", ["", "RS256", "PS384"])
def test_every_form_of_a_seal_in_its_place(
    signature: str, reference: str, algorithm: str, root: Authority, key: MemoryKey
) -> None:
    form = Form(signature, reference, (algorithm,) if algorithm else ())
    told = validate(joint.seal(ENVELOPE, key, "CHUKYDONVI", form, PARTS), Trust([root.certificate]))
    assert (told.verdict, told.reasons) == ("valid", ())
    assert [one.part for one in told.covers] == (list(PARTS) if reference == "parts" else ["document"])
    assert [one.level for one in told.signers] == ["B-B" if signature == "xades" else "XMLDSig"]


def test_a_key_of_another_kind_seals_too(root: Authority, issuing: Authority) -> None:
    curve = issuing.issue_elliptic("Bệnh viện Thử", ec.SECP256R1())
    for form in (USUAL, Form("xades"), Form(algorithms=("RS256", "ES256"))):
        assert validate(joint.seal(ENVELOPE, curve, "CHUKYDONVI", form), Trust([root.certificate])).verdict == "valid"
    with pytest.raises(KeyUnsuitable):
        joint.seal(ENVELOPE, curve, "CHUKYDONVI", Form(algorithms=("RS256",)))


def test_a_plain_seal_beside_people(root: Authority, key: MemoryKey) -> None:
    signed = xades.sign(b"<r><a/></r>", key, parallel=True)
    told = validate(joint.seal(signed, key, None, Form("xmldsig")), Trust([root.certificate]))
    assert (told.verdict, [one.level for one in told.signers]) == ("valid", ["B-B", "XMLDSig"])
    with pytest.raises(DocumentUnsignable, match="parts"):
        joint.seal(b"<r/>", key, None, Form(reference="parts"))


@pytest.mark.parametrize("signature", ["", "xmldsig"])
def test_a_seal_beside_its_file(signature: str, root: Authority, key: MemoryKey) -> None:
    signed = joint.seal_beside(xades.File("a.xml", b"<r/>"), key, Form(signature))
    trust = Trust([root.certificate])
    told = validate(signed, trust, files={"a.xml": b"<r/>"})
    assert (told.verdict, told.signers[0].level) == ("valid", "XMLDSig" if signature else "B-B")
    assert validate(signed, trust, files={"a.xml": b"<r />"}).verdict == "invalid"


def test_ids_are_put_on_parts_and_nowhere_else(root: Authority, key: MemoryKey) -> None:
    signed = joint.seal(ENVELOPE, key, "CHUKYDONVI", Form(reference="parts"), PARTS)
    start, end = signed.index(b"<Signature "), signed.index(b"</Signature>") + len(b"</Signature>")
    with_ids = (signed[:start] + signed[end:]).replace(b"<CHUKYDONVI></CHUKYDONVI>", b"<CHUKYDONVI/>")
    for name in PARTS:
        with_ids = with_ids.replace(f'<{name} Id="{name}">'.encode(), f"<{name}>".encode())
    assert with_ids == ENVELOPE
    own = ENVELOPE.replace(b"<THONGTINHOSO>", b'<THONGTINHOSO Id="h">')
    assert b'URI="#h"' in joint.seal(own, key, "CHUKYDONVI", Form(reference="parts"), PARTS)
    for spoiled in (
        ENVELOPE.replace(b"<X/>", b'<X Id="THONGTINHOSO"/>'),
        ENVELOPE.replace(b"<THONGTINHOSO>", b"<THONGTINHOSO/><THONGTINHOSO>"),
        ENVELOPE.replace(b"THONGTINHOSO", b"THONGTINKHAC"),
    ):
        with pytest.raises(DocumentUnsignable):
            joint.seal(spoiled, key, "CHUKYDONVI", Form(reference="parts"), PARTS)
