/*
 * ledger_fault.h: how the promise of delivery can be broken.
 * Thread: any (constant data).
 */
#ifndef LAB_LEDGER_FAULT_H
#define LAB_LEDGER_FAULT_H

enum ledger_fault {
	LEDGER_LOST, LEDGER_TWICE, LEDGER_NO_RESPONSE, LEDGER_RESPONSE_TWICE, LEDGER_WRONG_RESPONSE, LEDGER_NO_DEAD_LETTER,
	LEDGER_DEAD_LETTER_TWICE, LEDGER_WRONG_DEAD_LETTER, LEDGER_ORPHAN_DECISION, LEDGER_ORPHAN_RESPONSE,
	LEDGER_ORPHAN_DEAD_LETTER, LEDGER_NO_FORWARD, LEDGER_FORWARD_TWICE, LEDGER_WRONG_FORWARD, LEDGER_ORPHAN_FORWARD, LEDGER_OUT_OF_ORDER,
	LEDGER_FAULTS
};

const char *ledger_fault_name(enum ledger_fault fault); /* lost, twice, ... */
const char *ledger_fault_words(enum ledger_fault fault);

#endif
