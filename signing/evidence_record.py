"""Evidence records: time stamps over a file and what is kept beside it, each later one over the one before.

For signatures that cannot hold what proves them (JWS, a place that an interface asks for, a signature beside its file). The
first time stamp is over the hashes of the file and of every piece of its evidence; one of later years is over the time stamp
before it, with what issuers said of its authority inside. One time stamp serves any number of files: they are the leaves of a
hash tree, and each record holds its own way to the root.

    grow ─▶ what to stamp ─▶ begun        the first time, with the hashes of each group
    completed ─▶ to_renew ─▶ grow ─▶ extended   before the authority's certificate ends

For the day on which a hash is weak there is another renewal, of the hash tree: a new chain of time stamps, by a stronger hash,
over every object again, each together with the chains before. It is read and judged here, and made by nobody yet; a record of
another hash than SHA-2 is not read.
Not here: getting tokens (`signing/timestamp.py`), and whom to believe (`validation`). Pure.

Standard: RFC 4998 §3–§5
Requirement: S0.10
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from asn1crypto import algos

from signing import timestamp_token
from signing.der import Element, element, tagged
from signing.evidence import Evidence
from signing.faults import ArchiveBroken, TimestampInvalid
from signing.timestamp_material import material, with_material
from signing.verdict import Stamped

_SEQUENCE, _OCTETS = 0x30, 0x04
_DIGEST, _ATTRIBUTES, _TREE = 0xA0, 0xA1, 0xA2
_VERSION = b"\x02\x01\x01"
_HASH = "sha256"
"""Of the records made here: the hash by which files and pieces of evidence are known."""
_MAXIMUM = 16 * 1024**2
_LINKS = 100
_WHERE = "evidence record"

Tree = tuple[tuple[bytes, ...], ...]
"""A reduced hash tree: the group's own hashes, then on each level what stands beside the way to the root."""


@dataclass(frozen=True)
class Group:
    """What one record is over: a file with its evidence, or the one time stamp before."""

    hashes: tuple[bytes, ...]
    whole: bytes = field(default=b"", repr=False)
    """The object itself, where there is one alone."""


@dataclass(frozen=True)
class Grown:
    """One time stamp for several groups."""

    octets: bytes = field(repr=False)
    """What it has to be of."""
    trees: tuple[Tree, ...] = field(repr=False)
    """The way of each group to it, in their order; empty where it is of the one object itself."""


def grow(groups: Sequence[Group]) -> Grown:
    """Plant groups in one hash tree."""
    ways = [[tuple(sorted(group.hashes))] for group in groups]
    level = [(_value(group.hashes, _HASH), [number]) for number, group in enumerate(groups)]
    while len(level) > 1:
        above = [
            (_value((left, right), _HASH), [*ours, *theirs])
            for (left, ours), (right, theirs) in zip(level[::2], level[1::2], strict=False)
        ]
        for (left, ours), (right, theirs) in zip(level[::2], level[1::2], strict=False):
            _go_up(ways, ours, right)
            _go_up(ways, theirs, left)
        level = [*above, *(level[-1:] if len(level) % 2 else [])]
    if len(groups) == 1 and len(groups[0].hashes) == 1:
        return Grown(groups[0].whole, ((),))
    return Grown(_octets(tuple(ways[0]), _HASH), tuple(tuple(way) for way in ways))


def begun(tree: Tree, token: bytes) -> bytes:
    """Return the record of a group whose hashes were stamped for the first time."""
    return _encoded([[_Link(tree, token)]])


def completed(record: bytes, about: Evidence) -> bytes:
    """Return a record whose last time stamp holds what issuers said of its authority. Raises ArchiveBroken."""
    *older, (*before, last) = _links(record)
    return _encoded([*older, [*before, replace(last, token=with_material(last.token, about), whole=b"")]])


def to_renew(record: bytes) -> Group:
    """Return what the next time stamp of a record is over: the last one. Raises ArchiveBroken."""
    last = _links(record)[-1][-1].token
    return Group((hashlib.new(_HASH, last).digest(),), last)


