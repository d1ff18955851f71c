"""Counts ten times a second, into ~/ticks first and then to its terminal, and answers every line that is typed. No signal ends it.

A line of ~/ticks is `number time`, or `heard line`: what the terminal was told is in the file already.
"""
import os, select, signal, time

for number in range(1, signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass

file = os.open(os.path.expanduser('~/ticks'), os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def say(line, shown):
    os.write(file, f'{line}\n'.encode())
    print(f'<{shown}>', flush=True)


tick = 0
while True:
    tick += 1
    say(f'{tick} {time.time():.3f}', f'tick {tick}')
    until = time.monotonic() + 0.1
    while (left := until - time.monotonic()) > 0:
        if select.select([0], [], [], left)[0]:
            line = os.read(0, 4096).decode().strip()
            say(f'heard {line}', f'heard {line}')
