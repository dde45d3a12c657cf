/*
 * Rows from JSON Lines and CSV: what is read, what is refused and where, and that reading goes on behind it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/lab/csv.h"
#include "worker/lab/dataset.h"

struct file {
	char path[64];
	struct arena arena;
	struct dataset *ds;
};

static void write_file(struct file *f, const char *suffix, const char *data, size_t bytes)
{
	(void)snprintf(f->path, sizeof f->path, "/tmp/pointsman-dataset-XXXXXX%s", suffix); /* short */
	int fd = mkstemps(f->path, (int)strlen(suffix));
	assert_true(fd >= 0);
	FILE *stream = fdopen(fd, "wb");
	assert_int_equal(fwrite(data, 1, bytes, stream), bytes);
	assert_int_equal(fclose(stream), 0);
	arena_init(&f->arena, 0);
	f->ds = NULL;
}

static enum rc open_text(struct file *f, const char *suffix, const char *text, const struct dataset_field *fields, uint32_t count, struct err *err)
{
	write_file(f, suffix, text, strlen(text));
	return dataset_open(f->path, fields, count, &f->ds, err);
}

static void close_file(struct file *f)
{
	dataset_close(f->ds);
	arena_free(&f->arena);
	assert_int_equal(unlink(f->path), 0);
}

static void assert_text(struct str got, const char *expected)
{
	if (expected == NULL ? got.data != NULL : !str_is(got, expected))
		fail_msg("got \"%.*s\", expected \"%s\"", STR_ARG(got), expected != NULL ? expected : "(none)");
}

static struct str attribute(const struct dataset_row *row, const char *name)
{
	for (uint32_t i = 0; i < row->req.attribute_count; i++)
		if (str_is(row->req.attributes[i].name, name))
			return row->req.attributes[i].value;
	return STR_NULL;
}

/* One row, or one refusal. */
struct wanted {
	unsigned line;
	const char *text, *label, *id; /* text NULL: refused, with words in label */
};

static void expect(struct file *f, const struct wanted *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct dataset_row row;
		struct err err = {""};
		enum dataset_step step = dataset_next(f->ds, &f->arena, &row, &err);
		char place[96];
		(void)snprintf(place, sizeof place, "%s:%u:", f->path, wanted[i].line); /* short */
		if (wanted[i].text == NULL) {
			assert_int_equal(step, DATASET_BAD);
			if (strncmp(err.text, place, strlen(place)) != 0 || strstr(err.text, wanted[i].label) == NULL)
				fail_msg("got \"%s\", expected \"%s ... %s\"", err.text, place, wanted[i].label);
			continue;
		}
		if (step != DATASET_ROW)
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(row.line, wanted[i].line);
		assert_text(row.req.messages[row.req.message_count - 1].content, wanted[i].text);
		assert_text(row.label, wanted[i].label);
		assert_text(row.req.id, wanted[i].id);
	}
	struct dataset_row row;
	struct err err;
	assert_int_equal(dataset_next(f->ds, &f->arena, &row, &err), DATASET_END);
	assert_int_equal(dataset_next(f->ds, &f->arena, &row, &err), DATASET_END);
}

