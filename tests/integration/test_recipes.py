"""The labelled data of the recipes: what a set must hold before a figure measured on it means anything."""

import collections
import hashlib
import json
import re
import unicodedata
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parents[2] / "deploy/recipes"
SETS = {"support-triage": ["learn.jsonl", "test.jsonl"], "consumer-chat": ["prompts.jsonl", "unseen.jsonl"]}
KEYS = {"id", "text", "label", "product", "channel", "lang", "difficulty", "note"}
NEAR = 0.8  # share of common three-letter pieces above which two texts count as the same

recipes = pytest.mark.parametrize("recipe", SETS)


def rows_of(recipe):
    files = [(RECIPES / recipe / "data" / name).read_bytes().decode("utf-8", errors="strict") for name in SETS[recipe]]
    return [json.loads(line) for data in files for line in data.splitlines()]


def routes_of(recipe):
    policy = (RECIPES / recipe / "policy.yaml").read_text(encoding="utf-8")
    routes = re.search(r"^routes:\n(?:[ #].*\n|\n)*", policy, re.MULTILINE).group()
    return re.findall(r"^  - name: (\w+)", routes, re.MULTILINE)


def examples_of(recipe):
    return {path.stem: path.read_text(encoding="utf-8").splitlines() for path in (RECIPES / recipe / "examples").glob("*.txt")}


def normalised(text):
    """Letters and digits only; of a text without any, the text itself."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(re.findall(r"\w+", "".join(c for c in folded if not unicodedata.combining(c)))) or text.strip()


def pieces(text):
    padded = f" {text} "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))


def near_pairs(texts):
    """Pairs of the list that are the same or nearly so. Sorted by size, as sets of very different size cannot be alike."""
    sets = sorted(((pieces(normalised(text)), text) for text in texts), key=lambda pair: len(pair[0]))
    for i, (small, text) in enumerate(sets):
        for large, other in sets[i + 1 :]:
            if len(small) < NEAR * len(large):
                break
            common = len(small & large)
            if common >= NEAR * (len(small) + len(large) - common):
                yield text, other


@recipes
def test_rows_are_complete_and_their_labels_are_routes_or_null(recipe):
    rows, routes = rows_of(recipe), routes_of(recipe)
    assert len(routes) >= 4
    assert len(rows) >= 500 and len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert set(row) <= KEYS and {"id", "text", "label", "difficulty"} <= set(row), row["id"]
        assert row["text"].strip() and "\0" not in row["text"], row["id"]
        assert row["label"] is None or row["label"] in routes, row["id"]
        assert row["difficulty"] in ("easy", "medium", "hard"), row["id"]
        assert row["difficulty"] != "hard" or row.get("note"), row["id"]


@recipes
def test_every_route_and_the_rows_out_of_scope_are_many_enough_to_measure(recipe):
    shares = collections.Counter(row["label"] for row in rows_of(recipe))
    assert all(shares[route] >= 25 for route in routes_of(recipe)), shares
    assert shares[None] >= 30


def test_which_rows_of_the_chat_stay_unseen_is_decided_by_the_hash_of_their_ids():
    for name in SETS["consumer-chat"]:
        for line in (RECIPES / "consumer-chat/data" / name).read_text(encoding="utf-8").splitlines():
            first = hashlib.sha256(json.loads(line)["id"].encode()).hexdigest()[0]
            assert (first in "0123") == (name == "unseen.jsonl"), line


@recipes
def test_lengths_are_spread(recipe):
    lengths = [len(row["text"].split()) for row in rows_of(recipe)]
    assert sum(n < 5 for n in lengths) >= 10
    assert sum(n > 200 for n in lengths) >= 3


@recipes
def test_every_route_has_examples(recipe):
    examples = examples_of(recipe)
    assert set(examples) == set(routes_of(recipe))
    assert all(12 <= len(texts) <= 25 for texts in examples.values())


@recipes
def test_no_two_texts_are_alike_and_none_is_an_example(recipe):
    texts = [row["text"] for row in rows_of(recipe)]
    texts += [text for route in examples_of(recipe).values() for text in route]
    assert list(near_pairs(texts)) == []


def test_the_guard_against_twins_finds_one():
    assert list(near_pairs(["Where is my parcel?", "where is my parcel", "The lamp is red"])) == [("Where is my parcel?", "where is my parcel")]
