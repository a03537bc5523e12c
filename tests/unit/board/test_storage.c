// SPDX-License-Identifier: Apache-2.0
/*
 * Storage requests as a firmware sends them: who may ask what, lengths, and the claim code.
 */
#include <sys/eventfd.h>
#include <linux/ihsm_hw.h>
#include "fixture.h"
#include "function.h"

struct bench {
	struct fixture *f;
	struct board_options options;
	struct board board;
	struct function functions[4];
	uint8_t request[BOARD_MESSAGE_MAX];
	uint8_t reply[BOARD_MESSAGE_MAX];
	struct board_message head; /* of the last reply */
};

static int setup_board(void **test, bool embedded)
{
	struct bench *b = calloc(1, sizeof(*b));
	unsigned int i;

	if (!b || fixture_setup((void **)&b->f))
		return -1;
	b->options.functions = 4;
	b->options.state = b->f->directory;
	b->options.dma_bits = 40;
	b->options.queues = 3;
	b->board.options = &b->options;
	b->board.stage.fd = -1;
	b->board.functions = b->functions;
	b->functions[1].starts = 5;
	b->board.bundles[0].security_version = 1;
	strcpy(b->board.bundles[0].version, "4.2-test");
	for (i = 0; i < b->options.functions; i++)
		b->functions[i].bundle = &b->board.bundles[0];
	pthread_mutex_init(&b->board.changed_lock, NULL);
	b->board.changes.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->f->config.embedded = embedded;
	if (fixture_open(b->f))
		return -1;
	b->board.state = b->f->state;
	*test = b;
	return 0;
}

static int setup(void **test)
{
	return setup_board(test, true);
}

static int setup_unclaimed(void **test)
{
	return setup_board(test, false);
}

static int teardown(void **test)
{
	struct bench *b = *test;

	board_drop_changes(&b->board);
	close(b->board.changes.fd);
	fixture_teardown((void **)&b->f);
	free(b);
	return 0;
}

/* Return: the reply's status; its body is b->reply + sizeof(b->head). */
static int ask(struct bench *b, uint32_t function, uint32_t type, const void *body, size_t length)
{
	struct board_message head = { .type = type, .length = (uint32_t)length };
	ssize_t n;

	memcpy(b->request, &head, sizeof(head));
	if (length)
		memcpy(b->request + sizeof(head), body, length);
	n = storage_handle(&b->board, function, b->request, sizeof(head) + length, b->reply);
	assert_in_range(n, sizeof(head), BOARD_MESSAGE_MAX);
	memcpy(&b->head, b->reply, sizeof(head));
	assert_int_equal(b->head.length, (size_t)n - sizeof(head));
	assert_int_equal(b->head.type, type);
	if (b->head.status)
		assert_int_equal(b->head.length, 0);
	return b->head.status;
}

static const void *body(const struct bench *b)
{
	return b->reply + sizeof(b->head);
}

static void test_hello(void **test)
{
	struct bench *b = *test;
	struct board_hello hello;

	assert_int_equal(ask(b, 1, BOARD_HELLO, NULL, 0), 0);
	assert_int_equal(b->head.length, sizeof(hello));
	memcpy(&hello, body(b), sizeof(hello));
	assert_int_equal(hello.function, 1);
	assert_int_equal(hello.functions, 4);
	assert_int_equal(hello.incarnation, 5);
	assert_int_equal(hello.dma_bits, 40);
	assert_int_equal(hello.security_version, 1);
	assert_int_equal(hello.min_security_version, 1);
	assert_string_equal(hello.version, "4.2-test");
	assert_int_equal(hello.flags, BOARD_HELLO_EMBEDDED | BOARD_HELLO_CLAIMED);
	assert_int_equal(strlen(hello.serial), 16);
}

static void test_authorization(void **test)
{
	static const uint32_t admin[] = {
		BOARD_PARTITION_CREATE,	 BOARD_PARTITION_ASSIGN,
		BOARD_PARTITION_DESTROY, BOARD_CLAIM,
		BOARD_COUNTER,		 BOARD_PARTITION_UPDATE,
	};
	struct bench *b = *test;
	struct board_partition partition = { .name = "x" };
	uint32_t function;
	size_t i;

	for (function = 1; function < 4; function++)
		for (i = 0; i < sizeof(admin) / sizeof(admin[0]); i++)
			assert_int_equal(ask(b, function, admin[i], &partition, sizeof(partition)),
					 -EACCES);
	assert_int_equal(ask(b, 0, BOARD_PARTITION_CREATE, &partition, sizeof(partition)), 0);
}