static void json_lines_are_read_and_wrong_ones_are_named_by_their_line(void **state)
{
	(void)state; /* unused */
	static const char text[] =
	    "\xEF\xBB\xBF{\"text\": \"a\", \"label\": \"x\", \"id\": \"one\"}\r\n"
	    "\n"
	    "{\"prompt\": \"b \\u00e9\", \"label\": null, \"id\": 17}\n"
	    "{\"messages\": [{\"role\": \"user\", \"content\": \"c\"}, {\"role\": \"user\", \"content\": \"d\"}], \"label\": \"oos\"}\n"
	    "{\"text\": \"e\", \"label\": }\n"
	    "[1]\n"
	    "{\"label\": \"x\"}\n"
	    "{\"text\": \" \\n\", \"label\": \"x\"}\n"
	    "{\"text\": 3, \"label\": \"x\"}\n"
	    "{\"text\": \"f\", \"label\": [1]}\n"
	    "{\"text\": \"g\", \"label\": \"\"}\n"
	    "{\"text\": \"h\", \"text\": \"i\"}\n"
	    "{\"messages\": [{\"role\": \"user\"}]}\n"
	    "{\"text\": \"\xff\"}\n"
	    "{\"text\": \"j\", \"embedding\": [1, \"x\"]}\n"
	    "{\"text\": \"k\", \"label\": true}";
	static const struct wanted wanted[] = {
		{1, "a", "x", "one"}, {3, "b \xC3\xA9", NULL, "17"}, {4, "d", NULL, "4"}, {5, NULL, ":24: error:", NULL}, {6, NULL, "JSON object", NULL},
		{7, NULL, "no text", NULL}, {8, NULL, "empty", NULL}, {9, NULL, "no string", NULL}, {10, NULL, "label", NULL}, {11, NULL, "label", NULL},
		{12, NULL, "", NULL}, {13, NULL, "message 1", NULL}, {14, NULL, "", NULL}, {15, NULL, "value 2", NULL}, {16, "k", "true", "16"},
	};
	struct file f;
	struct err err;
	assert_int_equal(open_text(&f, ".jsonl", text, NULL, 0, &err), RC_OK);
	expect(&f, wanted, sizeof wanted / sizeof wanted[0]);
	close_file(&f);
}

static void a_mistake_in_json_is_shown_with_a_caret_under_it(void **state)
{
	(void)state; /* unused */
	struct file f;
	struct err err;
	struct dataset_row row;
	assert_int_equal(open_text(&f, ".jsonl", "{\"text\": \"\xC3\xA9\", \"label\": nul}\n", NULL, 0, &err), RC_OK);
	assert_int_equal(dataset_next(f.ds, &f.arena, &row, &err), DATASET_BAD);
	const char *caret = strchr(err.text, '^'), *line = strchr(err.text, '\n') + 1;
	assert_non_null(caret);
	assert_non_null(strstr(err.text, ":1:24: error: "));
	assert_int_equal(str_utf8_count((struct str){strrchr(err.text, '\n') + 1, (size_t)(caret - strrchr(err.text, '\n') - 1)}), 4 + 23);
	assert_int_equal(strncmp(line, "    {\"text\"", 11), 0);
	close_file(&f);
}

static void fields_of_other_names_are_found_by_their_paths(void **state)
{
	(void)state; /* unused */
	static const struct dataset_field fields[] = {
		{STR("text"), STR("ticket.body")}, {STR("label"), STR("ticket.queue")}, {STR("id"), STR("no.1")}, {STR("tenant"), STR("org")},
		{STR("attributes.product"), STR("ticket.items.0")},
	};
	static const char text[] =
	    "{\"ticket\": {\"body\": \"a\", \"queue\": \"x\", \"items\": [\"X200\"]}, \"no.1\": \"n1\", \"org\": \"acme\", \"text\": \"other\", \"size\": 1.50, \"none\": null, "
	    "\"deep\": {\"a\": 1}, \"attributes\": {\"vip\": true}, \"embedding\": [0.5, -1]}\n"
	    "{\"ticket\": {\"queue\": \"x\"}, \"text\": \"other\"}\n"
	    "{\"ticket\": {\"body\": \"b\"}}\n";
	struct file f;
	struct err err;
	struct dataset_row row;
	assert_int_equal(open_text(&f, ".jsonl", text, fields, 5, &err), RC_OK);
	assert_int_equal(dataset_next(f.ds, &f.arena, &row, &err), DATASET_ROW);
	assert_text(row.req.messages[0].content, "a");
	assert_text(row.label, "x");
	assert_text(row.req.id, "n1");
	assert_text(row.req.tenant, "acme");
	assert_text(attribute(&row, "product"), "X200");
	assert_text(attribute(&row, "size"), "1.50");
	assert_text(attribute(&row, "vip"), "true");
	assert_text(attribute(&row, "text"), "other");
	assert_int_equal(row.req.attribute_count, 4);
	assert_int_equal(row.req.embedding_len, 2);
	assert_true(row.req.embedding[1] == -1.0f);
	assert_int_equal(dataset_next(f.ds, &f.arena, &row, &err), DATASET_BAD);
	assert_non_null(strstr(err.text, "no ticket.body"));
	assert_int_equal(dataset_next(f.ds, &f.arena, &row, &err), DATASET_BAD);
	assert_non_null(strstr(err.text, "no ticket.queue"));
	close_file(&f);
}

