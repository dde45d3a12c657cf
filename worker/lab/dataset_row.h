/*
 * dataset_row.h: from the bytes of one record to a row. Private to dataset*.c. Pure.
 */
#ifndef LAB_DATASET_ROW_H
#define LAB_DATASET_ROW_H

#include "worker/lab/dataset.h"

enum dataset_known { KNOWN_TEXT, KNOWN_MESSAGES, KNOWN_LABEL, KNOWN_ID, KNOWN_TENANT, KNOWN_EMBEDDING, KNOWN_COUNT };

/* Where the fields stand. */
struct dataset_plan {
	struct str known[KNOWN_COUNT];     /* paths */
	bool given[KNOWN_COUNT];           /* by the user: then it has to be there */
	const struct dataset_field *attributes[DATASET_MAX_FIELDS]; /* attributes.NAME */
	uint32_t attribute_count;
};

enum rc dataset_plan_make(const struct dataset_field *fields, uint32_t count, struct dataset_plan *ret, struct err *err);

/* What is wrong with a row, and at which byte of it (-1: nowhere in particular). */
struct dataset_wrong {
	char text[320];
	int64_t offset;
};

/* record: one JSON object, which must outlive the row. */
bool dataset_row_json(const struct dataset_plan *plan, struct str record, struct arena *arena, struct dataset_row *row,
                      struct dataset_wrong *wrong);

struct dataset_columns {
	struct str *names;
	uint32_t count;
	int known[KNOWN_COUNT]; /* column; -1: none */
	int attributes[DATASET_MAX_FIELDS];
};
/* The header's names against the plan. */
enum rc dataset_columns_make(const struct dataset_plan *plan, struct str *names, uint32_t count, struct dataset_columns *ret, struct err *err);
/* cells: as many as the header's. */
bool dataset_row_csv(const struct dataset_plan *plan, const struct dataset_columns *columns, struct str *cells, struct arena *arena,
                     struct dataset_row *row, struct dataset_wrong *wrong);

#endif
