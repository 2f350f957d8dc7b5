"""Talk with a judge that runs as a process of its own: one JSON line in, one JSON line out."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from conformance.validators.finding import NotInstalled, Problem


class JudgeFailed(Exception):
    """Say that a judge's process ended or answered something else than a judgement."""


class LineJudge:
    """Hand each resource to a long-lived process and read its problems, as `[[path, text], …]`."""

    def __init__(self, command: Sequence[str]) -> None:
        try:
            self.process = subprocess.Popen(  # noqa: S603  (our own worker, with an interpreter that deploy/judges.sh put there)
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
            )
        except FileNotFoundError as missing:
            raise NotInstalled from missing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.stdout.close()

    def check(self, texts: Sequence[str]) -> list[list[Problem]]:
        """Give the problems of each resource.

        Raises `JudgeFailed` when the process does not answer each line with one of its own.
        """
        assert self.process.stdout
        feeder = threading.Thread(target=self._feed, args=(texts,), daemon=True)
        feeder.start()
        answers = []
        for _ in texts:
            line = self.process.stdout.readline()
            if not line:
                raise JudgeFailed(f"the judge's process ended: {self.process.args!r}")
            answers.append([(str(path), str(text)) for path, text in json.loads(line)])
        feeder.join()
        return answers

    def _feed(self, texts: Sequence[str]) -> None:
        assert self.process.stdin
        try:
            for text in texts:
                self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return  # the reader sees the end of the answers
