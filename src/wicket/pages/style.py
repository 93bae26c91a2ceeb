"""How pages look. Colours of data have a contrast of at least 3 : 1, text at least 4.5 : 1 (WCAG 2.2, 1.4.3
and 1.4.11), in light and in dark; nothing is told by colour alone.
"""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff",
    "raised": "#f6f7f9",
    "ink": "#1b1f24",
    "quiet": "#57606a",
    "rule": "#d5dae0",
    "good": "#0f6b3c",
    "bad": "#b3261e",
    "warn": "#855300",
    "s0": "#0b62a8",
    "s1": "#c2410c",
    "s2": "#0f766e",
    "s3": "#7c3aed",
    "s4": "#8a6100",
    "s5": "#be185d",
}
DARK = {
    "paper": "#14171b",
    "raised": "#1d2127",
    "ink": "#e8eaed",
    "quiet": "#a6adb7",
    "rule": "#363c45",
    "good": "#6fd59b",
    "bad": "#ff9a90",
    "warn": "#f0bf6a",
    "s0": "#6cb6ff",
    "s1": "#ff9a5c",
    "s2": "#4fd1bd",
    "s3": "#bda2ff",
    "s4": "#e3b341",
    "s5": "#ff8fc0",
}
NUM_SERIES = 6

_RULES = """
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main,footer{max-width:62rem;margin:0 auto;padding:0 1.25rem}
main{padding-top:2.5rem}
h1{font-size:clamp(1.5rem,1.1rem + 2vw,2.1rem);line-height:1.2;letter-spacing:-.015em;margin:0 0 .6rem;
overflow-wrap:anywhere;text-wrap:balance}
h2{font-size:1.25rem;line-height:1.3;margin:3rem 0 .75rem;padding-top:1.1rem;border-top:1px solid var(--rule)}
h3{font-size:1rem;line-height:1.4;margin:0 0 .5rem;overflow-wrap:anywhere}
p{margin:.6rem 0;max-width:46rem;overflow-wrap:anywhere}
.lead{text-wrap:pretty;font-size:1.125rem;color:var(--quiet);margin-bottom:1.5rem}
.note{border-left:.25rem solid var(--quiet);padding:.35rem 0 .35rem .85rem}
.note.good{border-color:var(--good)}.note.bad{border-color:var(--bad)}.note.warn{border-color:var(--warn)}
dl.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:.75rem;margin:1.25rem 0}
dl.facts div{display:flex;flex-direction:column;background:var(--raised);border-radius:.5rem;
padding:.9rem 1rem}
dl.facts dt{order:2;font-size:.875rem;line-height:1.35;overflow-wrap:anywhere}
dl.facts dd{order:1;margin:0 0 .15rem;font-size:1.6rem;line-height:1.25;font-weight:600;letter-spacing:-.01em}
dl.facts dd+dd{order:3;margin:0;font-size:.8125rem;font-weight:400;letter-spacing:0;color:var(--quiet);
line-height:1.35}
.scroll{overflow-x:auto;margin:1rem 0}
.scroll:focus-visible{outline:2px solid var(--s0);outline-offset:2px}
table{border-collapse:collapse;width:100%;font-size:.9375rem;line-height:1.4}
caption{text-align:left;color:var(--quiet);padding:0 0 .5rem;font-size:.9375rem}
caption span{display:block;max-width:min(46rem,calc(100vw - 2.5rem));overflow-wrap:anywhere}
th,td{text-align:left;padding:.45rem 1.1rem .45rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
th:last-child,td:last-child{padding-right:0}
thead th{font-size:.8125rem;color:var(--quiet);font-weight:600;vertical-align:bottom}
tbody th{font-weight:600;overflow-wrap:break-word;min-width:8rem;max-width:22rem}
.prose{min-width:14rem}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
thead .number{white-space:normal}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:2rem 2.5rem;
margin:1.25rem 0}
figure{margin:0;max-width:36rem}
figcaption{color:var(--quiet);font-size:.875rem;line-height:1.45;margin-top:.5rem}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
fill:var(--ink);font-variant-numeric:tabular-nums}
svg .quiet{fill:var(--quiet)}svg .head{font-weight:600}
svg .grid{stroke:var(--rule);stroke-width:1}svg .axis{stroke:var(--quiet);stroke-width:1}
svg .guide{stroke:var(--quiet);stroke-width:1.25;stroke-dasharray:3 4;fill:none}
svg .whisker{stroke:var(--ink);stroke-width:1.5;fill:none}
svg .line{stroke:currentColor;stroke-width:2.25;fill:none;stroke-linejoin:round;stroke-linecap:round}
svg .fill{fill:currentColor}svg .ring{stroke:var(--paper);stroke-width:1.5}
svg .band{fill:currentColor;opacity:.16}svg .count{fill:currentColor;opacity:.5}
article{background:var(--raised);border-radius:.5rem;padding:1rem 1.1rem;margin:1rem 0}
article h4{font-size:.8125rem;font-weight:600;margin:.9rem 0 .25rem;color:var(--quiet);overflow-wrap:anywhere}
.side{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr));gap:0 1.25rem}
pre{margin:0;font:.875rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
white-space:pre-wrap;overflow-wrap:anywhere}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
p.good,p.bad,p.warn{color:var(--ink)}
footer{margin-top:3.5rem;padding-top:1rem;padding-bottom:2.5rem;color:var(--quiet);font-size:.875rem}
@media print{article,figure{break-inside:avoid}body{background:none}}
"""


def css() -> str:
    """The whole style sheet."""
    light, dark = _variables(LIGHT), _variables(DARK)
    series = "".join(f".s{number}{{color:var(--s{number})}}" for number in range(NUM_SERIES))
    return f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}{_RULES}{series}"


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())
