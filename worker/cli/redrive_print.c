/*
 * redrive_print.c: the report in words.
 *
 * The one idea: a row says what became of its letters and, where they stay, why, so that nobody has to guess what was skipped.
 */
#include "worker/cli/redrive_print.h"

#include <stdlib.h>

#include "common/json.h"
#include "worker/cli/cli.h"
#include "worker/cli/cli_table.h"
#include "worker/cli/moment.h"

static const char *const words[LETTER_VERDICTS + 1] = {
	[LETTER_GO] = "redriven",
	[LETTER_DONE] = "redriven by an earlier run",
	[LETTER_OTHER_CLASS] = "left: class not asked for",
	[LETTER_OTHER_TIME] = "left: outside --since and --until",
	[LETTER_OTHER_HEADER] = "left: no such header",
	[LETTER_TRUNCATED] = "left: the value was cut",
	[LETTER_LOOP] = "left: --max-redrives reached",
	[LETTER_FOREIGN_TOPIC] = "left: not from an input topic",
	[LETTER_TOO_LARGE] = "left: too large to be sent",
	[LETTER_VERDICTS] = "more than fits in this table",
};
/* The same for programs. */
static const char *const codes[LETTER_VERDICTS + 1] = {
	"redrive", "done", "class", "time", "header", "truncated", "loop", "foreign_topic", "too_large", "more",
};

static const char *word_of(const struct redrive_order *order, enum dead_letter_verdict verdict)
{
	return verdict == LETTER_GO && order->dry_run ? "would be redriven" : words[verdict];
}

static int by_names(const void *a, const void *b)
{
	const struct redrive_row *x = a, *y = b;
	int order = strcmp(x->class, y->class);
	if (order == 0)
		order = strcmp(x->topic, y->topic);
	return order != 0 ? order : (int)x->verdict - (int)y->verdict;
}

static void print_named(const struct redrive_report *report)
{
	for (uint32_t i = 0; i < report->named_count; i++) {
		const struct redrive_left *left = &report->named[i];
		printf("  dead letter %d@%lld", left->partition, (long long)left->offset);
		if (left->original_partition >= 0 && left->original_offset >= 0)
			printf(", once %s %d@%lld", left->topic, left->original_partition, (long long)left->original_offset);
		printf(": %s\n", words[left->verdict]);
	}
	if (report->left > report->named_count)
		printf("  and %lld more\n", (long long)report->left - report->named_count);
}

void redrive_print_table(const struct settings *settings, const struct redrive_order *order, struct redrive_report *report)
{
	static const char *const heads[] = {"CLASS", "ORIGINAL TOPIC", "LETTERS", "OLDEST", "NEWEST", "WHAT"};
	if (report->row_count != 0) {
		struct cli_table *table = cli_table_new("llrlll", heads);
		qsort(report->rows, report->row_count, sizeof *report->rows, by_names);
		for (uint32_t i = 0; i < report->row_count; i++) {
			const struct redrive_row *row = &report->rows[i];
			char count[24], oldest[MOMENT_TEXT], newest[MOMENT_TEXT];
			(void)snprintf(count, sizeof count, "%lld", (long long)row->count); /* fits */
			moment_write(row->oldest_ms, oldest);
			moment_write(row->newest_ms, newest);
			cli_table_row(table, (const char *const[]){row->class, row->topic, count, oldest, newest, word_of(order, row->verdict)});
		}
		cli_table_print(table, stdout);
	}
	if (report->left != 0) {
		printf("%lld cannot be redriven as asked:\n", (long long)report->left);
		print_named(report);
	}
	printf("%s: %lld of %lld dead letters looked at %s%s%.*s\n", order->dry_run ? "dry run" : "done", (long long)report->redriven,
	       (long long)report->read, order->dry_run ? "would be redriven" : "redriven", order->to.data != NULL ? " to " : "",
	       STR_ARG(order->to));
	if (report->limited)
		printf("--limit was reached; what lies behind was not looked at\n");
	if (report->full != 0)
		printf("%u partitions of %.*s were not read to their end: what was redriven there and what was left out alternate too often to be "
		       "remembered; redrive what was left out, then this again\n",
		       report->full, STR_ARG(settings->output.dead_letters));
}

static void write_moment(struct buf *out, const char *name, int64_t ms)
{
	char text[MOMENT_TEXT];
	moment_write(ms, text);
	json_member_str(out, name, str_of(text));
}

static void write_rows(struct buf *out, const struct redrive_report *report)
{
	json_key(out, "rows");
	buf_char(out, '[');
	for (uint32_t i = 0; i < report->row_count; i++) {
		const struct redrive_row *row = &report->rows[i];
		json_sep(out);
		buf_char(out, '{');
		json_member_str(out, "class", str_of(row->class));
		json_member_str(out, "topic", str_of(row->topic));
		json_member_str(out, "what", str_of(codes[row->verdict]));
		json_member_i64(out, "count", row->count);
		write_moment(out, "oldest", row->oldest_ms);
		write_moment(out, "newest", row->newest_ms);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void write_named(struct buf *out, const struct redrive_report *report)
{
	json_key(out, "named");
	buf_char(out, '[');
	for (uint32_t i = 0; i < report->named_count; i++) {
		const struct redrive_left *left = &report->named[i];
		json_sep(out);
		buf_char(out, '{');
		json_member_str(out, "what", str_of(codes[left->verdict]));
		json_member_i64(out, "partition", left->partition);
		json_member_i64(out, "offset", left->offset);
		json_member_str(out, "original_topic", str_of(left->topic));
		json_member_i64(out, "original_partition", left->original_partition);
		json_member_i64(out, "original_offset", left->original_offset);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

void redrive_print_json(const struct settings *settings, const struct redrive_order *order, struct redrive_report *report,
                        const struct err *why)
{
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 4096);
	qsort(report->rows, report->row_count, sizeof *report->rows, by_names);
	buf_char(&out, '{');
	json_member_str(&out, "dead_letters", settings->output.dead_letters);
	json_member_str(&out, "to", order->to);
	json_member_bool(&out, "dry_run", order->dry_run);
	json_member_bool(&out, "complete", why == NULL && !report->stopped && !report->limited && report->full == 0);
	json_member_bool(&out, "stopped", report->stopped);
	json_member_bool(&out, "limited", report->limited);
	json_member_i64(&out, "full_partitions", report->full);
	json_member_str(&out, "error", why != NULL ? str_of(why->text) : STR_NULL);
	json_member_i64(&out, "read", report->read);
	json_member_i64(&out, "redriven", report->redriven);
	json_member_i64(&out, "left", report->left);
	write_rows(&out, report);
	write_named(&out, report);
	buf_cstr(&out, "}\n");
	fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's errors */
	arena_free(&arena);
}
