// SPDX-License-Identifier: Apache-2.0
/*
 * Two operations on the same data in one command: a cipher, and a digest, signature or verification of
 * its plaintext (PKCS#11 3.2, 5.14). Either both take the part or, while the output does not fit, neither.
 * Any other failure ends both: what one of them took could not be taken back from the other.
 */
#include "operation.h"

static struct operation *slot(struct command *command, enum mech_use use)
{
	return &command->session->operation[use];
}

/* The active operation of @use, as its own command would find it */
static CK_RV ready(struct command *command, enum mech_use use, struct operation **operation)
{
	CK_RV rv;

	command->use = use;
	rv = operation_ready(command, false, operation);
	if (rv != CKR_OK)
		return rv;
	if ((*operation)->signature)
		return CKR_OPERATION_NOT_INITIALIZED;
	return (*operation)->rest ? CKR_OPERATION_ACTIVE : CKR_OK;
}

/* The cipher's part, straight into the response; *written of it are good on success */
static CK_RV run_cipher(struct command *command, struct mech_operation *cipher, uint8_t **text,
			size_t *written)
{
	size_t length, room = operation_room(command), start = command->out.length, mark;
	const uint8_t *data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	CK_RV rv;

	mark = hsm_put_begin(&command->out, HSM_FIELD_DATA);
	*text = command->out.data + command->out.length;
	rv = mech_update(cipher, data, length, *text, &room);
	if (rv == CKR_OK) {
		command->out.length += room;
		hsm_put_end(&command->out, mark);
		*written = room;
		return CKR_OK;
	}
	command->out.length = start;
	if (rv == CKR_BUFFER_TOO_SMALL)
		hsm_put_u64(&command->out, HSM_FIELD_NEEDED, room);
	return rv;
}

static CK_RV run_both(struct command *command, struct operation *cipher, struct operation *other,
		      bool encrypts)
{
	const uint8_t *data, *plain;
	size_t length, written = 0, plain_length, none = 0;
	uint8_t *text = NULL;
	CK_RV rv = run_cipher(command, cipher->mech, &text, &written);

	if (rv != CKR_OK)
		return rv;
	data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	plain = encrypts ? data : text;
	plain_length = encrypts ? length : written;
	rv = mech_update(other->mech, plain, plain_length, NULL, &none);
	if (rv != CKR_OK)
		return rv;
	operation_multi_part(cipher, data, length);
	operation_multi_part(other, plain, plain_length);
	return CKR_OK;
}

static CK_RV dual(struct command *command, enum mech_use cipher_use, enum mech_use other_use)
{
	struct operation *cipher = slot(command, cipher_use), *other = slot(command, other_use);
	size_t length, start = command->out.length;
	CK_RV rv;

	/* One that is missing does not end the other. */
	if (!cipher->mech || !other->mech)
		return CKR_OPERATION_NOT_INITIALIZED;
	rv = ready(command, cipher_use, &cipher);
	if (rv == CKR_OK)
		rv = ready(command, other_use, &other);
	if (rv != CKR_OK)
		return rv;
	hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	if (operation_asked(command, mech_output_size(cipher->mech, length)))
		return CKR_BUFFER_TOO_SMALL;
	command->crypto = true;
	command->approved = mech_is_approved(cipher->mech) && mech_is_approved(other->mech);
	rv = run_both(command, cipher, other, cipher_use == MECH_ENCRYPT);
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		return rv;
	if (command->out.length > start) {
		OPENSSL_cleanse(command->out.data + start, command->out.length - start);
		command->out.length = start;
	}
	operation_end(cipher);
	operation_end(other);
	return rv;
}

CK_RV command_digest_encrypt(struct command *command)
{
	return dual(command, MECH_ENCRYPT, MECH_DIGEST);
}

CK_RV command_decrypt_digest(struct command *command)
{
	return dual(command, MECH_DECRYPT, MECH_DIGEST);
}

CK_RV command_sign_encrypt(struct command *command)
{
	return dual(command, MECH_ENCRYPT, MECH_SIGN);
}

CK_RV command_decrypt_verify(struct command *command)
{
	return dual(command, MECH_DECRYPT, MECH_VERIFY);
}
