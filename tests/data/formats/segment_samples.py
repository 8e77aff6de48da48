"""Samples of the forms with parts of videos: labelling tools' exports, and the lists of timed data sets."""

import json

from tests.data.formats.sample_list import SampleList, record

CVAT_VIDEO = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id>
      <name>games</name>
      <size>100</size>
      <mode>interpolation</mode>
      <start_frame>0</start_frame>
      <stop_frame>99</stop_frame>
      <frame_filter></frame_filter>
      <labels><label><name>run</name><attributes></attributes></label></labels>
      <original_size><width>96</width><height>64</height></original_size>
      <source>a b.mp4</source>
    </task>
    <dumped>2026-01-02 03:04:05.6+00:00</dumped>
  </meta>
  <track id="0" label="run" source="manual">
    <box frame="10" outside="0" occluded="0" keyframe="1" xtl="1" ytl="1" xbr="9" ybr="9" z_order="0"></box>
    <box frame="11" outside="0" occluded="0" keyframe="0" xtl="1" ytl="1" xbr="9" ybr="9" z_order="0"></box>
    <box frame="20" outside="1" occluded="0" keyframe="1" xtl="1" ytl="1" xbr="9" ybr="9" z_order="0"></box>
    <box frame="50" outside="0" occluded="0" keyframe="1" xtl="1" ytl="1" xbr="9" ybr="9" z_order="0"></box>
  </track>
  <track id="1" label="jump" source="manual">
    <points frame="0" outside="0" occluded="0" keyframe="1" points="1,2"></points>
    <points frame="5" outside="1" occluded="0" keyframe="1" points="1,2"></points>
  </track>
</annotations>
"""
CVAT_TAGS = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <project>
      <id>1</id>
      <tasks>
        <task><id>3</id><frame_filter>step=5</frame_filter><source>x.mp4</source></task>
        <task><id>4</id><source>pictures.zip</source></task>
      </tasks>
    </project>
  </meta>
  <image id="0" name="frame_000000" task_id="3"><tag label="wave" source="manual"></tag></image>
  <image id="5" name="frame_000005" task_id="3">
    <tag label="wave" source="manual"></tag>
    <tag label="sit" source="manual"></tag>
  </image>
  <image id="10" name="frame_000010" task_id="3"></image>
  <image id="15" name="frame_000015" task_id="3">
    <tag label="wave" source="manual"></tag>
    <box label="hand" xtl="1" ytl="1" xbr="2" ybr="2"></box>
  </image>
  <image id="0" name="in/one.jpg" task_id="4" width="96" height="64"><tag label="sit"></tag></image>
</annotations>
"""
LABEL_STUDIO = [
    {
        "id": 5,
        "data": {"video": "/data/upload/2/0a1b2c3d-x y.mp4", "note": "second take"},
        "annotations": [
            {
                "id": 9,
                "was_cancelled": False,
                "result": [
                    {
                        "type": "timelinelabels",
                        "from_name": "t",
                        "to_name": "v",
                        "value": {"ranges": [{"start": 1, "end": 25}], "timelinelabels": ["jump"]},
                    },
                    {"type": "choices", "from_name": "c", "to_name": "v", "value": {"choices": ["outside", "day"]}},
                    {"type": "rating", "from_name": "r", "to_name": "v", "value": {"rating": 3}},
                ],
            },
            {"id": 10, "was_cancelled": True, "result": []},
        ],
        "predictions": [{"result": [{"type": "choices", "value": {"choices": ["inside"]}}]}],
    },
    {
        "id": 6,
        "data": {"video": "/data/local-files/?d=in/b.mp4"},
        "annotations": [
            {"result": [{"type": "labels", "value": {"start": 1.5, "end": 2.25, "channel": 0, "labels": ["jump"]}}]}
        ],
    },
    {"id": 7, "data": {"video": "/data/upload/2/0a1b2c3d-c.mp4"}, "annotations": []},
]
VIA = {
    "project": {"pid": "__VIA_PROJECT_ID__", "data_format_version": "3.1.1", "vid_list": ["1", "2"]},
    "config": {"file": {"path": ""}},
    "attribute": {
        "1": {
            "aname": "action",
            "anchor_id": "FILE1_Z2_XY0",
            "type": 4,
            "desc": "",
            "options": {"0": "run", "1": "long jump"},
            "default_option_id": "",
        },
        "2": {"aname": "box", "anchor_id": "FILE1_Z1_XY1", "type": 1, "desc": "", "options": {}},
    },
    "file": {
        "1": {"fid": "1", "fname": "a.mp4", "type": 4, "loc": 1, "src": ""},
        "2": {"fid": "2", "fname": "b c.mp4", "type": 4, "loc": 3, "src": "file:///home/me/b%20c.mp4"},
    },
    "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["2"]}},
    "metadata": {
        "1_a": {"vid": "1", "flg": 0, "z": [1.5, 4.125], "xy": [], "av": {"1": "1"}},
        "1_b": {"vid": "1", "flg": 0, "z": [2.0], "xy": [2, 1, 1, 5, 5], "av": {"2": "ball"}},
        "1_c": {"vid": "1", "flg": 0, "z": [5.0, 6.0], "xy": [], "av": {"1": ""}},
        "2_d": {"vid": "2", "flg": 0, "z": [], "xy": [], "av": {"1": "0"}},
    },
}
ELAN = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-02T03:04:05+01:00" FORMAT="3.0" VERSION="3.0"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/work/one%20two.mp4" MIME_TYPE="video/mp4"
        RELATIVE_MEDIA_URL="./one%20two.mp4" TIME_ORIGIN="500"/>
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/work/one.wav" MIME_TYPE="audio/x-wav"/>
  </HEADER>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1250"/>
    <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2000"/>
    <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="2000"/>
    <TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="3500"/>
  </TIME_ORDER>
  <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="action">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
      <ANNOTATION_VALUE>sign &amp; wave</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
      <ANNOTATION_VALUE>rest</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts4">
      <ANNOTATION_VALUE></ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="gloss" PARENT_REF="action" TIER_ID="gloss">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a1">
      <ANNOTATION_VALUE>hello</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
