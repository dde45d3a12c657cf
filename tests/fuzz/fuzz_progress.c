/*
 * fuzz_progress.c: the text of an offset commit, as anyone may have written it, and its bytes with a right checksum.
 *
 * What decodes is a valid set and encodes to the very same text, so there is one spelling of each state and nothing else is
 * taken for progress.
 */
#include "tests/fuzz/fuzz.h"
#include "worker/stream/progress_codec.h"

static void read_one(struct str text, int64_t base)
{
	static struct progress_snapshot snapshot; /* 16 KB, filled anew by each success */
	struct progress_mark mark;
	char again[PROGRESS_TEXT_MAX + 1];
	if (progress_decode(text, base, &snapshot, &mark, NULL) != RC_OK)
		return;
	FUZZ_CHECK(snapshot.base == base && snapshot.count <= PROGRESS_MAX_ENTRIES);
	for (uint32_t i = 0; i < snapshot.count; i++) {
		FUZZ_CHECK(i == 0 ? snapshot.unfinished[i] == base : snapshot.unfinished[i] > snapshot.unfinished[i - 1]);
		FUZZ_CHECK(snapshot.unfinished[i] < snapshot.base + snapshot.span);
	}
	size_t len = progress_encode(&snapshot, &mark, again);
	FUZZ_CHECK(str_eq((struct str){again, len}, text));
	progress_close(progress_open(base, &snapshot));
}

static uint32_t crc32c(const uint8_t *data, size_t bytes)
{
	uint32_t crc = ~0u;
	for (size_t i = 0; i < bytes; i++) {
		crc ^= data[i];
		for (int b = 0; b < 8; b++)
			crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
	}
	return ~crc;
}

/* A forger who knows the format: the checksum over the input, all as base64. Lengths of whole threes are enough. */
static void read_forged(const uint8_t *data, size_t bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t all[PROGRESS_TEXT_MAX / 4 * 3 + 4];
	char text[PROGRESS_TEXT_MAX + 8];
	if (bytes < 24 || bytes + 4 > PROGRESS_TEXT_MAX / 4 * 3 || (bytes + 4) % 3 != 0)
		return;
	memcpy(all, data, bytes);
	uint32_t crc = crc32c(data, bytes);
	for (size_t i = 0; i < 4; i++)
		all[bytes + i] = (uint8_t)(crc >> (24 - 8 * i));
	size_t len = 0;
	for (size_t i = 0; i < bytes + 4; i += 3) {
		uint32_t v = (uint32_t)all[i] << 16 | (uint32_t)all[i + 1] << 8 | all[i + 2];
		for (int c = 0; c < 4; c++)
			text[len++] = alphabet[v >> (18 - 6 * c) & 63];
	}
	uint64_t base = 0;
	for (size_t i = 4; i < 12; i++)
		base = base << 8 | data[i];
	read_one((struct str){text, len}, (int64_t)(base & INT64_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	read_one((struct str){(const char *)data, bytes}, 0);
	read_forged(data, bytes);
	return 0;
}
