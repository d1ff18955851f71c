import { FitAddon } from '@xterm/addon-fit';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { clipboardText } from './clipboard-request';
import { darkTheme, lightTheme } from './terminal-colours';
import type { TerminalSize } from './ttyd-frames';

export interface TerminalViewOptions {
  readonly element: HTMLElement;
  readonly onText: (text: string) => void;
  readonly onBinary: (data: string) => void;
  readonly onResize: (size: TerminalSize) => void;
  /** As a program inside set it: not safe to show as it is. */
  readonly onTitle: (title: string) => void;
}

/** xterm.js as the page uses it: colours, size, copying, links. */
export interface TerminalView {
  readonly size: () => TerminalSize;
  readonly write: (bytes: Uint8Array, done: () => void) => void;
  /** An empty screen, all modes as at the start. */
  readonly reset: () => void;
  /** Lets the person type, or takes keys and focus away. */
  readonly setActive: (isActive: boolean) => void;
  readonly focus: () => void;
  /** Types text as if it came from the keyboard. */
  readonly type: (text: string) => void;
  readonly hasApplicationCursor: () => boolean;
}

export function createTerminalView({ element, onText, onBinary, onResize, onTitle }: TerminalViewOptions): TerminalView {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const terminal = new Terminal({
    fontFamily: 'ui-monospace, "Cascadia Mono", "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Noto Color Emoji", monospace',
    fontSize: matchMedia('(max-width: 40rem)').matches ? 13 : 14,
    lineHeight: 1.15,
    cursorBlink: !still.matches,
    scrollback: 5_000,
    macOptionClickForcesSelection: true,
    // A program's colours stay readable on both grounds.
    minimumContrastRatio: 4.5,
    theme: dark.matches ? darkTheme : lightTheme,
    // A link whose text hides its address: shown before it is followed.
    linkHandler: { activate: (_event, address) => { if (confirm(`Open ${address} ?`)) follow(address); } },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.loadAddon(new WebLinksAddon((_event, address) => { follow(address); }));
  terminal.open(element);
  terminal.attachCustomKeyEventHandler((event) => !isCopy(event, terminal));
  terminal.parser.registerOscHandler(52, (request) => { copyFromProgram(request); return true; });
  terminal.onData(onText);
  terminal.onBinary(onBinary);
  terminal.onTitleChange(onTitle);
  dark.addEventListener('change', () => { terminal.options.theme = dark.matches ? darkTheme : lightTheme; });
  still.addEventListener('change', () => { terminal.options.cursorBlink = !still.matches; });
  fit.fit();
  terminal.onResize(({ cols, rows }) => { onResize({ columns: cols, rows }); });
  new ResizeObserver(() => { fit.fit(); }).observe(element);
  return {
    size: () => ({ columns: terminal.cols, rows: terminal.rows }),
    write: (bytes, done) => { terminal.write(bytes, done); },
    reset: () => { terminal.reset(); },
    setActive: (isActive) => {
      element.inert = !isActive;
      if (isActive) terminal.focus();
      else terminal.blur();
    },
    focus: () => { terminal.focus(); },
    type: (text) => { terminal.input(text, true); terminal.focus(); },
    hasApplicationCursor: () => terminal.modes.applicationCursorKeysMode,
  };
}

/** Only web addresses, in a tab that knows nothing of this one. */
function follow(address: string): void {
  if (/^https?:\/\//iu.test(address)) window.open(address, '_blank', 'noopener,noreferrer');
}

/** Ctrl+Shift+C copies, as in other terminals: browsers use it for something else. Pasting is the browser's own. */
function isCopy(event: KeyboardEvent, terminal: Terminal): boolean {
  if (event.type !== 'keydown' || !event.ctrlKey || !event.shiftKey || event.code !== 'KeyC') return false;
  event.preventDefault();
  if (terminal.hasSelection()) void navigator.clipboard.writeText(terminal.getSelection()).catch(() => undefined);
  return true;
}

/**
 * A program inside (tmux, after a selection by mouse) asks to fill the clipboard: done only while the browser still
 * counts the person's last key or click as an act, so that mere output never does it.
 */
function copyFromProgram(request: string): void {
  const text = clipboardText(request);
  if (text !== null && navigator.userActivation.isActive) void navigator.clipboard.writeText(text).catch(() => undefined);
}
