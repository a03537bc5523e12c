/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the device said a moment ago: the states of sessions and the mechanisms, for which some applications
 * ask again and again around each signature. An answer is given again only where the device would give
 * the same: this application has done nothing that could change it, and it is young. What others do, who
 * may log a user out or change a policy, shows with the next refusal, or with the end of that time.
 */
#include <time.h>
#include "internal.h"

#define YOUNG_NS 100000000U

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

struct recent recent_now(const struct slot *slot)
{
	return (struct recent){ .changes = slot_changes(slot), .at_ns = now_ns() };
}

bool recent_holds(const struct slot *slot, const struct recent *recent)
{
	return recent->at_ns && !slot_is_changing(slot) && recent->changes == slot_changes(slot) &&
	       now_ns() - recent->at_ns < YOUNG_NS;
}

/* ---- sessions ---- */

static CK_RV ask_info(struct session *session, CK_SESSION_INFO *info)
{
	struct recent recent = recent_now(session->slot);
	struct recent_info *known = &session->info;
	const struct hsm_fields *fields;
	struct call call;
	CK_RV rv = call_begin_in(&call, session, HSM_OP_SESSION_INFO);

	if (rv != CKR_OK)
		return rv;
	rv = call_run(&call);
	if (rv == CKR_OK) {
		fields = hsm_request_fields(call.request);
		info->slotID = slot_id(call.slot);
		info->state = hsm_fields_u64(fields, HSM_FIELD_STATE, 0);
		info->flags = hsm_fields_u64(fields, HSM_FIELD_FLAGS, 0);
		if (session->async)
			info->flags |= CKF_ASYNC_SESSION;
		info->ulDeviceError = 0;
		pthread_mutex_lock(&known->lock);
		known->info = *info;
		known->recent = recent;
		pthread_mutex_unlock(&known->lock);
	}
	call_end(&call);
	return rv;
}

static bool known_info(struct session *session, CK_SESSION_INFO *info)
{
	struct recent_info *at = &session->info;
	bool known;

	if (call_check(session, HSM_OP_SESSION_INFO) != CKR_OK)
		return false;
	pthread_mutex_lock(&at->lock);
	known = recent_holds(session->slot, &at->recent);
	if (known)
		*info = at->info;
	pthread_mutex_unlock(&at->lock);
	return known;
}

MODULE_API CK_RV C_GetSessionInfo(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info)
{
	struct session *session;
	CK_RV rv = session_get(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!info)
		rv = CKR_ARGUMENTS_BAD;
	else if (!known_info(session, info))
		rv = ask_info(session, info);
	session_put(session);
	return rv;
}

/* ---- mechanisms ---- */

static struct recent_mechanism *place_of(struct slot *slot, CK_MECHANISM_TYPE type)
{
	return &slot_mechanisms(slot)->place[type % RECENT_MECHANISMS];
}

static bool known_mechanism(struct slot *slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	struct recent_mechanism *place = place_of(slot, type);
	bool known;

	pthread_mutex_lock(&slot_mechanisms(slot)->lock);
	known = place->type == type && recent_holds(slot, &place->recent);
	if (known)
		*info = place->info;
	pthread_mutex_unlock(&slot_mechanisms(slot)->lock);
	return known && !slot_is_lost(slot);
}

static CK_RV ask_mechanism(struct slot *slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	struct recent_mechanism *place = place_of(slot, type);
	struct recent recent = recent_now(slot);
	const struct hsm_fields *fields;
	struct call call;
	CK_RV rv = call_begin_slot(&call, slot_id(slot), HSM_OP_MECHANISM_INFO);

	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_MECHANISM, type);
	rv = call_run(&call);
	if (rv == CKR_OK) {
		fields = hsm_request_fields(call.request);
		info->ulMinKeySize = hsm_fields_u64(fields, HSM_FIELD_MIN, 0);
		info->ulMaxKeySize = hsm_fields_u64(fields, HSM_FIELD_MAX, 0);
		info->flags = hsm_fields_u64(fields, HSM_FIELD_FLAGS, 0);
		pthread_mutex_lock(&slot_mechanisms(slot)->lock);
		*place = (struct recent_mechanism){ .recent = recent, .type = type, .info = *info };
		pthread_mutex_unlock(&slot_mechanisms(slot)->lock);
	}
	call_end(&call);
	slot_put(call.slot);
	return rv;
}

static CK_RV mechanism_info(CK_SLOT_ID id, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	struct slot *slot;
	CK_RV rv = info ? slot_find(id, &slot) : CKR_ARGUMENTS_BAD;

	if (rv != CKR_OK)
		return rv;
	if (!known_mechanism(slot, type, info))
		rv = ask_mechanism(slot, type, info);
	slot_put(slot);
	return rv;
}

MODULE_API CK_RV C_GetMechanismInfo(CK_SLOT_ID id, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	CK_RV rv = module_enter();

	if (rv != CKR_OK)
		return rv;
	rv = mechanism_info(id, type, info);
	module_leave();
	return rv;
}
