//! The thread that writes to the disk, so that nobody who talks has to wait for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, mem};

use redb::{Database, Durability};
use tokio::sync::watch;

use super::keep;
use crate::error::StoreError;
use crate::id::Id;
use crate::store::Record;

/// Limit: messages that wait to be written by a `DiskStore`. At the limit whoever says or hears more waits for
/// the disk.
pub const MAX_UNWRITTEN: usize = 64;

/// Messages of others that may be lost with the program: they come again when chatting is resumed.
const UNSYNCED: usize = 64;

/// How long these may be lost when nothing more comes.
const IDLE: Duration = Duration::from_millis(200);

/// A message that is to be kept.
pub(super) struct Put {
    pub(super) chat: Id,
    pub(super) record: Record,
    /// We said it: it has to survive everything.
    pub(super) ours: bool,
}

impl Put {
    fn has_to_last(&self) -> bool {
        self.ours || self.record.lasting
    }
}

enum Job {
    Put(Put),
    /// Everything that came before is done.
    Settle(SyncSender<()>),
}

/// The database, and the thread that writes to it. Dropping it waits until everything is written.
pub(super) struct Writer {
    database: Arc<Database>,
    jobs: Option<SyncSender<Job>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    kept: watch::Sender<u64>,
    /// Why nothing more can be written.
    failed: Mutex<Option<String>>,
}

impl Writer {
    pub(super) fn start(database: Arc<Database>) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel(MAX_UNWRITTEN);
        let shared = Arc::new(Shared::default());
        let (writes, state) = (database.clone(), shared.clone());
        let thread = thread::Builder::new()
            .name("chat store".to_owned())
            .spawn(move || write(&writes, &waiting, &state))?;
        Ok(Self {
            database,
            jobs: Some(jobs),
            shared,
            thread: Some(thread),
        })
    }

    /// The database. What was put may not be in it yet.
    pub(super) fn database(&self) -> Result<&Database, StoreError> {
        self.shared.check()?;
        Ok(&self.database)
    }

    /// A number that changes whenever something was written, or could not be.
    pub(super) fn kept(&self) -> watch::Receiver<u64> {
        self.shared.kept.subscribe()
    }

    /// Has it written.
    pub(super) fn put(&self, put: Put) -> Result<(), StoreError> {
        self.shared.check()?;
        self.give(Job::Put(put))
    }

    /// Waits until everything is written that was put.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        let (done, wait) = sync_channel(1);
        self.give(Job::Settle(done))?;
        wait.recv().map_err(|_| gone())?;
        self.shared.check()
    }

    fn give(&self, job: Job) -> Result<(), StoreError> {
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(job).map_err(|_| gone())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without it the thread ends, when it has written everything.
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn check(&self) -> Result<(), StoreError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failed {
            Some(reason) => Err(StoreError::new(reason.clone())),
            None => Ok(()),
        }
    }

    fn fail(&self, reason: &redb::Error) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = Some(reason.to_string());
    }
}

fn gone() -> StoreError {
    StoreError::new("the thread that writes it has ended")
}

