"""A gate before librdkafka's mock of Kafka, which speaks neither TLS nor SASL: it does both.

For each broker there is a port; what comes in over TLS goes on to the broker as it is. Three things
are changed on the way, in frames of Kafka's protocol (a length, then key, version and number of the
request; the answer bears its number):

    Metadata, any answer     brokers are where the gate is: the port after each host is replaced
    ApiVersions (18)         the gate knows versions 0 to 0 of it, and says that SASL is there
    SaslHandshake (17)       answered here: PLAIN
    SaslAuthenticate (36)    answered here: name and password, or error 58

Until somebody has shown a password, other requests end the connection, as a broker does.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
import threading
from functools import partial
from types import TracebackType

HOST = "127.0.0.1"
API_VERSIONS, HANDSHAKE, AUTHENTICATE = 18, 17, 36
UNSUPPORTED_VERSION, WRONG_PASSWORD = 35, 58


class KafkaGate:
    """See the head of this file; on a thread of its own, for the time of a `with` block.

    Args:
        servers: of the mock, `host:port` with commas.
        cert, key: of the gate, PEM.
        ca: who signs the certificates that clients have to show; "" asks for none.
        users: passwords by name; none lets everybody in.

    Attributes:
        servers: of the gate.
        refused: names that came with a wrong password.
    """

    def __init__(
        self,
        servers: str,
        cert: str,
        key: str,
        *,
        ca: str = "",
        users: dict[str, str] | None = None,
    ) -> None:
        self._brokers = [int(one.rpartition(":")[2]) for one in servers.split(",")]
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(cert, key)
        if ca:
            self._context.load_verify_locations(ca)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._users = users or {}
        self._open: set[asyncio.StreamWriter] = set()
        self._ports: dict[int, int] = {}
        self.refused: list[str] = []
        self.servers = ""

    def __enter__(self) -> KafkaGate:
        self._loop = asyncio.new_event_loop()
        opened = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(opened,), daemon=True)
        self._thread.start()
        assert opened.wait(20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)

    def _run(self, opened: threading.Event) -> None:
        servers: list[asyncio.Server] = []

        async def opening() -> None:
            for broker in self._brokers:
                server = await asyncio.start_server(
                    partial(self._guarded, broker), HOST, 0, ssl=self._context
                )
                servers.append(server)
                self._ports[broker] = server.sockets[0].getsockname()[1]
            self.servers = ",".join(f"{HOST}:{port}" for port in self._ports.values())
            opened.set()

        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda loop, context: None)  # clients that hang up

        async def closing() -> None:
            for server in servers:
                server.close()
            ours = asyncio.all_tasks() - {asyncio.current_task()}
            for task in ours:
                task.cancel()
            await asyncio.gather(*ours, return_exceptions=True)
            for writer in self._open:
                writer.transport.abort()
            await asyncio.sleep(0.05)  # sockets are closed in the next turns

        self._loop.run_until_complete(opening())
        self._loop.run_forever()
        self._loop.run_until_complete(closing())
        self._loop.close()

    async def _guarded(
        self, broker: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._open.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._pass(reader, writer, broker)
        self._open.discard(writer)
        writer.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, broker: int
    ) -> None:
        there, to = await asyncio.open_connection(HOST, broker)
        self._open.add(to)
        known: set[int] = set()  # numbers of requests for ApiVersions
        back = asyncio.ensure_future(self._back(there, writer, known))
        let_in = not self._users
        try:
            while True:
                frame = await _frame(reader)
                key, version, number = struct.unpack(">hhi", frame[:8])
                if key == API_VERSIONS and version > 0:
                    _send(writer, struct.pack(">ihi", number, UNSUPPORTED_VERSION, 0))
                elif key == HANDSHAKE:
                    _send(writer, struct.pack(">ihi", number, 0, 1) + _text("PLAIN"))
                elif key == AUTHENTICATE:
                    let_in = self._is_known(frame)
                    _send(writer, _authenticated(number, let_in))
                elif key == API_VERSIONS or let_in:
                    if key == API_VERSIONS:
                        known.add(number)
                    _send(to, frame)
                else:
                    return
        finally:
            back.cancel()
            self._open.discard(to)
            to.close()

    async def _back(
        self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, known: set[int]
    ) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                frame = await _frame(there)
                (number,) = struct.unpack(">i", frame[:4])
                if number in known:
                    known.discard(number)
                    frame = _with_sasl(frame)
                for broker, port in self._ports.items():
                    host = HOST.encode()
                    frame = frame.replace(
                        host + struct.pack(">i", broker), host + struct.pack(">i", port)
                    )
                _send(writer, frame)
        writer.close()

    def _is_known(self, frame: bytes) -> bool:
        name, password = (part.decode() for part in frame.split(b"\0")[-2:])
        if self._users.get(name) == password:
            return True
        self.refused.append(name)
        return False


async def _frame(reader: asyncio.StreamReader) -> bytes:
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(size)


def _send(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(struct.pack(">i", len(frame)) + frame)


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _with_sasl(frame: bytes) -> bytes:
    """An answer to ApiVersions of version 0, with handshake and authentication."""
    number, error, count = struct.unpack(">ihi", frame[:10])
    more = struct.pack(">hhh", HANDSHAKE, 0, 1) + struct.pack(">hhh", AUTHENTICATE, 0, 0)
    return struct.pack(">ihi", number, error, count + 2) + frame[10:] + more


def _authenticated(number: int, let_in: bool) -> bytes:
    if let_in:
        return struct.pack(">ih", number, 0) + struct.pack(">h", -1) + struct.pack(">i", 0)
    said = _text("Authentication failed: Invalid username or password")
    return struct.pack(">ih", number, WRONG_PASSWORD) + said + struct.pack(">i", 0)
