import type { WebSocket } from 'ws';

const PROMPT = '\x1b[1;32mvibe\x1b[0m:\x1b[1;34m~/workspace\x1b[0m$ ';

/** Speaks ttyd's side of the socket for a shell that only knows `ls`, `demo`, `flood`, `copy` and how to echo. */
export function serveShell(socket: WebSocket, authToken: string): void {
  let line = '';
  let isPaused = false;
  let isKnown = false;
  const print = (text: string): void => {
    socket.send(Buffer.from(`0${text}`));
  };
  const run = (command: string): void => {
    if (command === 'ls') print('\x1b[1;34mnotes\x1b[0m  \x1b[1;34msrc\x1b[0m  Makefile  README.md\r\n');
    else if (command === 'demo') print(demo);
    else if (command === 'flood') flood();
    else if (command === 'copy') print(`\x1b]52;c;${Buffer.from('copied by a program').toString('base64')}\x07copied\r\n`);
    else if (command !== '') print(`${command.split(' ')[0] ?? ''}: command not found\r\n`);
    print(PROMPT);
  };
  const flood = (): void => {
    let left = 3_000;
    const more = setInterval(() => {
      if (isPaused) return;
      for (let n = 0; n < 50; n += 1) print(`${String(left)} ${'~'.repeat(2_000)}\r\n`);
      left -= 50;
      if (left <= 0) clearInterval(more);
    }, 1);
  };
  socket.on('message', (data: Buffer) => {
    const frame = data.toString();
    if (!isKnown) {
      isKnown = (JSON.parse(frame) as { AuthToken?: string }).AuthToken === authToken;
      if (!isKnown) return;
      socket.send(Buffer.from('1bash (host)'));
      socket.send(Buffer.from('2{"disableLeaveAlert":true}'));
      print(`\x1b]2;workspace · bash\x07\x1b[2mData lives only in this session. Copy out what matters.\x1b[0m\r\n${PROMPT}`);
      return;
    }
    if (frame.startsWith('2')) isPaused = true;
    if (frame.startsWith('3')) isPaused = false;
    if (!frame.startsWith('0')) return;
    for (const character of frame.slice(1)) {
      if (character === '\r') {
        print('\r\n');
        run(line.trim());
        line = '';
      } else if (character === '\x7f') {
        if (line !== '') print('\b \b');
        line = line.slice(0, -1);
      } else if (character >= ' ') {
        line += character;
        print(character);
      }
    }
  });
}

const demo = [
  '\x1b[1m$ git log --oneline\x1b[0m',
  '\x1b[33m3f2c1aa\x1b[0m (\x1b[1;36mHEAD\x1b[0m -> \x1b[1;32mmain\x1b[0m) Teach the parser about comments',
  '\x1b[33m91b07de\x1b[0m First light',
  '\x1b[1m$ make test\x1b[0m',
  '  \x1b[32m✓\x1b[0m reads an empty file \x1b[2m(2 ms)\x1b[0m',
  '  \x1b[32m✓\x1b[0m keeps comments in place \x1b[2m(1 ms)\x1b[0m',
  '  \x1b[31m✗\x1b[0m refuses an open string \x1b[2m(4 ms)\x1b[0m   see https://example.org/issues/42',
  `\x1b[1;31m1 failed\x1b[0m, \x1b[1;32m2 passed\x1b[0m   ${[1, 2, 3, 4, 5, 6].map((n) => `\x1b[4${String(n)}m  \x1b[10${String(n)}m  \x1b[0m`).join('')}`,
  '',
].join('\r\n');
