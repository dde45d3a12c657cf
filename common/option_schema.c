/*
 * option_schema.c: a table as JSON Schema (draft 2020-12), for editors that check YAML while it is typed.
 *
 * The one idea: the schema is never stricter than the binder, else an editor would mark what runs. So quantities are numbers
 * or texts, and a variable of the environment may stand anywhere a text may.
 */
#include "common/json.h"
#include "common/option_value.h"

static void add_choice(void *ctx, int index, struct str name)
{
	(void)index; /* only the names are listed */
	struct buf *out = ctx;
	json_sep(out);
	json_write_str(out, name);
}

static void write_table(const struct config_option *table, struct buf *out);

static void write_type(const struct config_option *o, struct buf *out)
{
	switch (o->kind) {
	case OPTION_STR:
	case OPTION_SECRET: buf_cstr(out, "\"type\":[\"string\",\"number\",\"boolean\"]"); break;
	case OPTION_BOOL: buf_cstr(out, "\"type\":[\"boolean\",\"string\"]"); break;
	case OPTION_I64:
	case OPTION_U32:
	case OPTION_DOUBLE: buf_cstr(out, "\"type\":[\"number\",\"string\"]"); break;
	case OPTION_BYTES:
		buf_cstr(out, "\"type\":[\"integer\",\"string\"],\"pattern\":\"^ *[0-9.]+ *([kKmMgG]?[iI]?[bB])? *$|[$][{]\"");
		break;
	case OPTION_DURATION: buf_cstr(out, "\"type\":[\"integer\",\"string\"],\"pattern\":\"^(0|[0-9.]+ *(ms|s|m|h|d))$|[$][{]\""); break;
	case OPTION_ENUM:
		buf_cstr(out, "\"enum\":[");
		option_each_choice(o->choices, add_choice, out);
		buf_char(out, ']');
		break;
	case OPTION_STR_LIST:
		buf_cstr(out, "\"type\":[\"string\",\"number\",\"array\"],\"items\":{\"type\":[\"string\",\"number\",\"boolean\"]}");
		break;
	case OPTION_PAIRS: buf_cstr(out, "\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\"]}"); break;
	case OPTION_SECTION: write_table(o->sub, out); break;
	case OPTION_MAPS:
		buf_cstr(out, "\"type\":\"array\",\"items\":{");
		write_table(o->sub, out);
		buf_char(out, '}');
		break;
	case OPTION_CUSTOM: buf_cstr(out, o->schema_json); break;
	}
}

static void write_property(const struct config_option *o, const char *suffix, const char *lead, struct buf *out)
{
	json_key(out, arena_printf(out->arena, "%s%s", o->name, suffix).data);
	buf_char(out, '{');
	write_type(o, out);
	if (o->doc != NULL) {
		json_key(out, "description");
		json_write_str(out, arena_printf(out->arena, "%s%s", lead, o->doc));
	}
	if (o->fallback != NULL) {
		json_key(out, "default");
		json_write_str(out, str_of(o->fallback));
	}
	buf_char(out, '}');
}

/* The members of one schema object, without its braces: the caller may add to them. */
static void write_table(const struct config_option *table, struct buf *out)
{
	bool required = false;
	json_key(out, "type");
	buf_cstr(out, "[\"object\",\"null\"],\"additionalProperties\":false");
	json_key(out, "properties");
	buf_char(out, '{');
	for (const struct config_option *o = table; o->name != NULL; o++) {
		write_property(o, "", "", out);
		if (o->kind == OPTION_SECRET) {
			write_property(o, "_env", "Name of the environment variable that holds it: ", out);
			write_property(o, "_file", "Path of a file whose first line is it: ", out);
		}
		required |= o->required && o->kind != OPTION_SECRET;
	}
	buf_char(out, '}');
	if (!required)
		return;
	json_key(out, "required");
	buf_char(out, '[');
	for (const struct config_option *o = table; o->name != NULL; o++) {
		if (!o->required || o->kind == OPTION_SECRET)
			continue;
		json_sep(out);
		json_write_str(out, str_of(o->name));
	}
	buf_char(out, ']');
}

void option_write_schema(const struct config_option *table, const char *title, struct buf *out)
{
	buf_cstr(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"");
	json_key(out, "title");
	json_write_str(out, str_of(title));
	write_table(table, out);
	buf_cstr(out, "}\n");
}