def extended(record: bytes, tree: Tree, token: bytes) -> bytes:
    """Return a record with one more time stamp. Raises ArchiveBroken."""
    *older, last = _links(record)
    return _encoded([*older, [*last, _Link(tree, token)]])


def tokens(record: bytes) -> list[bytes]:
    """Return the time stamps of a record, oldest first. Raises ArchiveBroken."""
    return [link.token for chain in _links(record) for link in chain]


# ---- is it of this file? ----


@dataclass(frozen=True)
class Found:
    """What records say of one file."""

    stamps: tuple[Stamped, ...] = ()
    """Archive time stamps with what they are of; whom to believe is not asked yet."""
    evidence: Evidence = field(default_factory=Evidence)
    """What they hold about their authorities."""
    faults: tuple[ArchiveBroken, ...] = ()


def find(evidence: Evidence, data: bytes) -> Found:
    """Return what the records among `evidence` say of `data`, a signed file.

    A record that does not name the hash of `data` is about another file, and left out.
    """
    found = Found()
    for record in evidence.records:
        try:
            chains = _read(record)
            first = chains[0].links[0]
            if not first.tree or _hashes([data], first.hash_name).isdisjoint(first.tree[0]):
                continue
            objects = _named(first, (data, *evidence.pieces))
            for number, chain in enumerate(chains):
                known = _expected(objects, chains[:number], chain.links[0].hash_name)
                found = _with(found, _linked(chain.links, known))
        except ArchiveBroken as fault:
            found = replace(found, faults=(*found.faults, fault))
    return found


def _with(found: Found, stamps: Sequence[Stamped]) -> Found:
    held = sum((material(one.token) for one in stamps), Evidence())
    return Found((*found.stamps, *stamps), found.evidence + held, found.faults)


def _named(first: _Link, objects: Sequence[bytes]) -> list[bytes]:
    """Return those of `objects` that the first time stamp is over; raise ArchiveBroken when there are not all."""
    named = set(first.tree[0])
    found = [one for one in objects if _hashes([one], first.hash_name) <= named]
    lacking = len(named - _hashes(found, first.hash_name))
    if lacking:
        raise ArchiveBroken(_WHERE, f"{lacking} of {len(named)} pieces missing or changed")
    return found


def _expected(objects: Sequence[bytes], before: Sequence[_Chain], hash_name: str) -> set[bytes]:
    """Return what a chain begins with: the hashes of objects, those of later chains bound to the chains `before` them."""
    if not before:
        return _hashes(objects, hash_name)
    sequence = hashlib.new(hash_name, tagged(_SEQUENCE, *(one.whole for one in before))).digest()
    return _hashes((hashlib.new(hash_name, one).digest() + sequence for one in objects), hash_name)


def _linked(links: Sequence[_Link], known: Collection[bytes]) -> list[Stamped]:
    """Return the time stamps of a chain over objects with the hashes `known`, when each follows the one before."""
    first = links[0]
    if not first.tree or set(first.tree[0]) != known:
        raise ArchiveBroken(_WHERE, "a renewed hash tree is not of every object")
    found: list[Stamped] = []
    for number, link in enumerate(links):
        if link.hash_name != first.hash_name:
            raise ArchiveBroken(_WHERE, f"time stamp {number + 1}: another hash")
        if number and link.tree and not _hashes([links[number - 1].token], link.hash_name) <= set(link.tree[0]):
            raise ArchiveBroken(_WHERE, f"time stamp {number + 1} is not of the one before")
        octets = _octets(link.tree, link.hash_name) if link.tree else links[number - 1].token
        try:
            token = timestamp_token.read(link.token)
            timestamp_token.require_imprint(token, octets)
        except TimestampInvalid as problem:
            raise ArchiveBroken(_WHERE, f"time stamp {number + 1}: {problem.detail}") from problem
        found.append(Stamped(link.token, octets))
    return found


# ---- hash trees ----


def _hashes(objects: Iterable[bytes], hash_name: str) -> set[bytes]:
    return {hashlib.new(hash_name, one).digest() for one in objects}


