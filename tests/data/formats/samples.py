"""A small data set of every form, written as its specification says, and the records that it means."""

import json

from tests.data.formats.sample_list import SampleList, record
from tests.data.formats.segment_samples import SEGMENT_SAMPLES

CHARADES_CODES = tuple(f"c{label:03d}" for label in range(157))
UCF_CLASSES = "1 ApplyEyeMakeup\n2 ApplyLipstick\n3 Archery\n"
UCF_NAMES = ("ApplyEyeMakeup", "ApplyLipstick", "Archery")
UCF_VIDEOS = ("Archery/v_Archery_g01_c01.avi", "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c02.avi")
HMDB_FILES = {
    "splits/brush_hair_test_split1.txt": "a_brush_hair_u_nm_np1_ba_goo_0.avi 1 \nb (1).avi 2 \nc.avi 0 \n",
    "splits/wave_test_split1.txt": "d.avi 2 \ne.avi 1 \n",
    "splits/wave_test_split2.txt": "d.avi 1 \ne.avi 2 \n",
}
KINETICS = (
    "label,youtube_id,time_start,time_end,split,is_cc\n"
    "air drumming,-3B32lodo2M,59,69,train,0\n"
    '"tasting food, wine",_KbfOS44-gM,51,61,train,0\n'
    "air drumming,aBcDeFgHiJk,0,10,train,1\n"
)
SOMETHING_V2 = [
    {
        "id": "78687",
        "label": "holding potato next to vicks vaporub bottle",
        "template": "Holding [something] next to [something]",
        "placeholders": ["potato", "vicks vaporub bottle"],
    },
    {"id": "9", "label": "closing a box", "template": "Closing [something]", "placeholders": ["a box"]},
]
FRAMES = (
    "original_vido_id video_id frame_id path labels\n"
    + "".join(
        f'0A8CF 0 {i} 0A8CF/0A8CF-{i + 1:06d}.jpg "{labels}"\n' for i, labels in enumerate(["", "3", "3,71", "71"])
    )
    + "".join(f'YSKX3 1 {i} YSKX3/YSKX3-{i + 1:06d}.jpg "{labels}"\n' for i, labels in enumerate(["9", "", "9"]))
)
FRAME_FILES = tuple(
    f"{video}/{video}-{i + 1:06d}.jpg" for video, count in (("0A8CF", 4), ("YSKX3", 3)) for i in range(count)
)

