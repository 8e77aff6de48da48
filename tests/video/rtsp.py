"""A camera of the network: a server of RTSP (RFC 2326) that sends H.264 (RFC 6184) over its one connection."""

import io
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np

SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n{}"
VIDEO = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:0\r\n"
SOUND = "m=audio 0 RTP/AVP 0\r\na=control:0\r\n"


def pictures_of(frames: int, *, size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    """Grey pictures that grow lighter."""
    return [np.full((*size, 3), 40 + 4 * (i % 50), np.uint8) for i in range(frames)]


def encoded(pictures: list[np.ndarray], *, fps: int) -> list[list[bytes]]:
    """Each picture's units of H.264."""
    found = []
    with av.open(io.BytesIO(), "w", format="h264") as container:
        options = {"tune": "zerolatency", "g": "10", "x264-params": "sliced-threads=0:slices=1"}
        stream = container.add_stream("libx264", rate=Fraction(fps), options=options)
        stream.height, stream.width, _ = pictures[0].shape
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                found.append([unit for unit in re.split(b"\0\0\0?\1", bytes(packet)) if unit])
    return found


@contextmanager
def camera(frames: int, *, fps: int = 25, stalls: bool = False, sdp: str = VIDEO) -> Iterator[str]:
    """The address of a camera that shows so many frames at their pace, and then hangs up, or falls silent."""
    units = encoded(pictures_of(frames), fps=fps)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, units, fps, stalls, sdp, over), daemon=True)
        thread.start()
        try:
            yield f"rtsp://someone:secret@127.0.0.1:{server.getsockname()[1]}/door"
        finally:
            over.set()
            with socket.socket() as last:  # a server that still waits for somebody
                last.connect_ex(server.getsockname())
            thread.join(10)


def _serve(
    server: socket.socket, units: list[list[bytes]], fps: int, stalls: bool, sdp: str, over: threading.Event
) -> None:
    peer, _ = server.accept()
    with peer, peer.makefile("rb") as asked:
        while not over.is_set():
            lines = []
            while (line := asked.readline().decode()) not in ("\r\n", ""):
                lines.append(line)
            if not lines:
                return
            method = lines[0].split()[0]
            number = next(line.split(":")[1].strip() for line in lines if line.startswith("CSeq"))
            heads, body = {"CSeq": number, "Session": "1"}, ""
            if method == "DESCRIBE":
                body = SDP.format(sdp)
                heads |= {"Content-Type": "application/sdp", "Content-Length": str(len(body))}
            elif method == "SETUP":
                heads["Transport"] = "RTP/AVP/TCP;unicast;interleaved=0-1"
            text = "".join(f"{key}: {value}\r\n" for key, value in heads.items())
            try:
                peer.sendall(f"RTSP/1.0 200 OK\r\n{text}\r\n{body}".encode())
                if method == "PLAY":
                    _play(peer, units, fps, over)
                    if stalls:
                        over.wait(20)
                    return
            except OSError:  # the other side has gone
                return


def _play(peer: socket.socket, units: list[list[bytes]], fps: int, over: threading.Event) -> None:
    began, number = time.monotonic(), 0
    for index, picture in enumerate(units):
        if over.wait(max(0.0, began + index / fps - time.monotonic())):
            return
        for place, unit in enumerate(picture):
            marker = 0x80 if place == len(picture) - 1 else 0
            head = struct.pack(">BBHII", 0x80, marker | 96, number & 0xFFFF, index * 90000 // fps, 7)
            peer.sendall(b"$\0" + struct.pack(">H", len(head + unit)) + head + unit)
            number += 1
