// SPDX-License-Identifier: Apache-2.0
/*
 * Keys that come into being in the device, or enter and leave it wrapped. The rules against attacks by way of
 * wrapping and deriving are here and in attribute_rules.c; Documentation/policy.rst names them.
 */
#include <string.h>
#include "audit.h"
#include "key_making.h"
#include "receipt.h"

static struct rule_context rules_for(const struct command *command)
{
	return (struct rule_context){
		.so = session_so(command->session),
		.strict = policy_strict(command->partition),
	};
}

static CK_RV take_template(const struct command *command, enum hsm_field_tag tag,
			   struct attributes *template)
{
	const uint8_t *data;
	size_t length;

	data = hsm_fields_bytes(&command->fields, tag, &length);
	return data ? attributes_parse(template, data, length) : CKR_OK;
}

CK_RV key_settle(const struct command *command, enum template_use use, uint64_t class,
		 uint64_t key_type, const struct attributes *template, struct attributes *object)
{
	struct rule_context rules = rules_for(command);
	CK_RV rv = template_settle(&rules, use, class, key_type, template, object);

	return rv == CKR_OK ? object_allowed(command, object) : rv;
}

/* ---- generate ---- */

/* Type of the key to be: the mechanism's, or the template's where the mechanism has none */
static uint64_t generated_type(const struct mechanism *mechanism, const struct attributes *template)
{
	if (mechanism->info->key_type != HSM_NO_KEY)
		return mechanism->info->key_type;
	return attributes_ulong(template, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
}

static uint64_t generated_class(const struct mechanism *mechanism)
{
	if (mechanism->info->family == MECH_FAMILY_DH_PARAMETERS)
		return CKO_DOMAIN_PARAMETERS;
	return mechanism->info->key_type == CKK_HOTP ? CKO_OTP_KEY : CKO_SECRET_KEY;
}

/* A password's iterations take time as they are many: some million in a second. */
static CK_RV set_password_class(const struct command *command, const struct mechanism *mechanism)
{
	uint64_t iterations = hsm_fields_u64(mechanism->fields, HSM_FIELD_ITERATIONS, 0);
	enum ihsm_time_class class = IHSM_TIME_LONG;

	if (mechanism->info->family != MECH_FAMILY_PBKDF2 || iterations < 10000)
		return CKR_OK;
	if (iterations > 1000000)
		class = IHSM_TIME_VERY_LONG;
	return task_set_class(command->task, class) < 0 ? CKR_FUNCTION_CANCELED : CKR_OK;
}

static CK_RV generate_one(struct command *command, const struct mechanism *mechanism,
			  struct attributes *object)
{
	struct attributes template = { 0 };
	CK_RV rv = take_template(command, HSM_FIELD_TEMPLATE, &template);

	if (rv == CKR_OK)
		rv = key_settle(command, TEMPLATE_GENERATE, generated_class(mechanism),
				generated_type(mechanism, &template), &template, object);
	if (rv == CKR_OK)
		rv = set_password_class(command, mechanism);
	if (rv == CKR_OK)
		rv = mech_generate_key(mechanism, object);
	if (rv == CKR_OK)
		rv = template_check_value(&template, object);
	if (rv == CKR_OK)
		rv = template_finish(TEMPLATE_GENERATE, mechanism->info->mechanism, NULL, object);
	attributes_free(&template);
	return rv;
}

CK_RV command_generate_key(struct command *command)
{
	struct attributes object = { 0 };
	struct mechanism mechanism;
	uint64_t handle;
	CK_RV rv;

	rv = mechanism_take(command, CKF_GENERATE, &mechanism);
	if (rv == CKR_OK)
		rv = generate_one(command, &mechanism, &object);
	if (rv == CKR_OK)
		rv = objects_add(command, &object, 1, &handle);
	if (rv == CKR_OK)
		hsm_put_u64(&command->out, HSM_FIELD_HANDLE, handle);
	attributes_free(&object);
	mechanism_drop(&mechanism);
	return rv;
}

static CK_RV settle_pair(struct command *command, const struct mechanism *mechanism,
			 struct attributes *public_key, struct attributes *private_key)
{
	struct attributes public_template = { 0 }, private_template = { 0 };
	struct rule_context rules = rules_for(command);
	uint64_t type;
	CK_RV rv;

	rv = take_template(command, HSM_FIELD_TEMPLATE, &public_template);
	if (rv == CKR_OK)
		rv = take_template(command, HSM_FIELD_PRIVATE_TEMPLATE, &private_template);
	type = generated_type(mechanism, &public_template);
	if (rv == CKR_OK)
		rv = key_settle(command, TEMPLATE_GENERATE, CKO_PUBLIC_KEY, type, &public_template,
				public_key);
	if (rv == CKR_OK)
		rv = key_settle(command, TEMPLATE_GENERATE, CKO_PRIVATE_KEY, type,
				&private_template, private_key);
	if (rv == CKR_OK)
		rv = template_pair(&rules, public_key, private_key);
	attributes_free(&public_template);
	attributes_free(&private_template);
	return rv;
}

/* Time that the generation may take */
static CK_RV set_class(struct command *command, const struct mechanism *mechanism,
		       const struct attributes *public_key)
{
	enum ihsm_time_class class = IHSM_TIME_LONG;

	switch (mechanism->info->family) {
	case MECH_FAMILY_RSA_GENERATE:
		if (attributes_ulong(public_key, CKA_MODULUS_BITS, 0) > 2048)
			class = IHSM_TIME_VERY_LONG;
		break;
	case MECH_FAMILY_SET_GENERATE:
		/* Of SLH-DSA; the check of the pair makes a signature. */
		if (mechanism->info->key_type != CKK_SLH_DSA)
			return CKR_OK;
		break;
	default:
		return CKR_OK;
	}
	return task_set_class(command->task, class) < 0 ? CKR_FUNCTION_CANCELED : CKR_OK;
}

CK_RV command_generate_pair(struct command *command)
{
	struct attributes pair[2] = { { 0 }, { 0 } };
	struct mechanism mechanism;
	uint64_t handles[2];
	CK_RV rv;
	int i;

	rv = mechanism_take(command, CKF_GENERATE_KEY_PAIR, &mechanism);
	if (rv == CKR_OK)
		rv = settle_pair(command, &mechanism, &pair[0], &pair[1]);
	if (rv == CKR_OK)
		rv = set_class(command, &mechanism, &pair[0]);
	if (rv == CKR_OK)
		rv = mech_generate_pair(&mechanism, &pair[0], &pair[1]);
	for (i = 0; i < 2 && rv == CKR_OK; i++)
		rv = template_finish(TEMPLATE_GENERATE, mechanism.info->mechanism, NULL, &pair[i]);
	if (rv == CKR_OK)
		rv = objects_add(command, pair, 2, handles);
	if (rv == CKR_OK) {
		hsm_put_u64(&command->out, HSM_FIELD_HANDLE, handles[0]);
		hsm_put_u64(&command->out, HSM_FIELD_OTHER_HANDLE, handles[1]);
	}
	attributes_free(&pair[0]);
	attributes_free(&pair[1]);
	mechanism_drop(&mechanism);
	return rv;
}

/* ---- wrap ---- */

static bool is_class(const struct object *object, uint64_t class)
{
	return attributes_ulong(&object->attributes, CKA_CLASS, ~0ULL) == class;
}

/* Has nobody read the key? One that was imported is known to whoever did, unless it has become sensitive since. */
bool key_hidden(const struct attributes *key)
{
	return attributes_bool(key, CKA_SENSITIVE, true) ||
	       attributes_bool(key, CKA_NEVER_EXTRACTABLE, false);
}

/*
 * May the key wrap with a mechanism whose nonce makes a key stream? When the caller chooses the nonce, two keys under
 * one nonce differ by what their envelopes differ, so that a known one gives the other away. When the token does,
 * the nonce is known afterwards, and a key that also encrypts, signs or derives gives the key stream for it. That it
 * will do none of these later follows from its being trusted: attribute_rules.c.
 */
static bool wraps_alone(const struct command *command, const struct object *wrapping)
{
	static const uint64_t others[] = { CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN,
					   CKA_VERIFY,	CKA_DERIVE,  CKA_COPYABLE };
	size_t i;

	if (hsm_fields_u64(&command->fields, HSM_FIELD_GENERATOR, CKG_NO_GENERATE) ==
	    CKG_NO_GENERATE)
		return false;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (attributes_bool(&wrapping->attributes, others[i], true))
			return false;
	return true;
}

/*
 * What the strict profile adds: keys leave under those alone that the SO vouches for. Where a key was made says nothing
 * about who can unwrap with it, and any other may be known to the caller, however sensitive it has become.
 */
static CK_RV strict_wrap(const struct command *command, const struct mechanism *mechanism,
			 const struct object *wrapping, const struct object *key)
{
	uint64_t kek = attributes_ulong(&wrapping->attributes, CKA_VALUE_LEN, 0);
	uint64_t length = attributes_ulong(&key->attributes, CKA_VALUE_LEN, 0);

	if (mechanism->info->family == MECH_FAMILY_CIPHER ||
	    (mechanism->info->family == MECH_FAMILY_AEAD && !wraps_alone(command, wrapping)))
		return CKR_MECHANISM_INVALID;
	if (!attributes_bool(&wrapping->attributes, CKA_TRUSTED, false))
		return CKR_KEY_NOT_WRAPPABLE;
	/* A pair wraps by an AES key of a length that the caller says, or by itself. */
	if (is_class(wrapping, CKO_PUBLIC_KEY))
		kek = hsm_fields_u64(mechanism->fields, HSM_FIELD_AES_BITS, 256) / 8;
	else if (key_hidden(&key->attributes) && !key_hidden(&wrapping->attributes))
		return CKR_KEY_NOT_WRAPPABLE;
	if (is_class(key, CKO_SECRET_KEY) && kek < 32 && kek < length)
		return CKR_WRAPPING_KEY_SIZE_RANGE;
	return CKR_OK;
}

static CK_RV may_wrap(const struct command *command, const struct mechanism *mechanism,
		      const struct object *wrapping, const struct object *key)
{
	if (!is_class(key, CKO_SECRET_KEY) && !is_class(key, CKO_PRIVATE_KEY))
		return CKR_KEY_NOT_WRAPPABLE;
	if (!attributes_bool(&key->attributes, CKA_EXTRACTABLE, false))
		return CKR_KEY_UNEXTRACTABLE;
	if (attributes_bool(&key->attributes, CKA_WRAP_WITH_TRUSTED, false) &&
	    !attributes_bool(&wrapping->attributes, CKA_TRUSTED, false))
		return CKR_KEY_NOT_WRAPPABLE;
	if (!template_satisfied(&wrapping->attributes, CKA_WRAP_TEMPLATE, &key->attributes))
		return CKR_KEY_HANDLE_INVALID;
	if (!rules_for(command).strict)
		return CKR_OK;
	return strict_wrap(command, mechanism, wrapping, key);
}

/*
 * The nonce that the token makes, in place of the caller's in *fields, once it is sure that the wrapped key fits: a
 * caller who only asks for the length uses none up. @iv holds it.
 */
static CK_RV wrap_nonce(struct command *command, const struct mechanism *mechanism,
			const struct object *wrapping, struct key *kek, struct key *key,
			uint8_t iv[MECH_IV_MAX], struct hsm_fields *fields)
{
	struct mech_iv request = {
		.generator = hsm_fields_u64(&command->fields, HSM_FIELD_GENERATOR, CKG_NO_GENERATE),
		.fixed_bits = hsm_fields_u64(&command->fields, HSM_FIELD_FIXED_BITS, 0),
		.lasting = wrapping->token,
	};
	const uint8_t *given = hsm_fields_bytes(&command->fields, HSM_FIELD_IV, &request.length);
	size_t size = 0;
	unsigned int i;
	CK_RV rv;

	if (request.generator == CKG_NO_GENERATE)
		return CKR_OK;
	if (!given || mechanism->info->family != MECH_FAMILY_AEAD)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = mech_wrap(mechanism, kek, key, iv, &size);
	if (rv != CKR_BUFFER_TOO_SMALL)
		return rv == CKR_OK ? CKR_FUNCTION_FAILED : rv;
	if (size > hsm_fields_u64(&command->fields, HSM_FIELD_OUT_MAX, 0)) {
		hsm_put_u64(&command->out, HSM_FIELD_NEEDED, size);
		return CKR_BUFFER_TOO_SMALL;
	}
	memcpy(iv, given, request.length);
	rv = mech_iv_fill(&request, kek, iv);
	for (i = 0; i < fields->count && rv == CKR_OK; i++)
		if (fields->field[i].tag == HSM_FIELD_IV)
			fields->field[i].data = iv;
	if (rv == CKR_OK)
		hsm_put_bytes(&command->out, HSM_FIELD_IV, iv, request.length);
	return rv;
}

/* Run @wrap with the two objects' keys and put its output, @length bytes at @at, into the response */
static CK_RV put_wrapped(struct command *command, const struct mechanism *mechanism,
			 struct object *wrapping, struct object *object, size_t *at, size_t *length)
{
	const size_t overhead = 3 * sizeof(struct hsm_field_header) + 8 + MECH_IV_MAX;
	uint64_t wanted = hsm_fields_u64(&command->fields, HSM_FIELD_OUT_MAX, 0);
	struct key *kek = object_key(wrapping), *key = object_key(object);
	size_t room = command->out.capacity - overhead, start = command->out.length, mark;
	struct mechanism with_nonce = *mechanism;
	struct hsm_fields fields = command->fields;
	uint8_t iv[MECH_IV_MAX];
	CK_RV rv = CKR_HOST_MEMORY;

	if (wanted < room)
		room = wanted;
	with_nonce.fields = &fields;
	if (kek && key)
		rv = wrap_nonce(command, mechanism, wrapping, kek, key, iv, &fields);
	if (rv == CKR_BUFFER_TOO_SMALL)
		goto out;
	mark = hsm_put_begin(&command->out, HSM_FIELD_DATA);
	if (rv == CKR_OK)
		rv = mech_wrap(&with_nonce, kek, key, command->out.data + command->out.length,
			       &room);
	if (rv == CKR_OK) {
		*at = command->out.length;
		*length = room;
		command->out.length += room;
		hsm_put_end(&command->out, mark);
	} else {
		command->out.length = start;
	}
	if (rv == CKR_BUFFER_TOO_SMALL)
		hsm_put_u64(&command->out, HSM_FIELD_NEEDED, room);
out:
	if (kek)
		key_put(kek);
	if (key)
		key_put(key);
	return rv;
}

/* The key that wraps has codes of its own, as the one that unwraps has. */
static CK_RV wrapping_code(CK_RV rv)
{
	switch (rv) {
	case CKR_KEY_HANDLE_INVALID:
		return CKR_WRAPPING_KEY_HANDLE_INVALID;
	case CKR_KEY_TYPE_INCONSISTENT:
		return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
	case CKR_KEY_SIZE_RANGE:
		return CKR_WRAPPING_KEY_SIZE_RANGE;
	default:
		return rv;
	}
}

/* On disk before the wrapped key is out of the device */
static CK_RV record_export(struct command *command, const struct mechanism *mechanism,
			   const struct object *wrapping, const struct object *key)
{
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_KEY_EXPORTED, actor);

	audit_object(&record, &key->attributes, key->handle);
	record.other = wrapping->token ? wrapping->handle : 0;
	record.mechanism = mechanism->info->mechanism + 1;
	return audit_commit(command->task, command->partition, &record);
}

