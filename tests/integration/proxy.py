"""A proxy between one worker and the broker: it lets the bytes through, looks at offset commits, and can make the broker look old.

The broker's second listener names the proxy's port as its own address (tests/scripts/kafka.sh), so a client that enters here
never gets past it. Of Kafka's protocol it knows frames, the head of a request, the table of versions, and the fields of
TxnOffsetCommit that name the member.
"""

import socket
import struct
import threading
from dataclasses import dataclass

API_VERSIONS, TXN_OFFSET_COMMIT = 18, 28


@dataclass
class Commit:
    """Who a transactional offset commit says it is for. Below version 3 the protocol has no field for it."""

    version: int
    generation: int = None
    member: str = None


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def read_compact(data, at):
    """A compact nullable string, and where it ends."""
    length, at = read_varint(data, at)
    return (None, at) if length == 0 else (data[at : at + length - 1].decode(), at + length - 1)


def decode_commit(version, body):
    if version < 3:
        return Commit(version)
    (client,) = struct.unpack_from(">h", body)
    at = 2 + max(client, 0) + 1  # no tags in the head
    _, at = read_compact(body, at)  # transactional id
    _, at = read_compact(body, at)  # group
    (generation,) = struct.unpack_from(">i", body, at + 10)  # behind the producer's id and epoch
    member, _ = read_compact(body, at + 14)
    return Commit(version, generation, member)


def lower_version(answer, api, most):
    """The answer to ApiVersions, version 3, with a lower bound for one request. Same length, so it is done in place."""
    answer = bytearray(answer)
    count, at = read_varint(answer, 6)  # behind correlation and error
    for _ in range(count - 1):
        key, _, newest = struct.unpack_from(">hhh", answer, at)
        if key == api:
            struct.pack_into(">h", answer, at + 4, min(newest, most))
        tags, at = read_varint(answer, at + 6)
        assert tags == 0
    return bytes(answer)


def receive(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def frames(sock):
    while True:
        (size,) = struct.unpack(">i", receive(sock, 4))
        yield receive(sock, size)


class Proxy:
    """most: {api key: newest version that the broker seems to know}. commits: what was seen of TxnOffsetCommit."""

    def __init__(self, run, most=None):
        def address(name):
            host, port = (run / name).read_text().strip().split(":")
            return host, int(port)

        self.back, self.most, self.commits = address("back"), most or {}, []
        self.address = (run / "front").read_text().strip()
        self.sockets = []
        self.listener = socket.create_server(address("front"), backlog=64)
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(self.back)
            except OSError:
                client.close()  # the broker is away: so is the proxy
                continue
            self.sockets += [client, broker]
            versions = {}  # correlation id of an ApiVersions request -> its version
            for run in (lambda: self._requests(client, broker, versions), lambda: self._answers(broker, client, versions)):
                threading.Thread(target=self._until_closed, args=(run, client, broker), daemon=True).start()

    @staticmethod
    def _until_closed(run, *sockets):
        try:
            run()
        except OSError:
            pass
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)  # wakes the thread of the other direction
            except OSError:
                pass

    def _requests(self, client, broker, versions):
        for frame in frames(client):
            api, version, correlation = struct.unpack_from(">hhi", frame)
            if api == API_VERSIONS:
                versions[correlation] = version
            elif api == TXN_OFFSET_COMMIT:
                self.commits.append(decode_commit(version, frame[8:]))
            broker.sendall(struct.pack(">i", len(frame)) + frame)

    def _answers(self, broker, client, versions):
        for frame in frames(broker):
            (correlation,) = struct.unpack_from(">i", frame)
            if versions.pop(correlation, 0) == 3:
                for api, most in self.most.items():
                    frame = lower_version(frame, api, most)
            client.sendall(struct.pack(">i", len(frame)) + frame)

    def drop(self):
        """Breaks all connections."""
        while self.sockets:
            sock = self.sockets.pop()
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # the port is free only when nobody accepts on it any more
        self.accepting.join()
        self.listener.close()
        self.drop()
