"""`pointsman eval` over a small data set of its own: figures, formats, exit codes, and the same bytes twice. No services."""

import csv
import json
import subprocess
from html.parser import HTMLParser

import pytest

from offline import config
from worker import BINARY

CONFIG = config(small="price: free, api_key_env: NOT_SET_ANYWHERE")
POLICY = """\
name: triage
when_unsure: careful
routes:
  - {name: quick, models: [small]}
  - {name: human, topic: human.review}
  - {name: careful, models: [small]}
stages:
  - rules:
      - {name: product, when: {keywords: [X200, printer]}, route: quick}
      - {name: person, when: {keywords: [refund, complaint]}, route: human, priority: 2}
"""
# text, label, product; "" is a row for none of the routes
ROWS = [
    ("My X200 shows E-4012", "quick", "X200"),
    ("The printer is out of paper", "quick", "X200"),
    ("I want a refund for the printer", "human", "X200"),
    ("This complaint is my last one,\nI \"promise\"", "human", "X300"),
    ("The X300 hums", "quick", "X300"),
    ("Is there a printer for my complaint?", "quick", "X300"),
    ("What is the capital of France?", None, "X300"),
    ("Sing me a song about a printer", None, "X200"),
    ("My lawyer will write to you", "careful", "X300"),
    ("Where does my money stay?", "human", "X300"),
]
RIGHT = 6  # wrong: X300 hums, printer for my complaint, the song, the money


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pointsman.yaml").write_text(CONFIG)
    (tmp_path / "policy.yaml").write_text(POLICY)
    with open(tmp_path / "rows.jsonl", "w") as out:
        for number, (text, label, product) in enumerate(ROWS):
            out.write(json.dumps({"id": f"t{number}", "text": text, "label": label, "product": product}) + "\n")
    return tmp_path


def evaluate(folder, *arguments, data="rows.jsonl", **more):
    command = [BINARY, "eval", "-c", "pointsman.yaml", data, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, **more)


