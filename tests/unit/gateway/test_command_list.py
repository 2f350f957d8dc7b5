"""`lienthong` lists its commands without reading their modules; what it says of them is what they say themselves."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from gateway import cli

COMMANDS = typer.main.get_group(cli.app)


@pytest.mark.parametrize("name", cli._COMMANDS)
def test_a_line_of_the_list_begins_what_the_command_says(name: str) -> None:
    command = COMMANDS.get_command(typer.Context(COMMANDS), name)
    assert command is not None
    said = " ".join((command.help or "").split())
    assert said.startswith(cli._COMMANDS[name][1].rstrip("."))


def test_the_list_is_made_without_the_modules() -> None:
    code = "import sys; from gateway.cli import app\ntry: app(['--help'])\nexcept SystemExit: print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    listed, _, loaded = said.rpartition("╯")
    assert all(f" {name} " in listed for name in cli._COMMANDS)
    assert "gateway.app" not in loaded.split()
    assert "sqlalchemy" not in loaded.split()
