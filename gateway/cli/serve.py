"""`lienthong serve`: run a node until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import Annotated

import typer
import uvloop

from gateway import safe_log
from gateway.app import Node
from gateway.cli.output import HERE, Config
from gateway.configuration import load


def serve(
    config: Config = HERE,
    level: Annotated[str, typer.Option(help="Mức nhật ký: DEBUG, INFO, WARNING, ERROR.")] = "INFO",
) -> None:
    """Chạy một nút: nhận, lưu, lập giấy, ký, gửi — đến khi nhận SIGTERM hoặc Ctrl-C.

    Khi mọi cổng đã mở, in một dòng JSON với các địa chỉ đang lắng nghe.

    Ví dụ: lienthong serve --config /etc/lienthong
    """
    safe_log.configure(level.upper())
    node = Node(load(config))

    async def run() -> None:
        task = asyncio.create_task(node.run(_announce))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            pass
        except BaseExceptionGroup as group:
            raise _first(group) from None

    uvloop.run(run())


def _announce(addresses: dict[str, str]) -> None:
    sys.stdout.write(json.dumps({"listening": addresses}) + "\n")
    sys.stdout.flush()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
