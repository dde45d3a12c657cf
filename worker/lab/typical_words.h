/*
 * typical_words.h: names for groups of texts, from the words that stand in a group and seldom elsewhere.
 *
 * Thread: any. Pure.
 */
#ifndef LAB_TYPICAL_WORDS_H
#define LAB_TYPICAL_WORDS_H

#include "common/arena.h"

enum { TYPICAL_WORDS = 3, TYPICAL_NAME = 48 };

struct typical_text {
	struct str text;
	uint32_t group;
};
/* A name for each group, as a route may have it: "card_arrive_delivery"; "group_7" where no word is typical. All differ. In arena. */
struct str *typical_words_name(const struct typical_text *texts, uint32_t count, uint32_t groups, struct arena *arena);

#endif
