/*
 * config_message.c: errors that show the place.
 *
 * The one idea: the person who reads the message has the file open. So the message gives file:line:column in the form that
 * editors jump to, the line itself, a caret under the word and, where there is one, what to write instead.
 *
 * A message fits into struct err: the words are cut first, then a long line is shown around the caret only.
 */
#include <stdarg.h>
#include <stdio.h>

#include "common/config.h"

enum { LONGEST_WORDS = 420, SHOWN_CHARACTERS = 90, SHOWN_BEFORE = 60, LONGEST_WORD = 64 };

/* The source's line n, from 1, without its end. */
static struct str line_at(struct str text, unsigned n)
{
	const char *p = text.data, *end = text.data + text.len;
	for (; n > 1 && p < end; n--) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		p = newline != NULL ? newline + 1 : end;
	}
	const char *newline = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
	struct str line = {p, (size_t)((newline != NULL ? newline : end) - p)};
	if (line.len != 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Drops n characters (not bytes) off the front. */
static struct str skip_characters(struct str s, size_t n)
{
	size_t i = 0;
	for (; n > 0 && i < s.len; n--)
		for (i++; i < s.len && ((unsigned char)s.data[i] & 0xC0) == 0x80;)
			i++;
	return (struct str){s.data + i, s.len - i};
}

struct text { /* bounded, always terminated */
	char *data;
	size_t len, cap;
};

static void add(struct text *out, const char *data, size_t len)
{
	if (len > out->cap - 1 - out->len)
		len = str_utf8_cut((struct str){data, len}, out->cap - 1 - out->len);
	memcpy(out->data + out->len, data, len);
	out->len += len;
	out->data[out->len] = '\0';
}

/* The line and, under it, the caret. Tabs stay tabs in the padding, so that the caret stands right at any tab width. */
static void add_picture(struct text *out, const struct node *at, const char *hint)
{
	struct str line = line_at(at->source->text, at->line);
	size_t before = at->column - 1, characters = str_utf8_count(line);
	if (before > characters)
		before = characters;
	if (characters > SHOWN_CHARACTERS && before > SHOWN_BEFORE) {
		line = skip_characters(line, before - SHOWN_BEFORE);
		before = SHOWN_BEFORE;
	}
	line.len -= skip_characters(line, SHOWN_CHARACTERS).len;
	char number[32];
	int n = snprintf(number, sizeof number, "\n%4u | ", at->line);
	add(out, number, (size_t)n);
	for (size_t i = 0; i < line.len; i++) { /* a control character must not reach a terminal */
		bool control = ((unsigned char)line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7F;
		add(out, control ? "?" : line.data + i, 1);
	}
	add(out, "\n     | ", 8);
	struct str rest = line;
	for (size_t i = 0; i < before; i++, rest = skip_characters(rest, 1))
		add(out, rest.len != 0 && rest.data[0] == '\t' ? "\t" : " ", 1);
	add(out, "^", 1);
	size_t left = str_utf8_count(rest);
	for (size_t i = 1; i < at->width && i < left; i++)
		add(out, "~", 1);
	if (hint != NULL) {
		add(out, "  ", 2);
		add(out, hint, strlen(hint));
	}
}

static enum rc write_error(const struct node *at, struct err *err, const char *hint, const char *words)
{
	if (err == NULL)
		return RC_BAD_INPUT;
	if (at == NULL || at->source == NULL)
		return err_set(err, RC_BAD_INPUT, "error: %s%s%s", words, hint != NULL ? "; " : "", hint != NULL ? hint : "");
	struct text out = {.data = err->text, .cap = sizeof err->text};
	char position[64];
	int n = snprintf(position, sizeof position, ":%u:%u: error: ", at->line, at->column);
	size_t name = strlen(at->source->name);
	add(&out, at->source->name, name < 256 ? name : 256);
	add(&out, position, (size_t)n);
	add(&out, words, strlen(words));
	add_picture(&out, at, hint);
	return RC_BAD_INPUT;
}

/* vsnprintf cut at LONGEST_WORDS without splitting a character. */
static void format_words(char words[LONGEST_WORDS], const char *fmt, va_list ap)
{
	int n = vsnprintf(words, LONGEST_WORDS, fmt, ap);
	if (n >= LONGEST_WORDS) {
		size_t keep = LONGEST_WORDS - 4;
		while (keep != 0 && ((unsigned char)words[keep] & 0xC0) == 0x80)
			keep--;
		memcpy(words + keep, "...", 4);
	} else if (n < 0) {
		words[0] = '\0';
	}
}

enum rc config_error(const struct node *at, struct err *err, const char *fmt, ...)
{
	char words[LONGEST_WORDS];
	va_list ap;
	va_start(ap, fmt);
	format_words(words, fmt, ap);
	va_end(ap);
	return write_error(at, err, NULL, words);
}

enum rc config_error_hint(const struct node *at, struct err *err, const char *hint, const char *fmt, ...)
{
	char words[LONGEST_WORDS];
	va_list ap;
	va_start(ap, fmt);
	format_words(words, fmt, ap);
	va_end(ap);
	return write_error(at, err, hint, words);
}

const char *config_suggest(struct str word, config_name_at *name_at, const void *ctx, unsigned count)
{
	const char *best = NULL;
	unsigned nearest = word.len <= 3 ? 1 : word.len <= 6 ? 2 : 3;
	for (unsigned i = 0; i < count; i++) {
		const char *name = name_at(ctx, i);
		unsigned distance = name != NULL && name[0] != '\0' ? str_distance(word, str_of(name)) : 1000;
		if (distance < nearest || (distance == nearest && best == NULL)) {
			best = name;
			nearest = distance;
		}
	}
	return best;
}

enum rc config_error_unknown(const struct node *at, struct err *err, const char *what, config_name_at *name_at, const void *ctx, unsigned count)
{
	const char *best = config_suggest(at->scalar, name_at, ctx, count);
	char hint[LONGEST_WORD + 32];
	if (best != NULL)
		(void)snprintf(hint, sizeof hint, "did you mean \"%.*s\"?", LONGEST_WORD, best); /* cut on purpose */
	return config_error_hint(at, err, best != NULL ? hint : NULL, "unknown %s \"%.*s\"", what, STR_ARG(at->scalar));
}
