/*
 * groups.c: opening the file of a backlog's groups, and finding the nearest one.
 *
 * The one idea: a group has its own limit, because a group of form letters is narrow and one of reports is wide: what is far from the
 * one may be near the other. So a text belongs to the nearest of the groups that take it.
 */
#include "worker/route/groups.h"

#include <math.h>

#include "common/hmac.h"
#include "common/json.h"
#include "worker/route/kernels.h"
#include "worker/route/safetensors.h"

enum { VERSION_BYTES = 8, MAX_NAME = 64 };

struct groups {
	const int8_t *centres; /* count * dim */
	float *inverse;
	const unsigned char *limits; /* float32, count * GROUPS_SHARES */
	struct str *names;
	uint32_t count, dim, windows;
	enum groups_embedder embedder;
	char version[VERSION_BYTES * 2 + 1];
};

const char groups_share_names[] = "0.01|0.05|0.10|0.25|0.50";

static enum rc bad(struct err *err, const char *what)
{
	return err_set(err, RC_BAD_INPUT, "not groups of this program: %s", what);
}

static enum rc read_names(struct groups *g, const struct json *names, struct arena *arena, struct err *err)
{
	if (names == NULL || names->kind != JSON_LIST || names->count == 0 || names->count > GROUPS_MOST)
		return bad(err, "names");
	g->count = names->count;
	g->names = arena_array(arena, g->count, sizeof *g->names);
	for (uint32_t i = 0; i < g->count; i++) {
		g->names[i] = json_str(&names->items[i]);
		if (g->names[i].len == 0 || g->names[i].len > MAX_NAME)
			return bad(err, "names");
	}
	return RC_OK;
}

static enum rc read_settings(struct groups *g, struct str text, struct str static_version, struct arena *arena, struct err *err)
{
	const struct json *json;
	int64_t windows = 0;
	if (text.data == NULL)
		return bad(err, "its metadata says nothing of it");
	enum rc rc = json_parse(arena, text, (struct json_limits){.max_depth = 4, .max_nodes = GROUPS_MOST + 100}, &json, err);
	if (rc != RC_OK)
		return rc;
	if (!str_is(json_str(json_get(json, STR("format"))), GROUPS_FORMAT))
		return bad(err, "it is of another format");
	struct str embedder = json_str(json_get(json, STR("embedder")));
	if (!str_is(embedder, "static") && !str_is(embedder, "given"))
		return bad(err, "embedder");
	g->embedder = str_is(embedder, "given") ? GROUPS_GIVEN : GROUPS_STATIC;
	if (g->embedder == GROUPS_STATIC && !str_eq(json_str(json_get(json, STR("static_model"))), static_version))
		return err_set(err, RC_BAD_INPUT, "the groups were made with another embedding table than this program's; make them again");
	if (!json_i64(json_get(json, STR("windows")), &windows) || windows < 1 || windows > DOCUMENT_MAX_WINDOWS)
		return bad(err, "windows");
	g->windows = (uint32_t)windows;
	return read_names(g, json_get(json, STR("names")), arena, err);
}

static enum rc read_centres(struct groups *g, const struct safetensors *file, struct arena *arena, struct err *err)
{
	struct tensor centres, limits;
	enum rc rc = safetensors_find(file, "centres", TENSOR_I8, &centres, err);
	if (rc == RC_OK)
		rc = safetensors_find(file, "limits", TENSOR_F32, &limits, err);
	if (rc != RC_OK)
		return rc;
	if (centres.rows != g->count || centres.columns == 0 || centres.columns > GROUPS_MAX_DIM)
		return bad(err, "centres");
	if (limits.rows != g->count || limits.columns != GROUPS_SHARES)
		return bad(err, "limits");
	g->dim = (uint32_t)centres.columns;
	g->centres = (const int8_t *)centres.bytes;
	g->limits = limits.bytes;
	g->inverse = arena_array(arena, g->count, sizeof *g->inverse);
	for (size_t i = 0; i < (size_t)g->count * g->dim; i++)
		if (g->centres[i] == INT8_MIN)
			return bad(err, "centres");
	for (uint32_t i = 0; i < g->count; i++)
		if ((g->inverse[i] = kernels_inverse_length(g->centres + (size_t)i * g->dim, g->dim)) == 0)
			return bad(err, "centres");
	for (uint32_t i = 0; i < g->count * GROUPS_SHARES; i++)
		if (!isfinite(tensor_float(g->limits, i)))
			return bad(err, "limits");
	return RC_OK;
}

enum rc groups_open(struct str bytes, struct str static_version, struct arena *arena, struct groups **ret, struct err *err)
{
	struct safetensors file;
	struct groups *g = arena_zalloc(arena, sizeof *g);
	enum rc rc = safetensors_open(bytes, arena, &file, err);
	if (rc == RC_OK)
		rc = read_settings(g, safetensors_metadata(&file, "pointsman"), static_version, arena, err);
	if (rc == RC_OK)
		rc = read_centres(g, &file, arena, err);
	if (rc != RC_OK)
		return rc;
	uint8_t digest[SHA256_BYTES];
	sha256_once(bytes, digest);
	hex_encode(digest, VERSION_BYTES, g->version);
	*ret = g;
	return RC_OK;
}

uint32_t groups_count(const struct groups *g) { return g->count; }
uint32_t groups_dim(const struct groups *g) { return g->dim; }
uint32_t groups_windows(const struct groups *g) { return g->windows; }
enum groups_embedder groups_embedder(const struct groups *g) { return g->embedder; }
struct str groups_name(const struct groups *g, uint32_t group) { return g->names[group]; }
struct str groups_version(const struct groups *g) { return str_of(g->version); }

void groups_find(const struct groups *g, const int8_t *whole, float inverse, double far, int share, struct groups_found *ret)
{
	*ret = (struct groups_found){.cosine = -2, .far = true};
	for (uint32_t i = 0; i < g->count; i++) {
		float cosine = kernels_cosine(whole, inverse, g->centres + (size_t)i * g->dim, g->inverse[i], g->dim);
		float limit = isnan(far) ? tensor_float(g->limits, (uint64_t)i * GROUPS_SHARES + (uint64_t)share) : (float)far;
		bool takes = cosine >= limit;
		if ((takes && ret->far) || (takes != ret->far && cosine > ret->cosine))
			*ret = (struct groups_found){i, cosine, limit, !takes};
	}
}
