#!/bin/bash
# same_bits.sh [DATA]: whether training and decisions have the same bits in builds by gcc and clang, and without the wide loops of
# AVX2. DATA: JSON Lines of text and label; without it, the labelled rows of the support recipe.
set -eu
cd "$(dirname "$0")/../.."
data=${1:-deploy/recipes/support-triage/data/tickets.jsonl}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

make -s all
make -s CC=clang BUILD=build/clang build/clang/pointsman
make -s OPT="-O2 -g -DKERNELS_PORTABLE" BUILD=build/portable build/portable/pointsman
for build in build build/clang build/portable; do
	"$build/pointsman" train "$data" -o "$out/model.pmc" >/dev/null
	"$build/pointsman" eval --labels-as-routes --model "$out/model.pmc" "$data" --predictions "$out/rows.jsonl" >/dev/null 2>&1
	cat "$out/model.pmc" "$out/rows.jsonl" | sha256sum | sed "s#-#$build#"
done | tee "$out/sums"
[ "$(cut -d' ' -f1 "$out/sums" | sort -u | wc -l)" = 1 ] || { echo "the builds do not agree" >&2; exit 1; }
