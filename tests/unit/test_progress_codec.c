/*
 * test_progress_codec.c: the metadata text: what is written comes back, what is damaged does not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "worker/stream/progress_codec.h"

static uint64_t next_random(uint64_t *seed)
{
	/* splitmix64, public domain, S. Vigna */
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* A random set that progress_fits accepts: count entries with gaps below 2^gap_bits, cut where it is full. */
static void random_snapshot(uint64_t *seed, uint32_t count, unsigned gap_bits, struct progress_snapshot *s)
{
	memset(s, 0, sizeof *s);
	s->base = (int64_t)(next_random(seed) >> 20);
	int64_t at = s->base;
	while (s->count < count && progress_fits(s->count + 1, at - s->base)) {
		s->unfinished[s->count++] = at;
		at += 1 + (int64_t)(next_random(seed) % ((uint64_t)1 << gap_bits));
	}
	if (s->count > 0)
		s->span = s->unfinished[s->count - 1] + 1 - s->base + (int64_t)(next_random(seed) % 1000);
}

static struct progress_mark random_mark(uint64_t *seed, const struct progress_snapshot *s)
{
	struct progress_mark mark = {.running = (next_random(seed) & 1) != 0, .restarts = (uint16_t)next_random(seed)};
	size_t owner = next_random(seed) % (PROGRESS_OWNER_MAX + 1);
	for (size_t i = 0; i < owner; i++)
		mark.owner[i] = (char)(0x20 + next_random(seed) % 95);
	mark.has_topic_id = (next_random(seed) & 1) != 0;
	for (int i = 0; i < PROGRESS_TOPIC_ID_BYTES && mark.has_topic_id; i++)
		mark.topic_id[i] = (uint8_t)next_random(seed);
	mark.stuck = next_random(seed) & PROGRESS_COUNT_MAX;
	mark.has_alone = s->count > 0 && (next_random(seed) & 1) != 0;
	mark.alone = mark.has_alone ? s->unfinished[next_random(seed) % s->count] : 0;
	mark.has_suspect = s->count > 0 && (next_random(seed) & 1) != 0;
	mark.suspect = mark.has_suspect ? s->unfinished[next_random(seed) % s->count] : 0;
	mark.crashes = (uint8_t)(mark.has_suspect ? 1 + next_random(seed) % PROGRESS_COUNT_MAX : 0);
	return mark;
}

static void assert_comes_back(const struct progress_snapshot *s, const struct progress_mark *mark, const char *text, size_t len)
{
	struct progress_snapshot *back = heap_zalloc(1, sizeof *back);
	struct progress_mark back_mark;
	struct err err;
	assert_int_equal(strlen(text), len);
	assert_in_range(len, 1, PROGRESS_TEXT_MAX);
	char *bare = heap_alloc(len); /* as librdkafka gives it: no NUL behind it */
	memcpy(bare, text, len);
	assert_int_equal(progress_decode((struct str){bare, len}, s->base, back, &back_mark, &err), RC_OK);
	assert_int_equal(back->base, s->base);
	assert_int_equal(back->span, s->span);
	assert_int_equal(back->count, s->count);
	assert_memory_equal(back->unfinished, s->unfinished, s->count * sizeof s->unfinished[0]);
	assert_int_equal(back_mark.running, mark->running);
	assert_int_equal(back_mark.restarts, mark->restarts);
	assert_true(back_mark.stuck == mark->stuck && back_mark.crashes == mark->crashes);
	assert_true(back_mark.has_alone == mark->has_alone && back_mark.alone == mark->alone);
	assert_true(back_mark.has_suspect == mark->has_suspect && back_mark.suspect == mark->suspect);
	assert_string_equal(back_mark.owner, mark->owner);
	assert_int_equal(back_mark.has_topic_id, mark->has_topic_id);
	assert_memory_equal(back_mark.topic_id, mark->topic_id, PROGRESS_TOPIC_ID_BYTES);
	assert_int_equal(progress_decode((struct str){bare, len}, s->base + 1, back, &back_mark, &err), RC_BAD_INPUT);
	free(bare);
	free(back);
}

static void what_is_encoded_comes_back_at_every_size_and_span(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	struct progress_snapshot *s = heap_zalloc(1, sizeof *s);
	char text[PROGRESS_TEXT_MAX + 1];
	uint64_t seed = 4;
	for (unsigned gap_bits = 0; gap_bits <= 40; gap_bits++)
		for (uint32_t count = 0; count <= PROGRESS_MAX_ENTRIES; count = count * 3 + 1) {
			random_snapshot(&seed, count, gap_bits, s);
			struct progress_mark mark = random_mark(&seed, s);
			assert_comes_back(s, &mark, text, progress_encode(s, &mark, text));
		}
	free(s);
}

