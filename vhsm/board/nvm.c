// SPDX-License-Identifier: Apache-2.0
/*
 * Non-volatile memory: one SQLite database in the state directory, in write-ahead mode with
 * synchronous=FULL, so that what nvm_commit() has answered survives a power cut. It stores blobs
 * and understands none of them. Not thread safe: state.c serializes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <sqlite3.h>
#include "internal.h"

#define APPLICATION_ID 0x4948534d /* "IHSM" */
#define FORMAT_VERSION 3

static const char schema[] =
	"CREATE TABLE root(id INTEGER PRIMARY KEY CHECK(id = 1), blob BLOB NOT NULL);"
	"CREATE TABLE partitions(pid INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, "
	"header BLOB NOT NULL);"
	"CREATE TABLE rows(pid INTEGER NOT NULL REFERENCES partitions(pid) ON DELETE CASCADE, "
	"id INTEGER NOT NULL, blob BLOB NOT NULL, PRIMARY KEY(pid, id)) WITHOUT ROWID;"
	"CREATE TABLE policies(id BLOB PRIMARY KEY, blob BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE items(name TEXT PRIMARY KEY, blob BLOB NOT NULL) WITHOUT ROWID;";

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	ROOT_GET,
	ROOT_SET,
	HEADER_GET,
	HEADER_SET,
	PARTITION_PID,
	PARTITION_DELETE,
	POLICY_GET,
	POLICY_SET,
	POLICY_DELETE,
	ITEM_GET,
	ITEM_SET,
	ITEM_DELETE,
	ROW_LENGTH,
	ROW_SET,
	ROW_DELETE,
	ROWS,
	USAGE,
	PAGES,
	STATEMENTS
};

static const char *const statement_text[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[ROOT_GET] = "SELECT blob FROM root WHERE id = 1",
	[ROOT_SET] = "INSERT INTO root(id, blob) VALUES(1, ?1) "
		     "ON CONFLICT(id) DO UPDATE SET blob = ?1",
	[HEADER_GET] = "SELECT header FROM partitions WHERE id = ?1",
	[HEADER_SET] = "INSERT INTO partitions(id, header) VALUES(?1, ?2) "
		       "ON CONFLICT(id) DO UPDATE SET header = ?2",
	[PARTITION_PID] = "SELECT pid FROM partitions WHERE id = ?1",
	[PARTITION_DELETE] = "DELETE FROM partitions WHERE id = ?1",
	[POLICY_GET] = "SELECT blob FROM policies WHERE id = ?1",
	[POLICY_SET] = "INSERT INTO policies(id, blob) VALUES(?1, ?2) "
		       "ON CONFLICT(id) DO UPDATE SET blob = ?2",
	[POLICY_DELETE] = "DELETE FROM policies WHERE id = ?1",
	[ITEM_GET] = "SELECT blob FROM items WHERE name = ?1",
	[ITEM_SET] = "INSERT INTO items(name, blob) VALUES(?1, ?2) "
		     "ON CONFLICT(name) DO UPDATE SET blob = ?2",
	[ITEM_DELETE] = "DELETE FROM items WHERE name = ?1",
	[ROW_LENGTH] = "SELECT length(blob) FROM rows WHERE pid = ?1 AND id = ?2",
	[ROW_SET] = "INSERT INTO rows(pid, id, blob) VALUES(?1, ?2, ?3) "
		    "ON CONFLICT(pid, id) DO UPDATE SET blob = ?3",
	[ROW_DELETE] = "DELETE FROM rows WHERE pid = ?1 AND id = ?2",
	[ROWS] = "SELECT id, blob FROM rows WHERE pid = ?1 AND id > ?2 ORDER BY id",
	/* The audit log's rows are those whose turned key is not negative. */
	[USAGE] = "SELECT count(*), coalesce(sum(length(blob)), 0), "
		  "coalesce(sum(length(blob)) FILTER (WHERE id >= 0), 0) FROM rows WHERE pid = ?1",
	[PAGES] = "PRAGMA page_count",
};

