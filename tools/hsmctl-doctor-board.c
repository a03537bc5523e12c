// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl doctor on a board made of software, before it is asked anything: its program and firmware, its directory
 * and what is in it, who holds its lock, and the socket of one that somebody else runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <hsm-paths.h>
#include <hsm/fw_manifest.h>
#include "hsmctl-doctor.h"

#define ROOM_NEEDED (4UL << 20) /* bytes free below which the next commit may fail */

/* ---- the program ---- */

static bool is_program(const char *path)
{
	struct stat st;

	return path[0] == '/' && !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* libhsm's own order: HSM_VHSM, beside what is running, where it is installed */
int doctor_program(char path[PATH_MAX])
{
	const char *named = secure_getenv("HSM_VHSM");
	char own[PATH_MAX] = "";
	ssize_t n;

	if (named && *named) {
		snprintf(path, PATH_MAX, "%s", named);
		return is_program(path) ? 0 : -ENOENT;
	}
	n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	own[n < 0 ? 0 : n] = '\0';
	if (strrchr(own, '/') &&
	    snprintf(path, PATH_MAX, "%.*s/vhsm", (int)(strrchr(own, '/') - own), own) < PATH_MAX &&
	    is_program(path))
		return 0;
	snprintf(path, PATH_MAX, "%s", HSM_BINDIR "/vhsm");
	return is_program(path) ? 0 : -ENOENT;
}

int doctor_board_program(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *named = secure_getenv("HSM_VHSM");
	char path[PATH_MAX];

	(void)doctor;
	if (!doctor_program(path))
		return doctor_say(finding, DOCTOR_OK, "%s", path);
	if (!named || !*named)
		return doctor_say(finding, DOCTOR_FAILED, "the program vhsm is not installed");
	doctor_advise(finding, "unset HSM_VHSM, or set it to the absolute path of vhsm");
	return doctor_say(finding, DOCTOR_FAILED, "HSM_VHSM names no program: %.200s", path);
}

/* ---- the firmware ---- */

static bool firmware_directory(char path[PATH_MAX])
{
	static const char *const places[] = { "firmware", "../libexec/hsm/firmware" };
	char program[PATH_MAX], own[PATH_MAX];
	int length;

	if (doctor_program(program) || !realpath(program, own))
		return false;
	length = (int)(strrchr(own, '/') - own);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int n = snprintf(path, PATH_MAX, "%.*s/%s", length, own, places[i]);

		if (n < PATH_MAX && !access(path, F_OK))
			return true;
	}
	snprintf(path, PATH_MAX, "%s", HSM_LIBEXECDIR "/firmware");
	return !access(path, F_OK);
}

static uint8_t *read_file(const char *directory, const char *name, size_t *length)
{
	char path[PATH_MAX];
	uint8_t *bytes = NULL;
	struct stat st;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	*length = 0;
	file = fopen(path, "re");
	if (!file)
		return NULL;
	if (!fstat(fileno(file), &st) && S_ISREG(st.st_mode) && st.st_size > 0)
		bytes = malloc((size_t)st.st_size);
	if (bytes)
		*length = fread(bytes, 1, (size_t)st.st_size, file);
	fclose(file);
	return bytes;
}

static bool file_matches(OSSL_LIB_CTX *libctx, const char *directory,
			 const struct hsm_fw_file *file)
{
	uint8_t hash[HSM_FW_HASH_SIZE];
	size_t length, written;
	uint8_t *bytes = read_file(directory, file->name, &length);
	bool same = bytes && length == file->size &&
		    EVP_Q_digest(libctx, "SHA384", NULL, bytes, length, hash, &written) &&
		    !memcmp(hash, file->hash, sizeof(hash));

	free(bytes);
	return same;
}

static int check_manifest(OSSL_LIB_CTX *libctx, const char *directory,
			  struct hsm_fw_manifest *manifest, struct doctor_finding *finding)
{
	const char *reason = NULL;
	size_t length;
	uint8_t *message = read_file(directory, "manifest", &length);
	int err = -ENOENT;

	if (message)
		err = hsm_fw_verify(libctx, message, length, NULL, manifest, &reason);
	free(message);
	if (!message)
		return doctor_say(finding, DOCTOR_FAILED, "%.150s has no manifest of the firmware",
				  directory);
	if (err)
		return doctor_say(finding, DOCTOR_FAILED,
				  "the firmware's manifest does not verify: %s",
				  reason ? reason : strerror(-err));
	for (unsigned int i = 0; i < manifest->count; i++)
		if (!file_matches(libctx, directory, &manifest->files[i]))
			return doctor_say(finding, DOCTOR_FAILED,
					  "the firmware's file %s is not what was signed",
					  manifest->files[i].name);
	return doctor_say(finding, DOCTOR_OK,
			  "version %s, security version %u, its signature verifies",
			  manifest->version, manifest->security_version);
}

