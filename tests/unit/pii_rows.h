/*
 * pii_rows.h: rows of text with the personal data marked in them, and how well the detectors find it. For test_pii.c and the bench.
 *
 * Reads the project's own rows (tests/data/pii, a JSON object a line) and lists of the form that Presidio's generator writes
 * (full_text and spans). A marked value counts as found when a hit of its kind touches it; a hit that touches no marked value of its
 * kind is false.
 */
#ifndef TESTS_UNIT_PII_ROWS_H
#define TESTS_UNIT_PII_ROWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/route/pii.h"

enum { PII_ROW_HITS = 64, PII_ROW_MARKS = 64 };

struct pii_marks { /* of one row */
	struct {
		int kind;
		size_t at, end;
	} items[PII_ROW_MARKS];
	unsigned count;
};

struct pii_score {
	int64_t rows, found[PII_KINDS], missed[PII_KINDS], right[PII_KINDS], wrong[PII_KINDS];
	FILE *tell; /* where each mistake is told; NULL: nowhere */
};

struct pii_row_hits {
	struct pii_hit items[PII_ROW_HITS];
	unsigned count;
};

static bool pii_row_see(void *ctx, const struct pii_hit *hit)
{
	struct pii_row_hits *hits = ctx;
	if (hits->count < PII_ROW_HITS)
		hits->items[hits->count++] = *hit;
	return true;
}

static void pii_row_score(struct pii_score *score, struct str text, const struct pii_marks *marks)
{
	struct pii_row_hits hits = {.count = 0};
	(void)pii_scan(text, PII_ALL, pii_row_see, &hits); /* its work is measured elsewhere */
	score->rows++;
	for (unsigned m = 0; m < marks->count; m++) {
		bool found = false;
		for (unsigned h = 0; h < hits.count && !found; h++)
			found = (int)hits.items[h].kind == marks->items[m].kind && hits.items[h].at < marks->items[m].end && marks->items[m].at < hits.items[h].end;
		(found ? score->found : score->missed)[marks->items[m].kind]++;
		if (!found && score->tell != NULL)
			fprintf(score->tell, "missed %-6s %.*s   in: %.*s\n", pii_name((enum pii_kind)marks->items[m].kind),
			        (int)(marks->items[m].end - marks->items[m].at), text.data + marks->items[m].at, STR_ARG(text));
	}
	for (unsigned h = 0; h < hits.count; h++) {
		bool right = false;
		for (unsigned m = 0; m < marks->count && !right; m++)
			right = (int)hits.items[h].kind == marks->items[m].kind && hits.items[h].at < marks->items[m].end && marks->items[m].at < hits.items[h].end;
		(right ? score->right : score->wrong)[hits.items[h].kind]++;
		if (!right && score->tell != NULL)
			fprintf(score->tell, "false  %-6s %.*s   in: %.*s\n", pii_name(hits.items[h].kind), (int)(hits.items[h].end - hits.items[h].at),
			        text.data + hits.items[h].at, STR_ARG(text));
	}
}

/* Marks the first place of value that is not marked yet. */
static bool pii_row_mark(struct pii_marks *marks, struct str text, int kind, struct str value)
{
	size_t from = 0;
	for (unsigned m = 0; m < marks->count; m++)
		if (marks->items[m].end - marks->items[m].at == value.len && memcmp(text.data + marks->items[m].at, value.data, value.len) == 0)
			from = marks->items[m].end;
	const char *at = value.len != 0 ? memmem(text.data + from, text.len - from, value.data, value.len) : NULL;
	if (at == NULL || kind < 0 || marks->count == PII_ROW_MARKS)
		return false;
	marks->items[marks->count].kind = kind;
	marks->items[marks->count].at = (size_t)(at - text.data);
	marks->items[marks->count++].end = (size_t)(at - text.data) + value.len;
	return true;
}

