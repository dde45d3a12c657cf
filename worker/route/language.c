/*
 * language.c: script first, then common words.
 *
 * The one idea: a wrong guess costs more than none, so a language is named only when its script is its own or its little
 * words are clearly more frequent than any other language's. It does not identify what it has no table for; such texts are
 * "und", and so are most texts of under five words.
 */
#include "worker/route/language.h"

#include "worker/route/fold.h"

enum script { SCRIPT_NONE, LATIN, CYRILLIC, GREEK, ARABIC, HEBREW, DEVANAGARI, THAI, HAN, KANA, HANGUL, SCRIPT_COUNT };

static const struct {
	uint32_t first, last;
	enum script script;
} scripts[] = {
	{0x41, 0x5A, LATIN},          {0x61, 0x7A, LATIN},      {0xC0, 0x24F, LATIN},     {0x370, 0x3FF, GREEK},
	{0x400, 0x52F, CYRILLIC},     {0x590, 0x5FF, HEBREW},   {0x600, 0x77F, ARABIC},   {0x900, 0x97F, DEVANAGARI},
	{0xE00, 0xE7F, THAI},         {0x1100, 0x11FF, HANGUL}, {0x1E00, 0x1EFF, LATIN},  {0x3040, 0x30FF, KANA},
	{0x3400, 0x9FFF, HAN},        {0xAC00, 0xD7AF, HANGUL}, {0xFF66, 0xFF9F, KANA},   {0x20000, 0x3FFFF, HAN},
};

/* Folded as the text is; words that two languages share stand in both and cancel out. */
static const struct {
	const char *code;
	enum script script;
	const char *words; /* between spaces */
} languages[] = {
	{"en", LATIN, " the and is are was to of in it you that for on with have this not be my we can your please what how do i does "
	              "from they would has an at or when why which been will there its were could should "},
	{"de", LATIN, " der die das und ist nicht ich ein eine zu mit sie wir auf es den dem von wie im kann fur bitte mein meine haben "
	              "werden auch sich bei aus wird noch nach aber wenn ihr habe sind oder was "},
	{"fr", LATIN, " le la les et est je un une des de pour pas que vous dans ne qui sur mon ma nous avec ce il plus sont votre du au "
	              "en mais comment cette bonjour suis pouvez ou se ai "},
	{"es", LATIN, " el la los las y es un una de que no en por para con mi se lo su como puedo esta pero me tengo mas al del cuando "
	              "donde hola estoy son ha sin hay "},
	{"it", LATIN, " il la i gli e un una di che non per con mi sono del della si come posso ho questo ma piu anche nel alla le lo da "
	              "al vorrei grazie perche quando stato "},
	{"pt", LATIN, " o a os as e um uma de que nao em para com por meu minha se eu do da no na como voce mais esta foi ao ou mas "
	              "obrigado estou posso quando tem muito "},
	{"nl", LATIN, " de het een en is van ik niet dat op te zijn met voor je mijn wij kan er maar om hoe bij ook aan heb naar wat dit "
	              "heeft worden graag u als nog uw "},
	{"sv", LATIN, " och att det som en ett ar jag inte pa med for den har av till kan om vi du min mitt fran hur men vad eller nar "
	              "skulle vill sa mig "},
	{"da", LATIN, " og at det som en et er jeg ikke pa med for den har af til kan om vi du min mit fra hvordan men hvad eller nar "
	              "skal vil mig blev "},
	{"pl", LATIN, " i w nie na sie z do to jest ze jak moj moja prosze mam ale czy po co przez dla od jestem byl za tak moge gdzie "
	              "ktory bardzo mnie "},
	{"cs", LATIN, " a je se na v ze to s do jak mi muj prosim nebo ale pro by jsem jsou neni ktery kde mam mohu uz tak jako od po "
	              "kdyz "},
	{"tr", LATIN, " ve bir bu ne icin ile da de benim nasil mi cok var degil olarak daha lutfen ama gibi olan kadar yok neden sonra "
	              "ben siz hesap "},
	{"ru", CYRILLIC, " и в не на я что с как это по но у за "
	              "мне мои для от из так вы мы он она быть есть почему можно "},
	{"uk", CYRILLIC, " і в не на я що з як це та але у за мені "
	              "мій для від із так ви ми він вона бути є чому можна до "},
	{"bg", CYRILLIC, " и в не на аз че с как това по но у за ми "
	              "са за от се да ви ние тои тя съм ли защо може е "},
	{"el", GREEK, ""},   {"ar", ARABIC, ""}, {"he", HEBREW, ""}, {"hi", DEVANAGARI, ""},
	{"th", THAI, ""},    {"zh", HAN, ""},    {"ja", KANA, ""},   {"ko", HANGUL, ""},
};
enum { LANGUAGE_COUNT = sizeof languages / sizeof languages[0], READ_BYTES = 4096 };

