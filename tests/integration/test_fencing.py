"""Who may commit: what the broker checks and what only the worker does, twins of one name, and brokers that check nothing."""

import signal

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from proxy import TXN_OFFSET_COMMIT, Proxy
from services import eventually

EXIT_FAILED = 1
PROBE = "pointsman-probe"


@pytest.fixture
def proxy(kafka):
    it = Proxy(kafka.run)
    yield it
    it.stop()


def test_a_broker_that_does_not_fence_is_refused_with_words(deployment, kafka):
    old = Proxy(kafka.run, most={TXN_OFFSET_COMMIT: 2})  # as a broker below 2.5
    try:
        deployment.configure(kafka={"brokers": old.address})
        worker = deployment.worker().start(ready=False)
        code = worker.process.wait(60)
        assert worker.log_has("takes offsets from a member that does not exist", "Kafka 2.5"), worker.log_tail()
        assert code == EXIT_FAILED
        assert [c.version for c in old.commits] == [2], "the library left the member out, and nothing else was sent"
        assert not deployment.committed(), "the probe itself commits nothing"
    finally:
        old.stop()


def test_a_broker_that_does_not_fence_serves_at_least_once(deployment, kafka):
    old = Proxy(kafka.run, most={TXN_OFFSET_COMMIT: 2})
    try:
        deployment.configure(kafka={"brokers": old.address, "delivery": "at_least_once"})
        worker = deployment.worker().start()
        sent = deployment.send_prompts(40)
        deployment.ledger().wait(len(sent), timeout=60).assert_exactly_once(sent)
        assert worker.stop() == 0
    finally:
        old.stop()


def anonymous_commit(deployment, offsets):
    """Another client commits for the group in a transaction without being a member: empty member id, generation -1."""
    consumer = Consumer({"bootstrap.servers": deployment.kafka.address, "group.id": deployment.name})
    producer = Producer({"bootstrap.servers": deployment.kafka.address, "transactional.id": deployment.name + "-stranger"})
    try:
        producer.init_transactions(30)
        producer.begin_transaction()
        parts = [TopicPartition(deployment.input, p, offset) for p, offset in offsets.items()]
        producer.send_offsets_to_transaction(parts, consumer.consumer_group_metadata(), 30)
        producer.commit_transaction(30)
    finally:
        consumer.close()


def test_the_broker_takes_offsets_from_a_nameless_client_over_the_head_of_a_living_member(deployment):
    """Not a promise of the worker's: the reason why it never commits without a name."""
    deployment.worker().start()
    ledger = deployment.ledger()
    ledger.wait(len(deployment.send_prompts(80)), timeout=60)
    eventually(lambda: deployment.lag() == 0, 30, "all is committed")
    anonymous_commit(deployment, {0: 1})
    assert deployment.committed()[0].offset == 1


def assert_all_named(proxy):
    """Of what went over the wire; the probe at the start invents a member and is refused."""
    seen = [c for c in proxy.commits if c.member != PROBE]
    assert len(seen) > 0 and all(c.member and c.generation >= 0 for c in seen), seen[:5]


def test_no_commit_goes_out_without_member_and_generation_whatever_becomes_of_the_membership(deployment, kafka, modelsim, proxy):
    modelsim.configure(latency_ms=20, sigma=0.5)
    deployment.configure(kafka={"brokers": proxy.address, "session_timeout": "1s"}, engine={"max_jobs": 40})
    ledger = deployment.ledger()
    worker = deployment.worker().start()
    sent = {}

    def go_on(stage, interrupt):
        sent.update(deployment.send_prompts(400, start=10_000 * stage))
        eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= len(sent) - 300, 60, f"some decided in stage {stage}")
        interrupt()
        ledger.wait(len(sent), timeout=120)
        ledger.assert_exactly_once(sent)
        assert worker.is_alive()

    def lose_session():
        worker.signal(signal.SIGSTOP)
        eventually(lambda: kafka.members(deployment.name) == 0, 30, "the broker has thrown it out")
        worker.signal(signal.SIGCONT)

    def restart_broker():
        kafka.kill()
        kafka.start()

    go_on(1, lose_session)
    go_on(2, restart_broker)
    go_on(3, lambda: [proxy.drop(), lose_session()])  # and the connections with it
    assert_all_named(proxy)


def test_a_group_deleted_under_a_sleeping_worker_loses_nothing(deployment, kafka, modelsim, proxy):
    """Its offsets are gone with it. That is believed after a while; then what was done is done again. No answer is
    written for a group that does not know it."""
    modelsim.configure(latency_ms=20, sigma=0.5)
    deployment.configure(kafka={"brokers": proxy.address, "session_timeout": "1s", "transaction_timeout": "3s"}, engine={"max_jobs": 40})
    ledger = deployment.ledger()
    worker = deployment.worker().start()
    sent = deployment.send_prompts(300)
    eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= 100, 60, "some decided")
    worker.signal(signal.SIGSTOP)
    eventually(lambda: kafka.members(deployment.name) == 0, 30, "the broker has thrown it out")
    kafka.delete_group(deployment.name)
    worker.signal(signal.SIGCONT)
    eventually(lambda: deployment.lag() == 0 and kafka.members(deployment.name) == 1, 90, "all is done")
    ledger.wait(len(sent), timeout=60)
    assert ledger.sources().keys() == sent.keys() and max(ledger.sources().values()) <= 2
    assert len(worker.log_has("names no committed offset, though")) == len(worker.log_has("believed again")) > 0
    assert_all_named(proxy)


PRODUCERS = 5  # that two twins may use up together until the older one has noticed


@pytest.mark.parametrize("fault", [None, "before_begin:5:stop", "after_produce:5:stop", "after_send_offsets:5:stop"])
def test_of_two_twins_under_load_the_older_one_exits_and_their_producers_do_not_fence_each_other_for_ever(deployment, modelsim, fault):
    """One kafka.instance is one static member and one transactional id. A twin that is asleep in a transaction when the younger
    comes finds both taken when it wakes up."""
    modelsim.configure(latency_ms=30, sigma=0.5)
    deployment.configure(kafka={"instance": "only-one", "session_timeout": "2s"}, engine={"max_jobs": 40})
    sent = deployment.send_prompts(600)
    ledger = deployment.ledger()
    older = deployment.worker(env={"POINTSMAN_FAULT": fault} if fault else None).start(ready=False)
    if fault:
        eventually(older.is_stopped, 60, "the older one lies in a transaction")
    else:
        eventually(lambda: ledger.poll(0.1) or len(ledger.decisions) >= 100, 60, "some decided")
    younger = deployment.worker().start(timeout=90)
    older.signal(signal.SIGCONT)
    assert older.process.wait(60) == EXIT_FAILED
    assert older.log_has("another worker with kafka.instance only-one"), older.log_tail()
    ledger.wait(len(sent), timeout=90)
    ledger.assert_exactly_once(sent)
    assert younger.is_alive()
    assert len(older.log_has("new producer")) + len(younger.log_has("new producer")) <= PRODUCERS
    sent.update(deployment.send_prompts(100, start=1000))
    ledger.wait(len(sent), timeout=60)  # it notices that it was fenced at its next transaction, which may be one of these
    before = len(younger.log_has("new producer"))
    sent.update(deployment.send_prompts(100, start=2000))
    ledger.wait(len(sent), timeout=60)
    ledger.assert_exactly_once(sent)
    assert len(younger.log_has("new producer")) == before, "nobody fences it any more"
