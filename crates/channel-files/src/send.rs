//! The sender's side of one channel.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::time::SystemTime;

use blake3::Hash;
use serde::Serialize;
use telehash_channel_stream::{ByteReader, ByteStream, ByteWriter};
use tokio::io::AsyncWriteExt as _;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::block::{Source, blocking};
use crate::error::FilesError;
use crate::frame::{Decoder, Frame, HEAD};
use crate::limits::MAX_OFFERS;
use crate::message::{self, FromReceiver, FromSender};
use crate::outcome::Progress;
use crate::receive::{local, next_frame};
use crate::sending::{Entry, Kind, Sending};

/// Why a file is withdrawn that is not what it was when it was offered.
const CHANGED: &str = "it has changed while it was being sent";

const NO_OFFER: FilesError = FilesError::Protocol("an answer to no offer");

/// One transfer, as the sender sees it.
pub(crate) struct Conversation<'a> {
    sending: &'a mut Sending,
    reader: ByteReader,
    writer: ByteWriter,
    decoder: Decoder,
    /// The entry that is offered next.
    cursor: usize,
    /// The number of the next offer.
    next: u64,
    /// The offers that are not settled.
    open: HashMap<u64, Offer>,
    tell: &'a mut (dyn FnMut(Progress) + Send),
}

