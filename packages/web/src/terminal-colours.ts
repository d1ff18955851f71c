import type { ITheme } from '@xterm/xterm';

/** The terminal's own colours; the sixteen are those that programs ask for by number. */
export const darkTheme: ITheme = {
  background: '#14171a', foreground: '#dfe3e6', cursor: '#5cc8ae', cursorAccent: '#14171a', selectionBackground: '#35505266',
  black: '#23272b', red: '#f0716b', green: '#79c98b', yellow: '#dcb867', blue: '#73a9e8', magenta: '#c792d9', cyan: '#5fc4c0', white: '#c8cdd1',
  brightBlack: '#717a82', brightRed: '#ff938d', brightGreen: '#9be0aa', brightYellow: '#f0d28a', brightBlue: '#9cc5f5', brightMagenta: '#dcb3ea', brightCyan: '#8adfdb', brightWhite: '#f4f6f7',
};

export const lightTheme: ITheme = {
  background: '#fdfdfb', foreground: '#23272b', cursor: '#0f6b5c', cursorAccent: '#fdfdfb', selectionBackground: '#0f6b5c33',
  black: '#23272b', red: '#b3261e', green: '#22733a', yellow: '#8a6100', blue: '#1f5fae', magenta: '#84379b', cyan: '#0c6e70', white: '#c9cdd0',
  brightBlack: '#5f676e', brightRed: '#c8372e', brightGreen: '#2b8546', brightYellow: '#9a6d00', brightBlue: '#2b70c6', brightMagenta: '#9947b1', brightCyan: '#118083', brightWhite: '#3a4046',
};
