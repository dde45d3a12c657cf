/*
 * Embeddings of long texts: that short ones are what they were, and that what stands behind the head counts.
 */
#include "tests/unit/route_fixture.h"

#include "worker/route/document.h"
#include "worker/route/vectors.h"

enum { DIM = 256 };

static struct arena arena;
static struct static_model *model;

static int open_model(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	return static_model_builtin(&arena, &model, NULL) == RC_OK && static_model_dim(model) == DIM ? 0 : -1;
}

static int close_model(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* The sentence again and again, until bytes are reached. */
static void repeat(struct buf *out, const char *sentence, size_t bytes)
{
	while (out->len < bytes)
		buf_cstr(out, sentence);
}

static float length_of(const float *v)
{
	return sqrtf(vectors_dot(v, v, DIM));
}

static void a_text_that_fits_has_its_usual_vector(void **state)
{
	(void)state;
	static const char *const texts[] = {"where is my card", "", " ", "\xff\xfe", "a b c d e f g", "The minutes of the meeting of 3 May."};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		float usual[DIM], got[DIM];
		bool has = static_model_embed(model, str_of(texts[i]), usual) != 0;
		assert_true(document_embed(model, str_of(texts[i]), 3, got) == has);
		assert_memory_equal(usual, got, sizeof usual);
	}
}

static void what_stands_in_the_middle_and_at_the_end_counts(void **state)
{
	(void)state;
	float head[DIM], whole[DIM], cats[DIM], law[DIM], cake[DIM], once_more[DIM];
	struct buf text;
	buf_init(&text, &arena, 65536);
	repeat(&text, "The cat slept on the sofa and the kitten played with the mouse. ", 6000);
	repeat(&text, "The tenant shall pay the rent to the landlord under this contract. ", 12000);
	repeat(&text, "Mix the flour with the butter and bake the cake in the oven. ", 18000);
	assert_true(static_model_embed(model, STR("cat kitten sofa mouse"), cats) != 0);
	assert_true(static_model_embed(model, STR("tenant landlord rent contract"), law) != 0);
	assert_true(static_model_embed(model, STR("flour butter cake oven"), cake) != 0);
	assert_true(document_embed(model, buf_view(&text), 1, head));
	assert_true(document_embed(model, buf_view(&text), 3, whole));
	assert_true(vectors_dot(head, cats, DIM) > 0.4f);
	assert_true(vectors_dot(head, law, DIM) < 0.2f && vectors_dot(head, cake, DIM) < 0.2f);
	assert_true(vectors_dot(whole, cats, DIM) > 0.25f && vectors_dot(whole, law, DIM) > 0.25f && vectors_dot(whole, cake, DIM) > 0.25f);
	assert_true(fabsf(length_of(whole) - 1) < 1e-5f);
	assert_true(document_embed(model, buf_view(&text), 3, once_more));
	assert_memory_equal(whole, once_more, sizeof whole);
}

/* Made by gcc 12 on x86-64; every other compiler and machine must come to it. */
static void the_bits_are_those_of_every_machine(void **state)
{
	(void)state;
	float v[DIM];
	struct buf text;
	uint64_t hash = UINT64_C(14695981039346656037);
	buf_init(&text, &arena, 8192);
	for (int i = 0; i < 900; i++)
		buf_printf(&text, "Paragraph %d of the agreement, as amended in %d. ", i * 7 % 301, 1900 + i * 13 % 127);
	for (uint32_t windows = 1; windows < 8; windows++) {
		assert_true(document_embed(model, buf_view(&text), windows, v));
		for (size_t i = 0; i < sizeof v; i++)
			hash = (hash ^ ((const unsigned char *)v)[i]) * UINT64_C(1099511628211);
	}
	assert_true(hash == UINT64_C(0x093faad4a5584f3e));
}

static void a_word_at_a_cut_is_not_cut(void **state)
{
	(void)state;
	float head[DIM], window[DIM];
	struct buf text;
	buf_init(&text, &arena, 8192);
	/* the same words everywhere, more pieces than a window has: windows that begin with a word are all the same */
	repeat(&text, "incomprehensibilities ", 22 * 400);
	assert_true(document_embed(model, buf_view(&text), 1, head));
	for (uint32_t windows = 2; windows < 12; windows++) {
		assert_true(document_embed(model, buf_view(&text), windows, window));
		for (int d = 0; d < DIM; d++)
			assert_true(fabsf(head[d] - window[d]) < 2e-6f);
	}
}

