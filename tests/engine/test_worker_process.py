"""A worker process through its pipes: signatures, streams, logs, cancelling, failing, ending."""

import json
import os
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from inferencesh_app.worker import protocol
from inferencesh_app.worker.lifeline import UNLOAD_SECONDS

pytestmark = pytest.mark.timeout(60)

HEAD = """
import asyncio, logging, os, sys, threading, time
from typing import *
from inferencesh_app import BaseApp, BaseAppInput, BaseAppOutput, BaseAppSetup, File, Metadata
class AppInput(BaseAppInput):
    text: str = ""
class AppOutput(BaseAppOutput):
    text: str
"""


class Worker:
    """The engine's side of one worker process."""

    def __init__(self, folder, **options):
        fd_in, self.to_worker = os.pipe()
        from_worker, fd_out = os.pipe()
        fds = ["--fd-in", str(fd_in), "--fd-out", str(fd_out)]
        command = [sys.executable, "-m", "inferencesh_app.worker", "--app", str(folder), *fds]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, pass_fds=(fd_in, fd_out), cwd="/", **{**pipes, **options})
        os.close(fd_in)
        os.close(fd_out)
        self.answers = os.fdopen(from_worker, "rb")

    def send(self, message):
        rest = protocol.encode(message)
        while rest:
            rest = rest[os.write(self.to_worker, rest) :]

    def receive(self):
        line = self.answers.readline()
        return protocol.decode(line) if line else None

    def until(self, *types):
        """All messages up to one of these types, or to the end of the pipe."""
        messages = [self.receive()]
        while messages[-1] is not None and messages[-1]["type"] not in types:
            messages.append(self.receive())
        return messages

    def ready(self, setup=None, **metadata):
        self.send(protocol.setup(setup, metadata))
        return self.until("ready", "setup_failed", "load_failed")

    def start(self, call, function=None, value=None, **metadata):
        self.send(protocol.call(call, function, value, metadata))

    def call(self, function=None, value=None, **metadata):
        """All messages of one call."""
        self.start("c", function, value, **metadata)
        return self.until("result", "failed")

    def answer(self, function=None, value=None, **metadata):
        """The last message of one call."""
        return self.call(function, value, **metadata)[-1]

    def exit_code(self):
        self.send(protocol.unload())
        assert self.until("unloaded")[-1] == protocol.unloaded()
        return self.process.wait(10)

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        self.answers.close()
        self.close()

    def close(self):
        if self.to_worker is not None:
            os.close(self.to_worker)
            self.to_worker = None


@pytest.fixture
def worker_in():
    """Starts workers of app folders; ends them."""
    workers = []

    def start(folder):
        workers.append(Worker(folder, start_new_session=True))
        return workers[-1]

    yield start
    for worker in workers:
        worker.end()


@pytest.fixture
def worker_of(worker_in, tmp_path):
    """Starts workers of apps given as source."""

    def start(source, **files):
        for name, text in {"inference.py": HEAD + textwrap.dedent(source), **files}.items():
            (tmp_path / name).write_text(text)
        return worker_in(tmp_path)

    return start


def text_of(message):
    assert message["type"] == "result", message
    return message["output"]["text"]


