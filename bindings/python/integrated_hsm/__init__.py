# SPDX-License-Identifier: Apache-2.0
"""
libhsm for Python: devices, their partitions, channels to these, and commands.

    with Device() as device, device.connect(device.partitions()[0]) as channel:
        session = channel.call("SESSION_OPEN", flags=4).session
        print(channel.call("RANDOM", session=session, length=16)["DATA"].hex())

Operations and fields have the names of Documentation/commands.rst; the library itself knows their numbers.
A thin layer: what libhsm(3) says of threads and fork holds here. PINs that pass through here lie in
Python's memory, which nobody wipes: programs with better needs use PKCS#11 or C.
"""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import os
import uuid
from collections.abc import Iterator, Mapping
from types import TracebackType

__all__ = ["Channel", "Device", "DeviceInfo", "HsmError", "Partition", "Response", "check_config", "devices",
           "library_version", "operations"]

Value = int | bytes | str

_PATH_SIZE = 4096
_EVIDENCE_ROOM = 65536
_FIELDS_MAX = 64
_TAG_END = 0x400
_KINDS = {"device": 1, "partition": 2, "key": 3}


class _Error(ctypes.Structure):
    _fields_ = [("error", ctypes.c_int), ("layer", ctypes.c_uint), ("device_status", ctypes.c_uint),
                ("rv", ctypes.c_uint64), ("text", ctypes.c_char * 256)]


class _DeviceInfo(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 256), ("serial", ctypes.c_char * 33), ("model", ctypes.c_char * 41),
                ("firmware", ctypes.c_char * 33), ("board_id", ctypes.c_uint8 * 16),
                ("measurement", ctypes.c_uint8 * 48), ("version", ctypes.c_uint32),
                ("security_version", ctypes.c_uint32), ("min_security_version", ctypes.c_uint32),
                ("function", ctypes.c_uint32),
                ("functions", ctypes.c_uint32), ("partitions", ctypes.c_uint32), ("state", ctypes.c_uint32),
                ("flags", ctypes.c_uint32), ("class_ms", ctypes.c_uint32 * 4)]


class _Partition(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint8 * 16), ("slot", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("changes", ctypes.c_uint32), ("name", ctypes.c_char * 65)]


class _Field(ctypes.Structure):
    _fields_ = [("tag", ctypes.c_uint16), ("length", ctypes.c_uint32), ("data", ctypes.c_void_p)]


class _Fields(ctypes.Structure):
    _fields_ = [("count", ctypes.c_uint), ("field", _Field * _FIELDS_MAX)]


class _Operation(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("session", ctypes.c_uint8), ("role", ctypes.c_uint8),
                ("time_class", ctypes.c_uint8), ("repeat", ctypes.c_uint8), ("name", ctypes.c_char_p),
                ("summary", ctypes.c_char_p)]


class _Attest(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_uint), ("session", ctypes.c_uint32), ("key", ctypes.c_uint64),
                ("nonce", ctypes.c_char_p), ("nonce_length", ctypes.c_size_t), ("binding", ctypes.c_char_p),
                ("binding_length", ctypes.c_size_t)]


@functools.cache
def _library() -> ctypes.CDLL:
    lib = ctypes.CDLL(os.environ.get("HSM_LIBRARY", "libhsm.so.0"))
    for name in ("hsm_request_new", "hsm_request_writer", "hsm_request_fields", "hsm_operation_at"):
        getattr(lib, name).restype = ctypes.c_void_p
    for name in ("hsm_field_name", "hsm_library_version", "hsm_layer_name"):
        getattr(lib, name).restype = ctypes.c_char_p
    for name in ("hsm_request_approved", "hsm_field_number"):
        getattr(lib, name).restype = ctypes.c_bool
    lib.hsm_request_rv.restype = ctypes.c_uint64
    lib.hsm_request_session.restype = ctypes.c_uint32
    lib.hsm_close.restype = lib.hsm_disconnect.restype = lib.hsm_request_free.restype = None
    return lib


class HsmError(OSError):
    """What went wrong: errno, text, the layer's name, and with layer "command" the CKR_ number, rv."""

    def __init__(self, error: _Error) -> None:
        super().__init__(-error.error, error.text.decode(errors="replace"))
        self.layer: str = _library().hsm_layer_name(error.layer).decode()
        self.rv: int = error.rv