const char *language_at(unsigned i)
{
	return i < LANGUAGE_COUNT ? languages[i].code : NULL;
}

const char *language_known(struct str code)
{
	for (unsigned i = 0; i < LANGUAGE_COUNT; i++)
		if (str_is(code, languages[i].code))
			return languages[i].code;
	return NULL;
}

static enum script script_of(uint32_t c)
{
	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
		if (c >= scripts[i].first && c <= scripts[i].last)
			return scripts[i].script;
	return SCRIPT_NONE;
}

/* The script of six letters in ten; SCRIPT_NONE when there is none or there are hardly any letters. */
static enum script main_script(struct str text)
{
	uint32_t counts[SCRIPT_COUNT] = {0}, letters = 0;
	size_t bytes;
	for (size_t at = 0; at < text.len; at += bytes) {
		enum script s = script_of(fold_decode(text, at, &bytes));
		counts[s]++;
		letters += s != SCRIPT_NONE;
	}
	counts[SCRIPT_NONE] = 0;
	uint32_t east = counts[HAN] + counts[KANA];
	if (east * 10 >= letters * 6 && east >= 2)
		return counts[KANA] * 20 >= east ? KANA : HAN; /* Japanese is never long without kana */
	for (unsigned s = LATIN; s < SCRIPT_COUNT; s++)
		if (letters >= 4 && counts[s] * 10 >= letters * 6)
			return (enum script)s;
	return SCRIPT_NONE;
}

static bool in_list(const char *list, struct str word)
{
	for (const char *p = list; (p = strchr(p, word.data[0])) != NULL; p++)
		if (p[-1] == ' ' && strncmp(p, word.data, word.len) == 0 && p[word.len] == ' ')
			return true;
	return false;
}

static const char *by_words(struct str text, enum script script)
{
	char folded[FOLD_GROWTH * READ_BYTES];
	struct str s = {folded, fold_text(text, folded)};
	uint32_t hits[LANGUAGE_COUNT] = {0}, words = 0;
	size_t bytes;
	for (size_t at = 0; at < s.len; at += bytes) {
		if (!fold_is_word(fold_decode(s, at, &bytes)))
			continue;
		size_t end = at;
		while (end < s.len && fold_is_word(fold_decode(s, end, &bytes)))
			end += bytes;
		struct str word = {s.data + at, end - at};
		words++;
		for (unsigned i = 0; i < LANGUAGE_COUNT; i++)
			if (languages[i].script == script && languages[i].words[0] != '\0' && in_list(languages[i].words + 1, word))
				hits[i]++;
		at = end;
		bytes = 0;
	}
	unsigned best = 0, second = 1;
	if (hits[1] > hits[0])
		best = 1, second = 0;
	for (unsigned i = 2; i < LANGUAGE_COUNT; i++) {
		if (hits[i] > hits[best])
			second = best, best = i;
		else if (hits[i] > hits[second])
			second = i;
	}
	bool clear = hits[best] >= 2 && hits[best] * 8 >= words && hits[best] * 4 >= hits[second] * 5;
	return clear ? languages[best].code : "und";
}

const char *language_guess(struct str text)
{
	text.len = str_utf8_cut(text, READ_BYTES);
	enum script script = main_script(text);
	if (script == LATIN || script == CYRILLIC)
		return by_words(text, script);
	for (unsigned i = 0; i < LANGUAGE_COUNT; i++)
		if (script != SCRIPT_NONE && languages[i].script == script)
			return languages[i].code;
	return "und";
}
