// SPDX-License-Identifier: Apache-2.0
/*
 * The custodian's side of a backup: keys in PEM files, and the share that is taken out of a backup for a device whose
 * offer leads to a root that the custodian believes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/pem.h>
#include <hsm/cose.h>
#include <hsm/dice.h>
#include "hsmctl-migrate.h"

/* ---- keys ---- */

static void place(struct hsm_hybrid *hybrid, EVP_PKEY *key)
{
	EVP_PKEY **at = EVP_PKEY_is_a(key, "EC") ? &hybrid->ec : &hybrid->kem;

	if (*at)
		EVP_PKEY_free(key);
	else
		*at = key;
}

/* What others can read is no private key any more; that it is noticed late is better than never. */
static bool is_private(FILE *file)
{
	struct stat info;

	return !fstat(fileno(file), &info) && !(info.st_mode & (S_IRWXG | S_IRWXO));
}

int hybrid_read(struct ctl *ctl, const char *path, bool private, struct hsm_hybrid *hybrid)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key;

	memset(hybrid, 0, sizeof(*hybrid));
	if (!file)
		return fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
	if (private && !is_private(file)) {
		fclose(file);
		return fail(ctl, CTL_USAGE,
			    "%s: others than its owner may use it (chmod 600), or may have done so",
			    path);
	}
	while ((key = private ? PEM_read_PrivateKey(file, NULL, NULL, NULL)
			      : PEM_read_PUBKEY(file, NULL, NULL, NULL)))
		place(hybrid, key);
	fclose(file);
	if (hybrid->ec && hybrid->kem)
		return CTL_OK;
	return fail(ctl, CTL_USAGE, "%s: needs a P-384 and an ML-KEM-1024 %s key (PEM)", path,
		    private ? "private" : "public");
}

/* ---- shares ---- */

int shares_put(struct ctl *ctl, struct hsm_writer *writer, char **paths)
{
	struct hsm_backup_share shares[HSM_CUSTODIANS_MAX];
	struct file file = { 0 };
	size_t count = 0;
	int code = CTL_OK;

	for (; *paths && !code; paths++) {
		code = file_read(ctl, *paths, &file);
		if (!code && (file.length != sizeof(shares[0]) || count == HSM_CUSTODIANS_MAX))
			code = fail(ctl, CTL_USAGE,
				    "%s: not a share; hsmctl backup share makes one", *paths);
		if (!code)
			memcpy(&shares[count++], file.bytes, sizeof(shares[0]));
		file_free(&file);
	}
	if (!code)
		hsm_put_bytes(writer, HSM_FIELD_SHARES, shares, count * sizeof(shares[0]));
	return code;
}

/* struct letter - a document that was read */
struct letter {
	struct file file;
	struct hsm_cose *message;
	struct hsm_migration_document document;
	uint8_t hash[HSM_MIGRATION_HASH];
};

static int letter_read(struct ctl *ctl, const char *path, enum hsm_migration_kind kind,
		       struct letter *letter)
{
	const uint8_t *payload;
	size_t length;
	int code = file_read(ctl, path, &letter->file);

	if (code)
		return code;
	package_head(&letter->file);
	if (hsm_cose_read(letter->file.bytes, letter->file.length, hsm_migration_type(kind),
			  &letter->message))
		return fail(ctl, CTL_USAGE, "%s: not of the type %s", path,
			    hsm_migration_type(kind));
	payload = hsm_cose_payload(letter->message, &length);
	if (hsm_migration_read(kind, payload, length, &letter->document) ||
	    !EVP_Digest(payload, length, letter->hash, NULL, EVP_sha384(), NULL))
		return fail(ctl, CTL_USAGE, "%s: damaged", path);
	return CTL_OK;
}

static void letter_free(struct letter *letter)
{
	hsm_migration_free(&letter->document);
	hsm_cose_free(letter->message);
	file_free(&letter->file);
}

