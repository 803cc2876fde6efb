"""Asks over HTTP/3, as JSON in the first line of standard input says, and prints one line of JSON for what happens.

http3.py PORT <<<'{"requests": [{"method", "path", "headers", "body", "out", "back", "pause", "cut"}, ...], ...}'

Of a request: "back": true takes it back at once; "pause": true sends half of its body, says "half", and waits for a
line before it sends the rest; "cut" sends half of its body and then ends the stream ("end"), ends it within a frame
("torn"), resets it ("reset") or closes the connection ("close").
Of all: "takes": false takes no more of an answer than fits the first window; "connections" is how many are opened, of
which the first asks; "stays": true keeps them until they are ended by the other side; "heads" is how many requests are
begun of which the head never ends, and "bytes" how much of each is sent; "unread" is how many bytes are sent where
nobody reads; "moves": true goes away to another port in the middle and comes back, and says how many bytes came there;
"closes" is the code and the kind of frame that the connection is closed with.
"""

import asyncio
import contextlib
import json
import pathlib
import socket
import ssl
import sys

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.buffer import Buffer, encode_uint_var
from aioquic.h3.connection import H3_ALPN, ErrorCode, FrameType, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived, StreamReset
from cryptography.hazmat.primitives import hashes

# The first stream of a server that is for one side only.
CONTROL = 3


def say(**what):
    print(json.dumps(what), flush=True)


class Answer:
    def __init__(self):
        self.about = {"whole": False}
        self.body = bytearray()
        self.done = asyncio.Event()


