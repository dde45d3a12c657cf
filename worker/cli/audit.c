/*
 * audit.c: `pointsman audit verify`: the promise of delivery, checked over the user's own topics.
 */
#include <stdlib.h>

#include "worker/cli/audit_report.h"

enum { LISTED = 20, MOST_LISTED = 1000000 };

static const char usage[] = "verify -c FILE [--since T] [--until T] [--max-listed N] [--json]\n";
static const char about[] =
    "Reads the input topics, responses, decisions, dead letters, the topics of routes and park topics as a\n"
    "read_committed consumer, up to ends that stood fast when they were asked for, and checks: each record that\n"
    "the group has finished with has exactly one final decision, the response and the dead letter that its outcome\n"
    "asks for; what was forwarded or parked stands exactly once in the topic it went to; and nothing came out that\n"
    "did not go in. With input.ordering: key, also that the records of each key were told of in their order.\n"
    "Workers may run meanwhile: what they have not finished is in progress, not lost. What retention has deleted,\n"
    "and what went to a topic that no route or model names now, is said and not judged. Nothing is written or\n"
    "committed. Of the secrets only the registry's are used.\n"
    "It takes about 90 to 140 bytes of memory an input record, nearly all of it for what came out.\n";
static const char notes[] = "Exit code 0: the promise holds; 4: it is broken; 1: it could not be checked.\n";
static const char example[] = "pointsman audit verify -c pointsman.yaml --since 24h\n";

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
	struct asked asked = {.since_ms = -1, .until_ms = -1, .listed = LISTED};
	const char *config = NULL, *what = NULL;
	const struct arg args[] = {
		{.operand = &what, .needed = "what is to be done? There is: audit verify"},
		{'c', "config", "FILE", "the configuration", .text = &config},
		{0, "since", "WHEN", "only input records of that time on: 2h, 7d (ago), 2026-11-24, 2026-11-24T10:00:00Z", .moment_ms = &asked.since_ms},
		{0, "until", "WHEN", "only input records before that time", .moment_ms = &asked.until_ms},
		{0, "max-listed", "N", "offenders listed of each kind", .number = &asked.listed, .most = MOST_LISTED},
		{0, "json", NULL, "one JSON object instead of the table", .flag = &asked.json},
		{0},
	};
	struct settings settings;
	struct policy *policy;
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	if (strcmp(what, "verify") != 0)
		return cli_usage(self, "audit cannot \"%s\". There is: audit verify", what);
	if (config == NULL)
		return cli_usage(self, "which configuration? Give it with -c FILE");
	code = cli_policy(self, config, NULL, &settings, &policy);
	if (code == EXIT_DONE)
		code = verify(&settings, policy, &asked);
	policy_unref(policy);
	settings_free(&settings);
	return code;
}

const struct command command_audit = {
	.name = "audit", .summary = "check the promise of delivery over your topics", .usage = usage, .about = about,
	.notes = notes, .example = example, .run = run,
};
