"""Open the ledger for a command that works beside a running node, or without one."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.cli.output import HERE
from gateway.configuration import load
from gateway.settings import Plan
from gateway.store.engine import Store, open_store


@contextmanager
def ledger(config: Path) -> Iterator[tuple[Plan, Store]]:
    plan = load(config)
    store = open_store(plan.store_url)
    try:
        yield plan, store
    finally:
        store.close()


def remember(config: Path) -> None:
    """Let `--config` stand before a subcommand as well as after it."""
    if config != HERE:
        os.environ["LIENTHONG_CONFIG"] = str(config)


def actor() -> str:
    """Name who acts: the account on this machine."""
    return getpass.getuser()[:64]
