# What happens when a session has used up its process limit (a fork bomb, mostly): without help nobody could open a
# terminal in it again, because that takes a process too.
package ProcessLimit;
use strict;
use warnings;

# cgroup v2 and v1, as a container sees its own group.
my ($DIR) = grep { -r "$_/pids.events" } qw(/sys/fs/cgroup /sys/fs/cgroup/pids);
my ($ROOM, $AGAIN_S) = (8, 30);
my ($refused_before, $was_full, $looked_at, $cleared_at) = (undef, 0, 0, 0);

# Call it as often as you like: it looks once a second at most. Two looks in a row at which forks were refused since the
# last one and (nearly) no process is free: everything is stopped at once, then all but the terminal itself is ended.
# Within half a minute of that, what runs directly in the panes goes too: it was the bomb. Forks nothing; a session
# without a readable limit is left alone. `tell` gets a sentence for the person. Answers whether the next look may be such a second one.
sub look {
  my ($ttyd, $tell) = @_;
  return 0 unless defined $DIR;
  return $was_full if $looked_at == time;
  $looked_at = time;
  my ($refused) = read_text('events') =~ /^max (\d+)/m;
  my ($limit) = read_text('max') =~ /^(\d+)/;
  return 0 unless defined $refused && defined $limit;
  my $is_full = defined $refused_before && $refused > $refused_before && read_text('current') + $ROOM >= $limit;
  $refused_before = $refused;
  if ($is_full && $was_full) {
    my $ended = clear($ttyd, time - $cleared_at < $AGAIN_S);
    $tell->("All $limit processes of this terminal were in use: $ended were ended, so that you can go on.");
    $cleared_at = time;
    $is_full = 0;
  }
  return $was_full = $is_full;
}

sub read_text {
  my ($name) = @_;
  open my $file, '<', "$DIR/pids.$name" or return '';
  local $/;
  return <$file> // '';
}

# kill -1 spares its caller and init, and no fork slips through it (kernel/signal.c: tasklist_lock).
sub clear {
  my ($ttyd, $panes_too) = @_;
  kill STOP => -1;
  my %parent = parents();
  my ($tmux) = grep { $parent{$_} == 1 && is_tmux_server($_) } keys %parent;
  my $ended = 0;
  for my $pid (keys %parent) {
    next if $pid == 1 || $pid == $$ || $pid == $ttyd || $parent{$pid} == $ttyd;
    next if defined $tmux && ($pid == $tmux || $parent{$pid} == $tmux && !$panes_too);
    $ended += kill KILL => $pid;
  }
  kill CONT => -1;
  return $ended;
}

sub parents {
  my %parent;
  opendir my $proc, '/proc' or return;
  for my $pid (grep { /^\d+$/ } readdir $proc) {
    open my $stat, '<', "/proc/$pid/stat" or next;
    # The name in brackets may hold anything, brackets too: the parent is the second field after the last one.
    my ($parent) = (<$stat> // '') =~ /.*\)\s\S\s(\d+)/s or next;
    $parent{$pid} = $parent;
  }
  return %parent;
}

sub is_tmux_server {
  my ($pid) = @_;
  open my $name, '<', "/proc/$pid/comm" or return 0;
  return (<$name> // '') =~ /^tmux: server/;
}

1;
