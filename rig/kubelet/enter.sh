# Runs as the first process of a container: builds its root folder in a mount namespace of its own, then becomes it.
# usage: enter.sh ROOT WORKDIR COUNT (ro|rw):SOURCE:TARGET… COMMAND…
set -e
root=$1 workdir=$2 count=$3
shift 3
mount -t tmpfs -o mode=755 rig "$root"
for name in bin sbin lib lib32 lib64 usr etc dev proc; do
    if [ -L "/$name" ]; then
        ln -s "$(readlink "/$name")" "$root/$name"
    elif [ -d "/$name" ]; then
        mkdir "$root/$name"
        mount --rbind "/$name" "$root/$name"
    fi
done
mkdir -p "$root/root" "$root/run" "$root/var/tmp"
mkdir -m 1777 "$root/tmp"
while [ "$count" -gt 0 ]; do
    mode=${1%%:*} rest=${1#*:}
    source=${rest%:*} target=$root${rest##*:}
    if [ -d "$source" ]; then
        mkdir -p "$target"
    else
        mkdir -p "${target%/*}"
        : >"$target"
    fi
    mount --rbind "$source" "$target"
    [ "$mode" = rw ] || mount -o remount,bind,ro "$target"
    shift
    count=$((count - 1))
done
exec chroot "$root" /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$workdir" "$@"
