// SPDX-License-Identifier: Apache-2.0
/*
 * What the firmware shows and signs as who it is: chains of partitions, signed messages, sessions that are
 * taken up again, and applications that have to show a certificate.
 */
#include "commands_testing.h"
#include <openssl/x509v3.h>
#include <hsm/cose.h>
#include "attest_keys.h"

/* ---- connecting with a TLS context of the test's own ---- */

struct application {
	SSL_CTX *tls;
	SSL_SESSION *session; /* that the last channel got */
	bool resumed;
	X509 *shown; /* by the device */
};

static SSL_SESSION *kept;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(kept);
	kept = session;
	return 1;
}

static void application_make(struct application *app)
{
	memset(app, 0, sizeof(*app));
	app->tls = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(app->tls, TLS1_3_VERSION);
	SSL_CTX_set_session_cache_mode(app->tls,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(app->tls, keep_session);
}

static void application_free(struct application *app)
{
	SSL_SESSION_free(kept);
	kept = NULL;
	X509_free(app->shown);
	SSL_CTX_free(app->tls);
}

/* The device's status of the handshake; @peer then has a channel. */
static enum ihsm_status join(struct application *app, struct peer *peer, int partition)
{
	const uint8_t *id = board.partition[partition].info.id;
	SSL *ssl = SSL_new(app->tls);
	bool done = false;
	char nothing;

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(ssl);
	if (kept)
		SSL_set_session(ssl, kept);
	peer->channel = 0;
	peer->sequence = 0;
	hsm_seal_free(peer->seal);
	peer->seal = NULL;
	for (int i = 0; i < 4 && !done; i++) {
		SSL_do_handshake(ssl);
		done = peer_exchange(peer, ssl, id);
		if (peer->status != IHSM_SC_SUCCESS)
			break;
	}
	if (done) {
		assert_int_equal(SSL_do_handshake(ssl), 1);
		app->resumed = SSL_session_reused(ssl);
		X509_free(app->shown);
		app->shown = SSL_get1_peer_certificate(ssl);
		peer->seal = hsm_seal_new(mech_libctx(), ssl, id, 3);
		SSL_read(ssl, &nothing, 1);
		SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	}
	SSL_free(ssl);
	return peer->status;
}

static struct peer *peer_bare(void)
{
	const struct context_info info = { .id = 1, .epoch = 3, .owner = true };
	struct peer *peer = peer_alloc();

	assert_int_equal(context_open(&info, &peer->context), 0);
	return peer;
}

/* ---- chains ---- */

static STACK_OF(X509) * ask_chain(struct peer *peer, enum hsm_dice_algorithm algorithm)
{
	struct hsm_writer out = peer_fields(peer);
	STACK_OF(X509) *chain = sk_X509_new_null();
	const uint8_t *der, *end;
	const struct hsm_field *field;

	hsm_put_u32(&out, HSM_FIELD_KEY_ALGORITHM, algorithm);
	if (peer_call(peer, HSM_OP_CERTIFICATES, &out) != CKR_OK) {
		sk_X509_free(chain);
		return NULL;
	}
	field = &peer->fields.field[0];
	der = field->data;
	end = der + field->length;
	while (der < end) {
		X509 *cert = d2i_X509(NULL, &der, end - der);

		assert_non_null(cert);
		sk_X509_push(chain, cert);
	}
	return chain;
}

static int verify(enum hsm_dice_algorithm algorithm, enum hsm_dice_leaf kind,
		  STACK_OF(X509) * chain, const uint8_t *partition, char *reason)
{
	struct hsm_trust_policy policy = { .roots = hsm_dice_store() };
	struct hsm_dice_facts facts;
	int ret;

	X509_STORE_add_cert(policy.roots, test_device_root(algorithm));
	ret = hsm_dice_verify(NULL, &policy, kind, sk_X509_value(chain, 0), chain, partition,
			      &facts, reason);
	if (!ret)
		assert_int_equal(facts.tcb.security_version, test_tcb.security_version);
	X509_STORE_free(policy.roots);
	return ret;
}

static void test_chains(void **state)
{
	char reason[HSM_DICE_REASON_MAX];
	STACK_OF(X509) * chain;
	struct peer *peer = peer_new(0);

	chain = ask_chain(peer, HSM_DICE_P384);
	assert_non_null(chain);
	assert_int_equal(sk_X509_num(chain), 3);
	assert_int_equal(verify(HSM_DICE_P384, HSM_DICE_LEAF_PARTITION, chain,
				board.partition[0].info.id, reason),
			 0);
	assert_int_equal(verify(HSM_DICE_P384, HSM_DICE_LEAF_PARTITION, chain,
				board.partition[1].info.id, reason),
			 -EKEYREJECTED);
	sk_X509_pop_free(chain, X509_free);
	chain = ask_chain(peer, HSM_DICE_ML_DSA_87);
	if (chain) {
		assert_int_equal(sk_X509_num(chain), 2);
		assert_int_equal(verify(HSM_DICE_ML_DSA_87, HSM_DICE_LEAF_ALIAS, chain,
					board.partition[0].info.id, reason),
				 0);
		sk_X509_pop_free(chain, X509_free);
	}
	assert_null(ask_chain(peer, HSM_DICE_ALGORITHMS));
	/* Provisioning is for function 0. */
	assert_int_equal(peer_call(peer, HSM_OP_DEVICE_INSTALL, NULL), CKR_ARGUMENTS_BAD);
	peer_free(peer);
	(void)state;
}

/* After a start under other firmware: another alias, the same identity */
static void test_identity_stays(void **state)
{
	EVP_PKEY *before, *after;
	STACK_OF(X509) * chain;
	struct peer *peer = peer_new(0);

	chain = ask_chain(peer, HSM_DICE_P384);
	before = X509_get_pubkey(sk_X509_value(chain, 0));
	sk_X509_pop_free(chain, X509_free);
	peer_free(peer);
	test_tcb.security_version++;
	board_restart();
	peer = peer_new(0);
	chain = ask_chain(peer, HSM_DICE_P384);
	after = X509_get_pubkey(sk_X509_value(chain, 0));
	assert_int_equal(EVP_PKEY_eq(before, after), 1);
	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(before);
	EVP_PKEY_free(after);
	peer_free(peer);
	(void)state;
}

/* ---- signed messages ---- */

static void test_sign(void **state)
{
	static const uint8_t payload[] = { 0xa0 }, aad[] = { 1, 2, 3 };
	struct partition *partition = partition_find(board.partition[1].info.id);
	char reason[HSM_DICE_REASON_MAX];
	struct hsm_cose *read;
	STACK_OF(X509) * chain;
	uint8_t *message;
	size_t length, i;

	assert_int_equal(attest_sign(partition, "test", payload, sizeof(payload), aad, sizeof(aad),
				     &message, &length),
			 0);
	assert_int_equal(hsm_cose_read(message, length, "application/vnd.ihsm.other+cbor", &read),
			 -EBADMSG);
	assert_int_equal(hsm_cose_read(message, length, "application/vnd.ihsm.test+cbor", &read),
			 0);
	assert_int_equal(hsm_cose_signatures(read), test_device_root(HSM_DICE_ML_DSA_87) ? 2 : 1);
	for (i = 0; i < hsm_cose_signatures(read); i++) {
		chain = hsm_cose_signer_chain(read, i, NULL);
		assert_non_null(chain);
		assert_int_equal(hsm_cose_verify(read, i, NULL,
						 X509_get0_pubkey(sk_X509_value(chain, 0)), aad,
						 sizeof(aad)),
				 0);
		assert_int_equal(hsm_cose_verify(read, i, NULL,
						 X509_get0_pubkey(sk_X509_value(chain, 0)), NULL,
						 0),
				 -EBADMSG);
		assert_int_equal(verify(i ? HSM_DICE_ML_DSA_87 : HSM_DICE_P384, HSM_DICE_LEAF_ALIAS,
					chain, board.partition[1].info.id, reason),
				 0);
		/* What is said about one partition is no statement about another. */
		assert_int_equal(verify(i ? HSM_DICE_ML_DSA_87 : HSM_DICE_P384, HSM_DICE_LEAF_ALIAS,
					chain, board.partition[0].info.id, reason),
				 -EKEYREJECTED);
		sk_X509_pop_free(chain, X509_free);
	}
	hsm_cose_free(read);
	free(message);
	partition_put(partition);
	(void)state;
}

/* ---- resumption ---- */

static void test_resume(void **state)
{
	struct application app;
	struct peer *peer = peer_bare();

	application_make(&app);
	assert_int_equal(join(&app, peer, 0), IHSM_SC_SUCCESS);
	assert_false(app.resumed);
	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(peer_login(peer, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(join(&app, peer, 0), IHSM_SC_SUCCESS);
	assert_true(app.resumed);
	/* A handshake, and nothing that was behind it */
	assert_int_equal(peer_call(peer, HSM_OP_SESSION_INFO, NULL), CKR_SESSION_HANDLE_INVALID);
	peer->session = 0;
	assert_int_equal(peer_session(peer, true), CKR_OK);
	assert_int_equal(peer_call(peer, HSM_OP_LOGOUT, NULL), CKR_USER_NOT_LOGGED_IN);
	/* Another partition's ticket */
	assert_int_equal(join(&app, peer, 1), IHSM_SC_SUCCESS);
	assert_false(app.resumed);
	assert_int_equal(join(&app, peer, 1), IHSM_SC_SUCCESS);
	assert_true(app.resumed);
	/* Void with the partition's policy */
	board_set_value(1, HSM_POLICY_MAX_RATE, 100000);
	assert_int_equal(join(&app, peer, 1), IHSM_SC_SUCCESS);
	assert_false(app.resumed);
	/* and with the firmware */
	peer_free(peer);
	board_restart();
	peer = peer_bare();
	assert_int_equal(join(&app, peer, 1), IHSM_SC_SUCCESS);
	assert_false(app.resumed);
	peer_free(peer);
	application_free(&app);
	(void)state;
}

/* ---- applications' certificates ---- */

static X509 *certificate(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key,
			 const char *constraints)
{
	X509 *cert = X509_new();
	X509_EXTENSION *extension;

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	/* Long over: a device has no clock. */
	ASN1_TIME_set_string(X509_getm_notBefore(cert), "20000101000000Z");
	ASN1_TIME_set_string(X509_getm_notAfter(cert), "20010101000000Z");
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
	X509_set_pubkey(cert, key);
	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, constraints);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	assert_true(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
	return cert;
}

static void demand(int partition, X509 *root)
{
	uint8_t bytes[128], hash[HSM_POLICY_HASH], *der = NULL;
	struct hsm_writer out;
	int length;

	hsm_writer_init(&out, bytes, sizeof(bytes));
	if (root) {
		length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(root), &der);
		EVP_Digest(der, length, hash, NULL, EVP_sha384(), NULL);
		OPENSSL_free(der);
		hsm_put_bytes(&out, HSM_FIELD_CLIENT_ROOTS, hash, sizeof(hash));
	}
	board_set_policy(partition, &out);
}

static void test_client_certificate(void **state)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	X509 *ca = certificate(ca_key, "owner", NULL, ca_key, "critical,CA:TRUE");
	X509 *cert = certificate(key, "application", ca, ca_key, "CA:FALSE");
	X509 *stranger = certificate(key, "application", NULL, key, "CA:FALSE");
	/* Names the owner's as its issuer, and is its own work */
	X509 *forged = certificate(key, "application", ca, key, "CA:FALSE");
	STACK_OF(X509) *above = sk_X509_new_null();
	struct application app, bare;
	struct peer *peer = peer_bare(), *before = peer_bare();

	sk_X509_push(above, ca);
	application_make(&app);
	application_make(&bare);
	assert_int_equal(join(&bare, before, 0), IHSM_SC_SUCCESS);
	assert_int_equal(peer_call(before, HSM_OP_NOP, NULL), CKR_OK);
	demand(0, ca);
	/* Who came before the rule has to come again. */
	assert_int_equal(peer_call(before, HSM_OP_NOP, NULL), ~0UL);
	assert_int_equal(before->status, IHSM_SC_NO_CHANNEL);
	assert_int_not_equal(join(&bare, peer, 0), IHSM_SC_SUCCESS);
	SSL_CTX_use_cert_and_key(app.tls, stranger, key, NULL, 1);
	assert_int_not_equal(join(&app, peer, 0), IHSM_SC_SUCCESS);
	SSL_CTX_use_cert_and_key(app.tls, forged, key, above, 1);
	assert_int_not_equal(join(&app, peer, 0), IHSM_SC_SUCCESS);
	/* The root that is named has to be shown. */
	SSL_CTX_clear_chain_certs(app.tls);
	SSL_CTX_use_cert_and_key(app.tls, cert, key, NULL, 1);
	assert_int_not_equal(join(&app, peer, 0), IHSM_SC_SUCCESS);
	SSL_CTX_use_cert_and_key(app.tls, cert, key, above, 1);
	assert_int_equal(join(&app, peer, 0), IHSM_SC_SUCCESS);
	assert_int_equal(peer_call(peer, HSM_OP_NOP, NULL), CKR_OK);
	/* Other partitions are served as ever. */
	SSL_SESSION_free(kept);
	kept = NULL;
	assert_int_equal(join(&bare, before, 1), IHSM_SC_SUCCESS);
	/* The application's own certificate may be what is named. */
	demand(0, stranger);
	SSL_CTX_use_cert_and_key(app.tls, stranger, key, NULL, 1);
	assert_int_equal(join(&app, peer, 0), IHSM_SC_SUCCESS);
	/* A session that began under another rule is none. */
	demand(0, ca);
	assert_int_not_equal(join(&app, peer, 0), IHSM_SC_SUCCESS);
	demand(0, NULL);
	assert_int_equal(join(&bare, before, 0), IHSM_SC_SUCCESS);
	peer_free(peer);
	peer_free(before);
	application_free(&app);
	application_free(&bare);
	sk_X509_free(above);
	X509_free(forged);
	X509_free(stranger);
	X509_free(cert);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	(void)state;
}

/* In a policy: naming fewer is stricter, naming none or another one is not. */
static void test_policy_order(void **state)
{
	struct policy now = { 0 }, next = { 0 };

	policy_begin(&now, HSM_PROFILE_COMPATIBLE);
	next = now;
	next.clients.count = 1;
	assert_false(policy_relaxes(&now, &next));
	assert_true(policy_relaxes(&next, &now));
	now = next;
	now.clients.hash[0][0] = 1;
	assert_true(policy_relaxes(&now, &next));
	now.clients = next.clients;
	now.clients.count = 2;
	now.clients.hash[1][0] = 1;
	assert_false(policy_relaxes(&now, &next));
	assert_true(policy_relaxes(&next, &now));
	(void)state;
}

#define T(test) cmocka_unit_test_setup_teardown(test, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_chains), T(test_identity_stays),	    T(test_sign),
		T(test_resume), T(test_client_certificate), T(test_policy_order),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