CK_RV command_wrap(struct command *command)
{
	struct object *wrapping = NULL, *key = NULL;
	struct mechanism mechanism;
	size_t at = 0, length = 0;
	CK_RV rv;

	rv = mechanism_take(command, CKF_WRAP, &mechanism);
	if (rv == CKR_OK)
		rv = wrapping_code(key_use_find(command, HSM_FIELD_OTHER_KEY, CKA_WRAP, &mechanism,
						&wrapping));
	if (rv == CKR_OK)
		rv = key_use_find(command, HSM_FIELD_KEY, 0, NULL, &key);
	if (rv == CKR_OK)
		rv = may_wrap(command, &mechanism, wrapping, key);
	if (rv == CKR_OK)
		rv = receipt_room(command->session);
	if (rv == CKR_OK)
		rv = put_wrapped(command, &mechanism, wrapping, key, &at, &length);
	/* The receipt lists what leaves: not what could not be recorded, and nothing leaves that it does not list. */
	if (rv == CKR_OK)
		rv = record_export(command, &mechanism, wrapping, key);
	if (rv == CKR_OK)
		rv = receipt_add(command, wrapping, key, command->out.data + at, length);
	if (rv != CKR_OK && length)
		command->out.length = 0;
	object_put(wrapping);
	object_put(key);
	mechanism_drop(&mechanism);
	return rv;
}

