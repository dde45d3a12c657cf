"""Workers die and come at random moments: still one response and one decision for each record."""

import json
import time

from prompts import prompts
from services import eventually

MAX_JOBS = 100


def start_load(deployment, modelsim, count):
    modelsim.configure(latency_ms=40, sigma=0.7)
    deployment.configure(engine={"max_jobs": MAX_JOBS}, kafka={"session_timeout": "2s", "transaction_timeout": "5s"})
    requests = [{"id": f"r-{i}", "prompt": text} for i, text in enumerate(prompts(count))]
    return deployment.send([json.dumps(r).encode() for r in requests], ids=[r["id"] for r in requests])


def test_three_kills_and_a_second_worker_joining_and_leaving(deployment, modelsim, records, chance):
    count = 3 * records
    sent = start_load(deployment, modelsim, count)
    ledger = deployment.ledger()
    first = deployment.worker().start()
    kills = 0
    marks = sorted(chance.uniform(0.05, 0.6) for _ in range(3))
    second = None
    for mark in marks:
        eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= mark * count, 120, f"{mark:.0%} decided")
        time.sleep(chance.uniform(0, 0.3))
        first.kill()
        kills += 1
        if second is None:
            second = deployment.worker().start(ready=False)
        first.start(ready=False)
    eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= 0.75 * count, 120, "three quarters decided")
    assert second.stop() == 0, "the second worker leaves in order"
    ledger.wait(count, timeout=120)
    ledger.assert_exactly_once(sent)
    stats = modelsim.stats()
    repeated = stats["dup_record_calls"]
    assert stats["distinct"] == stats["distinct_records"] == count, "a record has one idempotency key, whoever calls for it"
    assert repeated <= kills * MAX_JOBS, f"{repeated} repeated calls of at most {kills} x {MAX_JOBS}"
    eventually(lambda: deployment.lag() == 0, 30, "lag 0 when all is done")


def test_ten_quick_kills_of_the_only_worker_lose_and_double_nothing(deployment, modelsim, records, chance):
    count = records
    deployment.configure(kafka={"instance": deployment.name + "-0"})
    sent = start_load(deployment, modelsim, count)
    ledger = deployment.ledger()
    worker = deployment.worker()
    for _ in range(10):
        worker.start(ready=False)
        time.sleep(chance.uniform(0.1, 1.5))
        worker.kill()
    worker.start()
    ledger.wait(count, timeout=120)
    ledger.assert_exactly_once(sent)
    assert not ledger.dead_letters, "random kills make no record a suspect"


def test_a_worker_that_was_stopped_for_long_cannot_commit_what_it_lost(deployment, modelsim, records):
    import signal

    count = records
    sent = start_load(deployment, modelsim, count)
    ledger = deployment.ledger()
    zombie = deployment.worker().start()
    eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= 0.1 * count, 60, "a tenth decided")
    zombie.signal(signal.SIGSTOP)
    deployment.worker().start(timeout=90)
    eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= 0.5 * count, 120, "half decided by the other")
    zombie.signal(signal.SIGCONT)
    ledger.wait(count, timeout=120)
    ledger.assert_exactly_once(sent)
    assert zombie.is_alive(), "it rejoins"