/*
 * The write-ahead log is emptied into the database at so many pages, and has its room on the disk
 * from the start: what adds nothing, like the count of a wrong PIN, must go on when the disk is
 * full.
 */
#define PAGE_BYTES 4096
#define LOG_PAGES  "200"
#define LOG_ROOM   (1024 * 1024)
#define GROWTH	   (128 * 1024) /* the database's steps */
#define RESERVE	   (64 * 1024) /* left free by what grows */

struct nvm {
	sqlite3 *db;
	char *log_path;
	sqlite3_stmt *statements[STATEMENTS];
};

/* SQLite orders signed numbers, row ids are unsigned: turn the sign over. */
static sqlite3_int64 row_key(uint64_t id)
{
	return (sqlite3_int64)(id ^ (1ULL << 63));
}

static uint64_t row_id(sqlite3_int64 key)
{
	return (uint64_t)key ^ (1ULL << 63);
}

static int to_errno(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return -EBADMSG;
	case SQLITE_TOOBIG:
		return -EMSGSIZE;
	case SQLITE_BUSY:
		return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EROFS;
	default:
		return -EIO;
	}
}

/*
 * A write that found the disk full comes back as an I/O error now and then: ask the system's
 * number.
 */
static int nvm_error(struct nvm *nvm, int code)
{
	int ret = to_errno(code);

	if (ret == -EIO && sqlite3_system_errno(nvm->db) == ENOSPC)
		return -ENOSPC;
	return ret;
}

static sqlite3_stmt *statement(struct nvm *nvm, enum statement which)
{
	return nvm->statements[which];
}

/* Run a statement that returns no rows; it is reset and unbound afterwards in any case. */
static int execute(struct nvm *nvm, enum statement which)
{
	sqlite3_stmt *stmt = statement(nvm, which);
	int code, ret;

	code = sqlite3_step(stmt);
	ret = nvm_error(nvm, code);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return ret;
}

static int bind_id(sqlite3_stmt *stmt, const uint8_t id[PARTITION_ID_SIZE])
{
	return sqlite3_bind_blob(stmt, 1, id, PARTITION_ID_SIZE, SQLITE_STATIC);
}

/* Copy the blob in column @column of the current row. */
static int column_blob(sqlite3_stmt *stmt, int column, void *blob, size_t capacity, size_t *length)
{
	const void *bytes;
	size_t n;

	if (sqlite3_column_type(stmt, column) != SQLITE_BLOB)
		return -EBADMSG;
	bytes = sqlite3_column_blob(stmt, column);
	n = (size_t)sqlite3_column_bytes(stmt, column);
	if (n > capacity)
		return -EMSGSIZE;
	if (n && !bytes)
		return -ENOMEM;
	if (n)
		memcpy(blob, bytes, n);
	*length = n;
	return 0;
}

/* One blob from a statement with at most one row; none: length 0. */
static int single_blob(struct nvm *nvm, enum statement which, void *blob, size_t capacity,
		       size_t *length)
{
	sqlite3_stmt *stmt = statement(nvm, which);
	int code, ret;

	*length = 0;
	code = sqlite3_step(stmt);
	ret = nvm_error(nvm, code);
	if (code == SQLITE_ROW)
		ret = column_blob(stmt, 0, blob, capacity, length);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return ret;
}

/* One number likewise; -ENOENT when there is no row. */
static int single_number(struct nvm *nvm, enum statement which, sqlite3_int64 *number)
{
	sqlite3_stmt *stmt = statement(nvm, which);
	int code, ret;

	code = sqlite3_step(stmt);
	ret = code == SQLITE_DONE ? -ENOENT : nvm_error(nvm, code);
	if (code == SQLITE_ROW)
		*number = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return ret;
}

static int partition_pid(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], sqlite3_int64 *pid)
{
	bind_id(statement(nvm, PARTITION_PID), id);
	return single_number(nvm, PARTITION_PID, pid);
}

int nvm_begin(struct nvm *nvm)
{
	return execute(nvm, BEGIN);
}

int nvm_commit(struct nvm *nvm)
{
	int ret;

	ret = execute(nvm, COMMIT);
	if (ret)
		nvm_rollback(nvm);
	return ret;
}

