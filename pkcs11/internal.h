/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PKCS#11 module: what its files share. The module translates calls into commands of libhsm
 * and answers back; it holds no key, no policy and nothing of the token's state.
 *
 *   module.c	life of the module: initialize, finalize, fork
 *   interface.c	function lists and interfaces
 *   device.c	devices, slots and channels
 *   slot.c	slot and token calls
 *   event.c	slot events
 *   session.c	session table and session calls, PINs and login
 *   recent.c	what the device said a moment ago
 *   begin.c	beginnings of signatures, which may wait for their data
 *   call.c	one command: request, response, errors
 *   async.c	asynchronous sessions
 *   template.c	attribute templates <-> fields
 *   parameter.c	mechanism parameters -> fields
 *   object.c	objects and searches
 *   cipher.c	encryption and decryption
 *   sign.c	digests, signatures and verification
 *   stream.c	data too long for one command, in overlapping parts
 *   recover.c	signatures with recovery, verification with the signature first
 *   dual.c	two operations on the same data
 *   state.c	saved states of operations
 *   message.c, message_sign.c	many messages under one key
 *   wrap.c	wrapping of keys
 *   key.c	key generation, derivation, encapsulation, random
 *   absent.c	functions that no token can support
 *
 * Locking: device.c's refresh lock is taken before the module lock. No lock is held while a
 * command runs, but for the one under which a slot's channel is opened. Sessions and slots live
 * while somebody counts on them.
 */
#ifndef PKCS11_INTERNAL_H
#define PKCS11_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hsm/hsm.h>
#include <hsm/mechanisms.h>
#include <hsm/pkcs11.h>

#define MODULE_API __attribute__((visibility("default")))

struct call;
struct pending;
struct session;
struct slot;

#define PIN_FIELD_MAX  255 /* of the fields PIN and NEW_PIN */
#define NAME_FIELD_MAX 63 /* of the field NAME */

/* ---- module.c ---- */

/* module_running - initialized by this very process? A look at one word, for every call. */
bool module_running(void);

/**
 * module_enter - begin a call that is not under a session's count
 * Return: CKR_OK, then module_leave() follows; CKR_CRYPTOKI_NOT_INITIALIZED.
 */
CK_RV module_enter(void);
void module_leave(void);

/*
 * module_lock - guards the list of slots and the free list of sessions; never held over a command
 */
void module_lock(void);
void module_unlock(void);

/* module_left - tell C_Finalize that a session or a call has ended */
void module_left(void);

/* pad_text - as PKCS#11 wants its strings: blanks to the end, no NUL */
void pad_text(unsigned char *to, size_t size, const char *text);

/* ---- device.c ---- */

/**
 * slot_find - the slot with this id
 * @slot: set on success; give it back with slot_put()
 *
 * Return: CKR_OK, CKR_SLOT_ID_INVALID.
 */
CK_RV slot_find(CK_SLOT_ID id, struct slot **slot);

/**
 * slot_get - the slot with this id, its channel open
 * @slot: set on success; give it back with slot_put()
 *
 * Return: CKR_OK, CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT, CKR_DEVICE_ERROR, ...
 */
CK_RV slot_get(CK_SLOT_ID id, struct slot **slot);
void slot_put(struct slot *slot);

/* slot_known - is there such a slot? No command is sent. */
bool slot_known(CK_SLOT_ID id);

CK_SLOT_ID slot_id(const struct slot *slot);
struct hsm_channel *slot_channel(const struct slot *slot);

/* slot_lost - the slot's device is gone: whoever asks for the slot next opens it anew */
void slot_lost(struct slot *slot);
bool slot_is_lost(const struct slot *slot);

/*
 * slot_changes - counts what this application does that may change a login, a key or what is allowed, and whatever
 *	went otherwise than was thought
 * slot_change_begin, slot_change_end - it does so
 * slot_is_changing - it is at it
 * slot_surprised - something went otherwise
 * slot_beginnings - number of beginnings that wait in sessions of the slot
 */
