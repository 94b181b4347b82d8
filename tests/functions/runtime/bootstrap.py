"""A runtime in a few lines, for tests: asks, does what the event says, answers. Only the standard library's basics,
so that it starts in a moment.

`{"do": "..."}` in the event: see `HANDLERS`. `INIT` in the environment: how the start fails.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HOST, _, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].rpartition(":")
BASE = "/2018-06-01/runtime"


class Api:
    def __init__(self):
        self.socket = socket.create_connection((HOST, int(PORT)))
        self.file = self.socket.makefile("rb")

    def request(self, method, path, body=b"", headers=""):
        head = f"{method} {BASE}{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.socket.sendall(head.encode() + body)
        return self.answer()

    def answer(self):
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline()) != b"\r\n":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self.file.read(int(headers["content-length"]))


def log(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def fail(event, headers):
    raise ValueError(event.get("why", "told to"))


def hang(event, headers):
    if event.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if event.get("child"):
        log("child", sleeping(event))
    time.sleep(600)


def sleeping(event):
    """A child process, which `leaves` the session, or without the worker's environment as well."""
    leaves = event.get("leaves")
    command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    environment: dict[str, str] | None = {} if leaves in ("without its environment", "altogether") else None
    if leaves == "altogether":
        # its parent ends at once
        starting = f"import subprocess; print(subprocess.Popen({command}, stdout=2, start_new_session=True).pid)"
        starter = [sys.executable, "-I", "-S", "-c", starting]
        return int(subprocess.run(starter, env={}, start_new_session=True, stdout=subprocess.PIPE, check=True).stdout)
    return subprocess.Popen(command, start_new_session=bool(leaves), env=environment).pid


def orphan(event, headers):
    """Starts what outlives its parent."""
    told = subprocess.run(
        ["sh", "-c", f"sleep {event['seconds']} >/dev/null & echo $!"], check=True, stdout=subprocess.PIPE
    )
    return int(told.stdout)


def leave(event, headers):
    if event.get("child"):
        log("child", sleeping(event))
    log("about to leave")
    if event.get("signal"):
        os.kill(os.getpid(), event["signal"])
    os._exit(event["code"])


def say(event, headers):
    for line in event["lines"]:
        log(line)
    return "said"


def flood(event, headers):
    """A child process that writes lines without end."""
    endless = "import sys\nwhile True: sys.stdout.write('x\\n' * 4096)"
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", endless]).pid


def meet(event, headers):
    """Ends once as many as are expected are here at one time."""
    folder = Path(event["folder"])
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < event["expected"]:
        time.sleep(0.01)
    return os.getpid()


HANDLERS = {
    "none": lambda event, headers: None,
    "meet": meet,
    "echo": lambda event, headers: event,
    "headers": lambda event, headers: headers,
    "environment": lambda event, headers: dict(os.environ) | {"cwd": str(Path.cwd())},
    "pid": lambda event, headers: os.getpid(),
    "wait": lambda event, headers: time.sleep(event["seconds"]),
    "huge": lambda event, headers: "x" * event["size"],
    "fail": fail,
    "flood": flood,
    "hang": hang,
    "leave": leave,
    "orphan": orphan,
    "say": say,
}


def start(api):
    match os.environ.get("INIT"):
        case "exit":
            log("cannot start")
            sys.exit(3)
        case "error":
            body = json.dumps({"errorType": "Runtime.ImportModuleError", "errorMessage": "No module named 'app'"})
            api.request("POST", "/init/error", body.encode())
            sys.exit(1)
        case "hang":
            time.sleep(600)
        case "once":
            # the first start fails
            mark = Path(os.environ["MARK"])
            if not mark.exists():
                mark.touch()
                sys.exit(3)


def main():
    api = Api()
    start(api)
    while True:
        _, headers, body = api.request("GET", "/invocation/next")
        event = json.loads(body)
        place = f"/invocation/{headers['lambda-runtime-aws-request-id']}"
        try:
            answer = json.dumps(HANDLERS[event["do"]](event, headers))
        except ValueError as error:
            body = json.dumps({"errorType": "ValueError", "errorMessage": str(error), "stackTrace": []})
            api.request("POST", f"{place}/error", body.encode(), "Lambda-Runtime-Function-Error-Type: ValueError\r\n")
        else:
            status, _, _ = api.request("POST", f"{place}/response", answer.encode())
            if status != 202:
                log("answered with", status)
        if event.get("dawdle"):
            time.sleep(600)
        if event.get("then_exit"):
            sys.exit(4)


main()
