// SPDX-License-Identifier: Apache-2.0
/*
 * The firmware bundle: whose manifest is taken, what it may say, and that only bytes that match it run;
 * from a directory and from an image alike.
 */
#include <sys/mman.h>
#include <hsm/cose.h>
#include "fixture.h"

#define FILES	 3
#define SPKI_MAX 256

/* struct vendor - keys, and what the fuses then hold */
struct vendor {
	EVP_PKEY *key[HSM_FW_KEYS];
	uint8_t hash[BOARD_HASH_SIZE];
};

static struct vendor vendor, stranger;
static struct keys *keys;
static struct bundle_policy policy = { .vendor = vendor.hash, .minimum = 1 };

static const struct {
	const char *role, *name, *text;
} files[FILES] = {
	{ "firmware", "program", "bytes of the program" },
	{ "loader", "loader", "bytes of the loader" },
	{ "library", "libc.so.6", "bytes of a library" },
};

static void make_vendor(struct vendor *v)
{
	v->key[0] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	v->key[1] = hsm_fw_has_ml_dsa(NULL) ? EVP_PKEY_Q_keygen(NULL, NULL, "ML-DSA-87") : NULL;
	assert_int_equal(hsm_fw_vendor(NULL, v->key, v->hash), 0);
}

static void free_vendor(struct vendor *v)
{
	EVP_PKEY_free(v->key[0]);
	EVP_PKEY_free(v->key[1]);
}

static int setup_group(void **test)
{
	(void)test;
	make_vendor(&vendor);
	make_vendor(&stranger);
	return keys_new(&keys);
}

static int teardown_group(void **test)
{
	(void)test;
	free_vendor(&vendor);
	free_vendor(&stranger);
	keys_free(keys);
	return 0;
}

/* ---- manifests ---- */

static void fill(struct hsm_fw_manifest *manifest)
{
	size_t i;

	memset(manifest, 0, sizeof(*manifest));
	strcpy(manifest->version, "1.2.3");
	manifest->security_version = 7;
	for (i = 0; i < FILES; i++) {
		strcpy(manifest->files[i].role, files[i].role);
		strcpy(manifest->files[i].name, files[i].name);
		manifest->files[i].size = strlen(files[i].text);
		assert_int_equal(keys_hash(keys, files[i].text, strlen(files[i].text),
					   manifest->files[i].hash),
				 0);
	}
	manifest->count = FILES;
}

static void sign(struct hsm_fw_manifest *manifest, const struct vendor *v, uint8_t **message,
		 size_t *length)
{
	assert_int_equal(hsm_fw_sign(NULL, manifest, v->key, message, length), 0);
}

static int verify(const uint8_t *message, size_t length, struct error *error)
{
	struct bundle bundle;

	return bundle_verify(keys, message, length, &policy, &bundle, error);
}

static void test_manifest(void **test)
{
	struct hsm_fw_manifest manifest;
	struct bundle bundle;
	struct error error;
	uint8_t *message;
	size_t length;

	(void)test;
	fill(&manifest);
	sign(&manifest, &vendor, &message, &length);
	assert_int_equal(bundle_verify(keys, message, length, &policy, &bundle, &error), 0);
	assert_int_equal(bundle.count, FILES);
	assert_int_equal(bundle.security_version, 7);
	assert_string_equal(bundle.version, "1.2.3");
	assert_string_equal(bundle.files[2].name, "libc.so.6");
	assert_memory_equal(bundle.measurement, manifest.measurement, BOARD_HASH_SIZE);
	assert_int_equal(bundle.post_quantum, hsm_fw_has_ml_dsa(NULL));
	assert_false(bundle.development);
	free(message);
}

static cbor_item_t *encode_files(void)
{
	static const uint8_t hash[BOARD_HASH_SIZE];
	cbor_item_t *list = cbor_new_definite_array(FILES), *item;
	size_t i;

	for (i = 0; i < FILES; i++) {
		item = cbor_new_definite_array(4);
		assert_true(hsm_cbor_push(item, cbor_build_string(files[i].role)) &&
			    hsm_cbor_push(item, cbor_build_string(files[i].name)) &&
			    hsm_cbor_push(item, cbor_build_bytestring(hash, sizeof(hash))) &&
			    hsm_cbor_push(item, hsm_cbor_uint(1)) && hsm_cbor_push(list, item));
	}
	return list;
}

