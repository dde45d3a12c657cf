"""The judge is tried first: a ledger that cannot see a double or a loss would make the other tests worthless."""

import json

import pytest


def decision(record_id, partition, offset):
    return {"request_id": record_id, "source": {"topic": "t", "partition": partition, "offset": offset}}


def publish(deployment, pairs, abort=False):
    producer = deployment.kafka.producer(**{"transactional.id": deployment.name})
    producer.init_transactions(30)
    producer.begin_transaction()
    for record_id, source in pairs:
        producer.produce(deployment.topics["responses"], json.dumps({"id": record_id}))
        producer.produce(deployment.topics["decisions"], json.dumps(decision(record_id, *source)))
    if abort:
        producer.flush(30)
        producer.abort_transaction(30)
    else:
        producer.commit_transaction(30)


@pytest.fixture
def sent(deployment):
    return {source: record_id for source, record_id in deployment.send([b"{}"] * 3, ids=["a", "b", "c"]).items()}


def test_what_was_aborted_does_not_count_and_what_was_committed_does(deployment, sent):
    pairs = [(record_id, source) for source, record_id in sent.items()]
    publish(deployment, pairs, abort=True)
    publish(deployment, pairs)
    deployment.ledger().wait(3, timeout=30).assert_exactly_once(sent)


def test_a_double_is_seen(deployment, sent):
    pairs = [(record_id, source) for source, record_id in sent.items()]
    publish(deployment, pairs + pairs[:1])
    with pytest.raises(AssertionError, match="more than once"):
        deployment.ledger().wait(3, timeout=30).assert_exactly_once(sent)


def test_a_loss_is_seen(deployment, sent):
    pairs = [(record_id, source) for source, record_id in sent.items()]
    publish(deployment, pairs[:2])
    with pytest.raises(AssertionError, match="1 records without a decision"):
        deployment.ledger().wait(2, timeout=30).assert_exactly_once(sent)
