/*
 * test_progress.c: progress out of order against a model that keeps one byte per record.
 *
 * The idea: a world of one partition (records, holes in the log, a broker that remembers the last committed text) is driven
 * by a seeded sequence of deliveries, finishes, transactions, aborts, releases and crashes. What must hold at every step and
 * at the end is written here a second time, in the plainest way: nothing skipped, nothing twice, never too long a text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "worker/stream/progress.h"
#include "worker/stream/progress_codec.h"

enum state { UNREAD, TAKEN, COLLECTED, OPEN, COMMITTED };

struct world {
	uint64_t seed;
	uint32_t records;
	unsigned deliver_share; /* of 1,000 steps; finishing has the rest up to 850 */
	int64_t *offset;       /* of each record, ascending, with gaps */
	uint8_t *state;        /* enum state */
	uint8_t *committed;    /* how often a read_committed reader would see it */
	uint8_t *vanished;     /* compacted away before it was ever finished */
	int64_t end;           /* the log's */
	uint32_t next;         /* the record that the consumer delivers next */
	struct progress *p;
	struct progress_snapshot open; /* what the open transaction is to store */
	int64_t stored_base;           /* what the broker has */
	char stored[PROGRESS_TEXT_MAX + 1];
	size_t refusals;
};

static uint64_t next_random(uint64_t *seed)
{
	/* splitmix64, public domain, S. Vigna */
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint64_t below(struct world *w, uint64_t n)
{
	return next_random(&w->seed) % n;
}

static void world_open(struct world *w, uint64_t seed, uint32_t records, unsigned gap_bits)
{
	*w = (struct world){.seed = seed, .records = records};
	w->offset = heap_zalloc(records, sizeof *w->offset);
	w->state = heap_zalloc(records, 1);
	w->committed = heap_zalloc(records, 1);
	w->vanished = heap_zalloc(records, 1);
	int64_t at = (int64_t)below(w, 1000);
	w->stored_base = below(w, 2) == 0 ? at : 0;
	for (uint32_t i = 0; i < records; i++) {
		w->offset[i] = at;
		at += 1 + (below(w, 3) == 0 ? (int64_t)below(w, (uint64_t)1 << gap_bits) : 0);
	}
	w->end = at;
	w->p = progress_open(w->stored_base, NULL);
}

static void world_close(struct world *w)
{
	progress_close(w->p);
	free(w->offset);
	free(w->state);
	free(w->committed);
	free(w->vanished);
}

/* Index of the first record at or above offset. */
static uint32_t index_at(const struct world *w, int64_t offset)
{
	uint32_t i = 0;
	while (i < w->records && w->offset[i] < offset)
		i++;
	return i;
}

/* A random record in one of the states of the mask, -1 when there is none nearby. */
static int64_t pick(struct world *w, unsigned mask)
{
	uint32_t from = (uint32_t)below(w, w->records);
	for (uint32_t n = 0; n < w->records; n++) {
		uint32_t i = (from + n) % w->records;
		if ((mask >> w->state[i] & 1) != 0)
			return i;
	}
	return -1;
}

static void deliver(struct world *w)
{
	while (w->next < w->records && w->vanished[w->next] && w->state[w->next] == UNREAD)
		w->next++;
	if (w->next == w->records) {
		progress_position(w->p, w->end);
		return;
	}
	int64_t offset = w->offset[w->next];
	enum progress_place place = progress_look(w->p, offset);
	enum state state = w->state[w->next];
	if (state == COMMITTED)
		assert_int_equal(place, PROGRESS_FINISHED);
	else if (state != UNREAD)
		assert_int_equal(place, PROGRESS_TAKEN);
	else
		assert_true(place == PROGRESS_NEW || place == PROGRESS_AWAITED);
	if (state == UNREAD) {
		if (!progress_may_take(w->p, offset)) {
			assert_int_equal(place, PROGRESS_NEW);
			w->refusals++;
			return;
		}
		progress_take(w->p, offset);
		w->state[w->next] = TAKEN;
	}
	w->next++;
}

static void begin(struct world *w)
{
	progress_begin(w->p, &w->open);
	const struct progress_snapshot *s = &w->open;
	uint32_t listed = 0;
	for (uint32_t i = 0; i < w->records; i++) {
		if (w->state[i] == COLLECTED)
			w->state[i] = OPEN;
		bool finished = w->state[i] == OPEN || w->state[i] == COMMITTED || w->vanished[i];
		bool in_list = listed < s->count && s->unfinished[listed] == w->offset[i];
		listed += in_list;
		if (!in_list && w->offset[i] < s->base + s->span)
			assert_true(finished); /* nothing skipped */
		if (in_list && !w->vanished[i])
			assert_false(finished); /* nothing twice */
		if (!in_list && w->state[i] == COMMITTED)
			assert_true(w->offset[i] < s->base + s->span); /* nothing forgotten */
	}
	assert_int_equal(listed, s->count);
}

/* The broker's side of a transaction: the outputs become visible and the text is stored, both or neither. */
static void broker_commits(struct world *w)
{
	struct progress_mark mark = {.running = true, .owner = "0123456789abcdef0123456789abcdef0123"};
	size_t len = progress_encode(&w->open, &mark, w->stored);
	assert_in_range(len, 1, PROGRESS_TEXT_MAX);
	w->stored_base = w->open.base;
	for (uint32_t i = 0; i < w->records; i++)
		if (w->state[i] == OPEN) {
			w->state[i] = COMMITTED;
			assert_int_equal(++w->committed[i], 1);
		}
}

static void end_transaction(struct world *w, bool commits)
{
	if (commits) {
		broker_commits(w);
		progress_commit(w->p);
		return;
	}
	progress_abort(w->p);
	for (uint32_t i = 0; i < w->records; i++)
		if (w->state[i] == OPEN)
			w->state[i] = TAKEN;
}

static void crash(struct world *w)
{
	if (progress_has_open(w->p) && below(w, 2) == 0)
		broker_commits(w); /* it died between the broker's commit and hearing of it */
	progress_close(w->p);
	struct progress_snapshot loaded;
	struct progress_mark mark;
	struct err err;
	bool has = w->stored[0] != '\0' && below(w, 10) != 0;
	if (has)
		assert_int_equal(progress_decode(str_of(w->stored), w->stored_base, &loaded, &mark, &err), RC_OK);
	else
		w->stored[0] = '\0';
	w->p = progress_open(w->stored_base, has ? &loaded : NULL);
	w->next = index_at(w, w->stored_base);
	for (uint32_t i = 0; i < w->records; i++) {
		if (w->state[i] != COMMITTED)
			w->state[i] = UNREAD;
		if (w->state[i] == UNREAD && below(w, 200) == 0)
			w->vanished[i] = 1;
		if (!has && w->offset[i] >= w->stored_base && w->state[i] == COMMITTED) {
			w->state[i] = UNREAD; /* metadata lost: redone, never skipped */
			w->committed[i] = 0;
		}
	}
}

static void seek_back(struct world *w)
{
	int64_t lowest = progress_seek_target(w->p);
	if (lowest < 0)
		return;
	uint32_t index = index_at(w, lowest);
	if (index >= w->next)
		return; /* it is still to come */
	progress_seek(w->p, lowest);
	w->next = index;
}

static void step(struct world *w)
{
	uint64_t dice = below(w, 1000);
	int64_t i;
	if (dice < w->deliver_share) {
		deliver(w);
	} else if (dice < 850) {
		if ((i = pick(w, 1u << TAKEN)) >= 0) {
			progress_finish(w->p, w->offset[i]);
			w->state[i] = COLLECTED;
		}
	} else if (dice < 950) {
		if (progress_has_open(w->p))
			end_transaction(w, below(w, 4) != 0);
		else
			begin(w);
	} else if (dice < 975) {
		if ((i = pick(w, 1u << TAKEN | 1u << COLLECTED)) >= 0) {
			progress_release(w->p, w->offset[i]);
			w->state[i] = UNREAD;
		}
	} else if (dice < 995) {
		seek_back(w);
	} else if (dice < 997) {
		crash(w);
	}
}

/* Everything that is left, without further trouble. */
static void run_out(struct world *w)
{
	if (progress_has_open(w->p))
		end_transaction(w, true);
	do {
		seek_back(w);
		for (uint32_t n = 0; n <= w->records; n++)
			deliver(w);
		for (uint32_t i = 0; i < w->records; i++)
			if (w->state[i] == TAKEN) {
				progress_finish(w->p, w->offset[i]);
				w->state[i] = COLLECTED;
			}
		begin(w);
		end_transaction(w, true);
	} while (w->next < w->records || progress_seek_target(w->p) >= 0);
	progress_begin(w->p, &w->open);
	end_transaction(w, true);
	assert_int_equal(w->stored_base, w->end); /* lag reads 0 */
	assert_int_equal(progress_entries(w->p), 0);
	for (uint32_t i = 0; i < w->records; i++)
		if (!w->vanished[i])
			assert_int_equal(w->committed[i], 1);
}

static void any_history_commits_every_record_once_and_ends_at_the_log_end(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	static const struct {
		unsigned gap_bits;
		uint32_t records, steps, seeds, deliver_share;
	} cases[] = {{1, 60, 1000, 400, 450}, {8, 120, 1500, 200, 450}, {36, 120, 1500, 200, 600}, {40, 2500, 12000, 4, 700}};
	size_t refusals = 0;
	const char *more = getenv("POINTSMAN_TEST_SEEDS"); /* multiplies the seeds */
	int64_t times = 1;
	if (more != NULL)
		assert_true(str_to_i64(str_of(more), &times) && times > 0);
	for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
		for (uint64_t seed = 1; seed <= (uint64_t)times * cases[c].seeds; seed++) {
			struct world w;
			world_open(&w, seed * 1000003 + c, cases[c].records, cases[c].gap_bits);
			w.deliver_share = cases[c].deliver_share;
			for (uint32_t n = 0; n < cases[c].steps; n++)
				step(&w);
			run_out(&w);
			refusals += w.refusals;
			world_close(&w);
		}
	assert_true(refusals > 0); /* the last case must have met the bound, or it shows nothing about it */
}

static void admission_refuses_before_the_text_is_full_and_recovers_with_the_first_commit(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	for (unsigned shift = 0; shift <= 40; shift += 4) {
		int64_t stride = (int64_t)1 << shift, offset = 0;
		struct progress *p = progress_open(0, NULL);
		uint32_t taken = 0;
		while (progress_may_take(p, offset)) {
			progress_take(p, offset);
			offset += stride;
			taken++;
		}
		assert_in_range(taken, shift < 10 ? 2000 : 400, PROGRESS_MAX_ENTRIES);
		struct progress_snapshot s;
		struct progress_mark mark = {.has_topic_id = true, .owner = "012345678901234567890123456789012345"};
		char text[PROGRESS_TEXT_MAX + 1];
		progress_begin(p, &s);
		assert_int_equal(s.count, taken);
		assert_in_range(progress_encode(&s, &mark, text), 1, PROGRESS_TEXT_MAX);
		progress_commit(p);

		/* in flight it still counts; an abort brings it back whole */
		progress_finish(p, 0);
		progress_begin(p, &s);
		assert_false(progress_may_take(p, offset));
		progress_abort(p);
		assert_false(progress_may_take(p, offset));
		assert_int_equal(progress_watermark(p), 0);
		progress_finish(p, 0);
		progress_begin(p, &s);
		progress_commit(p);
		assert_true(progress_may_take(p, stride * taken) == progress_fits(taken, stride * (taken - 1)));
		assert_int_equal(progress_watermark(p), stride);
		progress_close(p);
	}
}

static void records_compacted_away_cannot_hold_up_a_full_partition(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	struct progress_snapshot *s = heap_zalloc(1, sizeof *s);
	s->count = PROGRESS_MAX_ENTRIES;
	s->span = 2 * PROGRESS_MAX_ENTRIES;
	for (int i = 0; i < PROGRESS_MAX_ENTRIES; i++)
		s->unfinished[i] = 2 * i;
	struct progress *p = progress_open(0, s);
	assert_true(progress_may_take(p, 9000));
	progress_take(p, 9000);
	assert_int_equal(progress_entries(p), 1);
	assert_int_equal(progress_watermark(p), 9000);
	progress_close(p);
	free(s);
}

static void a_released_record_is_no_gap_until_the_consumer_is_set_back(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	struct progress *p = progress_open(5, NULL);
	progress_take(p, 5);
	progress_take(p, 6);
	progress_release(p, 5);
	progress_take(p, 7);
	progress_position(p, 9);
	assert_int_equal(progress_look(p, 5), PROGRESS_AWAITED);
	assert_int_equal(progress_seek_target(p), 5);
	progress_seek(p, 5);
	progress_take(p, 5);
	assert_int_equal(progress_look(p, 6), PROGRESS_TAKEN);
	assert_int_equal(progress_seek_target(p), -1);
	progress_close(p);
}

static void news_is_what_the_last_transaction_did_not_store(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	struct progress *p = progress_open(0, NULL);
	struct progress_snapshot s;
	assert_false(progress_has_news(p));
	progress_take(p, 0);
	assert_false(progress_has_news(p));
	progress_finish(p, 0);
	assert_true(progress_has_news(p));
	progress_begin(p, &s);
	assert_false(progress_has_news(p));
	progress_position(p, 2);
	assert_true(progress_has_news(p)); /* the marker behind the record */
	progress_commit(p);
	progress_begin(p, &s);
	assert_int_equal(s.base, 2);
	progress_abort(p);
	assert_true(progress_has_news(p));
	progress_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_history_commits_every_record_once_and_ends_at_the_log_end),
		cmocka_unit_test(admission_refuses_before_the_text_is_full_and_recovers_with_the_first_commit),
		cmocka_unit_test(records_compacted_away_cannot_hold_up_a_full_partition),
		cmocka_unit_test(a_released_record_is_no_gap_until_the_consumer_is_set_back),
		cmocka_unit_test(news_is_what_the_last_transaction_did_not_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
