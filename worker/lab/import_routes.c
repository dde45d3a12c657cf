/*
 * import_routes.c: another router's file, with a note for everything that has no place here.
 *
 * The one idea: every member is either taken over or noted with its line, by one table; so nothing can be lost in silence, not even a
 * member that is unknown today.
 */
#include "worker/lab/import_routes.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/json.h"

enum { MAX_NAME = 60, LONGEST_SHOWN = 60 };

struct importing {
	struct str text;
	struct imported *out;
	uint32_t line; /* of the nearest place that is known */
	const char *counted; /* lines are counted from place to place, not from the start each time */
	uint32_t counted_line;
};

void import_routes_note(struct imported *imported, uint32_t line, struct str path, const char *fmt, ...)
{
	struct buf words;
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap); /* cut is fine: for a person */
	va_end(ap);
	buf_init(&words, imported->arena, 64);
	buf_str(&words, (struct str){text, str_utf8_cut(str_of(text), sizeof text)});
	if (imported->note_count == imported->note_cap) {
		uint32_t cap = imported->note_cap != 0 ? imported->note_cap * 2 : 16;
		struct import_note *notes = arena_array(imported->arena, cap, sizeof *notes);
		if (imported->note_count != 0)
			memcpy(notes, imported->notes, imported->note_count * sizeof *notes);
		imported->notes = notes;
		imported->note_cap = cap;
	}
	imported->notes[imported->note_count++] = (struct import_note){line, path, buf_view(&words)};
}

/* The line of a place in the text; 0: the string was written with escapes, so it stands elsewhere in memory. */
static uint32_t line_of(struct importing *im, const char *at)
{
	if (at == NULL || at < im->text.data || at > im->text.data + im->text.len)
		return 0;
	for (; im->counted < at; im->counted++)
		im->counted_line += *im->counted == '\n';
	for (; im->counted > at; im->counted--)
		im->counted_line -= im->counted[-1] == '\n';
	return im->counted_line;
}

static uint32_t line_at(struct importing *im, const char *at)
{
	uint32_t line = line_of(im, at);
	if (line != 0)
		im->line = line;
	return im->line;
}

static struct str path_of(struct importing *im, struct str base, struct str name)
{
	return base.len != 0 ? arena_printf(im->out->arena, "%.*s.%.*s", STR_ARG(base), STR_ARG(name)) : name;
}

static bool is_nothing(const struct json *j)
{
	return j->kind == JSON_NULL || ((j->kind == JSON_LIST || j->kind == JSON_MAP) && j->count == 0);
}

/* Members that mean something here, or are known to mean nothing; all others are noted. */
struct member {
	const char *name, *note; /* note NULL: it is read elsewhere */
};
static const struct member route_members[] = {
	{"name", NULL}, {"utterances", NULL}, {"description", NULL}, {"score_threshold", NULL},
	{"function_schema", "not taken over: routes here lead to models or topics, and call no functions"},
	{"function_schemas", "not taken over: routes here lead to models or topics, and call no functions"},
	{"openai_function_schema", "not taken over: routes here lead to models or topics, and call no functions"},
	{"llm", "not taken over: the models are those of the configuration"},
	{"metadata", "not taken over"}, {NULL, NULL}};
static const struct member file_members[] = {{"routes", NULL}, {"encoder_type", NULL}, {"encoder_name", NULL}, {NULL, NULL}};

static void note_members(struct importing *im, const struct json *map, const struct member *known, struct str base)
{
	for (uint32_t i = 0; i < map->count; i++) {
		const struct member *m = known;
		while (m->name != NULL && !str_is(map->keys[i], m->name))
			m++;
		if ((m->name != NULL && m->note == NULL) || is_nothing(&map->items[i]))
			continue;
		import_routes_note(im->out, line_at(im, map->keys[i].data), path_of(im, base, map->keys[i]), "%s",
		                   m->name != NULL ? m->note : "not taken over: not known to this version");
	}
}

