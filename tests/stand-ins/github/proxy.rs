//! A proxy for clients that know no other address than `https://api.github.com`.
//!
//! `CONNECT` to whatever host leads to the stand-in's TLS port: set `https_proxy`, and
//! let the client trust the stand-in's authority. It connects to nothing else.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

/// Longer requests are no requests.
const LONGEST: usize = 8 << 10;

/// The hosts that clients asked for, as `api.github.com:443`, in this order.
#[derive(Clone, Default)]
pub struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    /// All of them so far.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, host: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(host.to_owned());
    }
}

/// Serves `listener` for ever; every tunnel ends at `target`.
pub async fn serve(listener: TcpListener, target: SocketAddr, asked: Asked) {
    loop {
        // An error concerns one connection only.
        if let Ok((client, _)) = listener.accept().await {
            let asked = asked.clone();
            tokio::spawn(async move {
                // Either side may break a tunnel off at any time.
                _ = tunnel(client, target, &asked).await;
            });
        }
    }
}

async fn tunnel(mut client: TcpStream, target: SocketAddr, asked: &Asked) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split_whitespace();
    let (Some("CONNECT"), Some(host)) = (words.next(), words.next()) else {
        return client.write_all(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n").await;
    };
    asked.add(host);
    let mut server = TcpStream::connect(target).await?;
    // What was sent in two pieces must not come 40 ms apart.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
