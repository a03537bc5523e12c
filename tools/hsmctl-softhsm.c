// SPDX-License-Identifier: Apache-2.0
/*
 * hsmctl migrate-softhsm: what a token of SoftHSM 2 holds, into a partition. Each object is first made for the session
 * alone: so the device itself says whether it takes it, and what its public key or check value is, by which it is known
 * again. A key is in this process, in the clear, from its file's reading to the request, one at a time.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <hsm/evidence.h>
#include <hsm/pkcs11.h>
#include <hsm/seal.h>
#include "hsmctl-object.h"
#include "hsmctl-softhsm.h"
#include "tool-terminal.h"

enum {
	DATA = 1 << CKO_DATA,
	CERT = 1 << CKO_CERTIFICATE,
	PUBLIC = 1 << CKO_PUBLIC_KEY,
	PRIVATE = 1 << CKO_PRIVATE_KEY,
	SECRET = 1 << CKO_SECRET_KEY,
	PAIR = PUBLIC | PRIVATE,
	OWN = PRIVATE | SECRET,
	OPEN = PUBLIC | SECRET,
	KEYS = PAIR | SECRET,
	ALL = KEYS | CERT | DATA,
};

/*
 * What is carried over, and of which objects. What says where a key comes from (CKA_LOCAL and its like) is the device's
 * own to say, and CKA_TRUSTED the SO's.
 */
static const struct carried {
	uint64_t type;
	enum soft_kind kind;
	unsigned int classes;
} carried[] = {
	{ CKA_CLASS, SOFT_NUMBER, ALL },
	{ CKA_MODIFIABLE, SOFT_BOOL, ALL },
	{ CKA_COPYABLE, SOFT_BOOL, ALL },
	{ CKA_DESTROYABLE, SOFT_BOOL, ALL },
	{ CKA_LABEL, SOFT_BYTES, ALL },
	{ CKA_APPLICATION, SOFT_BYTES, DATA },
	{ CKA_OBJECT_ID, SOFT_BYTES, DATA },
	{ CKA_CERTIFICATE_TYPE, SOFT_NUMBER, CERT },
	{ CKA_CERTIFICATE_CATEGORY, SOFT_NUMBER, CERT },
	{ CKA_ISSUER, SOFT_BYTES, CERT },
	{ CKA_SERIAL_NUMBER, SOFT_BYTES, CERT },
	{ CKA_URL, SOFT_BYTES, CERT },
	{ CKA_HASH_OF_SUBJECT_PUBLIC_KEY, SOFT_BYTES, CERT },
	{ CKA_HASH_OF_ISSUER_PUBLIC_KEY, SOFT_BYTES, CERT },
	{ CKA_SUBJECT, SOFT_BYTES, CERT | PAIR },
	{ CKA_ID, SOFT_BYTES, CERT | KEYS },
	{ CKA_START_DATE, SOFT_BYTES, CERT | KEYS },
	{ CKA_END_DATE, SOFT_BYTES, CERT | KEYS },
	{ CKA_KEY_TYPE, SOFT_NUMBER, KEYS },
	{ CKA_ALLOWED_MECHANISMS, SOFT_LIST, KEYS },
	{ CKA_SENSITIVE, SOFT_BOOL, OWN },
	{ CKA_EXTRACTABLE, SOFT_BOOL, OWN },
	{ CKA_WRAP_WITH_TRUSTED, SOFT_BOOL, OWN },
	{ CKA_ALWAYS_AUTHENTICATE, SOFT_BOOL, PRIVATE },
	{ CKA_DERIVE, SOFT_BOOL, KEYS },
	{ CKA_ENCRYPT, SOFT_BOOL, OPEN },
	{ CKA_VERIFY, SOFT_BOOL, OPEN },
	{ CKA_WRAP, SOFT_BOOL, OPEN },
	{ CKA_VERIFY_RECOVER, SOFT_BOOL, PUBLIC },
	{ CKA_DECRYPT, SOFT_BOOL, OWN },
	{ CKA_SIGN, SOFT_BOOL, OWN },
	{ CKA_UNWRAP, SOFT_BOOL, OWN },
	{ CKA_SIGN_RECOVER, SOFT_BOOL, PRIVATE },
	{ CKA_MODULUS, SOFT_BYTES, PAIR },
	{ CKA_PUBLIC_EXPONENT, SOFT_BYTES, PAIR },
	{ CKA_PRIVATE_EXPONENT, SOFT_BYTES, PRIVATE },
	{ CKA_PRIME_1, SOFT_BYTES, PRIVATE },
	{ CKA_PRIME_2, SOFT_BYTES, PRIVATE },
	{ CKA_EXPONENT_1, SOFT_BYTES, PRIVATE },
	{ CKA_EXPONENT_2, SOFT_BYTES, PRIVATE },
	{ CKA_COEFFICIENT, SOFT_BYTES, PRIVATE },
	{ CKA_EC_PARAMS, SOFT_BYTES, PAIR },
	{ CKA_EC_POINT, SOFT_BYTES, PUBLIC },
	{ CKA_PRIME, SOFT_BYTES, PAIR },
	{ CKA_SUBPRIME, SOFT_BYTES, PAIR },
	{ CKA_BASE, SOFT_BYTES, PAIR },
	{ CKA_PARAMETER_SET, SOFT_NUMBER, PAIR },
	{ CKA_SEED, SOFT_BYTES, PRIVATE },
	{ CKA_VALUE, SOFT_BYTES, ALL },
	{ CKA_CHECK_VALUE, SOFT_BYTES, SECRET },
};