/* ---- a route --------------------------------------------------------------------------------------------------------- */

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static bool is_taken(const struct imported *out, struct str name)
{
	for (uint32_t i = 0; i < out->route_count; i++)
		if (str_eq(out->routes[i].name, name))
			return true;
	return str_is(name, "oos") || str_is(name, "when_unsure");
}

/* Letters, digits and "_-." as a policy wants them, and no name twice. */
static struct str fit_name(struct importing *im, struct str given)
{
	struct buf name;
	buf_init(&name, im->out->arena, MAX_NAME);
	for (size_t i = 0; i < given.len && name.len < MAX_NAME; i++) {
		bool fits = is_name_char(given.data[i]);
		if (fits || name.len == 0 || name.data[name.len - 1] != '_')
			buf_char(&name, fits ? given.data[i] : '_');
	}
	struct str base = buf_view(&name), fit = base;
	for (unsigned n = 2; is_taken(im->out, fit); n++)
		fit = arena_printf(im->out->arena, "%.*s_%u", STR_ARG(base), n);
	return fit;
}

static struct str one_line(struct importing *im, struct str s)
{
	char *out = arena_cstr(im->out->arena, s);
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)out[i] < 0x20 || out[i] == 0x7F)
			out[i] = ' ';
	return str_trim((struct str){out, s.len});
}

static void read_utterances(struct importing *im, const struct json *list, struct imported_route *route, struct str base)
{
	route->utterances = arena_array(im->out->arena, list->count, sizeof *route->utterances);
	for (uint32_t i = 0; i < list->count; i++) {
		struct str path = arena_printf(im->out->arena, "%.*s.utterances[%u]", STR_ARG(base), i), text = json_str(&list->items[i]);
		uint32_t line = line_at(im, list->items[i].text.data);
		if (text.data == NULL) {
			import_routes_note(im->out, line, path, "left out: it is no text");
			continue;
		}
		struct str clean = one_line(im, text);
		if (clean.len == 0) {
			import_routes_note(im->out, line, path, "left out: it is empty");
			continue;
		}
		if (clean.len == str_trim(text).len && memchr(str_trim(text).data, '\n', clean.len) != NULL)
			import_routes_note(im->out, line, path, "its lines are joined: an example is one line");
		route->utterances[route->utterance_count++] = (struct imported_text){clean, line, i};
	}
}

static enum rc wrong(struct importing *im, struct str path, const char *what, struct err *err)
{
	return err_set(err, RC_BAD_INPUT, "%u: error: %.*s: %s", im->line, STR_ARG(path), what);
}

static enum rc read_threshold(struct importing *im, const struct json *j, struct imported_route *route, struct str base, struct err *err)
{
	double d;
	route->threshold = NAN;
	if (j == NULL || j->kind == JSON_NULL)
		return RC_OK;
	(void)line_at(im, j->text.data); /* for messages */
	if (!json_double(j, &d) || !isfinite(d))
		return wrong(im, path_of(im, base, STR("score_threshold")), "it is no number", err);
	if (d < 0 || d > 1)
		import_routes_note(im->out, im->line, path_of(im, base, STR("score_threshold")), "%g is put to %d: thresholds here are from 0 to 1", d, d > 1);
	route->threshold = d < 0 ? 0 : d > 1 ? 1 : d;
	return RC_OK;
}

