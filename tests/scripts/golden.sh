#!/bin/bash
# golden.sh [--write | --train] [NAME...]: decisions over labelled prompts against those that are kept in tests/golden/decisions.
#
# --write  keeps what is decided now. For a change that is meant to send prompts elsewhere; the difference is then in the commit.
# --train  first trains the models of the library anew: for a change of what such a file holds, not of what is made of it.
# NAME     one or more of the sets (default: all). GOLDEN names another folder of decisions than tests/golden/decisions.
# It ends with 1 where a prompt is decided otherwise than it was, and says which.
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=${POINTSMAN_BIN:-build/pointsman}
golden=${GOLDEN:-tests/golden/decisions}
library=tests/golden/library

# name, configuration, prompts
sets() {
	cat <<-END
		library $library/pointsman.yaml $library/prompts.jsonl
		consumer-chat deploy/recipes/consumer-chat/pointsman.yaml deploy/recipes/consumer-chat/data/prompts.jsonl
		support-triage deploy/recipes/support-triage/pointsman.yaml deploy/recipes/support-triage/data/test.jsonl
		batch-summarisation deploy/recipes/batch-summarisation/pointsman.yaml deploy/recipes/batch-summarisation/data/documents.jsonl
	END
}

train() {
	"$binary" train "$library/training.jsonl" -o "$library/models/library.pmc" >/dev/null
	"$binary" train --groups "$library/training.jsonl" -k 4 -o "$library/models/library.pmv" >/dev/null
	"$binary" train --gain "$library/training.jsonl" -o "$library/models/library.pmg" >/dev/null
}

mode=()
case ${1:-} in
--write | --train) mode=("$1") && shift ;;
-*) sed -n '2,7s/^# //p' "$0" && exit 2 ;;
esac
for name in "$@"; do
	sets | grep -q "^$name " || { echo "golden.sh: no set of the name $name; there are: $(sets | cut -d' ' -f1 | xargs)" >&2 && exit 2; }
done
[ "${mode[*]}" != --train ] || train

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
status=0
while read -r name config prompts; do
	[ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
	"$binary" eval -c "$config" "$prompts" --predictions "$out/$name" >/dev/null 2>"$out/words" || { cat "$out/words" >&2 && exit 1; }
	python3 tests/scripts/golden_rows.py "$out/$name" "$golden/$name.jsonl" "${mode[@]}" || status=1
done < <(sets)
exit $status