#define N_CARRIED (sizeof(carried) / sizeof(carried[0]))

/* Restrictions that would be lost with them */
static const uint64_t templates[] = { CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE };

enum fate {
	IMPORT,
	IMPORTED,
	PRESENT,
	REFUSED,
	DAMAGED
};

static const char *const fates[] = {
	[IMPORT] = "would be imported", [IMPORTED] = "imported", [PRESENT] = "there already",
	[REFUSED] = "refused",		[DAMAGED] = "damaged",
};

#define N_FATES (sizeof(fates) / sizeof(fates[0]))

/* struct bytes - a copy of what is public of an object; NULL: nothing */
struct bytes {
	uint8_t *at;
	size_t length;
};

#define FILE_HASH_SIZE 32 /* SHA-256 */

/**
 * struct item - an object on its way; its secrets are not here
 * @hash: of its file as it was looked at
 * @known_by: its public key, or check value, as the device has computed it
 */
struct item {
	const char *file;
	uint8_t hash[FILE_HASH_SIZE];
	bool hashed;
	enum fate fate;
	char note[256];
	uint64_t class;
	uint64_t key_type;
	struct bytes label;
	struct bytes id;
	struct bytes known_by;
};

/* struct clear - what opens the token, in memory for secrets as what it opens is */
struct clear {
	struct secret pin;
	uint8_t key[SOFT_KEY_SIZE];
};

struct migration {
	struct ctl *ctl;
	struct link *link;
	struct soft_token *token;
	struct clear *clear;
	struct item *items;
	size_t tally[N_FATES];
};

static void note(struct item *item, enum fate fate, const char *text)
{
	item->fate = fate;
	snprintf(item->note, sizeof(item->note), "%s", text);
}

static int keep(struct ctl *ctl, struct bytes *bytes, const void *from, size_t length)
{
	free(bytes->at);
	*bytes = (struct bytes){ .at = malloc(length + 1), .length = length };
	if (!bytes->at)
		return fail(ctl, CTL_DEVICE, "out of memory");
	if (length)
		memcpy(bytes->at, from, length);
	return CTL_OK;
}

static bool same(const struct bytes *a, const struct bytes *b)
{
	return a->length == b->length && (!a->length || !memcmp(a->at, b->at, a->length));
}

/* ---- templates ---- */

static void put_list(struct hsm_writer *writer, const struct soft_value *value)
{
	uint8_t list[SOFT_VALUES_MAX * 8] = { 0 };
	size_t length = value->length < sizeof(list) ? value->length : sizeof(list);

	/* Fewer than there are would refuse what was allowed, not allow what was refused. */
	for (size_t i = 0; i < length; i++)
		list[i] = value->bytes[(i & ~(size_t)7) + 7 - (i & 7)];
	hsm_put_attribute(writer, value->type, 0, list, length);
}

