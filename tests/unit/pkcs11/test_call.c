// SPDX-License-Identifier: Apache-2.0
/*
 * One command: which code an error of libhsm becomes, and what of a response reaches the caller.
 * The neighbours are played here: a device that answers what the test says.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "internal.h"

static uint8_t answer[256];
static struct hsm_fields fields;
static struct hsm_writer writer;
static struct hsm_error failure;
static int result;
static uint64_t answered;
static unsigned int generation = 1;
static bool lost;
static int requests;
static int counted;
static int changing;
static int surprises;
static int settled;
static CK_RV settles;
static int settled_all;

/* ---- neighbours ---- */

struct hsm_request *hsm_request_new(struct hsm_channel *channel, enum hsm_operation operation,
				    uint32_t session)
{
	(void)channel;
	(void)operation;
	(void)session;
	requests++;
	return (struct hsm_request *)&fields;
}

void hsm_request_free(struct hsm_request *request)
{
	requests -= request != NULL;
}

struct hsm_writer *hsm_request_writer(struct hsm_request *request)
{
	(void)request;
	return &writer;
}

int hsm_call(struct hsm_request *request, struct hsm_error *error)
{
	(void)request;
	*error = failure;
	return result;
}

int hsm_submit(struct hsm_request *request, struct hsm_error *error)
{
	return hsm_call(request, error);
}

int hsm_wait(struct hsm_request *request, struct hsm_error *error)
{
	return hsm_call(request, error);
}

uint64_t hsm_request_rv(const struct hsm_request *request)
{
	(void)request;
	return answered;
}

const struct hsm_fields *hsm_request_fields(const struct hsm_request *request)
{
	(void)request;
	return &fields;
}

unsigned int hsm_channel_generation(struct hsm_channel *channel)
{
	(void)channel;
	return generation;
}

const char *hsm_layer_name(unsigned int layer)
{
	(void)layer;
	return "test";
}

struct hsm_channel *slot_channel(const struct slot *slot)
{
	(void)slot;
	return NULL;
}

CK_RV slot_get(CK_SLOT_ID id, struct slot **slot)
{
	(void)id;
	*slot = NULL;
	return CKR_OK;
}

void slot_put(struct slot *slot)
{
	(void)slot;
}

void slot_lost(struct slot *slot)
{
	(void)slot;
	lost = true;
}

bool slot_is_lost(const struct slot *slot)
{
	(void)slot;
	return lost;
}

void slot_change_begin(struct slot *slot)
{
	(void)slot;
	changing++;
}

void slot_change_end(struct slot *slot)
{
	(void)slot;
	changing--;
}

void slot_surprised(struct slot *slot)
{
	(void)slot;
	surprises++;
}

CK_RV begin_settle(struct session *session)
{
	(void)session;
	settled++;
	return settles;
}

void begin_settle_all(struct slot *slot)
{
	(void)slot;
	/* Whoever comes later sees the change, whoever came before is settled here. */
	assert_int_equal(changing, 1);
	settled_all++;
}

static struct session only;

CK_RV session_get(CK_SESSION_HANDLE handle, struct session **session)
{
	if (handle != 1)
		return CKR_SESSION_HANDLE_INVALID;
	counted++;
	*session = &only;
	return CKR_OK;
}

void session_put(struct session *session)
{
	(void)session;
	counted--;
}

/* ---- tests ---- */

static int reset(void **state)
{
	(void)state;
	memset(&failure, 0, sizeof(failure));
	memset(&fields, 0, sizeof(fields));
	only.generation = generation;
	result = 0;
	answered = CKR_OK;
	lost = false;
	surprises = settled = settled_all = 0;
	atomic_store(&only.begin.waiting, false);
	return 0;
}

/* Whatever a test did, nothing of it is still held. */
static int nothing_held(void **state)
{
	(void)state;
	assert_int_equal(requests, 0);
	assert_int_equal(counted, 0);
	assert_int_equal(changing, 0);
	return 0;
}

static CK_RV run(void)
{
	struct call call;
	CK_RV rv = call_begin(&call, 1, HSM_OP_NOP);

	return rv == CKR_OK ? call_finish(&call) : rv;
}