/* Every type, known or not, with lengths that are not its own: an error and nothing else. */
static void test_lengths(void **test)
{
	static const uint8_t zeros[512];
	struct bench *b = *test;
	uint32_t type;
	size_t length;

	for (type = 0; type < 32; type++)
		for (length = 1; length < sizeof(zeros); length++) {
			if (length == PARTITION_ID_SIZE || length == sizeof(struct board_rows) ||
			    length == sizeof(struct board_partition))
				continue;
			/* a policy of any bytes */
			if (length > sizeof(struct board_partition) &&
			    type == BOARD_PARTITION_CREATE)
				continue;
			assert_int_not_equal(ask(b, 0, type, zeros, length), 0);
		}
	assert_int_equal(ask(b, 0, 99, NULL, 0), -EOPNOTSUPP);
}

static void test_malformed(void **test)
{
	struct bench *b = *test;
	struct board_message head = { .type = BOARD_HELLO, .length = 1 };
	size_t n;

	for (n = 0; n < sizeof(head); n++)
		assert_int_equal(storage_handle(&b->board, 1, b->request, n, b->reply), -EPROTO);
	memcpy(b->request, &head, sizeof(head));
	assert_int_equal(storage_handle(&b->board, 1, b->request, sizeof(head), b->reply), -EPROTO);
	assert_int_equal(storage_handle(&b->board, 1, b->request, sizeof(head) + 2, b->reply),
			 -EPROTO);
}

static void test_assign(void **test)
{
	struct bench *b = *test;
	struct board_partition partition = { .name = "tenant" };
	struct board_open opened;
	uint8_t key[BOARD_KEY_SIZE];

	partition.function = 4;
	assert_int_equal(ask(b, 0, BOARD_PARTITION_CREATE, &partition, sizeof(partition)), -EINVAL);
	partition.function = 2;
	assert_int_equal(ask(b, 0, BOARD_PARTITION_CREATE, &partition, sizeof(partition)), 0);
	memcpy(&partition, body(b), sizeof(partition));
	assert_int_equal(ask(b, 2, BOARD_OPEN, partition.id, PARTITION_ID_SIZE), 0);
	memcpy(&opened, body(b), sizeof(opened));
	memcpy(key, opened.key, sizeof(key));
	partition.function = 3;
	assert_int_equal(ask(b, 0, BOARD_PARTITION_ASSIGN, &partition, sizeof(partition)), 0);
	assert_int_equal(ask(b, 2, BOARD_OPEN, partition.id, PARTITION_ID_SIZE), -ENOENT);
	assert_int_equal(ask(b, 3, BOARD_OPEN, partition.id, PARTITION_ID_SIZE), 0);
	memcpy(&opened, body(b), sizeof(opened));
	assert_memory_equal(opened.key, key, sizeof(key));
	assert_int_equal(ask(b, 0, BOARD_PARTITION_DESTROY, partition.id, PARTITION_ID_SIZE), 0);
	assert_int_equal(ask(b, 3, BOARD_OPEN, partition.id, PARTITION_ID_SIZE), -ENOENT);
	assert_int_equal(ask(b, 3, BOARD_LIST, NULL, 0), 0);
	assert_int_equal(b->head.length, 0);
	assert_non_null(b->board.changed);
}

static size_t read_claim(struct bench *b, char *code, size_t capacity)
{
	char path[FIXTURE_PATH];
	struct stat st;
	ssize_t n;
	int fd;

	fixture_path(b->f, "claim-code", "", path);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	n = read(fd, code, capacity);
	close(fd);
	assert_true(n > 20);
	return (size_t)n;
}

