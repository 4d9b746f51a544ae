//! How a server is reached, and what is said when it is not.

use std::path::PathBuf;

use super::stand_tests::{both, owner, specification};
use super::{Connection, Endpoint, Incus, Owner};
use crate::machines::{Fault, Machines as _};
use crate::stand_in_incus::{Flavor, PROJECT, StandIn};

/// A client over the network, that pins the server's certificate.
fn remote(server: &StandIn, project: &str, allowed: &str) -> Connection {
    let trusted = server.trust(allowed);
    let endpoint = Endpoint::Https {
        url: trusted.url,
        client_certificate: trusted.certificate,
        client_key: trusted.key,
        server_certificate: Some(trusted.server),
        ca: None,
    };
    Connection { endpoint, project: project.into() }
}

#[test]
fn a_certificate_for_one_project_is_enough_over_https() {
    for server in both() {
        let client = Incus::open(&remote(&server, PROJECT, PROJECT), owner()).unwrap();
        client.create(&specification("r-1")).unwrap();
        assert_eq!(client.list().unwrap().len(), 1);
        client.delete("r-1").unwrap();
        assert!(server.names().is_empty());
    }
}

#[test]
fn a_certificate_for_another_project_is_refused_in_words_with_the_way_out() {
    let server = StandIn::start(Flavor::Incus);
    let client = Incus::open(&remote(&server, PROJECT, "default"), owner()).unwrap();
    let fault = client.list().unwrap_err();
    assert!(matches!(&fault, Fault::Configuration(told) if told.contains("its trust list has to have")), "{fault:?}");
}

/// What is said when the connection is opened or first used.
fn refused(connection: &Connection) -> String {
    let opened = Incus::open(connection, Owner { controller: "c".into(), pool: None });
    match opened.and_then(|client| client.list()) {
        Err(Fault::Configuration(told)) => told,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_without_the_pinned_certificate_is_not_spoken_to() {
    let (server, other) = (StandIn::start(Flavor::Incus), StandIn::start(Flavor::Incus));
    let mut connection = remote(&server, PROJECT, PROJECT);
    let theirs = other.trust(PROJECT).server;
    let Endpoint::Https { server_certificate, .. } = &mut connection.endpoint else { unreachable!() };
    let own = server_certificate.replace(theirs);
    assert!(refused(&connection).contains("is not accepted"));
    assert!(server.requests().is_empty());
    // As an authority it is believed for the name that it has alone, and that is not this host's.
    let Endpoint::Https { server_certificate, ca: authority, .. } = &mut connection.endpoint else { unreachable!() };
    (*server_certificate, *authority) = (None, own);
    assert!(refused(&connection).contains("is not accepted"));
    assert!(server.requests().is_empty());
}

#[test]
fn what_cannot_be_used_of_a_connection_is_told_without_a_byte_of_the_key() {
    let server = StandIn::start(Flavor::Incus);
    let good = remote(&server, PROJECT, PROJECT);
    let Endpoint::Https { client_key, .. } = &good.endpoint else { unreachable!() };
    let key = std::fs::read_to_string(client_key).unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = server.directory().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let other = StandIn::start(Flavor::Incus);
    let other_key = other.trust(PROJECT).key;
    let changed = |change: &dyn Fn(&mut Endpoint)| {
        let mut connection = good.clone();
        change(&mut connection.endpoint);
        refused(&connection)
    };
    let half = file("half.key", &key[..key.len() / 2]);
    let locked =
        file("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let empty = file("empty.crt", "");
    let set = |key: PathBuf| {
        move |endpoint: &mut Endpoint| {
            if let Endpoint::Https { client_key, .. } = endpoint {
                client_key.clone_from(&key);
            }
        }
    };
    let at = |address: &'static str| {
        move |endpoint: &mut Endpoint| {
            if let Endpoint::Https { url, .. } = endpoint {
                address.clone_into(url);
            }
        }
    };
    for (told, part) in [
        (changed(&set("/nowhere/key".into())), "Failed to read /nowhere/key: No such file"),
        (changed(&set(half)), "there is no key in it"),
        (changed(&set(locked)), "is protected by a passphrase"),
        (changed(&set(empty.clone())), "there is no key in it"),
        (changed(&set(other_key)), "is not the key of the client's certificate"),
        (changed(&at("http://a")), "does not begin with https://"),
        (changed(&at("https://a/1.0")), "is more than https://HOST:PORT"),
        (changed(&at("https://me:secret@a")), "is more than https://HOST:PORT"),
        (changed(&at("")), "is no address"),
        (
            changed(&|endpoint| {
                if let Endpoint::Https { client_certificate, .. } = endpoint {
                    client_certificate.clone_from(&empty);
                }
            }),
            "there is no certificate in it",
        ),
        (
            changed(&|endpoint| {
                if let Endpoint::Https { server_certificate, .. } = endpoint {
                    *server_certificate = Some(empty.clone());
                }
            }),
            "Failed to use the server's certificate",
        ),
        (
            changed(&|endpoint| {
                if let Endpoint::Https { ca, .. } = endpoint {
                    *ca = Some(empty.clone());
                }
            }),
            "Failed to use the authority's certificate",
        ),
    ] {
        assert!(told.contains(part), "{told}");
        assert!(!told.contains("secret"), "{told}");
        let lines = key.lines().filter(|line| !line.starts_with("---"));
        assert!(lines.into_iter().all(|line| !told.contains(&line[..16.min(line.len())])), "{told}");
    }
}

#[test]
fn a_socket_that_is_not_there_is_told_at_once() {
    let connection = Connection { endpoint: Endpoint::Socket("/nowhere/unix.socket".into()), project: "p".into() };
    assert!(refused(&connection).contains("there is no socket /nowhere/unix.socket"), "{}", refused(&connection));
}
