/*
 * label_keys.h: a key for each label, to be pressed once.
 *
 * Thread: any. Pure.
 */
#ifndef LAB_LABEL_KEYS_H
#define LAB_LABEL_KEYS_H

#include "common/str.h"

enum { LABEL_KEYS_MAX = 61 };

/* In the order of the labels: the first letter of a name that is free, also behind "_", "-" and "."; another of its letters; then
 * any. Small letters first, then 1 to 9, then capitals. count at most LABEL_KEYS_MAX. */
void label_keys_assign(const struct str *labels, uint32_t count, char *ret_keys);

#endif
