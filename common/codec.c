// SPDX-License-Identifier: Apache-2.0
/*
 * Reader and writer of message fields, the one copy that firmware and libhsm share. It checks
 * everything that can be checked without knowing the operation; hsm_operation_check() does the
 * rest.
 */
#include <errno.h>
#include <hsm/pkcs11.h>
#include <hsm/wire.h>

#define TEMPLATE_DEPTH 4 /* nesting of templates in templates that anyone needs */

struct field_info {
	uint16_t tag;
	uint8_t type;
	uint32_t max;
	const char *name;
};

#define FIELD_INFO(tag, name, type, max, doc) { (tag), HSM_TYPE_##type, (max), #name },
static const struct field_info field_table[] = { HSM_FIELD_TABLE(FIELD_INFO) };

enum field_row {
#define FIELD_ROW(tag, name, type, max, doc) FIELD_ROW_##name,
	HSM_FIELD_TABLE(FIELD_ROW)
};

/* Row number + 1 by tag: each field of each message asks. */
static const uint8_t field_index[0x100] = {
#define FIELD_PLACE(tag, name, type, max, doc) [tag] = FIELD_ROW_##name + 1,
	HSM_FIELD_TABLE(FIELD_PLACE)
};

static const struct field_info *field_info(unsigned int tag)
{
	if (tag >= sizeof(field_index) || !field_index[tag])
		return NULL;
	return &field_table[field_index[tag] - 1];
}

const char *hsm_field_name(unsigned int tag)
{
	const struct field_info *info = field_info(tag);

	return info ? info->name : "unknown";
}

bool hsm_field_number(unsigned int tag)
{
	const struct field_info *info = field_info(tag);

	return info && (info->type == HSM_TYPE_U32 || info->type == HSM_TYPE_U64);
}

bool hsm_attribute_is_template(uint64_t type)
{
	return (type & CKF_ARRAY_ATTRIBUTE) && type != CKA_ALLOWED_MECHANISMS;
}

bool hsm_attributes_next(const uint8_t **cursor, const uint8_t *end,
			 struct hsm_attribute_view *view)
{
	const uint8_t *p = *cursor;

	if ((size_t)(end - p) < sizeof(struct hsm_attribute_header))
		return false;
	view->type = hsm_get_le64(p);
	view->length = hsm_get_le32(p + 8);
	view->status = hsm_get_le32(p + 12);
	p += sizeof(struct hsm_attribute_header);
	view->value = NULL;
	if (view->length != HSM_ATTRIBUTE_UNAVAILABLE) {
		if (view->length > (size_t)(end - p))
			return false;
		view->value = p;
		p += view->length;
	}
	*cursor = p;
	return true;
}

int hsm_records_next(const uint8_t **cursor, const uint8_t *end, struct hsm_record *record,
		     const uint8_t **data)
{
	size_t left = (size_t)(end - *cursor);

	if (!left)
		return 0;
	if (left < sizeof(*record))
		return -EBADMSG;
	record->type = hsm_get_le32(*cursor);
	record->length = hsm_get_le32(*cursor + 4);
	if (record->length > left - sizeof(*record))
		return -EBADMSG;
	*data = *cursor + sizeof(*record);
	*cursor = *data + record->length;
	return 1;
}

bool hsm_attributes_valid(const uint8_t *data, size_t length, unsigned int depth)
{
	struct hsm_attribute_view view;
	const uint8_t *end = data + length;

	while (data != end) {
		if (!hsm_attributes_next(&data, end, &view))
			return false;
		if (!view.value || !hsm_attribute_is_template(view.type))
			continue;
		if (!depth || !hsm_attributes_valid(view.value, view.length, depth - 1))
			return false;
	}
	return true;
}

static bool field_valid(const struct field_info *info, const uint8_t *data, uint32_t length)
{
	if (length > info->max)
		return false;
	switch (info->type) {
	case HSM_TYPE_U32:
		return length == 4;
	case HSM_TYPE_U64:
		return length == 8;
	case HSM_TYPE_LIST:
		return length % 8 == 0;
	case HSM_TYPE_ATTRIBUTES:
		return hsm_attributes_valid(data, length, TEMPLATE_DEPTH);
	default:
		return true;
	}
}

int hsm_fields_parse(struct hsm_fields *fields, const uint8_t *data, size_t length)
{
	const uint8_t *end = data + length;
	const struct field_info *info;
	struct hsm_field field;

	fields->count = 0;
	while (data != end) {
		if ((size_t)(end - data) < sizeof(struct hsm_field_header) ||
		    fields->count == HSM_FIELDS_MAX)
			return -EBADMSG;
		field.tag = hsm_get_le16(data);
		field.length = hsm_get_le32(data + 4);
		if (hsm_get_le16(data + 2))
			return -EBADMSG;
		data += sizeof(struct hsm_field_header);
		if (field.length > (size_t)(end - data))
			return -EBADMSG;
		field.data = data;
		data += field.length;
		info = field_info(field.tag);
		if (!info || !field_valid(info, field.data, field.length) ||
		    hsm_fields_find(fields, field.tag))
			return -EBADMSG;
		fields->field[fields->count++] = field;
	}
	return 0;
}

