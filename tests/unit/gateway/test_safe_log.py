"""Logs tell where an error came from and never what it was about (promise P9)."""

from __future__ import annotations

import asyncio
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

import pytest
from pydicom.dataset import Dataset

from gateway import safe_log
from gateway.faults import NotPossibleNow
from gateway.tasks import TaskSet

NAME = "Nguyễn Thị Bí Mật"
NUMBER = "001299999999"


@contextmanager
def logging_as_a_node() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """Configure logging as a node does, into a text; put back afterwards what pytest had."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    written = io.StringIO()
    try:
        with redirect_stderr(written):
            safe_log.configure("INFO")
            yield logging.getLogger("lienthong.test"), written
    finally:
        root.handlers = handlers
        root.setLevel(level)


def choke(text: str) -> int:
    return int(text)


def caught(text: str = NAME) -> Exception:
    try:
        choke(text)
    except ValueError as error:
        return error
    raise AssertionError("a name is no number")


def test_an_unexpected_error_is_told_by_type_and_place() -> None:
    said = safe_log.describe(caught())
    assert NAME in str(caught())
    assert NAME not in said
    assert said.startswith("ValueError at test_safe_log.py:")
    assert said.index("choke") < said.index("caught"), "the innermost place comes first"


def test_a_fault_of_ours_is_told_whole() -> None:
    said = safe_log.describe(NotPossibleNow("0199", "close while mapped"))
    assert "close while mapped" in said
    assert "0199" in said


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert safe_log.describe(KeyError(NUMBER)) == "KeyError at unknown place"


def test_a_chain_of_errors_shows_no_link() -> None:
    try:
        try:
            choke(NAME)
        except ValueError as error:
            raise RuntimeError(NUMBER) from error
    except RuntimeError as error:
        said = safe_log.describe(error)
    assert (NAME in said, NUMBER in said) == (False, False)
    assert said.startswith("RuntimeError")


@pytest.mark.parametrize("how", ["exception", "exc_info", "error object"])
def test_a_traceback_in_the_log_is_reduced_to_places(how: str) -> None:
    with logging_as_a_node() as (log, text):
        try:
            choke(NAME)
        except ValueError as error:
            if how == "exception":
                log.exception("a step stopped")
            elif how == "exc_info":
                log.error("a step stopped", exc_info=True)
            else:
                log.error("a step stopped", exc_info=error)
    written = text.getvalue()
    assert "a step stopped" in written
    assert "ValueError at test_safe_log.py:" in written
    assert NAME not in written
    assert "Traceback" not in written
    assert "int(text)" not in written, "source lines are not written either"


def test_a_task_that_fails_is_logged_without_its_text() -> None:
    async def step() -> None:
        choke(NUMBER + " " + NAME)

    async def main() -> None:
        tasks = TaskSet(1)
        tasks.start(step())
        await tasks.room()

    with logging_as_a_node() as (_, text):
        asyncio.run(main())
    written = text.getvalue()
    assert "ERROR lienthong.tasks a step stopped: ValueError at" in written
    assert (NAME in written, NUMBER in written) == (False, False)


@pytest.mark.parametrize("name", ["httpx", "httpcore", "alembic", "uvicorn.access"])
def test_libraries_that_log_addresses_are_quiet(name: str) -> None:
    with logging_as_a_node() as (log, _):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        assert log.isEnabledFor(logging.INFO)


def test_libraries_that_quote_what_they_choke_on_are_silent() -> None:
    with logging_as_a_node() as (_, text), warnings.catch_warnings():
        warnings.simplefilter("default")
        safe_log.configure("INFO")
        read = Dataset()
        read.PatientSex = NAME  # pydicom warns of it, with the value
        logging.getLogger("pynetdicom.dul").error(NAME)
    assert read.PatientSex == NAME
    assert NAME not in text.getvalue()
    with pytest.warns(UserWarning, match=NAME):
        read.PatientSex = NAME


def test_a_log_line_that_cannot_be_written_does_not_show_its_arguments() -> None:
    with logging_as_a_node() as (log, text):
        log.info("%d messages", NAME)
    assert NAME not in text.getvalue()