def _check(result: int, error: _Error) -> int:
    if result < 0:
        error.error = error.error or result
        raise HsmError(error)
    return result


def library_version() -> str:
    version: bytes = _library().hsm_library_version()
    return version.decode()


@functools.cache
def operations() -> Mapping[str, int]:
    """Operation codes by name, as the library has them."""
    found: dict[str, int] = {}
    while row := _library().hsm_operation_at(ctypes.c_size_t(len(found))):
        operation = ctypes.cast(row, ctypes.POINTER(_Operation)).contents
        found[operation.name.decode()] = operation.code
    return found


@functools.cache
def _tags() -> Mapping[str, int]:
    names = {tag: _library().hsm_field_name(tag).decode() for tag in range(1, _TAG_END)}
    return {name.upper(): tag for tag, name in names.items() if name != "unknown"}


@functools.cache
def _names() -> Mapping[int, str]:
    return {tag: name for name, tag in _tags().items()}


def devices() -> list[str]:
    """Names of the devices to use when nobody names one: HSM_DEVICE, hsm.conf, /dev/ihsm*."""
    names, error = ctypes.POINTER(ctypes.c_char_p)(), _Error()
    count = _check(_library().hsm_default_devices(ctypes.byref(names), ctypes.byref(error)), error)
    try:
        return [(names[i] or b"").decode() for i in range(count)]
    finally:
        _library().hsm_free_names(names)


def check_config() -> str:
    """Path of the hsm.conf that is read, "" when there is none; HsmError when it is not right."""
    path, error = ctypes.create_string_buffer(_PATH_SIZE), _Error()
    _check(_library().hsm_config_check(path, ctypes.byref(error)), error)
    return path.value.decode()


@dataclasses.dataclass(frozen=True)
class DeviceInfo:
    """What a device says of itself. Not authenticated: the channel proves what counts."""

    name: str
    serial: str
    model: str
    firmware: str
    board_id: uuid.UUID
    measurement: bytes
    security_version: int
    min_security_version: int
    function: int
    functions: int


@dataclasses.dataclass(frozen=True)
class Partition:
    """A partition of a device's function."""

    id: uuid.UUID
    slot: int
    name: str