static void errors(void **state)
{
	static const struct {
		int result;
		unsigned int layer, status;
		CK_RV rv;
	} rows[] = {
		{ -ENODEV, HSM_LAYER_TRANSPORT, 0, CKR_DEVICE_REMOVED },
		{ -ECONNRESET, HSM_LAYER_TRANSPORT, 0, CKR_DEVICE_ERROR },
		{ -ETIMEDOUT, HSM_LAYER_TRANSPORT, 0, CKR_DEVICE_ERROR },
		{ -EIO, HSM_LAYER_CHANNEL, 0, CKR_DEVICE_ERROR },
		{ -EKEYREJECTED, HSM_LAYER_CHANNEL, 0, CKR_TOKEN_NOT_RECOGNIZED },
		{ -ENOMEM, HSM_LAYER_SYSTEM, 0, CKR_HOST_MEMORY },
		{ -ECHILD, HSM_LAYER_SYSTEM, 0, CKR_CRYPTOKI_NOT_INITIALIZED },
		{ -EMSGSIZE, HSM_LAYER_COMMAND, 0, CKR_DATA_LEN_RANGE },
		{ -EBUSY, HSM_LAYER_DEVICE, IHSM_SC_BUSY, CKR_DEVICE_MEMORY },
		{ -ECANCELED, HSM_LAYER_DEVICE, IHSM_SC_ABORTED, CKR_FUNCTION_CANCELED },
		{ -ENODEV, HSM_LAYER_DEVICE, IHSM_SC_NO_PARTITION, CKR_TOKEN_NOT_PRESENT },
		{ -ENOMEM, HSM_LAYER_DEVICE, IHSM_SC_INTERNAL, CKR_DEVICE_ERROR },
		{ -12345, HSM_LAYER_NONE, 0, CKR_DEVICE_ERROR },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		reset(NULL);
		result = rows[i].result;
		failure.layer = rows[i].layer;
		failure.device_status = rows[i].status;
		assert_int_equal(run(), rows[i].rv);
		/* A device that answers is there. */
		assert_int_equal(lost, rows[i].rv == CKR_DEVICE_REMOVED);
	}
}

static void answers(void **state)
{
	(void)state;
	assert_int_equal(run(), CKR_OK);
	answered = CKR_PIN_INCORRECT;
	assert_int_equal(run(), CKR_PIN_INCORRECT);
}

/* A session of a channel that was replaced is none, and no command is sent in it. */
static void replaced_channel(void **state)
{
	(void)state;
	only.generation = generation - 1;
	assert_int_equal(run(), CKR_SESSION_HANDLE_INVALID);
}

static void lost_device(void **state)
{
	(void)state;
	result = -ENODEV;
	failure.layer = HSM_LAYER_TRANSPORT;
	assert_int_equal(run(), CKR_DEVICE_REMOVED);
	assert_true(lost);
	result = 0;
	assert_int_equal(run(), CKR_DEVICE_REMOVED);
}

static void put_answer(enum hsm_field_tag tag, const void *data, size_t length)
{
	struct hsm_writer out;

	hsm_writer_init(&out, answer, sizeof(answer));
	hsm_put_bytes(&out, tag, data, length);
	assert_int_equal(hsm_fields_parse(&fields, answer, out.length), 0);
}

static void output(void **state)
{
	struct call call = { .request = (struct hsm_request *)&fields };
	CK_BYTE buffer[8] = { 0 };
	CK_ULONG length = sizeof(buffer);
	uint64_t needed = 32;

	(void)state;
	put_answer(HSM_FIELD_DATA, "abc", 3);
	assert_int_equal(call_output(&call, CKR_OK, HSM_FIELD_DATA, buffer, &length), CKR_OK);
	assert_int_equal(length, 3);
	assert_memory_equal(buffer, "abc\0", 4);
	/* A device that gives more than it was asked for */
	length = 2;
	assert_int_equal(call_output(&call, CKR_OK, HSM_FIELD_DATA, buffer, &length),
			 CKR_DEVICE_ERROR);
	length = 8;
	assert_int_equal(call_output(&call, CKR_OK, HSM_FIELD_DATA, NULL, &length),
			 CKR_DEVICE_ERROR);
	put_answer(HSM_FIELD_NEEDED, &needed, sizeof(needed));
	assert_int_equal(call_output(&call, CKR_BUFFER_TOO_SMALL, HSM_FIELD_DATA, NULL, &length),
			 CKR_OK);
	assert_int_equal(length, 32);
	length = 8;
	assert_int_equal(call_output(&call, CKR_BUFFER_TOO_SMALL, HSM_FIELD_DATA, buffer, &length),
			 CKR_BUFFER_TOO_SMALL);
	assert_int_equal(length, 32);
	assert_int_equal(call_output(&call, CKR_PIN_LOCKED, HSM_FIELD_DATA, buffer, &length),
			 CKR_PIN_LOCKED);
	assert_int_equal(length, 32);
}

