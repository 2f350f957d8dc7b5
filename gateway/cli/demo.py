"""`lienthong demo`: a hospital's day, from MLLP to three destinations, on this machine and for real.

Three processes: the sandbox, a node, and this one, which plays the HIS and the LIS. Nothing leaves the loopback interface.
"""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.engine import Connection

from conformance.scenarios.event import Day, Event
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.player import Played, play
from gateway.cli import (
    demo_enrolment,
    demo_instruments,
    demo_lookup,
    demo_nodes,
    demo_pictures,
    demo_report,
    demo_servers,
    demo_site,
    demo_token,
    demo_verify,
)
from gateway.cli.children import Child
from gateway.cli.demo_assessment import assessed
from gateway.cli.demo_instruments import InstrumentFigures
from gateway.cli.demo_lookup import LookedUp
from gateway.cli.demo_nodes import NodeFigures, Nodes
from gateway.cli.demo_pictures import PictureFigures
from gateway.cli.demo_signing import Ward
from gateway.cli.demo_signing_report import SigningFigures
from gateway.cli.output import Json, console, now_local, print_json
from gateway.configuration import load
from gateway.faults import InternalFault
from gateway.store import deliveries
from gateway.store.engine import Store, make_engine

_SETTLE_S = 900.0
"""How long deliveries may take after the last message; then the demo does not close."""

_OPEN = ("pending", "awaiting", "queued", "claimed", "sending", "uncertain")

_NO_TOKEN = (
    "SoftHSM chưa cài: khóa của trưởng khoa sẽ ở trong tệp thay vì token. Muốn có token, "
    f"cài rồi chạy lại: {demo_token.INSTALL}"
)
_STOPPED = (
    "PostgreSQL và Redis của ngày này dừng cùng bản diễn. Muốn xem bằng lệnh (lienthong errors, report, resend), "
    "giữ chúng chạy tiếp: lienthong demo --nodes {} --serve"
)
_KILLED = "Nút {} bị tắt đột ngột (SIGKILL); HIS và LIS gửi tiếp sang nút còn lại"
_LOOKED_UP = (
    "Cổng BHYT không có lệnh hỏi lại: người trực tra trên trang của cổng những hồ sơ đang gửi lúc nút tắt, "
    "xác nhận {} đã có ở đó, gửi lại {}"
)
_TRIES = 50
"""How often the HIS and the LIS send what got no answer, to one node after the other."""
_LOST = "Trưởng khoa mất token: chứng thư tạm ngừng, phó trưởng khoa ký thay theo ủy quyền"

Rules = list[dict[str, Any]]

_TROUBLE: tuple[tuple[float, str, Rules], ...] = (
    (
        0.18,
        "Hệ thống điều phối ngừng hoạt động",
        [
            {"destination": "national_coordination", "action": "down", "until_s": 5.0},
            {"destination": "national_coordination", "action": "unavailable", "last": 1, "retry_after_s": 1},
        ],
    ),
    (
        0.25,
        "Cổng BHYT trả lời 503, hẹn 2 giây sau",
        [{"destination": "insurance_portal", "action": "unavailable", "last": 3, "retry_after_s": 2}],
    ),
    (
        0.40,
        "Trục Bộ Y tế nhận giấy rồi mất câu trả lời",
        [{"destination": "moh_axis", "action": "lose_answer", "first": 2, "last": 3}],
    ),
    (
        0.55,
        "Cổng BHYT từ chối hẳn một hồ sơ",
        [{"destination": "insurance_portal", "action": "refuse", "first": 5, "last": 5, "code": "205"}],
    ),
)
"""What goes wrong, at which part of the day: (share of messages played, what people are told, rules for the sandbox)."""


