"""golden_rows.py PREDICTIONS KEPT [--write|--train]: what `eval --predictions` has written, against the decisions that are kept.

For golden.sh. A decision is the route, the stage, how sure it was (to six decimals) and the reason. Versions are not part of it: a
release may bring new ones and decide as before.
"""

import json
import sys
from pathlib import Path

SHOWN = 20


def rows_of(path):
    with open(path, encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


def decision(row):
    confidence = row["confidence"]
    return {
        "id": row["id"],
        "route": row["route"],
        "stage": "when_unsure" if row["unsure"] else row["stage"],
        "confidence": None if confidence is None else round(confidence, 6),
        "reason": row["reason"],
    }


def told(kept):
    return f"{kept['route']} by {kept['stage']} ({kept['confidence']}): {kept['reason']}"


def differences(kept, now):
    """A pair of lines for each prompt whose decision differs; the ones that go elsewhere first."""
    before = {row["id"]: row for row in kept}
    found = []
    for row in now:
        old = before.pop(row["id"], None)
        if old != row:
            elsewhere = old is not None and old["route"] != row["route"]
            words = "goes elsewhere" if elsewhere else "is new" if old is None else "goes where it went, otherwise"
            found.append((not elsewhere, f"{row['id']} {words}\n    was  {told(old) if old else '-'}\n    is   {told(row)}"))
    found += [(True, f"{name} is not among the prompts any more") for name in before]
    return [words for _, words in sorted(found, key=lambda pair: pair[0])], sum(not later for later, _ in found)


def main(predictions, kept_path, mode=None):
    name = Path(kept_path).stem
    now = [decision(row) for row in rows_of(predictions)]
    assert len({row["id"] for row in now}) == len(now), f"{name}: two prompts have one id"
    if mode is not None:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in now)
        Path(kept_path).write_text("".join(lines), encoding="utf-8")
        print(f"{name}: {len(now)} decisions kept in {kept_path}")
        return 0
    found, elsewhere = differences(rows_of(kept_path), now)
    if not found:
        print(f"{name}: {len(now)} decisions as they were")
        return 0
    print(f"{name}: {len(found)} of {len(now)} decisions are not as they were; {elsewhere} prompts go elsewhere")
    print("\n".join(found[:SHOWN]))
    if len(found) > SHOWN:
        print(f"... and {len(found) - SHOWN} more")
    print(f"If that is meant: tests/scripts/golden.sh --write {name}   (and commit {kept_path})")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