RUNS = """
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        return AppOutput(text=input_data.text)
    async def with_metadata(self, input_data: AppInput, metadata) -> AppOutput:
        return AppOutput(text=f"{metadata.task_id} {metadata.worker_id} {metadata.get('attempt')}")
    async def with_default(self, input_data: AppInput, metadata=None) -> AppOutput:
        return AppOutput(text=type(metadata).__name__)
    def sync(self, app_input: AppInput) -> AppOutput:
        return AppOutput(text=threading.current_thread().name)
    async def stream(self, input_data: AppInput) -> AsyncGenerator[AppOutput, None]:
        for end in (1, 2, 3):
            yield AppOutput(text="abc"[:end])
    async def stream_with_metadata(self, input_data: AppInput, metadata) -> AsyncGenerator[AppOutput, None]:
        yield AppOutput(text=metadata.task_id)
    def sync_stream(self, input_data: AppInput) -> Iterator[AppOutput]:
        for end in (1, 2):
            yield AppOutput(text="abc"[:end])
    async def as_dict(self, input_data: AppInput) -> AppOutput:
        return {"text": "from a dict"}
    async def empty(self, input_data: AppInput) -> AsyncGenerator[AppOutput, None]:
        if input_data.text: yield
    async def nothing(self, input_data: AppInput) -> AppOutput:
        pass
    async def wrong(self, input_data: AppInput) -> AppOutput:
        return AppOutput(text=["no text"])
    async def changed(self, input_data: AppInput) -> AppOutput:
        output = AppOutput(text="")
        output.text = 5
        return output
    async def number(self, input_data: AppInput) -> AppOutput:
        raise KeyError("a\\nb")
    async def sys_exit(self, input_data: AppInput) -> AppOutput:
        sys.exit("done")
    def stop_iteration(self, input_data: AppInput) -> AppOutput:
        next(iter(()))
    def run_a_loop(self, input_data: AppInput) -> AppOutput:
        return AppOutput(text=asyncio.run(asyncio.sleep(0, "ran")))
"""


def test_functions_of_every_signature_answer(worker_of):
    worker = worker_of(RUNS)
    description = worker.until("loaded")[-1]["description"]
    assert description["default_function"] == "run"
    assert worker.ready(worker_id="w", task_id="overridden")[-1] == protocol.ready()

    assert text_of(worker.answer(None, {"text": "hi"})) == "hi"
    assert text_of(worker.answer("with_metadata", task_id="t", attempt=2)) == "t w 2"
    assert text_of(worker.answer("with_default")) == "Metadata"
    assert text_of(worker.answer("sync")).startswith("app")
    assert text_of(worker.answer("stream_with_metadata", task_id="t")) == "t"
    assert text_of(worker.answer("as_dict")) == "from a dict"
    assert text_of(worker.answer("run_a_loop")) == "ran"
    assert worker.exit_code() == protocol.EXIT_UNLOADED


@pytest.mark.parametrize(
    ("function", "texts"), [("stream", ["a", "ab", "abc"]), ("sync_stream", ["a", "ab"])]
)
def test_each_yield_is_an_output_and_the_last_one_the_result(worker_of, function, texts):
    worker = worker_of(RUNS)
    worker.ready()
    messages = worker.call(function)
    assert [message["type"] for message in messages] == ["started", *["output"] * len(texts), "result"]
    assert [message["output"]["text"] for message in messages[1:]] == [*texts, texts[-1]]


def test_failures_say_their_kind_and_in_one_line_what_happened(worker_of):
    worker = worker_of(RUNS)
    worker.ready()
    for function, value, kind, error in [
        (None, {"text": 3}, "invalid_input", "input of run is invalid: text: Input should be a valid string"),
        ("absent", {}, "unknown_function", "the app has no function 'absent'; it has run, with_metadata"),
        ("empty", {}, "no_output", "empty yielded nothing; yield at least one output"),
        ("nothing", {}, "invalid_output", "nothing returned nothing; return its output model"),
        (
            "wrong",
            {},
            "invalid_output",
            "output of wrong is invalid: AppOutput: text: Input should be a valid",
        ),
        ("changed", {}, "invalid_output", "output of changed is invalid: AppOutput: text: Input should be a"),
        ("number", {}, "exception", r"KeyError: 'a\nb'"),
        ("sys_exit", {}, "exception", "sys_exit called sys.exit(done)"),
        ("stop_iteration", {}, "exception", "the app raised StopIteration"),
    ]:
        failed = worker.answer(function, value)
        assert (failed["type"], failed["kind"]) == ("failed", kind), failed
        assert failed["error"].startswith(error)
    assert text_of(worker.answer(None, {"text": "still here"})) == "still here"


