"""Workers with names of their own (kafka.instance): what static membership makes of a restart in the middle of a rebalance."""

from services import eventually


def test_a_partition_on_its_way_from_a_worker_that_dies_and_comes_back_is_not_left_to_nobody(deployment, modelsim):
    """The group remembers a static member, so its return is no rebalance. It died with a partition revoked from it and given to
    nobody yet, and nothing would make the group look again."""
    modelsim.configure(latency_ms=20)
    deployment.configure(kafka={"session_timeout": "30s"})  # that its session ran out would be a rebalance, too
    deployment.configure(kafka={"instance": deployment.name + "-a"})
    first = deployment.worker(env={"POINTSMAN_FAULT": "inside_revoke:1"}).start()
    sent = deployment.send_prompts(100)
    ledger = deployment.ledger().wait(100, timeout=60)
    deployment.configure(kafka={"instance": deployment.name + "-b"})
    second = deployment.worker().start(ready=False)
    eventually(lambda: not first.is_alive(), 60, "it dies while a partition is taken from it")
    del first.env["POINTSMAN_FAULT"]
    first.start(ready=False)
    sent.update(deployment.send_prompts(100, start=1000))
    ledger.wait(200, timeout=20)
    ledger.assert_exactly_once(sent)
    eventually(lambda: second.status()["stream"]["partitions"] == 2, 20, "each has its half")
    assert first.status()["stream"]["partitions"] == 2
