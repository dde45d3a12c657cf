/*
 * render.c: the messages that the chosen route's models get.
 *
 * The one idea: operators write templates, strangers write values; a template is read once from left to right and a value is
 * copied, never read. Earlier messages of a conversation stay; the template takes the place of the last user message.
 */
#include "worker/route/render.h"

#include <math.h>

#include "worker/route/policy.h"

enum piece_kind { PIECE_LITERAL, PIECE_TEXT, PIECE_TENANT, PIECE_ID, PIECE_ATTRIBUTE, PIECE_BAD };

struct piece {
	enum piece_kind kind;
	struct str text; /* the literal, or the attribute's name, or what is wrong */
};

static struct piece placeholder(struct str name)
{
	static const struct str attributes = {"attributes.", 11};
	if (str_is(name, "text"))
		return (struct piece){PIECE_TEXT, name};
	if (str_is(name, "tenant"))
		return (struct piece){PIECE_TENANT, name};
	if (str_is(name, "id"))
		return (struct piece){PIECE_ID, name};
	if (str_starts(name, attributes) && name.len > attributes.len)
		return (struct piece){PIECE_ATTRIBUTE, {name.data + attributes.len, name.len - attributes.len}};
	return (struct piece){PIECE_BAD, name};
}

/* The piece that starts at *at, which moves behind it. */
static struct piece next_piece(struct str t, size_t *at)
{
	size_t start = *at;
	char c = t.data[start];
	bool doubled = start + 1 < t.len && t.data[start + 1] == c;
	if (c == '{' && !doubled) {
		const char *end = memchr(t.data + start, '}', t.len - start);
		size_t stop = end != NULL ? (size_t)(end - t.data) : t.len;
		*at = end != NULL ? stop + 1 : t.len;
		if (end == NULL)
			return (struct piece){PIECE_BAD, {t.data + start, t.len - start}};
		return placeholder((struct str){t.data + start + 1, stop - start - 1});
	}
	if (c == '{' || (c == '}' && doubled)) {
		*at = start + 2;
		return (struct piece){PIECE_LITERAL, {t.data + start, 1}};
	}
	size_t stop = start + 1;
	while (stop < t.len && t.data[stop] != '{' && t.data[stop] != '}')
		stop++;
	*at = stop;
	return (struct piece){PIECE_LITERAL, {t.data + start, stop - start}};
}

enum rc render_check(struct str template, struct err *err)
{
	for (size_t at = 0; at < template.len;) {
		size_t start = at;
		struct piece piece = next_piece(template, &at);
		if (piece.kind != PIECE_BAD)
			continue;
		if (template.data[at - 1] != '}')
			return err_set(err, RC_BAD_INPUT, "the brace at byte %zu is not closed; a brace itself is written {{", start + 1);
		return err_set(err, RC_BAD_INPUT, "unknown placeholder {%.*s}; there are {text}, {tenant}, {id} and {attributes.NAME}; a brace "
		               "itself is written {{", (int)(piece.text.len < 60 ? piece.text.len : 60), piece.text.data);
	}
	return RC_OK;
}

static struct str attribute(const struct request *req, struct str name)
{
	for (uint32_t i = 0; i < req->attribute_count; i++)
		if (str_eq(req->attributes[i].name, name))
			return req->attributes[i].value;
	return STR_NULL;
}

struct str render_template(struct str template, struct str text, const struct request *req, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, template.len + text.len + 64);
	for (size_t at = 0; at < template.len;) {
		struct piece piece = next_piece(template, &at);
		switch (piece.kind) {
		case PIECE_LITERAL: buf_str(&out, piece.text); break;
		case PIECE_TEXT: buf_str(&out, text); break;
		case PIECE_TENANT: buf_str(&out, req->tenant); break;
		case PIECE_ID: buf_str(&out, req->id); break;
		case PIECE_ATTRIBUTE: buf_str(&out, attribute(req, piece.text)); break;
		case PIECE_BAD: break; /* render_check has refused it at load */
		}
	}
	return buf_view(&out);
}

/* The position of the message that the template replaces. */
static uint32_t last_user(const struct request *req)
{
	for (uint32_t i = req->message_count; i > 0; i--)
		if (str_is(req->messages[i - 1].role, "user"))
			return i - 1;
	return req->message_count != 0 ? req->message_count - 1 : 0;
}

/* The route's system text goes first; a record's own follows it in the same message, for some servers take only one. */
static void render_messages(const struct route *route, struct job *job)
{
	const struct request *req = &job->req;
	struct message *out = arena_array(&job->arena, (size_t)req->message_count + 1, sizeof *out);
	uint32_t n = 0, from = 0, templated = last_user(req);
	if (route->system.data != NULL) {
		out[n] = (struct message){STR("system"), route->system};
		if (req->message_count > 1 && str_is(req->messages[0].role, "system")) {
			struct buf both;
			buf_init(&both, &job->arena, route->system.len + req->messages[0].content.len + 2);
			buf_str(&both, route->system);
			buf_cstr(&both, "\n\n");
			buf_str(&both, req->messages[0].content);
			out[n].content = buf_view(&both);
			from = 1;
		}
		n++;
	}
	for (uint32_t i = from; i < req->message_count; i++) {
		out[n] = req->messages[i];
		if (i == templated && route->template.data != NULL)
			out[n].content = render_template(route->template, req->messages[i].content, req, &job->arena);
		n++;
	}
	job->call.messages = out;
	job->call.message_count = n;
}

void route_render(const struct policy *policy, struct job *job)
{
	const struct route *route = &policy->routes[job->dec.route];
	const struct request *req = &job->req;
	struct call *call = &job->call;
	call->purpose = PURPOSE_ANSWER;
	call->models = job->dec.models; /* not the route's: what route_admit has left of them */
	call->model_count = job->dec.model_count;
	render_messages(route, job);
	/* The route's limit binds; below it the record's own wish counts. */
	call->max_tokens = route->max_tokens;
	if (req->max_tokens > 0 && (route->max_tokens == 0 || req->max_tokens < route->max_tokens))
		call->max_tokens = req->max_tokens;
	call->temperature = isnan(req->temperature) ? route->temperature : req->temperature;
	call->response_format = req->response_format.data != NULL ? req->response_format : route->response_format;
	call->stop = req->stop;
	call->stop_count = req->stop_count;
	call->timeout_ms = route->timeout_ms;
	job->dec.prompt_version = route->prompt_version;
}
