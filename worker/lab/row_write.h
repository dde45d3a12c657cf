/*
 * row_write.h: a row of a data set as one JSON line that any command reads without --field.
 *
 * Thread: any. Pure.
 */
#ifndef LAB_ROW_WRITE_H
#define LAB_ROW_WRITE_H

#include "worker/lab/dataset.h"

struct row_member {
	const char *name;
	struct str json; /* its value as JSON */
};

/* Appends the row and a newline: id, text (or messages), tenant, the members given, and then what else the row had: of JSON its other
 * members as they stood, else its attributes. A label that is not among the members given stays as it was. What the row had under
 * a name that is written here, and meant something else by (--field), is left out. */
void row_write(struct buf *out, const struct dataset_row *row, const struct row_member *members, uint32_t count, struct arena *arena);
/* s as a JSON string, in arena; null for data NULL. */
struct str row_json(struct str s, struct arena *arena);

#endif