/* The payload of a manifest that has the first key @count times, and the hash that the fuses have for it */
static void encode(unsigned int count, uint8_t **payload, size_t *length, uint8_t *hash)
{
	uint8_t bytes[SPKI_MAX], all[HSM_FW_KEYS * SPKI_MAX], *at = bytes;
	cbor_item_t *map = cbor_new_definite_map(6), *spki = cbor_new_definite_array(count);
	size_t size = (size_t)i2d_PUBKEY(vendor.key[0], NULL);
	unsigned int i;

	assert_in_range(size, 1, SPKI_MAX);
	assert_int_equal(i2d_PUBKEY(vendor.key[0], &at), size);
	for (i = 0; i < count; i++) {
		memcpy(all + i * size, bytes, size);
		assert_true(hsm_cbor_push(spki, cbor_build_bytestring(bytes, size)));
	}
	assert_int_equal(keys_hash(keys, all, count * size, hash), 0);
	assert_true(hsm_cbor_put(map, 1, cbor_build_string(HSM_FW_TARGET)) &&
		    hsm_cbor_put(map, 2, cbor_build_string("1")) &&
		    hsm_cbor_put(map, 3, hsm_cbor_uint(1)) &&
		    hsm_cbor_put(map, 4, cbor_build_bool(false)) && hsm_cbor_put(map, 5, spki) &&
		    hsm_cbor_put(map, 6, encode_files()));
	assert_int_equal(hsm_cbor_write(map, payload, length), 0);
	cbor_decref(&map);
}

/* A vendor with two keys, and the first one's signature alone: refused also where only that one can be verified */
static void test_half_signed(void **test)
{
	uint8_t hash[BOARD_HASH_SIZE], *payload, *message;
	const struct bundle_policy fuses = { .vendor = hash, .minimum = 1 };
	struct hsm_cose_signer signer = { .key = vendor.key[0] };
	bool both = hsm_fw_has_ml_dsa(NULL);
	struct bundle bundle;
	struct error error;
	size_t length, size;
	unsigned int count;

	(void)test;
	for (count = 1; count <= HSM_FW_KEYS; count++) {
		encode(count, &payload, &length, hash);
		assert_int_equal(hsm_cose_sign(NULL, &signer, 1, HSM_FW_TYPE, payload, length, NULL,
					       0, &message, &size),
				 0);
		assert_int_equal(bundle_verify(keys, message, size, &fuses, &bundle, &error),
				 both || count > 1 ? -EBADMSG : 0);
		if (!both && count > 1)
			assert_non_null(strstr(error.text, "no ML-DSA to verify"));
		free(payload);
		free(message);
	}
}

/* What the signer refuses the board would refuse as well: both ask one function. */
static void test_bad_manifests(void **test)
{
	static const char *const names[] = { "../x", "/x", ".x", "a b", "", "a/b", "\303\244" };
	struct hsm_fw_manifest manifest;
	uint8_t *message;
	size_t length, i;

	(void)test;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		fill(&manifest);
		strcpy(manifest.files[2].name, names[i]);
		assert_int_equal(hsm_fw_sign(NULL, &manifest, vendor.key, &message, &length),
				 -EINVAL);
	}
	for (i = 0; i < 6; i++) {
		fill(&manifest);
		switch (i) {
		case 0:
			strcpy(manifest.files[2].role, "plugin");
			break;
		case 1:
			strcpy(manifest.files[2].role, "loader");
			break;
		case 2:
			manifest.count = 1;
			break;
		case 3:
			manifest.security_version = 0;
			break;
		case 4:
			manifest.security_version = HSM_FW_SECURITY_MAX + 1;
			break;
		default:
			manifest.files[1].size = 0;
		}
		assert_int_equal(hsm_fw_sign(NULL, &manifest, vendor.key, &message, &length),
				 -EINVAL);
	}
}

/* ---- whose they are ---- */

