/*
 * examples.c: reading examples, with the line of each complaint.
 *
 * The one idea: an example is a label and a direction; whether the direction was given or is computed from a text makes no
 * difference afterwards. Their hash names this version of them, and with it every decision that they make.
 */
#include "worker/route/examples.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "worker/route/policy_load.h"

struct reading {
	struct policy *policy;
	const struct static_model *model;
	uint32_t windows;
	struct examples *to;
	struct arena line; /* reset with each line */
	struct canon canon;
	struct str file;
	const char *path; /* of it, in the policy's arena */
	unsigned at; /* line */
};

static enum rc line_error(const struct reading *r, struct err *err, const char *what)
{
	return err_set(err, RC_BAD_INPUT, "%.*s:%u: error: %s", STR_ARG(r->file), r->at, what);
}

static enum rc label_of(struct reading *r, const struct json *json, int *ret, struct err *err)
{
	struct str label = json_str(json_get(json, STR("label")));
	if (label.data == NULL)
		return line_error(r, err, "the example has no \"label\"");
	*ret = policy_find_route(r->policy, label);
	if (*ret >= 0)
		return RC_OK;
	const char *near = policy_suggest_route(r->policy, label);
	char text[256];
	(void)snprintf(text, sizeof text, "no route of the name \"%.*s\"%s%s%s", (int)(label.len < 64 ? label.len : 64), label.data,
	               near != NULL ? "; did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?" : ""); /* cut on purpose */
	return line_error(r, err, text);
}

static void note_place(struct examples *e, struct example_place place)
{
	uint32_t at = e->vectors.count - 1;
	if (at >= e->place_cap) {
		e->place_cap = e->place_cap == 0 ? 256 : e->place_cap * 2;
		e->places = heap_resize(e->places, e->place_cap, sizeof *e->places);
	}
	e->places[at] = place;
}

static enum rc add(struct reading *r, int route, const float *values, uint32_t dim, struct err *err)
{
	struct vectors *v = &r->to->vectors;
	if (v->dim == 0)
		vectors_init(v, dim);
	if (dim != v->dim)
		return line_error(r, err, "the embedding is not as long as those before it");
	if (v->count == EXAMPLES_MAX)
		return line_error(r, err, "there are too many examples");
	if (!vectors_add(v, values, (uint32_t)route))
		return line_error(r, err, r->model != NULL ? "the text holds no word that the table knows" : "the embedding is all zeros or too large");
	note_place(r->to, (struct example_place){r->path, r->at});
	r->to->by_route[route]++;
	r->policy->reachable[route] = true;
	canon_str(&r->canon, r->policy->routes[route].name);
	canon_bytes(&r->canon, v->rows + (size_t)(v->count - 1) * v->stride, v->dim);
	return RC_OK;
}

static enum rc add_text(struct reading *r, int route, struct str text, struct err *err)
{
	float vector[STATIC_MODEL_MAX_DIM];
	(void)document_embed(r->model, text, r->windows, vector); /* all zeros is refused by add */
	return add(r, route, vector, static_model_dim(r->model), err);
}

static enum rc add_given(struct reading *r, int route, const struct json *json, struct err *err)
{
	const struct json *list = json_get(json, STR("embedding"));
	if (list == NULL || list->kind != JSON_LIST || list->count == 0 || list->count > VECTORS_MAX_DIM)
		return line_error(r, err, "the example has no \"embedding\": a list of numbers");
	float *values = arena_array(&r->line, list->count, sizeof *values);
	for (uint32_t i = 0; i < list->count; i++) {
		double d;
		if (!json_double(&list->items[i], &d))
			return line_error(r, err, "the embedding holds something that is no number");
		values[i] = (float)d;
	}
	return add(r, route, values, list->count, err);
}

/* route -1: the line is JSON and says its label. */
static enum rc add_line(struct reading *r, int route, struct str line, struct err *err)
{
	const struct json *json;
	struct err why;
	if (route >= 0)
		return add_text(r, route, line, err);
	if (json_parse(&r->line, line, (struct json_limits){0}, &json, &why) != RC_OK)
		return line_error(r, err, why.text);
	enum rc rc = label_of(r, json, &route, err);
	if (rc != RC_OK)
		return rc;
	if (r->model == NULL)
		return add_given(r, route, json, err);
	struct str text = json_str(json_get(json, STR("text")));
	return text.data != NULL ? add_text(r, route, text, err) : line_error(r, err, "the example has no \"text\"");
}

static enum rc read_lines(struct reading *r, int route, const struct node *node, struct arena *brief, struct err *err)
{
	struct str text;
	if (node->kind != NODE_SCALAR)
		return config_error(node, err, "the name of a file is expected");
	enum rc rc = policy_read_file(r->policy, node, node->scalar, EXAMPLES_MAX_BYTES, brief, &text, err);
	uint32_t before = r->to->vectors.count;
	r->file = node->scalar;
	r->path = policy_path(r->policy, node->scalar, &r->policy->arena);
	r->at = 0;
	for (size_t pos = 0; rc == RC_OK && pos < text.len;) {
		const char *end = memchr(text.data + pos, '\n', text.len - pos);
		size_t stop = end != NULL ? (size_t)(end - text.data) : text.len;
		struct str line = str_trim((struct str){text.data + pos, stop - pos});
		pos = stop + 1;
		r->at++;
		arena_reset(&r->line);
		if (line.len != 0)
			rc = add_line(r, route, line, err);
	}
	if (rc == RC_OK && r->to->vectors.count == before)
		rc = config_error(node, err, "%.*s holds no example", STR_ARG(node->scalar));
	return rc;
}

void examples_free(struct examples *examples)
{
	vectors_free(&examples->vectors);
	free(examples->places);
	examples->places = NULL;
}

enum rc examples_read(struct stage_setup *setup, const struct static_model *model, uint32_t windows, const struct node *file,
                      struct examples *ret, struct err *err)
{
	struct policy *policy = setup->policy;
	struct reading r = {.policy = policy, .model = model, .windows = windows, .to = ret};
	enum rc rc = RC_OK;
	arena_init(&r.line, 65536);
	buf_init(&r.canon.buf, setup->brief, 4096);
	canon_str(&r.canon, model != NULL ? static_model_version(model) : STR_NULL);
	ret->by_route = arena_array(&policy->arena, policy->route_count, sizeof *ret->by_route);
	if (file != NULL)
		rc = read_lines(&r, -1, file, setup->brief, err);
	for (uint32_t i = 0; rc == RC_OK && model != NULL && i < policy->route_count; i++)
		if (policy->route_examples[i] != NULL)
			rc = read_lines(&r, (int)i, policy->route_examples[i], setup->brief, err);
	arena_free(&r.line);
	if (rc == RC_OK && ret->vectors.count == 0)
		rc = config_error(setup->node, err, "there are no examples: name a file here, or one at each route");
	if (rc != RC_OK)
		return rc;
	policy->examples_read |= model != NULL;
	char *hex = arena_alloc(&policy->arena, POLICY_VERSION_CHARS + 1);
	policy_hash(&r.canon, hex);
	ret->version = str_of(hex);
	canon_str(setup->canon, ret->version);
	return RC_OK;
}
