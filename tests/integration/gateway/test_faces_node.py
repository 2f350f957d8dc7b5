"""A running node serves its pages over TLS, ends well, and says what is wrong before it starts."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

from tests.integration.gateway.faces import SETTINGS, TOKENS, House
from tests.site import cli, running_node

TLS = (
    SETTINGS.replace('tls = "none"', 'tls = "tls"\ncertificate = "keys/web.pem"\nprivate_key = "keys/web.key"')
    + '\n[[signer]]\ncode = "X1"\nname = "X"\nroles = ["nurse"]\n'
)


def secured(folder: Path) -> House:
    house = House(folder, policies="", settings=TLS, files=True)
    house.desk.store.close()
    return house


def test_a_node_serves_its_pages_over_tls(tmp_path: Path) -> None:
    house = secured(tmp_path / "config")
    context = ssl.create_default_context(cafile=str(house.ca.pem_file))
    with running_node(house.plan.folder) as node:
        address = f"https://{node.listening['http']}"
        with httpx.Client(base_url=address, verify=context, trust_env=False, headers={"Accept": "text/html"}) as client:
            page = client.get("/verify")
            assert page.status_code == 200
            assert page.headers["strict-transport-security"] == "max-age=31536000"
            cookie = client.post("/sign/in", data={"code": "BS1", "token": TOKENS["BS1"]}).headers["set-cookie"]
            assert cookie.startswith("__Host-lienthong=")
            assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= set(cookie.split("; "))
            plain = client.post("/sign/in", data={}, headers={"Origin": address.replace("https", "http")})
            assert plain.status_code == 403
        node.stop()
    assert "Traceback" not in (house.plan.folder / "node.log").read_text()


def test_check_tries_the_address_and_the_files(tmp_path: Path) -> None:
    house = secured(tmp_path / "config")
    folder = house.plan.folder
    assert cli("check", "--config", str(folder)).returncode == 0
    (folder / "keys" / "web.key").write_text("not a key")
    said = cli("check", "--config", str(folder))
    assert (said.returncode, "LT1004" in said.stderr, "http.certificate" in said.stderr) == (1, True, True)
    (folder / "keys" / "web.key").unlink()
    assert "LT1009" in cli("check", "--config", str(folder)).stderr
