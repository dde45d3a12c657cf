/* test_ledger.c: the books of delivery: a correct run holds, each way of breaking it is named, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "worker/lab/ledger.h"

enum { RECORDS = 40, ROUNDS = 3000 };
static const struct ledger_rules plain_rules = {.match_responses = true};

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static struct ledger *books(int64_t committed, int64_t finished_end, const int64_t *holes, uint32_t hole_count)
{
	struct ledger *l = ledger_new(plain_rules);
	struct ledger_source s = {.topic = "in", .begin = 0, .end = RECORDS, .committed = committed, .finished_end = finished_end,
	                          .holes = holes, .hole_count = hole_count};
	assert_int_equal(ledger_source(l, &s), 0);
	return l;
}

static struct str id_of(char *out, size_t bytes, int64_t offset)
{
	(void)snprintf(out, bytes, "id-%lld", (long long)offset); /* short */
	return str_of(out);
}

static void decide(struct ledger *l, int64_t offset, struct str key, struct str id, unsigned outcome, int64_t stands_at, int64_t time_ms)
{
	struct ledger_decided d = {.offset = offset, .key = key, .id = id, .outcome = outcome, .place = {1, stands_at}, .time_ms = time_ms};
	ledger_decision(l, &d);
}

/* One record's outputs, so often each. */
static void put(struct ledger *l, int64_t offset, enum outcome outcome, int decisions, int responses, int dead_letters)
{
	char text[40];
	struct str id = id_of(text, sizeof text, offset);
	for (int i = 0; i < decisions; i++)
		decide(l, offset, STR_NULL, id, outcome, offset * 2 + i, 1000 + offset);
	for (int i = 0; i < responses; i++)
		ledger_response(l, id, outcome_info(outcome)->status, false, (struct ledger_place){2, offset * 2 + i}, 1000 + offset);
	for (int i = 0; i < dead_letters; i++)
		ledger_companion(l, LEDGER_DEAD_LETTERS, 0, offset, STR_NULL, (struct ledger_place){3, offset * 2 + i});
}

static void each_fault_is_named_and_no_other(void **state)
{
	(void)state;
	static const struct {
		enum outcome outcome;
		int decisions, responses, dead_letters;
		int fault; /* -1: none */
	} cases[] = {
		{OUTCOME_OK, 1, 1, 0, -1},
		{OUTCOME_NO_MODEL, 1, 1, 1, -1},
		{OUTCOME_BAD_RECORD, 1, 0, 1, -1},
		{OUTCOME_EXPIRED, 1, 1, 0, -1},
		{OUTCOME_OK, 0, 0, 0, LEDGER_LOST},
		{OUTCOME_OK, 2, 1, 0, LEDGER_TWICE},
		{OUTCOME_OK, 1, 0, 0, LEDGER_NO_RESPONSE},
		{OUTCOME_OK, 1, 2, 0, LEDGER_RESPONSE_TWICE},
		{OUTCOME_NO_MODEL, 1, 1, 0, LEDGER_NO_DEAD_LETTER},
		{OUTCOME_NO_MODEL, 1, 1, 2, LEDGER_DEAD_LETTER_TWICE},
		{OUTCOME_OK, 1, 1, 1, LEDGER_WRONG_DEAD_LETTER},
		{OUTCOME_BAD_RECORD, 1, 1, 1, LEDGER_WRONG_RESPONSE},
	};
	for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
		struct ledger *l = books(10, 10, NULL, 0);
		ledger_input(l, 0, 3, 1);
		put(l, 3, cases[c].outcome, cases[c].decisions, cases[c].responses, cases[c].dead_letters);
		struct ledger_result r = ledger_check(l, 5);
		for (int f = 0; f < LEDGER_FAULTS; f++)
			assert_int_equal(r.faults[f], f == cases[c].fault);
		assert_int_equal(r.holds, cases[c].fault < 0);
		assert_int_equal(r.offence_count, cases[c].fault >= 0);
		assert_true(r.offence_count == 0 || r.offences[0].offset == 3);
		ledger_free(l);
	}
}

