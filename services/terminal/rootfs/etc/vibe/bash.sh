# Every interactive bash reads this from /etc/bash.bashrc, before ~/.bashrc.

# History is written at every prompt: a sleep takes the shell away without a goodbye.
HISTSIZE=100000
HISTFILESIZE=200000
HISTCONTROL=ignoreboth
shopt -s histappend cmdhist checkwinsize globstar
PROMPT_COMMAND=(vibe_prompt)

# PS0 runs before each command: what is typed last in a pane is known while it still runs (read by `save`).
PS0='$(vibe_note_running)'

vibe_note_running() {
  [[ -n ${TMUX_PANE-} ]] || return
  [[ $(HISTTIMEFORMAT='' history 1) =~ ^\ *[0-9]+\*?\ +(.*)$ ]] || return
  [[ -d ~/.vibe/running ]] || mkdir -p ~/.vibe/running
  printf '%s\n' "${BASH_REMATCH[1]}" > ~/.vibe/running/"${TMUX_PANE#%}"
} 2> /dev/null

vibe_prompt() {
  history -a
  [[ -s ~/.vibe/running/${TMUX_PANE#%} ]] && : > ~/.vibe/running/"${TMUX_PANE#%}"
} 2> /dev/null

PS1='\[\e[1;34m\]\w\[\e[0m\] \$ '
alias ls='ls --color=auto' ll='ls -lhF' la='ls -lhAF' grep='grep --color=auto'
[[ -r /usr/share/bash-completion/bash_completion ]] && . /usr/share/bash-completion/bash_completion
