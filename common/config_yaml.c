/*
 * config_yaml.c: libfyaml's events become our nodes. The only file that includes libfyaml.
 *
 * The one idea: the library scans, we build. Its events carry positions and are taken one by one, so depth and number of
 * nodes are counted before memory is taken, and what a configuration has no use for (anchors, aliases, tags, further
 * documents, maps as keys) is refused where it stands, with our own words.
 *
 * It knows nothing of what the keys mean, and reads no file.
 */
#include "common/config_yaml.h"

#include <libfyaml.h>
#include <string.h>

enum { MAX_DEPTH = 32, MAX_NODES = 200000, MAX_MEMBERS = 4096 };

struct frame { /* an open list or map */
	struct node *node;
	struct node *key; /* of a map: waiting for its value */
	unsigned cap;
};

struct builder {
	struct arena *arena;
	const struct config_source *source;
	struct err *err;
	struct node *root;
	struct frame stack[MAX_DEPTH];
	unsigned depth, nodes, documents;
};

static void drop_output(struct fy_diag *diag, void *user, const char *text, size_t len)
{
	/* the library's own message would go to stderr; ours is made from the collected error */
	(void)diag, (void)user, (void)text, (void)len; /* unused parameters */
}

/* A value of which nothing stands in the file. Older libraries give it no mark, newer ones the next token's. */
static bool is_nothing(struct fy_event *event)
{
	if (event->type != FYET_SCALAR)
		return false;
	struct fy_token *token = fy_event_get_token(event);
	size_t len = 0;
	return token == NULL || (fy_token_scalar_style(token) == FYSS_PLAIN && (fy_token_get_text(token, &len) == NULL || len == 0));
}

/* A node at the event's mark, which counts from 0. An empty value stands at its key. */
static struct node *new_node(struct builder *b, struct fy_event *event)
{
	struct node *node = arena_zalloc(b->arena, sizeof *node);
	const struct fy_mark *start = fy_event_start_mark(event), *end = fy_event_end_mark(event);
	node->source = b->source;
	node->line = node->column = node->width = 1;
	if (start != NULL && start->line >= 0 && !is_nothing(event)) {
		node->line = (unsigned)start->line + 1;
		node->column = (unsigned)start->column + 1;
		if (end != NULL && end->line == start->line && end->column > start->column)
			node->width = (unsigned)(end->column - start->column);
	} else if (b->depth != 0 && b->stack[b->depth - 1].key != NULL) {
		const struct node *key = b->stack[b->depth - 1].key;
		node->line = key->line;
		node->column = key->column;
		node->width = key->width;
	}
	return node;
}

static bool is_null_word(struct str s)
{
	return s.len == 0 || str_is(s, "~") || str_is(s, "null") || str_is(s, "Null") || str_is(s, "NULL");
}

static enum rc fill_scalar(struct builder *b, struct node *node, struct fy_event *event)
{
	struct fy_token *token = fy_event_get_token(event);
	size_t len = 0;
	const char *text = token != NULL ? fy_token_get_text(token, &len) : NULL;
	enum fy_scalar_style style = fy_token_scalar_style(token);
	node->scalar = arena_str(b->arena, (struct str){text != NULL ? text : "", text != NULL ? len : 0});
	node->quoted = style != FYSS_PLAIN;
	node->kind = !node->quoted && is_null_word(node->scalar) ? NODE_NULL : NODE_SCALAR;
	if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && node->column > 1) { /* the marks leave the quotes out */
		node->column--;
		node->width += 2;
	}
	/* an escape in a quoted scalar can make what the file's bytes could not */
	if (memchr(node->scalar.data, '\0', node->scalar.len) != NULL || !str_utf8_valid(node->scalar))
		return config_error(node, b->err, "this text holds a NUL or is not UTF-8");
	return RC_OK;
}

static enum rc refuse_duplicate(struct builder *b, const struct frame *frame)
{
	for (unsigned i = 0; i < frame->node->count; i++) {
		const struct node *before = frame->node->entries[i].key;
		if (str_eq(before->scalar, frame->key->scalar))
			return config_error(frame->key, b->err, "\"%.*s\" is given twice; the first is in line %u", STR_ARG(frame->key->scalar),
			                    before->line);
	}
	return RC_OK;
}

