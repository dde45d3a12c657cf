"""`pointsman advise`: the right verdict on sets where it is known, and drafts that the other commands take as they are."""

import json
import os
import random
import subprocess

import pytest

from services import ROOT
from test_label import Person
from worker import merge

BINARY = str(os.environ.get("POINTSMAN_BIN", ROOT / "build/pointsman"))

# kind: openings, subjects, endings
KINDS = {
    "card": (["where is", "I am waiting for", "when will I get", "still no sign of", "please send me"],
             ["my new bank card", "the debit card that I ordered", "my replacement card", "the credit card", "my card"],
             ["", "it should be here by now", "the delivery takes so long", "was it posted", "it has not arrived"]),
    "rate": (["what is", "tell me", "how good is", "which is", "I need to know"],
             ["the exchange rate", "today's rate for dollars", "your currency exchange rate", "the rate for euros to pounds", "the foreign exchange rate"],
             ["", "today", "at the weekend", "for a large amount", "compared with other banks"]),
    "printer": (["how do I repair", "help me with", "what is wrong with", "the manual says nothing about", "how can I reset"],
                ["my printer", "the paper jam in the printer", "the ink of my printer", "the printer that prints blank pages", "the printer driver"],
                ["", "it shows an error", "since this morning", "it makes a noise", "after the update"]),
    "recipe": (["can you give me", "I would like", "do you know", "find me", "is there"],
               ["a recipe for chicken soup", "a recipe with potatoes and cheese", "a vegetarian recipe for dinner", "a pasta recipe", "a cake recipe"],
               ["", "without nuts", "for six people", "that children eat", "that is cooked in half an hour"]),
}  # fmt: skip


def clear_rows(count, seed=1):
    chance = random.Random(seed)
    rows = []
    for i in range(count):
        kind = list(KINDS)[i % len(KINDS)]
        rows.append((" ".join(chance.choice(part) for part in KINDS[kind]).strip() + f" {chance.choice(['', 'please', 'thanks', 'asap'])}", kind))
    return rows


def noise_rows(count, seed=1):
    chance = random.Random(seed)
    words = [w for w in (ROOT / "deploy/models/vocab.txt").read_text().split() if w.isalpha() and len(w) > 2][1000:20000]
    return [(" ".join(chance.choice(words) for _ in range(chance.randint(5, 20))), None) for _ in range(count)]


def write_rows(path, rows):
    path.write_text("".join(json.dumps({"id": f"r{i}", "text": text, "kind": kind}) + "\n" for i, (text, kind) in enumerate(rows)))
    return path


def write_config(folder, small=(0.1, 0.4), capable=(2.5, 10.0), policy=None):
    prices = {"small": small, "capable": capable}
    models = [
        {"name": n, "base_url": "http://localhost:9/v1", "model": "m", "price": {"input": p[0], "output": p[1]}, "api_key_env": "NOT_SET_ANYWHERE"}
        for n, p in prices.items()
        if p is not None
    ]
    (folder / "c.yaml").write_text(json.dumps({"kafka": {"brokers": "localhost:9"}, "models": models, "policy": "policy.yaml"}))
    if policy is not None:
        (folder / "policy.yaml").write_text(json.dumps(policy))
    return folder / "c.yaml"


def run(*arguments, **more):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=180, **more)


