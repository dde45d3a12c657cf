"""A model that stalls, and what becomes of the others: shares of the waiting records, parking, priorities, far deadlines."""

import copy
import json
import subprocess
import time
from collections import Counter

import pytest

from conftest import PARTITIONS
from services import ModelSim, eventually
from worker import BINARY

SLOW, FAST = 240, 80  # four times what the worker holds come before the first fast one
LIMITS = {"concurrency": 4, "max_waiting": 16}
POLICY = {
    "name": "shares",
    "when_unsure": "slow",
    "routes": [{"name": "fast", "models": ["small"]}, {"name": "slow", "models": ["capable"]}],
    "stages": [{"rules": [{"name": "printers", "when": {"keywords": ["printer"]}, "route": "fast"}]}],
}


@pytest.fixture
def slow(run_folder):
    """The server of the model `capable`, which does not answer until it is told to."""
    service = ModelSim(run_folder)
    service.reset()
    service.configure(stall=1)
    yield service
    service.stop()


def prepare(deployment, slow, **limits):
    deployment.configure(kafka={"instance": deployment.name + "-0"}, engine={"max_jobs": 60})
    deployment.config["models"][1].update(base_url=slow.base_url, timeout="10m", limits={**LIMITS, **limits})


def send(deployment, prompts):
    """{id: prompt}"""
    return deployment.send([json.dumps({"id": i, "prompt": p}).encode() for i, p in prompts.items()], ids=list(prompts))


def send_all(deployment):
    sent = send(deployment, {f"slow-{i}": f"a question about taxes, number {i}" for i in range(SLOW)})
    return {**sent, **send(deployment, {f"fast-{i}": f"my printer is broken, number {i}" for i in range(FAST)})}


def answered(ledger, kind=""):
    ledger.poll(0.2)
    return {r.value["id"] for r in ledger.responses if r.value["status"] == "ok" and r.value["id"].startswith(kind)}


def model(worker, name="capable"):
    return next((m for m in worker.status()["models"] if m["name"] == name), None)


def assert_answered_once(deployment, ledger, sent):
    """One response each; one decision for each place, and one more for each that was parked, which names it."""
    ledger.poll(2)
    assert Counter(r.value["id"] for r in ledger.responses) == Counter(sent.values())
    assert {r.value["status"] for r in ledger.responses} == {"ok"} and not ledger.dead_letters
    first = {p: d for d in (d.value for d in ledger.decisions) if (p := place(d["source"]))[0] == deployment.input}
    back = Counter(place(d.value["parked_from"]) for d in ledger.decisions if d.value["parked_from"])
    parked = Counter(p for p, d in first.items() if d["outcome"] == "parked")
    assert {p[1:] for p in first} == sent.keys()
    assert back == parked, "each parked record came back once"
    assert len(ledger.decisions) == len(first) + len(back)
    return parked


def place(source):
    return source["topic"], source["partition"], source["offset"]


