// SPDX-License-Identifier: Apache-2.0
/*
 * Commands about objects: create, copy, destroy, read and change attributes, search. PKCS#11 3.2, 5.7.
 */
#include <stdlib.h>
#include <string.h>
#include "audit.h"
#include "builtin_objects.h"
#include "certificate.h"
#include "commands.h"
#include "evidence.h"
#include "use_counter.h"
#include "validation.h"

static struct rule_context rules_for(const struct command *command)
{
	return (struct rule_context){
		.so = session_so(command->session),
		.strict = policy_strict(command->partition),
	};
}

static CK_RV parse_template(const struct command *command, struct attributes *template)
{
	const uint8_t *data;
	size_t length;

	data = hsm_fields_bytes(&command->fields, HSM_FIELD_TEMPLATE, &length);
	return data ? attributes_parse(template, data, length) : CKR_OK;
}

static struct object *object_of(struct command *command)
{
	return object_find(command, hsm_fields_u64(&command->fields, HSM_FIELD_KEY, 0));
}

/* ---- create, copy, destroy ---- */

/* What the class says of the values, and what follows from them */
static CK_RV import(uint64_t class, struct attributes *object)
{
	switch (class) {
	case CKO_DATA:
		return CKR_OK;
	case CKO_CERTIFICATE:
		return certificate_settle(object);
	case CKO_TRUST:
		return trust_settle(object);
	default:
		return mech_import(object);
	}
}

CK_RV object_settle(const struct command *command, const struct attributes *template,
		    struct attributes *object)
{
	struct rule_context rules = rules_for(command);
	uint64_t class = attributes_ulong(template, CKA_CLASS, ~0ULL);
	uint64_t type_attribute = class_type_attribute(class);
	uint64_t type = attributes_ulong(template, type_attribute, ~0ULL);
	CK_RV rv;

	if (class == ~0ULL || (type_attribute && !class_is_builtin(class) && type == ~0ULL))
		return CKR_TEMPLATE_INCOMPLETE;
	rv = template_settle(&rules, TEMPLATE_CREATE, class, type, template, object);
	if (rv == CKR_OK)
		rv = object_allowed(command, object);
	if (rv == CKR_OK)
		rv = import(class, object);
	if (rv == CKR_OK)
		rv = template_check_value(template, object);
	if (rv == CKR_OK)
		rv = template_finish(TEMPLATE_CREATE, CK_UNAVAILABLE_INFORMATION, NULL, object);
	return rv;
}

CK_RV object_settle_pair(const struct command *command, const struct attributes *public_key,
			 const struct attributes *private_key)
{
	struct rule_context rules = rules_for(command);

	return template_pair(&rules, public_key, private_key);
}

CK_RV command_object_create(struct command *command)
{
	struct attributes template = { 0 }, object = { 0 };
	uint64_t handle;
	CK_RV rv;

	rv = parse_template(command, &template);
	if (rv == CKR_OK)
		rv = object_settle(command, &template, &object);
	if (rv == CKR_OK)
		rv = objects_add(command, &object, 1, &handle);
	if (rv == CKR_OK)
		hsm_put_u64(&command->out, HSM_FIELD_HANDLE, handle);
	attributes_free(&template);
	attributes_free(&object);
	return rv;
}

static CK_RV copy_of(struct command *command, struct object *from, struct attributes *copy)
{
	struct rule_context rules = rules_for(command);
	struct attributes template = { 0 };
	CK_RV rv;

	if (!attributes_bool(&from->attributes, CKA_COPYABLE, true))
		return CKR_ACTION_PROHIBITED;
	rv = parse_template(command, &template);
	if (rv == CKR_OK)
		rv = attributes_copy(copy, &from->attributes);
	if (rv == CKR_OK)
		rv = template_change(&rules, TEMPLATE_COPY, &template, copy);
	if (rv == CKR_OK)
		rv = object_allowed(command, copy);
	if (rv == CKR_OK)
		rv = template_unique(copy);
	attributes_free(&template);
	return rv;
}

CK_RV command_object_copy(struct command *command)
{
	struct object *from = object_of(command);
	struct attributes copy = { 0 };
	uint64_t handle;
	CK_RV rv;

	if (!from)
		return CKR_OBJECT_HANDLE_INVALID;
	rv = copy_of(command, from, &copy);
	if (rv == CKR_OK)
		rv = objects_add(command, &copy, 1, &handle);
	if (rv == CKR_OK)
		hsm_put_u64(&command->out, HSM_FIELD_HANDLE, handle);
	attributes_free(&copy);
	object_put(from);
	return rv;
}

