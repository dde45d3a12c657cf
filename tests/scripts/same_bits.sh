#!/bin/bash
# same_bits.sh [--count N] [DATA]: whether training and scores have the same bits wherever they are computed.
#
# Built by gcc, by clang, and by gcc for a processor without AVX2, whose C library then does without its wide forms, too; and by gcc once
# more, for a second run. Each trains all three kinds of models, and puts N prompts (10,000) to the policies of tests/golden and of the
# recipes: vectors, scores and probabilities as their bits, the decision and its reason. The files must be the same, byte for byte.
# DATA: JSON Lines of text and label, which is learned from and put to the policies as well.
set -euo pipefail
cd "$(dirname "$0")/../.."
count=10000
if [ "${1:-}" = --count ]; then count=$2 && shift 2; fi
data=${1:-}
recipes="consumer-chat support-triage batch-summarisation"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

make -s -j"$(nproc)" build/pointsman build/bench/score_bits build/pointsman-narrow build/bench/score_bits-narrow
make -s -j"$(nproc)" CC=clang BUILD=build/clang build/clang/pointsman build/clang/bench/score_bits
python3 tests/scripts/make_prompts.py "$count" >"$out/prompts.jsonl"

train() { # train POINTSMAN LIBRARY: what the library's policy needs, and more to compare
	local models=$2/models rows=$2/training.jsonl
	"$1" train "$rows" -o "$models/library.pmc"
	"$1" train --groups "$rows" -k 4 -o "$models/library.pmv"
	"$1" train --gain "$rows" -o "$models/library.pmg"
	"$1" train deploy/recipes/support-triage/data/learn.jsonl -o "$models/tickets.pmc"
	"$1" train --groups deploy/recipes/batch-summarisation/data/documents.jsonl -o "$models/documents.pmv"
	if [ -n "$data" ]; then "$1" train "$data" -o "$models/data.pmc"; fi
}

scores() { # scores SCORE_BITS FOLDER
	local models=$2/library/models file config
	for file in "$out/prompts.jsonl" ${data:+"$data"}; do
		"$1" "$2/library/pointsman.yaml" "$file" "$models/tickets.pmc"
		for config in $recipes; do "$1" "deploy/recipes/$config/pointsman.yaml" "$file"; done
	done
}

work() { # work NAME POINTSMAN SCORE_BITS
	mkdir -p "$out/$1"
	cp -r tests/golden/library "$out/$1/"
	train "$2" "$out/$1/library" >"$out/$1/words" 2>&1 || { cat "$out/$1/words" >&2 && exit 1; }
	scores "$3" "$out/$1" >"$out/$1/scores"
	(cd "$out/$1" && sha256sum library/models/* scores >sums)
}

# One beside the other while there are cores. What a shell waits for in vain here is found missing below.
work gcc build/pointsman build/bench/score_bits &
work clang build/clang/pointsman build/clang/bench/score_bits &
wait
GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F work narrow build/pointsman-narrow build/bench/score_bits-narrow &
work again build/pointsman build/bench/score_bits &
wait

status=0
for build in clang narrow again; do
	diff "$out/gcc/sums" "$out/$build/sums" >"$out/words" && continue
	status=1
	echo "$build does not agree with gcc:" >&2
	sed -n 's/^> [0-9a-f]*  /  /p' "$out/words" >&2
	diff "$out/gcc/scores" "$out/$build/scores" | head -4 | cut -c1-600 >&2 || true
done
[ $status = 0 ] || exit 1
echo "the same bits by gcc twice, by clang, and without AVX2: $(wc -l <"$out/gcc/sums") files, $(grep -c '^row ' "$out/gcc/scores") rows put to policies"
