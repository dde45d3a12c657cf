"""pointsman embed: vectors of a data set, near duplicates, and embeddings put into the records of a topic, each once."""

import base64
import io
import json
import signal
import struct
import subprocess
from collections import Counter
from dataclasses import dataclass

import fastavro
import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from conftest import PARTITIONS
from prompts import prompts
from worker import BINARY, FAULTS_BINARY

TEXTS = ["where is my card", "WHERE IS MY CARD", "reset the pin, please", "☃", "where is my new card", "please reset the pin", "sing a song"]


def run(*arguments):
    return subprocess.run([BINARY, "embed", *map(str, arguments)], capture_output=True, text=True, timeout=60)


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"no": f"t-{i}", "body": t}) + "\n" for i, t in enumerate(TEXTS)))
    return path


FIELDS = ("-f", "text=body", "-f", "id=no")


def test_each_row_has_its_line_and_two_runs_are_the_same(rows, tmp_path):
    told = run(rows, *FIELDS)
    assert told.returncode == 0, told.stderr
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert [line["id"] for line in lines] == [f"t-{i}" for i in range(len(TEXTS))]
    assert lines[3]["embedding"] is None and "1 without a vector" in told.stderr
    assert lines[0]["embedding"] == lines[1]["embedding"] != lines[2]["embedding"]
    assert all(abs(sum(x * x for x in line["embedding"]) - 1) < 1e-5 for line in lines if line["embedding"])
    out = tmp_path / "v.jsonl"
    assert run(rows, *FIELDS, "-o", out).stdout == "" and out.read_text() == told.stdout
    packed = [json.loads(line) for line in run(rows, *FIELDS, "--base64").stdout.splitlines()]
    for a, b in zip(lines, packed):
        floats = struct.unpack("<256f", base64.b64decode(b["embedding"], validate=True)) if b["embedding"] else None
        assert floats == (struct.unpack("<256f", struct.pack("<256f", *a["embedding"])) if a["embedding"] else None)


def test_near_duplicates_are_listed_with_what_they_could_save(rows):
    told = json.loads(run(rows, *FIELDS, "--near-duplicates", "0.9", "--json").stdout)
    groups = [[m["id"] for m in group["members"]] for group in told["groups"]]
    assert groups == [["t-0", "t-1"], ["t-2", "t-5"]]
    assert told["calls_saved"] == 2 and told["input_tokens_saved_est"] > 0 and told["model"] is None
    assert told["groups"][0]["members"][1]["cosine"] == 1 and told["groups"][0]["members"][1]["line"] == 2
    words = run(rows, *FIELDS, "--near-duplicates", "1")
    assert "1 calls" in words.stdout and "t-0, t-1" in words.stdout


def test_the_price_of_a_model_says_what_repeats_cost(rows, tmp_path):
    (tmp_path / "policy.yaml").write_text("{baseline: dear, routes: [{name: a, models: [dear]}]}")
    model = {"base_url": "http://x/v1", "model": "m"}
    models = [{"name": "cheap", "price": "free", **model}, {"name": "dear", "price": {"input": 1000000, "output": 1}, **model}]
    (tmp_path / "c.yaml").write_text(json.dumps({"kafka": {"brokers": "x:1"}, "models": models, "policy": "policy.yaml"}))
    near = ("--near-duplicates", "0.9", "--json", "-c", tmp_path / "c.yaml")
    told = json.loads(run(rows, *FIELDS, *near).stdout)
    assert told["model"] == "dear" and told["input_usd_saved_est"] == told["input_tokens_saved_est"] > 0
    assert json.loads(run(rows, *FIELDS, *near, "--model", "cheap").stdout)["input_usd_saved_est"] == 0
    assert run(rows, *FIELDS, *near, "--model", "none").returncode == 2


def test_what_is_wrong_is_said(rows, tmp_path):
    assert run(rows, *FIELDS, "--near-duplicates", "1.5").returncode == 2
    assert run().returncode == 2 and run(rows, "--from-topic", "a").returncode == 2
    told = run(rows, "-o", tmp_path / "v.jsonl")  # no such field as text
    assert told.returncode == 3 and "rows.jsonl:1" in told.stderr and not list(tmp_path.glob("v.jsonl*"))
    assert run(rows, *FIELDS, "-o", tmp_path / "none/v.jsonl").returncode == 1


# ---- topics ----------------------------------------------------------------------------------------------------------


@dataclass
class Got:
    place: tuple
    key: bytes
    value: bytes
    headers: list


