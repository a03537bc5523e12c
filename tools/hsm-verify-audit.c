// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-verify audit: an export of an audit log. Every record must be where its hash says, every checkpoint
 * signed over what comes before it, and the head that the device signed over the reader's nonce must be
 * that of the last record: what was removed, changed, moved or cut off does not lead there.
 */
#include <stdlib.h>
#include <string.h>
#include "hsm-verify.h"
#include "tool-audit.h"

#define LINE_FIELD_MAX (4 * HSM_AUDIT_RECORD_MAX)

/**
 * struct log_check - an export on its way through the check
 * @first: number of the first record, @base the head before it
 * @chain: as far as the records have been read
 * @head: what the last line says
 * @alias: of the last alias record, when @has_alias
 * @nonce: of the last record that says that the log was read
 * @verified: last record that a checkpoint before the head vouches for
 */
struct log_check {
	struct verify *verify;
	unsigned int line;
	bool begun;
	bool ended;
	uint64_t first;
	uint8_t base[HSM_AUDIT_HASH];
	struct hsm_audit_chain chain;
	struct hsm_audit_head head;
	bool has_alias;
	uint8_t alias[HSM_AUDIT_ALIAS_SIZE];
	uint8_t nonce[HSM_AUDIT_NONCE_MAX];
	size_t nonce_length;
	uint64_t read_at;
	bool has_log;
	uint8_t log[HSM_AUDIT_LOG_ID];
	uint64_t checkpoints;
	uint64_t checked_to;
	struct hsm_dice_facts facts;
};

static int forged(struct log_check *check, const char *what)
{
	return fail(check->verify, VERIFY_FORGED, "line %u: %s", check->line, what);
}

