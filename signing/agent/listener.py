"""Listen on 127.0.0.1 and hand requests to the agent. Writes no log: an address or a form may hold a secret.

Standard: RFC 9112
"""

from __future__ import annotations

import contextlib
import sys
import webbrowser
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qsl, urlsplit

from mappings.formats.values import FileName, Secret
from signing import token
from signing.agent import protocol
from signing.agent.guard import Guard
from signing.agent.service import Agent, Holder, Request, Response
from signing.faults import AgentRefused
from signing.keys import pkcs11

PORT = 47823
"""Where pages look for the agent unless told otherwise."""
_ALWAYS = {
    "Connection": "close",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    agent: Agent


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "lienthong-sign-agent"
    sys_version = ""
    timeout = 60
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def do_OPTIONS(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the standard library
        """Say nothing."""

    def _handle(self) -> None:
        names = [name.lower() for name in self.headers.keys()]  # noqa: SIM118  # a name may come twice
        length = self.headers.get("content-length", "0")
        if len(names) != len(set(names)) or "transfer-encoding" in names or not length.isdecimal():
            return self._send(Response(HTTPStatus.BAD_REQUEST))
        if int(length) > protocol.MAXIMUM_BODY:
            return self._send(Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
        return self._send(self.server.agent.answer(request))

    def _send(self, response: Response) -> None:
        self.close_connection = True
        self.send_response(response.status)
        for name, value in {**_ALWAYS, **response.headers, "Content-Length": str(len(response.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)


@contextlib.contextmanager
def listening(agent: Agent, guard: Guard, port: int = PORT) -> Iterator[str]:
    """Serve until the context ends; give the agent's own address. Port 0 asks for a free one; OSError when it is taken."""
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.agent = agent
        guard.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="agent", daemon=True)
        thread.start()
        try:
            yield guard.own_origin
        finally:
            server.shutdown()
            thread.join()


def holder(module: FileName, label: str) -> Holder:
    """Give the token behind a PKCS#11 module."""

    def log_in(pin: Secret, last_try: bool) -> pkcs11.Key:
        return pkcs11.Key(pkcs11.Settings(module=module, token=label, pin=pin), last_try=last_try)

    return Holder(look=lambda: token.view(module, label), open=log_in)


def run(module: FileName, label: str, origins: frozenset[str], port: int, *, browser: bool) -> None:
    """Serve until interrupted; print, and with `browser` open, the pages that wait for the signer.

    Raises KeyUnavailable when the module cannot be started, AgentRefused when the port is taken.
    """
    token.load(module)
    guard = Guard(origins)

    def announce(address: str) -> None:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        if browser:
            webbrowser.open(address)

    agent = Agent(holder(module, label), guard, announce)
    try:
        with listening(agent, guard, port):
            guard.new_code()
            announce(agent.entry())
            Event().wait()
    except OSError as problem:
        raise AgentRefused("port", f"{port} is taken") from problem
