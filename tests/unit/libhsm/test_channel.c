// SPDX-License-Identifier: Apache-2.0
/*
 * Channels over a device in this process: what they survive, what they may repeat, what they must
 * not.
 */
#include "fake_device.h"
#include "temporary.h"
#include <stdio.h>
#include <openssl/pem.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
	struct fake fake;
	struct hsm_device *device;
	struct hsm_channel *channel;
};

static void connect_channel(struct fixture *f)
{
	struct hsm_error error;
	int err = hsm_connect(f->device, f->fake.partition, &f->channel, &error);

	if (err)
		print_error("%s\n", error.text);
	assert_int_equal(err, 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	static int count;
	char path[256];

	if (!f)
		return -1;
	/* Each test has pins of its own. */
	snprintf(path, sizeof(path), "%s/state-%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
		 getpid() * 100 + ++count);
	setenv("XDG_STATE_HOME", path, 1);
	fake_start(&f->fake);
	f->device = fake_device(&f->fake);
	connect_channel(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hsm_disconnect(f->channel);
	hsm_close(f->device);
	fake_stop(&f->fake);
	free(f);
	return 0;
}

static int nop(struct fixture *f, const char *text, struct hsm_error *error)
{
	struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_NOP, 0);
	const uint8_t *data;
	size_t length;
	int err;

	hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_DATA, text, strlen(text));
	err = hsm_call(request, error);
	if (!err) {
		data = hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_DATA, &length);
		assert_int_equal(length, strlen(text));
		assert_memory_equal(data, text, length);
	}
	hsm_request_free(request);
	return err;
}

static int in_session(struct fixture *f, enum hsm_operation operation, uint32_t session,
		      uint64_t *rv, struct hsm_error *error)
{
	struct hsm_request *request = hsm_request_new(f->channel, operation, session);
	int err;

	if (operation == HSM_OP_SEED)
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_DATA, "x", 1);
	err = hsm_call(request, error);
	*rv = hsm_request_rv(request);
	hsm_request_free(request);
	return err;
}

static uint32_t open_session(struct fixture *f)
{
	struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_SESSION_OPEN, 0);
	uint32_t session;

	hsm_put_u64(hsm_request_writer(request), HSM_FIELD_FLAGS, 4);
	assert_int_equal(hsm_call(request, NULL), 0);
	session = hsm_request_session(request);
	hsm_request_free(request);
	assert_true(session > 0);
	return session;
}

static void test_call(void **state)
{
	struct hsm_error error;

	assert_int_equal(nop(*state, "hello", &error), 0);
	assert_int_equal(error.layer, HSM_LAYER_NONE);
	assert_int_equal(nop(*state, "", &error), 0);
}

static void test_answer_code(void **state)
{
	struct hsm_error error;
	uint64_t rv;

	assert_int_equal(in_session(*state, HSM_OP_SESSION_INFO, 9, &rv, &error), 0);
	assert_int_equal(rv, 0xb3);
	assert_int_equal(error.layer, HSM_LAYER_COMMAND);
	assert_int_equal(error.rv, 0xb3);
}

/* What the device says of approved services is passed on; flags that nobody knows are no answer. */
static void test_approved(void **state)
{
	struct fixture *f = *state;
	struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_NOP, 0);
	struct hsm_error error;

	assert_int_equal(hsm_call(request, &error), 0);
	assert_false(hsm_request_approved(request));
	f->fake.flags = HSM_RESPONSE_APPROVED;
	assert_int_equal(hsm_call(request, &error), 0);
	assert_true(hsm_request_approved(request));
	f->fake.flags = 0;
	assert_int_equal(hsm_call(request, &error), 0);
	assert_false(hsm_request_approved(request));
	assert_false(hsm_request_again(request));
	f->fake.flags = HSM_RESPONSE_AGAIN;
	assert_int_equal(hsm_call(request, &error), 0);
	assert_true(hsm_request_again(request));
	assert_false(hsm_request_approved(request));
	f->fake.flags = HSM_RESPONSE_AGAIN << 1;
	assert_int_not_equal(hsm_call(request, &error), 0);
	f->fake.flags = 0;
	hsm_request_free(request);
}