/* ---- keys that come from other keys ---- */

void making_free(struct making *making)
{
	mechanism_drop(&making->mechanism);
	object_put(making->base);
	if (making->key)
		key_put(making->key);
	attributes_free(&making->template);
	attributes_free(&making->object);
}

CK_RV making_begin(struct command *command, struct making *making, enum hsm_field_tag tag,
		   uint64_t can, uint64_t attribute, uint64_t nested)
{
	CK_RV rv = mechanism_take(command, can, &making->mechanism);

	if (rv == CKR_OK)
		rv = key_use_find(command, tag, attribute, &making->mechanism, &making->base);
	if (rv == CKR_OK)
		rv = take_template(command, HSM_FIELD_TEMPLATE, &making->template);
	if (rv == CKR_OK)
		rv = template_merge(&making->base->attributes, nested, &making->template);
	if (rv == CKR_OK && !(making->key = object_key(making->base)))
		rv = CKR_HOST_MEMORY;
	return rv;
}

static CK_RV making_settle(struct command *command, struct making *making, uint64_t class,
			   uint64_t key_type)
{
	return key_settle(command, making->use, class, key_type, &making->template,
			  &making->object);
}

static CK_RV making_end(struct command *command, struct making *making,
			const struct attributes *history)
{
	uint64_t handle;
	CK_RV rv = template_check_value(&making->template, &making->object);

	if (rv == CKR_OK)
		rv = template_finish(making->use, CK_UNAVAILABLE_INFORMATION, history,
				     &making->object);
	if (rv == CKR_OK)
		rv = objects_add(command, &making->object, 1, &handle);
	if (rv == CKR_OK)
		hsm_put_u64(&command->out, HSM_FIELD_HANDLE, handle);
	return rv;
}

