"""What the guides say exists: commands and their options, states, exit codes, linked files and headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from gateway import cli
from gateway.states import CERTIFICATE, DELIVERY, DOCUMENT, MESSAGE, SIGNING_TASK, states

ROOT = Path(__file__).resolve().parents[3]
GUIDES = ("README.md", "README.vi.md", "docs/operations.md", "docs/van-hanh.md")
PAGES = (*GUIDES, "docs/known-limits.md", "docs/connectors.md")
PLAIN = re.compile(r"[a-z][a-z-]+")
IN_BLOCK = re.compile(r"(?<!-u )(?<![\w/.-])lienthong [a-z].*")


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def commands(text: str) -> Iterator[str]:
    """Yield every `lienthong …` of a page: in a line of a block, and in back-quotes."""
    block = False
    for line in text.splitlines():
        if line.startswith("```"):
            block = not block
        elif block and (found := IN_BLOCK.search(line)):
            yield re.split(r"\s{3,}|\s[>|]|\)", found[0])[0]
        else:
            yield from re.findall(r"`(lienthong [a-z][^`]*)`", line)


def problem(line: str) -> str | None:
    """Say what is wrong with a command line; None when every word and option of it exists."""
    command: Any = typer.main.get_command(cli.app)
    words = iter(shlex.split(line.replace("…", "x"))[1:])
    for word in words:
        below = getattr(command, "get_command", None)
        if word == "--":
            return None
        if word.startswith("-"):
            found = [each for each in command.params if word in (*each.opts, *each.secondary_opts)]
            if not found:
                return f"{line}: {command.name} has no {word}"
            if not found[0].is_flag:
                next(words, None)
        elif below and PLAIN.fullmatch(word):
            command = below(None, word)
            if command is None:
                return f"{line}: no command {word}"
    return None


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page: str) -> None:
    assert [found for line in commands(read(page)) if (found := problem(line))] == []


@pytest.mark.parametrize("page", GUIDES)
def test_there_are_commands_to_judge(page: str) -> None:
    assert len(list(commands(read(page)))) >= 5


@pytest.mark.parametrize("line", ["lienthong errors retri ID", "lienthong errors close ID --why x", "lienthong sgin"])
def test_a_planted_command_is_found(line: str) -> None:
    (found,) = commands(f"see `{line}`")
    assert problem(found)
    (in_block,) = commands(f"```\n{line}     what it does\n```")
    assert problem(in_block)
    (in_brackets,) = commands(f"```\n1 waits ({line}). Nothing else.\n```")
    assert problem(in_brackets)


@pytest.mark.parametrize("guide", ["docs/operations.md", "docs/van-hanh.md"])
def test_every_state_is_explained(guide: str) -> None:
    section = read(guide).partition("\n## 4 ")[2].partition("\n## 5 ")[0]
    tables = section.split("\n**")[1:]
    for text, table, more in zip(
        tables, (MESSAGE, DOCUMENT, DELIVERY), ({"duplicate", "answered"}, set(), set()), strict=True
    ):
        assert set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) == states(table) | more


@pytest.mark.parametrize("guide", ["docs/operations.md", "docs/van-hanh.md"])
def test_every_state_of_a_certificate_is_explained(guide: str) -> None:
    section = read(guide).partition("\n## 18 ")[2].partition("\n## 19 ")[0]
    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == states(CERTIFICATE)


@pytest.mark.parametrize("guide", ["docs/operations.md", "docs/van-hanh.md"])
def test_every_state_of_a_signing_task_is_explained(guide: str) -> None:
    section = read(guide).partition("\n## 19 ")[2].partition("\n## 20 ")[0]
    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == states(SIGNING_TASK)


@pytest.mark.parametrize("guide", GUIDES)
def test_every_exit_code_is_explained(guide: str) -> None:
    codes = re.findall(r"(\d) ", (cli.__doc__ or "").partition("Exit codes:")[2])
    said = " ".join(read(guide).split())
    assert codes == ["0", "1", "2", "3", "4"]
    for code in codes[1:]:
        assert f"· {code} " in said


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", read(page)):
        if "://" in target:
            continue
        file, _, heading = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), target
        if heading:
            assert heading in anchors(path.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """Give the anchors a reader's browser makes of headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
