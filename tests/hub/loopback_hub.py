#!/usr/bin/env python3
"""loopback_hub.py: a Hugging Face hub on 127.0.0.1 for tests, with a CDN and a hostile host on ports of their own.

Imported, it serves in the test's own process:      with LoopbackHub() as hub: hub.repo("gpt2", folder) ... hub.url
As a program it serves folders and prints one line of JSON, {"hub": URL, "cdn": URL, "evil": URL}, until its parent ends:
    loopback_hub.py --repo gpt2=samples/models/stories [--config FILE] [--log FILE] [--port N]

Faults are rules, dictionaries; the first one that matches a request decides how it is answered (see `Rule`). A program sets them
with  POST /_control {"rules": [...]}  and reads what was asked with  GET /_log.  Every request is one entry of the log: listener,
port, method, path with query, headers, whether it came through as to a proxy.

The answers' form (redirects, headers, error codes) is what clients of huggingface.co rely on; the routes are in loopback_routes.py.
"""

import argparse
import fnmatch
import gzip
import json
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

from loopback_repo import Content, Repo, folder_files
from loopback_routes import Answer, route


class Rule:
    """When: "listener" (hub, cdn, evil, tls, tls-cdn), "method", "path" (a pattern for path and query), "header" (one the request has),
          "skip": n matching requests go by first, "times": n requests and no more.
    What, before the answer:  "delay": seconds, "hang": no answer, "close": end without one, "reset": TCP reset, "raw": these bytes.
    What, in its place:       "status", "location", "body", "headers" {name: value}.
    What, of the usual one:   "set" {name: value, None to drop it, or a list to repeat it}, "corrupt": one byte differs,
                              "append": more bytes than announced, "cut": n bytes of the body, then an end ("then": "close",
                              "reset" or "hang"), "rate": bytes a second, "ignore_range", "gzip", "endless", "chunked".
    """

    WHEN = {"listener", "method", "path", "header", "skip", "times"}
    WHAT = {"delay", "hang", "close", "reset", "raw", "status", "location", "body", "headers", "set", "corrupt", "append",
            "cut", "then", "rate", "ignore_range", "gzip", "endless", "chunked"}

    def __init__(self, **what):
        unknown = set(what) - self.WHEN - self.WHAT
        if unknown:
            raise ValueError(f"a rule knows nothing of {sorted(unknown)}")
        self.what = what
        self.seen = 0

    def matches(self, request):
        what = self.what
        if what.get("listener", request.listener) != request.listener or what.get("method", request.method) != request.method:
            return False
        if not fnmatch.fnmatchcase(request.target, what.get("path", "*")):
            return False
        if "header" in what and what["header"].lower() not in request.headers:
            return False
        self.seen += 1
        skip = what.get("skip", 0)
        return skip < self.seen <= skip + what.get("times", sys.maxsize)

    def get(self, name, default=None):
        return self.what.get(name, default)


class Request:
    def __init__(self, listener, port, method, target, headers, proxied):
        self.listener, self.port, self.method, self.target = listener, port, method, target
        self.headers, self.proxied = headers, proxied
        self.path, _, self.query = target.partition("?")
        self.body = b""
        self.time = time.monotonic()

    @property
    def authorization(self):
        return self.headers.get("authorization")

    def entry(self):
        return {"time": round(self.time, 3), "listener": self.listener, "port": self.port, "method": self.method,
                "path": self.target, "authorization": self.authorization is not None, "proxied": self.proxied,
                "headers": self.headers}


class Gone(Exception):
    """The connection is to end now."""


