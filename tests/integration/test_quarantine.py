"""A record that brings the worker down is found and put aside; records that were only there are not."""

import json
import re
import time

import pytest

from ledger import dead_letter_class, dead_letter_source
from prompts import prompts
from services import eventually

POISON = "hemlock"


def send(deployment, count, poisoned=()):
    """One record a key; those of the numbers given hold the poison and have one key, so one partition."""
    requests = [{"id": f"r-{i}", "prompt": (POISON + " " if i in poisoned else "") + t} for i, t in enumerate(prompts(count))]
    keys = [b"poisoned" if i in poisoned else f"key-{i}".encode() for i in range(count)]
    return deployment.send([json.dumps(r).encode() for r in requests], keys=keys, ids=[r["id"] for r in requests])


def run_until_decided(worker, ledger, count, max_deaths, timeout=240):
    """Starts the worker anew whenever it has died. Returns how often it did."""
    deaths, end = 0, time.monotonic() + timeout
    worker.start(ready=False)
    while len(ledger.sources()) < count:
        ledger.poll(0.2)
        assert time.monotonic() < end, f"{len(ledger.sources())} of {count} decided after {deaths} deaths"
        if worker.is_alive():
            continue
        deaths += 1
        assert deaths <= max_deaths, "it dies without end"
        worker.start(ready=False)
    return deaths


def calls_in_flight(worker):
    return sum(int(n) for n in re.findall(r"^pointsman_model_calls_in_flight\{.*\} (\d+)", worker.get("/metrics")[1], re.MULTILINE))


@pytest.mark.parametrize("where", ["decode", "encode"])
def test_poisonous_records_become_dead_letters_and_nothing_else_does(deployment, modelsim, where):
    modelsim.configure(latency_ms=20)
    deployment.configure(kafka={"instance": deployment.name + "-0"})
    poisoned = (30, 33)
    sent = send(deployment, 200, poisoned)
    ledger = deployment.ledger()
    worker = deployment.worker(env={"POINTSMAN_POISON": f"{where}:{POISON}"})
    deaths = run_until_decided(worker, ledger, 200, max_deaths=25)
    ledger.poll(1)
    bad = {place for place, record_id in sent.items() if record_id in {f"r-{i}" for i in poisoned}}
    assert {dead_letter_source(d)[1:] for d in ledger.dead_letters} == bad and len(ledger.dead_letters) == len(bad)
    assert {dead_letter_class(d) for d in ledger.dead_letters} == {"crashed_worker"}
    # what must not be looked at has no id but its place
    named = {place: record_id if place not in bad else f"{deployment.input}-{place[0]}-{place[1]}" for place, record_id in sent.items()}
    ledger.assert_exactly_once(named)
    failed = [r.value for r in ledger.responses if r.value["status"] != "ok"]
    assert len(failed) == len(bad) and {r["error"]["class"] for r in failed} == {"crashed_worker"}
    assert "a record is worked on alone" in worker.log_text()
    print(f"{where}: {deaths} deaths")
    eventually(lambda: deployment.lag() == 0, 30, "lag 0 when all is done")
    send(deployment, 40)
    alone = worker.log_text().count("a record is worked on alone")
    ledger.wait(240, timeout=60)
    assert worker.log_text().count("a record is worked on alone") == alone, "back to normal"


def test_a_poisonous_record_is_found_under_at_least_once_too(deployment, modelsim):
    """Outputs are not fenced by a transaction: what was under way at a death may be there twice."""
    modelsim.configure(latency_ms=20)
    deployment.configure(kafka={"instance": deployment.name + "-0", "delivery": "at_least_once"})
    sent = send(deployment, 60, poisoned=(30,))
    ledger = deployment.ledger()
    worker = deployment.worker(env={"POINTSMAN_POISON": f"decode:{POISON}"})
    deaths = run_until_decided(worker, ledger, 60, max_deaths=12)
    ledger.poll(1)
    bad = {place for place, record_id in sent.items() if record_id == "r-30"}
    assert ledger.sources().keys() == sent.keys(), "lost 0"
    assert {dead_letter_source(d)[1:] for d in ledger.dead_letters} == bad
    assert {dead_letter_class(d) for d in ledger.dead_letters} == {"crashed_worker"}
    answered = {r.value["id"] for r in ledger.responses if r.value["status"] == "ok"}
    assert answered == {record_id for record_id in sent.values() if record_id != "r-30"}
    eventually(lambda: deployment.lag() == 0, 30, "lag 0 when all is done")
    print(f"at least once: {deaths} deaths")


def test_kills_that_hit_whoever_is_alone_condemn_nobody(deployment, modelsim):
    """The worst of all random kills: each comes while a record is alone in the worker, and calls are long."""
    modelsim.configure(latency_ms=2500)
    deployment.configure(kafka={"instance": deployment.name + "-0"})
    sent = send(deployment, 24)
    ledger = deployment.ledger()
    worker = deployment.worker()
    hits = 0
    for _ in range(10):
        seen = worker.log_text().count("a record is worked on alone")
        called = modelsim.stats()["calls"]
        worker.start(ready=False)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            if worker.log_text().count("a record is worked on alone") > seen:
                hits += 1
                time.sleep(0.3)
                assert calls_in_flight(worker) <= 1, "alone in the worker"
                break
            if hits == 0 and modelsim.stats()["calls"] > called:
                time.sleep(0.3)
                assert calls_in_flight(worker) > 1, "not alone yet"
                break
            time.sleep(0.05)
        worker.kill()
    assert hits >= 2, "kills did hit records that were alone"
    modelsim.configure(latency_ms=50)
    worker.start(ready=False)
    ledger.wait(24, timeout=120)
    ledger.assert_exactly_once(sent)
    assert not ledger.dead_letters
    eventually(lambda: deployment.lag() == 0, 30, "lag 0 when all is done")


def test_ten_random_kills_make_no_dead_letter(deployment, modelsim, chance):
    modelsim.configure(latency_ms=400, sigma=0.7)
    deployment.configure(kafka={"instance": deployment.name + "-0"})
    sent = send(deployment, 300)
    ledger = deployment.ledger()
    worker = deployment.worker()
    for _ in range(10):
        worker.start(ready=False)
        time.sleep(chance.uniform(0.3, 3))
        worker.kill()
    worker.start()
    ledger.wait(300, timeout=240)
    ledger.assert_exactly_once(sent)
    assert not ledger.dead_letters
