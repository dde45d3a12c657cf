/*
 * test_provider_openai.c: requests byte for byte, and answers of friendly and hostile servers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/upstream/provider.h"

static const struct message messages[] = {{{"system", 6}, {"Be \"brief\".\n", 12}}, {{"user", 4}, {"Hi", 2}}};

#define HEAD "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be \\\"brief\\\".\\n\"},{\"role\":\"user\",\"content\":\"Hi\"}]"

static void a_request_holds_what_was_asked_as_the_model_wants_it(void **state)
{
	(void)state;
	static const struct str stops[] = {{"END", 3}, {"\n", 1}};
	struct pair set[] = {{.name = STR("temperature"), .value = STR("0")}, {.name = STR("reasoning_effort"), .value = STR("\"low\"")},
	                     {.name = STR("seed"), .value = STR("7")}};
	struct pair rename[] = {{.name = STR("max_tokens"), .value = STR("max_completion_tokens")}};
	struct str drop[] = {STR("stop")};
	const struct model_settings plain = {.name = STR("small"), .model = STR("m")};
	const struct model_settings own = {.name = STR("small"), .model = STR("m"), .params_set = {set, 3}, .params_rename = {rename, 1}, .params_drop = {drop, 1}};
	const struct {
		const struct model_settings *model;
		struct call call;
		const char *expect;
	} cases[] = {
	    {&plain, {.temperature = NAN}, HEAD "}"},
	    {&plain, {.temperature = 0.2, .max_tokens = 256, .stop = stops, .stop_count = 2},
	     HEAD ",\"max_tokens\":256,\"temperature\":0.2,\"stop\":[\"END\",\"\\n\"]}"},
	    {&own, {.temperature = 0.2, .max_tokens = 256, .stop = stops, .stop_count = 2},
	     HEAD ",\"max_completion_tokens\":256,\"temperature\":0,\"reasoning_effort\":\"low\",\"seed\":7}"},
	    {&plain, {.temperature = NAN, .logprobs = true}, HEAD ",\"logprobs\":true}"},
	    {&plain, {.temperature = NAN, .response_format = STR("json")}, HEAD ",\"response_format\":{\"type\":\"json_object\"}}"},
	    {&plain, {.temperature = NAN, .response_format = STR("{\"type\":\"json_object\"}")}, HEAD ",\"response_format\":{\"type\":\"json_object\"}}"},
	    {&plain, {.temperature = NAN, .response_format = STR("{\"type\":\"object\"}")},
	     HEAD ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"schema\":{\"type\":\"object\"}}}}"},
	    {&plain, {.temperature = NAN, .response_format = STR("\"},\"evil")}, HEAD ",\"response_format\":\"\\\"},\\\"evil\"}"},
	};
	struct arena arena;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct call call = cases[i].call;
		call.messages = messages;
		call.message_count = 2;
		struct str got = provider_openai.build_request(cases[i].model, &call, &arena);
		if (!str_is(got, cases[i].expect))
			fail_msg("case %zu: %.*s", i, STR_ARG(got));
	}
	arena_free(&arena);
}

static void the_url_and_headers_follow_the_settings(void **state)
{
	(void)state;
	struct pair query[] = {{.name = STR("api-version"), .value = STR("2024 10&x")}}, extra[] = {{.name = STR("X-Team"), .value = STR("a")}};
	const struct model_settings azure = {.base_url = STR("https://h.example/v1//"), .query = {query, 1}, .headers = {extra, 1},
	                                     .api_key = STR("k"), .auth_header = STR("api-key")};
	const struct model_settings bare = {.base_url = STR("http://localhost:8000/v1")};
	struct arena arena;
	arena_init(&arena, 0);
	assert_string_equal(provider_openai.url(&azure, PURPOSE_ANSWER, &arena).data, "https://h.example/v1/chat/completions?api-version=2024%2010%26x");
	assert_string_equal(provider_openai.url(&bare, PURPOSE_ANSWER, &arena).data, "http://localhost:8000/v1/chat/completions");
	const char *const *headers = provider_openai.headers(&azure, &arena);
	assert_string_equal(headers[1], "api-key: k");
	assert_string_equal(headers[2], "X-Team: a");
	assert_null(headers[3]);
	assert_null(provider_openai.headers(&bare, &arena)[1]);
	arena_free(&arena);
}

#define CONTENT(c) "{\"choices\":[{\"message\":{\"content\":" c "}}]}"

static void answers_are_read_repaired_or_refused(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		size_t len; /* 0: strlen */
		const char *text; /* NULL: refused */
	} cases[] = {
	    {CONTENT("\"Hello\""), 0, "Hello"},
	    {CONTENT("\"\""), 0, ""},
	    {CONTENT("\"a\\u00e9\\ud83d\\ude00\""), 0, "a\xC3\xA9\xF0\x9F\x98\x80"},
	    {CONTENT("\"cut \\ud83d\""), 0, "cut \xEF\xBF\xBD"},
	    {CONTENT("\"\\ude00 low\""), 0, "\xEF\xBF\xBD low"},
	    {CONTENT("\"bad \xC3 byte \xFF\xFE\""), 0, "bad \xEF\xBF\xBD byte \xEF\xBF\xBD"},
	    {CONTENT("\"over \xC0\xAF long\""), 0, "over \xEF\xBF\xBD long"},
	    {CONTENT("\"back\\\\\\\"slash \xFF\""), 0, "back\\\"slash \xEF\xBF\xBD"},
	    {CONTENT("[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\"},{\"type\":\"text\",\"text\":\"b\"}]"), 0, "ab"},
	    {"{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"I cannot.\"}}]}", 0, "I cannot."},
	    {CONTENT("null"), 0, NULL},
	    {CONTENT("7"), 0, NULL},
	    {CONTENT("{\"text\":\"x\"}"), 0, NULL},
	    {CONTENT("\"nul \\u0000\""), 0, NULL},
	    {"{\"choices\":[{\"message\":{\"content\":\"nul \0\"}}]}", 45, NULL},
	    {"", 0, NULL},
	    {"{}", 0, NULL},
	    {"[]", 0, NULL},
	    {"null", 0, NULL},
	    {"\"text\"", 0, NULL},
	    {"{\"choices\":[]}", 0, NULL},
	    {"{\"choices\":[null]}", 0, NULL},
	    {"{\"choices\":[{\"text\":\"old format\"}]}", 0, NULL},
	    {"{\"choices\":[{\"message\":\"no map\"}]}", 0, NULL},
	    {"{\"choices\":[{\"message\":{\"content\":\"a\",\"content\":\"b\"}}]}", 0, NULL},
	    {CONTENT("\"cut off"), 0, NULL},
	    {"<html>busy</html>", 0, NULL},
	};
	struct arena arena;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct provider_answer answer;
		struct err err;
		struct str body = {cases[i].body, cases[i].len != 0 ? cases[i].len : strlen(cases[i].body)};
		enum rc rc = provider_openai.parse_answer(body, PURPOSE_ANSWER, &arena, &answer, &err);
		if ((rc == RC_OK) != (cases[i].text != NULL) || (rc == RC_OK && !str_is(answer.text, cases[i].text)))
			fail_msg("case %zu: %s: %.*s", i, rc == RC_OK ? "ok" : err.text, STR_ARG(rc == RC_OK ? answer.text : STR("")));
		if (rc != RC_OK)
			assert_int_equal(rc, RC_BAD_INPUT);
	}
	arena_free(&arena);
}

