"""audit verify: it says that the promise holds when it does, finds every way of breaking it by its coordinates, and agrees with
the independent ledger."""

import copy
import json
import os
import struct
import subprocess
import time
import uuid

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition

from conftest import PARTITIONS
from services import eventually
from worker import BINARY, POLICY, merge

COUNT = 120


def verify(worker, *options):
    """(exit code, the JSON object)"""
    env = {**os.environ, "POINTSMAN_CACHE_SECRET": "a-secret-for-tests-only-0123456789abcdef", "MODEL_KEY": "sk-for-tests"}
    run = subprocess.run([BINARY, "audit", "verify", "-c", worker.path, "--json", *options], capture_output=True, text=True, env=env, timeout=120)
    assert run.returncode in (0, 4), run.stderr
    return run.returncode, json.loads(run.stdout)


def finished(deployment, count=COUNT, registry=None, config=None):
    deployment.configure(**(config or {}))
    worker = deployment.worker().start()
    sent = deployment.send_prompts(count)
    ledger = deployment.ledger(registry).wait(count, timeout=60)
    eventually(lambda: deployment.lag() == 0, 30, "lag 0")
    return worker, sent, ledger


def forge(deployment, topic, value, partition, headers=None):
    """The offset of a record that nobody but a forger wrote."""
    offsets = []
    producer = deployment.kafka.producer()
    producer.produce(topic, value=value, partition=partition, headers=headers, on_delivery=lambda e, m: offsets.append(m.offset()))
    assert producer.flush(30) == 0
    return offsets[0]


def one_more(deployment):
    """(partition, offset) of a record that is sent while no worker runs."""
    (place,) = deployment.send([b'{"id": "skipped", "prompt": "hello"}'], ids=["skipped"])
    return place


def skip(deployment, partition, offset):
    """The group has finished with the record, says another tool."""
    request = ConsumerGroupTopicPartitions(deployment.name, [TopicPartition(deployment.input, partition, offset + 1)])
    admin = deployment.kafka.admin()
    (future,) = admin.alter_consumer_group_offsets([request]).values()
    future.result()


def read_topic(deployment, topic, count):
    """So many committed records of the topic."""
    seen = []
    consumer = Consumer({"bootstrap.servers": deployment.kafka.address, "group.id": "reader-of-" + topic, "isolation.level": "read_committed"})
    try:
        consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        eventually(lambda: seen.extend(m for m in consumer.consume(1000, 0.2) if m.error() is None) or len(seen) >= count, 60, f"{count} in {topic}")
    finally:
        consumer.close()
    return seen


def only(report, fault, count=1):
    assert {k: n for k, n in report["faults"].items() if n} == {fault: count}, report["faults"]
    return [o for o in report["offences"] if o["fault"] == fault]


@pytest.mark.parametrize("form", ["json", "avro-single-object", "avro-confluent"])
def test_a_correct_run_verifies_in_every_format(deployment, request, form):
    registry = request.getfixturevalue("registry") if form == "avro-confluent" else None
    config = {"output": {"format": form}}
    if registry:
        config["registry"] = {"url": registry.address}
    worker, sent, ledger = finished(deployment, registry=registry, config=config)
    deployment.send([b"not a record", b'{"id": "empty"}'])
    ledger.wait(COUNT + 2, timeout=60)
    eventually(lambda: deployment.lag() == 0, 30, "lag 0")
    code, report = verify(worker)
    assert code == 0 and report["holds"], report
    (figures,) = report["inputs"]
    assert figures["records"] == figures["decided"] == len(ledger.decisions) == COUNT + 2
    assert figures["ok"] == COUNT and figures["undecodable"] == 1 and figures["rejected"] == 1
    assert figures["dead_letters"] == len(ledger.dead_letters) == 2
    assert figures["in_progress"] == figures["unknown"] == 0 and not report["not_checked"]
    assert report["model_calls"] == sum(len(d.value["attempts"]) for d in ledger.decisions)
    assert verify(worker) == (code, report), "the same topics give the same words"