class Connection(H3Connection):
    """One that knows of HEAD, whose answers tell the length of a body that does not come."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.bare = set()

    def _check_content_length(self, stream):
        if stream.stream_id not in self.bare:
            super()._check_content_length(stream)


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = Connection(self._quic)
        self.answers = {}
        self.control = b""
        self.closed = asyncio.Event()

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            say(closed=event.error_code, reason=event.reason_phrase)
            self.closed.set()
            for answer in self.answers.values():
                answer.done.set()
        elif isinstance(event, StreamReset) and event.stream_id in self.answers:
            answer = self.answers[event.stream_id]
            answer.about["reset"] = event.error_code
            answer.done.set()
        elif isinstance(event, StreamDataReceived) and event.stream_id == CONTROL:
            self.control += event.data
        for seen in self.http.handle_event(event):
            answer = self.answers[seen.stream_id]
            if isinstance(seen, HeadersReceived):
                headers = {name.decode(): value.decode() for name, value in seen.headers}
                answer.about.update(status=int(headers.pop(":status")), headers=headers)
            elif isinstance(seen, DataReceived):
                answer.body += seen.data
            if seen.stream_ended:
                answer.about["whole"] = True
                answer.done.set()

    def goodbyes(self):
        """What the other side said that it does not answer any more (RFC 9114, section 5.2)."""
        buffer = Buffer(data=self.control)
        buffer.pull_uint_var()
        while not buffer.eof():
            kind, content = buffer.pull_uint_var(), Buffer(data=buffer.pull_bytes(buffer.pull_uint_var()))
            if kind == FrameType.GOAWAY:
                yield content.pull_uint_var()

    async def send(self, stream, number, body, request):
        half = len(body) // 2
        if request.get("pause"):
            self.http.send_data(stream, body[:half], end_stream=False)
            self.transmit()
            say(half=number)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
            self.http.send_data(stream, body[half:], end_stream=True)
            return
        cut = request.get("cut")
        if cut is None:
            self.http.send_data(stream, body, end_stream=True)
        elif cut == "torn":
            frame = encode_uint_var(FrameType.DATA) + encode_uint_var(len(body)) + body[:half]
            self._quic.send_stream_data(stream, frame, end_stream=True)
        else:
            self.http.send_data(stream, body[:half], end_stream=cut == "end")
            self.transmit()
        if cut in ("reset", "close"):
            # Some of it is on its way before it is cut.
            await self.ping()
        if cut == "reset":
            self._quic.reset_stream(stream, ErrorCode.H3_REQUEST_CANCELLED)
        elif cut == "close":
            self.close()

    async def ask(self, number, request):
        body = pathlib.Path(request["body"]).read_bytes() if request.get("body") else None
        stream = self._quic.get_next_available_stream_id()
        answer = self.answers[stream] = Answer()
        if request.get("method") == "HEAD":
            self.http.bare.add(stream)
        head = [
            (b":method", request.get("method", "GET").encode()),
            (b":scheme", b"https"),
            (b":authority", b"localhost"),
            (b":path", request["path"].encode()),
        ]
        head += [(name.encode(), value.encode()) for name, value in request.get("headers", {}).items()]
        self.http.send_headers(stream, head, end_stream=body is None)
        if body is not None:
            await self.send(stream, number, body, request)
        if request.get("back"):
            self.transmit()
            while self._quic._streams[stream].is_blocked and not self.closed.is_set():
                # The other side lets no more of them be open at once.
                await asyncio.sleep(0)
            self._quic.reset_stream(stream, ErrorCode.H3_REQUEST_CANCELLED)
            self._quic.stop_stream(stream, ErrorCode.H3_REQUEST_CANCELLED)
            self.transmit()
            return
        self.transmit()
        await answer.done.wait()
        if request.get("out"):
            pathlib.Path(request["out"]).write_bytes(answer.body)
        say(number=number, size=len(answer.body), **answer.about)


def trouble(client, plan):
    """What no honest client does."""
    quic = client._quic
    if plan.get("takes") is False:
        quic._write_stream_limits = lambda *_, **__: None
    for _ in range(plan.get("heads", 0)):
        head = encode_uint_var(FrameType.HEADERS) + encode_uint_var(65000) + bytes(plan["bytes"])
        quic.send_stream_data(quic.get_next_available_stream_id(), head)
        client.transmit()
    if plan.get("heads"):
        say(begun=plan["heads"])
    if plan.get("unread"):
        quic.send_stream_data(client.http._local_encoder_stream_id, bytes(plan["unread"]))
        client.transmit()


class Elsewhere(asyncio.DatagramProtocol):
    """The port that a connection goes on from. What comes to the old one is not for it."""

    def __init__(self):
        self.came = 0

    def datagram_received(self, data, _):
        self.came += len(data)


async def move(client):
    """Goes on from another port for a moment."""
    while not (client.answers and client.answers[0].body):
        await asyncio.sleep(0.01)
    home, known = client._transport, client._transport.get_extra_info("socket")
    other = socket.socket(known.family, socket.SOCK_DGRAM)
    other.setblocking(False)
    other.bind(("", 0))
    elsewhere, seen = await asyncio.get_running_loop().create_datagram_endpoint(Elsewhere, sock=other)
    client._transport = elsewhere
    await asyncio.sleep(2)
    say(moved=seen.came, whole=client.answers[0].about["whole"])
    client._transport = home
    elsewhere.close()
    client.transmit()


async def main(port, plan):
    window = 1 << 16 if plan.get("takes") is False else 1 << 24
    configuration = QuicConfiguration(
        alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, max_data=window * 64, max_stream_data=window
    )
    async with contextlib.AsyncExitStack() as open_ones:
        clients = []
        for number in range(plan.get("connections", 1)):
            connecting = connect(
                "127.0.0.1",
                port,
                configuration=configuration,
                create_protocol=Client,
                session_ticket_handler=lambda ticket: say(early=ticket.max_early_data_size),
            )
            try:
                client = await open_ones.enter_async_context(connecting)
            except ConnectionError:
                say(refused=number)
                continue
            certificate = client._quic.tls._peer_certificate.fingerprint(hashes.SHA256())
            shown = client._quic._retry_count > 0
            say(connected=number, certificate=":".join(f"{byte:02X}" for byte in certificate), shown=shown)
            clients.append(client)
        if not clients:
            return
        trouble(clients[0], plan)
        moving = asyncio.create_task(move(clients[0])) if plan.get("moves") else None
        await asyncio.gather(*(clients[0].ask(number, request) for number, request in enumerate(plan["requests"])))
        if moving:
            await moving
        if plan.get("closes"):
            code, frame = plan["closes"]
            clients[0]._quic.close(error_code=code, frame_type=frame)
            clients[0].transmit()
        if plan.get("stays"):
            for client in clients:
                await client.closed.wait()
        say(goodbyes=list(clients[0].goodbyes()))


asyncio.run(main(int(sys.argv[1]), json.loads(sys.stdin.readline())))
