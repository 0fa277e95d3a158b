//! A store on disk: an embedded database.

mod writer;

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use redb::{Database, ReadableDatabase as _, ReadableTable, TableDefinition, WriteTransaction};
use telehash_hashname::Hashname;
use tokio::sync::watch;
use zeroize::Zeroizing;

pub use self::writer::MAX_UNWRITTEN;
use self::writer::{Put, Writer};
use crate::error::StoreError;
use crate::id::Id;
use crate::room::MAX_PARTICIPANTS;
use crate::store::{Record, Seat, Store};

/// By chat.
const SEATS: TableDefinition<'_, [u8; 8], &[u8]> = TableDefinition::new("seats");

/// By chat, sender and place.
const RECORDS: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("records");

/// Bytes of the records of a sender, by chat and sender.
const SIZES: TableDefinition<'_, ([u8; 8], [u8; 32]), u64> = TableDefinition::new("sizes");

/// Limit: bytes of what one sender has said in one chat that a [`DiskStore`] keeps; beyond that it forgets
/// the oldest.
pub const MAX_ON_DISK: u64 = 16 << 20;

type Key = ([u8; 8], [u8; 32], u32);

/// Marks of a record.
const LASTING: u8 = 1;
const ANSWERED: u8 = 2;

const WRITTEN_BY_US: &str = "what is in the store was not written by it";

/// A store in a file, for all chats of one endpoint; a clone of it is the same store.
///
/// Of each sender in a chat it keeps [`MAX_ON_DISK`](crate::limits::MAX_ON_DISK) bytes, besides what is lasting. Our secrets are in it: the
/// file is for its owner only. Only one program can have it open.
///
/// [`Chats`](crate::Chats) do not wait for the disk: a thread writes what is said, and nobody else hears of it
/// before it is there. If that fails nothing more can be said: the chat has to be restored. A [`Room`](crate::Room)
/// of its own waits for what it says; of what others say up to 64 messages, which came within the last moment,
/// may be lost with the program either way, and come again.
#[derive(Clone)]
pub struct DiskStore {
    writer: Arc<Writer>,
    behind: bool,
}

impl DiskStore {
    /// Opens a store, or makes one.
    ///
    /// # Errors
    /// The file cannot be made or opened, is open elsewhere, or is something else.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let file = private(path.as_ref()).map_err(StoreError::new)?;
        let database = Database::builder().create_file(file);
        let database = Arc::new(database.map_err(StoreError::new)?);
        let transaction = database.begin_write().map_err(StoreError::new)?;
        transaction.open_table(SEATS).map_err(StoreError::new)?;
        transaction.open_table(RECORDS).map_err(StoreError::new)?;
        transaction.open_table(SIZES).map_err(StoreError::new)?;
        transaction.commit().map_err(StoreError::new)?;
        Ok(Self {
            writer: Arc::new(Writer::start(database).map_err(StoreError::new)?),
            behind: false,
        })
    }

    /// The database, with everything in it that has to be.
    fn database(&self) -> Result<&Database, StoreError> {
        if !self.behind {
            self.writer.settle()?;
        }
        self.writer.database()
    }
}

/// The file, which nobody else may read.
fn private(path: &Path) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

impl Store for DiskStore {
    fn put_seat(&mut self, chat: Id, seat: &Seat) -> Result<(), StoreError> {
        let transaction = self.database()?.begin_write().map_err(StoreError::new)?;
        let mut seats = transaction.open_table(SEATS).map_err(StoreError::new)?;
        let bytes = seat_bytes(seat);
        seats
            .insert(chat.as_bytes(), &bytes[..])
            .map_err(StoreError::new)?;
        drop(seats);
        transaction.commit().map_err(StoreError::new)
    }

    fn seat(&mut self, chat: Id) -> Result<Option<Seat>, StoreError> {
        let transaction = self.database()?.begin_read().map_err(StoreError::new)?;
        let seats = transaction.open_table(SEATS).map_err(StoreError::new)?;
        let Some(bytes) = seats.get(chat.as_bytes()).map_err(StoreError::new)? else {
            return Ok(None);
        };
        let seat = seat_of(bytes.value()).ok_or_else(|| StoreError::new(WRITTEN_BY_US))?;
        Ok(Some(seat))
    }

