"""Fixtures: the services once a session, topics and workers anew for each test.

POINTSMAN_TEST_RUN      folder for run folders and logs (default: a fresh one under /tmp, kept when something failed)
POINTSMAN_BIN           the worker to test (sanitizer builds)
POINTSMAN_FAULTS_BIN    the test build with faults (default build/faults/pointsman: make FAULTS=1)
POINTSMAN_TEST_RECORDS  how many records the main job takes (default 1,000)
POINTSMAN_TEST_SEED     of the random kills; printed when a test fails
"""

import json
import os
import random
import shutil
import tempfile
import uuid
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from ledger import Ledger
from prompts import prompts
from services import Kafka, ModelSim, Redis, Registry
from worker import Worker, merge

PARTITIONS = 4


@pytest.fixture(scope="session")
def run_folder(request):
    given = os.environ.get("POINTSMAN_TEST_RUN")
    folder = Path(given or tempfile.mkdtemp(prefix="pointsman-test-"))
    yield folder
    if not given and request.session.testsfailed == 0:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka(run_folder):
    service = Kafka(run_folder / "kafka")
    yield service
    service.stop()


@pytest.fixture(scope="session")
def redis(run_folder):
    service = Redis(run_folder / "redis")
    yield service
    service.stop()


@pytest.fixture(scope="session")
def registry(run_folder):
    service = Registry(run_folder / "registry")
    yield service
    service.stop()


@pytest.fixture(scope="session")
def modelsim_process(run_folder):
    service = ModelSim(run_folder)
    yield service
    service.stop()


@pytest.fixture
def modelsim(modelsim_process):
    modelsim_process.reset()
    return modelsim_process


@pytest.fixture(scope="session")
def records():
    return int(os.environ.get("POINTSMAN_TEST_RECORDS", "1000"))


@pytest.fixture
def chance(request):
    """A random generator whose seed is printed with a failure."""
    seed = int(os.environ.get("POINTSMAN_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
    print(f"POINTSMAN_TEST_SEED={seed} {request.node.name}")
    return random.Random(seed)


class Deployment:
    """Topics, a group and the configuration that the workers of one test share."""

    def __init__(self, kafka, modelsim, folder):
        self.kafka, self.folder = kafka, folder
        self.name = "t" + uuid.uuid4().hex[:10]
        self.input = self.name + ".requests"
        self.topics = {k: f"{self.name}.{k.replace('_', '-')}" for k in ("responses", "decisions", "dead_letters")}
        kafka.create_topics([self.input, *self.topics.values()], PARTITIONS)
        model = {"provider": "openai", "base_url": modelsim.base_url, "api_key_env": "MODEL_KEY", "timeout": "30s"}
        self.config = {
            "kafka": {
                "brokers": kafka.address,
                "group": self.name,
                "session_timeout": "6s",
                "transaction_timeout": "10s",
            },
            "input": {"topics": [self.input], "format": "json"},
            "output": {**self.topics, "format": "json"},
            "models": [
                {"name": "small", "model": "tiny-1", "price": {"input": 0.1, "output": 0.4}, **model},
                {"name": "capable", "model": "large-1", "price": {"input": 2.5, "output": 10.0}, **model},
            ],
            "engine": {"max_jobs": 500, "shutdown_grace": "20s"},
        }
        self.workers, self.ledgers = [], []

    def configure(self, **changes):
        merge(self.config, changes)
        return self

    def worker(self, policy=None, env=None):
        worker = Worker(self.folder / f"worker{len(self.workers)}", self.config, policy, env)
        self.workers.append(worker)
        return worker

    def ledger(self, registry=None):
        ledger = Ledger(self.kafka, self.topics, registry)
        self.ledgers.append(ledger)
        return ledger

    def send(self, values, keys=None, ids=None):
        """Produces the values; {(partition, offset): id} of what was stored. ids: default the JSON's own."""
        stored, failed = {}, []
        producer = self.kafka.producer()

        def on_delivery(record_id):
            def note(error, message):
                if error is not None:
                    failed.append(error)
                else:
                    stored[message.partition(), message.offset()] = record_id

            return note

        for i, value in enumerate(values):
            key = keys[i] if keys is not None else f"key-{i}".encode()
            while True:
                try:
                    producer.produce(self.input, value=value, key=key, on_delivery=on_delivery(ids[i] if ids else i))
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        assert producer.flush(60) == 0 and not failed, failed[:3]
        return stored

    def send_prompts(self, count, start=0):
        """JSON records of made-up prompts with the ids r-START and on."""
        ids = [f"r-{start + i}" for i in range(count)]
        values = [json.dumps({"id": i, "prompt": text}).encode() for i, text in zip(ids, prompts(start + count)[start:])]
        return self.send(values, keys=[f"key-{i}".encode() for i in ids], ids=ids)

    def committed(self):
        """{partition: TopicPartition with offset and metadata} of the workers' group."""
        request = ConsumerGroupTopicPartitions(self.name, [TopicPartition(self.input, p) for p in range(PARTITIONS)])
        admin = self.kafka.admin()  # held: without its client the answer never comes
        (future,) = admin.list_consumer_group_offsets([request]).values()
        return {tp.partition: tp for tp in future.result().topic_partitions if tp.offset >= 0}

    def lag(self):
        return self.kafka.lag(self.name, self.input, PARTITIONS)

    def end(self):
        for ledger in self.ledgers:
            ledger.close()
        for worker in self.workers:
            worker.end()


@pytest.fixture
def deployment(kafka, modelsim, run_folder, request):
    folder = run_folder / f"{request.node.name.replace('/', '_')[:80]}-{uuid.uuid4().hex[:4]}"  # cases of one test differ
    it = Deployment(kafka, modelsim, folder)
    yield it
    it.end()
