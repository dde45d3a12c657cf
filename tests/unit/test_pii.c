/*
 * test_pii.c: the detectors of personal data over the project's own rows, the examples of the IBAN registry, places deep in a record,
 * and hostile input.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/pii_rows.h"
#include "tests/unit/route_fixture.h"

/* The registry's example of each country (SWIFT, IBAN registry), without spaces. */
static const char *const ibans[] = {
	"AD1200012030200359100100", "AE070331234567890123456", "AL47212110090000000235698741", "AT611904300234573201",
	"AZ21NABZ00000000137010001944", "BA391290079401028494", "BE68539007547034", "BG80BNBG96611020345678",
	"BH67BMAG00001299123456", "BR1800360305000010009795493C1", "BY13NBRB3600900000002Z00AB00",
	"CH9300762011623852957", "CR05015202001026284066", "CY17002001280000001200527600", "CZ6508000000192000145399",
	"DE89370400440532013000", "DK5000400440116243", "DO28BAGR00000001212453611324", "EE382200221020145685",
	"EG380019000500000000263180002", "ES9121000418450200051332", "FI2112345600000785", "FO6264600001631634",
	"FR1420041010050500013M02606", "GB29NWBK60161331926819", "GE29NB0000000101904917", "GI75NWBK000000007099453",
	"GL8964710001000206", "GR1601101250000000012300695", "GT82TRAJ01020000001210029690", "HR1210010051863000160",
	"HU42117730161111101800000000", "IE29AIBK93115212345678", "IL620108000000099999999", "IQ98NBIQ850123456789012",
	"IS140159260076545510730339", "IT60X0542811101000000123456", "JO94CBJO0010000000000131000302",
	"KW81CBKU0000000000001234560101", "KZ86125KZT5004100100", "LB62099900000001001901229114",
	"LC55HEMM000100010012001200023015", "LI21088100002324013AA", "LT121000011101001000", "LU280019400644750000",
	"LV80BANK0000435195001", "MC5811222000010123456789030", "MD24AG000225100013104168", "ME25505000012345678951",
	"MK07250120000058984", "MR1300020001010000123456753", "MT84MALT011000012345MTLCAST001S",
	"MU17BOMM0101101030300200000MUR", "NL91ABNA0417164300", "NO9386011117947", "PK36SCBL0000001123456702",
	"PL61109010140000071219812874", "PS92PALS000000000400123456702", "PT50000201231234567890154",
	"QA58DOHB00001234567890ABCDEFG", "RO49AAAA1B31007593840000", "RS35260005601001611379", "SA0380000000608010167519",
	"SC18SSCB11010000000000001497USD", "SE4550000000058398257466", "SI56263300012039086", "SK3112000000198742637541",
	"SM86U0322509800000000270100", "ST23000100010051845310146", "SV62CENR00000000000000700025",
	"TL380080012345678910157", "TN5910006035183598478831", "TR330006100519786457841326",
	"UA213223130000026007233566001", "VA59001123000012345678", "VG96VPVG0000012345678901", "XK051212012345678906",
	"LY83002048000020100120361", "SD2129010501234001", "BI4210000100010000332045181", "DJ2100010000000154000100186",
	"MN121234123456789123", "NI45BAPR00000013000003558124", "OM810180000001299123456",
	"RU0304452522540817810538091310419", "SO211000001001000100141", "YE15CBYE0001018861234567891234",
	"FK88SC123456789012", "HN88CABF00000000000250005469",
};
enum { IBANS = sizeof ibans / sizeof ibans[0] };

struct first {
	struct pii_hit hit;
	unsigned count;
};

static bool see_first(void *ctx, const struct pii_hit *hit)
{
	struct first *first = ctx;
	if (first->count++ == 0)
		first->hit = *hit;
	return true;
}

/* Whether the text holds one hit of the kind, from at to end. */
static bool holds(struct str text, enum pii_kind kind, size_t at, size_t end)
{
	struct first first = {.count = 0};
	(void)pii_scan(text, PII_ALL, see_first, &first); /* its work is tested below */
	return first.count == 1 && first.hit.kind == kind && first.hit.at == at && first.hit.end == end;
}

