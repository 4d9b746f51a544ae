//! An instance whose image is downloaded: it is not to be seen yet, and the server is at work on it all the same.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use github_runners::machines::Machines as _;
use github_runners::machines::incus::{Image, Specification};

use crate::host::{Host, is_missing, names, specification};
use crate::stand_in::{Durations, State};
use crate::times::FOREVER;

/// Far longer than it takes to say that there is nothing, and no limit of anything.
const A_WHILE: Duration = Duration::from_secs(2);

/// A server of images that takes connections and says nothing.
struct Silent {
    listener: TcpListener,
    url: String,
}

impl Silent {
    fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    fn image(&self) -> Image {
        Image::Remote { server: self.url.clone(), protocol: "simplestreams".into(), alias: "trixie".into() }
    }

    /// Waits until somebody wants an image, who waits then for as long as this is kept.
    fn asked(&self) -> TcpStream {
        self.listener.accept().unwrap().0
    }
}

#[test]
fn a_delete_is_no_success_before_the_download_for_the_instance_is_over() {
    for host in Host::all() {
        let remote = Silent::begin();
        if let Host::StandIn(server) = &host {
            server.take(Durations { download: FOREVER, ..Durations::default() });
        }
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let image = remote.image();
            let made =
                scope.spawn(|| host.client("download").create(&Specification { image, ..specification("download-1") }));
            let asked = match &host {
                Host::Real { .. } => Some(remote.asked()),
                Host::StandIn(server) => {
                    let is_post = |line: &String| line.starts_with("POST");
                    crate::wait::wait_for("the request", || server.requests().iter().any(is_post).then_some(()));
                    None
                }
            };
            assert!(is_missing(&host.client("download"), "download-1"), "it is not to be seen");
            let deleted = scope.spawn(|| {
                host.client("download").delete("download-1").unwrap();
                assert!(is_over.load(Ordering::SeqCst), "it was said to be gone while the server was at work on it");
            });
            thread::sleep(A_WHILE);
            is_over.store(true, Ordering::SeqCst);
            drop((asked, remote));
            if let Host::StandIn(server) = &host {
                server.with(State::finish);
            }
            deleted.join().unwrap();
            // What became of it is another matter: it was deleted under who made it.
            _ = made.join().unwrap();
        });
        assert!(names(&host.client("download")).is_empty());
    }
}
