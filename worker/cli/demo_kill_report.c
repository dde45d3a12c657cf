/*
 * demo_kill_report.c: what went in and what came out, in one table.
 *
 * The one idea: lost and twice are not counted by the demo: they are what `audit verify` finds in the topics.
 */
#include "worker/cli/demo_kill_report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/json.h"
#include "worker/cli/audit_report.h"
#include "worker/cli/cli_table.h"

enum { CELL = 24, LISTED = 20 };

struct row {
	const char *key, *words;
	int64_t count;
};

static int64_t twice_of(const struct ledger_result *r)
{
	return r->faults[LEDGER_TWICE] + r->faults[LEDGER_RESPONSE_TWICE] + r->faults[LEDGER_DEAD_LETTER_TWICE] + r->faults[LEDGER_FORWARD_TWICE];
}

static void print_json(const struct row *rows, unsigned count, const struct demo_kill_figures *f, bool holds)
{
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 1024);
	buf_char(&out, '{');
	for (unsigned i = 0; i < count; i++)
		json_member_i64(&out, rows[i].key, rows[i].count);
	json_member_bool(&out, "instance", f->instance);
	json_member_str(&out, "brokers", str_of(f->brokers));
	json_member_bool(&out, "holds", holds);
	buf_cstr(&out, "}\n");
	(void)fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's error */
	arena_free(&arena);
}

static void print_table(const struct row *rows, unsigned count)
{
	static const char *const heads[] = {"", "count", ""};
	struct cli_table *table = cli_table_new("lrl", heads);
	for (unsigned i = 0; i < count; i++) {
		char number[CELL], name[CELL];
		(void)snprintf(number, sizeof number, "%" PRId64, rows[i].count); /* 20 characters at most */
		(void)snprintf(name, sizeof name, "%s", rows[i].key);             /* the table's own names */
		for (char *at = name; (at = strchr(at, '_')) != NULL;)
			*at = ' ';
		const char *cells[] = {name, number, rows[i].words};
		cli_table_row(table, cells);
	}
	cli_table_print(table, stdout);
}

static int print_books(const struct audit_books *books, const struct demo_kill_figures *f, bool json)
{
	struct ledger_result r = ledger_check(books->ledger, LISTED);
	int64_t in = 0, out = 0;
	for (uint32_t i = 0; i < audit_report_sources(books); i++) {
		in += r.figures[i].records;
		out += r.figures[i].decided;
	}
	bool holds = audit_report_holds(books, &r) && in == f->in;
	const struct row rows[] = {
		{"in", "records fed", f->in},
		{"out", "of these decided and answered", out},
		{"lost", "finished with, and nothing came out", r.faults[LEDGER_LOST] + (in < f->in ? f->in - in : 0)},
		{"twice", "decided or answered more than once", twice_of(&r)},
		{"calls", "of simulated models", f->calls},
		{"repeated_calls", "of these for a record that was called for before", f->repeated_calls},
		{"kills", "with SIGKILL", f->kills},
		{"longest_pause_ms", "without a committed output, while there was work", f->longest_pause_ms},
	};
	enum { ROWS = sizeof rows / sizeof rows[0] };
	if (json)
		print_json(rows, ROWS, f, holds);
	else
		print_table(rows, ROWS);
	if (!holds && !json)
		audit_report_print(books, &r, stdout);
	else if (!json)
		fputs(out == f->in ? "\nthe promise holds\n" : "\nnot all is answered\n", stdout);
	if (!holds)
		return EXIT_CHECK;
	return out == f->in ? EXIT_DONE : EXIT_FAILED;
}

enum rc demo_kill_report(const struct settings *settings, const struct demo_kill_figures *figures, bool json, int *ret_code, struct err *err)
{
	struct audit_books *books = heap_zalloc(1, sizeof *books);
	struct policy *policy = NULL;
	enum rc rc = policy_load(settings->policy_file.data, settings, &policy, err);
	if (rc == RC_OK)
		rc = audit_read(settings, policy, -1, -1, books, err);
	if (rc == RC_OK)
		*ret_code = print_books(books, figures, json);
	audit_books_free(books);
	policy_unref(policy);
	free(books);
	return rc;
}
