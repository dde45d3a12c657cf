/*
 * openai_vectors.c: reading embeddings and log-probabilities.
 *
 * The one idea: a number that is not finite, or a vector of another length than promised, is caught here, so that nothing behind
 * it needs to ask again. Of log-probabilities the first doubtful entry ends the list: what is left of them still belongs to the
 * text's beginning.
 */
#include "worker/upstream/openai_vectors.h"

#include <math.h>

static enum rc take(float *values, uint32_t count, struct provider_answer *ret, struct err *err)
{
	for (uint32_t i = 0; i < count; i++)
		if (!isfinite(values[i]))
			return err_set(err, RC_BAD_INPUT, "value %u of the embedding is not a finite number", i);
	ret->vector = values;
	ret->vector_len = count;
	return RC_OK;
}

static enum rc check_length(size_t count, struct err *err)
{
	if (count == 0 || count > CALL_MAX_VECTOR)
		return err_set(err, RC_BAD_INPUT, "the embedding has %zu values; 1 to %d are expected", count, CALL_MAX_VECTOR);
	return RC_OK;
}

static enum rc from_list(const struct json *list, struct arena *scratch, struct provider_answer *ret, struct err *err)
{
	enum rc rc = check_length(list->count, err);
	if (rc != RC_OK)
		return rc;
	float *values = arena_array(scratch, list->count, sizeof *values);
	for (uint32_t i = 0; i < list->count; i++) {
		double d;
		if (!json_double(&list->items[i], &d) || fabs(d) > (double)3.4e38f)
			return err_set(err, RC_BAD_INPUT, "value %u of the embedding is not a finite number", i);
		values[i] = (float)d;
	}
	return take(values, list->count, ret, err);
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 section 4, padded or not. -1: not base64. */
static int64_t decode(struct str text, unsigned char *out)
{
	while (text.len != 0 && text.data[text.len - 1] == '=')
		text.len--;
	uint32_t bits = 0, held = 0;
	int64_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		int d = digit(text.data[i]);
		if (d < 0)
			return -1;
		bits = (bits << 6 | (uint32_t)d) & 0xFFFFFF;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[n++] = (unsigned char)(bits >> held);
		}
	}
	return n;
}

static enum rc from_base64(struct str text, struct arena *scratch, struct provider_answer *ret, struct err *err)
{
	if (text.len > ((size_t)CALL_MAX_VECTOR * sizeof(float) + 2) / 3 * 4)
		return check_length(text.len / 4 * 3 / sizeof(float), err);
	unsigned char *bytes = arena_alloc(scratch, text.len + 1);
	int64_t n = decode(text, bytes);
	if (n < 0 || n % 4 != 0)
		return err_set(err, RC_BAD_INPUT, "the embedding is text that is not base64 of floats");
	uint32_t count = (uint32_t)(n / 4);
	enum rc rc = check_length(count, err);
	if (rc != RC_OK)
		return rc;
	float *values = arena_array(scratch, count, sizeof *values);
	for (uint32_t i = 0; i < count; i++) {
		const unsigned char *b = bytes + 4 * (size_t)i;
		uint32_t word = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
		memcpy(&values[i], &word, sizeof word);
	}
	return take(values, count, ret, err);
}

enum rc openai_vector(const struct json *root, struct arena *scratch, struct provider_answer *ret, struct err *err)
{
	const struct json *data = json_get(root, STR("data"));
	const struct json *vector = json_path(data, STR("0.embedding"));
	if (data != NULL && data->kind == JSON_LIST && data->count != 1)
		return err_set(err, RC_BAD_INPUT, "the answer has %u embeddings for one text", data->count);
	if (vector != NULL && vector->kind == JSON_LIST)
		return from_list(vector, scratch, ret, err);
	if (vector != NULL && vector->kind == JSON_STRING)
		return from_base64(vector->text, scratch, ret, err);
	return err_set(err, RC_BAD_INPUT, "the answer has no data[0].embedding; does base_url end where /embeddings follows?");
}

void openai_logprobs(const struct json *choice, struct arena *scratch, struct provider_answer *ret)
{
	const struct json *list = json_path(choice, STR("logprobs.content"));
	if (list == NULL || list->kind != JSON_LIST || list->count == 0)
		return;
	uint32_t most = list->count < CALL_MAX_TOKENS ? list->count : CALL_MAX_TOKENS, n = 0;
	struct token_logprob *tokens = arena_array(scratch, most, sizeof *tokens);
	for (; n < most; n++) {
		double p;
		struct str token = json_str(json_get(&list->items[n], STR("token")));
		if (token.data == NULL || !json_double(json_get(&list->items[n], STR("logprob")), &p) || !isfinite(p) || p > 0.001)
			break;
		tokens[n] = (struct token_logprob){token, p < 0 ? p : 0}; /* rounding makes some servers say a little over 0 */
	}
	ret->tokens = tokens;
	ret->token_count = n;
}