def test_a_traceback_begins_in_the_app(worker_of):
    worker = worker_of(RUNS)
    worker.ready()
    trace = worker.answer("number")["traceback"].splitlines()
    assert trace[0] == "Traceback (most recent call last):"
    assert "inference.py" in trace[1]
    assert "inferencesh_app/worker" not in "".join(trace)


SETUP = """
class AppSetup(BaseAppSetup):
    model: str = "small"
class App(BaseApp):
    {signature}
    async def run(self, input_data: AppInput) -> AppOutput:
        return AppOutput(text=self.seen)
"""


@pytest.mark.parametrize(
    ("signature", "seen"),
    [
        ("async def setup(self): self.seen = 'called'", "called"),
        ("def setup(self): self.seen = 'called'", "called"),
        ("async def setup(self, metadata): self.seen = metadata.worker_id", "w"),
        ("async def setup(self, metadata=None): self.seen = metadata.worker_id", "w"),
        ("async def setup(self, config): self.seen = config.model", "big"),
        ("async def setup(self, config: AppSetup = None): self.seen = config.model", "big"),
        ("async def setup(self, s: AppSetup, metadata): self.seen = s.model + metadata.worker_id", "bigw"),
    ],
)
def test_setup_of_every_signature_is_called_once_before_the_first_call(worker_of, signature, seen):
    worker = worker_of(SETUP.format(signature=signature))
    worker.ready({"model": "big"}, worker_id="w")
    assert text_of(worker.answer()) == seen


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"model": 3}, "setup is invalid: model: Input should be a valid string"),
        ({}, "no model called small"),
    ],
)
def test_a_failed_setup_ends_the_worker(worker_of, values, error):
    body = "    async def setup(self, config): raise RuntimeError(f'no model called {config.model}')"
    worker = worker_of(SETUP.format(signature=body.strip()))
    assert worker.ready(values)[-1]["error"] == error
    assert worker.process.wait(10) == protocol.EXIT_SETUP_FAILED


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("def f(:", "SyntaxError"),
        ("sys.exit(2)", "sys.exit(2)"),
        ("x = 1", "needs a class App(BaseApp)"),
        (
            "class App(BaseApp):\n    def __init__(self): raise OSError('no device')\n    def run(self): ...",
            "no device",
        ),
    ],
)
def test_an_app_that_cannot_be_loaded_says_why_and_ends(worker_of, source, error):
    worker = worker_of(source)
    failed = worker.receive()
    assert failed["type"] == "load_failed"
    assert error in failed["error"]
    assert "inferencesh_app/worker" not in failed["traceback"]
    assert worker.process.wait(10) == protocol.EXIT_LOAD_FAILED


def test_the_folder_is_a_package_importable_itself_and_the_working_directory(worker_of, tmp_path):
    shared = tmp_path.parent / f"{tmp_path.name}-shared.py"
    shared.write_text("NAME = 'shared'\n")
    (tmp_path / "x_helper.py").symlink_to(shared)
    source = """
    import y_helper
    from .x_helper import NAME
    class App(BaseApp):
        def run(self, data):
            return {"text": f"{NAME} {y_helper.NAME} {open('data.txt').read()} {os.path.dirname(__file__)}"}
    """
    worker = worker_of(source, **{"y_helper.py": "NAME = 'sibling'\n", "data.txt": "data"})
    worker.ready()
    assert text_of(worker.answer()) == f"shared sibling data {tmp_path}"


