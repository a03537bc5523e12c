// SPDX-License-Identifier: Apache-2.0
/*
 * Channels that are believed by a chain of certificates: what hsm.conf demands, and the sentence that
 * says what did not match; sessions that are taken up again; the application's own certificate.
 */
#include "fake_device.h"
#include "temporary.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/pem.h>

#define PATH_SIZE TEMPORARY_PATH

struct fixture {
	struct fake fake;
	char roots[PATH_SIZE];
	char conf[PATH_SIZE];
	char text[1024];
};

static void write_certificate(const char *path, X509 *cert)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, cert), 1);
	fclose(file);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	close(mkstemp(temporary_name(f->roots, "hsm-roots")));
	close(mkstemp(temporary_name(f->conf, "hsm-conf")));
	setenv("HSM_CONF", f->conf, 1);
	fake_start(&f->fake);
	f->fake.transport.own = false;
	write_certificate(f->roots, f->fake.chain.device);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fake_stop(&f->fake);
	unlink(f->roots);
	unlink(f->conf);
	unsetenv("HSM_CONF");
	free(f);
	return 0;
}

/* hsm.conf: the root certificate, and @format */
static void __attribute__((format(printf, 2, 3))) configure(struct fixture *f, const char *format,
							    ...)
{
	int n = snprintf(f->text, sizeof(f->text), "root-certificate = %s\n", f->roots);
	FILE *file = fopen(f->conf, "w");
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(f->text + n, sizeof(f->text) - (size_t)n, format, arguments);
	va_end(arguments);
	assert_non_null(file);
	fputs(f->text, file);
	fclose(file);
}

static int connect_once(struct fixture *f, struct hsm_error *error)
{
	struct hsm_device *device = fake_device(&f->fake);
	struct hsm_channel *channel = NULL;
	int err = hsm_connect(device, f->fake.partition, &channel, error);

	hsm_disconnect(channel);
	hsm_close(device);
	return err;
}

static void assert_good(struct fixture *f)
{
	struct hsm_error error = { 0 };

	if (connect_once(f, &error))
		print_error("%s\n", error.text);
	assert_int_equal(error.error, 0);
}

static void assert_refused(struct fixture *f, const char *words)
{
	struct hsm_error error = { 0 };

	assert_int_equal(connect_once(f, &error), -EKEYREJECTED);
	if (!strstr(error.text, words))
		print_error("'%s' does not say '%s'\n", error.text, words);
	assert_non_null(strstr(error.text, words));
	assert_non_null(strstr(error.text, "a5a5a5a5-"));
}

/* hsm_open() fails with @words. */
static void assert_unusable(struct fixture *f, const char *words)
{
	struct trust *trust = NULL;
	struct hsm_error error;

	assert_true(trust_new("vhsm:/fake", &trust, &error) < 0);
	if (!strstr(error.text, words))
		print_error("'%s' does not say '%s'\n", error.text, words);
	assert_non_null(strstr(error.text, words));
	(void)f;
}

static void hex_of(EVP_PKEY *key, char *text)
{
	uint8_t fingerprint[HSM_FINGERPRINT_SIZE];

	assert_int_equal(hsm_dice_fingerprint(NULL, key, fingerprint), 0);
	hex_format(fingerprint, sizeof(fingerprint), text);
}

static void test_root(void **state)
{
	struct fixture *f = *state;
	struct chain_fixture other;

	configure(f, "%s", "");
	assert_good(f);
	/* Another partition key under the same alias is as good: that is what a root is for. */
	fake_identity(&f->fake, f->fake.partition);
	assert_good(f);
	chain_make(&other, HSM_DICE_P384, 2, &good_tcb, f->fake.partition);
	write_certificate(f->roots, other.device);
	assert_refused(f, "no trusted root");
	chain_free(&other);
}

static void test_version(void **state)
{
	struct fixture *f = *state;

	configure(f, "minimum-security-version = 7\n");
	assert_good(f);
	configure(f, "minimum-security-version = 8\n");
	assert_refused(f, "security version 7 is below 8");
	/* The device's own section comes before the one for all. */
	configure(f, "minimum-security-version = 8\n[device vhsm:/fake]\n"
		     "minimum-security-version = 6\n");
	assert_good(f);
	configure(f, "minimum-security-version = 6\n[device vhsm:/fake]\n"
		     "minimum-security-version = 8\n");
	assert_refused(f, "security version 7 is below 8");
}

static void test_measurement(void **state)
{
	char allowed[2 * HSM_MEASUREMENT_SIZE + 1];
	struct fixture *f = *state;

	hex_format(good_tcb.measurement, HSM_MEASUREMENT_SIZE, allowed);
	configure(f, "allow-measurement = sha384:%096d\nallow-measurement = sha384:%s\n", 1,
		  allowed);
	assert_good(f);
	configure(f, "allow-measurement = sha384:%096d\n", 1);
	assert_refused(f, "measurement sha384:4d45");
}

static void test_revoked(void **state)
{
	char device[2 * HSM_FINGERPRINT_SIZE + 1], alias[2 * HSM_FINGERPRINT_SIZE + 1];
	struct fixture *f = *state;

	hex_of(device_key(&f->fake.chain), device);
	hex_of(alias_key(&f->fake.chain), alias);
	configure(f, "revoked-device = sha256:%s\nrevoked-alias = sha256:%s\n", alias, device);
	assert_good(f);
	configure(f, "revoked-device = sha256:%s\n", device);
	assert_refused(f, "device sha256:");
	configure(f, "revoked-alias = sha256:%064d\nrevoked-alias = sha256:%s\n", 0, alias);
	assert_refused(f, "alias sha256:");
	/* Revoked for all is revoked for each. */
	configure(f,
		  "revoked-alias = sha256:%s\n[device vhsm:/fake]\nrevoked-alias = sha256:%064d\n",
		  alias, 0);
	assert_refused(f, "alias sha256:");
}