def figures(folder, *arguments, **more):
    done = evaluate(folder, "--json", *arguments, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_figures_are_those_counted_by_hand(folder):
    result = figures(folder, "--slice-rows", "1")
    assert result["rows"] == len(ROWS) and result["right"] == RIGHT
    assert result["accuracy"] == pytest.approx(RIGHT / len(ROWS))
    assert result["misroutes"]["hits"] == len(ROWS) - RIGHT
    assert result["misroutes"]["low"] < 0.4 < result["misroutes"]["high"]
    assert result["unsure"]["hits"] == 4
    assert (result["out_of_scope_caught"]["hits"], result["out_of_scope_caught"]["rows"]) == (1, 2)
    assert (result["in_scope_decided"]["hits"], result["in_scope_decided"]["rows"]) == (5, 8)
    routes = {route["route"]: route for route in result["routes"]}
    assert (routes["quick"]["rows"], routes["quick"]["sent_there"], routes["quick"]["right"]) == (4, 3, 2)
    assert result["confusion"] == [[2, 1, 1], [0, 2, 1], [0, 0, 1], [1, 0, 1]]
    (rules,) = result["stages"]
    assert (rules["stage"], rules["decided"]["hits"], rules["right"]["hits"]) == ("rules", 6, 4)
    slices = {(part["name"], part["value"]): part for part in result["slices"]}
    assert slices["product", "X200"]["misroutes"]["hits"] == 1
    assert slices["product", "X300"]["misroutes"]["hits"] == 3
    assert ("id", "t0") not in slices
    assert "error_cost" not in result and "decision_us" not in result


def test_the_tables_say_the_same_in_words(folder):
    done = evaluate(folder, "--slice-rows", "1")
    assert done.returncode == 0, done.stderr
    for words in ("60.0 %", "went to careful", "product=X300", "rows.jsonl:6", "rule person", "50.0 % of 2 rows", "none of these"):
        assert words in done.stdout, words
    assert all(len(line) <= 100 for line in done.stdout.splitlines() if "belongs to" not in line)
    assert "10 rows in" in done.stderr


def test_csv_with_other_columns_gives_the_same_figures(folder):
    with open(folder / "rows.csv", "w", newline="") as out:
        write = csv.writer(out)
        write.writerow(["number", "body", "queue", "product"])
        for number, (text, label, product) in enumerate(ROWS):
            write.writerow([f"t{number}", text, label or "oos", product])
    mapped = figures(folder, "-f", "text=body", "-f", "label=queue", "-f", "id=number", data="rows.csv")
    plain = figures(folder)
    for name in ("rows", "right", "macro_f1", "confusion", "stages", "slices"):
        assert mapped[name] == plain[name]
    nested = [json.dumps({"ticket": {"body": text, "queue": label}, "product": product}) for text, label, product in ROWS]
    deep = figures(folder, "-f", "text=ticket.body", "-f", "label=ticket.queue", data="-", input="\n".join(nested))
    assert deep["confusion"] == plain["confusion"]


def test_predictions_tell_each_row_in_order(folder):
    assert evaluate(folder, "--predictions", "out.jsonl").returncode == 0
    rows = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [f"t{number}" for number in range(len(ROWS))]
    assert [row["label"] for row in rows] == [label for _, label, _ in ROWS]
    assert sum(row["right"] for row in rows) == RIGHT
    assert rows[5]["route"] == "human" and "person" in rows[5]["reason"] and rows[5]["stage"] == "rules"
    assert rows[6]["unsure"] and rows[6]["stage"] is None and rows[6]["route"] == "careful"
    assert [row["line"] for row in rows] == list(range(1, len(ROWS) + 1))


def test_two_runs_give_the_same_bytes(folder):
    with open(folder / "many.jsonl", "w") as out:
        for number in range(3000):
            text, label, product = ROWS[number * 7 % len(ROWS)]
            out.write(json.dumps({"text": f"{text} ({number})", "label": label, "product": product}) + "\n")
    runs = []
    for number in range(2):
        done = evaluate(folder, "--json", "--predictions", f"p{number}", data="many.jsonl")
        assert done.returncode == 0, done.stderr
        runs.append((done.stdout, (folder / f"p{number}").read_bytes()))
    assert runs[0] == runs[1]
    assert json.loads(runs[0][0])["rows"] == 3000


@pytest.mark.parametrize(
    "floor, code",
    [("accuracy=0.6", 0), ("accuracy=0.61", 4), ("macro_f1=0.99", 4), ("out_of_scope_caught=0.5", 0), ("in_scope_decided=0.7", 4)],
)
def test_a_figure_under_its_floor_ends_with_4(folder, floor, code):
    done = evaluate(folder, "--fail-under", floor)
    assert done.returncode == code, done.stderr
    assert (floor.split("=")[0] + " is" in done.stderr) == (code == 4)


def test_a_figure_that_cannot_be_told_does_not_hold(folder):
    done = evaluate(folder, "--fail-under", "out_of_scope_caught=0", "--limit", "3")
    assert done.returncode == 4 and "cannot be told" in done.stderr


def test_bad_rows_are_named_by_line_and_left_out_on_demand(folder):
    lines = (folder / "rows.jsonl").read_text().splitlines()
    lines[1:1] = ['{"text": "a", "label": "quikc"}', '{"text": "b", "label": "quick"', '{"text": "c"}', ""]
    (folder / "bad.jsonl").write_text("\n".join(lines))
    done = evaluate(folder, data="bad.jsonl")
    assert done.returncode == 3 and done.stdout == ""
    assert 'bad.jsonl:2: error: the label "quikc"' in done.stderr and 'did you mean "quick"' in done.stderr
    done = evaluate(folder, "--json", "--skip-bad", data="bad.jsonl")
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert result["bad_rows"] == 3 and result["rows"] == len(ROWS) and result["right"] == RIGHT
    for place in ("bad.jsonl:2:", "bad.jsonl:3:", "bad.jsonl:4: error: the row has no label"):
        assert place in done.stderr


def test_costs_of_the_policy_are_used_and_waste_and_risk_are_told_apart(folder):
    """A row of a topic's that a model answers is a risk; one that people get and a model could answer is waste."""
    (folder / "policy.yaml").write_text(POLICY + "costs: {quick->human: 2.00, human->careful: 25.00, default: 1}\n")
    result = figures(folder)
    assert (result["wasted"], result["at_risk"]) == (1, 3)  # the printer for my complaint; the hum, the song, the money
    assert result["error_cost_wasted"] == pytest.approx(2.0) and result["error_cost_at_risk"] == pytest.approx(27.0)
    assert result["error_cost"] == pytest.approx(29.0)
    versions = figures(folder)["decision_version"]
    (folder / "policy.yaml").write_text(POLICY)
    assert figures(folder)["decision_version"] == versions, "costs decide nothing"
    (folder / "policy.yaml").write_text(POLICY + "costs: {quick->humna: 2.00}\n")
    done = evaluate(folder)
    assert done.returncode == 3 and "policy.yaml:11:9" in done.stderr and 'did you mean "human"' in done.stderr


def test_costs_are_added_up_over_the_errors(folder):
    (folder / "costs.yaml").write_text("costs: {quick->human: 2.00, oos->quick: 25.00, quick->careful: 0.5}\n")
    result = figures(folder, "--costs", "costs.yaml")
    assert result["error_cost"] == pytest.approx(27.5)
    assert result["misroutes_without_price"] == 1
    (folder / "costs.yaml").write_text("costs:\n  quick->humna: 2.00\n")
    done = evaluate(folder, "--costs", "costs.yaml")
    assert done.returncode == 3 and "costs.yaml:2:3" in done.stderr and 'did you mean "human"' in done.stderr and "^" in done.stderr


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["--fail-under", "acuracy=1"], 2, "accuracy"),
        (["--fail-under", "accuracy=2"], 2, "accuracy"),
        (["--field", "text"], 2, "NAME=PATH"),
        (["--field", "txet=body"], 3, 'did you mean "text"'),
        (["--labels-as-routes", "--model", "m.pmc"], 2, "takes the place of a policy"),
        (["--limit", "0"], 2, "--limit"),
        (["another"], 2, "one data set"),
        (["--predictions", "nowhere/p"], 1, "nowhere/p"),
        (["--costs", "nowhere.yaml"], 3, "nowhere.yaml"),
    ],
)
def test_wrong_usage_is_told_apart_from_wrong_data(folder, arguments, code, words):
    done = evaluate(folder, *arguments)
    assert done.returncode == code and words in done.stderr, done.stderr


