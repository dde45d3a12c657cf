"""What the worker depends on goes away and comes back: nothing is lost, it recovers by itself, and it says what is wrong."""

import json
import time

from prompts import prompts
from services import eventually


def send(deployment, count, start=0):
    requests = [{"id": f"r-{start + i}", "prompt": text} for i, text in enumerate(prompts(count))]
    return deployment.send([json.dumps(r).encode() for r in requests], ids=[r["id"] for r in requests])


def says(worker, *words):
    """Does a warning or error line of the log hold one of the words?"""
    return any(
        line.get("level") in ("warn", "warning", "error") and any(w in json.dumps(line).lower() for w in words)
        for line in worker.log_lines()
    )


def test_redis_dies_and_comes_back_and_nobody_notices_but_the_log(deployment, redis, records):
    deployment.configure(
        redis={"url": redis.url, "key_prefix": deployment.name},
        cache={"secret_env": "POINTSMAN_CACHE_SECRET", "near_entries": 16},
    )
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    sent = send(deployment, records // 2)
    ledger.wait(len(sent), timeout=60)
    redis.kill()
    try:
        sent.update(send(deployment, records // 2, start=10_000))
        ledger.wait(len(sent), timeout=60)
        assert worker.get("/readyz")[0] == 200, "Redis is no condition for being ready"
        assert says(worker, "redis")
    finally:
        redis.start()
    time.sleep(3)
    sent.update(send(deployment, records // 2, start=20_000))
    ledger.wait(len(sent), timeout=60)

    def back_in_use():
        start = 30_000 + len(sent)
        sent.update(send(deployment, 100, start=start))
        ledger.wait(len(sent), timeout=60)
        return any(d.value["cache"] == "far" for d in ledger.decisions if int(d.value["request_id"][2:]) >= start)

    eventually(back_in_use, 60, "decisions are read from Redis again")
    ledger.assert_exactly_once(sent)


def test_the_broker_restarts_and_the_worker_goes_on_by_itself(deployment, kafka, modelsim, records):
    modelsim.configure(latency_ms=50, sigma=0.5)
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    sent = send(deployment, records)
    eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= records // 10, 60, "a tenth decided")
    kafka.kill()
    try:
        eventually(lambda: worker.get("/readyz")[0] == 503, 60, "/readyz says no without a broker")
        assert worker.get("/healthz")[0] == 200, "the process itself is well"
        assert says(worker, "broker")
    finally:
        kafka.start()
    ledger.wait(records, timeout=120)
    eventually(lambda: worker.get("/readyz")[0] == 200, 60, "/readyz says yes again")
    sent.update(send(deployment, 100, start=10_000))
    ledger.wait(len(sent), timeout=60)
    ledger.assert_exactly_once(sent)


def test_a_model_that_stalls_delays_and_loses_nothing(deployment, modelsim, records):
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    modelsim.configure(stall=1)
    sent = send(deployment, records // 4)
    eventually(lambda: modelsim.stats()["in_flight"] > 0, 30, "calls on the wire")
    ledger.poll(3)
    assert not ledger.decisions, "a decision is published with its answer"
    assert worker.get("/readyz")[0] == 200
    modelsim.configure(stall=0)
    ledger.wait(len(sent), timeout=90)
    ledger.assert_exactly_once(sent)


def test_a_model_that_limits_and_fails_is_retried_and_replaced(deployment, modelsim, records):
    modelsim.configure(p429=0.1, p500=0.1, retry_after=1)
    deployment.worker().start()
    ledger = deployment.ledger()
    sent = send(deployment, records // 4)
    ledger.wait(len(sent), timeout=120)
    ledger.assert_exactly_once(sent)
    retried = [d.value for d in ledger.decisions if len(d.value["attempts"]) > 1]
    assert retried, "a fifth of the calls failed"
    for decision in retried:
        assert decision["attempts"][0]["http_status"] in (429, 500) and decision["attempts"][0]["error_class"]
    failed = [r.value for r in ledger.responses if r.value["status"] != "ok"]
    assert len(failed) <= len(sent) // 50, failed[:3]
    assert all(r["error"]["class"] and r["error"]["message"] for r in failed)


def test_a_broker_away_for_longer_than_the_watchdog_waits_is_no_reason_to_end(deployment, kafka, modelsim):
    """The call that sends offsets does not come back while no broker is there. It counts as hung only with a broker at hand."""
    deployment.configure(kafka={"transaction_timeout": "1s"})  # the watchdog then waits 32 s
    modelsim.configure(latency_ms=50, sigma=0)
    worker = deployment.worker(env={"POINTSMAN_FAULT": "after_produce:4:hang=4000"}).start()
    sent = deployment.send_prompts(300)
    eventually(lambda: worker.counter('pointsman_commits_total{result="committed"}') >= 3, 60, "it commits")
    kafka.kill()
    time.sleep(40)
    assert worker.is_alive(), worker.log_tail()
    kafka.start()
    ledger = deployment.ledger()
    ledger.wait(len(sent), timeout=120)
    ledger.assert_exactly_once(sent)
    assert worker.is_alive()
