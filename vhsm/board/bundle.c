// SPDX-License-Identifier: Apache-2.0
/*
 * The firmware's bytes: a manifest names the firmware, its dynamic loader and every library with
 * their hashes; each file is copied into a memfd, sealed, and only then hashed, so that what was
 * verified is what runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <hsm-paths.h>
#include "internal.h"

#define MANIFEST_MAX 16384
#define FILE_MAX     (256L << 20)

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static int malformed(struct error *error, unsigned int line, const char *what)
{
	return error_set(error, -EBADMSG, "firmware manifest, line %u: %s", line, what);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int parse_hash(const char *text, uint8_t hash[BOARD_HASH_SIZE])
{
	int i, high, low;

	if (strlen(text) != 2 * BOARD_HASH_SIZE)
		return -EBADMSG;
	for (i = 0; i < BOARD_HASH_SIZE; i++) {
		high = hex_digit(text[2 * i]);
		low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EBADMSG;
		hash[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static unsigned int count_role(const struct bundle *bundle, const char *role)
{
	unsigned int i, n = 0;

	for (i = 0; i < bundle->count; i++)
		n += strcmp(bundle->files[i].role, role) == 0;
	return n;
}

static int parse_version(const char *text, struct bundle *bundle)
{
	unsigned long value;
	char *end;

	value = strtoul(text, &end, 10);
	if (*text < '1' || *text > '9' || *end || value > LADDER_TOP || bundle->security_version)
		return -EBADMSG;
	bundle->security_version = (uint32_t)value;
	return 0;
}

static int parse_line(char *text, unsigned int line, struct bundle *bundle, struct error *error)
{
	struct bundle_file *file;
	char *save, *role, *second, *name;

	role = strtok_r(text, " ", &save);
	second = strtok_r(NULL, " ", &save);
	name = strtok_r(NULL, " ", &save);
	if (role && second && !name && strcmp(role, "security-version") == 0)
		return parse_version(second, bundle)
			       ? malformed(error, line, "no security version, or a second one")
			       : 0;
	if (!role || !second || !name || strtok_r(NULL, " ", &save))
		return malformed(error, line, "not `role sha384 name`");
	if (bundle->count == BUNDLE_MAX_FILES)
		return malformed(error, line, "too many files");
	file = &bundle->files[bundle->count];
	if (strcmp(role, "firmware") != 0 && strcmp(role, "loader") != 0 &&
	    strcmp(role, "library") != 0 && strcmp(role, "fips-module") != 0 &&
	    strcmp(role, "fips-config") != 0)
		return malformed(error, line, "unknown role");
	if (strcmp(role, "library") != 0 && count_role(bundle, role))
		return malformed(error, line, "a second file of this role");
	if (name[0] == '.' || strchr(name, '/') || strlen(name) >= sizeof(file->name))
		return malformed(error, line, "not a plain file name");
	if (parse_hash(second, file->hash))
		return malformed(error, line, "not a SHA-384 in lower-case digits");
	snprintf(file->role, sizeof(file->role), "%s", role);
	snprintf(file->name, sizeof(file->name), "%s", name);
	bundle->count++;
	return 0;
}

int bundle_parse(const char *text, size_t length, struct bundle *bundle, struct error *error)
{
	const char *end = text + length, *stop;
	char copy[BOARD_ERROR_MAX];
	unsigned int line = 0, i;
	int ret = 0;

	memset(bundle, 0, sizeof(*bundle));
	for (i = 0; i < BUNDLE_MAX_FILES; i++)
		bundle->files[i].memfd = -1;
	while (!ret && text < end) {
		line++;
		stop = memchr(text, '\n', (size_t)(end - text));
		if (!stop || (size_t)(stop - text) >= sizeof(copy) ||
		    memchr(text, '\0', (size_t)(stop - text)))
			return malformed(error, line, "too long, or not a line of text");
		memcpy(copy, text, (size_t)(stop - text));
		copy[stop - text] = '\0';
		ret = parse_line(copy, line, bundle, error);
		text = stop + 1;
	}
	if (!ret && (count_role(bundle, "firmware") != 1 || count_role(bundle, "loader") != 1))
		ret = error_set(error, -EBADMSG, "firmware manifest: firmware or loader missing");
	if (!bundle->security_version)
		bundle->security_version = 1;
	return ret;
}

/* A memfd that may be executed. Kernels before 6.3 do not know that one has to say so. */
static int executable_memfd(const char *name, struct error *error)
{
	int fd;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0)
		return fd;
	if (errno == EACCES)
		return error_set(error, -EACCES,
				 "firmware: this system forbids executable memfds; "
				 "set sysctl vm.memfd_noexec to 0 or 1");
	return error_set(error, -errno, "firmware: memfd: %s", strerror(errno));
}