/// Writes what comes, as much at once as waits.
fn write(database: &Database, jobs: &Receiver<Job>, shared: &Shared) {
    let mut unsynced = 0;
    loop {
        let first = match next(jobs, unsynced) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => {
                sync(database, shared);
                unsynced = 0;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let (mut puts, mut settled) = (Vec::new(), Vec::new());
        for job in std::iter::once(first).chain(jobs.try_iter().take(MAX_UNWRITTEN)) {
            match job {
                Job::Put(put) => puts.push(put),
                Job::Settle(done) => settled.push(done),
            }
        }
        // After a failure nothing is written: there must be no holes.
        if !puts.is_empty() && shared.check().is_ok() {
            unsynced += puts.len();
            let sync = unsynced > UNSYNCED || puts.iter().any(Put::has_to_last);
            match write_all(database, &puts, sync) {
                Ok(()) if sync => unsynced = 0,
                Ok(()) => {}
                Err(error) => shared.fail(&error),
            }
            shared.kept.send_modify(|count| *count += 1);
        }
        for done in mem::take(&mut settled) {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
    }
    if unsynced > 0 {
        sync(database, shared);
    }
}

/// Has everything survive that was written before.
fn sync(database: &Database, shared: &Shared) {
    if shared.check().is_err() {
        return;
    }
    if let Err(error) = write_all(database, &[], true) {
        shared.fail(&error);
        shared.kept.send_modify(|count| *count += 1);
    }
}

/// What comes next. While something is not synced it is not waited for long.
fn next(jobs: &Receiver<Job>, unsynced: usize) -> Result<Job, RecvTimeoutError> {
    match unsynced {
        0 => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
        _ => jobs.recv_timeout(IDLE),
    }
}

fn write_all(database: &Database, puts: &[Put], sync: bool) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    if !sync {
        transaction.set_durability(Durability::None)?;
    }
    for put in puts {
        keep(&transaction, put.chat, &put.record)?;
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::TrySendError;

    use bytes::Bytes;
    use telehash_hashname::Hashname;
    use tempfile::TempDir;
    use zeroize::Zeroizing;

    use super::super::DiskStore;
    use super::*;
    use crate::store::{Seat, Store as _};

    const US: Hashname = Hashname::from_bytes([1; 32]);
    const OTHER: Hashname = Hashname::from_bytes([4; 32]);
    const CHAT: Id = Id::from_bytes([2; 8]);

    fn store() -> (TempDir, DiskStore) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = DiskStore::open(folder.path().join("chats")).unwrap();
        let seat = Seat {
            me: US,
            leader: US,
            secret: Zeroizing::new([7; 8]),
            depth: 5,
            profile: Bytes::new(),
        };
        store.put_seat(CHAT, &seat).unwrap();
        (folder, store)
    }

    fn record(place: usize) -> Record {
        Record {
            from: US,
            place: u32::try_from(place).unwrap(),
            id: Id::from_bytes([3; 8]),
            lasting: false,
            answered: None,
            packet: Bytes::from_static(b"said"),
        }
    }

    #[test]
    fn what_waits_for_the_disk_is_bounded() {
        let (_folder, mut store) = store();
        let writer = store.writer.clone();
        let busy = writer.database.begin_write().unwrap();
        let mut given = 0;
        loop {
            let put = Put {
                chat: CHAT,
                record: record(given + 1),
                ours: true,
            };
            match writer.jobs.as_ref().unwrap().try_send(Job::Put(put)) {
                Ok(()) => given += 1,
                Err(TrySendError::Full(_)) => break,
                Err(TrySendError::Disconnected(_)) => panic!(),
            }
        }
        // Besides those that wait, the thread may have taken some.
        assert!(
            (MAX_UNWRITTEN..=2 * MAX_UNWRITTEN + 1).contains(&given),
            "{given}"
        );
        busy.abort().unwrap();
        assert_eq!(store.records(CHAT, US, 0, 1000).unwrap().len(), given);
    }

    #[test]
    fn who_writes_behind_does_not_wait_and_shows_only_what_is_on_disk() {
        let (_folder, mut store) = store();
        let mut other = store.clone();
        let kept = store.write_behind().unwrap();
        let writer = store.writer.clone();
        let busy = writer.database.begin_write().unwrap();
        store.put(CHAT, record(1)).unwrap();
        assert_eq!(store.records(CHAT, US, 0, 9).unwrap(), []);
        assert!(!kept.has_changed().unwrap());
        busy.abort().unwrap();
        // Whoever does not write behind waits for it.
        assert_eq!(other.records(CHAT, US, 0, 9).unwrap(), [record(1)]);
        assert_eq!(store.records(CHAT, US, 0, 9).unwrap(), [record(1)]);
        assert!(kept.has_changed().unwrap());
    }

    #[test]
    fn what_waits_is_written_when_the_last_one_lets_go_of_it() {
        let (folder, mut store) = store();
        store.write_behind();
        let records: Vec<Record> = (1..=MAX_UNWRITTEN).map(record).collect();
        for record in &records {
            store.put(CHAT, record.clone()).unwrap();
        }
        drop(store);
        let mut store = DiskStore::open(folder.path().join("chats")).unwrap();
        assert_eq!(store.records(CHAT, US, 0, 1000).unwrap(), records);
    }

    #[test]
    fn after_a_failure_nothing_more_is_taken() {
        let (_folder, mut store) = store();
        let mut kept = store.write_behind().unwrap();
        kept.mark_unchanged();
        store
            .writer
            .shared
            .fail(&redb::Error::Corrupted("the disk is full".to_owned()));
        let error = store.put(CHAT, record(1)).unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
        assert!(store.records(CHAT, US, 0, 9).is_err());
        assert!(store.writer.settle().is_err());
    }

    /// What a program would find that starts after this one was killed, once it is `wanted`.
    fn after_a_kill(folder: &TempDir, wanted: impl Fn(&[Record]) -> bool) -> Vec<Record> {
        let copy = folder.path().join("copy");
        loop {
            std::fs::copy(folder.path().join("chats"), &copy).unwrap();
            // It may be in the middle of writing.
            if let Ok(mut store) = DiskStore::open(&copy)
                && let Ok(records) = store.records(CHAT, OTHER, 0, 9)
                && wanted(&records)
            {
                return records;
            }
        }
    }

    #[test]
    fn who_was_let_in_is_known_after_a_kill() {
        let (folder, mut store) = store();
        let join = Record {
            from: OTHER,
            lasting: true,
            ..record(1)
        };
        store.put(CHAT, join.clone()).unwrap();
        store.writer.settle().unwrap();
        assert_eq!(after_a_kill(&folder, |_| true), [join]);
    }

    #[test]
    fn what_others_said_is_known_after_a_kill_once_nobody_says_more() {
        let (folder, mut store) = store();
        let said = Record {
            from: OTHER,
            ..record(1)
        };
        store.put(CHAT, said.clone()).unwrap();
        let found = after_a_kill(&folder, |records| !records.is_empty());
        assert_eq!(found, [said]);
    }
}
