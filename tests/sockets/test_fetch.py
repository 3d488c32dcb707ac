import base64
import contextlib
import gzip
import hashlib
import socket
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from inferencesh_core.addresses import AddressPolicy, AddressRefusedError
from inferencesh_core.cache_entry import CacheEntry
from inferencesh_core.fetch import DownloadError, FetchLimits, download, fetch
from inferencesh_core.file import File
from inferencesh_core.storage import StorageDir

CONTENT = bytes(range(256)) * 1000
QUICK = FetchLimits(backoff_base=0.001, idle_seconds=5, total_seconds=30)
STRICT = AddressPolicy()


class Site:
    """What a server on loopback serves, and what it was asked."""

    def __init__(self):
        self.content = CONTENT
        self.headers = {}
        self.etag = '"one"'
        self.status = 200
        self.redirect = None
        self.cuts = []
        self.hide_length = False
        self.ranges = True
        self.requests = []
        self.url = ""

    def answer(self, handler):
        self.requests.append((handler.path, dict(handler.headers)))
        if self.redirect:
            return self.head(handler, 302, {"Location": self.redirect(handler.path), "Content-Length": "0"})
        if self.status != 200:
            return self.head(handler, self.status, {"Content-Length": "0", **self.headers})
        if self.etag and handler.headers.get("If-None-Match") == self.etag:
            return self.head(handler, 304, {"ETag": self.etag})
        start = self.start(handler)
        status = 206 if start else 200
        whole = len(self.content)
        headers = {"Content-Type": "image/webp; a=b", "Connection": "close", **self.headers}
        if self.etag:
            headers["ETag"] = self.etag
        if start:
            headers["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
        if not self.hide_length:
            headers["Content-Length"] = str(whole - start)
        self.head(handler, status, headers)
        keep = self.cuts.pop(0) if self.cuts else whole
        handler.wfile.write(self.content[start : start + keep])
        return None

    def start(self, handler):
        asked = handler.headers.get("Range", "")
        if not self.ranges or not asked or handler.headers.get("If-Range") != self.etag:
            return 0
        return int(asked.removeprefix("bytes=").rstrip("-"))

    def head(self, handler, status, headers):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()

    def asked(self, header):
        return [headers.get(header) for _, headers in self.requests]


@contextlib.contextmanager
def serving(site):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            with contextlib.suppress(OSError):
                site.answer(self)
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site():
    with serving(Site()) as running:
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FILE_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path / "cache"


def got(site, path="/a/b.png", **options):
    url = site.url + path
    return fetch(url, CacheEntry.of_url(url), **{"limits": QUICK, **options})


def leftovers(folder):
    return [path.name for path in folder.iterdir() if ".part" in path.name or path.name.startswith("tmp")]


def test_a_download_is_whole_and_lies_under_a_digest(site, cache):
    seen = []
    fetched = got(site, progress=lambda *step: seen.append(step))
    assert Path(fetched.path).read_bytes() == CONTENT
    assert (fetched.size, fetched.content_type) == (len(CONTENT), "image/webp")
    assert Path(fetched.path).parent == cache
    assert Path(fetched.path).name == hashlib.sha256(f"{site.url}/a/b.png".encode()).hexdigest() + ".png"
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert leftovers(cache) == []


def test_a_cut_download_is_continued_where_it_stopped(site):
    site.cuts = [1000, 50_000, 1]
    assert Path(got(site).path).read_bytes() == CONTENT
    assert site.asked("Range") == [None, "bytes=1000-", "bytes=51000-", "bytes=51001-"]
    assert set(site.asked("If-Range")[1:]) == {'"one"'}


def test_progress_refills_the_budget_of_tries(site):
    site.cuts = [10] * 20
    assert got(site).size == len(CONTENT)
    assert len(site.requests) == 21


def test_a_server_without_ranges_sends_everything_again(site):
    site.ranges = False
    site.cuts = [1000, 2000]
    assert Path(got(site).path).read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ['W/"weak"', None])
def test_without_a_strong_validator_nothing_is_continued(site, etag):
    site.etag = etag
    site.cuts = [1000]
    assert Path(got(site).path).read_bytes() == CONTENT
    assert site.asked("Range") == [None, None]


def test_content_that_changed_during_the_download_is_never_mixed(site):
    site.cuts = [1000]
    entry = CacheEntry.of_url(site.url + "/x")
    with pytest.raises(DownloadError):
        fetch(site.url + "/x", entry, limits=FetchLimits(attempts=1))
    site.content, site.etag = b"new" * 5000, '"two"'
    assert Path(fetch(site.url + "/x", entry, limits=QUICK).path).read_bytes() == site.content
    assert site.asked("Range")[-1] == "bytes=1000-"