#[derive(Clone, Copy)]
struct Offer {
    /// Of the entry.
    index: usize,
    stage: Stage,
    /// Bytes that the progress has of it.
    counted: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Offered,
    /// The receiver has something alike, and knows our hash.
    Compared,
    /// All of it is sent.
    Sent,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(
        stream: ByteStream,
        sending: &'a mut Sending,
        tell: &'a mut (dyn FnMut(Progress) + Send),
    ) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            sending,
            reader,
            writer,
            decoder: Decoder::default(),
            cursor: 0,
            next: 0,
            open: HashMap::new(),
            tell,
        }
    }

    /// Sends until everything is settled. If it fails, the receiver is told why.
    pub(crate) async fn run(mut self) -> Result<(), FilesError> {
        let outcome = self.converse().await;
        if let Some(reason) = outcome.as_ref().err().and_then(FilesError::told) {
            self.writer.fail(reason);
        }
        outcome
    }

    async fn converse(&mut self) -> Result<(), FilesError> {
        loop {
            self.offer().await?;
            if self.open.is_empty() {
                break;
            }
            match self.reply().await? {
                FromReceiver::Send { n, from, hash } => self.send(n, from, hash).await?,
                FromReceiver::Have { n } => self.prove(n).await?,
                FromReceiver::Stored { n } => self.stored(n)?,
                FromReceiver::Refused { n, reason } => self.leave_out(n, reason)?,
            }
        }
        self.writer.shutdown().await.map_err(FilesError::stream)?;
        if next_frame(&mut self.reader, &mut self.decoder)
            .await?
            .is_some()
        {
            return Err(FilesError::Protocol("an answer to nothing"));
        }
        // The receiver has said that everything is settled.
        let _ = poll_fn(|cx| self.writer.poll_closed(cx)).await;
        Ok(())
    }

    /// Offers as many entries as may be open at once.
    async fn offer(&mut self) -> Result<(), FilesError> {
        while self.open.len() < MAX_OFFERS {
            let rest = self.sending.entries.get(self.cursor..).unwrap_or_default();
            let Some(ahead) = rest.iter().position(|entry| !entry.settled) else {
                return Ok(());
            };
            let index = self.cursor + ahead;
            let (n, stage, counted) = (self.next, Stage::Offered, 0);
            let message = self.entry(index)?.offer(n);
            (self.cursor, self.next) = (index + 1, n + 1);
            let offer = Offer {
                index,
                stage,
                counted,
            };
            self.open.insert(n, offer);
            self.say(&message).await?;
        }
        Ok(())
    }

    /// Sends the contents of a file, from where the receiver wants it on if that fits.
    async fn send(&mut self, n: u64, from: u64, hash: Option<String>) -> Result<(), FilesError> {
        let (stage, entry) = self.offered(n)?;
        let Kind::File { size, .. } = entry.kind else {
            return Err(FilesError::Protocol("contents wanted of a folder"));
        };
        if stage == Stage::Sent || from > size {
            return Err(FilesError::Protocol(
                "contents wanted that are not on offer",
            ));
        }
        self.at(n, Stage::Sent);
        let hash = hash.and_then(|hash| Hash::from_hex(hash).ok());
        let opened = blocking(move || open(&entry, from, hash)).await;
        let source = match local(opened)? {
            Ok(source) => source,
            Err(reason) => return self.withdraw(n, reason).await,
        };
        let from = source.len();
        self.say(&FromSender::Data { n, from }).await?;
        self.count(n, from);
        self.contents(n, source, size).await
    }

    /// Reads one block while the one before is sent.
    async fn contents(&mut self, n: u64, source: Source, size: u64) -> Result<(), FilesError> {
        let mut reading = read(source, Vec::new());
        let mut spare = Vec::new();
        let source = loop {
            let (source, frame, result) = local(reading.await.map_err(io::Error::other))?;
            if let Err(error) = result {
                return self.withdraw(n, unreadable(&error)).await;
            }
            if frame.is_empty() {
                break source;
            }
            if source.len() > size {
                return self.withdraw(n, CHANGED.to_owned()).await;
            }
            reading = read(source, spare);
            self.write(&frame).await?;
            self.count(n, frame.len().saturating_sub(HEAD) as u64);
            spare = frame;
        };
        let now = source.file().metadata().map(|now| Kind::of(&now)).ok();
        if source.len() != size || now != Some(self.offered(n)?.1.kind) {
            return self.withdraw(n, CHANGED.to_owned()).await;
        }
        let hash = source.hash().to_hex().as_str().to_owned();
        self.say(&FromSender::Hash { n, hash }).await
    }

    /// Tells the hash of a file that the receiver may have already.
    async fn prove(&mut self, n: u64) -> Result<(), FilesError> {
        let (stage, entry) = self.offered(n)?;
        if stage != Stage::Offered || entry.kind == Kind::Folder {
            return Err(FilesError::Protocol("a hash wanted that is not on offer"));
        }
        self.at(n, Stage::Compared);
        let hashed = blocking(move || {
            let mut source = open(&entry, 0, None)?;
            let size = entry.kind.size();
            let read = source.skip_to(size.saturating_add(1));
            read.map_err(|error| unreadable(&error))?;
            let hash = (source.len() == size).then(|| source.hash());
            hash.ok_or_else(|| CHANGED.to_owned())
        });
        match local(hashed.await)? {
            Ok(hash) => {
                let hash = hash.to_hex().as_str().to_owned();
                self.say(&FromSender::Hash { n, hash }).await
            }
            Err(reason) => self.withdraw(n, reason).await,
        }
    }

    /// The receiver has it.
    fn stored(&mut self, n: u64) -> Result<(), FilesError> {
        let offer = self.close(n)?;
        self.sending.stored(offer.index);
        self.count_rest(offer);
        Ok(())
    }

    /// The receiver will not have it.
    fn leave_out(&mut self, n: u64, reason: String) -> Result<(), FilesError> {
        let offer = self.close(n)?;
        self.sending.left_out(offer.index, reason);
        self.count_rest(offer);
        Ok(())
    }

    async fn withdraw(&mut self, n: u64, reason: String) -> Result<(), FilesError> {
        self.leave_out(n, reason.clone())?;
        self.say(&FromSender::Withdrawn { n, reason }).await
    }

    /// How far an offer is, and what is on offer.
    fn offered(&self, n: u64) -> Result<(Stage, Entry), FilesError> {
        let offer = self.open.get(&n).ok_or(NO_OFFER)?;
        Ok((offer.stage, self.entry(offer.index)?.clone()))
    }

    fn at(&mut self, n: u64, stage: Stage) {
        if let Some(offer) = self.open.get_mut(&n) {
            offer.stage = stage;
        }
    }

    /// Takes an offer off the list.
    fn close(&mut self, n: u64) -> Result<Offer, FilesError> {
        self.open.remove(&n).ok_or(NO_OFFER)
    }

    /// So many more bytes of it are at the receiver.
    fn count(&mut self, n: u64, bytes: u64) {
        if let Some(offer) = self.open.get_mut(&n) {
            offer.counted += bytes;
        }
        self.move_on(bytes);
    }

    /// Those bytes that were not counted, of what is settled.
    fn count_rest(&mut self, offer: Offer) {
        let entry = self.sending.entries.get(offer.index);
        let size = entry.map_or(0, |entry| entry.kind.size());
        self.move_on(size.saturating_sub(offer.counted));
    }

    fn entry(&self, index: usize) -> Result<&Entry, FilesError> {
        self.sending.entries.get(index).ok_or(NO_OFFER)
    }

    fn move_on(&mut self, bytes: u64) {
        let progress = &mut self.sending.progress;
        progress.bytes = progress.bytes.saturating_add(bytes);
        (self.tell)(*progress);
    }

    async fn say(&mut self, message: &impl Serialize) -> Result<(), FilesError> {
        self.write(&message::encode(message)?).await
    }

    async fn write(&mut self, frame: &[u8]) -> Result<(), FilesError> {
        let written = self.writer.write_all(frame).await;
        written.map_err(FilesError::stream)
    }

    async fn reply(&mut self) -> Result<FromReceiver, FilesError> {
        match next_frame(&mut self.reader, &mut self.decoder).await? {
            Some(Frame::Message(json)) => message::decode(&json),
            Some(Frame::Data(_)) => Err(FilesError::Protocol("data from the receiver")),
            None => Err(FilesError::Broken(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// What was not settled is sent again, and counted again.
impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        let counted: u64 = self.open.values().map(|offer| offer.counted).sum();
        let progress = &mut self.sending.progress;
        progress.bytes = progress.bytes.saturating_sub(counted);
    }
}

impl Entry {
    fn offer(&self, n: u64) -> FromSender {
        let path = self.name.clone();
        match self.kind {
            Kind::Folder => FromSender::Folder { n, path },
            Kind::File {
                size,
                modified,
                executable,
            } => {
                let since =
                    modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
                FromSender::File {
                    n,
                    path,
                    size,
                    modified: since.map(|since| since.as_secs()),
                    executable,
                }
            }
        }
    }
}

/// Opens a file, and skips so many bytes if they have this hash. It is what it was when it was looked for.
fn open(entry: &Entry, from: u64, hash: Option<Hash>) -> Result<Source, String> {
    let open = || Source::open(&entry.path).map_err(|error| unreadable(&error));
    let mut source = open()?;
    let now = source
        .file()
        .metadata()
        .map_err(|error| unreadable(&error))?;
    if !now.is_file() || Kind::of(&now) != entry.kind {
        return Err(CHANGED.to_owned());
    }
    if from > 0 {
        source.skip_to(from).map_err(|error| unreadable(&error))?;
        if source.len() != from || hash != Some(source.hash()) {
            return open();
        }
    }
    Ok(source)
}

fn read(mut source: Source, mut frame: Vec<u8>) -> JoinHandle<(Source, Vec<u8>, io::Result<()>)> {
    spawn_blocking(move || {
        let read = source.frame(&mut frame);
        (source, frame, read)
    })
}

fn unreadable(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}
