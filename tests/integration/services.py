"""The real services that the tests talk to: a broker, Redis, a schema registry, and the simulated model.

Each is a program started by a script of tests/scripts (or built here), in a run folder of its own, and ended by its object.
A service keeps its port over stop and start, so that a restart looks to the worker as it does in life.
"""

import os
import random
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ROOT = Path(__file__).resolve().parents[2]


def newer_librdkafka():
    """The folder, for LD_LIBRARY_PATH, of a librdkafka that has the new group protocol."""
    script = ROOT / "tests/scripts/rdkafka.sh"
    return subprocess.run([script, "latest"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip() + "/lib"


def eventually(condition, timeout, what):
    """Polls until the condition is true; its last value is returned. what: for the message when it never is."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {timeout} s: {what}"
        time.sleep(0.1)


def free_port():
    """A port below the range of outgoing connections: none of those can take it while its owner is down."""
    while True:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", random.SystemRandom().randrange(10000, 32768)))
            except OSError:
                continue
            return s.getsockname()[1]


class Script:
    """A service behind tests/scripts/NAME.sh."""

    name = ""

    def __init__(self, run):
        self.run = Path(run)
        self.address = self.start()

    def _do(self, action, run=None):
        script = ROOT / "tests/scripts" / f"{self.name}.sh"
        return subprocess.run([script, action, run or self.run], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def start(self):
        return self._do("start")

    def stop(self):
        self._do("stop")

    def kill(self):
        self._do("kill")


class Kafka(Script):
    name = "kafka"

    def __init__(self, run, nodes=1):
        """nodes: 1 or 3. Those of three can be killed and started by themselves, by their number from 1."""
        self.nodes = nodes
        super().__init__(run)

    def _do(self, action, run=None):
        os.environ["POINTSMAN_KAFKA_NODES"] = str(self.nodes)  # counts only when the run folder is new
        return super()._do(action, run)

    def node(self, action, number):
        self._do(action, self.run / f"node{number}" if self.nodes > 1 else self.run)

    def admin(self):
        return AdminClient({"bootstrap.servers": self.address})

    def create_topics(self, names, partitions, config=None):
        """All at once, with equal partitions; waits until the broker serves them."""
        admin = self.admin()
        futures = admin.create_topics([NewTopic(n, partitions, self.nodes, config=config or {}) for n in names])
        for future in futures.values():
            future.result()
        eventually(
            lambda: set(names) <= set(admin.list_topics(timeout=10).topics), 30, f"topics {names} in the metadata"
        )

    def members(self, group):
        """How many members the group has; 0 when there is no such group."""
        admin = self.admin()
        (future,) = admin.describe_consumer_groups([group]).values()
        return len(future.result().members)

    def delete_group(self, group):
        """An empty one, and its offsets with it."""
        admin = self.admin()
        (future,) = admin.delete_consumer_groups([group]).values()
        future.result()

    def producer(self, **more):
        return Producer({"bootstrap.servers": self.address, "linger.ms": 5, "message.max.bytes": 30_000_000, **more})

    def lag(self, group, topic, partitions):
        """Sum over the partitions of end - committed; a partition without a commit counts from its start."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group, "isolation.level": "read_uncommitted"})
        try:
            committed = consumer.committed([TopicPartition(topic, p) for p in range(partitions)], timeout=20)
            ends = [consumer.get_watermark_offsets(tp, timeout=20) for tp in committed]
            return sum(high - (low if tp.offset < 0 else tp.offset) for tp, (low, high) in zip(committed, ends))
        finally:
            consumer.close()


class Redis(Script):
    name = "redis"

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.address}/0"


class Registry(Script):
    name = "registry"

    def register(self, subject, schema_text):
        answer = requests.post(f"{self.address}/subjects/{subject}/versions", json={"schema": schema_text}, timeout=30)
        answer.raise_for_status()
        return answer.json()["id"]

    def schema(self, schema_id):
        answer = requests.get(f"{self.address}/schemas/ids/{schema_id}", timeout=30)
        answer.raise_for_status()
        return answer.json()["schema"]


class Forwarder:
    """A registry that can be away: forwards to the real one while it runs."""

    def __init__(self, target):
        self.port = free_port()
        self.target, self.server = target, None
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        target = self.target

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.forward(requests.get(target + self.path, timeout=10))

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                self.forward(requests.post(target + self.path, data=body, headers={"Content-Type": self.headers["Content-Type"]}, timeout=10))

            def forward(self, answer):
                self.send_response(answer.status_code)
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.handle_error = lambda request, client: None  # a client that was killed meanwhile
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


class ModelSim:
    """The simulated model server; tells how often it was called, and how often twice for the same record."""

    def __init__(self, run, *options):
        binary = os.environ.get("POINTSMAN_MODELSIM", ROOT / "build/modelsim")
        self.log = open(Path(run) / "modelsim.log", "ab")
        self.process = subprocess.Popen(
            [binary, "--port", "0", *options], stdout=subprocess.PIPE, stderr=self.log, text=True, cwd=run
        )
        self.port = int(self.process.stdout.readline())
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def _post(self, path):
        answer = requests.post(f"http://127.0.0.1:{self.port}{path}", timeout=10)
        answer.raise_for_status()

    def configure(self, **settings):
        """latency_ms, sigma, p429, p500, retry_after, stall, router, logprobs, seed"""
        self._post("/config?" + "&".join(f"{k}={v}" for k, v in settings.items()))

    def reset(self):
        self._post("/reset")
        self.configure(latency_ms=0, sigma=0, p429=0, p500=0, stall=0, router="good", logprobs=1)

    def stats(self):
        return requests.get(f"http://127.0.0.1:{self.port}/stats", timeout=10).json()

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()
        self.log.close()
