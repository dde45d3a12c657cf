"""pointsman train --groups and the outlier stage, with the binary alone. Needs no services."""

import json
import os
import subprocess

import pytest

from services import ROOT

BINARY = os.environ.get("POINTSMAN_BIN", ROOT / "build/pointsman")
KINDS = {
    "minutes": ["the board met and approved the minutes of the last meeting", "the chair opened the meeting and the agenda was adopted",
                "members present voted on the motion, which was carried", "the secretary read the minutes and the meeting closed at nine",
                "apologies were received and the next meeting was set"],
    "recipes": ["mix flour, butter and sugar and bake the cake in the oven", "chop the onion and fry it in oil until golden",
                "boil the pasta, drain it and stir in the tomato sauce", "whisk the eggs with milk and pour the batter into the pan",
                "knead the dough and let the bread rise for an hour"],
}


def run(*arguments, **more):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, **more)


@pytest.fixture
def backlog(tmp_path):
    path = tmp_path / "backlog.jsonl"
    texts = [f"{text}, as in week {week}" for week in range(1, 13) for pair in zip(*KINDS.values()) for text in pair]
    path.write_text("".join(json.dumps({"doc": {"body": t}}) + "\n" for t in texts))
    return path


def train(backlog, out, *more):
    return run("train", "--groups", backlog, "-f", "text=doc.body", "-o", out, *more)


def test_the_same_rows_give_the_same_file_and_the_report_counts_them(backlog, tmp_path):
    first, again, other = (tmp_path / n for n in ("a.pmv", "b.pmv", "c.pmv"))
    told = train(backlog, first, "-k", "2", "--json")
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)
    assert (report["rows"], report["held_out"], report["bad_rows"], report["sampled"]) == (120, 24, 0, False)
    assert [g["name"] for g in report["groups"]] == ["g1", "g2"]
    assert sum(g["rows"] for g in report["groups"]) == 96
    assert train(backlog, again, "-k", "2").returncode == train(backlog, other, "-k", "5").returncode == 0
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()
    told = train(backlog, other)
    assert "groups " in told.stdout and "clearness" in told.stdout
    assert any(text[:40] in told.stdout for texts in KINDS.values() for text in texts)


def test_a_policy_names_the_group_and_sends_what_is_far_to_the_careful_route(backlog, tmp_path):
    assert train(backlog, tmp_path / "g.pmv", "-k", "2").returncode == 0
    routes = [{"name": n, "models": ["small"]} for n in ("plain", "accurate")]
    stage = {"outlier": {"groups": "g.pmv", "route": "accurate", "near_route": "plain", "far": 0.3}}
    (tmp_path / "policy.yaml").write_text(json.dumps({"when_unsure": "accurate", "routes": routes, "stages": [stage]}))
    model = {"name": "small", "base_url": "http://localhost:9/v1", "model": "m", "price": "free"}
    config = tmp_path / "pointsman.yaml"
    config.write_text(json.dumps({"kafka": {"brokers": "localhost:9"}, "models": [model], "policy": "policy.yaml"}))
    found = {}
    for name, text in (("minutes", "the meeting adopted the minutes and the board voted"), ("recipes", "fry the onion, then bake it with butter"),
                       ("far", "x = [i ** 2 for i in range(10)]; print(sum(x))")):
        told = run("explain", "-c", config, "--json", text)
        assert told.returncode == 0, told.stderr
        found[name] = json.loads(told.stdout)
    assert found["minutes"]["route"] == found["recipes"]["route"] == "plain"
    assert {found["minutes"]["group_id"], found["recipes"]["group_id"]} == {"g1", "g2"}
    assert found["far"]["route"] == "accurate" and found["far"]["group_id"] is None
    assert "far from every group" in found["far"]["reason"]
    assert "group        g" in run("explain", "-c", config, "the board met").stdout


def test_rows_of_one_label_are_taken_where_that_is_asked_for(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": t, "label": kind}) + "\n" for kind, texts in KINDS.items() for t in texts))
    only = tmp_path / "only.jsonl"
    only.write_text("".join(json.dumps({"text": t}) + "\n" for t in KINDS["recipes"]))
    told = run("train", "--groups", rows, "--label", "recipes", "-o", tmp_path / "a.pmv", "--json")
    assert told.returncode == 0, told.stderr
    assert (json.loads(told.stdout)["rows"], json.loads(told.stdout)["rows_of_other_labels"]) == (5, 5)
    assert run("train", "--groups", only, "-o", tmp_path / "b.pmv").returncode == 0
    assert (tmp_path / "a.pmv").read_bytes() == (tmp_path / "b.pmv").read_bytes()
    assert run("train", "--groups", rows, "--label", "none", "-o", tmp_path / "c.pmv").returncode == 3


def test_given_embeddings_are_grouped_too(tmp_path):
    rows = tmp_path / "given.jsonl"
    vectors = [[1, 0.1 * (i % 3)] if i % 2 else [0.1 * (i % 3), 1] for i in range(40)]
    rows.write_text("".join(json.dumps({"text": "x", "embedding": v}) + "\n" for v in vectors))
    told = run("train", "--groups", rows, "--given", "-o", tmp_path / "g.pmv", "--json")
    assert told.returncode == 0, told.stderr
    assert [g["rows"] for g in json.loads(told.stdout)["groups"]] == [20, 20]
    rows.write_text('{"text": "x", "embedding": [1, 2]}\n{"text": "x", "embedding": [1, 2, 3]}\n')
    told = run("train", "--groups", rows, "--given", "-o", tmp_path / "h.pmv")
    assert told.returncode == 3 and "given.jsonl:2" in told.stderr and "3 values" in told.stderr


def test_what_is_wrong_is_said_with_its_place(backlog, tmp_path):
    out = tmp_path / "x.pmv"
    assert run("train", "--groups", backlog).returncode == 2
    assert train(backlog, out, "-k", "0").returncode == 2
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"text": "fine words"}\n{"text": 3}\n')
    told = run("train", "--groups", bad, "-o", out)
    assert told.returncode == 3 and "bad.jsonl:2" in told.stderr and not out.exists()
    told = run("train", "--groups", bad, "-o", out, "--skip-bad", "--json")
    assert told.returncode == 0 and json.loads(told.stdout)["bad_rows"] == 1
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    told = run("train", "--groups", empty, "-o", out)
    assert told.returncode == 3 and "nothing to learn from" in told.stderr
    assert "--groups" in run("train", "--groups", "--help").stdout