/* @take is given each certificate of a list of PEM files, with commas between them */
static int each_certificate(struct ctl *ctl, const char *list, void (*take)(void *data, X509 *cert),
			    void *data)
{
	char path[4096];
	size_t length;
	X509 *cert;
	FILE *file;

	for (; *list; list += length + (list[length] == ',')) {
		length = strcspn(list, ",");
		snprintf(path, sizeof(path), "%.*s", (int)length, list);
		file = fopen(path, "re");
		cert = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
		if (file)
			fclose(file);
		if (!cert)
			return fail(ctl, CTL_USAGE, "%s: not a certificate (PEM)", path);
		take(data, cert);
		X509_free(cert);
	}
	return CTL_OK;
}

static void add_root(void *store, X509 *cert)
{
	X509_STORE_add_cert(store, cert);
}

static void put_certificate(void *writer, X509 *cert)
{
	uint8_t *der = NULL;
	int length = i2d_X509(cert, &der);

	if (length > 0)
		hsm_put_raw(writer, der, (size_t)length);
	OPENSSL_free(der);
}

int certificates_put(struct ctl *ctl, struct hsm_writer *writer)
{
	size_t mark;
	int code;

	if (!ctl->certificates)
		return CTL_OK;
	mark = hsm_put_begin(writer, HSM_FIELD_MORE_CERTIFICATES);
	code = each_certificate(ctl, ctl->certificates, put_certificate, writer);
	hsm_put_end(writer, mark);
	return code;
}

static int check_signature(struct ctl *ctl, const struct letter *offer, size_t index,
			   X509_STORE *roots, struct hsm_dice_facts *facts)
{
	STACK_OF(X509) *chain = hsm_cose_signer_chain(offer->message, index, NULL);
	struct hsm_trust_policy policy = { .roots = roots };
	char reason[HSM_DICE_REASON_MAX] = "a signature is wrong";
	X509 *leaf = chain ? sk_X509_value(chain, 0) : NULL;
	int ret = -EKEYREJECTED;

	if (leaf && !hsm_cose_verify(offer->message, index, NULL, X509_get0_pubkey(leaf), NULL, 0))
		ret = hsm_dice_verify(NULL, &policy, HSM_DICE_LEAF_ALIAS, leaf, chain,
				      offer->document.partition, facts, reason);
	sk_X509_pop_free(chain, X509_free);
	if (!ret && memcmp(facts->board_id, offer->document.board, sizeof(facts->board_id))) {
		snprintf(reason, sizeof(reason), "it names another board than its signers do");
		ret = -EKEYREJECTED;
	}
	return ret ? fail(ctl, CTL_USAGE, "the offer is not to be believed: %s", reason) : CTL_OK;
}

/* Both signatures, which have to be those of one alias of one board */
static int check_signatures(struct ctl *ctl, const struct letter *offer, X509_STORE *roots)
{
	struct hsm_dice_facts facts[HSM_DICE_ALGORITHMS];
	const char *difference = NULL;
	int code = CTL_OK;

	for (size_t i = 0; i < HSM_DICE_ALGORITHMS && !code; i++)
		code = check_signature(ctl, offer, i, roots, &facts[i]);
	if (!code)
		difference = hsm_dice_same_signer(&facts[0], &facts[1]);
	if (difference)
		code = fail(ctl, CTL_USAGE, "the offer is not to be believed: %s", difference);
	if (code)
		return code;
	put_hex(ctl->result, "board", facts->board_id, sizeof(facts->board_id));
	put_string(ctl->result, "serial", facts->serial);
	put_hex(ctl->result, "device", facts[0].device, sizeof(facts[0].device));
	put_hex(ctl->result, "device_ml_dsa", facts[1].device, sizeof(facts[1].device));
	put_number(ctl->result, "security_version", facts->tcb.security_version);
	put_string(ctl->result, "lifecycle", hsm_lifecycle_name(facts->tcb.lifecycle));
	put_hex(ctl->result, "measurement", facts->tcb.measurement, sizeof(facts->tcb.measurement));
	put_bool(ctl->result, "rollback_protection", facts->tcb.rollback_protected);
	return CTL_OK;
}

