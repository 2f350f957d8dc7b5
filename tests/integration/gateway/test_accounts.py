"""Accounts elsewhere: which node may use one, and whose password falls due."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from gateway.accounts import accounts, remind
from gateway.configuration import load
from gateway.faults import ConfigInvalid
from gateway.settings import Plan
from tests.conftest import HandClock
from tests.site import write_site

PORTAL = """
[[destination]]
kind = "insurance_portal"
url = "https://egw.baohiemxahoi.gov.vn"
username = "01999_BV"
password = "secret:destinations"
facility = "01999"
basis = "law"
"""
OWNED = PORTAL + 'owner = "Phạm Thu"\n'
NOW = HandClock(1_795_680_000 * 1_000_000)
"""2026-11-26 in Vietnam."""


def plan(tmp_path: Path, destinations: str, name: str = "n1") -> Plan:
    return load(write_site(tmp_path / name, destinations=destinations, name=name))


def test_the_portal_itself_wants_an_owner(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        plan(tmp_path, PORTAL)
    (problem,) = caught.value.problems
    assert (problem.code, problem.where.partition(":")[0]) == (1004, "channels/his.toml")
    assert problem.detail.startswith("owner: nobody answers for this account")


def test_one_node_alone_may_use_an_account(tmp_path: Path) -> None:
    kept = OWNED + 'node = "n2"\n'
    assert plan(tmp_path, kept).routes_here == ()
    assert plan(tmp_path, kept, "n2").routes_here == ("insurance_portal",)
    assert plan(tmp_path, OWNED, "n3").routes_here == ("insurance_portal",)


@pytest.mark.parametrize(
    ("changed", "due"), [("2026-08-27", True), ("2026-08-28", False), ("2026-11-01", False), ("", False)]
)
def test_a_password_that_falls_due_is_said(
    tmp_path: Path, changed: str, due: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    made = plan(tmp_path, OWNED + (f'changed_on = "{changed}"\n' if changed else ""))
    (account,) = accounts(made)
    assert (account.owner, account.changed_on) == ("Phạm Thu", changed)
    asyncio.run(remind(made, NOW, lambda _: None))
    assert ("insurance_portal: the password was to be changed by" in caplog.text) is due