static CK_RV destroy(struct command *command)
{
	struct object *object = object_of(command);
	CK_RV rv;

	if (!object)
		return CKR_OBJECT_HANDLE_INVALID;
	if (object->token && !session_writes(command->session))
		rv = CKR_SESSION_READ_ONLY;
	else if (!attributes_bool(&object->attributes, CKA_DESTROYABLE, true))
		rv = CKR_ACTION_PROHIBITED;
	else
		rv = object_destroy(command, object);
	object_put(object);
	return rv;
}

CK_RV command_object_destroy(struct command *command)
{
	CK_RV rv;

	do {
		rv = destroy(command);
	} while (rv == OBJECT_STALE);
	return rv;
}

CK_RV command_object_size(struct command *command)
{
	struct object *object = object_of(command);

	if (!object)
		return CKR_OBJECT_HANDLE_INVALID;
	hsm_put_u64(&command->out, HSM_FIELD_LENGTH, object->stored_length);
	object_put(object);
	return CKR_OK;
}

/* ---- attributes ---- */

const uint8_t *attribute_value(struct object *object, uint64_t type, uint64_t *number,
			       size_t *length)
{
	const struct attributes *set = &object->attributes;
	const struct attribute *item = attributes_find(set, type);

	*length = item ? item->length : sizeof(*number);
	/* Stored with a key that was made under a validation: true as long as the board has one */
	if (item && type == CKA_OBJECT_VALIDATION_FLAGS && !validation_attributes())
		return attribute_virtual(set, type);
	if (type == CKA_HSM_USE_COUNT && uses_count(object, number)) {
		*number = htole64(*number);
		return (const uint8_t *)number;
	}
	return item ? item->value : attribute_virtual(set, type);
}

/* Evidence in place of a value: nobody's nonce is in it. Return: CKR_OK, or why it is marked. */
static CK_RV put_evidence(struct command *command, struct object *object)
{
	const struct evidence_request request = { 0 };
	struct hsm_writer *out = &command->out;
	uint8_t *message;
	size_t length;
	CK_RV rv;

	if (!class_is_key(attributes_ulong(&object->attributes, CKA_CLASS, ~0ULL)))
		return CKR_ATTRIBUTE_TYPE_INVALID;
	if (task_set_class(command->task, IHSM_TIME_MEDIUM) < 0)
		return CKR_FUNCTION_CANCELED;
	rv = evidence_make(command->partition, HSM_EVIDENCE_KEY, object, &request, &message,
			   &length);
	if (rv != CKR_OK)
		return rv;
	if (length + sizeof(struct hsm_attribute_header) > out->capacity - out->length)
		rv = CKR_DEVICE_MEMORY;
	else
		hsm_put_attribute(out, CKA_HSM_EVIDENCE, 0, message, length);
	free(message);
	return rv;
}

static CK_RV put_value(struct hsm_writer *out, struct object *object, uint64_t type)
{
	uint64_t number;
	size_t length;
	const uint8_t *value = attribute_value(object, type, &number, &length);

	if (attribute_is_secret(&object->attributes, type))
		return CKR_ATTRIBUTE_SENSITIVE;
	if (!value)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	if (length + sizeof(struct hsm_attribute_header) > out->capacity - out->length)
		return CKR_DEVICE_MEMORY;
	hsm_put_attribute(out, type, 0, value, length);
	return CKR_OK;
}

/* One attribute into the answer. Return: CKR_OK, or why it is marked. */
static CK_RV put_one(struct command *command, struct object *object, uint64_t type)
{
	CK_RV rv = type == CKA_HSM_EVIDENCE ? put_evidence(command, object)
					    : put_value(&command->out, object, type);

	if (rv != CKR_OK)
		hsm_put_attribute(&command->out, type, rv, NULL, 0);
	return rv;
}

/* The value of a key that is neither sensitive nor kept from export is about to leave. Session keys come and go. */
static CK_RV record_export(struct command *command, const struct object *object)
{
	char actor[AUDIT_ACTOR_MAX];
	struct hsm_audit_record record = audit_begin(command, HSM_AUDIT_KEY_EXPORTED, actor);

	if (!object->token)
		return CKR_OK;
	audit_object(&record, &object->attributes, object->handle);
	return audit_commit(command->task, command->partition, &record);
}

