"""A page that is one file: styles, a small script, pictures and videos inside, and no request to anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from vidtok.viz.charts import clean

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data:"
"""Browsers hold the page to this: nothing is fetched."""

STYLE = """
:root{color-scheme:light dark;--paper:#fbfbfa;--card:#fff;--ink:#1c1d21;--faint:#63666f;--rule:#dcdde1;--mark:#2563c9;
--wrong:#b4421d;--track:#e9eaee}
@media (prefers-color-scheme:dark){:root{--paper:#17181c;--card:#1f2127;--ink:#e8e9ed;--faint:#9b9fab;--rule:#34373f;
--mark:#78a9ff;--wrong:#ff9a70;--track:#2c2f37}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:22px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:17px;margin:40px 0 4px;padding-top:12px;border-top:1px solid var(--rule)}
h3{font-size:13px;font-weight:600;margin:0 0 4px}
p{margin:4px 0 12px;max-width:70ch;overflow-wrap:anywhere}
p.note,figcaption,.note,small{color:var(--faint);font-size:13px}
.wide{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
table.figures td,table.figures th{padding:4px 18px 4px 0;text-align:left;border-bottom:1px solid var(--rule)}
table.figures th{font-weight:600}
table.figures td.value{font-weight:600}
table.figures td+td{white-space:nowrap}
.wide+.wide{margin-top:18px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:16px}
svg{width:100%;height:auto;display:block}
svg text{fill:var(--faint);font:12px system-ui,sans-serif}
.line{fill:none;stroke:var(--mark);stroke-width:1.8;stroke-linejoin:round}
.dot{fill:var(--mark)}
.grid{stroke:var(--rule);stroke-width:1}
.frame{fill:none;stroke:var(--rule)}
.gap{stroke:var(--wrong);stroke-width:2}
.square{max-width:320px}
.bar{display:grid;grid-template-columns:minmax(90px,200px) 1fr 48px minmax(60px,110px);gap:10px;align-items:center;
padding:2px 0}
.name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.track{background:var(--track);border-radius:3px;height:10px;overflow:hidden}
.track span{display:block;height:100%;background:var(--mark)}
.number{text-align:right;font-variant-numeric:tabular-nums}
summary{cursor:pointer;color:var(--faint);padding:6px 0}
table.matrix{font-size:12px}
table.matrix th{font-weight:400;text-align:right;padding:0 6px;max-width:150px;overflow:hidden;text-overflow:ellipsis;
white-space:nowrap;background:var(--paper)}
table.matrix tbody th{position:sticky;left:0}
table.matrix thead th{vertical-align:bottom}
table.matrix thead span{writing-mode:vertical-rl;max-height:120px;overflow:hidden;text-overflow:ellipsis;
display:inline-block}
table.matrix td{min-width:26px;height:26px;text-align:center;border:1px solid var(--paper);
background:color-mix(in srgb,var(--wrong) calc(var(--share)*85%),var(--track))}
table.matrix td.own{background:color-mix(in srgb,var(--mark) calc(var(--share)*70%),var(--track))}
.clips{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:14px}
figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:6px;overflow:hidden}
figure:focus-visible{outline:2px solid var(--mark)}
figure video{display:block;width:100%;background:#000}
figcaption{padding:6px 8px 8px;overflow-wrap:anywhere}
figcaption b{color:var(--ink);font-weight:600}
figcaption .as{color:var(--wrong)}
.maps{display:grid;gap:16px}
.maps figure{max-width:900px}
@media (max-width:520px){.bar{grid-template-columns:minmax(70px,34%) 1fr 44px}.bar .note{display:none}
.clips{grid-template-columns:repeat(2,1fr)}}
"""

SCRIPT = """
for (const video of document.querySelectorAll("video")) {
  const card = video.closest("figure");
  const play = () => video.play().catch(() => {});
  const mouse = then => event => event.pointerType === "mouse" && then();
  card.addEventListener("pointerenter", mouse(play));
  card.addEventListener("pointerleave", mouse(() => video.pause()));
  card.addEventListener("pointerup", event => event.pointerType !== "mouse" && (video.paused ? play() : video.pause()));
  card.addEventListener("keydown", event => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    video.paused ? play() : video.pause();
  });
}
"""


@dataclass(frozen=True, kw_only=True)
class PageSection:
    """A heading, a sentence about what is below it, and HTML whose words are escaped already."""

    title: str
    note: str = ""
    body: str


def page(title: str, sections: Sequence[PageSection], *, lead: Sequence[str] = ()) -> str:
    """The whole file. `lead` are lines below the title, as plain text."""
    head = "".join(f"<p>{clean(line)}</p>" for line in lead)
    parts = "".join(
        f"<section><h2>{clean(each.title)}</h2>"
        + (f'<p class="note">{clean(each.note)}</p>' if each.note else "")
        + f"{each.body}</section>"
        for each in sections
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{clean(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{clean(title)}</h1>{head}{parts}</main><script>{SCRIPT}</script></body></html>\n"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of figures: the second column is the one that counts."""
    heads = "".join(f'<th scope="col">{clean(each)}</th>' for each in head)
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=value' if place == 1 else ''}>{clean(each)}</td>" for place, each in enumerate(row))
        + "</tr>"
        for row in rows
    )
    inner = f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table class="figures">{inner}</table></div>'


def clip(video: str, poster: str, caption: str) -> str:
    """A video that plays while it is pointed at, or when it is tapped; `caption` is HTML whose words are escaped."""
    return (
        f'<figure tabindex="0"><video muted loop playsinline preload="none" poster="{poster}" src="{video}"></video>'
        f"<figcaption>{caption}</figcaption></figure>"
    )