static void a_row_without_a_label_is_read_as_such(void **state)
{
	(void)state; /* unused */
	struct file f;
	struct err err;
	struct dataset_row row;
	assert_int_equal(open_text(&f, ".jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\", \"label\": null}\n", NULL, 0, &err), RC_OK);
	assert_int_equal(dataset_next(f.ds, &f.arena, &row, &err), DATASET_ROW);
	assert_false(row.labelled);
	assert_int_equal(dataset_next(f.ds, &f.arena, &row, &err), DATASET_ROW);
	assert_true(row.labelled);
	assert_null(row.label.data);
	close_file(&f);
}

static void csv_is_read_by_the_rfc_and_wrong_records_are_named_by_their_line(void **state)
{
	(void)state; /* unused */
	static const char text[] =
	    "id,text,label,product\r\n"
	    "1,plain,x,X200\r\n"
	    "2,\"with, comma and \"\"quotes\"\"\",oos,\r\n"
	    "3,\"two\r\nlines\",x,X300\n"
	    "\r\n"
	    "4,too few,x\n"
	    "5,too,many,cells,here\n"
	    "6,a \"quote\" inside,x,\n"
	    "7,\"closed\" and more,x,\n"
	    "8,,x,\n"
	    "9,no label,,\n"
	    "10,\xff,x,\n"
	    "11,\"two\n\nlines and \"wrong,x,\n"
	    "\"12\",\"\xC3\xA9\",\"x\",\"\"";
	static const struct wanted wanted[] = {
		{2, "plain", "x", "1"}, {3, "with, comma and \"quotes\"", NULL, "2"}, {4, "two\r\nlines", "x", "3"}, {7, NULL, "fewer", NULL},
		{8, NULL, "more cells", NULL}, {9, NULL, "quote inside", NULL}, {10, NULL, "behind the closing quote", NULL}, {11, NULL, "empty", NULL},
		{12, NULL, "label is empty", NULL}, {13, NULL, "UTF-8", NULL}, {16, NULL, "behind the closing quote", NULL}, {17, "\xC3\xA9", "x", "12"},
	};
	struct file f;
	struct err err;
	assert_int_equal(open_text(&f, ".csv", text, NULL, 0, &err), RC_OK);
	expect(&f, wanted, sizeof wanted / sizeof wanted[0]);
	close_file(&f);
}

static void a_quote_that_is_never_closed_costs_one_record(void **state)
{
	(void)state; /* unused */
	static const struct wanted wanted[] = {{2, "a", "x", "2"}, {3, NULL, "never ends", NULL}, {4, "c", "x", "4"}, {5, "d", "x", "5"}};
	struct file f;
	struct err err;
	assert_int_equal(open_text(&f, ".csv", "text,label\na,x\n\"b,x\nc,x\nd,x\n", NULL, 0, &err), RC_OK);
	expect(&f, wanted, sizeof wanted / sizeof wanted[0]);
	close_file(&f);
}