int doctor_board_firmware(struct doctor *doctor, struct doctor_finding *finding)
{
	struct hsm_fw_manifest *manifest;
	OSSL_LIB_CTX *libctx;
	char directory[PATH_MAX];
	int verdict = DOCTOR_NOTHING;

	(void)doctor;
	if (!firmware_directory(directory))
		return doctor_say(finding, DOCTOR_FAILED,
				  "there is no firmware for the program vhsm");
	libctx = OSSL_LIB_CTX_new();
	manifest = calloc(1, sizeof(*manifest));
	if (libctx && manifest)
		verdict = check_manifest(libctx, directory, manifest, finding);
	free(manifest);
	OSSL_LIB_CTX_free(libctx);
	return verdict;
}

/* ---- the directory ---- */

int doctor_board_directory(struct doctor *doctor, struct doctor_finding *finding)
{
	struct doctor_device *device = &doctor->device;
	const char *path = device->path;
	char state[PATH_MAX + 8];
	struct stat st;

	snprintf(state, sizeof(state), "%s/nvm.db", path);
	device->asleep = access(state, F_OK) && errno == ENOENT;
	if (stat(path, &st) && errno == ENOENT)
		return doctor_say(finding, DOCTOR_WARNING,
				  "%.200s is not there; the first program that uses it makes it",
				  path);
	if (stat(path, &st))
		return doctor_say(finding, DOCTOR_FAILED, "%.200s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return doctor_say(finding, DOCTOR_FAILED, "%.200s is not a directory", path);
	if (st.st_uid != geteuid()) {
		doctor_advise(finding,
			      "use it as user %u, or a board that serves sockets: vhsm(1), --group",
			      (unsigned int)st.st_uid);
		return doctor_say(finding, DOCTOR_FAILED,
				  "%.200s is user %u's, and this is user %u", path,
				  (unsigned int)st.st_uid, (unsigned int)geteuid());
	}
	if (st.st_mode & 077) {
		doctor_advise(finding, "chmod 700 %.200s", path);
		return doctor_say(finding, DOCTOR_FAILED, "%.200s is open to others: mode %03o",
				  path, (unsigned int)(st.st_mode & 0777));
	}
	if (device->asleep)
		return doctor_say(finding, DOCTOR_WARNING,
				  "%.200s is empty; the first program that uses it makes a board",
				  path);
	return doctor_say(finding, DOCTOR_OK, "%.200s", path);
}

int doctor_board_space(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *path = doctor->device.path;
	struct statvfs fs;
	uint64_t bytes;

	if (statvfs(path, &fs))
		return DOCTOR_NOTHING;
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (fs.f_flag & ST_RDONLY) {
		doctor_advise(finding, "mount -o remount,rw the file system of %.180s", path);
		return doctor_say(finding, DOCTOR_FAILED,
				  "%.200s is on a file system that cannot be written", path);
	}
	if (bytes < ROOM_NEEDED || (fs.f_files && fs.f_favail < 4)) {
		doctor_advise(finding, "make room: df %.200s", path);
		return doctor_say(finding, DOCTOR_FAILED,
				  "the disk of %.200s is full: %lu KiB are free", path,
				  (unsigned long)(bytes >> 10));
	}
	return doctor_say(finding, DOCTOR_OK, "%lu MiB are free", (unsigned long)(bytes >> 20));
}

static bool begins_with(const char *path, const char *magic)
{
	char head[32] = "";
	size_t length = strlen(magic);
	FILE *file = fopen(path, "re");
	bool same = file && fread(head, 1, length, file) == length && !memcmp(head, magic, length);

	if (file)
		fclose(file);
	return same;
}

/* The board says whether the state verifies; what it would not even get as far as is seen here. */
int doctor_board_files(struct doctor *doctor, struct doctor_finding *finding)
{
	static const char *const names[] = { "nvm.db", "fuses" };
	char path[PATH_MAX + 16];
	struct stat st;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", doctor->device.path, names[i]);
		if (stat(path, &st))
			return doctor_say(finding, DOCTOR_FAILED, "%.200s: %s", path,
					  strerror(errno));
		if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0777) != 0600) {
			doctor_advise(finding,
				      "chmod 600 %.200s, and chown it to the user of the directory",
				      path);
			return doctor_say(finding, DOCTOR_FAILED,
					  "%.200s is not a file of its user's alone", path);
		}
	}
	snprintf(path, sizeof(path), "%s/nvm.db", doctor->device.path);
	if (!begins_with(path, "SQLite format 3"))
		return doctor_say(finding, DOCTOR_FAILED, "%.200s is damaged: it is no database",
				  path);
	return doctor_say(finding, DOCTOR_OK, "state and fuses are there");
}

