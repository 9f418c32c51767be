"""A relay in front of an S3 server that misbehaves as networks and busy servers do, request by request or altogether."""
import asyncio
import collections
import random
import socket
import struct
import threading

from process import free_port

CHUNK_BYTES = 256 * 1024
BUSY = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    % (len(body := b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"), body)
)
FAULTS = ("busy", "cut-request", "cut-answer", "end-answer", "delay")


class S3Relay:
    """Relays 127.0.0.1:`port` to the server at local port `to`, and injects faults with one thread of its own.

    A connection that breaks on one side is broken on the other at once, and what it had not passed on yet is thrown away: a
    request of a client that was killed never arrives later. Each request of a connection that passes gets a fault with the
    chance of misbehave():
      busy         503 SlowDown with Retry-After, without the server having seen all of the request
      cut-request  reset after some bytes of the request; cut-answer: after some bytes of the answer
      end-answer   the connection ends after some bytes of the answer as if that had been all
      delay        a pause before the request goes on
    counts says how often each came about."""

    def __init__(self, to, seed=0):
        self.port, self.to = free_port(), to
        self.rng = random.Random(seed)
        self.chance, self.kinds = 0.0, FAULTS
        self.counts = collections.Counter()
        self.open = set()  # (client, server) writers
        self.listener = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.call(self.listen())

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def misbehave(self, chance, kinds=FAULTS):
        """From now on a request gets one of these faults with this chance."""
        self.chance, self.kinds = chance, tuple(kinds)

    def passing(self):
        """Relays everything, from now on without faults; listens again after cut()."""
        self.chance = 0.0
        self.call(self.listen())

    def cut(self):
        """Breaks every connection and refuses new ones."""
        self.call(self.refuse())

    def close(self):
        self.cut()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    async def listen(self):
        if self.listener is None:
            self.listener = await asyncio.start_server(self.serve, "127.0.0.1", self.port, limit=CHUNK_BYTES, backlog=256)

    async def refuse(self):
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        for pair in list(self.open):
            for writer in pair:
                reset(writer)

    async def serve(self, from_client, to_client):
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.to, limit=CHUNK_BYTES)
        except OSError:
            return reset(to_client)
        if self.listener is None:  # cut meanwhile
            reset(to_client)
            return reset(to_server)
        connection = Connection(self, from_client, to_client, from_server, to_server)
        pair = (to_client, to_server)
        self.open.add(pair)
        try:
            await connection.relay()
        finally:
            self.open.discard(pair)


class Connection:
    """Two directions, and the fault of the request that is under way."""

    def __init__(self, relay, from_client, to_client, from_server, to_server):
        self.relay_, self.from_client, self.to_client, self.from_server, self.to_server = relay, from_client, to_client, from_server, to_server
        self.answered = True  # the next byte of the client begins a request
        self.fault, self.left = None, 0  # bytes until it comes

    async def relay(self):
        directions = [asyncio.ensure_future(self.requests()), asyncio.ensure_future(self.answers())]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            if directions[0].done():
                reset(self.to_server)  # the client is gone, or a fault came: what it sent is void
                reset(self.to_client)
            else:
                reset(self.to_server)
                self.to_client.close()  # after what is still to be written
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    async def requests(self):
        while data := await self.from_client.read(CHUNK_BYTES):
            if self.answered:
                self.answered = False
                self.draw(data)
                if self.fault == "delay":
                    self.count()
                    await asyncio.sleep(self.relay_.rng.uniform(0.05, 1.0))
            if self.fault == "busy" and self.spend(data):
                self.count()
                return await self.refuse()
            if self.fault == "cut-request" and self.spend(data):
                self.count()
                self.to_server.write(data[: max(0, len(data) + self.left)])
                return await self.to_server.drain()
            self.to_server.write(data)
            await self.to_server.drain()

    async def answers(self):
        while data := await self.from_server.read(CHUNK_BYTES):
            self.answered = True
            if self.fault in ("cut-answer", "end-answer") and self.spend(data):
                self.to_client.write(data[: max(0, len(data) + self.left)])
                self.count()
                if self.fault == "cut-answer":
                    reset(self.to_client)
                return
            self.to_client.write(data)
            await self.to_client.drain()

    def draw(self, data):
        relay = self.relay_
        self.fault = relay.rng.choice(relay.kinds) if relay.rng.random() < relay.chance else None
        # Within the header, just behind it, or far into a body.
        self.left = relay.rng.choice([1, 120, len(data) + 1, relay.rng.randrange(1, 4 << 20)])

    def spend(self, data):
        """@return whether the fault is due within these bytes; `left` is then minus those that come after it."""
        self.left -= len(data)
        return self.left <= 0

    def count(self):
        self.relay_.counts[self.fault] += 1

    async def refuse(self):
        """Answers as a busy server does that has not read the request, and reads on for a moment so that the answer arrives."""
        self.to_client.write(BUSY)
        reset(self.to_server)

        async def until_it_ends():
            while await self.from_client.read(CHUNK_BYTES):
                pass

        try:
            await self.to_client.drain()
            await asyncio.wait_for(until_it_ends(), 1.0)
        except (OSError, asyncio.TimeoutError):
            pass


def reset(writer):
    """Ends a connection without what was not sent yet."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
