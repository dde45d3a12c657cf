/*
 * fuzz_text.c: the functions that a router runs over a text: strip, fold, language, UTF-8, and repair of broken encodings.
 */
#include "tests/fuzz/fuzz.h"
#include "worker/route/fold.h"
#include "worker/route/language.h"
#include "worker/route/text.h"
#include "worker/upstream/repair.h"

static void of_valid_text(struct str s, struct arena *arena)
{
	struct message message = {STR("user"), s};
	struct request req = {.messages = &message, .message_count = 1};
	for (uint32_t strip = 0; strip < 8; strip++) {
		struct text *text = text_read(&(struct text_rules){.use = TEXT_ALL, .max_chars = 40, .strip = strip}, &req, arena);
		FUZZ_CHECK(str_utf8_valid(text->shown));
		FUZZ_CHECK(text_language(text) != NULL);
	}
	char *folded = arena_alloc(arena, FOLD_GROWTH * s.len + 1);
	size_t len = fold_text(s, folded);
	FUZZ_CHECK(len <= FOLD_GROWTH * s.len && str_utf8_valid((struct str){folded, len}));
	FUZZ_CHECK(str_eq(repair_json(s, arena), s) || (s.len != 0 && memchr(s.data, '\\', s.len) != NULL));
	FUZZ_CHECK(str_utf8_count(s) <= s.len);
	for (size_t max = 0; max < 8; max++) {
		size_t cut = str_utf8_cut(s, max);
		FUZZ_CHECK(cut <= max && cut <= s.len && str_utf8_valid((struct str){s.data, cut}));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct str s = {(const char *)data, bytes};
	struct arena arena;
	arena_init(&arena, 4096);
	FUZZ_CHECK(str_utf8_valid(repair_json(s, &arena)));
	char *folded = arena_alloc(&arena, FOLD_GROWTH * bytes + 1);
	FUZZ_CHECK(fold_text(s, folded) <= FOLD_GROWTH * bytes);
	for (size_t at = 0, step; at < bytes; at += step) {
		(void)fold_decode(s, at, &step); /* only how far it steps is asked */
		FUZZ_CHECK(step >= 1 && step <= bytes - at);
	}
	FUZZ_CHECK(language_guess(s) != NULL);
	(void)text_has_code(s); /* either is right */
	if (bytes != 0 && str_utf8_valid(s))
		of_valid_text(s, &arena);
	arena_free(&arena);
	return 0;
}
