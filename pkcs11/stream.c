/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data too long for one command. A one-shot call becomes the parts of the same operation, several
 * of them under way at a time, so that sealing here overlaps with work in the device; part
 * numbers keep their order. What a mechanism does to lengths has to be known for that before the
 * first part is sent, because a buffer that turned out too small half way could not be taken
 * back: that is all that is remembered of the operation, as a hint.
 */
#include <string.h>
#include "internal.h"

#define CHUNK (16U * 1024) /* in one part: four make 64 KiB and overlap */
#define LONE  (24U * 1024) /* up to here one command is quicker than parts */
#define DEPTH 4U	 /* parts under way */
#define BLOCK 32U  /* more than any cipher's block: what a part may give beyond its input */

/* How a mechanism treats lengths, in the low byte of a hint; the tag's bytes above it */
enum {
	STREAM_NONE,  /* only in one piece, or unknown */
	STREAM_SAME,  /* output as long as input */
	STREAM_PADDED,
	STREAM_TAGGED,  /* and a tag behind it */
	STREAM_HASHED,  /* digests, and signatures and MACs that begin with one */
	STREAM_OTP,	    /* one-time passwords, which come in a structure */
};

bool stream_has_parts(uint32_t hint)
{
	return (hint & 0xff) != STREAM_NONE && (hint & 0xff) != STREAM_OTP;
}

static uint32_t cipher_hint(const CK_MECHANISM *mechanism)
{
	switch (mechanism->mechanism) {
	case CKM_AES_CBC_PAD:
	case CKM_CAMELLIA_CBC_PAD:
	case CKM_ARIA_CBC_PAD:
		return STREAM_PADDED;
	case CKM_DES3_CBC_PAD:
		return STREAM_NONE; /* blocks of another size */
	default:
		return STREAM_SAME;
	}
}

static uint32_t aead_hint(const CK_MECHANISM *mechanism)
{
	CK_GCM_PARAMS gcm;

	if (mechanism->mechanism == CKM_CHACHA20_POLY1305)
		return STREAM_TAGGED | 16 << 8;
	/* CCM wants the whole length first, and libcrypto all in one piece. */
	if (mechanism->mechanism != CKM_AES_GCM || mechanism->ulParameterLen != sizeof(gcm))
		return STREAM_NONE;
	memcpy(&gcm, mechanism->pParameter, sizeof(gcm));
	return gcm.ulTagBits <= 128 ? STREAM_TAGGED | (uint32_t)((gcm.ulTagBits + 7) / 8) << 8
				    : STREAM_NONE;
}

bool stream_is_otp(uint32_t hint)
{
	return (hint & 0xff) == STREAM_OTP;
}

uint32_t stream_hint(const CK_MECHANISM *mechanism)
{
	const struct hsm_mechanism_info *info = hsm_mechanism_find(mechanism->mechanism);

	if (!info)
		return STREAM_NONE;
	switch (info->family) {
	case MECH_FAMILY_CIPHER:
		return cipher_hint(mechanism);
	case MECH_FAMILY_AEAD:
		return aead_hint(mechanism);
	case MECH_FAMILY_OTP:
		return STREAM_OTP;
	case MECH_FAMILY_DIGEST:
	case MECH_FAMILY_HMAC:
		return STREAM_HASHED;
	case MECH_FAMILY_RSA_PKCS:
	case MECH_FAMILY_RSA_PSS:
	case MECH_FAMILY_ECDSA:
		return info->algorithm[0] ? STREAM_HASHED : STREAM_NONE;
	default:
		return STREAM_NONE;
	}
}

CK_RV stream_begin(CK_SESSION_HANDLE handle, enum hsm_operation init, CK_FLAGS cancel,
		   enum stream_use use, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	struct call call;
	CK_RV rv;

	if (!mechanism)
		return C_SessionCancel(handle, cancel);
	rv = call_begin(&call, handle, init);
	if (rv != CKR_OK)
		return rv;
	hsm_put_u64(call.writer, HSM_FIELD_KEY, key);
	rv = mechanism_put(call.writer, mechanism);
	if (rv == CKR_OK)
		rv = call_run(&call);
	if (rv == CKR_OK && use < STREAM_USES)
		atomic_store_explicit(&call.session->stream[use], stream_hint(mechanism),
				      memory_order_relaxed);
	call_end(&call);
	return rv;
}

bool stream_wanted(const struct stream *stream, uint32_t hint, CK_ULONG length)
{
	if (length > HSM_DATA_MAX)
		return !stream->parts_output || stream_has_parts(hint);
	/* An answer may be a tag or a block longer than the question. */
	return length > LONE && stream_has_parts(hint);
}

CK_ULONG stream_bound(enum stream_use use, uint32_t hint, CK_ULONG length)
{
	CK_ULONG tag = hint >> 8;

	switch (hint & 0xff) {
	case STREAM_PADDED:
		return use == STREAM_ENCRYPT ? (length / 16 + 1) * 16 : length;
	case STREAM_TAGGED:
		if (use == STREAM_ENCRYPT)
			return length + tag;
		return length > tag ? length - tag : 0;
	default:
		return length;
	}
}

/**
 * struct run - a one-shot call in parts
 * @sent: bytes of the input that are in parts
 * @part: number of the next part
 * @done: bytes of output
 * @ended: nothing more is to be sent
 * @left: bytes of output that the last answer did not hold
 * @rv: the first that went wrong
 */
struct run {
	struct session *session;
	const struct stream *stream;
	const CK_BYTE *in;
	CK_ULONG length;
	CK_ULONG sent;
	CK_BYTE *out;
	CK_ULONG room;
	CK_ULONG done;
	uint64_t part;
	bool ended;
	CK_ULONG left;
	CK_RV rv;
	struct call calls[DEPTH];
	unsigned int head;
	unsigned int count;
};

