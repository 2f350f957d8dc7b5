"""Start the simulated insurance portal alone, for those who make HIS: `lienthong sandbox portal`.

Works without configuration: an account, a registered test key and a signed example are made, and the lines to try it with
are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from conformance.sandbox.accounts import Account
from conformance.sandbox.ca import DemoCA, Identity
from conformance.sandbox.holders import HOSPITAL
from conformance.sandbox.portal.example import example_visit, signed, write_envelope
from conformance.sandbox.portal.switches import Switches
from conformance.sandbox.server import GLN, USER, Sandbox, Settings

PORT: Final = 8130
PAGE_PORT: Final = 8131
EXAMPLE: Final = "vi-du-3176.xml"
_VIETNAM: Final = timezone(timedelta(hours=7))


def main(argv: Sequence[str]) -> int:
    """Run from the command line until Ctrl-C; return the exit status."""
    options = _parser().parse_args(argv)
    try:
        accounts = tuple(_account(text) for text in options.account) or (
            _account(f"{USER}:{secrets.token_urlsafe(9)}"),
        )
        certificates = [path.read_bytes() for path in options.certificate]
        with ExitStack() as stack:
            folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cong-bhyt-")))
            settings = Settings(
                accounts=accounts,
                host=options.host,
                portal_port=options.port,
                admin_port=options.page_port,
                admin_host=options.page_host,
                folder=folder,
                tls=options.tls,
                token_life_s=options.token_life,
                largest_file=options.largest_file,
                portal=_switches(options),
                alone="insurance_portal",
            )
            asyncio.run(_run(settings, certificates, as_json=options.json))
    except OSError as error:
        sys.stderr.write(f"sandbox portal: {error}\n")
        if error.errno is not None and "in use" in str(error):
            sys.stderr.write(
                "cổng mạng đã có chương trình khác dùng; chọn cổng khác bằng --port, --page-port (0: cổng trống bất kỳ)\n"
            )
        return 1
    except ValueError as error:
        sys.stderr.write(f"sandbox portal: {error}\n")
        return 1
    return 0


async def _run(settings: Settings, certificates: list[bytes], *, as_json: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Sandbox(settings) as sandbox:
        example = _prepare(sandbox, settings, certificates)
        told = _as_json(sandbox, settings, example) if as_json else _as_text(sandbox, settings, example)
        sys.stdout.write(told + "\n")
        sys.stdout.flush()
        await stop.wait()


def _prepare(sandbox: Sandbox, settings: Settings, certificates: list[bytes]) -> Path:
    """Make the test key, register it and what was given, and sign the example; return the example's file."""
    first = settings.accounts[0]
    identity = _key(sandbox.ca, first.password)
    for account in settings.accounts:
        for pem in (identity.pem, *certificates):
            try:
                sandbox.portal.certificates.add(account.facility, pem)
            except ValueError as error:
                raise ValueError("--certificate: không phải chứng thư PEM hay DER") from error
    left = datetime.now(UTC).astimezone(_VIETNAM) - timedelta(days=1)
    file = write_envelope(example_visit(left, first.facility), made_on=f"{left:%Y%m%d}", facility=first.facility)
    example = sandbox.ca.folder.parent / EXAMPLE
    example.write_bytes(signed(file, identity))
    return example


def _key(ca: DemoCA, password: str) -> Identity:
    """Return the test key of an earlier start when the password opens it, otherwise a new one."""
    path = ca.folder / "khoa-thu.p12"
    if path.exists():
        with suppress(ValueError):
            kept = pkcs12.load_pkcs12(path.read_bytes(), password.encode())
            if kept.cert is not None and isinstance(kept.key, rsa.RSAPrivateKey):
                return Identity(kept.key, kept.cert.certificate, ca.certificate)
    made = ca.issue(f"{HOSPITAL} (khóa thử)", organisation=HOSPITAL)
    ca.write("khoa-thu", made, password)
    return made


def _as_json(sandbox: Sandbox, settings: Settings, example: Path) -> str:
    first = settings.accounts[0]
    told = {
        "insurance_portal": sandbox.portal_url,
        "admin": sandbox.admin_url,
        "page": sandbox.admin_url + "/portal",
        "user": first.user,
        "password": first.password,
        "facility": first.facility,
        "key": str(sandbox.ca.folder / "khoa-thu.p12"),
        "ca": str(sandbox.ca.pem_file),
        "example": str(example),
    }
    return json.dumps(told, ensure_ascii=False)


