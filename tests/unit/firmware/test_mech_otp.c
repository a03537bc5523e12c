// SPDX-License-Identifier: Apache-2.0
/*
 * One-time passwords: known answers of RFC 4226, appendix D, and RFC 6238, appendix B, and at the device's commands the
 * counter, which is on disk before a password is told.
 */
#include "object_testing.h"

#define COMPATIBLE 0

#define OK(call)     assert_int_equal(call, CKR_OK)
#define RV(call, rv) assert_int_equal(call, rv)

#define OTP(...)                                                                   \
	A_LIST(A_NUMBER(CKA_CLASS, CKO_OTP_KEY), A_NUMBER(CKA_KEY_TYPE, CKK_HOTP), \
	       A_BYTES(CKA_VALUE, "12345678901234567890", 20), A_TRUE(CKA_SIGN),   \
	       A_TRUE(CKA_VERIFY), __VA_ARGS__)

static uint64_t counter;
static uint64_t digits;
static bool with_counter;

static void put_record(struct hsm_writer *out, uint32_t type, const void *data)
{
	struct hsm_record record = { htole32(type), htole32(8) };

	hsm_put_raw(out, &record, sizeof(record));
	hsm_put_raw(out, data, 8);
}

static void put_otp(struct hsm_writer *out)
{
	size_t mark = hsm_put_begin(out, HSM_FIELD_OTP_DATA);
	uint64_t big = htobe64(counter), little = htole64(digits);

	if (with_counter)
		put_record(out, CK_OTP_COUNTER, &big);
	if (digits)
		put_record(out, CK_OTP_OUTPUT_LENGTH, &little);
	hsm_put_end(out, mark);
}

static const struct test_mechanism hotp = { CKM_HOTP, put_otp };

static CK_RV password(struct peer *peer, uint64_t key, char text[16])
{
	size_t length = 0;
	CK_RV rv = crypt_by(peer, HSM_OP_SIGN, hotp, key, "", 0, (uint8_t *)text, &length);

	text[rv == CKR_OK ? length : 0] = '\0';
	return rv;
}

static CK_RV check(struct peer *peer, uint64_t key, const char *text)
{
	struct hsm_writer out;
	CK_RV rv = begin_by(peer, HSM_OP_VERIFY_INIT, hotp, key);

	if (rv != CKR_OK)
		return rv;
	out = peer_fields(peer);
	hsm_put_bytes(&out, HSM_FIELD_SIGNATURE, text, strlen(text));
	return peer_call(peer, HSM_OP_VERIFY, &out);
}

/* RFC 4226, appendix D: each password once, then the next */
static void own_counter(void **state)
{
	static const char *const wanted[] = { "755224", "287082", "359152", "969429", "338314",
					      "254676", "287922", "162583", "399871", "520489" };
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_attribute_view view;
	char text[1024];
	uint64_t key = 0;

	(void)state;
	digits = 0;
	with_counter = false;
	OK(create(peer, OTP(A_TRUE(CKA_TOKEN), A_TRUE(CKA_SENSITIVE)), &key));
	for (unsigned int i = 0; i < 10; i++) {
		OK(password(peer, key, text));
		assert_string_equal(text, wanted[i]);
		OK(read_one(peer, key, CKA_OTP_COUNTER, &view));
		assert_int_equal(view.length, 8);
		assert_int_equal(view.value[7], i + 1);
	}
	/* A counter that is given is ignored: the key's attribute says so. */
	with_counter = true;
	counter = 0;
	OK(password(peer, key, text));
	assert_string_not_equal(text, wanted[0]);
	/* For verification it is what counts, and there must be one. */
	counter = 3;
	OK(check(peer, key, wanted[3]));
	RV(check(peer, key, wanted[4]), CKR_SIGNATURE_INVALID);
	RV(check(peer, key, "96942"), CKR_SIGNATURE_LEN_RANGE);
	with_counter = false;
	RV(check(peer, key, wanted[3]), CKR_MECHANISM_PARAM_INVALID);
	RV(read_one(peer, key, CKA_VALUE, &view), CKR_ATTRIBUTE_SENSITIVE);
	peer_free(peer);
}

