/*
 * llm_answer.c: from a model's words to one route, or to the reason why not.
 *
 * The one idea: every object in the answer counts. A model that thinks aloud, repeats the question or was talked into something names
 * more than one route sooner or later, and then none is taken. A piece in braces that cannot be read but speaks of a route counts
 * as a doubt, too.
 *
 * The confidence is the probability that the model gave to the tokens of the name and of the quote that ends it (without the quote,
 * "kb" would get what belongs to "kb_answer"). It holds only where the tokens are the answer's own letters.
 *
 * A text that says route:NAME itself may have made the model say it; the model cannot tell, so such a choice is not taken.
 * It does not know what a route is, nor whether the confidence is enough.
 */
#include "worker/route/llm_answer.h"

#include <math.h>

#include "common/json.h"
#include "worker/route/elementary.h"

enum { MAX_PIECES = 64, MAX_DEPTH = 16, MAX_NODES = 4096 };

static const struct {
	const char *name, *words;
} faults[LLM_FAULT_COUNT] = {
	[LLM_FINE] = {"fine", "it is a choice"},
#define X(NAME, name, words) [LLM_##NAME] = {name, words},
	LLM_FAULTS(X)
#undef X
};

const char *llm_fault_name(enum llm_fault fault)
{
	return faults[(unsigned)fault < LLM_FAULT_COUNT ? fault : LLM_FINE].name;
}

const char *llm_fault_words(enum llm_fault fault)
{
	return faults[(unsigned)fault < LLM_FAULT_COUNT ? fault : LLM_FINE].words;
}

struct reading {
	struct str answer;
	const struct str *names;
	uint32_t name_count;
	struct arena *arena;
	bool any_object, chosen;
	uint32_t name;
	double stated;
	size_t from, to; /* where the name stands in the answer, its closing quote included; to 0: not known */
};

/* Of the object that begins s, by braces and quotes alone; 0: it has no end, or is too deep. */
static size_t piece_length(struct str s)
{
	unsigned depth = 0;
	bool quoted = false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (quoted) {
			i += c == '\\';
			quoted = c != '"';
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > MAX_DEPTH)
				return 0;
		} else if ((c == '}' || c == ']') && --depth == 0) {
			return i + 1;
		}
	}
	return 0;
}

static bool speaks_of_a_route(struct str s)
{
	for (size_t i = 0; i + 5 <= s.len; i++)
		if (str_eq_nocase((struct str){s.data + i, 5}, STR("route")))
			return true;
	return false;
}

static enum llm_fault take_confidence(struct reading *r, const struct json *confidence)
{
	double d;
	if (confidence == NULL)
		return LLM_FINE;
	if (confidence->kind != JSON_NUMBER || !json_double(confidence, &d) || !(d >= 0 && d <= 1))
		return LLM_BAD_CONFIDENCE;
	r->stated = isnan(r->stated) || d < r->stated ? d : r->stated;
	return LLM_FINE;
}

static enum llm_fault take_object(struct reading *r, const struct json *object)
{
	const struct json *route = json_get(object, STR("route"));
	r->any_object = true;
	if (route == NULL)
		return LLM_FINE; /* something else that the model had to say */
	if (route->kind != JSON_STRING)
		return LLM_WRONG_TYPE;
	uint32_t name = 0;
	while (name < r->name_count && !str_eq(r->names[name], route->text))
		name++;
	if (name == r->name_count)
		return LLM_UNKNOWN_ROUTE;
	if (r->chosen && r->name != name)
		return LLM_CONTRADICTION;
	bool inside = route->text.data >= r->answer.data && route->text.data < r->answer.data + r->answer.len; /* else it was escaped */
	if (!r->chosen && inside) {
		r->from = (size_t)(route->text.data - r->answer.data);
		r->to = r->from + route->text.len + 1;
	}
	r->chosen = true;
	r->name = name;
	return take_confidence(r, json_get(object, STR("confidence")));
}

