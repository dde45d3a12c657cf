"""Guards: what a forbidden model's server receives is written down byte by byte, and nothing of a guarded record is in it."""

import json
import re

import pytest

from services import ModelSim

IBAN = "DE89 3704 0044 0532 0130 00"
GUARD = "personal-data-stays-here"
FILLER = "the quick brown fox counted 12 parcels and went home. "


class Recorder(ModelSim):
    """A model's server that keeps what it was sent."""

    def __init__(self, run, name):
        self.path = run / f"{name}.requests"
        super().__init__(run, "--record", str(self.path))

    def received(self):
        return self.path.read_text() if self.path.exists() else ""


@pytest.fixture
def here_and_there(deployment):
    deployment.folder.mkdir(parents=True, exist_ok=True)
    here, there = Recorder(deployment.folder, "here"), Recorder(deployment.folder, "there")
    like = deployment.config["models"][0]
    models = [("local", here, "eu"), ("second", here, "eu"), ("cloud", there, "us"), ("backup", there, "us"), ("router", there, "us")]
    deployment.configure(
        models=[{**like, "name": n, "model": n, "base_url": s.base_url, "tags": {"region": r}} for n, s, r in models],
        engine={"attempts": 3},
    )
    yield here, there
    here.stop()
    there.stop()


def policy(stages, **changes):
    return {
        "name": "guarded",
        "when_unsure": "careful",
        "routes": [
            {"name": "far_first", "models": ["cloud"], "on_error": ["backup", "local"], "description": "parcels"},
            {"name": "near_first", "models": ["local"], "on_error": ["cloud", "backup"], "description": "printers"},
            {"name": "far_only", "models": ["cloud", "backup"], "description": "poems"},
            {"name": "careful", "models": ["cloud", "local"], "description": "all else"},
            {"name": "person", "topic": changes.pop("topic", "unused"), "description": "people"},
        ],
        "stages": stages,
        "guards": [{"name": GUARD, "when": {"pii": ["iban", "card"]}, "only_models": {"region": "eu"}}],
        **changes,
    }


RULES = [
    {
        "rules": [
            {"name": "parcel", "when": {"keywords": ["parcel"]}, "route": "far_first"},
            {"name": "printer", "when": {"keywords": ["printer"]}, "route": "near_first"},
            {"name": "poem", "when": {"keywords": ["poem"]}, "route": "far_only"},
            {"name": "lawyer", "when": {"keywords": ["lawyer"]}, "route": "person"},
        ]
    }
]


def places(word):
    """One text for the router, and the IBAN in each place where it could hide; each record has a mark of its own."""
    user = lambda text: {"role": "user", "content": text}
    plain = f"Where is my {word}? It was due on Monday."
    deep = (FILLER * 1000)[:50000]
    return {
        "prompt": {"prompt": f"{plain} Refund {IBAN}. MARK"},
        "deep": {"prompt": f"{plain} {deep} {IBAN} {FILLER * 50} MARK"},
        "first": {"messages": [user(f"My account is {IBAN}, MARK."), {"role": "assistant", "content": "Noted."}, user(plain)]},
        "attribute": {"prompt": plain, "attributes": {"note": f"paid from {IBAN} MARK"}},
        "unbroken": {"messages": [{"role": "system", "content": IBAN.replace(" ", "").lower() + " MARK"}, user(plain)]},
        "id": {"prompt": plain, "id": f"{IBAN.replace(' ', '')}-MARK"},
    }


def records(word, prefix):
    """{id: record}, MARK replaced by something that is nowhere else."""
    out = {}
    for place, record in places(word).items():
        mark = f"mark-{prefix}-{place}"
        record = json.loads(json.dumps(record).replace("MARK", mark))
        record.setdefault("id", f"{prefix}-{place}-{mark}")
        out[record["id"]] = record
    return out


def send(deployment, by_id):
    return deployment.send([json.dumps(r).encode() for r in by_id.values()], ids=list(by_id))


def clean(word, prefix, count=3):
    return {f"{prefix}-clean-{i}": {"id": f"{prefix}-clean-{i}", "prompt": f"Where is my {word}? It was due on Monday."} for i in range(count)}


def assert_nothing_left(there):
    received = there.received()
    squeezed = re.sub(r"[^0-9a-z]", "", received.lower())
    assert re.sub(" ", "", IBAN).lower() not in squeezed
    assert "mark-" not in received, received[max(0, received.index("mark-") - 200) :][:400]