@pytest.mark.parametrize("name, text, words", [("none.jsonl", None, "No such file"), ("empty.jsonl", "", "no row"), ("empty.csv", "", "header")])
def test_data_that_are_not_there_end_with_3(folder, name, text, words):
    if text is not None:
        (folder / name).write_text(text)
    done = evaluate(folder, data=name)
    assert done.returncode == 3 and name in done.stderr and words in done.stderr


def test_two_policies_are_compared_on_the_same_rows(folder):
    other = POLICY.replace("name: triage", "name: next").replace("[X200, printer]", "[X200, X300, printer]")
    (folder / "next.yaml").write_text(other.replace("[refund, complaint]", "[refund]"))
    compare = figures(folder, "--compare", "next.yaml")["compare"]
    # better: the X300 hums, a printer for my complaint; worse: the last complaint
    assert (compare["policy"], compare["changed"]) == ("next", 3)
    assert (compare["only_first_right"], compare["only_second_right"], compare["both_right"]) == (1, 2, 5)
    assert compare["accuracy"] == pytest.approx(0.7)
    assert compare["mcnemar_p"] == 1 and compare["mcnemar_exact"]
    changes = {(change["from"], change["to"]): (change["rows"], change["better"], change["worse"]) for change in compare["changes"]}
    assert changes == {("careful", "quick"): (1, 1, 0), ("human", "quick"): (1, 1, 0), ("human", "careful"): (1, 0, 1)}
    done = evaluate(folder, "--compare", "next.yaml")
    assert done.returncode == 0 and "3 of 10 rows go elsewhere" in done.stdout and "do not tell them apart" in done.stdout


def test_a_policy_that_lacks_a_label_cannot_be_compared(folder):
    (folder / "next.yaml").write_text(POLICY.replace("human", "person").replace("person.review", "human.review"))
    done = evaluate(folder, "--compare", "next.yaml")
    assert done.returncode == 3 and 'rows.jsonl:3: error: the label "human" is no route of the policy' in done.stderr
    assert evaluate(folder, "--compare", "nowhere.yaml").returncode == 3


class Page(HTMLParser):
    """What a browser would see and fetch."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.text, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.fetched += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_needs_nothing_but_itself_and_trusts_no_text(folder):
    hostile = "<script>alert(1)</script> & \"X200\" <img src=x>"
    with open(folder / "rows.jsonl", "a") as out:
        out.write(json.dumps({"text": hostile, "label": "human", "product": "<b>"}) + "\n")
    done = evaluate(folder, "--html", "report.html", "--slice-rows", "1", "--worst", "20")
    assert done.returncode == 0, done.stderr
    page = Page((folder / "report.html").read_text())
    text = " ".join("".join(page.text).split())
    assert page.fetched == [] and not {"script", "img", "link"} & set(page.tags)
    for words in ("54.5 %", "<script>alert(1)</script> & \"X200\" <img src=x>", "rules", "none of these", "X300", "rule person"):
        assert words in text, words
    assert "url(" not in text and "http" not in text
    assert evaluate(folder, "--html", "nowhere/report.html").returncode == 1


SAID_AND_NEAR = """\
name: other
when_unsure: careful
routes: [{name: quick, models: [small]}, {name: human, topic: human.review}, {name: careful, models: [small]}]
stages:
  - rules: [{name: person, when: {keywords: [refund, complaint]}, route: human}]
  - semantic: {embedder: static, examples: near.jsonl, accept: 0.6}
"""


def test_a_stage_is_measured_by_itself_and_another_policy_in_place_of_the_configurations(folder):
    (folder / "other.yaml").write_text(SAID_AND_NEAR)
    (folder / "near.jsonl").write_text(json.dumps({"label": "quick", "text": "The X300 hums, loudly"}) + "\n")
    decided = {}
    for stages in ("rules", "semantic", "rules,semantic", " semantic , rules"):
        done = evaluate(folder, "--policy", "other.yaml", "--stages", stages, "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["only_stages"] == stages and told["policy"] == "other"
        decided[stages] = [(stage["stage"], stage["decided"]["hits"]) for stage in told["stages"]]
    both = [*decided["rules"], *decided["semantic"]]
    assert [name for name, _ in both] == ["rules", "semantic"] and all(count > 0 for _, count in both)
    assert decided["rules,semantic"] == decided[" semantic , rules"] == both, "no row here is decided by both"
    assert "asked         only the stages rules\n" in evaluate(folder, "--stages", "rules").stdout

    refused = evaluate(folder, "--stages", "rules,semantic")
    assert refused.returncode == 3 and 'policy triage has no stage "semantic"' in refused.stderr