</ANNOTATION_DOCUMENT>
"""
EPIC = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
    "P01_01_0,P01,P01_01,00:00:01.089,00:00:00.14,00:00:03.37,8,202,open door,open,1,door,2,['door'],[2]\n"
    "P01_01_1,P01,P01_01,00:00:02.629,00:00:04.37,01:02:06.170,262,370,take milk,take,0,milk,0,['milk'],[0]\n"
    "P02_07_0,P02,P02_07,00:00:00.000,00:00:01,00:00:01,1,1,open tin,open,1,tin,1,['tin'],[1]\n"
)
EPIC_NAMES = {
    "EPIC_100_verb_classes.csv": "id,key,instances\n0,take,\"['take', 'grab']\"\n1,open,['open']\n",
    "EPIC_100_noun_classes.csv": "id,key,instances\n2,door,['door']\n0,milk,['milk']\n1,tin,['tin']\n",
}
ACTIVITYNET = {
    "version": "VERSION 1.3",
    "taxonomy": [{"parentName": "Root", "nodeName": "Archery", "nodeId": 1, "parentId": None}],
    "database": {
        "sJFgo9H6zNo": {
            "duration": 82.7,
            "subset": "training",
            "resolution": "1920x1080",
            "url": "https://example.org/1",
            "annotations": [
                {"segment": [1.5, 7.25], "label": "Fun sliding down"},
                {"segment": [20, 20], "label": "Archery"},
                {"segment": [30.5, 82.7], "label": "Archery"},
            ],
        },
        "V1zhqaGFY2A": {"subset": "validation", "annotations": [{"segment": [0.01, 5.0], "label": "Archery"}]},
        "aaaaaaaaaaa": {"subset": "testing", "annotations": []},
    },
}
COIN = {
    "database": {
        "vEBnoyj10bE": {
            "recipe_type": 13,
            "annotation": [
                {"id": "67", "segment": [7.0, 20.0], "label": "boil water"},
                {"id": "68", "segment": [21.0, 30.5], "label": "add leaves"},
            ],
            "video_url": "https://example.org/2",
            "class": "MakeTea",
            "start": 6,
            "end": 80.5,
            "duration": 90.0,
            "subset": "training",
        },
        "bbbbbbbbbbb": {
            "recipe_type": 2,
            "annotation": [],
            "class": "CutHair",
            "start": 0,
            "end": 9,
            "subset": "testing",
        },
    }
}
KINETICS_JSON = {
    "-3B32lodo2M": {
        "annotations": {"label": "air drumming", "segment": [59.0, 69.0]},
        "duration": 10.0,
        "subset": "train",
        "url": "https://example.org/3",
    },
    "_KbfOS44-gM": {"annotations": {"label": "abseiling", "segment": [0.5, 10.5]}, "duration": 10.0, "subset": "train"},
}
AVA = (
    "-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,1\n"
    "-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,9,1\n"
    "-5KQ66BBWC4,0902,0.226,0.032,0.366,0.497,80,0\n"
    "-5KQ66BBWC4,0903,0.332,0.194,0.481,0.891,1,2\n"
    "053oq2xB3oU,0904\n"
)
THUMOS_FILES = {
    "annotation/Diving_val.txt": "video_validation_0000266  72.8 76.4\nvideo_validation_0000266  9.0 11.25\n",
    "annotation/Billiards_val.txt": "video_validation_0000051  1.0  2.5 \n",
    "annotation/Ambiguous_val.txt": "video_validation_0000051  5.0 6.0\n",
    "annotation/Diving_test.txt": "video_test_0000004  0.2  1.1\n",
}
DIVING = [
    {"vid_name": "8hIfRbtP7Bg_00001", "label": 1, "start_frame": 0, "end_frame": 151},
    {"vid_name": "8hIfRbtP7Bg_00002", "label": 0, "start_frame": 30, "end_frame": 60},
]

SEGMENT_SAMPLES = {
    "CVAT, tracks": SampleList(
        form="cvat",
        source="annotations.xml",
        files={"annotations.xml": CVAT_VIDEO},
        media=("a b.mp4",),
        records=lambda root: [
            record(root, "a b.mp4", 1, start_seconds=1.0, end_seconds=2.0),
            record(root, "a b.mp4", 1, start_seconds=5.0, end_seconds=10.0),
            record(root, "a b.mp4", 0, start_seconds=0.0, end_seconds=0.5),
        ],
        classes=("jump", "run"),
        options={"fps": 10.0},
    ),
    "CVAT, tags of a project": SampleList(
        form="cvat",
        source="exports",
        files={"exports/annotations.xml": CVAT_TAGS},
        root="videos",
        media=("x.mp4", "in/one.jpg"),
        records=lambda root: [
            record(root, "in/one.jpg", 0),
            record(root, "x.mp4", 1, start_seconds=0.0, end_seconds=1.0),
            record(root, "x.mp4", 1, start_seconds=1.5, end_seconds=2.0),
            record(root, "x.mp4", 0, start_seconds=0.5, end_seconds=1.0),
        ],
        classes=("sit", "wave"),
        options={"fps": 10.0},
    ),
    "Label Studio": SampleList(
        form="label_studio",
        source="project-1-at-2026-01-02.json",
        files={"project-1-at-2026-01-02.json": json.dumps(LABEL_STUDIO)},
        media=("x y.mp4", "in/b.mp4"),
        records=lambda root: [
            record(root, "x y.mp4", 2, 0),
            record(root, "x y.mp4", 1, start_seconds=0.0, end_seconds=1.0),
            record(root, "in/b.mp4", 1, start_seconds=1.5, end_seconds=2.25),
        ],
        classes=("day", "jump", "outside"),
        options={"fps": 25.0},
    ),
    "VIA": SampleList(
        form="via",
        source="via_project_02Jan2026.json",
        files={"via_project_02Jan2026.json": json.dumps(VIA)},
        media=("a.mp4", "b c.mp4"),
        records=lambda root: [
            record(root, "a.mp4", 0, start_seconds=1.5, end_seconds=4.125),
            record(root, "b c.mp4", 1),
        ],
        classes=("long jump", "run"),
    ),
    "ELAN": SampleList(
        form="elan",
        source="one.eaf",
        files={"one.eaf": ELAN},
        media=("one two.mp4",),
        records=lambda root: [
            record(root, "one two.mp4", 1, start_seconds=1.75, end_seconds=2.5),
            record(root, "one two.mp4", 0, start_seconds=2.5, end_seconds=4.0),
        ],
        classes=("rest", "sign & wave"),
    ),
    "ELAN, a folder": SampleList(
        form="elan",
        source="eaf",
        files={"eaf/1.eaf": ELAN, "eaf/2.eaf": ELAN.replace("one%20two", "three")},
        root="eaf",
        media=("one two.mp4", "three.mp4"),
        records=lambda root: [
            record(root, name, label, start_seconds=start, end_seconds=end)
            for name in ("one two.mp4", "three.mp4")
            for label, start, end in ((1, 1.75, 2.5), (0, 2.5, 4.0))
        ],
        classes=("rest", "sign & wave"),
        options={"label": "action"},
    ),
    "EPIC-KITCHENS, verbs": SampleList(
        form="epic_kitchens",
        source="annotations/EPIC_100_train.csv",
        files={
            "annotations/EPIC_100_train.csv": EPIC,
            **{f"annotations/{name}": text for name, text in EPIC_NAMES.items()},
        },
        root="EPIC-KITCHENS",
        media=("P01/videos/P01_01.MP4",),
        records=lambda root: [
            record(root, "P01/videos/P01_01.MP4", 1, video_id="P01_01", start_seconds=0.14, end_seconds=3.37),
            record(root, "P01/videos/P01_01.MP4", 0, video_id="P01_01", start_seconds=4.37, end_seconds=3726.17),
        ],
        classes=("take", "open"),
        options={"label": "verb"},
    ),
    "EPIC-KITCHENS, actions in frames": SampleList(
        form="epic_kitchens",
        source="EPIC_100_train.csv",
        files={"EPIC_100_train.csv": EPIC, "EPIC_100_noun_classes.csv": EPIC_NAMES["EPIC_100_noun_classes.csv"]},
        media=("P01/rgb_frames/P01_01/frame_0000000001.jpg",),
        records=lambda root: [
            record(
                root,
                "P01/rgb_frames/P01_01",
                label,
                video_id="P01_01",
                start_seconds=start,
                end_seconds=end,
                fps=50.0,
            )
            for label, start, end in ((1, 0.14, 3.37), (0, 4.37, 3726.17))
        ],
        classes=("verb 0 milk", "verb 1 door"),
        options={"label": "action", "fps": 50.0},
    ),
    "ActivityNet": SampleList(
        form="activitynet",
        source="activity_net.v1-3.min.json",
        files={"activity_net.v1-3.min.json": json.dumps(ACTIVITYNET)},
        root="videos",
        media=("training/v_sJFgo9H6zNo.mkv",),
        records=lambda root: [
            record(
                root, "training/v_sJFgo9H6zNo.mkv", label, video_id="sJFgo9H6zNo", start_seconds=start, end_seconds=end
            )
            for label, start, end in ((1, 1.5, 7.25), (0, 30.5, 82.7))
        ],
        classes=("Archery", "Fun sliding down"),
    ),
    "ActivityNet, a subset by its name": SampleList(
        form="activitynet",
        source="thumos14.json",
        files={
            "thumos14.json": json.dumps(
                {
                    "database": {
                        "video_test_1": {"subset": "Test", "annotations": [{"segment": ["a"], "label": "x"}]},
                        "video_validation_1": {
                            "subset": "Validation",
                            "annotations": [{"label": "Diving", "segment": [1, 2.5]}],
                        },
                    }
                }
            )
        },
        media=("video_validation_1.mp4",),
        records=lambda root: [
            record(root, "video_validation_1.mp4", 0, video_id="video_validation_1", start_seconds=1.0, end_seconds=2.5)
        ],
        classes=("Diving",),
        options={"subset": "Validation"},
    ),
    "HACS clips": SampleList(
        form="hacs_clips",
        source="HACS_clips_v1.1.1.csv",
        files={
            "HACS_clips_v1.1.1.csv": "classname,youtube_id,subset,start,end,label\n"
            "Archery,a2X2hz1G6i8,training,15.2,17.2,1\n"
            "Archery,NUG7kwJ-614,training,20.5,22.5,-1\n"
            "Tango,V1zhqaGFY2A,validation,3.0,5.0,1\n"
            "Tango,sJFgo9H6zNo,training,0.0,2.0,1\n"
        },
        media=("Archery/v_a2X2hz1G6i8.mp4", "v_sJFgo9H6zNo.mp4"),
        records=lambda root: [
            record(
                root,
                "Archery/v_a2X2hz1G6i8.mp4",
                0,
                video_id="a2X2hz1G6i8",
                start_seconds=15.2,
                end_seconds=17.2,
            ),
            record(root, "v_sJFgo9H6zNo.mp4", 1, video_id="sJFgo9H6zNo", start_seconds=0.0, end_seconds=2.0),
        ],
        classes=("Archery", "Tango"),
    ),
    "THUMOS": SampleList(
        form="thumos",
        source="annotation/Diving_val.txt",
        files=THUMOS_FILES,
        root="validation",
        media=("video_validation_0000266.mp4", "video_validation_0000051.avi"),
        records=lambda root: [
            record(root, f"{name}.{ending}", label, video_id=name, start_seconds=start, end_seconds=end)
            for name, ending, label, start, end in (
                ("video_validation_0000051", "avi", 0, 1.0, 2.5),
                ("video_validation_0000266", "mp4", 1, 72.8, 76.4),
                ("video_validation_0000266", "mp4", 1, 9.0, 11.25),
            )
        ],
        classes=("Billiards", "Diving"),
    ),
    "AVA": SampleList(
        form="ava",
        source="ava_train_v2.2.csv",
        files={
            "ava_train_v2.2.csv": AVA,
            "ava_action_list_v2.2.pbtxt": 'label {\n  name: "bend/bow (at the waist)"\n  label_id: 1\n'
            '  label_type: PERSON_MOVEMENT\n}\nlabel {\n  name: "watch (a person)"\n  label_id: 80\n}\n',
        },
        media=("-5KQ66BBWC4.mkv", "053oq2xB3oU.webm"),
        records=lambda root: [
            record(root, "-5KQ66BBWC4.mkv", 8, 79, video_id="-5KQ66BBWC4", start_seconds=900.5, end_seconds=903.5),
            record(root, "-5KQ66BBWC4.mkv", 0, video_id="-5KQ66BBWC4", start_seconds=901.5, end_seconds=904.5),
            record(root, "053oq2xB3oU.webm", video_id="053oq2xB3oU", start_seconds=902.5, end_seconds=905.5),
        ],
        classes=(
            "bend/bow (at the waist)",
            *(f"action {number}" for number in range(2, 80)),
            "watch (a person)",
        ),
    ),
    "intervals": SampleList(
        form="intervals",
        source="ava_speech_labels_v1.csv",
        files={
            "ava_speech_labels_v1.csv": "-5KQ66BBWC4,900.0,901.5,NO_SPEECH\n-5KQ66BBWC4,901.5,904,CLEAN_SPEECH\n"
            'in/b.mp4,0,2,"SPEECH, LOUD"\n'
        },
        media=("-5KQ66BBWC4.mp4", "in/b.mp4"),
        records=lambda root: [
            record(root, "-5KQ66BBWC4.mp4", 1, video_id="-5KQ66BBWC4", start_seconds=900.0, end_seconds=901.5),
            record(root, "-5KQ66BBWC4.mp4", 0, video_id="-5KQ66BBWC4", start_seconds=901.5, end_seconds=904.0),
            record(root, "in/b.mp4", 2, start_seconds=0.0, end_seconds=2.0),
        ],
        classes=("CLEAN_SPEECH", "NO_SPEECH", "SPEECH, LOUD"),
    ),
    "Moments in Time": SampleList(
        form="moments",
        source="trainingSet.csv",
        files={
            "trainingSet.csv": "adult+female+singing/0-0-1_3.mp4,adult+female+singing,3,1\n"
            "walking/getty-v_4.mp4,walking,11,0\n"
        },
        media=("training/adult+female+singing/0-0-1_3.mp4", "walking/getty-v_4.mp4"),
        records=lambda root: [
            record(root, "training/adult+female+singing/0-0-1_3.mp4", 0),
            record(root, "walking/getty-v_4.mp4", 1),
        ],
        classes=("adult+female+singing", "walking"),
    ),
    "Diving48": SampleList(
        form="diving48",
        source="Diving48_V2_train.json",
        files={
            "Diving48_V2_train.json": json.dumps(DIVING),
            "Diving48_vocab.json": json.dumps(
                [["Back", "15som", "05Twis", "FREE"], ["Inward", "Dive", "NoTwis", "PIKE"]]
            ),
        },
        media=("rgb/8hIfRbtP7Bg_00001.mp4", "8hIfRbtP7Bg_00002.mp4"),
        records=lambda root: [
            record(root, "rgb/8hIfRbtP7Bg_00001.mp4", 1, video_id="8hIfRbtP7Bg_00001"),
            record(root, "8hIfRbtP7Bg_00002.mp4", 0, video_id="8hIfRbtP7Bg_00002", start_seconds=1.0, end_seconds=2.0),
        ],
        classes=("Back 15som 05Twis FREE", "Inward Dive NoTwis PIKE"),
        options={"fps": 30.0},
    ),
    "Kinetics, JSON": SampleList(
        form="kinetics_json",
        source="train.json",
        files={"train.json": json.dumps(KINETICS_JSON)},
        root="k400",
        media=("train/air_drumming/-3B32lodo2M_000059_000069.mp4", "_KbfOS44-gM_0.5_10.5.webm"),
        records=lambda root: [
            record(root, "train/air_drumming/-3B32lodo2M_000059_000069.mp4", 1, video_id="-3B32lodo2M_000059_000069"),
            record(root, "_KbfOS44-gM_0.5_10.5.webm", 0, video_id="_KbfOS44-gM_000000_000010"),
        ],
        classes=("abseiling", "air drumming"),
    ),
    "COIN, steps": SampleList(
        form="coin",
        source="COIN.json",
        files={"COIN.json": json.dumps(COIN)},
        media=("13/vEBnoyj10bE.mp4",),
        records=lambda root: [
            record(root, "13/vEBnoyj10bE.mp4", 1, video_id="vEBnoyj10bE", start_seconds=7.0, end_seconds=20.0),
            record(root, "13/vEBnoyj10bE.mp4", 0, video_id="vEBnoyj10bE", start_seconds=21.0, end_seconds=30.5),
        ],
        classes=("add leaves", "boil water"),
        options={"label": "step"},
    ),
    "COIN, tasks": SampleList(
        form="coin",
        source="COIN.json",
        files={"COIN.json": json.dumps(COIN)},
        media=("vEBnoyj10bE.webm",),
        records=lambda root: [
            record(root, "vEBnoyj10bE.webm", 0, video_id="vEBnoyj10bE", start_seconds=6.0, end_seconds=80.5)
        ],
        classes=("MakeTea",),
        options={"label": "task"},
    ),
    "webdataset": SampleList(
        form="shards",
        source="shards/train-{000009..000010}.tar",
        files={},
        archives={
            "shards/train-000009.tar": {"a.mp4": "", "a.cls": "3\n", "b/c.d.mp4": "", "b/c.cls": "0"},
            "shards/train-000010.tar": {"e.json": '{"label": [1, 2], "note": "x"}', "e.webm": "", "f.txt": "no video"},
        },
        media=(),
        records=lambda root: [
            record(root, f"shards/train-{name}", *labels, video_id=f"train-{name}")
            for name, labels in (
                ("000009.tar/a.mp4", (3,)),
                ("000009.tar/b/c.d.mp4", (0,)),
                ("000010.tar/e.webm", (1, 2)),
            )
        ],
        classes=None,
    ),
}
