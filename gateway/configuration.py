"""Read configuration: TOML files in one folder → an immutable plan, or every problem at once.

`node.toml` describes the node, `channels/*.toml` one channel each, `signing.toml` who signs what.
Secrets are written `secret:name` and found in the environment as `LIENTHONG_SECRET_<NAME>` or as a file `secrets/<name>`
beside node.toml.

Does not open sockets or databases; `gateway/probes.py` tries what `lienthong check` promises to try.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from connectors.dicom_peer import PacsSettings
from connectors.kinds import load_destination, load_source
from gateway import signing_forms
from gateway.faults import (
    ConfigFault,
    ConfigInvalid,
    FileMissing,
    FileUnreadable,
    KindUnknown,
    NameTaken,
    SecretMissing,
    SettingInvalid,
    SettingMissing,
    SettingUnknown,
)
from gateway.proof.settings import ProofSettings
from gateway.settings import (
    Channel,
    ChannelSettings,
    ClientSettings,
    FacilitySettings,
    HttpSettings,
    NodeSettings,
    Plan,
    Route,
    RouteSettings,
    Signer,
    SignerSettings,
    SigningPlan,
    SourcePlan,
    StoreSettings,
    Test,
    TraceSettings,
    VerifySettings,
)
from gateway.store.sealed import Keyring
from gateway.toml_file import TomlFile
from mappings.bhyt.settings import Settings as InsuranceSettings
from mappings.bhyt.visit_file import RECORD
from mappings.cda import Settings as CdaSettings
from mappings.documents import DOCUMENTS, PAPERS, imaging_study
from mappings.formats.values import FileName, Secret, Size, parse_duration, parse_size
from mappings.guides import guides
from mappings.lab.layout import Layout, parse_layout
from mappings.systems import Systems
from signing.keys import key_settings
from signing.policy import Policies
from signing.policy_toml import read as read_policies

T = TypeVar("T")
SIGNING = "signing.toml"


def load(folder: Path) -> Plan:
    """Read the configuration in `folder`; raise ConfigInvalid carrying every problem."""
    reader = _Reader(folder)
    plan = reader.plan()
    if reader.problems or plan is None:
        raise ConfigInvalid(tuple(reader.problems))
    return plan


class _Reader:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[ConfigFault] = []

    def plan(self) -> Plan | None:
        node_file = self._open(self.folder / "node.toml")
        channel_files = [self._open(path) for path in sorted((self.folder / "channels").glob("*.toml"))]
        if node_file is None:
            return None
        top = node_file.table
        known = {
            "facility",
            "node",
            "store",
            "systems",
            "cda",
            "insurance",
            "pacs",
            "signing",
            "transport",
            "signer",
            "proof",
            "http",
            "api",
            "trace",
            "verify",
        }
        self._unknown(node_file, "", top, known)
        facility = self._dataclass(FacilitySettings, node_file, "facility", top.get("facility", {}))
        node = self._dataclass(NodeSettings, node_file, "node", top.get("node", {}))
        store = self._dataclass(StoreSettings, node_file, "store", top.get("store", {}))
        if store is not None:
            try:
                Keyring.parse(store.keys)
            except ValueError as error:
                self._problem(SettingInvalid, node_file, "store.keys", str(error))
        systems = self._dataclass(Systems, node_file, "systems", top.get("systems", {}))
        cda = self._dataclass(CdaSettings, node_file, "cda", top.get("cda", {}))
        insurance = self._dataclass(InsuranceSettings, node_file, "insurance", top.get("insurance", {}))
        signing = self._key(node_file, "signing", top.get("signing"))
        transport = self._key(node_file, "transport", top["transport"]) if "transport" in top else signing
        channels, routes = self._channels([file for file in channel_files if file is not None])
        signers = self._signers(node_file, top.get("signer", []))
        policies = self._policies(signers, routes, [file for file in channel_files if file is not None])
        proof = self._proof(node_file, top.get("proof", {}), policies)
        http = self._dataclass(HttpSettings, node_file, "http", top.get("http", {}))
        for name in ("certificate", "private_key"):
            if http is not None and http.tls == "tls" and http.listen and not Path(getattr(http, name)).is_file():
                self._problem(FileMissing, node_file, f"http.{name}", Path(getattr(http, name)).name)
        trace = self._dataclass(TraceSettings, node_file, "trace", top.get("trace", {}))
        verify = self._dataclass(VerifySettings, node_file, "verify", top.get("verify", {}))
        clients = self._clients(node_file, top.get("api", {}), signers)
        pacs = self._pacs(node_file, top.get("pacs", []), channels)
        if not channel_files:
            self.problems.append(FileUnreadable(str(self.folder / "channels"), "no channel file"))
        if self.problems or not (facility and node and store and systems and cda and signing and transport):
            return None
        if proof is None or http is None or trace is None or insurance is None or verify is None:
            return None
        return Plan(
            self.folder,
            facility,
            node,
            store,
            systems,
            cda,
            signing,
            transport,
            tuple(channels),
            signing_forms.routes_with_forms(routes, policies.forms),
            signers,
            policies,
            proof,
            http,
            clients,
            trace,
            insurance,
            pacs,
            verify,
        )

    def _open(self, path: Path) -> TomlFile | None:
        name = str(path.relative_to(self.folder))
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(FileUnreadable(name, type(error).__name__))
            return None
        try:
            return TomlFile(name, text)
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"line (\d+)", str(error))
            self.problems.append(FileUnreadable(f"{name}:{line[1] if line else 1}", str(error)))
            return None

    def _problem(self, fault: type[ConfigFault], file: TomlFile, path: str, detail: str) -> None:
        key = path.rpartition(".")[2]
        self.problems.append(fault(file.where(path), f"{key}: {detail}" if detail else key))

    def _unknown(self, file: TomlFile, path: str, table: Mapping[str, Any], known: set[str]) -> None:
        for key in table:
            if key not in known:
                close = _closest(key, known)
                hint = f"did you mean {close}?" if close else f"known here: {', '.join(sorted(known))}"
                self._problem(SettingUnknown, file, f"{path}.{key}".lstrip("."), hint)

    def _signers(self, file: TomlFile, tables: Any) -> dict[str, Signer]:
        signers: dict[str, Signer] = {}
        for index, entry in enumerate(tables if isinstance(tables, list) else [tables]):
            path = f"signer[{index}]"
            options = dict(entry) if isinstance(entry, dict) else entry
            table = options.pop("key", None) if isinstance(options, dict) else None
            key = None if table is None else self._key(file, f"{path}.key", table, may_ask=True)
            settings = self._dataclass(SignerSettings, file, path, options)
            if settings is None:
                continue
            if settings.code in signers:
                self._problem(NameTaken, file, f"{path}.code", settings.code)
            signers[settings.code] = Signer(settings, key)
        return signers

    def _clients(self, file: TomlFile, table: Any, signers: Mapping[str, Signer]) -> tuple[ClientSettings, ...]:
        if not isinstance(table, dict):
            self._problem(SettingInvalid, file, "api", "a table is expected here")
            return ()
        self._unknown(file, "api", table, {"client"})
        clients: list[ClientSettings] = []
        tokens = {signer.settings.token for signer in signers.values()}
        for index, entry in enumerate(table.get("client", [])):
            path = f"api.client[{index}]"
            client = self._dataclass(ClientSettings, file, path, entry)
            if client is None:
                continue
            if any(client.name == other.name for other in clients):
                self._problem(NameTaken, file, f"{path}.name", client.name)
            if client.token in tokens:
                self._problem(SettingInvalid, file, f"{path}.token", "somebody else has the same")
            tokens.add(client.token)
            clients.append(client)
        return tuple(clients)

    def _pacs(self, file: TomlFile, tables: Any, channels: list[Channel]) -> tuple[PacsSettings, ...]:
        found: list[PacsSettings] = []
        names = {channel.settings.name for channel in channels if channel.takes_objects}
        for index, entry in enumerate(tables if isinstance(tables, list) else [tables]):
            path = f"pacs[{index}]"
            one = self._dataclass(PacsSettings, file, path, entry)
            if one is None:
                continue
            if any(one.name == other.name for other in found):
                self._problem(NameTaken, file, f"{path}.name", one.name)
            if one.channel and one.channel not in names:
                told = ", ".join(sorted(names)) or "none"
                self._problem(SettingInvalid, file, f"{path}.channel", f"channels that take objects: {told}")
            for name in ("ca", "certificate", "private_key"):
                if getattr(one, name) and not Path(getattr(one, name)).is_file():
                    self._problem(FileMissing, file, f"{path}.{name}", Path(getattr(one, name)).name)
            found.append(one)
        return tuple(found)

    def _policies(self, signers: Mapping[str, Signer], routes: Mapping[str, Route], files: list[TomlFile]) -> Policies:
        path = self.folder / SIGNING
        policies = Policies()
        if path.exists():
            try:
                policies = read_policies(path.read_text(encoding="utf-8"))
            except OSError as error:
                self.problems.append(FileUnreadable(SIGNING, type(error).__name__))
            except ValueError as error:
                line, _, detail = str(error).partition(": ")
                self.problems.append(SettingInvalid(f"{SIGNING}:{line}" if line.isdigit() else SIGNING, detail))
        for paper in policies.papers:
            if paper not in PAPERS:
                self.problems.append(KindUnknown(SIGNING, f"{paper}; known: {', '.join(PAPERS)}"))
        held = {role for signer in signers.values() for role in signer.settings.roles}
        for role in policies.roles:
            if role not in held:
                self.problems.append(SettingMissing(SIGNING, f"{role}: no [[signer]] in node.toml has this role"))
        for code in {code for one in policies.delegations for code in (one.of, one.to)} - signers.keys():
            self.problems.append(SettingInvalid(SIGNING, f"{code}: no [[signer]] in node.toml has this code"))
        for name, route in routes.items():
            accepts = route.common.accepts
            if accepts and accepts not in policies.steps:
                known = ", ".join(policies.steps)
                self.problems.append(SettingInvalid(self._of_route(files, name), f"accepts: {accepts}; steps: {known}"))
            elif accepts and route.rendition != "cda":
                self.problems.append(
                    SettingInvalid(self._of_route(files, name), "accepts: people sign the CDA document only")
                )
        self.problems.extend(signing_forms.problems(policies.forms, routes))
        return policies

    def _proof(self, file: TomlFile, table: Any, policies: Policies) -> ProofSettings | None:
        settings = self._dataclass(ProofSettings, file, "proof", table)
        if settings is None:
            return None
        for name, path in settings.files:
            if not Path(path).is_file():
                self._problem(FileMissing, file, f"proof.{name}", Path(path).name)
        wanted = [(SIGNING, one.level) for one in policies.policies]
        wanted += [(f"{SIGNING}:{rule.line}", rule.form.level) for rule in policies.forms.rules]
        for where, level in wanted:
            if level not in ("", "B-B") and not settings.authority:
                told = "above B-B needs [[proof.authority]] in node.toml, who gives time stamps"
                self.problems.append(SettingMissing(where, f"level: {told}"))
            elif level in ("B-LT", "B-LTA") and not settings.revocation:
                told = f'{level} needs revocation = ["ocsp"] or ["crl"] under [proof] in node.toml'
                self.problems.append(SettingMissing(where, f"level: {told}"))
        return settings

    def _of_route(self, files: list[TomlFile], name: str) -> str:
        for file in files:
            for index, table in enumerate(file.table.get("destination", [])):
                if isinstance(table, dict) and name == (table.get("name") or table.get("kind")):
                    return file.where(f"destination[{index}].accepts")
        return ""

    def _key(self, file: TomlFile, name: str, table: Any, *, may_ask: bool = False) -> SigningPlan | None:
        if not isinstance(table, dict):
            self._problem(SettingMissing, file, name, "the table that says which key signs")
            return None
        options = dict(table)
        kind = options.pop("kind", "pkcs12")
        trust_files = options.pop("trust", [])
        other = options.pop("other_device", "tell") if name == "signing" else "tell"
        if other not in ("tell", "refuse"):
            self._problem(SettingInvalid, file, f"{name}.other_device", 'write "tell" or "refuse"')
        try:
            cls = key_settings(str(kind))
        except LookupError:
            self._problem(KindUnknown, file, f"{name}.kind", str(kind))
            return None
        hints = typing.get_type_hints(cls)
        needed = [f for f in fields(cls) if hints[f.name] is Secret and f.default is MISSING]
        secrets = [f.name for f in needed if f.name not in options]
        asks = tuple(secrets) if may_ask else ()
        settings = self._dataclass(cls, file, name, options, dict.fromkeys(asks, Secret("")))
        trust: list[bytes] = []
        for entry in trust_files if isinstance(trust_files, list) else [trust_files]:
            path = self.folder / str(entry)
            if path.is_file():
                trust.append(path.read_bytes())
            else:
                self._problem(FileMissing, file, f"{name}.trust", str(entry))
        if settings is None:
            return None
        given = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name not in asks}
        return SigningPlan(str(kind), given, tuple(trust), asks, "refuse" if other == "refuse" else "tell")

    def _channels(self, files: list[TomlFile]) -> tuple[list[Channel], dict[str, Route]]:
        channels: list[Channel] = []
        routes: dict[str, Route] = {}
        names: set[str] = set()
        for file in files:
            table = dict(file.table)
            source = self._source(file, table.pop("source", None))
            destinations = table.pop("destination", [])
            layout = self._layout(file, table.pop("layout", None))
            tests = [self._test(file, i, entry) for i, entry in enumerate(table.pop("test", []))]
            settings = self._dataclass(ChannelSettings, file, "", table)
            here: list[str] = []
            for index, entry in enumerate(destinations):
                route = self._route(file, f"destination[{index}]", entry)
                if route is None:
                    continue
                if routes.setdefault(route.name, route) != route:
                    self._problem(
                        NameTaken,
                        file,
                        f"destination[{index}].name",
                        f"{route.name} is described differently elsewhere",
                    )
                here.append(route.name)
            if settings is None:
                continue
            for paper in settings.produce:
                if paper not in DOCUMENTS:
                    self._problem(KindUnknown, file, "produce", f"{paper}; known: {', '.join(DOCUMENTS)}")
            if settings.name in names:
                self._problem(NameTaken, file, "name", settings.name)
            names.add(settings.name)
            if source is None:
                continue
            channels.append(Channel(settings, source, tuple(here), tuple(t for t in tests if t is not None), layout))
        if any(RECORD in channel.settings.produce for channel in channels):
            routes = {name: replace(route, whole_visits=True) for name, route in routes.items()}
        return channels, routes

    def _layout(self, file: TomlFile, table: Any) -> Layout | None:
        if table is None:
            return None
        if not isinstance(table, dict):
            self._problem(SettingInvalid, file, "layout", "a table is expected here")
            return None
        try:
            return parse_layout(table)
        except ValueError as error:
            self._problem(SettingInvalid, file, f"layout.{str(error).partition(':')[0]}", str(error))
            return None

    def _source(self, file: TomlFile, table: Any) -> SourcePlan | None:
        if not isinstance(table, dict) or "kind" not in table:
            self._problem(SettingMissing, file, "source.kind", "what listens, for example mllp")
            return None
        options = dict(table)
        kind = str(options.pop("kind"))
        try:
            cls, _ = load_source(kind)
        except ValueError as error:
            self._problem(KindUnknown, file, "source.kind", str(error))
            return None
        settings = self._dataclass(cls, file, "source", options)
        return None if settings is None else SourcePlan(kind, settings)

    def _route(self, file: TomlFile, path: str, table: Any) -> Route | None:
        if not isinstance(table, dict) or "kind" not in table:
            self._problem(SettingMissing, file, f"{path}.kind", "where to, for example insurance_portal")
            return None
        kind = str(table["kind"])
        try:
            cls, _ = load_destination(kind)
        except ValueError as error:
            self._problem(KindUnknown, file, f"{path}.kind", str(error))
            return None
        common_names = {f.name for f in fields(RouteSettings)}
        own_names = {f.name for f in fields(cls)}
        self._unknown(file, path, table, common_names | own_names)
        common = self._dataclass(RouteSettings, file, path, {k: v for k, v in table.items() if k in common_names})
        own = self._dataclass(cls, file, path, {k: v for k, v in table.items() if k in own_names})
        if common is None or own is None:
            return None
        for paper in common.papers:
            pictures = own.takes == imaging_study.RENDITION
            if paper not in DOCUMENTS:
                self._problem(KindUnknown, file, f"{path}.papers", f"{paper}; known: {', '.join(DOCUMENTS)}")
            elif (paper == imaging_study.PAPER) != pictures:
                told = (
                    f"{paper}: this destination takes {own.takes}, and {'nothing else' if pictures else 'no pictures'}"
                )
                self._problem(SettingInvalid, file, f"{path}.papers", told)
        if common.guide and common.guide not in guides():
            self._problem(KindUnknown, file, f"{path}.guide", f"{common.guide}; known: {', '.join(guides())}")
        elif common.guide and own.takes != "fhir":
            self._problem(SettingInvalid, file, f"{path}.guide", f"this destination takes {own.takes}, and not FHIR")
        if not common.basis:
            self._problem(SettingMissing, file, f"{path}.basis", "the law or reason that lets documents leave to it")
        return Route(common.name or kind, common, own)

    def _test(self, file: TomlFile, index: int, table: Any) -> Test | None:
        paths: list[Path] = []
        self._unknown(file, f"test[{index}]", table, {"input", "expect"})
        for key in ("input", "expect"):
            path = self.folder / "channels" / str(table.get(key, ""))
            if not path.is_file():
                self._problem(FileMissing, file, f"test[{index}].{key}", str(table.get(key, "")))
            paths.append(path)
        return Test(file.where(f"test[{index}]"), *paths)

    def _dataclass(
        self, cls: type[T], file: TomlFile, path: str, table: Any, lacking: Mapping[str, Any] | None = None
    ) -> T | None:
        """Build a settings dataclass from a table, noting every problem; None when it cannot be built.

        `lacking` stands in for settings that need not be written.
        """
        if not isinstance(table, dict):
            self._problem(SettingInvalid, file, path, "a table is expected here")
            return None
        before = len(self.problems)
        hints = typing.get_type_hints(cls)
        declared: dict[str, Field[Any]] = {f.name: f for f in fields(cls) if f.init}  # type: ignore[arg-type]
        self._unknown(file, path, table, set(declared))
        values: dict[str, Any] = dict(lacking or {})
        for name, declaration in declared.items():
            key = f"{path}.{name}".lstrip(".")
            if name in table:
                value = self._value(hints[name], file, key, table[name])
                if value is not None:
                    values[name] = value
            elif name not in values and declaration.default is MISSING and declaration.default_factory is MISSING:
                self._problem(SettingMissing, file, key, "")
        made: T | None = None
        try:
            made = cls(**values)
        except TypeError:
            pass  # something required is missing or wrong, and was told above
        except ValueError as error:
            key, _, detail = str(error).partition(": ")
            self._problem(SettingInvalid, file, f"{path}.{key}".lstrip("."), detail or key)
        return made if len(self.problems) == before else None

    def _value(self, hint: Any, file: TomlFile, key: str, value: Any) -> Any:
        try:
            return self._convert(hint, file, key, value)
        except LookupError as error:
            self._problem(SecretMissing, file, key, str(error.args[0]))
        except ValueError as error:
            self._problem(SettingInvalid, file, key, str(error))
        return None

    def _convert(self, hint: Any, file: TomlFile, key: str, value: Any) -> Any:
        origin = typing.get_origin(hint)
        if origin in (typing.Union, types.UnionType):
            (inner,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
            return self._convert(inner, file, key, value)
        if origin is tuple:
            if not isinstance(value, list):
                raise ValueError('a list is expected, for example ["a", "b"]')
            return tuple(self._convert(typing.get_args(hint)[0], file, key, entry) for entry in value)
        if origin is Mapping:
            if not isinstance(value, dict):
                raise ValueError('a table is expected, for example { "http://…" = "2.16.…" }')
            return {name: self._convert(typing.get_args(hint)[1], file, key, entry) for name, entry in value.items()}
        if origin is Literal:
            choices = typing.get_args(hint)
            if value not in choices:
                raise ValueError(f"one of {', '.join(map(repr, choices))}")
            return value
        if is_dataclass(hint):
            if not isinstance(value, dict):
                raise ValueError('a table is expected, for example { first = "5s" }')
            return self._dataclass(typing.cast(type[Any], hint), file, key, value)
        if hint is timedelta:
            return parse_duration(_text(value))
        if hint is Size:
            return parse_size(_text(value))
        if hint is FileName:
            return FileName(self.folder / _text(value)) if value else FileName("")
        if hint is Secret:
            return self._secret(_text(value))
        if hint is bool or hint is int:
            if type(value) is not hint:
                raise ValueError("true or false" if hint is bool else "a whole number")
            return value
        if hint is float:
            if type(value) not in (int, float):
                raise ValueError("a number")
            return float(value)
        return _text(value)

    def _secret(self, reference: str) -> Secret:
        name = reference.removeprefix("secret:")
        if name == reference:
            raise ValueError("a secret is not written here: write secret:name")
        variable = "LIENTHONG_SECRET_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()
        if variable in os.environ:
            return Secret(os.environ[variable])
        path = self.folder / "secrets" / name
        if path.is_file():
            return Secret(path.read_text(encoding="utf-8").strip())
        raise LookupError(f"{name}; looked for {variable} and secrets/{name}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text in quotes is expected")
    return value


def _closest(key: str, known: set[str]) -> str:
    matches = difflib.get_close_matches(key, sorted(known), n=1)
    return matches[0] if matches else ""