/* All objects of the answer, one after the other. */
static enum llm_fault take_all(struct reading *r)
{
	struct json_limits limits = {.max_depth = MAX_DEPTH, .max_nodes = MAX_NODES};
	struct str rest = r->answer;
	for (unsigned pieces = 0;; pieces++) {
		const char *open = rest.len != 0 ? memchr(rest.data, '{', rest.len) : NULL;
		if (open == NULL)
			break;
		if (pieces == MAX_PIECES)
			return LLM_TOO_MANY;
		rest = (struct str){open, rest.len - (size_t)(open - rest.data)};
		size_t len = piece_length(rest);
		struct str piece = {open, len != 0 ? len : rest.len};
		const struct json *object = NULL;
		if (len == 0 || json_parse(r->arena, piece, limits, &object, NULL) != RC_OK) {
			if (speaks_of_a_route(piece))
				return LLM_BROKEN;
			len = 1;
		} else {
			enum llm_fault fault = take_object(r, object);
			if (fault != LLM_FINE)
				return fault;
		}
		rest = (struct str){rest.data + len, rest.len - len};
	}
	return r->chosen ? LLM_FINE : r->any_object ? LLM_NO_ROUTE : LLM_NO_OBJECT;
}

/* What the model gave to the name's tokens; NAN where they cannot be laid over the answer. */
static double probability(const struct reading *r, const struct token_logprob *tokens, uint32_t count)
{
	size_t at = 0;
	double sum = 0;
	for (uint32_t i = 0; i < count && at < r->to; i++) {
		struct str token = tokens[i].token;
		if (!str_starts((struct str){r->answer.data + at, r->answer.len - at}, token))
			return NAN;
		size_t end = at + token.len;
		if (end > r->from && token.len != 0)
			sum += tokens[i].logprob;
		at = end;
	}
	return r->to != 0 && at >= r->to ? elementary_exp(sum) : NAN;
}

/* A dot may end the name or the sentence: it ends the name here. */
static bool name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* route, a colon or an equals sign among quotes and blanks, the name: in whatever spelling of JSON, YAML or plain words. */
static bool says_so_itself(struct str text, struct str name)
{
	for (size_t i = 0; i + 5 + name.len < text.len; i++) {
		if (!str_eq_nocase((struct str){text.data + i, 5}, STR("route")))
			continue;
		size_t at = i + 5;
		bool joined = false;
		for (; at < text.len && strchr(" \t\r\n\"'`\\:=", text.data[at]) != NULL && text.data[at] != '\0'; at++)
			joined |= text.data[at] == ':' || text.data[at] == '=';
		struct str behind = {text.data + at, text.len - at};
		if (joined && str_starts(behind, name) && (behind.len == name.len || !name_character(behind.data[name.len])))
			return true;
	}
	return false;
}

enum llm_fault llm_answer_read(struct str answer, const struct token_logprob *tokens, uint32_t token_count, const struct str *names,
                               uint32_t name_count, struct str text, struct arena *arena, struct llm_choice *ret)
{
	struct reading r = {.answer = answer, .names = names, .name_count = name_count, .arena = arena, .stated = NAN};
	if (str_trim(answer).len == 0)
		return LLM_EMPTY;
	if (answer.len > LLM_ANSWER_MAX_BYTES)
		return LLM_TOO_LONG;
	enum llm_fault fault = take_all(&r);
	if (fault != LLM_FINE)
		return fault;
	if (says_so_itself(text, names[r.name]))
		return LLM_ECHO;
	double by_tokens = probability(&r, tokens, token_count);
	if (isnan(by_tokens) && isnan(r.stated))
		return LLM_NO_CONFIDENCE;
	*ret = (struct llm_choice){.name = r.name, .confidence = isnan(by_tokens) ? r.stated : by_tokens, .by_tokens = !isnan(by_tokens)};
	return LLM_FINE;
}