static void handles(void **state)
{
	struct call call = { .request = (struct hsm_request *)&fields };
	CK_OBJECT_HANDLE handle = 99;
	uint64_t value = 5;

	(void)state;
	assert_int_equal(call_handle(&call, CKR_OK, HSM_FIELD_HANDLE, &handle), CKR_DEVICE_ERROR);
	put_answer(HSM_FIELD_HANDLE, &value, sizeof(value));
	assert_int_equal(call_handle(&call, CKR_OK, HSM_FIELD_HANDLE, &handle), CKR_OK);
	assert_int_equal(handle, 5);
}

static CK_RV run_operation(enum hsm_operation operation)
{
	struct call call;
	CK_RV rv = call_begin(&call, 1, operation);

	return rv == CKR_OK ? call_finish(&call) : rv;
}

/* What is remembered is void while a command may change it, and after one that was refused. */
static void changes(void **state)
{
	static const enum hsm_operation harmless[] = { HSM_OP_SESSION_INFO, HSM_OP_FIND,
						       HSM_OP_SIGN, HSM_OP_SIGN_INIT,
						       HSM_OP_DIGEST_KEY };
	static const enum hsm_operation changing_ones[] = {
		HSM_OP_LOGIN,	       HSM_OP_LOGOUT,	      HSM_OP_PIN_INIT,	  HSM_OP_PIN_SET,
		HSM_OP_OBJECT_DESTROY, HSM_OP_ATTRIBUTES_SET, HSM_OP_MASK_REVOKE, HSM_OP_STATE_SET,
		HSM_OP_TOKEN_INIT,     HSM_OP_SESSION_CLOSE
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		assert_int_equal(run_operation(harmless[i]), CKR_OK);
	assert_int_equal(settled_all, 0);
	for (i = 0; i < sizeof(changing_ones) / sizeof(changing_ones[0]); i++)
		assert_int_equal(run_operation(changing_ones[i]), CKR_OK);
	assert_int_equal(settled_all, sizeof(changing_ones) / sizeof(changing_ones[0]));
	assert_int_equal(surprises, 0);
	answered = CKR_BUFFER_TOO_SMALL;
	assert_int_equal(run(), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(surprises, 0);
	answered = CKR_USER_NOT_LOGGED_IN;
	assert_int_equal(run(), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(surprises, 1);
}

/* A beginning that waits is sent before what depends on it, and not for what does not. */
static void waiting_beginnings(void **state)
{
	(void)state;
	assert_int_equal(run_operation(HSM_OP_SIGN), CKR_OK);
	assert_int_equal(settled, 0);
	atomic_store(&only.begin.waiting, true);
	assert_int_equal(run_operation(HSM_OP_SESSION_INFO), CKR_OK);
	assert_int_equal(run_operation(HSM_OP_FIND_INIT), CKR_OK);
	assert_int_equal(settled, 0);
	assert_int_equal(run_operation(HSM_OP_SIGN_UPDATE), CKR_OK);
	assert_int_equal(run_operation(HSM_OP_SESSION_CANCEL), CKR_OK);
	assert_int_equal(run_operation(HSM_OP_LOGIN), CKR_OK);
	assert_int_equal(settled, 3);
	settles = CKR_DEVICE_MEMORY;
	assert_int_equal(run_operation(HSM_OP_SIGN_UPDATE), CKR_DEVICE_MEMORY);
	settles = CKR_OK;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, reset, nothing_held)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(errors), TEST(answers), TEST(replaced_channel), TEST(lost_device),
		TEST(output), TEST(handles), TEST(changes),	     TEST(waiting_beginnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
