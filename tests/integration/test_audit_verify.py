"""audit verify: it says that the promise holds when it does, finds every way of breaking it by its coordinates, and agrees with
the independent ledger."""

import json
import os
import struct
import subprocess
import time

import pytest

from services import eventually
from worker import BINARY

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
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

    worker, sent, ledger = finished(deployment)
    assert worker.stop() == 0
    skipped = deployment.send([b'{"id": "skipped", "prompt": "hello"}'], ids=["skipped"])
    ((partition, offset),) = skipped
    code, report = verify(worker)
    assert code == 0 and report["inputs"][0]["in_progress"] == 1, "not begun is not lost"
    request = ConsumerGroupTopicPartitions(deployment.name, [TopicPartition(deployment.input, partition, offset + 1)])
    admin = deployment.kafka.admin()
    (future,) = admin.alter_consumer_group_offsets([request]).values()
    future.result()
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