/*
 * Reading what comes out must not tell what went in sealed: a key that a hidden key unwraps is itself
 * sensitive. (Derived ones: derive_commands.c.)
 */
static CK_RV no_leak(const struct making *making)
{
	if (!key_hidden(&making->base->attributes))
		return CKR_OK;
	return attributes_bool(&making->object, CKA_SENSITIVE, true) ? CKR_OK
								     : CKR_TEMPLATE_INCONSISTENT;
}

/* The functions that take a key in have codes of their own for the key that does it. */
static CK_RV unwrapping_code(CK_RV rv)
{
	switch (rv) {
	case CKR_KEY_HANDLE_INVALID:
		return CKR_UNWRAPPING_KEY_HANDLE_INVALID;
	case CKR_KEY_TYPE_INCONSISTENT:
		return CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
	case CKR_KEY_SIZE_RANGE:
		return CKR_UNWRAPPING_KEY_SIZE_RANGE;
	default:
		return rv;
	}
}

static CK_RV unwrap(struct command *command, struct making *making)
{
	const uint8_t *data;
	uint64_t class, type;
	size_t length;
	CK_RV rv;

	rv = unwrapping_code(making_begin(command, making, HSM_FIELD_OTHER_KEY, CKF_UNWRAP,
					  CKA_UNWRAP, CKA_UNWRAP_TEMPLATE));
	if (rv != CKR_OK)
		return rv;
	data = hsm_fields_bytes(&command->fields, HSM_FIELD_DATA, &length);
	class = attributes_ulong(&making->template, CKA_CLASS, ~0ULL);
	type = attributes_ulong(&making->template, CKA_KEY_TYPE, ~0ULL);
	if (class == ~0ULL || type == ~0ULL)
		return CKR_TEMPLATE_INCOMPLETE;
	if (class != CKO_SECRET_KEY && class != CKO_PRIVATE_KEY)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = making_settle(command, making, class, type);
	if (rv == CKR_OK)
		rv = no_leak(making);
	if (rv == CKR_OK)
		rv = mech_unwrap(&making->mechanism, making->key, data, length, &making->object);
	/* What it was before it was wrapped nobody knows here: also one that was put together (mech_pieces.c). */
	if (rv == CKR_OK && class == CKO_SECRET_KEY)
		rv = attributes_set_bool(&making->object, CKA_HSM_COMPOSED, true);
	return rv == CKR_OK ? making_end(command, making, NULL) : rv;
}

