/*
 * redrive_tally.c: what became of the letters, counted by class, topic and fate.
 *
 * The one idea: names come from headers that anybody writes, so only what can be a class or a topic is kept, and the table is
 * bounded: a thousand forged topics cost one row.
 */
#include "worker/stream/redrive.h"

enum { TOPIC_NAME_MAX = 249 };

/* Kafka's own rule for names. */
static bool is_topic_name(struct str name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	if (name.data == NULL || name.len == 0 || name.len > TOPIC_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (memchr(allowed, name.data[i], sizeof allowed - 1) == NULL)
			return false;
	return true;
}

static struct redrive_row *row_of(struct redrive_report *report, const char *class, struct str topic, enum dead_letter_verdict verdict)
{
	uint32_t i = 0;
	while (i < report->row_count &&
	       !(report->rows[i].verdict == verdict && strcmp(report->rows[i].class, class) == 0 && str_is(topic, report->rows[i].topic)))
		i++;
	if (i < report->row_count)
		return &report->rows[i];
	if (report->row_count == REDRIVE_ROWS)
		return &report->rows[REDRIVE_ROWS - 1];
	struct redrive_row *row = &report->rows[report->row_count++];
	if (report->row_count == REDRIVE_ROWS)
		*row = (struct redrive_row){.class = "(more)", .topic = "(more)", .verdict = LETTER_VERDICTS};
	else
		*row = (struct redrive_row){.class = class, .topic = arena_cstr(&report->arena, topic), .verdict = verdict};
	return row;
}

static bool is_left_for_good(enum dead_letter_verdict verdict)
{
	return verdict == LETTER_TRUNCATED || verdict == LETTER_LOOP || verdict == LETTER_FOREIGN_TOPIC || verdict == LETTER_TOO_LARGE;
}

void redrive_tally(struct redrive_report *report, const struct record *rec, const struct dead_letter *letter,
                   enum dead_letter_verdict verdict)
{
	const char *class = letter->class != OUTCOME_NONE ? outcome_info(letter->class)->name : "other";
	struct str topic = is_topic_name(letter->topic) ? letter->topic : STR("-");
	struct redrive_row *row = row_of(report, class, topic, verdict);
	report->read++;
	if (row->count == 0 || rec->timestamp_ms < row->oldest_ms)
		row->oldest_ms = rec->timestamp_ms;
	if (row->count == 0 || rec->timestamp_ms > row->newest_ms)
		row->newest_ms = rec->timestamp_ms;
	row->count++;
	if (!is_left_for_good(verdict))
		return;
	report->left++;
	if (report->named_count == REDRIVE_NAMED)
		return;
	report->named[report->named_count++] = (struct redrive_left){
		.verdict = verdict,
		.partition = rec->partition,
		.offset = rec->offset,
		.original_partition = letter->partition,
		.original_offset = letter->offset,
		.topic = arena_cstr(&report->arena, topic),
	};
}

void redrive_report_free(struct redrive_report *report)
{
	arena_free(&report->arena);
}
