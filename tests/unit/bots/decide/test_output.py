import pytest
from meetingbots.bots.decide.pod_texts import telling_line

PYTHON = """joining
Traceback (most recent call last):
  File "/app/bot.py", line 3, in <module>
    join()
  File "/app/bot.py", line 2, in join
    raise ZoomError("not allowed")
bot.ZoomError: not allowed
sentry is attempting to send 1 pending events
"""
CHAINED = """Traceback (most recent call last):
  File "a.py", line 1, in <module>
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 2, in <module>
requests.exceptions.Timeout: Zoom did not answer
"""
NODE = """/app/index.js:3
throw new Error("boom");
^

Error: boom
    at Object.<anonymous> (/app/index.js:3:7)
    at node:internal/main/run_main_module:23:47

Node.js v20.1.0
"""
JAVA = """Exception in thread "main" java.lang.IllegalStateException: outer
\tat Bot.main(Bot.java:3)
Caused by: java.net.ConnectException: Connection refused
\t... 1 more
"""
GO = """panic: runtime error: invalid memory address or nil pointer dereference

goroutine 1 [running]:
main.main()
\t/app/main.go:5 +0x1d
exit status 2
"""
RUST = """thread 'main' panicked at src/main.rs:2:5:
no such meeting
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
"""
CPP = """terminate called after throwing an instance of 'std::runtime_error'
  what():  no audio device
"""


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("", ""),
        (" \n\n", ""),
        ("one\ntwo\n\n", "two"),
        (PYTHON, "bot.ZoomError: not allowed"),
        (CHAINED, "requests.exceptions.Timeout: Zoom did not answer"),
        (NODE, "Error: boom"),
        (JAVA, "Caused by: java.net.ConnectException: Connection refused"),
        (GO, "panic: runtime error: invalid memory address or nil pointer dereference"),
        (RUST, "thread 'main' panicked at src/main.rs:2:5: no such meeting"),
        (CPP, "what(): no audio device"),
        ("2026-01-01 ERROR no such meeting\n2026-01-01 INFO bye", "2026-01-01 ERROR no such meeting"),
        ('{"level":"error","msg":"denied"}\n{"level":"info","msg":"bye"}', "denied"),
        ('{"severity":"ERROR","message":"denied"}', "denied"),
        ("\x1b[31mfatal: cannot join\x1b[0m\n", "fatal: cannot join"),
        ("./run.sh: line 3: zoombot: command not found", "./run.sh: line 3: zoombot: command not found"),
        ("Segmentation fault (core dumped)\n", "Segmentation fault (core dumped)"),
    ],
)
def test_the_telling_line(output: str, line: str) -> None:
    assert telling_line(output) == line


def test_a_line_is_shortened_and_odd_output_does_no_harm() -> None:
    assert len(telling_line("x" * 5000)) == 300
    assert telling_line('{"level":' * 5000)
    assert telling_line("{" * 100_000 + "\n[]") == "[]"