void nvm_rollback(struct nvm *nvm)
{
	/* Some errors have rolled back already. */
	if (!sqlite3_get_autocommit(nvm->db))
		execute(nvm, ROLLBACK);
}

int nvm_root_get(struct nvm *nvm, void *blob, size_t capacity, size_t *length)
{
	return single_blob(nvm, ROOT_GET, blob, capacity, length);
}

int nvm_root_set(struct nvm *nvm, const void *blob, size_t length)
{
	sqlite3_bind_blob(statement(nvm, ROOT_SET), 1, blob, (int)length, SQLITE_STATIC);
	return execute(nvm, ROOT_SET);
}

int nvm_header_get(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], void *blob,
		   size_t capacity, size_t *length)
{
	bind_id(statement(nvm, HEADER_GET), id);
	return single_blob(nvm, HEADER_GET, blob, capacity, length);
}

int nvm_header_set(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], const void *blob,
		   size_t length)
{
	bind_id(statement(nvm, HEADER_SET), id);
	sqlite3_bind_blob(statement(nvm, HEADER_SET), 2, blob, (int)length, SQLITE_STATIC);
	return execute(nvm, HEADER_SET);
}

int nvm_policy_get(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], void *blob,
		   size_t capacity, size_t *length)
{
	bind_id(statement(nvm, POLICY_GET), id);
	return single_blob(nvm, POLICY_GET, blob, capacity, length);
}

int nvm_policy_set(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], const void *blob,
		   size_t length)
{
	enum statement which = length ? POLICY_SET : POLICY_DELETE;

	bind_id(statement(nvm, which), id);
	if (length)
		sqlite3_bind_blob(statement(nvm, which), 2, blob, (int)length, SQLITE_STATIC);
	return execute(nvm, which);
}

static void bind_name(sqlite3_stmt *statement, const char *name)
{
	sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
}

int nvm_item_get(struct nvm *nvm, const char *name, void *blob, size_t capacity, size_t *length)
{
	bind_name(statement(nvm, ITEM_GET), name);
	return single_blob(nvm, ITEM_GET, blob, capacity, length);
}

int nvm_item_set(struct nvm *nvm, const char *name, const void *blob, size_t length)
{
	enum statement which = length ? ITEM_SET : ITEM_DELETE;

	bind_name(statement(nvm, which), name);
	if (length)
		sqlite3_bind_blob(statement(nvm, which), 2, blob, (int)length, SQLITE_STATIC);
	return execute(nvm, which);
}

int nvm_row_set(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], uint64_t row,
		const void *blob, size_t length, bool *existed, size_t *old)
{
	enum statement which = length ? ROW_SET : ROW_DELETE;
	sqlite3_int64 pid, size = 0;
	int ret;

	ret = partition_pid(nvm, id, &pid);
	if (ret)
		return ret;
	sqlite3_bind_int64(statement(nvm, ROW_LENGTH), 1, pid);
	sqlite3_bind_int64(statement(nvm, ROW_LENGTH), 2, row_key(row));
	ret = single_number(nvm, ROW_LENGTH, &size);
	if (ret && ret != -ENOENT)
		return ret;
	*existed = ret == 0;
	*old = (size_t)size;

	sqlite3_bind_int64(statement(nvm, which), 1, pid);
	sqlite3_bind_int64(statement(nvm, which), 2, row_key(row));
	if (length)
		sqlite3_bind_blob(statement(nvm, which), 3, blob, (int)length, SQLITE_STATIC);
	return execute(nvm, which);
}

/* Append the current row to the buffer. Return: 1 added, 0 no room, or a negative errno. */
static int append_row(sqlite3_stmt *stmt, uint8_t *buffer, size_t capacity, size_t *length)
{
	struct board_row row = { 0 };
	size_t n = 0;
	int ret;

	if (capacity - *length < sizeof(row))
		return 0;
	ret = column_blob(stmt, 1, buffer + *length + sizeof(row), capacity - *length - sizeof(row),
			  &n);
	if (ret == -EMSGSIZE)
		return *length ? 0 : -EBADMSG; /* a row that no commit can have stored */
	if (ret)
		return ret;
	row.id = row_id(sqlite3_column_int64(stmt, 0));
	row.length = (uint32_t)n;
	memcpy(buffer + *length, &row, sizeof(row));
	*length += sizeof(row) + n;
	return 1;
}

