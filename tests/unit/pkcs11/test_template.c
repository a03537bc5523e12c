// SPDX-License-Identifier: Apache-2.0
/*
 * Attribute templates: to fields and back, at the edges that a device or an application may send.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "internal.h"

static uint8_t buffer[HSM_MESSAGE_MAX];

/* Put a template into a message, read the message, give back the list's bytes. */
static const uint8_t *through(const CK_ATTRIBUTE *attributes, CK_ULONG count, size_t *length)
{
	static struct hsm_fields fields;
	struct hsm_writer writer;

	hsm_writer_init(&writer, buffer, sizeof(buffer));
	assert_int_equal(template_put(&writer, HSM_FIELD_TEMPLATE, attributes, count), CKR_OK);
	assert_int_equal(writer.error, 0);
	assert_int_equal(hsm_fields_parse(&fields, buffer, writer.length), 0);
	return hsm_fields_bytes(&fields, HSM_FIELD_TEMPLATE, length);
}

static CK_RV refused(const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	struct hsm_writer writer;

	hsm_writer_init(&writer, buffer, sizeof(buffer));
	return template_put(&writer, HSM_FIELD_TEMPLATE, attributes, count);
}

static void round_trip(void **state)
{
	CK_ULONG class = CKO_SECRET_KEY, class_back = 0;
	CK_BBOOL yes = CK_TRUE, yes_back = 0;
	CK_MECHANISM_TYPE allowed[] = { CKM_AES_GCM, CKM_AES_CBC }, allowed_back[2];
	char label_back[8];
	CK_ATTRIBUTE in[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_TOKEN, &yes, 1 },
		{ CKA_LABEL, (void *)"label", 5 },
		{ CKA_ID, NULL, 0 },
		{ CKA_ALLOWED_MECHANISMS, allowed, sizeof(allowed) },
	};
	CK_ATTRIBUTE out[] = {
		{ CKA_CLASS, &class_back, sizeof(class_back) },
		{ CKA_TOKEN, &yes_back, 1 },
		{ CKA_LABEL, label_back, sizeof(label_back) },
		{ CKA_ID, label_back, 0 },
		{ CKA_ALLOWED_MECHANISMS, allowed_back, sizeof(allowed_back) },
	};
	size_t length;
	const uint8_t *list = through(in, 5, &length);

	(void)state;
	assert_int_equal(template_fill(CKR_OK, list, length, out, 5), CKR_OK);
	assert_int_equal(class_back, CKO_SECRET_KEY);
	assert_int_equal(yes_back, CK_TRUE);
	assert_int_equal(out[2].ulValueLen, 5);
	assert_memory_equal(label_back, "label", 5);
	assert_int_equal(out[3].ulValueLen, 0);
	assert_memory_equal(allowed_back, allowed, sizeof(allowed));
}

