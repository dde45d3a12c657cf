/*
 * terminal.c: the terminal's mode, and the bytes that keys send.
 *
 * The one idea: signals come by a descriptor beside the keys, so every end, asked for by whom ever, is the same ordinary return
 * that puts the terminal back. The second screen is used: what was on the first one is there again afterwards.
 */
#include "worker/cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "common/arena.h"

enum { ESCAPE_MS = 50, LONGEST_SEQUENCE = 16, LEAST_COLUMNS = 20, LEAST_LINES = 6, MOST_LINES = 1000, MOST_COLUMNS = 1000 };

/* Second screen, no cursor, pasted text marked as such; and back. */
static const char enter[] = "\033[?1049h\033[?25l\033[?2004h", leave[] = "\033[?2004l\033[?25h\033[?1049l";

struct terminal {
	int fd, signal_fd;
	struct termios before;
	sigset_t old_mask;
};

static void put(const struct terminal *t, const char *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t n = write(t->fd, text, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* the next read says that the terminal is gone */
		text += n;
		bytes -= (size_t)n;
	}
}

static bool to_raw(const struct terminal *t)
{
	struct termios raw = t->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
	raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IXON);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(t->fd, TCSADRAIN, &raw) != 0)
		return false;
	put(t, enter, sizeof enter - 1);
	return true;
}

static void put_back(const struct terminal *t)
{
	put(t, leave, sizeof leave - 1);
	(void)tcsetattr(t->fd, TCSADRAIN, &t->before); /* it can only fail when the terminal is gone */
}

enum rc terminal_open(struct terminal **ret, struct err *err)
{
	static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
	struct terminal t = {.signal_fd = -1};
	sigset_t set;
	t.fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (t.fd < 0 || tcgetattr(t.fd, &t.before) != 0) {
		if (t.fd >= 0)
			close(t.fd);
		return err_set(err, RC_UNAVAILABLE, "there is no terminal to show rows on and to read keys from; run it in one (ssh -t, docker run -it)");
	}
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
		sigaddset(&set, taken[i]);
	if (sigprocmask(SIG_BLOCK, &set, &t.old_mask) == 0)
		t.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (t.signal_fd < 0 || !to_raw(&t)) {
		int why = errno;
		if (t.signal_fd >= 0)
			close(t.signal_fd);
		close(t.fd);
		return err_set(err, RC_FATAL, "the terminal's mode cannot be changed: %s", strerror(why));
	}
	*ret = heap_alloc(sizeof **ret);
	**ret = t;
	return RC_OK;
}

void terminal_close(struct terminal *t)
{
	if (t == NULL)
		return;
	put_back(t);
	close(t->signal_fd);
	close(t->fd);
	(void)sigprocmask(SIG_SETMASK, &t->old_mask, NULL); /* a mask that was there is valid */
	free(t);
}

/* Ctrl-Z: the terminal as it was, and a real stop, so that the shell sees it. */
static int stop_and_go_on(const struct terminal *t)
{
	put_back(t);
	(void)raise(SIGSTOP); /* cannot fail for oneself */
	return to_raw(t) ? TERMINAL_REDRAW : TERMINAL_ENDED;
}

static int take_signal(const struct terminal *t)
{
	struct signalfd_siginfo info;
	if (read(t->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
		return 0;
	switch (info.ssi_signo) {
	case SIGTSTP: return stop_and_go_on(t);
	case SIGWINCH: return TERMINAL_REDRAW;
	case SIGINT: return TERMINAL_INTERRUPTED;
	default: return TERMINAL_ENDED;
	}
}

/* The next byte, or -1: none within timeout_ms. */
static int next_byte(const struct terminal *t, int timeout_ms)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};
	unsigned char c;
	return poll(&p, 1, timeout_ms) == 1 && read(t->fd, &c, 1) == 1 ? c : -1;
}

/* What stands behind ESC [ up to its last character, as in "5~"; empty for anything else. */
static struct str read_sequence(const struct terminal *t, char out[LONGEST_SEQUENCE])
{
	size_t n = 0;
	int c = next_byte(t, ESCAPE_MS);
	if (c != '[' && c != 'O')
		return STR("");
	do {
		c = next_byte(t, ESCAPE_MS);
		if (c >= 0 && n < LONGEST_SEQUENCE)
			out[n++] = (char)c;
	} while (c >= 0 && (c < '@' || c > '~'));
	return (struct str){out, n};
}

static void swallow_paste(const struct terminal *t)
{
	char sequence[LONGEST_SEQUENCE];
	for (int c; (c = next_byte(t, ESCAPE_MS)) >= 0;)
		if (c == '\033' && str_is(read_sequence(t, sequence), "201~"))
			return;
}

/* 0: none of the keys that matter. */
static int take_escape(const struct terminal *t)
{
	static const struct {
		const char *sequence;
		int key;
	} keys[] = {{"A", TERMINAL_UP}, {"B", TERMINAL_DOWN}, {"5~", TERMINAL_PAGE_UP}, {"6~", TERMINAL_PAGE_DOWN}};
	char text[LONGEST_SEQUENCE];
	struct str sequence = read_sequence(t, text);
	if (str_is(sequence, "200~"))
		swallow_paste(t);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (str_is(sequence, keys[i].sequence))
			return keys[i].key;
	return 0;
}

int terminal_key(struct terminal *t)
{
	struct pollfd p[2] = {{.fd = t->signal_fd, .events = POLLIN}, {.fd = t->fd, .events = POLLIN}};
	for (int key = 0;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return TERMINAL_ENDED;
		if ((p[0].revents & POLLIN) != 0 && (key = take_signal(t)) != 0)
			return key;
		if (p[1].revents == 0)
			continue;
		unsigned char c;
		ssize_t n = read(t->fd, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return TERMINAL_ENDED;
		if (c != '\033')
			return c;
		if ((key = take_escape(t)) != 0)
			return key;
	}
}

void terminal_size(const struct terminal *t, uint32_t *ret_columns, uint32_t *ret_lines)
{
	struct winsize size = {0};
	bool known = ioctl(t->fd, TIOCGWINSZ, &size) == 0;
	uint32_t columns = known && size.ws_col != 0 ? size.ws_col : 80, lines = known && size.ws_row != 0 ? size.ws_row : 24;
	*ret_columns = columns < LEAST_COLUMNS ? LEAST_COLUMNS : columns > MOST_COLUMNS ? MOST_COLUMNS : columns;
	*ret_lines = lines < LEAST_LINES ? LEAST_LINES : lines > MOST_LINES ? MOST_LINES : lines;
}

void terminal_draw(struct terminal *t, struct str text)
{
	static const char clear[] = "\033[H\033[2J";
	put(t, clear, sizeof clear - 1);
	put(t, text.data, text.len);
}
