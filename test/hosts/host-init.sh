#!/bin/bash
# The first process of a host of the test bed: makes the machine look like one of its own, then
# only reaps. When it dies, everything on the host dies with it: that is the power cut.
#
#   host-init.sh NAME DIRECTORY NAMESERVER
#
# Runs in the host's network namespace and in fresh mount, uts, pid and ipc namespaces. DIRECTORY
# holds the host's disk, which outlives it. Writes its pid, as the outside counts, to
# DIRECTORY/init.pid, and DIRECTORY/ready when the host is up.
set -eu

name=$1 directory=$2 nameserver=$3

# /proc is still the outside's, so this is the pid that the outside can kill.
read -r pid _ </proc/self/stat
echo "$pid" >"$directory/init.pid"

mount --make-rprivate /
mount -t proc proc /proc
hostname "$name"

# A sysfs that shows this network namespace. A fresh one hides the cgroup tree, without which
# dockerd says "Devices cgroup isn't mounted", so the tree is carried over.
mkdir -p "$directory/cgroup"
mount --rbind /sys/fs/cgroup "$directory/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$directory/cgroup" /sys/fs/cgroup
umount -l "$directory/cgroup"

# What a boot forgets. A stale containerd.pid here would name a living process, for pids are small
# and repeat in a pid namespace, and dockerd would wait for a containerd that is not there.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/docker /run/netns

# What a boot keeps: the machine's own files below, what the host writes above.
for place in /etc /usr/local /var/lib; do
  disk=$directory/disk$place
  mkdir -p "$disk/upper" "$disk/work"
  mount -t overlay overlay -o "lowerdir=$place,upperdir=$disk/upper,workdir=$disk/work" "$place"
done
# Docker stacks an overlay of its own on this, which cannot stand on another.
mkdir -p "$directory/disk/docker" /var/lib/docker /etc/docker
mount --bind "$directory/disk/docker" /var/lib/docker

# Small, and the agent's alone, so that it can be filled without harm to the machine.
mkdir -p /var/lib/shoal
mount --bind "$directory/disk/agent" /var/lib/shoal

rm -f /etc/resolv.conf
printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$nameserver" >/etc/resolv.conf
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >/etc/hosts
echo "$name" >/etc/hostname
# Every host claims the machine's own identity otherwise.
printf '%s' "$name" | md5sum | cut -c1-32 >/etc/machine-id

touch "$directory/ready"
trap : TERM INT HUP
while :; do
  sleep 86400 &
  wait "$!" || :
done
