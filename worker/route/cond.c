/*
 * cond.c: whether a condition holds for a record, and in which words to say so.
 *
 * The one idea: the keywords of all conditions are searched in one pass, before any condition is looked at; the rest is
 * evaluated only until it is settled. What held is kept on a small stack, from which reasons are written.
 */
#include "worker/route/cond.h"

#include <stdlib.h>

struct cond_scratch {
	struct keywords_scan *keywords;
	struct regex_scan *regex;
};

void lexicon_init(struct lexicon *lexicon)
{
	*lexicon = (struct lexicon){.keywords = keywords_new()};
}

void lexicon_free(struct lexicon *lexicon)
{
	for (uint32_t i = 0; i < lexicon->regex_count; i++)
		regex_free(lexicon->regexes[i]);
	free(lexicon->regexes);
	keywords_free(lexicon->keywords);
	*lexicon = (struct lexicon){0};
}

struct cond_scratch *cond_scratch_new(const struct lexicon *lexicon)
{
	struct cond_scratch *scratch = heap_zalloc(1, sizeof *scratch);
	scratch->keywords = keywords_scan_new(lexicon->keywords);
	scratch->regex = regex_scan_new();
	return scratch;
}

void cond_scratch_free(struct cond_scratch *scratch)
{
	if (scratch == NULL)
		return;
	keywords_scan_free(scratch->keywords);
	regex_scan_free(scratch->regex);
	free(scratch);
}

void cond_begin(struct cond_eval *e, const struct lexicon *lexicon, struct cond_scratch *scratch, struct text *text,
                const struct request *req)
{
	*e = (struct cond_eval){.lexicon = lexicon, .scratch = scratch, .text = text, .req = req, .code = -1};
	keywords_run(lexicon->keywords, scratch->keywords, text->shown);
}

static bool one_of(const struct cond *cond, struct str value)
{
	for (uint32_t i = 0; value.data != NULL && i < cond->count; i++)
		if (str_eq(cond->values[i], value))
			return true;
	return false;
}

static bool attribute_holds(const struct cond *cond, const struct request *req)
{
	for (uint32_t i = 0; i < req->attribute_count; i++)
		if (str_eq(req->attributes[i].name, cond->name))
			return one_of(cond, req->attributes[i].value);
	return false;
}

static bool pattern_holds(struct cond_eval *e, const struct cond *cond)
{
	enum regex_result result = regex_run(cond->regex, e->scratch->regex, e->text->shown);
	if (result == REGEX_LIMIT && e->given_up == NULL)
		e->given_up = cond;
	return result == REGEX_MATCH;
}

static bool has_code(struct cond_eval *e)
{
	if (e->code < 0)
		e->code = text_has_code(e->text->shown);
	return e->code != 0;
}

static bool leaf_holds(struct cond_eval *e, const struct cond *cond)
{
	const struct text *text = e->text;
	const struct request *req = e->req;
	switch (cond->kind) {
	case COND_KEYWORDS: return keywords_found(e->lexicon->keywords, e->scratch->keywords, cond->number).data != NULL;
	case COND_REGEX: return pattern_holds(e, cond);
	case COND_MIN_CHARS: return text->chars >= cond->number;
	case COND_MAX_CHARS: return text->chars <= cond->number;
	case COND_MIN_WORDS: return text->words >= cond->number;
	case COND_MAX_WORDS: return text->words <= cond->number;
	case COND_MIN_TOKENS: return text->tokens_est >= cond->number;
	case COND_MAX_TOKENS: return text->tokens_est <= cond->number;
	case COND_LANGUAGE: return one_of(cond, str_of(text_language(e->text)));
	case COND_HAS_CODE: return has_code(e) == (cond->number != 0);
	case COND_ATTRIBUTE: return attribute_holds(cond, req);
	case COND_TENANT: return one_of(cond, req->tenant);
	case COND_HINT: return one_of(cond, req->route_hint);
	case COND_PII: return pii_record_has(e->pii, cond->number) != 0;
	case COND_ALL: case COND_ANY: case COND_NONE: break;
	}
	return false;
}

/* What held is on the stack of findings after a true, and off it after a false. Depth is bounded by the compiler. */
static bool tree_holds(struct cond_eval *e, const struct cond *cond)
{
	uint32_t mark = e->found;
	bool result = cond->kind != COND_ANY;
	if (cond->kind > COND_NONE) {
		result = leaf_holds(e, cond);
		if (result && e->found < COND_MAX_FINDINGS)
			e->findings[e->found++] = cond;
		return result;
	}
	for (uint32_t i = 0; i < cond->count; i++) {
		bool part = tree_holds(e, &cond->parts[i]);
		if (cond->kind == COND_ANY && part)
			return true;
		if (cond->kind != COND_ANY && part == (cond->kind == COND_NONE)) {
			result = false;
			break;
		}
	}
	if (!result)
		e->found = mark;
	return result;
}

bool cond_holds(struct cond_eval *e, const struct cond *cond)
{
	e->found = 0;
	return tree_holds(e, cond);
}

static void describe_count(struct buf *out, const char *about, uint32_t n, const char *unit, const char *bound, uint32_t limit)
{
	buf_cstr(out, about); /* piece by piece: a reason is written for each record */
	buf_i64(out, n);
	buf_char(out, ' ');
	buf_cstr(out, unit);
	buf_cstr(out, n == 1 ? ", " : "s, ");
	buf_i64(out, limit);
	buf_cstr(out, " or ");
	buf_cstr(out, bound);
}

void cond_describe(struct buf *out, const struct cond_eval *e, const struct cond *cond)
{
	const struct text *text = e->text;
	const struct request *req = e->req;
	switch (cond->kind) {
	case COND_KEYWORDS:
		buf_cstr(out, "keyword \"");
		buf_str(out, keywords_found(e->lexicon->keywords, e->scratch->keywords, cond->number));
		buf_char(out, '"');
		break;
	case COND_REGEX: buf_printf(out, "pattern %.*s", STR_ARG(cond->name)); break;
	case COND_MIN_CHARS: describe_count(out, "", text->chars, "character", "more", cond->number); break;
	case COND_MAX_CHARS: describe_count(out, "", text->chars, "character", "fewer", cond->number); break;
	case COND_MIN_WORDS: describe_count(out, "", text->words, "word", "more", cond->number); break;
	case COND_MAX_WORDS: describe_count(out, "", text->words, "word", "fewer", cond->number); break;
	case COND_MIN_TOKENS: describe_count(out, "about ", text->tokens_est, "token", "more", cond->number); break;
	case COND_MAX_TOKENS: describe_count(out, "about ", text->tokens_est, "token", "fewer", cond->number); break;
	case COND_LANGUAGE: buf_printf(out, "language %s", text->language); break;
	case COND_HAS_CODE: buf_cstr(out, cond->number != 0 ? "code in the text" : "no code in the text"); break;
	case COND_ATTRIBUTE:
		for (uint32_t i = 0; i < req->attribute_count; i++)
			if (str_eq(req->attributes[i].name, cond->name)) {
				buf_printf(out, "%.*s is %.*s", STR_ARG(cond->name), STR_ARG(req->attributes[i].value));
				break;
			}
		break;
	case COND_TENANT: buf_printf(out, "tenant %.*s", STR_ARG(req->tenant)); break;
	case COND_HINT: buf_printf(out, "hint %.*s", STR_ARG(req->route_hint)); break;
	case COND_PII: pii_record_describe(e->pii, cond->number, out); break;
	case COND_ALL: case COND_ANY: case COND_NONE: break;
	}
}
