"""Dead letters back to their topic: each once, whatever dies, and only where they came from."""

import json
import os
import signal
import struct
import subprocess
import time
from collections import Counter

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, TopicPartition

from conftest import PARTITIONS
from ledger import SPRING, dead_letter_class, text_header
from prompts import prompts
from services import eventually
from worker import BINARY, FAULTS_BINARY

HOUR_MS = 3_600_000


def start(worker, *options, env=None):
    binary = FAULTS_BINARY if env else BINARY
    whole = {**os.environ, "POINTSMAN_CACHE_SECRET": "a-secret-for-tests-only-0123456789abcdef", "MODEL_KEY": "sk", **(env or {})}
    command = [binary, "redrive", "-c", worker.path, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=whole)


def end(process, code=0, timeout=90):
    out, talk = process.communicate(timeout=timeout)
    assert process.returncode == code, f"{process.returncode} instead of {code}:\n{out}\n{talk}"
    return out, talk


def redrive(worker, *options, code=0):
    """The report of --json."""
    return json.loads(end(start(worker, "--json", *options), code)[0])


def letter_headers(topic, number, cls="model_unavailable", **more):
    """As Spring's DeadLetterPublishingRecoverer writes them."""
    return [
        (SPRING + "original-topic", topic.encode()),
        (SPRING + "original-partition", struct.pack(">i", number % PARTITIONS)),
        (SPRING + "original-offset", struct.pack(">q", number)),
        (SPRING + "original-timestamp", struct.pack(">q", 1_700_000_000_000 + number)),
        (SPRING + "original-timestamp-type", b"CreateTime"),
        (SPRING + "exception-fqcn", cls.encode()),
        (SPRING + "exception-message", b"made by a test"),
        *((name.replace("_", "-"), value) for name, value in more.items()),
    ]


def write_letters(deployment, letters):
    """letters: (key, value, headers, timestamp in ms or 0)"""
    producer, failed = deployment.kafka.producer(), []
    for key, value, headers, when in letters:
        producer.produce(
            deployment.topics["dead_letters"],
            key=key,
            value=value,
            headers=headers,
            timestamp=when,
            on_delivery=lambda error, message: failed.append(error) if error else None,
        )
        producer.poll(0)
    assert producer.flush(60) == 0 and not failed


def numbered(deployment, count, cls="model_unavailable", first=0, when=0, **more):
    topic = deployment.input
    return [(f"k{n}".encode(), f"v{n}".encode(), letter_headers(topic, n, cls, **more), when) for n in range(first, first + count)]


def everything_in(deployment, topic):
    """The committed records of the topic, all of them."""
    consumer = Consumer(
        {
            "bootstrap.servers": deployment.kafka.address,
            "group.id": "reader-" + topic,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    found, ended, limit = [], set(), time.monotonic() + 60
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    while len(ended) < len(partitions):
        assert time.monotonic() < limit
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error() is None:
            found.append(message)
        elif message.error().code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
    consumer.close()
    return found


def values_in(deployment, topic=None):
    return Counter(m.value() for m in everything_in(deployment, topic or deployment.input))


def redrive_offsets(deployment):
    group = deployment.name + "-redrive"
    request = ConsumerGroupTopicPartitions(group, [TopicPartition(deployment.topics["dead_letters"], p) for p in range(PARTITIONS)])
    admin = deployment.kafka.admin()
    (future,) = admin.list_consumer_group_offsets([request]).values()
    return {tp.partition: tp.offset for tp in future.result().topic_partitions if tp.offset >= 0}


def test_what_failed_for_a_model_is_answered_after_it_was_mended(deployment, modelsim):
    deployment.configure(engine={"attempts": 1})
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    modelsim.configure(p500=1)
    sent = deployment.send_prompts(12)
    ledger.wait(12, timeout=150)  # the breaker lets one try at a time
    assert len(ledger.dead_letters) == 12
    modelsim.configure(p500=0)
    would = redrive(worker, "--dry-run")
    assert would["redriven"] == 12 and would["dry_run"] and redrive_offsets(deployment) == {}
    assert redrive(worker)["redriven"] == 12
    ledger.wait(24, timeout=150)
    answered = Counter(r.value["id"] for r in ledger.responses if r.value["status"] == "ok")
    assert answered == Counter(sent.values()), "each answered exactly once"
    assert ledger.sources().keys() >= sent.keys() and set(ledger.sources().values()) == {1}
    again = redrive(worker)
    assert again["redriven"] == 0 and {row["what"] for row in again["rows"]} <= {"done"}
    assert deployment.kafka.lag(deployment.name + "-redrive", deployment.topics["dead_letters"], PARTITIONS) <= PARTITIONS


def test_what_failed_for_a_schema_is_answered_when_the_schema_is_there(deployment, run_folder):
    import io

    import fastavro

    schema = fastavro.parse_schema(
        {"type": "record", "name": "Ticket", "fields": [{"name": "id", "type": "string"}, {"name": "prompt", "type": "string"}]}
    )
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    head = b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))

    def encode(i, text):
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, {"id": f"s{i}", "prompt": text})
        return head + body.getvalue()

    folder = run_folder / (deployment.name + "-schemas")
    folder.mkdir()
    deployment.configure(input={"format": "auto", "schema_dir": str(folder)})
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    values = [encode(i, text) for i, text in enumerate(prompts(20))]
    deployment.send(values, ids=[f"s{i}" for i in range(20)])
    ledger.wait(20, timeout=60)
    assert {dead_letter_class(x) for x in ledger.dead_letters} == {"bad_schema"} and len(ledger.dead_letters) == 20
    worker.stop()
    (folder / "ticket.avsc").write_text(
        json.dumps({"type": "record", "name": "Ticket", "fields": [{"name": "id", "type": "string"}, {"name": "prompt", "type": "string"}]})
    )
    assert redrive(worker, "--class", "bad_schema")["redriven"] == 20
    worker.start()
    ledger.wait(40, timeout=60)
    assert Counter(r.value["id"] for r in ledger.responses) == Counter(f"s{i}" for i in range(20))