uint64_t slot_changes(const struct slot *slot);
void slot_change_begin(struct slot *slot);
void slot_change_end(struct slot *slot);
bool slot_is_changing(const struct slot *slot);
void slot_surprised(struct slot *slot);
_Atomic unsigned int *slot_beginnings(struct slot *slot);
struct recent_mechanisms *slot_mechanisms(struct slot *slot);

/* slots_refresh - look for devices and partitions that came or went */
void slots_refresh(void);

/* slots_list - ids of the slots, at most @room of them into @ids. Return: their number. */
CK_ULONG slots_list(CK_SLOT_ID *ids, CK_ULONG room);

const struct hsm_device_info *slot_device(const struct slot *slot);
const struct hsm_partition_info *slot_partition(const struct slot *slot);

/**
 * slots_free - close channels and devices; no session is open and no call under way
 * @child: after fork: locks may be in any state and nothing is sent
 */
void slots_free(bool child);

/* devices_wait - until a device has an event to tell, @wake is readable, or the time is over */
void devices_wait(int wake, int timeout_ms);

/* ---- event.c ---- */

/* events_begin - the slots are listed: from now on changes are events */
void events_begin(void);

/* events_wake - let C_WaitForSlotEvent look whether the module still runs */
void events_wake(void);
void events_end(bool child);

/* ---- recent.c ---- */

/**
 * struct recent - when the device said something
 * @changes: slot_changes() before it was asked
 * @at_ns: the time then; 0: never
 */
struct recent {
	uint64_t changes;
	uint64_t at_ns;
};

/* recent_now - for an answer to a question that is about to be sent */
struct recent recent_now(const struct slot *slot);

/*
 * recent_holds - is the answer as good as one that the device would give now? Nothing that this application did
 * since could change it, and what others do is seen within a tenth of a second.
 */
bool recent_holds(const struct slot *slot, const struct recent *recent);

/* struct recent_info - what C_GetSessionInfo was answered in a session */
struct recent_info {
	pthread_mutex_t lock;
	struct recent recent;
	CK_SESSION_INFO info;
};

#define RECENT_MECHANISMS 16

/**
 * struct recent_mechanisms - the answers of C_GetMechanismInfo, a place for each mechanism by its number
 */
struct recent_mechanisms {
	pthread_mutex_t lock;
	struct recent_mechanism {
		struct recent recent;
		CK_MECHANISM_TYPE type;
		CK_MECHANISM_INFO info;
	} place[RECENT_MECHANISMS];
};

/* ---- begin.c ---- */

#define BEGIN_FIELDS 128U  /* bytes of mechanism and parameter that are remembered */
#define BEGIN_DATA   4096U /* bytes of parts that wait with a beginning */

/**
 * struct beginning - of a session's signatures
 * @lock: of all of it; held while the device learns of a beginning that has waited, so that whoever is about to change
 *	something waits for that
 * @waiting: C_SignInit was answered here, and the device has not answered to it yet
 * @idle: the device has no signature under way in the session
 * @turn: counts the beginnings, so that an end ends none but its own
 * @recent: when the device accepted the last one
 * @key, @fields, @fields_length: what it was
 * @parts: C_SignUpdate was called while it waits
 * @lost: the device may have the beginning and not these, and could not be told to end it; it waits for that
 * @data, @data_length: with this
 */
struct beginning {
	pthread_mutex_t lock;
	_Atomic bool waiting;
	bool idle;
	bool parts;
	bool lost;
	uint64_t turn;
	struct recent recent;
	CK_OBJECT_HANDLE key;
	size_t fields_length;
	size_t data_length;
	uint8_t fields[BEGIN_FIELDS];
	uint8_t *data;
};

/* begin_new - of a session that was opened; begin_end - that is closed. begin_child - after fork */
void begin_new(struct session *session);
void begin_end(struct session *session);
void begin_child(struct session *session);

