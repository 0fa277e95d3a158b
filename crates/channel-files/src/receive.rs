//! The receiver's side of one channel.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;

use blake3::Hash;
use bytes::Bytes;
use serde::Serialize;
use telehash_channel_stream::{ByteReader, ByteStream, ByteWriter};
use telehash_hashname::Hashname;
use tokio::io::AsyncWriteExt as _;

use crate::block::{BLOCK, blocking};
use crate::error::FilesError;
use crate::folder::{About, Folder, Found, PartError};
use crate::frame::{Decoder, Frame};
use crate::limits::{MAX_ENTRIES, MAX_OFFERS};
use crate::message::{self, FromReceiver, FromSender};
use crate::name::Name;
use crate::outcome::{Outcome, Progress};
use crate::part::Part;
use crate::quota::Share;
use crate::refusal::Refusal;
use crate::settle::{Ready, Settled, Settling, What};
use crate::writing::Writing;

/// One transfer, as the receiver sees it.
pub(crate) struct Receiving<'a> {
    folder: Folder,
    peer: Hashname,
    reader: ByteReader,
    writer: ByteWriter,
    decoder: Decoder,
    /// The number of the next offer.
    next: u64,
    /// The offers that are not settled.
    open: HashMap<u64, Offer>,
    /// Those of which everything is here, but the sender does not know yet.
    settling: Settling,
    /// How many these are.
    unsettled: usize,
    /// Digests of all names so far.
    seen: HashSet<[u8; 16]>,
    outcome: Outcome,
    progress: Progress,
    tell: &'a mut (dyn FnMut(Progress) + Send),
}

struct Offer {
    name: Name,
    size: u64,
    about: About,
    stage: Stage,
}

enum Stage {
    /// Something as large is there; the sender is to say a hash.
    Alike,
    /// The sender is to send, from the end of this on.
    Part(Part, Share),
}

impl<'a> Receiving<'a> {
    pub(crate) fn new(
        stream: ByteStream,
        folder: Folder,
        progress: Progress,
        tell: &'a mut (dyn FnMut(Progress) + Send),
    ) -> Self {
        let peer = stream.peer();
        let (reader, writer) = stream.into_split();
        Self {
            settling: Settling::new(folder.clone()),
            unsettled: 0,
            folder,
            peer,
            reader,
            writer,
            decoder: Decoder::default(),
            next: 0,
            open: HashMap::new(),
            seen: HashSet::new(),
            outcome: Outcome::default(),
            progress,
            tell,
        }
    }

    /// Receives until the sender has said everything. If it fails, the sender is told why.
    pub(crate) async fn run(mut self) -> Result<Outcome, FilesError> {
        match self.converse().await {
            Ok(()) => Ok(self.outcome),
            Err(error) => {
                if let Some(reason) = error.told() {
                    self.writer.fail(reason);
                }
                Err(error)
            }
        }
    }

    async fn converse(&mut self) -> Result<(), FilesError> {
        while let Some(frame) = self.frame().await? {
            let Frame::Message(json) = frame else {
                return Err(FilesError::Protocol("data of no file"));
            };
            self.take(message::decode(&json)?).await?;
        }
        if !self.open.is_empty() || self.unsettled > 0 {
            return Err(FilesError::Protocol("an end before every file is settled"));
        }
        self.writer.shutdown().await.map_err(FilesError::stream)?;
        // Everything is here; whether the sender hears of that is up to the network.
        let _ = poll_fn(|cx| self.writer.poll_closed(cx)).await;
        Ok(())
    }

    async fn take(&mut self, message: FromSender) -> Result<(), FilesError> {
        match message {
            FromSender::File {
                n,
                path,
                size,
                modified,
                executable,
            } => {
                let about = About {
                    modified,
                    executable,
                };
                let Some(name) = self.offered(n, &path).await? else {
                    return Ok(());
                };
                self.file(n, name, size, about).await
            }
            FromSender::Folder { n, path } => match self.offered(n, &path).await? {
                Some(name) => {
                    self.settle(n, name, What::Folder);
                    Ok(())
                }
                None => Ok(()),
            },
            FromSender::Data { n, from } => self.data(n, from).await,
            FromSender::Hash { n, hash } => self.compare(n, &hash).await,
            FromSender::Withdrawn { n, reason } => {
                let offer = self.close(n)?;
                self.left_out(offer.name.as_str(), reason);
                Ok(())
            }
        }
    }

    /// The name of an offer, unless that is refused already.
    async fn offered(&mut self, n: u64, path: &str) -> Result<Option<Name>, FilesError> {
        if n != self.next {
            return Err(FilesError::Protocol(
                "offers that are not numbered one by one",
            ));
        }
        if n >= MAX_ENTRIES as u64 {
            return Err(FilesError::TooMany);
        }
        if self.open.len() + self.unsettled >= MAX_OFFERS {
            return Err(FilesError::Protocol("too many offers at once"));
        }
        self.next += 1;
        let refusal = match self.folder.name(path) {
            Ok(name) if self.seen.insert(self.digest(&name)) => return Ok(Some(name)),
            Ok(_) => Refusal::Duplicate,
            Err(error) => Refusal::Name(error),
        };
        self.refuse(n, path, refusal).await?;
        Ok(None)
    }

