"""What happens to Kafka's side of the work: crashes in at_least_once mode, long stops, topics made anew, deleted records, offsets
that another tool wrote, a twin, a broker that has just started, topics that are missing."""

import base64
import io
import json
import signal
import struct
import time
import uuid
from collections import Counter

import fastavro
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from conftest import PARTITIONS, Deployment
from services import Forwarder, Kafka, eventually, newer_librdkafka

MAX_JOBS = 50
QUICK = {"session_timeout": "2s", "transaction_timeout": "5s"}


def decided(ledger, count):
    return lambda: ledger.poll(0.1) or len(ledger.decisions) >= count


def finished_up_to(offset):
    """The metadata of a commit of offset with nothing unfinished above it, written anew from the format's description: what
    the client library returns cannot be trusted, it forgets where the text ends."""
    data = struct.pack(">BBHqqHBBHHB", 2, 0, 0, offset, 0, 0, 0, 4, 0xFFFF, 0xFFFF, 0) + b"test"
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return base64.b64encode(data + struct.pack(">I", crc ^ 0xFFFFFFFF)).decode()


def overwrite(deployment, offsets):
    """Another tool commits for the group. offsets: {partition: (offset, metadata)}."""
    consumer = Consumer({"bootstrap.servers": deployment.kafka.address, "group.id": deployment.name, "enable.auto.commit": False})
    parts = [TopicPartition(deployment.input, p, offset, metadata=text) for p, (offset, text) in offsets.items()]
    try:
        answers = consumer.commit(offsets=parts, asynchronous=False)
        assert all(tp.error is None for tp in answers)
    finally:
        consumer.close()


def test_at_least_once_loses_nothing_over_a_kill_and_doubles_only_what_was_out(deployment, modelsim):
    modelsim.configure(latency_ms=40, sigma=0.5)
    deployment.configure(kafka={"delivery": "at_least_once", **QUICK}, engine={"max_jobs": MAX_JOBS})
    sent = deployment.send_prompts(600)
    ledger = deployment.ledger()
    worker = deployment.worker().start()
    eventually(decided(ledger, 150), 60, "a quarter decided")
    worker.kill()
    worker.start()
    ledger.wait(len(sent), timeout=60)
    sources = ledger.sources()
    assert sources.keys() == sent.keys()
    twice = [s for s, n in sources.items() if n > 1]
    assert len(twice) <= MAX_JOBS and max(sources.values()) <= 2, (len(twice), max(sources.values()))
    assert worker.stop() == 0
    assert deployment.lag() == 0
    assert all("committed" not in line.get("error", "") for line in worker.log_lines() if line.get("level") == "error")


def test_a_lone_worker_stopped_beyond_its_session_goes_on_exactly_once(deployment, modelsim):
    modelsim.configure(latency_ms=40, sigma=0.5)
    deployment.configure(kafka=QUICK, engine={"max_jobs": MAX_JOBS})
    sent = deployment.send_prompts(600)
    ledger = deployment.ledger()
    worker = deployment.worker().start()
    eventually(decided(ledger, 100), 60, "some decided")
    worker.signal(signal.SIGSTOP)
    time.sleep(7)  # beyond the session and the transaction
    worker.signal(signal.SIGCONT)
    ledger.wait(len(sent), timeout=60)
    ledger.assert_exactly_once(sent)
    assert worker.is_alive()
    eventually(lambda: deployment.lag() == 0, 30, "lag 0 when all is done")


def test_a_topic_made_anew_is_read_from_its_start(deployment, kafka):
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    ledger.wait(len(deployment.send_prompts(80)), timeout=60)
    assert worker.stop() == 0
    before = deployment.committed()
    admin = kafka.admin()
    for future in admin.delete_topics([deployment.input]).values():
        future.result()
    eventually(lambda: deployment.input not in admin.list_topics(timeout=10).topics, 30, "the topic is gone")
    kafka.create_topics([deployment.input], PARTITIONS)
    # a broker forgets a deleted topic's offsets; half of them are put back, as a restored backup or a mirror would
    overwrite(deployment, {p: (before[p].offset, finished_up_to(before[p].offset)) for p in (0, 1)})
    fresh = deployment.send_prompts(20, start=1000)
    worker.start()
    ids = Counter(fresh.values())
    eventually(lambda: ledger.poll(0.1) or ids <= Counter(r.value["id"] for r in ledger.responses), 60, "the new records answered")
    ledger.poll(1)
    assert {i: n for i, n in Counter(r.value["id"] for r in ledger.responses).items() if i in ids} == ids
    assert worker.log_has("made anew"), "it is said"
    eventually(lambda: deployment.lag() == 0, 30, "lag 0 when all is done")


