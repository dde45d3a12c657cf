/* test_versions.c: which librdkafka is taken, and which is refused with what words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/stream/versions.h"

static void each_version_is_taken_or_refused_with_its_number(void **state)
{
	(void)state;
	static const struct {
		int version;
		bool new_protocol;
		const char *refusal; /* NULL: taken */
	} cases[] = {
		{0x010902ff, false, "1.9.2"}, {0x020000ff, false, NULL}, {0x020002ff, false, NULL}, {0x020002ff, true, "2.0.2"},
		{0x020b01ff, true, "2.11.1"}, {0x020c00ff, true, NULL},  {0x020e02ff, true, NULL},  {0x030000ff, false, NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct err err = {""};
		enum rc rc = versions_check(cases[i].version, cases[i].new_protocol, NULL, &err);
		assert_int_equal(rc, cases[i].refusal == NULL ? RC_OK : RC_FATAL);
		if (cases[i].refusal != NULL)
			assert_non_null(strstr(err.text, cases[i].refusal));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_version_is_taken_or_refused_with_its_number)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
