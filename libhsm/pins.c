// SPDX-License-Identifier: Apache-2.0
/*
 * Identities that were seen before: a file with lines `KEY sha256:HEX`, one for each partition.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "heap.h"
#include "trust.h"

#define FILE_MAX (4 * 1024 * 1024)

/* The home directory; a service started without HOME has that of its user. */
static int home_directory(char *path, size_t size)
{
	const char *home = secure_getenv("HOME");
	struct passwd entry, *found = NULL;
	char buffer[1024];

	if (home && home[0] == '/')
		return snprintf(path, size, "%s", home) < (int)size ? 0 : -ENOENT;
	if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) || !found ||
	    entry.pw_dir[0] != '/')
		return -ENOENT;
	return snprintf(path, size, "%s", entry.pw_dir) < (int)size ? 0 : -ENOENT;
}

int pins_path(char *path, size_t size)
{
	const char *state = secure_getenv("XDG_STATE_HOME");
	char home[NAME_PATH_MAX];

	if (state && state[0] == '/')
		return snprintf(path, size, "%s/hsm/known-partitions", state) < (int)size ? 0
											  : -ENOENT;
	if (home_directory(home, sizeof(home)))
		return -ENOENT;
	return snprintf(path, size, "%s/.local/state/hsm/known-partitions", home) < (int)size
		       ? 0
		       : -ENOENT;
}

static int make_parents(const char *path)
{
	char part[NAME_PATH_MAX + 64];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (mkdir(part, 0700) != 0 && errno != EEXIST && access(part, X_OK) != 0)
			return -errno;
	}
	return 0;
}

/* Read the whole file as a string. A file that does not exist is an empty one. */
static int read_all(const char *path, char **text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	ssize_t n = 0;
	int err = 0;

	if (fd < 0 && errno != ENOENT)
		return -errno;
	if (fd < 0) {
		*text = heap_string("");
		return *text ? 0 : -ENOMEM;
	}
	if (fstat(fd, &st) != 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		err = -EFBIG;
	*text = err ? NULL : calloc(1, (size_t)st.st_size + 1);
	if (!err && !*text)
		err = -ENOMEM;
	if (!err)
		n = read(fd, *text, (size_t)st.st_size);
	close(fd);
	if (!err && n < 0)
		err = -EIO;
	if (err) {
		free(*text);
		*text = NULL;
	}
	return err;
}

static int look_up(const char *text, const char *key, const uint8_t *hash)
{
	uint8_t known[IDENTITY_HASH_SIZE];
	size_t key_length = strlen(key);

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *rest = line + key_length;

		if (strncmp(line, key, key_length) || strncmp(rest, " sha256:", 8))
			continue;
		if (hex_parse(rest + 8, known, sizeof(known)) == 0 &&
		    CRYPTO_memcmp(known, hash, sizeof(known)) == 0)
			return PIN_MATCH;
		return PIN_MISMATCH;
	}
	return PIN_UNKNOWN;
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		length -= (size_t)n;
	}
	return 0;
}

/* A reader sees the old file or the new one, also after a crash. */
static int replace(const char *path, const char *text, const char *key, const uint8_t *hash)
{
	size_t length = strlen(text);
	const char *newline = length > 0 && text[length - 1] != '\n' ? "\n" : "";
	char hex[2 * IDENTITY_HASH_SIZE + 1];
	char new_path[NAME_PATH_MAX + 64];
	char line[256];
	int fd, err;

	hex_format(hash, IDENTITY_HASH_SIZE, hex);
	snprintf(line, sizeof(line), "%s%s sha256:%s\n", newline, key, hex);
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text, length);
	if (!err)
		err = write_all(fd, line, strlen(line));
	if (!err && fsync(fd) != 0)
		err = -errno;
	close(fd);
	if (!err && rename(new_path, path) != 0)
		err = -errno;
	if (err)
		unlink(new_path);
	return err;
}

static int lock_file(const char *path)
{
	char lock_path[NAME_PATH_MAX + 64];
	int fd;

	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) != 0) {
		if (errno == EINTR)
			continue;
		close(fd);
		return -errno;
	}
	return fd;
}

static int check_locked(const char *path, const char *key, const uint8_t *hash, bool remember)
{
	char *text = NULL;
	int answer = read_all(path, &text);

	if (!answer)
		answer = look_up(text, key, hash);
	if (answer == PIN_UNKNOWN && remember) {
		int err = replace(path, text, key, hash);

		answer = err ? err : PIN_UNKNOWN;
	}
	free(text);
	return answer;
}

int pins_check(const char *path, const char *key, const uint8_t hash[IDENTITY_HASH_SIZE],
	       bool remember)
{
	char *text = NULL;
	int answer;
	int lock;

	/*
	 * The usual case: it is known. The file is replaced as a whole, so reading needs no
	 * lock.
	 */
	answer = read_all(path, &text);
	if (!answer)
		answer = look_up(text, key, hash);
	free(text);
	if (answer != PIN_UNKNOWN || !remember)
		return answer;
	answer = make_parents(path);
	if (answer)
		return answer;
	lock = lock_file(path);
	if (lock < 0)
		return lock;
	answer = check_locked(path, key, hash, true);
	close(lock);
	return answer;
}
