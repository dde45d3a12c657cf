"""The new group protocol (kafka.group_protocol: consumer), on a newer librdkafka than the one compiled against; and the classic one
on that library."""

import signal

import pytest

from services import eventually, newer_librdkafka

COMMITTED = "pointsman_records_committed_total"


@pytest.fixture(params=["consumer"])
def group(deployment, request):
    """A deployment of that protocol. Session, heartbeat and assignor are the broker's in the new one."""
    if request.param == "consumer":
        deployment.configure(kafka={"group_protocol": "consumer", "session_timeout": None, "transaction_timeout": "5s"})
    deployment.env = {"LD_LIBRARY_PATH": newer_librdkafka()}
    return deployment


def protocol_of(group):
    admin = group.kafka.admin()
    (future,) = admin.describe_consumer_groups([group.name]).values()
    return future.result().type.name


@pytest.mark.parametrize("group", ["classic", "consumer"], indirect=True)
def test_the_main_job_with_a_newer_library(group, request):
    worker = group.worker(env=group.env).start()
    sent = group.send_prompts(500)
    ledger = group.ledger().wait(len(sent), timeout=90)
    ledger.assert_exactly_once(sent)
    assert protocol_of(group).lower() == request.node.callspec.params["group"]
    assert not worker.log_has("older librdkafka"), "the newer one is really used"
    assert worker.stop() == 0
    assert group.lag() == 0


def test_kills_lose_and_double_nothing_under_the_new_protocol(group, modelsim):
    modelsim.configure(latency_ms=40, sigma=0.7)
    group.configure(engine={"max_jobs": 60})
    sent = group.send_prompts(1200)
    ledger = group.ledger()
    workers = [group.worker(env=group.env).start() for _ in range(2)]
    for i, share in enumerate((0.2, 0.4, 0.6)):
        eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= share * len(sent), 90, f"{share:.0%} decided")
        workers[i % 2].kill()
        workers[i % 2].start(ready=False)
    ledger.wait(len(sent), timeout=120)
    ledger.assert_exactly_once(sent)
    assert not ledger.dead_letters


@pytest.mark.parametrize("named", [False, True], ids=["nameless", "named"])
def test_a_rolling_restart_under_the_new_protocol(group, modelsim, named):
    modelsim.configure(latency_ms=40, sigma=0.7)
    group.configure(engine={"max_jobs": 40})
    sent = group.send_prompts(1200)
    ledger = group.ledger()
    workers = []
    for i in range(2):
        if named:
            group.configure(kafka={"instance": f"w-{i}"})
        workers.append(group.worker(env=group.env).start())
    for share, worker in zip((0.2, 0.4), workers):
        eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= share * len(sent), 90, f"{share:.0%} decided")
        assert worker.stop() == 0
        worker.start()
    ledger.wait(len(sent), timeout=120)
    ledger.assert_exactly_once(sent)
    assert not any(worker.log_has("partitions lost") for worker in workers)


def test_a_worker_stopped_beyond_its_session_is_thrown_out_and_joins_again_under_the_new_protocol(group, modelsim):
    modelsim.configure(latency_ms=40, sigma=0.5)
    group.configure(engine={"max_jobs": 40})
    sent = group.send_prompts(800)
    ledger = group.ledger()
    zombie = group.worker(env={**group.env, "POINTSMAN_FAULT": "after_produce:5:stop"}).start(ready=False)
    eventually(zombie.is_stopped, 60, "it lies in a transaction")
    group.worker(env=group.env).start(timeout=90)
    eventually(lambda: group.lag() == 0, 90, "the other one has done all")
    zombie.signal(signal.SIGCONT)
    eventually(lambda: zombie.status()["stream"]["partitions"] > 0, 60, "it has joined again")
    sent.update(group.send_prompts(200, start=1000))
    ledger.wait(len(sent), timeout=60)
    ledger.assert_exactly_once(sent)


def test_a_revocation_answered_too_late_costs_the_membership_and_nothing_else(group, modelsim):
    """The stream thread stands still inside a revocation beyond max.poll.interval while the library's threads go on."""
    modelsim.configure(latency_ms=40, sigma=0.5)
    group.configure(engine={"max_jobs": 40}, kafka={"properties": {"max.poll.interval.ms": "3000"}})
    sent = group.send_prompts(800)
    ledger = group.ledger()
    late = group.worker(env={**group.env, "POINTSMAN_FAULT": "inside_revoke:1:hang=8000"}).start()
    eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= 100, 60, "some decided")
    group.worker(env=group.env).start()
    ledger.wait(len(sent), timeout=120)
    ledger.assert_exactly_once(sent)
    assert late.log_has("maximum poll interval"), late.log_tail()
    eventually(lambda: late.status()["stream"]["partitions"] == 2, 60, "it has joined again")
    sent.update(group.send_prompts(200, start=1000))
    ledger.wait(len(sent), timeout=60)
    ledger.assert_exactly_once(sent)


def test_a_twin_under_the_new_protocol_waits_until_the_name_is_free(group):
    """Here the brokers keep the name for the older one. The younger one's consumer fails for good each time, and is made anew."""
    group.configure(kafka={"instance": "only-one"})
    older = group.worker(env=group.env).start()
    sent = group.send_prompts(40)
    ledger = group.ledger().wait(len(sent), timeout=60)
    younger = group.worker(env=group.env).start(ready=False)
    eventually(lambda: younger.log_has("consumer failed; joining anew"), 60, "it cannot join")
    sent.update(group.send_prompts(100, start=1000))
    ledger.wait(len(sent), timeout=60)
    assert younger.counter(COMMITTED) == 0 and older.is_alive()
    older.kill()
    sent.update(group.send_prompts(100, start=2000))
    ledger.wait(len(sent), timeout=90)
    ledger.assert_exactly_once(sent)
    assert younger.counter(COMMITTED) == 100


def test_a_library_without_the_new_protocol_is_refused_with_words(group):
    worker = group.worker().start(ready=False)
    assert worker.process.wait(30) != 0
    assert worker.log_has("cannot be used", "from 2.12.0 on"), worker.log_tail()
