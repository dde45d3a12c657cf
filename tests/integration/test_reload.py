"""Policies change in the middle of traffic: each record is decided under one of them, whole, and says which.

Three versions: b differs from a in every asset; c differs from a only in what models are told, so the two share cached decisions.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter

import pytest

from services import ROOT
from worker import BINARY

LIBRARY = ROOT / "tests/golden/library"
ROUTES = ["hours", "loans", "research", "events"]
RECORDS, CHUNK = 1500, 25
BROKEN, REFUSED = "name: half-writ", "policy not reloaded"


def policy(folder, told):
    """One version: assets from the folder, and what models are told."""
    routes = [{"name": r, "models": ["small"], "on_error": ["capable"], "system": told, "examples": f"{folder}/{r}.txt"} for r in ROUTES]
    return {
        "name": "library",
        "when_unsure": "research",
        "routes": routes,
        "stages": [
            {"rules": [{"name": "listed", "when": {"keywords": f"{folder}/words.txt"}, "route": "research"}]},
            {"semantic": {"embedder": "static", "accept": 0.7, "k": 2}},
            {"classifier": {"model": f"{folder}/library.pmc", "accept": 0.7}},
            {"outlier": {"groups": f"{folder}/library.pmv", "route": "research"}},
            {"difficulty": {"model": f"{folder}/library.pmg", "weak": "hours", "strong": "research", "threshold": 0.3}},
        ],
    }


def run(*arguments):
    subprocess.run([BINARY, *map(str, arguments)], check=True, capture_output=True, timeout=120)


def make_assets(folder, rows, words, flip):
    """rows: what is learned from. flip: another order of examples, so other routes."""
    folder.mkdir()
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run("train", data, "-o", folder / "library.pmc")
    run("train", "--groups", data, "-k", "3", "-o", folder / "library.pmv")
    run("train", "--gain", data, "-o", folder / "library.pmg")
    (folder / "words.txt").write_text("\n".join(words) + "\n")
    for name, source in zip(ROUTES, ROUTES[::-1] if flip else ROUTES):
        shutil.copy(LIBRARY / f"examples/{source}.txt", folder / f"{name}.txt")


def rows_of(name):
    with open(LIBRARY / name, encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


class Versions:
    """The policies, and what each must say of each text, by `eval`, which reads them in a process of its own."""

    def __init__(self, worker, texts):
        self.worker, rows = worker, rows_of("training.jsonl")
        make_assets(worker.folder / "a", rows, ["complaint", "director"], flip=False)
        make_assets(worker.folder / "b", rows[3:], ["printing", "sunday"], flip=True)
        self.policies = {"a": policy("a", "Be brief."), "b": policy("b", "Be brief."), "c": policy("a", "Be kind.")}
        self.expected, prompts = {}, worker.folder / "texts.jsonl"
        prompts.write_text("".join(json.dumps({"id": str(i), "text": t, "label": None}) + "\n" for i, t in enumerate(texts)))
        for name in self.policies:
            self.write(name)
            run("eval", "-c", worker.path, prompts, "--predictions", worker.folder / "said")
            said = map(json.loads, (worker.folder / "said").read_text().splitlines())
            self.expected[name] = {row["id"]: (row["route"], row["reason"]) for row in said}

    def write(self, name):
        """As a whole, as every tool that deploys files does."""
        fresh = self.worker.folder / "policy.fresh"
        fresh.write_text(BROKEN if name == "broken" else json.dumps(self.policies[name]))
        os.replace(fresh, self.worker.folder / "policy.yaml")

    def assets(self, name):
        """What the trained files' versions must be: the beginning of their SHA-256."""
        folder = self.worker.folder / ("b" if name == "b" else "a")
        kinds = {"classifier": "pmc", "outlier": "pmv", "difficulty": "pmg"}
        return {s: hashlib.sha256((folder / f"library.{end}").read_bytes()).hexdigest()[:16] for s, end in kinds.items()}


