"""Evidence records: what is kept beside a signed file stays proof for as long as somebody renews its time stamps."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from asn1crypto import algos, cms
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from signing import evidence_record, joint, validation, xmldsig
from signing.der import element, tagged
from signing.evidence import Evidence
from signing.evidence_record import Group
from signing.faults import ArchiveBroken
from signing.testing import Authority, MemoryKey, new_rsa_key
from signing.timestamp_material import material, with_material
from signing.validation import Trust
from signing.verdict import STAMP_EXPIRED, Report
from tests.tsa import Tsa, tsa_certificate
from tests.unit.signing.test_xades_levels import DOCUMENT, crl, der, response

YEAR = timedelta(days=365)


@cache
def now() -> datetime:
    """Give the moment of the first test of this module: others may have taken long before it."""
    return datetime.now(UTC).replace(microsecond=0)


def authority(issuing: Authority, at: timedelta, lasts: timedelta) -> Tsa:
    """Give a time stamp authority that stamps `at` and whose certificate ends after `lasts`, both from now."""
    key = new_rsa_key()
    certificate = tsa_certificate(issuing, key.public_key(), end=now() + lasts)
    return Tsa(key, certificate, issuing.issuers, at=now() + at)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@dataclass(frozen=True)
class Kept:
    """A file whose signature holds no proofs, what is kept of it, and those who stamped."""

    file: bytes
    evidence: Evidence
    trust: Trust
    authorities: tuple[Tsa, ...]
    issuing: Authority
    root: Authority

    @property
    def record(self) -> bytes:
        return self.evidence.records[0]

    def with_record(self, record: bytes) -> Kept:
        return replace(self, evidence=replace(self.evidence, records=(record,)))

    def judged(self, after: timedelta, evidence: Evidence | None = None, file: bytes | None = None) -> Report:
        trust = replace(self.trust, evidence=self.evidence if evidence is None else evidence)
        return validation.validate(self.file if file is None else file, trust, now() + after)

    def renewed(self, tsa: Tsa) -> Kept:
        last = self.authorities[-1]
        about = Evidence((der(last.certificate),), (response(self.issuing, last.certificate),), (crl(self.root),))
        record = evidence_record.completed(self.record, about)
        grown = evidence_record.grow([evidence_record.to_renew(record)])
        record = evidence_record.extended(record, grown.trees[0], tsa.token(grown.octets).der)
        return replace(self.with_record(record), authorities=(*self.authorities, tsa))


@pytest.fixture(scope="module")
def kept(root: Authority, issuing: Authority, key: MemoryKey) -> Kept:
    """A seal in the place that an interface asks for, stamped now, and its evidence stamped by the same authority."""
    file = xmldsig.sign(DOCUMENT, key, "CHUKYDONVI")
    tsa = authority(issuing, timedelta(), YEAR)
    token = tsa.token(joint.marks(file)[0].octets)
    answers = tuple(response(issuing, one) for one in (key.chain[0], tsa.certificate))
    pieces = Evidence(tuple(map(der, (*key.chain, tsa.certificate))), answers, (crl(root),), (token.der,))
    grown = evidence_record.grow([Group(tuple(map(sha, (file, *pieces.pieces))))])
    record = evidence_record.begun(grown.trees[0], tsa.token(grown.octets).der)
    return Kept(file, pieces + Evidence(records=(record,)), Trust([root.certificate]), (tsa,), issuing, root)


@pytest.fixture(scope="module")
def old(kept: Kept, issuing: Authority) -> Kept:
    """The same after two renewals, each before the authority before it ended."""
    once = kept.renewed(authority(issuing, 0.9 * YEAR, 2 * YEAR))
    return once.renewed(authority(issuing, 1.9 * YEAR, 4.5 * YEAR))


def codes(report: Report) -> tuple[str, list[int], list[int]]:
    return report.verdict, [one.code for one in report.reasons], [one.code for one in report.warnings]


def test_it_is_proof_while_it_is_renewed(kept: Kept, old: Kept) -> None:
    without = replace(kept.evidence, records=())
    assert codes(kept.judged(2 * YEAR, without)) == ("valid", [], [STAMP_EXPIRED])
    assert codes(kept.judged(2 * YEAR)) == ("valid", [], [STAMP_EXPIRED]), "nobody renewed it"
    report = old.judged(4 * YEAR)
    assert codes(report) == ("valid", [], [])
    assert report.signers[0].stamps_until == old.authorities[-1].certificate.not_valid_after_utc
    assert codes(old.judged(4.6 * YEAR)) == ("valid", [], [STAMP_EXPIRED])


def test_a_renewal_that_came_too_late_makes_nothing_longer(kept: Kept, issuing: Authority) -> None:
    late = kept.renewed(authority(issuing, 1.1 * YEAR, 4 * YEAR))
    report = late.judged(2 * YEAR)
    assert codes(report) == ("valid", [], [STAMP_EXPIRED])
    assert report.signers[0].stamps_until == kept.authorities[0].certificate.not_valid_after_utc


def test_what_issuers_said_of_an_authority_is_inside_its_time_stamp(old: Kept) -> None:
    first, second, third = evidence_record.tokens(old.record)
    assert [len(material(one).ocsp_responses) for one in (first, second, third)] == [1, 1, 0]
    assert material(first).certificates == (der(old.authorities[0].certificate),)
    assert len(material(second).crls) == 1
    held = evidence_record.find(old.evidence, old.file).evidence
    assert material(first).ocsp_responses[0] in held.ocsp_responses
    assert with_material(first, Evidence(certificates=(b"0",))) == first, "put in once"
    assert with_material(third, Evidence()) == third


@pytest.mark.parametrize("name", ["certificates", "ocsp_responses", "crls", "timestamps"])
def test_evidence_that_lacks_a_piece_is_told(name: str, old: Kept) -> None:
    pieces = getattr(old.evidence, name)
    report = old.judged(4 * YEAR, replace(old.evidence, **{name: pieces[1:]}))
    assert report.verdict == "undecided"
    assert 5207 in codes(report)[1]


def test_evidence_that_was_changed_is_told(old: Kept, issuing: Authority) -> None:
    """Somebody puts another answer about the same certificate in the place of the one that was kept."""
    other = response(issuing, old.authorities[0].certificate, now() + timedelta(seconds=1))
    kept_one = old.evidence.ocsp_responses[1]
    assert other != kept_one
    changed = replace(old.evidence, ocsp_responses=(old.evidence.ocsp_responses[0], other))
    report = old.judged(4 * YEAR, changed)
    assert codes(report)[:2] == ("undecided", [5207])
    assert "1 of" in report.reasons[0].detail


def test_more_evidence_than_was_stamped_does_no_harm(old: Kept, issuing: Authority) -> None:
    more = old.evidence + Evidence(ocsp_responses=(response(issuing, old.authorities[0].certificate),))
    assert old.judged(4 * YEAR, more).verdict == "valid"


def links(record: bytes) -> list[bytes]:
    return [one.whole for one in next(iter(list(element(record))[2]))]


def of_links(record: bytes, *chains: Sequence[bytes]) -> bytes:
    version, algorithms, _ = (one.whole for one in element(record))
    return tagged(0x30, version, algorithms, tagged(0x30, *(tagged(0x30, *one) for one in chains)))


def test_a_missing_link_is_told(old: Kept) -> None:
    first, second, third = links(old.record)
    assert of_links(old.record, (first, second, third)) == old.record
    for left in ((first, third), (second, third), (first, third, second)):
        judged = old.with_record(of_links(old.record, left)).judged(4 * YEAR)
        if left[0] == first:
            assert codes(judged)[:2] == ("undecided", [5207])
        else:
            assert codes(judged) == ("valid", [], [STAMP_EXPIRED]), "a record of some other file"
    cut = old.with_record(of_links(old.record, (first, second))).judged(4 * YEAR)
    assert codes(cut) == ("valid", [], [STAMP_EXPIRED]), "it proves less, and nothing false"


def test_a_changed_time_stamp_is_told(old: Kept) -> None:
    for number, token in enumerate(evidence_record.tokens(old.record)):
        inside = (
            len(token) // 2 if number < 2 else len(token) - 10
        )  # of the last one nothing but its signature is stamped
        place = old.record.index(token) + inside
        changed = old.record[:place] + bytes((old.record[place] ^ 1,)) + old.record[place + 1 :]
        assert old.with_record(changed).judged(4 * YEAR).verdict != "valid", number


def test_what_issuers_said_cannot_be_changed_inside(old: Kept) -> None:
    """It stands in an attribute that the authority did not sign; the next time stamp is of it."""
    answer = material(evidence_record.tokens(old.record)[0]).ocsp_responses[0]
    place = old.record.index(answer[-40:])
    changed = old.record[:place] + bytes((old.record[place] ^ 1,)) + old.record[place + 1 :]
    assert codes(old.with_record(changed).judged(4 * YEAR))[:2] == ("undecided", [5207])


def test_a_record_of_another_file_says_nothing(old: Kept, key: MemoryKey) -> None:
    other = xmldsig.sign(DOCUMENT.replace("Đặng".encode(), b"x"), key, "CHUKYDONVI")
    assert evidence_record.find(old.evidence, other) == evidence_record.Found()


@pytest.mark.parametrize(
    "record",
    [b"", b"\x30\x00", b"0" * 100, b"\x30\x03\x02\x01\x02", b"\x30\x07\x02\x01\x01\x30\x00\x30\x00"],
)
def test_what_is_no_record_is_told(record: bytes, kept: Kept) -> None:
    assert codes(kept.with_record(record).judged(timedelta()))[:2] == ("undecided", [5207])
    with pytest.raises(ArchiveBroken):
        evidence_record.tokens(record)


# ---- the hash tree renewed, by a maker beside our own code ----


def rehashed(held: Kept, tsa: Tsa, *, objects: Sequence[bytes] = (), bound: bytes = b"", name: str = "sha512") -> Kept:
    """Stamp every object again, by a stronger hash, together with the chains before, as RFC 4998 §5.3 says."""

    def digest(data: bytes) -> bytes:
        return hashlib.new(name, data).digest()

    last = held.authorities[-1]
    about = Evidence((der(last.certificate),), (response(held.issuing, last.certificate),), (crl(held.root),))
    record = evidence_record.completed(held.record, about)
    version, (first, *_), chains = element(record)
    before = digest(bound or chains.whole)
    hashes = sorted(digest(digest(one) + before) for one in objects or (held.file, *held.evidence.pieces))
    token = tsa.token(b"".join(hashes), name).der
    tree = tagged(0xA2, tagged(0x30, *(tagged(0x04, one) for one in hashes)))
    newer = tagged(0x30, tagged(0x30, tree, token))
    algorithms = tagged(0x30, first.whole, algos.DigestAlgorithm({"algorithm": name}).dump())
    sequence = tagged(0x30, *(one.whole for one in chains), newer)
    whole = tagged(0x30, version.whole, algorithms, sequence)
    return replace(held.with_record(whole), authorities=(*held.authorities, tsa))


def test_a_renewed_hash_tree_is_proof_for_longer(kept: Kept, issuing: Authority) -> None:
    newer = rehashed(kept, authority(issuing, 0.9 * YEAR, 2 * YEAR))
    assert codes(newer.judged(1.9 * YEAR)) == ("valid", [], [])
    assert newer.judged(1.9 * YEAR).signers[0].stamps_until == now() + 2 * YEAR
    again = rehashed(newer, authority(issuing, 1.9 * YEAR, 4.5 * YEAR), name="sha384")
    assert codes(again.judged(4 * YEAR)) == ("valid", [], [])
    assert len(evidence_record.tokens(again.record)) == 3
    late = rehashed(kept, authority(issuing, 1.1 * YEAR, 4 * YEAR))
    assert codes(late.judged(2 * YEAR)) == ("valid", [], [STAMP_EXPIRED]), "the one before had ended"


@pytest.mark.parametrize("wrong", ["one object less", "one object more", "other chains", "the chains changed since"])
def test_a_hash_tree_renewed_over_something_else_is_told(wrong: str, old: Kept, issuing: Authority) -> None:
    tsa, objects = authority(issuing, 4 * YEAR, 4.9 * YEAR), (old.file, *old.evidence.pieces)
    if wrong == "one object less":
        newer = rehashed(old, tsa, objects=objects[:-1])
    elif wrong == "one object more":
        newer = rehashed(old, tsa, objects=(*objects, b"x"))
    elif wrong == "other chains":
        newer = rehashed(old, tsa, bound=b"x")
    else:
        newer = rehashed(old, tsa)
        version, algorithms, (first, second) = element(newer.record)
        cut = tagged(0x30, *(one.whole for one in list(first)[:-1]))
        newer = old.with_record(tagged(0x30, version.whole, algorithms.whole, tagged(0x30, cut, second.whole)))
    assert codes(newer.judged(4.1 * YEAR))[:2] == ("undecided", [5207])


# ---- one time stamp for many ----


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 13])
@pytest.mark.parametrize("pieces", [2, 4])
def test_one_time_stamp_serves_many_files(count: int, pieces: int, issuing: Authority) -> None:
    files = [b"file %d" % number for number in range(count)]
    about = [[b"piece %d of %d" % (piece, number) for piece in range(pieces - 1)] for number in range(count)]
    groups = [Group(tuple(map(sha, (file, *more))), file) for file, more in zip(files, about, strict=True)]
    grown = evidence_record.grow(groups)
    token = Tsa.of(issuing).token(grown.octets).der
    for file, more, tree in zip(files, about, grown.trees, strict=True):
        held = Evidence(certificates=tuple(more), records=(evidence_record.begun(tree, token),))
        found = evidence_record.find(held, file)
        assert found.faults == ()
        assert len(found.stamps) == 1
        assert evidence_record.find(replace(held, certificates=held.certificates[1:]), file).faults


@given(st.lists(st.integers(1, 4), min_size=1, max_size=30))
def test_every_leaf_leads_to_the_root(sizes: list[int]) -> None:
    groups = [Group(tuple(sha(b"%d %d" % (n, k)) for k in range(size))) for n, size in enumerate(sizes)]
    grown = evidence_record.grow(groups)
    for group, tree in zip(groups, grown.trees, strict=True):
        if tree:
            assert set(group.hashes) <= set(tree[0])
            assert root_of(tree) == sha(grown.octets)


def root_of(tree: Sequence[Sequence[bytes]]) -> bytes:
    """Climb a reduced hash tree as RFC 4998 §4.3 says, a judge beside our own code."""
    value: list[bytes] = []
    for part in tree:
        joined = b"".join(sorted([*part, *value]))
        value = [hashlib.sha256(joined).digest()] if len(joined) > 32 else [joined]
    return value[0]


def test_openssl_agrees_with_every_time_stamp(old: Kept, root: Authority, tmp_path: Path) -> None:
    """Each is taken out with asn1crypto, and its digest made by the rules of the standard."""
    (tmp_path / "root.pem").write_bytes(root.pem())
    chain = (*old.issuing.issuers, *(one.certificate for one in old.authorities))
    (tmp_path / "chain.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
    before = b""
    for number, stamp in enumerate(links(old.record)):
        *tree, last = element(stamp)
        token = last.whole
        assert cms.ContentInfo.load(token, strict=True)["content_type"].native == "signed_data"
        digest = root_of([[one.octets for one in part] for part in tree[0]]) if tree else sha(before)
        (tmp_path / "token.der").write_bytes(token)
        said = subprocess.run(
            [
                *("openssl", "ts", "-verify", "-digest", digest.hex(), "-in", "token.der", "-token_in"),
                *("-CAfile", "root.pem", "-untrusted", "chain.pem"),
                *("-attime", str(int((now() + (0, 0.95, 1.95)[number] * YEAR).timestamp()))),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Verification: OK" in said.stdout, said.stderr
        before = token