static void no_text_is_too_odd_and_none_without_words_has_a_vector(void **state)
{
	(void)state;
	float v[DIM];
	struct buf text;
	uint64_t seed = 3;
	for (int round = 0; round < 60; round++) {
		buf_init(&text, &arena, 8192);
		for (int i = 0; i < 3000 + round * 40; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
			buf_char(&text, round % 3 == 0 ? (char)(seed >> 56) : "ab \xc3\xa9\xe4\xb8\xad."[(seed >> 40) % 9]);
		}
		bool has = document_embed(model, buf_view(&text), 1 + (uint32_t)round % DOCUMENT_MAX_WINDOWS, v);
		assert_true(has ? fabsf(length_of(v) - 1) < 1e-5f : length_of(v) == 0);
	}
	buf_init(&text, &arena, 8192);
	repeat(&text, "\xe2\x98\x83 ", 8000); /* snowmen: pieces that the table does not know */
	(void)document_embed(model, buf_view(&text), 3, v);
	assert_true(length_of(v) == 0 || fabsf(length_of(v) - 1) < 1e-5f);
}

/* Both begin alike; what they are stands behind the head. */
static void write_letter(struct buf *out, const char *body)
{
	buf_init(out, &arena, 16384);
	repeat(out, "Dear reader, please find below what was sent to us in this matter, with our thanks for your time. ", 2000);
	repeat(out, body, 8000);
}

static void the_semantic_stage_reads_to_the_end_when_asked(void **state)
{
	(void)state;
	static const char *const windows[] = {"", ", windows: 3"};
	struct buf law, cake, asked, examples;
	write_letter(&law, "The tenant shall pay the rent to the landlord under this contract. ");
	write_letter(&cake, "Mix the flour with the butter and bake the cake in the oven. ");
	write_letter(&asked, "Whisk the eggs and the sugar, fold in the flour and bake for an hour. ");
	buf_cstr(&asked, " ");
	buf_init(&examples, &arena, 32768);
	buf_printf(&examples, "{\"label\":\"law\",\"text\":\"%.*s\"}\n{\"label\":\"cake\",\"text\":\"%.*s\"}\n", STR_ARG(buf_view(&law)), STR_ARG(buf_view(&cake)));
	char *folder = fixture_folder();
	fixture_file(folder, "e.jsonl", examples.data, examples.len);
	buf_char(&asked, '\0');
	for (int i = 0; i < 2; i++) {
		char yaml[512];
		(void)snprintf(yaml, sizeof yaml, "when_unsure: careful\ntext: {max_chars: 20000}\n"
		               "routes: [{name: law, models: [small]}, {name: cake, models: [small]}, {name: careful, models: [capable]}]\n"
		               "stages:\n- semantic: {examples: e.jsonl, accept: 0.5, margin: 0.1%s}\n", windows[i]); /* it fits */
		struct policy *policy = fixture_policy(yaml, folder);
		struct route_scratch *scratch = route_scratch_new(policy);
		struct fixture_job f;
		fixture_job_init(&f, asked.data);
		assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
		assert_str(f.job.dec.route_name, i == 0 ? "careful" : "cake"); /* the heads are equal: no margin */
		fixture_job_free(&f);
		route_scratch_free(scratch);
		policy_unref(policy);
	}
	fixture_remove_folder(folder, (const char *const[]){"e.jsonl", NULL});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_that_fits_has_its_usual_vector),
		cmocka_unit_test(what_stands_in_the_middle_and_at_the_end_counts),
		cmocka_unit_test(the_bits_are_those_of_every_machine),
		cmocka_unit_test(a_word_at_a_cut_is_not_cut),
		cmocka_unit_test(the_semantic_stage_reads_to_the_end_when_asked),
		cmocka_unit_test(no_text_is_too_odd_and_none_without_words_has_a_vector),
	};
	return cmocka_run_group_tests(tests, open_model, close_model);
}