static uint32_t kinds_in(struct str text)
{
	struct pii_row_hits hits = {.count = 0};
	uint32_t kinds = 0;
	(void)pii_scan(text, PII_ALL, pii_row_see, &hits);
	for (unsigned i = 0; i < hits.count; i++)
		kinds |= 1u << hits.items[i].kind;
	return kinds;
}

static void every_detector_holds_its_floor_over_the_projects_rows(void **state)
{
	(void)state;
	struct pii_score score = {.tell = stderr};
	assert_true(pii_rows_file(&score, "tests/data/pii/positives.jsonl"));
	assert_true(pii_rows_file(&score, "tests/data/pii/negatives.jsonl"));
	assert_true(score.rows >= 300);
	for (unsigned k = 0; k < PII_KINDS; k++) {
		int64_t marked = score.found[k] + score.missed[k], hits = score.right[k] + score.wrong[k];
		assert_true(marked >= 10);
		if (score.found[k] * 100 < marked * 96 || score.right[k] * 100 < hits * 96)
			fail_msg("%s: found %lld of %lld, %lld of %lld hits are right", pii_name((enum pii_kind)k), (long long)score.found[k],
			         (long long)marked, (long long)score.right[k], (long long)hits);
	}
}

static void every_countrys_iban_is_found_as_people_write_it(void **state)
{
	(void)state;
	static const char *const breaks[] = {"", " ", "-", "\xC2\xA0", "\xE2\x80\xAF", "\xE2\x80\x8B", "\xE2\x80\x91"};
	for (unsigned i = 0; i < IBANS; i++)
		for (unsigned b = 0; b < sizeof breaks / sizeof breaks[0]; b++)
			for (unsigned low = 0; low < 2; low++) {
				char text[256] = "pay to ";
				size_t n = strlen(text);
				for (size_t k = 0; ibans[i][k] != '\0'; k++) {
					if (k != 0 && k % 4 == 0)
						n += (size_t)snprintf(text + n, sizeof text - n, "%s", breaks[b]);
					text[n++] = (char)(low != 0 && ibans[i][k] >= 'A' ? ibans[i][k] + 32 : ibans[i][k]);
				}
				text[n] = '\0';
				if (!holds((struct str){text, n}, PII_IBAN, 7, n))
					fail_msg("not found: %s", text);
			}
}

static void a_wrong_digit_is_no_iban_and_no_card(void **state)
{
	(void)state;
	static const char *const cards[] = {"4024005683590486", "5169930122684743", "371413412338614", "6221068889220676"};
	for (unsigned i = 0; i < IBANS + 4; i++) {
		const char *good = i < IBANS ? ibans[i] : cards[i - IBANS];
		uint32_t bit = 1u << (i < IBANS ? PII_IBAN : PII_CARD);
		char text[64];
		assert_true((kinds_in(str_of(good)) & bit) != 0);
		for (size_t k = i < IBANS ? 2 : 6; good[k] != '\0'; k++) {
			if (good[k] < '0' || good[k] > '9')
				continue;
			(void)snprintf(text, sizeof text, "%s", good); /* fits */
			text[k] = (char)('0' + (good[k] - '0' + 1) % 10);
			if ((kinds_in(str_of(text)) & bit) != 0)
				fail_msg("found: %s", text);
		}
	}
}

