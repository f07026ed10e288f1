"""The style sheet, script and icon of a debug page. All are inline, so the page loads no other resource."""

from __future__ import annotations

#: The content of the `style` element.
STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f5f8; --card: #fff; --sunk: #f8f9fb; --ink: #1b2130; --soft: #5a6374; --line: #dfe3ea;
  --red: #bf1d2d; --tint: #fdecec; --mark: #f9b9b6; --blue: #1c5fc4; --focus: #1c5fc4;
  --key: #8b2fb8; --text: #1a7040; --num: #a2500b; --note: #5f6878;
  --mono: ui-monospace, "SF Mono", "Cascadia Code", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono",
  monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1117; --card: #161b23; --sunk: #11161d; --ink: #e3e8f0; --soft: #97a2b4; --line: #2a313d;
    --red: #ff8078; --tint: #35191c; --mark: #7c2a2e; --blue: #7ab4ff; --focus: #7ab4ff;
    --key: #d2a2f5; --text: #86d19b; --num: #f0b072; --note: #909cae;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
}
.wide { max-width: 76rem; margin: 0 auto; padding: 0 1.5rem; }
code, pre, kbd { font-family: var(--mono); }
a { color: var(--blue); text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
header { background: var(--card); border-bottom: 1px solid var(--line); border-top: 4px solid var(--red); }
header .wide { padding-top: 1.5rem; padding-bottom: 1.25rem; }
.status { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: center; margin: 0 0 1rem;
  color: var(--soft);
  font-size: .9rem; }
.status b { background: var(--tint); color: var(--red); border-radius: 1rem; padding: .1rem .7rem;
  font-weight: 650; }
.status code { overflow-wrap: anywhere; }
h1 { font-size: clamp(1.45rem, 1rem + 2vw, 2.1rem); line-height: 1.2; margin: 0; color: var(--red);
  font-weight: 700;
  letter-spacing: -.01em; overflow-wrap: anywhere; }
h1 small, h3 small { font-size: .55em; font-weight: 500; color: var(--soft); letter-spacing: 0;
  display: block; }
.message { font: 1.05rem/1.5 var(--mono); margin: .75rem 0 0; white-space: pre-wrap;
  overflow-wrap: anywhere;
  max-height: 16rem; overflow-y: auto; }
.notes { margin: .75rem 0 0; padding: 0; list-style: none; color: var(--soft); white-space: pre-wrap;
  overflow-wrap: anywhere; }
.notes li { border-left: 3px solid var(--line); padding-left: .75rem; margin-top: .25rem; }
.hints { margin: 1rem 0 0; padding: .6rem 1rem; list-style: none; background: var(--tint);
  border-radius: .5rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.at { margin: .75rem 0 0; color: var(--soft); font-size: .95rem; overflow-wrap: anywhere; }
.led { margin: .75rem 0 0; padding-left: 1.2rem; color: var(--soft); font-size: .95rem;
  overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .4rem 1.25rem; align-items: center; margin-top: 1.25rem;
  font-size: .95rem; }
nav button { margin-left: auto; }
button { font: inherit; font-size: .9rem; color: var(--ink); background: var(--sunk);
  border: 1px solid var(--line);
  border-radius: .5rem; padding: .4rem .9rem; cursor: pointer; }
button:hover { border-color: var(--soft); }
main { padding-top: .5rem; padding-bottom: 4rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .75rem; }
h3 { font-size: 1.1rem; margin: 0; color: var(--red); overflow-wrap: anywhere; }
h4 { font-size: .95rem; margin: 1.25rem 0 .4rem; }
.relation { color: var(--soft); margin: 2rem 0 .5rem; font-size: .95rem; }
.other { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1rem;
  margin-bottom: .75rem; }
.members { border-left: 3px solid var(--line); margin: .75rem 0 0; padding-left: 1rem; }
details { margin: 0 0 .6rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
.frame { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: hidden; }
.frame > summary { padding: .55rem 1rem; }
.frame > summary:focus-visible, .folded > summary:focus-visible { outline-offset: -2px; }
.frame summary .where { color: var(--soft); font: .88rem var(--mono); }
.frame summary b { font: 600 .92rem var(--mono); }
.frame.last { border-color: var(--red); }
.tag { font-size: .75rem; border: 1px solid var(--line); border-radius: 1rem; padding: 0 .5rem;
  color: var(--soft); white-space: nowrap; }
.folded > summary { color: var(--soft); font-size: .92rem; padding: .15rem 1rem; }
.folded > .frame { margin: .5rem 0 .5rem 1rem; }
.gap { color: var(--soft); margin: .25rem 1rem .75rem; font-size: .92rem; }
pre { margin: 0; }
.source { background: var(--sunk); border-top: 1px solid var(--line); overflow-x: auto; padding: .5rem 0;
  font-size: .86rem;
  line-height: 1.6; tab-size: 4; }
.source span.l { display: block; width: max-content; min-width: 100%; padding-right: 1rem; }
.source span.l::before { content: attr(data-n); position: sticky; left: 0; display: inline-block;
  width: 4.2em; padding-right: 1em;
  margin-right: .6em; text-align: right; color: var(--soft); background: var(--sunk); user-select: none; }
.source span.hit, .source span.hit::before { background: var(--tint); }
.source span.hit::before { color: var(--red); font-weight: 700; box-shadow: inset 3px 0 var(--red); }
mark { background: var(--mark); color: inherit; border-radius: 3px;
  text-decoration: underline 2px var(--red);
  text-underline-offset: .25em; }
.k { color: var(--key); } .s { color: var(--text); } .n { color: var(--num); } .c { color: var(--note);
  font-style: italic; }
.names { border-top: 1px solid var(--line); margin: 0; padding: .4rem 1rem; }
.names > summary { color: var(--soft); font-size: .88rem; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; font-size: .88rem; }
th, td { text-align: left; vertical-align: top; padding: .32rem .75rem .32rem 0;
  border-top: 1px solid var(--line);
  overflow-wrap: anywhere; font-weight: 400; }
tr:first-child > * { border-top: 0; }
th { width: 24%; color: var(--soft); font-family: var(--mono); }
td { font-family: var(--mono); white-space: pre-wrap; }
td:first-child { font-weight: 650; }
thead th { width: auto; font: 600 .85rem system-ui, sans-serif; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: .25rem 1rem .5rem; }
.card h4:first-child { margin-top: .75rem; }
.group > summary { font-size: 1.1rem; font-weight: 650; padding: .6rem 0; }
.plain { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem;
  overflow: auto; max-height: 40rem;
  font-size: .82rem; }
footer { color: var(--soft); font-size: .88rem; border-top: 1px solid var(--line); padding: 1rem 0 0;
  margin-top: 2.5rem; }
@media (max-width: 40rem) {
  .wide { padding: 0 .9rem; }
  .source { font-size: .8rem; }
  .source span.l::before { width: 3.2em; padding-right: .6em; margin-right: .3em; }
  nav button { margin-left: 0; width: 100%; padding: .6rem; }
  tr { display: block; border-top: 1px solid var(--line); padding: .3rem 0; }
  tbody tr:first-child { border-top: 0; }
  th, td { display: block; width: 100%; padding: 0; border: 0; }
  thead { display: none; }
}
@media print { .source { overflow: visible; } nav { display: none; } }
"""

#: The content of the `script` element: it copies the plain traceback. Without JavaScript, the button is
#: hidden.
SCRIPT = """
const button = document.getElementById("copy");
const plain = document.getElementById("plain");
button.hidden = false;
async function copy() {
  try {
    await navigator.clipboard.writeText(plain.textContent);
  } catch {
    // navigator.clipboard exists in secure contexts only; elsewhere select the text and use execCommand.
    plain.closest("details").open = true;
    getSelection().selectAllChildren(plain);
    if (!document.execCommand("copy")) return "Press Ctrl+C";
  }
  return "Copied";
}
button.addEventListener("click", async () => {
  const label = button.textContent;
  button.textContent = await copy();
  setTimeout(() => { button.textContent = label; }, 2000);
});
"""

#: A red disc, inline so that the browser does not request /favicon.ico.
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Ccircle cx='8' cy='8' r='7' fill='%23bf1d2d'/%3E%3C/svg%3E"
)
