/** The look of the gateway's own pages: the colours and type of the other pages (packages/web/src/theme.css), and one card. */
export const plainStyle = `
:root {
  color-scheme: light dark;
  --ground: #f6f6f3; --panel: #ffffff; --line: #deddd7; --ink: #1d2124; --ink-soft: #5a6268;
  --accent: #0f6b5c; --accent-ink: #ffffff; --accent-strong: #0a5448; --bad: #b3261e; --bad-ground: #fcebe9; --bad-line: #eec1bc;
  --shadow: 0 1px 2px rgb(20 24 28 / 6%), 0 6px 20px rgb(20 24 28 / 6%);
  --mono: ui-monospace, 'Cascadia Mono', 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --panel: #1b1f23; --line: #2e343a; --ink: #e6e9eb; --ink-soft: #9ba4ab;
    --accent: #5cc8ae; --accent-ink: #0c1f1b; --accent-strong: #7fdac4; --bad: #f28b84; --bad-ground: #301d1c; --bad-line: #643330;
    --shadow: 0 1px 2px rgb(0 0 0 / 30%), 0 6px 20px rgb(0 0 0 / 25%);
  }
}
*, *::before, *::after { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif; -webkit-text-size-adjust: 100%;
}
main { width: 100%; max-width: 25rem; padding: 2rem; background: var(--panel); border: 1px solid var(--line); border-radius: 14px; box-shadow: var(--shadow); }
p { margin: 0; }
.brand { display: flex; align-items: center; gap: .55rem; font-weight: 650; }
h1 { margin: .75rem 0 .25rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; }
.soft { color: var(--ink-soft); }
form { display: grid; gap: .5rem; margin: 1.5rem 0 0; }
label { font-weight: 600; }
input {
  width: 100%; padding: .65rem .75rem; font: inherit; color: inherit; background: var(--ground);
  border: 1px solid var(--line); border-radius: 10px;
}
input[aria-invalid] { border-color: var(--bad); }
.button {
  display: inline-block; margin-top: .5rem; padding: .65rem 1rem; font: inherit; font-weight: 600; text-align: center; text-decoration: none;
  color: var(--accent-ink); background: var(--accent); border: 1px solid transparent; border-radius: 10px; cursor: pointer;
}
.button:hover { background: var(--accent-strong); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.problem { margin: 1rem 0 0; padding: .6rem .75rem; color: var(--bad); background: var(--bad-ground); border: 1px solid var(--bad-line); border-radius: 10px; }
.note { margin: 1.25rem 0 0; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .9rem; color: var(--ink-soft); }
code { font-family: var(--mono); font-size: .92em; }
`;
