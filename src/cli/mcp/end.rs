//! The end of the server: when its standard input ends, or somebody ends the process.
//!
//! It is noticed where input is read, since the library that speaks the protocol waits first for the calls at work, and
//! those have to hear of it to end.

use crate::ops;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, ReadBuf};

/// Whether the server is ending, for all who have to know.
#[derive(Debug, Clone, Default)]
pub(super) struct End(Arc<AtomicBool>);

impl End {
    /// Whether it is ending.
    pub(super) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Has calls that wait stop waiting, and the processes that they wait for end.
    pub(super) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
        ops::end_processes();
    }

    /// `input`, of which the end is that of the server.
    pub(super) fn noticed_on<R>(&self, input: R) -> Input<R> {
        Input { input, end: self.clone() }
    }
}

/// What the client says.
pub(super) struct Input<R> {
    input: R,
    end: End,
}

impl<R: AsyncRead + Unpin> AsyncRead for Input<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.input).poll_read(cx, buffer));
        if read.is_err() || buffer.filled().len() == before {
            self.end.begin();
        }
        Poll::Ready(read)
    }
}

/// Waits for somebody to end the process.
pub(super) async fn interrupted() {
    let asked = async {
        #[cfg(unix)]
        if let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            terminated.recv().await;
            return;
        }
        std::future::pending().await
    };
    let pressed = async {
        // Where it can't be heard of, it ends the process by itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    tokio::select! {
        () = asked => {}
        () = pressed => {}
    }
}