static void test_lifecycle(void **state)
{
	struct fixture *f = *state;

	configure(f, "require-lifecycle = production\n");
	assert_good(f);
	configure(f, "require-lifecycle = development\n");
	assert_refused(f, "lifecycle is production");
}

/* With roots and pins for all, both have to hold; a pin of the device's own section stands alone. */
static void test_pin_and_root(void **state)
{
	char pin[2 * HSM_FINGERPRINT_SIZE + 1], id[UUID_TEXT_SIZE];
	struct fixture *f = *state;

	hex_of(f->fake.chain.identity_key, pin);
	uuid_format(f->fake.partition, id);
	configure(f, "pin = %s sha256:%s\n", id, pin);
	assert_good(f);
	configure(f, "pin = %s sha256:%s\nminimum-security-version = 8\n", id, pin);
	assert_refused(f, "security version");
	configure(f, "pin = %s sha256:%064d\n", id, 0);
	assert_refused(f, "another identity");
	configure(f, "minimum-security-version = 8\n[device vhsm:/fake]\npin = %s sha256:%s\n", id,
		  pin);
	assert_good(f);
}

static void test_needs_root(void **state)
{
	static const char *const demands[] = {
		"minimum-security-version = 1\n",
		"require-lifecycle = production\n",
		"revoked-device = "
		"sha256:0000000000000000000000000000000000000000000000000000000000000000\n",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(demands); i++) {
		FILE *file = fopen(f->conf, "w");

		assert_non_null(file);
		fputs(demands[i], file);
		fclose(file);
		assert_unusable(f, "root-certificate");
	}
	unlink(f->roots);
	configure(f, "%s", "");
	assert_unusable(f, "cannot read certificates");
}

/* ---- sessions ---- */

static void fake_tickets(struct fake *fake)
{
	assert_int_equal(SSL_CTX_set_num_tickets(fake->tls, 1), 1);
}

static void test_resume(void **state)
{
	uint8_t first[HSM_IDENTITY_SIZE], second[HSM_IDENTITY_SIZE];
	struct fixture *f = *state;
	struct hsm_channel *channel = NULL;
	struct hsm_device *device;
	struct hsm_error error;

	configure(f, "%s", "");
	fake_tickets(&f->fake);
	device = fake_device(&f->fake);
	assert_int_equal(hsm_connect(device, f->fake.partition, &channel, &error), 0);
	assert_int_equal(hsm_channel_identity(channel, first), 0);
	hsm_disconnect(channel);
	assert_int_equal(f->fake.resumed, 0);
	assert_int_equal(hsm_connect(device, f->fake.partition, &channel, &error), 0);
	assert_int_equal(hsm_channel_identity(channel, second), 0);
	hsm_disconnect(channel);
	assert_int_equal(f->fake.resumed, 1);
	assert_memory_equal(first, second, sizeof(first));
	/* The device has started anew: its tickets are void, and all is proven again. */
	fake_restart_tls(&f->fake);
	fake_tickets(&f->fake);
	assert_int_equal(hsm_connect(device, f->fake.partition, &channel, &error), 0);
	hsm_disconnect(channel);
	assert_int_equal(f->fake.resumed, 1);
	hsm_close(device);
	/* What another opening of the device demands is asked of a whole handshake. */
	configure(f, "minimum-security-version = 8\n");
	assert_refused(f, "security version");
}

/* ---- the application's own certificate ---- */

static void write_key(const char *path, EVP_PKEY *key)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
	chmod(path, 0600);
}

/* The fake demands a certificate and takes this one alone. */
static void demand(struct fake *fake, X509 *cert)
{
	X509_STORE *store = X509_STORE_new();

	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	X509_STORE_add_cert(store, cert);
	SSL_CTX_set1_verify_cert_store(fake->tls, store);
	X509_STORE_free(store);
	SSL_CTX_set_verify(fake->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static void test_client_certificate(void **state)
{
	char cert_path[PATH_SIZE], key_path[PATH_SIZE];
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	X509 *cert = make_ca(key, "CA:FALSE");
	struct fixture *f = *state;
	struct hsm_error error = { 0 };

	/* No more than a certificate of an application */
	strip(cert, NID_key_usage);
	sign_again(cert, key);

	close(mkstemp(temporary_name(cert_path, "hsm-client")));
	close(mkstemp(temporary_name(key_path, "hsm-key")));
	write_certificate(cert_path, cert);
	write_key(key_path, key);
	demand(&f->fake, cert);
	configure(f, "%s", "");
	assert_true(connect_once(f, &error) < 0);
	configure(f, "client-certificate = %s\nclient-key = %s\n", cert_path, key_path);
	assert_good(f);
	chmod(key_path, 0640);
	assert_unusable(f, "chmod 600");
	write_key(key_path, other);
	assert_unusable(f, "no pair");
	configure(f, "client-key = %s\n", key_path);
	assert_unusable(f, "go together");
	unlink(cert_path);
	unlink(key_path);
	X509_free(cert);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_root),	    T(test_version),   T(test_measurement),
		T(test_revoked),    T(test_lifecycle), T(test_pin_and_root),
		T(test_needs_root), T(test_resume),    T(test_client_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
