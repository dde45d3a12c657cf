/*
 * Keys for labels: found without looking, one each.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "worker/lab/label_keys.h"

static void labels_get_letters_of_their_names(void **state)
{
	(void)state; /* unused */
	static const struct {
		const char *labels[8], *keys;
	} cases[] = {
		{{"kb_answer", "human", "careful"}, "khc"},
		{{"bug_report", "billing", "feature_request"}, "bif"}, /* billing's own letters, as b is taken */
		{{"high_risk", "human", "how"}, "huo"},
		{{"card", "card_arrival", "card_lost"}, "cal"}, /* behind the underscore first */
		{{"Quick", "quick-2"}, "q2"},
		{{"a", "aa", "aaa"}, "abc"},
		{{"\xC3\xA9t\xC3\xA9"}, "t"},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct str labels[8];
		char keys[8];
		uint32_t n = 0;
		for (; n < 8 && cases[i].labels[n] != NULL; n++)
			labels[n] = str_of(cases[i].labels[n]);
		label_keys_assign(labels, n, keys);
		assert_int_equal(strlen(cases[i].keys), n);
		assert_memory_equal(keys, cases[i].keys, n);
	}
}

static void as_many_as_there_can_be_have_a_key_each_and_never_one_of_the_commands(void **state)
{
	(void)state; /* unused */
	char names[LABEL_KEYS_MAX][16], keys[LABEL_KEYS_MAX];
	struct str labels[LABEL_KEYS_MAX];
	for (unsigned i = 0; i < LABEL_KEYS_MAX; i++) {
		assert_true(snprintf(names[i], sizeof names[i], "intent_%u", i) > 0);
		labels[i] = str_of(names[i]);
	}
	label_keys_assign(labels, LABEL_KEYS_MAX, keys);
	for (unsigned i = 0; i < LABEL_KEYS_MAX; i++) {
		assert_true(keys[i] > '0' && strchr(" -0?\r", keys[i]) == NULL);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(keys[i], keys[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_get_letters_of_their_names),
		cmocka_unit_test(as_many_as_there_can_be_have_a_key_each_and_never_one_of_the_commands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
