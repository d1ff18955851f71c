"""Works on files at random: random-files.py SEED OPERATIONS DIRECTORY …. Prints how often it did what.

The same seed does the same in the same tree. What an operation may not do (a name too long for its path, a file of
somebody else's) is left undone: the others go on. A kind that the count does not name never worked.
"""
import os, random, shutil, stat, sys

seed, operations, *roots = sys.argv[1:]
chance = random.Random(seed)
roots = [os.fsencode(root) for root in roots]
done = {}

WORDS = ['note', 'data.bin', 'a b', "it's", 'new\nline', 'tab\there', '-rf', '.hidden', 'ümläut', '文件', 'e\u0301', '🙂', '*', '\\', 'trailing ', '.wh', 'wh.']
TIMES = [0, 1, 951_782_400, 1_700_000_000, 4_102_444_800]


def name():
    kind = chance.randrange(10)
    word = os.fsencode(chance.choice(WORDS) + str(chance.randrange(1000)))
    if kind == 0:
        return (word + b'x' * 255)[:255]
    if kind == 1:
        return ('é' * 127).encode() + chance.choice([b'a', b'b', b'c'])
    if kind == 2:
        return b'caf\xe9' + word
    return word


def everything():
    """Paths of what there is, directories and the rest, in an order that the seed decides."""
    directories, others = list(roots), []
    for root in roots:
        for at, below, files in os.walk(root):
            below.sort()
            for entry in below:
                (others if os.path.islink(os.path.join(at, entry)) else directories).append(os.path.join(at, entry))
            others += [os.path.join(at, entry) for entry in sorted(files)]
    return directories, others


def write(path, mode):
    size = chance.choice([0, 1, 100, 4096, 70_000])
    with open(path, mode) as file:
        file.write(chance.randbytes(size))


def create(directories, others):
    write(os.path.join(chance.choice(directories), name()), 'xb')


def plain(others):
    """One of those whose content may be changed: an opened fifo waits for its other end for ever."""
    path = chance.choice(others)
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise OSError('not a plain file')
    return path


def append(directories, others):
    write(plain(others), 'ab')


def overwrite_middle(directories, others):
    with open(plain(others), 'r+b') as file:
        file.seek(chance.randrange(5_000))
        file.write(b'here I was')


def truncate(directories, others):
    os.truncate(plain(others), chance.choice([0, 10, 100_000]))


def sparse(directories, others):
    with open(os.path.join(chance.choice(directories), name()), 'xb') as file:
        file.seek(chance.randrange(3_000_000))
        file.write(b'end of the hole')
        file.truncate(file.tell() + chance.randrange(3_000_000))


def rename(directories, others):
    os.rename(chance.choice(others), os.path.join(chance.choice(directories), name()))


def rename_over(directories, others):
    os.replace(chance.choice(others), chance.choice(others))


def rename_directory(directories, others):
    os.rename(chance.choice(directories[len(roots):]), os.path.join(chance.choice(directories), name()))


def remove(directories, others):
    os.remove(chance.choice(others))


def remove_tree(directories, others):
    if chance.random() < 0.3:
        shutil.rmtree(chance.choice(directories[len(roots):]))


def remake_directory(directories, others):
    """A directory that is there again, without what it held."""
    victim = chance.choice(directories[len(roots):])
    shutil.rmtree(victim)
    os.mkdir(victim)
    write(os.path.join(victim, name()), 'xb')


def file_to_directory(directories, others):
    victim = chance.choice(others)
    os.remove(victim)
    os.mkdir(victim)


def directory(directories, others):
    os.mkdir(os.path.join(chance.choice(directories), name()))


def chmod(directories, others):
    os.chmod(plain(others), chance.choice([0o000, 0o400, 0o640, 0o755, 0o777, 0o4755, 0o2755, 0o6711]))


def chmod_directory(directories, others):
    os.chmod(chance.choice(directories[len(roots):]), chance.choice([0o700, 0o755, 0o1777, 0o2775]))


def symlink(directories, others):
    target = chance.choice([b'nowhere', b'..', b'/etc/passwd', b'x' * 300, chance.choice(others), b'b\xffad \n'])
    os.symlink(target, os.path.join(chance.choice(directories), name()))


def hard_link(directories, others):
    os.link(chance.choice(others), os.path.join(chance.choice(directories), name()), follow_symlinks=False)


def fifo(directories, others):
    os.mkfifo(os.path.join(chance.choice(directories), name()))


def date(directories, others):
    os.utime(chance.choice(others + directories[len(roots):]), (0, chance.choice(TIMES)), follow_symlinks=False)


def owner(directories, others):
    os.chown(chance.choice(others + directories[len(roots):]), chance.choice([0, 1, 1000, 65534, 1_000_000]), chance.choice([0, 1000, 3_000_000]), follow_symlinks=False)


def capability(directories, others):
    """cap_net_raw=ep, as setcap writes it."""
    os.setxattr(chance.choice(others), 'security.capability', bytes.fromhex('0100000200200000000000000000000000000000'), follow_symlinks=False)


KINDS = [create, create, create, append, overwrite_middle, truncate, sparse, rename, rename, rename_over, rename_directory, remove, remove_tree,
         remake_directory, file_to_directory, directory, directory, chmod, chmod_directory, symlink, hard_link, hard_link, fifo, date]
if os.geteuid() == 0:
    KINDS += [owner, owner, capability, capability, remove, remove_tree, remake_directory]

# Each of these works in every history; what a tree is to show afterwards comes last.
ONCE_AT_LEAST = [create, append, rename, remove, chmod, symlink, sparse, hard_link]
if os.geteuid() == 0:
    ONCE_AT_LEAST += [capability]
TRIES_MAX = 100


def works(operation):
    directories, others = everything()
    try:
        operation(directories, others)
    except (OSError, IndexError, ValueError):
        done['left undone'] = done.get('left undone', 0) + 1
        return False
    done[operation.__name__] = done.get(operation.__name__, 0) + 1
    return True


for _ in range(int(operations)):
    works(chance.choice(KINDS))
for operation in ONCE_AT_LEAST:
    any(works(operation) for _ in range(TRIES_MAX))

print(' '.join(f'{kind}={count}' for kind, count in sorted(done.items())))
