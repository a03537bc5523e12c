// SPDX-License-Identifier: Apache-2.0
/*
 * The board's place in the file system: the state directory and whose it is, the lock that keeps a
 * second board away, and the functions' sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "internal.h"

#define BACKLOG 128

int directory_prepare(const char *path, bool private, struct error *error)
{
	struct stat st;
	int fd, ret = 0;

	if (mkdir(path, 0700) && errno != EEXIST)
		return error_set(error, -errno, "directory %s: cannot be created: %s", path,
				 errno == ENOENT ? "make the directory above it first"
						 : strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		ret = error_set(error, -errno, "directory %s: %s", path, strerror(errno));
	else if (private && st.st_uid != geteuid())
		ret = error_set(error, -EPERM,
				"directory %s: belongs to uid %u, not to you (uid %u); "
				"choose a directory of your own",
				path, st.st_uid, geteuid());
	else if (private && (st.st_mode & 077))
		ret = error_set(error, -EPERM,
				"directory %s: others can reach it (mode %04o); "
				"chmod 700 it",
				path, st.st_mode & 07777);
	if (fd >= 0)
		close(fd);
	return ret;
}

int directory_hold(const char *run, struct error *error)
{
	int fd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_set(error, -errno, "sockets %s: %s", run, strerror(errno));
	return fd;
}

static int lock_refused(int fd, const char *path, struct error *error)
{
	char pid[16] = "";
	ssize_t n;

	n = pread(fd, pid, sizeof(pid) - 1, 0);
	if (n > 0)
		pid[strcspn(pid, "\n")] = '\0';
	return error_set(error, -EBUSY, "state %s: another board runs on it (pid %s)", path,
			 n > 0 ? pid : "unknown");
}

int directory_lock(const char *path, struct error *error)
{
	char name[4096], pid[16];
	int fd, n, ret;

	if ((size_t)snprintf(name, sizeof(name), "%s/lock", path) >= sizeof(name))
		return error_set(error, -ENAMETOOLONG, "state %s: the path is too long", path);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(error, -errno, "lock %s: %s", name, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		ret = errno == EWOULDBLOCK
			      ? lock_refused(fd, path, error)
			      : error_set(error, -errno, "lock %s: %s", name, strerror(errno));
		close(fd);
		return ret;
	}
	/* Only for the message above; the lock is what counts, also on a full disk. */
	n = snprintf(pid, sizeof(pid), "%d\n", getpid());
	if (ftruncate(fd, 0) || pwrite(fd, pid, (size_t)n, 0) != n)
		board_log("lock %s: the pid could not be noted: %s", name, strerror(errno));
	return fd;
}

/*
 * Names of a function's socket: as peers know it, and while the board makes sure that none is
 * waiting
 */
#define OPEN_NAME    "fn%u.sock"
#define CLOSING_NAME "fn%u.closing"

/*
 * Fill @address with a path to the function's socket. *directory is a descriptor to keep open while
 * it is used.
 */
static int socket_address(const char *run, unsigned int function, struct sockaddr_un *address,
			  int *directory)
{
	size_t room = sizeof(address->sun_path);
	char file[32];

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	*directory = -1;
	snprintf(file, sizeof(file), OPEN_NAME, function);
	if ((size_t)snprintf(address->sun_path, room, "%s/%s", run, file) < room)
		return 0;
	*directory = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*directory < 0)
		return -errno;
	snprintf(address->sun_path, room, "/proc/self/fd/%d/%s", *directory, file);
	return 0;
}

static int bind_socket(int fd, const struct sockaddr_un *address, mode_t mode, gid_t gid)
{
	mode_t mask;
	int ret = 0;

	unlink(address->sun_path);
	/* Nobody gets in before owner, group and mode are as they shall be. */
	mask = umask(0177);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		ret = -errno;
	umask(mask);
	if (!ret && gid != (gid_t)-1 && chown(address->sun_path, (uid_t)-1, gid))
		ret = -errno;
	if (!ret && chmod(address->sun_path, mode))
		ret = -errno;
	if (!ret && listen(fd, BACKLOG))
		ret = -errno;
	return ret;
}

int directory_listen(const char *run, unsigned int function, mode_t mode, gid_t gid,
		     struct error *error)
{
	struct sockaddr_un address;
	int fd, directory, ret;

	ret = socket_address(run, function, &address, &directory);
	if (ret)
		return error_set(error, ret, "sockets %s: %s", run, strerror(-ret));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ret = fd < 0 ? -errno : bind_socket(fd, &address, mode, gid);
	if (directory >= 0)
		close(directory);
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	return error_set(error, ret, "socket %s/fn%u.sock: %s", run, function, strerror(-ret));
}

static void socket_name(char name[32], bool closing, unsigned int function)
{
	snprintf(name, 32, closing ? CLOSING_NAME : OPEN_NAME, function);
}

void directory_unlisten(int run, unsigned int function)
{
	char name[32];

	socket_name(name, false, function);
	unlinkat(run, name, 0);
	socket_name(name, true, function);
	unlinkat(run, name, 0);
}

void directory_hide(int run, unsigned int function, bool hidden)
{
	char from[32], to[32];

	socket_name(from, !hidden, function);
	socket_name(to, hidden, function);
	/*
	 * A socket keeps its peers under any name. In a directory that was removed there is none.
	 */
	if (renameat(run, from, run, to) && errno != ENOENT)
		board_log("socket %s: %s", from, strerror(errno));
}
