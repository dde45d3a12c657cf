"""Workers with names of their own (kafka.instance): what their group remembers of them, and what it must not."""

import signal

from services import eventually


def named(deployment, name, **env):
    deployment.configure(kafka={"instance": f"{deployment.name}-{name}", "session_timeout": "30s"})
    return deployment.worker(env=env or None)


def owned(*workers):
    return [worker.status()["stream"]["partitions"] for worker in workers]


def test_a_partition_on_its_way_from_a_named_worker_that_dies_and_returns_finds_an_owner(deployment):
    """The group takes the worker back under its name with what it has on its list for it, and that is half of what it had: the
    other half was promised to nobody yet."""
    first = named(deployment, "a", POINTSMAN_FAULT="inside_revoke:1").start()
    sent = deployment.send_prompts(100)
    ledger = deployment.ledger().wait(len(sent), timeout=60)
    second = named(deployment, "b").start(ready=False)
    assert first.process.wait(60) == -signal.SIGKILL, "it dies when it is asked for half of its partitions"
    again = named(deployment, "a").start()
    sent.update(deployment.send_prompts(100, start=1000))
    ledger.wait(len(sent), timeout=25)  # of a session of 30 s
    ledger.assert_exactly_once(sent)
    eventually(lambda: owned(again, second) == [2, 2], 30, "each has its half")


def test_a_named_worker_that_restarts_keeps_its_partitions(deployment):
    first, second = named(deployment, "a").start(), named(deployment, "b").start()
    eventually(lambda: owned(first, second) == [2, 2], 30, "each has its half")
    first.kill()
    again = named(deployment, "a").start()
    eventually(lambda: owned(again, second) == [2, 2], 30, "as before")
    sent = deployment.send_prompts(100)
    deployment.ledger().wait(len(sent), timeout=25).assert_exactly_once(sent)
    assert not second.log_has("partitions revoked") and not again.log_has("partitions revoked")
