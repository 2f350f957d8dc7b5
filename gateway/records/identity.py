"""Which records are one, and whose they are: merge, link, unlink, move, and the way back from each.

    merge of Patients    the replaced number leads to the survivor; nothing is copied, so nothing has to be sorted out again
    merge of visits      what refers to the replaced visit (or account) refers to the kept one
    move of a visit      it, and everything that hangs on it, becomes the kept Patient's
    move of a number     as a merge: what is under the moved number is found under the kept Patient
    link                 two Patients are one person; both records stay as they are
    unlink               ends a link, or a merge of the two

Resources change by new versions only, and a change is ended, never deleted. What a message changed is undone as a whole, the
last change first; it is refused while a later change builds on it.

Standard: HL7 v2.5.1 §3.3.24, §3.3.37, §3.3.40–§3.3.45, §3.6.2
Requirement: S2.8
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.faults import IdentityInUse, NothingThere, NotPossibleNow
from gateway.records import persons
from gateway.records.content import redirect, references
from gateway.records.versions import opened, rewrite
from gateway.store import actions
from gateway.store import persons as rows
from gateway.store import resources as resource_rows
from gateway.store.ids import uuid7
from gateway.store.sealed import Keyring
from mappings.outcome import IdentityChange, Resource

Pairs = set[tuple[str, str]]
"""(kept, other) of Patients whose resources have to say what holds now."""

_VISITS = ("Encounter/", "Account/")
_CARRIED = frozenset({"Specimen", "Media", "ImagingStudy", "Binary"})
"""What goes along with what refers to it."""


def apply(
    connection: Connection,
    keyring: Keyring,
    changes: Sequence[IdentityChange],
    now: int,
    *,
    message_id: str | None = None,
    actor: str = "",
) -> tuple[list[str], Pairs]:
    """Carry out changes, in their order; return their ids and the pairs to settle once the message's resources are stored.

    What this message brought before, when it was mapped earlier, is not carried out again: a person may have undone it.
    """
    pairs: Pairs = set()
    made: list[str] = []
    if not changes:
        return made, pairs
    before = [(c.kind, c.kept, c.other) for c in rows.changes_of(connection, message_id)] if message_id else []
    for change in changes:
        if change.kept == change.other:
            continue
        pairs.add((change.kept, change.other))
        if (change.kind, change.kept, change.other) not in before:
            made.append(_apply(connection, keyring, change, pairs, message_id, actor, now))
    return made, pairs


def _apply(
    connection: Connection,
    keyring: Keyring,
    change: IdentityChange,
    pairs: Pairs,
    message_id: str | None,
    actor: str,
    now: int,
) -> str:
    id_ = uuid7()
    kept, other = change.kept, change.other
    moves_visit = change.kind == "move" and other.startswith(_VISITS)
    was = _owner_of(connection, other) if moves_visit else ""
    rows.put_change(
        connection,
        id=id_,
        message_id=message_id,
        at=now,
        actor=actor,
        kind=change.kind,
        kept=kept,
        other=other,
        was=was,
    )
    if change.kind == "unlink":
        _unlink(connection, kept, other, id_, pairs)
    elif moves_visit:
        _move(connection, keyring, other, was, kept, now)
    elif change.kind in ("merge", "move") and _patients(kept, other):
        _merge_patients(connection, kept, other, id_, pairs)
    elif change.kind == "merge":
        _merge_visits(connection, keyring, kept, other, id_, now)
    return id_


# ---- persons ----


def _merge_patients(connection: Connection, kept: str, other: str, id_: str, pairs: Pairs) -> None:
    """Lead `other` to `kept`; a merge that would close a circle turns the older one round."""
    gone = [change for change in rows.holding(connection, [other]) if change.id != id_]
    if persons.resolve(connection, _id(kept)) == _id(other):
        gone += rows.holding(connection, [kept])
        rows.unlink(connection, _id(kept))
    rows.end_changes(connection, [change.id for change in gone], id_)
    pairs |= {(change.kept, change.other) for change in gone}
    rows.link(connection, _id(other), _id(kept), id_)


def _unlink(connection: Connection, kept: str, other: str, id_: str, pairs: Pairs) -> None:
    both = {kept, other}
    for change in (*rows.links(connection, [kept]), *rows.holding(connection, [kept, other])):
        if {change.kept, change.other} != both or change.id == id_:
            continue
        if change.kind != "link":
            _require_free(connection, change)
            rows.unlink(connection, _id(change.other))
        rows.end_changes(connection, [change.id], id_)
        pairs.add((change.kept, change.other))


def settle(connection: Connection, keyring: Keyring, pairs: Pairs, now: int) -> None:
    """Make the Patients of each pair say in `link` and `active` what holds between them now."""
    patients = {reference for pair in pairs if _patients(*pair) for reference in pair}
    if not patients:
        return
    found = {
        f"Patient/{row.id}": (row, opened(keyring, row))
        for row in resource_rows.current(connection, [("Patient", _id(reference)) for reference in patients])
    }
    before = copy.deepcopy({reference: patient for reference, (_, patient) in found.items()})
    for one, two in sorted(pairs):
        for kept, other in ((one, two), (two, one)):
            merged = any(change.kept == kept for change in rows.holding(connection, [other]))
            _say(found, other, kept, "replaced-by", merged)
            _say(found, kept, other, "replaces", merged)
        linked = any({link.kept, link.other} == {one, two} for link in rows.links(connection, [one]))
        _say(found, one, two, "seealso", linked)
        _say(found, two, one, "seealso", linked)
    for reference, (_, patient) in found.items():
        if _replaced(patient) or _replaced(before[reference]):
            patient["active"] = not _replaced(patient)
    rewrite(
        connection,
        keyring,
        [(row, patient) for reference, (row, patient) in found.items() if patient != before[reference]],
        now,
    )


def _replaced(patient: Resource) -> bool:
    return any(link.get("type") == "replaced-by" for link in patient.get("link", ()))


def _say(found: dict[str, tuple[resource_rows.Version, Resource]], of: str, to: str, type_: str, holds: bool) -> None:
    if of not in found:
        return
    _, patient = found[of]
    links = patient.get("link", [])
    said = [link for link in links if link.get("type") == type_ and link.get("other", {}).get("reference") == to]
    if holds and not said:
        links = [*links, {"other": {"reference": to}, "type": type_}]
    elif not holds:
        links = [link for link in links if link not in said]
    patient["link"] = links
    if not links:
        del patient["link"]


# ---- visits and accounts ----


def follow(connection: Connection, resources: Sequence[Resource]) -> None:
    """Turn round, in place, what a message says about a visit or account that was merged or moved meanwhile.

    A sender that does not know of it yet still names the replaced visit, or the patient it belonged to.
    """
    for change_id, turned in turn_round(connection, resources):
        rows.put_effects(connection, change_id, turned)


def turn_round(connection: Connection, resources: Sequence[Resource]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Do what `follow` does, and only say which resources each merge turned round; store nothing."""
    named = [
        f"{resource['resourceType']}/{resource['id']}"
        for resource in resources
        if resource["resourceType"] in ("Encounter", "Account")
    ]
    effects = []
    for change in rows.holding(connection, named) if named else ():
        if change.kind == "move":
            hanging = _hanging(change.other, resources)
            for resource in resources:
                if _reference(resource) in hanging:
                    redirect(resource, {change.was: change.kept})
            continue
        turned = [
            (str(resource["resourceType"]), str(resource["id"]))
            for resource in resources
            if _reference(resource) not in (change.other, change.kept)
            and redirect(resource, {change.other: change.kept})
        ]
        effects.append((change.id, turned))
    return effects