def _as_text(sandbox: Sandbox, settings: Settings, example: Path) -> str:
    first, url = settings.accounts[0], sandbox.portal_url
    md5, user, facility = first.password_md5, first.user, first.facility
    tls = f"--cacert {shlex.quote(str(sandbox.ca.pem_file))} " if settings.tls else ""
    accounts = "\n".join(f"                   {each.user} / {each.password}" for each in settings.accounts[1:])
    officer = next((each for each in sandbox.portal.cards.officers if each.facility == facility), None)
    lines = [
        "Cổng BHYT mô phỏng đang chạy. Chỉ dùng dữ liệu thử, không gửi dữ liệu người bệnh thật.",
        "",
        f"Địa chỉ API        {url}",
        f"Trang xem          {sandbox.admin_url}/portal   (thiết lập: {sandbox.admin_url}/_sandbox/portal/switches)",
        f"Tài khoản          {user} / {first.password}   (cơ sở {facility}; MD5 chữ hoa: {md5})",
        *([accounts] if accounts else []),
        f"Khóa ký thử        {sandbox.ca.folder / 'khoa-thu.p12'}   (mật khẩu như tài khoản; đã đăng ký với cổng)",
        f"Hồ sơ mẫu đã ký    {example}",
        "",
        "Thử bằng curl:",
        f"  KEY=$(curl -s {tls}{url}/api/token/take -d username={user} -d password={md5})",
        f"  T=$({_picked('access_token')}); I=$({_picked('id_token')})",
        f'  curl -s {tls}{url}/api/qd130/guiHoSoXmlQD3176 -H "accessToken: $T" -H "tokenId: $I" -H "passwordHash: {md5}" \\',
        f"    -d username={user} -d loaiHoSo=130 -d maTinh={facility[:2]} -d maCSKCB={facility} \\",
        f'    --data-urlencode "fileHSBase64=$(base64 -w0 {shlex.quote(str(example))})"',
    ]
    if officer is not None:
        asked = {"maThe": "DN4019999000001", "hoTen": "Nguyễn Thị Thử Nghiệm", "ngaySinh": "15/03/1985"}
        body = json.dumps(asked | {"hoTenCb": officer.name, "cccdCb": officer.citizen}, ensure_ascii=False)
        query = f"token=$T&id_token=$I&username={user}&password={md5}"
        lines.append(
            f'  curl -s {tls}"{url}/api/egw/KQNhanLichSuKCB2024?{query}" -H "Content-Type: application/json" -d \'{body}\''
        )
    return "\n".join([*lines, "", "Dừng bằng Ctrl-C."])


def _picked(name: str) -> str:
    return rf"""echo "$KEY" | sed 's/.*"{name}":"\([^"]*\)".*/\1/'"""


def _switches(options: argparse.Namespace) -> Switches:
    return Switches(
        one_login=options.one_login,
        signature_scope=options.signature_scope,
        registered_certificates=not options.any_certificate,
        structure_at_reception=options.strict,
        assessed_after_s=options.assessed_after,
    )


def _account(text: str) -> Account:
    user, separator, password = text.partition(":")
    facility = user.partition("_")[0]
    if not separator or not password or len(facility) != 5 or not (facility.isascii() and facility.isalnum()):
        raise ValueError("--account phải là <MACSKCB>_BV:<mật khẩu>, MACSKCB 5 ký tự")
    return Account(user, password, facility, GLN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandbox portal",
        description="Cổng tiếp nhận BHYT mô phỏng, chạy riêng, cho người làm HIS. Không cần cấu hình gì.",
    )
    parser.add_argument("--port", type=int, default=PORT, help="cổng mạng của API; 0: cổng còn trống")
    parser.add_argument("--host", default="127.0.0.1", help="địa chỉ lắng nghe của API; 0.0.0.0 để máy khác gọi được")
    parser.add_argument(
        "--page-port", type=int, default=PAGE_PORT, help="cổng mạng của trang xem và giao diện quản trị"
    )
    parser.add_argument("--page-host", default="127.0.0.1", help="trang xem không có đăng nhập: nên để trên máy này")
    parser.add_argument(
        "--account", action="append", default=[], metavar="TÊN:MẬT-KHẨU", help="ví dụ 01001_BV:bimat; lặp lại được"
    )
    parser.add_argument(
        "--certificate",
        action="append",
        default=[],
        type=Path,
        metavar="TỆP",
        help="đăng ký chứng thư ký (PEM, DER); lặp lại được",
    )
    parser.add_argument(
        "--any-certificate", action="store_true", help="không đòi đăng ký, nhận chứng thư của CA thử nghiệm"
    )
    parser.add_argument(
        "--signature-scope", choices=("any", "whole", "parts"), default="any", help="phạm vi chữ ký mà cổng đòi"
    )
    parser.add_argument("--strict", action="store_true", help="từ chối ngay (124) tệp sai cấu trúc bảng")
    parser.add_argument("--one-login", action="store_true", help="lần đăng nhập sau làm mất token trước")
    parser.add_argument("--assessed-after", type=float, default=60.0, metavar="GIÂY", help="lỗi chặn hiện sau bao lâu")
    parser.add_argument("--token-life", type=int, default=600, metavar="GIÂY", help="thời hạn của token")
    parser.add_argument(
        "--largest-file", type=int, default=Settings.largest_file, metavar="BYTE", help="lớn hơn thì trả 1001"
    )
    parser.add_argument("--tls", action="store_true", help="dùng TLS với chứng thư của CA thử nghiệm")
    parser.add_argument(
        "--folder", type=Path, help="giữ CA, khóa, chứng thư, thẻ và sổ ghi; không cho thì mất khi dừng"
    )
    parser.add_argument("--json", action="store_true", help="in một dòng JSON thay cho lời hướng dẫn")
    return parser