/*
 * One signature by each kind of alias key: what can open a share can make and verify both kinds, and a
 * signature that could be left out would be worth nothing.
 */
static bool signed_by_both(const struct letter *offer)
{
	unsigned int classical = 0, lattice = 0;
	size_t count = hsm_cose_signatures(offer->message);

	for (size_t i = 0; i < count; i++) {
		int algorithm = hsm_cose_signer_algorithm(offer->message, i);

		classical += algorithm == HSM_COSE_ES384;
		lattice += algorithm == HSM_COSE_ML_DSA_87;
	}
	return count == 2 && classical == 1 && lattice == 1;
}

/* Every signature, and none may be missing. */
static int check_offer(struct ctl *ctl, const struct letter *offer)
{
	X509_STORE *roots = hsm_dice_store();
	int code = CTL_OK;

	if (!ctl->migration_roots)
		code = fail(ctl, CTL_USAGE, "--root names the roots of boards that you believe");
	if (!code && !roots)
		code = fail(ctl, CTL_DEVICE, "out of memory");
	if (!code && !signed_by_both(offer))
		code = fail(ctl, CTL_USAGE,
			    "the offer is not to be believed: it needs a signature by ES384 and "
			    "one by ML-DSA-87");
	code = code ?: each_certificate(ctl, ctl->migration_roots, add_root, roots);
	code = code ?: check_signatures(ctl, offer, roots);
	X509_STORE_free(roots);
	return code;
}

/* Whose keys the custodian would help to bring back, and how old a copy it is */
static void show_backup(struct ctl *ctl, const struct hsm_migration_document *backup)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)backup->name.length,
		 (const char *)backup->name.data);
	put_string(ctl->result, "partition", name);
	put_id(ctl->result, "partition_id", backup->partition);
	put_number(ctl->result, "backup_time", backup->time);
	put_number(ctl->result, "backup_counter", backup->counter);
	put_number(ctl->result, "threshold", backup->threshold);
}

static int reshare(struct ctl *ctl, const struct letter *backup, const struct letter *offer,
		   const struct hsm_hybrid *key)
{
	struct hsm_backup_share share;
	int ret = hsm_backup_reshare(NULL, key, &backup->document, backup->hash, &offer->document,
				     offer->hash, &share);

	if (ret == -ENOENT)
		return fail(ctl, CTL_USAGE, "the backup has no share for this key");
	if (ret)
		return fail(ctl, CTL_USAGE, "the share cannot be opened: %s", strerror(-ret));
	return file_write(ctl, ctl->output, (const uint8_t *)&share, sizeof(share));
}

int verb_backup_share(struct ctl *ctl, char **args)
{
	struct letter backup = { 0 }, offer = { 0 };
	struct hsm_hybrid key = { 0 };
	int code = CTL_OK;

	if (!ctl->key || !ctl->output)
		code = fail(ctl, CTL_USAGE, "--key and --output are needed");
	code = code ?: letter_read(ctl, args[0], HSM_MIGRATION_BACKUP, &backup);
	code = code ?: letter_read(ctl, args[1], HSM_MIGRATION_OFFER, &offer);
	if (!code && memcmp(offer.document.source, backup.hash, sizeof(backup.hash)))
		code = fail(ctl, CTL_USAGE, "the offer is not for this backup");
	code = code ?: check_offer(ctl, &offer);
	if (!code)
		show_backup(ctl, &backup.document);
	code = code ?: confirm_result(ctl, "That device gets your share of the backup.");
	code = code ?: hybrid_read(ctl, ctl->key, true, &key);
	code = code ?: reshare(ctl, &backup, &offer, &key);
	if (!code)
		put_string(ctl->result, "output", ctl->output);
	hsm_hybrid_free(&key);
	letter_free(&backup);
	letter_free(&offer);
	return code;
}
