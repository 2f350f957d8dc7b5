"""The configuration printed in the guides is one that a node takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.sandbox.ca import DemoCA
from gateway.configuration import load
from gateway.faults import ConfigInvalid
from gateway.store.sealed import new_key_line
from mappings.lab import profiles
from signing.policy import Case
from tests.site import PASSWORD

DOCS = Path(__file__).resolve().parents[3] / "docs"
GUIDES = ("operations.md", "van-hanh.md")
BLOCK = re.compile(r"^```toml\n# (\S+\.toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECRETS = ("facility-key", "transport-key", "portal", "axis", "TK001")
TOKENS = ("api-hr", "DD001", "api-viewer")


def blocks(text: str) -> dict[str, str]:
    """Find the files printed in a guide, by the name in their first line; what has one name is one file."""
    files: dict[str, str] = {}
    for name, content in BLOCK.findall(text):
        files[name] = f"{files[name]}\n{content}" if name in files else content
    return files


def write(folder: Path, files: dict[str, str], authority: DemoCA) -> Path:
    """Write a guide's files beside keys and secrets such as its reader has."""
    for name in ("channels", "keys", "secrets"):
        (folder / name).mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    identity = authority.issue("Bệnh viện Đa khoa Ví Dụ", organisation="Bệnh viện Đa khoa Ví Dụ")
    for name in ("facility.p12", "transport.p12"):
        (folder / "keys" / name).write_bytes(identity.pkcs12(PASSWORD))
    (folder / "keys" / "ca.pem").write_bytes(authority.pem_file.read_bytes())
    for name in SECRETS:
        (folder / "secrets" / name).write_text(PASSWORD, encoding="utf-8")
    for name in TOKENS:
        (folder / "secrets" / name).write_text(f"{PASSWORD} {name}", encoding="utf-8")
    for name in ("web.pem", "web.key"):
        (folder / "keys" / name).touch()
    (folder / "secrets" / "store-keys").write_text(new_key_line("k1"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DemoCA:
    return DemoCA(tmp_path_factory.mktemp("ca"))


@pytest.mark.parametrize("guide", GUIDES)
def test_the_example_is_a_plan(guide: str, tmp_path: Path, authority: DemoCA) -> None:
    files = blocks((DOCS / guide).read_text(encoding="utf-8"))
    assert set(files) == {
        "node.toml",
        "channels/his.toml",
        "channels/monitors.toml",
        "channels/pacs.toml",
        "signing.toml",
        "site/devices.toml",
        "site/lab/zenlab.toml",
    }
    assert profiles.parse("zenlab", files["site/lab/zenlab.toml"]).value.decimal == ","
    plan = load(write(tmp_path, files, authority))
    assert plan.store_url == "sqlite:////var/lib/lienthong/ledger.db"
    assert set(plan.routes) == {"insurance_portal", "moh_axis", "benh-vien-b", plan.channels[0].routes[-1]}
    assert plan.transport != plan.signing
    (wanted,) = {one.step for one in plan.policies.wanted("lab_report", Case())} - {"seal"}
    assert wanted == "technician"
    assert [code for code, signer in plan.signers.items() if signer.key] == ["BS001", "TK001"]


@pytest.mark.parametrize("guide", GUIDES)
def test_every_toml_block_is_read(guide: str) -> None:
    text = (DOCS / guide).read_text(encoding="utf-8")
    assert text.count("```toml") == len(BLOCK.findall(text))


def test_both_guides_print_the_same_settings() -> None:
    """Comments are translated, and so are the names a reader chooses; nothing else differs."""
    settings = [
        re.sub(r'\s+#.*|"(nut-1|node-1|luu-tru|archive)"', "", "".join(blocks(text).values()))
        for text in ((DOCS / guide).read_text(encoding="utf-8") for guide in GUIDES)
    ]
    assert settings[0] == settings[1]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("node.toml", "head_licence", "head_license"), ("channels/his.toml", 'tls         = "mtls"', 'tls = "ssl"')],
)
def test_a_planted_mistake_is_found(file: str, old: str, new: str, tmp_path: Path, authority: DemoCA) -> None:
    files = blocks((DOCS / GUIDES[0]).read_text(encoding="utf-8"))
    assert old in files[file]
    files[file] = files[file].replace(old, new)
    with pytest.raises(ConfigInvalid):
        load(write(tmp_path, files, authority))
