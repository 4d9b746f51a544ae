//! The private network of a machine, on a host whose network is one of its own.

use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};

use github_runners::machines::{Machines as _, Token};
use serde_json::json;

use crate::host::{Host, run};

/// A network that is the host's, with another one behind it that stands for the world, and servers on the host.
struct Network {
    host: Child,
    world: Child,
    servers: Vec<Child>,
}

impl Network {
    fn new() -> Self {
        let new = || {
            let mut holder = Command::new("unshare")
                .args(["--net", "sh", "-c", "ip link set lo up; echo ready; exec sleep 3600"])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut said = String::new();
            std::io::BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
            assert_eq!(said, "ready\n");
            holder
        };
        let (host, world) = (new(), new());
        let mut network = Self { host, world, servers: Vec::new() };
        network.in_host(&format!(
            "ip link add world type veth peer name home netns {}
             ip address add 198.51.100.1/24 dev world; ip address add 2001:db8::1/64 dev world nodad; ip link set world up
             sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
            network.world.id()
        ));
        let world = network.world.id();
        Self::inside(
            world,
            "ip address add 198.51.100.2/24 dev home; ip address add 2001:db8::2/64 dev home nodad; ip link set home up",
        );
        for (process, address) in [
            (network.host.id(), "127.0.0.1:8000"),
            (network.host.id(), "198.51.100.1:8001"),
            (network.host.id(), "198.51.100.1:8080"),
            (world, "198.51.100.2:8000"),
            (world, "2001:db8::2:8000"),
        ] {
            network.serve(process, address);
        }
        network
    }

    fn in_host(&self, script: &str) {
        Self::inside(self.host.id(), script);
    }

    fn inside(process: u32, script: &str) {
        let network = format!("--net=/proc/{process}/ns/net");
        let status = Command::new("nsenter").args([&network, "sh", "-ec", script]).status().unwrap();
        assert!(status.success(), "{script}");
    }

    /// A server that says where it is.
    fn serve(&mut self, process: u32, address: &str) {
        let (host, port) = address.rsplit_once(':').unwrap();
        let script = "import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
server = socket.create_server((host, port), family=socket.AF_INET6 if ':' in host else socket.AF_INET)
print('ready', flush=True)
while True:
    connection, peer = server.accept()
    connection.sendall(('here for ' + peer[0]).encode())
    connection.close()";
        let network = format!("--net=/proc/{process}/ns/net");
        let mut server = Command::new("nsenter")
            .args([&network, "/usr/bin/python3", "-c", script, host, port])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        std::io::BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "{address}");
        self.servers.push(server);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for child in self.servers.iter_mut().chain([&mut self.host, &mut self.world]) {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// What a machine gets from an address: an answer, or nothing.
fn asked(host: &Host, token: u64, address: &str, port: u16) -> String {
    run(host, token, &format!("exec 2> /dev/null; timeout 60 bash -c 'cat < /dev/tcp/{address}/{port}' || echo closed"))
        .stdout
}

#[test]
fn a_machine_reaches_the_world_and_of_the_host_only_what_is_named() {
    if !crate::host::can_make_machines() {
        return;
    }
    if crate::host::is_booted() {
        // The units of systemd are in the network of the host.
        return;
    }
    let network = Network::new();
    let settings = json!({"network": {"mode": "private", "hostPorts": {"tcp": [8080]}, "resolvers": ["198.51.100.2"]}});
    let host = Host::in_network(&settings, Some(network.host.id()));
    host.made(1);
    host.made(2);
    assert_eq!(asked(&host, 1, "198.51.100.2", 8000), "here for 198.51.100.1", "translated\n{}", host.log());
    assert_eq!(asked(&host, 1, "2001:db8::2", 8000), "here for 2001:db8::1");
    assert_eq!(asked(&host, 1, "198.51.100.1", 8080), "here for 10.213.0.6", "a named port is open");
    assert_eq!(asked(&host, 1, "198.51.100.1", 8001), "closed\n");
    assert_eq!(asked(&host, 1, "10.213.0.5", 8001), "closed\n");
    assert_eq!(asked(&host, 1, "127.0.0.1", 8000), "closed\n", "the loopback is its own");
    assert_eq!(run(&host, 1, "cat /etc/resolv.conf").stdout, "nameserver 198.51.100.2\n");
    network.in_host("for ours in /proc/sys/net/ipv6/conf/glnspawn*; do [ $(cat $ours/accept_ra) = 0 ]; done");
    // An address of another machine as the sender does not get to the host.
    network.in_host("nft insert rule inet gitlab_nspawn input ip saddr 10.213.0.10 counter comment spoofed");
    let script = "perl -MSocket -e '
        socket(my $s, AF_INET, SOCK_DGRAM, 0) or die; setsockopt($s, 0, 19, 1) or die \"transparent: $!\";
        bind($s, pack_sockaddr_in(0, inet_aton(\"10.213.0.10\"))) or die \"bind: $!\";
        send($s, \"x\", 0, pack_sockaddr_in(9, inet_aton(\"10.213.0.5\"))) or die \"send: $!\"; print \"sent\"'";
    let sent = run(&host, 1, script);
    assert_eq!(sent.stdout, "sent", "{sent:?}");
    network.in_host("nft list chain inet gitlab_nspawn input | grep 'packets 0 .*spoofed'");
    // Something listens in the other machine, and nothing gets there.
    let mut other = crate::host::start(
        &host,
        2,
        "perl -MIO::Socket::INET -e '$| = 1; $s = IO::Socket::INET->new(LocalPort => 8000, Listen => 1, ReuseAddr => 1) or die; print \"ready\\n\"; $| = 1; $s->accept; print \"met\"'",
    );
    other.says("ready");
    assert_eq!(asked(&host, 1, "10.213.0.10", 8000), "closed\n");
    other.stage.cancel(std::time::Duration::ZERO).unwrap();
    let said = {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut other.stdout, &mut text).unwrap();
        text
    };
    assert!(!said.contains("met"), "machines do not reach each other");
    // A firewall that was restarted takes the rules along; the next machine brings them back.
    network.in_host("nft flush ruleset");
    host.made(3);
    assert_eq!(asked(&host, 1, "198.51.100.1", 8001), "closed\n");
    for token in [1, 2, 3] {
        host.client().delete(Token(token)).unwrap();
    }
    host.nothing_is_left();
    network.in_host("! ip link | grep glnspawn && ! nft list tables | grep gitlab");
}