def _merge_visits(connection: Connection, keyring: Keyring, kept: str, other: str, id_: str, now: int) -> None:
    was, patient = _owner_of(connection, other), _owner_of(connection, kept)
    turns = {other: kept} | ({was: patient} if was and patient and was != patient else {})
    changed = []
    for row, resource in _record(connection, keyring, was):
        if _reference(resource) in (kept, other) or other not in references(resource):
            continue
        if redirect(resource, turns):
            changed.append((row, resource))
    rewrite(connection, keyring, changed, now)
    rows.put_effects(connection, id_, [(row.type, row.id) for row, _ in changed])


def _unmerge_visits(connection: Connection, keyring: Keyring, change: Row[Any], now: int) -> None:
    _take_back(connection, keyring, change, now)
    was, patient = _owner_of(connection, change.other), _owner_of(connection, change.kept)
    turns = {change.kept: change.other} | ({patient: was} if was and patient and was != patient else {})
    changed = []
    for row in resource_rows.current(connection, rows.effects(connection, change.id)):
        resource = opened(keyring, row)
        if redirect(resource, turns):
            changed.append((row, resource))
    rewrite(connection, keyring, changed, now)


def _take_back(connection: Connection, keyring: Keyring, change: Row[Any], now: int) -> None:
    """Give the replaced visit or account back what the message of the merge changed of it, unless it changed again since."""
    type_, _, id_ = change.other.partition("/")
    row = next(iter(resource_rows.current(connection, [(type_, id_)])), None)
    if row is None:
        return
    versions = [opened(keyring, one) for one in (*resource_rows.earlier(connection, type_, id_), row)]
    source = f"urn:uuid:{change.message_id}"
    own = [n for n, version in enumerate(versions) if version.get("meta", {}).get("source") == source]
    if not own or not own[0]:
        return
    before, after, newest = versions[own[0] - 1], versions[own[-1]], versions[-1]
    turned = dict(newest)
    for name in (before.keys() | after.keys()) - {"meta"}:
        if after.get(name) != before.get(name) and newest.get(name) == after.get(name):
            turned[name] = before.get(name)
    turned = {name: value for name, value in turned.items() if value is not None}
    if turned != newest:
        rewrite(connection, keyring, [(row, turned)], now)