CK_RV command_attributes_get(struct command *command)
{
	const struct hsm_field *types = hsm_fields_find(&command->fields, HSM_FIELD_TYPES);
	struct object *object = object_of(command);
	CK_RV rv = CKR_OK, one;
	bool exported = false;
	size_t mark, i;
	uint64_t type;

	if (!object)
		return CKR_OBJECT_HANDLE_INVALID;
	mark = hsm_put_begin(&command->out, HSM_FIELD_ATTRIBUTES);
	for (i = 0; i < types->length / 8; i++) {
		type = hsm_get_le64(types->data + i * 8);
		one = put_one(command, object, type);
		if (one != CKR_OK)
			rv = one;
		exported |= one == CKR_OK && attribute_is_value(&object->attributes, type);
	}
	hsm_put_end(&command->out, mark);
	one = exported ? record_export(command, object) : CKR_OK;
	if (one != CKR_OK) {
		rv = one;
		command->out.length = 0;
	}
	object_put(object);
	return rv;
}

static CK_RV changed(struct command *command, const struct object *object, struct attributes *set)
{
	struct rule_context rules = rules_for(command);
	struct attributes template = { 0 };
	CK_RV rv;

	if (object->token && !session_writes(command->session))
		return CKR_SESSION_READ_ONLY;
	if (!attributes_bool(&object->attributes, CKA_MODIFIABLE, true))
		return CKR_ACTION_PROHIBITED;
	rv = parse_template(command, &template);
	if (rv == CKR_OK)
		rv = attributes_copy(set, &object->attributes);
	if (rv == CKR_OK)
		rv = template_change(&rules, TEMPLATE_SET, &template, set);
	if (rv == CKR_OK && attributes_ulong(set, CKA_CLASS, ~0ULL) == CKO_TRUST)
		rv = trust_settle(set);
	attributes_free(&template);
	return rv;
}

static CK_RV set_attributes(struct command *command)
{
	struct object *object = object_of(command);
	struct attributes set = { 0 };
	CK_RV rv;

	if (!object)
		return CKR_OBJECT_HANDLE_INVALID;
	rv = changed(command, object, &set);
	if (rv == CKR_OK)
		rv = object_replace(command, object, &set);
	attributes_free(&set);
	object_put(object);
	return rv;
}

CK_RV command_attributes_set(struct command *command)
{
	CK_RV rv;

	do {
		rv = set_attributes(command);
	} while (rv == OBJECT_STALE);
	return rv;
}

/* ---- search ---- */

CK_RV command_find_init(struct command *command)
{
	struct partition *partition = command->partition;
	struct session *session = command->session;
	struct attributes template = { 0 };
	CK_RV rv;

	if (session->finding)
		return CKR_OPERATION_ACTIVE;
	rv = parse_template(command, &template);
	if (rv == CKR_OK) {
		pthread_mutex_lock(&partition->lock);
		rv = index_match(&partition->index, &template, command->client, &session->found,
				 &session->found_count);
		pthread_mutex_unlock(&partition->lock);
	}
	if (rv == CKR_OK) {
		rv = builtin_match(partition, &template, &session->found, &session->found_count);
		if (rv != CKR_OK)
			find_end(session);
	}
	session->found_next = 0;
	session->finding = rv == CKR_OK;
	attributes_free(&template);
	return rv;
}

CK_RV command_find(struct command *command)
{
	uint64_t wanted = hsm_fields_u64(&command->fields, HSM_FIELD_COUNT, 0);
	struct session *session = command->session;
	size_t room = (command->out.capacity - sizeof(struct hsm_field_header)) / 8;
	size_t count = session->found_count - session->found_next;

	if (!session->finding)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (count > wanted)
		count = wanted;
	if (count > room)
		count = room;
	hsm_put_list(&command->out, HSM_FIELD_HANDLES,
		     count ? session->found + session->found_next : NULL, count);
	session->found_next += count;
	return CKR_OK;
}

CK_RV command_find_final(struct command *command)
{
	if (!command->session->finding)
		return CKR_OPERATION_NOT_INITIALIZED;
	find_end(command->session);
	return CKR_OK;
}
