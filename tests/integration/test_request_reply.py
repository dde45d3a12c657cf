"""Request and reply over topics, and CloudEvents: the headers that Spring Kafka's and Node's clients write, by an independent
client."""

import json
import struct
import uuid
from collections import Counter

import pytest
from confluent_kafka import Consumer, TopicPartition

from services import eventually

REPLY_PARTITIONS = 3


class Replies:
    """What a read_committed reader sees in one topic."""

    def __init__(self, kafka, topic, partitions):
        self.seen = []
        self.consumer = Consumer(
            {"bootstrap.servers": kafka.address, "group.id": "replies-" + topic, "isolation.level": "read_committed"}
        )
        self.consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])

    def wait(self, count):
        def enough():
            self.seen += [m for m in self.consumer.consume(500, 0.2) if m.error() is None]
            return len(self.seen) >= count

        eventually(enough, 60, f"{count} replies")
        self.seen += [m for m in self.consumer.consume(500, 1.0) if m.error() is None]
        return self.seen

    def close(self):
        self.consumer.close()


@pytest.fixture
def replies(deployment, kafka):
    topic = deployment.name + ".replies"
    kafka.create_topics([topic], REPLY_PARTITIONS)
    reader = Replies(kafka, topic, REPLY_PARTITIONS)
    reader.topic = topic
    yield reader
    reader.close()


def produce(deployment, requests):
    """requests: (value, headers). Ids by (partition, offset)."""
    stored = {}
    producer = deployment.kafka.producer()
    for value, headers in requests:
        name = json.loads(value).get("id")
        producer.produce(
            deployment.input,
            value=value,
            key=uuid.uuid4().bytes,
            headers=headers,
            on_delivery=lambda e, m, n=name: stored.update({(m.partition(), m.offset()): n or f"{m.topic()}-{m.partition()}-{m.offset()}"}),
        )
    assert producer.flush(30) == 0
    return stored


def test_replies_go_where_the_request_asks_with_its_correlation_id(deployment, replies):
    spring, node = {}, {}
    requests = []
    for i in range(60):
        correlation, partition = uuid.uuid4().bytes, i % REPLY_PARTITIONS
        form, kept = (struct.pack(">i", partition), spring) if i % 2 == 0 else (str(partition).encode(), node)
        kept[correlation] = (f"r-{i}", partition)
        headers = [("kafka_correlationId", correlation), ("kafka_replyTopic", replies.topic), ("kafka_replyPartition", form)]
        requests.append((json.dumps({"id": f"r-{i}", "prompt": f"printer number {i} is on fire"}).encode(), headers))
    plain = [(json.dumps({"id": f"p-{i}", "prompt": "an invoice is wrong"}).encode(), []) for i in range(20)]
    deployment.configure(output={"reply_topics": [replies.topic]})
    deployment.worker().start()
    stored = produce(deployment, requests + plain)
    seen = replies.wait(60)
    assert len(seen) == 60
    wanted = {**spring, **node}
    for message in seen:
        headers = dict(message.headers())
        request_id, partition = wanted.pop(headers["kafka_correlationId"])
        value = json.loads(message.value())
        assert (value["id"], value["status"], message.partition()) == (request_id, "ok", partition)
    assert not wanted
    ledger = deployment.ledger().wait(len(stored), 60)
    ledger.assert_exactly_once(stored, answered=[f"p-{i}" for i in range(20)])
    where = Counter(d.value["reply_topic"] for d in ledger.decisions)
    assert where == {replies.topic: 60, None: 20}