def test_a_later_process_continues_what_an_earlier_one_began(site):
    site.cuts = [1000]
    with pytest.raises(DownloadError, match=r"cut|broke"):
        got(site, limits=FetchLimits(attempts=1))
    assert Path(got(site).path).read_bytes() == CONTENT
    assert site.asked("Range") == [None, "bytes=1000-"]


def test_a_truncated_download_is_never_accepted_nor_cached(site, cache):
    site.etag = None
    site.cuts = [1000] * 50
    with pytest.raises(DownloadError, match=r"cannot download http://127\.0\.0\.1:\d+/a/b\.png: ") as caught:
        got(site, "/a/b.png?signature=secret")
    assert "secret" not in str(caught.value)
    assert len(caught.value.attempts) == QUICK.attempts
    assert not list(cache.glob("*.png"))


def test_a_wrong_range_is_refused_and_the_file_still_right(site):
    site.cuts = [1000]
    lying = iter([5, 0])

    def start(handler):
        return next(lying) if handler.headers.get("Range") else 0

    site.start = start
    assert Path(got(site).path).read_bytes() == CONTENT


def test_an_announced_digest_is_checked(site):
    right = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    site.headers = {"Repr-Digest": f"sha-256=:{right}:"}
    assert got(site).size == len(CONTENT)
    site.etag, site.content = '"two"', CONTENT[::-1]
    with pytest.raises(DownloadError, match="sha-256 is not the one"):
        got(site)


def test_an_unchanged_copy_is_not_sent_again(site):
    assert got(site) == got(site)
    assert site.asked("If-None-Match") == [None, '"one"']


def test_changed_content_is_seen(site):
    first = File(site.url + "/x.png")
    assert Path(first.path).read_bytes() == CONTENT
    site.content, site.etag = b"new", '"two"'
    second = File(site.url + "/x.png")
    assert (Path(second.path).read_bytes(), second.size) == (b"new", 3)


def test_content_without_a_validator_is_fetched_again(site):
    site.etag = None
    got(site)
    site.content = b"new"
    assert Path(got(site).path).read_bytes() == b"new"


def test_a_damaged_copy_is_fetched_again(site):
    Path(got(site).path).write_bytes(b"cut")
    assert Path(got(site).path).read_bytes() == CONTENT


def test_a_body_without_a_length_is_taken_but_not_offered_again(site):
    site.hide_length = True
    assert got(site).size == len(CONTENT)
    got(site)
    assert site.asked("If-None-Match") == [None, None]


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_refusal_is_final(site, status):
    site.status = status
    with pytest.raises(DownloadError, match=f"HTTP {status}") as caught:
        got(site)
    assert caught.value.status == status
    assert len(site.requests) == 1


def test_a_passing_failure_is_tried_again(site):
    site.status = 503
    with pytest.raises(DownloadError, match="HTTP 503"):
        got(site)
    assert len(site.requests) == QUICK.attempts


def test_a_server_that_is_not_there_is_an_error_that_says_so(cache):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(DownloadError, match="cannot connect"):
        fetch(f"http://127.0.0.1:{port}/x", CacheEntry(cache / "x"), limits=QUICK)


@pytest.mark.parametrize("url", ["ftp://h/x", "http:///x", "file:///etc/hostname", "nonsense"])
def test_what_is_no_web_address_is_refused_at_once(cache, url):
    with pytest.raises(DownloadError, match=r"is not an? "):
        fetch(url, CacheEntry(cache / "x"))


def test_redirects_are_followed_up_to_a_limit(site):
    site.redirect = lambda path: f"/{int(path[1:]) - 1}" if path != "/1" else "/0"
    original = site.answer

    def answer(handler):
        if handler.path == "/0":
            site.redirect = None
        original(handler)

    site.answer = answer
    assert got(site, "/5").size == len(CONTENT)
    site.redirect, site.answer = (lambda _: "/again"), original
    with pytest.raises(DownloadError, match="redirects more than 5 times"):
        got(site, "/again")


def test_a_private_address_is_refused_before_anything_is_sent(site):
    with pytest.raises(AddressRefusedError, match=r"127\.0\.0\.1 is at 127\.0\.0\.1, which is loopback"):
        got(site, policy=STRICT)
    with pytest.raises(AddressRefusedError, match="localhost is at"):
        fetch(site.url.replace("127.0.0.1", "localhost"), CacheEntry.of_url("x"), policy=STRICT)
    assert site.requests == []


def test_a_redirect_to_a_private_address_is_refused(site):
    with serving(Site()) as inner:
        site.redirect = lambda _: inner.url + "/secret"
        with pytest.raises(AddressRefusedError, match="loopback"):
            got(site, policy=AddressPolicy(allowed_origins=frozenset({site.url})))
        assert inner.requests == []


def test_an_allowed_origin_is_reached_under_the_strict_rules(site):
    assert got(site, policy=AddressPolicy(allowed_origins=frozenset({site.url}))).size == len(CONTENT)