static int copy_file(int from, int to, off_t size)
{
	ssize_t n;

	while (size > 0) {
		n = sendfile(to, from, NULL, (size_t)size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		size -= n;
	}
	return 0;
}

static int seal_file(int fd)
{
	if (fchmod(fd, 0500))
		return -errno;
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
		       ? -errno
		       : 0;
}

static int hash_file(struct keys *keys, int fd, size_t size, uint8_t hash[BOARD_HASH_SIZE])
{
	void *bytes;
	int ret;

	bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (!bytes || bytes == MAP_FAILED)
		return -ENOMEM;
	ret = keys_hash(keys, bytes, size, hash);
	munmap(bytes, size);
	return ret;
}

static int load_file(struct keys *keys, int directory, struct bundle_file *file,
		     struct error *error)
{
	uint8_t hash[BOARD_HASH_SIZE];
	struct stat st;
	int fd, ret;

	fd = openat(directory, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size > FILE_MAX) {
		ret = error_set(error, -EBADMSG,
				"firmware: file %s of the manifest is missing or "
				"no program; install the firmware again",
				file->name);
		goto close_file;
	}
	file->memfd = executable_memfd(file->name, error);
	if (file->memfd < 0) {
		ret = file->memfd;
		goto close_file;
	}
	ret = copy_file(fd, file->memfd, st.st_size);
	if (!ret)
		ret = seal_file(file->memfd);
	if (!ret)
		ret = hash_file(keys, file->memfd, (size_t)st.st_size, hash);
	if (ret)
		error_set(error, ret, "firmware: %s: %s", file->name, strerror(-ret));
	else if (CRYPTO_memcmp(hash, file->hash, sizeof(hash)) != 0)
		ret = error_set(error, -EBADMSG,
				"firmware: %s does not match the manifest; "
				"install the firmware again",
				file->name);
close_file:
	if (fd >= 0)
		close(fd);
	return ret;
}

/*
 * Beside the executable as in a build tree, or as it was installed, also when all of that was moved
 * (DESTDIR); else where it would have been installed.
 */
static int default_directory(char *path, size_t capacity)
{
	static const char *const places[] = { "firmware", "../libexec/hsm/firmware" };
	char own[PATH_MAX];
	ssize_t length;
	size_t i, n;

	length = readlink("/proc/self/exe", own, sizeof(own));
	while (length > 0 && own[length - 1] != '/')
		length--;
	for (i = 0; length > 0 && i < sizeof(places) / sizeof(places[0]); i++) {
		n = (size_t)snprintf(path, capacity, "%.*s%s", (int)length, own, places[i]);
		if (n < capacity && access(path, F_OK) == 0)
			return 0;
	}
	n = (size_t)snprintf(path, capacity, "%s/firmware", HSM_LIBEXECDIR);
	return n < capacity ? 0 : -ENAMETOOLONG;
}

static ssize_t read_manifest(int directory, char *text)
{
	ssize_t n;
	int fd;

	fd = openat(directory, "manifest", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = read(fd, text, MANIFEST_MAX);
	if (n < 0)
		n = -errno;
	close(fd);
	return n == MANIFEST_MAX ? -EFBIG : n;
}

static int load_files(struct keys *keys, int directory, struct bundle *bundle, struct error *error)
{
	char text[MANIFEST_MAX];
	unsigned int i;
	ssize_t n;
	int ret;

	n = read_manifest(directory, text);
	if (n < 0)
		return error_set(error, (int)n, "manifest: %s", strerror((int)-n));
	ret = bundle_parse(text, (size_t)n, bundle, error);
	if (!ret)
		ret = keys_hash(keys, text, (size_t)n, bundle->measurement);
	for (i = 0; !ret && i < bundle->count; i++)
		ret = load_file(keys, directory, &bundle->files[i], error);
	return ret;
}

int bundle_load(struct keys *keys, const char *path, struct bundle *bundle, struct error *error)
{
	char found[PATH_MAX], text[BOARD_ERROR_MAX];
	int directory, ret;

	memset(bundle, 0, sizeof(*bundle));
	if (!path) {
		ret = default_directory(found, sizeof(found));
		if (ret)
			return error_set(error, ret, "firmware: the path is too long");
		path = found;
	}
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return error_set(error, -errno,
				 "firmware %s: %s; install it, or name it with "
				 "--firmware",
				 path, strerror(errno));
	ret = load_files(keys, directory, bundle, error);
	close(directory);
	if (ret) {
		bundle_close(bundle);
		snprintf(text, sizeof(text), "%s", error->text);
		error_set(error, ret, "%.200s: %.300s", path, text);
	}
	return ret;
}

void bundle_close(struct bundle *bundle)
{
	unsigned int i;

	for (i = 0; i < bundle->count; i++) {
		if (bundle->files[i].memfd >= 0)
			close(bundle->files[i].memfd);
		bundle->files[i].memfd = -1;
	}
	bundle->count = 0;
}

const struct bundle_file *bundle_find(const struct bundle *bundle, const char *role)
{
	unsigned int i;

	for (i = 0; i < bundle->count; i++)
		if (strcmp(bundle->files[i].role, role) == 0)
			return &bundle->files[i];
	return NULL;
}

int bundle_approve(struct bundle *bundle, struct error *error)
{
	if (!bundle_find(bundle, "fips-module") || !bundle_find(bundle, "fips-config"))
		return error_set(error, -ENOENT,
				 "approved mode: the firmware has no FIPS provider; build it where "
				 "openssl-provider-fips is installed");
	bundle->approved = true;
	return 0;
}
