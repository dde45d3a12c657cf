/*
 * Which rows have their label, and the way back.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/lab/label_book.h"

enum { ROWS = 40, TEXTS = 7 };

struct set {
	struct message messages[ROWS];
	struct dataset_row rows[ROWS];
};

static void fill(struct set *set, uint32_t (*text_at)(uint32_t row))
{
	static const char *const texts[TEXTS] = {"a", "b", "c", "d", "e", "f", ""};
	for (uint32_t i = 0; i < ROWS; i++) {
		set->messages[i] = (struct message){STR("user"), str_of(texts[text_at(i) % TEXTS])};
		set->rows[i] = (struct dataset_row){.req = {.messages = &set->messages[i], .message_count = 1}};
	}
}

static uint32_t same(uint32_t row) { return row; }

static void rows_come_in_their_order_and_skipped_ones_not_again(void **state)
{
	(void)state; /* unused */
	struct set set;
	fill(&set, same);
	struct label_book *book = label_book_new(set.rows, 4);
	assert_int_equal(label_book_next(book), 0);
	label_book_answer(book, 0);
	label_book_skip(book, 1);
	assert_int_equal(label_book_next(book), 2);
	label_book_answer(book, 2);
	label_book_answer(book, 3);
	assert_int_equal(label_book_next(book), -1);
	assert_int_equal(label_book_answered(book), 3);
	assert_int_equal(label_book_skipped(book), 1);
	uint32_t row = 99;
	assert_int_equal(label_book_back(book, &row), LABEL_BACK_ANSWERED);
	assert_int_equal(row, 3);
	assert_int_equal(label_book_back(book, &row), LABEL_BACK_ANSWERED);
	assert_int_equal(label_book_back(book, &row), LABEL_BACK_SKIPPED);
	assert_int_equal(row, 1);
	assert_int_equal(label_book_next(book), 1);
	assert_int_equal(label_book_back(book, &row), LABEL_BACK_ANSWERED);
	assert_int_equal(label_book_back(book, &row), LABEL_BACK_NOWHERE);
	assert_int_equal(row, 0);
	label_book_free(book);
}

static void of_equal_rows_each_answer_takes_one(void **state)
{
	(void)state; /* unused */
	struct set set;
	fill(&set, same); /* row 7 is as row 0 */
	struct label_book *book = label_book_new(set.rows, 10);
	assert_true(label_book_recall(book, &set.rows[0]));
	assert_true(label_book_recall(book, &set.rows[7]));
	assert_false(label_book_recall(book, &set.rows[14]));
	assert_int_equal(label_book_answered(book), 2);
	assert_int_equal(label_book_next(book), 1);
	uint32_t row = 99;
	assert_int_equal(label_book_back(book, &row), LABEL_BACK_FOREIGN);
	assert_int_equal(label_book_answered(book), 2);
	label_book_free(book);
}

/* Who spoke, and where one message ends, are part of a row. */
static void conversations_with_the_same_words_are_different_rows(void **state)
{
	(void)state; /* unused */
	struct message ab[] = {{STR("user"), STR("a")}, {STR("user"), STR("b")}}, joined[] = {{STR("user"), STR("ab")}}, other[] = {{STR("system"), STR("ab")}};
	struct dataset_row rows[] = {{.req = {.messages = ab, .message_count = 2}}, {.req = {.messages = joined, .message_count = 1}},
	                             {.req = {.messages = other, .message_count = 1}}};
	struct label_book *book = label_book_new(rows, 2);
	assert_true(label_book_recall(book, &rows[1]));
	assert_false(label_book_recall(book, &rows[2]));
	assert_int_equal(label_book_next(book), 0);
	label_book_free(book);
}

/* Any steps forth, then as many back: the book is as it was at the beginning. */
static void going_all_the_way_back_leads_to_the_start(void **state)
{
	(void)state; /* unused */
	struct set set;
	uint32_t seed = 7;
	fill(&set, same);
	for (int round = 0; round < 200; round++) {
		struct label_book *book = label_book_new(set.rows, ROWS);
		uint32_t steps = 0, row = 0;
		for (int64_t next; (next = label_book_next(book)) >= 0; steps++) {
			seed = seed * 1103515245u + 12345u;
			if ((seed >> 16) % 3 == 0 && steps > 0 && (seed >> 20) % 5 != 0) {
				assert_true(label_book_back(book, &row) <= LABEL_BACK_ANSWERED);
				steps -= 2;
			} else if ((seed >> 16) % 2 == 0)
				label_book_answer(book, (uint32_t)next);
			else
				label_book_skip(book, (uint32_t)next);
			assert_int_equal(label_book_answered(book) + label_book_skipped(book), steps + 1);
		}
		assert_int_equal(steps, ROWS);
		while (steps-- > 0) {
			enum label_back back = label_book_back(book, &row);
			assert_true(back == LABEL_BACK_ANSWERED || back == LABEL_BACK_SKIPPED);
		}
		assert_int_equal(label_book_back(book, &row), LABEL_BACK_NOWHERE);
		assert_int_equal(label_book_next(book), 0);
		assert_int_equal(label_book_answered(book) + label_book_skipped(book), 0);
		label_book_free(book);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_in_their_order_and_skipped_ones_not_again),
		cmocka_unit_test(of_equal_rows_each_answer_takes_one),
		cmocka_unit_test(conversations_with_the_same_words_are_different_rows),
		cmocka_unit_test(going_all_the_way_back_leads_to_the_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
