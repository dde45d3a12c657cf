/*
 * ledger.h: what went in against what came out: every record that the group has finished with has exactly one final decision
 * record, the response, the dead letter and the record in a destination topic that its outcome asks for, nothing has come out that
 * did not go in, and keys kept their order.
 *
 * Call order: sources and cuts, then what came out, then what went in, then ledger_check. About 40 bytes an output record and
 * two bits an input offset.
 *
 * Thread: one at a time. Pure: no I/O, no clock.
 */
#ifndef LAB_LEDGER_H
#define LAB_LEDGER_H

#include "common/arena.h"
#include "worker/lab/ledger_result.h"

enum { LEDGER_PARKED = OUTCOME_COUNT, LEDGER_SLACK_MS = 30000 };

struct ledger;
struct ledger_rules {
	bool dead_letter_expired; /* as output.dead_letter_expired */
	bool match_responses;     /* they tell their decision_id */
	bool twice_is_allowed;    /* at_least_once */
	bool by_key;              /* input.ordering: key */
};
struct ledger_source {
	const char *topic; /* borrowed */
	int32_t partition;
	int64_t begin, end;        /* the input offsets looked at */
	bool open_end;             /* there are more behind end: a decision about them is no orphan */
	int64_t committed;         /* -1: nothing is */
	int64_t finished_end;      /* beyond committed and below this, what is not in holes is finished too */
	const int64_t *holes;      /* ascending; copied */
	uint32_t hole_count;
};
enum ledger_topic { LEDGER_DECISIONS, LEDGER_RESPONSES, LEDGER_DEAD_LETTERS, LEDGER_ROUTED, LEDGER_PARK_TOPICS, LEDGER_TOPICS };
struct ledger_decided {
	uint32_t source;
	int64_t offset;
	struct str key, id; /* key, data NULL: it had no order to keep */
	unsigned outcome;
	bool unread; /* forwarded or parked, to a topic that nobody reads here */
	struct ledger_place place;
	int64_t time_ms;
};

struct ledger *ledger_new(struct ledger_rules rules);
void ledger_free(struct ledger *ledger); /* NULL is fine */
/* Returns its number, from 0 on. At most LEDGER_NO_SOURCE of them. */
uint32_t ledger_source(struct ledger *ledger, const struct ledger_source *source);
uint32_t ledger_find(const struct ledger *ledger, struct str topic, int64_t partition); /* LEDGER_NO_SOURCE: none such */
/* Records of that topic up to this time may have been deleted. */
void ledger_cut(struct ledger *ledger, enum ledger_topic topic, int64_t time_ms);

void ledger_decision(struct ledger *ledger, const struct ledger_decided *decided);
/* may_be_foreign: the topic is shared, so one that no decision claims says nothing. */
void ledger_response(struct ledger *ledger, struct str id, enum status status, bool may_be_foreign, struct ledger_place place,
                     int64_t time_ms);
/* A dead letter, a record in a route's topic (id: of its decision) or a parked one. */
void ledger_companion(struct ledger *ledger, enum ledger_topic topic, uint32_t source, int64_t offset, struct str id,
                      struct ledger_place place);
/* The source's offsets became known late: [begin, end) as now read. Before ledger_input. */
void ledger_stretch(struct ledger *ledger, uint32_t source, int64_t begin, int64_t end);
void ledger_input(struct ledger *ledger, uint32_t source, int64_t offset, int64_t time_ms);

/* Once. The result is valid until ledger_free. */
struct ledger_result ledger_check(struct ledger *ledger, uint32_t max_listed);

#endif
