// SPDX-License-Identifier: Apache-2.0
/*
 * The firmware's bytes: a manifest, signed by the vendor, names the firmware, its dynamic loader and
 * every library with their hashes; each file is copied into a memfd, sealed, and only then hashed, so
 * that what was verified is what runs. They come from a directory, or from one image file.
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
#include "le.h"

#define FILE_MAX (256L << 20)

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/**
 * struct source - where the bytes come from
 * @fd: of the directory or the image
 * @image: it is an image, in which the next file begins at @at
 */
struct source {
	int fd;
	bool image;
	off_t at;
};

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

static int copy_range(int from, off_t *at, int to, uint64_t size)
{
	ssize_t n;

	while (size > 0) {
		n = sendfile(to, from, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		size -= (uint64_t)n;
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

static int no_match(const struct bundle_file *file, struct error *error)
{
	return error_set(error, -EBADMSG,
			 "firmware: %s does not match the manifest; "
			 "install the firmware again",
			 file->name);
}

/* The file of a directory; its length must be the manifest's, as no more of it is looked at. */
static int open_file(int directory, const struct bundle_file *file, struct error *error)
{
	struct stat st;
	int fd;

	fd = openat(directory, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return error_set(error, -EBADMSG,
				 "firmware: file %s of the manifest is missing or "
				 "no program; install the firmware again",
				 file->name);
	}
	if ((uint64_t)st.st_size == file->size)
		return fd;
	close(fd);
	return no_match(file, error);
}

static int fetch_file(struct source *source, const struct bundle_file *file, struct error *error)
{
	off_t at = 0;
	int fd, ret;

	if (source->image)
		return copy_range(source->fd, &source->at, file->memfd, file->size);
	fd = open_file(source->fd, file, error);
	if (fd < 0)
		return fd;
	ret = copy_range(fd, &at, file->memfd, file->size);
	close(fd);
	return ret;
}

static int load_file(struct keys *keys, struct source *source, struct bundle_file *file,
		     struct error *error)
{
	uint8_t hash[BOARD_HASH_SIZE];
	int ret;

	if (file->size > FILE_MAX)
		return error_set(error, -EFBIG, "firmware: %s is too large", file->name);
	file->memfd = executable_memfd(file->name, error);
	if (file->memfd < 0)
		return file->memfd;
	error->text[0] = '\0';
	ret = fetch_file(source, file, error);
	if (!ret)
		ret = seal_file(file->memfd);
	if (!ret)
		ret = hash_file(keys, file->memfd, file->size, hash);
	if (ret)
		return error->text[0] ? ret
				      : error_set(error, ret, "firmware: %s: %s", file->name,
						  strerror(-ret));
	return CRYPTO_memcmp(hash, file->hash, sizeof(hash)) ? no_match(file, error) : 0;
}

/* ---- the manifest ---- */

bool bundle_is_development(const struct bundle *bundle)
{
	return bundle->development ||
	       (vendor_development && !CRYPTO_memcmp(bundle->vendor, vendor_hash, BOARD_HASH_SIZE));
}

static int refuse_development(const struct bundle *bundle, const struct bundle_policy *policy,
			      struct error *error)
{
	if (!policy->production || !bundle_is_development(bundle))
		return 0;
	return error_set(error, -EKEYREJECTED,
			 "firmware: signed with development keys, which a board in production "
			 "does not take; install the vendor's");
}

static void take_files(struct bundle *bundle, const struct hsm_fw_manifest *manifest)
{
	unsigned int i;

	for (i = 0; i < manifest->count; i++) {
		memcpy(bundle->files[i].role, manifest->files[i].role,
		       sizeof(bundle->files[i].role));
		memcpy(bundle->files[i].name, manifest->files[i].name,
		       sizeof(bundle->files[i].name));
		memcpy(bundle->files[i].hash, manifest->files[i].hash, BOARD_HASH_SIZE);
		bundle->files[i].size = manifest->files[i].size;
		bundle->files[i].memfd = -1;
	}
	bundle->count = manifest->count;
}

static int check_manifest(const struct hsm_fw_manifest *manifest, struct bundle *bundle,
			  const struct bundle_policy *policy, struct error *error)
{
	take_files(bundle, manifest);
	memcpy(bundle->version, manifest->version, sizeof(bundle->version));
	memcpy(bundle->measurement, manifest->measurement, sizeof(bundle->measurement));
	memcpy(bundle->vendor, manifest->vendor, sizeof(bundle->vendor));
	bundle->security_version = manifest->security_version;
	bundle->development = manifest->development;
	bundle->post_quantum = manifest->post_quantum;
	if (manifest->security_version < policy->minimum)
		return error_set(error, -EKEYREJECTED,
				 "firmware: security version %u, the fuses "
				 "demand %u; install a newer one",
				 manifest->security_version, policy->minimum);
	return refuse_development(bundle, policy, error);
}

int bundle_verify(struct keys *keys, const uint8_t *message, size_t length,
		  const struct bundle_policy *policy, struct bundle *bundle, struct error *error)
{
	struct hsm_fw_manifest *manifest;
	const char *reason = NULL;
	int ret = -ENOMEM;

	memset(bundle, 0, sizeof(*bundle));
	manifest = malloc(sizeof(*manifest));
	if (manifest)
		ret = hsm_fw_verify(keys_libctx(keys), message, length, policy->vendor, manifest,
				    &reason);
	if (ret)
		error_set(error, ret, "firmware manifest: %s", reason ? reason : strerror(-ret));
	else
		ret = check_manifest(manifest, bundle, policy, error);
	free(manifest);
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

static ssize_t read_from_directory(int directory, uint8_t *message)
{
	ssize_t n;
	int fd;

	fd = openat(directory, "manifest", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = read(fd, message, HSM_FW_MESSAGE_MAX);
	if (n < 0)
		n = -errno;
	close(fd);
	return n == HSM_FW_MESSAGE_MAX ? -EFBIG : n;
}

static ssize_t read_from_image(struct source *source, uint8_t *message)
{
	uint8_t head[HSM_FW_IMAGE_HEAD];
	const uint8_t *at = head + 8;
	uint32_t length;
	ssize_t n;

	n = pread(source->fd, head, sizeof(head), 0);
	if (n < 0)
		return -errno;
	if (n != sizeof(head) || memcmp(head, HSM_FW_IMAGE_MAGIC, 8) != 0)
		return -EBADMSG;
	length = get_u32(&at);
	if (!length || length > HSM_FW_MESSAGE_MAX)
		return -EBADMSG;
	n = pread(source->fd, message, length, HSM_FW_IMAGE_HEAD);
	source->at = HSM_FW_IMAGE_HEAD + (off_t)length;
	return n < 0 ? -errno : n == (ssize_t)length ? n : -EBADMSG;
}

/* An image ends where its last file does, and not before. */
static int check_length(const struct source *source, const struct bundle *bundle,
			struct error *error)
{
	uint64_t length = (uint64_t)source->at;
	struct stat st;
	unsigned int i;

	if (!source->image)
		return 0;
	if (fstat(source->fd, &st))
		return error_set(error, -errno, "firmware: %s", strerror(errno));
	for (i = 0; i < bundle->count && length <= (uint64_t)st.st_size; i++) {
		if (bundle->files[i].size > FILE_MAX)
			return error_set(error, -EFBIG, "firmware: a file is too large");
		length += bundle->files[i].size;
	}
	if (length == (uint64_t)st.st_size)
		return 0;
	return error_set(error, -EBADMSG,
			 "firmware: the image is cut off, or longer than its manifest says");
}

/* Its manifest alone */
static int peek(struct keys *keys, struct source *source, const struct bundle_policy *policy,
		struct bundle *bundle, struct error *error)
{
	uint8_t *message = malloc(HSM_FW_MESSAGE_MAX);
	ssize_t n;
	int ret;

	if (!message)
		return error_set(error, -ENOMEM, "firmware: out of memory");
	n = source->image ? read_from_image(source, message)
			  : read_from_directory(source->fd, message);
	if (n < 0)
		ret = error_set(error, (int)n, "firmware manifest: %s", strerror((int)-n));
	else
		ret = bundle_verify(keys, message, (size_t)n, policy, bundle, error);
	free(message);
	return ret;
}

static int load(struct keys *keys, struct source *source, const struct bundle_policy *policy,
		struct bundle *bundle, struct error *error)
{
	unsigned int i;
	int ret;

	ret = peek(keys, source, policy, bundle, error);
	if (!ret)
		ret = check_length(source, bundle, error);
	for (i = 0; !ret && i < bundle->count; i++)
		ret = load_file(keys, source, &bundle->files[i], error);
	if (ret)
		bundle_close(bundle);
	return ret;
}

/* Open the directory, by default the installed one, and do either of the above. */
static int from_directory(struct keys *keys, const char *path, const struct bundle_policy *policy,
			  struct bundle *bundle, bool whole, struct error *error)
{
	char found[PATH_MAX], text[BOARD_ERROR_MAX];
	struct source source = { .image = false };
	int ret;

	memset(bundle, 0, sizeof(*bundle));
	if (!path) {
		ret = default_directory(found, sizeof(found));
		if (ret)
			return error_set(error, ret, "firmware: the path is too long");
		path = found;
	}
	source.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (source.fd < 0)
		return error_set(error, -errno,
				 "firmware %s: %s; install it, or name it with "
				 "--firmware",
				 path, strerror(errno));
	ret = (whole ? load : peek)(keys, &source, policy, bundle, error);
	close(source.fd);
	if (ret) {
		snprintf(text, sizeof(text), "%s", error->text);
		error_set(error, ret, "%.200s: %.300s", path, text);
	}
	return ret;
}

int bundle_load(struct keys *keys, const char *path, const struct bundle_policy *policy,
		struct bundle *bundle, struct error *error)
{
	return from_directory(keys, path, policy, bundle, true, error);
}

int bundle_peek(struct keys *keys, const char *path, const struct bundle_policy *policy,
		struct bundle *bundle, struct error *error)
{
	return from_directory(keys, path, policy, bundle, false, error);
}

int bundle_load_image(struct keys *keys, int fd, const struct bundle_policy *policy,
		      struct bundle *bundle, struct error *error)
{
	struct source source = { .fd = fd, .image = true };

	memset(bundle, 0, sizeof(*bundle));
	return load(keys, &source, policy, bundle, error);
}

int bundle_peek_image(struct keys *keys, int fd, const struct bundle_policy *policy,
		      struct bundle *bundle, struct error *error)
{
	struct source source = { .fd = fd, .image = true };

	memset(bundle, 0, sizeof(*bundle));
	return peek(keys, &source, policy, bundle, error);
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
