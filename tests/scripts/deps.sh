#!/bin/bash
# deps.sh [build|test]: installs what building (default) or testing needs. Debian 12 and 13.
#
# Only what is missing, each download once, silent when all is there. Packages come from Debian, a broker and a schema
# registry from Maven Central, the independent clients of the tests from PyPI; the last two are kept in
# ${XDG_CACHE_HOME:-~/.cache}/pointsman-test. Without root it asks sudo for apt-get.
# shellcheck source=tests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

HERE=$(cd "$(dirname "$0")" && pwd)

# A package is wanted when its test fails. A test is a command's name, a file's path, or pc:NAME for a library known to
# pkg-config.
BUILD_NEEDS='
gcc gcc
/usr/include/stdio.h libc6-dev
make make
pkg-config pkg-config
pc:rdkafka librdkafka-dev
pc:avro-c libavro-dev
pc:hiredis libhiredis-dev
pc:libcurl libcurl4-openssl-dev
pc:openssl libssl-dev
pc:libfyaml libfyaml-dev
pc:json-c libjson-c-dev
pc:libpcre2-8 libpcre2-dev
pc:libhs libvectorscan-dev
pc:libmicrohttpd libmicrohttpd-dev
'
TEST_NEEDS='
pc:cmocka libcmocka-dev
redis-server redis-server
redis-cli redis-tools
curl curl
java default-jre-headless
mvn maven
python3 python3
clang clang
chromium chromium
'

is_there() {
	case $1 in
	/*) [ -e "$1" ] ;;
	pc:*) command -v pkg-config >/dev/null && pkg-config --exists "${1#pc:}" ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

missing_packages() {
	local test package
	while read -r test package; do
		[ -z "$test" ] || is_there "$test" || echo "$package"
	done <<<"$1"
}

install_packages() {
	local root=()
	[ $# -gt 0 ] || return 0
	command -v apt-get >/dev/null || die "missing and no apt-get here to install it: $*"
	[ "$(id -u)" = 0 ] || root=(sudo)
	echo "deps: installing $*" >&2
	"${root[@]}" apt-get update -qq
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# fetch TARGET COMMAND FOLDER: the command fills a folder given as its last argument; TARGET appears whole or not at all.
fetch() {
	local target=$1 scratch
	shift
	[ ! -d "$target" ] || return 0
	echo "deps: fetching $(basename "$target")" >&2
	scratch=$(mktemp -d "$CACHE/fetch.XXXXXX")
	"$@" "$scratch/it" || { rm -rf "$scratch"; die "fetching $target failed"; }
	mv "$scratch/it" "$target"
	rm -rf "$scratch"
}

fetch_kafka() {
	mvn -q -B -f "$HERE/kafka-pom.xml" dependency:copy-dependencies -DoutputDirectory="$1" >&2
}

fetch_registry() {
	mkdir -p "$1.download" "$1"
	mvn -q -B dependency:copy -DoutputDirectory="$1.download" \
		-Dartifact="io.apicurio:apicurio-registry-app:$REGISTRY_VERSION:tar.gz:all" >&2
	tar -xzf "$1.download"/*.tar.gz -C "$1"
}

# A venv cannot be moved, so it is made in place; the copy of the requirements is written last and says that it is whole.
make_venv() {
	cmp -s "$HERE/requirements.txt" "$VENV/requirements.txt" && return 0
	echo "deps: making the Python environment" >&2
	[ -x "$VENV/bin/pip" ] || python3 -m venv --clear "$VENV" # tests that run now go on with what they have
	"$VENV/bin/pip" install -q --disable-pip-version-check -r "$HERE/requirements.txt"
	cp "$HERE/requirements.txt" "$VENV/requirements.txt"
}

needs=$BUILD_NEEDS
[ "${1:-build}" = build ] || needs+=$TEST_NEEDS
mapfile -t packages < <(missing_packages "$needs")
if [ "${1:-build}" = test ]; then
	# Debian's Python comes without what makes a venv
	python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
	# the fuzzer's and the sanitizers' run-time is a package of its own, named after clang's version
	if ! compgen -G "$(clang -print-resource-dir 2>/dev/null)/lib/*/libclang_rt.fuzzer*.a" >/dev/null; then
		packages+=("libclang-rt-$(apt-cache depends clang | sed -n 's/.*Depends: clang-//p' | head -1)-dev")
	fi
fi
install_packages "${packages[@]}"
if [ "${1:-build}" = test ]; then
	mkdir -p "$CACHE"
	exec 9>"$CACHE/lock"
	flock 9
	fetch "$KAFKA_JARS" fetch_kafka
	fetch "$REGISTRY_HOME" fetch_registry
	make_venv
fi
