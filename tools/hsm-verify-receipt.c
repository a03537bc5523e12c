// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-verify receipt: which keys a device says that it wrapped, under which key, and whether the files in a directory are
 * the ones.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/receipt.h>
#include "hsm-verify.h"

#define FILES_MAX 65536

/* struct hashed - a file of the directory */
struct hashed {
	char name[256];
	uint8_t hash[HSM_RECEIPT_HASH];
};

struct directory {
	struct hashed *file;
	size_t count;
};

/* ---- the files ---- */

static int hash_file(struct verify *verify, const char *dir, const char *name,
		     struct directory *directory)
{
	struct hashed *grown, *file;
	uint8_t *bytes = NULL;
	char path[4096];
	size_t length;
	int code;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path) ||
	    directory->count == FILES_MAX)
		return fail(verify, VERIFY_SYSTEM, "%s: too much in it", dir);
	grown = realloc(directory->file, (directory->count + 1) * sizeof(*grown));
	if (!grown)
		return fail(verify, VERIFY_SYSTEM, "out of memory");
	directory->file = grown;
	file = &grown[directory->count];
	code = read_file(verify, path, &bytes, &length);
	if (!code && EVP_Digest(bytes, length, file->hash, NULL, EVP_sha384(), NULL) != 1)
		code = fail(verify, VERIFY_SYSTEM, "libcrypto: no SHA-384");
	free(bytes);
	if (code)
		return code;
	snprintf(file->name, sizeof(file->name), "%s", name);
	directory->count++;
	return VERIFY_OK;
}

static int read_directory(struct verify *verify, const char *path, struct directory *directory)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int code = VERIFY_OK;

	if (!dir)
		return fail(verify, VERIFY_SYSTEM, "%s: no such directory", path);
	while (!code && (entry = readdir(dir)))
		if (entry->d_type == DT_REG)
			code = hash_file(verify, path, entry->d_name, directory);
	closedir(dir);
	return code;
}

static const char *find_file(const struct directory *directory, const uint8_t *hash)
{
	for (size_t i = 0; i < directory->count; i++)
		if (!memcmp(directory->file[i].hash, hash, HSM_RECEIPT_HASH))
			return directory->file[i].name;
	return NULL;
}

/* ---- what it says ---- */

static int check_nonce(struct verify *verify, const struct hsm_receipt *receipt)
{
	uint8_t nonce[HSM_RECEIPT_NONCE];
	size_t length;
	int code;

	put_string(verify->result, "nonce",
		   verify->nonce ? "as asked for" : "not compared with anything");
	if (!verify->nonce)
		return VERIFY_OK;
	code = read_hex(verify, "nonce", verify->nonce, nonce, sizeof(nonce), &length);
	if (code)
		return code;
	if (length == receipt->nonce_length && !memcmp(nonce, receipt->nonce, length))
		return VERIFY_OK;
	return fail(verify, VERIFY_FORGED, "the nonce is another one");
}

/* @file: NULL: no directory was looked at */
static struct json_object *entry_row(const struct hsm_receipt_entry *entry, const char *file)
{
	struct json_object *row = json_object_new_object();

	if (file)
		put_string(row, "file", file);
	put_chars(row, "label", entry->label.bytes, entry->label.length);
	put_hex(row, "id", entry->id.bytes, entry->id.length);
	put_chars(row, "unique_id", entry->unique.bytes, entry->unique.length);
	put_number(row, "class", entry->object_class);
	put_number(row, "key_type", entry->key_type);
	put_number(row, "mechanism", entry->mechanism);
	put_hex(row, "public_key", entry->public_key, sizeof(entry->public_key));
	put_hex(row, "wrapping_key", entry->wrapping_key, sizeof(entry->wrapping_key));
	put_hex(row, "wrapped", entry->wrapped, sizeof(entry->wrapped));
	return row;
}

static int check_entries(struct verify *verify, const struct hsm_receipt *receipt, const char *path)
{
	struct json_object *rows = json_object_new_array();
	struct directory directory = { 0 };
	const char *file = NULL;
	int code = path ? read_directory(verify, path, &directory) : VERIFY_OK;

	for (size_t i = 0; !code && i < receipt->count; i++) {
		if (path)
			file = find_file(&directory, receipt->entry[i].wrapped);
		if (path && !file)
			code = fail(verify, VERIFY_FORGED,
				    "%s: no file in it is key %zu of the receipt", path, i + 1);
		else
			json_object_array_add(rows, entry_row(&receipt->entry[i], file));
	}
	json_object_object_add(verify->result, "keys", rows);
	free(directory.file);
	return code;
}

static int verify_payload(struct verify *verify, const struct hsm_cose *message,
			  struct hsm_receipt *receipt, const char *path)
{
	struct hsm_dice_facts facts;
	const uint8_t *payload;
	size_t length;
	int code;

	payload = hsm_cose_payload(message, &length);
	if (hsm_receipt_decode(payload, length, receipt) < 0)
		return fail(verify, VERIFY_FORGED, "not a receipt");
	code = message_verify(verify, message, receipt->partition, &facts);
	if (!code)
		code = message_board(verify, &facts, receipt->board);
	if (!code)
		code = check_nonce(verify, receipt);
	if (code)
		return code;
	put_hex(verify->result, "board_id", receipt->board, sizeof(receipt->board));
	put_id(verify->result, "partition", receipt->partition);
	put_number(verify->result, "time", receipt->time / 1000);
	code = check_entries(verify, receipt, path);
	if (!code)
		put_string(verify->result, "verdict", "genuine");
	return code;
}

int verify_receipt(struct verify *verify, char **args)
{
	struct hsm_receipt *receipt = malloc(sizeof(*receipt));
	struct hsm_cose *message = NULL;
	uint8_t *bytes = NULL;
	size_t length;
	int code = receipt ? read_file(verify, args[0], &bytes, &length)
			   : fail(verify, VERIFY_SYSTEM, "out of memory");

	if (!code)
		code = message_read(verify, bytes, length, HSM_RECEIPT_TYPE, &message);
	if (!code)
		code = verify_payload(verify, message, receipt, args[1]);
	hsm_cose_free(message);
	free(receipt);
	free(bytes);
	return code;
}