static void test_vendor(void **test)
{
	struct hsm_fw_manifest manifest;
	struct error error;
	uint8_t *message;
	size_t length;

	(void)test;
	fill(&manifest);
	sign(&manifest, &stranger, &message, &length);
	assert_int_equal(verify(message, length, &error), -EKEYREJECTED);
	assert_non_null(strstr(error.text, "another vendor"));
	free(message);
}

/* No bit of it may be another one: neither of the signatures nor of what they are over. */
static void test_flipped(void **test)
{
	struct hsm_fw_manifest manifest;
	struct error error;
	uint8_t *message;
	size_t length, i;

	(void)test;
	fill(&manifest);
	sign(&manifest, &vendor, &message, &length);
	for (i = 0; i < length; i++) {
		message[i] ^= (uint8_t)(1U << i % 8);
		assert_int_not_equal(verify(message, length, &error), 0);
		message[i] ^= (uint8_t)(1U << i % 8);
	}
	for (i = 0; i < length; i += 97)
		assert_int_not_equal(verify(message, i, &error), 0);
	assert_int_equal(verify(message, length, &error), 0);
	free(message);
}

/* struct parts - a message as its items, to be put together wrongly */
struct parts {
	cbor_item_t *tag;
	cbor_item_t *signatures;
};

static void take_apart(const uint8_t *message, size_t length, struct parts *parts)
{
	cbor_item_t *list;

	parts->tag = hsm_cbor_read(message, length);
	assert_non_null(parts->tag);
	list = cbor_tag_item(parts->tag);
	parts->signatures = cbor_array_handle(list)[3];
	cbor_decref(&list);
}

static int verify_parts(struct parts *parts, struct error *error)
{
	uint8_t *message;
	size_t length;
	int ret;

	assert_int_equal(hsm_cbor_write(parts->tag, &message, &length), 0);
	ret = verify(message, length, error);
	free(message);
	return ret;
}

/* One signature of two, the same one twice, in the wrong order, or of another release */
static void test_signatures(void **test)
{
	struct hsm_fw_manifest manifest;
	uint8_t *message, *other;
	size_t length, other_length;
	struct parts parts, others;
	cbor_item_t **list, **other_list, *kept;
	struct error error;

	(void)test;
	if (!vendor.key[1])
		skip();
	fill(&manifest);
	sign(&manifest, &vendor, &message, &length);
	strcpy(manifest.version, "1.2.4");
	sign(&manifest, &vendor, &other, &other_length);
	take_apart(message, length, &parts);
	take_apart(other, other_length, &others);
	list = cbor_array_handle(parts.signatures);
	other_list = cbor_array_handle(others.signatures);
	assert_int_equal(verify_parts(&parts, &error), 0);

	kept = list[1];
	list[1] = other_list[1];
	assert_int_equal(verify_parts(&parts, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "ML-DSA-87 signature is wrong"));
	list[1] = list[0];
	assert_int_equal(verify_parts(&parts, &error), -EBADMSG);
	list[1] = kept;
	kept = list[0];
	list[0] = other_list[0];
	assert_int_equal(verify_parts(&parts, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "ES384 signature is wrong"));
	list[0] = list[1];
	list[1] = kept;
	assert_int_equal(verify_parts(&parts, &error), -EBADMSG);
	list[1] = list[0];
	list[0] = kept;
	assert_int_equal(verify_parts(&parts, &error), 0);
	cbor_decref(&parts.tag);
	cbor_decref(&others.tag);
	free(message);
	free(other);
}

/* Signed by the first key alone: the vendor's hash is over one key then, and no other makes it so. */
static void test_one_signature(void **test)
{
	struct vendor half = { .key = { vendor.key[0], NULL } };
	struct hsm_fw_manifest manifest;
	struct error error;
	uint8_t *message;
	size_t length;

	(void)test;
	fill(&manifest);
	sign(&manifest, &half, &message, &length);
	if (!vendor.key[1]) {
		assert_int_equal(verify(message, length, &error), 0);
	} else {
		assert_int_equal(verify(message, length, &error), -EKEYREJECTED);
		assert_int_equal(hsm_fw_vendor(NULL, half.key, half.hash), 0);
		policy.vendor = half.hash;
		assert_int_equal(verify(message, length, &error), -EBADMSG);
		assert_non_null(strstr(error.text, "not signed with ML-DSA-87"));
		policy.vendor = vendor.hash;
	}
	free(message);
}

