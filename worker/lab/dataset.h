/*
 * dataset.h: rows of labelled texts from a file: JSON Lines, or CSV with a header (RFC 4180).
 *
 * A row becomes the request that a record of a topic would have become, so the router reads both alike. Known fields are text (or
 * prompt, sentence, utterance, or messages), label (or intent), id, tenant, embedding and attributes; every other scalar is an attribute of its own name.
 * `--field text=ticket.body` says where a known field really stands: a dotted path in JSON, a column's name in CSV.
 *
 * Thread: one at a time. Memory: rows live in the arena given with each call.
 */
#ifndef LAB_DATASET_H
#define LAB_DATASET_H

#include "common/arena.h"
#include "common/err.h"
#include "worker/job/job.h"

enum {
	DATASET_MAX_ROW_BYTES = 4 * 1024 * 1024,
	DATASET_MAX_ROWS = 5000000,
	DATASET_MAX_COLUMNS = 256,
	DATASET_MAX_ATTRIBUTES = 256,
	DATASET_MAX_FIELDS = 64 /* mapped by the user */
};

struct dataset_field {
	struct str name, path; /* name: a known field, or attributes.NAME */
};
struct dataset_fields { /* for who gathers them */
	struct dataset_field items[DATASET_MAX_FIELDS];
	uint32_t count;
};
struct dataset_row {
	uint64_t line;      /* where it begins, from 1 */
	struct request req; /* id: the line's number where the row has none */
	bool labelled;
	struct str label;   /* data NULL: none of these (null or "oos" in the file) */
	struct str source;  /* JSON Lines: the row as it stands; else data NULL */
};

/* ROW: one more. END: no more. BAD: err says file:line and what is wrong with the row; the next call goes on behind it.
 * FAILED: the file cannot be read on. */
enum dataset_step { DATASET_ROW, DATASET_END, DATASET_BAD, DATASET_FAILED };

struct dataset;
/* path "-": standard input. Borrows path and fields. RC_BAD_INPUT with file:line when it cannot be opened, a field is unknown,
 * or a CSV's header does not hold what is needed. */
enum rc dataset_open(const char *path, const struct dataset_field *fields, uint32_t count, struct dataset **ret, struct err *err);
void dataset_close(struct dataset *ds); /* NULL is fine */
enum dataset_step dataset_next(struct dataset *ds, struct arena *arena, struct dataset_row *ret, struct err *err);
/* "NAME=PATH"; false: it is not of that form. */
bool dataset_field_read(const char *text, struct dataset_field *ret);
/* For progress: what was read so far, and the size of the file (0: not known). */
int64_t dataset_bytes_read(const struct dataset *ds);
int64_t dataset_bytes_total(const struct dataset *ds);

#endif