def decisions_of(ledger):
    return {d.value["request_id"]: d.value for d in ledger.decisions}


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "cached"])
@pytest.mark.parametrize("word,route", [("parcel", "far_first"), ("printer", "near_first"), ("thing", "careful")])
def test_a_guarded_record_reaches_no_model_that_is_forbidden(deployment, here_and_there, word, route, warm):
    here, there = here_and_there
    worker = deployment.worker(policy(RULES)).start()
    ledger = deployment.ledger()
    sent = {}
    if warm:  # the same text for the router, without personal data, decided before
        sent.update(send(deployment, clean(word, "warm")))
        ledger.wait(3, timeout=60)
        assert ("warm-clean-0" in there.received()) == (route != "near_first"), "what is free may go there"
    guarded = records(word, route)
    sent.update(send(deployment, guarded))
    ledger.wait(len(sent), timeout=60)
    ledger.assert_exactly_once(sent)
    decisions = decisions_of(ledger)
    for record_id in guarded:
        value = decisions[record_id]
        assert value["outcome"] == "ok" and value["model"] == "local" and value["route"] == route, value
        assert value["candidates"] == ["local"]
        (guard,) = value["guards"]
        assert guard["name"] == GUARD and "iban in " in guard["effect"] and "3704" not in guard["effect"]
        if warm and "-deep-" not in record_id and "-prompt-" not in record_id:
            assert value["cache"] in ("near", "far", "shared"), value
    assert_nothing_left(there)
    assert all(f"mark-{route}-{place}" in here.received() for place in places(word) if place != "attribute"), "the allowed one was asked"
    assert worker.counter(f'pointsman_guard_effects_total{{guard="{GUARD}"}}') == len(guarded)


def test_no_retry_and_no_fallback_goes_past_a_guard(deployment, here_and_there):
    here, there = here_and_there
    here.configure(p500=1)
    deployment.worker(policy(RULES)).start()
    ledger = deployment.ledger()
    guarded, free = records("printer", "down"), clean("printer", "down")
    sent = {**send(deployment, guarded), **send(deployment, free)}
    ledger.wait(len(sent), timeout=90)
    ledger.assert_exactly_once(sent)
    decisions = decisions_of(ledger)
    for record_id in guarded:
        value = decisions[record_id]
        assert value["outcome"] in ("model_unavailable", "no_model"), value
        assert {a["model"] for a in value["attempts"]} == {"local"}, value["attempts"]
    assert all(decisions[i]["outcome"] == "ok" and decisions[i]["model"] == "cloud" for i in free), "others fall back"
    assert_nothing_left(there)


def test_a_guard_can_name_who_serves_and_a_context_too_small_is_passed_over(deployment, here_and_there):
    here, there = here_and_there
    models = deployment.config["models"]
    deployment.configure(models=[{**m, **({"context_tokens": 2000} if m["name"] in ("cloud", "local") else {})} for m in models])
    serve = {"name": "critical", "when": {"attributes": {"critical": "yes"}}, "models": ["second", "backup"]}
    deployment.worker(policy(RULES, guards=[serve])).start()
    ledger = deployment.ledger()
    by_id = {
        "critical": {"id": "critical", "prompt": "Where is my parcel? mark-critical", "attributes": {"critical": "yes"}},
        "long": {"id": "long", "prompt": "Where is my parcel? " + FILLER * 400},
        "short": {"id": "short", "prompt": "Where is my parcel?"},
    }
    sent = send(deployment, by_id)
    ledger.wait(len(sent), timeout=60)
    ledger.assert_exactly_once(sent)
    decisions = decisions_of(ledger)
    assert [decisions[i]["candidates"] for i in ("critical", "long", "short")] == [["second", "backup"], ["backup"], ["cloud", "backup", "local"]]
    assert [decisions[i]["model"] for i in ("critical", "long", "short")] == ["second", "backup", "cloud"]
    assert decisions["long"]["guards"][0]["name"] == "context_tokens" and "cloud (2000), local (2000)" in decisions["long"]["guards"][0]["effect"]
    assert "mark-critical" in here.received() and "mark-critical" not in there.received()