def _value(hashes: Sequence[bytes], hash_name: str) -> bytes:
    """Return what a node stands for on the next level; one hash stands for itself."""
    return hashes[0] if len(hashes) == 1 else hashlib.new(hash_name, b"".join(sorted(hashes))).digest()


def _go_up(ways: list[list[tuple[bytes, ...]]], members: Iterable[int], beside: bytes) -> None:
    for number in members:
        way = ways[number]
        if len(way) == 1 and len(way[0]) == 1:
            way[0] = tuple(sorted((*way[0], beside)))
        else:
            way.append((beside,))


def _octets(tree: Tree, hash_name: str) -> bytes:
    """Return the bytes whose hash is the root."""
    joined = sorted(tree[0])
    for beside in tree[1:]:
        joined = sorted((*beside, _value(joined, hash_name)))
    return b"".join(joined)


# ---- bytes ----


@dataclass(frozen=True)
class _Link:
    """One ArchiveTimeStamp."""

    tree: Tree
    token: bytes
    hash_name: str = _HASH
    whole: bytes = field(default=b"", repr=False)
    """As it stands in a record; nothing for one that is being made."""


@dataclass(frozen=True)
class _Chain:
    """One ArchiveTimeStampChain: its time stamps are by one hash."""

    links: list[_Link]
    whole: bytes


def _encoded(chains: Sequence[Sequence[_Link]]) -> bytes:
    names = dict.fromkeys(link.hash_name for chain in chains for link in chain)
    algorithms = [algos.DigestAlgorithm({"algorithm": one}).dump() for one in names]
    written = [tagged(_SEQUENCE, *map(_stamp, chain)) for chain in chains]
    return tagged(_SEQUENCE, _VERSION, tagged(_SEQUENCE, *algorithms), tagged(_SEQUENCE, *written))


def _stamp(link: _Link) -> bytes:
    if link.whole:
        return link.whole
    lists = [tagged(_SEQUENCE, *(tagged(_OCTETS, one) for one in part)) for part in link.tree]
    return tagged(_SEQUENCE, tagged(_TREE, *lists) if lists else b"", link.token)


def _links(record: bytes) -> list[list[_Link]]:
    return [chain.links for chain in _read(record)]


def _read(record: bytes) -> list[_Chain]:
    if len(record) > _MAXIMUM:
        raise ArchiveBroken(_WHERE, f"{len(record)} bytes")
    try:
        version, _, *optional, chains = element(record).inside(_SEQUENCE)
        if version.whole != _VERSION or any(one.tag not in (0xA0, 0xA1) for one in optional):
            raise ArchiveBroken(_WHERE, "of another version")
        found = [
            _Chain([_link(one) for one in chain.inside(_SEQUENCE)], chain.whole) for chain in chains.inside(_SEQUENCE)
        ]
    except (ValueError, IndexError, KeyError, TypeError) as problem:
        raise ArchiveBroken(_WHERE, "cannot be read") from problem
    count = sum(len(chain.links) for chain in found)
    if count > _LINKS or not found or not all(chain.links for chain in found):
        raise ArchiveBroken(_WHERE, f"{count} time stamps in {len(found)} chains")
    return found


def _link(stamp: Element) -> _Link:
    *optional, token = stamp.inside(_SEQUENCE)
    tags = [one.tag for one in optional]
    if tags != sorted(set(tags) & {_DIGEST, _ATTRIBUTES, _TREE}):
        raise ValueError("fields that stand twice or in another order")
    said = dict(zip(tags, optional, strict=True))
    tree: Tree = ()
    if _TREE in said:
        tree = tuple(tuple(one.octets for one in part.inside(_SEQUENCE)) for part in said[_TREE])
        if not all(tree):
            raise ValueError("an empty list of hashes")
    name = timestamp_token.hash_of(token.whole)
    if _DIGEST in said:
        name = str(algos.DigestAlgorithm.load(said[_DIGEST].under(_SEQUENCE), strict=True)["algorithm"].native)
    if name not in timestamp_token.HASHES:
        raise ArchiveBroken(_WHERE, "a hash that is not SHA-2")
    return _Link(tree, token.whole, name, stamp.whole)