/* Puts a finished scalar or a just opened list or map where it belongs. */
static enum rc attach(struct builder *b, struct node *node)
{
	if (++b->nodes > MAX_NODES)
		return config_error(node, b->err, "more than %d values in one file", MAX_NODES);
	if (b->depth == 0) {
		b->root = node;
		return RC_OK;
	}
	struct frame *frame = &b->stack[b->depth - 1];
	if (frame->node->kind == NODE_MAP && frame->key == NULL) {
		if (node->kind == NODE_LIST || node->kind == NODE_MAP)
			return config_error(node, b->err, "a key must be a word, not a list or a map");
		node->kind = NODE_SCALAR;
		frame->key = node;
		return refuse_duplicate(b, frame);
	}
	if (frame->node->kind == NODE_MAP && frame->node->count == MAX_MEMBERS)
		return config_error(node, b->err, "more than %d keys in one map", MAX_MEMBERS);
	if (frame->node->count == frame->cap) {
		unsigned cap = frame->cap == 0 ? 8 : frame->cap * 2;
		struct node_entry *entries = arena_array(b->arena, cap, sizeof *entries);
		if (frame->cap != 0)
			memcpy(entries, frame->node->entries, frame->cap * sizeof *entries);
		frame->node->entries = entries;
		frame->cap = cap;
	}
	frame->node->entries[frame->node->count++] = (struct node_entry){.key = frame->key, .value = node};
	frame->key = NULL;
	return RC_OK;
}

static enum rc open_frame(struct builder *b, struct node *node, enum node_kind kind)
{
	node->kind = kind;
	enum rc rc = attach(b, node);
	if (rc != RC_OK)
		return rc;
	if (b->depth == MAX_DEPTH)
		return config_error(node, b->err, "nested deeper than %d", MAX_DEPTH);
	b->stack[b->depth++] = (struct frame){.node = node};
	return RC_OK;
}

static enum rc take_event(struct builder *b, struct fy_event *event)
{
	struct node *node;
	switch (event->type) {
	case FYET_DOCUMENT_START:
		if (b->documents++ != 0)
			return config_error(new_node(b, event), b->err, "a second document begins here; a configuration is one document");
		return RC_OK;
	case FYET_ALIAS:
		return config_error_hint(new_node(b, event), b->err, "write the value out", "aliases are not supported");
	case FYET_MAPPING_START:
	case FYET_SEQUENCE_START:
	case FYET_SCALAR:
		node = new_node(b, event);
		if (fy_event_get_anchor_token(event) != NULL)
			return config_error_hint(node, b->err, "write the value out where it is needed", "anchors are not supported");
		if (fy_event_get_tag_token(event) != NULL)
			return config_error_hint(node, b->err, "quote the value to make it a text", "tags are not supported");
		if (event->type != FYET_SCALAR)
			return open_frame(b, node, event->type == FYET_MAPPING_START ? NODE_MAP : NODE_LIST);
		enum rc rc = fill_scalar(b, node, event);
		return rc != RC_OK ? rc : attach(b, node);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		if (b->depth != 0)
			b->depth--;
		return RC_OK;
	default:
		return RC_OK;
	}
}

/* The first error that the library collected, in our form. */
static enum rc library_error(struct builder *b, struct fy_diag *diag)
{
	void *iterator = NULL;
	struct fy_diag_error *e = fy_diag_errors_iterate(diag, &iterator);
	struct node at = {.source = b->source, .line = 1, .column = 1, .width = 1};
	if (e != NULL && e->line > 0)
		at.line = (unsigned)e->line;
	if (e != NULL && e->column > 0)
		at.column = (unsigned)e->column;
	return config_error(&at, b->err, "%s", e != NULL && e->msg != NULL ? e->msg : "this is not YAML");
}

static enum rc run(struct builder *b, struct fy_parser *parser, struct fy_diag *diag)
{
	struct fy_event *event;
	while ((event = fy_parser_parse(parser)) != NULL) {
		enum rc rc = take_event(b, event);
		fy_parser_event_free(parser, event);
		if (rc != RC_OK)
			return rc;
	}
	return fy_parser_get_stream_error(parser) || fy_diag_got_error(diag) ? library_error(b, diag) : RC_OK;
}

enum rc config_yaml_read(struct arena *arena, const struct config_source *source, struct node **ret, struct err *err)
{
	struct fy_diag_cfg diag_cfg;
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.output_fn = drop_output;
	struct fy_diag *diag = fy_diag_create(&diag_cfg);
	if (diag == NULL)
		return err_set(err, RC_FATAL, "the YAML library does not start");
	fy_diag_set_collect_errors(diag, true);
	enum rc rc = RC_FATAL;
	struct builder b = {.arena = arena, .source = source, .err = err};
	struct fy_parse_cfg cfg = {.flags = FYPCF_DEFAULT_VERSION_1_2, .diag = diag};
	struct fy_parser *parser = fy_parser_create(&cfg);
	if (parser == NULL || fy_parser_set_string(parser, source->text.data, source->text.len) != 0)
		rc = err_set(err, RC_FATAL, "the YAML library does not start");
	else
		rc = run(&b, parser, diag);
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	if (rc == RC_OK)
		*ret = b.root;
	return rc;
}