/* The worst arrangements of a given size and reach: even gaps, all at one end, two clusters. */
static void arrange(int shape, uint32_t count, int64_t reach, struct progress_snapshot *s)
{
	memset(s, 0, sizeof *s);
	s->base = 7;
	s->count = count;
	s->span = reach + 1;
	for (uint32_t i = 0; i < count; i++) {
		int64_t even = count > 1 ? (int64_t)((__int128)reach * i / (count - 1)) : 0;
		int64_t low = i, high = reach - (int64_t)(count - 1 - i);
		int64_t at = shape == 0 ? even : shape == 1 ? (i + 1 < count ? low : reach) : shape == 2 ? (i == 0 ? 0 : high) : i < count / 2 ? low : high;
		s->unfinished[i] = s->base + at;
	}
}

static void the_largest_set_that_fits_comes_back_at_every_span(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	struct progress_snapshot *s = heap_zalloc(1, sizeof *s);
	char text[PROGRESS_TEXT_MAX + 1];
	struct progress_mark mark = {.running = true, .restarts = 65535, .stuck = 15, .crashes = 15, .has_alone = true, .has_suspect = true, .has_topic_id = true, .owner = "012345678901234567890123456789012345"};
	for (unsigned bits = 12; bits <= 62; bits++) {
		int64_t reach = ((int64_t)1 << bits) - 10;
		uint32_t count = 1;
		while (progress_fits(count + 1, reach))
			count++;
		if (reach < 2000000)
			assert_int_equal(count, PROGRESS_MAX_ENTRIES);
		if (bits == 30)
			assert_in_range(count, 1080, 1120);
		if (bits == 40)
			assert_in_range(count, 730, 770);
		for (int shape = 0; shape < 4; shape++) {
			arrange(shape, count, reach, s);
			mark.alone = s->unfinished[0];
			mark.suspect = s->unfinished[count - 1];
			assert_comes_back(s, &mark, text, progress_encode(s, &mark, text));
		}
	}
	free(s);
}

static void an_offset_that_the_commit_finishes_is_not_pointed_at(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	static const struct progress_snapshot s = {.base = 10, .span = 10, .count = 3, .unfinished = {10, 12, 19}};
	static struct progress_snapshot back;
	struct progress_mark mark = {.has_alone = true, .has_suspect = true, .crashes = 2}, back_mark;
	static const int64_t finished[] = {0, 9, 11, 18, 20, INT64_MAX};
	char text[PROGRESS_TEXT_MAX + 1];
	for (size_t i = 0; i < sizeof finished / sizeof finished[0]; i++) {
		mark.alone = mark.suspect = finished[i];
		size_t len = progress_encode(&s, &mark, text);
		assert_int_equal(progress_decode((struct str){text, len}, 10, &back, &back_mark, NULL), RC_OK);
		assert_true(!back_mark.has_alone && !back_mark.has_suspect && back_mark.crashes == 0);
	}
}

static void a_set_that_fits_goes_on_fitting_when_offsets_leave_it(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	uint64_t seed = 11;
	for (int n = 0; n < 20000; n++) {
		uint32_t count = 1 + (uint32_t)(next_random(&seed) % 2100);
		int64_t reach = (int64_t)(next_random(&seed) >> (1 + next_random(&seed) % 63));
		if (progress_fits(count, reach)) {
			assert_true(progress_fits(count - 1, reach));
			assert_true(progress_fits(count, reach / 2));
		}
	}
	assert_false(progress_fits(PROGRESS_MAX_ENTRIES + 1, 1));
}

static void no_damage_is_taken_for_progress(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	struct progress_snapshot *s = heap_zalloc(1, sizeof *s), *back = heap_zalloc(1, sizeof *back);
	struct progress_mark mark, back_mark;
	struct err err;
	char text[PROGRESS_TEXT_MAX + 1];
	uint64_t seed = 5;
	for (int round = 0; round < 12; round++) {
		random_snapshot(&seed, 1 + (uint32_t)(next_random(&seed) % 150), 1 + (unsigned)round * 3, s);
		mark = random_mark(&seed, s);
		size_t len = progress_encode(s, &mark, text);
		for (size_t i = 0; i < len * 8; i++) {
			text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
			assert_int_equal(progress_decode((struct str){text, len}, s->base, back, &back_mark, &err), RC_BAD_INPUT);
			text[i / 8] = (char)(text[i / 8] ^ 1 << i % 8);
		}
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(progress_decode((struct str){text, cut}, s->base, back, &back_mark, &err), RC_BAD_INPUT);
		for (size_t from = 1; from < len; from++)
			assert_int_equal(progress_decode((struct str){text + from, len - from}, s->base, back, &back_mark, &err), RC_BAD_INPUT);
	}
	free(s);
	free(back);
}

