"""Prints one line for everything under /, sorted by path: what a sleep must keep of it, and nothing else.

path type mode owner size content link-target hard-link-group mtime capability, with `-` for what an entry has not.
Arguments are paths that are left out, with all below them; so is whatever is mounted (/proc, /dev, /etc/hosts …).
Run it as root: a mode may shut out everybody else.
"""
import hashlib, os, stat, sys

KINDS = {stat.S_IFREG: 'file', stat.S_IFDIR: 'dir', stat.S_IFLNK: 'link', stat.S_IFIFO: 'fifo', stat.S_IFSOCK: 'socket', stat.S_IFCHR: 'char', stat.S_IFBLK: 'block'}


def shown(path):
    """Any bytes as one ASCII word."""
    return ascii(path.decode('utf-8', 'surrogateescape'))[1:-1].replace(' ', '\\x20')


def left_out():
    with open('/proc/self/mountinfo', 'rb') as mounts:
        points = {line.split()[4].decode('unicode_escape').encode('latin-1') for line in mounts}
    return (points - {b'/'}) | {os.fsencode(path) for path in sys.argv[1:]}


def entries(directory, without):
    """Everything below a directory, by directory handles: a path may be longer than a system call takes."""
    with os.scandir(directory) as found:
        for entry in found:
            if entry.path in without:
                continue
            yield entry.path
            if entry.is_dir(follow_symlinks=False):
                yield from entries(entry.path, without)


def digest(path):
    content = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            content.update(chunk)
    return content.hexdigest()


def capability(path):
    try:
        return os.getxattr(path, 'security.capability', follow_symlinks=False).hex()
    except OSError:
        return '-'


def main():
    paths = sorted(entries(b'/', left_out()))
    names_of = {}
    for path in paths:
        at = os.lstat(path)
        if not stat.S_ISDIR(at.st_mode):
            names_of.setdefault((at.st_dev, at.st_ino), []).append(path)
    for path in paths:
        at = os.lstat(path)
        kind = KINDS[stat.S_IFMT(at.st_mode)]
        is_file = kind == 'file'
        names = names_of.get((at.st_dev, at.st_ino), [])
        print(
            shown(path), kind, oct(stat.S_IMODE(at.st_mode))[2:], f'{at.st_uid}:{at.st_gid}',
            at.st_size if is_file else '-', digest(path) if is_file else '-',
            shown(os.readlink(path)) if kind == 'link' else '-', shown(names[0]) if len(names) > 1 else '-',
            at.st_mtime_ns // 1_000_000_000, capability(path),
        )


main()
