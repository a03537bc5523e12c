// SPDX-License-Identifier: Apache-2.0
/*
 * Which commands calls about signatures become, and for how long an answer is remembered. The device and the clock
 * are played here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "internal.h"

#define SENT_MAX 16

static enum hsm_operation sent[SENT_MAX];
static size_t sent_count;
static struct hsm_fields fields;
static uint8_t answer[128], asked[8192];
static struct hsm_writer writer;
static uint64_t answered;
static enum hsm_operation refused, refused_too; /* these alone */
static bool again;
static uint64_t now;
static uint64_t changes;
static unsigned int changing;
static _Atomic unsigned int beginnings;
static struct session only;

/* ---- neighbours ---- */

int clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	ts->tv_sec = (time_t)(now / 1000000000);
	ts->tv_nsec = (long)(now % 1000000000);
	return 0;
}

struct hsm_request *hsm_request_new(struct hsm_channel *channel, enum hsm_operation operation,
				    uint32_t session)
{
	(void)channel;
	(void)session;
	assert_true(sent_count < SENT_MAX);
	sent[sent_count++] = operation;
	hsm_writer_init(&writer, asked, sizeof(asked));
	return (struct hsm_request *)&fields;
}

void hsm_request_free(struct hsm_request *request)
{
	(void)request;
}

struct hsm_writer *hsm_request_writer(struct hsm_request *request)
{
	(void)request;
	return &writer;
}

static void answer_with(enum hsm_operation operation)
{
	static const uint8_t signature[32];
	struct hsm_writer out;

	hsm_writer_init(&out, answer, sizeof(answer));
	if (operation == HSM_OP_SIGN || operation == HSM_OP_SIGN_FINAL)
		hsm_put_bytes(&out, HSM_FIELD_SIGNATURE, signature, sizeof(signature));
	if (operation == HSM_OP_SESSION_INFO)
		hsm_put_u64(&out, HSM_FIELD_STATE, CKS_RO_USER_FUNCTIONS);
	assert_int_equal(hsm_fields_parse(&fields, answer, out.length), 0);
}

int hsm_call(struct hsm_request *request, struct hsm_error *error)
{
	(void)request;
	(void)error;
	answer_with(sent[sent_count - 1]);
	return 0;
}

int hsm_submit(struct hsm_request *request, struct hsm_error *error)
{
	return hsm_call(request, error);
}

int hsm_wait(struct hsm_request *request, struct hsm_error *error)
{
	return hsm_call(request, error);
}

int hsm_poll(struct hsm_request *request)
{
	(void)request;
	return 1;
}

void otp_lay_out(CK_BYTE *out, CK_ULONG digits)
{
	(void)out;
	(void)digits;
}

uint64_t hsm_request_rv(const struct hsm_request *request)
{
	(void)request;
	if (sent[sent_count - 1] == refused || sent[sent_count - 1] == refused_too)
		return CKR_DEVICE_MEMORY;
	return answered;
}

bool hsm_request_again(const struct hsm_request *request)
{
	(void)request;
	return again;
}

const struct hsm_fields *hsm_request_fields(const struct hsm_request *request)
{
	(void)request;
	return &fields;
}