/* ---- who holds it ---- */

/* The mount that a file is reached by, -1 when the kernel does not tell */
static int mount_of(const char *path)
{
	char name[64], line[256];
	int fd = open(path, O_PATH | O_CLOEXEC), id = -1;
	FILE *file;

	if (fd < 0)
		return -1;
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	file = fopen(name, "re");
	while (file && id < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "mnt_id: %d", &id) != 1)
			id = -1;
	if (file)
		fclose(file);
	close(fd);
	return id;
}

/*
 * The device of a file's file system as the kernel itself counts it, which is what locks are shown with. With btrfs
 * and some overlays stat() tells another one.
 */
static dev_t device_of(const char *path, dev_t otherwise)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	int wanted = mount_of(path), id;
	unsigned int number[2];
	dev_t device = otherwise;
	char *line = NULL;
	size_t size = 0;

	while (file && wanted >= 0 && getline(&line, &size, file) > 0)
		if (sscanf(line, "%d %*d %u:%u ", &id, &number[0], &number[1]) == 3 && id == wanted)
			device = makedev(number[0], number[1]);
	free(line);
	if (file)
		fclose(file);
	return device;
}

/* The holder of a lock as /proc/locks has it; taking the lock to try would be in a starting board's way. */
static pid_t lock_holder(const char *path)
{
	char wanted[64], line[256], place[64];
	struct stat st;
	dev_t device;
	FILE *file;
	pid_t pid = 0, holder;

	if (stat(path, &st))
		return 0;
	device = device_of(path, st.st_dev);
	snprintf(wanted, sizeof(wanted), "%02x:%02x:%lu", major(device), minor(device),
		 (unsigned long)st.st_ino);
	file = fopen("/proc/locks", "re");
	while (file && !pid && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*d: FLOCK ADVISORY WRITE %d %63s", &holder, place) == 2 &&
		    !strcmp(place, wanted))
			pid = holder ?: -1;
	if (file)
		fclose(file);
	return pid;
}

/* Return: 0 or a negative errno. Paths that are longer than an address go by way of a descriptor, as libhsm does. */
static int try_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char parent[PATH_MAX];
	char *slash;
	int directory, fd, err = 0;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (!slash)
		return -EINVAL;
	*slash = '\0';
	directory = open(*parent ? parent : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%.60s", directory,
		 slash + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		err = -errno;
	if (fd >= 0)
		close(fd);
	close(directory);
	return err;
}

int doctor_board_lock(struct doctor *doctor, struct doctor_finding *finding)
{
	char path[PATH_MAX + 32];
	pid_t holder;

	snprintf(path, sizeof(path), "%s/lock", doctor->device.path);
	holder = lock_holder(path);
	if (!holder)
		return doctor_say(finding, DOCTOR_OK, "no board runs; it starts when it is used");
	snprintf(path, sizeof(path), "%s/run/fn0.sock", doctor->device.path);
	if (try_socket(path) == 0 || try_socket(path) == -EAGAIN)
		return doctor_say(finding, DOCTOR_OK, "a board runs, process %d", (int)holder);
	doctor_advise(finding, "look what process %d is, and end it: kill %d", (int)holder,
		      (int)holder);
	return doctor_say(finding, DOCTOR_FAILED,
			  "process %d holds the lock of %.150s, and no board answers there",
			  (int)holder, doctor->device.path);
}

int doctor_board_socket(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *path = doctor->device.path;
	struct stat st;
	int err;

	if (stat(path, &st) && errno == ENOENT)
		return doctor_say(finding, DOCTOR_FAILED, "there is no socket %.200s", path);
	if (stat(path, &st))
		return doctor_say(finding, DOCTOR_FAILED, "%.200s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return doctor_say(finding, DOCTOR_FAILED, "%.200s is no socket", path);
	err = try_socket(path);
	if (err == -EACCES) {
		doctor_advise(finding,
			      "usermod -aG %u USER, and log in again; or vhsm's --mode and --group",
			      (unsigned int)st.st_gid);
		return doctor_say(finding, DOCTOR_FAILED, "this user (%u) may not use %.200s",
				  (unsigned int)geteuid(), path);
	}
	if (err && err != -EAGAIN)
		return doctor_say(finding, DOCTOR_FAILED, "nobody listens on %.200s: %s", path,
				  strerror(-err));
	return doctor_say(finding, DOCTOR_OK, "%.200s", path);
}
