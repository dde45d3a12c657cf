/*
 * ledger_fault.c: the names of faults, for programs and for people.
 */
#include "worker/lab/ledger_fault.h"

static const struct {
	const char *name, *words;
} faults[LEDGER_FAULTS] = {
	[LEDGER_LOST] = {"lost", "the group has finished with the record, and there is no decision about it"},
	[LEDGER_TWICE] = {"twice", "decided more than once"},
	[LEDGER_NO_RESPONSE] = {"no_response", "decided, and the response is missing"},
	[LEDGER_RESPONSE_TWICE] = {"response_twice", "answered more than once"},
	[LEDGER_WRONG_RESPONSE] = {"wrong_response", "the response does not say what the decision says"},
	[LEDGER_NO_DEAD_LETTER] = {"no_dead_letter", "its outcome asks for a dead letter, and there is none"},
	[LEDGER_DEAD_LETTER_TWICE] = {"dead_letter_twice", "more than one dead letter"},
	[LEDGER_WRONG_DEAD_LETTER] = {"wrong_dead_letter", "a dead letter that its outcome does not ask for"},
	[LEDGER_ORPHAN_DECISION] = {"orphan_decision", "a decision about a record that does not exist"},
	[LEDGER_ORPHAN_RESPONSE] = {"orphan_response", "a response without a decision"},
	[LEDGER_ORPHAN_DEAD_LETTER] = {"orphan_dead_letter", "a dead letter without a decision"},
	[LEDGER_NO_FORWARD] = {"no_forward", "forwarded or parked by its decision, and not in the topic"},
	[LEDGER_FORWARD_TWICE] = {"forward_twice", "forwarded or parked more than once"},
	[LEDGER_WRONG_FORWARD] = {"wrong_forward", "a record in a destination topic that its decision does not tell of"},
	[LEDGER_ORPHAN_FORWARD] = {"orphan_forward", "a record in a destination topic without a decision"},
	[LEDGER_OUT_OF_ORDER] = {"out_of_order", "told of behind a later record of its key"},
};

const char *ledger_fault_name(enum ledger_fault fault)
{
	return faults[fault].name;
}

const char *ledger_fault_words(enum ledger_fault fault)
{
	return faults[fault].words;
}
