/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state directory to break: made anew for each test, copied, flipped, put back.
 */
#ifndef BOARD_FIXTURE_H
#define BOARD_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "internal.h"

#define FIXTURE_PATH 512

static const char *const fixture_files[] = { "fuses", "nvm.db", "nvm.db-wal" };

struct fixture {
	char directory[FIXTURE_PATH - 32];
	char fuses[FIXTURE_PATH];
	struct state_config config;
	struct state *state;
	struct error error;
	int fail_at;  /* enum state_step to fail at, -1: never */
};

static inline void fixture_path(const struct fixture *f, const char *name, const char *ending,
				char *path)
{
	assert_in_range(snprintf(path, FIXTURE_PATH, "%s/%s%s", f->directory, name, ending), 1,
			FIXTURE_PATH - 1);
}

static inline int fixture_step(void *data, enum state_step step)
{
	const struct fixture *f = data;

	return f->fail_at == (int)step ? -EINTR : 0;
}

static inline int fixture_setup(void **test)
{
	const char *base = getenv("TMPDIR");
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	snprintf(f->directory, sizeof(f->directory), "%s/board.XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(f->directory)) {
		free(f);
		return -1;
	}
	fixture_path(f, "fuses", "", f->fuses);
	f->config = (struct state_config){
		.directory = f->directory,
		.fuses = f->fuses,
		.embedded = true,
		.step = fixture_step,
		.step_data = f,
	};
	f->fail_at = -1;
	*test = f;
	return 0;
}

static inline void fixture_close(struct fixture *f)
{
	state_close(f->state);
	f->state = NULL;
}

static inline int fixture_open(struct fixture *f)
{
	fixture_close(f);
	f->error.text[0] = '\0';
	return state_open(&f->config, 1, &f->state, &f->error);
}

static inline int fixture_teardown(void **test)
{
	static const char *const endings[] = { "", ".saved", ".new" };
	static const char *const others[] = { "nvm.db-shm", "claim-code", "lock" };
	struct fixture *f = *test;
	char path[FIXTURE_PATH];
	size_t i, j;

	fixture_close(f);
	for (i = 0; i < 3; i++) {
		for (j = 0; j < 3; j++) {
			fixture_path(f, fixture_files[i], endings[j], path);
			unlink(path);
		}
		fixture_path(f, others[i], "", path);
		unlink(path);
	}
	rmdir(f->directory);
	free(f);
	return 0;
}

/* Copy FILE+from to FILE+to; a source that is not there removes the target. */
static inline void fixture_copy(struct fixture *f, const char *name, const char *from,
				const char *to)
{
	char source[FIXTURE_PATH], target[FIXTURE_PATH], bytes[65536];
	int in, out;
	ssize_t n;

	fixture_path(f, name, from, source);
	fixture_path(f, name, to, target);
	in = open(source, O_RDONLY);
	if (in < 0) {
		unlink(target);
		return;
	}
	out = open(target, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(out >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
	close(in);
	close(out);
}

static inline void fixture_save(struct fixture *f, const char *name)
{
	fixture_copy(f, name, "", ".saved");
}

static inline void fixture_restore(struct fixture *f, const char *name)
{
	fixture_copy(f, name, ".saved", "");
}

static inline void fixture_save_all(struct fixture *f)
{
	size_t i;

	for (i = 0; i < 3; i++)
		fixture_save(f, fixture_files[i]);
}

static inline void fixture_restore_all(struct fixture *f)
{
	size_t i;

	for (i = 0; i < 3; i++)
		fixture_restore(f, fixture_files[i]);
}

static inline off_t fixture_size(struct fixture *f, const char *name)
{
	char path[FIXTURE_PATH];
	struct stat st;

	fixture_path(f, name, "", path);
	return stat(path, &st) ? 0 : st.st_size;
}

static inline void fixture_flip(struct fixture *f, const char *name, off_t at)
{
	char path[FIXTURE_PATH];
	uint8_t byte;
	int fd;

	fixture_path(f, name, "", path);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x41;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* The id of the partition that function @function has, the first one. */
static inline void fixture_id(struct fixture *f, uint32_t function, uint8_t *id)
{
	struct board_partition list[BOARD_MAX_PARTITIONS];
	size_t count;

	assert_int_equal(state_list(f->state, function, list, BOARD_MAX_PARTITIONS, &count), 0);
	assert_true(count > 0);
	memcpy(id, list[0].id, PARTITION_ID_SIZE);
}

/* A commit of a header and at most one row. */
static inline size_t fixture_request(uint8_t *request, const uint8_t *id, uint32_t flags,
				     const char *header, uint64_t row, const void *blob,
				     size_t length)
{
	struct board_commit commit = {
		.flags = flags,
		.header_length = (uint32_t)strlen(header),
		.changes = row != 0,
	};
	struct board_change change = { .id = row, .length = (uint32_t)length };
	size_t at = 0;

	memcpy(commit.partition, id, PARTITION_ID_SIZE);
	memcpy(request + at, &commit, sizeof(commit));
	at += sizeof(commit);
	memcpy(request + at, header, strlen(header));
	at += strlen(header);
	if (!row)
		return at;
	memcpy(request + at, &change, sizeof(change));
	at += sizeof(change);
	if (length)
		memcpy(request + at, blob, length);
	return at + length;
}

static inline int fixture_commit(struct fixture *f, uint32_t function, const uint8_t *id,
				 uint32_t flags, const char *header, uint64_t row, const void *blob,
				 size_t length)
{
	static uint8_t request[BOARD_MESSAGE_MAX];
	struct board_committed committed;

	return state_commit(f->state, function, request,
			    fixture_request(request, id, flags, header, row, blob, length),
			    &committed);
}

/* Assert that the partition's header is @header. */
static inline void fixture_header(struct fixture *f, uint32_t function, const uint8_t *id,
				  const char *header)
{
	static char bytes[BOARD_BLOB_MAX];
	struct board_open opened;

	assert_int_equal(
		state_partition_open(f->state, function, id, &opened, bytes, sizeof(bytes)), 0);
	assert_int_equal(opened.header_length, strlen(header));
	assert_memory_equal(bytes, header, strlen(header));
}

#endif /* BOARD_FIXTURE_H */
