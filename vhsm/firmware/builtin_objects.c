// SPDX-License-Identifier: Apache-2.0
/*
 * Objects that a token has by itself. PKCS#11 3.2, 4.3 (hardware features), 4.13 to 4.15 (mechanisms, profiles); which
 * profiles are claimed: Documentation/pkcs11.rst.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "builtin_objects.h"
#include "policy.h"
#include "validation.h"

/* A handle is HANDLE_BUILTIN, the class, and a number within the class. */
#define CLASS_SHIFT 32
#define NUMBER_MASK 0xffffffffULL

/* So many values of the counter are taken from the disk at a time; a crash skips those that were left. */
#define COUNTER_BATCH 1024

static const uint64_t profiles[] = {
	CKP_BASELINE_PROVIDER,
	CKP_EXTENDED_PROVIDER,
	CKP_AUTHENTICATION_TOKEN,
	CKP_PUBLIC_CERTIFICATES_TOKEN,
};

static const uint64_t features[] = { CKH_MONOTONIC_COUNTER, CKH_CLOCK };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- clock ---- */

/*
 * Days since 1970 to year, month and day. The C library's own function may look for a time zone's file, and
 * there are no files here. Years are counted from March, so that the leap day is the last.
 */
static void civil_date(uint64_t days, unsigned int *year, unsigned int *month, unsigned int *day)
{
	uint64_t since = days + 719468; /* since 0000-03-01 */
	uint64_t era = since / 146097, of_era = since % 146097;
	uint64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * years + years / 4 - years / 100);
	uint64_t shifted = (5 * of_year + 2) / 153;

	*day = of_year - (153 * shifted + 2) / 5 + 1;
	*month = shifted < 10 ? shifted + 3 : shifted - 9;
	*year = years + era * 400 + (*month <= 2);
}

void clock_text(char text[CLOCK_TEXT_SIZE])
{
	struct timespec now = { 0 };
	unsigned int year, month, day;
	char buffer[64];
	uint64_t seconds;

	clock_gettime(CLOCK_REALTIME, &now);
	seconds = now.tv_sec;
	civil_date(seconds / 86400, &year, &month, &day);
	snprintf(buffer, sizeof(buffer), "%04u%02u%02u%02u%02u%02u00", year % 10000, month, day,
		 (unsigned int)(seconds / 3600 % 24), (unsigned int)(seconds / 60 % 60),
		 (unsigned int)(seconds % 60));
	memcpy(text, buffer, CLOCK_TEXT_SIZE);
}

/* ---- counter ---- */

/* The next value; none is given twice, since what is given was put on disk as taken before. */
static CK_RV counter_next(struct partition *partition, uint64_t *value)
{
	struct partition_state next;
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&partition->commit_lock);
	if (!partition->ticks)
		partition->ticks = partition->state.ticks;
	if (partition->ticks == partition->state.ticks) {
		next = partition->state;
		next.ticks += COUNTER_BATCH;
		rv = store_commit(partition, &next, NULL, 0, false);
		OPENSSL_cleanse(&next, sizeof(next));
	}
	if (rv == CKR_OK)
		*value = ++partition->ticks;
	pthread_mutex_unlock(&partition->commit_lock);
	return rv;
}

/* ---- one object ---- */

/* What all of them have; the unique id is the kind and the number. */
static CK_RV put_common(struct attributes *set, uint64_t class, const char *kind, uint64_t number)
{
	char id[64];
	CK_RV rv;

	snprintf(id, sizeof(id), "%s-%llu", kind, (unsigned long long)number);
	rv = attributes_set_ulong(set, CKA_CLASS, class);
	if (rv == CKR_OK)
		rv = attributes_set(set, CKA_UNIQUE_ID, id, strlen(id));
	if (rv == CKR_OK)
		rv = attributes_set_bool(set, CKA_TOKEN, true);
	if (rv == CKR_OK)
		rv = attributes_set_bool(set, CKA_PRIVATE, false);
	if (rv == CKR_OK)
		rv = attributes_set_bool(set, CKA_MODIFIABLE, false);
	if (rv == CKR_OK)
		rv = attributes_set_bool(set, CKA_COPYABLE, false);
	if (rv == CKR_OK)
		rv = attributes_set_bool(set, CKA_DESTROYABLE, false);
	return rv;
}

static CK_RV put_counter(struct partition *partition, struct attributes *set, bool values)
{
	uint64_t value;
	uint8_t bytes[8];
	unsigned int i;
	CK_RV rv;

	rv = attributes_set_bool(set, CKA_RESET_ON_INIT, false);
	if (rv == CKR_OK)
		rv = attributes_set_bool(set, CKA_HAS_RESET, false);
	if (rv == CKR_OK && values)
		rv = counter_next(partition, &value);
	if (rv != CKR_OK || !values)
		return rv;
	for (i = 0; i < 8; i++)
		bytes[i] = value >> (56 - 8 * i);
	return attributes_set(set, CKA_VALUE, bytes, sizeof(bytes));
}

