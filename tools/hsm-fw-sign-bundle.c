// SPDX-License-Identifier: Apache-2.0
/*
 * Bundles and images: signing a directory, packing it, and looking at either as the board will.
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
#include <openssl/evp.h>
#include <hsm/cose.h>
#include <hsm/wire.h>
#include "hsm-fw-sign.h"

#define FILE_MAX (256L << 20) /* as much as a board takes */

/**
 * struct source - a signed directory or an image
 * @fd: of either
 * @at: in an image, where the next file begins
 */
struct source {
	const char *path;
	int fd;
	bool image;
	off_t at;
};

/* ---- files ---- */

static int hash_range(int fd, off_t at, size_t size, uint8_t hash[HSM_FW_HASH_SIZE])
{
	long page = sysconf(_SC_PAGESIZE);
	off_t from = at / page * page;
	size_t length = HSM_FW_HASH_SIZE, skip = (size_t)(at - from);
	uint8_t *bytes;
	int ok;

	if (!size || size > FILE_MAX)
		return -EFBIG;
	bytes = mmap(NULL, size + skip, PROT_READ, MAP_PRIVATE, fd, from);
	if (!bytes || bytes == MAP_FAILED)
		return -errno;
	ok = EVP_Q_digest(NULL, "SHA384", NULL, bytes + skip, size, hash, &length);
	munmap(bytes, size + skip);
	return ok == 1 ? 0 : -EIO;
}

/* Open a file of the directory. Return: the descriptor with *size set, or -1 after a complaint. */
static int open_file(int directory, const char *name, off_t *size)
{
	struct stat st;
	int fd;

	fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		fw_complain(0, "%s: %s", name, fd < 0 ? strerror(errno) : "is no file");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*size = st.st_size;
	return fd;
}

static int open_source(const char *path, struct source *source)
{
	struct stat st;

	*source = (struct source){ .path = path };
	source->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (source->fd < 0 || fstat(source->fd, &st))
		return fw_complain(FW_FAILED, "%s: %s", path, strerror(errno));
	source->image = !S_ISDIR(st.st_mode);
	return FW_OK;
}