/* begin_sign - C_SignInit with a mechanism */
CK_RV begin_sign(struct session *session, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);

/*
 * begin_settle - the device learns of a beginning that waits, before a command that may depend on it. When it cannot
 * be begun any more, the device has no operation, as after any other end. Return: CKR_OK, or why no command may
 * follow yet.
 * begin_settle_all - in all sessions of a slot, before a command that changes what they depend on
 */
CK_RV begin_settle(struct session *session);
void begin_settle_all(struct slot *slot);

/* begin_keep - keep a part with the beginning. Return: false when it has to go to the device. */
bool begin_keep(struct session *session, const CK_BYTE *part, CK_ULONG length);

/**
 * begin_take - begin the command that ends a signature, the beginning that waits in it
 * @end: HSM_OP_SIGN_FINAL, with the parts that wait; else HSM_OP_SIGN, and there are none
 *
 * Return: true, and the call goes on as after call_begin_in() and ends with begin_taken(); false: none waits.
 */
bool begin_take(struct session *session, struct call *call, enum hsm_operation end);

/* begin_taken - it was answered. Return: @rv, or what it is for C_Sign. */
CK_RV begin_taken(struct session *session, const struct call *call, CK_RV rv);

/*
 * begin_turn - before a command that ends a signature without its beginning
 * begin_ended - it has given its output
 */
uint64_t begin_turn(struct session *session);
void begin_ended(struct session *session, uint64_t turn);

/* ---- session.c ---- */

/* The operations of a session for which stream.c wants to know how they treat lengths */
enum stream_use {
	STREAM_ENCRYPT,
	STREAM_DECRYPT,
	STREAM_SIGN,
	STREAM_VERIFY,
	STREAM_USES,
};

/**
 * struct session - an open session
 * @word: handle generation << 32 | SESSION_OPEN | count of those who use it
 * @index: in the table
 * @slot: counted
 * @device_session: the device's number of it
 * @generation: of the channel when it was opened; another now means that the device has
 *	forgotten the session
 * @stream: enum stream_use -> STREAM_* of stream.c for the mechanism that was last begun.
 *	A hint: what the device has begun is the device's to know, and a wrong hint ends in its
 *	error
 * @message: mechanism of the messages that are signed, and of those that are verified
 * @async: asynchronous
 * @async_lock: of @pending
 * @pending: function under way (async.c); other commands are refused meanwhile
 * @next: free list
 *
 * @begin: of signatures (begin.c)
 * @info: (recent.c)
 *
 * Nothing but @word, @stream, @message, @pending, @begin and @info changes while the session is open.
 */
struct session {
	_Atomic uint64_t word;
	uint32_t index;
	uint32_t device_session;
	unsigned int generation;
	struct slot *slot;
	_Atomic uint32_t stream[STREAM_USES];
	_Atomic(CK_MECHANISM_TYPE) message[2];
	bool async;
	pthread_mutex_t async_lock;
	struct pending *_Atomic pending;
	struct beginning begin;
	struct recent_info info;
	struct session *next;
};

/* sessions_each - call @each for every session of a slot that is open */
void sessions_each(const struct slot *slot, void (*each)(struct session *session));

/**
 * session_get - the session of a handle
 * Return: CKR_OK, then session_put() follows; CKR_CRYPTOKI_NOT_INITIALIZED,
 * CKR_SESSION_HANDLE_INVALID.
 */
CK_RV session_get(CK_SESSION_HANDLE handle, struct session **session);
void session_put(struct session *session);

/**
 * sessions_close - close all sessions of a slot or, with NULL, of all slots
 *
 * A session in use closes when its last user is done with it.
 */
void sessions_close(const struct slot *slot);

/* sessions_open - number of sessions that are open or still in use */
unsigned int sessions_open(void);

/* sessions_forget - after fork: drop all without a word to the device */
void sessions_forget(void);

/* ---- call.c ---- */