static void what_came_from_nowhere_is_an_orphan(void **state)
{
	(void)state;
	struct ledger *l = books(10, 10, NULL, 0);
	put(l, 4, OUTCOME_OK, 1, 1, 0);
	put(l, RECORDS + 3, OUTCOME_OK, 1, 1, 0);
	put(l, 6, OUTCOME_OK, 0, 1, 0);
	put(l, 7, OUTCOME_OK, 0, 0, 1);
	struct ledger_result r = ledger_check(l, 5);
	assert_int_equal(r.faults[LEDGER_ORPHAN_DECISION], 2);
	assert_int_equal(r.faults[LEDGER_ORPHAN_RESPONSE], 1);
	assert_int_equal(r.faults[LEDGER_ORPHAN_DEAD_LETTER], 1);
	assert_int_equal(r.offence_count, 4);
	ledger_free(l);
}

static void what_is_not_finished_is_in_progress(void **state)
{
	(void)state;
	static const int64_t holes[] = {5, 8};
	struct ledger *l = books(5, 10, holes, 2);
	for (int64_t i = 0; i < 12; i++)
		ledger_input(l, 0, i, 1);
	for (int64_t i = 0; i < 12; i++)
		if (i < 5 || i == 6 || i == 9)
			put(l, i, OUTCOME_OK, 1, 1, 0);
	struct ledger_result r = ledger_check(l, 5);
	assert_int_equal(r.faults[LEDGER_LOST], 1); /* 7 */
	assert_int_equal(r.offences[0].offset, 7);
	assert_int_equal(r.figures[0].in_progress, 4); /* 5, 8, 10, 11 */
	assert_int_equal(r.figures[0].decided, 7);
	ledger_free(l);
}

static void what_retention_may_have_taken_is_unknown(void **state)
{
	(void)state;
	struct ledger *l = books(10, 10, NULL, 0);
	for (int t = 0; t < LEDGER_TOPICS; t++)
		ledger_cut(l, (enum ledger_topic)t, 100000);
	ledger_input(l, 0, 0, 90000);
	ledger_input(l, 0, 1, 100000 + LEDGER_SLACK_MS + 1);
	ledger_response(l, STR("of a deleted decision"), STATUS_OK, false, (struct ledger_place){2, 0}, 90000);
	struct ledger_result r = ledger_check(l, 5);
	assert_int_equal(r.figures[0].unknown, 1);
	assert_int_equal(r.unchecked_responses, 1);
	assert_int_equal(r.faults[LEDGER_LOST], 1);
	assert_int_equal(r.offences[0].offset, 1);
	ledger_free(l);
}

static void a_parked_decision_is_not_the_last_word(void **state)
{
	(void)state;
	struct ledger *l = books(10, 10, NULL, 0);
	ledger_input(l, 0, 0, 1);
	decide(l, 0, STR_NULL, STR("parked"), LEDGER_PARKED, 100, 1);
	ledger_companion(l, LEDGER_PARK_TOPICS, 0, 0, STR_NULL, (struct ledger_place){4, 0});
	put(l, 0, OUTCOME_OK, 1, 1, 0);
	ledger_input(l, 0, 1, 1); /* still waits in its park topic */
	decide(l, 1, STR_NULL, STR("waits"), LEDGER_PARKED, 101, 1);
	ledger_companion(l, LEDGER_PARK_TOPICS, 0, 1, STR_NULL, (struct ledger_place){4, 1});
	struct ledger_result r = ledger_check(l, 5);
	assert_true(r.holds);
	assert_int_equal(r.figures[0].in_progress, 1);
	assert_int_equal(r.figures[0].decided, 1);
	ledger_free(l);
}