def advise(config, rows, *more):
    done = run("advise", "-c", config, rows, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def clear(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("clear") / "rows.jsonl", clear_rows(900))


def test_clear_categories_and_a_gap_in_prices_pay(tmp_path, clear):
    told = advise(write_config(tmp_path), clear, "--per-day", 10000)
    assert (told["verdict"], told["capable"], told["cheaper"]) == ("yes", "capable", "small")
    assert told["tight_share"] > 0.8
    assert {name for group in told["groups"] for name in group["name"].split("_")} & {"card", "rate", "printer", "recipe"}
    cost = 1000 * (told["input_tokens_estimated"] * 2.5 + 300 * 10) / 1e6
    assert told["capable_usd_per_1000"] == pytest.approx(cost)
    gain = told["capable_usd_per_1000"] - told["cheaper_usd_per_1000"]
    assert told["saved_usd_per_1000"] == [pytest.approx(s * told["tight_share"] * gain) for s in (0.5, 0.9)]
    assert told["saved_usd_per_month"] == [pytest.approx(300 * usd) for usd in told["saved_usd_per_1000"]]


def test_noise_does_not_pay(tmp_path):
    told = advise(write_config(tmp_path), write_rows(tmp_path / "rows.jsonl", noise_rows(900)))
    assert told["verdict"] == "no" and "categories" in told["reason"] and told["tight_share"] < 0.05


def test_half_noise_is_half_an_answer(tmp_path):
    told = advise(write_config(tmp_path), write_rows(tmp_path / "rows.jsonl", clear_rows(300) + noise_rows(600)))
    assert told["verdict"] == "maybe" and 0.2 < told["tight_share"] < 0.45


@pytest.mark.parametrize(
    "config, more, verdict, words",
    [
        ({"small": (2.5, 10)}, [], "no", "clearly cheaper"),
        ({"small": (2.5, 10)}, ["--latency", "small=300ms", "--latency", "capable=2s"], "yes", "time"),
        ({"small": None}, [], "no", "one model"),
        ({}, ["--per-day", 50], "no", "less than labelling"),
    ],
)
def test_without_a_gap_it_does_not_pay(tmp_path, clear, config, more, verdict, words):
    told = advise(write_config(tmp_path, **config), clear, *more)
    assert told["verdict"] == verdict and words in told["reason"]


def test_one_kind_alone_is_nothing_to_tell_apart(tmp_path):
    instruction = "You are a helpful assistant of a bank. Answer in one sentence, politely, and never tell a secret. " * 20
    rows = [(instruction + text, kind) for text, kind in clear_rows(400)]
    told = advise(write_config(tmp_path), write_rows(tmp_path / "rows.jsonl", rows))
    assert told["verdict"] == "no" and "one kind" in told["reason"]


def test_few_rows_say_nothing(tmp_path):
    told = advise(write_config(tmp_path), write_rows(tmp_path / "rows.jsonl", clear_rows(150)))
    assert told["verdict"] == "too few rows"


def test_what_is_in_place_is_looked_at(tmp_path, clear):
    routes = [{"name": "a", "models": ["small"]}, {"name": "b", "models": ["capable"], "on_error": ["small"]}]
    config = write_config(tmp_path, policy={"when_unsure": "b", "baseline": "small", "routes": routes})
    done = run("advise", "-c", config, clear)
    assert done.returncode == 0, done.stderr
    assert "what no stage is sure of goes to b" in done.stdout and "1 of 2 routes have one model only" in done.stdout
    assert "no model is clearly cheaper" in done.stdout  # the baseline is the cheap one
    bare = tmp_path / "bare"
    bare.mkdir()
    assert "there is no policy yet" in run("advise", "-c", write_config(bare), clear).stdout


def test_the_same_rows_give_the_same_bytes(tmp_path, clear):
    config = write_config(tmp_path)
    told = [run("advise", "-c", config, clear, "-o", tmp_path / name, "--json").stdout for name in ("a", "b")]
    assert told[0] == told[1]
    files = [sorted(p.relative_to(tmp_path / n) for p in (tmp_path / n).rglob("*") if p.is_file()) for n in ("a", "b")]
    assert files[0] == files[1] and len(files[0]) > 6
    for name in files[0]:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_draft_goes_through_check_train_calibrate_and_eval_as_it_is(tmp_path, clear):
    draft = tmp_path / "draft"
    told = advise(write_config(tmp_path), clear, "-o", draft, "--rows", 300)
    config = draft / "pointsman.yaml"
    checked = run("check-config", "-c", config)
    assert checked.returncode == 0, checked.stderr
    rows = [json.loads(line) for line in (draft / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == told["rows_to_label"] > 100 and all(row["why"] and row["why_detail"] for row in rows)
    person = Person("label", draft / "rows.jsonl", "-c", config, "-o", tmp_path / "one.jsonl")
    person.sees(f"row 1 of {len(rows)}").types("0").sees("row 2").types("\x04")
    assert person.ends() == 0, person.err
    person.close()
    assert json.loads((tmp_path / "one.jsonl").read_text()) == {**rows[0], "label": None}
    # A person's part: each group has one kind, and so each kind its groups. The first group of a kind is its label.
    kinds = {line: kind for line, kind in ((row["text"], row["kind"]) for row in map(json.loads, clear.read_text().splitlines()))}
    route_of = {}
    for path in sorted((draft / "examples").glob("*.txt")):
        found = {kinds.get(text, kinds.get(text + " ")) for text in path.read_text().splitlines()}
        assert len(found) == 1, f"{path.name} mixes {found}"
        route_of.setdefault(found.pop(), path.stem)
    assert set(route_of) == set(KINDS)
    labelled = tmp_path / "labelled.jsonl"
    labelled.write_text("".join(json.dumps({**row, "label": route_of[row["kind"]]}) + "\n" for row in rows))
    for command in (
        ["train", labelled, "-c", config, "-o", draft / "model.pmc"],
        ["calibrate", labelled, "-c", config, "--target-misroute", "10%"],
        ["eval", "-c", config, labelled],
        ["explain", "-c", config, "where is my new bank card"],
        ["sample", "-c", config, "--from-file", clear, "-n", 50, "-o", tmp_path / "s.jsonl"],
    ):
        done = run(*command)
        assert done.returncode in ((0, 4) if command[0] == "calibrate" else (0,)), (command[0], done.stderr)
    policy = (draft / "policy.yaml").read_text().replace("  # - classifier", "  - classifier")
    (draft / "policy.yaml").write_text(policy)
    report = json.loads(run("eval", "-c", config, labelled, "--json").stdout)
    assert report["stages"][1]["stage"] == "classifier"
    again = run("advise", "-c", tmp_path / "c.yaml", clear, "-o", draft)
    assert again.returncode == 1 and "is there already" in again.stderr and (draft / "policy.yaml").read_text() == policy
    assert run("advise", "-c", tmp_path / "c.yaml", clear, "-o", draft, "--force").returncode == 0


def test_noise_is_no_draft(tmp_path):
    rows = write_rows(tmp_path / "rows.jsonl", noise_rows(400))
    done = run("advise", "-c", write_config(tmp_path), rows, "-o", tmp_path / "draft")
    assert done.returncode == 0 and "nothing was written" in done.stdout and not (tmp_path / "draft").exists()


def test_hostile_texts_command_no_terminal_and_break_no_draft(tmp_path):
    rows = [(f"{text} \x1b]0;t\x07 ${{HOME}} \": [", kind) for text, kind in clear_rows(400)]
    done = run("advise", "-c", write_config(tmp_path), write_rows(tmp_path / "rows.jsonl", rows), "-o", tmp_path / "draft")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert run("check-config", "-c", tmp_path / "draft/pointsman.yaml").returncode == 0


def test_a_topic_is_advised_on(deployment, tmp_path):
    deployment.configure(input={"fields": {"prompt": "ticket.body"}})
    deployment.send([json.dumps({"ticket": {"body": text}}).encode() for text, _ in clear_rows(400)])
    worker = deployment.worker()
    done = run("advise", "-c", worker.path, "--from-topic", deployment.input, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["rows"], told["verdict"], told["decisions_topic"]) == (400, "yes", True)
    worker.path.write_text(json.dumps(merge(worker.config, {"output": {"decisions": deployment.name + ".elsewhere"}})))
    told = json.loads(run("advise", "-c", worker.path, "--from-topic", deployment.input, "--json").stdout)
    assert told["decisions_topic"] is False
    assert deployment.committed() == {}


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        ([], 2, "--from-topic"),
        (["rows.jsonl", "--from-topic", "t"], 2, "--from-topic"),
        (["rows.jsonl", "--latency", "small"], 2, "small=400ms"),
        (["rows.jsonl", "--latency", "smal=3s"], 2, "no model"),
        (["rows.jsonl", "--per-day", "many"], 2, "--per-day"),
        (["rows.jsonl", "--since", "2h"], 2, "topic"),
        (["none.jsonl"], 3, "none.jsonl"),
        (["bad.jsonl"], 3, "bad.jsonl:1:"),
        (["numbers.jsonl"], 3, "no text holds a word"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, arguments, code, words):
    write_config(tmp_path)
    write_rows(tmp_path / "rows.jsonl", clear_rows(5))
    (tmp_path / "bad.jsonl").write_text('{"text": 1}\n')
    (tmp_path / "numbers.jsonl").write_text('{"text": "\\u200b"}\n')
    done = run("advise", "-c", "c.yaml", *arguments, cwd=tmp_path)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
