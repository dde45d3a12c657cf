/*
 * label_keys.c: keys that one finds without looking.
 *
 * The one idea: labels that begin with different letters get those, whatever stands before them; so first letters are given away in
 * a first round, and only then is anybody helped out with another.
 */
#include "worker/lab/label_keys.h"

#include <stdbool.h>

static const char all_keys[] = "abcdefghijklmnopqrstuvwxyz123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

struct keys {
	bool taken[128];
	char *of;
};

static bool give(struct keys *k, uint32_t label, char c)
{
	char small = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	bool fits = (small >= 'a' && small <= 'z') || (small >= '1' && small <= '9');
	if (!fits || k->taken[(unsigned char)small])
		return false;
	k->taken[(unsigned char)small] = true;
	k->of[label] = small;
	return true;
}

static bool is_start(struct str name, size_t at)
{
	return at == 0 || strchr("_-. ", name.data[at - 1]) != NULL;
}

static void give_any(struct keys *k, uint32_t label)
{
	const char *c = all_keys;
	while (*c != '\0' && k->taken[(unsigned char)*c])
		c++;
	k->taken[(unsigned char)*c] = true;
	k->of[label] = *c;
}

void label_keys_assign(const struct str *labels, uint32_t count, char *ret_keys)
{
	struct keys k = {.of = ret_keys};
	for (uint32_t i = 0; i < count; i++) {
		ret_keys[i] = '\0';
		(void)(labels[i].len != 0 && give(&k, i, labels[i].data[0])); /* the next rounds see whether it has one */
	}
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < count; i++)
			for (size_t at = 0; at < labels[i].len && ret_keys[i] == '\0'; at++)
				if (round == 1 || is_start(labels[i], at))
					(void)give(&k, i, labels[i].data[at]); /* the same */
	for (uint32_t i = 0; i < count; i++)
		if (ret_keys[i] == '\0')
			give_any(&k, i);
}