static void the_first_place_of_each_kind_in_a_record_is_told_without_the_data(void **state)
{
	(void)state;
	enum { FAR = 50000 };
	static char far[FAR + 64];
	for (size_t i = 0; i < FAR; i++)
		far[i] = "the quick brown fox, 12 of them. "[i % 33];
	memcpy(far + FAR, " GB29 NWBK 6016 1331 9268 19", 29);
	struct message messages[] = {{STR("user"), str_of(far)}, {STR("assistant"), STR("I see.")}, {STR("user"), STR("and now?")}};
	struct attribute attributes[] = {{STR("product"), STR("X200")}, {STR("note"), STR("paid by 4024 0056 8359 0486")}};
	struct request req = {.id = STR("tom@aol.com"), .messages = messages, .message_count = 3, .attributes = attributes, .attribute_count = 2};
	struct pii_record record = {.req = &req, .wanted = PII_ALL};
	assert_int_equal(pii_record_has(&record, PII_ALL), 1u << PII_IBAN | 1u << PII_CARD | 1u << PII_EMAIL);
	assert_int_equal(pii_record_has(&record, 1u << PII_PHONE), 0);
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 0);
	pii_record_describe(&record, PII_ALL, &out);
	assert_str(buf_view(&out), "email in the id, iban in message 1 of 3, card in attribute note");
	arena_free(&arena);
}

/* ---- hostile input --------------------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state) /* xorshift64*, Vigna 2016 */
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static void a_megabyte_of_anything_costs_a_bounded_number_of_looks_a_byte(void **state)
{
	(void)state;
	enum { BYTES = 1 << 20, LOOKS_A_BYTE = 60 };
	static const char *const pieces[] = {
		"a", "1", "@", "+", "(", " ", "-", ".", "1 ", "12 ", "a@", "a@a", "a.", "@a.", "a@a.a", "1.", "1.1.1.1.", "12-34-", "123-", "4111 ", "1234567 ",
		"(1) ", "(0)", "+1 ", "00 49 ", "fe80:", "f:", "2001::", "DE89 ", "DE89 3704 0044 0532 0130 01 ", "DE1 ", "mt84malt011000012345mtlcast001t ",
		"password:", "token=", "pass is ", "sk-", "eyJ", "eyJaaaaaaaaaaaaa.eyJ", "-----BEGIN ", "-----BEGIN PRIVATE KEY", "://a:", "a:b@", "call 12345 ",
		"phone ", "order 1234567 ", "\xC2\xA0", "\xE2\x80\x8B", "1\xE2\x80\x8B", ("\xC2\xAD" "1"), "\xEF\xBC\x91", "\xEF\xBC\x91 ", "\xD9\xA1", "(at)", "a(at)", "a (at) b ",
		"4024 0056 8359 0487 ", "sk-a", "eyJaaaaaaaaaaaaa.", "eyJaaaaaaaaaaaaa-", "ghp_", "password=\"", "\xFF", "\xE2", "\n1234567", "a b c d 1234567 ",
	};
	char *text = malloc(BYTES);
	assert_non_null(text);
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		size_t n = strlen(pieces[i]);
		for (size_t at = 0; at < BYTES; at++)
			text[at] = pieces[i][at % n];
		struct pii_row_hits hits = {.count = 0};
		uint64_t looks = pii_scan((struct str){text, BYTES}, PII_ALL, pii_row_see, &hits);
		if (looks > (uint64_t)BYTES * LOOKS_A_BYTE)
			fail_msg("\"%s\" over and over: %llu looks a byte", pieces[i], (unsigned long long)(looks / BYTES));
	}
	free(text);
}

static bool see_order(void *ctx, const struct pii_hit *hit)
{
	size_t *last = ctx; /* [0] end of the last hit, [1] length of the text */
	assert_true(hit->at >= last[0] && hit->at < hit->end && hit->end <= last[1]);
	last[0] = hit->end;
	return true;
}

/* In a block of exactly its size, so that the sanitizers see a look behind the end. */
static void scan_exactly(const char *bytes, size_t n)
{
	char *copy = malloc(n + (n == 0));
	size_t last[2] = {0, n};
	assert_non_null(copy);
	memcpy(copy, bytes, n);
	(void)pii_scan((struct str){copy, n}, PII_ALL, see_order, last);
	free(copy);
}