/**
 * struct call - one command
 * @session: whose command it is, NULL for those of a slot
 * @slot: where it goes
 * @changes: it may change what this application remembers (recent.c)
 * @request: libhsm's request
 * @writer: its fields
 */
struct call {
	struct session *session;
	struct slot *slot;
	bool changes;
	struct hsm_request *request;
	struct hsm_writer *writer;
};

/**
 * call_begin - begin a command of a session
 * Return: CKR_OK, then call_end() follows; otherwise the code to answer with.
 */
CK_RV call_begin(struct call *call, CK_SESSION_HANDLE handle, enum hsm_operation operation);

/* call_begin_slot - begin a command of a slot: opens its channel. Must be inside module_enter(). */
CK_RV call_begin_slot(struct call *call, CK_SLOT_ID id, enum hsm_operation operation);

/* call_check - may a command be sent in the session? Return: CKR_OK or the code to answer with. */
CK_RV call_check(const struct session *session, enum hsm_operation operation);

/*
 * call_begin_in - begin a command in a session that the caller holds and keeps
 * call_begin_now - the same beside a beginning that waits (begin.c)
 */
CK_RV call_begin_now(struct call *call, struct session *session, enum hsm_operation operation);
CK_RV call_begin_in(struct call *call, struct session *session, enum hsm_operation operation);

/*
 * call_run - send the command and wait. Return: the device's CKR_ number, or what a lost command
 * is answered with.
 */
CK_RV call_run(struct call *call);

/* call_submit, call_wait - the same in two steps */
CK_RV call_submit(struct call *call);
CK_RV call_wait(struct call *call);

/* call_end - wipe and give back; a no-op on a call that was not begun (all zeros) */
void call_end(struct call *call);

/* call_finish - call_run() and call_end() for commands without an answer */
CK_RV call_finish(struct call *call);

/**
 * call_output - bytes of the response to the caller, by the conventions of PKCS#11 5.2
 * @rv: of call_run()
 * @tag: of the field
 * @out: buffer or NULL: only the length is wanted
 * @length: in: its size; out: bytes written, or needed
 *
 * Return: @rv, or what becomes of it.
 */
CK_RV call_output(struct call *call, CK_RV rv, enum hsm_field_tag tag, CK_BYTE *out,
		  CK_ULONG *length);

/*
 * call_room - value of OUT_MAX for a buffer of the caller; without one 0, for commands that
 * always give something
 */
uint64_t call_room(const CK_BYTE *out, CK_ULONG length);

/* call_room_or_query - the same for the operations of a session, where a step may give nothing */
uint64_t call_room_or_query(const CK_BYTE *out, CK_ULONG length);

/*
 * call_left - after CKR_OK: bytes of output that the response did not hold; the next final
 * command brings more
 */
CK_ULONG call_left(const struct call *call);

/*
 * call_handle - a handle of the response to the caller. Return: @rv, CKR_DEVICE_ERROR when there
 * is none.
 */
CK_RV call_handle(struct call *call, CK_RV rv, enum hsm_field_tag tag, CK_OBJECT_HANDLE *handle);

/*
 * error_is_loss - is the device gone, as opposed to one that answers and lacks what was asked
 * for?
 */
bool error_is_loss(const struct hsm_error *error, int result);

/* error_rv - CKR_ number for an error of libhsm, which is shown when HSM_DEBUG is set */
CK_RV error_rv(const struct hsm_error *error, int result);

/* ---- vendor.c ---- */

extern const CK_HSM_FUNCTION_LIST vendor_functions;

/* ---- async.c ---- */

/*
 * A one-time password comes as CK_OTP_SIGNATURE_INFO with what it points to behind it, in the one
 * piece of memory that the caller has given (PKCS#11 3.2, 6.61).
 */
struct otp_signature {
	CK_OTP_SIGNATURE_INFO info;
	CK_OTP_PARAM param;
	CK_BYTE digits[16];
};