unsigned int hsm_channel_generation(struct hsm_channel *channel)
{
	(void)channel;
	return 1;
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

CK_SLOT_ID slot_id(const struct slot *slot)
{
	(void)slot;
	return 7;
}

CK_RV slot_get(CK_SLOT_ID id, struct slot **slot)
{
	(void)id;
	*slot = NULL;
	return CKR_OK;
}

CK_RV slot_find(CK_SLOT_ID id, struct slot **slot)
{
	return slot_get(id, slot);
}

void slot_put(struct slot *slot)
{
	(void)slot;
}

void slot_lost(struct slot *slot)
{
	(void)slot;
}

bool slot_is_lost(const struct slot *slot)
{
	(void)slot;
	return false;
}

uint64_t slot_changes(const struct slot *slot)
{
	(void)slot;
	return changes;
}

void slot_change_begin(struct slot *slot)
{
	(void)slot;
	changing++;
}

void slot_change_end(struct slot *slot)
{
	(void)slot;
	changes++;
	changing--;
}

bool slot_is_changing(const struct slot *slot)
{
	(void)slot;
	return changing;
}

void slot_surprised(struct slot *slot)
{
	(void)slot;
	changes++;
}

_Atomic unsigned int *slot_beginnings(struct slot *slot)
{
	(void)slot;
	return &beginnings;
}

struct recent_mechanisms *slot_mechanisms(struct slot *slot)
{
	static struct recent_mechanisms mechanisms = { .lock = PTHREAD_MUTEX_INITIALIZER };

	(void)slot;
	return &mechanisms;
}

CK_RV module_enter(void)
{
	return CKR_OK;
}

void module_leave(void)
{
}

/* Only begun operations of other kinds come here. */
CK_RV C_SessionCancel(CK_SESSION_HANDLE handle, CK_FLAGS flags)
{
	(void)handle;
	(void)flags;
	return CKR_FUNCTION_NOT_SUPPORTED;
}

CK_RV session_get(CK_SESSION_HANDLE handle, struct session **session)
{
	(void)handle;
	*session = &only;
	return CKR_OK;
}

void session_put(struct session *session)
{
	(void)session;
}

void sessions_each(const struct slot *slot, void (*each)(struct session *session))
{
	(void)slot;
	each(&only);
}

/* ---- tests ---- */

static CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 };

static int reset(void **state)
{
	(void)state;
	memset(&only, 0, sizeof(only));
	pthread_mutex_init(&only.begin.lock, NULL);
	pthread_mutex_init(&only.info.lock, NULL);
	only.generation = 1;
	begin_new(&only);
	now += 1000000000;
	answered = CKR_OK;
	refused = refused_too = 0;
	again = true;
	sent_count = 0;
	return 0;
}

static int ended(void **state)
{
	(void)state;
	begin_end(&only);
	assert_int_equal(beginnings, 0);
	assert_int_equal(changing, 0);
	return 0;
}

static CK_RV sign(CK_OBJECT_HANDLE key)
{
	CK_BYTE data[16] = { 0 }, signature[64];
	CK_ULONG length = sizeof(signature);
	CK_RV rv = begin_sign(&only, &hmac, key);
	struct call call;

	if (rv != CKR_OK)
		return rv;
	if (!begin_take(&only, &call, HSM_OP_SIGN)) {
		rv = call_begin_in(&call, &only, HSM_OP_SIGN);
		assert_int_equal(rv, CKR_OK);
		rv = call_run(&call);
		if (rv == CKR_OK)
			begin_ended(&only, begin_turn(&only));
		call_end(&call);
		return rv;
	}
	hsm_put_bytes(call.writer, HSM_FIELD_DATA, data, sizeof(data));
	rv = call_output(&call, call_run(&call), HSM_FIELD_SIGNATURE, signature, &length);
	rv = begin_taken(&only, &call, rv);
	call_end(&call);
	return rv;
}

/* The commands since the last time */
static void expect(size_t count, const enum hsm_operation *operations)
{
	size_t i;

	assert_int_equal(sent_count, count);
	for (i = 0; i < count; i++)
		assert_int_equal(sent[i], operations[i]);
	sent_count = 0;
}

#define EXPECT(...)                                                                        \
	expect(sizeof((enum hsm_operation[]){ __VA_ARGS__ }) / sizeof(enum hsm_operation), \
	       (enum hsm_operation[]){ __VA_ARGS__ })

static void one_command_for_a_signature(void **state)
{
	int i;

	(void)state;
	assert_int_equal(sign(5), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN);
	/* As long as signatures follow each other, each vouches for the next. */
	for (i = 0; i < 5; i++) {
		now += 90000000;
		assert_int_equal(sign(5), CKR_OK);
		EXPECT(HSM_OP_SIGN);
	}
	/* Another key, a pause, a change, a surprise */
	assert_int_equal(sign(6), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN);
	now += 100000000;
	assert_int_equal(sign(6), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN);
	changes++;
	assert_int_equal(sign(6), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN);
	changing++;
	assert_int_equal(sign(6), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN);
	changing--;
	assert_int_equal(sign(6), CKR_OK);
	EXPECT(HSM_OP_SIGN);
	hmac.mechanism = CKM_SHA384_HMAC;
	assert_int_equal(sign(6), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN);
	hmac.mechanism = CKM_SHA256_HMAC;
}