static CK_RV put_clock(struct attributes *set)
{
	char text[CLOCK_TEXT_SIZE];

	clock_text(text);
	return attributes_set(set, CKA_VALUE, text, sizeof(text));
}

static CK_RV put_feature(struct partition *partition, uint64_t feature, struct attributes *set,
			 bool values)
{
	CK_RV rv = put_common(set, CKO_HW_FEATURE, "feature", feature);

	if (rv == CKR_OK)
		rv = attributes_set_ulong(set, CKA_HW_FEATURE_TYPE, feature);
	if (rv != CKR_OK)
		return rv;
	return feature == CKH_CLOCK ? put_clock(set) : put_counter(partition, set, values);
}

/*
 * Attributes of an object, CKR_OBJECT_HANDLE_INVALID: there is none of that number. @values: with the counter's, which each
 * look moves on
 */
static CK_RV fill(struct partition *partition, uint64_t class, uint64_t number, bool values,
		  struct attributes *set)
{
	const struct hsm_mechanism_info *info;
	CK_RV rv;

	switch (class) {
	case CKO_PROFILE:
		if (number >= COUNT(profiles))
			return CKR_OBJECT_HANDLE_INVALID;
		rv = put_common(set, class, "profile", profiles[number]);
		return rv == CKR_OK ? attributes_set_ulong(set, CKA_PROFILE_ID, profiles[number])
				    : rv;
	case CKO_HW_FEATURE:
		if (number >= COUNT(features))
			return CKR_OBJECT_HANDLE_INVALID;
		return put_feature(partition, features[number], set, values);
	case CKO_MECHANISM:
		info = hsm_mechanism_at(number);
		if (!info || !policy_flags(partition, info))
			return CKR_OBJECT_HANDLE_INVALID;
		rv = put_common(set, class, "mechanism", info->mechanism);
		return rv == CKR_OK ? attributes_set_ulong(set, CKA_MECHANISM_TYPE, info->mechanism)
				    : rv;
	case CKO_VALIDATION:
		if (number || !validation_attributes())
			return CKR_OBJECT_HANDLE_INVALID;
		rv = put_common(set, class, "validation", VALIDATION_FLAG);
		return rv == CKR_OK ? attributes_copy(set, validation_attributes()) : rv;
	default:
		return CKR_OBJECT_HANDLE_INVALID;
	}
}

static struct object *make(struct partition *partition, uint64_t class, uint64_t number,
			   bool values)
{
	struct object *object = object_new();

	if (!object)
		return NULL;
	object->token = true;
	object->handle = HANDLE_BUILTIN | class << CLASS_SHIFT | number;
	if (fill(partition, class, number, values, &object->attributes) == CKR_OK) {
		object->stored_length = object->attributes.size;
		return object;
	}
	object_put(object);
	return NULL;
}

struct object *builtin_make(struct partition *partition, uint64_t handle)
{
	uint64_t class = (handle & ~HANDLE_BUILTIN) >> CLASS_SHIFT;

	return make(partition, class, handle & NUMBER_MASK, true);
}

/* ---- search ---- */

static CK_RV append(uint64_t handle, uint64_t **handles, size_t *count)
{
	uint64_t *larger = OPENSSL_realloc(*handles, (*count + 1) * sizeof(*larger));

	if (!larger)
		return CKR_HOST_MEMORY;
	larger[(*count)++] = handle;
	*handles = larger;
	return CKR_OK;
}

static size_t class_count(uint64_t class)
{
	switch (class) {
	case CKO_PROFILE:
		return COUNT(profiles);
	case CKO_HW_FEATURE:
		return COUNT(features);
	case CKO_MECHANISM:
		return HSM_MECHANISM_ROWS;
	case CKO_VALIDATION:
		return 1;
	default:
		return 0;
	}
}

static CK_RV match_class(struct partition *partition, uint64_t class,
			 const struct attributes *template, uint64_t **handles, size_t *count)
{
	size_t number, end = class_count(class);
	struct object *object;
	CK_RV rv = CKR_OK;

	for (number = 0; number < end && rv == CKR_OK; number++) {
		object = make(partition, class, number, false);
		if (object && object_matches(object, template))
			rv = append(object->handle, handles, count);
		object_put(object);
	}
	return rv;
}

CK_RV builtin_match(struct partition *partition, const struct attributes *template,
		    uint64_t **handles, size_t *count)
{
	const struct attribute *class = attributes_find(template, CKA_CLASS);
	CK_RV rv;

	/* Nothing here has a name: searches for one have found all that there is. */
	if (attributes_find(template, CKA_LABEL) || attributes_find(template, CKA_ID))
		return CKR_OK;
	if (class)
		return match_class(partition, attributes_ulong(template, CKA_CLASS, ~0ULL),
				   template, handles, count);
	rv = match_class(partition, CKO_PROFILE, template, handles, count);
	if (rv == CKR_OK)
		rv = match_class(partition, CKO_VALIDATION, template, handles, count);
	return rv;
}
