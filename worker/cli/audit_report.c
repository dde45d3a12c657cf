/*
 * audit_report.c: the verdict.
 *
 * The one idea: figures by input topic, then each fault with its coordinates, written TOPIC-PARTITION@OFFSET, so that any tool
 * can fetch the record that is meant.
 */
#include "worker/cli/audit_report.h"

#include <inttypes.h>

#include "common/json.h"
#include "worker/cli/cli_table.h"

enum { CELL = 24 };

/* Inputs stand first among the outputs' parts, in the order of the ledger's sources. */
uint32_t audit_report_sources(const struct audit_books *b)
{
	uint32_t n = 0;
	while (n < span_parts(b->outputs) && ledger_find(b->ledger, str_of(span_part(b->outputs, n)->topic), span_part(b->outputs, n)->partition) == n)
		n++;
	return n;
}

bool audit_report_holds(const struct audit_books *b, const struct ledger_result *r)
{
	return r->holds && b->unreadable == 0;
}

static void add(struct ledger_figures *sum, const struct ledger_figures *f)
{
	sum->records += f->records;
	sum->decided += f->decided;
	for (int i = 0; i <= STATUS_REJECTED; i++)
		sum->by_status[i] += f->by_status[i];
	sum->dead_letters += f->dead_letters;
	sum->in_topics += f->in_topics;
	sum->in_progress += f->in_progress;
	sum->unknown += f->unknown;
}

/* The figures of the topic at *index; moves behind its partitions. */
static struct ledger_figures topic_figures(const struct audit_books *b, const struct ledger_result *r, uint32_t count, uint32_t *index)
{
	struct ledger_figures sum = {0};
	const char *topic = span_part(b->outputs, *index)->topic;
	for (; *index < count && strcmp(span_part(b->outputs, *index)->topic, topic) == 0; (*index)++)
		add(&sum, &r->figures[*index]);
	return sum;
}

static void place_text(const struct span_part *part, int64_t offset, char *out, size_t bytes)
{
	(void)snprintf(out, bytes, "%s-%d@%" PRId64, part->topic, (int)part->partition, offset); /* topic names are bounded */
}

static void print_row(struct cli_table *table, const char *topic, const struct ledger_figures *f)
{
	const int64_t numbers[] = {f->records, f->decided, f->by_status[STATUS_OK], f->by_status[STATUS_FORWARDED], f->by_status[STATUS_FAILED],
	                           f->by_status[STATUS_EXPIRED], f->by_status[STATUS_REJECTED], f->by_status[STATUS_NONE], f->dead_letters,
	                           f->in_topics, f->in_progress, f->unknown};
	enum { NUMBERS = sizeof numbers / sizeof numbers[0] };
	char texts[NUMBERS][CELL];
	const char *cells[NUMBERS + 1] = {topic};
	for (int i = 0; i < NUMBERS; i++) {
		(void)snprintf(texts[i], CELL, "%" PRId64, numbers[i]); /* 20 characters at most */
		cells[i + 1] = texts[i];
	}
	cli_table_row(table, cells);
}

static void print_offence(const struct audit_books *b, const struct ledger_offence *o, FILE *out)
{
	char record[AUDIT_TELL_BYTES] = "", place[AUDIT_TELL_BYTES] = "";
	bool has_record = o->source != LEDGER_NO_SOURCE;
	if (has_record)
		place_text(span_part(b->outputs, o->source), o->offset, record, sizeof record);
	if (o->has_place)
		place_text(span_part(b->outputs, o->place.part), o->place.offset, place, sizeof place);
	fprintf(out, "  %s%s%s: %s\n", record, has_record && o->has_place ? ", see " : "", place, ledger_fault_words(o->fault));
}

static void print_faults(const struct audit_books *b, const struct ledger_result *r, FILE *out)
{
	for (int i = 0, next = 0; i < LEDGER_FAULTS; i++) {
		if (r->faults[i] == 0)
			continue;
		int64_t listed = 0;
		fprintf(out, "\n%s: %" PRId64 "\n", ledger_fault_name((enum ledger_fault)i), r->faults[i]);
		for (; next < (int)r->offence_count && r->offences[next].fault == (enum ledger_fault)i; next++, listed++)
			print_offence(b, &r->offences[next], out);
		if (listed < r->faults[i])
			fprintf(out, "  and %" PRId64 " more\n", r->faults[i] - listed);
	}
	if (b->unreadable != 0)
		fprintf(out, "\nunreadable: %" PRId64 "\n", b->unreadable);
	for (unsigned i = 0; i < b->unreadable_told; i++)
		fprintf(out, "  %s\n", b->unreadables[i]);
}