static void put_value(struct hsm_writer *writer, const struct soft_value *value)
{
	if (value->kind == SOFT_BOOL)
		object_flag(writer, value->type, value->number);
	else if (value->kind == SOFT_NUMBER)
		object_number(writer, value->type, value->number);
	else if (value->kind == SOFT_LIST && value->length)
		put_list(writer, value);
	else if (value->kind == SOFT_BYTES && value->length)
		hsm_put_attribute(writer, value->type, 0, value->bytes, value->length);
}

static bool is_wrapping(uint64_t type)
{
	return type == CKA_WRAP || type == CKA_UNWRAP;
}

static void put_template(const struct ctl *ctl, struct hsm_writer *writer,
			 const struct soft_object *object, uint64_t class, bool token)
{
	size_t mark = hsm_put_begin(writer, HSM_FIELD_TEMPLATE);
	const struct soft_value *value;

	object_flag(writer, CKA_TOKEN, token);
	/* What soft_open() took for private is not for everybody's eyes, whatever the device takes for granted. */
	object_flag(writer, CKA_PRIVATE, soft_bool(object, CKA_PRIVATE, true));
	for (size_t i = 0; i < N_CARRIED; i++) {
		value = carried[i].classes & 1U << class ? soft_find(object, carried[i].type,
								     carried[i].kind)
							 : NULL;
		if (value && ctl->no_wrap && is_wrapping(value->type))
			object_flag(writer, value->type, false);
		else if (value)
			put_value(writer, value);
	}
	hsm_put_end(writer, mark);
}

/* ---- what the device says ---- */

static void note_refusal(struct item *item, uint64_t rv)
{
	char text[256];

	switch (rv) {
	case CKR_TEMPLATE_INCONSISTENT:
		note(item, REFUSED,
		     "CKR_TEMPLATE_INCONSISTENT: a strict partition has no keys that wrap and decrypt; "
		     "--no-wrap leaves the wrapping out");
		break;
	case CKR_ATTRIBUTE_VALUE_INVALID:
		note(item, REFUSED,
		     "CKR_ATTRIBUTE_VALUE_INVALID: the device has no such keys, or it is damaged");
		break;
	default:
		refusal_text(rv, text, sizeof(text));
		note(item, REFUSED, text);
	}
}

/* *@handle: 0 when the device refuses, which is then the item's fate */
static int create(struct migration *run, struct item *item, const struct soft_object *object,
		  bool token, uint64_t *handle)
{
	struct hsm_request *request = link_request(run->ctl, run->link, HSM_OP_OBJECT_CREATE);
	struct hsm_writer *writer;
	int code = CTL_OK;

	*handle = 0;
	if (!request)
		return CTL_DEVICE;
	writer = hsm_request_writer(request);
	put_template(run->ctl, writer, object, item->class, token);
	if (writer->error)
		note(item, REFUSED, "too large for one command");
	else
		code = link_try(run->ctl, request);
	if (!code && !writer->error && hsm_request_rv(request))
		note_refusal(item, hsm_request_rv(request));
	else if (!code && !writer->error)
		*handle = hsm_fields_u64(hsm_request_fields(request), HSM_FIELD_HANDLE, 0);
	hsm_request_free(request);
	return code;
}

/* 0: nothing but its contents */
static uint64_t known_by(uint64_t class)
{
	if (1U << class & PAIR)
		return CKA_PUBLIC_KEY_INFO;
	return class == CKO_SECRET_KEY ? CKA_CHECK_VALUE : 0;
}

static int keep_attribute(struct migration *run, struct item *item, const struct hsm_fields *fields)
{
	struct hsm_attribute_view view = { .length = HSM_ATTRIBUTE_UNAVAILABLE };
	const uint8_t *list;
	size_t length;

	list = hsm_fields_bytes(fields, HSM_FIELD_ATTRIBUTES, &length);
	if (!list || !hsm_attributes_next(&list, list + length, &view) ||
	    view.length == HSM_ATTRIBUTE_UNAVAILABLE)
		return CTL_OK;
	return keep(run->ctl, &item->known_by, view.value, view.length);
}