def test_the_policy_of_the_process_holds_for_files(site, monkeypatch):
    monkeypatch.setenv("INFERENCESH_FETCH_POLICY", STRICT.to_json())
    with pytest.raises(AddressRefusedError):
        File(site.url + "/x").resolve()


def test_the_connection_goes_to_the_address_that_was_judged(site, monkeypatch):
    # The name answers once, with a public address; only a connection to that very address finds the server.
    port = int(site.url.rpartition(":")[2])
    answers = {"files.example": ["8.8.8.8"], "8.8.8.8": ["127.0.0.1"]}

    def getaddrinfo(host, *_args, **_kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[host].pop(), port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    url = f"http://files.example:{port}/x"
    assert fetch(url, CacheEntry.of_url(url), policy=STRICT, limits=QUICK).size == len(CONTENT)
    assert site.asked("Host") == [f"files.example:{port}"]


def test_too_large_a_file_is_refused_by_its_announced_length_and_by_its_content(site, cache):
    small = FetchLimits(max_bytes=1000)
    for hidden in (False, True):
        site.hide_length = hidden
        with pytest.raises(DownloadError, match="larger than the 1000 bytes allowed"):
            got(site, limits=small)
    assert leftovers(cache) == []


def test_compressed_content_is_unpacked_within_its_limit(site):
    site.headers = {"Content-Encoding": "gzip"}
    site.content = gzip.compress(CONTENT)
    assert Path(got(site).path).read_bytes() == CONTENT
    site.content, site.etag = gzip.compress(bytes(10_000_000)), '"bomb"'
    with pytest.raises(DownloadError, match="larger than the 1000000 bytes allowed"):
        got(site, limits=FetchLimits(max_decoded_bytes=1_000_000))


def test_a_download_takes_no_longer_than_allowed(cache):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(DownloadError):
            fetch(url, CacheEntry(cache / "x"), limits=FetchLimits(total_seconds=0.2, backoff_base=0.001))


def test_threads_that_want_one_url_share_one_download(site):
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: got(site), range(8)))
    assert len(set(results)) == 1
    assert Path(results[0].path).read_bytes() == CONTENT
    assert site.asked("If-None-Match").count(None) == 1


FETCH_TWICE = """
import sys
from inferencesh_core.cache_entry import CacheEntry
from inferencesh_core.fetch import fetch
for _ in range(2):
    print(fetch(sys.argv[1], CacheEntry.of_url(sys.argv[1])).size)
"""


def test_processes_that_want_one_url_share_one_download(site):
    command = [sys.executable, "-c", FETCH_TWICE, f"{site.url}/x"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sizes = [line for process in both for line in process.communicate(timeout=60)[0].split()]
    assert sizes == [str(len(CONTENT))] * 4
    assert site.asked("If-None-Match").count(None) == 1


def test_a_file_behind_a_url_is_fetched_when_it_is_needed(site, capfd):
    file = File(site.url + "/pictures/cat.jpg")
    assert site.requests == []
    assert (file.size, file.content_type, file.filename) == (len(CONTENT), "image/jpeg", "cat.jpg")
    assert Path(file.path).read_bytes() == CONTENT
    assert (file.exists(), file.is_resolved(), file.is_local(), len(site.requests)) == (True, True, True, 1)
    assert File(site.url + "/cat").content_type is None
    assert capfd.readouterr() == ("", "")


def test_a_url_without_extension_is_labelled_by_the_server(site):
    file = File(site.url + "/cat")
    file.resolve()
    assert file.content_type == "image/webp"
    site.content, site.etag = b"\x89PNG\r\n\x1a\n", '"png"'
    other = File(site.url + "/cat")
    assert other.exists()
    assert other.content_type == "image/png"


def test_a_url_that_is_gone_does_not_exist(site):
    site.status = 404
    assert not File(site.url + "/x").exists()
    with pytest.raises(DownloadError, match="HTTP 404"):
        File(site.url + "/x").path  # noqa: B018
    site.status = 403
    with pytest.raises(DownloadError, match="HTTP 403"):
        File(site.url + "/x").exists()


def test_download_makes_the_folder_and_gives_the_path(site, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url = site.url + "/m/model.bin?x=1"
    path = download(url, "some/new/folder")
    assert path == f"some/new/folder/{hashlib.sha256(url.encode()).hexdigest()[:12]}/model.bin"
    assert Path(path).read_bytes() == CONTENT
    assert download(url, Path("some/new/folder")) == path
    assert site.asked("If-None-Match") == [None, '"one"']


def test_the_folders_of_an_app_are_named():
    assert {item.name: item.value for item in StorageDir} == {
        "DATA": "/app/data",
        "TEMP": "/app/tmp",
        "CACHE": "/app/cache",
    }
    assert isinstance(StorageDir.DATA, str)
