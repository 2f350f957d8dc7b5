"""`lienthong sign-agent`: sign on this PC, with the token that is plugged in here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mappings.formats.values import FileName
from signing.agent.guard import origin_of
from signing.agent.listener import PORT, run


def sign_agent(
    module: Annotated[
        Path, typer.Option("--module", help="Thư viện PKCS#11 của hãng token (.so, .dll).", exists=True, dir_okay=False)
    ],
    allow: Annotated[
        list[str], typer.Option("--allow", help="Cổng được gửi giấy tờ tới, ví dụ https://cong.benhvien.vn.")
    ],
    label: Annotated[str, typer.Option("--token", help="Nhãn token; bỏ trống khi chỉ cắm một.")] = "",
    port: Annotated[int, typer.Option(help="Cổng TCP trên 127.0.0.1.", min=0, max=65535)] = PORT,
    browser: Annotated[bool, typer.Option(help="Tự mở trình duyệt khi có giấy tờ chờ ký.")] = True,
) -> None:
    """Chạy trạm ký trên máy của người ký: xem giấy tờ, nhập PIN, ký bằng USB token. Cổng không thấy khóa và PIN.

    In địa chỉ trang của người ký (mỗi địa chỉ mở được một lần); mã ghép nối với cổng nằm trên trang đó.

    Ví dụ: lienthong sign-agent --module /usr/lib/token/libtoken.so --allow https://cong.benhvien.vn
    """
    try:
        origins = frozenset(origin_of(address) for address in allow)
    except ValueError as problem:
        raise typer.BadParameter(str(problem), param_hint="--allow") from problem
    run(FileName(module), label, origins, port, browser=browser)
