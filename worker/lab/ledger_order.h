/*
 * ledger_order.h: were records of one key told of in the order in which they came in?
 * Thread: any. Pure.
 */
#ifndef LAB_LEDGER_ORDER_H
#define LAB_LEDGER_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* A decision, as far as order goes. */
struct ledger_told {
	uint32_t source, part; /* where its record came from, and where it stands itself */
	int64_t offset, stands_at;
	uint64_t key; /* hash of the record's key */
};

/* Sorts them. Calls found for each that stands behind a decision about a later record of its source and key. A second decision
 * about one record is not judged; nor are two that stand in different partitions. */
void ledger_order_check(struct ledger_told *told, size_t count, void (*found)(void *ctx, const struct ledger_told *late), void *ctx);

#endif