/* A vendor key of another kind is none, though its signature is right. */
static void test_other_kind(void **test)
{
	struct vendor odd = { .key = { EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), NULL } };
	struct hsm_fw_manifest manifest;
	uint8_t *message;
	size_t length;

	(void)test;
	fill(&manifest);
	assert_int_equal(hsm_fw_sign(NULL, &manifest, odd.key, &message, &length), -EINVAL);
	free_vendor(&odd);
}

/* ---- what the fuses refuse ---- */

static void test_downgrade(void **test)
{
	struct hsm_fw_manifest manifest;
	struct error error;
	uint8_t *message;
	size_t length;

	(void)test;
	fill(&manifest);
	sign(&manifest, &vendor, &message, &length);
	policy.minimum = 8;
	assert_int_equal(verify(message, length, &error), -EKEYREJECTED);
	assert_non_null(strstr(error.text, "security version 7, the fuses demand 8"));
	policy.minimum = 7;
	assert_int_equal(verify(message, length, &error), 0);
	policy.minimum = 1;
	free(message);
}

static void test_development(void **test)
{
	struct hsm_fw_manifest manifest;
	struct error error;
	uint8_t *message;
	size_t length;

	(void)test;
	fill(&manifest);
	manifest.development = true;
	sign(&manifest, &vendor, &message, &length);
	assert_int_equal(verify(message, length, &error), 0);
	policy.production = true;
	assert_int_equal(verify(message, length, &error), -EKEYREJECTED);
	assert_non_null(strstr(error.text, "development keys"));
	free(message);
	manifest.development = false;
	sign(&manifest, &vendor, &message, &length);
	assert_int_equal(verify(message, length, &error), 0);
	policy.production = false;
	free(message);
}

/* The provider is there once, whole, or there is no approved mode. */
static void test_provider(void **test)
{
	static const char *const roles[] = { "fips-module", "fips-config" };
	struct hsm_fw_manifest manifest;
	struct bundle bundle;
	struct error error;
	uint8_t *message;
	size_t length, i;

	(void)test;
	fill(&manifest);
	for (i = 0; i < 3; i++) {
		sign(&manifest, &vendor, &message, &length);
		assert_int_equal(bundle_verify(keys, message, length, &policy, &bundle, &error), 0);
		assert_false(bundle.approved);
		assert_int_equal(bundle_approve(&bundle, &error), i == 2 ? 0 : -ENOENT);
		assert_int_equal(bundle.approved, i == 2);
		free(message);
		if (i == 2)
			break;
		manifest.files[FILES + i] = manifest.files[2];
		strcpy(manifest.files[FILES + i].role, roles[i]);
		manifest.count++;
	}
	assert_string_equal(bundle_find(&bundle, "fips-module")->name, "libc.so.6");
	manifest.files[FILES + 2] = manifest.files[FILES];
	manifest.count++;
	assert_int_equal(hsm_fw_sign(NULL, &manifest, vendor.key, &message, &length), -EINVAL);
}

/* ---- the bytes ---- */