const struct hsm_field *hsm_fields_find(const struct hsm_fields *fields, enum hsm_field_tag tag)
{
	unsigned int i;

	for (i = 0; i < fields->count; i++)
		if (fields->field[i].tag == tag)
			return &fields->field[i];
	return NULL;
}

uint64_t hsm_fields_u64(const struct hsm_fields *fields, enum hsm_field_tag tag, uint64_t absent)
{
	const struct hsm_field *field = hsm_fields_find(fields, tag);

	if (!field)
		return absent;
	if (field->length == 8)
		return hsm_get_le64(field->data);
	return field->length == 4 ? hsm_get_le32(field->data) : absent;
}

const uint8_t *hsm_fields_bytes(const struct hsm_fields *fields, enum hsm_field_tag tag,
				size_t *length)
{
	const struct hsm_field *field = hsm_fields_find(fields, tag);

	*length = field ? field->length : 0;
	return field ? field->data : NULL;
}

void hsm_writer_init(struct hsm_writer *writer, void *data, size_t capacity)
{
	writer->data = data;
	writer->length = 0;
	writer->capacity = capacity;
	writer->error = 0;
}

static uint8_t *writer_room(struct hsm_writer *writer, size_t length)
{
	uint8_t *p;

	if (writer->error)
		return NULL;
	if (length > writer->capacity - writer->length) {
		writer->error = -EMSGSIZE;
		return NULL;
	}
	p = writer->data + writer->length;
	writer->length += length;
	return p;
}

void hsm_put_raw(struct hsm_writer *writer, const void *data, size_t length)
{
	uint8_t *p = writer_room(writer, length);

	if (p && length)
		memcpy(p, data, length);
}

uint8_t *hsm_put_reserve(struct hsm_writer *writer, enum hsm_field_tag tag, size_t length)
{
	struct hsm_field_header header = { .tag = htole16(tag), .length = htole32(length) };
	uint8_t *p;

	if (length > HSM_MESSAGE_MAX) {
		writer->error = -EMSGSIZE;
		return NULL;
	}
	p = writer_room(writer, sizeof(header) + length);
	if (!p)
		return NULL;
	memcpy(p, &header, sizeof(header));
	return p + sizeof(header);
}

void hsm_put_bytes(struct hsm_writer *writer, enum hsm_field_tag tag, const void *data,
		   size_t length)
{
	uint8_t *p = hsm_put_reserve(writer, tag, length);

	if (p && length)
		memcpy(p, data, length);
}

void hsm_put_u32(struct hsm_writer *writer, enum hsm_field_tag tag, uint32_t value)
{
	value = htole32(value);
	hsm_put_bytes(writer, tag, &value, sizeof(value));
}

void hsm_put_u64(struct hsm_writer *writer, enum hsm_field_tag tag, uint64_t value)
{
	value = htole64(value);
	hsm_put_bytes(writer, tag, &value, sizeof(value));
}

void hsm_put_number(struct hsm_writer *writer, enum hsm_field_tag tag, uint64_t value)
{
	const struct field_info *info = field_info(tag);

	if (info && info->type == HSM_TYPE_U64)
		hsm_put_u64(writer, tag, value);
	else if (info && info->type == HSM_TYPE_U32 && value <= UINT32_MAX)
		hsm_put_u32(writer, tag, value);
	else
		writer->error = -EINVAL;
}

void hsm_put_list(struct hsm_writer *writer, enum hsm_field_tag tag, const uint64_t *values,
		  size_t count)
{
	uint64_t value;
	uint8_t *p;
	size_t i;

	if (count > HSM_MESSAGE_MAX / sizeof(value)) {
		writer->error = -EMSGSIZE;
		return;
	}
	p = hsm_put_reserve(writer, tag, count * sizeof(value));
	for (i = 0; p && i < count; i++) {
		value = htole64(values[i]);
		memcpy(p + i * sizeof(value), &value, sizeof(value));
	}
}

size_t hsm_put_begin(struct hsm_writer *writer, enum hsm_field_tag tag)
{
	hsm_put_reserve(writer, tag, 0);
	return writer->length;
}

void hsm_put_end(struct hsm_writer *writer, size_t mark)
{
	uint32_t length;

	if (writer->error)
		return;
	length = htole32(writer->length - mark);
	memcpy(writer->data + mark - sizeof(length), &length, sizeof(length));
}

void hsm_put_attribute(struct hsm_writer *writer, uint64_t type, uint32_t status, const void *value,
		       size_t length)
{
	struct hsm_attribute_header header = { .type = htole64(type), .status = htole32(status) };

	if (value && length > HSM_MESSAGE_MAX) {
		writer->error = -EMSGSIZE;
		return;
	}
	header.length = htole32(value ? length : HSM_ATTRIBUTE_UNAVAILABLE);
	hsm_put_raw(writer, &header, sizeof(header));
	if (value)
		hsm_put_raw(writer, value, length);
}
