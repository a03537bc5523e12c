// SPDX-License-Identifier: Apache-2.0
/*
 * PINs and claim codes for hsmctl: from a terminal, a file, a descriptor or a systemd
 * credential. Never from the command line or the environment, which other processes can read.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "hsmctl.h"

void secret_clear(struct secret *secret)
{
	OPENSSL_cleanse(secret, sizeof(*secret));
}

/*
 * Byte by byte, so that two secrets can come as two lines on one descriptor.
 * Return: 0, -EINVAL when the line is empty or too long, -EINTR, another negative errno.
 */
static int read_line(int fd, struct secret *secret)
{
	char c;
	ssize_t n;

	secret->length = 0;
	for (;;) {
		n = read(fd, &c, 1);
		if (n < 0)
			return -errno;
		if (!n || c == '\n')
			break;
		if (secret->length == SECRET_MAX)
			return -EINVAL;
		secret->text[secret->length++] = c;
	}
	OPENSSL_cleanse(&c, sizeof(c));
	return secret->length ? 0 : -EINVAL;
}

static int read_descriptor(struct ctl *ctl, const struct secret_source *source, const char *name,
			   int fd, struct secret *secret)
{
	int ret = read_line(fd, secret);

	if (ret == -EINVAL)
		return fail(ctl, CTL_USAGE, "%s: %s must be a line of 1 to %d bytes", name,
			    source->prompt, SECRET_MAX);
	if (ret)
		return fail(ctl, CTL_USAGE, "%s: cannot read %s: %s", name, source->prompt,
			    strerror(-ret));
	return CTL_OK;
}

static void warn_mode(const char *path, int fd)
{
	struct stat st;

	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && (st.st_mode & 077))
		fprintf(stderr, "hsmctl: warning: others can read or change %s; make it 0600\n",
			path);
}

static int read_file(struct ctl *ctl, const struct secret_source *source, const char *path,
		     struct secret *secret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int code;

	if (fd < 0)
		return fail(ctl, CTL_USAGE, "%s: cannot read %s: %s", path, source->prompt,
			    strerror(errno));
	warn_mode(path, fd);
	code = read_descriptor(ctl, source, path, fd, secret);
	close(fd);
	return code;
}

static int read_numbered(struct ctl *ctl, const struct secret_source *source, struct secret *secret)
{
	char name[32];
	uint32_t fd;

	if (parse_u32(source->fd, &fd) || fd > INT32_MAX)
		return fail(ctl, CTL_USAGE, "--%s-fd: '%s' is no descriptor number", source->option,
			    source->fd);
	snprintf(name, sizeof(name), "descriptor %u", fd);
	return read_descriptor(ctl, source, name, (int)fd, secret);
}

/* systemd.exec(5): a unit's credentials are files in a directory of its own. */
static int read_credential(struct ctl *ctl, const struct secret_source *source,
			   struct secret *secret)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[4096];

	if (!dir)
		return fail(
			ctl, CTL_USAGE,
			"--%s-credential: CREDENTIALS_DIRECTORY is not set; is this a systemd unit "
			"with LoadCredential=?",
			source->option);
	if (strchr(source->credential, '/') || *source->credential == '.' ||
	    (size_t)snprintf(path, sizeof(path), "%s/%s", dir, source->credential) >= sizeof(path))
		return fail(ctl, CTL_USAGE, "--%s-credential: '%s' is no name of a credential",
			    source->option, source->credential);
	return read_file(ctl, source, path, secret);
}

/* ---- terminal ---- */

static const int stop_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
#define N_STOP (sizeof(stop_signals) / sizeof(stop_signals[0]))

static volatile sig_atomic_t stopped_by;

static void note_signal(int number)
{
	stopped_by = number;
}

/*
 * The terminal's line mode makes it readable when a whole line is there: no read blocks after this.
 */
static int read_typed(int tty, const sigset_t *unblocked, struct secret *secret)
{
	struct pollfd ready = { .fd = tty, .events = POLLIN };

	if (ppoll(&ready, 1, NULL, unblocked) < 0)
		return -errno;
	return read_line(tty, secret);
}

/* Echo goes off before the prompt invites to type. */
static int prompt_hidden(int tty, const char *prompt, const char *again, const sigset_t *unblocked,
			 struct secret *secret)
{
	struct termios saved, hidden;
	int ret;

