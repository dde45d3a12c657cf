"""Outputs that the broker refuses for good: the culprit alone fails, the others are committed, and no stop waits for it."""

import time

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from services import eventually

ABORTED = 'pointsman_commits_total{result="aborted"}'


def set_topic(kafka, topic, **config):
    entries = [ConfigEntry(k.replace("_", "."), v, incremental_operation=AlterConfigOpType.SET) for k, v in config.items()]
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
    admin = kafka.admin()  # held: without its client the answer never comes
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()


def test_under_at_least_once_the_others_are_committed_too(deployment, kafka, modelsim):
    modelsim.configure(latency_ms=20, sigma=0.3)
    set_topic(kafka, deployment.topics["dead_letters"], max_message_bytes="3000")
    deployment.configure(kafka={"delivery": "at_least_once"}, engine={"max_jobs": 300}, commit={"max_records": 200})
    sent = deployment.send_prompts(60)
    sent.update(deployment.send([b"x" * 8000], keys=[b"key-1"], ids=["bad"]))
    sent.update(deployment.send_prompts(60, start=60))
    good = {place for place, record_id in sent.items() if record_id != "bad"}
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    eventually(lambda: ledger.poll(0.1) or good <= ledger.sources().keys(), 90, "the others are answered")
    eventually(lambda: worker.log_has("output refused again; the record waits"), 30, "it is said")
    assert worker.stop() == 0
    set_topic(kafka, deployment.topics["dead_letters"], max_message_bytes="1000000")
    worker.start()
    ledger.wait(len(sent), timeout=60)
    assert ledger.sources().keys() == sent.keys() and {r.value["id"] for r in ledger.responses} >= {sent[place] for place in good}
    eventually(lambda: ledger.poll(0.1) or ledger.dead_letters, 30, "the culprit's dead letter")
    eventually(lambda: deployment.lag() == 0, 30, "lag 0 when all is done")


def test_culprits_alone_fail_and_the_others_are_committed_meanwhile(deployment, kafka, modelsim):
    modelsim.configure(latency_ms=20, sigma=0.3)
    set_topic(kafka, deployment.topics["dead_letters"], max_message_bytes="3000")
    deployment.configure(engine={"max_jobs": 300}, commit={"max_records": 200})
    good = deployment.send_prompts(150)
    bad = deployment.send([b"x" * 8000] * 2, keys=[b"key-1", b"key-7"], ids=["bad-0", "bad-1"])
    good.update(deployment.send_prompts(150, start=150))
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    eventually(lambda: ledger.poll(0.1) or good.keys() <= ledger.sources().keys(), 90, "the others are answered")
    aborted = worker.counter(ABORTED)
    assert 0 < aborted <= 80, "a bisection is a logarithm, not a march"
    eventually(lambda: worker.log_has("output refused again; the record waits"), 30, "it is said")
    began = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - began < 15, "SIGTERM does not wait the grace of 20 s for a record that nobody can help"
    set_topic(kafka, deployment.topics["dead_letters"], max_message_bytes="1000000")
    worker.start()
    ledger.wait(len(good) + len(bad), timeout=60)
    assert all(n == 1 for n in ledger.sources().values())
    assert len(ledger.dead_letters) == 2