    fn put(&mut self, chat: Id, record: Record) -> Result<(), StoreError> {
        let ours = self.seat(chat)?.is_some_and(|seat| seat.me == record.from);
        self.writer.put(Put { chat, record, ours })?;
        match ours && !self.behind {
            true => self.writer.settle(),
            false => Ok(()),
        }
    }

    fn records(
        &mut self,
        chat: Id,
        sender: Hashname,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let transaction = self.database()?.begin_read().map_err(StoreError::new)?;
        let records = transaction.open_table(RECORDS).map_err(StoreError::new)?;
        let range = key(chat, sender, from)..=key(chat, sender, u32::MAX);
        let range = records.range(range).map_err(StoreError::new)?;
        let read = |entry: Result<_, redb::StorageError>| {
            let (key, bytes): (redb::AccessGuard<'_, Key>, redb::AccessGuard<'_, &[u8]>) =
                entry.map_err(StoreError::new)?;
            let (_, _, place) = key.value();
            let record = record_of(sender, place, bytes.value());
            record.ok_or_else(|| StoreError::new(WRITTEN_BY_US))
        };
        range.take(limit).map(read).collect()
    }

    fn senders(&mut self, chat: Id) -> Result<Vec<Hashname>, StoreError> {
        let transaction = self.database()?.begin_read().map_err(StoreError::new)?;
        let records = transaction.open_table(RECORDS).map_err(StoreError::new)?;
        let mut senders = Vec::new();
        let mut from = (*chat.as_bytes(), [0; 32], 0);
        let last = (*chat.as_bytes(), [0xff; 32], u32::MAX);
        // One look for each sender, whatever they have said.
        while senders.len() <= MAX_PARTICIPANTS {
            let mut range = records.range(from..=last).map_err(StoreError::new)?;
            let Some(first) = range.next() else {
                return Ok(senders);
            };
            let (key, _) = first.map_err(StoreError::new)?;
            let (_, sender, _) = key.value();
            senders.push(Hashname::from_bytes(sender));
            // No place is the last number: chains are shorter than that.
            from = (*chat.as_bytes(), sender, u32::MAX);
        }
        Err(StoreError::new(WRITTEN_BY_US))
    }

    fn chats(&mut self) -> Result<Vec<Id>, StoreError> {
        let transaction = self.database()?.begin_read().map_err(StoreError::new)?;
        let seats = transaction.open_table(SEATS).map_err(StoreError::new)?;
        let mut chats = Vec::new();
        for entry in seats.range::<[u8; 8]>(..).map_err(StoreError::new)? {
            let (chat, _) = entry.map_err(StoreError::new)?;
            chats.push(Id::from_bytes(chat.value()));
        }
        Ok(chats)
    }

    fn write_behind(&mut self) -> Option<watch::Receiver<u64>> {
        self.behind = true;
        Some(self.writer.kept())
    }

    fn remove(&mut self, chat: Id) -> Result<(), StoreError> {
        self.writer.settle()?;
        let transaction = self.database()?.begin_write().map_err(StoreError::new)?;
        let mut seats = transaction.open_table(SEATS).map_err(StoreError::new)?;
        seats.remove(chat.as_bytes()).map_err(StoreError::new)?;
        drop(seats);
        let mut records = transaction.open_table(RECORDS).map_err(StoreError::new)?;
        let all = (*chat.as_bytes(), [0; 32], 0)..=(*chat.as_bytes(), [0xff; 32], u32::MAX);
        records
            .retain_in(all, |_, _| false)
            .map_err(StoreError::new)?;
        drop(records);
        let mut sizes = transaction.open_table(SIZES).map_err(StoreError::new)?;
        let all = (*chat.as_bytes(), [0; 32])..=(*chat.as_bytes(), [0xff; 32]);
        sizes
            .retain_in(all, |_, _| false)
            .map_err(StoreError::new)?;
        drop(sizes);
        transaction.commit().map_err(StoreError::new)
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore").finish_non_exhaustive()
    }
}

