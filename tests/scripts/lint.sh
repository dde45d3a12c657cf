#!/bin/bash
# lint.sh [--fast]: the house rules that a compiler does not know; then gcc and clang with warnings as errors (gcc builds,
# clang reads, tests too), and shellcheck.
#
# A broken rule fails. What is only large (a file, a header, a function) is listed as a question: is this room two rooms?
# --fast leaves the compilers out.
set -euo pipefail
cd "$(dirname "$0")/../.."

failed=0
complain() { # complain RULE FINDINGS
	[ -n "$2" ] || return 0
	printf '%s:\n%s\n' "$1" "$2" | sed '2,$s/^/  /' >&2
	failed=1
}

mapfile -t sources < <(find common worker tests -name '*.[ch]' | sort)
mapfile -t product < <(find common worker -name '*.[ch]' | sort)

# Floors: an include runs down, or stays in its room.
uphill=$(awk '
function room(path, parts) {
	split(path, parts, "/")
	return parts[1] == "worker" ? parts[2] : parts[1]
}
BEGIN {
	floor["common"] = 0; floor["job"] = 1
	floor["stream"] = floor["wire"] = floor["cache"] = floor["route"] = floor["upstream"] = 2
	floor["lab"] = floor["engine"] = 3
	floor["cli"] = 4
}
/^#include "/ {
	split($0, quoted, "\"")
	from = room(FILENAME); to = room(quoted[2])
	if (quoted[2] !~ /^(common|worker)\//) {
		if (quoted[2] !~ /\//) next # generated while building
		print FILENAME ":" FNR ": not written from the root of the repository: " quoted[2]
	} else if (!(from in floor) || !(to in floor))
		print FILENAME ":" FNR ": a room without a floor: " from " or " to
	else if (from != to && floor[to] >= floor[from])
		print FILENAME ":" FNR ": " from " may not include " to
}' "${product[@]}")
complain "includes that run up or sideways" "$uphill"

# Adapters: a library is known to one file (librdkafka: to one room).
strangers=$(while read -r header place; do
	grep -nE "^#include <($header)" "${product[@]}" | grep -vE "^($place):" || true
done <<'END'
librdkafka/ worker/stream/[a-z_]*\.[ch]
avro[./] worker/wire/avro_encode\.c
hiredis[./] worker/cache/redis\.c
curl/ worker/upstream/transfer\.c|common/http\.c
json-c/|json\.h nowhere
libfyaml common/config_yaml\.c
openssl/ common/hmac\.c
pcre2 worker/route/regex\.c
hs[./] worker/route/keywords\.c
microhttpd worker/engine/admin[a-z_]*\.c
END
)
complain "third-party headers outside their adapter" "$strangers"

complain "banned functions" "$(
	grep -nE '\b(strcpy|strcat|stpcpy|sprintf|vsprintf|strtok|strtok_r|atoi|atol|atoll|atof|gets|alloca|strdupa)[[:space:]]*\(' \
		"${sources[@]}"
)"
# strtod has one place, which says why it is safe there: the process never calls setlocale.
complain "numbers read by the locale's rules" "$(
	grep -nE '\b(strtod|strtof|sscanf|scanf|setlocale)[[:space:]]*\(' "${product[@]}" | grep -v '^common/str\.c:.*strtod'
)"
complain "pointers hidden in a typedef" "$(grep -nE '^typedef .*\*[a-z_ ]*;' "${sources[@]}")"
complain "to-dos outside CONTRIBUTING.md" "$(grep -nE '\b(TODO|FIXME|XXX)\b' "${sources[@]}")"
has_essay() { # a comment before anything but includes
	grep -qE '^(/\*|//)' <(grep -vE '^(#include.*)?$' "$1" | head -n 1)
}
complain "files without an essay at their head" "$(
	for file in "${product[@]}"; do
		has_essay "$file" || echo "$file"
	done
)"

for file in "${sources[@]}"; do
	has_essay "$file" || echo "question: $file does not say what it is for"
	lines=$(wc -l <"$file")
	case $file in
	*.h) [ "$lines" -le 80 ] || echo "question: $file has $lines lines; is the room's face too wide?" ;;
	*) [ "$lines" -le 400 ] || echo "question: $file has $lines lines; is it two files?" ;;
	esac
done
awk '
FNR == 1 { start = 0 }
/^[a-z].*\(/ { head = $0 }
/^\{/ { start = FNR; name = head }
/^\}/ {
	if (start > 0 && FNR - start > 61) {
		sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
		printf "question: %s:%d: %s has %d lines; is it two functions?\n", FILENAME, start, name, FNR - start - 1
	}
	start = 0
}' "${product[@]}"

if command -v shellcheck >/dev/null; then
	mapfile -t scripts < <(git ls-files | grep -E '\.sh$|^(\.ci|tests/chaos)/run$')
	shellcheck -x "${scripts[@]}" || failed=1
else
	echo "lint: no shellcheck here; the scripts were not looked at" >&2
fi

if [ "${1:-}" != --fast ]; then
	jobs=("-j$(nproc)")
	[[ ${MAKEFLAGS:-} != *jobserver* ]] || jobs=() # it shares out the jobs already
	make -s "${jobs[@]}" CC=gcc all || failed=1
	if command -v clang >/dev/null; then
		make -s CC=clang syntax || failed=1
	else
		echo "lint: no clang here; only gcc was asked" >&2
	fi
fi
if [ $failed != 0 ]; then
	echo "lint: failed" >&2
	exit 1
fi
echo "lint: all rules hold"
