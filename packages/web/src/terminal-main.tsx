import { render } from 'preact';
import { createApiClient } from './api-client';
import { isSignedIn, openEventStream, refreshWhenStale, schedule } from './browser-parts';
import { FirstUse } from './first-use';
import { createLiveFeed } from './live-feed';
import { watchPerson } from './person';
import { createServerClock } from './server-clock';
import { stateWords } from './session-text';
import { titleWords } from './shell-title';
import { TerminalBar } from './terminal-bar';
import { TerminalOverlay } from './terminal-overlay';
import { TerminalPage } from './terminal-page';
import { createTerminalView } from './terminal-view';
import { TouchBar } from './touch-bar';
import { touchKeyText, withCtrl } from './touch-keys';
import { TtydClient, type TtydSocket } from './ttyd-client';

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page lacks #${id}`);
  return found;
}

const now = (): number => Date.now();
const clock = createServerClock(now);
const api = createApiClient({ fetch: fetch.bind(window), clock });
const id = location.pathname.split('/')[2] ?? '';
let shellTitle = '';
let isCtrlHeld = false;
let isActive = true;

function openSocket(path: string): TtydSocket {
  const address = new URL(path, location.href);
  // The address comes from the service; only its own host is ever spoken to.
  if (address.host !== location.host) throw new Error('the terminal is on another host');
  address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return new WebSocket(address, ['tty']);
}

const view = createTerminalView({
  element: element('screen'),
  onText: (text) => {
    ttyd.type(isCtrlHeld ? withCtrl(text) : text);
    holdCtrl(false);
  },
  onBinary: (data) => {
    ttyd.typeBinary(data);
  },
  onResize: (size) => {
    ttyd.resize(size);
  },
  onTitle: (title) => {
    shellTitle = titleWords(title);
    draw();
  },
});

const ttyd: TtydClient = new TtydClient({
  openSocket,
  schedule,
  now: clock.now,
  random: Math.random,
  size: view.size,
  onFresh: view.reset,
  onOutput: view.write,
  onStatus: (status) => {
    page.onSocketStatus(status);
  },
});

const page: TerminalPage = new TerminalPage({ id, api, clock, socket: ttyd, schedule, onChange: draw });

function holdCtrl(isHeld: boolean): void {
  if (isCtrlHeld === isHeld) return;
  isCtrlHeld = isHeld;
  draw();
}

function draw(): void {
  const { screen, session, feed } = page;
  const words = screen.kind === 'terminal' ? shellTitle : session === null ? '' : stateWords(session.state).label;
  document.title = [words, session?.name ?? 'Terminal', 'Vibeswarm'].filter((part) => part !== '').join(' · ');
  if (isActive !== (screen.kind === 'terminal')) {
    isActive = screen.kind === 'terminal';
    view.setActive(isActive);
  }
  render(<><TerminalBar session={session} feed={feed} now={clock.now()} onSleep={() => page.sleep()} />{isActive && <FirstUse onRead={view.focus} />}</>, element('bar'));
  render(<TerminalOverlay screen={screen} />, element('overlay'));
  render(isActive && <TouchBar isCtrlHeld={isCtrlHeld} onCtrl={() => { holdCtrl(!isCtrlHeld); }} onKey={(key) => { view.type(touchKeyText(key, view.hasApplicationCursor())); }} />, element('keys'));
}

/** The on-screen keyboard of some telephones covers the page instead of shrinking it: keep to the part that is seen. */
function keepToSeenPart(): void {
  const seen = window.visualViewport;
  seen?.addEventListener('resize', () => {
    document.body.style.height = seen.scale === 1 ? `${String(seen.height)}px` : '';
  });
}

const feed = createLiveFeed({ openStream: openEventStream, schedule, now: clock.now, isSignedIn: () => isSignedIn(api), ...page.feedEvents });

draw();
feed.start();
refreshWhenStale(feed, now);
watchPerson(document, {
  ...page.person,
  onPressed: () => {
    page.person.onPressed();
    // A key or click beside the terminal is meant for it.
    if (isActive) view.focus();
  },
});
keepToSeenPart();
// Countdowns and elapsed times; a page nobody sees need not tick.
setInterval(() => {
  if (document.visibilityState === 'visible') draw();
}, 500);
