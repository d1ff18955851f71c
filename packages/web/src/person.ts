/** What the person in front of the page does, as far as it may open a session. */
export interface Person {
  /** The page was loaded in front of them, or brought there. */
  readonly onArrived: () => void;
  readonly onLeft: () => void;
  /** A key that means something, or a click outside links and buttons. */
  readonly onPressed: () => void;
}

interface Prerendering {
  readonly prerendering?: boolean;
}

/**
 * Watches visibility, keys and clicks. A page that was prefetched, prerendered or restored in the background has not
 * arrived until it is really shown.
 */
export function watchPerson(page: Document, person: Person): void {
  let isHere = false;
  const look = (): void => {
    const isShown = page.visibilityState === 'visible' && (page as Prerendering).prerendering !== true;
    if (isShown === isHere) return;
    isHere = isShown;
    if (isShown) person.onArrived();
    else person.onLeft();
  };
  page.addEventListener('visibilitychange', look);
  page.addEventListener('prerenderingchange', look);
  page.defaultView?.addEventListener('pagehide', () => {
    if (isHere) person.onLeft();
    isHere = false;
  });
  page.defaultView?.addEventListener('pageshow', look);
  // Capture: xterm.js stops keys from bubbling.
  page.addEventListener('keydown', (event) => { if (isMeant(event) && !isOnControl(event)) person.onPressed(); }, { capture: true });
  page.addEventListener('click', (event) => { if (!isOnControl(event)) person.onPressed(); });
  look();
}

/** Keys for the browser or for moving about the page wake nothing. */
export function isMeant(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'altKey' | 'metaKey' | 'repeat'>): boolean {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return false;
  return event.key.length === 1 || ['Enter', 'Backspace', 'Delete', 'ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Unidentified', 'Process'].includes(event.key);
}

function isOnControl(event: Event): boolean {
  const target = event.target as Partial<Element> | null;
  return (target?.closest?.('a, button, input, form, dialog, header') ?? null) !== null;
}
