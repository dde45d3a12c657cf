/*
 * fuzz_answer.c: what a model's server says: the body of an answer, the body of an error, its Retry-After headers.
 *
 * Texts that leave here go into records, so they must be UTF-8 without NUL whatever the server sent.
 */
#include "tests/fuzz/fuzz.h"
#include "worker/upstream/provider.h"
#include "worker/upstream/repair.h"
#include "worker/upstream/retry.h"

static void fit_for_a_record(struct str s)
{
	FUZZ_CHECK(fuzz_utf8(s));
	FUZZ_CHECK(s.len == 0 || memchr(s.data, '\0', s.len) == NULL);
}

static void read_answer(struct str body)
{
	struct arena arena;
	struct provider_answer answer = {0};
	struct provider_error error = {0};
	arena_init(&arena, 4096);
	if (provider_openai.parse_answer(body, PURPOSE_ANSWER, &arena, &answer, NULL) == RC_OK) {
		fit_for_a_record(answer.text);
		fit_for_a_record(answer.finish_reason);
		fit_for_a_record(answer.id);
		FUZZ_CHECK(answer.input_tokens >= 0 && answer.cached_tokens >= 0 && answer.output_tokens >= 0);
	}
	provider_openai.classify_error(429, body, &arena, &error);
	fit_for_a_record(error.message);
	struct str line = repair_line(body, 200, &arena);
	fit_for_a_record(line);
	FUZZ_CHECK(line.len <= 200);
	fuzz_arena_within(&arena, 1024, body.len, 256 * 1024);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct str input = {(const char *)data, bytes}, millis, after = fuzz_split(input, &millis);
	int64_t wait = retry_after_ms(after, millis, 1700000000000);
	FUZZ_CHECK(wait >= 0 && wait <= 86400000);
	FUZZ_CHECK(retry_after_ms(after, STR_NULL, INT64_MAX / 2) >= 0);
	read_answer(input);
	return 0;
}
