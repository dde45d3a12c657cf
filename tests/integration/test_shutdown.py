"""How a worker ends: it finishes what is on the wire, commits, and leaves; hurried, it leaves the rest to its successor."""

import json
import signal
import time

from prompts import prompts
from services import eventually


def send(deployment, count, start=0):
    requests = [{"id": f"r-{start + i}", "prompt": text} for i, text in enumerate(prompts(count))]
    return deployment.send([json.dumps(r).encode() for r in requests], ids=[r["id"] for r in requests])


def test_an_idle_worker_ends_at_once_with_code_0(deployment):
    for number in (signal.SIGTERM, signal.SIGINT):
        worker = deployment.worker().start()
        begin = time.monotonic()
        worker.signal(number)
        assert worker.process.wait(30) == 0
        assert time.monotonic() - begin < 15


def test_sigterm_finishes_the_calls_on_the_wire_and_repeats_none(deployment, modelsim):
    modelsim.configure(latency_ms=1500)
    deployment.configure(engine={"max_jobs": 50})
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    sent = send(deployment, 150)
    eventually(lambda: modelsim.stats()["in_flight"] >= 20, 30, "calls on the wire")
    assert worker.stop(timeout=40) == 0
    ledger.poll(2)
    finished = len(ledger.decisions)
    assert 20 <= finished < 150, finished
    deployment.worker().start()
    ledger.wait(150, timeout=60)
    ledger.assert_exactly_once(sent)
    assert modelsim.stats()["dup_record_calls"] == 0, "every call that was made was used"


def test_a_second_sigterm_gives_up_calls_that_do_not_come_back(deployment, modelsim):
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    sent = send(deployment, 30)
    ledger.wait(30, timeout=60)
    modelsim.configure(stall=1)
    sent.update(send(deployment, 30, start=30))
    eventually(lambda: modelsim.stats()["in_flight"] > 0, 30, "calls on the wire")
    worker.signal(signal.SIGTERM)
    time.sleep(1)
    assert worker.is_alive(), "it waits for its calls"
    worker.signal(signal.SIGTERM)
    assert worker.process.wait(30) == 0
    modelsim.configure(stall=0)
    deployment.worker().start()
    ledger.wait(60, timeout=60)
    ledger.assert_exactly_once(sent)
    eventually(lambda: deployment.lag() == 0, 30, "lag 0 when all is done")


def test_sighup_takes_a_good_policy_and_refuses_a_bad_one(deployment):
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    path = worker.folder / "policy.yaml"
    good = path.read_text()
    send(deployment, 1)
    ledger.wait(1, timeout=60)
    path.write_text(good.replace('"quick"', '"qiuck"', 1))
    worker.signal(signal.SIGHUP)
    eventually(lambda: "the old one stays" in worker.log_text(), 20, "the bad policy refused")
    path.write_text(good.replace('"printer"', '"zeppelin"'))
    worker.signal(signal.SIGHUP)
    eventually(lambda: "policy reloaded" in worker.log_text(), 20, "the good policy taken")
    deployment.send([json.dumps({"id": "z", "prompt": "The zeppelin is late"}).encode()], ids=["z"])
    ledger.wait(2, timeout=60)
    before, after = sorted(ledger.decisions, key=lambda d: d.value["request_id"] == "z")
    assert after.value["route"] == "quick"
    assert before.value["policy"]["decision_version"] != after.value["policy"]["decision_version"]