def read(kafka, topic):
    """All committed records, in the order of each partition."""
    consumer = Consumer({"bootstrap.servers": kafka.address, "group.id": "reader-" + topic, "isolation.level": "read_committed",
                         "enable.partition.eof": True, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    got, ended = [], set()
    while len(ended) < PARTITIONS:
        message = consumer.poll(20)
        assert message is not None, "the topic is not read to its end"
        if message.error() is not None:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            ended.add(message.partition())
            continue
        got.append(Got((message.partition(), message.offset()), message.key(), message.value(), message.headers()))
    consumer.close()
    return got


def embed(worker, source, target, *options, env=None, code=0):
    whole = {**worker.environment(), **(env or {})}
    told = subprocess.run([FAULTS_BINARY if env else BINARY, "embed", "-c", worker.path, "--from-topic", source, "--to-topic", target,
                           "--json", *options], capture_output=True, text=True, timeout=90, env=whole)
    assert told.returncode == code, f"{told.returncode} instead of {code}:\n{told.stdout}\n{told.stderr}"
    return json.loads(told.stdout) if code == 0 else told.stderr


@pytest.fixture
def target(deployment):
    name = deployment.name + ".embedded"
    deployment.kafka.create_topics([name], PARTITIONS)
    return name


def test_records_keep_every_other_byte(deployment, target):
    values = [b'{"prompt":"where is my card"}', b'{ "n": 1e2,\n"prompt" : "reset my PIN" }', b'{"prompt":"x","embedding":[1,2]}', b"rubbish",
              None, b'{"embedding":null,"prompt":"sing"}', '{"prompt":"☃"}'.encode()]
    producer = deployment.kafka.producer()
    for i, value in enumerate(values):
        producer.produce(deployment.input, value=value, key=None if i == 1 else b"k%d" % i, partition=i % PARTITIONS,
                         headers=[("n", b"%d" % i), ("n", None)])
    assert producer.flush(30) == 0
    report = embed(deployment.worker(), deployment.input, target)
    assert report == {"copied": 7, "filled": 3, "had_one": 1, "without_words": 1, "as_they_were": 2, "stopped": False}
    before, after = read(deployment.kafka, deployment.input), read(deployment.kafka, target)
    assert Counter((g.place[0], g.key, str(g.headers)) for g in before) == Counter((g.place[0], g.key, str(g.headers)) for g in after)
    by_number = {g.headers[0][1]: g.value for g in after}
    for i, value in enumerate(values):
        got = by_number[b"%d" % i]
        if i not in (0, 1, 5):
            assert got == value
            continue
        vector = json.loads(got)["embedding"]
        assert len(vector) == 256 and abs(sum(x * x for x in vector) - 1) < 1e-5
        text = got[got.index(b"[0." if b"[0." in got else b"[-0.") : got.index(b"]") + 1]
        assert got in (value[:-1] + b',"embedding":' + text + b"}", value.replace(b"null", text))
    assert embed(deployment.worker(), deployment.input, target)["copied"] == 0, "each once"
    assert embed(deployment.worker(), deployment.input, target, "--again")["copied"] == 7


def test_avro_records_of_a_registry_are_filled(deployment, target, registry):
    schema = {"type": "record", "name": "Row", "fields": [
        {"name": "before", "type": {"type": "map", "values": "long"}}, {"name": "prompt", "type": "string"},
        {"name": "embedding", "type": ["null", {"type": "array", "items": "float"}], "default": None}, {"name": "after", "type": "bytes"}]}
    number = registry.register(deployment.input + "-value", json.dumps(schema))
    parsed, values = fastavro.parse_schema(schema), []
    for i, prompt in enumerate(prompts(30)):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, {"before": {"n": i}, "prompt": prompt, "embedding": None, "after": b"\x00\x01" * i})
        values.append(b"\x00" + struct.pack(">I", number) + out.getvalue())
    deployment.send(values)
    deployment.configure(input={"format": "avro-confluent"}, registry={"url": registry.address})
    assert embed(deployment.worker(), deployment.input, target)["filled"] == 30
    before = {g.key: g.value for g in read(deployment.kafka, deployment.input)}
    for got in read(deployment.kafka, target):
        assert got.value[:5] == b"\x00" + struct.pack(">I", number)
        filled = fastavro.schemaless_reader(io.BytesIO(got.value[5:]), parsed)
        assert len(filled["embedding"]) == 256
        again = io.BytesIO()
        fastavro.schemaless_writer(again, parsed, {**filled, "embedding": None})
        assert got.value[:5] + again.getvalue() == before[got.key]


def test_a_model_of_the_configuration_embeds_what_guards_let_it_see(deployment, target, modelsim):
    first = deployment.config["models"][0]
    home = {**first, "name": "home", "tags": {"region": "eu"}}
    deployment.configure(models=[home, *deployment.config["models"], {**first, "name": "embed", "model": "embed-1"}])
    guards = [{"name": "stays", "when": {"keywords": ["secret"]}, "only_models": {"region": "eu"}}]
    routes = [{"name": "a", "models": ["home"]}]
    worker = deployment.worker({"routes": routes, "stages": [], "guards": guards})
    texts = ["where is my card", "a secret of the house", "reset the pin"]
    rows = worker.folder / "rows.jsonl"
    rows.write_text("".join(json.dumps({"id": str(i), "text": t}) + "\n" for i, t in enumerate(texts)))
    told = subprocess.run([BINARY, "embed", rows, "-c", worker.path, "--remote", "embed", "--near-duplicates", "1", "-o", worker.folder / "v.jsonl"],
                          capture_output=True, text=True, timeout=60, env=worker.environment())
    assert told.returncode == 0, told.stderr
    vectors = [json.loads(line)["embedding"] for line in (worker.folder / "v.jsonl").read_text().splitlines()]
    assert [v and len(v) for v in vectors] == [384, None, 384] and vectors[0] != vectors[2]
    assert modelsim.stats()["embeddings"] == 2 and "1 rows kept from it by guards" in told.stderr
    deployment.send([json.dumps({"id": str(i), "prompt": t}).encode() for i, t in enumerate(texts)])
    report = embed(worker, deployment.input, target, "--remote", "embed")
    assert (report["copied"], report["filled"]) == (3, 2) and modelsim.stats()["embeddings"] == 4
    got = {json.loads(g.value)["id"]: json.loads(g.value).get("embedding") for g in read(deployment.kafka, target)}
    assert got == {"0": vectors[0], "1": None, "2": vectors[2]}
    assert "no model" in embed(worker, deployment.input, target, "--remote", "nobody", code=2)


@pytest.mark.parametrize("point", ["after_produce:2", "after_send_offsets:2"])
def test_killed_it_goes_on_where_it_was(deployment, target, point):
    deployment.configure(commit={"max_records": 50})
    worker = deployment.worker()
    deployment.send_prompts(400)
    for _ in range(2):
        embed(worker, deployment.input, target, env={"POINTSMAN_FAULT": point}, code=-signal.SIGKILL)
    embed(worker, deployment.input, target)
    ids = Counter(json.loads(g.value)["id"] for g in read(deployment.kafka, target))
    assert ids == Counter(f"r-{i}" for i in range(400)), "nothing twice, nothing lost"


@pytest.mark.parametrize("form", ["json", "avro-single-object"])
def test_a_worker_groups_what_was_embedded(deployment, target, tmp_path, form):
    """The whole road of a batch: vectors ahead, groups from them, and a worker that names the group on response and decision."""
    cards = [f"my card number {i} has not arrived in the mail yet" for i in range(40)]
    songs = [f"sing song {i} of the old sailors, slowly" for i in range(40)]
    deployment.send([json.dumps({"id": f"r-{i}", "prompt": t}).encode() for i, t in enumerate(cards + songs)])
    embed(deployment.worker(), deployment.input, target)
    data = tmp_path / "embedded.jsonl"
    data.write_bytes(b"\n".join(g.value for g in read(deployment.kafka, target)) + b"\n")
    routes = [{"name": n, "models": [m]} for n, m in (("plain", "small"), ("accurate", "capable"))]
    stage = {"outlier": {"groups": "groups.pmv", "route": "accurate", "near_route": "plain", "far": 0.4}}
    deployment.configure(input={"topics": [target]}, kafka={"start": "earliest"}, output={"format": form})
    worker = deployment.worker({"when_unsure": "accurate", "routes": routes, "stages": [stage]})
    told = subprocess.run([BINARY, "train", "--groups", data, "--given", "-k", "2", "-o", worker.folder / "groups.pmv"],
                          capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    far = {"id": "far", "prompt": "x", "embedding": [1.0] + [0.0] * 255}
    producer = deployment.kafka.producer()
    producer.produce(target, json.dumps(far).encode(), key=b"far")
    assert producer.flush(30) == 0
    worker.start()
    ledger = deployment.ledger()
    ledger.wait(81, timeout=60)
    groups = {r.value["id"]: r.value["group_id"] for r in ledger.responses}
    assert len({groups[f"r-{i}"] for i in range(40)}) == len({groups[f"r-{i}"] for i in range(40, 80)}) == 1
    assert {groups["r-0"], groups["r-79"]} == {"g1", "g2"} and groups["far"] is None
    decisions = {d.value["request_id"]: d.value for d in ledger.decisions}
    assert all(decisions[i]["group_id"] == g for i, g in groups.items())
    assert decisions["far"]["route"] == "accurate" and decisions["far"]["trace"][0]["asset_version"]
    assert decisions["r-0"]["route"] == "plain" and worker.stop() == 0
