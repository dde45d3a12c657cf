"""Conversations that stay with the capable model: through Redis, between workers, between tenants, and without Redis."""

import json

import pytest

from services import Redis

ROUTES = [
    {"name": "quick", "models": ["small"]},
    {"name": "careful", "models": ["capable"]},
    {"name": "clarify", "models": ["small"], "kind": "clarification", "max_per_conversation": 1, "then": "careful"},
]
EXAMPLES = [
    ("careful", "our production database is corrupt after the upgrade, help"),
    ("quick", "what are your opening hours"),
    ("quick", "now fix it"),
    ("quick", "thank you very much"),
]
POLICY = {
    "name": "talks",
    "when_unsure": "quick",
    "routes": ROUTES,
    "sticky": {"by": "conversation_id", "turns": 2, "routes": ["careful"]},
    "stages": [
        {"rules": [{"name": "vague", "when": {"keywords": ["something"]}, "route": "clarify"}]},
        {"semantic": {"embedder": "static", "examples": "examples.jsonl", "accept": 0.9}},
    ],
}
HARD, FIX, THANKS = EXAMPLES[0][1], "now fix it", "thank you very much"


def worker_of(deployment, redis=None):
    if redis is not None:
        deployment.configure(
            redis={"url": redis.url, "key_prefix": deployment.name, "timeout": "500ms"}, cache={"secret_env": "POINTSMAN_CACHE_SECRET"}
        )
    worker = deployment.worker(POLICY)
    lines = (json.dumps({"label": label, "text": text}) + "\n" for label, text in EXAMPLES)
    (worker.folder / "examples.jsonl").write_text("".join(lines))
    return worker


class Talk:
    """Says one thing after the other, each once the one before it is decided."""

    def __init__(self, deployment):
        self.deployment, self.ledger, self.count, self.sent = deployment, deployment.ledger(), 0, {}

    def say(self, text, tenant, conversation="c-1"):
        record = {"id": f"r-{self.count}", "prompt": text, "tenant": tenant, "conversation_id": conversation}
        self.sent.update(self.deployment.send([json.dumps(record).encode()], keys=[b"one"], ids=[record["id"]]))
        self.count += 1
        self.ledger.wait(self.count, timeout=30)
        return next(d.value for d in self.ledger.decisions if d.value["request_id"] == record["id"])


def test_an_escalated_conversation_stays_until_its_turns_are_over(deployment, redis):
    worker_of(deployment, redis).start()
    talk = Talk(deployment)
    assert talk.say(FIX, "a")["route"] == "quick"
    assert talk.say(HARD, "a")["route"] == "careful"
    first, second, third = (talk.say(FIX, "a") for _ in range(3))
    assert (first["route"], first["stage"]) == ("careful", "conversation")
    assert first["reason"] == "conversation stays with careful, turn 1 of 2"
    assert first["model"] == "capable"
    assert second["reason"] == "conversation stays with careful, turn 2 of 2"
    assert (third["route"], third["cache"]) == ("quick", "near"), "what the conversation decided was not kept for the text"
    # the same id of another tenant, and another conversation, know nothing of it
    assert talk.say(HARD, "a")["route"] == "careful"
    assert talk.say(FIX, "b")["route"] == "quick"
    assert talk.say(FIX, "a", "c-2")["route"] == "quick"
    assert talk.say(FIX, "a")["route"] == "careful"
    talk.ledger.assert_exactly_once(talk.sent)


def test_another_worker_goes_on_where_the_first_one_was(deployment, redis):
    worker = worker_of(deployment, redis).start()
    talk = Talk(deployment)
    assert talk.say(HARD, "a")["route"] == "careful"
    assert talk.say(FIX, "a")["reason"].endswith("turn 1 of 2")
    worker.kill()
    worker_of(deployment, redis).start()
    assert talk.say(FIX, "a")["reason"].endswith("turn 2 of 2")
    assert talk.say(FIX, "a")["route"] == "quick"


def test_with_order_by_key_a_conversation_sent_at_once_is_decided_in_its_order(deployment, redis):
    deployment.configure(input={"ordering": "key"})
    texts = [HARD, FIX, THANKS, FIX, FIX, "something", "something"]
    records = [{"id": f"r-{i}", "prompt": t, "tenant": "a", "conversation_id": "c"} for i, t in enumerate(texts)]
    sent = deployment.send([json.dumps(r).encode() for r in records], keys=[b"k"] * len(texts), ids=[r["id"] for r in records])
    worker_of(deployment, redis).start()
    ledger = deployment.ledger()
    ledger.wait(len(texts), timeout=60)
    ledger.assert_exactly_once(sent)
    routes = {d.value["request_id"]: d.value["route"] for d in ledger.decisions}
    expected = ["careful", "careful", "careful", "quick", "quick", "clarify", "careful"]
    assert [routes[r["id"]] for r in records] == expected


@pytest.fixture
def own_redis(run_folder):
    service = Redis(run_folder / "redis-of-conversations")
    yield service
    service.stop()


def test_without_redis_each_record_is_decided_by_itself_and_nothing_fails(deployment, own_redis):
    worker = worker_of(deployment, own_redis).start()
    talk = Talk(deployment)
    assert talk.say(HARD, "a")["route"] == "careful"
    own_redis.stop()
    assert talk.say(FIX, "a")["reason"].endswith("turn 1 of 2"), "this worker knows it itself"
    worker.kill()
    worker_of(deployment, own_redis).start()
    alone = talk.say(FIX, "a")
    assert (alone["route"], alone["outcome"]) == ("quick", "ok")
    assert talk.say(HARD, "a")["route"] == "careful"
    assert talk.say(FIX, "a")["route"] == "careful"
    talk.ledger.assert_exactly_once(talk.sent)
    assert not talk.ledger.dead_letters
