"""What is shipped under deploy/ is accepted by the program, and says what it claims."""

import collections
import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BINARY = os.environ.get("POINTSMAN_BIN", str(ROOT / "build/pointsman"))
SECRETS = {name: "for-the-test" for name in ("POINTSMAN_CACHE_SECRET", "SMALL_KEY", "CAPABLE_KEY", "ELSEWHERE_KEY")}
CONFIGURATIONS = sorted(DEPLOY.glob("**/pointsman.yaml"))


def pointsman(*arguments, stdin=None):
    return subprocess.run([BINARY, *arguments], env={**os.environ, **SECRETS}, input=stdin, capture_output=True, text=True, timeout=60)


def prompts():
    return [json.loads(line) for line in (DEPLOY / "demo/prompts.jsonl").read_text(encoding="utf-8").splitlines()]


def route_of(recipe, text):
    done = pointsman("explain", "-c", str(DEPLOY / recipe / "pointsman.yaml"), "--json", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["route"]


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.parent.name)
def test_every_configuration_is_accepted(path):
    done = pointsman("check-config", "-c", str(path))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "recipe, text, route",
    [
        ("recipes/support-triage", "E-4012 on the X200 since the update", "kb_answer"),
        ("recipes/support-triage", "my lawyer will write to you about the X200", "human"),
        ("recipes/support-triage", "it does not work", "clarify"),
        ("recipes/support-triage", "Where do I find the serial number of my X200?", "kb_answer"),
        ("recipes/support-triage", "The VPN comes up but nothing behind it can be reached since Tuesday, only from two hosts", "careful"),
        ("recipes/consumer-chat", "what goes with pumpkin soup", "quick"),
        ("recipes/consumer-chat", "I want to die", "person"),
        ("recipes/consumer-chat", "Compare these two loans step by step for me: 10,000 at 4 % or 9,500 at 5 % over six years", "careful"),
        ("recipes/batch-summarisation", "page 1", "unreadable"),
        ("recipes/batch-summarisation", "The parties agree as follows, notwithstanding any earlier letter between them.", "accurate"),
        ("demo", "X200 E-4012. already did a factory reset", "kb_answer"),
        ("demo", "I WANT TO SPEAK TO A REAL PERSON NOT A BOT", "human"),
        ("demo", "hmm", "clarify"),
    ],
)
def test_recipes_route_as_their_pages_say(recipe, text, route):
    assert route_of(recipe, text) == route


def test_there_are_four_hundred_prompts_and_no_two_are_alike():
    rows = prompts()
    texts = [row.get("prompt") or row["messages"][-1]["content"] for row in rows]
    assert len(rows) == len({row["id"] for row in rows}) == len(set(texts)) == 400
    assert all(row["tenant"] and row["attributes"]["channel"] for row in rows)
    lengths = sorted(len(text.split()) for text in texts)
    assert lengths[0] == 1 and lengths[-1] > 400
    assert len(collections.Counter(row["tenant"] for row in rows)) >= 5


def test_the_option_reference_is_the_binarys():
    done = subprocess.run([ROOT / "tests/scripts/reference.sh", "--check"], env={**os.environ, "POINTSMAN": BINARY},
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