static void semicolons_tabs_and_other_names_of_columns_are_understood(void **state)
{
	(void)state; /* unused */
	static const struct dataset_field fields[] = {{STR("text"), STR("body")}, {STR("label"), STR("queue")}};
	static const struct {
		const char *suffix, *text;
	} cases[] = {
		{".csv", "body;queue;n, of\na, b;x;1\n"},
		{".tsv", "body\tqueue\na, b\tx\n"},
		{".txt", "queue,body\nx,\"a, b\"\n"},
		{"", "{\"body\": \"a, b\", \"queue\": \"x\"}\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct file f;
		struct err err = {""};
		if (open_text(&f, cases[i].suffix, cases[i].text, fields, 2, &err) != RC_OK)
			fail_msg("%s", err.text);
		struct dataset_row row;
		assert_int_equal(dataset_next(f.ds, &f.arena, &row, &err), DATASET_ROW);
		assert_text(row.req.messages[0].content, "a, b");
		assert_text(row.label, "x");
		close_file(&f);
	}
}

static void what_cannot_be_opened_is_said_with_advice(void **state)
{
	(void)state; /* unused */
	static const struct dataset_field queue[] = {{STR("label"), STR("quue")}}, typo[] = {{STR("labl"), STR("x")}};
	static const struct {
		const char *suffix, *text;
		const struct dataset_field *fields;
		const char *words;
	} cases[] = {
		{".csv", "", NULL, "empty"},
		{".csv", "body,label\na,x\n", NULL, "--field text=COLUMN"},
		{".csv", "text,queue\na,x\n", queue, "did you mean \"queue\""},
		{".csv", "text,text\na,x\n", NULL, "twice"},
		{".csv", "te\"xt,label\na,x\n", NULL, "quote"},
		{".csv", "\"text,label\na,x\n", NULL, "never ends"},
		{".csv", "text,\xff\na,x\n", NULL, "UTF-8"},
		{".jsonl", "{}", typo, "did you mean \"label\""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct file f;
		struct err err = {""};
		assert_int_equal(open_text(&f, cases[i].suffix, cases[i].text, cases[i].fields, cases[i].fields != NULL, &err), RC_BAD_INPUT);
		if (strstr(err.text, cases[i].words) == NULL)
			fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.text, cases[i].words);
		close_file(&f);
	}
	struct dataset *ds;
	struct err err;
	assert_int_equal(dataset_open("/nowhere/rows.csv", NULL, 0, &ds, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "No such file"));
}

static void a_row_over_the_bound_is_left_out_and_the_next_is_read(void **state)
{
	(void)state; /* unused */
	for (int csv = 0; csv < 2; csv++) {
		const char *before = csv ? "text,label\n\"" : "{\"text\": \"", *after = csv ? "\",x\nnext,x\n" : "\"}\n{\"text\": \"next\", \"label\": \"x\"}\n";
		size_t head = strlen(before), tail = strlen(after), bytes = head + DATASET_MAX_ROW_BYTES + tail;
		char *data = malloc(bytes);
		assert_non_null(data);
		memcpy(data, before, head);
		memset(data + head, 'a', DATASET_MAX_ROW_BYTES);
		memcpy(data + bytes - tail, after, tail);
		struct file f;
		struct err err;
		write_file(&f, csv ? ".csv" : ".jsonl", data, bytes);
		free(data);
		assert_int_equal(dataset_open(f.path, NULL, 0, &f.ds, &err), RC_OK);
		struct wanted wanted[] = {{1 + (unsigned)csv, NULL, "over 4194304 bytes", NULL}, {2 + (unsigned)csv, "next", "x", csv ? "3" : "2"}};
		expect(&f, wanted, 2);
		close_file(&f);
	}
}

/* Any cells, written by the rules, are read back; the seed is fixed. */
static void what_is_written_by_the_rfc_is_read_back(void **state)
{
	(void)state; /* unused */
	static const char alphabet[] = "ab,\";\n\r \t\xC3\xA9";
	uint32_t seed = 20261124;
	for (int round = 0; round < 2000; round++) {
		char cells[8][16], record[512];
		size_t lengths[8], n = 0, count = 1 + (seed >> 8) % 8;
		for (size_t i = 0; i < count; i++) {
			seed = seed * 1664525 + 1013904223;
			lengths[i] = (seed >> 10) % 8;
			if (i != 0)
				record[n++] = ',';
			record[n++] = '"';
			for (size_t k = 0; k < lengths[i]; k++) {
				seed = seed * 1664525 + 1013904223;
				cells[i][k] = alphabet[(seed >> 12) % (sizeof alphabet - 1)];
				if (cells[i][k] == '"')
					record[n++] = '"';
				record[n++] = cells[i][k];
			}
			record[n++] = '"';
		}
		record[n++] = '\r';
		record[n++] = '\n';
		struct csv_found found;
		for (size_t part = 0; part < n; part++)
			assert_int_equal(csv_find((struct str){record, part}, false, ',', &found), CSV_MORE);
		assert_int_equal(csv_find((struct str){record, n}, false, ',', &found), CSV_RECORD);
		assert_int_equal(found.bytes, n);
		assert_null(found.wrong);
		struct str read[8];
		assert_int_equal(csv_split(record, n, ',', read, 8), count);
		for (size_t i = 0; i < count; i++)
			assert_true(str_eq(read[i], (struct str){cells[i], lengths[i]}));
	}
}

static void names_of_public_sets_stand_in_where_the_known_ones_are_missing(void **state)
{
	(void)state; /* unused */
	static const struct {
		const char *suffix, *text, *read, *label, *attribute, *value;
	} cases[] = {
		{".jsonl", "{\"text\": \"a\", \"intent\": \"x\", \"domain\": \"d\"}\n", "a", "x", "domain", "d"},
		{".jsonl", "{\"utterance\": \"a\", \"label\": \"x\", \"intent\": \"y\"}\n", "a", "x", "intent", "y"},
		{".jsonl", "{\"sentence\": \"a\", \"intent\": \"oos\"}\n", "a", NULL, "intent", NULL},
		{".csv", "sentence,label\na,x\n", "a", "x", "sentence", NULL},
		{".csv", "intent,label,utterance\ny,x,a\n", "a", "x", "intent", "y"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct file f;
		struct err err;
		struct dataset_row row;
		assert_int_equal(open_text(&f, cases[i].suffix, cases[i].text, NULL, 0, &err), RC_OK);
		assert_int_equal(dataset_next(f.ds, &f.arena, &row, &err), DATASET_ROW);
		assert_text(row.req.messages[0].content, cases[i].read);
		assert_true(row.labelled);
		assert_text(row.label, cases[i].label);
		assert_text(attribute(&row, cases[i].attribute), cases[i].value);
		close_file(&f);
	}
}

static void fields_on_the_command_line_are_name_and_path(void **state)
{
	(void)state; /* unused */
	struct dataset_field field;
	assert_true(dataset_field_read("text=a.b=c", &field));
	assert_text(field.name, "text");
	assert_text(field.path, "a.b=c");
	static const char *const wrong[] = {"", "text", "=a", "text=", "text=\xff"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_false(dataset_field_read(wrong[i], &field));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_lines_are_read_and_wrong_ones_are_named_by_their_line),
		cmocka_unit_test(a_mistake_in_json_is_shown_with_a_caret_under_it),
		cmocka_unit_test(fields_of_other_names_are_found_by_their_paths),
		cmocka_unit_test(a_row_without_a_label_is_read_as_such),
		cmocka_unit_test(csv_is_read_by_the_rfc_and_wrong_records_are_named_by_their_line),
		cmocka_unit_test(a_quote_that_is_never_closed_costs_one_record),
		cmocka_unit_test(semicolons_tabs_and_other_names_of_columns_are_understood),
		cmocka_unit_test(what_cannot_be_opened_is_said_with_advice),
		cmocka_unit_test(a_row_over_the_bound_is_left_out_and_the_next_is_read),
		cmocka_unit_test(what_is_written_by_the_rfc_is_read_back),
		cmocka_unit_test(names_of_public_sets_stand_in_where_the_known_ones_are_missing),
		cmocka_unit_test(fields_on_the_command_line_are_name_and_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
