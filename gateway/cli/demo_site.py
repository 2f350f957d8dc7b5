"""Write the configuration of the demo's hospital: what an installer would write by hand, against the sandbox."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.scenarios import catalogue, instruments
from gateway.cli import demo_pictures
from gateway.store.sealed import new_key_line
from mappings.documents import PAPERS

FACILITY = "01999"
NAME = "Bệnh viện Đa khoa Liên Thông"
GLN = "8930000000019"
USER = f"{FACILITY}_BV"

_NODE = """\
[facility]
code = "{facility}"
name = "{name}"
head_licence = "000001/HNO-CCHN"
governing_body = "SỞ Y TẾ HÀ NỘI"
address = "Số 1 phố Liên Thông, Phường Ba Đình, Thành phố Hà Nội"
phone = "024 3000 0000"

[node]
name = "demo"
health = "127.0.0.1:0"
lease = "10s"
workers = {workers}
redis = "{redis}"

[store]
url = "{store}"
keys = "secret:store-keys"

[signing]                       # the facility's seal, from the sandbox's CA
{seal}
trust = ["keys/ca.pem"]

[transport]                     # the key of the MoH axis' envelopes
kind = "pkcs12"
file = "keys/transport.p12"
password = "secret:keys"
{signers}"""
_SEAL = """\
kind = "pkcs12"
file = "keys/facility.p12"
password = "secret:keys\""""

_CHANNEL = """\
name     = "{name}"
source   = {{ kind = "mllp", listen = "127.0.0.1:0", tls = "none" }}    # loopback only
accept   = {accept}
order_by = "PID-3"
produce  = {produce}
deadline = "24h"
"""

_PACS = """\
name     = "pacs"
source   = {{ kind = "dicom", listen = "127.0.0.1:0", ae_title = "{title}", callers = ["{caller}"], tls = "none", quiet="1s" }}
accept   = ["DICOM"]
produce  = ["imaging_report"]
deadline = "24h"
"""

_ANALYSER = """\
name     = "analyser"
source   = {{ kind = "astm", listen = "127.0.0.1:0", tls = "none" }}
accept   = ["ASTM", "ASTM^QUERY"]
produce  = ["lab_report"]
deadline = "24h"
approver = "006644/HNO-CCHN"
"""

_MONITORS = """\
name     = "monitors"
source   = {{ kind = "mllp", listen = "127.0.0.1:0", tls = "none" }}
accept   = ["ORU^R01", "ORU^R40"]
priority = "low"
"""

_DESTINATIONS = """
[[destination]]
kind     = "insurance_portal"
url      = "{insurance_portal}"
username = "{user}"
password = "secret:destinations"
facility = "{facility}"
basis    = "Luật Bảo hiểm y tế; TT 48/2017/TT-BYT"
retry    = {retry}
limit    = {{ in_flight = 4 }}
breaker  = {breaker}

[[destination]]
kind      = "moh_axis"
url       = "{moh_axis}"
username  = "{user}"
password  = "secret:destinations"
sender_id = "{gln}"
txn_type  = "sync_document"
basis     = "NĐ 102/2025/NĐ-CP; QĐ 31/QĐ-BYT"
retry     = {retry}
limit     = {{ in_flight = 4 }}
breaker   = {breaker}

[[destination]]
kind          = "national_coordination"
url           = "{national_coordination}"
client_id     = "{user}"
client_secret = "secret:destinations"
sender        = "{facility}"
basis         = "NĐ 278/2025/NĐ-CP"
retry         = {retry}
limit         = {{ in_flight = 4 }}
breaker       = {breaker}
"""

_CHANNELS = {
    "his": (
        ["ADT", "DFT^P03", "MDM^T02", "OMG^O19", "OML^O21", "ORU^R01", "RDE^O11", "REF^I12", "SIU^S12", "VXU^V04"],
        [paper for paper in PAPERS if paper != "lab_report"],
    ),
    "lis": (["ORU^R01", "OUL^R22"], ["lab_report"]),
}


@dataclass(frozen=True)
class Site:
    """The folders and secrets of one demo."""

    folder: Path
    password: str
    store: str = "sqlite:///ledger/ledger.db"
    redis: str = ""
    workers: int = 0

    @property
    def config(self) -> Path:
        return self.folder / "config"


def prepare(folder: Path, **shared: Any) -> Site:
    """Make the folder with fresh secrets, readable by this account only; `shared` is what several nodes share."""
    site = Site(folder, secrets.token_hex(16), **shared)  # no sign that a command line would take for an option
    vault = site.config / "secrets"
    vault.mkdir(parents=True, mode=0o700)
    for name, value in (
        ("store-keys", new_key_line("demo")),
        ("keys", site.password),
        ("destinations", site.password),
    ):
        keep(site, name, value)
    return site


def keep(site: Site, name: str, value: str) -> None:
    """Put a secret where node.toml finds it."""
    path = site.config / "secrets" / name
    path.write_text(value + "\n", encoding="utf-8")
    path.chmod(0o600)


def configure(
    site: Site, sandbox: Mapping[str, str], *, seal: str = _SEAL, signers: str = "", policy: str = ""
) -> None:
    """Write node.toml and the channels once the sandbox has said where it is; and who signs, if anybody but the seal."""
    shared = {"store": site.store, "redis": site.redis, "workers": site.workers}
    keys = site.config / "keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    for name in ("facility.p12", "transport.p12", "ca.pem"):
        shutil.copyfile(Path(sandbox["keys"]) / name, keys / name)
        (keys / name).chmod(0o600)
    (site.config / "node.toml").write_text(
        _NODE.format(facility=FACILITY, name=NAME, seal=seal, signers=signers, **shared), encoding="utf-8"
    )
    if policy:
        (site.config / "signing.toml").write_text(policy, encoding="utf-8")
    own = site.config / "site" / "insurance"
    own.mkdir(parents=True)
    for name, text in catalogue.lists().items():
        (own / f"{name}.csv").write_text(text, encoding="utf-8")
    channels = site.config / "channels"
    channels.mkdir()
    destinations = _DESTINATIONS.format(
        **{name: sandbox[name] for name in ("insurance_portal", "moh_axis", "national_coordination")},
        user=USER,
        facility=FACILITY,
        gln=GLN,
        retry='{ first = "500ms", factor = 2.0, cap = "2s", give_up_after = "1d" }',
        breaker='{ failures = 5, open_for = "1s" }',
    )
    for name, (accept, produce) in _CHANNELS.items():
        text = _CHANNEL.format(name=name, accept=_list(accept), produce=_list(produce)) + destinations
        (channels / f"{name}.toml").write_text(text, encoding="utf-8")
    pacs = _PACS.format(title=demo_pictures.AE_TITLE, caller=demo_pictures.CALLER) + destinations
    (channels / "pacs.toml").write_text(pacs, encoding="utf-8")
    (channels / "analyser.toml").write_text(_ANALYSER.format() + destinations, encoding="utf-8")
    (channels / "monitors.toml").write_text(_MONITORS.format(), encoding="utf-8")
    laboratory = site.config / "site" / "lab"
    laboratory.mkdir()
    (laboratory / "critical.csv").write_text(instruments.CRITICAL, encoding="utf-8")


def _list(values: list[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"
