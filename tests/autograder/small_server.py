"""The real fork server with a small runner in place of the real one; started by ``small_sandbox``, as a program.

The small runner imports no TensorFlow, so that a server starts in a tenth of a second. It executes the
cells of the job as plain Python. Cells may ``say`` something plain to the test, and find the raw event
channel as ``channel``: a hostile cell may write anything to it.
"""

import argparse
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from autograder.sandbox import forkserver
from autograder.sandbox.protocol import Decoder, encode


def run(channel: socket.socket) -> None:
    job = receive(channel)

    def send(event, **fields):
        channel.sendall(encode({"event": event, **fields}))

    def say(value):
        send("said", record=value)

    names = {"__name__": "__main__", "channel": channel, "encode": encode, "say": say, "send": send, "job": job}
    send("ready")
    for cell in job["cells"]:
        send("start", index=cell["index"])
        try:
            exec(cell["source"], names)
            status = "ok"
        except KeyboardInterrupt:
            status = "timeout"
        except Exception as error:
            status = "error"
            say(f"{type(error).__name__}: {error}"[:300])
        send("cell", record={"index": cell["index"], "status": status})
    send("end")


def receive(channel: socket.socket) -> dict:
    decoder = Decoder()
    while True:
        for frame in decoder.feed(channel.recv(65536)):
            return frame.header


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", type=Path)
    options = parser.parse_args()
    forkserver.serve(options.socket, lambda setup: run)


if __name__ == "__main__":
    sys.exit(main())
