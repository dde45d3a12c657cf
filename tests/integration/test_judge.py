"""`pointsman judge`: a judge's labels against people's, over files written here. No services."""

import json
import subprocess

import pytest

from worker import BINARY


@pytest.fixture
def folder(tmp_path):
    rows = [("good", "good")] * 50 + [("good", "bad")] * 3 + [("bad", "bad")] * 40 + [("bad", "good")] * 2
    rows += [("good", "The answer is go"), ("bad", ""), ("bad", None)]
    with open(tmp_path / "judged.jsonl", "w") as out:
        for people, judge in rows:
            out.write(json.dumps({"text": "an answer", "label": people, "verdict": judge}) + "\n")
    return tmp_path


def judge(folder, *arguments):
    return subprocess.run([BINARY, "judge", *arguments], capture_output=True, text=True, timeout=60, cwd=folder)


def test_agreement_counts_what_is_cut_off_empty_or_absent_as_unknown(folder):
    done = judge(folder, "judged.jsonl", "--judge", "verdict", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["rows"], result["unknown"]) == (98, 3)
    assert result["agreement"]["share"] == pytest.approx(90 / 98)
    assert result["agreement_known"]["share"] == pytest.approx(90 / 95)
    chance = (53 * 52 + 42 * 43) / 95**2
    assert result["kappa"] == pytest.approx((90 / 95 - chance) / (1 - chance))
    assert result["kappa_low"] < result["kappa"] < result["kappa_high"]
    bad, good = result["labels"]
    assert (bad["label"], bad["people"], bad["judge"], bad["both"], bad["unknown"]) == ("bad", 44, 43, 40, 2)
    assert good["missed"]["share"] == pytest.approx(3 / 53) and good["false"]["share"] == pytest.approx(2 / 52)
    assert good["judged_as"] == {"bad": 3, "good": 50}


@pytest.mark.parametrize("at_least, counts, code", [(None, True, 0), ("80%", True, 0), ("0.84", True, 0), ("0.9", False, 4), ("95%", False, 4)])
def test_the_judge_counts_only_where_the_rows_show_the_agreement(folder, at_least, counts, code):
    """90 of 98 is 92 %; what 98 rows show of it at 95 % confidence is 85 %."""
    done = judge(folder, "judged.jsonl", "--judge", "verdict", *(["--at-least", at_least] if at_least else []))
    assert done.returncode == code, done.stderr
    assert ("the judge     counts" in done.stdout) == counts and ("does not count" in done.stdout) != counts


def test_columns_of_a_csv_are_found_by_their_names(folder):
    (folder / "judged.csv").write_text("body,queue,model said\nhm,a,a\nso,b,a\nso,b,b\n")
    done = judge(folder, "judged.csv", "-f", "text=body", "-f", "label=queue", "--judge", "model said", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["agreement"]["hits"] == 2


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["judged.jsonl"], 2, "--judge COLUMN"),
        (["-", "--judge", "verdict"], 2, "in a file"),
        (["judged.jsonl", "--judge", "verdict", "--at-least", "120%"], 2, "--at-least takes a share"),
        (["judged.jsonl", "--judge", "verdikt"], 3, "no row has the field"),
        (["judged.jsonl", "--judge", "verdict", "-f", "label=human"], 3, "judged.jsonl:1:"),
        (["nowhere.jsonl", "--judge", "verdict"], 3, "nowhere.jsonl"),
    ],
)
def test_mistakes_are_told_with_what_to_do(folder, arguments, code, words):
    done = judge(folder, *arguments)
    assert done.returncode == code and words in done.stderr, done.stderr