static void where_the_device_says_so(void **state)
{
	(void)state;
	again = false;
	assert_int_equal(sign(5), CKR_OK);
	assert_int_equal(sign(5), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN, HSM_OP_SIGN_INIT, HSM_OP_SIGN);
	again = true;
	assert_int_equal(sign(5), CKR_OK);
	again = false;
	assert_int_equal(sign(5), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN, HSM_OP_SIGN);
	assert_int_equal(sign(5), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN);
	/* What was begun before something else, a one-time password say, is not the last any more. */
	again = true;
	assert_int_equal(sign(5), CKR_OK);
	again = false;
	assert_int_equal(sign(6), CKR_OK);
	sent_count = 0;
	assert_int_equal(sign(5), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN);
}

static void not_in_asynchronous_sessions(void **state)
{
	(void)state;
	only.async = true;
	assert_int_equal(sign(5), CKR_OK);
	assert_int_equal(sign(5), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN, HSM_OP_SIGN_INIT, HSM_OP_SIGN);
}

/* What is answered later changes something until then, once. */
static void an_asynchronous_change(void **state)
{
	static const struct answer login = { .function = "C_Login" };
	struct call call;

	(void)state;
	only.async = true;
	assert_int_equal(call_begin_in(&call, &only, HSM_OP_LOGIN), CKR_OK);
	assert_int_equal(call_answer(&only, &call, &login), CKR_PENDING);
	call_end(&call);
	assert_int_equal(changing, 1);
	assert_int_equal(C_AsyncComplete(1, (CK_UTF8CHAR *)"C_Login", NULL), CKR_OK);
	assert_int_equal(changing, 0);
}

static void settled(void **state)
{
	static const CK_BYTE part[BEGIN_DATA];

	(void)state;
	assert_int_equal(sign(5), CKR_OK);
	sent_count = 0;
	assert_int_equal(begin_sign(&only, &hmac, 5), CKR_OK);
	assert_int_equal(beginnings, 1);
	begin_settle_all(NULL);
	EXPECT(HSM_OP_SIGN_INIT);
	begin_settle_all(NULL);
	assert_int_equal(sent_count, 0);
	/* The device has one now, and judges the next. */
	assert_int_equal(begin_sign(&only, &hmac, 5), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT);
	begin_ended(&only, begin_turn(&only));
	assert_int_equal(begin_sign(&only, &hmac, 5), CKR_OK);
	assert_true(begin_keep(&only, part, 4000));
	assert_false(begin_keep(&only, part, 97));
	assert_true(begin_keep(&only, part, 96));
	begin_settle(&only);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN_UPDATE);
}

/* A part that the device did not take must not be missing from a signature. */
static void a_lost_part_ends_it(void **state)
{
	(void)state;
	assert_int_equal(sign(5), CKR_OK);
	assert_int_equal(begin_sign(&only, &hmac, 5), CKR_OK);
	assert_true(begin_keep(&only, (const CK_BYTE *)"part", 4));
	sent_count = 0;
	refused = HSM_OP_SIGN_UPDATE;
	begin_settle(&only);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN_UPDATE, HSM_OP_SESSION_CANCEL);
	/* It may have begun what it is not known to have begun. */
	refused = 0;
	assert_int_equal(sign(5), CKR_OK);
	assert_int_equal(begin_sign(&only, &hmac, 5), CKR_OK);
	assert_true(begin_keep(&only, (const CK_BYTE *)"part", 4));
	sent_count = 0;
	refused = HSM_OP_SIGN_INIT;
	begin_settle(&only);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SESSION_CANCEL);
}

