"""Records that are none: each becomes a dead letter with a reason, and none stops or harms the others."""

import json
import struct
from collections import Counter

from ledger import SPRING, dead_letter_class, dead_letter_source, text_header
from prompts import prompts

MAX_BYTES = 200_000
DECODING = {"bad_record", "bad_schema"}

# name -> (bytes, classes that say it rightly, does it have a response)
KINDS = {
    "truncated JSON": (b'{"id": "x1", "prompt": "the printer', {"bad_record"}, False),
    "wrong magic byte": (b"\x07" + b"not a record", {"bad_record"}, False),
    "unknown schema id": (struct.pack(">bi", 0, 987654) + b"\x02\x04hi", {"bad_schema"}, False),
    "unknown fingerprint": (b"\xc3\x01" + b"\x11" * 8 + b"\x02\x04hi", {"bad_schema"}, False),
    "length bomb": (None, {"bad_record"}, False),  # made in the test: it needs the schema's fingerprint
    "deep nesting": (b'{"id": "x6", "prompt": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", {"bad_record"}, False),
    "invalid UTF-8": (b'{"id": "x7", "prompt": "\xff\xfe\x80 printer"}', {"bad_record"}, False),
    "no prompt": (b'{"id": "x8", "tenant": "t"}', {"no_prompt"}, True),
    "empty value": (b"", {"bad_record"}, False),
    "null value": (None, {"bad_record"}, False),
    "over input.max_bytes": (b'{"id": "x11", "prompt": "' + b"a" * MAX_BYTES + b'"}', {"too_large"}, False),
    "a name twice": (b'{"id": "x12", "prompt": "one", "prompt": "two"}', {"bad_record"}, False),
    "bytes behind the end": (b'{"id": "x13", "prompt": "printer"} {"id": "x14"}', {"bad_record"}, False),
    "wrong types": (b'{"id": "x15", "prompt": {"text": ["printer"]}, "messages": 7}', {"bad_record", "invalid", "no_prompt"}, None),
}


def length_bomb():
    """A single-object record of our own schema whose first string says that it is a terabyte long."""
    import fastavro

    from services import ROOT

    schema = fastavro.schema.load_schema(str(ROOT / "schemas/request.avsc"))
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    head = b"\xc3\x01" + bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    terabyte = b"\x80\x80\x80\x80\x80\x40"  # zigzag varint of 2^40
    return head + b"\x02" + terabyte + b"abc"  # id: the union's second branch, a string


def test_each_kind_is_a_dead_letter_with_a_reason_and_none_stops_the_others(deployment, registry, records):
    deployment.configure(
        input={"format": "auto", "max_bytes": MAX_BYTES, "schema_missing_after": "2s"},
        registry={"url": registry.address},
    )
    worker = deployment.worker().start()
    ledger = deployment.ledger(registry)
    rounds = max(1, records // 140)
    values, ids = [], []
    for i, text in enumerate(prompts(rounds * len(KINDS))):
        name = list(KINDS)[i % len(KINDS)]
        values += [json.dumps({"id": f"good-{i}", "prompt": text}).encode(), length_bomb() if name == "length bomb" else KINDS[name][0]]
        ids += [f"good-{i}", f"bad {name}"]
    sent = deployment.send(values, ids=ids)
    ledger.wait(len(values), timeout=120)
    assert worker.is_alive()

    answered = {r.value["id"]: r.value["status"] for r in ledger.responses}
    for record_id in ids:
        if record_id.startswith("good-"):
            assert answered.get(record_id) == "ok", record_id
    sources = ledger.sources()
    assert sources == Counter(sent.keys()), "one decision for each record, good or bad"

    bad = {source: record_id[4:] for source, record_id in sent.items() if record_id.startswith("bad ")}
    raw = dict(zip(ids, values))
    letters = Counter()
    for letter in ledger.dead_letters:
        topic, partition, offset = dead_letter_source(letter)
        name = bad[partition, offset]
        letters[partition, offset] += 1
        assert topic == deployment.input
        assert dead_letter_class(letter) in KINDS[name][1], f"{name}: {dead_letter_class(letter)}"
        assert len(text_header(letter, SPRING + "exception-message")) > 5, name
        assert text_header(letter, SPRING + "original-consumer-group") == deployment.name
        assert struct.unpack(">q", letter.headers[SPRING + "original-timestamp"])[0] > 1_600_000_000_000
        assert text_header(letter, "pointsman-stage") and text_header(letter, "pointsman-attempts") is not None
        assert (letter.raw or b"") == (raw["bad " + name] or b""), f"{name}: the bytes are untouched"
    assert letters == Counter(bad.keys()), "one dead letter for each bad record"
    for decision in ledger.decisions:
        source = decision.value["source"]["partition"], decision.value["source"]["offset"]
        if source in bad:
            assert decision.value["outcome"] in KINDS[bad[source]][1], (bad[source], decision.value["outcome"])
            assert decision.value["reason"], bad[source]
    rejected = [r for r in ledger.responses if r.value["status"] != "ok"]
    assert {r.value["status"] for r in rejected} <= {"rejected"}
    assert len(rejected) >= rounds, "decodable records without a prompt are told so"


def test_a_value_of_twenty_megabytes_is_a_dead_letter_and_stops_nothing(kafka, deployment):
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

    entry = ConfigEntry("max.message.bytes", "25000000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, deployment.input, incremental_configs=[entry])
    admin = kafka.admin()  # must outlive its futures
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()
    deployment.worker().start()
    ledger = deployment.ledger()
    good = [json.dumps({"id": f"g{i}", "prompt": "The printer is out of paper"}).encode() for i in range(20)]
    huge = b'{"id": "huge", "prompt": "' + b"a" * 20_000_000 + b'"}'
    sent = deployment.send(good[:10] + [huge] + good[10:], keys=[b"k"] * 21)
    ledger.wait(21, timeout=60)
    assert ledger.sources() == Counter(sent.keys())
    assert Counter(r.value["status"] for r in ledger.responses) == {"ok": 20}
    (letter,) = ledger.dead_letters
    assert dead_letter_class(letter) == "too_large"
    assert letter.raw == huge[: len(letter.raw)], "what is kept of it is its beginning"