static int ask_device(struct migration *run, struct item *item, uint64_t handle)
{
	uint64_t type = known_by(item->class);
	struct hsm_request *request;
	int code;

	if (!type)
		return CTL_OK;
	request = link_request(run->ctl, run->link, HSM_OP_ATTRIBUTES_GET);
	if (!request)
		return CTL_DEVICE;
	hsm_put_u64(hsm_request_writer(request), HSM_FIELD_KEY, handle);
	hsm_put_list(hsm_request_writer(request), HSM_FIELD_TYPES, &type, 1);
	code = link_call(run->ctl, request)
		       ?: keep_attribute(run, item, hsm_request_fields(request));
	hsm_request_free(request);
	return code;
}

static int destroy(struct migration *run, uint64_t handle)
{
	struct hsm_request *request = link_request(run->ctl, run->link, HSM_OP_OBJECT_DESTROY);
	int code;

	if (!request)
		return CTL_DEVICE;
	hsm_put_u64(hsm_request_writer(request), HSM_FIELD_KEY, handle);
	code = link_call(run->ctl, request);
	hsm_request_free(request);
	return code;
}

/* ---- is it there? ---- */

/* What must be alike: class, type, label, id and the key itself; of data and certificates the contents */
static void put_search(struct hsm_writer *writer, const struct item *item,
		       const struct soft_object *object)
{
	const struct soft_value *value = soft_find(object, CKA_VALUE, SOFT_BYTES);

	object_flag(writer, CKA_TOKEN, true);
	object_number(writer, CKA_CLASS, item->class);
	hsm_put_attribute(writer, CKA_LABEL, 0, item->label.at, item->label.length);
	if (1U << item->class & KEYS) {
		object_number(writer, CKA_KEY_TYPE, item->key_type);
		hsm_put_attribute(writer, CKA_ID, 0, item->id.at, item->id.length);
		hsm_put_attribute(writer, known_by(item->class), 0, item->known_by.at,
				  item->known_by.length);
	} else if (value) {
		hsm_put_attribute(writer, CKA_VALUE, 0, value->bytes, value->length);
	}
}

static int look(struct migration *run, struct item *item, const struct soft_object *object)
{
	struct handles found = { 0 };
	struct hsm_writer template;
	uint8_t *room;
	int code;

	/* A key that the device cannot tell from another one is not taken for it. */
	if ((1U << item->class & KEYS) && !item->known_by.length)
		return CTL_OK;
	/* Of an object of data its contents are in it. */
	room = hsm_secret_alloc(HSM_MESSAGE_MAX);
	if (!room)
		return fail(run->ctl, CTL_DEVICE, "out of memory");
	hsm_writer_init(&template, room, HSM_MESSAGE_MAX);
	put_search(&template, item, object);
	code = object_find(run->ctl, run->link, &template, &found);
	if (!code && found.count)
		note(item, PRESENT, "");
	free(found.list);
	hsm_secret_free(room, HSM_MESSAGE_MAX);
	return code;
}

/* ---- one object ---- */

static int keep_value(struct migration *run, struct bytes *bytes, const struct soft_object *object,
		      uint64_t type)
{
	const struct soft_value *value = soft_find(object, type, SOFT_BYTES);

	return keep(run->ctl, bytes, value ? value->bytes : NULL, value ? value->length : 0);
}

static bool has_template(const struct soft_object *object)
{
	const struct soft_value *value;

	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
		value = soft_find(object, templates[i], SOFT_MAP);
		if (value && value->length)
			return true;
	}
	return false;
}

/* What is imported has to be what was looked at: the file is read twice, so that keys are in the clear one at a time. */
static int same_file(struct item *item, const struct soft_object *object)
{
	uint8_t hash[FILE_HASH_SIZE];

	if (EVP_Digest(object->data, object->size, hash, NULL, EVP_sha256(), NULL) != 1)
		return -EIO;
	if (item->hashed && memcmp(hash, item->hash, sizeof(hash)))
		return -ESTALE;
	memcpy(item->hash, hash, sizeof(hash));
	item->hashed = true;
	return 0;
}

