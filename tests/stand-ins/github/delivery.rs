//! Sending an answer, well or badly. Nothing here holds the lock, so a slow answer
//! keeps no other request waiting.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::header,
    response::Response,
};
use http_body::Frame;
use tokio::time::{Sleep, sleep};

use super::{
    answer::Answer,
    faults::{Delivery, Fault},
};

/// In how many pieces a slow body comes.
const PIECES: usize = 8;

/// Sends `answer` as `fault` says.
pub async fn deliver(answer: Answer, fault: Option<Fault>) -> Response {
    let fault = fault.unwrap_or_default();
    sleep(Duration::from_millis(fault.delay_ms)).await;
    let (kind, text) = if fault.html {
        let status = answer.status;
        ("text/html", Some(format!("<html><head><title>{status}</title></head><body>Unicorn!</body></html>\n")))
    } else {
        ("application/json; charset=utf-8", answer.body.map(|body| body.to_string()))
    };
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        builder = builder.header(name, value);
    }
    if text.is_some() {
        builder = builder.header(header::CONTENT_TYPE, kind);
    }
    let text = text.unwrap_or_default().into_bytes();
    if matches!(fault.delivery, Delivery::SlowBody | Delivery::CutOff) {
        builder = builder.header(header::CONTENT_LENGTH, text.len());
    }
    let pause = Duration::from_millis(fault.pause_ms);
    let response = builder.body(match fault.delivery {
        Delivery::Whole => Body::from(text),
        Delivery::SlowBody => {
            let size = text.len().div_ceil(PIECES).max(1);
            Body::new(Pieces::new(text.chunks(size), pause, false))
        }
        Delivery::CutOff => Body::new(Pieces::new([&text[..text.len() / 2]], pause, true)),
        // The head is written together with the first piece, so it is lost as well.
        Delivery::Closed => Body::new(Pieces::new([], pause, true)),
    });
    // Only an injected header or status that is no header or status gets here.
    response.unwrap_or_else(|_| Response::new(Body::from("The injected fault is not valid HTTP")))
}

/// A body in pieces, with a pause after each.
struct Pieces {
    left: VecDeque<Bytes>,
    pause: Duration,
    pausing: Option<Pin<Box<Sleep>>>,
    broken: bool,
}

impl Pieces {
    fn new<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, pause: Duration, broken: bool) -> Self {
        let left = pieces.into_iter().map(Bytes::copy_from_slice).collect();
        Self { left, pause, pausing: None, broken }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(pausing) = &mut self.pausing {
            ready!(pausing.as_mut().poll(context));
        }
        self.pausing = None;
        match self.left.pop_front() {
            Some(piece) => {
                self.pausing = Some(Box::pin(sleep(self.pause)));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            None if self.broken => Poll::Ready(Some(Err(io::Error::other("broken off on purpose")))),
            None => Poll::Ready(None),
        }
    }
}