static void test_too_long(void **state)
{
	struct fixture *f = *state;
	struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_NOP, 0);
	struct hsm_error error;

	assert_null(hsm_put_reserve(hsm_request_writer(request), HSM_FIELD_DATA, HSM_MESSAGE_MAX));
	assert_int_equal(hsm_call(request, &error), -EMSGSIZE);
	assert_true(strlen(error.text) > 0);
	hsm_request_free(request);
}

/* A request sent again is the same request. */
static void test_sent_twice(void **state)
{
	struct fixture *f = *state;
	struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_NOP, 0);
	size_t length;

	hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_DATA, "again", 5);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(hsm_call(request, NULL), 0);
		assert_memory_equal(hsm_fields_bytes(hsm_request_fields(request), HSM_FIELD_DATA,
						     &length),
				    "again", 5);
		assert_int_equal(length, 5);
	}
	hsm_request_free(request);
}

/* Room for the answer to one command, whose one field of 64 bits is @tag, unless that is 0 */
static size_t room_for(struct fixture *f, enum hsm_operation operation, enum hsm_field_tag tag,
		       uint64_t value)
{
	uint32_t session = hsm_operation_find(operation)->session;
	struct hsm_request *request = hsm_request_new(f->channel, operation, session);
	static const uint8_t data[HSM_RESPONSE_MIN];

	if (operation == HSM_OP_NOP)
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_DATA, data, value);
	else if (tag)
		hsm_put_u64(hsm_request_writer(request), tag, value);
	assert_int_equal(hsm_call(request, NULL), 0);
	hsm_request_free(request);
	return f->fake.room;
}

/* Small answers get a small room, so that the driver can do without memory for each. */
static void test_room_for_answers(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(room_for(f, HSM_OP_NOP, 0, 64), HSM_RESPONSE_MIN);
	assert_int_equal(room_for(f, HSM_OP_NOP, 0, HSM_RESPONSE_MIN), HSM_MESSAGE_MAX);
	assert_int_equal(room_for(f, HSM_OP_SIGN, HSM_FIELD_OUT_MAX, 512), HSM_RESPONSE_MIN);
	assert_int_equal(room_for(f, HSM_OP_SIGN, HSM_FIELD_OUT_MAX, 3584), HSM_RESPONSE_MIN);
	assert_int_equal(room_for(f, HSM_OP_SIGN, HSM_FIELD_OUT_MAX, 3585), HSM_MESSAGE_MAX);
	assert_int_equal(room_for(f, HSM_OP_SIGN, HSM_FIELD_OUT_MAX, HSM_OUT_QUERY),
			 HSM_RESPONSE_MIN);
	assert_int_equal(room_for(f, HSM_OP_RANDOM, HSM_FIELD_LENGTH, 32), HSM_RESPONSE_MIN);
	assert_int_equal(room_for(f, HSM_OP_RANDOM, HSM_FIELD_LENGTH, 65536), HSM_MESSAGE_MAX);
	assert_int_equal(room_for(f, HSM_OP_LOGOUT, 0, 0), HSM_RESPONSE_MIN);
	assert_int_equal(room_for(f, HSM_OP_MECHANISM_LIST, 0, 0), HSM_MESSAGE_MAX);
}

static void test_lost_is_repeated(void **state)
{
	struct fixture *f = *state;
	struct hsm_error error;

	f->fake.lose = 1;
	assert_int_equal(nop(f, "repeat me", &error), 0);
	assert_int_equal(f->fake.executed, 2);
	assert_int_equal(f->fake.recovered, 1);
	assert_int_equal(hsm_channel_generation(f->channel), 1);
}

static void test_lost_once_is_not_repeated(void **state)
{
	struct fixture *f = *state;
	struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_SESSION_CLOSE_ALL, 0);
	struct hsm_error error;

	f->fake.lose = 1;
	assert_int_equal(hsm_call(request, &error), -ECONNRESET);
	assert_int_equal(f->fake.executed, 1);
	assert_int_equal(error.layer, HSM_LAYER_TRANSPORT);
	hsm_request_free(request);
	assert_int_equal(nop(f, "on", &error), 0);
}