def test_key_value_and_headers_come_back_as_they_were(deployment):
    worker = deployment.worker()
    bare = [("traceparent", b"00-1"), ("mine", b"\x00\xff"), ("mine", b"2"), ("nothing", None)]
    write_letters(
        deployment,
        [
            (b"k\x00k", b"\x00\xffbytes", [*bare, *letter_headers(deployment.input, 5, pointsman_attempts=b"4", pointsman_stage=b"call")], 0),
            (None, b"no key", letter_headers(deployment.input, 6, pointsman_redrives=b"2"), 0),
            (b"", b"", letter_headers(deployment.input, 7), 0),
            (b"tombstone", None, letter_headers(deployment.input, 8), 0),
        ],
    )
    assert redrive(worker)["redriven"] == 4
    back = {m.key(): m for m in everything_in(deployment, deployment.input)}
    assert {k: m.value() for k, m in back.items()} == {b"k\x00k": b"\x00\xffbytes", None: b"no key", b"": b"", b"tombstone": None}
    assert back[b"k\x00k"].headers() == [("pointsman-redrives", b"1"), *bare, ("pointsman-attempts", b"4")]
    assert back[None].headers() == [("pointsman-redrives", b"3"), ("pointsman-attempts", b"0")]


@pytest.mark.parametrize("point", ["before_begin:3", "after_produce:2", "after_send_offsets:3", "inside_commit:2:3000", "inside_commit:4:300"])
def test_killed_in_the_middle_it_goes_on_where_it_was(deployment, point):
    deployment.configure(commit={"max_records": 50})
    worker = deployment.worker()
    count = 600
    write_letters(deployment, numbered(deployment, count) + numbered(deployment, 100, "bad_record", first=10_000))
    for _ in range(3):
        end(start(worker, env={"POINTSMAN_FAULT": point}), -signal.SIGKILL)
    redrive(worker)
    assert values_in(deployment) == Counter(f"v{n}".encode() for n in range(count)), "nothing twice, nothing lost"
    assert redrive(worker)["redriven"] == 0


def test_killed_at_any_time_it_goes_on_where_it_was(deployment, chance):
    deployment.configure(commit={"max_records": 20})
    worker = deployment.worker()
    count = 1500
    write_letters(deployment, numbered(deployment, count))
    for _ in range(6):
        process = start(worker, "--rate", "1500")
        time.sleep(chance.uniform(0.05, 1.2))
        process.kill()
        process.communicate()
    redrive(worker)
    assert values_in(deployment) == Counter(f"v{n}".encode() for n in range(count))


def test_what_one_run_leaves_out_another_finds_and_neither_sends_it_twice(deployment):
    worker = deployment.worker()
    now = int(time.time() * 1000)
    letters = []
    for n in range(0, 120):
        cls = ("model_unavailable", "bad_schema", "bad_record")[n % 3]
        letters += numbered(deployment, 1, cls, first=n, when=now - (5 if n < 60 else 1) * HOUR_MS, tenant=b"a" if n % 2 else b"b")
    write_letters(deployment, letters)

    def expected(test):
        return Counter(f"v{n}".encode() for n in range(120) if test(n))

    before = values_in(deployment)
    report = redrive(worker, "--dry-run", "--class", "all")
    assert report["redriven"] == 120 and values_in(deployment) == before and redrive_offsets(deployment) == {}

    assert redrive(worker, "--class", "model_unavailable", "--since", "2h", "--header", "tenant=a")["redriven"] == 10
    sent = expected(lambda n: n % 3 == 0 and n >= 60 and n % 2)
    assert values_in(deployment) == sent
    assert redrive(worker, "--class", "model_unavailable,bad_schema", "--until", "2h")["redriven"] == 40
    sent += expected(lambda n: n % 3 != 2 and n < 60)
    assert values_in(deployment) == sent
    assert redrive(worker, "--limit", "7")["redriven"] == 7
    assert redrive(worker)["redriven"] == 80 - 10 - 40 - 7
    assert values_in(deployment) == expected(lambda n: n % 3 != 2), "the retryable ones, each once"
    assert redrive(worker, "--class", "all")["redriven"] == 40
    assert values_in(deployment) == expected(lambda n: True)
    assert redrive(worker, "--class", "bad_record", "--again")["redriven"] == 40
    assert redrive(worker, "--class", "all")["redriven"] == 0


