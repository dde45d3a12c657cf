"""Order by key: whatever dies and whoever joins, the answers of a key come in the order of its records."""

import json
import time
from collections import defaultdict

import pytest

from conftest import PARTITIONS
from prompts import prompts
from services import eventually

QUICK = {"session_timeout": "2s", "transaction_timeout": "5s"}


def send(deployment, keys):
    """One record a key of the list, in that order; ids r-0, r-1, ..."""
    requests = [{"id": f"r-{i}", "prompt": text} for i, text in enumerate(prompts(len(keys)))]
    return deployment.send([json.dumps(r).encode() for r in requests], keys=keys, ids=[r["id"] for r in requests])


def swapped_keys(ledger, sent, keys):
    """The keys whose responses do not come in the order of their records."""
    source = {record_id: place for place, record_id in sent.items()}
    key_of = {f"r-{i}": key for i, key in enumerate(keys)}
    seen = defaultdict(list)
    for response in sorted(ledger.responses, key=lambda r: (r.partition, r.offset)):
        record_id = response.value["id"]
        assert response.key == key_of[record_id]
        seen[response.key].append(source[record_id])
    return {key: places for key, places in seen.items() if key is not None and places != sorted(places)}


def finish(deployment, ledger, sent, keys, timeout=120):
    ledger.wait(len(keys), timeout=timeout)
    ledger.assert_exactly_once(sent)
    assert not swapped_keys(ledger, sent, keys)
    eventually(lambda: deployment.lag() == 0, 30, "lag 0 when all is done")


@pytest.mark.parametrize("ordering", ["key", "none"])
def test_hot_keys_are_answered_in_order_when_that_is_asked_for(deployment, modelsim, records, chance, ordering):
    modelsim.configure(latency_ms=30, sigma=1.0)
    keys = [f"k{chance.randrange(30)}".encode() if chance.random() < 0.9 else None for _ in range(records)]
    deployment.configure(input={"ordering": ordering})
    sent = send(deployment, keys)
    ledger = deployment.ledger()
    deployment.worker().start()
    ledger.wait(records, timeout=120)
    ledger.assert_exactly_once(sent)
    assert bool(swapped_keys(ledger, sent, keys)) == (ordering == "none")


def test_the_order_outlives_kills_a_worker_that_joins_and_one_that_leaves(deployment, modelsim, records, chance):
    modelsim.configure(latency_ms=40, sigma=1.0)
    deployment.configure(input={"ordering": "key"}, engine={"max_jobs": 150}, kafka=QUICK)
    keys = [f"k{int(chance.paretovariate(0.7)) % 60}".encode() for _ in range(records)]
    sent = send(deployment, keys)
    ledger = deployment.ledger()
    first = deployment.worker().start()
    second = deployment.worker()
    for i, mark in enumerate(sorted(chance.uniform(0.05, 0.6) for _ in range(3))):
        eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= mark * records, 120, f"{mark:.0%} decided")
        time.sleep(chance.uniform(0, 0.3))
        first.kill()
        if i == 0:
            second.start(ready=False)
        first.start(ready=False)
    eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= 0.75 * records, 120, "three quarters decided")
    assert second.stop() == 0, "the second worker leaves in order"
    finish(deployment, ledger, sent, keys)


def test_a_worker_that_drains_begins_nothing_that_waited_for_its_key(deployment, modelsim):
    modelsim.configure(latency_ms=1500)
    deployment.configure(input={"ordering": "key"})
    keys = [f"k{i % 4}".encode() for i in range(40)]
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    sent = send(deployment, keys)
    eventually(lambda: modelsim.stats()["in_flight"] == 4, 30, "one call for each key")
    assert worker.stop(timeout=40) == 0
    ledger.poll(2)
    assert len(ledger.decisions) <= 8, "no more than what was on the wire, and what followed before the signal"
    modelsim.configure(latency_ms=0)
    deployment.worker().start()
    finish(deployment, ledger, sent, keys)
    assert modelsim.stats()["dup_record_calls"] == 0, "what waited was never called for"


def test_a_key_whose_call_hangs_holds_up_itself_and_no_other_key(deployment, modelsim):
    modelsim.configure(latency_ms=0)
    deployment.configure(input={"ordering": "key"}, engine={"max_jobs": 400}, kafka=QUICK)
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    sent = send(deployment, [b"warm"] * PARTITIONS)
    ledger.wait(PARTITIONS, timeout=60)
    modelsim.configure(latency_ms=25000)
    hot = deployment.send([json.dumps({"id": "hot-0", "prompt": "hot"}).encode()], keys=[b"hot"], ids=["hot-0"])
    eventually(lambda: modelsim.stats()["in_flight"] == 1, 30, "the call that hangs")
    modelsim.configure(latency_ms=0)
    behind = [json.dumps({"id": f"hot-{i}", "prompt": f"hot {i}"}).encode() for i in range(1, 41)]
    others = [json.dumps({"id": f"o-{i}", "prompt": f"other {i}"}).encode() for i in range(800)]
    values = [v for i, v in enumerate(others) for v in ([behind[i // 20], v] if i % 20 == 0 else [v])]
    ids = [json.loads(v)["id"] for v in values]
    sent2 = deployment.send(values, keys=[b"hot" if i.startswith("hot") else i.encode() for i in ids], ids=ids)
    ledger.wait(PARTITIONS + 800, timeout=60)
    done = {r.value["id"] for r in ledger.responses}
    assert {f"o-{i}" for i in range(800)} <= done, "every other key is done"
    assert not [i for i in done if i.startswith("hot")], "and none of the key whose call hangs"
    assert worker.is_alive()
    worker.kill()
    deployment.worker().start()
    ledger.wait(PARTITIONS + 841, timeout=60)
    ledger.assert_exactly_once({**sent, **hot, **sent2})
    order = [int(r.value["id"][4:]) for r in ledger.responses if r.value["id"].startswith("hot")]
    assert order == list(range(41))
