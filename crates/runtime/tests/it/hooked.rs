//! A transport that misbehaves on demand.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use async_trait::async_trait;
use telehash_hashname::Path;
use telehash_transport::memory::MemoryTransport;
use telehash_transport::{
    Capabilities, RecvBatch, Remote, Transmit, Transport, TransportError, TransportEvent, Writable,
};

/// What a [`Hooked`] transport does wrong, and what it saw.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// Asking for the path of this remote panics. A link asks under its lock.
    pub(crate) panic_at: Mutex<Option<Remote>>,
    /// Sending would block.
    pub(crate) blocked: AtomicBool,
    /// Sending to this remote would block, for ever.
    pub(crate) stuck: Mutex<Option<Remote>>,
    /// What this thread sends next to any other would block, and whoever asks for room hears that
    /// there is some before the thread hears that there was none.
    pub(crate) overtaken: Mutex<Option<ThreadId>>,
    news: Mutex<News>,
    heard: Condvar,
    writer: Mutex<Option<Waker>>,
    /// What is sent is recorded and goes nowhere.
    pub(crate) swallow: AtomicBool,
    /// Runs that were swallowed: where to, and how many packets.
    pub(crate) swallowed: Mutex<Vec<(Remote, usize)>>,
    /// Dials never end.
    pub(crate) dials_hang: AtomicBool,
    /// Whom announcements reach; they are not supported without an audience.
    pub(crate) audience: Mutex<Option<Vec<Remote>>>,
    /// Announcements so far, by their packets.
    pub(crate) announced: Mutex<Vec<Vec<Vec<u8>>>>,
    /// Dials begun.
    pub(crate) dials: AtomicUsize,
    /// Dials that hang now.
    pub(crate) dialing: AtomicUsize,
}

/// What whoever asks for room hears.
#[derive(Debug, Default, PartialEq)]
enum News {
    #[default]
    None,
    RoomFor(Remote),
    /// That there was room. It is done with that once it asks again.
    Told,
}

impl Hooks {
    /// Lets whoever asks for room hear that there is some, and deal with it.
    fn overtake(&self, remote: Remote) {
        *self.news.lock().unwrap() = News::RoomFor(remote);
        if let Some(waker) = self.writer.lock().unwrap().take() {
            waker.wake();
        }
        let news = self.news.lock().unwrap();
        let _news = self.heard.wait_while(news, |news| *news != News::None);
    }

    fn tell(&self) -> Option<Remote> {
        let mut news = self.news.lock().unwrap();
        match std::mem::take(&mut *news) {
            News::RoomFor(remote) => {
                *news = News::Told;
                Some(remote)
            }
            News::Told => {
                self.heard.notify_all();
                None
            }
            News::None => None,
        }
    }

    pub(crate) fn unblock(&self) {
        self.blocked.store(false, Ordering::SeqCst);
        if let Some(waker) = self.writer.lock().unwrap().take() {
            waker.wake();
        }
    }
}

/// A transport in memory with hooks. It controls congestion itself, or so it says.
pub(crate) struct Hooked<T = MemoryTransport> {
    pub(crate) inner: T,
    pub(crate) hooks: Arc<Hooks>,
}

/// Counts a dial that hangs.
struct Dialing(Arc<Hooks>);

impl Drop for Dialing {
    fn drop(&mut self) {
        self.0.dialing.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl<T: Transport> Transport for Hooked<T> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self, remote: &Remote) -> Capabilities {
        let mut capabilities = self.inner.capabilities(remote);
        capabilities.own_congestion_control = true;
        capabilities
    }

    fn local_paths(&self) -> Vec<Path> {
        self.inner.local_paths()
    }

    fn remote_path(&self, remote: &Remote) -> Option<Path> {
        let panics = *self.hooks.panic_at.lock().unwrap() == Some(*remote);
        assert!(!panics, "a bug of ours");
        self.inner.remote_path(remote)
    }

    fn dialable(&self, path: &Path) -> bool {
        self.inner.dialable(path)
    }

    fn connects(&self) -> bool {
        self.inner.connects()
    }

    async fn dial(&self, path: &Path) -> Result<Remote, TransportError> {
        self.hooks.dials.fetch_add(1, Ordering::SeqCst);
        if self.hooks.dials_hang.load(Ordering::SeqCst) {
            self.hooks.dialing.fetch_add(1, Ordering::SeqCst);
            let _dialing = Dialing(self.hooks.clone());
            std::future::pending::<()>().await;
        }
        self.inner.dial(path).await
    }

    fn recv_batch(&self) -> RecvBatch {
        self.inner.recv_batch()
    }

    fn poll_recv(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, batch)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<usize> {
        if self.hooks.blocked.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if *self.hooks.stuck.lock().unwrap() == Some(transmit.remote) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let this = thread::current().id();
        let overtaken = (self.hooks.overtaken.lock().unwrap()).take_if(|who| *who == this);
        if overtaken.is_some() {
            self.hooks.overtake(transmit.remote);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.hooks.swallow.load(Ordering::SeqCst) {
            let run = (transmit.remote, transmit.packets().len());
            self.hooks.swallowed.lock().unwrap().push(run);
            return Ok(transmit.contents.len());
        }
        self.inner.try_send(transmit)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<Writable>> {
        *self.hooks.writer.lock().unwrap() = Some(cx.waker().clone());
        if self.hooks.blocked.load(Ordering::SeqCst) {
            return Poll::Pending;
        }
        if let Some(remote) = self.hooks.tell() {
            return Poll::Ready(Ok(Writable::Only(remote)));
        }
        if self.hooks.stuck.lock().unwrap().is_some() {
            return Poll::Pending;
        }
        self.inner.poll_writable(cx)
    }

    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        self.inner.poll_event(cx)
    }

    fn keep(&self, remote: &Remote) {
        self.inner.keep(remote);
    }

    fn close_pipe(&self, remote: &Remote) {
        self.inner.close_pipe(remote);
    }

    fn announce(&self, packets: &[Vec<u8>]) -> io::Result<usize> {
        let audience = self.hooks.audience.lock().unwrap();
        let audience = audience.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        self.hooks.announced.lock().unwrap().push(packets.to_vec());
        for to in audience {
            for packet in packets {
                self.inner.try_send(&Transmit::packet(*to, packet))?;
            }
        }
        Ok(audience.len())
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