int nvm_rows(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], uint64_t after, void *buffer,
	     size_t capacity, size_t *length)
{
	sqlite3_stmt *stmt = statement(nvm, ROWS);
	sqlite3_int64 pid;
	int code, ret;

	*length = 0;
	ret = partition_pid(nvm, id, &pid);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	sqlite3_bind_int64(stmt, 1, pid);
	sqlite3_bind_int64(stmt, 2, row_key(after));
	do {
		code = sqlite3_step(stmt);
		ret = nvm_error(nvm, code);
		if (code == SQLITE_ROW)
			ret = append_row(stmt, buffer, capacity, length);
	} while (code == SQLITE_ROW && ret > 0);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return ret < 0 ? ret : 0;
}

int nvm_usage(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE], uint32_t *rows, uint64_t *bytes,
	      uint64_t *audit)
{
	sqlite3_stmt *stmt = statement(nvm, USAGE);
	sqlite3_int64 pid;
	int ret;

	*rows = 0;
	*bytes = 0;
	*audit = 0;
	ret = partition_pid(nvm, id, &pid);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	sqlite3_bind_int64(stmt, 1, pid);
	ret = nvm_error(nvm, sqlite3_step(stmt));
	if (!ret) {
		*rows = (uint32_t)sqlite3_column_int64(stmt, 0);
		*bytes = (uint64_t)sqlite3_column_int64(stmt, 1);
		*audit = (uint64_t)sqlite3_column_int64(stmt, 2);
	}
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return ret;
}

int nvm_partition_delete(struct nvm *nvm, const uint8_t id[PARTITION_ID_SIZE])
{
	bind_id(statement(nvm, PARTITION_DELETE), id);
	return execute(nvm, PARTITION_DELETE);
}

/*
 * Beyond the file's end, so that SQLite does not see it. Not every file system can; then there is
 * none.
 */
static void reserve_log(const struct nvm *nvm)
{
	int fd;

	fd = open(nvm->log_path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LOG_ROOM) && errno != EOPNOTSUPP)
		board_log("database log %s: no room could be reserved: %s", nvm->log_path,
			  strerror(errno));
	close(fd);
}

int nvm_room(struct nvm *nvm, uint64_t bytes)
{
	sqlite3_int64 size = 0;
	struct statvfs fs;
	int ret;

	/* Once for the log and once for the database */
	if (statvfs(nvm->log_path, &fs) == 0 &&
	    (uint64_t)fs.f_bavail * fs.f_frsize < 2 * bytes + RESERVE)
		return -ENOSPC;
	ret = single_number(nvm, PAGES, &size);
	if (ret)
		return ret;
	size *= PAGE_BYTES;
	return nvm_error(nvm, sqlite3_file_control(nvm->db, "main", SQLITE_FCNTL_SIZE_HINT, &size));
}

int nvm_checkpoint(struct nvm *nvm)
{
	int ret;

	ret = nvm_error(nvm, sqlite3_wal_checkpoint_v2(nvm->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
						       NULL, NULL));
	reserve_log(nvm);
	return ret;
}

