"""Start the simulated analyser: `lienthong sandbox analyser`, for those who connect a LIS or this gateway to instruments.

Sends record files or made-up results, asks for orders, and errs on purpose. Exit status: 0 when every message was acknowledged
and every question answered, 1 when not, 2 when it was called wrongly.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from conformance.sandbox.analyser import Analyser, Knobs, Outcome, Sent, Times, Wire, called, plugged, waited
from conformance.sandbox.analyser_messages import question, read_messages, results

_VIETNAM: Final = timezone(timedelta(hours=7))
_TOLD: Final = {
    Outcome.ACKNOWLEDGED: "đã được nhận (ACK)",
    Outcome.REFUSED: "bị từ chối (NAK sáu lần gửi lại)",
    Outcome.BUSY: "bên nhận bận, không cho mở phiên",
    Outcome.SILENT: "bên nhận không trả lời",
    Outcome.LEFT: "đã ngắt giữa chừng",
    Outcome.UNKNOWN: "đã gửi, không đóng khung nên không ai xác nhận",
}
_EXAMPLES: Final = """\
ví dụ:
  lienthong sandbox analyser --connect 127.0.0.1:4010 --results 5
  lienthong sandbox analyser --connect 127.0.0.1:4010 ket-qua.astm --wrong-checksum 2 --garbage
  lienthong sandbox analyser --listen 4011 --ask S00100001 --naks 1
  lienthong sandbox analyser --serial /dev/ttyUSB1 --baud 9600 --ask ALL --json
