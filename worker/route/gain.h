/*
 * gain.h: how much better a strong model's answer to a text would be than a weak one's: a number learned by `pointsman train --gain`
 * from answers that were judged.
 *
 * Three small models add up: what the text is about (a classifier's topics, each with its mean gain), its words and meaning (ridge
 * regression over features.h), and its surface (length, numbers, punctuation). Texts that all begin alike, as prompts with examples
 * do, are read from where they begin to differ.
 *
 * Thread: a `struct gain` is read-only after it was opened; a scratch belongs to one thread. The same file and text give the same
 * bits on every machine.
 */
#ifndef ROUTE_GAIN_H
#define ROUTE_GAIN_H

#include "worker/route/features.h"

enum {
	GAIN_SURFACE = 18,
	GAIN_MAX_BYTES = 20000, /* of a text that are read */
	GAIN_MAX_PREAMBLES = 16,
};
#define GAIN_FORMAT "pointsman-gain-1"

/* The three parts, as they add up: gain = base + sum of weight * part. */
enum gain_part { GAIN_TOPICS, GAIN_WORDS, GAIN_OF_SURFACE, GAIN_PARTS };

struct gain;
struct gain_scratch;

/* file must outlive the result, which lives in the arena. RC_BAD_INPUT with the reason. */
enum rc gain_open(struct str file, const struct static_model *model, struct arena *arena, struct gain **ret, struct err *err);
struct str gain_version(const struct gain *g); /* hex, short */

struct gain_scratch *gain_scratch_new(const struct gain *g);
void gain_scratch_free(struct gain_scratch *s); /* NULL is fine */

struct gained {
	double gain;              /* in the units of the quality that was learned from */
	double parts[GAIN_PARTS]; /* weighted; without the base */
	struct str topic;         /* the likeliest; data NULL: the model knows no topics by name */
};
void gain_run(const struct gain *g, struct gain_scratch *s, struct str text, struct gained *ret);
/* It was trained on this very text: its gain proves nothing. */
bool gain_has_learned(const struct gain *g, struct str text);

/* gain_text.c: what of a text is read. */
void gain_surface(struct str text, float ret[GAIN_SURFACE]);
uint64_t gain_hash(struct str text); /* of a preamble */

#endif