CK_RV command_unwrap(struct command *command)
{
	struct making making = { .use = TEMPLATE_UNWRAP };
	CK_RV rv = unwrap(command, &making);

	making_free(&making);
	return rv;
}

static uint64_t secret_type(const struct making *making)
{
	return attributes_ulong(&making->template, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
}

static CK_RV put_ciphertext(struct command *command, struct making *making)
{
	const size_t overhead = 3 * sizeof(struct hsm_field_header) + 16;
	uint64_t wanted = hsm_fields_u64(&command->fields, HSM_FIELD_OUT_MAX, 0);
	size_t room = command->out.capacity - overhead, start = command->out.length, mark;
	CK_RV rv;

	if (wanted < room)
		room = wanted;
	mark = hsm_put_begin(&command->out, HSM_FIELD_CIPHERTEXT);
	rv = mech_encapsulate(&making->mechanism, making->key,
			      command->out.data + command->out.length, &room, &making->object);
	if (rv == CKR_OK) {
		command->out.length += room;
		hsm_put_end(&command->out, mark);
		rv = making_end(command, making, NULL);
		if (rv == CKR_OK)
			return CKR_OK;
	}
	command->out.length = start;
	if (rv == CKR_BUFFER_TOO_SMALL)
		hsm_put_u64(&command->out, HSM_FIELD_NEEDED, room);
	return rv;
}

/* The key that an encapsulation agrees on: its value is as much the other side's as this one's. */
static CK_RV settle_shared(struct command *command, struct making *making)
{
	CK_RV rv = making_settle(command, making, CKO_SECRET_KEY, secret_type(making));

	if (rv == CKR_OK)
		rv = attributes_set_ulong(&making->object, CKA_HSM_ORIGIN,
					  CK_HSM_ORIGIN_ENCAPSULATED);
	return rv;
}

CK_RV command_encapsulate(struct command *command)
{
	struct making making = { .use = TEMPLATE_UNWRAP };
	CK_RV rv;

	rv = making_begin(command, &making, HSM_FIELD_KEY, CKF_ENCAPSULATE, CKA_ENCAPSULATE,
			  CKA_ENCAPSULATE_TEMPLATE);
	if (rv == CKR_OK)
		rv = settle_shared(command, &making);
	if (rv == CKR_OK)
		rv = put_ciphertext(command, &making);
	making_free(&making);
	return rv;
}

CK_RV command_decapsulate(struct command *command)
{
	struct making making = { .use = TEMPLATE_UNWRAP };
	const uint8_t *data;
	size_t length;
	CK_RV rv;

	rv = unwrapping_code(making_begin(command, &making, HSM_FIELD_KEY, CKF_DECAPSULATE,
					  CKA_DECAPSULATE, CKA_DECAPSULATE_TEMPLATE));
	data = hsm_fields_bytes(&command->fields, HSM_FIELD_CIPHERTEXT, &length);
	if (rv == CKR_OK)
		rv = settle_shared(command, &making);
	if (rv == CKR_OK)
		rv = mech_decapsulate(&making.mechanism, making.key, data, length, &making.object);
	if (rv == CKR_OK)
		rv = making_end(command, &making, NULL);
	making_free(&making);
	return rv;
}