/* The number of a session of an old channel may be somebody else's on the new one. */
static void test_session_does_not_outlive_channel(void **state)
{
	struct fixture *f = *state;
	uint32_t session = open_session(f);
	struct hsm_request *early = hsm_request_new(f->channel, HSM_OP_SESSION_INFO, session);
	struct hsm_error error;
	uint64_t rv;

	assert_int_equal(in_session(f, HSM_OP_SESSION_INFO, session, &rv, &error), 0);
	fake_lose(&f->fake);
	assert_int_equal(in_session(f, HSM_OP_SESSION_INFO, session, &rv, &error), -ECONNRESET);
	assert_int_equal(hsm_channel_generation(f->channel), 1);
	assert_int_equal(nop(f, "new channel", &error), 0);
	assert_int_equal(hsm_channel_generation(f->channel), 1);
	assert_int_equal(hsm_call(early, &error), -ECONNRESET);
	hsm_request_free(early);
}

static void test_unknown_channel(void **state)
{
	struct fixture *f = *state;
	struct hsm_error error;
	uint32_t session;
	uint64_t rv;

	f->fake.status = IHSM_SC_NO_CHANNEL;
	f->fake.times = 1;
	assert_int_equal(nop(f, "x", &error), 0);
	assert_int_equal(hsm_channel_generation(f->channel), 1);
	session = open_session(f);
	f->fake.times = 1;
	assert_int_equal(in_session(f, HSM_OP_SEED, session, &rv, &error), -ECONNRESET);
	assert_int_equal(error.device_status, IHSM_SC_NO_CHANNEL);
	assert_int_equal(error.layer, HSM_LAYER_DEVICE);
}

/* Whoever can forge a completion must not make us execute something twice. */
static void test_forged_refusal(void **state)
{
	static const unsigned int forged[] = { IHSM_SC_AUTHENTICATION, IHSM_SC_REPLAYED,
					       IHSM_SC_INVALID_MESSAGE };
	struct fixture *f = *state;
	uint32_t session = open_session(f);
	struct hsm_error error;
	uint64_t rv;

	for (size_t i = 0; i < ARRAY_SIZE(forged); i++) {
		f->fake.executed = 0;
		f->fake.status = forged[i];
		f->fake.times = 1;
		assert_int_equal(in_session(f, HSM_OP_SEED, session, &rv, &error), -EIO);
		assert_int_equal(f->fake.executed, 0);
		assert_int_equal(error.device_status, forged[i]);
		f->fake.times = 1;
		assert_int_equal(in_session(f, HSM_OP_SESSION_INFO, session, &rv, &error), 0);
		assert_int_equal(rv, 0);
		assert_int_equal(f->fake.executed, 1);
	}
	assert_int_equal(hsm_channel_generation(f->channel), 0);
}

static void test_spoiled_answer(void **state)
{
	struct fixture *f = *state;
	uint32_t session = open_session(f);
	struct hsm_error error;
	uint64_t rv;

	f->fake.spoil = 1;
	assert_int_equal(nop(f, "flip", &error), 0);
	f->fake.spoil = 1;
	f->fake.executed = 0;
	assert_int_equal(in_session(f, HSM_OP_SEED, session, &rv, &error), -EIO);
	assert_int_equal(f->fake.executed, 1);
	assert_int_equal(error.layer, HSM_LAYER_CHANNEL);
	f->fake.spoil = 100;
	assert_int_equal(nop(f, "flip", &error), -EIO);
	f->fake.spoil = 0;
}

static void test_device_status(void **state)
{
	struct fixture *f = *state;
	struct hsm_error error;

	f->fake.status = IHSM_SC_BUSY;
	f->fake.times = 1;
	assert_int_equal(nop(f, "x", &error), -EBUSY);
	assert_int_equal(error.device_status, IHSM_SC_BUSY);
	f->fake.status = 0x7f;
	f->fake.times = 1;
	assert_int_equal(nop(f, "x", &error), -EIO);
	assert_int_equal(error.device_status, 0x7f);
}