static void usage_is_believed_within_reason(void **state)
{
	(void)state;
	static const struct {
		const char *usage;
		bool has;
		int64_t input, cached, output;
	} cases[] = {
	    {"{\"prompt_tokens\":12,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":8}}", true, 12, 8, 3},
	    {"{\"prompt_tokens\":12.0,\"completion_tokens\":1e3}", true, 12, 0, 1000},
	    {"{\"prompt_tokens\":-1,\"completion_tokens\":\"9\"}", true, 0, 0, 0},
	    {"{\"prompt_tokens\":99999999999999999999}", true, 0, 0, 0},
	    {"{}", true, 0, 0, 0},
	    {"null", false, 0, 0, 0},
	    {"[1,2]", false, 0, 0, 0},
	};
	struct arena arena;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct provider_answer a;
		struct err err;
		struct str body = arena_printf(&arena, "{\"id\":\"x\",\"choices\":[{\"message\":{\"content\":\"t\"},\"finish_reason\":\"length\"}],\"usage\":%s}", cases[i].usage);
		assert_int_equal(provider_openai.parse_answer(body, PURPOSE_ANSWER, &arena, &a, &err), RC_OK);
		assert_int_equal(a.has_usage, cases[i].has);
		assert_int_equal(a.input_tokens, cases[i].input);
		assert_int_equal(a.cached_tokens, cases[i].cached);
		assert_int_equal(a.output_tokens, cases[i].output);
		assert_true(str_is(a.finish_reason, "length") && str_is(a.id, "x"));
	}
	arena_free(&arena);
}

