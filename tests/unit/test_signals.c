/*
 * test_signals.c: what a signal does before and after main reads them, tried on a child process each.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/engine/signals.h"

enum { READ_IT = 40, OTHER = 41, BROKEN = 42 };

/* In the child: says that it is ready, and waits for what comes. */
static _Noreturn void play(bool started, int ready_fd)
{
	struct signals *signals = NULL;
	if (signals_open(&signals, NULL) != RC_OK || (started && signals_next(signals, 0) != 0) || write(ready_fd, "r", 1) != 1)
		_exit(BROKEN);
	if (!started)
		for (;;)
			(void)pause(); /* a blocking start */
	int got;
	while ((got = signals_next(signals, 1000)) == 0) {
	}
	signals_close(signals);
	_exit(got == SIGTERM ? READ_IT : OTHER);
}

static int exit_code_after(bool started, int signal_number)
{
	int ends[2], status = 0;
	char byte;
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0)
		play(started, ends[1]);
	assert_true(child > 0);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	assert_int_equal(kill(child, signal_number), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_signal_during_the_start_ends_the_process_at_once(void **state)
{
	(void)state; /* none is shared */
	assert_int_equal(exit_code_after(false, SIGTERM), 0);
	assert_int_equal(exit_code_after(false, SIGINT), 0);
}

static void a_signal_after_the_start_is_read(void **state)
{
	(void)state; /* none is shared */
	assert_int_equal(exit_code_after(true, SIGTERM), READ_IT);
	assert_int_equal(exit_code_after(true, SIGHUP), OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_during_the_start_ends_the_process_at_once),
		cmocka_unit_test(a_signal_after_the_start_is_read),
	};
	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
