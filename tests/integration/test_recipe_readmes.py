"""What the pages of the recipes show is what their commands print."""

import textwrap

import pytest

import walk

RECIPES = walk.ROOT / "deploy/recipes"
WALKED = ["batch-summarisation", "consumer-chat", "support-triage"]


@pytest.mark.parametrize("recipe", WALKED)
def test_the_page_shows_what_its_commands_print(recipe):
    readme = RECIPES / recipe / "README.md"
    steps, changed = walk.walk(readme)
    assert steps, "a page that shows no command"
    assert walk.faults(readme, steps, changed) == []


PAGE = """\
    About 40 % of it.
    ```console
    $ export WORD=three; printf 'one\\ntwo\\n%s 40.0 %%\\n40 %%\\n' $WORD
    one
    ...
    40 %

    $ echo "$WORD" \\
        > word; cat word
    three
    ```
    | what | how many | command |
    |---|---|---|
    | words | **1** | `wc -l word` |
    ```
    $ rm -rf / is shown and not run
    ```
    """


@pytest.fixture
def page(tmp_path):
    def write(old="", new=""):
        path = tmp_path / "page" / "README.md"
        path.parent.mkdir(exist_ok=True)
        text = textwrap.dedent(PAGE)
        assert old in text
        path.write_text(text.replace(old, new))
        return path

    return write


def test_a_page_that_holds_passes_and_its_folder_stays_as_it_was(page):
    readme = page()
    steps, changed = walk.walk(readme)
    assert [step.command.split()[0] for step in steps] == ["export", "echo", "wc"]
    assert walk.faults(readme, steps, changed) == [] and list(readme.parent.iterdir()) == [readme]
    assert walk.rewritten(readme.read_text(), steps) == readme.read_text()


@pytest.mark.parametrize(
    "old, new, fault",
    [
        ("one\n...", "two\n...", "README.md:3: $ export WORD"),
        ("\nthree\n```", "\n```", "README.md:8: $ echo"),
        ("\nthree\n```", "\nthree\nfour\n```", "README.md:8: $ echo"),
        ("**1**", "**2**", "does not print '2'"),
        ("About 40 %", "About 41 %", "41 %: no command of this page says so"),
        ("`wc -l word`", "`wc -l words`", "ended with 1: wc: words"),
    ],
)
def test_a_page_that_has_gone_stale_fails(page, old, new, fault):
    readme = page(old, new)
    found = walk.faults(readme, *walk.walk(readme))
    assert len(found) == 1 and fault in found[0]


@pytest.mark.parametrize("old, new", [("\nthree\n```", "\n```"), ("\nthree\n```", "\nthree\nfour\n\n```"), ("one\n...\n40 %", "40 %")])
def test_a_stale_page_can_be_written_anew(page, old, new):
    readme = page(old, new)
    readme.write_text(walk.rewritten(readme.read_text(), walk.walk(readme)[0]))
    assert walk.faults(readme, *walk.walk(readme)) == []


def test_a_file_that_the_commands_write_otherwise_than_it_is_shipped_is_a_fault(page):
    readme = page()
    (readme.parent / "word").write_text("three\n")
    assert walk.faults(readme, *walk.walk(readme)) == []
    (readme.parent / "word").write_text("two\n")
    assert walk.faults(readme, *walk.walk(readme)) == ["word: the commands of README.md make another one"]


def test_a_command_that_does_not_end_is_ended(page):
    readme = page("$ echo", "$ sleep 100; echo")
    steps, _ = walk.walk(readme, timeout=1)
    assert [step.code for step in steps] == [0, -1, -1]
