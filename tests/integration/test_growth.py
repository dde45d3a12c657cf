"""Topics that get more partitions while the worker runs: it goes on, and serves the new ones too."""

from confluent_kafka.admin import NewPartitions

from conftest import PARTITIONS
from services import eventually

GROWN = PARTITIONS + 2


def grow(kafka, *topics):
    admin = kafka.admin()  # held: without its client the answer never comes
    for future in admin.create_partitions([NewPartitions(t, GROWN) for t in topics]).values():
        future.result()


def test_topics_that_grow_under_the_worker_lose_nothing(deployment, kafka, modelsim):
    modelsim.configure(latency_ms=20)
    deployment.configure(kafka={"properties": {"topic.metadata.refresh.interval.ms": "1000"}})
    worker = deployment.worker().start()
    sent = deployment.send_prompts(200)
    eventually(lambda: worker.status()["stream"]["partitions"] == PARTITIONS, 30, "the old partitions are assigned")
    grow(kafka, deployment.input, deployment.topics["responses"])
    while not {PARTITIONS, GROWN - 1} <= {partition for partition, _ in sent} or len(sent) < 600:
        sent.update(deployment.send_prompts(100, start=len(sent)))
        assert len(sent) < 5000, "the producers never see the new partitions"
    eventually(lambda: worker.status()["stream"]["partitions"] == GROWN, 60, "the new partitions are assigned")
    sent.update(deployment.send_prompts(100, start=len(sent)))
    ledger = deployment.ledger().wait(len(sent), timeout=90)
    ledger.assert_exactly_once(sent)
    assert {d.value["source"]["partition"] for d in ledger.decisions} == set(range(GROWN))
    eventually(lambda: kafka.lag(deployment.name, deployment.input, GROWN) == 0, 30, "lag 0 on all partitions")
    assert worker.stop() == 0