def test_every_forgery_is_named_by_its_coordinates(deployment):
    worker, sent, ledger = finished(deployment)
    assert verify(worker)[0] == 0
    response, decision = ledger.responses[7], ledger.decisions[11]
    at = forge(deployment, deployment.topics["responses"], response.raw, response.partition)
    code, report = verify(worker)
    assert code == 4
    (offence,) = only(report, "response_twice")
    assert offence["place"] == {"topic": deployment.topics["responses"], "partition": response.partition, "offset": at}
    at = forge(deployment, deployment.topics["decisions"], decision.raw, decision.partition)
    code, report = verify(worker)
    assert code == 4 and report["faults"]["twice"] == 1
    (offence,) = [o for o in report["offences"] if o["fault"] == "twice"]
    assert offence["place"]["offset"] == at
    assert (offence["record"]["partition"], offence["record"]["offset"]) == (
        decision.value["source"]["partition"],
        decision.value["source"]["offset"],
    )


def test_orphans_and_what_cannot_be_read_are_named(deployment):
    worker, sent, ledger = finished(deployment)
    (partition, offset) = next(iter(sent))
    headers = [
        ("kafka_dlt-original-topic", deployment.input.encode()),
        ("kafka_dlt-original-partition", struct.pack(">i", partition)),
        ("kafka_dlt-original-offset", struct.pack(">q", offset)),
    ]
    letter = forge(deployment, deployment.topics["dead_letters"], b"x", 0, headers)
    code, report = verify(worker)
    assert code == 4
    (offence,) = only(report, "wrong_dead_letter")
    assert offence["place"]["offset"] == letter and offence["record"]["offset"] == offset
    stranger = {**ledger.responses[0].value, "decision_id": "0190-nobody"}
    orphan = forge(deployment, deployment.topics["responses"], json.dumps(stranger).encode(), 1)
    beyond = {**ledger.decisions[0].value, "decision_id": "0190-beyond"}
    beyond["source"] = {**beyond["source"], "offset": 1_000_000}
    ghost = forge(deployment, deployment.topics["decisions"], json.dumps(beyond).encode(), 2)
    forge(deployment, deployment.topics["decisions"], b"rubbish", 3)
    code, report = verify(worker)
    assert code == 4
    found = {o["fault"]: o.get("place", {}).get("offset") for o in report["offences"]}
    assert found["orphan_response"] == orphan and found["orphan_decision"] == ghost
    assert report["faults"]["unreadable"] == 1 and f"{deployment.topics['decisions']}-3@" in report["unreadable"][0]


def test_a_record_that_the_group_skipped_is_lost(deployment):
    worker, sent, ledger = finished(deployment)
    assert worker.stop() == 0
    partition, offset = one_more(deployment)
    code, report = verify(worker)
    assert code == 0 and report["inputs"][0]["in_progress"] == 1, "not begun is not lost"
    skip(deployment, partition, offset)
    code, report = verify(worker)
    assert code == 4
    (offence,) = only(report, "lost")
    assert offence["record"] == {"topic": deployment.input, "partition": partition, "offset": offset}


def test_a_running_worker_is_in_progress_and_loses_nothing(deployment, modelsim, records):
    modelsim.configure(latency_ms=60, sigma=0.7)
    worker = deployment.configure(engine={"max_jobs": 50}).worker().start()
    sent = deployment.send_prompts(records)
    seen = set()
    for _ in range(4):
        code, report = verify(worker)
        assert code == 0, report
        seen.add(report["inputs"][0]["in_progress"] > 0)
    assert True in seen, "at least one look fell into the run"
    ledger = deployment.ledger().wait(records, timeout=120)
    ledger.assert_exactly_once(sent)
    eventually(lambda: deployment.lag() == 0, 30, "lag 0")
    code, report = verify(worker)
    assert code == 0 and report["inputs"][0]["decided"] == len(ledger.decisions) == records


def test_the_table_says_the_same_and_needs_no_keys(deployment):
    worker, sent, ledger = finished(deployment)
    env = {k: v for k, v in os.environ.items() if k not in ("POINTSMAN_CACHE_SECRET", "MODEL_KEY")}
    command = [BINARY, "audit", "verify", "-c", worker.path]
    run = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)
    assert run.returncode == 0, run.stderr
    heads, row = (line.split("  ") for line in run.stdout.splitlines()[:2])
    heads, row = ([cell.strip() for cell in cells if cell.strip()] for cells in (heads, row))
    figures = dict(zip(heads, row))
    assert figures["input"] == deployment.input and figures["records"] == figures["decided"] == figures["ok"] == str(COUNT)
    assert figures["in progress"] == figures["unknown"] == figures["dead letters"] == "0"
    assert run.stdout.endswith("\nthe promise holds\n")
    again = ledger.responses[0]
    at = forge(deployment, deployment.topics["responses"], again.raw, again.partition)
    run = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)
    assert run.returncode == 4 and run.stdout.endswith("\nthe promise is broken\n")
    assert f"\nresponse_twice: 1\n  {deployment.input}-" in run.stdout
    assert f", see {deployment.topics['responses']}-{again.partition}@{at}: answered more than once\n" in run.stdout