/* RFC 6238, appendix B: the counter is the time in steps of 30 seconds, which the caller gives */
static void time_as_counter(void **state)
{
	static const struct {
		uint64_t time;
		const char *text;
	} cases[] = { { 59, "94287082" },	  { 1111111109, "07081804" },
		      { 1111111111, "14050471" }, { 1234567890, "89005924" },
		      { 2000000000, "69279037" }, { 20000000000, "65353130" } };
	struct peer *peer = peer_user(COMPATIBLE);
	char text[1024];
	uint64_t key = 0;

	(void)state;
	OK(create(peer, OTP(A_NUMBER(CKA_OTP_COUNTER_REQUIREMENT, CK_OTP_PARAM_MANDATORY)), &key));
	with_counter = true;
	digits = 8;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		counter = cases[i].time / 30;
		OK(password(peer, key, text));
		assert_string_equal(text, cases[i].text);
		OK(check(peer, key, text));
	}
	with_counter = false;
	RV(password(peer, key, text), CKR_MECHANISM_PARAM_INVALID);
	with_counter = true;
	for (digits = 1; digits < 12; digits++)
		RV(password(peer, key, text),
		   digits >= 6 && digits <= 9 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
	peer_free(peer);
}

/* A password that was begun and never asked for is lost, not told later. */
static void never_twice(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	char one[1024], two[1024];
	uint64_t key = 0;

	(void)state;
	digits = 0;
	with_counter = false;
	OK(create(peer, OTP(A_BYTES(CKA_OTP_COUNTER, "\0\0\0\0\0\0\0\2", 8)), &key));
	OK(begin_by(peer, HSM_OP_SIGN_INIT, hotp, key));
	{
		struct hsm_writer out = peer_fields(peer);

		hsm_put_u64(&out, HSM_FIELD_FLAGS, CKF_SIGN);
		OK(peer_call(peer, HSM_OP_SESSION_CANCEL, &out));
	}
	OK(password(peer, key, one));
	assert_string_equal(one, "969429");
	OK(password(peer, key, two));
	assert_string_equal(two, "338314");
	peer_free(peer);
}

/* A process of messages would make passwords that the key's counter knows nothing of. */
static void not_as_messages(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	uint64_t key = 0;

	(void)state;
	digits = 0;
	OK(create(peer, OTP(A_TRUE(CKA_TOKEN)), &key));
	for (counter = 0; counter < 2; counter++) {
		with_counter = counter;
		RV(begin_by(peer, HSM_OP_MESSAGE_SIGN_INIT, hotp, key), CKR_MECHANISM_INVALID);
		RV(begin_by(peer, HSM_OP_MESSAGE_VERIFY_INIT, hotp, key), CKR_MECHANISM_INVALID);
	}
	peer_free(peer);
}

static void generated(void **state)
{
	struct peer *peer = peer_user(COMPATIBLE);
	struct hsm_writer out = peer_fields(peer);
	char text[1024];
	uint64_t key;

	(void)state;
	digits = 0;
	with_counter = false;
	hsm_put_u64(&out, HSM_FIELD_MECHANISM, CKM_HOTP_KEY_GEN);
	put_template(&out, HSM_FIELD_TEMPLATE, A_LIST(A_NUMBER(CKA_VALUE_LEN, 20)));
	OK(peer_call(peer, HSM_OP_GENERATE_KEY, &out));
	key = peer_u64(peer, HSM_FIELD_HANDLE);
	assert_int_equal(get_ulong(peer, key, CKA_CLASS), CKO_OTP_KEY);
	OK(password(peer, key, text));
	assert_int_equal(strlen(text), 6);
	peer_free(peer);
}

#define READY(test) cmocka_unit_test_setup_teardown(test, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(own_counter),	READY(time_as_counter), READY(never_twice),
		READY(not_as_messages), READY(generated),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
