// SPDX-License-Identifier: Apache-2.0
/*
 * Who becomes the first officer of a board that is nobody's own directory: whoever can read a
 * one-time code in a private file beside the fuses. 100 random bits and a retry limit.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "internal.h"

#define CODE_CHARACTERS 20
#define CODE_GROUP	5
#define CODE_TEXT_MAX	64
#define CLAIM_FILE	"claim-code"

static int claim_path(const struct state *state, char *path, size_t capacity)
{
	char fuses[PATH_MAX];

	if (!fuses_in_file(state->config.fuses))
		return (size_t)snprintf(path, capacity, "%s/" CLAIM_FILE,
					state->config.directory) >= capacity
			       ? -ENAMETOOLONG
			       : 0;
	if ((size_t)snprintf(fuses, sizeof(fuses), "%s", state->config.fuses) >= sizeof(fuses))
		return -ENAMETOOLONG;
	if ((size_t)snprintf(path, capacity, "%s/" CLAIM_FILE, dirname(fuses)) >= capacity)
		return -ENAMETOOLONG;
	return 0;
}

/* Letters and digits in upper case, the rest left out: people type codes in many ways. */
static size_t normalize(const uint8_t *text, size_t length, char out[CODE_CHARACTERS + 1])
{
	size_t i, n = 0;

	memset(out, 0, CODE_CHARACTERS + 1);
	for (i = 0; i < length; i++) {
		if (!isalnum(text[i]))
			continue;
		if (n == CODE_CHARACTERS)
			return n + 1;
		out[n++] = (char)toupper(text[i]);
	}
	return n;
}

/* Groups of five, without the characters that look like others. */
static int draw_code(struct state *state, char *text)
{
	static const char alphabet[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
	uint8_t random[CODE_CHARACTERS];
	size_t i;
	int ret;

	ret = keys_random(state->keys, random, sizeof(random));
	for (i = 0; !ret && i < CODE_CHARACTERS; i++) {
		if (i && i % CODE_GROUP == 0)
			*text++ = '-';
		*text++ = alphabet[random[i] % 32];
	}
	*text++ = '\n';
	*text = '\0';
	OPENSSL_cleanse(random, sizeof(random));
	return ret;
}

static int write_code(struct state *state, const char *path)
{
	char text[CODE_TEXT_MAX];
	size_t length;
	int fd, ret;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	ret = draw_code(state, text);
	length = strlen(text);
	if (!ret && write(fd, text, length) != (ssize_t)length)
		ret = -EIO;
	if (!ret && fsync(fd))
		ret = -errno;
	close(fd);
	OPENSSL_cleanse(text, sizeof(text));
	if (ret)
		unlink(path);
	return ret;
}

/* Return: characters of the code, normalized, or a negative errno. */
static ssize_t read_code(const char *path, char code[CODE_CHARACTERS + 1])
{
	uint8_t text[CODE_TEXT_MAX];
	struct stat st;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	/* A file that others could have written is not the board's word. */
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		n = -EPERM;
	else
		n = read(fd, text, sizeof(text));
	close(fd);
	if (n > 0)
		n = (ssize_t)normalize(text, (size_t)n, code);
	OPENSSL_cleanse(text, sizeof(text));
	return n;
}

static int reset_failures(struct state *state)
{
	struct fuse_values values = *fuses_values(state->fuses);
	int ret = 0;

	if (values.claim_failures) {
		values.claim_failures = 0;
		ret = state_fuses(state, &values, false);
	}
	OPENSSL_cleanse(&values, sizeof(values));
	/* From here on counting begins anew in the events as well. */
	return ret ? ret : state_events_follow(state);
}

int claim_prepare(struct state *state, struct error *error)
{
	const struct fuse_values *values = fuses_values(state->fuses);
	char code[CODE_CHARACTERS + 1], path[PATH_MAX];
	int ret;

	ret = claim_path(state, path, sizeof(path));
	if (ret)
		return error_set(error, ret, "claim code: the path of the fuses is too long");
	if (values->flags & FUSE_CLAIMED || values->lifecycle == HSM_LIFECYCLE_DECOMMISSIONED) {
		unlink(path); /* when the claim was cut short after the fuses */
		return 0;
	}
	if (values->claim_failures < CLAIM_MAX_FAILURES &&
	    read_code(path, code) == CODE_CHARACTERS) {
		OPENSSL_cleanse(code, sizeof(code));
		board_log("unclaimed: the code for the first officer is in %s", path);
		return 0;
	}
	ret = write_code(state, path);
	if (!ret)
		ret = reset_failures(state);
	if (ret)
		return error_set(error, ret, "claim code %s: cannot be written: %s", path,
				 strerror(-ret));
	board_log("unclaimed: a new code for the first officer is in %s", path);
	return 0;
}

/* The failure is counted, durably, before the comparison: a crash gives no free try. */
static int claim_locked(struct state *state, const char given[CODE_CHARACTERS + 1], bool complete)
{
	struct fuse_values values = *fuses_values(state->fuses);
	char code[CODE_CHARACTERS + 1], path[PATH_MAX];
	int ret;

	if (values.flags & FUSE_CLAIMED)
		return -EALREADY;
	if (values.lifecycle == HSM_LIFECYCLE_DECOMMISSIONED || state->stale)
		return -EKEYREVOKED;
	if (values.claim_failures >= CLAIM_MAX_FAILURES)
		return -EPERM;
	values.claim_failures++;
	ret = state_fuses(state, &values, false);
	if (!ret)
		ret = claim_path(state, path, sizeof(path));
	if (!ret && read_code(path, code) != CODE_CHARACTERS) {
		board_log("claim code %s: cannot be read; restart the board for another", path);
		ret = -EACCES;
	}
	if (!ret && (!complete || CRYPTO_memcmp(given, code, CODE_CHARACTERS) != 0))
		ret = -EACCES;
	if (!ret) {
		values.claim_failures = 0;
		values.flags |= FUSE_CLAIMED;
		ret = state_fuses(state, &values, true);
	}
	if (!ret)
		unlink(path);
	OPENSSL_cleanse(code, sizeof(code));
	OPENSSL_cleanse(&values, sizeof(values));
	return ret;
}

int claim_try(struct state *state, const uint8_t *text, size_t length)
{
	char given[CODE_CHARACTERS + 1];
	size_t n;
	int ret;

	ret = state_enter(state);
	if (ret)
		return ret;
	n = normalize(text, length, given);
	ret = claim_locked(state, given, n == CODE_CHARACTERS);
	/* What the log cannot be told now it is at the next start: the fuses remember. */
	if (!state->failed)
		state_events_follow(state);
	state_leave(state);
	OPENSSL_cleanse(given, sizeof(given));
	return ret;
}