	if (tcgetattr(tty, &saved))
		return -errno;
	hidden = saved;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	hidden.c_lflag |= ICANON | ISIG;
	if (tcsetattr(tty, TCSAFLUSH, &hidden))
		return -errno;
	dprintf(tty, "%s%s: ", prompt, again);
	ret = read_typed(tty, unblocked, secret);
	tcsetattr(tty, TCSAFLUSH, &saved);
	dprintf(tty, "\n");
	return ret;
}

/*
 * Signals come only while it waits, so that none is lost between a look at stopped_by and the
 * wait; they take effect when the terminal is as it was.
 */
static int read_hidden(int tty, const char *prompt, const char *again, struct secret *secret)
{
	struct sigaction action = { .sa_handler = note_signal }, old[N_STOP];
	sigset_t blocked, unblocked;
	int ret;

	sigemptyset(&blocked);
	for (size_t i = 0; i < N_STOP; i++)
		sigaddset(&blocked, stop_signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, &unblocked);
	stopped_by = 0;
	for (size_t i = 0; i < N_STOP; i++)
		sigaction(stop_signals[i], &action, &old[i]);
	ret = prompt_hidden(tty, prompt, again, &unblocked, secret);
	for (size_t i = 0; i < N_STOP; i++)
		sigaction(stop_signals[i], &old[i], NULL);
	sigprocmask(SIG_SETMASK, &unblocked, NULL);
	if (stopped_by)
		raise(stopped_by);
	return ret;
}

static int ask(struct ctl *ctl, int tty, const struct secret_source *source, struct secret *secret)
{
	struct secret again = { 0 };
	bool same;
	int ret;

	ret = read_hidden(tty, source->prompt, "", secret);
	if (ret)
		return fail(ctl, CTL_USAGE, "no %s was given", source->prompt);
	if (!source->confirm)
		return CTL_OK;
	ret = read_hidden(tty, source->prompt, " again", &again);
	same = !ret && again.length == secret->length &&
	       !CRYPTO_memcmp(again.text, secret->text, secret->length);
	secret_clear(&again);
	return same ? CTL_OK : fail(ctl, CTL_USAGE, "the two were not the same");
}

static int open_terminal(void)
{
	return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

static int read_terminal(struct ctl *ctl, const struct secret_source *source, struct secret *secret)
{
	int tty = open_terminal();
	int code;

	if (tty < 0)
		return fail(ctl, CTL_USAGE,
			    "there is no terminal to ask for %s on; use --%s-file, --%s-fd or "
			    "--%s-credential",
			    source->prompt, source->option, source->option, source->option);
	code = ask(ctl, tty, source, secret);
	close(tty);
	return code;
}

int secret_read(struct ctl *ctl, const struct secret_source *source, struct secret *secret)
{
	memset(secret, 0, sizeof(*secret));
	if (source->file)
		return read_file(ctl, source, source->file, secret);
	if (source->fd)
		return read_numbered(ctl, source, secret);
	if (source->credential)
		return read_credential(ctl, source, secret);
	return read_terminal(ctl, source, secret);
}

int confirm(struct ctl *ctl, const char *format, ...)
{
	char answer[8] = "";
	va_list args;
	ssize_t n;
	int tty;

	if (ctl->yes)
		return CTL_OK;
	tty = open_terminal();
	if (tty < 0)
		return fail(ctl, CTL_USAGE,
			    "there is no terminal to ask on; --yes says that it is meant");
	va_start(args, format);
	vdprintf(tty, format, args);
	va_end(args);
	dprintf(tty, " Type yes to go on: ");
	n = read(tty, answer, sizeof(answer) - 1);
	close(tty);
	if (n == 4 && !strcmp(answer, "yes\n"))
		return CTL_OK;
	return fail(ctl, CTL_USAGE, "nothing was changed");
}

int confirm_result(struct ctl *ctl, const char *question)
{
	int code;

	/* As JSON it is one document, at the end. */
	if (!ctl->json) {
		code = output(ctl);
		if (code)
			return code;
		json_object_put(ctl->result);
		ctl->result = json_object_new_object();
	}
	return confirm(ctl, "%s", question);
}
