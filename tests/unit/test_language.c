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

/* Messages as people write them to a support desk. A wrong name costs more than none: a text is kept from the stages that know it. */
static void messages_are_hardly_ever_named_wrongly_and_mostly_named(void **state)
{
	(void)state;
	static const struct {
		const char *language, *texts[6];
	} sets[] = {
		{"en", {"hi, the router I bought from you on monday keeps dropping the connection every evening",
		        "Can you please tell me why my invoice is higher than it was last month?",
		        "We ordered the Grand Café table for our office in Zürich and it has not arrived",
		        "is there a way to export all of my data before I cancel", "the app crashes when i open it on my phone, what should i do",
		        "Mr. Müller from Deutsche Bahn asked if you have this in blue"}},
		{"de", {"hallo, der router den ich am montag gekauft habe verliert jeden abend die verbindung",
		        "Warum ist meine Rechnung diesen Monat höher als im letzten?", "Wir haben den Tisch bestellt und er ist noch nicht da",
		        "Gibt es eine Möglichkeit, alle meine Daten zu sichern, bevor ich kündige?", "die app stürzt ab wenn ich sie auf dem handy öffne",
		        "Ich möchte mein Geld zurück, das Gerät ist kaputt und ihr antwortet nicht"}},
		{"fr", {"bonjour, le routeur que j'ai acheté lundi perd la connexion tous les soirs",
		        "Pourquoi ma facture est plus élevée que le mois dernier ?", "Nous avons commandé la table et elle n'est pas encore arrivée",
		        "comment exporter toutes mes données avant de résilier", "l'application plante quand je l'ouvre sur mon téléphone, que dois-je faire",
		        "Je veux être remboursé, l'appareil ne marche plus et vous ne répondez pas"}},
		{"es", {"hola, el router que compré el lunes pierde la conexión todas las noches",
		        "¿Por qué mi factura es más alta que la del mes pasado?", "Hemos pedido la mesa para la oficina y no ha llegado",
		        "¿hay una forma de exportar todos mis datos antes de cancelar?", "la aplicación se cierra cuando la abro en mi teléfono, qué hago",
		        "Quiero que me devuelvan el dinero, el aparato no funciona y no me responden"}},
		{"it", {"salve, il router che ho comprato lunedì perde la connessione tutte le sere",
		        "Perché la mia fattura è più alta del mese scorso?", "Abbiamo ordinato il tavolo per l'ufficio e non è ancora arrivato",
		        "come posso esportare tutti i miei dati prima di disdire", "l'app si chiude quando la apro sul mio telefono, che cosa devo fare",
		        "Vorrei il rimborso, il dispositivo non funziona e voi non rispondete alle mie mail"}},
		{"nl", {"hallo, de router die ik maandag heb gekocht verliest elke avond de verbinding",
		        "Waarom is mijn rekening hoger dan vorige maand?", "Wij hebben de tafel voor het kantoor besteld en hij is er nog niet",
		        "hoe kan ik al mijn gegevens exporteren voor ik opzeg", "de app loopt vast als ik hem op mijn telefoon open, wat moet ik doen",
		        "Ik wil graag mijn geld terug, het apparaat werkt niet en ik krijg geen antwoord van u"}},
		{"pt", {"olá, o router que comprei na segunda perde a ligação todas as noites",
		        "Por que a minha fatura está mais alta do que no mês passado?", "Encomendámos a mesa para o escritório e ainda não chegou",
		        "como posso exportar todos os meus dados antes de cancelar", "a aplicação fecha quando a abro no meu telefone, o que devo fazer",
		        "Quero o meu dinheiro de volta, o aparelho não funciona e não me respondem"}},
		{"pl", {"dzień dobry, router który kupiłem w poniedziałek traci połączenie co wieczór i nie wiem co robić",
		        "Dlaczego mój rachunek jest wyższy niż w zeszłym miesiącu?", "Zamówiliśmy stół do biura i jeszcze nie przyszedł",
		        "jak mogę wyeksportować moje dane przed rezygnacją", "aplikacja zamyka się gdy ją otwieram na telefonie, co mam zrobić",
		        "Proszę o zwrot pieniędzy, bo urządzenie nie działa, a nikt mi nie odpowiada"}},
	};
	unsigned all = 0, named = 0, wrong = 0;
	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
		for (size_t k = 0; k < 6; k++) {
			const char *guess = language_guess(str_of(sets[i].texts[k]));
			bool right = strcmp(guess, sets[i].language) == 0, none = strcmp(guess, "und") == 0;
			all++;
			named += right;
			wrong += !right && !none;
			if (!right)
				print_message("%s for %s: %s\n", guess, sets[i].language, sets[i].texts[k]);
		}
	print_message("%u of %u named rightly, %u wrongly\n", named, all, wrong);
	assert_true(named * 10 >= all * 8);
	assert_int_equal(wrong, 0);
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
		cmocka_unit_test(messages_are_hardly_ever_named_wrongly_and_mostly_named),
		cmocka_unit_test(what_cannot_be_told_is_und),
		cmocka_unit_test(codes_are_known_by_themselves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
