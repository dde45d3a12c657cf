/*
 * answer.c: writes answers.
 *
 * The one idea: the same request to the same model always gets the same text, so a test can compare two runs. An answer is
 * put together from fixed sentences, chosen by the hash of the request. It does not try to be right.
 */
#include "tests/modelsim/answer.h"

#include <math.h>
#include <time.h>

#include "common/clock.h"
#include "tests/modelsim/ledger.h"
#include "tests/modelsim/router.h"

#define DEFAULT_DIMENSIONS 384

static const char *const openings[] = {
    "Thanks for getting in touch.",
    "Good question.",
    "Here is what I would do.",
    "I have looked at what you describe.",
    "In short, yes.",
    "This can be solved in a few minutes.",
    "Sorry for the trouble.",
    "Let me go through this with you.",
};
static const char *const middles[] = {
    "Please update to the current version first, because the fault you see was mended in it.",
    "The amount was reserved twice and charged once, so the second line disappears on its own.",
    "The three main points are the later date, the higher cost and the missing approval.",
    "You find the setting under Account, then Privacy, and it takes effect at once.",
    "Hold the button for ten seconds until the light turns white, then start the pairing again.",
    "Both plans include support, but only the larger one lets you add people later.",
    "Your parcel left the depot this morning and is expected within two working days.",
    "The text argues for a slow start, a fixed budget and a review after the first quarter.",
    "The error means that the certificate has run out, so renewing it is enough.",
    "I would begin with the smaller change, measure it for a week, and only then go on.",
    "A refund needs the order number and is on your account after five working days.",
    "Nothing is lost: the older copy is still there and can be restored from the history.",
};
static const char *const closings[] = {
    "Tell me if that does not help.",
    "I am happy to explain any of the steps.",
    "If it happens again, send me the exact message.",
    "Please check it once on your side.",
    "That should settle it.",
    "You do not need to do anything else.",
};
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* All texts here are ASCII without quotes or backslashes, so they need no escaping. */
static void compose(struct buf *out, const struct question *question, const struct plan *plan)
{
	uint64_t hash = question->hash;
	size_t start = out->len;
	buf_cstr(out, openings[hash % COUNT(openings)]);
	unsigned sentences = 1 + (unsigned)((hash >> 8) % 3);
	for (unsigned i = 0; i < sentences; i++) {
		buf_char(out, ' ');
		buf_cstr(out, middles[((hash >> 16) + i * 5) % COUNT(middles)]);
	}
	buf_char(out, ' ');
	buf_cstr(out, closings[(hash >> 40) % COUNT(closings)]);
	if (plan->bytes == 0)
		return;
	size_t want = (size_t)plan->bytes;
	while (out->len - start < want) {
		buf_char(out, ' ');
		buf_cstr(out, middles[out->len % COUNT(middles)]);
	}
	out->len = start + want;
}

static void write_model(struct buf *out, struct str model)
{
	buf_char(out, '"');
	for (size_t i = 0; i < model.len; i++) {
		unsigned char c = (unsigned char)model.data[i];
		if (c == '"' || c == '\\' || c < 0x20)
			buf_printf(out, "\\u%04x", c);
		else
			buf_char(out, (char)c);
	}
	buf_char(out, '"');
}

void answer_write_chat(struct buf *out, const struct question *question, const struct plan *plan, uint64_t number,
                       int64_t *ret_tokens)
{
	buf_printf(out, "{\"id\":\"chatcmpl-%016llx\",\"object\":\"chat.completion\",\"created\":%lld,\"model\":",
	           (unsigned long long)number, (long long)(clock_wall_ms() / 1000));
	write_model(out, question->model);
	buf_cstr(out, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
	size_t start = out->len;
	if (question->route_count != 0)
		router_write(out, question, plan->router);
	else
		compose(out, question, plan);
	int64_t tokens = (int64_t)((out->len - start + 3) / 4);
	bool cut = question->route_count == 0 && question->max_tokens != 0 && question->max_tokens < tokens;
	if (cut) {
		tokens = question->max_tokens;
		out->len = start + (size_t)tokens * 4;
	}
	struct str text = {out->data + start, out->len - start};
	text = arena_str(out->arena, text);
	buf_printf(out, "\"},\"finish_reason\":\"%s\"", cut ? "length" : "stop");
	if (question->logprobs && plan->logprobs)
		router_write_logprobs(out, question, plan->router, text);
	buf_cstr(out, "}]");
	if (!plan->no_usage)
		buf_printf(out, ",\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld}",
		           (long long)question->tokens, (long long)tokens, (long long)(question->tokens + tokens));
	buf_char(out, '}');
	*ret_tokens = tokens;
}

static bool word_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* Adds the word's own vector of +1 and -1, made from its lower-cased bytes. */
static void add_word(float *vector, size_t dimensions, struct str word)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < word.len; i++) {
		char c = word.data[i];
		h = (h ^ (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c)) * UINT64_C(1099511628211);
	}
	for (size_t i = 0; i < dimensions; i++) {
		if (i % 32 == 0)
			h = ledger_hash((struct str){(const char *)&h, sizeof h});
		vector[i] += ((h >> (i % 32)) & 1) != 0 ? 1.0F : -1.0F;
	}
}

/* A bag of words: texts that share words are near each other, which is all that a routing test needs. */
static void embed(float *vector, size_t dimensions, struct str text)
{
	size_t i = 0;
	while (i < text.len) {
		size_t start = i;
		while (i < text.len && word_character(text.data[i]))
			i++;
		if (i > start)
			add_word(vector, dimensions, (struct str){text.data + start, i - start});
		else
			i++;
	}
	double sum = 0;
	for (size_t k = 0; k < dimensions; k++)
		sum += (double)vector[k] * (double)vector[k];
	if (sum == 0) /* no words, or words that cancel out */
		vector[0] = 1.0F, sum = 1;
	for (size_t k = 0; k < dimensions; k++)
		vector[k] = (float)((double)vector[k] / sqrt(sum));
}

void answer_write_embeddings(struct buf *out, const struct question *question, const struct plan *plan)
{
	size_t dimensions = question->dimensions != 0 ? (size_t)question->dimensions : DEFAULT_DIMENSIONS;
	buf_cstr(out, "{\"object\":\"list\",\"data\":[");
	for (uint32_t i = 0; i < question->text_count; i++) {
		float *vector = arena_array(out->arena, dimensions, sizeof *vector);
		embed(vector, dimensions, question->texts[i]);
		buf_printf(out, "%s{\"object\":\"embedding\",\"index\":%u,\"embedding\":[", i == 0 ? "" : ",", i);
		for (size_t k = 0; k < dimensions; k++)
			buf_printf(out, "%s%.7g", k == 0 ? "" : ",", (double)vector[k]);
		buf_cstr(out, "]}");
	}
	buf_cstr(out, "],\"model\":");
	write_model(out, question->model);
	if (!plan->no_usage)
		buf_printf(out, ",\"usage\":{\"prompt_tokens\":%lld,\"total_tokens\":%lld}", (long long)question->tokens,
		           (long long)question->tokens);
	buf_char(out, '}');
}

void answer_write_error(struct buf *out, unsigned status, const char *message)
{
	const char *type = status == 429 ? "rate_limit_error" : status < 500 ? "invalid_request_error" : "server_error";
	buf_printf(out, "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"code\":%u}}", message, type, status);
}
