/*
 * option_effective.c: a bound struct as YAML, with nothing in it that must not be seen.
 *
 * The one idea: what is printed here ends in tickets and chats. Secrets, values of maps that carry credentials, and the
 * user part of URLs are "***"; an absent value is left out.
 */
#include "common/json.h"
#include "common/option_value.h"

static void indent(struct buf *out, unsigned by)
{
	for (unsigned i = 0; i < by; i++)
		buf_char(out, ' ');
}

/* The part of a URL before the @ is hidden. */
static void write_text(struct buf *out, struct str s)
{
	const char *scheme = s.len > 3 ? memmem(s.data, s.len, "://", 3) : NULL;
	if (scheme != NULL) {
		const char *host = scheme + 3, *end = s.data + s.len, *at = NULL;
		for (const char *p = host; p < end && *p != '/' && *p != '?'; p++)
			if (*p == '@')
				at = p;
		if (at != NULL)
			s = arena_printf(out->arena, "%.*s***%.*s", (int)(host - s.data), s.data, (int)(end - at), at);
	}
	json_write_str(out, s);
}

/* librdkafka's own names are not known here: whatever sounds like a credential is one. */
static bool sounds_secret(struct str name)
{
	static const char *const words[] = {"password", "secret", "token", "key", "jaas", "oauthbearer.config", "pem"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (memmem(name.data, name.len, words[i], strlen(words[i])) != NULL)
			return true;
	return false;
}

static void write_pairs(const struct config_option *o, const struct pair_list *list, struct buf *out)
{
	buf_char(out, '{');
	for (uint32_t i = 0; i < list->count; i++) {
		buf_cstr(out, i == 0 ? "" : ", ");
		json_write_str(out, list->items[i].name);
		buf_cstr(out, ": ");
		if (o->secret || sounds_secret(list->items[i].name))
			buf_cstr(out, "\"***\"");
		else
			write_text(out, list->items[i].value);
	}
	buf_char(out, '}');
}

static void write_str_list(const struct str_list *list, struct buf *out)
{
	buf_char(out, '[');
	for (uint32_t i = 0; i < list->count; i++) {
		buf_cstr(out, i == 0 ? "" : ", ");
		write_text(out, list->items[i]);
	}
	buf_char(out, ']');
}

struct wanted_choice {
	int index;
	struct str name;
};

static void pick_choice(void *ctx, int index, struct str name)
{
	struct wanted_choice *wanted = ctx;
	if (wanted->index == index)
		wanted->name = name;
}

static bool is_absent(const struct config_option *o, const void *field)
{
	switch (o->kind) {
	case OPTION_STR:
	case OPTION_SECRET: return ((const struct str *)field)->data == NULL;
	case OPTION_STR_LIST: return ((const struct str_list *)field)->count == 0;
	case OPTION_PAIRS: return ((const struct pair_list *)field)->count == 0;
	case OPTION_CUSTOM: return o->show == NULL;
	default: return false;
	}
}

static void write_value(const struct config_option *o, const void *field, struct buf *out)
{
	struct wanted_choice choice = {.index = -1, .name = STR("?")};
	switch (o->kind) {
	case OPTION_STR: write_text(out, *(const struct str *)field); break;
	case OPTION_SECRET: buf_cstr(out, "\"***\""); break;
	case OPTION_BOOL: buf_cstr(out, *(const bool *)field ? "true" : "false"); break;
	case OPTION_U32: buf_i64(out, *(const uint32_t *)field); break;
	case OPTION_I64: buf_i64(out, *(const int64_t *)field); break;
	case OPTION_BYTES: option_show_number(o->kind, (double)*(const size_t *)field, out); break;
	case OPTION_DURATION: option_show_number(o->kind, (double)*(const int64_t *)field, out); break;
	case OPTION_DOUBLE: json_write_double(out, *(const double *)field); break;
	case OPTION_STR_LIST: write_str_list(field, out); break;
	case OPTION_PAIRS: write_pairs(o, field, out); break;
	case OPTION_CUSTOM: o->show(field, out); break;
	case OPTION_ENUM:
		choice.index = *(const int *)field;
		option_each_choice(o->choices, pick_choice, &choice);
		buf_str(out, choice.name);
		break;
	case OPTION_SECTION:
	case OPTION_MAPS: break; /* written by write_table */
	}
}

static void write_table(const struct config_option *table, const char *base, struct buf *out, unsigned by, bool item)
{
	for (const struct config_option *o = table; o->name != NULL; o++) {
		const char *field = base + o->offset;
		if (is_absent(o, field))
			continue;
		indent(out, item ? by - 2 : by);
		buf_cstr(out, item ? "- " : "");
		item = false;
		buf_printf(out, "%s:", o->name);
		if (o->kind == OPTION_SECTION) {
			buf_char(out, '\n');
			write_table(o->sub, field, out, by + 2, false);
		} else if (o->kind == OPTION_MAPS) {
			const char *items;
			unsigned count;
			memcpy(&items, field, sizeof items);
			memcpy(&count, field + sizeof items, sizeof count);
			buf_char(out, '\n');
			for (unsigned i = 0; i < count; i++)
				write_table(o->sub, items + i * o->item_bytes, out, by + 4, true);
		} else {
			buf_char(out, ' ');
			write_value(o, field, out);
			buf_char(out, '\n');
		}
	}
}

void option_write_effective(const struct config_option *table, const void *values, struct buf *out)
{
	write_table(table, values, out, 0, false);
}
