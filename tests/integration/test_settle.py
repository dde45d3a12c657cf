"""A worker that dies in a transaction: readers and its successor do not wait for the minute that it would last."""

import pytest

from services import eventually


@pytest.mark.parametrize("point", ["after_produce", "after_send_offsets"])
def test_a_successor_ends_the_transaction_of_a_dead_owner(deployment, modelsim, point):
    modelsim.configure(latency_ms=40, sigma=0.5)
    deployment.configure(kafka={"session_timeout": "1s", "transaction_timeout": "60s"}, engine={"max_jobs": 40})
    sent, ledger = deployment.send_prompts(400), deployment.ledger()
    owner = deployment.worker(env={"POINTSMAN_FAULT": f"{point}:5:stop"}).start(ready=False)
    eventually(owner.is_stopped, 60, f"it stops at {point}")
    owner.kill()
    other = deployment.worker().start(timeout=45)
    ledger.wait(len(sent), timeout=45)
    ledger.assert_exactly_once(sent)
    assert other.log_has("settled what a dead worker left open"), other.log_tail()
