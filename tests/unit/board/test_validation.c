// SPDX-License-Identifier: Apache-2.0
/*
 * The file of a validation: what it may say, and what becomes of it.
 */
#include <hsm/pkcs11.h>
#include <hsm/wire.h>
#include "fixture.h"
#include "temporary.h"

#define FULL                                                        \
	"# of a board\ntype = software\nversion=3.0\nlevel = 1\n\n" \
	"module = Integrated HSM 1.0\nauthority = nist-cmvp\ncountry = CA\n"

static struct validation validation;

static int read_text(const char *text)
{
	char path[TEMPORARY_PATH];
	int fd = mkstemp(temporary_name(path, "validation")), ret;
	struct error error;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	ret = validation_read(path, &validation, &error);
	unlink(path);
	return ret;
}

static void attribute(uint64_t type, const void *value, size_t length)
{
	const uint8_t *at = validation.attributes, *end = at + validation.length;
	struct hsm_attribute_view view;

	while (hsm_attributes_next(&at, end, &view)) {
		if (view.type != type)
			continue;
		assert_int_equal(view.length, length);
		assert_memory_equal(view.value, value, length);
		return;
	}
	fail_msg("attribute %llx is not there", (unsigned long long)type);
}

static void test_file(void **test)
{
	(void)test;
	assert_int_equal(read_text(FULL), 0);
	assert_true(hsm_attributes_valid(validation.attributes, validation.length, 1));
	attribute(CKA_VALIDATION_TYPE, "\1\0\0\0\0\0\0\0", 8);
	attribute(CKA_VALIDATION_VERSION, "\3\0", 2);
	attribute(CKA_VALIDATION_LEVEL, "\1\0\0\0\0\0\0\0", 8);
	attribute(CKA_VALIDATION_MODULE_ID, "Integrated HSM 1.0", 18);
	attribute(CKA_VALIDATION_AUTHORITY_TYPE, "\1\0\0\0\0\0\0\0", 8);
	attribute(CKA_VALIDATION_COUNTRY, "CA", 2);
}

static void test_bad_files(void **test)
{
	static const char *const bad[] = {
		"",
		"type = software\n",
		FULL "type = software\n",
		FULL "colour = red\n",
		FULL "profile\n",
		FULL "profile =\n",
		"type = paper\nversion=3.0\nlevel = 1\nmodule = m\nauthority = nist-cmvp\n",
		"type = hybrid\nversion=3\nlevel = 1\nmodule = m\nauthority = nist-cmvp\n",
		"type = hybrid\nversion=300.1\nlevel = 1\nmodule = m\nauthority = nist-cmvp\n",
		"type = hybrid\nversion=3.1\nlevel = one\nmodule = m\nauthority = nist-cmvp\n",
		"type = hybrid\nversion=3.1\nlevel = -1\nmodule = m\nauthority = nist-cmvp\n",
	};
	struct error error;
	size_t i;

	(void)test;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(read_text(bad[i]), -EINVAL);
		assert_int_equal(validation.length, 0);
	}
	assert_int_equal(validation_read("/nonexistent", &validation, &error), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_bad_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
