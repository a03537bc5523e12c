// SPDX-License-Identifier: Apache-2.0
/*
 * Conditions of a policy file against what evidence says: both are JSON, and a condition stands
 * where the value stands that it is about.
 *
 *   a string, a number, a boolean   the value is that, text to the letter
 *   a list                          the value is one of these; when it is a list, both have the same elements
 *   { "min": N, "max": N }          the number lies between; either may be left out
 *   { "only": [...] }               the list has elements, each of which is one of these: an empty one of a policy
 *                                   means that all is allowed
 *   { "has": [...] }                each of these is in the list
 *   another object                  conditions on members of the object, all of which must be there
 */
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include "hsm-verify.h"

/*
 * Text to the letter, with a NUL that may stand in it: two labels that differ in case are two labels. Hexadecimal
 * digits alone may be in either case.
 */
static bool same_text(struct json_object *rule, struct json_object *value)
{
	int length = json_object_get_string_len(rule);

	if (length != json_object_get_string_len(value) || text_mark(value) == TEXT_LOST)
		return false;
	if (text_mark(value) == TEXT_HEX)
		return !strcasecmp(json_object_get_string(rule), json_object_get_string(value));
	return !memcmp(json_object_get_string(rule), json_object_get_string(value), (size_t)length);
}

static bool same(struct json_object *rule, struct json_object *value)
{
	if (json_object_is_type(rule, json_type_string) &&
	    json_object_is_type(value, json_type_string))
		return same_text(rule, value);
	return json_object_equal(rule, value);
}

static bool among(struct json_object *list, struct json_object *value)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (same(json_object_array_get_idx(list, i), value))
			return true;
	return false;
}

/* Is each element of @list in @all? */
static bool all_among(struct json_object *all, struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (!among(all, json_object_array_get_idx(list, i)))
			return false;
	return true;
}

static bool is_array(struct json_object *object)
{
	return json_object_is_type(object, json_type_array);
}

static bool list_holds(struct json_object *rule, struct json_object *value)
{
	if (!is_array(value))
		return among(rule, value);
	return all_among(rule, value) && all_among(value, rule);
}

static bool is_int(struct json_object *object)
{
	return json_object_is_type(object, json_type_int);
}

/* One of the words above. Return: 1 or 0; -1: it is none, or makes no sense with this value */
static int word(const char *key, struct json_object *rule, struct json_object *value)
{
	if (!strcmp(key, "min") && is_int(rule) && is_int(value))
		return json_object_get_uint64(value) >= json_object_get_uint64(rule);
	if (!strcmp(key, "max") && is_int(rule) && is_int(value))
		return json_object_get_uint64(value) <= json_object_get_uint64(rule);
	if (!strcmp(key, "only") && is_array(rule) && is_array(value))
		return json_object_array_length(value) && all_among(rule, value);
	if (!strcmp(key, "has") && is_array(rule) && is_array(value))
		return all_among(value, rule);
	return -1;
}

/* Each on a line of its own, and in a list of the result */
static bool mismatch(struct verify *verify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool mismatch(struct verify *verify, const char *format, ...)
{
	struct json_object *list;
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fail(verify, VERIFY_POLICY, "%s", text);
	if (!json_object_object_get_ex(verify->result, "mismatch", &list)) {
		list = json_object_new_array();
		json_object_object_add(verify->result, "mismatch", list);
	}
	json_object_array_add(list, json_object_new_string(text));
	return false;
}

static bool holds(struct verify *verify, const char *path, struct json_object *rule,
		  struct json_object *value);

static bool member_holds(struct verify *verify, const char *path, const char *key,
			 struct json_object *rule, struct json_object *object)
{
	struct json_object *value;
	char longer[256];

	snprintf(longer, sizeof(longer), "%s.%s", path, key);
	if (json_object_object_get_ex(object, key, &value))
		return holds(verify, longer, rule, value);
	return mismatch(verify, "%s: there is no such thing", longer);
}

static bool object_holds(struct verify *verify, const char *path, struct json_object *rule,
			 struct json_object *value)
{
	bool good = true, here;

	json_object_object_foreach(rule, key, condition)
	{
		if (json_object_is_type(value, json_type_object)) {
			good &= member_holds(verify, path, key, condition, value);
			continue;
		}
		here = word(key, condition, value) == 1;
		if (!here)
			mismatch(verify, "%s: is %s, and not %s %s", path,
				 json_object_get_string(value), key,
				 json_object_get_string(condition));
		good &= here;
	}
	return good;
}

static bool holds(struct verify *verify, const char *path, struct json_object *rule,
		  struct json_object *value)
{
	bool good;

	if (json_object_is_type(rule, json_type_object))
		return object_holds(verify, path, rule, value);
	good = is_array(rule) ? list_holds(rule, value) : same(rule, value);
	if (!good)
		mismatch(verify, "%s: is %s, and not %s%s", path, json_object_get_string(value),
			 is_array(rule) ? "one of " : "", json_object_get_string(rule));
	return good;
}

int rules_check(struct verify *verify, const char *name, struct json_object *rules,
		struct json_object *values)
{
	return !rules || holds(verify, name, rules, values) ? VERIFY_OK : VERIFY_POLICY;
}
