"""The independent reader: what a read_committed consumer sees in the output topics, counted.

It shares no code with the worker: confluent-kafka reads, fastavro and json decode.
"""

import io
import json
import struct
import time
from collections import Counter
from dataclasses import dataclass

import fastavro
from confluent_kafka import Consumer, KafkaError, TopicPartition

from services import ROOT

SINGLE_OBJECT = b"\xc3\x01"
SPRING = "kafka_dlt-"


@dataclass
class Seen:
    """One output record. value: decoded for responses and decisions, the bytes as they are for dead letters."""

    partition: int
    offset: int
    key: bytes
    value: object
    raw: bytes
    headers: dict


def text_header(seen, name):
    value = seen.headers[name]
    return value.decode() if value is not None else None


def dead_letter_source(seen):
    """(topic, partition, offset) by Spring's headers."""
    partition = struct.unpack(">i", seen.headers[SPRING + "original-partition"])[0]
    offset = struct.unpack(">q", seen.headers[SPRING + "original-offset"])[0]
    return text_header(seen, SPRING + "original-topic"), partition, offset


def dead_letter_class(seen):
    return text_header(seen, SPRING + "exception-fqcn")


class Ledger:
    def __init__(self, kafka, topics, registry=None):
        """topics: responses, decisions, dead_letters -> name"""
        self.topics = topics
        self.registry = registry
        self.schemas = {}
        self.responses, self.decisions, self.dead_letters = [], [], []
        self.ends = {}  # (topic, partition) -> the offset at which there was nothing more to read
        self.consumer = Consumer(
            {
                "bootstrap.servers": kafka.address,
                "group.id": "ledger-" + topics["decisions"],
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.message.max.bytes": 30_000_000,
                "log_level": 2,  # a broker that is killed is no news here
                "enable.partition.eof": True,
            }
        )
        partitions = []
        for name in topics.values():
            for p in self.consumer.list_topics(name, timeout=20).topics[name].partitions:
                partitions.append(TopicPartition(name, p, 0))
        self.consumer.assign(partitions)

    def close(self):
        self.consumer.close()

    def _schema(self, raw, name):
        """The parsed writer schema and where the body begins. Our own schemas are the ones in schemas/."""
        if raw[:2] == SINGLE_OBJECT:
            key = raw[2:10]
            if key not in self.schemas:
                text = (ROOT / f"schemas/{name}.avsc").read_text()
                parsed = fastavro.parse_schema(json.loads(text))
                canonical = fastavro.schema.to_parsing_canonical_form(parsed)
                assert fastavro.schema.fingerprint(canonical, "CRC-64-AVRO") == key.hex(), f"fingerprint of {name}.avsc"
                self.schemas[key] = parsed
            return self.schemas[key], 10
        schema_id = struct.unpack(">i", raw[1:5])[0]
        if schema_id not in self.schemas:
            self.schemas[schema_id] = fastavro.parse_schema(json.loads(self.registry.schema(schema_id)))
        return self.schemas[schema_id], 5

    def _decode(self, raw, name):
        if raw[:1] == b"{":
            return json.loads(raw)
        schema, at = self._schema(raw, name)
        stream = io.BytesIO(raw[at:])
        value = fastavro.schemaless_reader(stream, schema)
        assert stream.read() == b"", "bytes behind the Avro body"
        return value

    def _take(self, message):
        raw = message.value()
        topic = message.topic()
        if topic == self.topics.get("dead_letters"):
            value, into = raw, self.dead_letters
        elif topic == self.topics["decisions"]:
            value, into = self._decode(raw, "decision"), self.decisions
        else:
            value, into = self._decode(raw, "response"), self.responses
        into.append(Seen(message.partition(), message.offset(), message.key(), value, raw, dict(message.headers() or [])))

    def poll(self, seconds):
        """Takes what comes within the time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for message in self.consumer.consume(1000, min(left, 0.2)):
                if message.error() is None:
                    self._take(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    self.ends[(message.topic(), message.partition())] = message.offset()
                elif message.error().fatal() or message.error().code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    raise AssertionError(str(message.error()))

    def wait(self, decisions, timeout, linger=1.0):
        """Reads until that many records have a decision, then a little longer: a second one would come now."""
        end = time.monotonic() + timeout
        while len(self.sources()) < decisions and time.monotonic() < end:
            self.poll(0.2)
        self.poll(linger)
        assert len(self.sources()) >= decisions, f"{len(self.sources())} of {decisions} records decided in {timeout} s"
        return self

    def sources(self):
        """(partition, offset) of the input record -> number of decisions."""
        return Counter((d.value["source"]["partition"], d.value["source"]["offset"]) for d in self.decisions)

    def assert_exactly_once(self, sent, answered=None):
        """sent: {(partition, offset): id}. answered: the ids that must have a response (default all)."""
        sources = self.sources()
        missing = sent.keys() - sources.keys()
        twice = {s: n for s, n in sources.items() if n != 1}
        assert not missing, f"{len(missing)} records without a decision, such as {sorted(missing)[:5]}"
        assert not twice, f"{len(twice)} records decided more than once, such as {sorted(twice.items())[:5]}"
        assert not sources.keys() - sent.keys(), "decisions about records that nobody sent"
        want = Counter(sent.values() if answered is None else answered)
        got = Counter(r.value["id"] for r in self.responses)
        assert got == want, (
            f"{len(want - got)} responses missing, {len(got - want)} too many; "
            f"such as {list((want - got).items())[:3]} {list((got - want).items())[:3]}"
        )
