// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-verify migration: a document that a board has signed when a partition moved, was backed up or was abandoned,
 * and whether it is the answer to another one. Signatures and certificates first, as of everything.
 */
#include <stdlib.h>
#include <string.h>
#include <hsm/migration.h>
#include "hsm-verify.h"

/**
 * struct paper - a document that was read
 * @message: owns the payload
 * @hash: SHA-384 of the payload, by which others name it
 */
struct paper {
	uint8_t *bytes;
	size_t length;
	struct hsm_cose *message;
	enum hsm_migration_kind kind;
	struct hsm_migration_document document;
	uint8_t hash[HSM_MIGRATION_HASH];
};

static void paper_free(struct paper *paper)
{
	hsm_migration_free(&paper->document);
	hsm_cose_free(paper->message);
	free(paper->bytes);
}

/* The document at the head of a package's file; a file that is none begins with the document. */
static void find_document(const struct paper *paper, const uint8_t **bytes, size_t *length)
{
	const size_t magic = strlen(HSM_MIGRATION_FILE_MAGIC), head = magic + sizeof(uint32_t);
	uint32_t size;

	*bytes = paper->bytes;
	*length = paper->length;
	if (*length < head || memcmp(*bytes, HSM_MIGRATION_FILE_MAGIC, magic))
		return;
	memcpy(&size, *bytes + magic, sizeof(size));
	size = le32toh(size);
	*bytes += head;
	*length = size <= *length - head ? size : 0;
}

static int take_document(struct verify *verify, const char *path, struct paper *paper)
{
	const uint8_t *payload;
	size_t length;

	payload = hsm_cose_payload(paper->message, &length);
	if (hsm_migration_read(paper->kind, payload, length, &paper->document) < 0)
		return fail(verify, VERIFY_FORGED, "%s: its fields are not those of %s", path,
			    hsm_migration_type(paper->kind));
	if (EVP_Digest(payload, length, paper->hash, NULL, EVP_sha384(), NULL) != 1)
		return fail(verify, VERIFY_SYSTEM, "libcrypto: no SHA-384");
	return VERIFY_OK;
}

static int paper_read(struct verify *verify, const char *path, struct paper *paper)
{
	const uint8_t *bytes;
	size_t length;
	int code = read_file(verify, path, &paper->bytes, &paper->length);

	if (code)
		return code;
	find_document(paper, &bytes, &length);
	for (paper->kind = 0; paper->kind < HSM_MIGRATION_KIND_COUNT; paper->kind++)
		if (!hsm_cose_read(bytes, length, hsm_migration_type(paper->kind), &paper->message))
			return take_document(verify, path, paper);
	return fail(verify, VERIFY_FORGED, "%s: no signed document of a migration", path);
}

/* ---- what the one says of the other ---- */

/* X(field by which it is named, kind that the field names) */
#define NAMED(X)            \
	X(source, REQUEST)  \
	X(source, BACKUP)   \
	X(offer, OFFER)     \
	X(package, PACKAGE) \
	X(package, BACKUP)

/* The hash by which @paper names a document of @kind; NULL: it names none */
static const uint8_t *name_of(const struct paper *paper, enum hsm_migration_kind kind)
{
#define ROW(field, other)                                              \
	if (kind == HSM_MIGRATION_##other &&                           \
	    hsm_migration_has(paper->kind, HSM_MIGRATION_KEY_##field)) \
		return paper->document.field;
	NAMED(ROW)
#undef ROW
	return NULL;
}

static int check_other(struct verify *verify, const struct paper *paper, const char *path)
{
	struct paper other = { 0 };
	int code = paper_read(verify, path, &other);
	const uint8_t *name = code ? NULL : name_of(paper, other.kind);

	if (!code && !name)
		code = fail(verify, VERIFY_USAGE, "%s: a %s names none of this kind", path,
			    hsm_migration_word(paper->kind));
	if (!code && (memcmp(name, other.hash, sizeof(other.hash)) ||
		      memcmp(paper->document.partition, other.document.partition,
			     sizeof(other.document.partition))))
		code = fail(verify, VERIFY_FORGED, "it is about another %s than %s",
			    hsm_migration_word(other.kind), path);
	if (!code)
		put_string(verify->result, "compared_with", hsm_migration_word(other.kind));
	paper_free(&other);
	return code;
}

/* ---- report ---- */

static void put_UINT(struct json_object *claims, const char *name, const uint64_t *value,
		     size_t size)
{
	(void)size;
	put_number(claims, name, *value);
}

static void put_FIXED(struct json_object *claims, const char *name, const uint8_t *value,
		      size_t size)
{
	if (size == HSM_DICE_ID_SIZE && !strcmp(name, "partition"))
		put_id(claims, name, value);
	else if (size <= HSM_MIGRATION_HASH)
		put_hex(claims, name, value, size);
}

static void put_TEXT(struct json_object *claims, const char *name,
		     const struct hsm_migration_bytes *value, size_t size)
{
	(void)size;
	put_chars(claims, name, value->data, value->length);
}

/* What is long and nobody compares by eye: policies, sealed keys */
static void put_BYTES(struct json_object *claims, const char *name,
		      const struct hsm_migration_bytes *value, size_t size)
{
	(void)claims;
	(void)name;
	(void)value;
	(void)size;
}

static struct json_object *claims_of(const struct paper *paper)
{
	struct json_object *claims = json_object_new_object();

	put_string(claims, "kind", hsm_migration_word(paper->kind));
#define PUT(key, name, type, size, meaning)                           \
	if (hsm_migration_has(paper->kind, HSM_MIGRATION_KEY_##name)) \
		put_##type(claims, #name, (const void *)&paper->document.name, size);
	HSM_MIGRATION_FIELDS(PUT)
#undef PUT
	return claims;
}

static int report(struct verify *verify, const struct paper *paper)
{
	struct json_object *claims = claims_of(paper);
	int code;

	put_string(verify->result, "says", hsm_migration_meaning(paper->kind));
	put_hex(verify->result, "hash", paper->hash, sizeof(paper->hash));
	json_object_object_add(verify->result, "claims", claims);
	code = rules_check(verify, "claims", verify->trust.claims, claims);
	put_string(verify->result, "verdict",
		   code ? "genuine, and not what the policy asks for" : "genuine");
	return code;
}

/* The board has put into the signers' certificates whether its fuses lie apart; the document says the same or lies. */
static int check_facts(struct verify *verify, const struct paper *paper,
		       const struct hsm_dice_facts *facts)
{
	if (hsm_migration_has(paper->kind, HSM_MIGRATION_KEY_rollback) &&
	    paper->document.rollback != facts->tcb.rollback_protected)
		return fail(verify, VERIFY_FORGED,
			    "rollback: the signer's certificates say something else");
	return message_board(verify, facts, paper->document.board);
}

int verify_migration(struct verify *verify, char **args)
{
	struct paper paper = { 0 };
	struct hsm_dice_facts facts;
	int code = paper_read(verify, args[0], &paper);

	if (!code)
		code = message_verify(verify, paper.message, paper.document.partition, &facts);
	if (!code)
		code = check_facts(verify, &paper, &facts);
	if (!code && args[1])
		code = check_other(verify, &paper, args[1]);
	if (!code)
		code = report(verify, &paper);
	paper_free(&paper);
	return code;
}
