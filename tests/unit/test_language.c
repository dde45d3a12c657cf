/* test_language.c: a guess where it is safe, "und" where it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/route/language.h"

static void languages_are_told_by_script_and_little_words(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"How do I reset the password of my account? It was working yesterday.", "en"},
		{"PLEASE CANCEL MY ORDER AND REFUND THE MONEY TO MY CARD", "en"},
		{"Ich kann mich nicht mehr in mein Konto einloggen, bitte helfen Sie mir.", "de"},
		{"Bonjour, je ne peux pas acc\u00E9der \u00E0 mon compte depuis hier, pouvez-vous m'aider ?", "fr"},
		{"Hola, no puedo entrar en mi cuenta desde ayer, \u00BFme pueden ayudar por favor?", "es"},
		{"Buongiorno, non riesco ad accedere al mio account, come posso fare per il rimborso?", "it"},
		{"Ol\u00E1, n\u00E3o consigo entrar na minha conta, como posso fazer para recuperar a senha?", "pt"},
		{"Ik kan niet meer inloggen op mijn account, kunt u mij helpen met het wachtwoord?", "nl"},
		{"Jag kan inte logga in p\u00E5 mitt konto, hur g\u00F6r jag f\u00F6r att f\u00E5 ett nytt l\u00F6senord?", "sv"},
		{"Nie mog\u0119 si\u0119 zalogowa\u0107 do konta, prosz\u0119 o pomoc, bo to jest bardzo pilne.", "pl"},
		{"Hesab\u0131ma giremiyorum, bu \u00E7ok acil, l\u00FCtfen bana nas\u0131l yard\u0131m edeceksiniz ve ne kadar?", "tr"},
		{"\u042F \u043D\u0435 \u043C\u043E\u0433\u0443 \u0432\u043E\u0439\u0442\u0438 \u0432 \u043C\u043E\u0439 \u0430\u043A\u043A\u0430\u0443\u043D\u0442, \u0447\u0442\u043E \u043C\u043D\u0435 \u0434\u0435\u043B\u0430\u0442\u044C?", "ru"},
		{"\u042F \u043D\u0435 \u043C\u043E\u0436\u0443 \u0443\u0432\u0456\u0439\u0442\u0438, \u0449\u043E \u043C\u0435\u043D\u0456 \u0440\u043E\u0431\u0438\u0442\u0438 \u0437 \u0446\u0438\u043C \u0456 \u044F\u043A \u0442\u0430 \u0449\u043E?", "uk"},
		{"\u6211\u7684\u8BA2\u5355\u5728\u54EA\u91CC\uFF1F", "zh"},
		{"\u30D1\u30B9\u30EF\u30FC\u30C9\u3092\u5FD8\u308C\u307E\u3057\u305F\u3002", "ja"},
		{"\uBE44\uBC00\uBC88\uD638\uB97C \uC78A\uC5C8\uC5B4\uC694", "ko"},
		{"\u0E25\u0E37\u0E21\u0E23\u0E2B\u0E31\u0E2A\u0E1C\u0E48\u0E32\u0E19", "th"},
		{"\u03BE\u03AD\u03C7\u03B1\u03C3\u03B1 \u03C4\u03BF\u03BD \u03BA\u03C9\u03B4\u03B9\u03BA\u03CC", "el"},
		{"\u0646\u0633\u064A\u062A \u0643\u0644\u0645\u0629 \u0627\u0644\u0645\u0631\u0648\u0631", "ar"},
		{"\u05E9\u05DB\u05D7\u05EA\u05D9 \u05D0\u05EA \u05D4\u05E1\u05D9\u05E1\u05DE\u05D4", "he"},
		{"\u092E\u0948\u0902 \u092A\u093E\u0938\u0935\u0930\u094D\u0921 \u092D\u0942\u0932 \u0917\u092F\u093E", "hi"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *got = language_guess(str_of(cases[i].text));
		if (strcmp(got, cases[i].expected) != 0)
			fail_msg("\"%s\": got %s, expected %s", cases[i].text, got, cases[i].expected);
	}
}

static void what_cannot_be_told_is_und(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "?", "12345 -- 67", "reset password", "hm", "OK", "X200 E-1234 router modem wifi",
	                                    "lorem ipsum dolor sit amet consectetur adipiscing elit", "\xFF\xFE\x80",
	                                    "foo() { return bar[i]; } // baz qux"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const char *got = language_guess(str_of(texts[i]));
		if (strcmp(got, "und") != 0)
			fail_msg("\"%s\": got %s", texts[i], got);
	}
	assert_string_equal(language_guess(STR_NULL), "und");
}

static void codes_are_known_by_themselves(void **state)
{
	(void)state;
	unsigned n = 0;
	for (; language_at(n) != NULL; n++)
		assert_ptr_equal(language_known(str_of(language_at(n))), language_at(n));
	assert_in_range(n, 12, 32); /* a policy keeps them as the bits of a word */
	assert_null(language_known(STR("xx")));
	assert_null(language_known(STR("und")));
	assert_null(language_known(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(languages_are_told_by_script_and_little_words),
		cmocka_unit_test(what_cannot_be_told_is_und),
		cmocka_unit_test(codes_are_known_by_themselves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
