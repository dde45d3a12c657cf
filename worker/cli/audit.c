/*
 * audit.c: `pointsman audit verify`: the promise of delivery, checked over the user's own topics.
 */
#include <stdlib.h>

#include "common/clock.h"
#include "worker/cli/audit_report.h"

enum { LISTED = 20, MOST_LISTED = 1000000 };

static const char help[] =
    "usage: pointsman audit verify -c FILE [--since T] [--until T] [--max-listed N] [--json]\n"
    "\n"
    "Reads the input topics, responses, decisions, dead letters, the topics of routes and park topics as a\n"
    "read_committed consumer, up to ends that stood fast when they were asked for, and checks: each record that\n"
    "the group has finished with has exactly one final decision, the response and the dead letter that its outcome\n"
    "asks for; what was forwarded or parked stands exactly once in the topic it went to; and nothing came out that\n"
    "did not go in. With input.ordering: key, also that the records of each key were told of in their order.\n"
    "Workers may run meanwhile: what they have not finished is in progress, not lost. What retention has deleted,\n"
    "and what went to a topic that no route or model names now, is said and not judged. Nothing is written or\n"
    "committed. Of the secrets only the registry's are used.\n"
    "It takes about 90 to 140 bytes of memory an input record, nearly all of it for what came out.\n"
    "\n"
    "  -c, --config FILE      the configuration\n"
    "      --since T          only input records of that time on: 2026-11-24, 2026-11-24T10:00:00Z (UTC), or 2h, 30m, 7d\n"
    "      --until T          only input records before that time\n"
    "      --max-listed N     offenders listed of each kind (20)\n"
    "      --json             one JSON object instead of the table\n"
    "  -h, --help             this text\n"
    "\n"
    "Exit code 0: the promise holds; 4: it is broken; 1: it could not be checked.\n"
    "\n"
    "example: pointsman audit verify -c pointsman.yaml --since 24h\n";

/* "90m" before now, or a day or moment in UTC. */
static bool read_time(const char *text, int64_t now_ms, int64_t *ret)
{
	static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"};
	static const char units[] = "smhd";
	static const int64_t unit_ms[] = {1000, 60000, 3600000, 86400000};
	struct str s = str_of(text);
	const char *unit = s.len > 1 ? strchr(units, text[s.len - 1]) : NULL;
	int64_t n;
	if (unit != NULL && str_to_i64((struct str){text, s.len - 1}, &n) && n >= 0 && n <= 10000000) {
		*ret = now_ms - n * unit_ms[unit - units];
		return *ret >= 0;
	}
	for (unsigned i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct tm tm = {0};
		const char *end = strptime(text, forms[i], &tm);
		time_t seconds = end != NULL && *end == '\0' ? timegm(&tm) : -1;
		if (seconds < 0)
			continue;
		*ret = (int64_t)seconds * 1000;
		return true;
	}
	return false;
}

struct asked {
	int64_t since_ms, until_ms, listed;
	bool json;
};

static int verify(const struct settings *settings, const struct policy *policy, const struct asked *asked)
{
	struct err err;
	struct audit_books *books = heap_zalloc(1, sizeof *books);
	int code;
	if (audit_read(settings, policy, asked->since_ms, asked->until_ms, books, &err) != RC_OK) {
		code = cli_fail(&err, EXIT_FAILED);
	} else {
		struct ledger_result result = ledger_check(books->ledger, (uint32_t)asked->listed);
		(asked->json ? audit_report_json : audit_report_print)(books, &result, stdout);
		code = audit_report_holds(books, &result) ? EXIT_DONE : EXIT_CHECK;
	}
	audit_books_free(books);
	free(books);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'}, {"since", required_argument, NULL, 's'},
	                                      {"until", required_argument, NULL, 'u'},  {"max-listed", required_argument, NULL, 'n'},
	                                      {"json", no_argument, NULL, 'j'},         {"help", no_argument, NULL, 'h'}, {0}};
	struct asked asked = {.since_ms = -1, .until_ms = -1, .listed = LISTED};
	const char *config = NULL;
	int64_t now_ms = clock_wall_ms();
	int code = EXIT_DONE;
	for (int c; (c = cli_option(self, argc, argv, "c:h", longs, &code)) != -1;) {
		if (c == '?')
			return code;
		if (c == 'c')
			config = optarg;
		else if (c == 'j')
			asked.json = true;
		else if (c == 's' && !read_time(optarg, now_ms, &asked.since_ms))
			return cli_usage(self, "--since takes a time such as 2026-11-24T10:00:00Z or 2h, not \"%s\"", optarg);
		else if (c == 'u' && !read_time(optarg, now_ms, &asked.until_ms))
			return cli_usage(self, "--until takes a time such as 2026-11-24T10:00:00Z or 2h, not \"%s\"", optarg);
		else if (c == 'n' && (!str_to_i64(str_of(optarg), &asked.listed) || asked.listed < 0 || asked.listed > MOST_LISTED))
			return cli_usage(self, "--max-listed takes 0 to %d, not \"%s\"", MOST_LISTED, optarg);
	}
	if (optind + 1 != argc || strcmp(argv[optind], "verify") != 0)
		return cli_usage(self, "what is to be done? There is: audit verify");
	if (config == NULL)
		return cli_usage(self, "which configuration? Give it with -c FILE");
	struct settings settings;
	struct policy *policy;
	code = cli_policy(self, config, &settings, &policy);
	if (code == EXIT_DONE)
		code = verify(&settings, policy, &asked);
	policy_unref(policy);
	settings_free(&settings);
	return code;
}

const struct command command_audit = {.name = "audit", .summary = "check the promise of delivery over your topics", .help = help, .run = run};