void audit_report_print(const struct audit_books *b, const struct ledger_result *r, FILE *out)
{
	static const char *const heads[] = {"input", "records", "decided", "ok", "forwarded", "failed", "expired", "rejected", "undecodable",
	                                    "dead letters", "in topics", "in progress", "unknown"};
	struct cli_table *table = cli_table_new("lrrrrrrrrrrrr", heads);
	uint32_t count = audit_report_sources(b);
	for (uint32_t i = 0; i < count;) {
		const char *topic = span_part(b->outputs, i)->topic;
		struct ledger_figures f = topic_figures(b, r, count, &i);
		print_row(table, topic, &f);
	}
	cli_table_print(table, out);
	fprintf(out, "\nmodel calls told of: %" PRId64 "; decisions about redelivered records: %" PRId64 "\n", b->model_calls, b->redelivered);
	if (r->foreign != 0 || b->foreign_dead_letters != 0 || b->foreign_forwards != 0)
		fprintf(out, "of other inputs: %" PRId64 " decisions, %" PRId64 " dead letters, %" PRId64 " records in topics of routes (not judged)\n",
		        r->foreign, b->foreign_dead_letters, b->foreign_forwards);
	print_faults(b, r, out);
	if (b->note_count != 0 || r->unchecked_responses != 0)
		fputs("\nnot checked:\n", out);
	for (unsigned i = 0; i < b->note_count; i++)
		fprintf(out, "  %s\n", b->notes[i]);
	if (r->unchecked_responses != 0)
		fprintf(out, "  %" PRId64 " responses whose decision may have been deleted\n", r->unchecked_responses);
	fputs(audit_report_holds(b, r) ? "\nthe promise holds\n" : "\nthe promise is broken\n", out);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------ */

static void json_figures(struct buf *out, const char *topic, const struct ledger_figures *f)
{
	json_sep(out);
	buf_char(out, '{');
	json_member_str(out, "topic", str_of(topic));
	json_member_i64(out, "records", f->records);
	json_member_i64(out, "decided", f->decided);
	for (int i = STATUS_OK; i <= STATUS_REJECTED; i++)
		json_member_i64(out, status_name((enum status)i), f->by_status[i]);
	json_member_i64(out, "undecodable", f->by_status[STATUS_NONE]);
	json_member_i64(out, "dead_letters", f->dead_letters);
	json_member_i64(out, "in_topics", f->in_topics);
	json_member_i64(out, "in_progress", f->in_progress);
	json_member_i64(out, "unknown", f->unknown);
	buf_char(out, '}');
}

static void json_place(struct buf *out, const char *name, const struct span_part *part, int64_t offset)
{
	json_key(out, name);
	buf_char(out, '{');
	json_member_str(out, "topic", str_of(part->topic));
	json_member_i64(out, "partition", part->partition);
	json_member_i64(out, "offset", offset);
	buf_char(out, '}');
}

static void json_offences(struct buf *out, const struct audit_books *b, const struct ledger_result *r)
{
	json_key(out, "offences");
	buf_char(out, '[');
	for (uint32_t i = 0; i < r->offence_count; i++) {
		const struct ledger_offence *o = &r->offences[i];
		json_sep(out);
		buf_char(out, '{');
		json_member_str(out, "fault", str_of(ledger_fault_name(o->fault)));
		if (o->source != LEDGER_NO_SOURCE)
			json_place(out, "record", span_part(b->outputs, o->source), o->offset);
		if (o->has_place)
			json_place(out, "place", span_part(b->outputs, o->place.part), o->place.offset);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void json_texts(struct buf *out, const char *name, const char (*texts)[AUDIT_TELL_BYTES], unsigned count)
{
	json_key(out, name);
	buf_char(out, '[');
	for (unsigned i = 0; i < count; i++) {
		struct str text = str_of(texts[i]);
		text.len = str_utf8_cut(text, text.len);
		json_sep(out);
		json_write_str(out, str_utf8_valid(text) ? text : STR("(not UTF-8)"));
	}
	buf_char(out, ']');
}

void audit_report_json(const struct audit_books *b, const struct ledger_result *r, FILE *file)
{
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 4096);
	buf_char(&out, '{');
	json_member_bool(&out, "holds", audit_report_holds(b, r));
	json_key(&out, "inputs");
	buf_char(&out, '[');
	uint32_t count = audit_report_sources(b);
	for (uint32_t i = 0; i < count;) {
		const char *topic = span_part(b->outputs, i)->topic;
		struct ledger_figures f = topic_figures(b, r, count, &i);
		json_figures(&out, topic, &f);
	}
	buf_char(&out, ']');
	json_key(&out, "faults");
	buf_char(&out, '{');
	for (int i = 0; i < LEDGER_FAULTS; i++)
		json_member_i64(&out, ledger_fault_name((enum ledger_fault)i), r->faults[i]);
	json_member_i64(&out, "unreadable", b->unreadable);
	buf_char(&out, '}');
	json_offences(&out, b, r);
	json_texts(&out, "unreadable", b->unreadables, b->unreadable_told);
	json_texts(&out, "not_checked", b->notes, b->note_count);
	json_member_i64(&out, "unchecked_responses", r->unchecked_responses);
	json_member_i64(&out, "foreign_decisions", r->foreign);
	json_member_i64(&out, "foreign_dead_letters", b->foreign_dead_letters);
	json_member_i64(&out, "foreign_forwards", b->foreign_forwards);
	json_member_i64(&out, "model_calls", b->model_calls);
	json_member_i64(&out, "redelivered", b->redelivered);
	buf_cstr(&out, "}\n");
	(void)fwrite(out.data, 1, out.len, file); /* main looks at the stream's error */
	arena_free(&arena);
}