static void what_is_handed_to_a_topic_stands_there_exactly_once(void **state)
{
	(void)state;
	enum { NO_DECISION = LEDGER_PARKED + 1 };
	static const struct {
		unsigned outcome;
		int routed, parked; /* records that stand in such a topic */
		bool of_another;    /* the first of them tells of another decision */
		bool unread, cut;   /* the topic is not read; retention may have taken it */
		int fault;          /* -1: none */
	} cases[] = {
		{OUTCOME_FORWARDED, 1, 0, false, false, false, -1},
		{OUTCOME_FORWARDED, 0, 0, false, false, false, LEDGER_NO_FORWARD},
		{OUTCOME_FORWARDED, 0, 0, false, true, false, -1},
		{OUTCOME_FORWARDED, 0, 0, false, false, true, -1},
		{OUTCOME_FORWARDED, 2, 0, false, false, false, LEDGER_FORWARD_TWICE},
		{OUTCOME_FORWARDED, 1, 0, true, false, false, LEDGER_WRONG_FORWARD},
		{OUTCOME_FORWARDED, 1, 1, false, false, false, LEDGER_WRONG_FORWARD},
		{OUTCOME_OK, 1, 0, false, false, false, LEDGER_WRONG_FORWARD},
		{NO_DECISION, 1, 0, false, false, false, LEDGER_ORPHAN_FORWARD},
		{NO_DECISION, 0, 1, false, false, false, LEDGER_ORPHAN_FORWARD},
		{LEDGER_PARKED, 0, 1, false, false, false, -1},
		{LEDGER_PARKED, 0, 0, false, false, false, LEDGER_NO_FORWARD},
		{LEDGER_PARKED, 0, 0, false, true, false, -1},
		{LEDGER_PARKED, 0, 2, false, false, false, LEDGER_FORWARD_TWICE},
	};
	for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
		struct ledger *l = books(10, 10, NULL, 0);
		struct ledger_decided d = {.offset = 3, .id = STR("it"), .outcome = cases[c].outcome, .unread = cases[c].unread, .place = {1, 0}, .time_ms = 5};
		bool final = cases[c].outcome < OUTCOME_COUNT;
		if (cases[c].outcome != NO_DECISION) {
			ledger_input(l, 0, 3, 5);
			ledger_decision(l, &d);
		}
		if (final)
			ledger_response(l, d.id, outcome_info((enum outcome)d.outcome)->status, false, (struct ledger_place){2, 0}, 5);
		for (int i = 0; i < cases[c].routed; i++)
			ledger_companion(l, LEDGER_ROUTED, 0, 3, cases[c].of_another ? STR("another") : d.id, (struct ledger_place){4, i});
		for (int i = 0; i < cases[c].parked; i++)
			ledger_companion(l, LEDGER_PARK_TOPICS, 0, 3, STR_NULL, (struct ledger_place){5, i});
		if (cases[c].cut)
			ledger_cut(l, LEDGER_ROUTED, 5);
		struct ledger_result r = ledger_check(l, 5);
		for (int f = 0; f < LEDGER_FAULTS; f++)
			assert_int_equal(r.faults[f], f == cases[c].fault);
		assert_int_equal(r.figures[0].in_topics, cases[c].outcome == NO_DECISION ? 0 : cases[c].routed + cases[c].parked);
		ledger_free(l);
	}
}

