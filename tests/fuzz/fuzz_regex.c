/*
 * fuzz_regex.c: a pattern of a policy and a hostile text (a NUL between them). It compiles or is refused with words; a search
 * ends at its bounds, which libFuzzer's own time limit watches.
 */
#include "tests/fuzz/fuzz.h"
#include "worker/route/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct str text, pattern = fuzz_split((struct str){(const char *)data, bytes}, &text);
	struct regex *regex;
	struct err err = {""};
	size_t offset = 0;
	if (regex_new(pattern, &regex, &offset, &err) != RC_OK) {
		FUZZ_CHECK(err.text[0] != '\0' && offset <= pattern.len);
		return 0;
	}
	struct regex_scan *scan = regex_scan_new();
	if (str_utf8_valid(text)) {
		enum regex_result first = regex_run(regex, scan, text);
		FUZZ_CHECK(regex_run(regex, scan, text) == first);
	}
	regex_scan_free(scan);
	regex_free(regex);
	return 0;
}