static ssize_t read_directory(const struct source *source, uint8_t *message)
{
	ssize_t n;
	int fd;

	fd = openat(source->fd, "manifest", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	n = read(fd, message, HSM_FW_MESSAGE_MAX);
	close(fd);
	return n;
}

static ssize_t read_image(struct source *source, uint8_t *message)
{
	uint8_t head[HSM_FW_IMAGE_HEAD];
	uint32_t length;

	if (pread(source->fd, head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head, HSM_FW_IMAGE_MAGIC, 8) != 0)
		return -1;
	length = hsm_get_le32(head + 8);
	source->at = HSM_FW_IMAGE_HEAD + (off_t)length;
	if (length > HSM_FW_MESSAGE_MAX)
		return -1;
	return pread(source->fd, message, length, HSM_FW_IMAGE_HEAD);
}

static int read_manifest(struct source *source, const uint8_t *vendor,
			 struct hsm_fw_manifest *manifest)
{
	uint8_t *message = malloc(HSM_FW_MESSAGE_MAX);
	const char *reason = "there is no manifest";
	ssize_t n;
	int ret = -EBADMSG;

	if (!message)
		return fw_complain(FW_FAILED, "out of memory");
	n = source->image ? read_image(source, message) : read_directory(source, message);
	if (n > 0)
		ret = hsm_fw_verify(NULL, message, (size_t)n, vendor, manifest, &reason);
	free(message);
	return ret ? fw_complain(FW_WRONG, "%s: %s", source->path, reason) : FW_OK;
}

/* ---- signing ---- */

static int add_file(int directory, char *argument, struct hsm_fw_manifest *manifest)
{
	struct hsm_fw_file *file = &manifest->files[manifest->count];
	char *name = strchr(argument, '=');
	off_t size;
	int fd, ret;

	if (!name || manifest->count == HSM_FW_FILES_MAX ||
	    strlen(name + 1) >= sizeof(file->name) ||
	    (size_t)(name - argument) >= sizeof(file->role))
		return fw_complain(FW_USAGE, "%s: not ROLE=FILE, or too many", argument);
	snprintf(file->role, sizeof(file->role), "%.*s", (int)(name - argument), argument);
	snprintf(file->name, sizeof(file->name), "%s", name + 1);
	fd = open_file(directory, file->name, &size);
	if (fd < 0)
		return FW_FAILED;
	ret = size ? hash_range(fd, 0, (size_t)size, file->hash) : -EINVAL;
	close(fd);
	if (ret)
		return fw_complain(FW_FAILED, "%s: %s", file->name, strerror(-ret));
	file->size = (uint64_t)size;
	manifest->count++;
	return FW_OK;
}

/* Whole or not at all, readable as what it describes is */
static int write_manifest(int directory, const uint8_t *message, size_t length)
{
	int fd, code = FW_OK;

	fd = openat(directory, "manifest.new",
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return fw_complain(FW_FAILED, "manifest: %s", strerror(errno));
	if (write(fd, message, length) != (ssize_t)length || fchmod(fd, 0644) || fsync(fd) ||
	    renameat(directory, "manifest.new", directory, "manifest")) {
		code = fw_complain(FW_FAILED, "manifest: %s", strerror(errno));
		unlinkat(directory, "manifest.new", 0);
	}
	close(fd);
	return code;
}

static int take_versions(const struct fw_options *options, struct hsm_fw_manifest *manifest)
{
	char *end;

	if (!options->version || !options->security_version)
		return fw_complain(FW_USAGE,
				   "--firmware-version and --security-version are needed");
	if (strlen(options->version) >= sizeof(manifest->version))
		return fw_complain(FW_USAGE, "--firmware-version: too long");
	snprintf(manifest->version, sizeof(manifest->version), "%s", options->version);
	manifest->security_version = (uint32_t)strtoul(options->security_version, &end, 10);
	if (*end || manifest->security_version < 1 ||
	    manifest->security_version > HSM_FW_SECURITY_MAX)
		return fw_complain(FW_USAGE, "--security-version: 1 to %d", HSM_FW_SECURITY_MAX);
	return FW_OK;
}

static int sign_manifest(const struct fw_options *options, struct hsm_fw_manifest *manifest,
			 uint8_t **message, size_t *length)
{
	struct fw_keys keys;
	int code, ret;

	code = fw_keys_load(options, &keys);
	if (code)
		return code;
	manifest->development = keys.development;
	ret = hsm_fw_sign(NULL, manifest, keys.key, message, length);
	fw_keys_free(&keys);
	if (ret == -EINVAL)
		return fw_complain(FW_FAILED,
				   "no board would take this: needed are one firmware, one "
				   "loader, plain names, keys of P-384 and ML-DSA-87");
	return ret ? fw_complain(FW_FAILED, "signing: %s", strerror(-ret)) : FW_OK;
}

int fw_sign(const struct fw_options *options, char **args)
{
	struct hsm_fw_manifest manifest = { 0 };
	uint8_t *message = NULL;
	size_t length = 0;
	int directory, code;

	code = take_versions(options, &manifest);
	if (code)
		return code;
	directory = open(args[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return fw_complain(FW_FAILED, "%s: %s", args[0], strerror(errno));
	while (!code && *++args)
		code = add_file(directory, *args, &manifest);
	if (!code)
		code = sign_manifest(options, &manifest, &message, &length);
	if (!code)
		code = write_manifest(directory, message, length);
	free(message);
	close(directory);
	return code;
}

/* ---- packing ---- */

static int append_file(int directory, const char *name, int to)
{
	off_t size;
	ssize_t n = 1;
	int fd;

	fd = open_file(directory, name, &size);
	if (fd < 0)
		return FW_FAILED;
	while (size > 0 && n > 0) {
		n = sendfile(to, fd, NULL, (size_t)size);
		size -= n > 0 ? n : 0;
	}
	close(fd);
	return size ? fw_complain(FW_FAILED, "%s: %s", name, strerror(errno)) : FW_OK;
}

static int append_head(int directory, int to)
{
	uint8_t head[HSM_FW_IMAGE_HEAD];
	uint32_t size;
	struct stat st;

	if (fstatat(directory, "manifest", &st, AT_SYMLINK_NOFOLLOW))
		return fw_complain(FW_FAILED, "manifest: %s", strerror(errno));
	memcpy(head, HSM_FW_IMAGE_MAGIC, 8);
	size = htole32((uint32_t)st.st_size);
	memcpy(head + 8, &size, sizeof(size));
	if (write(to, head, sizeof(head)) != sizeof(head))
		return fw_complain(FW_FAILED, "image: %s", strerror(errno));
	return append_file(directory, "manifest", to);
}

int fw_image(const struct fw_options *options, char **args)
{
	struct hsm_fw_manifest manifest;
	struct source source;
	char path[PATH_MAX];
	unsigned int i;
	int to, code;

	(void)options;
	code = open_source(args[0], &source);
	if (!code)
		code = source.image ? fw_complain(FW_USAGE, "%s: is no directory", args[0])
				    : read_manifest(&source, NULL, &manifest);
	if (code)
		return code;
	if (snprintf(path, sizeof(path), "%s.new", args[1]) >= (int)sizeof(path)) {
		close(source.fd);
		return fw_complain(FW_USAGE, "%s: the name is too long", args[1]);
	}
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (to < 0) {
		close(source.fd);
		return fw_complain(FW_FAILED, "%s: %s", path, strerror(errno));
	}
	code = append_head(source.fd, to);
	for (i = 0; !code && i < manifest.count; i++)
		code = append_file(source.fd, manifest.files[i].name, to);
	if (!code && (fchmod(to, 0644) || fsync(to) || rename(path, args[1])))
		code = fw_complain(FW_FAILED, "%s: %s", args[1], strerror(errno));
	if (code)
		unlink(path);
	close(to);
	close(source.fd);
	return code;
}

/* ---- looking ---- */

static void print_hash(const char *what, const uint8_t hash[HSM_FW_HASH_SIZE])
{
	char text[2 * HSM_FW_HASH_SIZE + 1];

	fw_hex(hash, HSM_FW_HASH_SIZE, text);
	printf("%-18s%s\n", what, text);
}

static void print_manifest(const struct hsm_fw_manifest *manifest)
{
	char text[2 * HSM_FW_HASH_SIZE + 1];
	unsigned int i;

	printf("%-18s%s\n", "version", manifest->version);
	printf("%-18s%u\n", "security version", manifest->security_version);
	print_hash("measurement", manifest->measurement);
	print_hash("vendor", manifest->vendor);
	printf("%-18s%s\n", "keys", manifest->development ? "development" : "vendor");
	printf("%-18s%s\n", "signatures", manifest->post_quantum ? "ES384, ML-DSA-87" : "ES384");
	for (i = 0; i < manifest->count; i++) {
		fw_hex(manifest->files[i].hash, HSM_FW_HASH_SIZE, text);
		printf("%-12s%s %9llu %s\n", manifest->files[i].role, text,
		       (unsigned long long)manifest->files[i].size, manifest->files[i].name);
	}
}

int fw_inspect(const struct fw_options *options, char **args)
{
	struct hsm_fw_manifest manifest;
	struct source source;
	int code;

	(void)options;
	code = open_source(args[0], &source);
	if (code)
		return code;
	code = read_manifest(&source, NULL, &manifest);
	if (!code)
		print_manifest(&manifest);
	close(source.fd);
	return code;
}

static int verify_file(struct source *source, const struct hsm_fw_file *file)
{
	uint8_t hash[HSM_FW_HASH_SIZE];
	struct stat st;
	off_t size;
	int fd = source->fd, ret;

	if (file->size > FILE_MAX)
		return fw_complain(FW_WRONG, "%s: no board takes a file of this size", file->name);
	if (source->image) {
		size = (off_t)file->size;
		if (fstat(fd, &st) || source->at > st.st_size || size > st.st_size - source->at)
			return fw_complain(FW_WRONG, "%s: is cut off", source->path);
		ret = hash_range(fd, source->at, (size_t)size, hash);
		source->at += size;
	} else {
		fd = open_file(source->fd, file->name, &size);
		if (fd < 0)
			return FW_WRONG;
		ret = (uint64_t)size == file->size ? hash_range(fd, 0, (size_t)size, hash)
						   : -EBADMSG;
		close(fd);
	}
	if (ret || memcmp(hash, file->hash, sizeof(hash)) != 0)
		return fw_complain(FW_WRONG, "%s: does not match the manifest", file->name);
	return FW_OK;
}

static int expected_vendor(const struct fw_options *options, uint8_t hash[HSM_FW_HASH_SIZE])
{
	struct fw_keys keys;
	size_t length;
	int code;

	if (options->vendor) {
		if (OPENSSL_hexstr2buf_ex(hash, HSM_FW_HASH_SIZE, &length, options->vendor, '\0') !=
			    1 ||
		    length != HSM_FW_HASH_SIZE)
			return fw_complain(FW_USAGE, "--vendor-hash: not %d hexadecimal digits",
					   2 * HSM_FW_HASH_SIZE);
		return FW_OK;
	}
	code = fw_keys_load(options, &keys);
	if (code)
		return code;
	if (hsm_fw_vendor(NULL, keys.key, hash))
		code = fw_complain(FW_FAILED, "these are no keys of P-384 and ML-DSA-87");
	fw_keys_free(&keys);
	return code;
}

int fw_verify(const struct fw_options *options, char **args)
{
	uint8_t vendor[HSM_FW_HASH_SIZE];
	struct hsm_fw_manifest manifest;
	struct source source;
	struct stat st;
	unsigned int i;
	int code;

	code = expected_vendor(options, vendor);
	if (!code)
		code = open_source(args[0], &source);
	if (code)
		return code;
	code = read_manifest(&source, vendor, &manifest);
	for (i = 0; !code && i < manifest.count; i++)
		code = verify_file(&source, &manifest.files[i]);
	if (!code && source.image && (fstat(source.fd, &st) || st.st_size != source.at))
		code = fw_complain(FW_WRONG, "%s: more bytes than the manifest has", args[0]);
	close(source.fd);
	if (!code)
		puts(manifest.post_quantum ? "verified" : "verified: ES384 alone");
	return code;
}