class Response(Mapping[str, int | bytes]):
    """The answer to a command: rv, its CKR_ number, session, and its fields by name."""

    def __init__(self, lib: ctypes.CDLL, request: ctypes.c_void_p) -> None:
        self.rv: int = lib.hsm_request_rv(request)
        self.session: int = lib.hsm_request_session(request)
        self.approved: bool = lib.hsm_request_approved(request)
        self._fields: dict[str, int | bytes] = {}
        fields = ctypes.cast(lib.hsm_request_fields(request), ctypes.POINTER(_Fields)).contents
        for field in fields.field[:fields.count]:
            data = ctypes.string_at(field.data, field.length)
            number = lib.hsm_field_number(field.tag)
            self._fields[_names()[field.tag]] = int.from_bytes(data, "little") if number else data

    def __getitem__(self, name: str) -> int | bytes:
        return self._fields[name.upper()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def data(self, name: str) -> bytes:
        """A field that is no number."""
        value = self[name]
        if isinstance(value, int):
            raise TypeError(f"{name} is a number")
        return value


class Channel:
    """An authenticated, encrypted channel to a partition; made by Device.connect()."""

    def __init__(self, device: Device, partition: bytes) -> None:
        self._device = device
        self._handle = ctypes.c_void_p()
        error = _Error()
        _check(_library().hsm_connect(device.handle(), partition, ctypes.byref(self._handle), ctypes.byref(error)),
               error)

    def close(self) -> None:
        _library().hsm_disconnect(self._handle)
        self._handle = ctypes.c_void_p()

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _open(self) -> ctypes.c_void_p:
        if not self._handle:
            raise ValueError("the channel is closed")
        return self._handle

    def call(self, operation: str, *, session: int = 0, check: bool = True, **fields: Value) -> Response:
        """
        Send a command and wait. Text goes as UTF-8. An answer other than CKR_OK raises HsmError, or with
        check=False is the response's rv.
        """
        lib, error = _library(), _Error()
        values = [(_tags()[name.upper()], value) for name, value in fields.items()]
        request = ctypes.c_void_p(lib.hsm_request_new(self._open(), operations()[operation], ctypes.c_uint32(session)))
        if not request:
            raise MemoryError
        try:
            writer = ctypes.c_void_p(lib.hsm_request_writer(request))
            # In the order of the tags, as the device wants them
            for tag, value in sorted(values, key=lambda row: row[0]):
                if isinstance(value, int):
                    lib.hsm_put_number(writer, tag, ctypes.c_uint64(value))
                else:
                    data = value.encode() if isinstance(value, str) else value
                    lib.hsm_put_bytes(writer, tag, data, ctypes.c_size_t(len(data)))
            _check(lib.hsm_call(request, ctypes.byref(error)), error)
            response = Response(lib, request)
        finally:
            lib.hsm_request_free(request)
        if check and response.rv:
            raise HsmError(_Error(-5, 6, 0, response.rv, f"{operation}: CKR_ {response.rv:#x}".encode()))
        return response

    def identity(self) -> bytes:
        """SHA-256 of the public key that the partition has proven to have."""
        room = ctypes.create_string_buffer(32)
        _check(_library().hsm_channel_identity(self._open(), room), _Error())
        return room.raw

    def attest(self, kind: str, nonce: bytes = b"", *, session: int = 0, key: int = 0, binding: bytes = b"") -> bytes:
        """Evidence of the "device", "partition" or "key", for hsm-verify(1)."""
        request = _Attest(_KINDS[kind], session, key, nonce or None, len(nonce), binding or None, len(binding))
        room, length, error = ctypes.create_string_buffer(_EVIDENCE_ROOM), ctypes.c_size_t(_EVIDENCE_ROOM), _Error()
        _check(_library().hsm_attest(self._open(), ctypes.byref(request), room, ctypes.byref(length),
                                     ctypes.byref(error)), error)
        return room.raw[:length.value]


class Device:
    """An open device: /dev/ihsmN, vfio-user:SOCKET or vhsm:DIR; None: the first one of devices()."""

    def __init__(self, name: str | None = None, *, admin: bool = False, start: bool = True) -> None:
        self._handle = ctypes.c_void_p()
        error, flags = _Error(), (1 if admin else 0) | (0 if start else 2)
        _check(_library().hsm_open(name.encode() if name else None, flags, ctypes.byref(self._handle),
                                   ctypes.byref(error)), error)

    def handle(self) -> ctypes.c_void_p:
        """libhsm's own, for calls that are not here."""
        if not self._handle:
            raise ValueError("the device is closed")
        return self._handle

    def close(self) -> None:
        """Its channels must have been closed."""
        _library().hsm_close(self._handle)
        self._handle = ctypes.c_void_p()

    def __enter__(self) -> Device:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def info(self) -> DeviceInfo:
        info, error = _DeviceInfo(), _Error()
        _check(_library().hsm_device_info(self.handle(), ctypes.byref(info), ctypes.byref(error)), error)
        return DeviceInfo(info.name.decode(), info.serial.decode(), info.model.decode(), info.firmware.decode(),
                          uuid.UUID(bytes=bytes(info.board_id)), bytes(info.measurement), info.security_version,
                          info.min_security_version, info.function, info.functions)

    def partitions(self) -> list[Partition]:
        count, error = ctypes.c_size_t(0), _Error()
        room: ctypes.Array[_Partition] = (_Partition * 0)()
        # There may be more of them by the time that there is room.
        while (result := _library().hsm_partitions(self.handle(), room, ctypes.byref(count),
                                                   ctypes.byref(error))) == -28 or count.value > len(room):
            room = (_Partition * count.value)()
        _check(result, error)
        return [Partition(uuid.UUID(bytes=bytes(p.id)), p.slot, p.name.decode()) for p in room[:count.value]]

    def connect(self, partition: Partition | uuid.UUID) -> Channel:
        number = partition.id if isinstance(partition, Partition) else partition
        return Channel(self, number.bytes)