/// Puts a record in its place, and makes room for it.
fn keep(transaction: &WriteTransaction, chat: Id, record: &Record) -> Result<(), redb::Error> {
    let mut records = transaction.open_table(RECORDS)?;
    let mut sizes = transaction.open_table(SIZES)?;
    let who = (*chat.as_bytes(), *record.from.as_bytes());
    let (new, bytes) = (key(chat, record.from, record.place), record_bytes(record));
    let mut size = sizes.get(who)?.map_or(0, |size| size.value());
    if let Some(old) = records.insert(new, &bytes[..])? {
        size = size.saturating_sub(old.value().len() as u64);
    }
    size += bytes.len() as u64;
    while size > MAX_ON_DISK {
        let Some((oldest, bytes)) = oldest(&records, key(chat, record.from, 0)..new)? else {
            break;
        };
        records.remove(oldest)?;
        size = size.saturating_sub(bytes);
    }
    sizes.insert(who, size)?;
    Ok(())
}

/// The first record that may be forgotten, and its size.
fn oldest(
    records: &impl ReadableTable<Key, &'static [u8]>,
    range: std::ops::Range<Key>,
) -> Result<Option<(Key, u64)>, redb::Error> {
    for entry in records.range(range)? {
        let (key, bytes) = entry?;
        let (_, from, place) = key.value();
        let record = record_of(Hashname::from_bytes(from), place, bytes.value());
        if record.is_none_or(|record| !record.lasting) {
            return Ok(Some((key.value(), bytes.value().len() as u64)));
        }
    }
    Ok(None)
}

fn key(chat: Id, sender: Hashname, place: u32) -> Key {
    (*chat.as_bytes(), *sender.as_bytes(), place)
}

fn seat_bytes(seat: &Seat) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(76 + seat.profile.len()));
    bytes.extend_from_slice(seat.me.as_bytes());
    bytes.extend_from_slice(seat.leader.as_bytes());
    bytes.extend_from_slice(&seat.secret[..]);
    bytes.extend_from_slice(&seat.depth.to_be_bytes());
    bytes.extend_from_slice(&seat.profile);
    bytes
}

fn seat_of(bytes: &[u8]) -> Option<Seat> {
    let (me, rest) = bytes.split_first_chunk()?;
    let (leader, rest) = rest.split_first_chunk()?;
    let (secret, rest) = rest.split_first_chunk()?;
    let (depth, profile) = rest.split_first_chunk()?;
    Some(Seat {
        me: Hashname::from_bytes(*me),
        leader: Hashname::from_bytes(*leader),
        secret: Zeroizing::new(*secret),
        depth: u32::from_be_bytes(*depth),
        profile: Bytes::copy_from_slice(profile),
    })
}

/// Its id, marks, what was answered with its length, and the packet.
fn record_bytes(record: &Record) -> Vec<u8> {
    let marks = u8::from(record.lasting) * LASTING + u8::from(record.answered.is_some()) * ANSWERED;
    let mut bytes = [&record.id.as_bytes()[..], &[marks]].concat();
    if let Some(answered) = &record.answered {
        let len = u32::try_from(answered.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(answered.as_bytes());
    }
    bytes.extend_from_slice(&record.packet);
    bytes
}

fn record_of(from: Hashname, place: u32, bytes: &[u8]) -> Option<Record> {
    let (id, rest) = bytes.split_first_chunk()?;
    let (marks, rest) = rest.split_first()?;
    let (answered, packet) = match marks & ANSWERED {
        0 => (None, rest),
        _ => {
            let (len, rest) = rest.split_first_chunk()?;
            let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
            let (answered, packet) = rest.split_at_checked(len)?;
            (Some(String::from_utf8(answered.to_vec()).ok()?), packet)
        }
    };
    Some(Record {
        from,
        place,
        id: Id::from_bytes(*id),
        lasting: marks & LASTING != 0,
        answered,
        packet: Bytes::copy_from_slice(packet),
    })
}