def test_a_window_of_time_holds_the_records_of_that_time(deployment):
    worker, sent, ledger = finished(deployment)
    time.sleep(1.1)
    mark = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time()))
    time.sleep(0.2)
    deployment.send_prompts(30, start=COUNT)
    ledger.wait(COUNT + 30, timeout=60)
    eventually(lambda: deployment.lag() == 0, 30, "lag 0")
    for options, records in [
        ([], COUNT + 30),
        (["--since", mark], 30),
        (["--until", mark], COUNT),
        (["--since", "1h"], COUNT + 30),
        (["--since", "1h", "--until", mark], COUNT),
        (["--until", "2020-01-01"], 0),
        (["--since", "2099-01-01T00:00Z"], 0),
    ]:
        code, report = verify(worker, *options)
        assert code == 0, (options, report)
        assert [i["records"] for i in report["inputs"]] == [records] and report["inputs"][0]["decided"] == records, (options, report)


@pytest.mark.parametrize("ordering", ["key", "none"])
def test_keys_out_of_their_order_are_found_when_order_was_asked_for(deployment, modelsim, ordering):
    """Read as if order by key had been promised, over a run that kept it and one that did not."""
    modelsim.configure(latency_ms=20, sigma=0.9)
    deployment.configure(input={"ordering": ordering})
    worker = deployment.worker().start()
    ids = [f"r-{i}" for i in range(COUNT)]
    deployment.send([json.dumps({"id": i, "prompt": f"about {i}"}).encode() for i in ids], keys=[b"hot-%d" % (n % 6) for n in range(COUNT)], ids=ids)
    ledger = deployment.ledger().wait(COUNT, timeout=120)
    eventually(lambda: deployment.lag() == 0, 30, "lag 0")
    config = json.loads(worker.path.read_text())
    config["input"]["ordering"] = "key"
    worker.path.write_text(json.dumps(config))
    late, highest = 0, {}
    for record in sorted(ledger.decisions, key=lambda r: (r.partition, r.offset)):
        source = record.value["source"]
        run = (source["partition"], record.key)
        late += source["offset"] < highest.get(run, -1)
        highest[run] = max(source["offset"], highest.get(run, -1))
    code, report = verify(worker)
    assert report["faults"]["out_of_order"] == late, report["faults"]
    assert (code, late > 0) == ((0, False) if ordering == "key" else (4, True))


def with_people(deployment):
    """(policy with a route to a topic for everyday questions, the topic)"""
    topic = deployment.name + ".people"
    deployment.kafka.create_topics([topic], PARTITIONS)
    policy = copy.deepcopy(POLICY)
    policy["routes"].append({"name": "people", "topic": topic})
    policy["stages"][0]["rules"][0]["route"] = "people"
    return policy, topic


def forwarded(deployment, registry=None):
    """A finished run of which a part went to people: (worker, policy, topic, ledger, what stands in the topic)"""
    policy, topic = with_people(deployment)
    worker = deployment.worker(policy).start()
    deployment.send_prompts(COUNT)
    ledger = deployment.ledger(registry).wait(COUNT, timeout=60)
    eventually(lambda: deployment.lag() == 0, 30, "lag 0")
    count = sum(d.value["outcome"] == "forwarded" for d in ledger.decisions)
    assert 0 < count < COUNT, "some are everyday questions"
    return worker, policy, topic, ledger, read_topic(deployment, topic, count)


