// SPDX-License-Identifier: Apache-2.0
/*
 * Fuses in the non-volatile memory of a TPM 2.0: two indexes, readable and writable with an
 * authorization value that lies in a private file. Who has the state directory without the TPM has
 * noise, who has the TPM without the file cannot read it, and an old copy of the directory finds a
 * counter that has moved on. Commands go in HMAC sessions whose parameters are encrypted under that
 * value, so that it and the secrets do not pass the bus in the clear, except once: when the indexes
 * are defined.
 *
 * "tpm:TCTI[,index=N][,auth=FILE]": TCTI as tss2-tctildr takes it, for example device:/dev/tpmrm0.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "fuse_store.h"

#define SCHEME "tpm:"

#ifdef HSM_TPM

#include <tss2/tss2_esys.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

/* In the range that the owner hands out (TCG registry of reserved handles, 2.2.2) */
#define DEFAULT_INDEX 0x01804948U
#define FIRST_INDEX   0x01800000U
#define LAST_INDEX    0x01bffffeU
#define NAME_MAX_SIZE 1024
#define AUTH_SIZE     32

/**
 * struct place - a name taken apart
 * @text: copy of the name, which @tcti and @auth_file point into
 */
struct place {
	char text[NAME_MAX_SIZE];
	const char *tcti;
	const char *auth_file;
	uint32_t index;
};

/**
 * struct fuse_store - an open TPM
 * @nv: the two indexes, ESYS_TR_NONE: not there
 */
struct fuse_store {
	struct place place;
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR nv[FUSE_SLOTS];
	TPM2B_AUTH auth;
};

/* ---- names ---- */

/* Take ",KEY=value" off the end. A TCTI has commas and equal signs of its own. */
static const char *take_word(char *text, const char *key)
{
	char *comma = strrchr(text, ',');
	size_t length = strlen(key);

	if (!comma || strncmp(comma + 1, key, length) || comma[1 + length] != '=')
		return NULL;
	*comma = '\0';
	return comma + 2 + length;
}

static int parse(const char *where, struct place *place, struct error *error)
{
	const char *index = NULL, *value;
	unsigned long number;
	char *end;

	place->index = DEFAULT_INDEX;
	place->auth_file = NULL;
	if ((size_t)snprintf(place->text, sizeof(place->text), "%s", where + strlen(SCHEME)) >=
	    sizeof(place->text))
		return error_set(error, -ENAMETOOLONG, "fuses %s: the name is too long", where);
	for (;;) {
		if ((value = take_word(place->text, "index")))
			index = value;
		else if ((value = take_word(place->text, "auth")))
			place->auth_file = value;
		else
			break;
	}
	place->tcti = place->text;
	if (index) {
		number = strtoul(index, &end, 0);
		if (*end || number < FIRST_INDEX || number > LAST_INDEX)
			return error_set(error, -EINVAL,
					 "fuses %s: an index from 0x%x to 0x%x is expected", where,
					 FIRST_INDEX, LAST_INDEX);
		place->index = (uint32_t)number;
	}
	if (!*place->tcti || !place->auth_file || !*place->auth_file)
		return error_set(error, -EINVAL, "fuses %s: tpm:TCTI,auth=FILE is expected", where);
	return 0;
}

/* ---- the authorization value ---- */

static int auth_read(struct fuse_store *store, struct error *error)
{
	const char *path = store->place.auth_file;
	struct stat st;
	ssize_t n = -1;
	int fd, ret = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set(error, -errno, "fuses: authorization %s: %s", path,
				 strerror(errno));
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && !(st.st_mode & 077))
		n = read(fd, store->auth.buffer, AUTH_SIZE);
	store->auth.size = AUTH_SIZE;
	if (n != AUTH_SIZE)
		ret = error_set(error, -EPERM,
				"fuses: authorization %s: must be a file of %d bytes that only its "
				"owner can read (chmod 600)",
				path, AUTH_SIZE);
	close(fd);
	return ret;
}

