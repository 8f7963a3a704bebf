#!/bin/bash
# Record two-hosts.pcap: real programs talking between two network namespaces, every frame as it crossed the wire.
#
# Debian: apt-get install iproute2 ethtool tcpdump iputils-ping iputils-arping nginx-light curl dnsmasq-base bind9-dnsutils
#   iperf3 socat procps. Needs root.
# Run: bash record.sh [OUTPUT.pcap]. It touches nothing outside its own two namespaces and one temporary directory.
#
# The wire is a veth pair with MTU 1500 and every offload off, so no frame is longer than 1514 bytes and none was merged
# or cut by the kernel. Each end is shaped to 100 Mbit/s (tbf): that is what an 8255x speaks, and it spaces the frames of
# a burst as that wire would.
set -euo pipefail

output=$(realpath -m "${1:-$(dirname "$0")/two-hosts.pcap}")
work=$(mktemp -d)
left=shmem-left right=shmem-right
L() { ip netns exec $left "$@"; }
R() { ip netns exec $right "$@"; }
cleanup() {
  for ns in $left $right; do ip netns pids $ns 2>/dev/null | xargs -r kill 2>/dev/null || true; done
  sleep 0.3
  for ns in $left $right; do ip netns del $ns 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

# Two hosts, one wire. Locally administered hardware addresses, documentation prefixes (RFC 5737, RFC 3849).
ip netns add $left
ip netns add $right
ip -n $left link add wire0 address 02:00:00:00:00:01 mtu 1500 type veth peer name wire1 address 02:00:00:00:00:02 mtu 1500
ip -n $left link set wire1 netns $right
for side in "$left wire0 1" "$right wire1 2"; do
  read -r ns dev host <<<"$side"
  ip netns exec $ns ethtool -K $dev tso off gso off gro off tx off rx off sg off >/dev/null 2>&1 || true
  tc -n $ns qdisc add dev $dev root tbf rate 100mbit burst 1600 limit 262144
  ip -n $ns link set lo up
  ip -n $ns address add 192.0.2.$host/24 dev $dev
  ip -n $ns address add 2001:db8::$host/64 dev $dev
done

# The capture runs on the left host, from before the wire comes up: its first frames are IPv6 neighbour discovery.
ip netns exec $left tcpdump -i wire0 -w "$work/wire.pcap" -s 65535 -U --immediate-mode 2>"$work/tcpdump.log" &
recorder=$!
ip -n $left link set wire0 up
ip -n $right link set wire1 up
sleep 2.2

# Servers on the right host.
head -c 120000 /dev/urandom >"$work/blob.bin"
head -c 45000 /dev/urandom >"$work/upload.bin"
printf '<!doctype html><title>two hosts</title><p>Hello over the wire.\n' >"$work/index.html"
cat >"$work/nginx.conf" <<NGINX
daemon off; worker_processes 1; pid $work/nginx.pid; error_log /dev/null;
events { worker_connections 64; }
http {
  access_log off; server_tokens off; client_body_temp_path $work/body; dav_methods PUT;
  proxy_temp_path $work/a; fastcgi_temp_path $work/b; uwsgi_temp_path $work/c; scgi_temp_path $work/d;
  server { listen 80; listen [::]:80; root $work; location /in/ { root $work; dav_methods PUT; create_full_put_path on; } }
}
NGINX
chmod 755 "$work"; chmod 644 "$work"/*.bin "$work"/index.html; mkdir -m 777 "$work/in" "$work/body"
R nginx -c "$work/nginx.conf" -p "$work" >/dev/null 2>&1 &
R dnsmasq --keep-in-foreground --no-hosts --no-resolv --port=53 --listen-address=192.0.2.2,2001:db8::2 --bind-interfaces \
  --address=/server.test/192.0.2.2 --address=/server.test/2001:db8::2 --txt-record=note.test,"two hosts, one wire" \
  --mx-host=mail.test,server.test,10 --user=root --pid-file= >/dev/null 2>&1 &
R iperf3 -s -4 -p 5201 >/dev/null 2>&1 &
R socat TCP6-LISTEN:7,reuseaddr,fork EXEC:cat 2>/dev/null &
sleep 1.3

# 1. ARP, then ICMP of several sizes, with one that needs fragments.
L arping -q -c 2 -I wire0 192.0.2.2
L ping -q -n -c 3 -i 0.2 192.0.2.2 >/dev/null
L ping -q -n -c 3 -i 0.2 -s 512 192.0.2.2 >/dev/null
L ping -q -n -c 3 -i 0.2 -s 1472 -M do 192.0.2.2 >/dev/null
L ping -q -n -c 2 -i 0.2 -s 4000 192.0.2.2 >/dev/null
L ping -q -n -6 -c 3 -i 0.2 2001:db8::2 >/dev/null
L ping -q -n -6 -c 2 -i 0.2 -s 1452 2001:db8::2 >/dev/null
sleep 0.6

# 2. Names.
for question in "server.test A" "server.test AAAA" "note.test TXT" "mail.test MX" "nowhere.test A"; do
  L dig +tries=1 +time=1 @192.0.2.2 $question >/dev/null || true
done
L dig +tries=1 +time=1 +tcp @2001:db8::2 server.test AAAA >/dev/null || true
sleep 0.8

# 3. The web: a small page, then a download that fills frames to the brim: the first burst.
fetch() { L curl -s --max-time 20 -A curl -o /dev/null "$@"; }
fetch http://192.0.2.2/index.html
sleep 0.5
fetch http://192.0.2.2/blob.bin

# Silence.
sleep 3

# 4. People typing: short lines over one TCP connection, echoed.
{ for line in hello "how is the wire" "quiet so far" "then send me something" "bye"; do echo "$line"; sleep 0.17; done; sleep 0.2; } \
  | L socat - TCP6:[2001:db8::2]:7 >/dev/null
sleep 0.6

# 5. UDP: forty datagrams of 1,400 bytes in one breath.
L iperf3 -c 192.0.2.2 -p 5201 -u -b 90M -l 1400 -k 40 >/dev/null 2>&1
sleep 1.2

# 6. An upload, IPv6.
L curl -s -g --max-time 20 -A curl -o /dev/null -T "$work/upload.bin" "http://[2001:db8::2]/in/upload.bin"

# Silence, longer.
sleep 4

# 7. The last burst: two downloads at once, one over each protocol, while pings run.
L ping -q -n -c 5 -i 0.002 192.0.2.2 >/dev/null &
fetch -r 0-69999 http://192.0.2.2/blob.bin &
fetch -g -r 50000-109999 "http://[2001:db8::2]/blob.bin"
wait %ping 2>/dev/null || true
sleep 1.5

kill -INT $recorder
wait $recorder || true
cp "$work/wire.pcap" "$output"
echo "wrote $output: $(stat -c %s "$output") bytes" >&2
