/*
 * outcome_rows.h: what rows of a data set say of the answers of a weak and a strong model: weak.quality, strong.quality, weak.cost,
 * strong.cost, topic, task, or the fields that --field names for them.
 *
 * Thread: main.
 */
#ifndef CLI_OUTCOME_ROWS_H
#define CLI_OUTCOME_ROWS_H

#include "worker/lab/dataset.h"
#include "worker/lab/gain_measure.h"

enum outcome_field { OUTCOME_WEAK_QUALITY, OUTCOME_STRONG_QUALITY, OUTCOME_WEAK_COST, OUTCOME_STRONG_COST, OUTCOME_TOPIC, OUTCOME_TASK, OUTCOME_FIELDS };
const char *outcome_rows_name(enum outcome_field field);

/* Adds to the fields what dataset_open needs to find those. false: there are too many. */
bool outcome_rows_fields(struct dataset_fields *fields, const char *path, struct arena *arena);
/* data NULL: the row does not say. */
struct str outcome_rows_value(const struct dataset_row *row, enum outcome_field field);
/* Qualities and costs; NAN where they are missing. score is left alone. RC_BAD_INPUT: not a quality, not a cost. */
enum rc outcome_rows_read(const struct dataset_row *row, struct gain_outcome *ret, struct err *err);

#endif