static void test_submit(void **state)
{
	struct fixture *f = *state;
	struct hsm_request *request[300];
	struct hsm_error error;
	size_t length;
	char text[16];

	f->fake.hold = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(request); i++) {
		request[i] = hsm_request_new(f->channel, HSM_OP_NOP, 0);
		snprintf(text, sizeof(text), "%u", i);
		hsm_put_bytes(hsm_request_writer(request[i]), HSM_FIELD_DATA, text, strlen(text));
		assert_int_equal(hsm_submit(request[i], &error), 0);
		assert_int_equal(hsm_submit(request[i], &error), -EBUSY);
	}
	assert_int_equal(hsm_poll(request[0]), 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(request); i++) {
		snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(hsm_wait(request[i], &error), 0);
		assert_memory_equal(hsm_fields_bytes(hsm_request_fields(request[i]), HSM_FIELD_DATA,
						     &length),
				    text, strlen(text));
		assert_int_equal(hsm_wait(request[i], &error), -EINVAL);
		hsm_request_free(request[i]);
	}
}

/* Freed while it is in the device: it is waited for. */
static void test_free_submitted(void **state)
{
	struct fixture *f = *state;
	struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_NOP, 0);

	f->fake.hold = true;
	assert_int_equal(hsm_submit(request, NULL), 0);
	hsm_request_free(request);
	assert_int_equal(f->fake.executed, 1);
	assert_int_equal(atomic_load(&f->channel->link->inside), 0);
}

/* ---- replacement ---- */

static void test_replacement(void **state)
{
	struct fixture *f = *state;
	uint32_t session = open_session(f);
	struct hsm_error error;
	uint64_t rv;

	f->channel->max_messages = 64;
	for (int i = 0; i < 500; i++) {
		assert_int_equal(nop(f, "wear", &error), 0);
		assert_true(atomic_load(&f->channel->link->sequence) <= 64);
		assert_int_equal(in_session(f, HSM_OP_SESSION_INFO, session, &rv, &error), 0);
		assert_int_equal(rv, 0);
	}
	assert_true(f->fake.handshakes > 5);
	assert_int_equal(hsm_channel_generation(f->channel), 0);
}

/* Requests of the same thread that are on their way must not make it wait for itself. */
static void test_replacement_with_submitted(void **state)
{
	struct fixture *f = *state;
	struct hsm_request *request[40];

	f->fake.hold = true;
	f->channel->max_messages = 64;
	for (int round = 0; round < 4; round++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(request); i++) {
			request[i] = hsm_request_new(f->channel, HSM_OP_NOP, 0);
			assert_int_equal(hsm_submit(request[i], NULL), 0);
		}
		for (unsigned int i = 0; i < ARRAY_SIZE(request); i++) {
			assert_int_equal(hsm_wait(request[i], NULL), 0);
			hsm_request_free(request[i]);
		}
	}
	assert_true(f->fake.handshakes > 2);
	assert_int_equal(hsm_channel_generation(f->channel), 0);
}

static void test_replacement_refused(void **state)
{
	struct fixture *f = *state;
	struct hsm_error error;

	f->channel->max_messages = 64;
	for (int i = 0; i < 48; i++)
		assert_int_equal(nop(f, "wear", &error), 0);
	f->fake.status = IHSM_SC_BUSY;
	f->fake.times = 1;
	assert_int_equal(nop(f, "after a loss", &error), 0);
	assert_int_equal(hsm_channel_generation(f->channel), 1);
}

static void *caller(void *arg)
{
	struct fixture *f = arg;
	intptr_t failures = 0;
	struct hsm_error error;

	for (int i = 0; i < 400; i++) {
		struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_NOP, 0);

		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_DATA, &i, sizeof(i));
		failures += hsm_call(request, &error) != 0;
		failures += hsm_request_rv(request) != 0;
		hsm_request_free(request);
	}
	return (void *)failures;
}