def test_prints_and_logs_belong_to_their_call_and_bytes_pass_by(worker_of):
    worker = worker_of("""
    print("imported")
    class App(BaseApp):
        async def setup(self):
            self.logger.info("set up")
        async def run(self, input_data: AppInput) -> AppOutput:
            print("one\\ntwo")
            sys.stderr.write("three\\n")
            logging.getLogger("lib").warning("four")
            sys.stdout.buffer.write(bytes(range(256)))
            os.write(1, b"\\xff raw\\n")
            thread = threading.Thread(target=print, args=("from a thread",))
            thread.start()
            thread.join()
            print("\\ud800 {}", end="")
            return AppOutput(text="done")
        async def unload(self):
            print("unloaded")
    """)
    logs = [(m["call"], m["log_type"], m["content"]) for m in worker.ready() if m["type"] == "log"]
    assert logs == [(None, 3, "imported"), (None, 3, "INFO inferencesh.app: set up")]

    called = [m for m in worker.call() if m["type"] == "log"]
    assert {(m["call"], m["log_type"]) for m in called} == {("c", 4)}
    contents = "\n".join(m["content"] for m in called)
    assert {"one", "two", "three", "WARNING lib: four", "? {}", "from a thread"} <= set(contents.splitlines())

    worker.send(protocol.unload())
    assert protocol.log(None, 1, "unloaded") in worker.until("unloaded")
    printed = worker.process.communicate(timeout=10)[0]
    assert bytes(range(256)) in printed
    assert b"\xff raw" in printed


def test_a_forked_child_and_a_started_program_do_not_touch_the_protocol(worker_of):
    worker = worker_of("""
    import subprocess
    class App(BaseApp):
        def run(self, input_data: AppInput) -> AppOutput:
            child = os.fork()
            if child == 0:
                print("from the child", flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            subprocess.run([sys.executable, "-c", "print('from the program')"], check=True)
            return AppOutput(text="done")
    """)
    worker.ready()
    assert [m["type"] for m in worker.call()] == ["started", "result"]
    worker.exit_code()
    assert set(worker.process.communicate()[0].split(b"\n")) >= {b"from the child", b"from the program"}


CANCEL = """
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        await asyncio.sleep(3600)
    async def stream(self, input_data: AppInput) -> AsyncGenerator[AppOutput, None]:
        try:
            yield AppOutput(text="a")
            await asyncio.sleep(3600)
        finally:
            print("closed")
    async def echo(self, input_data: AppInput) -> AppOutput:
        return AppOutput(text=input_data.text)
"""


@pytest.mark.parametrize(("function", "last"), [("run", "started"), ("stream", "output")])
def test_a_running_coroutine_is_interrupted_and_the_worker_lives_on(worker_of, function, last):
    worker = worker_of(CANCEL)
    worker.ready()
    worker.start("c", function)
    worker.until(last)
    worker.send(protocol.cancel("c"))
    messages = worker.until("failed")
    assert messages[-1]["kind"] == "cancelled"
    assert [m["content"] for m in messages if m["type"] == "log"] == ["closed"] * (function == "stream")
    assert text_of(worker.answer("echo", {"text": "next"})) == "next"


def test_waiting_calls_run_in_order_and_a_cancelled_one_is_dropped(worker_of):
    worker = worker_of(CANCEL)
    worker.ready()
    worker.start("first", "run")
    for call in ("second", "third", "fourth"):
        worker.start(call, "echo", {"text": call})
    worker.send(protocol.cancel("third"))
    worker.until("started")
    worker.send(protocol.cancel("first"))
    ends = [worker.until("failed", "result")[-1] for _ in range(4)]
    assert [(m["call"], m["type"]) for m in ends] == [
        ("first", "failed"),
        ("second", "result"),
        ("third", "failed"),
        ("fourth", "result"),
    ]


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_on_cancel_lets_the_app_end_its_call_itself(worker_of, kind):
    pause = "await asyncio.sleep(0.01)" if kind == "async def" else "time.sleep(0.01)"
    worker = worker_of(f"""
    class App(BaseApp):
        {kind} run(self, input_data: AppInput) -> AppOutput:
            self.flag = False
            print("running")
            while not self.flag:
                {pause}
            return AppOutput(text="ended early")
        {kind} on_cancel(self):
            self.flag = True
            return True
    """)
    worker.ready()
    worker.start("c")
    worker.until("log")
    worker.send(protocol.cancel("c"))
    assert text_of(worker.until("result", "failed")[-1]) == "ended early"