static void test_claim(void **test)
{
	struct bench *b = *test;
	struct board_hello hello;
	char code[64], path[FIXTURE_PATH];
	size_t length, i;

	assert_int_equal(claim_prepare(b->f->state, &b->f->error), 0);
	length = read_claim(b, code, sizeof(code));
	assert_int_equal(ask(b, 0, BOARD_CLAIM, "wrong", 5), -EACCES);
	assert_int_equal(ask(b, 0, BOARD_CLAIM, NULL, 0), -EACCES);
	assert_int_equal(ask(b, 0, BOARD_CLAIM, code, length - 2), -EACCES);
	assert_int_equal(ask(b, 0, BOARD_HELLO, NULL, 0), 0);
	memcpy(&hello, body(b), sizeof(hello));
	assert_int_equal(hello.flags & BOARD_HELLO_CLAIMED, 0);
	/* As a person might type it */
	for (i = 0; i < length; i++)
		code[i] = code[i] == '-' ? ' ' : (char)(code[i] | (code[i] >= 'A' ? 0x20 : 0));
	assert_int_equal(ask(b, 0, BOARD_CLAIM, code, length), 0);
	assert_int_equal(ask(b, 0, BOARD_CLAIM, code, length), -EALREADY);
	fixture_path(b->f, "claim-code", "", path);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(fixture_open(b->f), 0);
	b->board.state = b->f->state;
	assert_int_equal(ask(b, 0, BOARD_HELLO, NULL, 0), 0);
	memcpy(&hello, body(b), sizeof(hello));
	assert_int_equal(hello.flags, BOARD_HELLO_CLAIMED);
}

/* The limit holds across restarts until the code is replaced. */
static void test_claim_limit(void **test)
{
	struct bench *b = *test;
	char code[64], other[64];
	size_t length;
	int i;

	assert_int_equal(claim_prepare(b->f->state, &b->f->error), 0);
	length = read_claim(b, code, sizeof(code));
	for (i = 0; i < CLAIM_MAX_FAILURES; i++) {
		assert_int_equal(ask(b, 0, BOARD_CLAIM, "AAAAA-AAAAA-AAAAA-AAAAA", 23), -EACCES);
		if (i != 5)
			continue;
		assert_int_equal(fixture_open(b->f), 0);
		b->board.state = b->f->state;
		assert_int_equal(claim_prepare(b->f->state, &b->f->error), 0);
		assert_int_equal(read_claim(b, other, sizeof(other)), length);
		assert_memory_equal(code, other, length);
	}
	assert_int_equal(ask(b, 0, BOARD_CLAIM, code, length), -EPERM);
	assert_int_equal(fixture_open(b->f), 0);
	b->board.state = b->f->state;
	assert_int_equal(claim_prepare(b->f->state, &b->f->error), 0);
	assert_int_equal(ask(b, 0, BOARD_CLAIM, code, length), -EACCES);
	length = read_claim(b, code, sizeof(code));
	assert_int_equal(ask(b, 0, BOARD_CLAIM, code, length), 0);
}

/* Only fuses that a copy of the state directory does not take along protect from it. */
static void test_fuses_apart(void **test)
{
	struct bench *b = *test;
	char apart[FIXTURE_PATH];
	struct board_hello hello;

	snprintf(apart, sizeof(apart), "%s.fuses", b->f->directory);
	assert_int_equal(ask(b, 0, BOARD_HELLO, NULL, 0), 0);
	memcpy(&hello, body(b), sizeof(hello));
	assert_int_equal(hello.flags & BOARD_HELLO_ROLLBACK_SAFE, 0);
	fixture_close(b->f);
	assert_int_equal(rename(b->f->fuses, apart), 0);
	b->f->config.fuses = apart;
	assert_int_equal(fixture_open(b->f), 0);
	b->board.state = b->f->state;
	assert_int_equal(ask(b, 0, BOARD_HELLO, NULL, 0), 0);
	memcpy(&hello, body(b), sizeof(hello));
	assert_int_equal(hello.flags, BOARD_HELLO_ROLLBACK_SAFE);
	fixture_close(b->f);
	unlink(apart);
}

/* What an update has chosen was chosen under the present state of life. */
static void test_lifecycle_in_update(void **test)
{
	static const uint32_t next = HSM_LIFECYCLE_RETURNED;
	struct bench *b = *test;
	struct board_condition condition;

	b->board.update.phase = BOARD_UPDATE_RUNS;
	assert_int_equal(ask(b, 0, BOARD_LIFECYCLE, &next, sizeof(next)), -EBUSY);
	state_condition(b->f->state, &condition);
	assert_int_equal(condition.lifecycle, HSM_LIFECYCLE_DEVELOPMENT);
	b->board.update.phase = BOARD_UPDATE_DONE;
	assert_int_equal(ask(b, 0, BOARD_LIFECYCLE, &next, sizeof(next)), 0);
	state_condition(b->f->state, &condition);
	assert_int_equal(condition.lifecycle, HSM_LIFECYCLE_RETURNED);
}

#define TEST(name)	     cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_UNCLAIMED(name) cmocka_unit_test_setup_teardown(name, setup_unclaimed, teardown)

/* ---- firmware images ---- */

