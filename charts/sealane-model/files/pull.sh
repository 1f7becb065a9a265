set -eu
pull=
exec 9>"$OLLAMA_MODELS/.sealane-pull.lock"
if command -v flock >/dev/null 2>&1; then flock 9; fi
log=$(mktemp)
out=$(mktemp)
ollama serve >"$log" 2>&1 9>&- &
server=$!
trap 'kill $server $pull 2>/dev/null || true; wait' EXIT
trap 'exit 143' TERM INT
tries=0
until ollama list >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -ge 120 ] || ! kill -0 "$server" 2>/dev/null; then
    tail -n 5 "$log" >&2
    echo "sealane: ollama did not start, so $SEALANE_MODEL could not be pulled" >&2
    exit 1
  fi
  sleep 0.5
done
ollama pull $SEALANE_PULL_FLAGS "$SEALANE_MODEL" >"$out" 2>&1 9>&- &
pull=$!
if ! wait "$pull"; then
  pull=
  why=$(tr '\r' '\n' <"$out" | sed 's/\x1b\[[?0-9;]*[a-zA-Z]//g' | grep -i 'error' | tail -n 3)
  [ -n "$why" ] || why=$(tail -c 400 "$out")
  printf '%s\n' "sealane: $SEALANE_MODEL could not be pulled" "$why" >&2
  exit 1
fi
pull=
echo "sealane: $SEALANE_MODEL is on the volume"
