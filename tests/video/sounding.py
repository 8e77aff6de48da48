"""Small videos with sound."""

import av
import numpy as np
import torch

RATE = 16000


def write_with_sound(path, *, frames=20, fps=10, tones=((0.0, 2.0, 500.0),), codec="aac"):
    """Grey pictures, brighter and brighter, and tones `(start, end, hertz)` in seconds; silence elsewhere."""
    time = np.arange(int(RATE * frames / fps)) / RATE
    wave = sum(0.4 * np.sin(2 * np.pi * hertz * time) * ((time >= start) & (time < end)) for start, end, hertz in tones)
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=fps)
        pictures.width, pictures.height, pictures.pix_fmt = 48, 32, "yuv420p"
        sound = container.add_stream(codec, rate=RATE)
        sound.codec_context.layout = "mono"
        for number in range(frames):
            grey = torch.full((32, 48, 3), 10 * number, dtype=torch.uint8).numpy()
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(pictures.encode(None))
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], "fltp", "mono")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))


def heard(path):
    """The samples of a file, and its rate."""
    with av.open(str(path)) as container:
        found = list(container.decode(container.streams.audio[0]))
        return np.concatenate([frame.to_ndarray()[0] for frame in found]), found[0].sample_rate, float(found[0].time)
