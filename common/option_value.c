/*
 * option_value.c: texts to values of an option's kind, and numbers back to text.
 *
 * The one idea: a quantity carries its unit in the file ("10s", "4 MB", "2M") and its unit in the field's name in the
 * program, and this is the only place where one becomes the other.
 */
#include "common/option_value.h"

#include <math.h>
#include <stdio.h>

#include "common/json.h"

struct unit {
	const char *name;
	double factor;
};
static const struct unit counts[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1},    {"B", 1},     {"KB", 1e3},        {"MB", 1e6},
                                    {"GB", 1e9}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}};
static const struct unit times[] = {{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}, {NULL, 0}};

static const struct unit *units_of(enum option_kind kind)
{
	return kind == OPTION_BYTES ? sizes : kind == OPTION_DURATION ? times : counts;
}

bool option_number(enum option_kind kind, struct str text, double *ret)
{
	if (kind == OPTION_DOUBLE)
		return str_to_double(text, ret);
	if (kind == OPTION_DURATION && str_is(text, "0")) {
		*ret = 0;
		return true;
	}
	size_t n = 0;
	while (n < text.len && (memchr("0123456789.", text.data[n], 11) != NULL || (n == 0 && text.data[n] == '-')))
		n++;
	double number;
	if (!str_to_double((struct str){text.data, n}, &number))
		return false;
	struct str name = str_trim((struct str){text.data + n, text.len - n});
	for (const struct unit *unit = units_of(kind); unit->name != NULL; unit++) {
		struct str unit_name = str_of(unit->name);
		if (kind == OPTION_BYTES ? !str_eq_nocase(name, unit_name) : !str_eq(name, unit_name))
			continue;
		double value = number * unit->factor;
		if (value != floor(value) || fabs(value) > 9007199254740992.0) /* 2^53: beyond it a double is no longer exact */
			return false;
		*ret = value;
		return true;
	}
	return false;
}

void option_show_number(enum option_kind kind, double value, struct buf *out)
{
	const struct unit *best = NULL;
	if (kind != OPTION_DOUBLE && value != 0)
		for (const struct unit *unit = units_of(kind); unit->name != NULL; unit++)
			if (fmod(value, unit->factor) == 0 && unit->name[0] != '\0' && (best == NULL || unit->factor > best->factor))
				best = unit;
	if (best != NULL && (kind == OPTION_DURATION || kind == OPTION_BYTES || best->factor > 1000)) {
		buf_i64(out, (int64_t)(value / best->factor));
		buf_cstr(out, kind == OPTION_BYTES ? " " : "");
		buf_cstr(out, best->name);
	} else {
		json_write_double(out, value);
	}
}

void option_each_choice(const char *choices, void (*each)(void *ctx, int index, struct str name), void *ctx)
{
	int index = 0;
	for (const char *p = choices; p != NULL; index++) {
		const char *bar = strchr(p, '|');
		struct str name = {p, bar != NULL ? (size_t)(bar - p) : strlen(p)};
		if (name.len != 0)
			each(ctx, index, name);
		p = bar != NULL ? bar + 1 : NULL;
	}
}

static const char *kind_words(enum option_kind kind)
{
	switch (kind) {
	case OPTION_BYTES: return "a size such as 512 KB, 4 MB or 1 GiB";
	case OPTION_DURATION: return "a duration such as 250ms, 10s, 5m, 24h or 7d";
	case OPTION_DOUBLE: return "a number";
	default: return "a whole number, with k, M or G where it helps";
	}
}

static enum rc refuse_range(const struct config_option *o, const struct node *at, struct arena *arena, struct err *err)
{
	struct buf words;
	buf_init(&words, arena, 64);
	buf_cstr(&words, o->max >= o->min && o->max != 0 ? "between " : "at least ");
	option_show_number(o->kind, o->min, &words);
	if (o->max >= o->min && o->max != 0) {
		buf_cstr(&words, " and ");
		option_show_number(o->kind, o->max, &words);
	}
	return config_error(at, err, "\"%s\" must be %.*s", o->name, STR_ARG(buf_view(&words)));
}

static bool in_range(const struct config_option *o, double value)
{
	if (o->min == 0 && o->max == 0)
		return o->kind == OPTION_DOUBLE || o->kind == OPTION_I64 || value >= 0;
	return value >= o->min && (o->max < o->min || value <= o->max);
}