/* Nor when the device is too busy to be told: nothing else follows until it has been. */
static void a_lost_part_ends_it_later(void **state)
{
	CK_BYTE part[] = "part";
	struct call call;

	(void)state;
	assert_int_equal(sign(5), CKR_OK);
	assert_int_equal(begin_sign(&only, &hmac, 5), CKR_OK);
	assert_true(begin_keep(&only, part, 4));
	sent_count = 0;
	refused = HSM_OP_SIGN_UPDATE;
	refused_too = HSM_OP_SESSION_CANCEL;
	assert_int_equal(call_begin_in(&call, &only, HSM_OP_SIGN_UPDATE), CKR_DEVICE_MEMORY);
	EXPECT(HSM_OP_SIGN_INIT, HSM_OP_SIGN_UPDATE, HSM_OP_SESSION_CANCEL);
	assert_false(begin_keep(&only, part, 4));
	assert_false(begin_take(&only, &call, HSM_OP_SIGN_FINAL));
	assert_int_equal(call_begin_in(&call, &only, HSM_OP_SIGN_FINAL), CKR_DEVICE_MEMORY);
	EXPECT(HSM_OP_SESSION_CANCEL);
	refused_too = 0;
	assert_int_equal(call_begin_in(&call, &only, HSM_OP_SIGN_FINAL), CKR_OK);
	call_end(&call);
	EXPECT(HSM_OP_SESSION_CANCEL, HSM_OP_SIGN_FINAL);
	assert_int_equal(beginnings, 0);
}

static void turns(void **state)
{
	uint64_t before;

	(void)state;
	assert_int_equal(sign(5), CKR_OK);
	before = begin_turn(&only);
	assert_int_equal(begin_sign(&only, &hmac, 6), CKR_OK);
	/* The end of an earlier one comes late: the device still has this one. */
	begin_ended(&only, before);
	sent_count = 0;
	assert_int_equal(begin_sign(&only, &hmac, 6), CKR_OK);
	EXPECT(HSM_OP_SIGN_INIT);
}

static void a_key_that_went(void **state)
{
	(void)state;
	assert_int_equal(sign(5), CKR_OK);
	answered = CKR_KEY_HANDLE_INVALID;
	assert_int_equal(sign(5), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(sign(5), CKR_KEY_HANDLE_INVALID);
	answered = CKR_DEVICE_MEMORY;
	assert_int_equal(sign(5), CKR_DEVICE_MEMORY);
}

static void states_of_sessions(void **state)
{
	CK_SESSION_INFO info;

	(void)state;
	assert_int_equal(C_GetSessionInfo(1, NULL), CKR_ARGUMENTS_BAD);
	assert_int_equal(C_GetSessionInfo(1, &info), CKR_OK);
	EXPECT(HSM_OP_SESSION_INFO);
	memset(&info, 0, sizeof(info));
	now += 99000000;
	assert_int_equal(C_GetSessionInfo(1, &info), CKR_OK);
	assert_int_equal(sent_count, 0);
	assert_int_equal(info.state, CKS_RO_USER_FUNCTIONS);
	assert_int_equal(info.slotID, 7);
	now += 1000000;
	assert_int_equal(C_GetSessionInfo(1, &info), CKR_OK);
	EXPECT(HSM_OP_SESSION_INFO);
	changes++;
	assert_int_equal(C_GetSessionInfo(1, &info), CKR_OK);
	EXPECT(HSM_OP_SESSION_INFO);
	/* Of another channel the session is none. */
	only.generation = 0;
	assert_int_equal(C_GetSessionInfo(1, &info), CKR_SESSION_HANDLE_INVALID);
}

static void mechanisms(void **state)
{
	CK_MECHANISM_INFO info;

	(void)state;
	assert_int_equal(C_GetMechanismInfo(7, CKM_ECDSA, &info), CKR_OK);
	assert_int_equal(C_GetMechanismInfo(7, CKM_ECDSA, &info), CKR_OK);
	EXPECT(HSM_OP_MECHANISM_INFO);
	/* One that has the same place */
	assert_int_equal(C_GetMechanismInfo(7, CKM_ECDSA + RECENT_MECHANISMS, &info), CKR_OK);
	assert_int_equal(C_GetMechanismInfo(7, CKM_ECDSA, &info), CKR_OK);
	EXPECT(HSM_OP_MECHANISM_INFO, HSM_OP_MECHANISM_INFO);
	now += 100000000;
	assert_int_equal(C_GetMechanismInfo(7, CKM_ECDSA, &info), CKR_OK);
	EXPECT(HSM_OP_MECHANISM_INFO);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, reset, ended)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_command_for_a_signature),
		TEST(where_the_device_says_so),
		TEST(not_in_asynchronous_sessions),
		TEST(an_asynchronous_change),
		TEST(settled),
		TEST(a_lost_part_ends_it),
		TEST(a_lost_part_ends_it_later),
		TEST(turns),
		TEST(a_key_that_went),
		TEST(states_of_sessions),
		TEST(mechanisms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