def test_an_older_committed_offset_is_not_believed_at_once(deployment, kafka):
    """A broker that was killed can give back an offset of the time before; here another tool makes it do so, while the worker
    sleeps and its group is empty."""
    deployment.configure(kafka=QUICK)
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    sent = deployment.send_prompts(80)
    ledger.wait(len(sent), timeout=60)
    eventually(lambda: deployment.lag() == 0, 30, "all is committed")
    before = {p: (tp.offset, finished_up_to(tp.offset)) for p, tp in deployment.committed().items()}
    worker.signal(signal.SIGSTOP)
    eventually(lambda: kafka.members(deployment.name) == 0, 30, "the broker has thrown it out")
    overwrite(deployment, {0: (1, finished_up_to(1))})
    worker.signal(signal.SIGCONT)
    doubted = eventually(lambda: worker.log_has("names an older committed offset"), 30, "it is noticed")
    assert [(line["partition"], line["offset"], line["committed_before"]) for line in doubted] == [(0, 1, before[0][0])]
    assert worker.counter("pointsman_progress_went_back_total") == 1
    sent.update(deployment.send_prompts(80, start=1000))
    others = {source for source in sent if source[0] != 0}
    eventually(lambda: ledger.poll(0.1) or others <= ledger.sources().keys(), 60, "the other partitions go on")
    assert deployment.committed()[0].offset == 1, "nothing is committed on top of it"
    worker.signal(signal.SIGSTOP)
    eventually(lambda: kafka.members(deployment.name) == 0, 30, "the broker has thrown it out")
    overwrite(deployment, {0: before[0]})
    worker.signal(signal.SIGCONT)
    ledger.wait(len(sent), timeout=60)
    ledger.assert_exactly_once(sent)
    assert [line["offset"] for line in worker.log_has("partition taken up") if line["partition"] == 0][-1] == before[0][0]


def test_records_that_retention_deleted_unread_are_counted_and_said(deployment, kafka):
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    ledger.wait(len(deployment.send_prompts(40)), timeout=60)
    assert worker.stop() == 0
    ends = {p: tp.offset for p, tp in deployment.committed().items()}
    sent = deployment.send_prompts(80, start=1000)
    lost = {source for source in sent if source[1] < ends[source[0]] + 5}
    admin = kafka.admin()
    for future in admin.delete_records([TopicPartition(deployment.input, p, end + 5) for p, end in ends.items()]).values():
        future.result()
    worker.start()
    kept = sent.keys() - lost
    eventually(lambda: ledger.poll(0.1) or kept <= ledger.sources().keys(), 60, "what is left is decided")
    ledger.poll(1)
    assert not lost & ledger.sources().keys()
    assert max(ledger.sources().values()) == 1
    assert worker.counter("pointsman_records_deleted_unread_total") == len(lost)
    assert any(line["level"] == "error" for line in worker.log_has("deleted by retention"))


def test_offsets_that_another_tool_wrote_are_done_again_and_nothing_is_skipped(deployment):
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    sent = deployment.send_prompts(80)
    ledger.wait(len(sent), timeout=60)
    assert worker.stop() == 0
    held = deployment.committed()
    back = held[1].offset - 3
    mangled = "AgAA" + finished_up_to(back)[4:]  # the checksum no longer fits
    again = {0: (held[0].offset - 4, "set by a tool"), 1: (back, mangled), 2: (held[2].offset - 2, finished_up_to(held[2].offset))}
    overwrite(deployment, again)
    sent.update(deployment.send_prompts(40, start=1000))
    worker.start()
    ledger.wait(len(sent), timeout=60)
    want = {s: 2 if s[0] in again and again[s[0]][0] <= s[1] < held[s[0]].offset else 1 for s in sent}
    assert ledger.sources() == want
    assert len(worker.log_has("is not known; what was finished there is done again")) == len(again)
    redone = {(d.value["source"]["partition"], d.value["source"]["offset"]) for d in ledger.decisions if d.value["redelivered"]}
    assert redone >= {s for s, n in want.items() if n == 2}, "what may have been done before is marked"


def test_records_that_come_for_the_first_time_are_not_called_redelivered(deployment):
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    sent = deployment.send_prompts(40)
    ledger.wait(len(sent), timeout=60)
    assert worker.stop() == 0
    sent.update(deployment.send_prompts(40, start=1000))
    worker.start()
    ledger.wait(len(sent), timeout=60)
    assert not [d for d in ledger.decisions if d.value["redelivered"]]