static void test_replacement_under_threads(void **state)
{
	struct fixture *f = *state;
	pthread_t thread[4];

	f->channel->max_messages = 64;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, caller, f), 0);
	for (int i = 0; i < 4; i++) {
		void *failures;

		pthread_join(thread[i], &failures);
		assert_ptr_equal(failures, NULL);
	}
	assert_true(f->fake.handshakes > 10);
	assert_int_equal(hsm_channel_generation(f->channel), 0);
}

/* Channels that were left over in the device keep nobody out for good. */
static void test_crowded(void **state)
{
	struct fixture *f = *state;
	struct hsm_channel *second;
	struct hsm_error error;

	f->fake.crowded = true;
	/* The first channel is alive: its context is not given up for a second one. */
	assert_int_equal(hsm_connect(f->device, f->fake.partition, &second, &error), -EBUSY);
	assert_int_equal(nop(f, "alive", &error), 0);
	assert_int_equal(f->fake.recovered, 0);
	f->fake.status = IHSM_SC_NO_CHANNEL;
	f->fake.times = 1;
	assert_int_equal(nop(f, "x", &error), 0);
	assert_int_equal(f->fake.recovered, 1);
}

/* ---- identity ---- */

static int connect_again(struct fixture *f, struct hsm_error *error)
{
	struct hsm_channel *second = NULL;
	int err = hsm_connect(f->device, f->fake.partition, &second, error);

	hsm_disconnect(second);
	return err;
}

/*
 * A partition that waits to be filled is nobody that one should remember: its identity comes with its content. Where
 * another one is known, it is as wrong as any.
 */
static void test_passing_identity(void **state)
{
	struct fixture *f = *state;
	struct hsm_error error;
	char path[300];

	/* Nothing is known yet. */
	snprintf(path, sizeof(path), "%s-passing", getenv("XDG_STATE_HOME"));
	setenv("XDG_STATE_HOME", path, 1);
	for (int i = 0; i < 2; i++) {
		fake_identity_of(&f->fake, f->fake.partition, HSM_DICE_PASSING);
		assert_int_equal(connect_again(f, &error), 0);
	}
	fake_identity(&f->fake, f->fake.partition);
	assert_int_equal(connect_again(f, &error), 0);
	fake_identity_of(&f->fake, f->fake.partition, HSM_DICE_PASSING);
	assert_int_equal(connect_again(f, &error), -EKEYREJECTED);
	assert_non_null(strstr(error.text, "another identity"));
}

static void test_changed_identity(void **state)
{
	struct fixture *f = *state;
	struct hsm_channel *second;
	struct hsm_error error;

	fake_identity(&f->fake, f->fake.partition);
	assert_int_equal(hsm_connect(f->device, f->fake.partition, &second, &error), -EKEYREJECTED);
	assert_int_equal(error.layer, HSM_LAYER_CHANNEL);
	assert_non_null(strstr(error.text, "another identity"));
	assert_null(second);
}

static void test_wrong_partition_in_certificate(void **state)
{
	static const uint8_t other[HSM_PARTITION_ID_SIZE] = { 1, 2, 3 };
	struct fixture *f = *state;
	struct hsm_channel *second;
	struct hsm_error error;

	fake_identity(&f->fake, other);
	assert_int_equal(hsm_connect(f->device, f->fake.partition, &second, &error), -EKEYREJECTED);
	assert_non_null(strstr(error.text, "not that of partition"));
}

static void test_stranger_is_not_pinned(void **state)
{
	struct fixture *f = *state;
	struct hsm_channel *second;
	struct hsm_error error;

	f->fake.transport.own = false;
	assert_int_equal(hsm_connect(f->device, f->fake.partition, &second, &error), -EKEYREJECTED);
	assert_non_null(strstr(error.text, "hsm.conf"));
}

static void test_unknown_partition(void **state)
{
	static const uint8_t other[HSM_PARTITION_ID_SIZE] = { 1, 2, 3 };
	struct fixture *f = *state;
	struct hsm_channel *second;
	struct hsm_error error;

	assert_int_equal(hsm_connect(f->device, other, &second, &error), -ENODEV);
	assert_int_equal(error.device_status, IHSM_SC_NO_PARTITION);
}

/* ---- identities in hsm.conf ---- */

