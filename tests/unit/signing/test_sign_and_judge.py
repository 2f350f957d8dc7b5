"""Whatever is taken for signing is valid in our own eyes once it is signed; what would not be is refused before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from signing import jws, xades, xmldsig
from signing.faults import DocumentUnsignable
from signing.testing import Authority, MemoryKey
from signing.validation import Trust, validate

NAMES = st.sampled_from(["a", "HO_TEN", "v:b", "xml", "Signature", "CHUKYDONVI", "KeyInfo"])
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8
)
BLANKS = st.sampled_from(["", " ", "\r\n", "\t"])


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


COMMENTS = TEXTS.map(lambda text: f"<!--{text.replace('-', '')}-->")
INSTRUCTIONS = TEXTS.map(lambda text: f"<?p {text.replace('?', '')}?>")
SECTIONS = TEXTS.map(lambda text: f"<![CDATA[{text.replace(']', '')}]]>")
LEAVES = st.one_of(TEXTS.map(_escaped), BLANKS, COMMENTS, INSTRUCTIONS, SECTIONS, st.sampled_from(["&#13;", "&#x20;"]))
ATTRIBUTES = st.sampled_from(
    ["", ' Id="x"', " a='1\n2'", ' xml:lang="vi"', ' xmlns="urn:d"', ' v:t="v:CD"', ' xmlns:u="urn:u"', ' xml:id="y"']
)


def _element(name: str, attribute: str, inside: list[str]) -> str:
    return f"<{name}{attribute}>{''.join(inside)}</{name}>" if inside else f"<{name}{attribute} />"


NODES = st.recursive(
    LEAVES, lambda inner: st.builds(_element, NAMES, ATTRIBUTES, st.lists(inner, max_size=4)), max_leaves=12
)
BESIDE = st.lists(st.one_of(COMMENTS, INSTRUCTIONS, BLANKS), max_size=3).map("".join)


@st.composite
def documents(draw: st.DrawFn) -> str:
    start = draw(st.sampled_from(["", "\ufeff", '<?xml version="1.0" encoding="utf-8"?>\r\n']))
    inside = "".join(draw(st.lists(NODES, max_size=5)))
    return f'{start}{draw(BESIDE)}<r xmlns:v="urn:v"{draw(ATTRIBUTES)}>{inside}</r>{draw(BESIDE)}'


FORMS: dict[str, Any] = {
    "plain": lambda xml, key: xmldsig.sign(xml, key),
    "plain in its place": lambda xml, key: xmldsig.sign(xml, key, "CHUKYDONVI"),
    "XAdES": lambda xml, key: xades.sign(xml, key),
    "parallel XAdES": lambda xml, key: xades.sign(xades.sign(xml, key, parallel=True), key, parallel=True),
}


@pytest.mark.parametrize("form", FORMS)
@given(text=documents())
@example(text="<r>a<!--b-->c</r>")
@example(text="<r>a<?b c?>d</r>")
@example(text="<r><CHUKYDONVI/></r>")
@example(text="<r><a/><!-- between --><b/></r><!-- after -->")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_signed_is_valid(form: str, text: str, root: Authority, key: MemoryKey) -> None:
    try:
        signed = FORMS[form](text.encode(), key)
    except DocumentUnsignable:
        return
    told = validate(signed, Trust([root.certificate]))
    assert told.verdict == "valid", told.reasons


@pytest.mark.parametrize(
    "text", ["<r>a<!--b--></r>", "<r><!--b-->a</r>", "<r><a/><!--b--> c</r>", "<r><a/>b<!--c--></r>"]
)
def test_a_comment_that_touches_a_text_is_not_signed(text: str, key: MemoryKey) -> None:
    for form in FORMS.values():
        with pytest.raises(DocumentUnsignable):
            form(text.encode(), key)
    with pytest.raises(DocumentUnsignable, match="comment"):
        xades.prepare_countersignature(text.replace("</r>", "<b/></r>").encode(), key.chain[0])


def test_such_documents_are_what_verification_refuses(root: Authority, key: MemoryKey) -> None:
    """Whoever adds the comment after signing is found; that is why nobody may sign with one."""
    for spoiled in (b"<r>1<!--x-->00</r>", b"<r><!--x-->100</r>"):
        signed = xmldsig.sign(b"<r>100</r>", key).replace(b"<r>100", spoiled.removesuffix(b"</r>"))
        assert validate(signed, Trust([root.certificate])).verdict == "invalid"
    instruction = xmldsig.sign(b"<r>100</r>", key).replace(b"<r>100", b"<r>1<?x?>00")
    assert validate(instruction, Trust([root.certificate])).verdict == "invalid"


NUMBERS = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.parametrize("canonical", jws.CANONICAL_FORMS)
@given(content=st.dictionaries(st.sampled_from(["entry", "id", "meta", "type", "é", "signature"]), VALUES))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_signed_bundle_is_valid(canonical: str, content: dict[str, Any], root: Authority, key: MemoryKey) -> None:
    bundle = json.dumps({**content, "resourceType": "Bundle"}).encode()
    try:
        signed = jws.sign(bundle, key, who={"display": "BS"}, canonical=canonical)
    except DocumentUnsignable:
        return
    told = validate(signed, Trust([root.certificate]))
    assert told.verdict == "valid", told.reasons
