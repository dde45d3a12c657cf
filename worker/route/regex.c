/*
 * regex.c: PCRE2 behind four functions.
 *
 * The one idea: a pattern is the operator's, the text is a stranger's, so a search has bounds (steps, depth, memory) and
 * reaching one is an answer. Invalid UTF-8 in the text never matches and never harms (PCRE2_MATCH_INVALID_UTF).
 */
#include "worker/route/regex.h"

#include <stdlib.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "common/arena.h"

enum { MATCH_LIMIT = 200000, DEPTH_LIMIT = 1000, HEAP_LIMIT_KIB = 1024, JIT_STACK_FIRST = 32 * 1024, JIT_STACK_MAX = 512 * 1024 };

struct regex {
	pcre2_code *code;
};

struct regex_scan {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

enum rc regex_new(struct str pattern, struct regex **ret, size_t *ret_offset, struct err *err)
{
	if (ret_offset != NULL)
		*ret_offset = 0;
	if (pattern.len == 0)
		return err_set(err, RC_BAD_INPUT, "the pattern is empty: it would match every text");
	if (pattern.len > REGEX_MAX_BYTES)
		return err_set(err, RC_BAD_INPUT, "the pattern is longer than %d bytes", REGEX_MAX_BYTES);
	int code = 0;
	PCRE2_SIZE at = 0;
	uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
	pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern.data, pattern.len, options, &code, &at, NULL);
	if (compiled == NULL) {
		PCRE2_UCHAR text[256];
		if (pcre2_get_error_message(code, text, sizeof text) < 0)
			memcpy(text, "unknown error", sizeof "unknown error");
		if (ret_offset != NULL)
			*ret_offset = at;
		return err_set(err, RC_BAD_INPUT, "%s at character %zu of the pattern", (const char *)text,
		               str_utf8_count((struct str){pattern.data, at < pattern.len ? at : pattern.len}) + 1);
	}
	(void)pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* without a JIT the interpreter does the same, slower */
	struct regex *regex = heap_alloc(sizeof *regex);
	regex->code = compiled;
	*ret = regex;
	return RC_OK;
}

void regex_free(struct regex *regex)
{
	if (regex == NULL)
		return;
	pcre2_code_free(regex->code);
	free(regex);
}

static void *must(void *p)
{
	if (p == NULL)
		abort(); /* these constructors fail only for want of memory */
	return p;
}

struct regex_scan *regex_scan_new(void)
{
	struct regex_scan *scan = heap_alloc(sizeof *scan);
	scan->data = must(pcre2_match_data_create(1, NULL));
	scan->context = must(pcre2_match_context_create(NULL));
	scan->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MAX, NULL); /* NULL where there is no JIT */
	(void)pcre2_set_match_limit(scan->context, MATCH_LIMIT); /* these always return 0 */
	(void)pcre2_set_depth_limit(scan->context, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(scan->context, HEAP_LIMIT_KIB);
	if (scan->stack != NULL)
		pcre2_jit_stack_assign(scan->context, NULL, scan->stack);
	return scan;
}

void regex_scan_free(struct regex_scan *scan)
{
	if (scan == NULL)
		return;
	if (scan->stack != NULL)
		pcre2_jit_stack_free(scan->stack);
	pcre2_match_context_free(scan->context);
	pcre2_match_data_free(scan->data);
	free(scan);
}

enum regex_result regex_run(const struct regex *regex, struct regex_scan *scan, struct str text)
{
	PCRE2_SPTR subject = (PCRE2_SPTR)(text.data != NULL ? text.data : "");
	int n = pcre2_match(regex->code, subject, text.len, 0, 0, scan->data, scan->context);
	if (n >= 0)
		return REGEX_MATCH;
	return n == PCRE2_ERROR_NOMATCH ? REGEX_NO_MATCH : REGEX_LIMIT;
}
