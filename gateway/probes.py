"""Try what configuration promises: addresses bind, keys open, trust files are certificates, PACS answer, site files load, tests
hold."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.kinds import load_source
from gateway import imaging_steps, lab_steps, result_steps, signing_forms, visit_steps
from gateway.faults import AddressTaken, ChannelTestFailed, ConfigFault, ConfigInvalid, PacsNotReached, SettingInvalid
from gateway.settings import Channel, Plan, Test
from gateway.site import load_site
from mappings import hl7v2
from mappings.formats import er7, json
from mappings.formats.faults import DeliveryFault, Fault, IntakeFault, SigningFault
from mappings.formats.values import parse_address
from mappings.lab.answer import is_known
from mappings.lab.profiles import profiles
from mappings.outcome import Resource
from signing.certificates import load_roots
from signing.keys import open_unattended

_SEAL = "RS256"
"""How envelopes of the data axis are sealed."""


def problems(plan: Plan) -> Iterator[ConfigFault]:
    """Yield what a valid plan would still fail on at start."""
    addresses = {f"channel {c.settings.name}": getattr(c.source.settings, "listen", "") for c in plan.channels}
    addresses["node.health"] = plan.node.health
    addresses["http.listen"] = plan.http.listen
    taken: dict[tuple[str, int], str] = {}
    for owner, address in addresses.items():
        if not address:
            continue
        host, port = parse_address(address)
        if port and (host, port) in taken:
            yield AddressTaken(owner, f"{address} is also {taken[host, port]}'s")
            continue
        taken[host, port] = owner
        try:
            with socket.create_server((host, port), reuse_port=False):
                pass
        except OSError as error:
            yield AddressTaken(owner, f"{address}: {error.strerror}")
    if plan.http.listen and plan.http.tls == "tls":
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                plan.http.certificate, plan.http.private_key
            )
        except (ssl.SSLError, OSError) as error:
            yield SettingInvalid("http.certificate", type(error).__name__)
    for name, key in (("signing", plan.signing), ("transport", plan.transport)):
        try:
            algorithms = open_unattended(key.kind, key.options).algorithms
        except SigningFault as fault:
            yield SettingInvalid(name, str(fault))
            continue
        if name == "signing":
            yield from signing_forms.key_problems(plan, algorithms)
        elif _SEAL not in algorithms and any(route.common.kind == "moh_axis" for route in plan.routes.values()):
            told = f"the data axis wants {_SEAL}, this key does {', '.join(algorithms)}: name another in [transport]"
            yield SettingInvalid(name, told)
    for pem in plan.signing.trust:
        try:
            load_roots([pem])
        except (SigningFault, ValueError) as error:
            yield SettingInvalid("signing.trust", type(error).__name__)
    for setting, path in plan.proof.files:
        try:
            load_roots([Path(path).read_bytes()])
        except (SigningFault, OSError) as error:
            yield SettingInvalid(f"proof.{setting}", type(error).__name__)
    try:
        load_site(plan.site)
    except ConfigInvalid as invalid:
        yield from invalid.problems
    yield from _echoes(plan)
    for channel in plan.channels:
        if channel.settings.profile and channel.settings.profile not in profiles():
            told = f"profile: {channel.settings.profile}; known: {', '.join(sorted(profiles()))}"
            yield SettingInvalid(f"channel {channel.settings.name}", told)
        if reason := _untellable(channel):
            yield SettingInvalid(f"channel {channel.settings.name}", f"instrument: {reason}")
        _, source = load_source(channel.source.kind)
        try:
            getattr(source, "check", _nothing)(channel.source.settings)
        except IntakeFault as fault:
            yield SettingInvalid(f"channel {channel.settings.name}: source", str(fault))
        for test in channel.tests:
            yield from _run(plan, channel, test)


def _untellable(channel: Channel) -> str:
    """Say why an instrument could not be told its orders, if so."""
    name = channel.settings.instrument
    if not name:
        return ""
    if channel.source.kind != "astm":
        return 'only a source of kind "astm" tells instruments their orders'
    if getattr(channel.source.settings, "framing", "") == "none":
        return 'without frames no instrument says that it took an order: write framing = "frames"'
    return "" if is_known(name) else f"no row of site-analyser.csv has {name} as its source"


def _echoes(plan: Plan) -> Iterator[ConfigFault]:
    """Ask each PACS whether it is there and lets us in."""
    if not plan.pacs:
        return
    from connectors.dicom_client import Client  # takes a while to load

    for pacs in plan.pacs:
        try:
            Client(pacs).echo()
        except DeliveryFault as fault:
            yield PacsNotReached(f"pacs {pacs.name}", f"{pacs.ae_title} {pacs.address}: {fault}")


def _nothing(settings: object) -> None:
    return None


def _run(plan: Plan, channel: Channel, test: Test) -> Iterator[ConfigFault]:
    """Map a channel test's input and compare it with the FHIR resources expected, whatever their order."""
    context = hl7v2.Context(plan.facility.code, plan.systems, plan.node.zone)
    try:
        raw = test.input.read_bytes()
        if channel.layout is not None:
            resources: Sequence[Resource] = result_steps.map_table(raw, channel.layout, context)
        elif imaging_steps.is_object(raw):
            resources = imaging_steps.map_object(raw, context).resources
        elif lab_steps.is_records(raw):
            said = channel.settings
            read = lab_steps.read_records(raw, channel.charset, said.profile)
            resources = lab_steps.map_records(read, context, said.approver).resources
        elif visit_steps.is_file(raw):
            resources = visit_steps.map_visit(raw, context.systems, context.facility).outcome.resources
        else:
            resources = hl7v2.map_message(er7.Message.parse(raw, channel.charset), context).resources
        expected = json.loads(test.expect.read_bytes())
    except Fault as fault:
        yield ChannelTestFailed(test.where, str(fault))
        return
    given = {_name(resource): json.canonical(resource) for resource in resources}
    wanted = {_name(resource): json.canonical(resource) for resource in expected}
    differing = sorted(name for name in given.keys() | wanted.keys() if given.get(name) != wanted.get(name))
    if differing:
        yield ChannelTestFailed(test.where, f"{len(differing)} resources differ, first {differing[0]}")


def _name(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
