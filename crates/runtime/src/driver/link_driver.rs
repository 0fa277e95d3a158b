//! One link and its lock.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use telehash_hashname::{Hashname, Path};
use telehash_link::{Instant, LinkKey, LinkState, PipeId, TransportId};
use tokio::sync::watch;

use super::port::{Blocked, Parcel};
use super::{Core, Effects};
use crate::credentials::Credentials;
use crate::limits::{
    MAX_HANDLERS_PER_LINK, MAX_PENDING_DIALS, MAX_SEGMENTS, MAX_TRANSMITS_IN_A_ROW,
};
use crate::routing::LastAnswer;
use crate::shared::Shared;
use crate::state::Grant;

/// A link of the mesh: its core behind one lock, and what is known without it.
#[derive(Debug)]
pub(crate) struct LinkDriver {
    key: LinkKey,
    hashname: Hashname,
    core: Mutex<Option<Core>>,
    status: watch::Sender<Status>,
    /// The application asked for it.
    wanted: AtomicBool,
    /// Handler tasks that run for it.
    handlers: Arc<AtomicUsize>,
    /// Paths that are being dialled for it.
    dials: Arc<AtomicUsize>,
    /// Transports by which a connection is being made for it.
    connecting: Arc<Mutex<BTreeSet<TransportId>>>,
    /// Tasks that dial its paths again: one at most.
    redials: Arc<AtomicUsize>,
    /// The paths that the application named last.
    targets: Mutex<Vec<Target>>,
    /// Where the peer sees us, an address of each kind at most.
    seen_as: Mutex<Vec<Path>>,
    /// What its handshakes carry: an invite until it is up, a token as long as it lives.
    credentials: Mutex<Credentials>,
    /// What it was let in by, until it is up: a URI that it presented through a router.
    guest: Mutex<Option<Grant>>,
    /// When a shared URI that came for it was answered.
    pub(crate) answered: LastAnswer,
}

/// A path that the application named.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) path: Path,
    /// The pipe that it led to last.
    pub(crate) pipe: Option<PipeId>,
}

/// One of a bounded number of places, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let place = Self(taken.clone());
        let before = taken.fetch_add(1, Ordering::Relaxed);
        (before < limit).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to make a connection by one transport, until it is dropped.
#[derive(Debug)]
pub(crate) struct Connecting {
    all: Arc<Mutex<BTreeSet<TransportId>>>,
    transport: TransportId,
}

impl Drop for Connecting {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.transport);
    }
}

/// What everyone may watch of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) state: LinkState,
    /// The link is closed.
    pub(crate) gone: bool,
}

/// The link is closed, or a fault of ours broke it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkGone;

impl LinkDriver {
    pub(crate) fn new(key: LinkKey, core: Core, wanted: bool) -> Self {
        Self {
            key,
            hashname: core.link.hashname(),
            status: watch::Sender::new(Status {
                state: core.link.state(),
                gone: false,
            }),
            core: Mutex::new(Some(core)),
            wanted: AtomicBool::new(wanted),
            handlers: Arc::default(),
            dials: Arc::default(),
            connecting: Arc::default(),
            redials: Arc::default(),
            targets: Mutex::default(),
            seen_as: Mutex::default(),
            credentials: Mutex::default(),
            guest: Mutex::default(),
            answered: LastAnswer::default(),
        }
    }

    /// The peer sees us at this address: the only one of its kind.
    pub(crate) fn note_seen_as(&self, path: &Path) {
        let mut seen_as = self.lock_seen_as();
        seen_as.retain(|old| old.kind() != path.kind());
        seen_as.push(path.clone());
    }

    /// Where the peer sees us.
    pub(crate) fn seen_as(&self) -> Vec<Path> {
        self.lock_seen_as().clone()
    }

    fn lock_seen_as(&self) -> MutexGuard<'_, Vec<Path>> {
        self.seen_as.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to dial the link's paths again, unless somebody does.
    pub(crate) fn start_redial(&self) -> Option<Place> {
        Place::take(&self.redials, 1)
    }

    pub(crate) fn set_targets(&self, paths: &[Path]) {
        let mut targets = self.lock_targets();
        let before = std::mem::take(&mut *targets);
        let known = |path: &Path| before.iter().find(|target| target.path == *path);
        let target = |path: &Path| Target {
            path: path.clone(),
            pipe: known(path).and_then(|target| target.pipe),
        };
        *targets = paths.iter().map(target).collect();
    }

    /// The path led to this pipe.
    pub(crate) fn target_reached(&self, path: &Path, pipe: PipeId) {
        let mut targets = self.lock_targets();
        if let Some(target) = targets.iter_mut().find(|target| target.path == *path) {
            target.pipe = Some(pipe);
        }
    }

    pub(crate) fn targets(&self) -> Vec<Target> {
        self.lock_targets().clone()
    }