/* One that is there, from a credential or an earlier board, is used. */
static int auth_make(struct fuse_store *store, struct error *error)
{
	const char *path = store->place.auth_file;
	uint8_t value[AUTH_SIZE];
	int fd, ret = 0;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == EEXIST)
		return auth_read(store, error);
	if (fd < 0)
		return error_set(error, -errno, "fuses: authorization %s: %s", path,
				 strerror(errno));
	if (getrandom(value, sizeof(value), 0) != sizeof(value) ||
	    write(fd, value, sizeof(value)) != sizeof(value) || fsync(fd))
		ret = error_set(error, -EIO, "fuses: authorization %s: cannot be written", path);
	close(fd);
	OPENSSL_cleanse(value, sizeof(value));
	if (!ret)
		return auth_read(store, error);
	unlink(path);
	return ret;
}

/* ---- the TPM ---- */

/* The code without the number of the handle, session or parameter that it is about */
static int error_of(TSS2_RC rc)
{
	TSS2_RC code = rc & 0xffff;

	if (rc & 0xff0000)
		return -EIO; /* a layer of the host's */
	if (code & TPM2_RC_FMT1)
		code &= TPM2_RC_FMT1 | 0x3f;
	switch (code) {
	case 0:
		return 0;
	case TPM2_RC_HANDLE:
		return -ENOENT;
	case TPM2_RC_AUTH_FAIL:
	case TPM2_RC_BAD_AUTH:
		return -EACCES;
	case TPM2_RC_NV_UNINITIALIZED:
		return -EBADMSG;
	case TPM2_RC_NV_DEFINED:
		return -EEXIST;
	case TPM2_RC_NV_SPACE:
		return -ENOSPC;
	default:
		return -EIO;
	}
}

static int fail(const struct fuse_store *store, TSS2_RC rc, const char *what, struct error *error)
{
	int ret = error_of(rc);

	return error_set(error, ret, "fuses tpm:%s: index 0x%x: %s: %s%s", store->place.tcti,
			 store->place.index, what, Tss2_RC_Decode(rc),
			 ret == -EACCES ? "; is the authorization file that of these fuses?" : "");
}

static void disconnect(struct fuse_store *store)
{
	unsigned int slot;

	for (slot = 0; store->esys && slot < FUSE_SLOTS; slot++)
		if (store->nv[slot] != ESYS_TR_NONE)
			Esys_TR_Close(store->esys, &store->nv[slot]);
	if (store->esys)
		Esys_Finalize(&store->esys);
	if (store->tcti)
		Tss2_TctiLdr_Finalize(&store->tcti);
	OPENSSL_cleanse(store, sizeof(*store));
	free(store);
}

static int find_index(struct fuse_store *store, unsigned int slot, struct error *error)
{
	TSS2_RC rc;

	rc = Esys_TR_FromTPMPublic(store->esys, store->place.index + slot, ESYS_TR_NONE,
				   ESYS_TR_NONE, ESYS_TR_NONE, &store->nv[slot]);
	if (!rc)
		return 0;
	store->nv[slot] = ESYS_TR_NONE;
	return error_of(rc) == -ENOENT ? 0 : fail(store, rc, "cannot be found", error);
}

static int connect_tpm(const char *where, struct fuse_store **result, struct error *error)
{
	struct fuse_store *store = calloc(1, sizeof(*store));
	unsigned int slot;
	TSS2_RC rc;
	int ret;

	if (!store)
		return error_set(error, -ENOMEM, "fuses %s: out of memory", where);
	for (slot = 0; slot < FUSE_SLOTS; slot++)
		store->nv[slot] = ESYS_TR_NONE;
	/* What fails is told in one line of ours. */
	setenv("TSS2_LOG", "all+none", 0);
	ret = parse(where, &store->place, error);
	if (ret)
		goto fail;
	rc = Tss2_TctiLdr_Initialize(store->place.tcti, &store->tcti);
	if (!rc)
		rc = Esys_Initialize(&store->esys, store->tcti, NULL);
	if (rc)
		ret = error_set(error, -EIO, "fuses %s: no TPM: %s", where, Tss2_RC_Decode(rc));
	for (slot = 0; !ret && slot < FUSE_SLOTS; slot++)
		ret = find_index(store, slot, error);
	if (ret)
		goto fail;
	*result = store;
	return 0;

fail:
	disconnect(store);
	return ret;
}