def policy_of(worker):
    at = worker.status()["policy"]
    return at["policy_version"], at["decision_version"]


def reload_until(worker, versions, done):
    """Goes around the versions, a broken one among them: how often each was read, and (policy_version, decision_version) -> name."""
    taken, named = Counter(), {policy_of(worker): "a"}
    while not done.is_set() or sum(taken.values()) < 8:
        for name in ("b", "c", "broken", "a"):
            versions.write(name)
            said, was, end = worker.log_text().count(REFUSED), policy_of(worker), time.monotonic() + 30
            worker.signal(signal.SIGHUP)
            # Lines of "policy reloaded" are not counted: the log writes ten of an event a second, and a fast machine reads more versions.
            while policy_of(worker) == was and worker.log_text().count(REFUSED) == said:
                assert worker.is_alive() and time.monotonic() < end, worker.log_tail()
                time.sleep(0.01)
            taken[name] += 1
            if name == "broken":
                assert named[policy_of(worker)] == "c", "what was there before it stays"
            else:
                assert named.setdefault(policy_of(worker), name) == name
            time.sleep(0.05)
    return taken, named


@pytest.fixture
def texts():
    return [row["text"] for row in rows_of("prompts.jsonl") if "\0" not in row["text"] and not row.get("sender")]


def test_no_decision_mixes_two_policies_while_they_change(deployment, redis, texts):
    deployment.configure(
        redis={"url": redis.url, "key_prefix": deployment.name}, cache={"secret_env": "POINTSMAN_CACHE_SECRET"}
    )
    worker = deployment.worker()
    versions = Versions(worker, texts)
    versions.write("a")
    worker.start()
    sent, done = {}, threading.Event()

    def produce():
        for first in range(0, RECORDS, CHUNK):
            ids = [f"{i}-{i % len(texts)}" for i in range(first, first + CHUNK)]
            values = [json.dumps({"id": i, "prompt": texts[int(i.split("-")[1])]}).encode() for i in ids]
            sent.update(deployment.send(values, ids=ids))
            time.sleep(0.05)
        done.set()

    producer = threading.Thread(target=produce)
    producer.start()
    taken, named = reload_until(worker, versions, done)
    producer.join()
    ledger = deployment.ledger().wait(RECORDS, timeout=120)
    ledger.assert_exactly_once(sent)
    assert taken["broken"] >= 2
    assert sorted(named.values()) == ["a", "b", "c"]
    decided_by = {name: decision_version for (_, decision_version), name in named.items()}
    assert decided_by["a"] == decided_by["c"] != decided_by["b"]

    used, prompts, hits = {}, {}, Counter()
    for d in (seen.value for seen in ledger.decisions):
        name, text = named[d["policy"]["policy_version"], d["policy"]["decision_version"]], d["request_id"].split("-")[1]
        assert (d["route"], d["reason"]) == versions.expected[name][text], (name, d)
        for stage in d["trace"]:
            used.setdefault((name, stage["stage"]), set()).add(stage["asset_version"])
        prompts.setdefault((name, d["route"]), set()).add(d["prompt_version"])
        hits[name] += d["cache"] in ("near", "far", "shared")
    check_assets(used, versions)
    assert all(len(several) == 1 for several in prompts.values())
    assert prompts["a", "hours"] == prompts["b", "hours"] != prompts["c", "hours"]
    assert all(hits[name] for name in "abc"), hits  # each version took some decisions from the cache


def check_assets(used, versions):
    """One version of each asset for each policy: of trained files their hash, and all of b's are others than a's."""
    assert all(len(several) == 1 and None not in several for several in used.values()), used
    for name in ("a", "b", "c"):
        for stage, version in versions.assets(name).items():
            assert used[name, stage] == {version}
    for stage in ("rules", "semantic", "classifier", "outlier", "difficulty"):
        assert used["a", stage] == used["c", stage] != used["b", stage]
