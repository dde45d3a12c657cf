"""Where seeds are played: one broker (or three) and one registry that many seeds use one after the other, and what each seed has
for itself: topics, a group, Redis, a simulated model.

A place belongs to one process and plays one seed at a time, so a seed may kill its brokers.
"""

import io
import json
import os
import signal
import struct
from concurrent.futures import ThreadPoolExecutor

import fastavro
import redis as redis_client
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from paths import ROOT
from services import Forwarder, Kafka, ModelSim, Redis, Registry, eventually

SCHEMAS = 6  # of requests with the registry's header: new ones turn up during the whole run


class Place:
    def __init__(self, folder, nodes=1):
        self.folder, self.nodes = folder, nodes
        folder.mkdir(parents=True, exist_ok=True)
        self.kafka = Kafka(folder / "kafka", nodes)
        self._registry = None

    @property
    def registry(self):
        if self._registry is None:
            self._registry = Registry(self.folder / "registry")
        return self._registry

    def close(self):
        self.kafka.stop()
        if self._registry is not None:
            self._registry.stop()

    def broker_pids(self):
        nodes = [self.kafka.run] if self.nodes == 1 else [self.kafka.run / f"node{i + 1}" for i in range(self.nodes)]
        return [int(p.read_text()) for node in nodes if (p := node / "pid").exists()]


def java_hash(text):
    value = 0
    for c in text:
        value = (31 * value + ord(c)) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


class World:
    """What one seed has for itself."""

    def __init__(self, place, schedule, folder, name):
        self.place, self.schedule, self.folder, self.name = place, schedule, folder, name
        self.kafka = place.kafka
        self.input = name + ".requests"
        self.topics = {k: f"{name}.{k.replace('_', '-')}" for k in ("responses", "decisions", "dead_letters")}
        self.inputs = [self.input] + ([name + ".parked"] if schedule.full == "park" else [])
        self.kafka.create_topics([*self.inputs, *self.topics.values()], schedule.partitions)
        self.pool = ThreadPoolExecutor(8)
        self.errands = []
        self.modelsim = ModelSim(folder)
        self.redis = Redis(folder / "redis") if schedule.redis else None
        self.forwarder, self.schema_ids = None, []
        if schedule.format == "avro-confluent":
            self.forwarder = Forwarder(place.registry.address)
            self.forwarder.start()
            self.schema_ids = [self._register(i) for i in range(SCHEMAS)]
            for topic, schema in (("responses", "response"), ("decisions", "decision")):
                # known before: this registry answers 409 when several workers register a new subject's first schema at once
                place.registry.register(self.topics[topic] + "-value", (ROOT / f"schemas/{schema}.avsc").read_text())
        self.away = set()  # what is down or slow now

    def close(self):
        for errand in self.errands:
            errand.result()
        self.pool.shutdown()
        os.kill(self.modelsim.process.pid, signal.SIGCONT)
        self.modelsim.stop()
        if self.redis is not None:
            self.redis.stop()
        if self.forwarder is not None:
            self.forwarder.stop()

    def delete_topics(self):
        admin = self.kafka.admin()
        for future in admin.delete_topics([*self.inputs, *self.topics.values()]).values():
            future.exception(30)

    def errand(self, work, *args):
        """Something that takes its time, such as a broker's start, while the seed goes on."""
        self.errands.append(self.pool.submit(work, *args))

    # ---- brokers

    def broker_kill(self, node, down, again):
        """again: called when it is back."""
        self.away.add("broker")

        def work():
            self.kafka.node("kill", node)
            again.wait(down)
            self.kafka.node("start", node)
            eventually(lambda: self._serves(), 120, "brokers serve again")
            self.away.discard("broker")

        self.errand(work)

    def _serves(self):
        try:
            topics = self.kafka.admin().list_topics(timeout=5).topics.values()
        except Exception:  # not reachable yet
            return False
        mine = [t for t in topics if t.topic.startswith(self.name)]
        return len(mine) == len(self.inputs) + len(self.topics) and all(p.leader >= 0 and len(p.isrs) >= 1 for t in mine for p in t.partitions.values())

    def leader(self, topic, partition):
        return self.kafka.admin().list_topics(topic, timeout=20).topics[topic].partitions[partition].leader

    def coordinator_of_group(self):
        partition = abs(java_hash(self.name)) % 3
        return self.leader("__consumer_offsets", partition)

    def coordinator_of_transaction(self, transactional_id):
        return self.leader("__transaction_state", abs(java_hash(transactional_id)) % 3)

    # ---- the group's offsets

    def committed(self):
        """{partition: TopicPartition}; fails while a transaction is open."""
        wanted = [TopicPartition(self.input, p) for p in range(self.schedule.partitions)]
        request = ConsumerGroupTopicPartitions(self.name, wanted)
        admin = self.kafka.admin()  # kept: its answers die with it
        (future,) = admin.list_consumer_group_offsets([request], require_stable=True, request_timeout=10).values()
        answers = future.result(20).topic_partitions
        for tp in answers:
            if tp.error is not None:
                raise RuntimeError(str(tp.error))
        return {tp.partition: tp for tp in answers if tp.offset >= 0}

    # ---- Redis

    def redis_rubbish(self):
        """Another tool's values under our names, of every kind."""
        client = redis_client.Redis(unix_socket_path=str(self.redis.run / "redis.sock"), socket_timeout=2)
        try:
            for i, key in enumerate(list(client.scan_iter(count=1000))[:5000]):
                if i % 3 == 0:
                    client.set(key, os.urandom(i % 50))
                elif i % 3 == 1:
                    client.delete(key)
                    client.rpush(key, b"a list")
                else:
                    client.set(key, b"\x01" + b"A" * 300)
        except redis_client.RedisError:
            pass  # it is away just now

    # ---- records

    def _schema(self, i):
        fields = [{"name": "id", "type": "string"}, {"name": "prompt", "type": "string"}]
        fields += [{"name": f"extra_{k}", "type": "int", "default": k} for k in range(i)]
        return {"type": "record", "name": f"{self.name.replace('-', '_')}_{i}", "fields": fields}

    def _register(self, i):
        return self.place.registry.register(f"{self.name}-{i}-value", json.dumps(self._schema(i)))

    def encode(self, number, record_id, prompt, share):
        """The record's bytes. share: how much of the load is through; with the registry's header, new schemas turn up with it."""
        if self.schedule.format == "json":
            return json.dumps({"id": record_id, "prompt": prompt}).encode()
        body = io.BytesIO()
        if self.schedule.format == "avro-single-object":
            schema = fastavro.parse_schema(json.loads((ROOT / "schemas/request.avsc").read_text()))
            fingerprint = fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(schema), "CRC-64-AVRO")
            fastavro.schemaless_writer(body, schema, {"id": record_id, "prompt": prompt})
            return b"\xc3\x01" + bytes.fromhex(fingerprint) + body.getvalue()
        i = min(number % (1 + int(share * SCHEMAS)), SCHEMAS - 1)
        value = {"id": record_id, "prompt": prompt, **{f"extra_{k}": k for k in range(i)}}
        fastavro.schemaless_writer(body, fastavro.parse_schema(self._schema(i)), value)
        return struct.pack(">bi", 0, self.schema_ids[i]) + body.getvalue()
