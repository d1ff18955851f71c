import { isMeant, watchPerson } from './person';

/** A page with what the watch needs of one. */
function fakePage(visibilityState: DocumentVisibilityState, prerendering = false) {
  const page = Object.assign(new EventTarget(), { visibilityState, prerendering, defaultView: new EventTarget() });
  const seen: string[] = [];
  watchPerson(page as unknown as Document, {
    onArrived: () => seen.push('arrived'),
    onLeft: () => seen.push('left'),
    onPressed: () => seen.push('pressed'),
  });
  const turn = (state: DocumentVisibilityState): void => {
    page.visibilityState = state;
    page.dispatchEvent(new Event('visibilitychange'));
  };
  return { page, seen, turn };
}

const key = (name: string, modifiers = {}) => ({ key: name, ctrlKey: false, altKey: false, metaKey: false, repeat: false, ...modifiers });

it('a page that is loaded in front of somebody is a visit, and so is every return', () => {
  const { seen, turn } = fakePage('visible');
  turn('visible');
  turn('hidden');
  turn('visible');
  expect(seen).toEqual(['arrived', 'left', 'arrived']);
});

it('a page restored in the background is no visit until it is looked at', () => {
  const { seen, turn } = fakePage('hidden');
  expect(seen).toEqual([]);
  turn('visible');
  expect(seen).toEqual(['arrived']);
});

it('a page that is rendered in advance is no visit until it is shown', () => {
  const { page, seen } = fakePage('visible', true);
  expect(seen).toEqual([]);
  page.prerendering = false;
  page.dispatchEvent(new Event('prerenderingchange'));
  expect(seen).toEqual(['arrived']);
});

it('a page that is left and taken back from the browser’s memory is a new visit', () => {
  const { page, seen } = fakePage('visible');
  page.defaultView.dispatchEvent(new Event('pagehide'));
  page.defaultView.dispatchEvent(new Event('pageshow'));
  expect(seen).toEqual(['arrived', 'left', 'arrived']);
});

it('a click counts, keys for the browser and for moving about the page do not', () => {
  const { page, seen } = fakePage('visible');
  page.dispatchEvent(new Event('click'));
  expect(seen).toEqual(['arrived', 'pressed']);
  expect([key('a'), key('Enter'), key(' '), key('ArrowUp')].map(isMeant)).toEqual([true, true, true, true]);
  expect([key('Shift'), key('Tab'), key('F5'), key('Escape'), key('w', { ctrlKey: true }), key('c', { metaKey: true }), key('a', { repeat: true })].map(isMeant)).not.toContain(true);
});