class LoopbackHub:
    LISTENERS = ("hub", "cdn", "evil")

    def __init__(self, certificate=None, log_file=None, port=0, prefix=""):
        """certificate: a file with certificate and key, for two more listeners: "tls", a hub over TLS, and "tls-cdn". prefix: where paths begin."""
        self.repos = {}
        self.renamed = {}
        self.tokens = {"hf_good", "hf_other"}
        self.rules = []
        self.log = []
        self.page = 1000  # entries a page of a listing
        self.watch = None  # called with every request before it is answered
        self.prefix = prefix
        self.blobs = {}  # sha256 -> Content, what the CDN serves
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.log_file = open(log_file, "a", buffering=1) if log_file else None
        self.sockets = {}
        self.tls = None
        names = list(self.LISTENERS)
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
            names += ["tls", "tls-cdn"]
        for name in names:
            self.sockets[name] = socket.create_server(("127.0.0.1", port if name == "hub" else 0), backlog=128)
        self.ports = {name: listener.getsockname()[1] for name, listener in self.sockets.items()}
        for name in names:
            threading.Thread(target=self._accept, args=(name,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closing.set()
        for listener in self.sockets.values():
            listener.close()
        if self.log_file:
            self.log_file.close()

    def address(self, name):
        return f"{'https' if name.startswith('tls') else 'http'}://127.0.0.1:{self.ports[name]}"

    @property
    def url(self):
        return self.address("hub") + self.prefix

    def repo(self, name, files=None, **kind):
        """A new repository, with a first commit of `files`: a dictionary or a folder."""
        repo = self.repos[name] = Repo(name, **kind)
        if files is not None:
            repo.commit(files if isinstance(files, dict) else folder_files(files))
        return repo

    def rule(self, **what):
        rule = Rule(**what)
        self.rules.append(rule)
        return rule

    def requests(self, pattern="*", listener=None, method=None):
        """What was asked so far: entries whose path fits the pattern."""
        with self.lock:
            return [entry for entry in self.log if fnmatch.fnmatchcase(entry["path"], pattern)
                    and listener in (None, entry["listener"]) and method in (None, entry["method"])]

    def forget(self):
        with self.lock:
            self.log.clear()

    # One thread a listener, one a connection.
    def _accept(self, name):
        while not self.closing.is_set():
            try:
                connection, _ = self.sockets[name].accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(name, connection), daemon=True).start()

    def _serve(self, name, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if name.startswith("tls"):
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while not self.closing.is_set():
                    request = self._read(name, stream)
                    if request is None or not self._answer(request, connection):
                        return
        except (OSError, Gone, ValueError):
            connection.close()

    def _read(self, name, stream):
        line = stream.readline(1 << 16).decode("latin-1").rstrip("\r\n")
        if not line:
            return None
        method, target, _ = line.split(" ", 2)
        headers = {}
        while True:
            line = stream.readline(1 << 16).decode("latin-1").rstrip("\r\n")
            if not line:
                break
            key, _, value = line.partition(":")
            headers[key.strip().lower()] = value.strip()
        # A client that takes this listener for its proxy names the whole URL: answer as the listener it means.
        proxied = target.startswith("http://")
        port = self.ports[name]
        if proxied:
            parts = urllib.parse.urlsplit(target)
            target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
            port = parts.port or 80
            name = {number: listener for listener, number in self.ports.items()}.get(port, "hub")
        if self.prefix and target.startswith(self.prefix):
            target = target[len(self.prefix):]
        request = Request(name, port, method, target, headers, proxied)
        request.body = stream.read(int(headers.get("content-length", 0)))
        return request

    def _answer(self, request, connection):
        """Answers; whether the connection may serve another request."""
        if request.path in ("/_control", "/_log"):
            return self._send(connection, request, self._control(request), None)
        with self.lock:
            self.log.append(request.entry())
            if self.log_file:
                self.log_file.write(json.dumps(request.entry()) + "\n")
            rule = next((rule for rule in list(self.rules) if rule.matches(request)), None)
        if self.watch:
            self.watch(request)
        if rule:
            self._before(rule, connection)
        if rule and ("status" in rule.what or "location" in rule.what):
            body = rule.get("body", b"")
            answer = Answer(rule.get("status", 302), [], body if isinstance(body, bytes) else body.encode())
            if "location" in rule.what:
                answer.headers.append(("Location", rule.get("location")))
            answer.headers += list(rule.get("headers", {}).items())
        else:
            answer = route(self, request)
            if rule and "body" in rule.what:
                body = rule.get("body")
                answer.body = Content(body if isinstance(body, bytes) else body.encode())
        return self._send(connection, request, answer, rule)

    def _before(self, rule, connection):
        if "delay" in rule.what:
            self._wait(connection, rule.get("delay"))
        if rule.get("hang"):
            self._wait(connection, None)
            raise Gone
        if rule.get("reset"):
            self._reset(connection)
        if rule.get("close"):
            raise Gone
        if "raw" in rule.what:
            raw = rule.get("raw")
            connection.sendall(raw if isinstance(raw, bytes) else raw.encode("latin-1"))
            raise Gone

    def _wait(self, connection, seconds):
        """Waits, but not for a peer that has gone."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self.closing.is_set() and (until is None or time.monotonic() < until):
            step = 0.05 if until is None else max(0.0, min(0.05, until - time.monotonic()))
            if select.select([connection], [], [], step)[0]:
                if not connection.recv(1, socket.MSG_PEEK):
                    raise Gone

    @staticmethod
    def _reset(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        raise Gone

    def _send(self, connection, request, answer, rule):
        what = rule.what if rule else {}
        body = answer.body if isinstance(answer.body, Content) else Content(answer.body)
        headers = dict_of(answer.headers)
        status, begin = answer.status, 0
        if status == 200 and request.headers.get("range", "").startswith("bytes=") and not what.get("ignore_range"):
            begin = int(request.headers["range"][6:].split("-")[0])
            if begin >= body.size:
                status, headers["Content-Range"] = 416, f"bytes */{body.size}"
                body, begin = Content(b""), 0
            else:
                status, headers["Content-Range"] = 206, f"bytes {begin}-{body.size - 1}/{body.size}"
        if what.get("gzip"):
            body, begin, status = Content(gzip.compress(body.bytes())), 0, answer.status
            headers["Content-Encoding"] = "gzip"
        if not what.get("chunked"):
            headers["Content-Length"] = str(body.size - begin)
        for name, value in what.get("set", {}).items():
            if value is None:
                headers.pop(name, None)
            else:
                headers[name] = value
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Something')}"]
        for name, value in headers.items():
            for each in value if isinstance(value, list) else [value]:
                lines.append(f"{name}: {each}")
        if what.get("chunked"):
            lines.append("Transfer-Encoding: chunked")
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))
        if request.method == "HEAD":
            return True
        self._send_body(connection, body, begin, what)
        # Where the length was a lie, what comes next on this connection would be misread.
        return not {"append", "cut", "endless"} & set(what) and "Content-Length" not in what.get("set", {})

    def _send_body(self, connection, body, begin, what):
        cut = what.get("cut")
        rate = what.get("rate")
        if not what and body.file and not isinstance(connection, ssl.SSLSocket):
            with open(body.file, "rb") as file:
                connection.sendfile(file, begin)
            return
        end = body.size if cut is None else min(body.size, begin + cut)
        piece = max(1, int(rate / 20)) if rate else 1 << 16
        for data in body.pieces(begin, end, piece):
            if what.get("corrupt") and begin == 0:
                data = bytes([data[0] ^ 1]) + data[1:]
            begin += len(data)
            connection.sendall(b"%x\r\n%s\r\n" % (len(data), data) if what.get("chunked") else data)
            if rate:
                self._wait(connection, len(data) / rate)
        if what.get("endless"):
            while not self.closing.is_set():
                connection.sendall(bytes(1 << 16))
        if "append" in what:
            connection.sendall(what["append"] if isinstance(what["append"], bytes) else what["append"].encode())
        if what.get("chunked"):
            connection.sendall(b"0\r\n\r\n")
        if cut is not None:
            if what.get("then") == "hang":
                self._wait(connection, None)
            if what.get("then") == "reset":
                # What was sent must arrive before the reset does.
                time.sleep(0.05)
                self._reset(connection)
            raise Gone

    def _control(self, request):
        if request.path == "/_log":
            with self.lock:
                return Answer(200, [("Content-Type", "application/json")], json.dumps(self.log).encode())
        order = json.loads(request.body)
        with self.lock:
            if "rules" in order:
                self.rules = [Rule(**what) for what in order["rules"]]
            if order.get("forget"):
                self.log.clear()
        return Answer(200, [], b"{}")


REASONS = {200: "OK", 206: "Partial Content", 302: "Found", 307: "Temporary Redirect", 404: "Not Found", 416: "Range Not Satisfiable"}


def dict_of(headers):
    """{name: value}, a list where a name comes more than once."""
    result = {}
    for name, value in headers:
        result[name] = value if name not in result else [result[name], value]
    return result


def watch_parent():
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.3)
    os._exit(0)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--repo", action="append", default=[], metavar="NAME=FOLDER", help="serve FOLDER as the repository NAME")
    options.add_argument("--config", help='JSON: {"repos": {NAME: {"folder", "private", "gated"}}, "renamed": {OLD: NEW}, "tokens": [], "rules": []}')
    options.add_argument("--log", help="append every request to this file, a JSON object a line")
    options.add_argument("--port", type=int, default=0, help="of the hub; default: any that is free")
    options.add_argument("--stay", action="store_true", help="do not end with the parent process")
    arguments = options.parse_args()
    hub = LoopbackHub(log_file=arguments.log, port=arguments.port)
    for pair in arguments.repo:
        name, _, folder = pair.partition("=")
        hub.repo(name, folder)
    if arguments.config:
        with open(arguments.config) as file:
            config = json.load(file)
        for name, kind in config.get("repos", {}).items():
            hub.repo(name, kind.pop("folder"), **kind)
        hub.renamed.update(config.get("renamed", {}))
        hub.tokens.update(config.get("tokens", []))
        hub.rules = [Rule(**what) for what in config.get("rules", [])]
    print(json.dumps({name: hub.address(name) for name in hub.ports}), flush=True)
    if arguments.stay:
        threading.Event().wait()
    watch_parent()


if __name__ == "__main__":
    main()
