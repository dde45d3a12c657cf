/*
 * outcome_rows.c: outcomes travel as attributes of a row, under their own names, so that data sets need to know nothing of them.
 */
#include "worker/cli/outcome_rows.h"

#include <math.h>

static const char *const names[OUTCOME_FIELDS] = {"weak.quality", "strong.quality", "weak.cost", "strong.cost", "topic", "task"};

const char *outcome_rows_name(enum outcome_field field)
{
	return names[field];
}

static int find(struct str name)
{
	for (int i = 0; i < OUTCOME_FIELDS; i++)
		if (str_is(name, names[i]))
			return i;
	return -1;
}

/* What is not mapped stands under its own name. A CSV has its columns as attributes anyhow, and need not have all. */
bool outcome_rows_fields(struct dataset_fields *fields, const char *path, struct arena *arena)
{
	size_t n = strlen(path);
	bool csv = n > 4 && (strcmp(path + n - 4, ".csv") == 0 || strcmp(path + n - 4, ".tsv") == 0);
	bool mapped[OUTCOME_FIELDS] = {false};
	for (uint32_t i = 0; i < fields->count; i++) {
		int field = find(fields->items[i].name);
		if (field < 0)
			continue;
		mapped[field] = true;
		fields->items[i].name = arena_printf(arena, "attributes.%s", names[field]);
	}
	for (int f = 0; f < OUTCOME_FIELDS; f++) {
		if (mapped[f] || (csv && f != OUTCOME_WEAK_QUALITY && f != OUTCOME_STRONG_QUALITY))
			continue;
		if (fields->count == DATASET_MAX_FIELDS)
			return false;
		fields->items[fields->count++] = (struct dataset_field){arena_printf(arena, "attributes.%s", names[f]), str_of(names[f])};
	}
	return true;
}

struct str outcome_rows_value(const struct dataset_row *row, enum outcome_field field)
{
	for (uint32_t i = 0; i < row->req.attribute_count; i++)
		if (str_is(row->req.attributes[i].name, names[field]))
			return row->req.attributes[i].value;
	return STR_NULL;
}

static enum rc read_quality(const struct dataset_row *row, enum outcome_field field, double *ret, struct err *err)
{
	struct str s = outcome_rows_value(row, field);
	*ret = NAN;
	if (s.len == 0)
		return RC_OK;
	if (str_eq_nocase(s, STR("true")) || str_eq_nocase(s, STR("false")))
		*ret = str_eq_nocase(s, STR("true")) ? 1 : 0;
	else if (!str_to_double(s, ret) || !(*ret >= 0 && *ret <= 1))
		return err_set(err, RC_BAD_INPUT, "%s is a quality from 0 to 1, or true or false, not \"%.*s\"", names[field], (int)str_utf8_cut(s, 60), s.data);
	return RC_OK;
}

static enum rc read_cost(const struct dataset_row *row, enum outcome_field field, double *ret, struct err *err)
{
	struct str s = outcome_rows_value(row, field);
	*ret = NAN;
	if (s.len == 0 || (str_to_double(s, ret) && *ret >= 0))
		return RC_OK;
	return err_set(err, RC_BAD_INPUT, "%s is a cost in USD, not \"%.*s\"", names[field], (int)str_utf8_cut(s, 60), s.data);
}

enum rc outcome_rows_read(const struct dataset_row *row, struct gain_outcome *ret, struct err *err)
{
	enum rc rc = read_quality(row, OUTCOME_WEAK_QUALITY, &ret->weak, err);
	if (rc == RC_OK)
		rc = read_quality(row, OUTCOME_STRONG_QUALITY, &ret->strong, err);
	if (rc == RC_OK)
		rc = read_cost(row, OUTCOME_WEAK_COST, &ret->weak_usd, err);
	if (rc == RC_OK)
		rc = read_cost(row, OUTCOME_STRONG_COST, &ret->strong_usd, err);
	return rc;
}