static void a_nest_of_lists_is_refused(void **state)
{
	(void)state;
	enum { DEEP = 100000 };
	struct arena arena;
	struct provider_answer answer;
	struct err err;
	char *body = malloc(DEEP);
	arena_init(&arena, 0);
	memset(body, '[', DEEP);
	assert_int_equal(provider_openai.parse_answer((struct str){body, DEEP}, PURPOSE_ANSWER, &arena, &answer, &err), RC_BAD_INPUT);
	free(body);
	arena_free(&arena);
}

static void errors_are_told_in_the_servers_words_on_one_line(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *body, *says;
		bool hopeless;
	} cases[] = {
	    {400, "{\"error\":{\"message\":\"bad\\nfield\",\"code\":\"x\"}}", "bad field", false},
	    {400, "{\"error\":\"plain\"}", "plain", false},
	    {400, "{\"object\":\"error\",\"message\":\"vllm\"}", "vllm", false},
	    {422, "{\"detail\":\"fastapi\"}", "fastapi", false},
	    {502, "<html>\x01\xFF</html>", "<html> \xEF\xBF\xBD</html>", false},
	    {500, "", "", false},
	    {429, "{\"error\":{\"message\":\"pay\",\"code\":\"insufficient_quota\"}}", "pay", true},
	    {400, "{\"error\":{\"message\":\"pay\",\"code\":\"insufficient_quota\"}}", "pay", false},
	};
	struct arena arena;
	struct provider_error e;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		provider_openai.classify_error(cases[i].status, str_of(cases[i].body), &arena, &e);
		if (!str_is(e.message, cases[i].says) || e.hopeless != cases[i].hopeless)
			fail_msg("case %zu: %.*s", i, STR_ARG(e.message));
	}
	char *body = malloc(100000);
	memset(body, '\xC3', 100000);
	provider_openai.classify_error(500, (struct str){body, 100000}, &arena, &e);
	assert_true(e.message.len <= 300 && str_utf8_valid(e.message));
	free(body);
	arena_free(&arena);
}

static void a_question_for_an_embedding_has_its_own_path_and_body(void **state)
{
	(void)state;
	struct pair set[] = {{.name = STR("encoding_format"), .value = STR("\"base64\"")}, {.name = STR("dimensions"), .value = STR("256")}};
	struct str drop[] = {STR("encoding_format")};
	const struct message text = {STR("user"), STR("a \"b\"\n")};
	const struct call call = {.purpose = PURPOSE_EMBED, .messages = &text, .message_count = 1, .temperature = 0, .max_tokens = 5, .logprobs = true};
	const struct {
		struct model_settings model;
		const char *expect;
	} cases[] = {
	    {{.name = STR("e"), .base_url = STR("http://h/v1")}, "{\"model\":\"e\",\"input\":\"a \\\"b\\\"\\n\",\"encoding_format\":\"float\"}"},
	    {{.name = STR("e"), .base_url = STR("http://h/v1/"), .params_set = {set, 2}},
	     "{\"model\":\"e\",\"input\":\"a \\\"b\\\"\\n\",\"encoding_format\":\"base64\",\"dimensions\":256}"},
	    {{.name = STR("e"), .base_url = STR("http://h/v1"), .params_drop = {drop, 1}}, "{\"model\":\"e\",\"input\":\"a \\\"b\\\"\\n\"}"},
	};
	struct arena arena;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct str got = provider_openai.build_request(&cases[i].model, &call, &arena);
		if (!str_is(got, cases[i].expect))
			fail_msg("case %zu: %.*s", i, STR_ARG(got));
		assert_string_equal(provider_openai.url(&cases[i].model, PURPOSE_EMBED, &arena).data, "http://h/v1/embeddings");
		assert_string_equal(provider_openai.url(&cases[i].model, PURPOSE_ROUTER, &arena).data, "http://h/v1/chat/completions");
	}
	arena_free(&arena);
}