def demo(
    encounters: Annotated[int, typer.Option(min=60, max=5000, help="Số lượt khám, điều trị trong ngày.")] = 60,
    seed: Annotated[int, typer.Option(help="Cùng số thì cùng một ngày.")] = 20261121,
    folder: Annotated[Path, typer.Option(help="Nơi để kết quả; mỗi lần chạy một thư mục con.")] = Path("demo-out"),
    sign: Annotated[
        bool, typer.Option("--sign", help="Người ký thật: bác sĩ → trưởng khoa → con dấu, ba loại khóa, một sự cố.")
    ] = False,
    nodes: Annotated[
        int, typer.Option(min=1, max=8, help="Số nút trên một PostgreSQL và Redis; từ 2 thì một nút bị tắt giữa ngày.")
    ] = 1,
    serve: Annotated[
        bool, typer.Option("--serve", help="Giữ nút, sổ cái và sandbox chạy tiếp đến khi nhấn Ctrl-C.")
    ] = False,
    json: Json = False,
) -> None:
    """Diễn một ngày ở bệnh viện: thông điệp HL7 v2 vào, giấy tờ đã ký đến ba nơi nhận, có đối soát.

    Không có --sign thì nút tự đóng dấu từng giấy. Có --sign thì bác sĩ (tệp PKCS#12), trưởng khoa (token SoftHSM, nếu đã cài)
    rồi con dấu (dịch vụ ký từ xa mô phỏng) ký từng giấy; giữa ngày trưởng khoa mất token; cuối ngày mọi chữ ký được kiểm lại.

    Với --nodes 2, lệnh chạy riêng một PostgreSQL và một Redis (phải cài sẵn), hai nút dùng chung; giữa ngày nút đầu bị SIGKILL,
    HIS gửi tiếp sang nút kia, việc dở được nhận lại, và đối soát vẫn phải khớp.

    Mã thoát 1 khi có con số nào không khớp.

    Ví dụ: lienthong demo --encounters 100
    """
    place = (folder / now_local().strftime("%Y%m%d-%H%M%S")).resolve()
    place.mkdir(parents=True)
    try:
        day = hospital_day(seed, encounters)
        closed = asyncio.run(_demo(place, day, nodes=nodes, sign=sign, serve=serve, json=json))
    except asyncio.CancelledError:
        raise typer.Exit(130) from None
    if not closed:
        raise typer.Exit(1)


async def _demo(place: Path, day: Day, *, nodes: int, sign: bool, serve: bool, json: bool) -> bool:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)  # the children are stopped on the way out
    async with AsyncExitStack() as stack:
        shared: dict[str, Any] = {}
        if nodes > 1:
            started = await stack.enter_async_context(demo_servers.servers())
            shared = {"store": started.store, "redis": started.redis, "workers": demo_nodes.workers(nodes)}
        site = demo_site.prepare(place, **shared)
        return await _run(site, Nodes(site.config, place, nodes), day, sign=sign, serve=serve, json=json)


async def _run(site: demo_site.Site, nodes: Nodes, day: Day, *, sign: bool, serve: bool, json: bool) -> bool:
    place = nodes.place
    sandbox = await Child.start(
        "sandbox",
        ["-m", "conformance.sandbox", "--folder", str(place / "sandbox"), "--password", site.password],
        place / "sandbox.log",
    )
    try:
        async with httpx.AsyncClient(base_url=sandbox.announced["admin"], timeout=600, trust_env=False) as admin:
            enrolled = None
            if sign:
                if not json and not demo_token.module():
                    console.print(f"[yellow]{_NO_TOKEN}[/]")
                enrolled = await demo_enrolment.enrol(site, sandbox.announced, admin)
            else:
                demo_site.configure(site, sandbox.announced)
            await nodes.start()
            plan = load(site.config)
            store = Store(make_engine(plan.store_url))
            try:
                ward = Ward(plan, store, enrolled, admin, place) if enrolled else None
                played = await _day(day, nodes, admin, store, ward, quiet=json)
                looked = await _at_the_portal(store, admin, quiet=json)
                said = None if ward else await _instruments(day, nodes, store, quiet=json)
                seen = None if ward else await _pictures(day, nodes, store, quiet=json)
                said = await _bedside(day, nodes, said, store, quiet=json) if said else None
                await demo_report.export(store, plan, place)
                signing = await _signing(store, ward) if ward else None
                known = await nodes.figures(store)
                figures = await _figures(store, admin, day, played, signing, known, looked, seen, said)
            finally:
                store.close()
        if json:
            print_json({"folder": str(place), **figures.as_dict()})
        else:
            demo_report.show(figures, place)
            if nodes.wanted > 1 and not serve:
                console.print(f"[dim]{_STOPPED.format(nodes.wanted)}[/]")
        if serve:
            await _serve(nodes, sandbox, quiet=json)
        return figures.closes
    finally:
        await nodes.stop()
        await sandbox.stop()


