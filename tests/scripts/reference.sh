#!/bin/sh
# reference.sh: writes the option reference of the binary into deploy/README.md, between its two markers.
#   tests/scripts/reference.sh           writes it
#   tests/scripts/reference.sh --check   changes nothing; fails when the page is not what the binary says
# POINTSMAN names another binary than build/pointsman.
set -eu
cd "$(dirname "$0")/../.."
binary=${POINTSMAN:-build/pointsman}
page=deploy/README.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ -x "$binary" ] || { echo "reference.sh: $binary is missing; run make first" >&2; exit 1; }
for marker in begin end; do
	[ "$(grep -c "^<!-- reference:$marker -->\$" "$page")" = 1 ] ||
		{ echo "reference.sh: $page must hold the line <!-- reference:$marker --> once" >&2; exit 1; }
done
"$binary" config --reference > "$work/reference"
[ -s "$work/reference" ] || { echo "reference.sh: '$binary config --reference' printed nothing" >&2; exit 1; }
awk -v reference="$work/reference" '
	/^<!-- reference:begin -->$/ { print; while ((getline line < reference) > 0) print line; inside = 1; next }
	/^<!-- reference:end -->$/ { inside = 0 }
	!inside { print }
' "$page" > "$work/page"

if [ "${1:-}" = --check ]; then
	diff -u "$page" "$work/page" >&2 || { echo "reference.sh: run tests/scripts/reference.sh" >&2; exit 1; }
else
	cat "$work/page" > "$page"
fi
