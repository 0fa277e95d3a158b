//! From the first task to the last: what runs in the background, and how it ends in order.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::discovery;
use crate::driver;
use crate::events::MeshEvent;
use crate::limits::{DRAIN_TIMEOUT, SAVE_DELAY, SAVE_RETRY};
use crate::shared::Shared;
use crate::watch::watch_network;

/// How often it is looked whether the last packets are out. They take microseconds.
const POSTING_CHECK: Duration = Duration::from_millis(1);

/// How often it is looked whether what was written has left.
const DELIVERY_CHECK: Duration = Duration::from_millis(10);

/// How far a mesh is on its way out. Only ever grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Running,
    /// Nothing new begins; what was written is delivered.
    Closing,
    /// Handlers and decisions are given up.
    Severed,
    /// The driver's own tasks end.
    Stopped,
    /// Everything is released.
    Closed,
}

/// The tasks of a mesh.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    runtime: Handle,
    phase: watch::Sender<Phase>,
    /// Tasks that run on behalf of the application.
    tasks: AtomicUsize,
    /// Tasks of the driver: they hold the transports.
    driving: AtomicUsize,
    /// A task or a channel is over.
    progress: Notify,
    /// What changed is to be written without delay.
    urgent: Notify,
    /// Threads that have packets in hand.
    posting: AtomicUsize,
}

/// Somebody has packets in hand that were taken from a link and not handed to a transport yet.
#[derive(Debug)]
pub(crate) struct Posting<'a>(&'a AtomicUsize);

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl Lifecycle {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            phase: watch::Sender::new(Phase::Running),
            tasks: AtomicUsize::new(0),
            driving: AtomicUsize::new(0),
            progress: Notify::new(),
            urgent: Notify::new(),
            posting: AtomicUsize::new(0),
        }
    }

    /// Taken under the lock of the link that the packets are of, so that once the link is closed it
    /// is known whether anything of it is still on its way to a transport.
    pub(crate) fn posting(&self) -> Posting<'_> {
        self.posting.fetch_add(1, Ordering::Relaxed);
        Posting(&self.posting)
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.runtime.spawn(task)
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.phase.borrow() > Phase::Running
    }

    /// Begins to close; the supervisor does the rest.
    pub(crate) fn close(&self) {
        self.advance(Phase::Closing);
    }

    pub(crate) fn reached(&self, phase: Phase) -> impl Future<Output = ()> + Send + use<> {
        let mut phases = self.phase.subscribe();
        async move {
            // The sender is gone only with the mesh itself.
            let _ = phases.wait_for(|now| *now >= phase).await;
        }
    }

    pub(crate) fn channel_over(&self) {
        self.progress.notify_one();
    }

    /// Has the change that was just made written without delay.
    pub(crate) fn save_at_once(&self) {
        self.urgent.notify_one();
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let further = *phase < to;
            *phase = to.max(*phase);
            further
        });
    }
}

/// Counts a task out, however it ends.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lifecycle.tasks.fetch_sub(1, Ordering::Release);
        self.0.lifecycle.progress.notify_one();
    }
}

/// Counts a task of the driver out, however it ends.
struct Driving(Arc<Shared>);

impl Drop for Driving {
    fn drop(&mut self) {
        self.0.lifecycle.driving.fetch_sub(1, Ordering::Release);
        self.0.lifecycle.progress.notify_one();
    }
}