async def _day(
    day: Day, nodes: Nodes, admin: httpx.AsyncClient, store: Store, ward: Ward | None, *, quiet: bool
) -> list[Played]:
    """Play the day and wait until everything has arrived; people sign meanwhile."""
    async with asyncio.TaskGroup() as group:
        if ward is not None:
            group.create_task(ward.work())
        played = await _play(day, nodes, admin, store, ward, quiet=quiet)
        await _settle(store, quiet=quiet)
        if ward is not None:
            ward.leave()
    return played


async def _at_the_portal(store: Store, admin: httpx.AsyncClient, *, quiet: bool) -> LookedUp:
    """Let a person decide about what was on the wire to the portal when a node died, and wait until that has arrived."""
    looked = await demo_lookup.look_up(store, admin)
    if looked.there or looked.not_there:
        if not quiet:
            console.print(f"[yellow]{_LOOKED_UP.format(looked.there, looked.not_there)}[/]")
        await _settle(store, quiet=quiet)
    return looked


async def _instruments(day: Day, nodes: Nodes, store: Store, *, quiet: bool) -> InstrumentFigures:
    """Let an analyser, the LIS and a bedside monitor speak, and wait until what comes of it has arrived."""
    if not quiet:
        console.print(
            "Máy xét nghiệm hỏi chỉ định, gửi kết quả rồi kết quả sửa; LIS gửi OUL; máy theo dõi gửi một phút"
        )
    said = await demo_instruments.play_instruments(day, nodes, store)
    await _settle(store, quiet=quiet)
    return said


async def _bedside(day: Day, nodes: Nodes, said: InstrumentFigures, store: Store, *, quiet: bool) -> InstrumentFigures:
    """Let the nurse at the monitor write, and wait until her sheet has arrived."""
    said = await demo_instruments.measured(day, nodes, said, store)
    await _settle(store, quiet=quiet)
    return said


async def _pictures(day: Day, nodes: Nodes, store: Store, *, quiet: bool) -> PictureFigures:
    """Let the PACS send, and wait until what comes of it has arrived."""
    if not quiet:
        console.print("PACS gửi ảnh của vài chỉ định trong ngày, rồi một ảnh tới muộn")
    seen = await demo_pictures.play(day, nodes.addresses("pacs")[-1], store)
    await _settle(store, quiet=quiet)
    return seen


async def _signing(store: Store, ward: Ward) -> SigningFigures:
    """Say what people signed, and have every paper verified."""
    incident = ward.incident
    if incident is None:
        raise InternalFault(where="demo", detail="nothing was ready for the head after midday")
    verified = await demo_verify.verify(ward.folder, ward.enrolled.serials, incident)
    return SigningFigures(await store.read(ward.signatures), incident, verified)