static void put_file(const struct fixture *f, const char *name, const void *bytes, size_t length)
{
	char path[FIXTURE_PATH];
	int fd;

	fixture_path(f, name, "", path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

static void put_text(const struct fixture *f, const char *name, const char *text)
{
	put_file(f, name, text, strlen(text));
}

static void remove_file(const struct fixture *f, const char *name)
{
	char path[FIXTURE_PATH];

	fixture_path(f, name, "", path);
	unlink(path);
}

static int load(struct fixture *f, struct bundle *bundle)
{
	return bundle_load(keys, f->directory, &policy, bundle, &f->error);
}

static void put_bundle(struct fixture *f)
{
	struct hsm_fw_manifest manifest;
	uint8_t *message;
	size_t length, i;

	fill(&manifest);
	sign(&manifest, &vendor, &message, &length);
	put_file(f, "manifest", message, length);
	for (i = 0; i < FILES; i++)
		put_text(f, files[i].name, files[i].text);
	free(message);
}

static void assert_sealed(const struct bundle *bundle)
{
	unsigned int i;
	char byte;
	int fd;

	for (i = 0; i < FILES; i++) {
		fd = bundle->files[i].memfd;
		assert_int_equal(pread(fd, &byte, 1, 0), 1);
		assert_int_equal(byte, 'b');
		assert_int_equal(pwrite(fd, "x", 1, 0), -1);
		assert_int_equal(ftruncate(fd, 1), -1);
		assert_int_equal(ftruncate(fd, 1000), -1);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	}
}

static void test_load(void **test)
{
	struct fixture *f = *test;
	struct bundle bundle;

	assert_int_equal(load(f, &bundle), -ENOENT);
	put_bundle(f);
	remove_file(f, "loader");
	assert_int_equal(load(f, &bundle), -EBADMSG);
	assert_non_null(strstr(f->error.text, "loader of the manifest is missing"));
	put_bundle(f);
	assert_int_equal(load(f, &bundle), 0);
	/* Sealed: what was verified stays. */
	assert_sealed(&bundle);
	bundle_close(&bundle);

	put_text(f, "loader", "bytes of the loadeR");
	assert_int_equal(load(f, &bundle), -EBADMSG);
	assert_non_null(strstr(f->error.text, "loader does not match"));
	put_text(f, "loader", "bytes of the loader and more");
	assert_int_equal(load(f, &bundle), -EBADMSG);
	put_text(f, "loader", "bytes of the loader");
	put_text(f, "libc.so.6", "bytes of a librarY");
	assert_int_equal(load(f, &bundle), -EBADMSG);
	put_text(f, "libc.so.6", "");
	assert_int_equal(load(f, &bundle), -EBADMSG);
	remove_file(f, "manifest");
	remove_file(f, "program");
	remove_file(f, "loader");
	remove_file(f, "libc.so.6");
}

static size_t make_image(uint8_t *image)
{
	struct hsm_fw_manifest manifest;
	uint8_t *message;
	uint32_t size;
	size_t length, at, i;

	fill(&manifest);
	sign(&manifest, &vendor, &message, &length);
	memcpy(image, HSM_FW_IMAGE_MAGIC, 8);
	size = htole32((uint32_t)length);
	memcpy(image + 8, &size, 4);
	memcpy(image + 12, message, length);
	at = 12 + length;
	for (i = 0; i < FILES; i++) {
		memcpy(image + at, files[i].text, strlen(files[i].text));
		at += strlen(files[i].text);
	}
	free(message);
	return at;
}

static int load_image(const uint8_t *image, size_t length, struct bundle *bundle,
		      struct error *error)
{
	int fd = memfd_create("image", MFD_CLOEXEC), ret;

	assert_int_equal(write(fd, image, length), length);
	ret = bundle_load_image(keys, fd, &policy, bundle, error);
	close(fd);
	return ret;
}

static void test_image(void **test)
{
	struct bundle bundle;
	struct error error;
	uint8_t *image = malloc(HSM_FW_MESSAGE_MAX);
	size_t length, i;

	(void)test;
	assert_non_null(image);
	length = make_image(image);
	assert_int_equal(load_image(image, length, &bundle, &error), 0);
	assert_sealed(&bundle);
	bundle_close(&bundle);
	/* Every bit that is looked at, and one after the last file */
	for (i = 0; i < length; i += i > 16 && i + 200 < length ? 13 : 1) {
		image[i] ^= 0x10;
		assert_int_not_equal(load_image(image, length, &bundle, &error), 0);
		image[i] ^= 0x10;
		assert_int_not_equal(load_image(image, i, &bundle, &error), 0);
	}
	image[length] = 0;
	assert_int_equal(load_image(image, length + 1, &bundle, &error), -EBADMSG);
	assert_non_null(strstr(error.text, "longer than its manifest"));
	free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_bad_manifests),
		cmocka_unit_test(test_half_signed),
		cmocka_unit_test(test_vendor),
		cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_one_signature),
		cmocka_unit_test(test_other_kind),
		cmocka_unit_test(test_downgrade),
		cmocka_unit_test(test_development),
		cmocka_unit_test(test_provider),
		cmocka_unit_test_setup_teardown(test_load, fixture_setup, fixture_teardown),
		cmocka_unit_test(test_image),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
