#!/bin/bash
# rdkafka.sh thread|latest: prints a prefix whose lib/ holds another librdkafka than Debian's, for LD_LIBRARY_PATH.
#
# latest: a release with the new group protocol. It is the one that the tests' Python client carries (requirements.txt pins it),
# whole and with all that it needs linked into it; so nothing is built or fetched. What is compiled against 2.0.2 runs with it.
#
# thread: for the thread sanitizer's lane, built the first time. Debian's librdkafka uses C11 threads, whose locks the sanitizer
# does not see: it reports races where there are none, and crashes. This is the same source, by way of apt, built upon pthreads
# and with the sanitizer itself, so that its locks and queues are followed like ours. The machine's apt sources are read, not
# changed. It does not serve any other lane.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

PREFIX=$CACHE/librdkafka-tsan

# The machine's own sources, as source packages: APT/sources.d, in either of apt's two notations.
write_sources() {
	local apt=$1 file
	mkdir -p "$apt/sources.d" "$apt/lists/partial"
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
		[ -e "$file" ] || continue
		sed -E 's/^deb[[:space:]]/deb-src /; s/^(Types:).*/\1 deb-src/' "$file" >"$apt/sources.d/$(basename "$file")"
	done
}

fetch_source() {
	local scratch=$1
	local apt=(-qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$scratch/apt/sources.d"
		-o Dir::State::lists="$scratch/apt/lists" -o Dir::Cache="$scratch/apt" -o APT::Sandbox::User="$(id -un)")
	write_sources "$scratch/apt"
	apt-get "${apt[@]}" update
	(cd "$scratch" && apt-get "${apt[@]}" source --download-only librdkafka)
	mkdir "$scratch/source"
	tar -xf "$scratch"/librdkafka_*.orig.tar.* --strip-components=1 -C "$scratch/source"
}

# Installed under a name of its own first, so that the prefix appears whole or not at all.
build() {
	local scratch=$1
	cd "$scratch/source"
	CFLAGS='-fsanitize=thread -fno-omit-frame-pointer -g -O1' LDFLAGS=-fsanitize=thread \
		./configure --prefix="$PREFIX" --disable-c11threads --disable-gssapi --disable-curl
	nice make -j2 -C src
	nice make -C src install DESTDIR="$scratch/root"
	mv "$scratch/root$PREFIX" "$PREFIX"
}

for_threads() {
	local scratch
	exec 9>"$CACHE/lock.librdkafka-tsan"
	flock 9
	if [ ! -d "$PREFIX" ]; then
		echo "rdkafka: building librdkafka for the thread sanitizer" >&2
		scratch=$(mktemp -d "$CACHE/fetch.XXXXXX")
		# shellcheck disable=SC2064 # the folder of now
		trap "rm -rf '$scratch'" EXIT
		fetch_source "$scratch" >&2
		build "$scratch" >"$CACHE/librdkafka-tsan.log" 2>&1 || { tail -n 20 "$CACHE/librdkafka-tsan.log" >&2; die "the build failed"; }
	fi
	echo "$PREFIX"
}

latest() {
	local prefix=$CACHE/librdkafka-latest library
	library=$(echo "$VENV"/lib/python3*/site-packages/confluent_kafka.libs/librdkafka-*.so.1)
	[ -e "$library" ] || die "no librdkafka in $VENV: run tests/scripts/deps.sh test"
	mkdir -p "$prefix/lib"
	ln -sfn "$library" "$prefix/lib/librdkafka.so.1"
	echo "$prefix"
}

mkdir -p "$CACHE"
case ${1:-} in
thread) for_threads ;;
latest) latest ;;
*) die "usage: rdkafka.sh thread|latest" ;;
esac
