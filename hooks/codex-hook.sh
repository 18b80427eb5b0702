# Sourced by sh, bash or zsh where Codex starts: registers it, and ends it with the shell.
# Written by `git aio init --agents=codex --user`, taken back by `git aio init --undo --user`.
# It is silent without git-aio and outside a repository. An EXIT trap that is there already keeps running, after ours.

# Ends the instance. Whoever looks at the exit status afterwards finds it unchanged.
git_aio_unregister() {
  git_aio_status=$?
  git-aio unregister >/dev/null 2>&1 || :
  return "$git_aio_status"
}

# Sets the EXIT trap, before the one that there is. `trap` prints that first, in the words that set it again; by way of a
# file, since not every shell knows its traps in a substitution.
git_aio_at_exit() {
  git_aio_traps=$(mktemp 2>/dev/null) || return 0
  trap >"$git_aio_traps"
  eval "set -- $(cat "$git_aio_traps")"
  rm -f "$git_aio_traps"
  git_aio_previous=
  if [ "${4-}" = EXIT ]; then
    git_aio_previous=$3
  fi
  trap 'if git_aio_unregister; then eval "$git_aio_previous"; else eval "$git_aio_previous"; fi' EXIT
}

# Once in a shell is enough.
if [ -z "${git_aio_id-}" ] && command -v git-aio >/dev/null 2>&1 &&
  git_aio_id=$(git-aio register codex 2>/dev/null) && [ -n "$git_aio_id" ]; then
  AIO_INSTANCE=$git_aio_id
  export AIO_INSTANCE
  if [ -n "${ZSH_VERSION-}" ]; then
    # There a trap that a function sets ends with the function; this is run beside any trap.
    eval 'zshexit_functions+=(git_aio_unregister)'
  else
    git_aio_at_exit
  fi
fi
