"""Makes in ~/not-kept one of each that a sleep does not keep, or, with `look`, prints what there is now as one JSON object."""
import json, os, socket, sys

os.makedirs(os.path.expanduser('~/not-kept'), exist_ok=True)
os.chdir(os.path.expanduser('~/not-kept'))

MINUTE_BEFORE_1970 = -60
FAR_FUTURE = 10_300_000_000


def make():
    for name in ['tagged', 'dated', 'early', 'late']:
        with open(name, 'w') as file:
            file.write('kept')
    os.setxattr('tagged', 'user.colour', b'blue')
    os.utime('dated', ns=(0, 1_700_000_000_123_456_789))
    os.utime('early', (0, MINUTE_BEFORE_1970))
    os.utime('late', (0, FAR_FUTURE))
    with open('sparse', 'wb') as file:
        file.truncate(8 << 20)
    with open('sparse', 'r+b') as file:
        file.seek(4 << 20)
        file.write(b'between two holes')
    listener = socket.socket(socket.AF_UNIX)
    listener.bind('socket')
    # As deep as the kernel lets one name it; the node's own name for it is longer by where the Engine keeps it.
    room = 4095 - len(os.getcwd())
    while room > 256:
        os.mkdir('d' * 240)
        os.chdir('d' * 240)
        room -= 241
    with open('f' * (room - 1), 'w') as file:
        file.write('lost')


def look():
    def date(name):
        return os.stat(name).st_mtime_ns

    def deepest():
        return max(len(os.path.join(at, name)) for at, below, files in os.walk(os.getcwd()) for name in below + files)

    sparse = os.stat('sparse')
    print(json.dumps({
        'contents': sorted({open(name).read() for name in ['tagged', 'dated', 'early', 'late']}),
        'xattrs': os.listxattr('tagged'),
        'dated_ns': str(date('dated')), 'early_s': date('early') // 10**9, 'late_s': date('late') // 10**9,
        'sparse': {'bytes': sparse.st_size, 'on_disk': sparse.st_blocks * 512, 'is_whole': open('sparse', 'rb').read().strip(b'\0') == b'between two holes'},
        'has_socket': os.path.exists('socket'),
        'longest_path': deepest(),
    }))


look() if sys.argv[1:] == ['look'] else make()