static void hits_of_random_texts_stand_in_order_and_inside_of_them(void **state)
{
	(void)state;
	static const char *const words[] = {"DE89", "3704", "0044", "0532", "0130", "00", "4024", "0056", "8359", "0486", "call", "+49", "(030)", "@", "a.b", ".com", "-",
	                                    " ", ".", "password", ":", "=", "Tr0ub4dor", "sk-", "eyJhbGciOiJI", "://", "1.2.3.4", "fe80", "::", "531-21-7351", "\xC2\xA0",
	                                    "\xE2\x80\x8B", "\xEF\xBC\x94", "\xE2", "\xC2", "\n", "(at)", "order", "x"};
	uint64_t random = 42;
	for (unsigned round = 0; round < 20000; round++) {
		char text[512];
		size_t n = 0;
		bool bytes = round % 4 == 0;
		while (n < 64 + round % 256) {
			uint64_t r = next_random(&random);
			const char *word = words[r % (sizeof words / sizeof words[0])];
			if (bytes) {
				text[n++] = (char)(r >> 40);
				continue;
			}
			memcpy(text + n, word, strlen(word));
			n += strlen(word);
			if ((r >> 32 & 1) != 0)
				text[n++] = ' ';
		}
		scan_exactly(text, n);
	}
}

static void no_cut_of_a_text_is_read_behind_its_end(void **state)
{
	(void)state;
	static const char text[] = "DE89 3704 0044 0532 0130 00 4024 0056 8359 0486 a.b@c-d.org (at) x (dot) de +49 (0) 170 1234567 531-21-7351 2001:db8::1 1.2.3.4 "
	                           "-----BEGIN RSA PRIVATE KEY----- password is Tr0ub4dor3 eyJhbGciOiJI.eyJhbGciOiJI.abc http://u:pw12@h sk-0123456789abcdefghij \xE2\x80\x8B";
	for (size_t from = 0; from < sizeof text; from++)
		for (size_t to = from; to < sizeof text; to += 1 + (from % 7))
			scan_exactly(text + from, to - from);
}

static void whatever_surrounds_it_an_iban_between_spaces_is_found(void **state)
{
	(void)state;
	uint64_t random = 7;
	for (unsigned round = 0; round < 20000; round++) {
		char text[512];
		size_t n = 0, before = next_random(&random) % 200, after = next_random(&random) % 200;
		while (n < before)
			text[n++] = (char)(' ' + next_random(&random) % 95);
		memcpy(text + n, ". ", 2); /* ends what could reach over */
		size_t at = n += 2;
		n += (size_t)snprintf(text + n, sizeof text - n, "%s", ibans[round % IBANS]);
		size_t end = n;
		text[n++] = ' ';
		while (n < end + 1 + after)
			text[n++] = (char)(' ' + next_random(&random) % 95);
		struct pii_row_hits hits = {.count = 0};
		bool found = false;
		(void)pii_scan((struct str){text, n}, 1u << PII_IBAN, pii_row_see, &hits);
		for (unsigned i = 0; i < hits.count; i++)
			found = found || (hits.items[i].at == at && hits.items[i].end == end);
		if (!found)
			fail_msg("%s is not found in: %.*s", ibans[round % IBANS], (int)n, text);
	}
}

static void kinds_have_names_and_names_kinds(void **state)
{
	(void)state;
	for (int k = 0; k < PII_KINDS; k++)
		assert_int_equal(pii_find(str_of(pii_name((enum pii_kind)k))), k);
	assert_int_equal(pii_find(STR("name")), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_detector_holds_its_floor_over_the_projects_rows),
		cmocka_unit_test(every_countrys_iban_is_found_as_people_write_it),
		cmocka_unit_test(a_wrong_digit_is_no_iban_and_no_card),
		cmocka_unit_test(the_first_place_of_each_kind_in_a_record_is_told_without_the_data),
		cmocka_unit_test(a_megabyte_of_anything_costs_a_bounded_number_of_looks_a_byte),
		cmocka_unit_test(hits_of_random_texts_stand_in_order_and_inside_of_them),
		cmocka_unit_test(no_cut_of_a_text_is_read_behind_its_end),
		cmocka_unit_test(whatever_surrounds_it_an_iban_between_spaces_is_found),
		cmocka_unit_test(kinds_have_names_and_names_kinds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