def test_files_are_here_when_the_function_is_entered_and_go_out_as_objects(worker_of, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG")
    worker = worker_of("""
    class In(BaseAppInput):
        files: list[File]
    class Out(BaseAppOutput):
        first: File
        sizes: list[int]
    class App(BaseApp):
        def run(self, input_data: In) -> Out:
            assert all(file.is_resolved() for file in input_data.files)
            return Out(first=input_data.files[0], sizes=[os.path.getsize(f.path) for f in input_data.files])
    """)
    worker.ready()
    given = {"uri": "https://nobody.invalid/picture.png", "path": str(picture), "filename": "p.png"}
    output = worker.answer(None, {"files": [given, "data:text/plain,hello"]})["output"]
    assert output["sizes"] == [4, 5]
    assert output["first"] == {**given, "content_type": "image/png", "size": 4}


def test_a_file_that_cannot_be_fetched_is_named_by_its_place(worker_of):
    worker = worker_of("""
    class In(BaseAppInput):
        pages: list[File]
    class App(BaseApp):
        async def run(self, input_data: In) -> AppOutput:
            return AppOutput(text="")
    """)
    worker.ready()
    messages = worker.call(None, {"pages": ["data:text/plain,ok", "http://127.0.0.1:99999/gone.png"]})
    assert "started" not in [message["type"] for message in messages]
    assert messages[-1]["kind"] == "invalid_input"
    assert "pages.1" in messages[-1]["error"]


def test_large_inputs_and_outputs_pass_whole(worker_of):
    worker = worker_of(CANCEL)
    worker.ready()
    text = "é\u2028" * 2_000_000
    assert text_of(worker.answer("echo", {"text": text})) == text


EXAMPLES = Path(__file__).parents[2] / "examples" / "apps"


def result_of_example(worker, name, setup=None):
    worker.ready(setup, worker_id="w")
    example = json.loads((EXAMPLES / name / "input.json").read_text())
    return worker.answer(None, example).get("output")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("echo", {"text": "hello"}),
        ("text-template", {"text": "Dear Ada, welcome to London."}),
        ("slow-stream", {"text": "word-1 word-2 word-3 word-4 word-5", "progress": 1.0}),
        (
            "setup-model",
            {"text": "large says: hello", "model": "large", "setups": 1, "calls": 1, "worker_id": "w"},
        ),
        ("thumbnail", {"width": 8, "height": 4}),
    ],
)
def test_an_example_app_answers_its_example_input(worker_in, name, expected):
    output = result_of_example(worker_in(EXAMPLES / name), name, {"model": "large"})
    assert expected.items() <= output.items()
    if name == "thumbnail":
        assert Path(output["image"]["path"]).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("not", None),
        ("raise", "the app raised this on purpose"),
        ("sys_exit", "run called sys.exit(7)"),
        ("bad_output", "output of run is invalid: AppOutput: text: Input should be a valid string"),
        ("no_output", "run returned nothing; return its output model"),
        ("print_binary", None),
        ("big_output", None),
    ],
)
def test_each_mishap_is_reported_and_the_worker_lives_on(mishaps, how, error):
    assert mishaps.answer(None, {"how": how}).get("error") == error


@pytest.fixture(scope="module")
def mishaps():
    worker = Worker(EXAMPLES / "mishaps", start_new_session=True)
    worker.ready()
    yield worker
    worker.end()