mã thoát: 0 mọi bản tin được nhận và mọi câu hỏi được trả lời; 1 nếu không; 2 gọi sai cách"""


def main(argv: Sequence[str]) -> int:
    """Run from the command line; return the exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        messages = _messages(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    try:
        return asyncio.run(_run(options, messages))
    except OSError as error:
        sys.stderr.write(f"sandbox analyser: {error.strerror or error}\n")
        sys.stderr.write("xem cổng nhận đã chạy chưa, địa chỉ hoặc tên cổng nối tiếp đã đúng chưa\n")
        return 1
    except KeyboardInterrupt:
        return 1


def _messages(options: argparse.Namespace) -> list[bytes]:
    messages: list[bytes] = []
    for path in options.files:
        try:
            messages += read_messages(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    count = options.results if options.results is not None else 0 if options.files or options.ask or options.stay else 1
    return [*messages, *results(count, options.seed, datetime.now(_VIETNAM))]


async def _run(options: argparse.Namespace, messages: list[bytes]) -> int:
    async with _wire(options) as wire:
        knobs = Knobs(**{each.name: getattr(options, each.name) for each in fields(Knobs)})
        times = Times(answer_s=options.answer_timeout)
        analyser = Analyser(wire, knobs, times, random.Random(options.seed))
        good = True
        sessions = [tuple(messages)] if options.one_session and messages else [(message,) for message in messages]
        number = 0
        for session in sessions:
            for message, sent in zip(session, await analyser.send(*session), strict=True):
                number += 1
                good &= _tell_sent(options, number, message, sent)
        for sample in options.ask:
            number += 1
            asked = question(sample, datetime.now(_VIETNAM))
            sent, orders = await analyser.ask(asked, options.patience)
            good &= _tell_sent(options, number, asked, sent)
            good &= _tell_orders(options, number, orders)
        while options.stay:
            orders = await analyser.receive(options.patience)
            if orders:
                _tell_orders(options, 0, orders)
            elif wire.at_end():
                break
    return 0 if good else 1


@asynccontextmanager
async def _wire(options: argparse.Namespace) -> AsyncIterator[Wire]:
    chosen: AbstractAsyncContextManager[Wire]
    if options.connect:
        host, _, port = options.connect.rpartition(":")
        chosen = called(host.strip("[]"), int(port))
    elif options.serial:
        chosen = plugged(options.serial, options.baud)
    else:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        ready.add_done_callback(lambda done: _tell_port(options, done.result()) if not done.cancelled() else None)
        chosen = waited(options.host, options.listen, ready)
    async with chosen as wire:
        yield wire


def _tell(options: argparse.Namespace, words: str, facts: dict[str, Any]) -> None:
    sys.stdout.write((json.dumps(facts, ensure_ascii=False) if options.json else words) + "\n")
    sys.stdout.flush()


def _tell_port(options: argparse.Namespace, port: int) -> None:
    _tell(options, f"Máy xét nghiệm mô phỏng chờ ở {options.host}:{port}", {"event": "listening", "port": port})


def _tell_sent(options: argparse.Namespace, number: int, message: bytes, sent: Sent) -> bool:
    records = message.count(b"\r")
    words = f"Bản tin {number}: {records} bản ghi, {sent.frames} khung, gửi lại {sent.retransmissions} lần: "
    facts = {
        "event": "sent",
        "message": number,
        "records": records,
        "frames": sent.frames,
        "retransmissions": sent.retransmissions,
        "outcome": str(sent.outcome),
    }
    _tell(options, words + _TOLD[sent.outcome], facts)
    return sent.outcome in (Outcome.ACKNOWLEDGED, Outcome.UNKNOWN)


def _tell_orders(options: argparse.Namespace, number: int, orders: list[bytes]) -> bool:
    texts = [message.decode("utf-8", "replace").split("\r")[:-1] for message in orders]
    words = "\n".join(["  Nhận từ máy chủ:", *(f"    {record}" for records in texts for record in records)])
    facts = {"event": "orders", "message": number, "orders": texts}
    _tell(options, words if orders else "  Máy chủ không gửi chỉ định nào", facts)
    return bool(orders)


def _address(text: str) -> str:
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError("viết như 127.0.0.1:4010")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandbox analyser",
        description="Máy xét nghiệm mô phỏng (ASTM E1381/LIS1-A): gửi kết quả, hỏi chỉ định, và làm sai theo ý muốn.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument("--connect", type=_address, metavar="ĐỊA-CHỈ:CỔNG", help="gọi tới bên nhận")
    ways.add_argument("--listen", type=int, metavar="CỔNG", help="chờ bên nhận gọi tới; 0: cổng còn trống")
    ways.add_argument("--serial", metavar="CỔNG-NỐI-TIẾP", help="ví dụ /dev/ttyUSB1")
    parser.add_argument("--host", default="127.0.0.1", help="địa chỉ lắng nghe của --listen")
    parser.add_argument("--baud", type=int, default=9600, help="tốc độ của --serial")
    what = parser.add_argument_group("gửi gì")
    what.add_argument("files", nargs="*", type=Path, metavar="TỆP", help="tệp bản ghi H…L, mỗi dòng một bản ghi")
    what.add_argument("--results", type=int, metavar="N", help="gửi thêm N kết quả tự sinh; 1 khi không cho gì khác")
    what.add_argument("--ask", action="append", default=[], metavar="MẪU", help="hỏi chỉ định của mẫu; ALL: tất cả")
    what.add_argument("--one-session", action="store_true", help="mọi bản tin trong một phiên (một ENQ, một EOT)")
    what.add_argument("--stay", action="store_true", help="sau đó chờ chỉ định do máy chủ gửi, đến khi Ctrl-C")
    what.add_argument("--seed", type=int, default=1, help="cùng số thì cùng kết quả")
    how = parser.add_argument_group("cách nói, và những lỗi cố ý")
    how.add_argument("--no-frames", dest="frames", action="store_false", help="chỉ bản ghi, không đóng khung")
    how.add_argument("--frame-size", type=int, default=240, metavar="N", help="số ký tự trong một khung")
    how.add_argument("--wrong-checksum", type=int, default=0, metavar="N", help="khung đầu sai mã kiểm tra N lần")
    how.add_argument("--no-eot", action="store_true", help="không bao giờ kết thúc phiên")
    how.add_argument("--contention", action="store_true", help="trả lời ENQ đầu tiên của máy chủ bằng ENQ")
    how.add_argument("--slow", dest="slow_ms", type=int, default=0, metavar="MS", help="nghỉ trước mỗi byte")
    how.add_argument("--garbage", action="store_true", help="byte vô nghĩa trước mỗi khung")
    how.add_argument("--naks", type=int, default=0, metavar="N", help="từ chối mỗi khung của máy chủ N lần")
    how.add_argument("--busy", type=int, default=0, metavar="N", help="từ chối ENQ của máy chủ N lần")
    how.add_argument("--break-after", type=int, default=0, metavar="N", help="ngắt kết nối sau N khung")
    parser.add_argument("--answer-timeout", type=float, default=15.0, metavar="GIÂY", help="chờ ACK hay NAK bao lâu")
    parser.add_argument("--patience", type=float, default=60.0, metavar="GIÂY", help="chờ máy chủ trả lời bao lâu")
    parser.add_argument("--json", action="store_true", help="mỗi việc một dòng JSON")
    return parser