static int pragma_number(struct nvm *nvm, const char *pragma, int *number)
{
	sqlite3_stmt *stmt = NULL;
	int code;

	code = sqlite3_prepare_v2(nvm->db, pragma, -1, &stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		*number = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return code == SQLITE_ROW ? 0 : nvm_error(nvm, code);
}

static int run(struct nvm *nvm, const char *sql)
{
	return nvm_error(nvm, sqlite3_exec(nvm->db, sql, NULL, NULL, NULL));
}

/* Settings that last only as long as the database is open. */
static int configure(struct nvm *nvm)
{
	int ret, growth = GROWTH;

	sqlite3_extended_result_codes(nvm->db, 1);
	sqlite3_db_config(nvm->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(nvm->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_file_control(nvm->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &growth);
	/* Nobody else opens it: the exclusive mode needs no shared-memory file. */
	ret = run(
		nvm,
		"PRAGMA page_size = 4096; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;");
	if (!ret)
		ret = run(nvm, "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
			       "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;"
			       "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
			       "PRAGMA wal_autocheckpoint = " LOG_PAGES ";");
	return ret;
}

static int make_schema(struct nvm *nvm)
{
	char sql[sizeof(schema) + 128];

	snprintf(sql, sizeof(sql),
		 "BEGIN; PRAGMA application_id = %d; PRAGMA user_version = %d;"
		 "%s COMMIT;",
		 APPLICATION_ID, FORMAT_VERSION, schema);
	return run(nvm, sql);
}

static int check_format(struct nvm *nvm, const char *path, struct error *error)
{
	int application = 0, version = 0;
	int ret;

	ret = pragma_number(nvm, "PRAGMA application_id", &application);
	if (!ret)
		ret = pragma_number(nvm, "PRAGMA user_version", &version);
	if (ret)
		return error_set(error, ret,
				 "database %s: damaged (%s); restore the newest copy "
				 "of the state, or start anew with --zeroize",
				 path, sqlite3_errmsg(nvm->db));
	if (application != APPLICATION_ID)
		return error_set(error, -EBADMSG,
				 "database %s: not made by vhsm, or damaged; "
				 "restore the newest copy of the state, or start anew with "
				 "--zeroize",
				 path);
	if (version != FORMAT_VERSION)
		return error_set(error, -EPROTONOSUPPORT,
				 "database %s: state format version %d, "
				 "this vhsm knows version %d; use the one that made it",
				 path, version, FORMAT_VERSION);
	return 0;
}

static int prepare(struct nvm *nvm, const char *path, struct error *error)
{
	int i, code;

	for (i = 0; i < STATEMENTS; i++) {
		code = sqlite3_prepare_v3(nvm->db, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT,
					  &nvm->statements[i], NULL);
		if (code != SQLITE_OK)
			return error_set(error, -EBADMSG,
					 "database %s: damaged (%s); restore the "
					 "newest copy of the state, or start anew with --zeroize",
					 path, sqlite3_errmsg(nvm->db));
	}
	return 0;
}

void nvm_remove(const char *path)
{
	static const char *const endings[] = { "", "-wal", "-shm", "-journal" };
	char name[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if ((size_t)snprintf(name, sizeof(name), "%s%s", path, endings[i]) < sizeof(name))
			unlink(name);
}

int nvm_open(const char *path, bool create, struct nvm **result, struct error *error)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
	struct nvm *nvm;
	int ret, code;

	if (create)
		nvm_remove(path);
	else if (access(path, F_OK))
		return error_set(error, -errno, "database %s: %s", path, strerror(errno));
	nvm = calloc(1, sizeof(*nvm));
	if (!nvm || asprintf(&nvm->log_path, "%s-wal", path) < 0) {
		free(nvm);
		return error_set(error, -ENOMEM, "database %s: out of memory", path);
	}
	code = sqlite3_open_v2(path, &nvm->db, flags | (create ? SQLITE_OPEN_CREATE : 0), NULL);
	ret = code == SQLITE_OK ? configure(nvm) : nvm_error(nvm, code);
	if (!ret && create)
		ret = make_schema(nvm);
	if (ret) {
		error_set(
			error, ret, "database %s: cannot be opened: %s (%s)%s", path,
			sqlite3_errmsg(nvm->db), strerror(-ret),
			ret == -EBADMSG
				? "; restore the newest copy of the state, or start anew with --zeroize"
				: "");
		goto fail;
	}
	ret = check_format(nvm, path, error);
	if (!ret)
		ret = prepare(nvm, path, error);
	if (ret)
		goto fail;
	reserve_log(nvm);
	*result = nvm;
	return 0;

fail:
	nvm_close(nvm);
	return ret;
}

void nvm_close(struct nvm *nvm)
{
	int i;

	if (!nvm)
		return;
	for (i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(nvm->statements[i]);
	sqlite3_close(nvm->db);
	free(nvm->log_path);
	free(nvm);
}
