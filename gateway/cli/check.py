"""`lienthong check`: every problem of the configuration at once."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway import probes
from gateway.cli.output import HERE, Config, Json, complain, console, fault_dict, print_json
from gateway.configuration import load
from gateway.faults import ConfigFault, ConfigInvalid


def check(
    config: Config = HERE,
    json: Json = False,
    probe: Annotated[bool, typer.Option(help="Thử mở cổng, khóa ký và chứng thư gốc.")] = True,
) -> None:
    """Kiểm tra toàn bộ cấu hình: tệp, dòng, cách sửa; thử cổng, bí mật và khóa ký. Mã thoát 1 khi có lỗi.

    Ví dụ: lienthong check --config /etc/lienthong --json
    """
    try:
        plan = load(config)
        found: tuple[ConfigFault, ...] = tuple(probes.problems(plan)) if probe else ()
    except ConfigInvalid as invalid:
        found = invalid.problems
    if json:
        print_json({"problems": [fault_dict(p.code, p.where, p.detail) for p in found]})
    elif found:
        complain(ConfigInvalid(found))
        console.print(f"{len(found)} lỗi cấu hình.")
    else:
        console.print("Cấu hình đúng.")
    if found:
        raise typer.Exit(1)