async def _play(
    day: Day, nodes: Nodes, admin: httpx.AsyncClient, store: Store, ward: Ward | None, *, quiet: bool
) -> list[Played]:
    """Play the day over real connections; trouble begins when its share of the messages was sent."""
    addresses = {name: nodes.addresses(name) for name in ("his", "lis")}
    trouble = [(round(share * len(day.events)), told, rules) for share, told, rules in _TROUBLE]
    noon = len(day.events) // 2
    pending: set[asyncio.Task[None]] = set()
    done = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet) as progress:
        task = progress.add_task("Một ngày ở bệnh viện", total=len(day.events))

        def note(played: Played) -> None:
            nonlocal done
            done += 1
            progress.update(task, advance=1, description=f"Một ngày ở bệnh viện, {_time(played.event)}")
            while trouble and trouble[0][0] <= done:
                _, told, rules = trouble.pop(0)
                if not quiet:
                    progress.console.print(f"[yellow]{_time(played.event)} {told}[/]")
                pending.add(asyncio.create_task(_plan(admin, rules)))
            if nodes.wanted > 1 and done == noon:
                killed = nodes.kill(store)
                if not quiet:
                    progress.console.print(f"[yellow]{_time(played.event)} {_KILLED.format(killed)}[/]")
            if ward is not None and done == noon:
                ward.noon()
                if not quiet:
                    progress.console.print(f"[yellow]{_time(played.event)} {_LOST}[/]")

        played = await play(
            day.events,
            addresses,
            connections=4,
            pace=_pace(day),
            progress=note,
            tries=_TRIES if nodes.wanted > 1 else 1,
        )
        if pending:
            await asyncio.wait(pending)
            for finished in pending:
                finished.result()
    return played


_LASTS_S = 12.0


def _pace(day: Day) -> float:
    """Return how many seconds of the day pass in one, so that the day takes about as long as the troubles need."""
    return (day.events[-1].at - day.events[0].at).total_seconds() / _LASTS_S


async def _plan(admin: httpx.AsyncClient, rules: Rules) -> None:
    (await admin.post("/_sandbox/faults", json=rules)).raise_for_status()


def _time(event: Event) -> str:
    return event.at.strftime("%H:%M")


async def _settle(store: Store, *, quiet: bool) -> None:
    """Wait until no message, paper or delivery is under way, or `_SETTLE_S` passed."""

    def query(connection: Connection) -> tuple[int, int]:
        before = demo_report.unfinished(connection)  # first what the rest comes of: meanwhile it goes on
        rows = deliveries.counts(connection)
        total = sum(row.deliveries for row in rows)
        waiting = sum(row.deliveries for row in rows if row.state in _OPEN)
        return total, before + waiting

    end = time.monotonic() + _SETTLE_S
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet) as progress:
        task = progress.add_task("Giấy tờ đến nơi nhận", total=None)
        while time.monotonic() < end:
            total, open_ = await store.read(query)
            progress.update(task, total=total + open_, completed=total)
            if not open_:
                return
            await asyncio.sleep(0.1)


async def _figures(
    store: Store,
    admin: httpx.AsyncClient,
    day: Day,
    played: list[Played],
    signing: SigningFigures | None,
    nodes: NodeFigures | None,
    looked: LookedUp,
    seen: PictureFigures | None,
    said: InstrumentFigures | None,
) -> demo_report.Figures:
    recorded, records, faults = [
        (await admin.get(f"/_sandbox/{name}")).raise_for_status().json() for name in ("summary", "records", "faults")
    ]
    found = await store.read(lambda connection: demo_report.figures(connection, day, played, recorded, records, faults))
    if seen:
        found = found.with_pictures(seen)
    if said:
        found = found.with_instruments(said)
    return replace(found, signing=signing, nodes=nodes, looked_up=looked, assessment=await assessed(admin))


async def _serve(nodes: Nodes, sandbox: Child, *, quiet: bool) -> None:
    living = {name: child for name, child in nodes.children.items() if child.process.returncode is None}
    if not quiet:
        for name, child in living.items():
            console.print(f"Nút {name}: {child.announced['listening']}")
        console.print(f"Sandbox: {sandbox.announced}")
        console.print(f"Xem: lienthong messages --config {nodes.config}    Dừng: Ctrl-C")
    ended = [asyncio.create_task(child.process.wait()) for child in (*living.values(), sandbox)]
    try:
        await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        pass