static int stage(struct bench *b, uint32_t function, uint32_t step, uint32_t number,
		 const void *bytes, size_t length)
{
	const struct board_stage head = { .step = step, .number = number };
	uint8_t body[sizeof(head) + 64];

	assert_true(length <= 64);
	memcpy(body, &head, sizeof(head));
	if (length)
		memcpy(body + sizeof(head), bytes, length);
	return ask(b, function, BOARD_STAGE, body, sizeof(head) + length);
}

static bool exists(struct bench *b, const char *name)
{
	char path[FIXTURE_PATH];

	fixture_path(b->f, name, "", path);
	return access(path, F_OK) == 0;
}

static void test_image(void **test)
{
	struct bench *b = *test;
	char path[FIXTURE_PATH], text[32] = "";
	FILE *file;

	assert_int_equal(stage(b, 1, IHSM_STAGE_BEGIN, 10, NULL, 0), -EACCES);
	assert_int_equal(stage(b, 0, IHSM_STAGE_BEGIN, 10, NULL, 0), 0);
	assert_int_equal(stage(b, 0, IHSM_STAGE_WRITE, 0, "firmw", 5), 0);
	assert_false(exists(b, "firmware.staged"));
	assert_int_equal(stage(b, 0, IHSM_STAGE_WRITE, 5, "are-1", 5), 0);
	assert_int_equal(stage(b, 0, IHSM_STAGE_END, 0, NULL, 0), 0);
	fixture_path(b->f, "firmware.staged", "", path);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_string_equal(text, "firmware-1");
	/* An upload that was cut short leaves what was there before. */
	assert_int_equal(stage(b, 0, IHSM_STAGE_BEGIN, 10, NULL, 0), 0);
	assert_int_equal(stage(b, 0, IHSM_STAGE_WRITE, 0, "other", 5), 0);
	assert_true(exists(b, "firmware.staged.new"));
	assert_int_equal(stage(b, 0, IHSM_STAGE_ABORT, 0, NULL, 0), 0);
	assert_false(exists(b, "firmware.staged.new"));
	assert_true(exists(b, "firmware.staged"));
}

static void test_image_out_of_order(void **test)
{
	struct bench *b = *test;

	assert_int_equal(stage(b, 0, IHSM_STAGE_WRITE, 0, "x", 1), -EINVAL);
	assert_int_equal(stage(b, 0, IHSM_STAGE_END, 0, NULL, 0), -EINVAL);
	assert_int_equal(stage(b, 0, IHSM_STAGE_ABORT, 0, NULL, 0), 0);
	assert_int_equal(stage(b, 0, 4, 0, NULL, 0), -EINVAL);
	assert_int_equal(stage(b, 0, IHSM_STAGE_BEGIN, 0, NULL, 0), -EINVAL);
	assert_int_equal(stage(b, 0, IHSM_STAGE_BEGIN, IHSM_IMAGE_MAX + 1, NULL, 0), -EINVAL);
	assert_int_equal(stage(b, 0, IHSM_STAGE_BEGIN, 10, "x", 1), -EINVAL);
	/* A gap, more than was said, or too little: what came is forgotten. */
	assert_int_equal(stage(b, 0, IHSM_STAGE_BEGIN, 4, NULL, 0), 0);
	assert_int_equal(stage(b, 0, IHSM_STAGE_WRITE, 1, "x", 1), -EINVAL);
	assert_int_equal(stage(b, 0, IHSM_STAGE_WRITE, 0, "x", 1), -EINVAL);
	assert_int_equal(stage(b, 0, IHSM_STAGE_BEGIN, 4, NULL, 0), 0);
	assert_int_equal(stage(b, 0, IHSM_STAGE_WRITE, 0, "12345", 5), -EINVAL);
	assert_int_equal(stage(b, 0, IHSM_STAGE_BEGIN, 4, NULL, 0), 0);
	assert_int_equal(stage(b, 0, IHSM_STAGE_END, 0, NULL, 0), -EINVAL);
	assert_false(exists(b, "firmware.staged.new"));
	assert_false(exists(b, "firmware.staged"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_image),
		TEST(test_image_out_of_order),
		TEST(test_hello),
		TEST(test_authorization),
		TEST(test_lengths),
		TEST(test_malformed),
		TEST(test_assign),
		TEST(test_lifecycle_in_update),
		TEST_UNCLAIMED(test_claim),
		TEST_UNCLAIMED(test_claim_limit),
		TEST_UNCLAIMED(test_fuses_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