/* otp_lay_out - put before the @digits bytes of a password at @out what points to them (sign.c) */
void otp_lay_out(CK_BYTE *out, CK_ULONG digits);

/**
 * struct answer - where the parts of a command's response go
 * @function: name of the function for C_AsyncComplete
 * @cancel: CKF_ flag by which C_SessionCancel ends it
 * @output: field that goes to @out, as call_output() does it; 0: none
 * @otp: start of the struct otp_signature whose digits @out is; NULL: none
 * @handle, @other: of new objects; NULL: none
 */
struct answer {
	const char *function;
	CK_FLAGS cancel;
	enum hsm_field_tag output;
	CK_BYTE *out;
	CK_ULONG *out_length;
	CK_BYTE *otp;
	CK_OBJECT_HANDLE *handle;
	CK_OBJECT_HANDLE *other;
};

/**
 * call_answer - run a command that may take long; in an asynchronous session only send it
 *
 * call_end() follows in any case. An output buffer must be known to be large enough in an asynchronous session.
 * Return: as call_run() and call_output(), or CKR_PENDING.
 */
CK_RV call_answer(struct session *session, struct call *call, const struct answer *answer);

/* async_cancel - end the function under way, when one of the flags is its own */
void async_cancel(struct session *session, CK_FLAGS flags);

/* async_end - end what is under way, when the session ends */
void async_end(struct session *session);

/* ---- template.c ---- */

#define TEMPLATE_MAX 1024 /* attributes in one template */

/**
 * template_put - a template as a field
 * Return: CKR_OK, CKR_ARGUMENTS_BAD, CKR_ATTRIBUTE_VALUE_INVALID; lack of room sticks in the
 * writer.
 */
CK_RV template_put(struct hsm_writer *writer, enum hsm_field_tag tag,
		   const CK_ATTRIBUTE *attributes, CK_ULONG count);

/**
 * template_fill - values of a response into the caller's template (C_GetAttributeValue)
 * @rv: of the command, returned unless a buffer is too small
 * @data: checked list of attributes
 */
CK_RV template_fill(CK_RV rv, const uint8_t *data, size_t length, CK_ATTRIBUTE *attributes,
		    CK_ULONG count);

/* template_put_attributes - a template's attributes alone, inside another field */
CK_RV template_put_attributes(struct hsm_writer *writer, const CK_ATTRIBUTE *attributes,
			      CK_ULONG count);

/* ---- parameter_derive.c ---- */

/* parameter_derive_put - parameter of a derivation or password; false: it has not the form that it should have */
bool parameter_derive_put(struct hsm_writer *writer, unsigned int parameter,
			  const CK_MECHANISM *mechanism);

/**
 * derive_gives_no_key - are the keys that the mechanism gives put into its parameter alone?
 * derive_check - is there a place for all that it gives, before anything is asked? After mechanism_put().
 * derive_give - put what it gives beside the key where the parameter says
 */
bool derive_gives_no_key(const CK_MECHANISM *mechanism);
CK_RV derive_check(const CK_MECHANISM *mechanism);
CK_RV derive_give(const struct hsm_fields *fields, const CK_MECHANISM *mechanism);

/* ---- parameter.c ---- */

/**
 * mechanism_put - a mechanism and its parameter as fields
 * Return: CKR_OK, CKR_ARGUMENTS_BAD, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID.
 */
CK_RV mechanism_put(struct hsm_writer *writer, const CK_MECHANISM *mechanism);

/* mechanism_parameters_put - the parameter alone, for what the device knows the mechanism of */
CK_RV mechanism_parameters_put(struct hsm_writer *writer, const CK_MECHANISM *mechanism);

/* ---- message.c: CK_GCM_MESSAGE_PARAMS and its like ---- */

/**
 * message_parameter_put - such a structure as fields
 * @generates: the nonce may be the token's
 * Return: CKR_OK, CKR_MECHANISM_PARAM_INVALID.
 */
CK_RV message_parameter_put(struct hsm_writer *writer, const void *parameter, CK_ULONG length,
			    bool generates);

