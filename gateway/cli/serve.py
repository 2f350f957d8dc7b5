"""`lienthong serve`: run a node until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import replace
from typing import Annotated, Any

import typer
import uvloop

from gateway import memory, safe_log
from gateway.app import Node
from gateway.cli.output import HERE, Config
from gateway.configuration import load
from gateway.settings import Plan


def serve(
    config: Config = HERE,
    role: Annotated[
        list[str] | None,
        typer.Option(help="Việc của nút: intake, work, deliver, api, all; nhiều việc: lặp lại hoặc dấu phẩy."),
    ] = None,
    name: Annotated[
        str, typer.Option(help="Tên nút thay cho [node] name, khi nhiều nút dùng chung một cấu hình.")
    ] = "",
    level: Annotated[str, typer.Option(help="Mức nhật ký: DEBUG, INFO, WARNING, ERROR.")] = "INFO",
) -> None:
    """Chạy một nút: nhận, lưu, lập giấy, ký, gửi — đến khi nhận SIGTERM hoặc Ctrl-C.

    Khi mọi cổng đã mở, in một dòng JSON với các địa chỉ đang lắng nghe. Khi được bảo dừng, nút không nhận thêm, làm nốt việc
    dở trong khoảng 10 giây, trao phần còn lại cho nút khác rồi thoát với mã 0.

    Ví dụ: lienthong serve --config /etc/lienthong --name n2 --role deliver
    """
    safe_log.configure(level.upper())
    memory.set_up_heaps()
    node = Node(_as_told(load(config), name, role or []))
    memory.settle()

    async def run() -> None:
        tidying = asyncio.create_task(memory.give_back())
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
        finally:
            tidying.cancel()

    uvloop.run(run())


def _as_told(plan: Plan, name: str, roles: list[str]) -> Plan:
    """Let the command line win over `[node]`."""
    told: dict[str, Any] = {"name": name} if name else {}
    if roles:
        told["roles"] = tuple(role.strip() for each in roles for role in each.split(","))
    try:
        return replace(plan, node=replace(plan.node, **told))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _announce(addresses: dict[str, str]) -> None:
    sys.stdout.write(json.dumps({"listening": addresses}) + "\n")
    sys.stdout.flush()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