static void other_programs_metadata_is_refused_with_a_reason(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	struct progress_snapshot *back = heap_zalloc(1, sizeof *back);
	struct progress_mark mark;
	static const char *const texts[] = {"", "x", "====", "AAAA", "2026-11-24T06:00:00Z", "{\"consumer\":\"connect-1\"}", "AgAFAQIDBA==",
	                                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct err err = {""};
		assert_int_equal(progress_decode(str_of(texts[i]), 0, back, &mark, &err), RC_BAD_INPUT);
		assert_true(err.text[0] != '\0');
	}
	assert_int_equal(progress_decode(STR_NULL, 0, back, &mark, NULL), RC_BAD_INPUT);
	char *zeros = heap_zalloc(100000, 1);
	assert_int_equal(progress_decode((struct str){zeros, 100000}, 0, back, &mark, NULL), RC_BAD_INPUT);
	free(zeros);
	free(back);
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint32_t plain_crc32c(const uint8_t *data, size_t bytes)
{
	uint32_t crc = ~0u;
	for (size_t i = 0; i < bytes; i++) {
		crc ^= data[i];
		for (int b = 0; b < 8; b++)
			crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
	}
	return ~crc;
}

/* bytes is a multiple of 3 and has room for the sum at its end: a forger who knows the format. */
static size_t seal(uint8_t *data, size_t bytes, char *out)
{
	uint32_t crc = plain_crc32c(data, bytes - 4);
	for (int i = 0; i < 4; i++)
		data[bytes - 4 + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
	size_t len = 0;
	for (size_t i = 0; i < bytes; i += 3) {
		uint32_t v = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];
		for (int c = 0; c < 4; c++)
			out[len++] = alphabet[v >> (18 - 6 * c) & 63];
	}
	return len;
}

static void bytes_with_a_right_checksum_are_bounded_and_accepted_only_in_their_one_spelling(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	struct progress_snapshot *back = heap_zalloc(1, sizeof *back);
	struct progress_mark mark;
	char text[PROGRESS_TEXT_MAX + 1], again[PROGRESS_TEXT_MAX + 1];
	uint64_t seed = 6;
	uint32_t accepted = 0;
	assert_int_equal(plain_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
	for (int round = 0; round < 200000; round++) {
		uint8_t data[120] = {0};
		size_t bytes = 33 + 3 * (next_random(&seed) % 30);
		for (size_t i = 24; i < bytes; i++)
			data[i] = (uint8_t)(next_random(&seed) & next_random(&seed));
		data[0] = 2;
		for (size_t at = 24; at <= 26; at += 2)
			data[at] = data[at + 1] = next_random(&seed) % 8 == 0 ? 0 : 0xff;
		if (data[26] == 0xff)
			data[28] &= 0x0f;
		data[1] = (uint8_t)(next_random(&seed) % 5);
		data[12] = next_random(&seed) % 8 == 0 ? 0xff : 0;
		data[17 + next_random(&seed) % 3] = (uint8_t)next_random(&seed);
		data[20] = next_random(&seed) % 8 == 0 ? 0xff : 0;
		data[21] = (uint8_t)(next_random(&seed) % 40);
		data[22] = (uint8_t)(next_random(&seed) % (round % 2 == 0 ? 66 : 6));
		data[23] = (uint8_t)(round % 3 == 0 ? next_random(&seed) % 40 : 0);
		size_t len = seal(data, bytes, text);
		text[len] = '\0';
		if (progress_decode((struct str){text, len}, 0, back, &mark, NULL) != RC_OK)
			continue;
		accepted++;
		for (uint32_t i = 0; i < back->count; i++)
			assert_true(back->unfinished[i] >= (i == 0 ? 0 : back->unfinished[i - 1] + 1) && back->unfinished[i] < back->span);
		assert_int_equal(progress_encode(back, &mark, again), len);
		assert_string_equal(again, text);
	}
	assert_true(accepted > 0);
	free(back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encoded_comes_back_at_every_size_and_span),
		cmocka_unit_test(the_largest_set_that_fits_comes_back_at_every_span),
		cmocka_unit_test(an_offset_that_the_commit_finishes_is_not_pointed_at),
		cmocka_unit_test(a_set_that_fits_goes_on_fitting_when_offsets_leave_it),
		cmocka_unit_test(no_damage_is_taken_for_progress),
		cmocka_unit_test(other_programs_metadata_is_refused_with_a_reason),
		cmocka_unit_test(bytes_with_a_right_checksum_are_bounded_and_accepted_only_in_their_one_spelling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