static void key_hash(struct fixture *f, char hex[2 * IDENTITY_HASH_SIZE + 1])
{
	uint8_t hash[IDENTITY_HASH_SIZE];
	unsigned char *der = NULL;
	int length = i2d_PUBKEY(f->fake.chain.identity_key, &der);

	assert_true(length > 0);
	assert_int_equal(EVP_Digest(der, (size_t)length, hash, NULL, EVP_sha256(), NULL), 1);
	OPENSSL_free(der);
	hex_format(hash, sizeof(hash), hex);
}

/* Connect to the fake anew, as somebody who has this hsm.conf and does not own the socket. */
static int connect_with_conf(struct fixture *f, const char *text, struct hsm_error *error)
{
	struct hsm_channel *channel = NULL;
	struct hsm_device *device;
	char path[TEMPORARY_PATH];
	int fd = mkstemp(temporary_name(path, "hsm-conf"));
	int err;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	setenv("HSM_CONF", path, 1);
	f->fake.transport.own = false;
	device = fake_device(&f->fake);
	unsetenv("HSM_CONF");
	unlink(path);
	err = hsm_connect(device, f->fake.partition, &channel, error);
	hsm_disconnect(channel);
	hsm_close(device);
	return err;
}

static void test_configured_pin(void **state)
{
	struct fixture *f = *state;
	char hex[2 * IDENTITY_HASH_SIZE + 1], id[UUID_TEXT_SIZE], text[512];
	struct hsm_error error;

	key_hash(f, hex);
	uuid_format(f->fake.partition, id);
	snprintf(text, sizeof(text), "pin = %s sha256:%s\n", id, hex);
	assert_int_equal(connect_with_conf(f, text, &error), 0);
	/* The device's own section counts more, and a pin more than what was seen before. */
	snprintf(text, sizeof(text),
		 "pin = %s sha256:%s\n[device vhsm:/fake]\npin = %s sha256:%064d\n", id, hex, id,
		 0);
	assert_int_equal(connect_with_conf(f, text, &error), -EKEYREJECTED);
	assert_non_null(strstr(error.text, "hsm-conf-"));
	/* A pin of another partition says nothing about this one. */
	id[0] = 'b';
	snprintf(text, sizeof(text), "pin = %s sha256:%s\n", id, hex);
	assert_int_equal(connect_with_conf(f, text, &error), -EKEYREJECTED);
}

/* ---- fork ---- */

static void test_fork(void **state)
{
	struct fixture *f = *state;
	struct hsm_request *request = hsm_request_new(f->channel, HSM_OP_NOP, 0);
	struct hsm_error error;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int good = hsm_call(request, &error) == -ECHILD && error.error == -ECHILD &&
			   !hsm_request_new(f->channel, HSM_OP_NOP, 0) &&
			   hsm_submit(request, NULL) == -ECHILD && hsm_poll(request) == -ECHILD &&
			   hsm_device_info(f->device, &(struct hsm_device_info){ 0 }, NULL) ==
				   -ECHILD;

		hsm_request_free(request);
		hsm_disconnect(f->channel);
		hsm_close(f->device);
		_exit(good && f->fake.executed == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	hsm_request_free(request);
	assert_int_equal(nop(f, "the parent goes on", &error), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_call),
		T(test_answer_code),
		T(test_approved),
		T(test_too_long),
		T(test_sent_twice),
		T(test_room_for_answers),
		T(test_lost_is_repeated),
		T(test_lost_once_is_not_repeated),
		T(test_session_does_not_outlive_channel),
		T(test_unknown_channel),
		T(test_forged_refusal),
		T(test_spoiled_answer),
		T(test_device_status),
		T(test_submit),
		T(test_free_submitted),
		T(test_replacement),
		T(test_replacement_with_submitted),
		T(test_replacement_refused),
		T(test_replacement_under_threads),
		T(test_crowded),
		T(test_changed_identity),
		T(test_passing_identity),
		T(test_wrong_partition_in_certificate),
		T(test_stranger_is_not_pinned),
		T(test_unknown_partition),
		T(test_configured_pin),
		T(test_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
