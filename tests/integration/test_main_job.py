"""The main job: prompts in; one response and one decision each, in every format; a second pass from the cache."""

import io
import json
import struct
from collections import Counter

import fastavro
import pytest

from conftest import PARTITIONS
from prompts import prompts
from services import ROOT, eventually

REQUEST_SCHEMA = ROOT / "schemas/request.avsc"
CACHE = {"redis": None, "cache": {"secret_env": "POINTSMAN_CACHE_SECRET"}}


def with_cache(deployment, redis):
    return deployment.configure(
        redis={"url": redis.url, "key_prefix": deployment.name}, cache={"secret_env": "POINTSMAN_CACHE_SECRET"}
    )


def requests_of(count, start=0):
    return [
        {"id": f"r-{start + i}", "prompt": text, "tenant": f"t-{i % 3}", "attributes": {"product": f"p{i % 5}"}}
        for i, text in enumerate(prompts(count))
    ]


def check_contents(ledger, sent, formats):
    """Beyond the counting: what a reader of the topics relies on."""
    decisions = {d.value["request_id"]: d for d in ledger.decisions}
    for response in ledger.responses:
        value = response.value
        assert value["status"] == "ok", value
        assert value["text"] and value["finish_reason"] == "stop"
        assert value["usage"]["input_tokens"] > 0 and value["cost_usd"] > 0
        decision = decisions[value["id"]]
        assert value["decision_id"] == decision.value["decision_id"]
        assert value["route"] == decision.value["route"] and value["model"] == decision.value["model"]
        assert response.key == decision.key, "response and decision can be joined by key"
        assert response.partition == decision.partition == decision.value["source"]["partition"]
        assert response.raw[: len(formats)] == formats
    for decision in ledger.decisions:
        value = decision.value
        assert value["outcome"] == "ok" and value["reason"] and value["trace"]
        assert value["source"]["topic"].endswith(".requests")
        assert value["stage"] in ("rules", "when_unsure")
        assert (value["stage"] == "when_unsure") == value["unsure"]
        assert value["attempts"][-1]["http_status"] == 200
        assert len(value["prompt_hash"] or "") > 0
    routes = Counter(d.value["route"] for d in ledger.decisions)
    assert set(routes) == {"quick", "careful"}, routes


def run_two_passes(deployment, redis, encode, count, formats, registry=None):
    with_cache(deployment, redis)
    deployment.worker().start()
    ledger = deployment.ledger(registry)

    first = requests_of(count)
    sent = deployment.send([encode(r) for r in first], ids=[r["id"] for r in first])
    ledger.wait(count, timeout=60 + count / 50)
    ledger.assert_exactly_once(sent)
    check_contents(ledger, sent, formats)

    second = requests_of(count, start=count)
    sent.update(deployment.send([encode(r) for r in second], ids=[r["id"] for r in second]))
    ledger.wait(2 * count, timeout=60 + count / 50)
    ledger.assert_exactly_once(sent)
    again = [d.value["cache"] for d in ledger.decisions if int(d.value["request_id"][2:]) >= count]
    hits = sum(c in ("near", "far") for c in again)
    assert hits >= 0.99 * count, Counter(again)
    assert not ledger.dead_letters
    eventually(lambda: deployment.lag() == 0, 30, "lag 0 when all is done")
    return ledger


def test_json_records_are_answered_once_and_decided_from_the_cache_the_second_time(deployment, redis, records):
    run_two_passes(deployment, redis, lambda r: json.dumps(r).encode(), records, b"{")


def avro_record(request):
    """All fields of request.avsc: what is not given takes the schema's default."""
    return {k: v for k, v in request.items()}


def avro_body(request):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.schema.load_schema(str(REQUEST_SCHEMA)), avro_record(request))
    return out.getvalue()


def test_avro_single_object_records_are_answered_in_kind(deployment, redis, records):
    schema = fastavro.schema.load_schema(str(REQUEST_SCHEMA))
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    head = b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    deployment.configure(
        input={"format": "avro-single-object"}, output={"format": "avro-single-object"}
    )
    run_two_passes(deployment, redis, lambda r: head + avro_body(r), records, b"\xc3\x01")


