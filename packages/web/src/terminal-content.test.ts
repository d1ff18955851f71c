import { clipboardText } from './clipboard-request';
import { titleWords } from './shell-title';
import { touchKeyText, withCtrl } from './touch-keys';

describe('what a terminal’s content may do to the page', () => {
  it('a title is one short line without control or direction characters', () => {
    expect(titleWords('  vim\u0007 \u202eevil\u2028 main.c ')).toBe('vim evil main.c');
    expect(titleWords('x'.repeat(200))).toHaveLength(80);
  });

  it('a program may give text to the clipboard, never read or empty it', () => {
    expect(clipboardText(`c;${Buffer.from('héllo').toString('base64')}`)).toBe('héllo');
    expect(clipboardText(`;${Buffer.from('tmux').toString('base64')}`)).toBe('tmux');
    for (const refused of ['c;?', 'c;', 'c;not base64!', 'c;/w==', `c;${'A'.repeat(1_000_004)}`, 'nonsense']) expect(clipboardText(refused)).toBeNull();
  });
});

describe('keys that a telephone lacks', () => {
  it('are sent as the program inside asked for them', () => {
    expect(touchKeyText('↑', false)).toBe('\x1b[A');
    expect(touchKeyText('←', true)).toBe('\x1bOD');
    expect(touchKeyText('Esc', false) + touchKeyText('Tab', false)).toBe('\x1b\t');
  });

  it('Ctrl changes one letter and leaves the rest', () => {
    expect(['c', 'Z', '[', 'é', 'ls', '\r'].map(withCtrl)).toEqual(['\x03', '\x1a', '\x1b', 'é', 'ls', '\r']);
  });
});