@pytest.mark.parametrize("form", ["json", "avro-single-object", "avro-confluent"])
def test_a_record_routed_to_a_topic_is_there_exactly_once_in_every_format(deployment, request, form):
    registry = request.getfixturevalue("registry") if form == "avro-confluent" else None
    deployment.configure(output={"format": form}, **({"registry": {"url": registry.address}} if registry else {}))
    worker, policy, topic, ledger, records = forwarded(deployment, registry)
    forge(deployment, topic, b"somebody else's record", 0)
    code, report = verify(worker)
    assert code == 0, report
    (figures,) = report["inputs"]
    assert figures["forwarded"] == figures["in_topics"] == len(records) and figures["ok"] == COUNT - len(records)
    assert report["foreign_forwards"] == 1 and not report["not_checked"]
    again = records[3]
    at = forge(deployment, topic, again.value(), again.partition())
    code, report = verify(worker)
    assert code == 4
    (offence,) = only(report, "forward_twice")
    assert offence["place"] == {"topic": topic, "partition": again.partition(), "offset": at}
    assert (offence["record"]["topic"], report["inputs"][0]["in_topics"]) == (deployment.input, len(records) + 1)


def test_a_forwarded_record_that_is_not_in_its_topic_is_named(deployment):
    worker, policy, topic, ledger, records = forwarded(deployment)
    assert worker.stop() == 0
    partition, offset = one_more(deployment)
    skip(deployment, partition, offset)
    like = next(d for d in ledger.decisions if d.value["outcome"] == "forwarded")
    answer = next(r for r in ledger.responses if r.value["decision_id"] == like.value["decision_id"])
    nobody = str(uuid.uuid4())
    decision = merge(copy.deepcopy(like.value), {"decision_id": nobody, "source": {"partition": partition, "offset": offset}})
    forge(deployment, deployment.topics["responses"], json.dumps({**answer.value, "decision_id": nobody}).encode(), partition)
    at = forge(deployment, deployment.topics["decisions"], json.dumps(decision).encode(), partition)
    code, report = verify(worker)
    assert code == 4
    (offence,) = only(report, "no_forward")
    assert offence["record"] == {"topic": deployment.input, "partition": partition, "offset": offset}
    assert offence["place"] == {"topic": deployment.topics["decisions"], "partition": partition, "offset": at}
    stranger = {"request": {}, "decision": merge(copy.deepcopy(decision), {"decision_id": str(uuid.uuid4())})}
    at = forge(deployment, topic, json.dumps(stranger).encode(), 1)
    code, report = verify(worker)
    (offence,) = only(report, "wrong_forward")
    assert code == 4 and offence["place"] == {"topic": topic, "partition": 1, "offset": at}
    del policy["routes"][-1]
    policy["stages"][0]["rules"][0]["route"] = "quick"
    (worker.folder / "policy.yaml").write_text(json.dumps(policy))
    code, report = verify(worker)
    assert code == 0 and report["inputs"][0]["in_topics"] == 0, report
    assert report["not_checked"] == [f"{len(records) + 1} records went to topics that the policy's routes and the models do not name now"]


def test_a_parked_record_is_in_its_park_topic_exactly_once(deployment, modelsim):
    modelsim.configure(stall=1)
    topic = deployment.name + ".parked"
    deployment.kafka.create_topics([topic], PARTITIONS)
    deployment.configure(input={"topics": [deployment.input, topic]})
    for model in deployment.config["models"]:
        model["limits"] = {"concurrency": 4, "max_waiting": 16, "when_full": "park", "park_topic": topic}
    worker = deployment.worker().start()
    deployment.send_prompts(COUNT)
    ledger = deployment.ledger()
    eventually(lambda: ledger.poll(0.2) or len(ledger.decisions) >= COUNT - 40, 60, "what finds no place is parked")
    code, report = verify(worker)
    assert code == 0, report
    parked = report["inputs"][0]["in_topics"]
    assert parked >= COUNT - 40 and report["inputs"][0]["in_progress"] == COUNT
    modelsim.configure(stall=0)
    eventually(lambda: ledger.poll(0.2) or len(ledger.responses) == COUNT, 120, "all is answered")
    eventually(lambda: deployment.lag() == 0, 30, "lag 0")
    records = read_topic(deployment, topic, parked)
    code, report = verify(worker)
    assert code == 0 and report["inputs"][0]["ok"] == COUNT and report["inputs"][0]["in_topics"] == len(records), report
    assert worker.stop() == 0
    at = forge(deployment, topic, records[0].value(), records[0].partition(), records[0].headers())
    code, report = verify(worker)
    assert code == 4
    (offence,) = only(report, "forward_twice")
    assert offence["place"] == {"topic": topic, "partition": records[0].partition(), "offset": at}