static int use_auth(struct fuse_store *store, unsigned int slot, struct error *error)
{
	TSS2_RC rc;

	if (store->nv[slot] == ESYS_TR_NONE)
		return 0;
	rc = Esys_TR_SetAuth(store->esys, store->nv[slot], &store->auth);
	return rc ? fail(store, rc, "authorization", error) : 0;
}

/* A session of its own for each command: one would not survive a suspended host. */
static int open_session(struct fuse_store *store, TPMA_SESSION attributes, ESYS_TR *session)
{
	const TPMT_SYM_DEF cipher = {
		.algorithm = TPM2_ALG_AES,
		.keyBits = { .aes = 128 },
		.mode = { .aes = TPM2_ALG_CFB },
	};
	TSS2_RC rc;

	rc = Esys_StartAuthSession(store->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
				   ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &cipher,
				   TPM2_ALG_SHA256, session);
	if (rc)
		return error_of(rc);
	rc = Esys_TRSess_SetAttributes(store->esys, *session,
				       attributes | TPMA_SESSION_CONTINUESESSION, 0xff);
	if (rc)
		Esys_FlushContext(store->esys, *session);
	return error_of(rc);
}

static int tpm_read(struct fuse_store *store, unsigned int slot, uint8_t record[FUSE_RECORD_SIZE])
{
	TPM2B_MAX_NV_BUFFER *data = NULL;
	ESYS_TR session;
	TSS2_RC rc;
	int ret;

	if (store->nv[slot] == ESYS_TR_NONE)
		return -EBADMSG;
	ret = open_session(store, TPMA_SESSION_ENCRYPT, &session);
	if (ret)
		return ret;
	rc = Esys_NV_Read(store->esys, store->nv[slot], store->nv[slot], session, ESYS_TR_NONE,
			  ESYS_TR_NONE, FUSE_RECORD_SIZE, 0, &data);
	Esys_FlushContext(store->esys, session);
	ret = error_of(rc);
	if (!ret && data->size != FUSE_RECORD_SIZE)
		ret = -EBADMSG;
	if (!ret)
		memcpy(record, data->buffer, FUSE_RECORD_SIZE);
	if (data)
		OPENSSL_cleanse(data, sizeof(*data));
	Esys_Free(data);
	return ret;
}

static int tpm_write(struct fuse_store *store, unsigned int slot,
		     const uint8_t record[FUSE_RECORD_SIZE])
{
	TPM2B_MAX_NV_BUFFER data = { .size = FUSE_RECORD_SIZE };
	ESYS_TR session;
	TSS2_RC rc;
	int ret;

	_Static_assert(FUSE_RECORD_SIZE <= 512, "every TPM writes as much in one command");
	if (store->nv[slot] == ESYS_TR_NONE)
		return -ENOENT;
	ret = open_session(store, TPMA_SESSION_DECRYPT, &session);
	if (ret)
		return ret;
	memcpy(data.buffer, record, FUSE_RECORD_SIZE);
	rc = Esys_NV_Write(store->esys, store->nv[slot], store->nv[slot], session, ESYS_TR_NONE,
			   ESYS_TR_NONE, &data, 0);
	OPENSSL_cleanse(&data, sizeof(data));
	Esys_FlushContext(store->esys, session);
	return error_of(rc);
}

static int tpm_open(const char *where, struct fuse_store **result, struct error *error)
{
	struct fuse_store *store;
	uint8_t record[FUSE_RECORD_SIZE];
	unsigned int slot;
	int ret;

	ret = connect_tpm(where, &store, error);
	if (ret)
		return ret;
	/* The first index is defined last: without it a creation was cut short. */
	if (store->nv[0] == ESYS_TR_NONE)
		ret = error_set(error, -ENOENT, "fuses %s: there are none", where);
	/* Whoever removed the other one may have removed the record in force. */
	for (slot = 1; !ret && slot < FUSE_SLOTS; slot++)
		if (store->nv[slot] == ESYS_TR_NONE)
			ret = error_set(error, -EBADMSG,
					"fuses %s: index 0x%x is missing; somebody has removed "
					"it, start anew with --zeroize",
					where, store->place.index + slot);
	if (!ret)
		ret = auth_read(store, error);
	for (slot = 0; !ret && slot < FUSE_SLOTS; slot++)
		ret = use_auth(store, slot, error);
	if (!ret && tpm_read(store, 0, record) == -EACCES)
		ret = error_set(error, -EACCES,
				"fuses %s: the authorization %s is not that of these fuses; put "
				"the right one in place, or start anew with --zeroize",
				where, store->place.auth_file);
	OPENSSL_cleanse(record, sizeof(record));
	if (ret) {
		disconnect(store);
		return ret;
	}
	*result = store;
	return 0;
}