/* @object: to be freed in any case; when it cannot be read, that is the item's fate */
static void load(struct migration *run, struct item *item, struct soft_object *object)
{
	int ret = soft_token_load(run->token, item->file, object)
			  ?: same_file(item, object)
			  ?: soft_open(object, run->clear->key);

	if (ret == -EBADMSG)
		note(item, DAMAGED, "the file cannot be read as an object of this token");
	else if (ret == -ESTALE)
		note(item, DAMAGED, "the file was changed meanwhile");
	else if (ret)
		note(item, DAMAGED, ret == -EBUSY ? "a program is writing to it" : strerror(-ret));
	else if (soft_number(object, CKA_CLASS, UINT64_MAX) > CKO_SECRET_KEY)
		note(item, REFUSED, "no key, certificate or data");
	else if (has_template(object))
		note(item, REFUSED,
		     "its wrap, unwrap or derive template would be lost, and what it forbids with it");
}

static int try_object(struct migration *run, struct item *item, const struct soft_object *object)
{
	uint64_t handle = 0;
	int code;

	item->class = soft_number(object, CKA_CLASS, UINT64_MAX);
	item->key_type = soft_number(object, CKA_KEY_TYPE, UINT64_MAX);
	code = keep_value(run, &item->label, object, CKA_LABEL)
		       ?: keep_value(run, &item->id, object, CKA_ID);
	if (!code && item->fate == IMPORT)
		code = create(run, item, object, false, &handle);
	if (code || !handle)
		return code;
	code = ask_device(run, item, handle) ?: destroy(run, handle);
	return code ?: look(run, item, object);
}

/* What would become of it; then it is for the session alone, and gone. */
static int probe(struct migration *run, struct item *item)
{
	struct soft_object object = { 0 };
	int code = CTL_OK;

	load(run, item, &object);
	if (item->fate != DAMAGED)
		code = try_object(run, item, &object);
	soft_free(&object);
	return code;
}

static int import(struct migration *run, struct item *item)
{
	struct soft_object object = { 0 };
	uint64_t handle = 0;
	int code = CTL_OK;

	load(run, item, &object);
	if (item->fate == IMPORT)
		code = create(run, item, &object, true, &handle);
	if (handle)
		note(item, IMPORTED, "");
	soft_free(&object);
	return code;
}

/* ---- pairs ---- */

/*
 * The files are not authenticated: a private key that is not the one of its public key has been damaged. By the id, as
 * everybody finds the two.
 */
static void check_pair(struct migration *run, struct item *item)
{
	const struct item *other;
	bool seen = false;

	if (item->class != CKO_PRIVATE_KEY || item->fate != IMPORT || !item->id.length)
		return;
	for (size_t i = 0; i < run->token->count; i++) {
		other = &run->items[i];
		if (other->class != CKO_PUBLIC_KEY || other->key_type != item->key_type ||
		    !other->known_by.length || !same(&other->id, &item->id))
			continue;
		if (same(&other->known_by, &item->known_by))
			return;
		seen = true;
	}
	if (seen)
		note(item, DAMAGED, "the public key with the same id is another one's");
}

/* ---- all ---- */

static const char *kind_name(uint64_t class)
{
	static const char *const names[] = {
		[CKO_DATA] = "data",
		[CKO_CERTIFICATE] = "certificate",
		[CKO_PUBLIC_KEY] = "public key",
		[CKO_PRIVATE_KEY] = "private key",
		[CKO_SECRET_KEY] = "secret key",
	};

	return class < sizeof(names) / sizeof(names[0]) ? names[class] : "unknown";
}

/* Without CKK_, and "" for what is no key */
static void put_type(struct json_object *row, const struct item *item)
{
	const char *name = NULL;
	char number[32];

	if (item->class <= CKO_SECRET_KEY && (1U << item->class & KEYS))
		name = hsm_attribute_number_name(CKA_KEY_TYPE, item->key_type);
	snprintf(number, sizeof(number), "0x%" PRIx64, item->key_type);
	if (name)
		put_string(row, "type", strncmp(name, "CKK_", 4) ? name : name + 4);
	else
		put_string(row, "type", item->key_type == UINT64_MAX ? "" : number);
}

