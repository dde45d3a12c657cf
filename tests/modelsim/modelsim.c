/*
 * modelsim.c: a simulated model server: OpenAI's chat and embeddings endpoints with chosen latency and errors.
 *
 * What it is for: tests, benches and the demo need a model's server that costs nothing, that can be slow, limited or
 * broken at will, and that tells afterwards whether any request was answered twice. One thread, so that it uses one core
 * and no more. This file reads the command line and waits; server.c does the rest.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/modelsim/server.h"

static const char help[] =
    "usage: modelsim [OPTION...]\n"
    "A simulated model server: POST /v1/chat/completions and /v1/embeddings, without a model.\n"
    "\n"
    "  --port N           listen there; 0 (the default) takes a free port. The port is printed on a line of its own\n"
    "  --listen ADDRESS   IPv4 address to listen on (127.0.0.1)\n"
    "  --latency-ms MS    how long a call takes; the median with --sigma (0)\n"
    "  --sigma S          spread of a log-normal latency; 0 is a fixed one (0)\n"
    "  --p429 SHARE       share of calls answered 429 with Retry-After (0)\n"
    "  --p500 SHARE       share of calls answered 500 (0)\n"
    "  --retry-after S    seconds in Retry-After (1)\n"
    "  --stall 1          accept calls and answer nothing until /config?stall=0\n"
    "  --router MODE      how a question for a route (a JSON schema \"route\") is answered: good, fence, prose, unsure, wrong, empty,\n"
    "                     echo, contradict, cut, type, boast, word, huge, bytes, late, mixed (good). The right route is the one whose\n"
    "                     name the text begins with\n"
    "  --logprobs 0       give no token probabilities\n"
    "  --record FILE      write every request down there, headers and body, a JSON object a line\n"
    "  --seed N           start of the random numbers (1)\n"
    "  --help             this text\n"
    "\n"
    "GET  /stats          counts as JSON. dup_calls: calls answered 200 whose Idempotency-Key was answered 200 before;\n"
    "                     dup_record_calls: the same by x-record-id\n"
    "POST /reset          counts back to 0\n"
    "POST /config?latency_ms=&sigma=&p429=&p500=&retry_after=&stall=&router=&logprobs=&seed=   changes the behaviour of the running server\n"
    "Headers of a request: x-sim-status: 503, x-sim-latency-ms: 250, x-sim-retry-after: 2, x-sim-garbage: 1 (no JSON),\n"
    "                     x-sim-no-usage: 1, x-sim-bytes: 2000000 (length of the answer), x-sim-reset: 1 (connection closed)\n"
    "\n"
    "example: modelsim --port 8000 --latency-ms 300 --sigma 0.5 --p429 0.02\n";

static const struct option options[] = {
    {"port", required_argument, NULL, 'p'},       {"listen", required_argument, NULL, 'l'},
    {"latency-ms", required_argument, NULL, 's'}, {"sigma", required_argument, NULL, 's'},
    {"p429", required_argument, NULL, 's'},       {"p500", required_argument, NULL, 's'},
    {"retry-after", required_argument, NULL, 's'}, {"stall", required_argument, NULL, 's'},
    {"router", required_argument, NULL, 's'},     {"logprobs", required_argument, NULL, 's'},
    {"seed", required_argument, NULL, 's'},       {"help", no_argument, NULL, 'h'},
    {"record", required_argument, NULL, 'r'},
    {NULL, 0, NULL, 0},
};

struct arguments {
	const char *listen, *record;
	uint16_t port;
	struct behaviour behaviour;
};

/* An option's name is the setting's with '-' for '_'. */
static bool set_behaviour(struct behaviour *behaviour, const char *name, const char *value)
{
	char setting[32];
	size_t length = strlen(name);
	if (length >= sizeof setting)
		return false;
	for (size_t i = 0; i <= length; i++)
		setting[i] = name[i] == '-' ? '_' : name[i];
	return behaviour_set(behaviour, str_of(setting), str_of(value)) == SETTING_OK;
}

/* -1: go on; else the exit code. */
static int read_arguments(int argc, char **argv, struct arguments *ret)
{
	for (int option, at = 0; (option = getopt_long(argc, argv, "h", options, &at)) != -1;) {
		int64_t port;
		switch (option) {
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'l':
			ret->listen = optarg;
			break;
		case 'r':
			ret->record = optarg;
			break;
		case 'p':
			if (!str_to_i64(str_of(optarg), &port) || port < 0 || port > 65535) {
				fprintf(stderr, "modelsim: --port %s: not a port number\n", optarg);
				return 2;
			}
			ret->port = (uint16_t)port;
			break;
		case 's':
			if (!set_behaviour(&ret->behaviour, options[at].name, optarg)) {
				fprintf(stderr, "modelsim: --%s %s: not a number, or out of range\n", options[at].name, optarg);
				return 2;
			}
			break;
		default:
			fputs("modelsim: see --help\n", stderr);
			return 2;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "modelsim: %s: unexpected; see --help\n", argv[optind]);
		return 2;
	}
	return -1;
}

static int signals_fd(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* A connection is a descriptor; the usual soft limit of 1,024 is too low for a bench. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		fputs("modelsim: the limit of open files cannot be raised; fewer connections fit\n", stderr);
}

/* Returns when a signal asks for the end. */
static int serve(struct server *server, int signals)
{
	struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = server_fd(server), .events = POLLIN}};
	for (;;) {
		int64_t wait_us = server_wait_us(server);
		struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
		if (ppoll(fds, 2, wait_us < 0 ? NULL : &wait, NULL) < 0 && errno != EINTR) {
			perror("modelsim: ppoll");
			return 1;
		}
		if ((fds[0].revents & POLLIN) != 0)
			return 0;
		server_run(server);
	}
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.listen = "127.0.0.1", .behaviour = {.retry_after_s = 1, .random = 1}};
	int code = read_arguments(argc, argv, &arguments);
	if (code >= 0)
		return code;
	int signals = signals_fd();
	if (signals < 0) {
		perror("modelsim: signals");
		return 1;
	}
	FILE *record = arguments.record != NULL ? fopen(arguments.record, "ab") : NULL;
	if (arguments.record != NULL && record == NULL) {
		fprintf(stderr, "modelsim: %s: %s\n", arguments.record, strerror(errno));
		close(signals);
		return 1;
	}
	raise_descriptor_limit();
	struct server *server = server_start(arguments.listen, arguments.port, arguments.behaviour);
	if (server == NULL) {
		fprintf(stderr, "modelsim: cannot listen on %s port %u: %s\n", arguments.listen, arguments.port, strerror(errno));
		close(signals);
		return 1;
	}
	server_record(server, record);
	printf("%u\n", server_port(server));
	fflush(stdout);
	code = serve(server, signals);
	server_stop(server);
	if (record != NULL && fclose(record) != 0)
		perror("modelsim: --record");
	close(signals);
	return code;
}