    /// What is kept of a name to know it again: a folder with many is not to take much memory.
    fn digest(&self, name: &Name) -> [u8; 16] {
        let hash = blake3::hash(name.folded(self.folder.rules()).as_bytes());
        *hash.as_bytes().first_chunk().expect("16 of 32 bytes")
    }

    async fn file(
        &mut self,
        n: u64,
        name: Name,
        size: u64,
        about: About,
    ) -> Result<(), FilesError> {
        let (folder, looked) = (self.folder.clone(), name.clone());
        let stage = match local(blocking(move || folder.look(&looked, size)).await)? {
            Err(refusal) => return self.refuse(n, name.as_str(), refusal).await,
            Ok(Found::Alike) => {
                self.say(&FromReceiver::Have { n }).await?;
                Stage::Alike
            }
            Ok(Found::Nothing | Found::Other) => match self.want(n, &name, size).await? {
                Some(stage) => stage,
                None => return Ok(()),
            },
        };
        let offer = Offer {
            name,
            size,
            about,
            stage,
        };
        self.open.insert(n, offer);
        Ok(())
    }

    /// Asks for what is missing; `None` if the file is refused.
    async fn want(&mut self, n: u64, name: &Name, size: u64) -> Result<Option<Stage>, FilesError> {
        let refusal = match part_of(&self.folder, self.peer, name, size).await {
            Ok((part, share)) => {
                let from = part.len();
                let hash = (from > 0).then(|| part.hash().to_hex().as_str().to_owned());
                self.say(&FromReceiver::Send { n, from, hash }).await?;
                return Ok(Some(Stage::Part(part, share)));
            }
            Err(PartError::Refused(refusal)) => refusal,
            Err(PartError::Disk(error)) => return Err(error),
        };
        self.refuse(n, name.as_str(), refusal).await?;
        Ok(None)
    }

    /// Takes the contents of a file, and what is said after them.
    async fn data(&mut self, n: u64, from: u64) -> Result<(), FilesError> {
        let offer = self.close(n)?;
        let Stage::Part(mut part, mut share) = offer.stage else {
            return Err(FilesError::Protocol("contents that nobody asked for"));
        };
        if from != part.len() {
            if from != 0 {
                return Err(FilesError::Protocol(
                    "contents from where nobody asked for them",
                ));
            }
            let (restarted, result) = local(
                blocking(move || {
                    let result = part.restart();
                    (part, result)
                })
                .await,
            )?;
            result.map_err(FilesError::disk(self.folder.place_of(&offer.name)))?;
            part = restarted;
        }
        let path = self.folder.place_of(&offer.name);
        let contents = self.contents(part, &mut share, path, offer.size);
        let (part, last) = contents.await?;
        match last {
            FromSender::Hash { n: of, hash } if of == n => {
                if part.len() != offer.size {
                    return Err(FilesError::Protocol("less of a file than was offered"));
                }
                let hash = parse(&hash)?;
                self.complete(n, offer.name, part, offer.about, hash).await
            }
            FromSender::Withdrawn { n: of, reason } if of == n => {
                self.left_out(offer.name.as_str(), reason);
                Ok(())
            }
            _ => Err(FilesError::Protocol("something else within a file")),
        }
    }

    /// Writes what arrives until the next message.
    async fn contents(
        &mut self,
        part: Part,
        share: &mut Share,
        path: PathBuf,
        size: u64,
    ) -> Result<(Part, FromSender), FilesError> {
        let mut len = part.len();
        self.move_on(len);
        let disk = |error| FilesError::disk(&path)(error);
        let (mut writing, mut block) = (Writing::new(part), Vec::new());
        loop {
            match self.frame().await? {
                Some(Frame::Data(bytes)) => {
                    len += bytes.len() as u64;
                    if len > size {
                        return Err(FilesError::Protocol("more of a file than was offered"));
                    }
                    self.move_on(bytes.len() as u64);
                    let filled = fill(&mut writing, &mut block, bytes).await;
                    share.spend(filled.map_err(disk)?);
                }
                Some(Frame::Message(json)) => {
                    let message = message::decode(&json)?;
                    share.spend(block.len() as u64);
                    writing.write(&mut block).await.map_err(disk)?;
                    return Ok((writing.finish().await.map_err(disk)?, message));
                }
                None => return Err(FilesError::Broken(io::ErrorKind::UnexpectedEof.into())),
            }
        }
    }

    /// Has the file given its name if it is what was sent.
    async fn complete(
        &mut self,
        n: u64,
        name: Name,
        mut part: Part,
        about: About,
        hash: Hash,
    ) -> Result<(), FilesError> {
        if part.hash() == hash {
            self.settle(n, name, What::File(part, about));
            return Ok(());
        }
        // It is of no use. If even this fails, it is found wanting later.
        local(blocking(move || drop(part.restart())).await)?;
        self.refuse(n, name.as_str(), Refusal::Damaged).await
    }

