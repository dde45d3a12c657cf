/*
 * fuzz_router.c: what a model answers that was asked for a route or an embedding: the server's body, then the words in it.
 *
 * Input: the text that was to be decided, NUL, the body. Whatever comes, a route is taken only from a whole object that names it.
 */
#include <math.h>

#include "tests/fuzz/fuzz.h"
#include "worker/route/llm_answer.h"
#include "worker/upstream/provider.h"

static const struct str names[] = {{"kb", 2}, {"kb_answer", 9}, {"human", 5}};
enum { NAMES = 3 };

static void read_words(struct str words, const struct token_logprob *tokens, uint32_t count, struct str text)
{
	struct arena arena;
	struct llm_choice choice;
	arena_init(&arena, 4096);
	enum llm_fault fault = llm_answer_read(words, tokens, count, names, NAMES, text, &arena, &choice);
	FUZZ_CHECK((unsigned)fault < LLM_FAULT_COUNT && llm_fault_name(fault)[0] != '\0' && llm_fault_words(fault)[0] != '\0');
	if (fault == LLM_FINE) {
		FUZZ_CHECK(choice.name < NAMES);
		FUZZ_CHECK(choice.confidence >= 0 && choice.confidence <= 1);
		FUZZ_CHECK(count != 0 || !choice.by_tokens);
		FUZZ_CHECK(memmem(words.data, words.len, "{", 1) != NULL);
		/* the name stands there, or is spelled with escapes */
		FUZZ_CHECK(memmem(words.data, words.len, names[choice.name].data, names[choice.name].len) != NULL ||
		           memmem(words.data, words.len, "\\u", 2) != NULL);
	}
	fuzz_arena_within(&arena, 4096, words.len, 256 * 1024);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct str body, text = fuzz_split((struct str){(const char *)data, bytes}, &body);
	struct arena arena;
	struct provider_answer answer = {0};
	arena_init(&arena, 4096);
	if (provider_openai.parse_answer(body, PURPOSE_ROUTER, &arena, &answer, NULL) == RC_OK) {
		FUZZ_CHECK(fuzz_utf8(answer.text) && answer.token_count <= CALL_MAX_TOKENS);
		for (uint32_t i = 0; i < answer.token_count; i++)
			FUZZ_CHECK(fuzz_utf8(answer.tokens[i].token) && isfinite(answer.tokens[i].logprob) && answer.tokens[i].logprob <= 0);
		read_words(answer.text, answer.tokens, answer.token_count, text);
	}
	answer = (struct provider_answer){0};
	if (provider_openai.parse_answer(body, PURPOSE_EMBED, &arena, &answer, NULL) == RC_OK) {
		FUZZ_CHECK(answer.vector_len >= 1 && answer.vector_len <= CALL_MAX_VECTOR);
		for (uint32_t i = 0; i < answer.vector_len; i++)
			FUZZ_CHECK(isfinite(answer.vector[i]));
	}
	if (str_utf8_valid(body))
		read_words(body, NULL, 0, text);
	arena_free(&arena);
	return 0;
}