def test_a_topic_that_is_not_listed_gets_nothing_and_the_response_is_not_lost(deployment, replies, kafka):
    elsewhere = deployment.name + ".elsewhere"
    kafka.create_topics([elsewhere], 1)
    deployment.configure(output={"reply_topics": [replies.topic]})
    worker = deployment.worker().start()
    headers = [("kafka_replyTopic", elsewhere.encode()), ("kafka_correlationId", b"\x00\xff")]
    stored = produce(deployment, [(b'{"id": "x", "prompt": "printer"}', headers)])
    ledger = deployment.ledger().wait(1, 60)
    ledger.assert_exactly_once(stored)
    assert ledger.responses[0].headers["kafka_correlationId"] == b"\x00\xff"
    assert ledger.decisions[0].value["reply_topic"] is None
    assert "pointsman_replies_not_allowed_total 1" in worker.get("/metrics")[1]
    reader = Consumer({"bootstrap.servers": kafka.address, "group.id": "x"})
    assert reader.get_watermark_offsets(TopicPartition(elsewhere, 0), timeout=20) == (0, 0)
    reader.close()


def test_a_failed_request_is_told_at_its_reply_topic_and_a_place_that_is_not_there_is_not_the_end(deployment, replies):
    missing = deployment.name + ".never-made"
    deployment.configure(output={"reply_topics": [replies.topic, missing]})
    deployment.worker().start()
    stored = produce(
        deployment,
        [
            (b'{"id": "no-prompt", "prompt": " "}', [("kafka_replyTopic", replies.topic.encode())]),
            (b'{"id": "no-topic", "prompt": "printer"}', [("kafka_replyTopic", missing.encode())]),
            (
                b'{"id": "no-partition", "prompt": "printer"}',
                [("kafka_replyTopic", replies.topic.encode()), ("kafka_replyPartition", b"77")],
            ),
            (b'{"id": "fine", "prompt": "printer"}', []),
        ],
    )
    ledger = deployment.ledger().wait(4, 90)
    ledger.assert_exactly_once(stored, answered=["no-topic", "no-partition", "fine"])
    told = {r.value["id"]: r.value for r in ledger.responses}
    assert told["no-topic"]["error"]["class"] == told["no-partition"]["error"]["class"] == "output_refused"
    rejected = json.loads(replies.wait(1)[0].value())
    assert (rejected["id"], rejected["status"]) == ("no-prompt", "rejected")


def test_outputs_of_a_cloud_event_are_events_of_their_own(deployment):
    deployment.worker().start()
    event = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"A-17"),
        ("ce_source", b"/crm/tickets"),
        ("ce_type", b"ticket.opened"),
        ("ce_subject", b"4711"),
        ("content-type", b"application/json"),
        ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ]
    stored = produce(deployment, [(b'{"prompt": "the printer"}', event)])
    ledger = deployment.ledger().wait(1, 60)
    ledger.assert_exactly_once({place: "A-17" for place in stored})
    ids = {(b"/crm/tickets", b"A-17")}
    for seen, kind in ((ledger.responses[0], b"response"), (ledger.decisions[0], b"decision")):
        headers = seen.headers
        ids.add((headers["ce_source"], headers["ce_id"]))
        assert headers["ce_specversion"] == b"1.0" and headers["ce_type"] == b"pointsman." + kind + b".v1"
        assert headers["ce_causationid"] == headers["ce_correlationid"] == b"A-17"
        assert headers["ce_subject"] == b"4711" and headers["content-type"] == b"application/json"
        assert headers["traceparent"] == event[-1][1]
    assert len(ids) == 3, "source and id name one event each"


def test_headers_beyond_the_bounds_are_left_out_and_the_record_is_served(deployment):
    deployment.configure(output={"headers": ["*"]})
    deployment.worker().start()
    many = [(f"h{i}", b"v") for i in range(20_000)]
    large = [("small", b"s"), ("large", b"x" * 400_000), ("after", b"a")]
    stored = produce(deployment, [(b'{"id": "many", "prompt": "printer"}', many), (b'{"id": "large", "prompt": "printer"}', large)])
    ledger = deployment.ledger().wait(2, 60)
    ledger.assert_exactly_once(stored)
    got = {r.value["id"]: r.headers for r in ledger.responses}
    assert len(got["many"]) == 32
    assert got["large"] == {"small": b"s", "after": b"a"}