def test_a_record_that_fails_each_time_is_left_after_some_rounds(deployment):
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    deployment.send([b"no JSON at all"], keys=[b"k"], ids=["x"])
    for rounds in range(1, 4):
        ledger.wait(rounds, timeout=60)
        assert len(ledger.dead_letters) == rounds
        count = ledger.dead_letters[-1].headers.get("pointsman-redrives")
        assert count == (None if rounds == 1 else str(rounds - 1).encode())
        report = redrive(worker, "--class", "bad_record", "--max-redrives", "2")
        assert report["redriven"] == (1 if rounds < 3 else 0)
    assert report["left"] == 1 and report["named"][0]["what"] == "loop"
    assert report["named"][0]["original_topic"] == deployment.input
    ledger.poll(2)
    assert len(ledger.dead_letters) == 3 and text_header(ledger.dead_letters[-1], SPRING + "original-topic") == deployment.input


def test_a_forged_topic_a_cut_value_and_anothers_letters_stay(deployment):
    worker = deployment.worker()
    other = deployment.topics["responses"]
    write_letters(
        deployment,
        [
            (b"a", b"good", letter_headers(deployment.input, 1), 0),
            (b"b", b"forged", letter_headers(other, 2), 0),
            (b"c", b"strange", letter_headers("\x1b[31mred\n", 3), 0),
            (b"d", b"unsaid", letter_headers(deployment.input, 4)[1:], 0),
            (b"e", b"cut", letter_headers(deployment.input, 5, pointsman_truncated=b"999"), 0),
            (b"f", b"spring", letter_headers(deployment.input, 6, "org.springframework.kafka.listener.ListenerExecutionFailedException"), 0),
        ],
    )
    report = redrive(worker)
    assert Counter(x["what"] for x in report["named"]) == {"foreign_topic": 3, "truncated": 1} and report["left"] == 4
    assert values_in(deployment) == {b"good": 1} and values_in(deployment, other) == {}
    out, _ = end(start(worker))
    assert "\x1b" not in out and "not from an input topic" in out and "the value was cut" in out
    assert redrive(worker, "--class", "other")["redriven"] == 1
    assert redrive(worker, "--to", other)["redriven"] == 3, "who says where to has his way"
    assert values_in(deployment, other) == {b"forged": 1, b"strange": 1, b"unsaid": 1}


def test_a_second_run_takes_over_and_the_first_says_so(deployment):
    deployment.configure(commit={"max_records": 20})
    worker = deployment.worker()
    write_letters(deployment, numbered(deployment, 400))
    first = start(worker, "--rate", "40")
    eventually(lambda: redrive_offsets(deployment), 60, "the first run has committed something")
    report = redrive(worker)
    _, talk = end(first, 1)
    assert "another redrive of group" in talk and "run it again" in talk
    assert report["redriven"] < 400
    assert values_in(deployment) == Counter(f"v{n}".encode() for n in range(400))


def test_interrupted_it_commits_what_it_began_and_says_how_far_it_came(deployment):
    worker = deployment.worker()
    write_letters(deployment, numbered(deployment, 300))
    process = start(worker, "--rate", "50", "--json")
    eventually(lambda: redrive_offsets(deployment), 60, "something was committed")
    process.send_signal(signal.SIGINT)
    out, talk = end(process, 1)
    report = json.loads(out)
    assert report["stopped"] and 0 < report["redriven"] < 300 and "interrupted" in talk
    assert sum(values_in(deployment).values()) == report["redriven"], "what it says is what is there"
    redrive(worker)
    assert values_in(deployment) == Counter(f"v{n}".encode() for n in range(300))


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--class", "model_unavailabel"], 2, 'did you mean "model_unavailable"?'),
        (["--class", "ok"], 2, "no dead letter has the class"),
        (["--since", "yesterday"], 2, "--since takes"),
        (["--limit", "0"], 2, "--limit takes"),
        (["--header", "tenant"], 2, "NAME=VALUE"),
        (["--to", "no.such.topic"], 3, "no.such.topic"),
    ],
)
def test_what_cannot_be_meant_is_refused(deployment, options, code, words):
    _, talk = end(start(deployment.worker(), *options), code)
    assert words in talk
