/*
 * test_progress_bisect.c: full partitions and transactions that are aborted and committed in halves, against a plain set.
 *
 * The model is one byte per record that was taken. At every transaction what would be committed is written as text, read
 * back, and compared with the model; a new worker is opened from it and must agree. The shapes of gaps are those that cost the
 * text most, at every span up to 2^40. POINTSMAN_TEST_SEEDS multiplies the random rounds.
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

enum shape { SHAPE_EVEN, SHAPE_DENSE, SHAPE_ALTERNATING, SHAPE_GEOMETRIC, SHAPE_ONE_FAR, SHAPE_RANDOM, SHAPES };

struct bisect {
	uint64_t seed;
	struct progress *p;
	uint32_t taken;
	int64_t offset[PROGRESS_MAX_ENTRIES];
	bool open[PROGRESS_MAX_ENTRIES], done[PROGRESS_MAX_ENTRIES]; /* in the transaction; committed */
};

static uint64_t next_random(uint64_t *seed)
{
	/* splitmix64, public domain, S. Vigna */
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static const struct progress_mark full_mark = {
	.running = true, .restarts = 65535, .has_topic_id = true, .owner = "012345678901234567890123456789012345"};

/* Offset of the n-th record of a shape within span. Ascending; the last of them may be far beyond what fits. */
static int64_t place(enum shape shape, unsigned span_bits, uint32_t n, int64_t before, uint64_t *seed)
{
	int64_t span = (int64_t)1 << span_bits, step = span / PROGRESS_MAX_ENTRIES + 1;
	switch (shape) {
	case SHAPE_EVEN: return n * step;
	case SHAPE_DENSE: return n;
	case SHAPE_ALTERNATING: return n / 2 * 2 * step + n % 2;
	case SHAPE_GEOMETRIC: return before + 1 + (n % span_bits == 0 ? 0 : ((int64_t)1 << n % span_bits) - 1);
	case SHAPE_ONE_FAR: return n == 1 ? span : before + 1;
	default: return before + 1 + (int64_t)(next_random(seed) % (uint64_t)(2 * step));
	}
}

/* Takes records of the shape until one is refused, or all that may ever be. */
static void fill(struct bisect *b, enum shape shape, unsigned span_bits)
{
	int64_t offset = 0;
	b->taken = 0;
	b->p = progress_open(0, NULL);
	while (b->taken < PROGRESS_MAX_ENTRIES) {
		offset = place(shape, span_bits, b->taken, offset, &b->seed);
		if (b->taken == 0)
			offset = 0; /* the base */
		if (!progress_may_take(b->p, offset))
			break;
		progress_take(b->p, offset);
		b->open[b->taken] = b->done[b->taken] = false;
		b->offset[b->taken++] = offset;
	}
	if (b->taken == PROGRESS_MAX_ENTRIES)
		assert_false(progress_may_take(b->p, offset + 1));
	assert_true(b->taken > 0);
}

/* What a commit is to store says of every record what the model says, also to whoever opens from its text. */
static void check_stored(const struct bisect *b, const struct progress_snapshot *s)
{
	static struct progress_snapshot back;
	struct progress_mark mark;
	struct err err;
	char text[PROGRESS_TEXT_MAX + 1];
	size_t len = progress_encode(s, &full_mark, text);
	assert_in_range(len, 1, PROGRESS_TEXT_MAX);
	assert_int_equal(progress_decode((struct str){text, len}, s->base, &back, &mark, &err), RC_OK);
	assert_int_equal(back.count, s->count);
	assert_memory_equal(back.unfinished, s->unfinished, s->count * sizeof s->unfinished[0]);
	struct progress *other = progress_open(s->base, &back);
	uint32_t unfinished = 0;
	for (uint32_t i = 0; i < b->taken; i++) {
		bool finished = b->open[i] || b->done[i];
		unfinished += !finished;
		if (b->offset[i] < progress_top(other) || finished)
			assert_int_equal(progress_is_finished(other, b->offset[i]), finished);
	}
	assert_int_equal(s->count, unfinished);
	progress_close(other);
}

static void begin(struct bisect *b)
{
	static struct progress_snapshot s;
	progress_begin(b->p, &s);
	check_stored(b, &s);
}

/* Offers [from, to) in one transaction. One that holds a poisoned record is aborted, and its halves are offered. */
static void offer(struct bisect *b, uint32_t from, uint32_t to, const bool *poisoned)
{
	bool bad = false;
	for (uint32_t i = from; i < to; i++) {
		if (b->done[i])
			continue;
		progress_finish(b->p, b->offset[i]);
		b->open[i] = true;
		bad |= poisoned[i];
	}
	begin(b);
	if (bad)
		progress_abort(b->p);
	else
		progress_commit(b->p);
	for (uint32_t i = from; i < to; i++) {
		b->done[i] |= b->open[i] && !bad;
		b->open[i] = false;
	}
	if (bad && to - from > 1) {
		offer(b, from, from + (to - from) / 2, poisoned);
		offer(b, from + (to - from) / 2, to, poisoned);
	}
}

static void check_end(struct bisect *b, const bool *poisoned)
{
	for (uint32_t i = 0; i < b->taken; i++) {
		assert_int_equal(b->done[i], !poisoned[i]);
		assert_int_equal(progress_look(b->p, b->offset[i]), poisoned[i] ? PROGRESS_TAKEN : PROGRESS_FINISHED);
	}
	progress_close(b->p);
}

static void a_full_partition_is_bisected_at_every_span_and_shape(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	static struct bisect b;
	static bool poisoned[PROGRESS_MAX_ENTRIES];
	for (unsigned bits = 1; bits <= 40; bits++)
		for (int shape = 0; shape < SHAPES; shape++) {
			b.seed = bits * 100 + (unsigned)shape;
			fill(&b, (enum shape)shape, bits);
			memset(poisoned, 0, sizeof poisoned);
			poisoned[next_random(&b.seed) % b.taken] = poisoned[0] = true;
			offer(&b, 0, b.taken, poisoned);
			check_end(&b, poisoned);
		}
}

static void any_subset_may_abort_and_any_other_commit(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	static struct bisect b;
	static bool poisoned[PROGRESS_MAX_ENTRIES];
	const char *more = getenv("POINTSMAN_TEST_SEEDS");
	int64_t times = 1;
	if (more != NULL)
		assert_true(str_to_i64(str_of(more), &times) && times > 0);
	for (uint64_t seed = 1; seed <= (uint64_t)times * 60; seed++) {
		b.seed = seed;
		fill(&b, (enum shape)(seed % SHAPES), 1 + (unsigned)(next_random(&b.seed) % 40));
		memset(poisoned, 0, sizeof poisoned);
		for (int round = 0; round < 40; round++) {
			bool commits = next_random(&b.seed) % 3 != 0;
			uint64_t share = 1 + next_random(&b.seed) % 50;
			for (uint32_t i = 0; i < b.taken; i++)
				if (!b.done[i] && next_random(&b.seed) % share == 0) {
					progress_finish(b.p, b.offset[i]);
					b.open[i] = true;
				}
			begin(&b);
			if (commits)
				progress_commit(b.p);
			else
				progress_abort(b.p);
			for (uint32_t i = 0; i < b.taken; i++) {
				b.done[i] |= b.open[i] && commits;
				b.open[i] = false;
			}
		}
		for (uint32_t i = 0; i < b.taken; i++)
			poisoned[i] = !b.done[i];
		check_end(&b, poisoned);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_partition_is_bisected_at_every_span_and_shape),
		cmocka_unit_test(any_subset_may_abort_and_any_other_commit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