def _move(connection: Connection, keyring: Keyring, visit: str, was: str, kept: str, now: int) -> None:
    """Make a visit or account, and what hangs on it, another Patient's."""
    if not was or not kept or was == kept:
        return
    known = _record(connection, keyring, was)
    hanging = _hanging(visit, [resource for _, resource in known])
    owners = {f"Patient/{id_}": kept for id_ in persons.all_ids(connection, _id(was))}
    rewrite(
        connection,
        keyring,
        [(row, r) for row, r in known if _reference(r) in hanging and redirect(r, owners)],
        now,
    )


def _hanging(visit: str, resources: Sequence[Resource]) -> set[str]:
    """Find what hangs on a visit: what refers to it, what refers to that, and specimens and images that those refer to.

    What names another visit as its own does not.
    """
    found = {visit}
    refers = {_reference(r): references(r) for r in resources if r["resourceType"] != "Patient"}
    own = {_reference(r): _own_visit(r) for r in resources}
    carried = {one for one, visit_ in own.items() if one.partition("/")[0] in _CARRIED and not visit_}
    while True:
        more = {one for one, to in refers.items() if to & found and (not own[one] or own[one] in found)}
        more |= {one for hanging in found for one in refers.get(hanging, set()) & carried}
        if more <= found:
            return found
        found |= more


def _own_visit(resource: Resource) -> str:
    for name in ("encounter", "context"):
        value = resource.get(name)
        reference = value.get("reference", "") if isinstance(value, dict) else ""
        if reference.startswith("Encounter/"):
            return str(reference)
    return ""


def _record(connection: Connection, keyring: Keyring, patient: str) -> list[tuple[resource_rows.Version, Resource]]:
    if not patient:
        return []
    found = resource_rows.of_patients(connection, persons.all_ids(connection, _id(patient)))
    return [(row, opened(keyring, row)) for row in found]