DEADLY = """
import ctypes
class App(BaseApp):
    async def run(self, input_data: AppInput) -> AppOutput:
        print("entered")
        if input_data.text == "os_exit": os._exit(9)
        if input_data.text == "segfault": ctypes.string_at(0)
        if input_data.text == "busy":
            while True: pass
        if input_data.text == "program": os.system("sleep 3600")
        if input_data.text == "extension": ctypes.PyDLL(None).sleep(3600)
        await asyncio.sleep(3600)
"""


@pytest.mark.parametrize(("how", "code"), [("os_exit", 9), ("segfault", -signal.SIGSEGV)])
def test_a_death_in_the_app_ends_the_pipe(worker_of, how, code):
    worker = worker_of(DEADLY)
    worker.ready()
    assert worker.call(None, {"text": how})[-1] is None
    assert worker.process.wait(10) == code


@pytest.mark.parametrize("doing", ["busy", "program", "sleep"])
def test_a_closed_pipe_ends_the_worker_and_its_programs_whatever_it_does(worker_of, doing):
    worker = worker_of(DEADLY)
    worker.ready()
    worker.start("c", None, {"text": doing})
    worker.until("log")
    worker.close()
    worker.process.wait(UNLOAD_SECONDS + 1)
    # The write ends of its output are closed only when every process that had them is gone.
    assert select.select([worker.process.stdout], [], [], 1)[0]
    assert worker.process.stdout.read() == b""


CONTEXTUAL = """
import contextvars
WORDS = contextvars.ContextVar("words")
class App(BaseApp):
    async def setup(self):
        WORDS.set(("setup",))
    async def run(self, input_data: AppInput) -> AppOutput:
        WORDS.set((*WORDS.get(), input_data.text))
        return AppOutput(text=" ".join(WORDS.get()))
"""


def test_what_setup_puts_into_the_context_is_there_for_each_call_and_no_call_sees_that_of_another(worker_of):
    worker = worker_of(CONTEXTUAL)
    worker.ready()
    for word in ("a", "b", "c"):
        worker.start(word, None, {"text": word})  # the later ones wait for the first
    results = [worker.until("result")[-1] for _ in range(3)]
    assert [result["output"]["text"] for result in results] == ["setup a", "setup b", "setup c"]


def test_calls_that_came_before_unload_are_answered_first(worker_of):
    worker = worker_of(CONTEXTUAL)
    worker.ready()
    messages = [*(protocol.call(str(n), None, {"text": "x"}, {}) for n in range(3)), protocol.unload()]
    os.write(worker.to_worker, b"".join(map(protocol.encode, messages)))
    heard = worker.until("unloaded")
    assert [message["call"] for message in heard if message["type"] == "result"] == ["0", "1", "2"]
    assert worker.process.wait(10) == protocol.EXIT_UNLOADED


def test_an_idle_worker_unloads_when_the_pipe_closes(worker_of):
    worker = worker_of("""
    class App(BaseApp):
        async def run(self, input_data: AppInput) -> AppOutput: ...
        async def unload(self):
            os.write(1, b"unloaded")
    """)
    worker.ready()
    worker.close()
    assert worker.process.communicate(timeout=10)[0] == b"unloaded"
    assert worker.process.returncode == protocol.EXIT_UNLOADED


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the children of the dead")
@pytest.mark.parametrize("doing", ["busy", "program", "extension"])
def test_nothing_outlives_the_engine_by_two_seconds(tmp_path, doing):
    (tmp_path / "inference.py").write_text(HEAD + DEADLY)
    script = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_worker_process import Worker
worker = Worker({str(tmp_path)!r}, start_new_session=True, stdout=None)
worker.ready()
worker.start("c", None, {{"text": {doing!r}}})
worker.until("log")
print("running", flush=True)
time.sleep(60)
"""
    engine = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    with engine:
        assert engine.stdout.readline() == b"running\n"
        engine.kill()
        # Engine, worker and the app's program share this pipe; it ends with the last of them.
        assert select.select([engine.stdout], [], [], 2)[0], "something outlived the engine"
        assert engine.stdout.read() == b""
