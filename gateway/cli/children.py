"""Start a program of ours beside this one, and read the one JSON line with which it says that it is ready."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.faults import InternalFault


class Child:
    """A process and what it announced; its log goes to a file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, announced: dict[str, Any], log: Path) -> None:
        self.name = name
        self.process = process
        self.announced = announced
        self.log = log

    @classmethod
    async def start(cls, name: str, arguments: Sequence[str], log: Path, timeout_s: float = 60.0) -> Child:
        """Start `python <arguments>` and wait for its line; raise InternalFault when it ends or is silent."""
        with log.open("ab") as stream:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                stdout=asyncio.subprocess.PIPE,
                stderr=stream,
                stdin=asyncio.subprocess.DEVNULL,
            )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await process.stdout.readline()
            announced = json.loads(line)
        except (TimeoutError, ValueError):
            if process.returncode is None:
                process.kill()
            await process.wait()
            raise InternalFault(where=name, detail=f"did not start; see {log}") from None
        return cls(name, process, announced, log)

    async def stop(self, timeout_s: float = 20.0) -> int:
        """Ask it to end, wait, and return its exit code; kill it when it does not."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(timeout_s):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        return self.process.returncode or 0