/* false: the row is not of the form; what is wrong goes to stderr. */
static bool pii_row_own(struct pii_score *score, const struct json *row)
{
	struct pii_marks marks = {.count = 0};
	struct str text = json_str(json_get(row, STR("text")));
	const struct json *list = json_get(row, STR("pii"));
	if (text.data == NULL || list == NULL || list->kind != JSON_LIST) {
		fprintf(stderr, "a row has no text or no list pii\n");
		return false;
	}
	for (uint32_t i = 0; i < list->count; i++) {
		struct str kind = json_str(json_get(&list->items[i], STR("kind"))), value = json_str(json_get(&list->items[i], STR("value")));
		if (!pii_row_mark(&marks, text, pii_find(kind), value)) {
			fprintf(stderr, "%.*s \"%.*s\" is not in: %.*s\n", STR_ARG(kind), STR_ARG(value), STR_ARG(text));
			return false;
		}
	}
	pii_row_score(score, text, &marks);
	return true;
}

/* Presidio's names of what these detectors look for; other spans (names, places) are nobody's business here. */
static bool pii_row_presidio(struct pii_score *score, const struct json *row)
{
	static const struct {
		const char *type;
		enum pii_kind kind;
	} types[] = {{"EMAIL_ADDRESS", PII_EMAIL}, {"PHONE_NUMBER", PII_PHONE}, {"IBAN_CODE", PII_IBAN}, {"IBAN", PII_IBAN},
	             {"CREDIT_CARD", PII_CARD}, {"US_SSN", PII_SSN}, {"IP_ADDRESS", PII_IP}};
	struct pii_marks marks = {.count = 0};
	struct str text = json_str(json_get(row, STR("full_text")));
	const struct json *spans = json_get(row, STR("spans"));
	if (text.data == NULL || spans == NULL || spans->kind != JSON_LIST) {
		fprintf(stderr, "a row has no full_text or no spans\n");
		return false;
	}
	for (uint32_t i = 0; i < spans->count; i++) {
		struct str type = json_str(json_get(&spans->items[i], STR("entity_type"))), value = json_str(json_get(&spans->items[i], STR("entity_value")));
		for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
			if (str_is(type, types[k].type) && !pii_row_mark(&marks, text, (int)types[k].kind, value))
				fprintf(stderr, "%.*s is not in its text; left out\n", STR_ARG(value));
	}
	pii_row_score(score, text, &marks);
	return true;
}

static bool pii_rows_parse(struct pii_score *score, struct str text, bool lines)
{
	struct arena arena;
	arena_init(&arena, 1 << 16);
	bool good = true;
	for (size_t at = 0; at < text.len && good;) {
		const char *newline = lines ? memchr(text.data + at, '\n', text.len - at) : NULL;
		size_t end = newline != NULL ? (size_t)(newline - text.data) : text.len;
		struct str piece = str_trim((struct str){text.data + at, end - at});
		const struct json *tree = NULL;
		struct err err = {""};
		at = end + 1;
		if (piece.len == 0)
			continue;
		if (json_parse(&arena, piece, (struct json_limits){0}, &tree, &err) != RC_OK) {
			fprintf(stderr, "%s\n", err.text);
			good = false;
		} else if (lines) {
			good = pii_row_own(score, tree);
		}
		for (uint32_t i = 0; good && !lines && i < tree->count; i++)
			good = pii_row_presidio(score, &tree->items[i]);
	}
	arena_free(&arena);
	return good;
}

/* A file of rows by its name: .jsonl the project's, .json Presidio's. */
static bool pii_rows_file(struct pii_score *score, const char *path)
{
	enum { MOST = 64 << 20 };
	FILE *f = fopen(path, "rb");
	char *data = malloc(MOST);
	size_t n = f != NULL && data != NULL ? fread(data, 1, MOST, f) : 0;
	bool good = f != NULL && data != NULL && n < MOST;
	if (f != NULL)
		fclose(f);
	size_t len = strlen(path);
	good = good && pii_rows_parse(score, (struct str){data, n}, len > 6 && strcmp(path + len - 6, ".jsonl") == 0);
	if (!good)
		fprintf(stderr, "%s: cannot be read as rows\n", path);
	free(data);
	return good;
}

#endif