SAMPLES = {
    "pytorchvideo": SampleList(
        form="paths",
        source="train.txt",
        files={"train.txt": "a.mp4 0\nb/c d.mp4 11\n"},
        media=("a.mp4", "b/c d.mp4"),
        records=lambda root: [record(root, "a.mp4", 0), record(root, "b/c d.mp4", 11)],
        classes=None,
    ),
    "VideoMAE": SampleList(
        form="paths",
        source="lists/train.csv",
        files={"lists/train.csv": "a.mp4 0\r\nb.mp4 1\r\n\r\n"},
        root="videos",
        media=("a.mp4", "b.mp4"),
        records=lambda root: [record(root, "a.mp4", 0), record(root, "b.mp4", 1)],
        classes=None,
    ),
    "V-JEPA": SampleList(
        form="paths",
        source="train.csv",
        files={"train.csv": "a, b.mp4::0\nc d.mp4::7\n"},
        media=("a, b.mp4", "c d.mp4"),
        records=lambda root: [record(root, "a, b.mp4", 0), record(root, "c d.mp4", 7)],
        classes=None,
    ),
    "mmaction2 video, several labels": SampleList(
        form="paths",
        source="train.txt",
        files={"train.txt": "a.mp4 1 3 5\nb.mp4 2\n"},
        media=("a.mp4", "b.mp4"),
        records=lambda root: [record(root, "a.mp4", 1, 3, 5), record(root, "b.mp4", 2)],
        classes=None,
    ),
    "PySlowFast": SampleList(
        form="paths",
        source="train.csv",
        files={"train.csv": "a.mp4,4\nb c.mp4,0\n"},
        media=("a.mp4", "b c.mp4"),
        records=lambda root: [record(root, "a.mp4", 4), record(root, "b c.mp4", 0)],
        classes=None,
    ),
    "PySlowFast, three fields": SampleList(
        form="pyslowfast",
        source="train.csv",
        files={"train.csv": "a.mp4,300,4\nb.mp4,298,0\n"},
        media=("a.mp4", "b.mp4"),
        records=lambda root: [record(root, "a.mp4", 4), record(root, "b.mp4", 0)],
        classes=None,
        detected=False,
    ),
    "mmaction2 rawframes": SampleList(
        form="rawframes",
        source="train.txt",
        files={"train.txt": "x/one 50 1 4\nx/two 75 0\n"},
        media=("x/one/img_00001.jpg", "x/two/img_00001.jpg"),
        records=lambda root: [
            record(root, "x/one", 1, 4, end_seconds=2.0, fps=25.0),
            record(root, "x/two", 0, end_seconds=3.0, fps=25.0),
        ],
        classes=None,
        detected=False,
    ),
    "mmaction2 rawframes, template": SampleList(
        form="rawframes",
        source="train.txt",
        files={"train.txt": "one 50 1\n"},
        media=("one/img_00001.jpg", "one/flow_x_00001.jpg"),
        records=lambda root: [record(root, "one/img_*.jpg", 1, video_id="one", end_seconds=5.0, fps=10.0)],
        classes=None,
        detected=False,
        options={"fps": 10.0, "template": "img_{:05}.jpg"},
    ),
    "mmaction2 rawframes, offset": SampleList(
        form="rawframes_offset",
        source="train.txt",
        files={"train.txt": "one 25 50 1\none 7 12 0\n"},
        media=("one/img_00001.jpg",),
        records=lambda root: [
            record(root, "one", 1, start_seconds=1.0, end_seconds=3.0, fps=25.0),
            record(root, "one", 0, start_seconds=7 / 25, end_seconds=19 / 25, fps=25.0),
        ],
        classes=None,
        detected=False,
    ),
    "paths and names of classes": SampleList(
        form="paths",
        source="train.txt",
        files={"train.txt": "# two videos\na b.mp4 playing guitar\nc.MP4 run\n"},
        media=("a b.mp4", "c.MP4"),
        records=lambda root: [record(root, "a b.mp4", 0), record(root, "c.MP4", 1)],
        classes=("playing guitar", "run"),
    ),
    "paths and names, frame folders": SampleList(
        form="paths",
        source="train.tsv",
        files={"train.tsv": "x/one\tplaying guitar\nx/two\trun\n"},
        media=("x/one/1.jpg", "x/two/1.jpg"),
        records=lambda root: [record(root, "x/one", 0), record(root, "x/two", 1)],
        classes=("playing guitar", "run"),
    ),
    "TSV of others": SampleList(
        form="csv",
        source="train.tsv",
        files={"train.tsv": "Path\tNote\tClass Name\na b.mp4\tx, y\tplaying guitar\nc.mp4\t\trun\n"},
        media=("a b.mp4", "c.mp4"),
        records=lambda root: [record(root, "a b.mp4", 0), record(root, "c.mp4", 1)],
        classes=("playing guitar", "run"),
    ),
    "CSV of others": SampleList(
        form="csv",
        source="train.csv",
        files={"train.csv": "filename;label\na b.mp4;0.0\nc.mp4;4.0\n"},
        media=("a b.mp4", "c.mp4"),
        records=lambda root: [record(root, "a b.mp4", 0), record(root, "c.mp4", 4)],
        classes=None,
    ),
    "JSON objects": SampleList(
        form="json",
        source="train.json",
        files={
            "train.json": json.dumps(
                [
                    {"video": "a.mp4", "label": "run", "start": 1, "end": 2.5, "video_id": 7},
                    {"video": "b.mp4", "label": ["jump", "run"], "start": None, "end": None, "video_id": None},
                ]
            )
        },
        media=("a.mp4", "b.mp4"),
        records=lambda root: [
            record(root, "a.mp4", 1, video_id="7", start_seconds=1.0, end_seconds=2.5),
            record(root, "b.mp4", 0, 1),
        ],
        classes=("jump", "run"),
    ),
    "JSON Lines": SampleList(
        form="json",
        source="metadata.jsonl",
        files={"metadata.jsonl": '{"file_name": "a.mp4", "label": 3}\n\n{"label": 0, "file_name": "b.mp4"}\n'},
        media=("a.mp4", "b.mp4"),
        records=lambda root: [record(root, "a.mp4", 3), record(root, "b.mp4", 0)],
        classes=None,
    ),
    "JSON from files to numbers": SampleList(
        form="json",
        source="train.json",
        files={"train.json": '{"a.mp4": 3, "b.mp4": "0", "c.mp4": [1, 2]}'},
        media=("a.mp4", "b.mp4", "c.mp4"),
        records=lambda root: [record(root, "a.mp4", 3), record(root, "b.mp4", 0), record(root, "c.mp4", 1, 2)],
        classes=None,
    ),
    "own CSV": SampleList(
        form="csv",
        source="list.csv",
        files={
            "list.csv": "fold,path,labels,start,end,video_id,fps\n"
            '0,"a, ""b"".mp4",3,,,,\n'
            "1,k/é.mp4,1;2,2.5,12.5,é/2,\n"
            "1,k,92:11.9-21.2;147;92:0-0.1,,,,24\n"
            "0,c.mp4,,0.1,,,\n"
        },
        media=('a, "b".mp4', "k/é.mp4", "c.mp4"),
        records=lambda root: [
            record(root, 'a, "b".mp4', 3),
            record(root, "k/é.mp4", 1, 2, start_seconds=2.5, end_seconds=12.5, video_id="é/2"),
            record(root, "k", 92, 147, 92, intervals=((11.9, 21.2), (0.0, float("inf")), (0.0, 0.1)), fps=24.0),
            record(root, "c.mp4", start_seconds=0.1),
        ],
        classes=None,
    ),
    "own CSV, names": SampleList(
        form="csv",
        source="labels.csv",
        files={"labels.csv": "path,label,subject,fold\nw/a.mp4,wave,0,0\nw/b.mp4,bend,1,1\nw/c.mp4,wave,1,1\n"},
        media=("w/a.mp4", "w/b.mp4", "w/c.mp4"),
        records=lambda root: [record(root, "w/a.mp4", 1), record(root, "w/b.mp4", 0), record(root, "w/c.mp4", 1)],
        classes=("bend", "wave"),
    ),
    "folder": SampleList(
        form="folder",
        source="train",
        files={},
        root="train",
        media=("jump/x.webm", "run/b.mp4"),
        records=lambda root: [record(root, "jump/x.webm", 0), record(root, "run/b.mp4", 1)],
        classes=("jump", "run"),
    ),
    "ImageNet": SampleList(
        form="folder",
        source="train",
        files={},
        root="train",
        media=("n01440764/n01440764_10026.JPEG", "n01443537/n01443537_2.JPEG"),
        records=lambda root: [
            record(root, "n01440764/n01440764_10026.JPEG", 0),
            record(root, "n01443537/n01443537_2.JPEG", 1),
        ],
        classes=("n01440764", "n01443537"),
    ),
    "Kinetics": SampleList(
        form="kinetics",
        source="annotations/train.csv",
        files={"annotations/train.csv": KINETICS},
        root="k400",
        media=(
            "train/air_drumming/-3B32lodo2M_000059_000069.mp4",
            "train/tasting food, wine/_KbfOS44-gM_51_61.mkv",
            "train/aBcDeFgHiJk.webm",
            "train/AbCdEfGhIjK.mp4",
        ),
        records=lambda root: [
            record(root, "train/air_drumming/-3B32lodo2M_000059_000069.mp4", 0, video_id="-3B32lodo2M_000059_000069"),
            record(root, "train/tasting food, wine/_KbfOS44-gM_51_61.mkv", 1, video_id="_KbfOS44-gM_000051_000061"),
            record(root, "train/aBcDeFgHiJk.webm", 0, video_id="aBcDeFgHiJk_000000_000010"),
        ],
        classes=("air drumming", "tasting food, wine"),
    ),
    "Charades, videos": SampleList(
        form="charades",
        source="Charades_v1_train.csv",
        files={
            "Charades_v1_train.csv": "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,"
            "length\n"
            '46GP8,HR43,Kitchen,6,7,Yes,"A person, cooking.",food,x;y,c092 11.90 21.20;c147 0.00 12.60,24.83\n'
            "N11GT,0KZ7,Hall,5,7,No,z,,q,,18.33\n"
        },
        root="Charades_v1_480",
        media=("46GP8.mp4", "N11GT.mp4"),
        records=lambda root: [
            record(root, "46GP8.mp4", 92, 147, video_id="46GP8", intervals=((11.9, 21.2), (0.0, 12.6))),
            record(root, "N11GT.mp4", video_id="N11GT"),
        ],
        classes=CHARADES_CODES,
    ),
    "Charades, frame folders": SampleList(
        form="charades",
        source="Charades_v1_test.csv",
        files={"Charades_v1_test.csv": "id,actions,length\nYSKX3,c009 0.5 2.00,24.83\n"},
        root="Charades_v1_rgb",
        media=("YSKX3/YSKX3-000001.jpg",),
        records=lambda root: [record(root, "YSKX3", 9, intervals=((0.5, 2.0),), fps=24.0)],
        classes=CHARADES_CODES,
    ),
    "Charades, frame list": SampleList(
        form="charades_frames",
        source="train.csv",
        files={"train.csv": FRAMES},
        media=FRAME_FILES,
        records=lambda root: [
            record(root, "0A8CF", 3, 71, intervals=((1 / 24, 3 / 24), (2 / 24, 4 / 24)), fps=24.0),
            record(root, "YSKX3", 9, 9, intervals=((0.0, 1 / 24), (2 / 24, 3 / 24)), fps=24.0),
        ],
        classes=CHARADES_CODES,
    ),
    "Charades, frame list of videos": SampleList(
        form="charades_frames",
        source="train.csv",
        files={"train.csv": FRAMES},
        media=("0A8CF.mp4", "YSKX3.mp4"),
        records=lambda root: [
            record(root, "0A8CF.mp4", 3, 71, video_id="0A8CF", intervals=((1 / 24, 3 / 24), (2 / 24, 4 / 24))),
            record(root, "YSKX3.mp4", 9, 9, video_id="YSKX3", intervals=((0.0, 1 / 24), (2 / 24, 3 / 24))),
        ],
        classes=CHARADES_CODES,
    ),
    "AViD": SampleList(
        form="avid",
        source="avid_train.json",
        files={
            "avid_train.json": json.dumps(
                {"yr.mp4": "playing harmonica", "b.mp4": "none", "c.mp4": "abseiling", "d.mp4": ""}
            )
        },
        root="videos",
        media=("yr.mp4", "b.mp4", "c.mp4", "d.mp4"),
        records=lambda root: [
            record(root, "yr.mp4", 2),
            record(root, "b.mp4", 1),
            record(root, "c.mp4", 0),
            record(root, "d.mp4", 1),
        ],
        classes=("abseiling", "none", "playing harmonica"),
    ),
    "AViD, without none": SampleList(
        form="avid",
        source="avid_train.json",
        files={"avid_train.json": json.dumps({"yr.mp4": "playing harmonica", "b.mp4": "none", "d.mp4": ""})},
        media=("yr.mp4", "b.mp4", "d.mp4"),
        records=lambda root: [record(root, "yr.mp4", 0)],
        classes=("playing harmonica",),
        options={"none": "drop"},
    ),
    "Something-Something v1": SampleList(
        form="something_v1",
        source="something-something-v1-train.csv",
        files={
            "something-something-v1-train.csv": "100218;Something falling like a feather or paper\n24413;Digging\n",
            "something-something-v1-labels.csv": "Something falling like a feather or paper\nHolding something\n"
            "Digging\n",
        },
        root="20bn-something-something-v1",
        media=("100218/00001.jpg", "24413/00001.jpg"),
        records=lambda root: [record(root, "100218", 0, fps=12.0), record(root, "24413", 2, fps=12.0)],
        classes=("Something falling like a feather or paper", "Holding something", "Digging"),
    ),
    "Something-Something v2": SampleList(
        form="something_v2",
        source="something-something-v2-train.json",
        files={
            "something-something-v2-train.json": json.dumps(SOMETHING_V2),
            "something-something-v2-labels.json": json.dumps(
                {"Closing something": "0", "Digging": "1", "Holding something next to something": "2"}
            ),
        },
        root="20bn-something-something-v2",
        media=("78687.webm", "9.webm"),
        records=lambda root: [record(root, "78687.webm", 2, video_id="78687"), record(root, "9.webm", 0, video_id="9")],
        classes=("Closing something", "Digging", "Holding something next to something"),
    ),
    "Something-Something v2, frame folders": SampleList(
        form="something_v2",
        source="train.json",
        files={"train.json": json.dumps(SOMETHING_V2)},
        media=("78687/000001.jpg", "9/000001.jpg"),
        records=lambda root: [record(root, "78687", 1, fps=30.0), record(root, "9", 0, fps=30.0)],
        classes=("Closing something", "Holding something next to something"),
        options={"fps": 30.0},
    ),
    "UCF101, training": SampleList(
        form="ucf101",
        source="ucfTrainTestlist/trainlist01.txt",
        files={
            "ucfTrainTestlist/trainlist01.txt": f"{UCF_VIDEOS[0]} 3\r\n{UCF_VIDEOS[1]} 1\r\n",
            "ucfTrainTestlist/classInd.txt": UCF_CLASSES,
        },
        root="UCF-101",
        media=UCF_VIDEOS,
        records=lambda root: [record(root, UCF_VIDEOS[0], 2), record(root, UCF_VIDEOS[1], 0)],
        classes=UCF_NAMES,
    ),
    "UCF101, testing": SampleList(
        form="ucf101",
        source="ucfTrainTestlist/testlist01.txt",
        files={
            "ucfTrainTestlist/testlist01.txt": "".join(f"{name}\n" for name in UCF_VIDEOS),
            "ucfTrainTestlist/classInd.txt": UCF_CLASSES,
        },
        root="UCF-101",
        media=UCF_VIDEOS,
        records=lambda root: [record(root, UCF_VIDEOS[0], 2), record(root, UCF_VIDEOS[1], 0)],
        classes=UCF_NAMES,
    ),
    "mmaction2's list of UCF101": SampleList(
        form="paths",
        source="ucf101_train_split_1_videos.txt",
        files={"ucf101_train_split_1_videos.txt": f"{UCF_VIDEOS[0]} 2\n{UCF_VIDEOS[1]} 0\n"},
        media=UCF_VIDEOS,
        records=lambda root: [record(root, UCF_VIDEOS[0], 2), record(root, UCF_VIDEOS[1], 0)],
        classes=None,
    ),
    "HMDB51": SampleList(
        form="hmdb51",
        source="splits/wave_test_split1.txt",
        files=HMDB_FILES,
        root="hmdb51_org",
        media=("brush_hair/a_brush_hair_u_nm_np1_ba_goo_0.avi", "wave/e.avi"),
        records=lambda root: [
            record(root, "brush_hair/a_brush_hair_u_nm_np1_ba_goo_0.avi", 0),
            record(root, "wave/e.avi", 1),
        ],
        classes=("brush_hair", "wave"),
    ),
    **SEGMENT_SAMPLES,
}
