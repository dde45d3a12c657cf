/*
 * registry_fetch.c: one question to the schema registry over HTTP (Confluent's API).
 *
 * The one idea: what the registry says is hostile until read: the body is bounded by the HTTP client, its JSON by the JSON
 * reader, the schema in it by the schema reader. Credentials go into a header and nowhere else.
 */
#include "worker/wire/room.h"

#include <stdio.h>

#include "common/http.h"
#include "common/json.h"

static void base64(struct buf *out, struct str s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < s.len; i += 3) {
		uint32_t three = (uint32_t)(uint8_t)s.data[i] << 16;
		if (i + 1 < s.len)
			three |= (uint32_t)(uint8_t)s.data[i + 1] << 8;
		if (i + 2 < s.len)
			three |= (uint8_t)s.data[i + 2];
		buf_char(out, digits[three >> 18]);
		buf_char(out, digits[three >> 12 & 63]);
		buf_char(out, i + 1 < s.len ? digits[three >> 6 & 63] : '=');
		buf_char(out, i + 2 < s.len ? digits[three & 63] : '=');
	}
}

/* NULL when the registry wants no credentials. */
static const char *authorization(const struct registry_settings *settings, struct arena *arena)
{
	struct buf out, pair;
	buf_init(&out, arena, 128);
	if (settings->bearer.data != NULL) {
		buf_cstr(&out, "Authorization: Bearer ");
		buf_str(&out, settings->bearer);
	} else if (settings->user.data != NULL) {
		buf_init(&pair, arena, 64);
		buf_str(&pair, settings->user);
		buf_char(&pair, ':');
		buf_str(&pair, settings->password);
		buf_cstr(&out, "Authorization: Basic ");
		base64(&out, buf_view(&pair));
	} else {
		return NULL;
	}
	buf_char(&out, '\0');
	return out.data;
}

static void percent_encode(struct buf *out, struct str s)
{
	static const char hex[] = "0123456789ABCDEF", plain[] = "-._~";
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != 0 && strchr(plain, c) != NULL)) {
			buf_char(out, (char)c);
		} else {
			buf_char(out, '%');
			buf_char(out, hex[c >> 4]);
			buf_char(out, hex[c & 15]);
		}
	}
}

static const char *request_url(const struct registry_settings *settings, const struct wire_want *want, struct arena *arena)
{
	struct buf url;
	struct str base = settings->url;
	while (base.len != 0 && base.data[base.len - 1] == '/')
		base.len--;
	buf_init(&url, arena, base.len + want->subject.len + 64);
	buf_str(&url, base);
	if (want->schema.data == NULL) {
		buf_cstr(&url, "/schemas/ids/");
		buf_i64(&url, want->schema_id);
	} else {
		buf_cstr(&url, "/subjects/");
		percent_encode(&url, want->subject);
		buf_cstr(&url, "/versions");
	}
	buf_char(&url, '\0');
	return url.data;
}

static struct str request_body(const struct wire_want *want, struct arena *arena)
{
	if (want->schema.data == NULL)
		return STR_NULL;
	struct buf body;
	buf_init(&body, arena, want->schema.len + want->schema.len / 4 + 64);
	buf_cstr(&body, "{\"schema\":");
	json_write_str(&body, want->schema);
	buf_char(&body, '}');
	return buf_view(&body);
}

/* An answer that is neither the thing asked for nor a clear no. */
static enum rc odd(struct wire *wire, const struct wire_want *want, const struct http_answer *answer, int64_t now_us, struct err *err)
{
	long s = answer->status;
	const char *advice = s == 401 || s == 403 ? " (check registry.user and password, or the bearer token)" : "";
	bool refused = want->schema.data != NULL && (s == 409 || s == 422);
	const char *meaning = !refused   ? ""
	                      : s == 409 ? ": an incompatible schema is registered under the subject, or another worker registers it right now"
	                                 : ": it does not take this worker's schema";
	char words[256];
	(void)snprintf(words, sizeof words, "the schema registry answered %ld%s%s", s, advice, meaning); /* cut is fine */
	registry_refuse(wire->registry, want, !refused ? REGISTRY_AWAY : s == 409 ? REGISTRY_CONFLICT : REGISTRY_NOT_FOUND, now_us, words);
	return err_set(err, refused ? RC_BAD_INPUT : RC_UNAVAILABLE, "%s", words);
}

static enum rc take_answer(struct wire *wire, const struct wire_want *want, const struct http_answer *answer, struct arena *arena,
                           int64_t now_us, struct err *err)
{
	const struct json *json;
	if (answer->status == 404 && want->schema.data == NULL) {
		registry_refuse(wire->registry, want, REGISTRY_NOT_FOUND, now_us, "");
		return err_set(err, RC_BAD_INPUT, "the schema registry knows no schema %u", want->schema_id);
	}
	if (answer->status != 200 || json_parse(arena, answer->body, (struct json_limits){.max_depth = 16}, &json, NULL) != RC_OK)
		return odd(wire, want, answer, now_us, err);
	if (want->schema.data != NULL) {
		int64_t id;
		if (!json_i64(json_get(json, STR("id")), &id) || id < 0 || id > UINT32_MAX)
			return odd(wire, want, answer, now_us, err);
		registry_learn_output(wire->registry, want->subject, (uint32_t)id);
		return RC_OK;
	}
	struct str type = json_str(json_get(json, STR("schemaType"))), schema = json_str(json_get(json, STR("schema")));
	if (schema.data == NULL)
		return odd(wire, want, answer, now_us, err);
	if (type.data != NULL && !str_is(type, "AVRO")) {
		registry_refuse(wire->registry, want, REGISTRY_UNREADABLE, now_us, "");
		return err_set(err, RC_BAD_INPUT, "schema %u is of type %.*s; only AVRO is read", want->schema_id, (int)(type.len < 32 ? type.len : 32), type.data);
	}
	return registry_learn(wire->registry, want->schema_id, schema, now_us, err);
}

enum rc wire_fetch(struct wire *wire, struct http *http, const struct wire_want *want, int64_t now_us, struct err *err)
{
	const struct registry_settings *settings = &wire->settings->registry;
	struct arena arena;
	struct http_answer answer;
	if (settings->url.data == NULL)
		return err_set(err, RC_BAD_INPUT, "registry.url is not set");
	arena_init(&arena, 65536);
	const char *headers[4] = {"Accept: application/vnd.schemaregistry.v1+json, application/json", authorization(settings, &arena)};
	unsigned count = headers[1] != NULL ? 2 : 1;
	if (want->schema.data != NULL)
		headers[count] = "Content-Type: application/vnd.schemaregistry.v1+json";
	enum rc rc = http_send(http, request_url(settings, want, &arena), headers, request_body(want, &arena), &arena, &answer, err);
	if (rc == RC_OK)
		rc = take_answer(wire, want, &answer, &arena, now_us, err);
	else
		registry_refuse(wire->registry, want, REGISTRY_AWAY, now_us, "the schema registry does not answer");
	arena_free(&arena);
	return rc == RC_OK || rc == RC_BAD_INPUT ? rc : RC_UNAVAILABLE;
}