static enum rc read_route(struct importing *im, const struct json *j, uint32_t index, struct err *err)
{
	struct imported_route route = {.index = index};
	struct str base = arena_printf(im->out->arena, "routes[%u]", index);
	route.line = line_at(im, j->text.data);
	if (j->kind != JSON_MAP)
		return wrong(im, base, "a route is an object with name and utterances", err);
	const struct json *utterances = json_get(j, STR("utterances")), *description = json_get(j, STR("description"));
	route.given_name = json_str(json_get(j, STR("name")));
	if (route.given_name.len == 0)
		return wrong(im, base, "it has no name", err);
	if (utterances != NULL && utterances->kind != JSON_LIST && utterances->kind != JSON_NULL)
		return wrong(im, path_of(im, base, STR("utterances")), "it is no list", err);
	route.name = fit_name(im, route.given_name);
	if (!str_eq(route.name, route.given_name))
		import_routes_note(im->out, route.line, path_of(im, base, STR("name")), "\"%.*s\" is called %.*s here",
		                   (int)str_utf8_cut(route.given_name, LONGEST_SHOWN), route.given_name.data, STR_ARG(route.name));
	if (utterances != NULL && utterances->kind == JSON_LIST)
		read_utterances(im, utterances, &route, base);
	if (description != NULL && description->kind == JSON_STRING && str_trim(description->text).len != 0)
		route.description = one_line(im, description->text);
	else if (description != NULL && description->kind != JSON_NULL && description->kind != JSON_STRING)
		import_routes_note(im->out, route.line, path_of(im, base, STR("description")), "left out: it is no text");
	enum rc rc = read_threshold(im, json_get(j, STR("score_threshold")), &route, base, err);
	im->line = route.line;
	note_members(im, j, route_members, base);
	im->out->routes[im->out->route_count++] = route;
	return rc;
}

/* ---- the file -------------------------------------------------------------------------------------------------------- */

static void read_encoder(struct importing *im, const struct json *root)
{
	struct str type = json_str(json_get(root, STR("encoder_type"))), name = json_str(json_get(root, STR("encoder_name")));
	if (type.data != NULL || name.data != NULL)
		im->out->encoder = one_line(im, arena_printf(im->out->arena, "%.*s%s%.*s", STR_ARG(type), type.len != 0 && name.len != 0 ? " " : "", STR_ARG(name)));
}

static enum rc read_root(struct importing *im, const struct json *root, struct err *err)
{
	const struct json *routes = root;
	uint32_t count = 1;
	if (root->kind == JSON_MAP && json_get(root, STR("routes")) != NULL) {
		routes = json_get(root, STR("routes"));
		read_encoder(im, root);
		note_members(im, root, file_members, STR(""));
	}
	if (routes->kind == JSON_LIST)
		count = routes->count;
	else if (routes != root || routes->kind != JSON_MAP)
		return wrong(im, STR("routes"), "a list of routes is expected, each with name and utterances", err);
	if (count == 0 || count > IMPORT_MAX_ROUTES)
		return wrong(im, STR("routes"), count == 0 ? "there are none" : "there are more than 1000", err);
	im->out->routes = arena_array(im->out->arena, count, sizeof *im->out->routes);
	enum rc rc = RC_OK;
	for (uint32_t i = 0; i < count && rc == RC_OK; i++)
		rc = read_route(im, routes->kind == JSON_LIST ? &routes->items[i] : routes, i, err);
	return rc;
}

/* "offset 12: what" of the JSON reader, as a line. */
static enum rc bad_json(struct importing *im, const struct err *why, struct err *err)
{
	struct str text = str_of(why->text), prefix = STR("offset ");
	const char *colon = memchr(text.data, ':', text.len);
	int64_t offset;
	if (!str_starts(text, prefix) || colon == NULL ||
	    !str_to_i64((struct str){text.data + prefix.len, (size_t)(colon - text.data) - prefix.len}, &offset) || (size_t)offset > im->text.len)
		return err_set(err, RC_BAD_INPUT, "1: error: %s", why->text);
	return err_set(err, RC_BAD_INPUT, "%u: error:%s", line_of(im, im->text.data + offset), colon + 1);
}

enum rc import_routes_read(struct str text, struct arena *arena, struct imported *ret, struct err *err)
{
	const struct json *root;
	struct err why;
	struct imported out = {.arena = arena};
	struct importing im = {text, &out, 1, text.data, 1};
	if (json_parse(arena, text, (struct json_limits){0}, &root, &why) != RC_OK)
		return bad_json(&im, &why, err);
	enum rc rc = read_root(&im, root, err);
	if (rc == RC_OK)
		*ret = out;
	return rc;
}