def test_the_older_of_two_workers_of_one_instance_exits_and_says_why(deployment):
    deployment.configure(kafka={"instance": "only-one", **QUICK})
    older = deployment.worker().start()
    younger = deployment.worker().start()
    assert older.process.wait(60) == 1
    assert older.log_has("another worker with kafka.instance only-one")
    sent = deployment.send_prompts(40)
    ledger = deployment.ledger().wait(len(sent), timeout=60)
    ledger.assert_exactly_once(sent)
    assert younger.is_alive()


def test_an_unknown_schema_holds_up_its_own_partition_only_until_the_registry_is_back(deployment, registry):
    schema = {"type": "record", "name": deployment.name, "fields": [{"name": n, "type": "string"} for n in ("id", "prompt")]}
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), {"id": "avro", "prompt": "My parcel is lost"})
    value = struct.pack(">bi", 0, registry.register(deployment.input + "-value", json.dumps(schema))) + body.getvalue()
    away = Forwarder(registry.address)
    deployment.configure(input={"format": "auto"}, registry={"url": away.url, "timeout": "2s"})
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    sent = deployment.send([value], ids=["avro"])
    ((waiting, _),) = sent
    eventually(lambda: worker.log_has("schema registry"), 30, "the registry is missed")
    sent.update(deployment.send_prompts(80))
    others = {s for s in sent if s[0] != waiting}
    eventually(lambda: ledger.poll(0.1) or others <= ledger.sources().keys(), 60, "the other partitions go on")
    assert not [s for s in ledger.sources() if s[0] == waiting]
    away.start()
    try:
        ledger.wait(len(sent), timeout=60)
        ledger.assert_exactly_once(sent)
    finally:
        away.stop()


@pytest.fixture
def fresh_kafka(run_folder):
    service = Kafka(run_folder / f"kafka-fresh-{uuid.uuid4().hex[:4]}")
    yield service
    service.stop()


@pytest.mark.parametrize("library", ["distribution", "newer"])
def test_a_worker_starts_on_a_broker_that_has_only_just_started(fresh_kafka, modelsim, run_folder, library):
    deployment = Deployment(fresh_kafka, modelsim, run_folder / f"fresh-broker-{library}")
    try:
        env = {"LD_LIBRARY_PATH": newer_librdkafka()} if library == "newer" else {}
        deployment.worker(env=env).start(timeout=60)
        sent = deployment.send_prompts(40)
        deployment.ledger().wait(len(sent), timeout=60).assert_exactly_once(sent)
    finally:
        deployment.end()


def test_a_missing_topic_is_named_at_the_start(deployment):
    for side, changes in (("input", {"topics": [deployment.name + ".none"]}), ("output", {"decisions": deployment.name + ".none"})):
        before = json.loads(json.dumps(deployment.config))
        worker = deployment.configure(**{side: changes}).worker().start(ready=False)
        deployment.config = before
        assert worker.process.wait(60) == 3, worker.log_tail()
        (line,) = [line for line in worker.log_lines() if line["level"] == "error"]
        assert deployment.name + ".none" in line["error"] and side in line["error"], line


def test_an_idle_worker_is_ready_again_when_the_broker_is(deployment, kafka):
    worker = deployment.worker().start()
    kafka.kill()
    try:
        eventually(lambda: worker.get("/readyz")[0] == 503, 60, "/readyz says no without a broker")
    finally:
        kafka.start()
    eventually(lambda: worker.get("/readyz")[0] == 200, 60, "/readyz says yes again though nothing was sent")


def set_topic(kafka, topic, **config):
    entries = [ConfigEntry(k.replace("_", "."), v, incremental_operation=AlterConfigOpType.SET) for k, v in config.items()]
    admin = kafka.admin()
    for future in admin.incremental_alter_configs([ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)]).values():
        future.result()


def test_a_dead_letter_that_its_topic_refuses_holds_up_no_other_record(deployment, kafka):
    set_topic(kafka, deployment.topics["dead_letters"], max_message_bytes="100")
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    good = deployment.send_prompts(40)
    bad = deployment.send([b"not a record at all"], keys=[b"key-1"], ids=["bad"])
    good.update(deployment.send_prompts(40, start=40))
    eventually(lambda: ledger.poll(0.1) or good.keys() <= ledger.sources().keys(), 60, "the others are answered")
    eventually(lambda: worker.log_has("output refused again; the record waits"), 30, "it is said")
    assert not ledger.dead_letters
    set_topic(kafka, deployment.topics["dead_letters"], max_message_bytes="1000000")
    ledger.wait(len(good) + 1, timeout=60)
    assert ledger.sources() == Counter([*good, *bad])
    assert len(ledger.dead_letters) == 1
    assert Counter(r.value["id"] for r in ledger.responses if r.value["status"] == "ok") == Counter(good.values())