static CK_RV fill_part(struct run *run, struct call *call)
{
	CK_ULONG size = run->length - run->sent;
	CK_RV rv;

	if (size > CHUNK)
		size = CHUNK;
	rv = call_begin_in(call, run->session, run->stream->update);
	if (rv != CKR_OK)
		return rv;
	hsm_put_bytes(call->writer, HSM_FIELD_DATA, run->in + run->sent, size);
	if (run->stream->parts_output)
		hsm_put_u64(call->writer, HSM_FIELD_OUT_MAX, size + BLOCK);
	run->sent += size;
	return CKR_OK;
}

static CK_RV fill_final(struct run *run, struct call *call)
{
	CK_RV rv = call_begin_in(call, run->session, run->stream->final);

	if (rv != CKR_OK)
		return rv;
	if (run->stream->output)
		hsm_put_u64(call->writer, HSM_FIELD_OUT_MAX, run->room);
	else if (!run->stream->known)
		hsm_put_bytes(call->writer, HSM_FIELD_SIGNATURE, run->out, run->room);
	run->ended = true;
	return CKR_OK;
}

static void send_next(struct run *run)
{
	struct call *call = &run->calls[(run->head + run->count) % DEPTH];
	CK_RV rv;

	rv = run->sent < run->length ? fill_part(run, call) : fill_final(run, call);
	if (rv == CKR_OK) {
		hsm_put_u64(call->writer, HSM_FIELD_PART, run->part++);
		rv = call_submit(call);
		if (rv != CKR_OK)
			call_end(call);
	}
	if (rv == CKR_OK)
		run->count++;
	else
		run->rv = rv;
}

static CK_RV take_output(struct run *run, const struct call *call)
{
	size_t size;
	const uint8_t *data =
		hsm_fields_bytes(hsm_request_fields(call->request), run->stream->output, &size);

	if (size > run->room - run->done)
		return CKR_DEVICE_ERROR;
	if (size)
		memcpy(run->out + run->done, data, size);
	run->done += size;
	run->left = call_left(call);
	return CKR_OK;
}

static void take_oldest(struct run *run)
{
	struct call *call = &run->calls[run->head];
	CK_RV rv = call_wait(call);

	if (rv == CKR_OK && run->rv == CKR_OK && run->stream->output)
		rv = take_output(run, call);
	/*
	 * An error ends the operation in the device, so parts behind it fail as well: the first
	 * one tells.
	 */
	if (rv != CKR_OK && run->rv == CKR_OK)
		run->rv = rv;
	call_end(call);
	run->head = (run->head + 1) % DEPTH;
	run->count--;
}

CK_RV stream_final(struct session *session, const struct stream *stream, CK_BYTE *out,
		   CK_ULONG room, CK_ULONG *done)
{
	CK_ULONG size, left = 1;
	struct call call;
	CK_RV rv = CKR_OK;

	while (rv == CKR_OK && left) {
		rv = call_begin_in(&call, session, stream->final);
		if (rv != CKR_OK)
			return rv;
		size = room - *done;
		hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, call_room_or_query(out, size));
		rv = call_output(&call, call_run(&call), stream->output, out ? out + *done : NULL,
				 &size);
		left = out && rv == CKR_OK ? call_left(&call) : 0;
		/* A rest that does not get shorter would be asked for without end. */
		if (left && !size)
			rv = CKR_DEVICE_ERROR;
		*done += size;
		call_end(&call);
	}
	return rv;
}

CK_RV stream_run(struct session *session, const struct stream *stream, const CK_BYTE *in,
		 CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	struct run run = {
		.session = session,
		.stream = stream,
		.in = in,
		.length = length,
		.out = out,
		.room = *out_length,
		.part = 1,
	};

	while (run.count || (!run.ended && run.rv == CKR_OK)) {
		while (run.count < DEPTH && !run.ended && run.rv == CKR_OK)
			send_next(&run);
		if (run.count)
			take_oldest(&run);
	}
	if (run.rv == CKR_OK && run.left)
		run.rv = stream_final(session, stream, out, run.room, &run.done);
	if (run.rv == CKR_OK)
		*out_length = run.done;
	return run.rv;
}

static CK_RV one_part(struct session *session, const struct stream *stream, const CK_BYTE *in,
		      CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	struct call call;
	CK_RV rv = call_begin_in(&call, session, stream->update);

	if (rv != CKR_OK)
		return rv;
	hsm_put_bytes(call.writer, HSM_FIELD_DATA, in, length);
	if (!stream->parts_output)
		return call_finish(&call);
	hsm_put_u64(call.writer, HSM_FIELD_OUT_MAX, *out_length);
	rv = call_output(&call, call_run(&call), stream->output, out, out_length);
	call_end(&call);
	return rv;
}

CK_RV stream_parts(struct session *session, const struct stream *stream, const CK_BYTE *in,
		   CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length)
{
	CK_ULONG limit = HSM_DATA_MAX - BLOCK, size, room, done = 0;
	CK_RV rv;

	do {
		size = length < limit ? length : limit;
		room = out ? *out_length - done : 0;
		rv = one_part(session, stream, in, size, out ? out + done : NULL, &room);
		/* What is needed in all counts from the start of the caller's buffer. */
		if (rv == CKR_BUFFER_TOO_SMALL)
			*out_length = done + room;
		if (rv != CKR_OK)
			return rv;
		done += room;
		in += size;
		length -= size;
	} while (length);
	if (out)
		*out_length = done;
	return CKR_OK;
}