def test_avro_records_of_a_registry_are_answered_in_kind(deployment, redis, registry, records):
    schema_id = registry.register(deployment.input + "-value", REQUEST_SCHEMA.read_text())
    head = struct.pack(">bi", 0, schema_id)
    deployment.configure(
        input={"format": "avro-confluent"}, output={"format": "avro-confluent"}, registry={"url": registry.address}
    )
    run_two_passes(deployment, redis, lambda r: head + avro_body(r), records, b"\x00", registry)


def test_a_second_worker_finds_the_decisions_of_the_first_in_redis(deployment, redis):
    with_cache(deployment, redis)
    first = deployment.worker().start()
    ledger = deployment.ledger()
    requests = requests_of(50)
    sent = deployment.send([json.dumps(r).encode() for r in requests], ids=[r["id"] for r in requests])
    ledger.wait(50, timeout=60)
    assert first.stop() == 0
    deployment.worker().start()
    requests = requests_of(50, start=50)
    sent.update(deployment.send([json.dumps(r).encode() for r in requests], ids=[r["id"] for r in requests]))
    ledger.wait(100, timeout=60)
    ledger.assert_exactly_once(sent)
    second = [d.value["cache"] for d in ledger.decisions if int(d.value["request_id"][2:]) >= 50]
    assert second.count("far") >= 49, Counter(second)


def test_without_redis_the_cache_is_in_memory_and_nothing_else_changes(deployment):
    deployment.worker().start()
    ledger = deployment.ledger()
    requests = requests_of(100) + requests_of(100, start=100)
    sent = deployment.send([json.dumps(r).encode() for r in requests], ids=[r["id"] for r in requests])
    ledger.wait(200, timeout=60)
    ledger.assert_exactly_once(sent)
    assert all(d.value["prompt_hash"] is None for d in ledger.decisions), "without a secret there is no keyed hash"


def test_field_mapping_reads_a_foreign_record_and_carries_its_fields_out(deployment):
    deployment.configure(
        input={
            "fields": {
                "id": "ticket.number",
                "prompt": "{ticket.subject}\n\n{ticket.body}",
                "tenant": "org",
                "attributes": {"product": "ticket.product"},
            }
        },
        output={
            "carry": ["ticket.queue"],
            "fields": {"number": "id", "reply": "text", "queue": "attributes.queue", "state": "status"},
        },
    )
    deployment.worker().start()
    # The response has the reader's shape, so only the decisions can be read by the ledger's rules.
    ledger = deployment.ledger()
    ticket = {"number": "T-17", "subject": "Printer", "body": "It does not print.", "product": "X200", "queue": "hw-2"}
    deployment.send([json.dumps({"ticket": ticket, "org": "acme"}).encode()])
    ledger.wait(1, timeout=60)
    (response,) = ledger.responses
    assert set(response.value) == {"number", "reply", "queue", "state"}
    assert response.value["number"] == "T-17" and response.value["queue"] == "hw-2" and response.value["reply"]
    assert ledger.decisions[0].value["tenant"] == "acme"


@pytest.mark.parametrize("delivery", ["at_least_once"])
def test_at_least_once_answers_everything_too(deployment, delivery):
    deployment.configure(kafka={"delivery": delivery})
    worker = deployment.worker().start()
    ledger = deployment.ledger()
    requests = requests_of(300)
    sent = deployment.send([json.dumps(r).encode() for r in requests], ids=[r["id"] for r in requests])
    ledger.wait(300, timeout=60)
    ledger.assert_exactly_once(sent)  # nothing died, so nothing may be doubled
    assert worker.stop() == 0
    assert deployment.lag() == 0


def test_records_go_to_the_partition_of_their_source(deployment):
    deployment.worker().start()
    ledger = deployment.ledger()
    requests = requests_of(80)
    deployment.send([json.dumps(r).encode() for r in requests], ids=[r["id"] for r in requests])
    ledger.wait(80, timeout=60)
    assert {d.partition for d in ledger.decisions} == set(range(PARTITIONS))
    assert all(d.partition == d.value["source"]["partition"] for d in ledger.decisions)
