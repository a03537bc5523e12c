// SPDX-License-Identifier: Apache-2.0
/*
 * Commands about certificates: a partition's chain to look at, and the provisioning of the device by its
 * vendor, over function 0.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include "attest_keys.h"
#include "audit.h"

static CK_RV certificate_error(int error)
{
	switch (error) {
	case -EKEYREJECTED:
		return CKR_ARGUMENTS_BAD;
	case -ENOENT:
	case -EOPNOTSUPP:
		return CKR_MECHANISM_INVALID;
	default:
		return board_error(error);
	}
}

static bool take_algorithm(const struct command *command, uint32_t *algorithm)
{
	*algorithm = (uint32_t)hsm_fields_u64(&command->fields, HSM_FIELD_KEY_ALGORITHM, 0);
	return *algorithm < HSM_DICE_ALGORITHMS;
}

/* ---- CERTIFICATES ---- */

static bool put_certificate(struct hsm_writer *out, X509 *cert)
{
	uint8_t *der = NULL;
	int length = i2d_X509(cert, &der);
	bool put = length > 0;

	if (put)
		hsm_put_raw(out, der, (size_t)length);
	OPENSSL_free(der);
	return put;
}

/* The partition's own certificate, as channels show it */
static bool put_identity(struct command *command)
{
	SSL_CTX *tls = identity_tls(command->partition);
	X509 *cert = tls ? SSL_CTX_get0_certificate(tls) : NULL;
	bool put = cert && put_certificate(&command->out, cert);

	SSL_CTX_free(tls);
	return put;
}

CK_RV command_certificates(struct command *command)
{
	STACK_OF(X509) *chain = NULL;
	uint32_t algorithm;
	bool put = true;
	size_t mark;
	int i, ret;

	if (!take_algorithm(command, &algorithm))
		return CKR_ARGUMENTS_BAD;
	ret = attest_chain(command->partition, algorithm, &chain);
	if (ret)
		return certificate_error(ret);
	mark = hsm_put_begin(&command->out, HSM_FIELD_CERTIFICATES);
	if (algorithm == HSM_DICE_P384)
		put = put_identity(command);
	for (i = 0; put && i < sk_X509_num(chain); i++)
		put = put_certificate(&command->out, sk_X509_value(chain, i));
	hsm_put_end(&command->out, mark);
	sk_X509_pop_free(chain, X509_free);
	return put ? CKR_OK : CKR_DEVICE_ERROR;
}

/* ---- DEVICE_REQUEST, DEVICE_INSTALL ---- */

CK_RV command_device_request(struct command *command)
{
	struct board_device request;
	uint8_t *reply;
	size_t length;
	CK_RV rv;

	if (!take_algorithm(command, &request.algorithm))
		return CKR_ARGUMENTS_BAD;
	reply = OPENSSL_malloc(BOARD_MESSAGE_MAX);
	if (!reply)
		return CKR_HOST_MEMORY;
	rv = certificate_error(ask_board(BOARD_DEVICE_REQUEST, &request, sizeof(request), reply,
					 BOARD_MESSAGE_MAX, &length));
	if (rv == CKR_OK)
		hsm_put_bytes(&command->out, HSM_FIELD_DATA, reply, length);
	OPENSSL_free(reply);
	return rv;
}

CK_RV command_device_install(struct command *command)
{
	struct board_device request;
	struct iovec parts[2] = { { &request, sizeof(request) } };
	const uint8_t *certificates;
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record =
		audit_begin(command, HSM_AUDIT_CERTIFICATE_INSTALLED, actor);
	size_t length, size;
	CK_RV rv;

	if (!take_algorithm(command, &request.algorithm))
		return CKR_ARGUMENTS_BAD;
	certificates = hsm_fields_bytes(&command->fields, HSM_FIELD_CERTIFICATES, &size);
	if (size > BOARD_DEVICE_CHAIN_MAX)
		return CKR_ARGUMENTS_BAD;
	parts[1] = (struct iovec){ (void *)certificates, size };
	record.number = request.algorithm;
	rv = audit_asked(command, &record);
	if (rv != CKR_OK)
		return rv;
	rv = certificate_error(
		storage_call(BOARD_DEVICE_INSTALL, parts, size ? 2 : 1, NULL, 0, &length));
	if (audit_answered(command, &record, rv) != CKR_OK)
		return rv;
	/* The board tells the other functions. */
	attest_renew(command->partition);
	identity_reset(command->partition);
	return CKR_OK;
}
