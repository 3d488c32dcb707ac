"""The standard library's transport, its streams read into buffers."""

from inferencesh_core.http.http_client_transport import HttpClientTransport

_PLACE = 100


class IntoBuffers(HttpClientTransport):
    """A transport whose streams are read as if by `read`, and are received into the middle of a buffer."""

    def open(self, request):
        stream = super().open(request)
        return StreamIntoBuffers(stream) if hasattr(stream, "read_into") else stream  # as by a proxy


class StreamIntoBuffers:
    def __init__(self, stream):
        self._stream = stream
        self.status, self.headers, self.close = stream.status, stream.headers, stream.close

    def read(self, timeout):
        buffer = bytearray(b"#" * (_PLACE + 64 * 1024))
        count = self._stream.read_into(buffer, _PLACE, timeout)
        assert buffer[:_PLACE] == b"#" * _PLACE
        assert len(buffer) == _PLACE + 64 * 1024
        return bytes(buffer[_PLACE : _PLACE + count])