static void put_rows(struct migration *run)
{
	struct json_object *rows = json_object_new_array(), *row;
	const struct item *item;

	for (size_t i = 0; run->items && i < run->token->count; i++) {
		item = &run->items[i];
		run->tally[item->fate]++;
		row = json_object_new_object();
		put_string(row, "kind", kind_name(item->class));
		put_type(row, item);
		put_chars(row, "label", item->label.at ?: (const uint8_t *)"", item->label.length);
		put_hex(row, "id", item->id.at, item->id.length);
		put_string(row, "state", fates[item->fate]);
		put_string(row, "file", item->file);
		put_string(row, "note", item->note);
		json_object_array_add(rows, row);
	}
	put_string(run->ctl->result, "token", run->token->label);
	put_string(run->ctl->result, "serial", run->token->serial);
	put_string(run->ctl->result, "partition", run->link->partition.name);
	put_number(run->ctl->result, "imported", run->tally[IMPORTED]);
	put_number(run->ctl->result, "to_import", run->tally[IMPORT]);
	put_number(run->ctl->result, "present", run->tally[PRESENT]);
	put_number(run->ctl->result, "not_imported", run->tally[REFUSED] + run->tally[DAMAGED]);
	json_object_object_add(run->ctl->result, "objects", rows);
}

static void show_progress(const struct migration *run, const char *what, size_t i)
{
	if (!run->ctl->json)
		progress_show(what, i, i + 1, run->token->count);
}

static int migrate(struct migration *run)
{
	size_t count = run->token->count;
	int code = CTL_OK;

	run->items = calloc(count + 1, sizeof(*run->items));
	if (!run->items)
		return fail(run->ctl, CTL_DEVICE, "out of memory");
	for (size_t i = 0; i < count; i++) {
		run->items[i].file = run->token->names[i];
		run->items[i].class = UINT64_MAX;
		run->items[i].key_type = UINT64_MAX;
	}
	for (size_t i = 0; !code && i < count; i++) {
		code = probe(run, &run->items[i]);
		show_progress(run, "objects asked", i);
	}
	for (size_t i = 0; !code && i < count; i++)
		check_pair(run, &run->items[i]);
	for (size_t i = 0; !code && !run->ctl->dry_run && i < count; i++) {
		if (run->items[i].fate == IMPORT)
			code = import(run, &run->items[i]);
		show_progress(run, "objects done", i);
	}
	put_rows(run);
	if (!code && run->tally[REFUSED] + run->tally[DAMAGED])
		code = fail(run->ctl, CTL_REFUSED, "%zu of %zu objects %s; the list tells why",
			    run->tally[REFUSED] + run->tally[DAMAGED], count,
			    run->ctl->dry_run ? "would not be imported" : "were not imported");
	return code;
}

static void free_items(struct migration *run)
{
	for (size_t i = 0; run->items && i < run->token->count; i++) {
		free(run->items[i].label.at);
		free(run->items[i].id.at);
		free(run->items[i].known_by.at);
	}
	free(run->items);
}

static int unlock(struct ctl *ctl, const struct soft_token *token, struct clear *clear)
{
	int code = secret_read(ctl, &ctl->token_pin, &clear->pin);
	int ret = code ? 0 : soft_unlock(&token->object, &clear->pin, clear->key);

	secret_clear(&clear->pin);
	switch (ret) {
	case 0:
		return code;
	case -EACCES:
		return fail(ctl, CTL_REFUSED, "wrong PIN of the SoftHSM token '%s'", token->label);
	case -ENOENT:
		return fail(ctl, CTL_USAGE,
			    "the SoftHSM token '%s' has no user PIN, and so no private objects",
			    token->label);
	case -EBADMSG:
		return fail(ctl, CTL_USAGE, "the SoftHSM token '%s' is damaged", token->label);
	case -ENOMEM:
		return fail(ctl, CTL_DEVICE, "out of memory");
	default:
		return fail(ctl, CTL_DEVICE, "libcrypto fails");
	}
}

int verb_migrate_softhsm(struct ctl *ctl, char **args)
{
	struct soft_token token = { 0 };
	struct link link = { 0 };
	struct migration run = { .ctl = ctl, .link = &link, .token = &token };
	int code = soft_token_open(ctl, args[0], &token);

	if (!code) {
		run.clear = hsm_secret_alloc(sizeof(*run.clear));
		code = run.clear ? unlock(ctl, &token, run.clear)
				 : fail(ctl, CTL_DEVICE, "out of memory");
	}
	code = code ?: link_user(ctl, &link, CKU_USER) ?: migrate(&run);
	hsm_secret_free(run.clear, sizeof(*run.clear));
	free_items(&run);
	link_close(&link);
	soft_token_close(&token);
	return code;
}
