"""Run the agent alone: `python -m signing.agent --module FILE --allow ORIGIN`. `lienthong sign-agent` is the same."""

from __future__ import annotations

import argparse
import sys

from mappings.formats.faults import SigningFault
from mappings.formats.values import FileName
from signing.agent.guard import origin_of
from signing.agent.listener import PORT, run


def main(arguments: list[str] | None = None) -> int:
    """Run until interrupted; give the exit code."""
    parser = argparse.ArgumentParser(prog="signing.agent", description="Trạm ký số Liên Thông")
    parser.add_argument("--module", required=True, type=FileName, help="thư viện PKCS#11 của hãng token")
    parser.add_argument("--allow", required=True, action="append", type=origin_of, help="https://cong.benhvien.vn")
    parser.add_argument("--token", default="", help="nhãn token; bỏ trống khi chỉ cắm một")
    parser.add_argument("--port", default=PORT, type=int)
    parser.add_argument("--no-browser", action="store_true", help="chỉ in địa chỉ, không mở trình duyệt")
    given = parser.parse_args(arguments)
    try:
        run(given.module, given.token, frozenset(given.allow), given.port, browser=not given.no_browser)
    except SigningFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