def _owner_of(connection: Connection, reference: str) -> str:
    """Give the Patient a visit belongs to; `""` when it is not known."""
    type_, _, id_ = reference.partition("/")
    row = next(iter(resource_rows.current(connection, [(type_, id_)])), None)
    return f"Patient/{row.patient_id}" if row is not None and row.patient_id else ""


# ---- what people do ----


def merge(
    connection: Connection, keyring: Keyring, kept_id: str, other_id: str, actor: str, reason: str, now: int
) -> str:
    """Merge two Patients because a person says so; return the id of the change.

    Raises `NothingThere` for a number that is not known, `NotPossibleNow` when they are one already.
    """
    known = {row.id for row in resource_rows.current(connection, [("Patient", kept_id), ("Patient", other_id)])}
    for id_ in (kept_id, other_id):
        if id_ not in known:
            raise NothingThere(where=id_)
    if persons.resolve(connection, kept_id) == persons.resolve(connection, other_id):
        raise NotPossibleNow(where=other_id, detail="the two are one person already")
    change = IdentityChange("merge", f"Patient/{kept_id}", f"Patient/{other_id}")
    (id_,), pairs = apply(connection, keyring, [change], now, actor=actor)
    settle(connection, keyring, pairs, now)
    actions.insert(connection, at=now, actor=actor, verb="merge", target=id_, reason=reason)
    return id_


def undo(connection: Connection, keyring: Keyring, what: str, actor: str, reason: str, now: int) -> list[Row[Any]]:
    """Take back everything that a message (or one change, by its id) changed, the last first; return what was taken back.

    Raises `NothingThere`, `NotPossibleNow` when nothing of it holds any more, `IdentityInUse` when a later change builds on it.
    """
    one = rows.change(connection, what)
    found = [one] if one is not None else rows.changes_of(connection, what)
    if not found:
        raise NothingThere(where=what)
    holding = [change for change in found if change.ended_by is None]
    if not holding:
        raise NotPossibleNow(where=what, detail="undone or replaced already")
    act = actions.insert(connection, at=now, actor=actor, verb="undo", target=what, reason=reason)
    pairs: Pairs = set()
    for change in reversed(holding):
        _undo(connection, keyring, change, act, pairs, now)
    settle(connection, keyring, pairs, now)
    return holding


def _undo(connection: Connection, keyring: Keyring, change: Row[Any], act: str, pairs: Pairs, now: int) -> None:
    _require_free(connection, change)
    rows.end_changes(connection, [change.id], act)
    pairs.add((change.kept, change.other))
    if change.kind in ("merge", "move") and _patients(change.kept, change.other):
        rows.unlink(connection, _id(change.other))
    elif change.kind == "merge":
        _unmerge_visits(connection, keyring, change, now)
    elif change.kind == "move":
        _move(connection, keyring, change.other, change.kept, change.was, now)
    restored = rows.ended_by(connection, change)
    for earlier in restored:
        if earlier.kind in ("merge", "move") and _patients(earlier.kept, earlier.other):
            _require_unmoved(connection, earlier.other, change.id)
            rows.link(connection, _id(earlier.other), _id(earlier.kept), earlier.id)
        pairs.add((earlier.kept, earlier.other))
    rows.end_changes(connection, [earlier.id for earlier in restored], None)


def _require_free(connection: Connection, change: Row[Any]) -> None:
    """Raise `IdentityInUse` when something that still holds was done later to the record that this change kept or moved."""
    if change.kind in ("merge", "move"):
        _require_unmoved(connection, change.kept, change.id)
        _require_unmoved(connection, change.other, change.id)


def _require_unmoved(connection: Connection, reference: str, than: str) -> None:
    for later in rows.holding(connection, [reference]):
        if later.id > than:
            raise IdentityInUse(than, f"undo {later.message_id or later.id} first")


def _patients(kept: str, other: str) -> bool:
    return kept.startswith("Patient/") and other.startswith("Patient/")


def _id(reference: str) -> str:
    return reference.partition("/")[2]


def _reference(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