static int undefine(struct fuse_store *store, unsigned int slot, struct error *error)
{
	TSS2_RC rc;

	if (store->nv[slot] == ESYS_TR_NONE)
		return 0;
	rc = Esys_NV_UndefineSpace(store->esys, ESYS_TR_RH_OWNER, store->nv[slot], ESYS_TR_PASSWORD,
				   ESYS_TR_NONE, ESYS_TR_NONE);
	if (rc)
		return fail(store, rc, "cannot be removed", error);
	store->nv[slot] = ESYS_TR_NONE;
	return 0;
}

static int define(struct fuse_store *store, unsigned int slot, const uint8_t *record,
		  struct error *error)
{
	const TPM2B_NV_PUBLIC public = {
		.nvPublic = {
			.nvIndex = store->place.index + slot,
			.nameAlg = TPM2_ALG_SHA256,
			/* 256 bits are not guessed; wrong guesses must not lock the TPM. */
			.attributes = TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA,
			.dataSize = FUSE_RECORD_SIZE,
		},
	};
	TSS2_RC rc;
	int ret;

	rc = Esys_NV_DefineSpace(store->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				 ESYS_TR_NONE, &store->auth, &public, &store->nv[slot]);
	if (rc)
		return fail(store, rc, "cannot be defined", error);
	ret = use_auth(store, slot, error);
	if (!ret)
		ret = tpm_write(store, slot, record);
	return ret ? error_set(error, ret, "fuses tpm:%s: cannot be written: %s", store->place.tcti,
			       strerror(-ret))
		   : 0;
}

static int tpm_create(const char *where, uint8_t records[FUSE_SLOTS][FUSE_RECORD_SIZE],
		      struct error *error)
{
	struct fuse_store *store;
	unsigned int slot;
	int ret;

	ret = connect_tpm(where, &store, error);
	if (ret)
		return ret;
	if (store->nv[0] != ESYS_TR_NONE)
		ret = error_set(error, -EEXIST, "fuses %s: there are fuses already", where);
	if (!ret)
		ret = auth_make(store, error);
	for (slot = FUSE_SLOTS; !ret && slot-- > 0;) {
		ret = undefine(store, slot, error);
		if (!ret)
			ret = define(store, slot, records[slot], error);
	}
	disconnect(store);
	return ret;
}

static int tpm_remove(const char *where, struct error *error)
{
	struct fuse_store *store;
	unsigned int slot;
	int ret;

	ret = connect_tpm(where, &store, error);
	if (ret)
		return ret;
	for (slot = 0; !ret && slot < FUSE_SLOTS; slot++)
		ret = undefine(store, slot, error);
	disconnect(store);
	return ret;
}

const struct fuse_backend fuse_backend_tpm = {
	.scheme = SCHEME,
	.create = tpm_create,
	.open = tpm_open,
	.close = disconnect,
	.read = tpm_read,
	.write = tpm_write,
	.remove = tpm_remove,
};

#else /* HSM_TPM */

static int none(const char *where, struct error *error)
{
	return error_set(error, -EOPNOTSUPP,
			 "fuses %s: this vhsm was built without libtss2, it cannot use a TPM",
			 where);
}

static int none_create(const char *where, uint8_t records[FUSE_SLOTS][FUSE_RECORD_SIZE],
		       struct error *error)
{
	(void)records;
	return none(where, error);
}

static int none_open(const char *where, struct fuse_store **store, struct error *error)
{
	*store = NULL;
	return none(where, error);
}

const struct fuse_backend fuse_backend_tpm = {
	.scheme = SCHEME,
	.create = none_create,
	.open = none_open,
	.remove = none,
};

#endif /* HSM_TPM */
