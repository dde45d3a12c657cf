/*
 * Rows written and read again: nothing lost, and the known fields where every command looks for them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/lab/row_write.h"

static struct str written(const char *suffix, const char *content, const char *const *fields, const struct row_member *members, uint32_t count,
                          struct arena *arena)
{
	char path[64];
	assert_true(snprintf(path, sizeof path, "/tmp/row_write-%d%s", (int)getpid(), suffix) > 0);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fputs(content, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
	struct dataset_field mapped[4];
	uint32_t n = 0;
	for (; fields != NULL && fields[n] != NULL; n++)
		assert_true(dataset_field_read(fields[n], &mapped[n]));
	struct dataset *ds;
	struct err err;
	struct dataset_row row;
	struct buf out;
	buf_init(&out, arena, 256);
	assert_int_equal(dataset_open(path, mapped, n, &ds, &err), RC_OK);
	while (dataset_next(ds, arena, &row, &err) == DATASET_ROW)
		row_write(&out, &row, members, count, arena);
	dataset_close(ds);
	assert_int_equal(unlink(path), 0);
	return buf_view(&out);
}

static void check(struct str got, const char *expected)
{
	if (!str_is(got, expected))
		fail_msg("got %.*s, expected %s", STR_ARG(got), expected);
}

static void a_row_keeps_all_that_it_had(void **state)
{
	(void)state; /* unused */
	struct arena arena;
	arena_init(&arena, 0);
	struct row_member label = {"label", STR("\"b\"")};
	check(written(".jsonl", "{\"text\": \"x\\ny\", \"label\": \"a\", \"n\": 1.50, \"deep\": {\"k\": [1, 2]}, \"s\": \"\\u00e9\"}\n", NULL, NULL, 0, &arena),
	      "{\"id\":\"1\",\"text\":\"x\\ny\",\"label\":\"a\",\"n\":1.50,\"deep\":{\"k\": [1, 2]},\"s\":\"\xC3\xA9\"}\n");
	check(written(".jsonl", "{\"id\": 7, \"prompt\": \"x\", \"label\": \"a\", \"why\": \"old\", \"tenant\": \"t\"}\n", NULL, &label, 1, &arena),
	      "{\"id\":\"7\",\"text\":\"x\",\"tenant\":\"t\",\"label\":\"b\",\"why\":\"old\"}\n");
	check(written(".jsonl", "{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\": \"u\"}], \"label\": null}\n", NULL, NULL, 0, &arena),
	      "{\"id\":\"1\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"u\"}],\"label\":null}\n");
	arena_free(&arena);
}

static void fields_from_elsewhere_come_to_their_usual_names(void **state)
{
	(void)state; /* unused */
	struct arena arena;
	arena_init(&arena, 0);
	static const char *const json_fields[] = {"text=t.body", "label=t.queue", NULL}, *const csv_fields[] = {"text=body", NULL};
	check(written(".jsonl", "{\"t\": {\"body\": \"x\", \"queue\": \"q\"}, \"text\": \"another\"}\n", json_fields, NULL, 0, &arena),
	      "{\"id\":\"1\",\"text\":\"x\",\"label\":\"q\",\"t\":{\"body\": \"x\", \"queue\": \"q\"}}\n");
	check(written(".csv", "body,product,label\nx,P,oos\n", csv_fields, NULL, 0, &arena),
	      "{\"id\":\"2\",\"text\":\"x\",\"label\":null,\"attributes\":{\"product\":\"P\"}}\n");
	arena_free(&arena);
}

/* What was written is read, and written again, to the same bytes. */
static void writing_again_changes_nothing(void **state)
{
	(void)state; /* unused */
	struct arena arena;
	arena_init(&arena, 0);
	struct row_member members[] = {{"label", STR("null")}, {"why", STR("\"far\"")}};
	struct str once = written(".csv", "text,a,b\n\"x,\"\"y\",1,2\nz,,3\n", NULL, members, 2, &arena);
	char *copy = arena_cstr(&arena, once);
	check(written(".jsonl", copy, NULL, NULL, 0, &arena), copy);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_keeps_all_that_it_had),
		cmocka_unit_test(fields_from_elsewhere_come_to_their_usual_names),
		cmocka_unit_test(writing_again_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