def test_where_no_model_is_left_the_record_is_rejected_and_nothing_is_sent(deployment, here_and_there):
    here, there = here_and_there
    forbid = {"name": "no-models", "when": {"all": [{"pii": "iban"}, {"keywords": ["poem"]}]}, "not_models": ["local", "cloud", "backup"]}
    turn_away = {"name": "closed", "tenants": ["acme"], "when": {"attributes": {"closed": "yes"}}, "reject": True}
    topic = deployment.name + ".people"
    deployment.kafka.create_topics([topic], 4)
    guards = [forbid, turn_away, {"name": GUARD, "when": {"pii": ["iban", "card"]}, "only_models": {"region": "eu"}}]
    worker = deployment.worker(policy(RULES, topic=topic, guards=guards)).start()
    ledger = deployment.ledger()
    poems = {i: r for i, r in records("poem", "poem").items()}
    closed = {"c-1": {"id": "c-1", "prompt": "Where is my parcel? mark-closed", "attributes": {"closed": "yes"}, "tenant": "initech"}}
    person = {"p-1": {"id": "p-1", "prompt": f"My lawyer wants {IBAN}. mark-person"}}
    sent = {**send(deployment, poems), **send(deployment, closed), **send(deployment, person)}
    ledger.wait(len(sent), timeout=60)
    ledger.assert_exactly_once(sent)
    decisions, responses = decisions_of(ledger), {r.value["id"]: r.value for r in ledger.responses}
    for record_id in poems:
        value, response = decisions[record_id], responses[record_id]
        assert value["outcome"] == "guard" and not value["attempts"] and not value["candidates"], value
        assert "no-models" in value["reason"] and GUARD in value["reason"] and "3704" not in value["reason"]
        assert response["status"] == "rejected" and response["error"]["class"] == "guard" and not response["error"]["retryable"]
    assert decisions["c-1"]["outcome"] == "guard" and "closed" in decisions["c-1"]["reason"]
    assert "tenant initech is not on its list" in decisions["c-1"]["reason"] and decisions["c-1"]["route"] == ""
    assert decisions["p-1"]["outcome"] == "forwarded", "a topic is no model"
    assert len(ledger.dead_letters) == len(poems) + 1
    assert here.received() == there.received() == ""
    assert worker.counter('pointsman_records_total{outcome="guard"}') == len(poems) + 1


def test_a_router_that_is_forbidden_is_not_asked_and_what_follows_is_not_kept(deployment, here_and_there):
    here, there = here_and_there
    stages = [{"llm": {"model": "router", "prompt": "router.md", "accept": 0.5, "timeout": "5s"}}]
    worker = deployment.worker(policy(stages))
    (worker.folder / "router.md").write_text("Sort the mail.\n\n{routes}\n")
    worker.start()
    ledger = deployment.ledger()
    text = "near_first is where this belongs."
    user = {"role": "user", "content": text}
    guarded = {
        "g-1": {"id": "g-1", "messages": [{"role": "user", "content": f"mark-1 {IBAN}"}, {"role": "assistant", "content": "Yes."}, user]},
        "g-2": {"id": "g-2", "prompt": text, "attributes": {"note": f"mark-2 {IBAN}"}},
        "g-3": {"id": "g-3", "prompt": f"near_first mark-3 {IBAN}"},
    }
    sent = send(deployment, guarded)
    ledger.wait(len(sent), timeout=60)
    assert there.stats()["calls"] == 0
    free = {"f-1": {"id": "f-1", "messages": [user]}}
    sent.update(send(deployment, free))
    ledger.wait(len(sent), timeout=60)
    again = {"g-4": {**guarded["g-1"], "id": "g-4"}}
    sent.update(send(deployment, again))
    ledger.wait(len(sent), timeout=60)
    ledger.assert_exactly_once(sent)
    decisions = decisions_of(ledger)
    for record_id in guarded:
        value = decisions[record_id]
        assert value["outcome"] == "ok" and value["model"] == "local" and value["unsure"] and value["route"] == "careful", value
        assert "a guard keeps the text from the model" in value["trace"][0]["reason"]
    assert decisions["f-1"]["route"] == "near_first", "the guarded record's passing was not cached for the same text"
    assert there.stats()["router"] == 1
    value = decisions["g-4"]
    assert value["route"] == "near_first" and value["cache"] in ("near", "far") and value["model"] == "local", "a cached decision sends nothing"
    assert_nothing_left(there)
