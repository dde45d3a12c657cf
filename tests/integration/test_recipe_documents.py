"""The documents of the batch recipe: long texts, each with a content of its own, labelled with a route of the policy."""

import collections
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "deploy/recipes/batch-summarisation"
NEEDED = {"id", "text", "label", "tenant", "critical", "lang", "difficulty"}
KEYS = NEEDED | {"kind", "near", "outlier", "note"}  # kind: what the owner's system says, and some rows have none
LEAST, MOST = 500, 5000  # words
RUN = 8  # words in a row that no two documents may share, unless one says that it is near the other


def rows():
    data = (RECIPE / "data/documents.jsonl").read_bytes().decode("utf-8", errors="strict")
    return [json.loads(line) for line in data.splitlines()]


def routes():
    policy = (RECIPE / "policy.yaml").read_text(encoding="utf-8")
    return re.findall(r"^  - name: (\w+)", policy[policy.index("\nroutes:") : policy.index("\nstages:")], re.MULTILINE)


def shared_runs(documents):
    """Pairs of ids with a run of RUN words in common, the first such run of each."""
    first, found = {}, {}
    for document in documents:
        words = re.findall(r"\w+", document["text"].casefold())
        for i in range(len(words) - RUN + 1):
            run = tuple(words[i : i + RUN])
            other = first.setdefault(run, document)
            if other is not document and other["id"] != document.get("near"):
                found.setdefault((other["id"], document["id"]), " ".join(run))
    return found


def test_rows_are_complete_and_their_labels_are_routes():
    documents = rows()
    ids = {row["id"] for row in documents}
    assert len(ids) == len(documents)
    for row in documents:
        assert NEEDED <= set(row) <= KEYS, row["id"]
        assert row["label"] in routes() and isinstance(row["critical"], bool), row["id"]
        assert row["difficulty"] in ("easy", "medium", "hard"), row["id"]
        assert row["difficulty"] != "hard" or row.get("note"), row["id"]
        assert "\0" not in row["text"] and row.get("near") in ids | {None}, row["id"]


def test_documents_have_the_lengths_that_the_recipe_is_measured_at():
    lengths = {row["id"]: len(row["text"].split()) for row in rows()}
    assert {name: n for name, n in lengths.items() if not LEAST <= n <= MOST} == {}
    assert sum(n >= 2000 for n in lengths.values()) >= 10 and max(lengths.values()) >= 4000


def test_every_route_has_documents_and_kinds_are_many():
    documents = rows()
    shares = collections.Counter(row["label"] for row in documents)
    assert len(documents) >= 100 and all(shares[route] >= 6 for route in routes()), shares
    assert len({row.get("kind") for row in documents}) >= 15
    assert sum(row["difficulty"] == "hard" for row in documents) >= 10


def test_no_two_documents_share_a_run_of_words_unless_marked_as_near():
    assert shared_runs(rows()) == {}


def test_the_search_for_shared_runs_finds_one_and_respects_the_mark():
    text = "the ferry leaves at nine from the lower jetty"
    twins = [{"id": "a", "text": text}, {"id": "b", "text": f"As was said: {text.upper()}!"}]
    assert shared_runs(twins) == {("a", "b"): "the ferry leaves at nine from the lower"}
    assert shared_runs([twins[0], twins[1] | {"near": "a"}]) == {}
