"""Every choice among words that a config, a command or a signature offers, once. Nothing heavy is imported here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

# Files and lists
Backend = Literal["pyav", "torchcodec", "decord", "frames"]
EncoderPreset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]
"""x264's names for trading its time against bytes."""
Part = Literal["train", "val"]
"""Which of a data set's lists."""
NoLabels = Literal["class", "drop"]
"""Videos without a label in AViD: a class of their own, or left out."""
ListForm = Literal[
    "auto",
    "paths",
    "csv",
    "json",
    "folder",
    "pyslowfast",
    "rawframes",
    "rawframes_offset",
    "kinetics",
    "charades",
    "charades_frames",
    "avid",
    "something_v1",
    "something_v2",
    "ucf101",
    "hmdb51",
    "cvat",
    "label_studio",
    "via",
    "elan",
    "epic_kitchens",
    "activitynet",
    "hacs_clips",
    "thumos",
    "ava",
    "intervals",
    "moments",
    "diving48",
    "kinetics_json",
    "coin",
    "shards",
]
EpicLabel = Literal["verb", "noun", "action"]
CoinLabel = Literal["task", "step"]
"""Which of a data set's labels are meant."""
LIST_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "paths": "`path label…` lines",
        "csv": "CSV or TSV with a header: path,labels,…",
        "json": "JSON or JSON Lines: objects with video and label",
        "folder": "a folder with a sub-folder of videos or pictures per class",
        "pyslowfast": "`path label` or `path frames label` lines",
        "rawframes": "mmaction2's `folder frames label…` lines",
        "rawframes_offset": "mmaction2's `folder start frames label…` lines",
        "kinetics": "Kinetics' CSV: label,youtube_id,time_start,time_end,split",
        "charades": "Charades' CSV: id,…,actions,length",
        "charades_frames": "Charades' rows per frame",
        "avid": "AViD's JSON object",
        "something_v1": "Something-Something v1's `id;class` lines",
        "something_v2": "Something-Something v2's JSON",
        "ucf101": "UCF101's trainlist and testlist",
        "hmdb51": "HMDB51's CLASS_test_splitN.txt files",
        "cvat": "CVAT's XML 1.1: tags and tracks",
        "label_studio": "Label Studio's JSON: choices, timeline labels, labels of sound",
        "via": "VIA 3's project: temporal segments",
        "elan": "ELAN's .eaf: annotations of a tier",
        "epic_kitchens": "EPIC-KITCHENS' CSV: participant_id,video_id,start_timestamp,…",
        "activitynet": "ActivityNet's JSON, HACS segments: a database of annotations",
        "hacs_clips": "HACS clips' CSV: classname,youtube_id,subset,start,end,label",
        "thumos": "THUMOS' CLASS_val.txt and CLASS_test.txt files",
        "ava": "AVA's lines: id,second,x1,y1,x2,y2,action,person",
        "intervals": "`video,start,end,class` lines, in seconds",
        "moments": "Moments in Time's lines: class/file.mp4,class,agreed,disagreed",
        "diving48": "Diving48's JSON: vid_name, label, start_frame, end_frame",
        "kinetics_json": "Kinetics' JSON: annotations by id",
        "coin": "COIN's JSON: tasks and steps",
        "shards": "webdataset's tar archives: train-{000000..000012}.tar",
    }
)
"""The forms of ListForm in words, but for auto; vidtok.data.formats reads them."""

# Clips and crops
Sampling = Literal[
    "vidtok",
    "scenic",
    "mmaction2",
    "pyslowfast",
    "torchcodec",
    "segments",
    "pytorchvideo",
    "pytorchvideo_uniform",
    "videomae",
    "vjepa2",
]
Short = Literal["repeat", "loop", "wrap"]
OwnShort = Literal["repeat", "loop"]
"""What the rule `vidtok` knows of them."""
SHORT: Mapping[str, tuple[Short, ...]] = MappingProxyType(
    {"vidtok": ("repeat", "loop"), "torchcodec": ("repeat", "wrap")}
)
"""Which rules leave it to `short` what a clip does behind the end of the video, and what they know."""
Fit = Literal["crop", "pad", "squeeze"]
Crops = Literal[1, 3, 10]
CropIn = Literal["rgb", "yuv"]
Control = Literal["none", "repeat_first", "repeat_middle", "repeat_last", "shuffle", "reverse"]

# Networks
PoolKind = Literal["mean", "cls", "max"]
NormPosition = Literal["before_pool", "after_pool"]
PositionKind = Literal["learned", "sincos_3d", "sincos_flat", "learned_separable", "sincos_separable", "none"]
GELUForm = Literal["tanh", "erf", "quick", "relu", "silu"]
"""A network's activation; the last two are no GELU, but stand in its place in other libraries' weights."""
Inflation = Literal["central", "average", "average_arp"]
LearnerVersion = Literal["1.1", "1.0"]
LearnerPooling = Literal["sum", "mean"]
Axes = Literal["joint", "space", "time", "split"]
QkvBias = Literal["full", "qv", "none"]
Partition = Literal["block", "grid"]
GatePool = Literal["clip", "time_step"]
ResNetDepth = Literal[50, 101, 152]

Summary = Literal["mean", "time", "maps", "motion", "time_maps", "time_motion", "maps_motion", "time_maps_motion"]
FROM_ENCODER = ("encoder", "encoder_vivit", "encoder_probe", "vjepa2_probe")
"""Networks around an encoder, which a config names by where its weights lie."""
TokenForm = Literal["full", "mean", "cells", "super_tokens"]
"""What is kept of a frame's grid of tokens."""

TokenProbeKind = Literal["attentive", "token_learner", "four_blocks"]
ProbeKind = Literal["linear", "attentive", "token_learner", "four_blocks"]
"""What `fit` puts behind a frozen encoder."""
FineTuning = Literal["folds", "once"]
"""How `fit` measures what fine-tuning brings: with every fold left out, or with the first alone."""

FeatureKind = Literal["pooled", "tokens"]
Engine = Literal["here", "ray"]
"""Where prediction over many videos is computed: in this process, or by the actors of a Ray Data job."""

Between = Literal["hold", "linear"]
"""What a frame between two time steps shows of their maps."""

# Models that run elsewhere
ExportTarget = Literal["onnx", "pt2", "openvino"]
ExportInput = Literal["pixels", "normalised"]
"""uint8 pixels, 0 to 255, with the normalisation inside of the file; or floats that whoever runs it has normalised."""
Quantisation = Literal["dynamic", "static"]
"""8-bit ONNX: the matrix products alone, or all layers with weights by what calibrating clips made of them."""

# Training and testing
Device = Literal["auto", "cpu", "cuda"]
ParallelForm = Literal["ddp", "fsdp2"]
Precision = Literal["float32", "bf16", "fp16"]
ScheduleKind = Literal["cosine", "linear", "step"]
ScoreKind = Literal["softmax", "sigmoid"]
OverClasses = Literal["mean", "sum"]
BatchNorm = Literal["train", "frozen", "sync"]
Aggregate = Literal["logits", "scores", "max"]
EvalProtocol = Literal[
    "pyslowfast_10x3",
    "mmaction2_10x3",
    "scenic_4x3",
    "videomae_5x3",
    "vjepa2_2x3",
    "vjepa2_4x3",
    "vjepa2_8x3",
    "charades_10x3",
    "something_1x3",
]
"""Published ways of testing; vidtok.data.eval_protocols has them."""
