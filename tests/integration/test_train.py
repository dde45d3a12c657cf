"""pointsman train: from labelled rows to a stage of a policy, with the binary alone. Needs no services."""

import json
import os
import subprocess

import pytest

from services import ROOT

BINARY = os.environ.get("POINTSMAN_BIN", ROOT / "build/pointsman")
TEXTS = {
    "card": ["my card has not arrived", "where is the card I ordered", "the new card is still not here", "card delivery takes long"],
    "pin": ["I forgot my PIN", "how do I change the pin", "the pin is blocked", "reset my PIN please"],
    "rate": ["what is the exchange rate", "how many dollars for a euro", "which rate do you use today", "currency rate of the pound"],
}


def run(*arguments, **more):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, **more)


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.csv"
    lines = [f'"{text}",{label}' for texts in zip(*TEXTS.values()) for text, label in zip(texts, TEXTS)]
    path.write_text("body,queue\n" + "\n".join(lines) + '\n"a joke, please",oos\n')
    return path


def train(rows, out, *more):
    return run("train", rows, "-f", "text=body", "-f", "label=queue", "-o", out, *more)


def test_the_same_rows_give_the_same_file_and_the_report_counts_them(rows, tmp_path):
    first, again, other = (tmp_path / n for n in ("a.pmc", "b.pmc", "c.pmc"))
    told = train(rows, first, "--json")
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)
    assert (report["rows"], report["labels"], report["bad_rows"]) == (12, 3, 0)
    assert train(rows, again).returncode == train(rows, other, "--seed", "2").returncode == 0
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()


def test_a_policy_decides_by_what_was_learned(rows, tmp_path):
    assert train(rows, tmp_path / "bank.pmc").returncode == 0
    routes = [{"name": n, "models": ["small"]} for n in (*TEXTS, "careful")]
    stage = {"classifier": {"model": "bank.pmc", "accept": 0.5}}
    (tmp_path / "policy.yaml").write_text(json.dumps({"when_unsure": "careful", "routes": routes, "stages": [stage]}))
    model = {"name": "small", "base_url": "http://localhost:9/v1", "model": "m", "price": "free"}
    config = tmp_path / "pointsman.yaml"
    config.write_text(json.dumps({"kafka": {"brokers": "localhost:9"}, "models": [model], "policy": "policy.yaml"}))
    for label, text in (("card", "my card did not arrive"), ("pin", "PIN blocked, reset it"), ("rate", "the rate for dollars?")):
        told = run("explain", "-c", config, "--json", text)
        assert told.returncode == 0, told.stderr
        decision = json.loads(told.stdout)
        assert decision["route"] == label, told.stdout


def test_a_bare_file_of_labels_is_measured_without_a_policy(rows, tmp_path):
    """Labels that could name no route, columns of other names, rows of none, and a label that was not learned."""
    (tmp_path / "learn.csv").write_text(rows.read_text().replace("body,queue", "sentence,label").replace(",pin", ",PIN?! (cards)"))
    out = tmp_path / "m.pmc"
    assert run("train", tmp_path / "learn.csv", "-o", out, "--labels-as-routes").returncode == 0
    measured = [("my card did not arrive", "card"), ("PIN blocked, reset it", "PIN?! (cards)"), ("what rate for dollars?", "rate"),
                ("purple elephants", "oos"), ("a song", "NOTHING"), ("pay my rent", "rent")]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": t, "intent": i}) + "\n" for t, i in measured))
    told = run("eval", "--labels-as-routes", "--model", out, tmp_path / "rows.jsonl", "--none", "NOTHING", "--json",
               "--predictions", tmp_path / "p.jsonl")
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)
    assert (report["rows"], report["right"], report["in_scope"]["rows_of_none"], report["in_scope"]["rows_of_labels_not_learned"]) == (3, 3, 3, 1)
    assert 0 <= report["calibration"]["ece"] <= 1 and report["calibration"]["rows"] == 3
    found = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [p["label"] for p in found] == ["card", "PIN?! (cards)", "rate", None, None, "rent"]
    assert [p["route"] for p in found[:3]] == [p["label"] for p in found[:3]] and not any(p["right"] for p in found[3:])
    assert all(p["in_scope"] == p["stages"][0]["in_scope"] and p["confidence"] == p["stages"][0]["score"] for p in found)
    scores = [p["in_scope"] for p in found]
    pairs = [(a > b) + (a == b) / 2 for a in scores[:3] for b in scores[3:]]
    assert report["in_scope"]["auroc"] == pytest.approx(sum(pairs) / len(pairs))
    for wrong in (["--labels-as-routes"], ["--model", out], ["--labels-as-routes", "--model", out, "-c", "x.yaml"]):
        assert run("eval", *wrong, tmp_path / "rows.jsonl").returncode == 2
    assert run("eval", "--labels-as-routes", "--model", rows, tmp_path / "rows.jsonl").returncode == 3


def test_rows_of_no_route_teach_the_score_of_scope(tmp_path):
    rows = [{"text": f"{text} {extra}", "label": label} for label, texts in TEXTS.items() for text in texts for extra in ("", "please", "today")]
    rows += [{"text": f"{who} {what} {n}", "label": None} for who in ("a poem", "my cat", "football") for what in ("in spring", "sleeps") for n in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = run("train", tmp_path / "rows.jsonl", "-o", tmp_path / "m.pmc", "--json")
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)
    assert (report["rows"], report["rows_of_no_route"], report["held_out"], report["names_learned"]) == (36, 120, 36, 3)
    assert report["scope_learned"] and report["out_of_scope_auroc"] > 0.9 and report["out_of_scope_caught_at_95_retained"] > 0.5
    assert 0 <= report["ece"] <= 1 and 0 <= report["brier"] <= 1
    words = run("train", tmp_path / "rows.jsonl", "-o", tmp_path / "n.pmc", "--no-names").stdout
    assert "AUROC" in words and "calibration" in words and "names" not in words
    assert (tmp_path / "m.pmc").read_bytes() != (tmp_path / "n.pmc").read_bytes()


def test_what_is_wrong_is_said_with_its_place(rows, tmp_path):
    out = tmp_path / "x.pmc"
    assert "label" in run("train", rows, "-f", "text=body", "-o", out).stderr
    lonely = tmp_path / "one.jsonl"
    lonely.write_text('{"text": "a", "label": "x"}\n{"text": "b", "label": "x"}\n')
    told = run("train", lonely, "-o", out)
    assert told.returncode == 3 and "at least two" in told.stderr
    assert run("train", rows).returncode == 2
    assert not out.exists()
    (tmp_path / "bad.pmc").write_bytes(b"not a model")
    (tmp_path / "policy.yaml").write_text(
        '{routes: [{name: a, models: [m]}], stages: [{classifier: {model: bad.pmc, accept: 0.5}}]}'
    )
    (tmp_path / "c.yaml").write_text(
        "{kafka: {brokers: 'x:1'}, models: [{name: m, base_url: 'http://x/v1', model: m, price: free}], policy: policy.yaml}"
    )
    told = run("check-config", "-c", tmp_path / "c.yaml")
    assert told.returncode == 3 and "bad.pmc" in told.stderr