/* Against counting by brute force: any mixture of outputs, in any order, for any progress. */
static void a_random_run_is_judged_as_a_naive_count_judges_it(void **state)
{
	(void)state;
	uint64_t seed = 20260101;
	for (int round = 0; round < ROUNDS; round++) {
		int64_t committed = next_random(&seed) % RECORDS, holes[RECORDS], want[LEDGER_FAULTS] = {0}, in_progress = 0;
		uint32_t hole_count = 0;
		for (int64_t i = committed; i < RECORDS; i++)
			if (next_random(&seed) % 3 == 0)
				holes[hole_count++] = i;
		struct ledger *l = books(committed, RECORDS, holes, hole_count);
		for (int64_t k = 0, at = next_random(&seed) % RECORDS; k < RECORDS; k++, at = (at + 7) % RECORDS) {
			static const enum outcome outcomes[] = {OUTCOME_OK, OUTCOME_BAD_RECORD, OUTCOME_NO_MODEL};
			bool exists = next_random(&seed) % 8 != 0, settled = true;
			for (uint32_t h = 0; h < hole_count; h++)
				settled &= holes[h] != at;
			enum outcome outcome = outcomes[next_random(&seed) % 3];
			const struct outcome_info *info = outcome_info(outcome);
			bool wild = next_random(&seed) % 4 == 0;
			int d = wild ? (int)(next_random(&seed) % 3) : 1, r = wild ? (int)(next_random(&seed) % 3) : info->status != STATUS_NONE;
			int x = wild ? (int)(next_random(&seed) % 3) : info->dead_letter;
			if (info->status == STATUS_NONE)
				r = 0;
			if (exists)
				ledger_input(l, 0, at, 1);
			put(l, at, outcome, d, r, x);
			want[LEDGER_ORPHAN_DECISION] += !exists && d > 0;
			want[LEDGER_ORPHAN_RESPONSE] += d == 0 ? r : 0;
			want[LEDGER_ORPHAN_DEAD_LETTER] += d == 0 ? x : 0;
			want[LEDGER_TWICE] += d == 2;
			want[LEDGER_RESPONSE_TWICE] += d > 0 && r == 2;
			want[LEDGER_LOST] += exists && settled && d == 0;
			in_progress += exists && !settled && d == 0;
			want[LEDGER_NO_RESPONSE] += exists && settled && d > 0 && info->status != STATUS_NONE && r == 0;
			want[LEDGER_NO_DEAD_LETTER] += exists && settled && d > 0 && info->dead_letter && x == 0;
			want[LEDGER_DEAD_LETTER_TWICE] += exists && d > 0 && info->dead_letter && x == 2;
			want[LEDGER_WRONG_DEAD_LETTER] += exists && d > 0 && !info->dead_letter ? x : 0;
		}
		struct ledger_result result = ledger_check(l, 3);
		for (int f = 0; f < LEDGER_FAULTS; f++)
			assert_int_equal(result.faults[f], want[f]);
		assert_int_equal(result.figures[0].in_progress, in_progress);
		ledger_free(l);
	}
}

/* Two records of one key, told of in the wrong order. */
static int64_t swapped_under(struct ledger_rules rules, enum outcome second)
{
	struct ledger *l = ledger_new(rules);
	struct ledger_source s = {.topic = "in", .end = 2, .committed = 2, .finished_end = 2};
	ledger_source(l, &s);
	decide(l, 1, STR("key"), STR("later"), OUTCOME_OK, 0, 1);
	decide(l, 0, STR("key"), STR("earlier"), second, 1, 1);
	if (second == OUTCOME_FORWARDED)
		ledger_companion(l, LEDGER_ROUTED, 0, 0, STR("earlier"), (struct ledger_place){4, 0});
	ledger_response(l, STR("later"), STATUS_OK, false, (struct ledger_place){2, 0}, 1);
	ledger_response(l, STR("earlier"), outcome_info(second)->status, false, (struct ledger_place){2, 1}, 1);
	for (int64_t i = 0; i < 2; i++)
		ledger_input(l, 0, i, 1);
	struct ledger_result r = ledger_check(l, 9);
	int64_t found = r.faults[LEDGER_OUT_OF_ORDER];
	assert_int_equal(r.holds, found == 0);
	if (found != 0)
		assert_int_equal(r.offences[0].offset, 0);
	ledger_free(l);
	return found;
}

static void order_by_key_is_checked_where_it_was_promised(void **state)
{
	(void)state;
	const struct ledger_rules by_key = {.match_responses = true, .by_key = true};
	assert_int_equal(swapped_under(by_key, OUTCOME_OK), 1);
	assert_int_equal(swapped_under(plain_rules, OUTCOME_OK), 0);
	assert_int_equal(swapped_under(by_key, OUTCOME_FORWARDED), 0); /* a topic of its own */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_by_key_is_checked_where_it_was_promised),
		cmocka_unit_test(each_fault_is_named_and_no_other),
		cmocka_unit_test(what_came_from_nowhere_is_an_orphan),
		cmocka_unit_test(what_is_not_finished_is_in_progress),
		cmocka_unit_test(what_retention_may_have_taken_is_unknown),
		cmocka_unit_test(a_parked_decision_is_not_the_last_word),
		cmocka_unit_test(what_is_handed_to_a_topic_stands_there_exactly_once),
		cmocka_unit_test(a_random_run_is_judged_as_a_naive_count_judges_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
