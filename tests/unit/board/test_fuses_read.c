// SPDX-License-Identifier: Apache-2.0
/*
 * Fuses in a store that fails: a record that does not verify is damage, which the other one makes good;
 * one that cannot be read is no reason to go a step back. The store is the test's own.
 */
#include "fixture.h"
#include "fuse_store.h"

struct fuse_store {
	uint8_t records[FUSE_SLOTS][FUSE_RECORD_SIZE];
	int fail[FUSE_SLOTS]; /* what reading it returns */
};

static struct fuse_store memory;

static int memory_create(const char *where, uint8_t records[FUSE_SLOTS][FUSE_RECORD_SIZE],
			 struct error *error)
{
	(void)where;
	(void)error;
	memcpy(memory.records, records, sizeof(memory.records));
	return 0;
}

static int memory_open(const char *where, struct fuse_store **store, struct error *error)
{
	(void)where;
	(void)error;
	*store = &memory;
	return 0;
}

static void memory_close(struct fuse_store *store)
{
	(void)store;
}

static int memory_read(struct fuse_store *store, unsigned int slot,
		       uint8_t record[FUSE_RECORD_SIZE])
{
	memcpy(record, store->records[slot], FUSE_RECORD_SIZE);
	return store->fail[slot];
}

static int memory_write(struct fuse_store *store, unsigned int slot,
			const uint8_t record[FUSE_RECORD_SIZE])
{
	memcpy(store->records[slot], record, FUSE_RECORD_SIZE);
	return 0;
}

/* In place of the file's */
const struct fuse_backend fuse_backend_file = {
	.scheme = "",
	.create = memory_create,
	.open = memory_open,
	.close = memory_close,
	.read = memory_read,
	.write = memory_write,
};

/* Either slot may be the one in force. */
static void test_unreadable(void **test)
{
	static const int errors[] = { -EIO, -EACCES, -ENOENT };
	struct fuse_values values = { .counter = 7, .minimum_version = 1 };
	struct error error;
	struct fuses *fuses;
	unsigned int slot;
	size_t i;

	(void)test;
	assert_int_equal(fuses_create("memory", &values, &error), 0);
	assert_int_equal(fuses_open("memory", &fuses, &error), 0);
	values.counter++;
	assert_int_equal(fuses_store(fuses, &values, false), 0);
	fuses_close(fuses);
	for (slot = 0; slot < FUSE_SLOTS; slot++)
		for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
			memory.fail[slot] = errors[i];
			assert_int_equal(fuses_open("memory", &fuses, &error), -EIO);
			assert_non_null(strstr(error.text, "cannot be read"));
			memory.fail[slot] = 0;
		}
	assert_int_equal(fuses_open("memory", &fuses, &error), 0);
	assert_int_equal(fuses_values(fuses)->counter, 8);
	fuses_close(fuses);
}

static void test_damaged(void **test)
{
	struct fuse_values values = { .counter = 7, .minimum_version = 1 };
	struct error error;
	struct fuses *fuses;
	unsigned int slot;

	(void)test;
	assert_int_equal(fuses_create("memory", &values, &error), 0);
	for (slot = 0; slot < FUSE_SLOTS; slot++) {
		memory.fail[slot] = -EBADMSG;
		assert_int_equal(fuses_open("memory", &fuses, &error), 0);
		assert_int_equal(fuses_values(fuses)->counter, 7);
		fuses_close(fuses);
		memory.fail[slot] = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