/* message_parameter_tag - the tag that the caller gives in the structure, as a field */
CK_RV message_parameter_tag(struct hsm_writer *writer, const void *parameter, CK_ULONG length);

/* message_parameter_place - where the structure has its tag, and how long that is; it is one that was accepted */
CK_BYTE *message_parameter_place(const void *parameter, CK_ULONG length, CK_ULONG *tag_length);

/* message_parameter_give - nonce and tag of the answer into the places that the structure names */
CK_RV message_parameter_give(const struct call *call, const void *parameter, CK_ULONG length,
			     bool nonce, bool tag);

/* ---- stream.c ---- */

/* stream_has_parts - can the mechanism's work be cut into parts whose output this module can tell beforehand? */
bool stream_has_parts(uint32_t hint);

/* stream_is_otp - does the hint tell of a one-time password? */
bool stream_is_otp(uint32_t hint);

/*
 * stream_hint - what STREAM_* to keep in the session for a mechanism that mechanism_put()
 * accepted
 */
uint32_t stream_hint(const CK_MECHANISM *mechanism);

/**
 * stream_begin - C_EncryptInit and its like: a command with a key and a mechanism
 * @init: the command
 * @cancel: what ends when there is no mechanism (5.8.1)
 * @use: whose hint is kept in the session; STREAM_USES: none is
 */
CK_RV stream_begin(CK_SESSION_HANDLE handle, enum hsm_operation init, CK_FLAGS cancel,
		   enum stream_use use, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);

/**
 * struct stream - a one-shot operation and its multi-part twin
 * @function, @cancel: of the one-shot call, for asynchronous sessions (struct answer)
 * @single: the command for all in one
 * @update: for a part
 * @final: for the end
 * @output: field of the result: DATA, SIGNATURE; 0 with verification, where the signature
 *	goes along with @final
 * @parts_output: do the parts have output (encryption, decryption)?
 * @known: the device has the signature already
 */
struct stream {
	const char *function;
	CK_FLAGS cancel;
	enum hsm_operation single;
	enum hsm_operation update;
	enum hsm_operation final;
	enum hsm_field_tag output;
	bool parts_output;
	bool known;
};

/**
 * stream_wanted - should this one-shot call run in parts?
 * @hint: of the session's operation
 */
bool stream_wanted(const struct stream *stream, uint32_t hint, CK_ULONG length);

/* stream_bound - an upper bound of the output of a one-shot cipher call */
CK_ULONG stream_bound(enum stream_use use, uint32_t hint, CK_ULONG length);

/**
 * stream_run - run a one-shot call as parts, several of them under way at a time
 * @session: held by the caller
 * @in: input
 * @out: room for stream_bound() bytes (ciphers), for the signature or digest; the
 *	signature itself with verification
 * @out_length: in: size; out: bytes written
 */
CK_RV stream_run(struct session *session, const struct stream *stream, const CK_BYTE *in,
		 CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length);

/**
 * stream_final - the end of an operation, in as many commands as its output takes
 * @out: buffer, NULL: only the length is wanted
 * @room: its size
 * @done: bytes of it that are filled; moved on, or what is needed as call_output() gives it
 */
CK_RV stream_final(struct session *session, const struct stream *stream, CK_BYTE *out,
		   CK_ULONG room, CK_ULONG *done);

/**
 * stream_parts - a part that is longer than one command takes, one command after the other
 * @out: NULL for operations whose parts have no output
 */
CK_RV stream_parts(struct session *session, const struct stream *stream, const CK_BYTE *in,
		   CK_ULONG length, CK_BYTE *out, CK_ULONG *out_length);

/* Is there an input of so many bytes? One that would go round the end of the address space is none. */
static inline bool is_input(const void *data, CK_ULONG length)
{
	return !length || (data && length <= UINTPTR_MAX - (uintptr_t)data);
}

#endif /* PKCS11_INTERNAL_H */