static void values_of_the_wrong_size(void **state)
{
	CK_ULONG number = 1;
	CK_ATTRIBUTE bad[] = {
		{ CKA_CLASS, &number, 4 },
		{ CKA_CLASS, &number, 0 },
		{ CKA_TOKEN, &number, 8 },
		{ CKA_TOKEN, NULL, 0 },
		{ CKA_LABEL, NULL, 1 },
		{ CKA_LABEL, &number, CK_UNAVAILABLE_INFORMATION },
		{ CKA_ALLOWED_MECHANISMS, &number, 7 },
		{ CKA_WRAP_TEMPLATE, &number, 7 },
		{ CKA_WRAP_TEMPLATE, NULL, sizeof(CK_ATTRIBUTE) },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(refused(&bad[i], 1), CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(refused(NULL, 1), CKR_ARGUMENTS_BAD);
	assert_int_equal(refused(bad, TEMPLATE_MAX + 1), CKR_ARGUMENTS_BAD);
}

/* A template that contains itself ends. */
static void endless_nesting(void **state)
{
	CK_ATTRIBUTE loop = { CKA_WRAP_TEMPLATE, &loop, sizeof(loop) };

	(void)state;
	assert_int_equal(refused(&loop, 1), CKR_ATTRIBUTE_VALUE_INVALID);
}

static void no_room_sticks(void **state)
{
	CK_ATTRIBUTE label = { CKA_LABEL, buffer, 64 };
	struct hsm_writer writer;
	uint8_t small[40];

	(void)state;
	hsm_writer_init(&writer, small, sizeof(small));
	template_put(&writer, HSM_FIELD_TEMPLATE, &label, 1);
	assert_int_equal(writer.error, -EMSGSIZE);
}

static void nested(void **state)
{
	CK_ULONG type = CKK_AES, type_back = 0;
	CK_ATTRIBUTE inner = { CKA_KEY_TYPE, &type, sizeof(type) };
	CK_ATTRIBUTE in = { CKA_UNWRAP_TEMPLATE, &inner, sizeof(inner) };
	CK_ATTRIBUTE inner_back = { 0, &type_back, sizeof(type_back) },
		     out = { CKA_UNWRAP_TEMPLATE, NULL, 0 };
	size_t length;
	const uint8_t *list = through(&in, 1, &length);

	(void)state;
	assert_int_equal(template_fill(CKR_OK, list, length, &out, 1), CKR_OK);
	assert_int_equal(out.ulValueLen, sizeof(inner));
	out.pValue = &inner_back;
	assert_int_equal(template_fill(CKR_OK, list, length, &out, 1), CKR_OK);
	assert_int_equal(inner_back.type, CKA_KEY_TYPE);
	assert_int_equal(type_back, CKK_AES);
	out.ulValueLen = 1;
	assert_int_equal(template_fill(CKR_OK, list, length, &out, 1), CKR_BUFFER_TOO_SMALL);
	assert_true(out.ulValueLen == CK_UNAVAILABLE_INFORMATION);
}

/* Templates in templates as 3.2 has an application read them: how many, which, how long, and then the values */
static void nested_by_steps(void **state)
{
	CK_ULONG type = CKK_AES, type_back = 0;
	CK_BBOOL yes = CK_TRUE, yes_back = 0;
	CK_ATTRIBUTE inner[] = { { CKA_SENSITIVE, &yes, 1 },
				 { CKA_KEY_TYPE, &type, sizeof(type) },
				 { CKA_LABEL, (void *)"name", 4 } };
	CK_ATTRIBUTE in = { CKA_UNWRAP_TEMPLATE, inner, sizeof(inner) };
	CK_ATTRIBUTE back[3] = { { CK_UNAVAILABLE_INFORMATION, NULL, 0 },
				 { CK_UNAVAILABLE_INFORMATION, NULL, 0 },
				 { CK_UNAVAILABLE_INFORMATION, NULL, 0 } };
	CK_ATTRIBUTE out = { CKA_UNWRAP_TEMPLATE, back, sizeof(back) };
	size_t length;
	const uint8_t *list = through(&in, 1, &length);

	(void)state;
	assert_int_equal(template_fill(CKR_OK, list, length, &out, 1), CKR_OK);
	assert_int_equal(back[0].type, CKA_SENSITIVE);
	assert_int_equal(back[1].type, CKA_KEY_TYPE);
	assert_int_equal(back[1].ulValueLen, sizeof(type));
	assert_int_equal(back[2].ulValueLen, 4);
	/* Some of them, in an order of the caller's */
	back[0] = (CK_ATTRIBUTE){ CKA_KEY_TYPE, &type_back, sizeof(type_back) };
	back[1] = (CK_ATTRIBUTE){ CKA_SENSITIVE, &yes_back, 1 };
	out = (CK_ATTRIBUTE){ CKA_UNWRAP_TEMPLATE, back, 2 * sizeof(back[0]) };
	assert_int_equal(template_fill(CKR_OK, list, length, &out, 1), CKR_OK);
	assert_int_equal(type_back, CKK_AES);
	assert_int_equal(yes_back, CK_TRUE);
	assert_int_equal(out.ulValueLen, 2 * sizeof(back[0]));
	/* One that is not in there, and one that has no room */
	back[1] = (CK_ATTRIBUTE){ CKA_TOKEN, &yes_back, 1 };
	assert_int_equal(template_fill(CKR_OK, list, length, &out, 1), CKR_TEMPLATE_INCONSISTENT);
	out.ulValueLen = 2 * sizeof(back[0]);
	back[1] = (CK_ATTRIBUTE){ CKA_LABEL, &yes_back, 1 };
	assert_int_equal(template_fill(CKR_OK, list, length, &out, 1), CKR_BUFFER_TOO_SMALL);
	assert_true(back[1].ulValueLen == CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(type_back, CKK_AES);
}

/* One attribute that cannot be had leaves the others filled in. */
static void unavailable(void **state)
{
	struct hsm_writer writer;
	char label[8] = "";
	CK_ATTRIBUTE out[] = { { CKA_VALUE, label, 8 },
			       { CKA_APPLICATION, NULL, 0 },
			       { CKA_LABEL, label, 8 } };

	(void)state;
	hsm_writer_init(&writer, buffer, sizeof(buffer));
	hsm_put_attribute(&writer, CKA_VALUE, CKR_ATTRIBUTE_SENSITIVE, NULL, 0);
	hsm_put_attribute(&writer, CKA_APPLICATION, CKR_ATTRIBUTE_TYPE_INVALID, NULL, 0);
	hsm_put_attribute(&writer, CKA_LABEL, 0, "abc", 3);
	assert_int_equal(template_fill(CKR_ATTRIBUTE_SENSITIVE, buffer, writer.length, out, 3),
			 CKR_ATTRIBUTE_SENSITIVE);
	assert_true(out[0].ulValueLen == CK_UNAVAILABLE_INFORMATION);
	assert_true(out[1].ulValueLen == CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(out[2].ulValueLen, 3);
	assert_memory_equal(label, "abc", 3);
}

/*
 * An answer that is not about what was asked, or too short, is the device's fault and nothing is
 * read beyond it.
 */
static void wrong_answers(void **state)
{
	struct hsm_writer writer;
	char label[8];
	CK_ULONG number = 7;
	CK_ATTRIBUTE out[] = { { CKA_LABEL, label, 8 }, { CKA_ID, label, 8 } };
	CK_ATTRIBUTE class = { CKA_CLASS, &number, sizeof(number) };

	(void)state;
	hsm_writer_init(&writer, buffer, sizeof(buffer));
	hsm_put_attribute(&writer, CKA_LABEL, 0, "abc", 3);
	assert_int_equal(template_fill(CKR_OK, buffer, writer.length, out, 2), CKR_DEVICE_ERROR);
	assert_int_equal(template_fill(CKR_OK, buffer, writer.length, &out[1], 1),
			 CKR_DEVICE_ERROR);
	assert_int_equal(template_fill(CKR_OK, NULL, 0, out, 1), CKR_DEVICE_ERROR);
	hsm_writer_init(&writer, buffer, sizeof(buffer));
	hsm_put_attribute(&writer, CKA_CLASS, 0, "abc", 3);
	assert_int_equal(template_fill(CKR_OK, buffer, writer.length, &class, 1), CKR_DEVICE_ERROR);
	assert_int_equal(number, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),	   cmocka_unit_test(values_of_the_wrong_size),
		cmocka_unit_test(endless_nesting), cmocka_unit_test(no_room_sticks),
		cmocka_unit_test(nested),	   cmocka_unit_test(nested_by_steps),
		cmocka_unit_test(unavailable),	   cmocka_unit_test(wrong_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