static enum rc read_number(const struct config_option *o, const struct node *at, struct str text, void *field, struct arena *arena, struct err *err)
{
	double value;
	bool has_unit = o->kind == OPTION_DURATION || o->kind == OPTION_BYTES;
	if (at != NULL && at->quoted && !has_unit)
		return config_error_hint(at, err, "take the quotes away", "\"%s\" is %s; in quotes it is a text", o->name, kind_words(o->kind));
	if (!option_number(o->kind, text, &value))
		return config_error(at, err, "\"%s\" is %s, not \"%.*s\"", o->name, kind_words(o->kind), STR_ARG(text));
	if (!in_range(o, value) || (o->kind == OPTION_U32 && value > UINT32_MAX))
		return refuse_range(o, at, arena, err);
	switch (o->kind) {
	case OPTION_U32: *(uint32_t *)field = (uint32_t)value; break;
	case OPTION_BYTES: *(size_t *)field = (size_t)value; break;
	case OPTION_DOUBLE: *(double *)field = value; break;
	default: *(int64_t *)field = (int64_t)value; break;
	}
	return RC_OK;
}

static enum rc read_bool(const struct config_option *o, const struct node *at, struct str text, bool *field, struct err *err)
{
	bool yes = str_is(text, "true");
	if ((at != NULL && at->quoted) || (!yes && !str_is(text, "false")))
		return config_error(at, err, "\"%s\" is true or false, not \"%.*s\"", o->name, STR_ARG(text));
	*field = yes;
	return RC_OK;
}

struct choice_list {
	struct str wanted;
	int found; /* -1: none */
	unsigned count;
	char names[16][32];
};

static void visit_choice(void *ctx, int index, struct str name)
{
	struct choice_list *list = ctx;
	if (str_eq(name, list->wanted))
		list->found = index;
	if (list->count < 16 && name.len < sizeof list->names[0]) {
		memcpy(list->names[list->count], name.data, name.len);
		list->names[list->count++][name.len] = '\0';
	}
}

static const char *choice_at(const void *ctx, unsigned i)
{
	return ((const struct choice_list *)ctx)->names[i];
}

static enum rc read_enum(const struct config_option *o, const struct node *at, struct str text, int *field, struct arena *arena, struct err *err)
{
	struct choice_list list = {.wanted = text, .found = -1};
	option_each_choice(o->choices, visit_choice, &list);
	if (list.found >= 0) {
		*field = list.found;
		return RC_OK;
	}
	const char *best = config_suggest(text, choice_at, &list, list.count);
	struct buf hint;
	buf_init(&hint, arena, 64);
	buf_cstr(&hint, best != NULL ? "did you mean " : "one of ");
	for (unsigned i = 0; best == NULL && i < list.count; i++)
		buf_printf(&hint, "%s%s", i == 0 ? "" : ", ", list.names[i]);
	if (best != NULL)
		buf_printf(&hint, "\"%s\"?", best);
	buf_char(&hint, '\0');
	return config_error_hint(at, err, hint.data, "unknown value \"%.*s\" for \"%s\"", STR_ARG(text), o->name);
}

enum rc option_read_scalar(const struct config_option *o, const struct node *at, struct str text, void *field, struct arena *arena, struct err *err)
{
	switch (o->kind) {
	case OPTION_STR:
		*(struct str *)field = arena_str(arena, text);
		return RC_OK;
	case OPTION_BOOL: return read_bool(o, at, text, field, err);
	case OPTION_ENUM: return read_enum(o, at, text, field, arena, err);
	case OPTION_I64:
	case OPTION_U32:
	case OPTION_BYTES:
	case OPTION_DURATION:
	case OPTION_DOUBLE: return read_number(o, at, text, field, arena, err);
	case OPTION_STR_LIST: { /* a default of one item */
		struct str_list *list = field;
		list->items = arena_array(arena, 1, sizeof *list->items);
		list->items[0] = arena_str(arena, text);
		list->count = 1;
		return RC_OK;
	}
	default: return err_set(err, RC_FATAL, "bug: the option \"%s\" cannot have a default", o->name);
	}
}
