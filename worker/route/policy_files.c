/*
 * policy_files.c: small helpers of loading: files beside the policy, strings that may be one or many, languages, hashes.
 */
#include "worker/route/language.h"
#include "worker/route/policy_load.h"

char *policy_path(const struct policy *policy, struct str path, struct arena *arena)
{
	if (str_starts(path, STR("/")) || policy->folder.len == 0)
		return arena_cstr(arena, path);
	struct str joined = arena_printf(arena, "%.*s/%.*s", STR_ARG(policy->folder), STR_ARG(path));
	return arena_cstr(arena, joined);
}

enum rc policy_read_file(const struct policy *policy, const struct node *at, struct str path, size_t max_bytes,
                         struct arena *arena, struct str *ret, struct err *err)
{
	struct err why;
	struct str text;
	if (config_read_file(arena, policy_path(policy, path, arena), max_bytes, &text, &why) != RC_OK)
		return config_error_hint(at, err, "paths start at the policy's folder", "%s", why.text);
	if (str_starts(text, STR("\xEF\xBB\xBF"))) /* a byte order mark is no text */
		text = (struct str){text.data + 3, text.len - 3};
	if (!str_utf8_valid(text))
		return config_error(at, err, "the file %.*s is not UTF-8", STR_ARG(path));
	*ret = text;
	return RC_OK;
}

enum rc policy_read_asset(struct policy *policy, const struct node *node, size_t max_bytes, struct arena *brief, struct str *ret, struct err *err)
{
	struct err why;
	if (node->kind != NODE_SCALAR)
		return config_error(node, err, "the name of a file is expected");
	if (config_read_file(&policy->arena, policy_path(policy, node->scalar, brief), max_bytes, ret, &why) != RC_OK)
		return config_error_hint(node, err, "paths start at the policy's folder; what train is still to write can be trained without --config", "%s",
		                         why.text);
	return RC_OK;
}

enum rc policy_static_model(struct policy *policy, struct static_model **ret, struct err *err)
{
	enum rc rc = policy->static_model != NULL ? RC_OK : static_model_builtin(&policy->arena, &policy->static_model, err);
	if (rc == RC_OK)
		*ret = policy->static_model;
	return rc;
}

enum rc policy_strings(struct policy *policy, const struct node *node, struct arena *brief, struct policy_strings *ret,
                       struct err *err)
{
	uint32_t n = node->kind == NODE_LIST ? node->count : 1;
	if (node->kind == NODE_MAP || node->kind == NODE_NULL)
		return config_error(node, err, "a word or a list of words is expected");
	if (n == 0)
		return config_error(node, err, "the list is empty");
	struct policy_strings out = {arena_array(&policy->arena, n, sizeof(struct str)), arena_array(brief, n, sizeof(void *)), n};
	for (uint32_t i = 0; i < n; i++) {
		const struct node *item = node->kind == NODE_LIST ? node->entries[i].value : node;
		if (item->kind != NODE_SCALAR)
			return config_error(item, err, "a word is expected");
		out.items[i] = arena_str(&policy->arena, item->scalar);
		out.nodes[i] = item;
	}
	*ret = out;
	return RC_OK;
}

static const char *language_name(const void *ctx, unsigned i)
{
	(void)ctx; /* the table is constant */
	return language_at(i);
}

enum rc policy_language(const struct node *node, const char **ret, struct err *err)
{
	unsigned known = 0;
	while (language_at(known) != NULL)
		known++;
	const char *code = language_known(node->scalar);
	if (code == NULL)
		return config_error_unknown(node, err, "language", language_name, NULL, known);
	*ret = code;
	return RC_OK;
}

void policy_hash(const struct canon *canon, char out[POLICY_VERSION_CHARS + 1])
{
	uint8_t digest[SHA256_BYTES];
	sha256_once(buf_view(&canon->buf), digest);
	hex_encode(digest, POLICY_VERSION_CHARS / 2, out);
}

enum rc policy_keep_node(const struct node *node, void *field, struct arena *arena, struct err *err)
{
	(void)arena; /* the node lives as long as the loading */
	(void)err;   /* nothing can be wrong here */
	*(const struct node **)field = node;
	return RC_OK;
}
