/*
 * ledger_books.h: a ledger from the inside. Private to ledger*.c.
 */
#ifndef LAB_LEDGER_BOOKS_H
#define LAB_LEDGER_BOOKS_H

#include "worker/lab/ledger.h"
#include "worker/lab/ledger_order.h"

struct source {
	struct ledger_source is;
	int64_t *holes;
	uint8_t *exists, *early; /* a bit an offset; early: before the cut of the decisions */
};
struct decision {
	int64_t offset, time_ms;
	uint64_t id;
	struct ledger_place place;
	uint16_t source;
	uint8_t outcome;
	bool unread;
};
struct response {
	uint64_t id;
	int64_t time_ms;
	struct ledger_place place;
	uint8_t status;
	bool seen, foreign;
};
struct companion { /* of a decision, known by the input record that both are about */
	int64_t offset;
	uint64_t id;
	struct ledger_place place;
	uint16_t source;
	uint8_t topic;
};
struct table {
	size_t count, cap;
};

struct ledger {
	struct ledger_rules rules;
	struct source *sources;
	struct decision *decisions;
	struct response *responses;
	struct companion *companions;
	struct ledger_told *told; /* with rules.by_key */
	struct table source_table, decision_table, response_table, companion_table, told_table;
	int64_t cut_ms[LEDGER_TOPICS]; /* INT64_MIN: nothing is deleted */
	struct ledger_result result;
	uint32_t listed[LEDGER_FAULTS], max_listed, offence_cap;
};

/* May what was written at that time or later be gone? */
bool ledger_is_cut(const struct ledger *l, enum ledger_topic topic, int64_t time_ms);

#endif