static void embeddings_are_read_as_lists_and_as_base64_and_anything_else_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		uint32_t count; /* 0: refused */
		float last;
		const char *words;
	} cases[] = {
		{"{\"data\":[{\"embedding\":[1,-0.5,2.5e-1]}],\"usage\":{\"prompt_tokens\":7}}", 3, 0.25f, NULL},
		{"{\"data\":[{\"embedding\":\"AACAPwAAAL8AAIA+\"}]}", 3, 0.25f, NULL}, /* made with Python's struct and base64 */
		{"{\"data\":[{\"embedding\":\"AACAPw==\"}]}", 1, 1, NULL},
		{"{\"data\":[{\"embedding\":\"AACAPw\"}]}", 1, 1, NULL},
		{"{\"data\":[{\"embedding\":[]}]}", 0, 0, "has 0 values"},
		{"{\"data\":[{\"embedding\":\"\"}]}", 0, 0, "has 0 values"},
		{"{\"data\":[{\"embedding\":[1,\"2\"]}]}", 0, 0, "value 1 of the embedding is not"},
		{"{\"data\":[{\"embedding\":[1,null]}]}", 0, 0, "value 1 of the embedding is not"},
		{"{\"data\":[{\"embedding\":[1e39]}]}", 0, 0, "value 0 of the embedding is not"},
		{"{\"data\":[{\"embedding\":[1e999]}]}", 0, 0, "value 0 of the embedding is not"},
		{"{\"data\":[{\"embedding\":\"AADAfw==\"}]}", 0, 0, "value 0 of the embedding is not"}, /* NAN */
		{"{\"data\":[{\"embedding\":\"AACAfw==\"}]}", 0, 0, "value 0 of the embedding is not"}, /* infinity */
		{"{\"data\":[{\"embedding\":\"AACA\"}]}", 0, 0, "not base64 of floats"},
		{"{\"data\":[{\"embedding\":\"AAC-Pw==\"}]}", 0, 0, "not base64 of floats"},
		{"{\"data\":[{\"embedding\":[1]},{\"embedding\":[2]}]}", 0, 0, "2 embeddings for one text"},
		{"{\"data\":[]}", 0, 0, "0 embeddings for one text"},
		{"{\"data\":[{}]}", 0, 0, "no data[0].embedding"},
		{"{\"choices\":[{\"message\":{\"content\":\"Hi\"}}]}", 0, 0, "no data[0].embedding"},
		{"[1,2]", 0, 0, "no data[0].embedding"},
		{"<html>", 0, 0, "not JSON"},
	};
	struct arena arena;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct provider_answer a = {0};
		struct err err = {""};
		enum rc rc = provider_openai.parse_answer(str_of(cases[i].body), PURPOSE_EMBED, &arena, &a, &err);
		if ((rc == RC_OK) != (cases[i].count != 0) || (rc != RC_OK && strstr(err.text, cases[i].words) == NULL))
			fail_msg("case %zu: %s", i, err.text);
		if (rc != RC_OK)
			continue;
		assert_int_equal(a.vector_len, cases[i].count);
		assert_true(a.vector[cases[i].count - 1] == cases[i].last && a.text.data == NULL);
		assert_int_equal(a.input_tokens, i == 0 ? 7 : 0);
	}
	arena_free(&arena);
}

