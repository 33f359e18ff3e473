"""How a report looks, and the one thing that moves in it."""

from __future__ import annotations

STYLE = """
:root { --ink: #1f2933; --quiet: #56616b; --rule: #dfe3e8; --ground: #fff; --soft: #f5f7f9; --link: #1f5fae;
  --mark: #3b76c4; --bad: #b3261e }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e4e7eb; --quiet: #a3adb8; --rule: #2c353f; --ground: #14181d; --soft: #1b2128; --link: #8ab9f1;
    --mark: #6ea8ee; --bad: #ff8a80 } }
* { box-sizing: border-box }
html { color-scheme: light dark; -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
header, nav, main, footer { max-width: 992px; margin: 0 auto; padding: 0 16px }
header { padding-top: 40px }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 6px; font-weight: 650; letter-spacing: -.01em;
  overflow-wrap: anywhere }
h1 a { color: inherit; text-decoration: none } h1 a:hover { text-decoration: underline }
h2 { font-size: 1.3rem; margin: 0 0 16px; font-weight: 650 } h3 { font-size: 1rem; margin: 28px 0 8px }
p { margin: 0 0 12px; max-width: 72ch } ul, ol { margin: 0 0 12px; padding-left: 1.3em }
a { color: var(--link) } .url { overflow-wrap: anywhere }
code { font: .88em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere }
.kicker { margin: 0; color: var(--quiet); font-size: .9rem } .quiet { color: var(--quiet); font-size: .9rem }
.lead { font-size: 1.08rem }
.skip { position: absolute; left: -999px } .skip:focus { left: 16px; top: 8px; background: var(--ground); padding: 6px }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 18px; list-style: none; padding: 12px 0; margin: 16px 0 0;
  border-top: 1px solid var(--rule); border-bottom: 1px solid var(--rule); font-size: .9rem }
nav a { text-decoration: none } nav a:hover { text-decoration: underline }
section { margin: 48px 0 0 }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 20px 24px; margin: 20px 0 24px }
.tiles div { border-top: 2px solid var(--rule); padding-top: 8px }
.tiles dt { color: var(--quiet); font-size: .85rem } .tiles dd { margin: 0; font-size: 1.5rem; line-height: 1.25;
  font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.bottleneck { border-left: 4px solid var(--mark); background: var(--soft); padding: 14px 18px; margin: 0 0 24px }
.bottleneck > :last-child { margin-bottom: 0 }
figure { margin: 0 0 18px } svg { display: block; max-width: 100%; height: auto } .narrow { display: none }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0 36px; align-items: start }
.scroll { overflow-x: auto; margin: 0 0 14px; position: relative }
table { border-collapse: collapse; width: 100%; font-size: .9rem; line-height: 1.45 }
caption { text-align: left; font-weight: 600; padding: 0 0 8px; font-size: .95rem }
caption span { position: sticky; left: 0; display: inline-block; max-width: calc(100vw - 32px) }
th { text-align: left; font-weight: 500; color: var(--quiet); white-space: nowrap; vertical-align: bottom }
th, td { padding: 6px 18px 6px 0; border-bottom: 1px solid var(--rule); vertical-align: top }
th:last-child, td:last-child { padding-right: 0 }
td { min-width: 4em; max-width: 36em; overflow-wrap: break-word }
.n { text-align: right; width: 1%; font-variant-numeric: tabular-nums; white-space: nowrap }
td .url { min-width: 14em; display: inline-block }
.urls { list-style: none; margin: 0; padding: 0 } ol.urls { list-style: decimal; padding-left: 1.6em }
summary { cursor: pointer; margin: 0 0 12px; color: var(--link) } td summary { margin: 2px 0 }
footer { margin-top: 56px; padding-bottom: 40px; color: var(--quiet); font-size: .85rem }
.graph-box svg { min-width: 700px; margin: 0 auto }
.graph path { fill: none } .graph .ring { fill: none; stroke: var(--rule) }
.graph .leader { stroke: var(--rule) } .graph .link { stroke: var(--quiet); opacity: .25 }
.graph .way { stroke: var(--mark); opacity: .4 }
.graph .good { fill: var(--mark) } .graph .bad { fill: var(--bad) } .graph .moved { fill: var(--quiet) }
.graph circle { stroke: var(--ground) } .graph .node text { font-size: 12px }
.graph.lit .link, .graph.lit .way { opacity: .05 } .graph.lit path.on { opacity: 1; stroke: var(--mark) }
.graph.lit .node { opacity: .25 } .graph.lit .node.on { opacity: 1 }
@media (max-width: 720px) {
  header { padding-top: 24px } h1 { font-size: 1.5rem } section { margin-top: 36px }
  .wide { display: none } .narrow { display: block } .pair { display: block }
  .tiles { grid-template-columns: 1fr 1fr } .tiles dd { font-size: 1.25rem }
}
@media print {
  body { font-size: 10pt } nav, .skip { display: none } section { margin-top: 24pt }
  figure, tr, .bottleneck, .tiles { break-inside: avoid } h2, h3, caption { break-after: avoid }
  a { color: inherit; text-decoration: none } .scroll { overflow: visible } .graph-box svg { min-width: 0 }
}
"""

# Over a page of the graph, its links stand out and the rest steps back.
SCRIPT = """
for (const graph of document.querySelectorAll(".graph")) {
  const light = node => {
    graph.classList.toggle("lit", Boolean(node));
    for (const one of graph.querySelectorAll(".on")) one.classList.remove("on");
    if (!node) return;
    const number = node.dataset.number, near = new Set([number]);
    for (const way of graph.querySelectorAll("[data-from]")) {
      if (way.dataset.from !== number && way.dataset.to !== number) continue;
      way.classList.add("on");
      near.add(way.dataset.from).add(way.dataset.to);
    }
    for (const one of graph.querySelectorAll(".node")) one.classList.toggle("on", near.has(one.dataset.number));
  };
  graph.addEventListener("pointerover", event => light(event.target.closest(".node")));
  graph.addEventListener("pointerleave", () => light(null));
}
"""
