//! The private network of a machine, on a host whose network is one of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use github_runners::machines::{Machines as _, Token};
use nix::sched::{CloneFlags, setns};
use rustix::net::{Shutdown, shutdown};
use serde_json::{Value, json};

use crate::host::{Host, is_booted, run};
use crate::nspawn::Surroundings;

/// A network that is the host's, with another one behind it that stands for the world, and servers in both.
struct Network {
    /// Who holds that of the host; `None` where the host is a booted machine with a network of its own.
    host: Option<Child>,
    world: Child,
    servers: Vec<TcpListener>,
}

impl Network {
    fn new() -> Self {
        let (host, world) = ((!is_booted()).then(hold), hold());
        let mut network = Self { host, world, servers: Vec::new() };
        let world = network.world.id();
        network.in_host(&format!(
            "ip link add world type veth peer name home netns {world}
             ip address add 198.51.100.1/24 dev world; ip address add 2001:db8::1/64 dev world nodad; ip link set world up"
        ));
        inside(
            Some(world),
            "ip address add 198.51.100.2/24 dev home; ip address add 2001:db8::2/64 dev home nodad; ip link set home up",
        );
        let host = network.host_process();
        for (process, address) in [
            (host, "127.0.0.1:8000"),
            (host, "198.51.100.1:8001"),
            (host, "198.51.100.1:8080"),
            (Some(world), "198.51.100.2:8000"),
            (Some(world), "[2001:db8::2]:8000"),
        ] {
            network.servers.push(serve(process, address));
        }
        network
    }

    /// A host of machines in this network.
    fn host(&self, network: &Value) -> Host {
        let surroundings = Surroundings { network: self.host_process(), ..Surroundings::default() };
        let host = Host::among(surroundings, &json!({"network": network}));
        if network["mode"] == "private" {
            // What `units` prints, where it is installed.
            self.in_host(if is_booted() {
                "/usr/lib/systemd/systemd-sysctl /etc/sysctl.d/60-gitlab-nspawn.conf"
            } else {
                "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"
            });
        }
        host
    }

    fn host_process(&self) -> Option<u32> {
        self.host.as_ref().map(Child::id)
    }

    fn in_host(&self, script: &str) {
        inside(self.host_process(), script);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for server in &self.servers {
            _ = shutdown(server, Shutdown::Both);
        }
        if self.host.is_none() {
            // What ends by itself ends a moment after its last process, and the next claim makes one of the same name.
            _ = Command::new("ip").args(["link", "delete", "world"]).status();
        }
        for child in self.host.iter_mut().chain([&mut self.world]) {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// A process with a network of its own.
fn hold() -> Child {
    let mut holder = Command::new("unshare")
        .args(["--net", "sh", "-c", "ip link set lo up; echo ready; exec sleep 3600"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "ready\n");
    holder
}

/// Runs a script in the network of a process.
#[track_caller]
fn inside(process: Option<u32>, script: &str) {
    let network = process.map(|process| format!("--net=/proc/{process}/ns/net"));
    let mut command = Command::new(if network.is_some() { "nsenter" } else { "env" });
    let status = command.args(network).args(["sh", "-ec", script]).status().unwrap();
    assert!(status.success(), "{script}");
}

/// A server in the network of a process, which says for whom it sees the asker.
fn serve(process: Option<u32>, address: &'static str) -> TcpListener {
    let bind = move || {
        // A network belongs to a thread, and a socket keeps that of the one that made it.
        if let Some(process) = process {
            setns(File::open(format!("/proc/{process}/ns/net")).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
        }
        TcpListener::bind(address).unwrap()
    };
    let server = thread::spawn(bind).join().unwrap();
    let listener = server.try_clone().unwrap();
    thread::spawn(move || {
        while let Ok((mut connection, peer)) = listener.accept() {
            // The asker may have gone.
            _ = write!(connection, "here for {}", peer.ip());
        }
    });
    server
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
    let network = Network::new();
    let host = network.host(&json!({"mode": "private", "hostPorts": {"tcp": [8080]}, "resolvers": ["198.51.100.2"]}));
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

#[test]
fn the_network_of_the_host_is_open_with_its_loopback_and_without_one_nothing_is() {
    if !crate::host::can_make_machines() {
        return;
    }
    let network = Network::new();
    for (mode, loopback, world) in
        [("host", "here for 127.0.0.1", "here for 198.51.100.1"), ("none", "closed\n", "closed\n")]
    {
        let host = network.host(&json!({"mode": mode}));
        host.made(1);
        assert_eq!(asked(&host, 1, "127.0.0.1", 8000), loopback, "{mode}");
        assert_eq!(asked(&host, 1, "198.51.100.2", 8000), world, "{mode}");
        host.client().delete(Token(1)).unwrap();
        host.nothing_is_left();
        network.in_host("! ip link | grep glnspawn && ! nft list tables | grep gitlab");
    }
}