    fn lock_targets(&self) -> MutexGuard<'_, Vec<Target>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn credentials(&self) -> MutexGuard<'_, Credentials> {
        self.credentials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_guest(&self, grant: Grant) {
        *self.lock_guest() = Some(grant);
    }

    /// Whether it was let in by a shared URI, and has not proved yet who it is.
    pub(crate) fn is_guest(&self) -> bool {
        self.lock_guest().is_some()
    }

    pub(crate) fn take_guest(&self) -> Option<Grant> {
        self.lock_guest().take()
    }

    fn lock_guest(&self) -> MutexGuard<'_, Option<Grant>> {
        self.guest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more handler task, unless too many run.
    pub(crate) fn start_handler(&self) -> Option<Place> {
        Place::take(&self.handlers, MAX_HANDLERS_PER_LINK)
    }

    /// A place for one more dial, unless too many are pending.
    pub(crate) fn start_dial(&self) -> Option<Place> {
        Place::take(&self.dials, MAX_PENDING_DIALS)
    }

    /// The right to make a connection by this transport, unless somebody does.
    pub(crate) fn start_connecting(&self, transport: TransportId) -> Option<Connecting> {
        let all = self.connecting.clone();
        let is_new = all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(transport);
        is_new.then(|| Connecting { all, transport })
    }

    pub(crate) fn key(&self) -> LinkKey {
        self.key
    }

    pub(crate) fn hashname(&self) -> Hashname {
        self.hashname
    }

    pub(crate) fn status(&self) -> &watch::Sender<Status> {
        &self.status
    }

    pub(crate) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Does `work` on the link, settles what it caused, and sends what there is to send.
    ///
    /// # Errors
    /// The link is gone. A panic in here makes it so: it is buried, and nothing else is touched.
    pub(crate) fn run<R>(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        work: impl FnOnce(&mut Core, Instant) -> R,
    ) -> Result<R, LinkGone> {
        let mut effects = Effects::default();
        let done = self.locked(shared, |core| {
            let now = shared.clock.now();
            let result = work(core, now);
            core.settle(now, shared, self, &mut effects);
            let parcel = core
                .start_sending()
                .then(|| core.next_parcel(now, shared))
                .flatten();
            core.arm(shared, self);
            let posting = parcel.is_some().then(|| shared.lifecycle.posting());
            (result, parcel, posting)
        });
        effects.apply(shared, self);
        let (result, parcel, _posting) = done?;
        if let Some(parcel) = parcel {
            self.send(shared, parcel);
        }
        Ok(result)
    }

    /// Only looks: nothing is settled or sent.
    ///
    /// # Errors
    /// The link is gone.
    pub(crate) fn look<R>(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        look: impl FnOnce(&Core) -> R,
    ) -> Result<R, LinkGone> {
        self.locked(shared, |core| look(core))
    }

    /// A deadline of the link passed.
    pub(crate) fn timeout(self: &Arc<Self>, shared: &Arc<Shared>) {
        // Gone in the meantime is as good as handled.
        let _ = self.run(shared, |core, now| core.handle_timeout(now, shared));
    }

    /// Sends this and what follows, up to the quota; then the link waits for its next turn. Only one
    /// thread does so for a link at a time: who began, or who took the link out of the queue where
    /// it waited. A parcel whose pipe has no room is left behind, and the others go on.
    pub(crate) fn send(self: &Arc<Self>, shared: &Arc<Shared>, mut parcel: Parcel) {
        for _ in 0..MAX_TRANSMITS_IN_A_ROW {
            let blocked = shared.post(self, &mut parcel).err();
            let mut left = None;
            if blocked.is_some() {
                left = Some(std::mem::replace(
                    &mut parcel,
                    Parcel::new(shared.pool.take()),
                ));
            }
            let mut effects = Effects::default();
            let more = self.locked(shared, |core| {
                let now = shared.clock.now();
                if let Some(Blocked(pipe)) = blocked {
                    core.link.pipe_blocked(pipe, true);
                }
                let more = core.refill(now, &mut parcel, MAX_SEGMENTS);
                // What left made room: a writer that waits for it is woken now, not by the next ack.
                core.settle(now, shared, self, &mut effects);
                core.arm(shared, self);
                more
            });
            effects.apply(shared, self);
            if let Some(left) = left {
                shared.try_again(self, left);
            }
            if more != Ok(true) {
                return shared.pool.give(parcel.into_buffer());
            }
        }
        shared.wait_for_turn(self, parcel);
    }

    /// A pipe has room again. The link has just had a turn: what follows waits for the next.
    pub(super) fn unblock(self: &Arc<Self>, shared: &Arc<Shared>, pipe: PipeId) {
        let next = self.locked(shared, |core| {
            core.link.pipe_blocked(pipe, false);
            let now = shared.clock.now();
            let starts = core.start_sending();
            starts.then(|| core.next_parcel(now, shared)).flatten()
        });
        if let Ok(Some(parcel)) = next {
            shared.wait_for_turn(self, parcel);
        }
    }

    /// Takes the core away: whoever comes next finds the link gone. What waits is woken.
    pub(crate) fn bury(&self, shared: &Shared) {
        let core = self
            .core
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut core) = core {
            core.detach(shared, self.key);
            core.into_wakers().for_each(Waker::wake);
        }
        self.status.send_replace(Status {
            state: LinkState::Down,
            gone: true,
        });
    }

    fn locked<R>(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        work: impl FnOnce(&mut Core) -> R,
    ) -> Result<R, LinkGone> {
        // What a panic leaves half done is never looked at again: the lock is poisoned then.
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let mut guard = self.core.lock().map_err(|_poisoned| LinkGone)?;
            guard.as_mut().map(work).ok_or(LinkGone)
        }));
        caught.unwrap_or_else(|_panic| {
            shared.link_panicked(self);
            Err(LinkGone)
        })
    }
}