static void an_embedding_is_bounded_in_either_form(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	for (uint32_t count = CALL_MAX_VECTOR - 1; count <= CALL_MAX_VECTOR + 1; count++) {
		for (int base64 = 0; base64 <= 1; base64++) {
			struct buf body;
			struct provider_answer a = {0};
			buf_init(&body, &arena, 65536);
			buf_cstr(&body, base64 ? "{\"data\":[{\"embedding\":\"" : "{\"data\":[{\"embedding\":[");
			for (uint32_t i = 0; i < count && !base64; i++)
				buf_cstr(&body, i == 0 ? "1" : ",1");
			size_t bytes = (size_t)count * 4;
			for (size_t i = 0; i < bytes / 3 * 4 + (bytes % 3 != 0 ? bytes % 3 + 1 : 0) && base64; i++)
				buf_char(&body, 'A');
			buf_cstr(&body, base64 ? "\"}]}" : "]}]}");
			enum rc rc = provider_openai.parse_answer(buf_view(&body), PURPOSE_EMBED, &arena, &a, NULL);
			assert_int_equal(rc, count <= CALL_MAX_VECTOR ? RC_OK : RC_BAD_INPUT);
			if (rc == RC_OK)
				assert_int_equal(a.vector_len, count);
		}
	}
	arena_free(&arena);
}

static void token_probabilities_are_kept_for_routers_as_far_as_they_are_sound(void **state)
{
	(void)state;
	static const struct {
		const char *logprobs;
		uint32_t count;
	} cases[] = {
		{"{\"content\":[{\"token\":\"a\",\"logprob\":-0.5,\"top_logprobs\":[]},{\"token\":\"b\",\"logprob\":0}]}", 2},
		{"{\"content\":[{\"token\":\"a\",\"logprob\":-9999.0},{\"token\":\"b\",\"logprob\":0.0000001}]}", 2},
		{"{\"content\":[{\"token\":\"a\",\"logprob\":-0.5},{\"token\":\"b\",\"logprob\":1.5}]}", 1},
		{"{\"content\":[{\"token\":\"a\",\"logprob\":-0.5},{\"token\":3,\"logprob\":0},{\"token\":\"c\",\"logprob\":0}]}", 1},
		{"{\"content\":[{\"token\":\"a\",\"logprob\":\"-0.5\"}]}", 0},
		{"{\"content\":[{\"token\":\"a\",\"logprob\":-1e999}]}", 0},
		{"{\"content\":[{\"token\":\"a\"}]}", 0},
		{"{\"content\":[]}", 0},
		{"{\"content\":{}}", 0},
		{"{\"tokens\":[\"a\"],\"token_logprobs\":[-0.5]}", 0},
		{"null", 0},
	};
	struct arena arena;
	char body[512];
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		(void)snprintf(body, sizeof body, "{\"choices\":[{\"message\":{\"content\":\"ab\"},\"logprobs\":%s}]}", cases[i].logprobs); /* fits */
		struct provider_answer a = {0};
		assert_int_equal(provider_openai.parse_answer(str_of(body), PURPOSE_ROUTER, &arena, &a, NULL), RC_OK);
		if (a.token_count != cases[i].count)
			fail_msg("case %zu: %u", i, a.token_count);
		for (uint32_t k = 0; k < a.token_count; k++)
			assert_true(isfinite(a.tokens[k].logprob) && a.tokens[k].logprob <= 0 && a.tokens[k].token.len == 1);
		assert_int_equal(provider_openai.parse_answer(str_of(body), PURPOSE_ANSWER, &arena, &a, NULL), RC_OK);
		assert_int_equal(a.token_count, 0);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_holds_what_was_asked_as_the_model_wants_it),
	    cmocka_unit_test(the_url_and_headers_follow_the_settings),
	    cmocka_unit_test(answers_are_read_repaired_or_refused),
	    cmocka_unit_test(usage_is_believed_within_reason),
	    cmocka_unit_test(a_nest_of_lists_is_refused),
	    cmocka_unit_test(errors_are_told_in_the_servers_words_on_one_line),
	    cmocka_unit_test(a_question_for_an_embedding_has_its_own_path_and_body),
	    cmocka_unit_test(embeddings_are_read_as_lists_and_as_base64_and_anything_else_is_refused),
	    cmocka_unit_test(an_embedding_is_bounded_in_either_form),
	    cmocka_unit_test(token_probabilities_are_kept_for_routers_as_far_as_they_are_sound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
