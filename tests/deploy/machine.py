"""The AWS on this machine: MiniStack with TLS and with IAM enforced, in a process group of its own."""

import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / "target" / "deploy"
PYTHON = pathlib.Path(sys.prefix) / "bin"
REGION = "eu-central-1"


class Machine:
    """MiniStack, from `start` to `stop`. Its log also has what the functions print."""

    def __init__(self):
        self.log = TARGET / "ministack.log"
        self.ca = TARGET / "ca.pem"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        self.process = None

    def enter(self):
        """Has this process and the tools that it runs see this machine, and nothing of the caller's AWS account."""
        for name in [name for name in os.environ if name.startswith(("AWS_", "SAM_", "HOOKWELL_"))]:
            del os.environ[name]
        os.environ |= {
            # Zig is found through the first python3 on the path, so it has to be the one that cargo-lambda came with.
            "PATH": f"{PYTHON}{os.pathsep}{os.environ['PATH']}",
            "NO_PROXY": "localhost,127.0.0.1",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.ca),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "SAM_CLI_TELEMETRY": "0",
        }

    def start(self):
        """Starts MiniStack and waits until it answers."""
        key = self._certificates()
        home = TARGET / "home"
        home.mkdir(exist_ok=True)
        # Nothing else of our environment: MiniStack hands its own on to the functions.
        environment = {
            "HOME": str(home),
            "TMPDIR": str(home),
            "PATH": "/usr/bin:/bin",
            "AUTH": "true",
            "LAMBDA_EXECUTOR": "local",
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_HOST": "localhost",
            "MINISTACK_REGION": REGION,
            "GATEWAY_PORT": str(self.port),
            # The queue policy refuses plain HTTP.
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(TARGET / "localhost.pem"),
            "MINISTACK_SSL_KEY": str(key),
            # For the functions, so that they call this machine.
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.ca),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PYTHON / "ministack"], env=environment, cwd=home, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"MiniStack did not start: {self.log}")
            time.sleep(0.1)

    def stop(self):
        """Ends MiniStack and the functions that it started."""
        if self.process is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, how)
                self.process.wait(5)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue

    def last_words(self):
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-60:]) if self.log.exists() else ""

    def trust(self):
        """TLS that trusts this machine only."""
        return ssl.create_default_context(cafile=self.ca)

    def _answers(self):
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/health", context=self.trust(), timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _certificates(self):
        """An authority and a certificate for localhost; returns the path of the certificate's key."""
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        ca_key, key = TARGET / "ca.key", TARGET / "localhost.key"
        authority = ["-subj", "/CN=Hookwell deploy test", "-keyout", ca_key, "-out", self.ca]
        signed = ["-CA", self.ca, "-CAkey", ca_key, "-subj", "/CN=localhost", "-keyout", key]
        leaf = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        for arguments in (authority, [*signed, *leaf, "-out", TARGET / "localhost.pem"]):
            subprocess.run([*new, *arguments], check=True, capture_output=True)
        return key
