// SPDX-License-Identifier: Apache-2.0
/*
 * The firmware bundle: what a manifest may say, and that only bytes that match it are taken.
 */
#include "fixture.h"

#define HASH                                                               \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" \
	"202122232425262728292a2b2c2d2e2f"
#define FILES "firmware " HASH " hsm-firmware\nloader " HASH " ld.so\n"

static int parse(const char *text)
{
	struct bundle bundle;
	struct error error;

	return bundle_parse(text, strlen(text), &bundle, &error);
}

static void test_manifest(void **test)
{
	static const char text[] = FILES "library " HASH " libc.so.6\nsecurity-version 7\n";
	struct bundle bundle;
	struct error error;

	(void)test;
	assert_int_equal(bundle_parse(text, strlen(text), &bundle, &error), 0);
	assert_int_equal(bundle.count, 3);
	assert_int_equal(bundle.security_version, 7);
	assert_string_equal(bundle.files[0].role, "firmware");
	assert_string_equal(bundle.files[2].name, "libc.so.6");
	assert_int_equal(bundle.files[1].hash[47], 0x2f);
	assert_int_equal(bundle_parse(FILES, strlen(FILES), &bundle, &error), 0);
	assert_int_equal(bundle.security_version, 1);
}

static void test_bad_manifests(void **test)
{
	static const char *const bad[] = {
		"",
		"firmware " HASH " hsm-firmware\n",
		"loader " HASH " ld.so\n",
		FILES "loader " HASH " other\n",
		FILES "firmware " HASH " other\n",
		FILES "plugin " HASH " other\n",
		FILES "library " HASH " ../libc.so\n",
		FILES "library " HASH " /libc.so\n",
		FILES "library " HASH " .hidden\n",
		FILES "library " HASH "00 libc.so\n",
		FILES "library 00 libc.so\n",
		FILES "library " HASH "\n",
		FILES "library " HASH " a b\n",
		FILES "library " HASH " libc.so",
		FILES "\n",
		FILES "security-version 0\n",
		FILES "security-version 256\n",
		FILES "security-version 1x\n",
		FILES "security-version 1\nsecurity-version 2\n",
	};
	size_t i;

	(void)test;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i]), -EBADMSG);
	assert_int_equal(parse(FILES), 0);
}

#define PROVIDER "fips-module " HASH " fips.so\nfips-config " HASH " fips.cnf\n"

/* The provider is there once, whole, or there is no approved mode. */
static void test_provider(void **test)
{
	static const char module[] = FILES "fips-module " HASH " fips.so\n";
	struct bundle bundle;
	struct error error;

	(void)test;
	assert_int_equal(bundle_parse(FILES PROVIDER, strlen(FILES PROVIDER), &bundle, &error), 0);
	assert_false(bundle.approved);
	assert_string_equal(bundle_find(&bundle, "fips-module")->name, "fips.so");
	assert_int_equal(bundle_approve(&bundle, &error), 0);
	assert_true(bundle.approved);
	assert_int_equal(parse(FILES PROVIDER "fips-module " HASH " other.so\n"), -EBADMSG);
	assert_int_equal(parse(FILES PROVIDER "fips-config " HASH " other.cnf\n"), -EBADMSG);
	assert_int_equal(bundle_parse(module, strlen(module), &bundle, &error), 0);
	assert_int_equal(bundle_approve(&bundle, &error), -ENOENT);
	assert_int_equal(bundle_parse(FILES, strlen(FILES), &bundle, &error), 0);
	assert_int_equal(bundle_approve(&bundle, &error), -ENOENT);
	assert_false(bundle.approved);
}

static void put_file(const struct fixture *f, const char *name, const char *text)
{
	char path[FIXTURE_PATH];
	size_t length = strlen(text);
	int fd;

	fixture_path(f, name, "", path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
}

static void add_line(struct keys *keys, char *manifest, const char *role, const char *name,
		     const char *text)
{
	uint8_t hash[BOARD_HASH_SIZE];
	int i;

	assert_int_equal(keys_hash(keys, text, strlen(text), hash), 0);
	manifest += strlen(manifest);
	manifest += sprintf(manifest, "%s ", role);
	for (i = 0; i < BOARD_HASH_SIZE; i++)
		manifest += sprintf(manifest, "%02x", hash[i]);
	sprintf(manifest, " %s\n", name);
}

static void remove_file(const struct fixture *f, const char *name)
{
	char path[FIXTURE_PATH];

	fixture_path(f, name, "", path);
	unlink(path);
}

static void test_load(void **test)
{
	struct fixture *f = *test;
	char manifest[1024] = "", byte;
	struct bundle bundle;
	struct keys *keys;
	int fd;

	assert_int_equal(keys_new(&keys), 0);
	assert_int_equal(bundle_load(keys, f->directory, &bundle, &f->error), -ENOENT);
	add_line(keys, manifest, "firmware", "program", "bytes of the program");
	add_line(keys, manifest, "loader", "loader", "bytes of the loader");
	put_file(f, "manifest", manifest);
	put_file(f, "program", "bytes of the program");
	assert_int_equal(bundle_load(keys, f->directory, &bundle, &f->error), -EBADMSG);
	put_file(f, "loader", "bytes of the loader");
	assert_int_equal(bundle_load(keys, f->directory, &bundle, &f->error), 0);

	/* Sealed: what was verified stays. */
	fd = bundle.files[0].memfd;
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'b');
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 1), -1);
	assert_int_equal(ftruncate(fd, 1000), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	bundle_close(&bundle);

	put_file(f, "loader", "bytes of the loadeR");
	assert_int_equal(bundle_load(keys, f->directory, &bundle, &f->error), -EBADMSG);
	assert_non_null(strstr(f->error.text, "loader does not match"));
	put_file(f, "loader", "");
	assert_int_equal(bundle_load(keys, f->directory, &bundle, &f->error), -EBADMSG);
	remove_file(f, "manifest");
	remove_file(f, "program");
	remove_file(f, "loader");
	keys_free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_bad_manifests),
		cmocka_unit_test(test_provider),
		cmocka_unit_test_setup_teardown(test_load, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
