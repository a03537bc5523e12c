// SPDX-License-Identifier: Apache-2.0
/*
 * Where SoftHSM 2 keeps its tokens: the directory that its configuration names, in it one of each token, in that a
 * file of the token and one of each object. What lies there is another program's; it is read under that program's locks and never written.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <hsm/pkcs11.h>
#include <hsm/seal.h>
#include "hsmctl-softhsm.h"

#define TOKEN_FILE   "token.object"
#define DATABASE     "sqlite3.db"
#define SUFFIX	     ".object"
#define OBJECTS_MAX  100000
#define TOKEN_LABEL  (CKA_VENDOR_DEFINED + 0x5349)
#define TOKEN_SERIAL (CKA_VENDOR_DEFINED + 0x534a)
#define PATH_SIZE    4096
#define LINE_SIZE    8192

/* ---- files ---- */

/* SoftHSM holds a lock while it writes. */
static int lock(int fd)
{
	struct flock range = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLK, &range) ? -EBUSY : 0;
}

static int read_all(int fd, uint8_t *data, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = read(fd, data + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

void soft_free(struct soft_object *object)
{
	hsm_secret_free(object->data, object->size);
	*object = (struct soft_object){ 0 };
}

/* What it holds will be keys in the clear: whatever happens, it is wiped, and it is kept out of swap. */
static int load(int fd, struct soft_object *object)
{
	struct stat st;
	uint8_t *data;
	size_t size;
	int ret;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > SOFT_FILE_MAX)
		return -EBADMSG;
	size = (size_t)st.st_size;
	ret = lock(fd);
	if (ret)
		return ret;
	data = hsm_secret_alloc(size);
	if (!data)
		return -ENOMEM;
	ret = read_all(fd, data, size);
	if (!ret)
		return soft_parse(object, data, size);
	hsm_secret_free(data, size);
	return ret;
}

int soft_token_load(const struct soft_token *token, const char *name, struct soft_object *object)
{
	int fd = openat(token->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int ret;

	if (fd < 0)
		return -errno;
	ret = load(fd, object);
	close(fd);
	return ret;
}

/* ---- one token ---- */

/* A text of fixed length, padded with blanks */
static void take_text(const struct soft_object *object, uint64_t type, char *text, size_t size)
{
	const struct soft_value *value = soft_find(object, type, SOFT_BYTES);
	size_t length = value ? value->length : 0;

	if (length > size - 1)
		length = size - 1;
	if (length)
		memcpy(text, value->bytes, length);
	while (length && text[length - 1] == ' ')
		length--;
	text[length] = '\0';
}

static int read_token(struct soft_token *token)
{
	int ret = soft_token_load(token, TOKEN_FILE, &token->object);

	if (ret)
		return ret;
	take_text(&token->object, TOKEN_LABEL, token->label, sizeof(token->label));
	take_text(&token->object, TOKEN_SERIAL, token->serial, sizeof(token->serial));
	return 0;
}

static bool is_object(const char *name)
{
	size_t length = strlen(name);

	return length > strlen(SUFFIX) && length < SOFT_NAME_SIZE &&
	       !strcmp(name + length - strlen(SUFFIX), SUFFIX) && strcmp(name, TOKEN_FILE);
}

static int add_name(struct soft_token *token, const char *name)
{
	char(*more)[SOFT_NAME_SIZE];

	if (token->count == OBJECTS_MAX)
		return -E2BIG;
	if (!(token->count & (token->count - 1))) {
		more = realloc(token->names, (2 * token->count + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		token->names = more;
	}
	snprintf(token->names[token->count++], SOFT_NAME_SIZE, "%s", name);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int list_objects(struct soft_token *token)
{
	int fd = openat(token->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int ret = 0;

	if (!dir) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return ret;
	}
	errno = 0;
	while (!ret && (entry = readdir(dir))) {
		if (is_object(entry->d_name))
			ret = add_name(token, entry->d_name);
		errno = 0;
	}
	/* A part would be taken for all, and the old token be deleted after it. */
	if (!ret)
		ret = -errno;
	closedir(dir);
	if (token->count)
		qsort(token->names, token->count, sizeof(*token->names), by_name);
	return ret;
}

static int fail_token(struct ctl *ctl, const struct soft_token *token, const char *which, int error)
{
	if (error == -ENOENT && !faccessat(token->dir, DATABASE, F_OK, 0))
		return fail(
			ctl, CTL_USAGE,
			"%s: this token is in a database (objectstore.backend = db), which is not "
			"read; only tokens in files are",
			which);
	if (error == -EBADMSG)
		return fail(ctl, CTL_USAGE, "%s: %s is damaged, or none of SoftHSM's", which,
			    TOKEN_FILE);
	if (error == -EBUSY)
		return fail(ctl, CTL_USAGE, "%s: a program is writing to the token; end it first",
			    which);
	return fail(ctl, CTL_USAGE, "%s: no token of SoftHSM can be read there: %s", which,
		    strerror(-error));
}

void soft_token_close(struct soft_token *token)
{
	if (token->dir > 0)
		close(token->dir);
	free(token->names);
	soft_free(&token->object);
	*token = (struct soft_token){ 0 };
}

/* ---- all of them ---- */

/* Where SoftHSM looks for its configuration */
static FILE *open_config(char path[PATH_SIZE])
{
	const char *named = getenv("SOFTHSM2_CONF"), *home = getenv("HOME");
	FILE *file = NULL;

	if (named) {
		snprintf(path, PATH_SIZE, "%s", named);
		return fopen(path, "re");
	}
	if (home &&
	    snprintf(path, PATH_SIZE, "%s/.config/softhsm2/softhsm2.conf", home) < PATH_SIZE)
		file = fopen(path, "re");
	if (file)
		return file;
	snprintf(path, PATH_SIZE, "/etc/softhsm/softhsm2.conf");
	return fopen(path, "re");
}

static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	for (length = strlen(text); length && strchr(" \t\r\n", text[length - 1]); length--)
		text[length - 1] = '\0';
	return text;
}

/* directories.tokendir = PATH */
static bool tokens_line(char *line, char tokens[PATH_SIZE])
{
	char *value;

	line[strcspn(line, "#")] = '\0';
	value = strchr(line, '=');
	if (!value)
		return false;
	*value++ = '\0';
	if (strcmp(trim(line), "directories.tokendir"))
		return false;
	snprintf(tokens, PATH_SIZE, "%s", trim(value));
	return true;
}

static int find_tokens(struct ctl *ctl, char tokens[PATH_SIZE])
{
	char path[PATH_SIZE], line[LINE_SIZE];
	FILE *file = open_config(path);
	bool found = false;

	if (!file)
		return fail(
			ctl, CTL_USAGE,
			"%s: SoftHSM's configuration cannot be read: %s; SOFTHSM2_CONF names it, or "
			"say the token's directory",
			path, strerror(errno));
	while (!found && fgets(line, sizeof(line), file))
		found = tokens_line(line, tokens);
	fclose(file);
	return found ? CTL_OK : fail(ctl, CTL_USAGE, "%s: no directories.tokendir in it", path);
}

static bool is_meant(const struct soft_token *token, const char *which)
{
	return !strcmp(token->label, which) || !strcmp(token->serial, which);
}

/**
 * struct search - for a token among others
 * @seen: labels that do not fit
 * @found: number of those that do, the last of which is in @token
 */
struct search {
	const char *which;
	struct soft_token *token;
	size_t found;
	char seen[512];
};

static void note_label(struct search *search, const char *label)
{
	size_t used = strlen(search->seen);

	snprintf(search->seen + used, sizeof(search->seen) - used, "%s%s", used ? ", " : "", label);
}

static void look(struct search *search, int tokens, const char *name)
{
	struct soft_token token = {
		.dir = openat(tokens, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
	};

	if (token.dir < 0)
		return;
	if (read_token(&token)) {
		note_label(search, faccessat(token.dir, DATABASE, F_OK, 0) ? "(unreadable)"
									   : "(in a database)");
	} else if (is_meant(&token, search->which)) {
		search->found++;
		soft_token_close(search->token);
		*search->token = token;
		return;
	} else {
		note_label(search, token.label);
	}
	soft_token_close(&token);
}

static int fail_search(struct ctl *ctl, const struct search *search, const char *tokens)
{
	if (search->found)
		return fail(
			ctl, CTL_USAGE,
			"%s: %zu tokens have the label '%s'; say the serial number or the directory "
			"of one",
			tokens, search->found, search->which);
	return fail(ctl, CTL_USAGE, "%s: no token '%s'; there %s %s", tokens, search->which,
		    *search->seen ? "are:" : "is", *search->seen ? search->seen : "none");
}

static int search_tokens(struct ctl *ctl, const char *which, struct soft_token *token)
{
	struct search search = { .which = which, .token = token };
	char tokens[PATH_SIZE];
	struct dirent *entry;
	DIR *dir;
	int code = find_tokens(ctl, tokens);

	if (code)
		return code;
	dir = opendir(tokens);
	if (!dir)
		return fail(ctl, CTL_USAGE, "%s: SoftHSM's tokens cannot be read: %s", tokens,
			    strerror(errno));
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.')
			look(&search, dirfd(dir), entry->d_name);
	closedir(dir);
	return search.found == 1 ? CTL_OK : fail_search(ctl, &search, tokens);
}

static int open_directory(struct ctl *ctl, const char *path, struct soft_token *token)
{
	int ret;

	token->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = token->dir < 0 ? -errno : read_token(token);
	return ret ? fail_token(ctl, token, path, ret) : CTL_OK;
}

int soft_token_open(struct ctl *ctl, const char *which, struct soft_token *token)
{
	int code, ret;

	*token = (struct soft_token){ 0 };
	code = strchr(which, '/') ? open_directory(ctl, which, token)
				  : search_tokens(ctl, which, token);
	if (code)
		return code;
	ret = list_objects(token);
	return ret ? fail_token(ctl, token, which, ret) : CTL_OK;
}
