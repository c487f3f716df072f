"""The report's style sheet."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f8; --surface: #ffffff; --text: #1c2430; --soft: #5d6877; --line: #dfe3e8;
  --accent: #2f6f9f; --bar: #2f6f9f80;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14181d; --surface: #1c2229; --text: #e4e8ed; --soft: #98a3b1; --line: #313943;
    --accent: #7fb6dd; --bar: #7fb6dd80;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1360px; margin: 0 auto; padding: 2rem clamp(1rem, 3vw, 2.5rem) 3rem; }
h1 { font-size: clamp(1.4rem, 3vw, 1.9rem); line-height: 1.2; margin: 0; font-weight: 650; }
h2 { font-size: 1.05rem; margin: 0 0 .75rem; font-weight: 650; }
h2::first-letter { text-transform: uppercase; }
section, footer { margin-top: 2rem; }

.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: .75rem; }
.card {
  background: var(--surface); border: 1px solid var(--line); border-radius: 10px;
  padding: .9rem 1.1rem;
}
.figure {
  font-size: 1.6rem; font-weight: 650; font-variant-numeric: tabular-nums; line-height: 1.2;
}
.what { color: var(--soft); }
.against { color: var(--soft); font-size: .85rem; margin-top: .35rem; }

.scroll {
  overflow-x: auto; background: var(--surface); border: 1px solid var(--line); border-radius: 10px;
}
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: .85rem; padding: .7rem 1rem .2rem; }
th, td {
  padding: .55rem .75rem .6rem; text-align: right; white-space: nowrap;
  border-top: 1px solid var(--line);
}
thead th { border-top: 0; color: var(--soft); font-weight: 550; font-size: .85rem; }
th:first-child { text-align: left; padding-left: 1rem; }
tbody th { font-weight: 550; position: sticky; left: 0; background: var(--surface); }
td:nth-child(2) { font-weight: 650; }
td.share {
  background: linear-gradient(var(--bar), var(--bar)) left .75rem bottom 3px no-repeat;
  background-size: calc((100% - 1.5rem) * var(--share)) 3px;
}
td.missing { color: var(--soft); }
.notes { margin: .9rem 0 0; padding-left: 1.2rem; color: var(--soft); max-width: 80ch; }

.hint { color: var(--soft); margin: 0 0 .5rem; }
.legend {
  position: sticky; top: 0; z-index: 1; background: var(--page);
  display: flex; flex-wrap: wrap; gap: .35rem 1.1rem; list-style: none;
  margin: 0 0 .75rem; padding: .5rem 0;
}
.legend li { display: flex; align-items: center; gap: .45rem; font-size: .9rem; }
.chip { width: .95rem; height: .95rem; border-radius: 3px; border: 1px solid var(--soft); }
.chip.plain { background: transparent; }
.chip.hatched {
  background: repeating-linear-gradient(135deg, var(--soft) 0 2px, transparent 2px 5px);
}
.sample {
  margin: 0 0 1rem; padding: .8rem 1rem 1rem; background: var(--surface);
  border: 1px solid var(--line); border-radius: 10px;
}
.sample figcaption { font-weight: 550; margin-bottom: .5rem; overflow-wrap: anywhere; }
.panels {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: .75rem;
}
.panel { display: block; min-width: 0; position: relative; }
label.panel { cursor: zoom-in; }
.of { display: block; color: var(--soft); font-size: .85rem; margin-bottom: .2rem; }
.panel img { display: block; width: 100%; height: auto; border-radius: 6px; }
.panel input { position: absolute; opacity: 0; }
.panel input:focus-visible + img { outline: 2px solid var(--accent); outline-offset: 2px; }
.panel input:checked + img {
  position: fixed; inset: 0; z-index: 2; width: 100vw; height: 100vh; height: 100dvh;
  padding: 2vmin; object-fit: contain; background: #000d; border-radius: 0; cursor: zoom-out;
}
.none {
  display: grid; place-items: center; aspect-ratio: 1; color: var(--soft); font-size: .9rem;
  border: 1px dashed var(--line); border-radius: 6px;
}

footer { border-top: 1px solid var(--line); padding-top: 1.5rem; color: var(--soft); }
footer h2 { color: var(--text); }
dl {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: .6rem 1.5rem;
  margin: 0;
}
dt { font-size: .8rem; }
dd { margin: 0; color: var(--text); overflow-wrap: anywhere; }
pre {
  margin: 1rem 0 0; padding: .8rem 1rem; overflow-x: auto; color: var(--text);
  background: var(--surface); border: 1px solid var(--line); border-radius: 10px;
  font: .85rem/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
}
@media print { .legend { position: static; } .sample { break-inside: avoid; } }
"""
"""CSS for light and dark, wide and narrow screens; no fetched fonts or images."""

ERRORS_STYLE = """
:root { --tint: 47 111 159; }
@media (prefers-color-scheme: dark) { :root { --tint: 127 182 221; } }
.confusion td:nth-child(2) { font-weight: inherit; }
.confusion td.part { background: rgb(var(--tint) / calc(var(--share) * .5)); }
.confusion td.right { box-shadow: inset 0 0 0 2px rgb(var(--tint)); }
.count { display: block; font-size: .8rem; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 1rem; }
.curves figure { margin: 0; }
.curves p { margin: .2rem 0 0; }
.curves svg { display: block; width: 100%; max-width: 320px; height: auto; overflow: visible; }
.curves text { fill: var(--soft); font-size: 9px; }
.curves .grid { stroke: var(--line); fill: none; }
.curves polyline { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
.curves .other { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 5 3; }
.curves .guess { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 1 3; }
.curves .best { fill: var(--accent); }
.sample figcaption .of { font-weight: 400; }
.panel input:not(:checked) + img { width: auto; max-width: 100%; max-height: 60vh; }
.panels { grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); }
.still .legend { position: static; }
"""
"""What the page of errors needs besides."""
