/*
 * outcome.c: the table of outcomes as data.
 *
 * The one idea: a way to end is one row of outcome.def; enums, schemas' symbols, metric labels, documents and redrive's
 * filters all come from that row.
 */
#include "worker/job/outcome.h"

static const struct outcome_info table[OUTCOME_COUNT] = {
	[OUTCOME_NONE] = {"none", STATUS_NONE, false, false, "not ended yet"},
#define X(NAME, cls, retryable, status, dead_letter, doc) [OUTCOME_##NAME] = {cls, status, retryable, dead_letter, doc},
#include "worker/job/outcome.def"
#undef X
};

const struct outcome_info *outcome_info(enum outcome outcome)
{
	return &table[(unsigned)outcome < OUTCOME_COUNT ? outcome : OUTCOME_INTERNAL];
}

enum outcome outcome_by_name(struct str name)
{
	for (unsigned i = 1; i < OUTCOME_COUNT; i++)
		if (str_is(name, table[i].name))
			return (enum outcome)i;
	return OUTCOME_NONE;
}

const char *status_name(enum status status)
{
	static const char *const names[] = {"none", "ok", "forwarded", "failed", "expired", "rejected"};
	return names[(unsigned)status <= STATUS_REJECTED ? status : STATUS_NONE];
}