/* ---- members of a line ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of a member in hexadecimal, for free(); NULL: it is none */
static uint8_t *get_hex(struct json_object *line, const char *name, size_t *length)
{
	struct json_object *value;
	const char *text;
	uint8_t *bytes;
	int high, low;

	if (!json_object_object_get_ex(line, name, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	text = json_object_get_string(value);
	*length = strlen(text) / 2;
	bytes = strlen(text) % 2 ? NULL : malloc(*length + 1);
	for (size_t i = 0; bytes && i < *length; i++) {
		high = hex_digit(text[2 * i]);
		low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0) {
			free(bytes);
			return NULL;
		}
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return bytes;
}

/* ---- signed heads ---- */

/*
 * What a policy asks of firmware is asked of that which answers today. Who signed a checkpoint in former years need only
 * have been one of the vendor's, of a device that is not revoked: an update would make every older log a forged one.
 */
static struct hsm_trust_policy of_its_time(const struct hsm_trust_policy *today)
{
	struct hsm_trust_policy then = *today;

	then.minimum_version = 0;
	then.measurements = NULL;
	then.measurement_count = 0;
	then.lifecycle = 0;
	then.approved = false;
	then.rollback_protected = false;
	return then;
}

/* @known: the head that the records lead to; it must be the one that was signed */
static int check_head(struct log_check *check, const uint8_t *bytes, size_t length,
		      const char *type, const struct hsm_audit_chain *known,
		      struct hsm_audit_head *head)
{
	struct hsm_cose *message;
	const uint8_t *payload;
	size_t size;
	int code = message_read(check->verify, bytes, length, type, &message);

	if (code)
		return code;
	payload = hsm_cose_payload(message, &size);
	if (hsm_audit_head_decode(payload, size, head))
		code = forged(check, "what was signed is no head of a log");
	code = code ?: message_verify(check->verify, message, head->partition, &check->facts);
	code = code ?: message_board(check->verify, &check->facts, head->board);
	if (!code && (head->chain.sequence != known->sequence ||
		      memcmp(head->chain.head, known->head, HSM_AUDIT_HASH)))
		code = forged(check, "the records are not those that were signed: one was removed, "
				     "changed, moved or cut off");
	if (!code && check->has_log && memcmp(check->log, head->log, sizeof(head->log)))
		code = forged(check, "signed for another log");
	memcpy(check->log, head->log, sizeof(head->log));
	check->has_log = true;
	hsm_cose_free(message);
	return code;
}

static int check_checkpoint(struct log_check *check, const struct hsm_audit_record *record)
{
	struct hsm_trust_policy *trust = &check->verify->trust.all, today = *trust;
	struct hsm_audit_head head;
	int code;

	*trust = of_its_time(&today);
	code = check_head(check, record->signature.data, record->signature.length,
			  HSM_AUDIT_CHECKPOINT_TYPE, &check->chain, &head);
	*trust = today;
	/* The alias that speaks for the log here, and no other one of the same device */
	if (!code && check->has_alias &&
	    memcmp(check->alias, check->facts.alias, sizeof(check->facts.alias)))
		code = forged(check, "a checkpoint by another alias than the log names");
	if (!code && (record->alias.length != sizeof(check->facts.alias) ||
		      memcmp(record->alias.data, check->facts.alias, sizeof(check->facts.alias))))
		code = forged(check, "a checkpoint that names another alias than its signer");

	check->checkpoints++;
	check->checked_to = record->sequence - 1;
	if (!code && head.nonce_length)
		code = forged(check, "a reader's head in the place of a checkpoint");
	return code;
}

/* ---- records ---- */

static void keep(uint8_t *to, size_t room, size_t *length, const struct hsm_audit_bytes *from)
{
	*length = from->length < room ? from->length : room;
	memcpy(to, from->data, *length);
}

static int check_event(struct log_check *check, const struct hsm_audit_record *record)
{
	size_t length;

	switch (record->event) {
	case HSM_AUDIT_LOG_STARTED:
		if (record->sequence != 1 || record->log.length != HSM_AUDIT_LOG_ID)
			return forged(check, "a log that begins in the middle");
		memcpy(check->log, record->log.data, HSM_AUDIT_LOG_ID);
		check->has_log = true;
		return VERIFY_OK;
	case HSM_AUDIT_ALIAS:
		if (record->alias.length != HSM_AUDIT_ALIAS_SIZE)
			return forged(check, "no alias in a record about one");
		keep(check->alias, sizeof(check->alias), &length, &record->alias);
		check->has_alias = true;
		return VERIFY_OK;
	case HSM_AUDIT_LOG_READ:
		keep(check->nonce, sizeof(check->nonce), &check->nonce_length, &record->nonce);
		check->read_at = record->sequence;
		return VERIFY_OK;
	case HSM_AUDIT_CHECKPOINT:
		return check_checkpoint(check, record);
	default:
		return VERIFY_OK;
	}
}

/*
 * What people read must be what was hashed, to the letter: in another spelling a member could be there twice, and
 * readers of JSON do not agree which of the two counts.
 */
static int compare_text(struct log_check *check, const struct audit_item *item, const char *text,
			size_t length)
{
	struct json_object *true_line = audit_json(item, true);
	const char *true_text =
		true_line ? json_object_to_json_string_ext(true_line, JSON_C_TO_STRING_PLAIN) : "";
	bool same = strlen(true_text) == length && !memcmp(true_text, text, length);

	json_object_put(true_line);
	return same ? VERIFY_OK : forged(check, "the text of the record is not what its bytes say");
}

static int check_record(struct log_check *check, struct json_object *line, const char *text,
			size_t text_length)
{
	size_t length = 0, left;
	uint8_t *bytes = get_hex(line, "cbor", &length);
	const uint8_t *at = bytes;
	struct audit_item item = { 0 };
	int code = VERIFY_OK;

	left = length;
	if (!bytes || audit_item_next(&at, &left, &item) || left)
		code = forged(check, "no record");
	else if (item.record.sequence != check->chain.sequence + 1)
		code = fail(check->verify, VERIFY_FORGED,
			    "line %u: record %llu, and %llu should come here: removed or moved",
			    check->line, (unsigned long long)item.record.sequence,
			    (unsigned long long)check->chain.sequence + 1);
	code = code ?: compare_text(check, &item, text, text_length) ?: check_event(check, &item.record);
	if (!code && hsm_audit_extend(&check->chain, EVP_sha384(), item.bytes, item.length))
		code = fail(check->verify, VERIFY_SYSTEM, "libcrypto: no SHA-384");
	audit_item_free(&item);
	free(bytes);
	return code;
}

/* ---- first and last line ---- */

static int check_first(struct log_check *check, struct json_object *line)
{
	struct json_object *kind, *first;
	size_t length = 0;
	uint8_t *base = get_hex(line, "base", &length);

	if (!json_object_object_get_ex(line, "audit", &kind) ||
	    strcmp(json_object_get_string(kind), "ihsm") ||
	    !json_object_object_get_ex(line, "first", &first) || !base ||
	    length != HSM_AUDIT_HASH || !json_object_get_uint64(first)) {
		free(base);
		return forged(check, "no export of an audit log begins so");
	}
	memcpy(check->base, base, HSM_AUDIT_HASH);
	memcpy(check->chain.head, base, HSM_AUDIT_HASH);
	free(base);
	check->first = json_object_get_uint64(first);
	check->chain.sequence = check->first - 1;
	check->begun = true;
	return VERIFY_OK;
}

/* Made by this reader's question, and not by an older one? */
static int check_nonce(struct log_check *check)
{
	const struct hsm_audit_head *head = &check->head;
	uint8_t nonce[HSM_AUDIT_NONCE_MAX];
	size_t length;
	int code;

	if (!head->nonce_length)
		return forged(check, "the head is signed over no nonce");
	if (check->read_at != head->chain.sequence || check->nonce_length != head->nonce_length ||
	    memcmp(check->nonce, head->nonce, head->nonce_length))
		return forged(check, "the last record does not say that the log was read so");
	if (!check->verify->nonce)
		return VERIFY_OK;
	code = read_hex(check->verify, "nonce", check->verify->nonce, nonce, sizeof(nonce),
			&length);
	if (!code && (length != head->nonce_length || memcmp(nonce, head->nonce, length)))
		code = forged(check, "signed over another nonce: an old export");
	return code;
}

static int check_last(struct log_check *check, struct json_object *line)
{
	size_t length = 0;
	uint8_t *bytes = get_hex(line, "head", &length);
	int code;

	if (!bytes)
		return forged(check, "neither a record nor a signed head");
	code = check_head(check, bytes, length, HSM_AUDIT_HEAD_TYPE, &check->chain, &check->head);
	free(bytes);
	if (!code && check->first < check->head.first)
		code = forged(check, "records that the device has no more");
	if (!code && check->first == check->head.first &&
	    memcmp(check->base, check->head.base, HSM_AUDIT_HASH))
		code = forged(check, "the head before the first record is another one");
	if (!code && check->has_alias &&
	    memcmp(check->alias, check->facts.alias, sizeof(check->facts.alias)))
		code = forged(check, "signed by another alias than the log names");
	check->ended = true;
	return code ?: check_nonce(check);
}

/* ---- the whole ---- */

static int check_line(struct log_check *check, const char *text, size_t length)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *line;
	int code;

	if (!tokener)
		return fail(check->verify, VERIFY_SYSTEM, "out of memory");
	/* Nothing may stand behind the object. */
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	line = json_tokener_parse_ex(tokener, text, (int)length);
	check->line++;
	if (check->ended)
		code = forged(check, "more after the signed head");
	else if (!line || !json_object_is_type(line, json_type_object))
		code = forged(check, "no JSON object");
	else if (!check->begun)
		code = check_first(check, line);
	else if (json_object_object_get_ex(line, "cbor", NULL))
		code = check_record(check, line, text, length);
	else
		code = check_last(check, line);
	json_object_put(line);
	json_tokener_free(tokener);
	return code;
}

static void put_result(const struct log_check *check)
{
	struct json_object *result = check->verify->result;
	char time[32];

	put_hex(result, "log", check->head.log, sizeof(check->head.log));
	put_hex(result, "board", check->head.board, sizeof(check->head.board));
	put_id(result, "partition", check->head.partition);
	put_number(result, "first", check->first);
	put_number(result, "last", check->head.chain.sequence);
	put_string(result, "complete",
		   check->first == 1		       ? "yes"
		   : check->first == check->head.first ? "older records are gone from the device"
						       : "from the record that was asked for");
	put_number(result, "checkpoints", check->checkpoints);
	put_hex(result, "head", check->head.chain.head, HSM_AUDIT_HASH);
	audit_time(check->head.time, time);
	put_string(result, "time", time);
	put_string(result, "nonce",
		   check->verify->nonce ? "as asked for" : "not compared with anything");
}

int verify_audit(struct verify *verify, char **args)
{
	struct log_check check = { .verify = verify };
	uint8_t *bytes = NULL;
	size_t length = 0, at, line;
	int code = read_file(verify, args[0], &bytes, &length);
	const uint8_t *end;

	for (at = 0; !code && at < length; at += line + 1) {
		end = memchr(bytes + at, '\n', length - at);
		line = end ? (size_t)(end - bytes) - at : length - at;
		code = line > LINE_FIELD_MAX
			       ? fail(verify, VERIFY_FORGED, "a line that is too long")
			       : check_line(&check, (const char *)bytes + at, line);
	}
	if (!code && !check.ended)
		code = fail(verify, VERIFY_FORGED,
			    "the export ends without a signed head: its end was cut off");
	if (!code)
		put_result(&check);
	free(bytes);
	return code;
}