    /// Whether what is there is what the sender has.
    async fn compare(&mut self, n: u64, hash: &str) -> Result<(), FilesError> {
        let Offer {
            name,
            size,
            about,
            stage: Stage::Alike,
        } = self.close(n)?
        else {
            return Err(FilesError::Protocol("a hash before the contents"));
        };
        let (folder, compared, hash) = (self.folder.clone(), name.clone(), parse(hash)?);
        let same = local(blocking(move || folder.is_same(&compared, size, hash)).await)?;
        match same {
            Ok(true) => {
                self.move_on(size);
                self.settle(n, name, What::There(size));
                Ok(())
            }
            Ok(false) if self.folder.replaces() => {
                if let Some(stage) = self.want(n, &name, size).await? {
                    let offer = Offer {
                        name,
                        size,
                        about,
                        stage,
                    };
                    self.open.insert(n, offer);
                }
                Ok(())
            }
            Ok(false) => self.refuse(n, name.as_str(), Refusal::Exists).await,
            Err(error) => self.refuse(n, name.as_str(), Refusal::of(&error)).await,
        }
    }

    /// Takes an offer off the list.
    fn close(&mut self, n: u64) -> Result<Offer, FilesError> {
        let none = FilesError::Protocol("something about a file that is not on offer");
        self.open.remove(&n).ok_or(none)
    }

    /// Has it brought to the disk; the sender hears of it later.
    fn settle(&mut self, n: u64, name: Name, what: What) {
        self.unsettled += 1;
        self.settling.add(Ready { n, name, what });
    }

    async fn settled(&mut self, settled: Settled) -> Result<(), FilesError> {
        self.unsettled = self.unsettled.saturating_sub(1);
        let Settled {
            n,
            name,
            size,
            result,
        } = settled;
        match result {
            Ok(()) => self.stored(n, size).await,
            Err(refusal) => self.refuse(n, name.as_str(), refusal).await,
        }
    }

    async fn stored(&mut self, n: u64, size: u64) -> Result<(), FilesError> {
        self.outcome.stored(size);
        self.progress.files += 1;
        (self.tell)(self.progress);
        self.say(&FromReceiver::Stored { n }).await
    }

    async fn refuse(&mut self, n: u64, name: &str, refusal: Refusal) -> Result<(), FilesError> {
        let reason = refusal.to_string();
        self.left_out(name, reason.clone());
        self.say(&FromReceiver::Refused { n, reason }).await
    }

    fn left_out(&mut self, name: &str, reason: String) {
        self.outcome.left_out(name, reason);
        self.progress.files += 1;
        (self.tell)(self.progress);
    }

    fn move_on(&mut self, bytes: u64) {
        self.progress.bytes = self.progress.bytes.saturating_add(bytes);
        (self.tell)(self.progress);
    }

    async fn say(&mut self, message: &impl Serialize) -> Result<(), FilesError> {
        let frame = message::encode(message)?;
        self.writer
            .write_all(&frame)
            .await
            .map_err(FilesError::stream)
    }

    /// The next frame. The sender hears of what is settled until then.
    async fn frame(&mut self) -> Result<Option<Frame>, FilesError> {
        loop {
            let settled = tokio::select! {
                biased;
                settled = self.settling.next() => settled?,
                frame = next_frame(&mut self.reader, &mut self.decoder) => return frame,
            };
            for one in settled {
                self.settled(one).await?;
            }
        }
    }
}

/// What is here of a file, and room for what is not.
async fn part_of(
    folder: &Folder,
    peer: Hashname,
    name: &Name,
    size: u64,
) -> Result<(Part, Share), PartError> {
    let limits = folder.limits();
    limits.admit(size).map_err(PartError::Refused)?;
    let part = folder.part(peer, name).await?;
    let share = limits.share(size.saturating_sub(part.len()));
    Ok((part, share.map_err(PartError::Refused)?))
}

/// The next frame of a stream; `None` at its end.
pub(crate) async fn next_frame(
    reader: &mut ByteReader,
    decoder: &mut Decoder,
) -> Result<Option<Frame>, FilesError> {
    loop {
        if let Some(frame) = decoder.next()? {
            return Ok(Some(frame));
        }
        match reader.chunk().await.map_err(FilesError::stream)? {
            Some(bytes) => decoder.push(bytes),
            None if decoder.is_between_frames() => return Ok(None),
            None => return Err(FilesError::Broken(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// Adds bytes to the block, and has it written whenever it is full; how many bytes these were.
async fn fill(writing: &mut Writing, block: &mut Vec<u8>, mut bytes: Bytes) -> io::Result<u64> {
    let mut written = 0;
    while !bytes.is_empty() {
        let room = BLOCK.saturating_sub(block.len());
        block.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
        if block.len() >= BLOCK {
            written += block.len() as u64;
            writing.write(block).await?;
        }
    }
    Ok(written)
}

fn parse(hash: &str) -> Result<Hash, FilesError> {
    Hash::from_hex(hash).map_err(|_| FilesError::Protocol("a hash that is none"))
}

/// The threads that wait for disks are gone only when the program ends.
pub(crate) fn local<T>(result: io::Result<T>) -> Result<T, FilesError> {
    result.map_err(FilesError::Broken)
}