@pytest.mark.parametrize("reader", ["the same worker", "another deployment"])
def test_parked_records_wait_in_kafka_and_are_answered_once_whatever_dies(deployment, slow, reader):
    topic = deployment.name + ".parked"
    deployment.kafka.create_topics([topic], PARTITIONS)
    prepare(deployment, slow, when_full="park", park_topic=topic)
    if reader == "the same worker":
        deployment.configure(input={"topics": [deployment.input, topic]})
    workers = [deployment.worker(POLICY)]
    if reader == "another deployment":
        here = copy.deepcopy(deployment.config)
        deployment.configure(kafka={"group": deployment.name + "-parked"}, input={"topics": [topic]})
        deployment.config["models"][1]["limits"]["when_full"] = "wait"
        workers.append(deployment.worker(POLICY))
        deployment.config = here
    sent = send_all(deployment)
    ledger = deployment.ledger()
    for worker in workers:
        worker.start()
    eventually(lambda: len(answered(ledger, "fast")) == FAST, 120, "the fast model's records are answered while the other stalls")
    assert not answered(ledger, "slow")
    assert model(workers[0])["parked"] > 0
    assert workers[0].counter('pointsman_model_parked_total{model="capable"}') > 0
    for worker in workers:
        worker.kill()
        worker.start()
    slow.configure(stall=0, latency_ms=40)
    eventually(lambda: len(answered(ledger, "slow")) > SLOW // 4, 120, "the stalled model answers again")
    for worker in workers:
        worker.kill()
        worker.start()
    eventually(lambda: len(answered(ledger)) == len(sent), 120, "everything is answered")
    parked = assert_answered_once(deployment, ledger, sent)
    assert len(parked) >= SLOW - 60
    eventually(lambda: deployment.lag() == 0, 30, "lag 0 when all is done")


def test_next_asks_another_model_and_keeps_a_share_for_the_stalled_one(deployment, slow):
    prepare(deployment, slow, when_full="next")
    policy = copy.deepcopy(POLICY)
    policy["routes"][1]["on_error"] = ["small"]
    sent = send_all(deployment)
    ledger = deployment.ledger()
    worker = deployment.worker(policy).start()
    held = LIMITS["max_waiting"] + LIMITS["concurrency"]
    eventually(lambda: len(answered(ledger)) == len(sent) - held, 120, "all but the stalled model's share are answered")
    assert len(answered(ledger, "fast")) == FAST
    assert model(worker)["passed_over"] >= SLOW - held
    over = [d.value for d in ledger.decisions if d.value["route"] == "slow"]
    assert {(d["attempts"][0]["model"], d["attempts"][0]["outcome"], d["model"]) for d in over} == {("capable", "model_full", "small")}
    worker.kill()
    slow.configure(stall=0)
    worker.start()
    eventually(lambda: len(answered(ledger)) == len(sent), 120, "everything is answered")
    assert not assert_answered_once(deployment, ledger, sent)


def test_wait_isolates_nothing_and_says_so(deployment, slow):
    prepare(deployment, slow)
    sent = send_all(deployment)
    ledger = deployment.ledger()
    worker = deployment.worker(POLICY).start()
    eventually(lambda: model(worker)["waiting"] + model(worker)["calling"] == 60, 60, "the backlog fills the worker")
    assert len(worker.log_has("the backlog of one model fills the worker")) == 1
    assert len(answered(ledger)) < FAST
    slow.configure(stall=0)
    eventually(lambda: len(answered(ledger)) == len(sent), 120, "everything is answered")
    assert_answered_once(deployment, ledger, sent)


def test_a_later_record_of_higher_priority_takes_the_next_place(deployment, slow):
    prepare(deployment, slow, concurrency=1)
    ledger = deployment.ledger()
    worker = deployment.worker(POLICY).start()
    send(deployment, {"first": "a question about taxes"})
    eventually(lambda: model(worker)["calling"] == 1, 60, "the only place is taken")
    send(deployment, {f"plain-{i}": f"a question about taxes, number {i}" for i in range(6)})
    eventually(lambda: model(worker)["waiting"] == 6, 60, "six wait")
    deployment.send([json.dumps({"id": "urgent", "prompt": "a tax question", "priority": 9}).encode()], ids=["urgent"])
    eventually(lambda: model(worker)["waiting"] == 7, 60, "the urgent one waits too")
    slow.configure(stall=0, latency_ms=20)
    ledger.wait(8, timeout=60)
    order = sorted(ledger.decisions, key=lambda d: d.value["attempts"][0]["started_at"])
    assert [d.value["request_id"] for d in order[:2]] == ["first", "urgent"]


def test_a_retry_keeps_its_place_before_those_that_came_later(deployment, slow):
    prepare(deployment, slow, concurrency=1)
    slow.configure(stall=0, p429=1, retry_after=1)
    ledger = deployment.ledger()
    worker = deployment.worker(POLICY).start()
    send(deployment, {"retried": "a question about taxes"})
    eventually(lambda: model(worker)["retried"] == 1, 60, "it is to be tried again")
    slow.configure(stall=1, p429=0)
    send(deployment, {"between": "a question about taxes, while the place is free"})
    eventually(lambda: model(worker)["calling"] == 1, 60, "the only place is taken")
    send(deployment, {"later": "a question about taxes, while the place is taken"})
    eventually(lambda: model(worker)["waiting"] == 2, 60, "two wait")
    time.sleep(1.5)  # the retry is due
    slow.configure(stall=0, latency_ms=20)
    ledger.wait(3, timeout=60)
    calls = {d.value["request_id"]: d.value["attempts"] for d in ledger.decisions}
    assert len(calls["retried"]) == 2 and calls["retried"][1]["started_at"] < calls["later"][0]["started_at"]


def test_park_topics_are_made_and_asked_for(deployment, slow):
    topic = deployment.name + ".parked"
    prepare(deployment, slow, when_full="park", park_topic=topic)
    worker = deployment.worker(POLICY).start(ready=False)
    assert worker.process.wait(60) != 0
    assert f"output topic {topic} does not exist" in worker.log_text()
    made = subprocess.run([BINARY, "topics", "--create", "-c", worker.path], env=worker.environment(), capture_output=True, text=True)
    assert made.returncode == 0 and topic in made.stdout, made.stdout + made.stderr
    worker.start()


def test_a_deadline_of_next_year_holds_its_partition_no_longer_than_max_deadline(deployment, slow):
    prepare(deployment, slow)
    deployment.configure(engine={"max_deadline": "3s", "default_deadline": "2s"})
    next_year = int(time.time() * 1000) + 365 * 86_400_000
    value = json.dumps({"id": "far", "prompt": "a question about taxes", "deadline": next_year}).encode()
    sent = deployment.send([value], ids=["far"])
    ledger = deployment.ledger()
    deployment.worker(POLICY).start()
    ledger.wait(1, timeout=60)  # the model stalls all the time
    ledger.assert_exactly_once(sent)
    assert [r.value["status"] for r in ledger.responses] == ["expired"]
    eventually(lambda: deployment.lag() == 0, 30, "the partition goes on")