impl Shared {
    /// Runs something on behalf of the application; it is dropped when the mesh closes.
    pub(crate) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        self.lifecycle.tasks.fetch_add(1, Ordering::Relaxed);
        let running = Running(self.clone());
        let severed = self.lifecycle.reached(Phase::Severed);
        let task = async move {
            let _running = running;
            tokio::select! {
                () = severed => {}
                () = task => {}
            }
        };
        self.lifecycle
            .runtime
            .spawn(task.instrument(self.span.clone()));
    }

    /// Starts the driver: receiving and serving each transport, timers, saving, announcing, and the
    /// supervisor.
    pub(crate) fn start(self: &Arc<Self>) {
        for port in &self.ports {
            self.drive(driver::receive(self.clone(), port.clone()));
            self.drive(driver::serve(self.clone(), port.clone()));
        }
        self.drive(driver::run_timers(self.clone()));
        self.drive(save_changes(self.clone()));
        self.drive(discovery::announce(self.clone()));
        self.drive(watch_network(self.clone()));
        self.lifecycle
            .runtime
            .spawn(supervise(self.clone()).instrument(self.span.clone()));
    }

    fn drive(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        self.lifecycle.driving.fetch_add(1, Ordering::Relaxed);
        let driving = Driving(self.clone());
        let stopped = self.lifecycle.reached(Phase::Stopped);
        let task = async move {
            let _driving = driving;
            tokio::select! {
                () = stopped => {}
                () = task => {}
            }
        };
        self.lifecycle
            .runtime
            .spawn(task.instrument(self.span.clone()));
    }

    /// Waits until nobody holds a transport any more: its address is free then.
    async fn driven(&self) {
        while self.lifecycle.driving.load(Ordering::Acquire) > 0 {
            self.lifecycle.progress.notified().await;
        }
    }

    /// Waits until everything that was written and ended is delivered.
    async fn delivered(self: &Arc<Self>) {
        let closing = |shared: &Arc<Self>| {
            let is_closing = |link: &Arc<_>| {
                driver::LinkDriver::look(link, shared, driver::Core::is_closing) == Ok(true)
            };
            shared.links().iter().any(is_closing)
        };
        while closing(self) {
            // Nobody tells when the last packet of an unreliable channel leaves.
            let _ = timeout(DELIVERY_CHECK, self.lifecycle.progress.notified()).await;
        }
    }

    async fn tasks_over(&self) {
        while self.lifecycle.tasks.load(Ordering::Acquire) > 0 {
            self.lifecycle.progress.notified().await;
        }
    }

    /// Waits until nobody has packets in hand: a last acknowledgement, for one.
    async fn posted(&self) {
        while self.lifecycle.posting.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(POSTING_CHECK).await;
        }
    }

    async fn close_transports(&self) {
        for port in &self.ports {
            if let Some(transport) = port.detach() {
                let _ = timeout(DRAIN_TIMEOUT, transport.close()).await;
            }
        }
    }

    /// Writes the known links, if there is a state directory. Whether nothing is left to be written.
    pub(crate) async fn save(self: &Arc<Self>) -> bool {
        let shared = self.clone();
        let saved = tokio::task::spawn_blocking(move || {
            let state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            state
                .as_ref()
                .map_or(Ok(()), |state| state.save_links(&shared.known))
        });
        let Ok(Err(error)) = saved.await else {
            return true;
        };
        tracing::warn!(%error, "known links not saved");
        self.events.publish(MeshEvent::StateNotSaved {
            error: error.to_string(),
        });
        false
    }
}

/// Closes the mesh in order, once it is asked for.
async fn supervise(shared: Arc<Shared>) {
    let lifecycle = &shared.lifecycle;
    lifecycle.reached(Phase::Closing).await;
    let _ = timeout(DRAIN_TIMEOUT, shared.delivered()).await;
    let _ = timeout(DRAIN_TIMEOUT, shared.handlers.shutdown()).await;
    lifecycle.advance(Phase::Severed);
    let _ = timeout(DRAIN_TIMEOUT, shared.tasks_over()).await;
    for link in shared.links() {
        shared.close_link(&link);
    }
    let _ = timeout(DRAIN_TIMEOUT, shared.posted()).await;
    shared.mapper_over().await;
    shared.close_transports().await;
    lifecycle.advance(Phase::Stopped);
    let _ = timeout(DRAIN_TIMEOUT, shared.driven()).await;
    shared.save().await;
    drop(
        shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(),
    );
    shared.events.close();
    tracing::debug!("closed");
    lifecycle.advance(Phase::Closed);
}

/// Writes changes of known links after they had a little time to collect, unless one is urgent, and again if that
/// fails: a full disk may have room later.
async fn save_changes(shared: Arc<Shared>) {
    if shared
        .state
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_none()
    {
        return;
    }
    loop {
        shared.known.changed().await;
        tokio::select! {
            () = tokio::time::sleep(SAVE_DELAY) => {}
            () = shared.lifecycle.urgent.notified() => {}
        }
        while !shared.save().await {
            tokio::time::sleep(SAVE_RETRY).await;
        }
    }
}
